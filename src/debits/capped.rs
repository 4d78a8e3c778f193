//! Drawing where caps count the debit.
//!
//! Nothing is waited for while lots are held: a debit that finds a cap in the way gives its lots back, waits for one slot of the
//! cap holding nothing else of it, and decides again. Only where no slot alone has the headroom are all caps of the debit locked
//! whole ([`whole`]), in the order of their ids and before any lot, and their limits spread anew. A refusal is decided by one
//! statement over what is committed, and only where the credits would suffice.

use crate::caps::{self, Blocked, Why, whole};
use crate::debits::draw;
use crate::debits::drawing::{Drawing, Drawn};
use crate::debits::outcome::Outcome;
use crate::domain::amount::Amount;
use crate::domain::caps::tally::Ahead;
use crate::error::{self, Result};
use crate::ledger::striping;
use crate::server::contention::{MAX_ATTEMPTS, must_not_wait};
use crate::server::locks::slot::{SlotLock, Striped};
use crate::server::{clock, subtransaction};
use crate::store::Snapshot;
use crate::store::caps::cap_slots::{self, CapSlot};
use crate::store::caps::{self as store, Cap};
use crate::store::debits::eligible::{self, NO_LOT};

/// Draws the amount from the eligible lots in drawdown order, and counts it to the caps; `None` when the account or the member
/// changed during a wait, or something of its schedules must be issued first.
///
/// # Errors
/// 40001 when others overtake it without end.
pub fn draw(drawing: &Drawing<'_>) -> Result<Option<Outcome>> {
    if drawing.caps.is_empty() {
        return Ok(match draw::draw(drawing)? {
            Drawn::Ended(outcome) => Some(outcome),
            Drawn::Changed | Drawn::Due => None,
            Drawn::Blocked(_) => unreachable!("no cap counts the debit"),
        });
    }
    let mut waited: Option<(usize, SlotLock)> = None;
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let drawn = draw::draw(drawing)?;
        if let Some((position, lock)) = waited.take() {
            let slot = lock.slot;
            lock.release();
            if matches!(drawn, Drawn::Ended(Outcome::Posted(_))) {
                widen(drawing, &drawing.caps[position], slot);
            }
        }
        let blocked = match drawn {
            Drawn::Ended(outcome) => return Ok(Some(outcome)),
            Drawn::Changed | Drawn::Due => return Ok(None),
            Drawn::Blocked(blocked) => blocked,
        };
        if let Why::Ahead(Ahead::Until(at)) = blocked.why {
            // The books of the account go on from there.
            clock::move_to(at);
            continue;
        }
        if let Some(refusal) = refusal(drawing, blocked.pooled) {
            return Ok(Some(refusal));
        }
        let cap = &drawing.caps[blocked.cap];
        match slot_to_wait_for(drawing, cap, blocked) {
            Some(_) if must_not_wait() => break,
            Some(slot) => {
                cap.start.set(Some(slot));
                waited = Some((blocked.cap, SlotLock::acquire(Striped::Cap(cap.cap), slot)));
            }
            None => match draw_with_whole_caps(drawing)? {
                Drawn::Ended(outcome) => return Ok(Some(outcome)),
                Drawn::Changed | Drawn::Due => return Ok(None),
                Drawn::Blocked(_) => {}
            },
        }
    }
    Err(error::too_contended(drawing.eligible.account, MAX_ATTEMPTS))
}

/// Whether the debit is refused by what is committed: for lack of credits, or by the cap that leaves least.
fn refusal(drawing: &Drawing<'_>, pooled: Amount) -> Option<Outcome> {
    let reached = caps::reached(Snapshot::Fresh, drawing.caps, drawing.counted(pooled))?;
    let available = eligible::survey(drawing.eligible, NO_LOT, drawing.amount).available;
    if available < drawing.amount {
        return Some(Outcome::Insufficient { available });
    }
    Some(Outcome::Capped(Box::new(reached)))
}

/// The slot that is worth waiting for: any where all were held, else one that has the headroom alone.
fn slot_to_wait_for(drawing: &Drawing<'_>, cap: &Cap, blocked: Blocked) -> Option<i16> {
    let own = striping::own_slot(cap.slots.get());
    if blocked.why == Why::Ahead(Ahead::Astray) {
        return None;
    }
    if !cap.blocks {
        return Some(own);
    }
    let account = drawing.eligible.account;
    let amount = drawing.counted(blocked.pooled).by(cap);
    let period = cap.period(account, clock::now());
    let slots = cap_slots::slots(account, cap.cap);
    let covering: Vec<i16> =
        (0..).zip(&slots).filter(|(_, slot)| slot.headroom(period) >= amount).map(|(number, _)| number).collect();
    striping::nearest(&covering, own)
}

/// Draws with all caps locked whole, and their limits spread so that one slot has the headroom; all of it or nothing.
fn draw_with_whole_caps(drawing: &Drawing<'_>) -> Result<Drawn> {
    let mut otherwise = None;
    let posted = subtransaction::attempt(|| {
        whole::gather(drawing.caps, drawing.counted(Amount::ZERO), drawing.decimals);
        match draw::draw(drawing)? {
            Drawn::Ended(Outcome::Posted(posting)) => Ok(Some(posting)),
            other => {
                otherwise = Some(other);
                Ok(None)
            }
        }
    })?;
    Ok(posted.map(Outcome::Posted).map(Drawn::Ended).or(otherwise).expect("what came of the attempt"))
}

/// Splits the headroom of a slot that was just waited for, so that fewer have to. Nothing waits here.
fn widen(drawing: &Drawing<'_>, cap: &Cap, number: i16) {
    if !striping::may_grow(cap.slots.get()) || !cap.blocks {
        return;
    }
    // Its lock is held if the debit counted there; else somebody else may have it by now.
    let Some(lock) = SlotLock::try_acquire(Striped::Cap(cap.cap), number) else { return };
    if divide(drawing, cap, number).is_some() { lock.keep() } else { lock.release() }
}

/// Divides the headroom of a slot whose lock is held, if that is worth it and nobody holds the cap's row.
fn divide(drawing: &Drawing<'_>, cap: &Cap, number: i16) -> Option<()> {
    let account = drawing.eligible.account;
    let now = clock::now();
    let period = cap.period(account, now);
    let is_plain = |slot: &CapSlot| slot.tally.ahead_of(period, now).is_none() && !slot.tally.reaches_beyond(period);
    let slot = cap_slots::slot(account, cap.cap, number).filter(is_plain)?;
    let headroom = slot.headroom(period);
    if headroom < drawing.amount {
        return None;
    }
    let existing = store::lock_if_free(account, cap.cap)?;
    let (own, others) = striping::division(headroom, drawing.amount, existing, drawing.decimals)?;
    let allowance = slot.tally.used_in(period).checked_add(slot.held)?.checked_add(own)?;
    let since = slot.tally.since;
    cap_slots::set_slot(account, cap.cap, number, &CapSlot { allowance, ..slot });
    cap_slots::add_slots(account, cap.cap, existing, &others, since);
    Some(())
}
