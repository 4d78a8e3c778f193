//! Drawing from lots: the hot path.
//!
//! A debit takes one slot of the first lot in drawdown order that covers it: its own slot by backend number, or another
//! that is free. Only when none is free does it wait, for one slot, holding nothing; only when no slot covers the amount does
//! it collect whole lots ([`collect`]). It is correct because a slot is changed under its lock only, the update
//! itself says `remaining >= amount`, and a refusal is decided by one statement over what is committed.

use chrono::{DateTime, Utc};

use crate::caps::Blocked;
use crate::debits::collect::{self, Collected};
use crate::debits::drawing::{Drawing, Drawn};
use crate::debits::outcome::Outcome;
use crate::debits::write::{self, Taking};
use crate::debits::{head, known_head};
use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::ledger::striping::{self, Search, Tried};
use crate::ledger::{expiry, whole_lot};
use crate::server::contention::{MAX_ATTEMPTS, must_not_wait};
use crate::server::locks::slot::{SlotLock, Striped};
use crate::server::{clock, invalidation, subtransaction};
use crate::store::debits::eligible::{self, Head, NO_LOT};
use crate::store::ledger::{lots, slots};

/// How many empty lots one debit closes without waiting: each costs a look and a lock, and another debit closes the rest.
const MAX_EMPTY_LOTS: u32 = 16;

/// How often a debit closes expired lots that stand before the one that pays: one debit in this many does, because such lots make
/// every debit search longer.
const DEBITS_PER_SWEEP: i64 = 16;

/// How many expired lots must be in the way before a debit closes them: fewer cost less than closing them.
const MANY_EXPIRED: i32 = 64;

/// The result of one step: a posting, nothing yet, or a cap in the way.
type Step = std::result::Result<Option<i64>, Blocked>;

/// Draws the amount from the eligible lots in drawdown order.
///
/// # Errors
/// 40001 when others overtake it without end.
pub fn draw(drawing: &Drawing<'_>) -> Result<Drawn> {
    let mut waited_for: Option<SlotLock> = None;
    for attempt in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let now = clock::now();
        if let Some(stopped) = stops(drawing, now) {
            waited_for.into_iter().for_each(SlotLock::release);
            return Ok(stopped);
        }
        let next = match attempt {
            0 => draw_from_known_head(drawing, now)?,
            _ => draw_from_head(drawing, now, waited_for.take(), None)?,
        };
        match next {
            Next::Drawn(drawn) => return Ok(drawn),
            Next::WaitFor(..) if must_not_wait() => break,
            Next::WaitFor(lot, slot) => waited_for = Some(SlotLock::acquire(Striped::Lot(lot), slot)),
            Next::LookAgain => {}
        }
    }
    Err(error::too_contended(drawing.eligible.account, MAX_ATTEMPTS))
}

/// Why the drawing must not go on, if it must not.
fn stops(drawing: &Drawing<'_>, now: DateTime<Utc>) -> Option<Drawn> {
    if invalidation::generation() != drawing.generation {
        return Some(Drawn::Changed);
    }
    drawing.is_due(now).then_some(Drawn::Due)
}

/// The next thing to do.
enum Next {
    Drawn(Drawn),
    /// Nothing is held: this slot of a lot is worth waiting for.
    WaitFor(i64, i16),
    /// Something that was seen has changed.
    LookAgain,
}

impl From<i64> for Next {
    fn from(posting: i64) -> Next {
        Next::Drawn(Drawn::Ended(Outcome::Posted(posting)))
    }
}

impl From<Blocked> for Next {
    fn from(blocked: Blocked) -> Next {
        Next::Drawn(Drawn::Blocked(blocked))
    }
}

/// Draws from the lot that paid last, if it still is the first; else from the one that the index says.
fn draw_from_known_head(drawing: &Drawing<'_>, now: DateTime<Utc>) -> Result<Next> {
    let Some(known) = known_head::get(drawing.eligible, now) else { return draw_from_head(drawing, now, None, None) };
    match take_free_slot(drawing, known) {
        Err(blocked) => Ok(blocked.into()),
        Ok(Search::Taken(posting)) => Ok(posting.into()),
        Ok(Search::AllHeld) => draw_from_head(drawing, now, None, Some(known)),
        Ok(Search::TooShort) => draw_from_head(drawing, now, None, None),
    }
}

