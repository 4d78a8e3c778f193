//! The lock of a slot: who holds it may update the slot's row and will not wait for it there.
//!
//! A row lock alone will not do. An `UPDATE ... WHERE remaining >= x` that has to wait and then finds too little keeps the row
//! locked, and whoever goes on to another row while holding that deadlocks sooner or later. So a debit first takes this
//! lock without waiting; the row behind it is then free. It costs no WAL and ends with the (sub)transaction.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::pg_sys;

use crate::domain::ledger::request::Fingerprint;

/// Beside the spaces of pg_advisory_lock(bigint), 1, and pg_advisory_lock(int, int), 2: ours cannot collide with them.
const SPACE: u16 = 20_293;

/// The space of the locks of closing a period.
const SPACE_OF_CLOSING: u16 = 20_295;

/// The space of the locks of maintenance.
const SPACE_OF_STEPS: u16 = 20_294;

/// The space of the locks of plans, against who comes to them.
const SPACE_OF_PLANS: u16 = 20_296;

/// The space of the locks of the slots of caps.
const SPACE_OF_CAPS: u16 = 20_297;

/// The space of the locks of changing an account's caps.
const SPACE_OF_CAPS_OF_ACCOUNTS: u16 = 20_298;

/// So many locks there are for the names of accounts, and so many for those of plans.
const NAMED_LOCKS: u64 = 512;

/// Lot ids stay below 2^53 and slots below 2^10: together they fit a lock's 64 bits without hashing.
const SLOT_BITS: u32 = 10;

/// Whether the running transaction keeps a slot of a lot, or did before it went back to a savepoint.
static KEEPS_SLOT: AtomicBool = AtomicBool::new(false);

/// Whether the call that runs is an impatient one.
static IS_IMPATIENT: AtomicBool = AtomicBool::new(false);

/// How many times sooner an impatient call looks for a deadlock.
const IMPATIENCE: i32 = 10;

/// A slot's lock, held until it is released or the (sub)transaction ends.
#[derive(Debug)]
#[must_use = "a lock that is not released is held until the transaction ends"]
pub struct SlotLock {
    /// The lot the slot belongs to.
    pub lot: i64,
    /// The slot's number.
    pub slot: i16,
}

impl SlotLock {
    /// Takes the lock if nobody else has it.
    pub fn try_acquire(lot: i64, slot: i16) -> Option<SlotLock> {
        let granted = unsafe { pg_sys::LockAcquire(&tag(lot, slot), pg_sys::ExclusiveLock as i32, false, true) };
        (granted != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL).then_some(SlotLock { lot, slot })
    }

    /// Waits for the lock. Deadlock detection, `lock_timeout` and cancelling work as for every lock.
    pub fn acquire(lot: i64, slot: i16) -> SlotLock {
        unsafe { pg_sys::LockAcquire(&tag(lot, slot), pg_sys::ExclusiveLock as i32, false, false) };
        SlotLock { lot, slot }
    }

    /// Gives the lock back: only right when the row was not changed.
    pub fn release(self) {
        unsafe { pg_sys::LockRelease(&tag(self.lot, self.slot), pg_sys::ExclusiveLock as i32, false) };
    }

    /// Leaves the lock to the end of the transaction, as the changed row behind it is.
    pub fn keep(self) {
        KEEPS_SLOT.store(true, Ordering::Relaxed);
    }
}

/// The transaction has ended, and with it all its locks.
pub fn end_transaction() {
    KEEPS_SLOT.store(false, Ordering::Relaxed);
}

/// A call of a transaction in which an earlier call debited: only such transactions can be in a circle of waits, and single calls that they
/// meet on the way. It looks for a deadlock sooner than those, so that it is the one that is ended.
pub struct Impatience {
    timeout: i32,
}

impl Impatience {
    /// `None` for a call that is the first to debit, and within a call that is impatient already.
    pub fn of_call() -> Option<Impatience> {
        if !KEEPS_SLOT.load(Ordering::Relaxed) || IS_IMPATIENT.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the server reads it when it begins to wait, in this thread.
        unsafe {
            let timeout = pg_sys::DeadlockTimeout;
            pg_sys::DeadlockTimeout = (timeout / IMPATIENCE).max(1);
            Some(Impatience { timeout })
        }
    }
}

