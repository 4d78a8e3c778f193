//! Usage of a period that was closed by a true-up: it is recorded in the period that is open, and refers to the closed one. A
//! closed period is never opened again.
//!
//! A transaction that dates something in the past shares the account's closing lock until it ends, and one that closes a period
//! takes the lock exclusively: nothing can get into a period while it is being closed. Usage of now needs no lock.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::server::clock::{self, Movable};
use crate::server::invalidation;
use crate::server::locks::{arrival, named};
use crate::store::Snapshot;
use crate::store::ledger::{accounts, lots};
use crate::store::true_ups::closed_periods::{self, Closed};

/// As long as what this returns lives, everything is dated where the account's closed periods end, or later: a clock that was set
/// back must not write into them.
pub fn go_on(account: &str) -> Movable {
    go_on_from(accounts::closed_until(account, true))
}

/// The same where it is known until when the account is closed.
pub fn go_on_from(closed_until: Option<DateTime<Utc>>) -> Movable {
    let movable = clock::movable();
    if let Some(closed_until) = closed_until {
        clock::move_to(closed_until);
    }
    movable
}

/// Until the transaction ends nobody closes a period of the account, if the instant is in the past: before anything of the
/// account is locked.
pub fn keep_open(account: &str, at: Option<DateTime<Utc>>) {
    if at.is_some_and(is_past) {
        named::share_closing(std::iter::once(account));
    }
}

/// Checks that an entry that is inserted directly does not belong to a closed period.
///
/// # Errors
/// 55000.
pub fn check_open(account: &str, unit: &str, at: DateTime<Utc>) -> Result<()> {
    match closed_at(account, unit, at).filter(|_| is_past(at)) {
        Some(closed) => Err(error::period_closed(account, at, (closed.starts_at, closed.ends_at), closed.true_up)),
        None => Ok(()),
    }
}

/// Says that an adjustment corrects what was debited in a closed period, if it does.
pub fn record_adjustment(account: &str, lot: i64, corrected_at: DateTime<Utc>, posting: i64, amount: Amount) {
    let unit = lots::terms(account, lot).expect("a lot that is locked").unit;
    if let Some(closed) = closed_at(account, &unit, corrected_at) {
        closed_periods::add_correction(account, closed.true_up, posting, corrected_at, amount, clock::now());
    }
}

/// An event since the transaction began is of now.
pub fn is_past(at: DateTime<Utc>) -> bool {
    let now = clock::now();
    clock::of_now(at, now) < now
}

/// The closed period that contains the instant, or the first one if it lies before that.
pub fn closed_at(account: &str, unit: &str, at: DateTime<Utc>) -> Option<Closed> {
    named::share_closing(std::iter::once(account));
    known_until(account).filter(|until| at < *until)?;
    closed_periods::after(account, unit, at, Snapshot::Fresh)
}

/// Until when the account is closed. With an older snapshot that locks the account's row, before which comes what may bring lots.
pub fn known_until(account: &str) -> Option<DateTime<Utc>> {
    let is_latest = invalidation::sees_latest();
    if !is_latest {
        arrival::let_in(account);
    }
    accounts::closed_until(account, is_latest)
}
