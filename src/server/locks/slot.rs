//! The lock of a slot: its holder may update the slot's row and will not wait for it there.
//!
//! A row lock alone will not do. An `UPDATE ... WHERE remaining >= x` that has to wait and then finds too little keeps the row
//! locked, and a transaction that goes on to another row while it holds that deadlocks sooner or later. So a debit first takes
//! this lock without waiting; the row behind it is then free. It ends with the (sub)transaction.

use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::pg_sys;

use crate::server::locks::{Acquired, Space, acquire, release};

/// Ids stay below 2^53 and slots below 2^10: together they fit a lock's 64 bits without hashing.
const SLOT_BITS: u32 = 10;

/// Whether the running transaction keeps a slot of a lot, or did before it went back to a savepoint.
static KEEPS_SLOT: AtomicBool = AtomicBool::new(false);

/// The kinds of things that lie in slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Striped {
    Lot(i64),
    Cap(i64),
}

impl Striped {
    fn space(self) -> Space {
        match self {
            Striped::Lot(_) => Space::SlotOfLot,
            Striped::Cap(_) => Space::SlotOfCap,
        }
    }

    fn id(self, slot: i16) -> u64 {
        let (Striped::Lot(id) | Striped::Cap(id)) = self;
        assert!((0..1 << 53).contains(&id) && (0..1 << SLOT_BITS).contains(&i64::from(slot)));
        ((id as u64) << SLOT_BITS) | slot as u64
    }
}

/// A slot's lock, held until it is released or the (sub)transaction ends.
#[derive(Debug)]
#[must_use = "a lock that is not released is held until the transaction ends"]
pub struct SlotLock {
    /// The lot or the cap that the slot belongs to.
    pub of: Striped,
    /// The slot's number.
    pub slot: i16,
}

impl SlotLock {
    /// Takes the lock if nobody else has it.
    pub fn try_acquire(of: Striped, slot: i16) -> Option<SlotLock> {
        let acquired = acquire(of.space(), of.id(slot), pg_sys::ExclusiveLock, true);
        (acquired != Acquired::NotFree).then_some(SlotLock { of, slot })
    }

    /// Waits for the lock.
    pub fn acquire(of: Striped, slot: i16) -> SlotLock {
        acquire(of.space(), of.id(slot), pg_sys::ExclusiveLock, false);
        SlotLock { of, slot }
    }

    /// Gives the lock back. That is right only when the row was not changed since the lock was taken.
    pub fn release(self) {
        release(self.of.space(), self.of.id(self.slot));
    }

    /// Leaves the lock to the end of the transaction, as the changed row behind it is.
    pub fn keep(self) {
        if matches!(self.of, Striped::Lot(_)) {
            KEEPS_SLOT.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether the running transaction keeps a slot of a lot, or did before it went back to a savepoint.
pub fn is_any_kept() -> bool {
    KEEPS_SLOT.load(Ordering::Relaxed)
}

/// The transaction has ended, and with it all its locks.
pub fn end_transaction() {
    KEEPS_SLOT.store(false, Ordering::Relaxed);
}
