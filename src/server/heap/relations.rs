//! The relations that are read and written directly: found once, and again when the server says that one of them has changed.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::pg_sys;

/// What a table must look like to be written directly.
struct Shape {
    columns: i16,
    /// The only triggers it may have: none of them acts on what is written here.
    triggers: &'static [&'static CStr],
    /// Its indexes; other ones are only allowed where `None`.
    indexes: Option<i32>,
}

/// `credit.slot` as sql/20_tables.sql and sql/30_triggers.sql make it.
const SLOT: Shape = Shape { columns: 4, triggers: &[c"slot_91_refuse_delete", c"slot_92_refuse_truncate"], indexes: Some(1) };

/// `credit.entry` likewise.
const ENTRY: Shape = Shape {
    columns: 18,
    triggers: &[
        c"entry_10_check",
        c"entry_20_apply",
        c"entry_90_refuse_update",
        c"entry_91_refuse_delete",
        c"entry_92_refuse_truncate",
    ],
    indexes: None,
};

/// A table and the index that its rows are looked up by.
#[derive(Clone, Copy, Debug)]
pub struct Indexed {
    pub table: pg_sys::Oid,
    pub index: pg_sys::Oid,
    /// Table and index have the number of columns that the reader counts on, and are stored as they usually are.
    pub is_as_made: bool,
}

/// The relations of the schema `credit` that the hot path uses.
#[derive(Clone, Copy, Debug)]
pub struct Relations {
    pub account: Indexed,
    pub unit: Indexed,
    pub member: Indexed,
    /// The members whom debits registered, by the instant.
    pub registration: Indexed,
    pub lot: Indexed,
    pub slot: Indexed,
    pub entry: pg_sys::Oid,
    pub posting_id: pg_sys::Oid,
    /// Who owns the ledger, and with it everything else.
    pub owner: pg_sys::Oid,
    writable: bool,
    ledger_writable: bool,
}

thread_local! {
    static KNOWN: Cell<Option<Relations>> = const { Cell::new(None) };
}

/// Counts the messages of changed relations, so that what was found while one arrived is not remembered.
static MESSAGES: AtomicU64 = AtomicU64::new(0);

/// The relations as they are. What was found stays true until the server announces a change.
pub fn relations() -> Relations {
    if let Some(known) = KNOWN.get() {
        return known;
    }
    let messages = MESSAGES.load(Ordering::Relaxed);
    let found = unsafe { find() };
    if MESSAGES.load(Ordering::Relaxed) == messages {
        KNOWN.set(Some(found));
    }
    found
}

/// Forgets the relations when one of them changed; an invalid id stands for all.
pub fn on_change(relation: pg_sys::Oid) {
    MESSAGES.fetch_add(1, Ordering::Relaxed);
    if relation == pg_sys::InvalidOid || KNOWN.get().is_some_and(|known| known.include(relation)) {
        KNOWN.set(None);
    }
}

/// What stands for lots that were added or opened again. Looked up each time: it must be the same for all backends.
pub fn lot_announcement() -> pg_sys::Oid {
    unsafe { pg_sys::get_relname_relid(c"lot_announcement".as_ptr(), pg_sys::get_namespace_oid(c"credit".as_ptr(), false)) }
}

impl Relations {
    /// Slots and ledger, if a debit may write them directly.
    pub fn of_debits(&self) -> Option<[pg_sys::Oid; 2]> {
        self.writable.then_some([self.slot.table, self.entry])
    }

    /// The ledger, if it may be written directly.
    pub fn of_ledger(&self) -> Option<[pg_sys::Oid; 1]> {
        self.ledger_writable.then_some([self.entry])
    }

    fn include(&self, relation: pg_sys::Oid) -> bool {
        let indexed = [self.account, self.unit, self.member, self.registration, self.lot, self.slot];
        relation == self.entry
            || relation == self.posting_id
            || indexed.iter().any(|one| relation == one.table || relation == one.index)
    }
}

