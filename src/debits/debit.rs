//! Debits: the hot path.
//!
//! A debit takes one slot of the first lot in drawdown order that covers it: its own slot by backend number, or another
//! that is free. Only when none is free does it wait, for one slot, holding nothing; only when no slot covers the amount does
//! it collect whole lots ([`crate::debits::collect`]). What makes it correct: a slot is changed under its lock only, the update
//! itself says `remaining >= amount`, and a refusal is decided by one statement over what is committed.

use std::cell::Cell;

use chrono::{DateTime, Utc};

pub use crate::debits::drawing::{Checked, Drawing, Outcome, Short, drawing};
use crate::debits::write::{self, Taking};
use crate::debits::{backdating, closed, collect, head, known_head, late};
use crate::domain::amount::Amount;
use crate::domain::ledger::layout;
use crate::error::{self, Result};
use crate::ledger::idempotency::{self, Keyed};
use crate::ledger::{account, expiry, whole_lot};
use crate::schedules::refresh;
use crate::server::lock::{self, SlotLock};
use crate::server::{clock, invalidation, subtransaction};
use crate::store::debits::eligible::{self, Eligibility, Head};
use crate::store::ledger::accounts::{self, Context, Member};
use crate::store::ledger::entries::{self, DebitLine, Usage};
use crate::store::ledger::{lots, slots};
use crate::{caps, settings};

/// So many times a debit may find that everything changed before it gives up with 40001.
pub const MAX_ATTEMPTS: u32 = 10_000;

/// So many free slots that turn out too short make a debit look at them all instead of trying on.
const MAX_SHORT_SLOTS: u32 = 2;

/// So many empty lots one debit closes at most without waiting.
const MAX_EMPTY_LOTS: u32 = 16;

/// One of so many debits that had to search behind expired lots closes some, if there are so many of them.
const DEBITS_PER_SWEEP: i64 = 16;
const MANY_EXPIRED: i32 = 64;

/// The id of no lot.
pub const NO_LOT: i64 = 0;

/// What is to be debited, as the caller said it.
#[derive(Clone, Copy, Debug)]
pub struct Debit<'a> {
    pub account: &'a str,
    pub amount: Amount,
    pub member: Option<&'a str>,
    pub operation: Option<&'a str>,
    pub unit: Option<&'a str>,
    pub occurred_at: Option<DateTime<Utc>>,
    pub keyed: Option<Keyed<'a>>,
    /// The posting id, when the caller has claimed a key for it already.
    pub posting: Option<i64>,
    pub metadata: Option<&'a str>,
    /// What it is the price of, for a charge.
    pub usage: Option<Usage<'a>>,
    /// Its number among what the caller gave, where that is not its number in the batch.
    pub item: Option<usize>,
}