/// Draws from the first lot in drawdown order. `lock` is of the slot that was waited for, `tried` the lot of which others hold
/// all slots.
fn draw_from_head(drawing: &Drawing<'_>, now: DateTime<Utc>, lock: Option<SlotLock>, tried: Option<Head>) -> Result<Next> {
    let head = head::head(drawing.eligible, now);
    match lock.map_or(Ok(None), |lock| take_after_waiting(drawing, head, lock)) {
        Err(blocked) => return Ok(blocked.into()),
        Ok(Some(posting)) => return Ok(posting.into()),
        Ok(None) => {}
    }
    if let Some(head) = head {
        let search = if tried == Some(head) { Ok(Search::AllHeld) } else { take_free_slot(drawing, head) };
        match search {
            Err(blocked) => return Ok(blocked.into()),
            Ok(Search::Taken(posting)) => return Ok(posting.into()),
            // Others only hold it, so this is no refusal, and the slots need not be surveyed.
            Ok(Search::AllHeld) if own_slot_covers(drawing, head) => {
                return Ok(wait_for(drawing, head, striping::own_slot(head.slots)));
            }
            Ok(_) => {}
        }
    }
    draw_by_survey(drawing, head)
}

/// Decides by what is committed of all lots: a refusal, another slot, a wait, or collecting.
fn draw_by_survey(drawing: &Drawing<'_>, head: Option<Head>) -> Result<Next> {
    // Also without a head: its own and the pooled lots were looked up one after the other, and credit may have moved between.
    let survey = eligible::survey(drawing.eligible, head.map_or(NO_LOT, |head| head.lot), drawing.amount);
    if survey.available < drawing.amount {
        return Ok(Next::Drawn(match drawing.is_due(clock::now()) {
            true => Drawn::Due,
            false => Drawn::Ended(Outcome::Insufficient { available: survey.available }),
        }));
    }
    let Some(head) = head else { return Ok(Next::LookAgain) };
    match take_one_of(drawing, head, &survey.covering) {
        Err(blocked) => return Ok(blocked.into()),
        Ok(Some(posting)) => return Ok(posting.into()),
        Ok(None) => {}
    }
    if survey.head_is_empty
        && let Some(next) = all_or_nothing(|| take_behind_empty_lots(drawing))?
    {
        return Ok(next);
    }
    match striping::nearest(&survey.covering, striping::own_slot(head.slots)) {
        Some(slot) => Ok(wait_for(drawing, head, slot)),
        None => Ok(match collect::collect(drawing)? {
            Collected::Posted(posting) => posting.into(),
            Collected::Blocked(blocked) => blocked.into(),
            Collected::Changed if must_not_wait() => return Err(error::too_contended(drawing.eligible.account, MAX_ATTEMPTS)),
            Collected::Changed => Next::LookAgain,
        }),
    }
}

/// The slot is waited for, unless a cap refuses the debit anyway.
fn wait_for(drawing: &Drawing<'_>, head: Head, slot: i16) -> Next {
    drawing.waits_in_vain(head.pooled).map_or(Next::WaitFor(head.lot, slot), Next::from)
}

/// Does a step in a subtransaction, which is taken back unless it posted.
fn all_or_nothing(step: impl FnOnce() -> Step) -> Result<Option<Next>> {
    let mut blocked = None;
    let posting = subtransaction::attempt(|| {
        Ok(step().unwrap_or_else(|by| {
            blocked = Some(by);
            None
        }))
    })?;
    Ok(posting.map(Next::from).or(blocked.map(Next::from)))
}