unsafe fn find() -> Relations {
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"credit".as_ptr(), false);
        let id = |name: &CStr| pg_sys::get_relname_relid(name.as_ptr(), schema);
        let slot = indexed(&id, c"slot", SLOT.columns, c"slot_pkey", 3);
        let entry = id(c"entry");
        let ledger_writable = has_shape(entry, &ENTRY);
        Relations {
            account: indexed(&id, c"account", 16, c"account_pkey", 1),
            unit: indexed(&id, c"unit", 5, c"unit_pkey", 1),
            member: indexed(&id, c"member", 9, c"member_pkey", 2),
            registration: indexed(&id, c"member", 9, c"member_self_registered", 2),
            lot: indexed(&id, c"lot", 21, c"lot_drawdown", 9),
            slot,
            entry,
            posting_id: id(c"posting_id"),
            owner: owner(entry),
            writable: ledger_writable && slot.is_as_made && has_shape(slot.table, &SLOT),
            ledger_writable,
        }
    }
}

unsafe fn indexed(id: &impl Fn(&CStr) -> pg_sys::Oid, table: &CStr, columns: i16, index: &CStr, index_columns: i16) -> Indexed {
    unsafe {
        let table = id(table);
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        // Only now: whoever had to wait for the table may find its index made anew.
        let index = id(index);
        let is_as_made = index != pg_sys::InvalidOid && is_plain_heap(relation, columns) && is_plain_tree(index, index_columns);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        Indexed { table, index, is_as_made }
    }
}

unsafe fn owner(table: pg_sys::Oid) -> pg_sys::Oid {
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let owner = (*(*relation).rd_rel).relowner;
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        owner
    }
}

unsafe fn is_plain_tree(index: pg_sys::Oid, columns: i16) -> bool {
    unsafe {
        let relation = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
        let is_plain = (*(*relation).rd_rel).relam == pg_sys::BTREE_AM_OID
            && (*(*relation).rd_index).indnkeyatts == columns
            && (*(*relation).rd_index).indisvalid;
        pg_sys::index_close(relation, pg_sys::NoLock as i32);
        is_plain
    }
}

unsafe fn is_plain_heap(relation: pg_sys::Relation, columns: i16) -> bool {
    unsafe {
        (*(*relation).rd_rel).relkind as u8 == pg_sys::RELKIND_RELATION
            && (*(*relation).rd_rel).relnatts == columns
            && std::ptr::eq((*relation).rd_tableam, pg_sys::GetHeapamTableAmRoutine())
    }
}

unsafe fn has_shape(table: pg_sys::Oid, shape: &Shape) -> bool {
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
        let columns = &*(*relation).rd_att;
        let checks = if columns.constr.is_null() { 0 } else { (*columns.constr).num_check };
        let has_shape = is_plain_heap(relation, shape.columns)
            && !(*(*relation).rd_rel).relrowsecurity
            && (*relation).rd_rules.is_null()
            && checks == 0
            && has_only_triggers(relation, shape.triggers)
            && has_plain_indexes(relation, shape.indexes);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        has_shape
    }
}

unsafe fn has_only_triggers(relation: pg_sys::Relation, known: &[&CStr]) -> bool {
    unsafe {
        let description = (*relation).trigdesc;
        let triggers = match description.is_null() {
            true => &[],
            false => std::slice::from_raw_parts((*description).triggers, (*description).numtriggers as usize),
        };
        triggers.iter().all(|trigger| known.contains(&CStr::from_ptr(trigger.tgname)))
    }
}

/// Indexes on plain columns, checked at once: for others the server's direct insert does not do all that the executor does.
unsafe fn has_plain_indexes(relation: pg_sys::Relation, count: Option<i32>) -> bool {
    unsafe {
        let indexes = pg_sys::CatalogOpenIndexes(relation);
        let state = &*indexes;
        let is_plain = |index: usize| {
            let info = &**state.ri_IndexRelationInfo.add(index);
            let form = &*(**state.ri_IndexRelationDescs.add(index)).rd_index;
            info.ii_Expressions.is_null()
                && info.ii_Predicate.is_null()
                && info.ii_ExclusionOps.is_null()
                && info.ii_ReadyForInserts
                && form.indimmediate
        };
        let are_plain = count.is_none_or(|count| count == state.ri_NumIndices) && (0..state.ri_NumIndices as usize).all(is_plain);
        pg_sys::CatalogCloseIndexes(indexes);
        are_plain
    }
}
