//! What holds have of caps, when they are captured or give back.
//!
//! A capture is never refused: its amount moves from what is held to what is used, in the period in which it is recorded. One
//! slot of each cap is changed, whichever is free; a slot may give back more than it held itself, since only the sum counts.
//! Where others have all slots of a cap, one is waited for, in the order of the caps' ids and before any lot is locked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::caps::whole;
use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::caps::tally::Ahead;
use crate::ledger::account;
use crate::ledger::striping::{self, Search, Tried};
use crate::server::clock;
use crate::server::locks::slot::{SlotLock, Striped};
use crate::store::Snapshot;
use crate::store::caps::cap_slots;
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
    given_back: Amount,
}

/// Settles parts of holds of one account; the instant as of which they count, at which captures are recorded.
pub fn settle(settled: &[Settled<'_>]) -> DateTime<Utc> {
    let mut changes: BTreeMap<i64, Change> = BTreeMap::new();
    for Settled { holder, captured, given_back } in settled {
        let Holder { account, unit, member, department, operation } = *holder;
        if !account::find_remembered(account, Some(unit), None).is_ok_and(|context| context.has_caps) {
            continue;
        }
        for cap in caps::applying(Snapshot::Fresh, account, unit, member, department) {
            if cap.counts(operation) {
                let of = |amounts: &Amounts| if cap.pool { amounts.pooled } else { amounts.amount };
                let (captured, given_back) = (of(captured), of(given_back));
                let new = Change { cap, captured: Amount::ZERO, given_back: Amount::ZERO };
                let change = changes.entry(new.cap.cap).or_insert(new);
                change.captured = sum(change.captured, captured);
                change.given_back = sum(change.given_back, given_back);
            }
        }
    }
    for change in changes.values().filter(|change| !change.captured.is_zero() || !change.given_back.is_zero()) {
        apply(settled[0].holder.account, change);
    }
    clock::now()
}

/// Writes the change into a slot that is free, or the own one, once it is.
fn apply(account: &str, change: &Change) {
    let cap = &change.cap;
    let slots = cap.slots.get();
    let own = striping::own_slot(slots);
    let free = striping::search(slots, own, |slot| {
        Ok::<_, std::convert::Infallible>(SlotLock::try_acquire(Striped::Cap(cap.cap), slot).map_or(Tried::Held, Tried::Taken))
    });
    let lock = match free {
        Ok(Search::Taken(lock)) => lock,
        _ => SlotLock::acquire(Striped::Cap(cap.cap), own),
    };
    let mut slot = cap_slots::slot(account, cap.cap, lock.slot).expect("slots are never deleted");
    let now = clock::now();
    match slot.tally.ahead_of(cap.period(account, now), now) {
        Some(Ahead::Astray) => {
            lock.release();
            return apply_to_whole(account, change);
        }
        // The books of the account go on from there.
        Some(Ahead::Until(at)) => clock::move_to(at),
        None => {}
    }
    slot.held = difference(slot.held, sum(change.captured, change.given_back));
    if change.captured.is_positive() {
        slot.tally.count(cap.period(account, clock::now()), change.captured);
    }
    cap_slots::set_slot(account, cap.cap, lock.slot, &slot);
    lock.keep();
}

/// The same where the counters are so far ahead that they are counted anew from the ledger, which needs all of them.
fn apply_to_whole(account: &str, change: &Change) {
    for mut whole in whole::lock(account, &[&change.cap]) {
        whole.held = difference(whole.held, sum(change.captured, change.given_back));
        match change.captured.is_positive() {
            true => whole.count(change.captured, clock::now(), change.captured, MAX_DECIMALS),
            false => whole.spread(change.given_back, MAX_DECIMALS),
        }
    }
}

fn sum(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).expect("a sum of parts of holds")
}

fn difference(one: Amount, other: Amount) -> Amount {
    one.checked_sub(other).expect("a difference of parts of holds")
}