/// Closes the empty lots that head the order and takes a free slot behind them, without waiting for anybody. Collecting would
/// wait for the whole of the next lot; but a lot that was closed must not be held while waiting, so it is all or nothing.
fn take_behind_empty_lots(drawing: &Drawing<'_>) -> Step {
    for _ in 0..MAX_EMPTY_LOTS {
        let Some(head) = head::head(drawing.eligible, clock::now()) else { return Ok(None) };
        if let Search::Taken(posting) = take_free_slot(drawing, head)? {
            return Ok(Some(posting));
        }
        let survey = eligible::survey(drawing.eligible, head.lot, drawing.amount);
        if let Some(posting) = take_one_of(drawing, head, &survey.covering)? {
            return Ok(Some(posting));
        }
        let closed = whole_lot::lock_if_free(drawing.eligible.account, head.lot).and_then(|lot| lot.close_if_empty());
        if closed.is_none() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Many expired lots make every debit slower that has to search behind them, so some debits close them.
fn close_expired(drawing: &Drawing<'_>, head: Head, posting: i64) {
    // Under the stricter isolation levels it could fail the debit, and nothing depends on it.
    if head.behind_expired && posting % DEBITS_PER_SWEEP == 0 && invalidation::sees_latest() {
        expiry::expire_if_many(drawing.eligible.account, MANY_EXPIRED);
    }
}

/// Takes the amount from the own slot, or the next that nobody holds.
fn take_free_slot(drawing: &Drawing<'_>, head: Head) -> std::result::Result<Search<i64>, Blocked> {
    striping::search(head.slots, striping::own_slot(head.slots), |slot| {
        let Some(lock) = SlotLock::try_acquire(Striped::Lot(head.lot), slot) else { return Ok(Tried::Held) };
        Ok(take(drawing, head, lock)?.map_or(Tried::TooShort, Tried::Taken))
    })
}

/// Whether the committed amount of the own slot covers the debit.
fn own_slot_covers(drawing: &Drawing<'_>, head: Head) -> bool {
    slots::slot(drawing.eligible.account, head.lot, striping::own_slot(head.slots)) >= drawing.amount
}

/// Takes the amount from one of the slots that cover it, if one of them is free.
fn take_one_of(drawing: &Drawing<'_>, head: Head, covering: &[i16]) -> Step {
    for slot in covering {
        if let Some(lock) = SlotLock::try_acquire(Striped::Lot(head.lot), *slot)
            && let Some(posting) = take(drawing, head, lock)?
        {
            return Ok(Some(posting));
        }
    }
    Ok(None)
}

/// Takes the amount from the slot that was waited for, if its lot is still the one that pays. A debit that had to wait and got
/// something widens the lot, so that fewer have to.
fn take_after_waiting(drawing: &Drawing<'_>, head: Option<Head>, lock: SlotLock) -> Step {
    let Some(head) = head.filter(|head| Striped::Lot(head.lot) == lock.of) else {
        lock.release();
        return Ok(None);
    };
    let slot = lock.slot;
    let posting = take(drawing, head, lock)?;
    if posting.is_some() {
        widen(drawing, head, slot);
    }
    Ok(posting)
}

/// Takes the amount from a slot whose lock is held; a slot that is too short, or whose lot has just expired or may just not be
/// spent any more, is given back.
fn take(drawing: &Drawing<'_>, head: Head, lock: SlotLock) -> Step {
    let taken = take_held(drawing, head, &lock);
    match taken {
        Ok(Some(posting)) => {
            lock.keep();
            close_expired(drawing, head, posting);
        }
        Ok(None) | Err(_) => lock.release(),
    }
    taken
}

fn take_held(drawing: &Drawing<'_>, head: Head, lock: &SlotLock) -> Step {
    // A transaction that adds a cap holds all slots while it counts what was spent: with the lock held this is known or was
    // counted.
    if invalidation::generation() != drawing.generation {
        return Ok(None);
    }
    let now = clock::now();
    if head.expires_at.is_some_and(|expires_at| expires_at <= now) || !drawing.pooling.holds(now) {
        return Ok(None);
    }
    let taking = Taking { line: drawing.line, lot: head.lot, amount: drawing.amount, posting: drawing.posting, now };
    let take = || match drawing.new_hold() {
        None => write::take(&taking, lock),
        Some(new) => write::hold(&taking, lock, &new, head.pooled),
    };
    if drawing.caps.is_empty() {
        return Ok(take());
    }
    let held = drawing.hold_caps(if head.pooled { drawing.amount } else { Amount::ZERO }, now)?;
    let posting = take();
    if posting.is_some() {
        drawing.count(held)
    } else {
        held.release()
    }
    Ok(posting)
}

/// Splits what is left in a slot that was just debited. Skipped when somebody else holds the lot's row: nothing waits here.
fn widen(drawing: &Drawing<'_>, head: Head, slot: i16) {
    let account = drawing.eligible.account;
    if !striping::may_grow(head.slots) {
        return;
    }
    let remaining = slots::slot(account, head.lot, slot);
    if remaining < drawing.amount {
        return;
    }
    let Some(state) = lots::lock_open_if_free(account, head.lot) else { return };
    if let Some((own, others)) = striping::division(remaining, drawing.amount, state.slots, drawing.decimals) {
        slots::set_slot(account, head.lot, slot, own);
        slots::add_slots(account, head.lot, state.slots, &others);
    }
}
