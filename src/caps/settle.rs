//! What holds have of caps, when they are captured or give back.
//!
//! A capture is never refused: its amount moves from what is held to what is used, in the period in which it is recorded. It is
//! counted by the caps that count the hold by what it keeps, also the department of its time.
//!
//! One slot of a cap changes, one that has as much held, or several that have it together: so no slot's share falls below zero,
//! and none leaves more than is left of the limit. Slots are tried for; where others have them, one that has it alone is waited
//! for, cap by cap in the order of their ids and before any lot. Only where no slot alone has as much is the cap locked whole.
//!
//! A settlement locks no lot that a new cap would wait for. Its transaction shares the account's lock that a new cap has alone
//! ([`crate::server::locks::arrival`]): the new cap counts the hold as it was before or as it is after.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pgrx::PgLogLevel;

use crate::caps::whole;
use crate::domain::amount::Amount;
use crate::domain::caps::tally::Ahead;
use crate::error;
use crate::ledger::account;
use crate::ledger::striping::{self, Search, Tried};
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::slot::{SlotLock, Striped};
use crate::server::{clock, invalidation};
use crate::store::Snapshot;
use crate::store::caps::cap_slots::{self, CapSlot};
use crate::store::caps::{self, Cap};

/// The spending that a hold counts as.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    pub member: Option<&'a str>,
    /// The department that the member had when the credits were held.
    pub department: Option<&'a str>,
    pub operation: Option<&'a str>,
}

/// An amount, and how much of it pooled lots pay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amounts {
    pub amount: Amount,
    pub pooled: Amount,
}

/// The part of a hold that is over.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    pub holder: Holder<'a>,
    /// The part that was captured.
    pub captured: Amounts,
    /// The part that goes back.
    pub given_back: Amounts,
}

/// The changes of a cap.
struct Change {
    cap: Cap,
    captured: Amount,
    /// What is captured and what goes back.
    leaving: Amount,
    /// The decimals of the unit.
    decimals: u32,
}

/// The part of a cap that is locked.
enum Place {
    /// Slots that have it held, and what leaves each of them.
    Slots(Vec<(SlotLock, Amount)>),
    /// All of it.
    Whole,
}

