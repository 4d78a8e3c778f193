//! The extension's own locks: heavyweight ones of the server, beside those of tables and rows. They cost no WAL, are seen in
//! `pg_locks`, and end with the (sub)transaction. Deadlock detection, `lock_timeout` and cancelling work as for every lock.
//!
//! - [`Space`]: all kinds, with their numbers
//! - [`slot`]: the lock of a slot of a lot or of a cap
//! - [`named`]: closing a period, changing caps, declaring what a plan grants, a step of maintenance
//! - [`arrival`]: lots that come to an account, against a new cap of it
//! - [`new_cap`]: lots that come in the transaction that made a cap
//! - [`impatience`]: the transaction that is ended when several wait for each other

pub mod arrival;
pub mod impatience;
pub mod named;
pub mod new_cap;
pub mod slot;

use pgrx::pg_sys;

use crate::domain::ledger::request;

/// The kinds of locks. Each is a space of its own beside those of pg_advisory_lock(bigint), 1, and pg_advisory_lock(int, int), 2:
/// ours cannot collide with them. The view `credit.status` names some of the numbers (`objsubid` in `pg_locks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Space {
    /// A slot of a lot: exclusive, for a change of the slot's row.
    SlotOfLot = 20_293,
    /// A step of maintenance: exclusive, for a batch of it.
    Step = 20_294,
    /// Closing a period of an account: shared by calls that date something in the past, exclusive for the closing.
    Closing = 20_295,
    /// The allotments of a plan: shared by accounts that come to it, exclusive for their declaration.
    Plan = 20_296,
    /// A slot of a cap: exclusive, for a count in it.
    SlotOfCap = 20_297,
    /// The caps of an account: exclusive, for making, changing or ending one.
    CapsOfAccount = 20_298,
    /// Lots and members that come to an account: shared by calls that bring them, exclusive for making a cap.
    Arrival = 20_299,
    /// The same for all accounts at once: shared by calls that bring lots to very many.
    ArrivalAnywhere = 20_300,
}

/// The lock of an id in a space, in this database.
fn tag(space: Space, id: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: the server sets its variable when the backend connects, before any function of ours runs.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (id >> 32) as u32,
        locktag_field3: id as u32,
        locktag_field4: space as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// The result of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acquired {
    /// It is new to this transaction.
    New,
    /// The transaction had it already, and has it once more.
    Again,
    /// Somebody else has it; only where nothing waits.
    NotFree,
}

/// Takes a lock in a mode of the server, and waits for it unless `only_if_free`.
fn acquire(space: Space, id: u64, mode: u32, only_if_free: bool) -> Acquired {
    // SAFETY: all fields of the tag are set, and callers pass a lock mode of the server. The server copies the tag.
    match unsafe { pg_sys::LockAcquire(&tag(space, id), mode as i32, false, only_if_free) } {
        pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL => Acquired::NotFree,
        pg_sys::LockAcquireResult::LOCKACQUIRE_OK => Acquired::New,
        _ => Acquired::Again,
    }
}

/// Gives a lock back that was taken alone.
fn release(space: Space, id: u64) {
    // SAFETY: all fields of the tag are set. For a lock that is not held the server only warns.
    unsafe { pg_sys::LockRelease(&tag(space, id), pg_sys::ExclusiveLock as i32, false) };
}

/// A number for a name.
fn hash_of_name(kind: &str, name: &str) -> u64 {
    u64::from_be_bytes(*request::hash_of_name(kind, name).first_chunk().expect("32 bytes"))
}

/// The transaction has ended, and with it all its locks.
pub fn end_transaction() {
    arrival::end_transaction();
    slot::end_transaction();
    new_cap::end_transaction();
}
