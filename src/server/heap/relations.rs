//! The relations that are read and written directly: found once, and again when the server says that one of them has changed.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::pg_sys;

use crate::server::heap::layout::{self, Account, Columns, Entry, Index, Lot, Member, Positions, Slot, Unit};
use crate::server::heap::obstacle::Obstacle;

/// The only triggers that `credit.slot` may have to be written directly: none of them acts on what is written here.
const TRIGGERS_OF_SLOT: &[&CStr] = &[c"slot_91_refuse_delete", c"slot_92_refuse_truncate"];

/// The only triggers that `credit.entry` may have to be written directly.
const TRIGGERS_OF_ENTRY: &[&CStr] =
    &[c"entry_10_check", c"entry_20_apply", c"entry_90_refuse_update", c"entry_91_refuse_delete", c"entry_92_refuse_truncate"];

/// The lock of a table under which a debit writes it. A debit looks at the table under the same lock, and so waits until others
/// have changed it.
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
    /// The table of the ledger.
    pub entry: pg_sys::Oid,
    /// The ledger; `None` when it may not be written directly.
    writable_ledger: Option<Writable<Entry>>,
    /// The sequence of posting ids.
    pub posting_id: pg_sys::Oid,
    pub lot_id: pg_sys::Oid,
    pub hold_id: pg_sys::Oid,
    /// The role that owns the ledger, and with it everything else.
    pub owner: pg_sys::Oid,
}

thread_local! {
    static KNOWN: Cell<Option<Relations>> = const { Cell::new(None) };
}

/// Counts the messages of changed relations, so that what was found while one arrived is not remembered.
static MESSAGES: AtomicU64 = AtomicU64::new(0);

/// The relations as they are. The result stays true until the server announces a change.
pub fn relations() -> Relations {
    if let Some(known) = KNOWN.get() {
        return known;
    }
    let messages = MESSAGES.load(Ordering::Relaxed);
    let found = find();
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

/// The relation whose invalidation announces lots that were added or opened again. It is looked up each time: it must be the same
/// for all backends.
pub fn lot_announcement() -> pg_sys::Oid {
    id(c"lot_announcement")
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
        [self.posting_id, self.lot_id, self.hold_id].contains(&relation)
            || tables.contains(&relation)
            || indexes.contains(&relation)
    }
}

/// How debits use a table, and what keeps them from using it directly.
pub struct Standing {
    /// The table's name in the schema `credit`.
    pub table: &'static CStr,
    /// Whether debits write the table, or only read it.
    pub is_written: bool,
    /// The first obstacle; `None` when there is none.
    pub obstacle: Option<Obstacle>,
}

/// How each table of the hot path stands.
pub fn standings() -> Vec<Standing> {
    let read = |table, obstacle| Standing { table, is_written: false, obstacle };
    let written = |table, obstacle| Standing { table, is_written: true, obstacle };
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

fn find() -> Relations {
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
        hold_id: id(c"hold_id"),
        owner: owner(entry),
    }
}

/// The id of a relation in the schema `credit`; an invalid one when there is none of this name.
fn id(name: &CStr) -> pg_sys::Oid {
    // SAFETY: both names end with a zero byte. The server looks them up in its catalog, and raises an error without the schema.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_namespace_oid(c"credit".as_ptr(), false)) }
}

/// Opens a table and applies `look` to it. The lock is kept to the end of the transaction. Raises an error when the table is not
/// there.
fn with_table<R>(table: pg_sys::Oid, lock: u32, look: impl FnOnce(pg_sys::Relation) -> R) -> R {
    // SAFETY: the server raises an error for an id that is no table. After an error it closes what is open.
    let relation = unsafe { pg_sys::table_open(table, lock as i32) };
    let found = look(relation);
    // SAFETY: it was opened above. `look` returned what it found, and nothing uses the relation after this.
    unsafe { pg_sys::table_close(relation, pg_sys::NoLock as i32) };
    found
}

fn indexed<T: Columns>(index: &Index<T>) -> Indexed<T> {
    let positions = readable(index).ok();
    Indexed { table: id(T::TABLE), index: id(index.name), positions }
}

/// Where the columns stand in a table that may be read directly by an index, or what is in the way.
fn readable<T: Columns>(index: &Index<T>) -> Result<Positions<T>, Obstacle> {
    with_table(id(T::TABLE), pg_sys::AccessShareLock, |relation| {
        // SAFETY: the relation is open while this runs.
        let positions = unsafe {
            check_heap(relation)?;
            Positions::find((*relation).rd_att)?
        };
        check_index(index, &positions)?;
        Ok(positions)
    })
}

