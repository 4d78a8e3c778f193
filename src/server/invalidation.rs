//! Knowing when what a backend remembers of accounts, units, members and lots is out of date.
//!
//! Triggers on those tables announce a change through the server's own relation cache invalidation: the message goes out when
//! the change commits, to every backend, before its locks are released, and is taken back when it rolls back.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::server::heap::relations;
use crate::server::locks;

/// The id of no subtransaction, `InvalidSubTransactionId` in the server.
const NO_SUBTRANSACTION: pg_sys::SubTransactionId = 0;

/// A kind of thing that is remembered, and the relations whose invalidation stands for a change of it.
struct Watched {
    /// How many changes this backend has heard of.
    changes: AtomicU64,
    /// The relation whose invalidation announces a change, and the table itself, which changes when its triggers are switched on
    /// or off. Zero until something was remembered.
    relations: [AtomicU32; 2],
    /// The latest subtransaction that remembered something that the running transaction may have written itself. What it
    /// remembered is out of date when this subtransaction, or one around it, is rolled back.
    uncertain_in: AtomicU32,
}

/// Accounts, units, members and rate cards.
static TERMS: Watched = Watched::new();

/// Lots that were added or opened again.
static LOTS: Watched = Watched::new();

/// The subtransaction that announced lots already: its one message tells of all that it adds.
static ANNOUNCED_IN: AtomicU32 = AtomicU32::new(NO_SUBTRANSACTION);

impl Watched {
    const fn new() -> Watched {
        Watched {
            changes: AtomicU64::new(0),
            relations: [AtomicU32::new(0), AtomicU32::new(0)],
            uncertain_in: AtomicU32::new(NO_SUBTRANSACTION),
        }
    }

    fn count_change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn hear(&self, relation: pg_sys::Oid) {
        // An invalid id means that everything is out of date.
        if relation == pg_sys::InvalidOid || self.relations.iter().any(|known| known.load(Ordering::Relaxed) == relation.to_u32())
        {
            self.count_change();
        }
    }

    fn generation(&self) -> u64 {
        // Not only at the start of a transaction: a member who is deactivated must stop spending in a long one too.
        // SAFETY: functions of ours run in a transaction, where the server may read the catalog as it takes the messages in.
        unsafe { pg_sys::AcceptInvalidationMessages() };
        self.changes.load(Ordering::Relaxed)
    }

    fn watch(&self, relations: [pg_sys::Oid; 2]) {
        // SAFETY: the server reads a variable of this backend.
        if unsafe { pg_sys::GetTopTransactionIdIfAny() } != pg_sys::InvalidTransactionId {
            // SAFETY: the server reads a variable of this backend.
            let current = unsafe { pg_sys::GetCurrentSubTransactionId() };
            self.uncertain_in.fetch_max(current, Ordering::Relaxed);
        }
        // A value that was read before anybody listened may be out of date.
        for (known, relation) in self.relations.iter().zip(relations) {
            if known.swap(relation.to_u32(), Ordering::Relaxed) != relation.to_u32() {
                self.count_change();
            }
        }
    }

    fn end_transaction(&self, committed: bool) {
        if self.uncertain_in.swap(NO_SUBTRANSACTION, Ordering::Relaxed) != NO_SUBTRANSACTION && !committed {
            self.count_change();
        }
    }

    fn roll_back_subtransaction(&self, subtransaction: pg_sys::SubTransactionId) {
        // Their numbers grow. A memory from before this one began does not end with it.
        if self.uncertain_in.load(Ordering::Relaxed) >= subtransaction {
            self.count_change();
        }
    }
}

/// Begins to listen; once per backend.
pub fn register() {
    // SAFETY: the functions have the types that the server asks for, and stay: a library is never unloaded. pg_guard turns a
    // panic in them into an error of the server.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(on_invalidation), pg_sys::Datum::from(0));
        pg_sys::RegisterXactCallback(Some(on_transaction_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(on_subtransaction_end), std::ptr::null_mut());
    }
}

/// Called by the server at each step of the end of a transaction.
///
/// # Safety
/// None is needed: it reads only the event.
#[pg_guard]
unsafe extern "C-unwind" fn on_transaction_end(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    let has_ended = matches!(
        event,
        pg_sys::XactEvent::XACT_EVENT_COMMIT | pg_sys::XactEvent::XACT_EVENT_ABORT | pg_sys::XactEvent::XACT_EVENT_PREPARE
    );
    if !has_ended {
        return;
    }
    ANNOUNCED_IN.store(NO_SUBTRANSACTION, Ordering::Relaxed);
    locks::end_transaction();
    let committed = event == pg_sys::XactEvent::XACT_EVENT_COMMIT;
    TERMS.end_transaction(committed);
    LOTS.end_transaction(committed);
}

/// Called by the server at each step of the life of a subtransaction.
///
/// # Safety
/// None is needed: it reads only the event and the number.
#[pg_guard]
unsafe extern "C-unwind" fn on_subtransaction_end(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        TERMS.roll_back_subtransaction(subtransaction);
        LOTS.roll_back_subtransaction(subtransaction);
    }
}

/// Called by the server when a relation has changed.
///
/// # Safety
/// None is needed: it reads only the id.
#[pg_guard]
unsafe extern "C-unwind" fn on_invalidation(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    relations::on_change(relation);
    TERMS.hear(relation);
    LOTS.hear(relation);
}

/// The number of changes of accounts, units, members and rate cards up to now. A memory of them under another number
/// must be read again.
pub fn generation() -> u64 {
    TERMS.generation()
}

/// The number of times lots were added or opened again up to now. The head lot that was remembered under another number may not
/// be the first any more.
pub fn generation_of_lots() -> u64 {
    LOTS.generation()
}

/// Says which relation's invalidation announces changes of accounts, units, members and rate cards. From now on something of them
/// is remembered.
pub fn watch(relation: pg_sys::Oid) {
    TERMS.watch([relation, relation]);
}

/// As [`watch`], for lots.
pub fn watch_lots() {
    LOTS.watch([relations::lot_announcement(), relations::relations().lot.table]);
}

/// Tells every backend, when this transaction commits, that accounts, units or members have changed.
pub fn announce(schema: pg_sys::Oid) {
    // SAFETY: the name ends with a zero byte. The server looks both up in its catalog, and raises an error for a relation that is
    // not there. A transaction runs.
    unsafe {
        let accounts = pg_sys::get_relname_relid(c"account".as_ptr(), schema);
        pg_sys::CacheInvalidateRelcacheByRelid(accounts);
    }
}

/// Tells every backend, when this transaction commits, that lots were added or opened again, and this one at once.
pub fn announce_lots() {
    LOTS.count_change();
    // SAFETY: the server reads a variable of this backend.
    let current = unsafe { pg_sys::GetCurrentSubTransactionId() };
    if ANNOUNCED_IN.load(Ordering::Relaxed) != current {
        // SAFETY: the server looks the relation up, and raises an error when it is not there. A transaction runs.
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relations::lot_announcement()) };
        ANNOUNCED_IN.store(current, Ordering::Relaxed);
    }
}

/// Whether each statement sees what is committed by then, so that what it read is worth remembering.
pub fn sees_latest() -> bool {
    // SAFETY: this is the server's own variable, and this backend has one thread.
    unsafe { pg_sys::XactIsoLevel < pg_sys::XACT_REPEATABLE_READ as i32 }
}
