//! Knowing when what a backend remembers of accounts, units and members is out of date.
//!
//! A trigger on those tables announces a change through the server's own relation cache invalidation: the message goes out when
//! the change commits, to every backend, and is taken back when it rolls back.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::heap::relations;

/// Counts the changes this backend has heard of.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The relation whose invalidation stands for a change: credit.account, once something of it was remembered.
static WATCHED: AtomicU32 = AtomicU32::new(0);

/// Whether something was remembered that the running transaction may have written itself: it ends with a rollback.
static UNCERTAIN: AtomicBool = AtomicBool::new(false);

/// Listens; once per backend.
pub fn register() {
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(on_invalidation), pg_sys::Datum::from(0));
        pg_sys::RegisterXactCallback(Some(on_transaction_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(on_subtransaction_end), std::ptr::null_mut());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_transaction_end(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    let has_ended = matches!(
        event,
        pg_sys::XactEvent::XACT_EVENT_COMMIT | pg_sys::XactEvent::XACT_EVENT_ABORT | pg_sys::XactEvent::XACT_EVENT_PREPARE
    );
    if has_ended && UNCERTAIN.swap(false, Ordering::Relaxed) && event != pg_sys::XactEvent::XACT_EVENT_COMMIT {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_subtransaction_end(
    event: pg_sys::SubXactEvent::Type,
    _subtransaction: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB && UNCERTAIN.load(Ordering::Relaxed) {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_invalidation(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    relations::on_change(relation);
    // An invalid id means that everything is out of date.
    if relation == pg_sys::InvalidOid || relation.to_u32() == WATCHED.load(Ordering::Relaxed) {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
}

/// The number of changes up to now. What was remembered under another number must be read again.
pub fn generation() -> u64 {
    // Not only at the start of a transaction: a member who is deactivated must stop spending in a long one too.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    GENERATION.load(Ordering::Relaxed)
}

/// Says which relation's invalidation counts, and that something of it is remembered from now on.
pub fn watch(relation: pg_sys::Oid) {
    if unsafe { pg_sys::GetTopTransactionIdIfAny() } != pg_sys::InvalidTransactionId {
        UNCERTAIN.store(true, Ordering::Relaxed);
    }
    WATCHED.store(relation.to_u32(), Ordering::Relaxed);
}

/// Tells every backend, when this transaction commits, that accounts, units or members have changed.
pub fn announce(schema: pg_sys::Oid) {
    unsafe {
        let accounts = pg_sys::get_relname_relid(c"account".as_ptr(), schema);
        pg_sys::CacheInvalidateRelcacheByRelid(accounts);
    }
}

/// Whether each statement sees what is committed by then, so that what it read is worth remembering.
pub fn sees_latest() -> bool {
    unsafe { pg_sys::XactIsoLevel < pg_sys::XACT_REPEATABLE_READ as i32 }
}