impl<'a> Debit<'a> {
    /// Which lots may pay for it.
    pub fn eligible(&self, context: &'a Context) -> Eligibility<'a> {
        Eligibility {
            account: self.account,
            unit: &context.unit,
            member: self.member.unwrap_or_default(),
            pool: context.pool_pays(self.member),
            operation: self.operation,
        }
    }

    /// What every line of the debit says; the department is the member's of now.
    pub fn line(&self, member: Option<&'a Member>) -> DebitLine<'a> {
        DebitLine {
            account: self.account,
            member: self.member,
            department: member.and_then(|member| member.department.as_deref()),
            operation: self.operation,
            occurred_at: self.occurred_at,
            metadata: self.metadata,
            usage: self.usage,
        }
    }
}

/// Debits, or raises.
///
/// # Errors
/// 23514 when it does not fit; what [`try_debit`] raises.
pub fn debit(request: Debit<'_>) -> Result<i64> {
    match post(request, check(request)?)? {
        Outcome::Posted(posting) => Ok(posting),
        Outcome::Insufficient { available } => {
            Err(error::insufficient(request.account, request.member, request.amount, available))
        }
        Outcome::Capped(reached) => Err(error::cap_reached(request.account, &reached)),
    }
}

/// Debits; the posting, or what was missing, or the error when it must fit. The caller rolls back what does not fit.
///
/// # Errors
/// As [`debit`] when it must fit, else as [`try_debit`].
pub fn debit_or_shortfall(request: Debit<'_>, must_fit: bool) -> Result<std::result::Result<i64, Short>> {
    if must_fit {
        return debit(request).map(Ok);
    }
    Ok(post(request, check(request)?)?.or_short(request.amount))
}

/// Debits, or returns `None` where the credits do not cover it and leaves nothing behind: no key, no member, no lock.
///
/// # Errors
/// 54000 a cap, which no purchase of credits would help against; P0002 unknown account, unit, or unregistered member; 55000 inactive member; 22023 decimals; 23505 key reused.
pub fn try_debit(request: Debit<'_>) -> Result<Option<i64>> {
    let checked = check(request)?;
    // Only a key or a new member is written before the outcome is known.
    let writes_early = request.keyed.is_some() || (request.member.is_some() && checked.context.member.is_none());
    let posted = || match post(request, checked)? {
        Outcome::Posted(posting) => Ok(Some(posting)),
        Outcome::Insufficient { .. } => Ok(None),
        Outcome::Capped(reached) => Err(error::cap_reached(request.account, &reached)),
    };
    if writes_early { subtransaction::attempt(posted) } else { posted() }
}

/// Finds the account and checks the request against it.
///
/// # Errors
/// P0002 unknown account or unit; 22023 decimals, or a time in the future.
pub fn check(request: Debit<'_>) -> Result<Checked> {
    let generation = invalidation::generation();
    let context = account::find_remembered(request.account, request.unit, request.member)?;
    if let Some(at) = request.occurred_at {
        let _movable = closed::go_on_from(context.closed_until);
        let now = clock::now();
        if at > now {
            return Err(error::future_instant("at", at, now));
        }
    }
    account::check_decimals("amount", request.amount, &context)?;
    Ok(Checked { context, generation, blocked: Cell::default() })
}

/// Claims the key, registers a new member, and draws; again when the account or the member changed while it waited.
fn post(request: Debit<'_>, mut checked: Checked) -> Result<Outcome> {
    let _movable = closed::go_on_from(checked.context.closed_until);
    let now = clock::now();
    let posting = request.posting.or_else(|| request.keyed.map(|_| entries::next_posting()));
    if let (Some(keyed), Some(posting)) = (request.keyed, posting)
        && let Some(earlier) = idempotency::claim(request.account, keyed, posting, now)?
    {
        return Ok(Outcome::Posted(earlier));
    }
    backdating::check(request.account, request.occurred_at)?;
    closed::keep_open(request.account, request.occurred_at);
    let mut is_newcomer = false;
    for _ in 0..MAX_ATTEMPTS {
        if checked.context.is_due(clock::now()) {
            issue_what_is_due(request)?;
            checked = check(request)?;
            continue;
        }
        is_newcomer |= account::is_newcomer(request.member, &checked.context);
        if is_newcomer {
            account::make_room_for_seat(request.account);
        }
        let member = account::active_member(request.account, request.member, &checked.context, now)?;
        let correction = closed::correction(&request, &checked.context)?;
        // Usage of a closed period is recorded as of now.
        let request = Debit { occurred_at: request.occurred_at.filter(|_| correction.is_none()), ..request };
        let drawing = drawing(request, &checked, member, posting);
        let outcome = match late::instant(request.occurred_at, &checked.context) {
            None => draw(&drawing),
            Some(at) => late::draw(&drawing, checked.context.late_usage, at),
        };
        match outcome? {
            Some(outcome) => {
                if let Outcome::Posted(posting) = &outcome {
                    let posting = *posting;
                    correction.iter().for_each(|correction| correction.record(posting));
                    if is_newcomer && checked.context.self_seating {
                        accounts::seat_added(request.account, now);
                    }
                }
                return Ok(outcome);
            }
            None => checked = check(request)?,
        }
    }
    Err(error::too_contended(request.account, MAX_ATTEMPTS))
}

/// Issues what the account's schedules bring by now, and sees to it that the account is read again.
fn issue_what_is_due(request: Debit<'_>) -> Result<()> {
    refresh::first_touch(request.account)?;
    account::forget(request.account, request.unit, request.member);
    Ok(())
}

/// Draws the amount from the eligible lots in drawdown order; `None` when the account or the member changed during a wait, or something
/// of its schedules must be issued first.
pub fn draw(drawing: &Drawing<'_>) -> Result<Option<Outcome>> {
    if drawing.caps.is_empty() { draw_lots(drawing) } else { caps::draw(drawing) }
}

/// The same, but `None` also when a cap stands in the way: then the drawing says so, and nothing is held.
pub fn draw_lots(drawing: &Drawing<'_>) -> Result<Option<Outcome>> {
    let mut waited_for: Option<SlotLock> = None;
    let mut tried = None;
    for attempt in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let now = clock::now();
        if invalidation::generation() != drawing.generation || drawing.is_due(now) {
            if let Some(lock) = waited_for {
                lock.release();
            }
            return Ok(None);
        }
        if attempt == 0
            && let Some(known) = known_head::get(drawing.eligible, now)
        {
            match take_free_slot(drawing, known) {
                Search::Taken(posting) => return Ok(Some(Outcome::Posted(posting))),
                Search::AllHeld => tried = Some(known),
                Search::TooShort if drawing.is_blocked() => return Ok(None),
                Search::TooShort => {}
            }
        }
        let head = head::head(drawing.eligible, now);
        if let Some(lock) = waited_for.take()
            && let Some(posting) = take_after_waiting(drawing, head, lock)
        {
            return Ok(Some(Outcome::Posted(posting)));
        }
        if drawing.is_blocked() {
            return Ok(None);
        }
        match head.map(|head| (head, search(drawing, head, tried.take()))) {
            Some((_, Search::Taken(posting))) => return Ok(Some(Outcome::Posted(posting))),
            Some((head, Search::AllHeld)) if own_slot_covers(drawing, head) => {
                if caps::waits_in_vain(drawing, head.pooled) {
                    return Ok(None);
                }
                // Others only hold it, so this is no refusal, and the slots need not be surveyed.
                waited_for = Some(SlotLock::acquire(head.lot, own_slot(head.slots)));
                continue;
            }
            _ => {}
        }
        if drawing.is_blocked() {
            return Ok(None);
        }
        // Also without a head: its own and the pooled lots were looked up one after the other, and credit may have moved between.
        let survey = eligible::survey(drawing.eligible, head.map_or(NO_LOT, |head| head.lot), drawing.amount);
        if survey.available < drawing.amount {
            if drawing.is_due(clock::now()) {
                return Ok(None);
            }
            return Ok(Some(Outcome::Insufficient { available: survey.available }));
        }
        let Some(head) = head else { continue };
        if let Some(posting) = take_one_of(drawing, head, &survey.covering) {
            return Ok(Some(Outcome::Posted(posting)));
        }
        if drawing.is_blocked() {
            return Ok(None);
        }
        if survey.head_is_empty
            && let Some(posting) = subtransaction::attempt(|| Ok(take_behind_empty_lots(drawing)))?
        {
            return Ok(Some(Outcome::Posted(posting)));
        }
        if drawing.is_blocked() {
            return Ok(None);
        }
        match nearest(&survey.covering, own_slot(head.slots)) {
            Some(_) if caps::waits_in_vain(drawing, head.pooled) => return Ok(None),
            Some(slot) => waited_for = Some(SlotLock::acquire(head.lot, slot)),
            None => {
                if let Some(posting) = collect::collect(drawing)? {
                    return Ok(Some(Outcome::Posted(posting)));
                }
                if drawing.is_blocked() {
                    return Ok(None);
                }
            }
        }
    }
    Err(error::too_contended(drawing.eligible.account, MAX_ATTEMPTS))
}

/// Closes the empty lots that head the order and takes a free slot behind them, without waiting for anybody. Collecting would
/// wait for the whole of the next lot; but a lot that was closed must not be held while waiting, so it is all or nothing.
fn take_behind_empty_lots(drawing: &Drawing<'_>) -> Option<i64> {
    for _ in 0..MAX_EMPTY_LOTS {
        let head = head::head(drawing.eligible, clock::now())?;
        if let Search::Taken(posting) = take_free_slot(drawing, head) {
            return Some(posting);
        }
        let survey = eligible::survey(drawing.eligible, head.lot, drawing.amount);
        if let Some(posting) = take_one_of(drawing, head, &survey.covering) {
            return Some(posting);
        }
        if drawing.is_blocked() {
            return None;
        }
        whole_lot::lock_if_free(drawing.eligible.account, head.lot)?.close_if_empty()?;
    }
    None
}

/// Many expired lots make every debit slower that has to search behind them, so some debits close them.
fn close_expired(drawing: &Drawing<'_>, head: Head, posting: i64) {
    // Under the stricter isolation levels it could fail the debit, and nothing depends on it.
    if head.behind_expired && posting % DEBITS_PER_SWEEP == 0 && invalidation::sees_latest() {
        expiry::expire_if_many(drawing.eligible.account, MANY_EXPIRED);
    }
}

/// Backends spread over the slots by their number.
fn own_slot(slots: i16) -> i16 {
    (lock::backend_number() % slots as u32) as i16
}

/// The covering slot at or after one's own, so that those who wait spread over several.
fn nearest(covering: &[i16], own: i16) -> Option<i16> {
    covering.iter().find(|slot| **slot >= own).or(covering.first()).copied()
}

/// What came of looking for a free slot.
enum Search {
    Taken(i64),
    /// Others hold all of them.
    AllHeld,
    /// Some were free and held too little.
    TooShort,
}

/// Looks for a free slot, unless just that was tried: then others hold all of them.
fn search(drawing: &Drawing<'_>, head: Head, tried: Option<Head>) -> Search {
    if tried == Some(head) { Search::AllHeld } else { take_free_slot(drawing, head) }
}

/// Takes the amount from the own slot, or the next that nobody holds.
fn take_free_slot(drawing: &Drawing<'_>, head: Head) -> Search {
    let own = own_slot(head.slots);
    let mut short = 0;
    for step in 0..head.slots {
        let Some(lock) = SlotLock::try_acquire(head.lot, (own + step) % head.slots) else { continue };
        if let Some(posting) = take(drawing, head, lock) {
            return Search::Taken(posting);
        }
        short += 1;
        if short == MAX_SHORT_SLOTS || drawing.is_blocked() {
            break;
        }
    }
    if short == 0 { Search::AllHeld } else { Search::TooShort }
}

/// Whether the committed amount of the own slot covers the debit.
fn own_slot_covers(drawing: &Drawing<'_>, head: Head) -> bool {
    slots::slot(drawing.eligible.account, head.lot, own_slot(head.slots)) >= drawing.amount
}

/// Takes the amount from one of the slots that cover it, if one of them is free.
fn take_one_of(drawing: &Drawing<'_>, head: Head, covering: &[i16]) -> Option<i64> {
    let mut covering = covering.iter().take_while(|_| !drawing.is_blocked());
    covering.find_map(|slot| take(drawing, head, SlotLock::try_acquire(head.lot, *slot)?))
}

/// Takes the amount from the slot that was waited for, if its lot is still the one that pays. Whoever had to wait and got
/// something widens the lot, so that fewer have to.
fn take_after_waiting(drawing: &Drawing<'_>, head: Option<Head>, lock: SlotLock) -> Option<i64> {
    match head.filter(|head| head.lot == lock.lot) {
        Some(head) => {
            let slot = lock.slot;
            let posting = take(drawing, head, lock)?;
            widen(drawing, head, slot);
            Some(posting)
        }
        None => {
            lock.release();
            None
        }
    }
}

/// Takes the amount from a slot whose lock is held; a slot that is too short, or whose lot has just expired or may just not be spent any
/// more, is given back.
fn take(drawing: &Drawing<'_>, head: Head, lock: SlotLock) -> Option<i64> {
    let posting = take_held(drawing, head, &lock);
    match posting {
        Some(posting) => {
            lock.keep();
            close_expired(drawing, head, posting);
        }
        None => lock.release(),
    }
    posting
}

fn take_held(drawing: &Drawing<'_>, head: Head, lock: &SlotLock) -> Option<i64> {
    // Whoever adds a cap holds all slots while it counts what was spent: with the lock held this is known or was counted.
    if invalidation::generation() != drawing.generation {
        return None;
    }
    let now = clock::now();
    if head.expires_at.is_some_and(|expires_at| expires_at <= now) || !drawing.pooling.holds(now) {
        return None;
    }
    let taking = Taking { line: drawing.line, amount: drawing.amount, posting: drawing.posting, now };
    if drawing.caps.is_empty() {
        return write::take(&taking, lock);
    }
    let held = drawing.hold_caps(if head.pooled { drawing.amount } else { Amount::ZERO }, now)?;
    match write::take(&taking, lock) {
        Some(posting) => {
            held.count();
            Some(posting)
        }
        None => {
            held.release();
            None
        }
    }
}

/// Splits what is left in a slot that was just debited, doubling the lot's slots as far as the parts still serve several debits
/// of this size. Skipped when somebody else holds the lot's row: nothing waits here.
fn widen(drawing: &Drawing<'_>, head: Head, slot: i16) {
    let limit = settings::max_slots();
    let account = drawing.eligible.account;
    if layout::growth(head.slots, limit) == 0 {
        return;
    }
    let remaining = slots::slot(account, head.lot, slot);
    if remaining < drawing.amount {
        return;
    }
    let Some(state) = lots::lock_open_if_free(account, head.lot) else { return };
    let added = layout::growth(state.slots, limit);
    if let [own, others @ ..] = layout::split(remaining, drawing.amount, added, drawing.decimals).as_slice()
        && !others.is_empty()
    {
        slots::set_slot(account, head.lot, slot, *own);
        slots::add_slots(account, head.lot, state.slots, others);
    }
}
