//! Inserts and updates.

use pgrx::pg_sys;

use super::place::Found;
use super::relations::{self, Relations};
use super::{deform, form};

/// A table open for writing. Its lock is kept to the end of the transaction, as after any write.
pub struct Table {
    pub(super) relation: pg_sys::Relation,
}

/// So many rows are written at a time: about a page of ledger lines.
const ROWS_AT_A_TIME: usize = 64;

/// Opens the tables that `choose` names because they may be written directly, or says that they may not.
///
/// Decided again with their locks held, which keep others from changing them: whoever had to wait for a lock may find that its
/// holder has added a trigger, column, check or index.
pub fn open<const COUNT: usize>(choose: impl Fn(&Relations) -> Option<[pg_sys::Oid; COUNT]>) -> Option<[Table; COUNT]> {
    let chosen = choose(&relations::relations())?;
    let tables = chosen.map(Table::open);
    (choose(&relations::relations()) == Some(chosen)).then_some(tables)
}

impl Table {
    fn open(table: pg_sys::Oid) -> Table {
        Table { relation: unsafe { pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32) } }
    }

    /// Writes one column of a row that was found, and which no index has. The caller holds what keeps others from changing the row.
    pub fn update_column(&self, found: &Found, column: usize, value: pg_sys::Datum) {
        unsafe {
            let columns = found.values.len();
            let mut values = vec![pg_sys::Datum::from(0); columns];
            let mut nulls = vec![false; columns];
            let mut replaced = vec![false; columns];
            values[column] = value;
            replaced[column] = true;
            let description = (*self.relation).rd_att;
            let tuple = pg_sys::heap_modify_tuple(
                found.tuple,
                description,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                replaced.as_mut_ptr(),
            );
            update(self.relation, &raw mut (*found.tuple).t_self, tuple);
            // Usually the new version stays on its page, where the old one's index entry leads to it.
            if !is_heap_only(tuple) {
                self.insert_index_entries(tuple);
            }
        }
    }

    unsafe fn insert_index_entries(&self, tuple: pg_sys::HeapTuple) {
        unsafe {
            let values = deform(tuple, (*self.relation).rd_att);
            let indexes = pg_sys::CatalogOpenIndexes(self.relation);
            for position in 0..(*indexes).ri_NumIndices as usize {
                let index = *(*indexes).ri_IndexRelationDescs.add(position);
                let info = *(*indexes).ri_IndexRelationInfo.add(position);
                let attributes = &(&(*info).ii_IndexAttrNumbers)[..(*info).ii_NumIndexAttrs as usize];
                let keys = attributes.iter().map(|attribute| values[*attribute as usize - 1]);
                let mut data: Vec<_> = keys.clone().map(|key| key.unwrap_or(pg_sys::Datum::from(0))).collect();
                let mut nulls: Vec<_> = keys.map(|key| key.is_none()).collect();
                pg_sys::index_insert(
                    index,
                    data.as_mut_ptr(),
                    nulls.as_mut_ptr(),
                    &raw mut (*tuple).t_self,
                    self.relation,
                    pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES,
                    false,
                    info,
                );
            }
            pg_sys::CatalogCloseIndexes(indexes);
        }
    }

    /// Adds a row; `None` is NULL.
    pub fn insert(&self, row: &[Option<pg_sys::Datum>]) {
        unsafe {
            let indexes = pg_sys::CatalogOpenIndexes(self.relation);
            let tuple = form((*self.relation).rd_att, row);
            pg_sys::CatalogTupleInsertWithInfo(self.relation, tuple, indexes);
            pg_sys::CatalogCloseIndexes(indexes);
        }
    }

    /// Adds many rows: whole pages at a time, with one log record for each page.
    pub fn insert_many(&self, rows: impl Iterator<Item: AsRef<[Option<pg_sys::Datum>]>>) {
        unsafe {
            let indexes = pg_sys::CatalogOpenIndexes(self.relation);
            // A copy is not counted: the server would search its list of counted ones for every slot.
            let columns = pg_sys::CreateTupleDescCopy((*self.relation).rd_att);
            let mut slots: Vec<*mut pg_sys::TupleTableSlot> = Vec::new();
            let mut filled = 0;
            for row in rows {
                if filled == slots.len() {
                    slots.push(pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsHeapTuple));
                }
                pg_sys::ExecStoreHeapTuple(form(columns, row.as_ref()), slots[filled], true);
                filled += 1;
                if filled == ROWS_AT_A_TIME {
                    pg_sys::CatalogTuplesMultiInsertWithInfo(self.relation, slots.as_mut_ptr(), filled as i32, indexes);
                    filled = 0;
                }
            }
            if filled > 0 {
                pg_sys::CatalogTuplesMultiInsertWithInfo(self.relation, slots.as_mut_ptr(), filled as i32, indexes);
            }
            slots.into_iter().for_each(|slot| pg_sys::ExecDropSingleTupleTableSlot(slot));
            pg_sys::CatalogCloseIndexes(indexes);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as i32) };
        }
    }
}

#[cfg(feature = "pg15")]
unsafe fn update(relation: pg_sys::Relation, old: pg_sys::ItemPointer, tuple: pg_sys::HeapTuple) {
    unsafe { pg_sys::simple_heap_update(relation, old, tuple) };
}

#[cfg(not(feature = "pg15"))]
unsafe fn update(relation: pg_sys::Relation, old: pg_sys::ItemPointer, tuple: pg_sys::HeapTuple) {
    let mut indexes_to_update = pg_sys::TU_UpdateIndexes::TU_None;
    unsafe { pg_sys::simple_heap_update(relation, old, tuple, &mut indexes_to_update) };
}

/// Whether the version is reached through an older one on its page and has no index entry of its own.
unsafe fn is_heap_only(tuple: pg_sys::HeapTuple) -> bool {
    unsafe { u32::from((*(*tuple).t_data).t_infomask2) & pg_sys::HEAP_ONLY_TUPLE != 0 }
}
