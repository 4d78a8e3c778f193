//! The time: the real time at the moment of asking, or `credit.clock`.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::arguments;
use crate::domain::caps::tally;
use crate::settings;
use crate::values;

/// How far a clock may be set back at most: the books then go on at the latest instant written, until the clock is there again.
pub const MOST_SET_BACK: TimeDelta = tally::MOST_AHEAD;

thread_local! {
    /// For the call that runs now it is not earlier than this: the books of an account were written until then.
    static NOT_BEFORE: Cell<Option<DateTime<Utc>>> = const { Cell::new(None) };

    /// The last text of `credit.clock` and the instant it means, so that a debit does not parse it again.
    static PARSED: RefCell<Option<(CString, DateTime<Utc>)>> = const { RefCell::new(None) };
}

/// As long as this lives the clock may be moved on; then it is what it was.
#[derive(Debug)]
#[must_use = "the clock is what it was when this is dropped"]
pub struct Movable {
    before: Option<DateTime<Utc>>,
}

impl Drop for Movable {
    fn drop(&mut self) {
        NOT_BEFORE.set(self.before);
    }
}

/// Lets the clock be moved on for one account.
pub fn movable() -> Movable {
    Movable { before: NOT_BEFORE.get() }
}

/// Moves the clock on to an instant, unless it is later already: it was set back, and the books go on from where they are. It is
/// called only while somebody has a [`Movable`].
pub fn move_to(at: DateTime<Utc>) {
    NOT_BEFORE.set(NOT_BEFORE.get().max(Some(at)));
}

/// Moves the clock on to where something was written last, unless that is more than [`MOST_SET_BACK`] ahead.
pub fn move_to_if_near(written: Option<DateTime<Utc>>) {
    if let Some(written) = written.filter(|written| *written - now() <= MOST_SET_BACK) {
        move_to(written);
    }
}

/// Now, not the transaction's start: a transaction that waited must not use credit that expired meanwhile.
///
/// # Errors
/// 22007 when `credit.clock` is no timestamp; 22023 when it is an infinite one.
pub fn now() -> DateTime<Utc> {
    not_before_moved(actual())
}

/// An instant that was taken for now before the clock was moved on.
pub fn not_before_moved(now: DateTime<Utc>) -> DateTime<Utc> {
    NOT_BEFORE.get().map_or(now, |not_before| now.max(not_before))
}

/// The time by the server's clock, or by `credit.clock`, though it was moved on.
fn actual() -> DateTime<Utc> {
    match settings::clock() {
        // SAFETY: the server asks the operating system for the time.
        None => values::instant_from_microseconds(unsafe { pg_sys::GetCurrentTimestamp() }).expect("the present is in range"),
        Some(text) => PARSED.with_borrow_mut(|parsed| match parsed {
            Some((known, instant)) if *known == text => *instant,
            _ => {
                let instant = parse(&text);
                *parsed = Some((text, instant));
                instant
            }
        }),
    }
}

/// The instant that a caller means. SQL's `now()` is the start of the transaction. A caller who says that something is to change
/// at `now()` means now, not a moment ago: an instant since the transaction began becomes now.
pub fn of_now(at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    // Where the clock was moved on, the books have passed it.
    let is_real = settings::clock().is_none() && NOT_BEFORE.get().is_none_or(|not_before| not_before < now);
    let is_of_transaction = at < now && is_real && began().is_some_and(|began| at >= began);
    if is_of_transaction { now } else { at }
}

/// When the running transaction began, if that was before an instant. Not where `credit.clock` says what time it is.
pub fn began_before(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if settings::clock().is_none() { began().filter(|began| *began < at) } else { None }
}

/// When the running transaction began.
fn began() -> Option<DateTime<Utc>> {
    // SAFETY: the server reads a variable of this backend.
    values::instant_from_microseconds(unsafe { pg_sys::GetCurrentTransactionStartTimestamp() })
}

fn parse(text: &CStr) -> DateTime<Utc> {
    let parsed = values::timestamptz_of_text(&text.to_string_lossy());
    arguments::instant("credit.clock", parsed).unwrap_or_else(|report| {
        report.report(PgLogLevel::ERROR);
        unreachable!("an error has been raised")
    })
}
