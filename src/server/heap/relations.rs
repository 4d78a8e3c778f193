//! The relations that are read and written directly: found once, and again when the server says that one of them has changed.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::pg_sys;

use crate::server::heap::layout::{self, Account, Columns, Entry, Index, Lot, Member, Positions, Slot, Unit};
use crate::server::heap::obstacle::Obstacle;

/// The only triggers that `credit.slot` may have to be written directly: none of them acts on what is written here.
const TRIGGERS_OF_SLOT: &[&CStr] = &[c"slot_91_refuse_delete", c"slot_92_refuse_truncate"];

/// Those of `credit.entry`.
const TRIGGERS_OF_ENTRY: &[&CStr] =
    &[c"entry_10_check", c"entry_20_apply", c"entry_90_refuse_update", c"entry_91_refuse_delete", c"entry_92_refuse_truncate"];

/// The lock of a table under which a debit writes it: who looks before a write waits for whoever changes the table.
const WRITING: u32 = pg_sys::RowExclusiveLock;

/// The lock under which the view `credit.status` looks at it: it does not wait for an index that is being made.
const READING: u32 = pg_sys::AccessShareLock;

/// A table and the index that its rows are looked up by.
#[derive(Debug)]
pub struct Indexed<T> {
    pub table: pg_sys::Oid,
    pub index: pg_sys::Oid,
    /// Where the columns stand; `None` when table or index are not as they must be to be read directly.
    pub positions: Option<Positions<T>>,
}

impl<T> Clone for Indexed<T> {
    fn clone(&self) -> Indexed<T> {
        *self
    }
}

impl<T> Copy for Indexed<T> {}

/// A table that may be written directly.
#[derive(Debug)]
pub struct Writable<T> {
    pub table: pg_sys::Oid,
    /// Where its columns stand.
    pub positions: Positions<T>,
}

impl<T> Clone for Writable<T> {
    fn clone(&self) -> Writable<T> {
        *self
    }
}

impl<T> Copy for Writable<T> {}

/// The relations of the schema `credit` that the hot path uses.
#[derive(Clone, Copy, Debug)]
pub struct Relations {
    pub account: Indexed<Account>,
    pub unit: Indexed<Unit>,
    pub member: Indexed<Member>,
    /// The members whom debits registered, by the instant.
    pub registration: Indexed<Member>,
    pub lot: Indexed<Lot>,
    pub slot: Indexed<Slot>,
    /// The slots; `None` when they may not be written directly.
    writable_slots: Option<Writable<Slot>>,
    pub entry: pg_sys::Oid,
    /// The ledger; `None` when it may not be written directly.
    writable_ledger: Option<Writable<Entry>>,
    pub posting_id: pg_sys::Oid,
    pub lot_id: pg_sys::Oid,
    /// Who owns the ledger, and with it everything else.
    pub owner: pg_sys::Oid,
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
    pub fn of_debits(&self) -> Option<(Writable<Slot>, Writable<Entry>)> {
        self.writable_slots.zip(self.writable_ledger)
    }

    /// The ledger, if it may be written directly.
    pub fn of_ledger(&self) -> Option<Writable<Entry>> {
        self.writable_ledger
    }

    fn include(&self, relation: pg_sys::Oid) -> bool {
        let tables = [self.account.table, self.unit.table, self.member.table, self.lot.table, self.slot.table, self.entry];
        let indexes =
            [self.account.index, self.unit.index, self.member.index, self.registration.index, self.lot.index, self.slot.index];
        [self.posting_id, self.lot_id].contains(&relation) || tables.contains(&relation) || indexes.contains(&relation)
    }
}

/// What debits do with a table of theirs when nothing is in the way, and what is in the way.
pub struct Standing {
    pub table: &'static CStr,
    pub is_written: bool,
    pub obstacle: Option<Obstacle>,
}

/// How each table of the hot path stands.
pub fn standings() -> Vec<Standing> {
    let read = |table, obstacle| Standing { table, is_written: false, obstacle };
    let written = |table, obstacle| Standing { table, is_written: true, obstacle };
    // SAFETY: it opens and closes relations in a transaction, as all that follows.
    unsafe {
        let registrations = readable(&layout::REGISTRATIONS).err();
        vec![
            written(Entry::TABLE, writable::<Entry>(TRIGGERS_OF_ENTRY, READING).err()),
            written(Slot::TABLE, slots(READING).err()),
            read(Lot::TABLE, readable(&layout::DRAWDOWN).err()),
            read(Account::TABLE, readable(&layout::ACCOUNTS).err()),
            read(Member::TABLE, readable(&layout::MEMBERS).err().or(registrations)),
            read(Unit::TABLE, readable(&layout::UNITS).err()),
        ]
    }
}

unsafe fn find() -> Relations {
    unsafe {
        let entry = id(Entry::TABLE);
        Relations {
            account: indexed(&layout::ACCOUNTS),
            unit: indexed(&layout::UNITS),
            member: indexed(&layout::MEMBERS),
            registration: indexed(&layout::REGISTRATIONS),
            lot: indexed(&layout::DRAWDOWN),
            slot: indexed(&layout::SLOTS),
            writable_slots: slots(WRITING).ok(),
            entry,
            writable_ledger: writable(TRIGGERS_OF_ENTRY, WRITING).ok(),
            posting_id: id(c"posting_id"),
            lot_id: id(c"lot_id"),
            owner: owner(entry),
        }
    }
}

unsafe fn id(name: &CStr) -> pg_sys::Oid {
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_namespace_oid(c"credit".as_ptr(), false)) }
}