/// Settles parts of holds of one account, whose rows are locked; the instant as of which they count, at which captures are
/// recorded. The account's lock against new caps is shared already. A transaction whose snapshot does not show a cap that counts
/// them ends with 40001.
pub fn settle(settled: &[Settled<'_>]) -> DateTime<Utc> {
    let Some(account) = settled.first().map(|first| first.holder.account) else { return clock::now() };
    let placed: Vec<_> = changes(account, settled).into_values().map(|change| (place(account, &change), change)).collect();
    // After these waits: all of it counts at one instant.
    let now = clock::now();
    for (place, Change { cap, captured, leaving, decimals }) in placed {
        if let Place::Slots(slots) = place
            && settle_slots(account, &cap, slots, captured, now)
        {
            continue;
        }
        // Also where this transaction has laid the cap out anew, with all of it locked.
        for whole in whole::lock(account, &[&cap]) {
            whole.settle(leaving, captured, now, decimals);
        }
    }
    now
}

/// The changes of the caps that count the holds, in the order of their ids.
fn changes(account: &str, settled: &[Settled<'_>]) -> BTreeMap<i64, Change> {
    let mut changes: BTreeMap<i64, Change> = BTreeMap::new();
    let sees_latest = invalidation::sees_latest();
    let committed = if sees_latest { Snapshot::Fresh } else { Snapshot::Latest };
    for Settled { holder, captured, given_back } in settled {
        let Holder { unit, member, department, operation, .. } = *holder;
        let Ok(context) = account::find_remembered(account, Some(unit), None) else { continue };
        // With the lock held that a new cap has alone, what is remembered is what there is.
        if sees_latest && !context.has_caps {
            continue;
        }
        let decimals = context.unit_decimals();
        for cap in caps::applying(committed, account, unit, member, department) {
            let of = |amounts: &Amounts| if cap.pool { amounts.pooled } else { amounts.amount };
            let (captured, leaving) = (of(captured), sum(of(captured), of(given_back)));
            if cap.counts(operation) && !leaving.is_zero() {
                let new = Change { cap, captured: Amount::ZERO, leaving: Amount::ZERO, decimals };
                let change = changes.entry(new.cap.cap).or_insert(new);
                change.captured = sum(change.captured, captured);
                change.leaving = sum(change.leaving, leaving);
            }
        }
    }
    changes
}

/// Locks slots of a cap that have what leaves it, or all of the cap where no slot has it alone.
fn place(account: &str, Change { cap, leaving, .. }: &Change) -> Place {
    let alone = |lock| Place::Slots(vec![(lock, *leaving)]);
    if let Some(lock) = free_slot(account, cap, *leaving) {
        return alone(lock);
    }
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let slots = cap_slots::slots(account, cap.cap);
        if slots.is_empty() {
            refuse_older_snapshot(account, cap);
        }
        let now = clock::now();
        let period = cap.period(account, now);
        if slots.iter().any(|slot| slot.tally.ahead_of(period, now) == Some(Ahead::Astray)) {
            break;
        }
        if let Some(together) = free_slots(account, cap, &slots, *leaving) {
            return Place::Slots(together);
        }
        let covering: Vec<i16> = (0..).zip(&slots).filter(|(_, slot)| slot.held >= *leaving).map(|(number, _)| number).collect();
        let Some(slot) = striping::nearest(&covering, striping::own_slot(slots.len() as i16)) else { break };
        if let Some(lock) = usable(account, cap, *leaving, SlotLock::acquire(Striped::Cap(cap.cap), slot)) {
            return alone(lock);
        }
    }
    whole::lock(account, &[cap]);
    Place::Whole
}

fn refuse_older_snapshot(account: &str, cap: &Cap) -> ! {
    error::cap_after_snapshot(account, cap.cap).report(PgLogLevel::ERROR);
    unreachable!("an error has been raised")
}

/// A slot that nobody holds and that has the amount held, the own one first.
fn free_slot(account: &str, cap: &Cap, amount: Amount) -> Option<SlotLock> {
    let slots = cap.slots.get();
    let search = striping::search(slots, striping::own_slot(slots), |number| {
        let Some(lock) = SlotLock::try_acquire(Striped::Cap(cap.cap), number) else { return Ok::<_, ()>(Tried::Held) };
        Ok(usable(account, cap, amount, lock).map_or(Tried::TooShort, Tried::Taken))
    });
    if let Ok(Search::Taken(lock)) = search { Some(lock) } else { None }
}

/// Slots that nobody holds and that have the amount held together, those that have most first, and what leaves each of them.
fn free_slots(account: &str, cap: &Cap, known: &[CapSlot], amount: Amount) -> Option<Vec<(SlotLock, Amount)>> {
    let mut order: Vec<usize> = (0..known.len()).filter(|slot| known[*slot].held.is_positive()).collect();
    order.sort_by_key(|slot| std::cmp::Reverse(known[*slot].held));
    let (mut locked, mut rest) = (Vec::new(), amount);
    for slot in order {
        let part = known[slot].held.min(rest);
        let free = SlotLock::try_acquire(Striped::Cap(cap.cap), slot as i16);
        if let Some(lock) = free.and_then(|lock| usable(account, cap, part, lock)) {
            locked.push((lock, part));
            rest = rest.checked_sub(part).expect("a part of the rest");
        }
        if rest.is_zero() {
            return Some(locked);
        }
    }
    locked.into_iter().for_each(|(lock, _)| lock.release());
    None
}

/// The lock, if its slot has the amount held and may count now; else it is given back. A clock that was ahead is waited for as by
/// a debit.
fn usable(account: &str, cap: &Cap, amount: Amount, lock: SlotLock) -> Option<SlotLock> {
    let now = clock::now();
    let slot = cap_slots::slot(account, cap.cap, lock.slot).filter(|slot| slot.held >= amount);
    let ahead = slot.as_ref().and_then(|slot| slot.tally.ahead_of(cap.period(account, now), now));
    if let Some(Ahead::Until(at)) = ahead {
        clock::move_to(at);
    }
    if slot.is_none() || ahead == Some(Ahead::Astray) {
        lock.release();
        return None;
    }
    Some(lock)
}

/// Settles in slots whose locks are held: what is captured is used in those that had it. `false` where one of them has not as
/// much held any more.
fn settle_slots(account: &str, cap: &Cap, slots: Vec<(SlotLock, Amount)>, captured: Amount, now: DateTime<Utc>) -> bool {
    let mut changed = Vec::new();
    let mut to_count = captured;
    for (lock, leaving) in slots {
        let number = lock.slot;
        lock.keep();
        let slot = cap_slots::slot(account, cap.cap, number).expect("a slot that is locked");
        let Some(held) = slot.held.checked_sub(leaving).filter(|held| *held >= Amount::ZERO) else { return false };
        let mut settled = CapSlot { held, ..slot };
        let counted = leaving.min(to_count);
        if counted.is_positive() {
            to_count = to_count.checked_sub(counted).expect("a part of what is captured");
            settled.tally.count(cap.period(account, now), counted);
        }
        changed.push((number, settled));
    }
    changed.iter().for_each(|(number, settled)| cap_slots::set_slot(account, cap.cap, *number, settled));
    true
}

fn sum(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).expect("a sum of parts of holds")
}