/// The slots, which are read by their index, have no other one, and get a new version of a row that is there.
fn slots(lock: u32) -> Result<Writable<Slot>, Obstacle> {
    readable(&layout::SLOTS)?;
    let slots = writable::<Slot>(TRIGGERS_OF_SLOT, lock)?;
    if count_indexes(slots.table) == 1 { Ok(slots) } else { Err(Obstacle::AddedIndex) }
}

/// A table that may be written directly, or what is in the way.
fn writable<T: Columns>(triggers: &[&CStr], lock: u32) -> Result<Writable<T>, Obstacle> {
    let table = id(T::TABLE);
    // SAFETY: the relation is open while it is checked.
    let positions = with_table(table, lock, |relation| unsafe { check_writable(relation, triggers) })?;
    Ok(Writable { table, positions })
}

/// Where the columns stand in a table that may be written directly, or what is in the way.
///
/// # Safety
/// The relation is open.
unsafe fn check_writable<T: Columns>(relation: pg_sys::Relation, triggers: &[&CStr]) -> Result<Positions<T>, Obstacle> {
    // SAFETY: the caller vouches for the relation. While it is open, so are its description and its row of pg_class; constraints
    // and rules are null where it has none.
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

fn owner(table: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: the relation is open while its row of pg_class is read.
    with_table(table, pg_sys::AccessShareLock, |relation| unsafe { (*(*relation).rd_rel).relowner })
}

/// Checks that the table is an ordinary one, which no other extension stores.
///
/// # Safety
/// The relation is open.
unsafe fn check_heap(relation: pg_sys::Relation) -> Result<(), Obstacle> {
    // SAFETY: the caller vouches for the relation. The server's routine is only compared by its address.
    let is_heap = unsafe {
        (*(*relation).rd_rel).relkind as u8 == pg_sys::RELKIND_RELATION
            && std::ptr::eq((*relation).rd_tableam, pg_sys::GetHeapamTableAmRoutine())
    };
    if is_heap { Ok(()) } else { Err(Obstacle::NotHeap) }
}

/// Checks that rows can be looked up by the index. Its table is open, so that nobody makes the index anew meanwhile.
fn check_index<T: Columns>(index: &Index<T>, positions: &Positions<T>) -> Result<(), Obstacle> {
    let found = id(index.name);
    if found == pg_sys::InvalidOid {
        return Err(Obstacle::NoIndex(index.name.to_owned()));
    }
    // SAFETY: the server raises an error for an id that is no index. The index is open until its row of pg_index, in which the
    // numbers of the keys lie, has been read, and is not used after it was closed.
    let is_usable = unsafe {
        let relation = pg_sys::index_open(found, pg_sys::AccessShareLock as i32);
        let form = (*relation).rd_index;
        let numbers = (*form).indkey.values.as_slice((*form).indnkeyatts as usize);
        let is_usable =
            (*(*relation).rd_rel).relam == pg_sys::BTREE_AM_OID && (*form).indisvalid && positions.are_keys(index.keys, numbers);
        pg_sys::index_close(relation, pg_sys::NoLock as i32);
        is_usable
    };
    if is_usable { Ok(()) } else { Err(Obstacle::OtherIndex(index.name.to_owned())) }
}

/// Checks that the table has no triggers but these.
///
/// # Safety
/// The relation is open.
unsafe fn check_triggers(relation: pg_sys::Relation, known: &[&CStr]) -> Result<(), Obstacle> {
    // SAFETY: the caller vouches for the relation. Its description of triggers is null, or has as many triggers as it says, with
    // names that end with a zero byte. The name is copied before the relation is closed.
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

/// Checks that all indexes are on plain columns and are checked at once. For others the server's direct insert does not do all
/// that the executor does.
///
/// # Safety
/// The relation is open.
unsafe fn check_indexes(relation: pg_sys::Relation) -> Result<(), Obstacle> {
    // SAFETY: the caller vouches for the relation. The server opens all its indexes and describes each of the `ri_NumIndices`;
    // they are open until they are closed below, and a name is copied before.
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

fn count_indexes(table: pg_sys::Oid) -> usize {
    with_table(table, pg_sys::AccessShareLock, |relation| {
        // SAFETY: the relation is open, and the server returns a list of ids that is ours.
        unsafe { pgrx::PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(relation)) }.len()
    })
}
