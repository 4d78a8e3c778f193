//! A whole lot, with its row and all its slots locked. A change of more than one slot needs it.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::server::clock;
use crate::server::contention::must_not_wait;
use crate::server::locks::slot::{SlotLock, Striped};
use crate::store::holds;
use crate::store::ledger::corrections;
use crate::store::ledger::lots::{self, HandedOn, Locked};
use crate::store::ledger::slots::{self, Layout};

/// A lot whose row and slots are locked until the (sub)transaction ends, and what its slots held then.
#[derive(Debug)]
pub struct WholeLot<'a> {
    pub account: &'a str,
    pub lot: i64,
    /// The lot's row as it is locked.
    pub state: Locked,
    /// The amount in each slot, from slot 0 on.
    pub slots: Vec<Amount>,
}

/// Locks a lot and all its slots, waiting as long as it takes; `None` when there is no such lot.
pub fn lock<'a>(account: &'a str, lot: i64) -> Option<WholeLot<'a>> {
    let state = lots::lock(account, lot)?;
    for slot in 0..state.slots {
        SlotLock::acquire(Striped::Lot(lot), slot).keep();
    }
    Some(read(account, lot, state))
}

/// Locks lots in the order of all locks: those that have expired first. `None` where one expires while others are waited for: a
/// transaction that comes later locks it before those that are in force.
pub fn lock_in_order<'a>(account: &'a str, lots: &[i64]) -> Option<Vec<WholeLot<'a>>> {
    let now = clock::now();
    let lock_next = |(lot, expires_at): (i64, Option<DateTime<Utc>>)| {
        let expires = expires_at.is_some_and(|at| at > now && at <= clock::now());
        if expires { None } else { lock(account, lot) }
    };
    holds::in_lock_order(account, lots, now).into_iter().map(lock_next).collect()
}

/// The same, only if nobody holds any of an open one where nothing may be waited for.
pub fn lock_as_allowed<'a>(account: &'a str, lot: i64) -> Option<WholeLot<'a>> {
    if must_not_wait() { lock_if_free(account, lot) } else { self::lock(account, lot) }
}

/// Locks an open lot and all its slots if nobody holds any of them.
pub fn lock_if_free<'a>(account: &'a str, lot: i64) -> Option<WholeLot<'a>> {
    let state = lots::lock_open_if_free(account, lot)?;
    let mut held = Vec::new();
    for slot in 0..state.slots {
        match SlotLock::try_acquire(Striped::Lot(lot), slot) {
            Some(lock) => held.push(lock),
            None => {
                held.into_iter().for_each(SlotLock::release);
                return None;
            }
        }
    }
    held.into_iter().for_each(SlotLock::keep);
    Some(read(account, lot, state))
}

/// Reads the slots in a new statement: what it sees is final, since all the locks are held.
fn read(account: &str, lot: i64, state: Locked) -> WholeLot<'_> {
    let slots = slots::slots(account, lot);
    assert_eq!(slots.len(), state.slots as usize, "the slots of lot {lot}");
    WholeLot { account, lot, state, slots }
}

impl WholeLot<'_> {
    /// The amount that is left of the lot.
    pub fn remaining(&self) -> Amount {
        self.slots.iter().copied().sum()
    }

    /// The slots emptied.
    pub fn emptied(&self) -> Layout<'_> {
        Layout { account: self.account, lot: self.lot, remaining: vec![Amount::ZERO; self.slots.len()] }
    }

    /// The part of its credits that goes to a new lot, with its part of the price.
    pub fn hand_on(&self, amount: Amount) -> HandedOn {
        HandedOn::of(corrections::price(self.account, self.lot), (self.lot, self.remaining()), lots::next_id(), amount)
    }

    /// Closes the lot if it holds nothing.
    pub fn close_if_empty(&self) -> Option<()> {
        self.remaining().is_zero().then(|| lots::close(&[(self.account, self.lot)]))
    }

    /// Empties the lot and closes it.
    pub fn empty_and_close(&self) {
        slots::set_slots(&[self.emptied()]);
        lots::close(&[(self.account, self.lot)]);
    }
}