unsafe fn indexed<T: Columns>(index: &Index<T>) -> Indexed<T> {
    unsafe {
        let positions = readable(index).ok();
        Indexed { table: id(T::TABLE), index: id(index.name), positions }
    }
}

/// Where the columns stand in a table that may be read directly by an index, or what is in the way.
unsafe fn readable<T: Columns>(index: &Index<T>) -> Result<Positions<T>, Obstacle> {
    unsafe {
        let relation = pg_sys::table_open(id(T::TABLE), pg_sys::AccessShareLock as i32);
        let positions = check_heap(relation)
            .and_then(|()| Positions::find((*relation).rd_att))
            .and_then(|positions| check_index(index, &positions).map(|()| positions));
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        positions
    }
}

/// The slots, which are read by their index, have no other one, and get a new version of a row that is there.
unsafe fn slots(lock: u32) -> Result<Writable<Slot>, Obstacle> {
    unsafe {
        readable(&layout::SLOTS)?;
        let slots = writable::<Slot>(TRIGGERS_OF_SLOT, lock)?;
        if count_indexes(slots.table) == 1 { Ok(slots) } else { Err(Obstacle::AddedIndex) }
    }
}

/// A table that may be written directly, or what is in the way.
unsafe fn writable<T: Columns>(triggers: &[&CStr], lock: u32) -> Result<Writable<T>, Obstacle> {
    unsafe {
        let table = id(T::TABLE);
        let relation = pg_sys::table_open(table, lock as i32);
        let positions = check_writable(relation, triggers);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        positions.map(|positions| Writable { table, positions })
    }
}

unsafe fn check_writable<T: Columns>(relation: pg_sys::Relation, triggers: &[&CStr]) -> Result<Positions<T>, Obstacle> {
    unsafe {
        check_heap(relation)?;
        let columns = (*relation).rd_att;
        let positions = Positions::find(columns)?;
        positions.check_insert(columns)?;
        let constraints = (*columns).constr;
        if !constraints.is_null() && (*constraints).num_check > 0 {
            return Err(Obstacle::Check);
        }
        if !(*relation).rd_rules.is_null() {
            return Err(Obstacle::Rule);
        }
        if (*(*relation).rd_rel).relrowsecurity {
            return Err(Obstacle::RowSecurity);
        }
        check_indexes(relation)?;
        check_triggers(relation, triggers)?;
        Ok(positions)
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

/// That the table is an ordinary one that no other extension stores.
unsafe fn check_heap(relation: pg_sys::Relation) -> Result<(), Obstacle> {
    unsafe {
        let is_heap = (*(*relation).rd_rel).relkind as u8 == pg_sys::RELKIND_RELATION
            && std::ptr::eq((*relation).rd_tableam, pg_sys::GetHeapamTableAmRoutine());
        if is_heap { Ok(()) } else { Err(Obstacle::NotHeap) }
    }
}

/// That rows can be looked up by the index. Its table is open: whoever had to wait for that may find the index made anew.
unsafe fn check_index<T: Columns>(index: &Index<T>, positions: &Positions<T>) -> Result<(), Obstacle> {
    unsafe {
        let found = id(index.name);
        if found == pg_sys::InvalidOid {
            return Err(Obstacle::NoIndex(index.name.to_owned()));
        }
        let relation = pg_sys::index_open(found, pg_sys::AccessShareLock as i32);
        let form = (*relation).rd_index;
        let numbers = (*form).indkey.values.as_slice((*form).indnkeyatts as usize);
        let is_usable =
            (*(*relation).rd_rel).relam == pg_sys::BTREE_AM_OID && (*form).indisvalid && positions.are_keys(index.keys, numbers);
        pg_sys::index_close(relation, pg_sys::NoLock as i32);
        if is_usable { Ok(()) } else { Err(Obstacle::OtherIndex(index.name.to_owned())) }
    }
}

unsafe fn check_triggers(relation: pg_sys::Relation, known: &[&CStr]) -> Result<(), Obstacle> {
    unsafe {
        let description = (*relation).trigdesc;
        let triggers = match description.is_null() {
            true => &[],
            false => std::slice::from_raw_parts((*description).triggers, (*description).numtriggers as usize),
        };
        let mut names = triggers.iter().map(|trigger| CStr::from_ptr(trigger.tgname));
        names.find(|name| !known.contains(name)).map_or(Ok(()), |name| Err(Obstacle::Trigger(name.to_owned())))
    }
}

/// Only indexes on plain columns, checked at once: for others the server's direct insert does not do all that the executor does.
unsafe fn check_indexes(relation: pg_sys::Relation) -> Result<(), Obstacle> {
    unsafe {
        let indexes = pg_sys::CatalogOpenIndexes(relation);
        let state = &*indexes;
        let special = |index: usize| {
            let info = &**state.ri_IndexRelationInfo.add(index);
            let relation = &**state.ri_IndexRelationDescs.add(index);
            let is_plain = info.ii_Expressions.is_null()
                && info.ii_Predicate.is_null()
                && info.ii_ExclusionOps.is_null()
                && info.ii_ReadyForInserts
                && (*relation.rd_index).indimmediate;
            (!is_plain).then(|| CStr::from_ptr((*relation.rd_rel).relname.data.as_ptr()).to_owned())
        };
        let found = (0..state.ri_NumIndices as usize).find_map(special);
        pg_sys::CatalogCloseIndexes(indexes);
        found.map_or(Ok(()), |name| Err(Obstacle::SpecialIndex(name)))
    }
}

unsafe fn count_indexes(table: pg_sys::Oid) -> usize {
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let count = pgrx::PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(relation)).len();
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        count
    }
}