impl Drop for Impatience {
    fn drop(&mut self) {
        IS_IMPATIENT.store(false, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { pg_sys::DeadlockTimeout = self.timeout };
    }
}

/// The lock of a slot of a cap, as [`SlotLock`] is one of a lot.
#[derive(Debug)]
#[must_use = "a lock that is not released is held until the transaction ends"]
pub struct CapLock {
    cap: i64,
    /// The slot's number.
    pub slot: i16,
}

impl CapLock {
    /// Takes the lock if nobody else has it.
    pub fn try_acquire(cap: i64, slot: i16) -> Option<CapLock> {
        let lock = CapLock { cap, slot };
        let granted = unsafe { pg_sys::LockAcquire(&lock.tag(), pg_sys::ExclusiveLock as i32, false, true) };
        (granted != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL).then_some(lock)
    }

    /// Waits for the lock.
    pub fn acquire(cap: i64, slot: i16) -> CapLock {
        let lock = CapLock { cap, slot };
        unsafe { pg_sys::LockAcquire(&lock.tag(), pg_sys::ExclusiveLock as i32, false, false) };
        lock
    }

    /// Gives the lock back: only right when the row was not changed since it was taken.
    pub fn release(self) {
        unsafe { pg_sys::LockRelease(&self.tag(), pg_sys::ExclusiveLock as i32, false) };
    }

    /// Leaves the lock to the end of the transaction, as the changed row behind it is.
    pub fn keep(self) {}

    fn tag(&self) -> pg_sys::LOCKTAG {
        advisory(SPACE_OF_CAPS, id(self.cap, self.slot))
    }
}

fn tag(lot: i64, slot: i16) -> pg_sys::LOCKTAG {
    advisory(SPACE, id(lot, slot))
}

fn id(of: i64, slot: i16) -> u64 {
    assert!((0..1 << 53).contains(&of) && (0..1 << SLOT_BITS).contains(&i64::from(slot)));
    ((of as u64) << SLOT_BITS) | slot as u64
}

pub(super) fn advisory(space: u16, id: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (id >> 32) as u32,
        locktag_field3: id as u32,
        locktag_field4: space,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// Takes the lock of a step of maintenance until the transaction ends, if nobody else has it.
pub fn try_acquire_step(step: u64) -> bool {
    let tag = advisory(SPACE_OF_STEPS, step);
    let granted = unsafe { pg_sys::LockAcquire(&tag, pg_sys::ExclusiveLock as i32, false, true) };
    granted != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// The lock of closing a period of an account, until the transaction ends: shared by who dates something in the past.
pub fn share_closing<'a>(accounts: impl Iterator<Item = &'a str>) {
    lock_closing(accounts, pg_sys::ShareLock);
}

/// The same, alone: by who closes a period of the accounts. In one order, so that two of them do not deadlock.
pub fn acquire_closing<'a>(accounts: impl Iterator<Item = &'a str>) {
    lock_closing(accounts, pg_sys::ExclusiveLock);
}

fn lock_closing<'a>(accounts: impl Iterator<Item = &'a str>, mode: u32) {
    let ids: BTreeSet<u64> = accounts.map(|account| few("account", account)).collect();
    ids.into_iter().for_each(|id| lock_id(SPACE_OF_CLOSING, id, mode));
}

/// Until the transaction ends nobody else makes, changes or ends a cap of the account.
pub fn acquire_caps(account: &str) {
    lock_named(SPACE_OF_CAPS_OF_ACCOUNTS, "account", account, pg_sys::ExclusiveLock);
}

/// Until the transaction ends nobody comes to the plan, nor declares what it grants.
pub fn keep_others_from_plan(plan: &str) {
    lock_named(SPACE_OF_PLANS, "plan", plan, pg_sys::ExclusiveLock);
}

/// Until the transaction ends nobody declares what the plan grants. Many may hold this at once.
pub fn come_to_plan(plan: &str) {
    lock_named(SPACE_OF_PLANS, "plan", plan, pg_sys::ShareLock);
}

fn lock_named(space: u16, kind: &str, name: &str, mode: u32) {
    lock_id(space, few(kind, name), mode);
}

/// Names that share a number wait for each other, which harms nobody. There are few numbers, so that closing the periods of very many
/// accounts does not fill the server's lock table.
fn few(kind: &str, name: &str) -> u64 {
    hash_of_name(kind, name) % NAMED_LOCKS
}

pub(super) fn hash_of_name(kind: &str, name: &str) -> u64 {
    let hash = Fingerprint::of(kind).with(kind, Some(name)).finish();
    u64::from_be_bytes(*hash.first_chunk().expect("32 bytes"))
}

fn lock_id(space: u16, id: u64, mode: u32) {
    unsafe { pg_sys::LockAcquire(&advisory(space, id), mode as i32, false, false) };
}

/// The number of this backend among those connected: small, dense and stable, so backends spread evenly over slots.
pub fn backend_number() -> u32 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let number = unsafe { pg_sys::MyBackendId };
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    let number = unsafe { pg_sys::MyProcNumber };
    number.unsigned_abs()
}
