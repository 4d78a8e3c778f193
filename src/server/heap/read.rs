//! Rows by key, and in the order of an index.

use pgrx::pg_sys;

use crate::server::heap::deform;
use crate::server::heap::layout::{Columns, Positions, Row};
use crate::server::heap::relations::{self, Indexed, Relations};

/// A table that is read in the order of one of its indexes. It shows what was committed when it was opened, and what this
/// transaction wrote.
pub struct Scan<T> {
    positions: Positions<T>,
    values: Vec<Option<pg_sys::Datum>>,
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    row: *mut pg_sys::TupleTableSlot,
    scan: pg_sys::IndexScanDesc,
}

impl<T: Columns> Scan<T> {
    /// Opens the table that `choose` names; the reading begins with [`Scan::seek`]. `None` when it is not as this extension made
    /// it.
    ///
    /// The index is chosen again with the table's lock held: while the lock was waited for, the index may have been made anew.
    pub fn open(choose: impl Fn(&Relations) -> Indexed<T>) -> Option<Scan<T>> {
        let chosen = Some(choose(&relations::relations())).filter(|chosen| chosen.positions.is_some())?;
        // SAFETY: the server raises an error for a table that is not there.
        let table = unsafe { pg_sys::table_open(chosen.table, pg_sys::AccessShareLock as i32) };
        let indexed = choose(&relations::relations());
        let Some(positions) = indexed.positions.filter(|_| indexed.table == chosen.table) else {
            // SAFETY: the table was opened above, and is not used any more.
            unsafe { pg_sys::table_close(table, pg_sys::NoLock as i32) };
            return None;
        };
        // SAFETY: the index is one of the open table, whose lock keeps it. The snapshot is registered, so it outlives what runs
        // meanwhile. `drop` gives all of them back.
        unsafe {
            let index = pg_sys::index_open(indexed.index, pg_sys::AccessShareLock as i32);
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let row = pg_sys::table_slot_create(table, std::ptr::null_mut());
            Some(Scan { positions, values: Vec::new(), table, index, snapshot, row, scan: std::ptr::null_mut() })
        }
    }

    /// Goes to the first row that meets all conditions, the columns of which are those of the index, counted from 1.
    pub fn seek(&mut self, conditions: &mut [pg_sys::ScanKeyData]) {
        // SAFETY: table, index and snapshot are open as long as this lives. The server copies the conditions.
        unsafe {
            self.end();
            self.scan = begin(self.table, self.index, self.snapshot, conditions.len() as i32);
            pg_sys::index_rescan(self.scan, conditions.as_mut_ptr(), conditions.len() as i32, std::ptr::null_mut(), 0);
        }
    }

    /// The next row. The memory that its values point to stays until the row after it is asked for.
    pub fn next_row(&mut self) -> Option<Row<'_, T>> {
        assert!(!self.scan.is_null(), "a scan that has begun");
        // SAFETY: the scan has begun, and the slot `row` is one of its table. The values point into the page, which the slot
        // keeps pinned until the next row, and the borrow of `self` lasts no longer.
        unsafe {
            if !pg_sys::index_getnext_slot(self.scan, pg_sys::ScanDirection::ForwardScanDirection, self.row) {
                return None;
            }
            // A row of an ordinary table lies in its page and is not copied.
            let tuple = pg_sys::ExecFetchSlotHeapTuple(self.row, false, std::ptr::null_mut());
            self.values = deform(tuple, (*self.table).rd_att);
            Some(Row { values: &self.values, positions: &self.positions })
        }
    }
}

impl<T> Scan<T> {
    fn end(&mut self) {
        if !self.scan.is_null() {
            // SAFETY: the scan was begun by `begin`, is not ended yet, and is forgotten here.
            unsafe { pg_sys::index_endscan(self.scan) };
            self.scan = std::ptr::null_mut();
        }
    }
}

impl<T> Drop for Scan<T> {
    fn drop(&mut self) {
        // After an error the server cleans up.
        if !std::thread::panicking() {
            self.end();
            // SAFETY: all of them were opened by `open`, and nothing uses them after this.
            unsafe {
                pg_sys::ExecDropSingleTupleTableSlot(self.row);
                pg_sys::UnregisterSnapshot(self.snapshot);
                pg_sys::index_close(self.index, pg_sys::NoLock as i32);
                pg_sys::table_close(self.table, pg_sys::NoLock as i32);
            }
        }
    }
}

/// Applies `take` to the row of this key, which is the whole key of a unique index. `None` when there is no such row, `Err` when
/// the table is not as this extension made it.
pub fn by_key<T: Columns, R>(
    choose: impl Fn(&Relations) -> Indexed<T>,
    key: &mut [pg_sys::ScanKeyData],
    take: impl FnOnce(Row<'_, T>) -> R,
) -> Result<Option<R>, ()> {
    let mut scan = Scan::open(choose).ok_or(())?;
    scan.seek(key);
    Ok(scan.next_row().map(take))
}

/// How many rows meet all conditions, up to `most`. Rows that others have written and not committed count too. `None` when the
/// table is not as this extension made it.
pub fn count_with_uncommitted<T: Columns>(
    choose: impl Fn(&Relations) -> Indexed<T>,
    conditions: &mut [pg_sys::ScanKeyData],
    most: i32,
) -> Option<i32> {
    let mut scan = Scan::open(choose)?;
    let mut uncommitted = pg_sys::SnapshotData { snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY, ..Default::default() };
    let count = conditions.len() as i32;
    // SAFETY: the snapshot lives as long as the scan, which ends here. Table, index and slot are those of an open scan, which has
    // not begun to read.
    unsafe {
        scan.scan = begin(scan.table, scan.index, &raw mut uncommitted, count);
        pg_sys::index_rescan(scan.scan, conditions.as_mut_ptr(), count, std::ptr::null_mut(), 0);
        let next = || pg_sys::index_getnext_slot(scan.scan, pg_sys::ScanDirection::ForwardScanDirection, scan.row);
        let found = (0..most).take_while(|_| next()).count() as i32;
        scan.end();
        Some(found)
    }
}

/// Begins a scan; index_rescan() then says from where.
///
/// # Safety
/// The index is one of the table. Both are open, and the snapshot lives, until the scan ends.
#[cfg(not(feature = "pg18"))]
unsafe fn begin(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    conditions: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the caller vouches for all of them.
    unsafe { pg_sys::index_beginscan(table, index, snapshot, conditions, 0) }
}

/// Begins a scan; index_rescan() then says from where.
///
/// # Safety
/// The index is one of the table. Both are open, and the snapshot lives, until the scan ends.
#[cfg(feature = "pg18")]
unsafe fn begin(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    conditions: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the caller vouches for all of them. No statistics are gathered: the server allows null for them.
    unsafe { pg_sys::index_beginscan(table, index, snapshot, std::ptr::null_mut(), conditions, 0) }
}
