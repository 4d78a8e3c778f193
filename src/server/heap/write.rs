//! Inserts and updates.

use pgrx::pg_sys;

use crate::server::heap::layout::{Columns, NewRow};
use crate::server::heap::place::Found;
use crate::server::heap::table::Table;
use crate::server::heap::{deform, form};

/// How many rows are written at a time: about a page of ledger lines.
const ROWS_AT_A_TIME: usize = 64;

impl<T: Columns> Table<T> {
    /// Writes one column of a row that was found, and which no index has. The caller holds what keeps others from changing the
    /// row.
    pub fn update_column(&self, found: &Found, column: T, value: pg_sys::Datum) {
        let (columns, column) = (found.values.len(), self.positions.of(column));
        let mut values = vec![pg_sys::Datum::from(0); columns];
        let mut nulls = vec![false; columns];
        let mut replaced = vec![false; columns];
        values[column] = value;
        replaced[column] = true;
        // SAFETY: the table is open for writing, and the row is a copy of one of its rows. The vectors have an element for each
        // column of it. The caller gives a value of the column's type, and holds the lock under which nobody else changes the
        // row.
        unsafe {
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
                self.insert_index_entries(tuple, &deform(tuple, description));
            }
        }
    }

    /// Adds a row.
    pub fn insert(&self, row: &NewRow<T>) {
        // SAFETY: the table is open for writing. Its columns have the types that the layout says, and the callers of NewRow::of()
        // give values of these types.
        unsafe {
            let description = (*self.relation).rd_att;
            let row = row.in_table(&self.positions, (*description).natts as usize);
            let tuple = form(description, &row);
            pg_sys::simple_heap_insert(self.relation, tuple);
            self.insert_index_entries(tuple, &row);
        }
    }

    /// Adds the entries of a row to all indexes. Their locks are kept like the table's: giving them back one by one costs more.
    ///
    /// # Safety
    /// The row was just written into this table, and has these values in the order of the table's columns.
    unsafe fn insert_index_entries(&self, tuple: pg_sys::HeapTuple, row: &[Option<pg_sys::Datum>]) {
        // SAFETY: the table is open, and the server returns a list of ids that is ours.
        let indexes = unsafe { pgrx::PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(self.relation)) };
        for index in indexes.iter_oid() {
            // SAFETY: the index is one of the open table, is on plain columns, and is open while the entry is added. The caller
            // vouches for the row.
            unsafe {
                let index = pg_sys::index_open(index, pg_sys::RowExclusiveLock as i32);
                insert_index_entry(self.relation, index, tuple, row);
                pg_sys::index_close(index, pg_sys::NoLock as i32);
            }
        }
    }

    /// Adds many rows: whole pages at a time, with one log record for each page.
    pub fn insert_many(&self, rows: impl Iterator<Item = NewRow<T>>) {
        // SAFETY: the table is open for writing, and the values of the rows have the types of its columns, as for insert(). The
        // slots are described by a copy that lives until they are dropped. The first `filled` of them hold a row.
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
                let row = row.in_table(&self.positions, (*columns).natts as usize);
                pg_sys::ExecStoreHeapTuple(form(columns, &row), slots[filled], true);
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

/// Adds the entry of a row to an index on plain columns, which is what [`relations`](super::relations) allows.
///
/// # Safety
/// Table and index are open for writing. The row was just written into the table, and has these values in the order of its
/// columns.
unsafe fn insert_index_entry(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    tuple: pg_sys::HeapTuple,
    row: &[Option<pg_sys::Datum>],
) {
    // SAFETY: the caller vouches for table, index and row. An index has at most INDEX_MAX_KEYS columns; those of an index on
    // plain columns are numbers of columns of the table, from 1. The unused rest of the arrays is not read.
    unsafe {
        let info = pg_sys::BuildIndexInfo(index);
        // An index that is just being made concurrently is filled by the transaction that makes it, which waits for this one.
        if !(*info).ii_ReadyForInserts {
            return;
        }
        let mut values = [pg_sys::Datum::from(0); pg_sys::INDEX_MAX_KEYS as usize];
        let mut nulls = [false; pg_sys::INDEX_MAX_KEYS as usize];
        for position in 0..(*info).ii_NumIndexAttrs as usize {
            let column = (*info).ii_IndexAttrNumbers[position] as usize - 1;
            values[position] = row[column].unwrap_or(pg_sys::Datum::from(0));
            nulls[position] = row[column].is_none();
        }
        let check = match (*info).ii_Unique {
            true => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES,
            false => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO,
        };
        let place = &raw mut (*tuple).t_self;
        pg_sys::index_insert(index, values.as_mut_ptr(), nulls.as_mut_ptr(), place, table, check, false, info);
        end_index_insert(index, info);
    }
}

/// Nothing is kept between the rows of a statement.
///
/// # Safety
/// None is needed: it has the form of what later versions of the server need.
#[cfg(any(feature = "pg15", feature = "pg16"))]
unsafe fn end_index_insert(_index: pg_sys::Relation, _info: *mut pg_sys::IndexInfo) {}

/// Gives back what an access method keeps between the rows of a statement.
///
/// # Safety
/// The index is open, and the description was made for it and used for an insert.
#[cfg(any(feature = "pg17", feature = "pg18"))]
unsafe fn end_index_insert(index: pg_sys::Relation, info: *mut pg_sys::IndexInfo) {
    // SAFETY: the caller vouches for both.
    unsafe { pg_sys::index_insert_cleanup(index, info) };
}

/// Writes a new version of a row.
///
/// # Safety
/// The relation is a table open for writing, `old` is the place of a row in it that nobody else changes, and the new version is a
/// row of the table.
#[cfg(feature = "pg15")]
unsafe fn update(relation: pg_sys::Relation, old: pg_sys::ItemPointer, tuple: pg_sys::HeapTuple) {
    // SAFETY: the caller vouches for all of them.
    unsafe { pg_sys::simple_heap_update(relation, old, tuple) };
}

/// Writes a new version of a row.
///
/// # Safety
/// The relation is a table open for writing, `old` is the place of a row in it that nobody else changes, and the new version is a
/// row of the table.
#[cfg(not(feature = "pg15"))]
unsafe fn update(relation: pg_sys::Relation, old: pg_sys::ItemPointer, tuple: pg_sys::HeapTuple) {
    let mut indexes_to_update = pg_sys::TU_UpdateIndexes::TU_None;
    // SAFETY: the caller vouches for all of them. The server writes the answer into a variable of ours.
    unsafe { pg_sys::simple_heap_update(relation, old, tuple, &mut indexes_to_update) };
}

/// Whether the version is reached through an older one on its page and has no index entry of its own.
///
/// # Safety
/// The row has been written.
unsafe fn is_heap_only(tuple: pg_sys::HeapTuple) -> bool {
    // SAFETY: the caller vouches for the row, whose head is part of it.
    unsafe { u32::from((*(*tuple).t_data).t_infomask2) & pg_sys::HEAP_ONLY_TUPLE != 0 }
}
