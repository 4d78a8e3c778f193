//! Rows by key, and in the order of an index.

use std::ops::ControlFlow;

use pgrx::pg_sys;

use super::deform;
use super::relations::Indexed;

/// Reads rows in the order of the index until `visit` breaks; it sees what is committed now, and what this transaction wrote.
pub fn scan_in_order<T>(
    indexed: Indexed,
    keys: &mut [pg_sys::ScanKeyData],
    mut visit: impl FnMut(&[Option<pg_sys::Datum>]) -> ControlFlow<T>,
) -> ControlFlow<T> {
    unsafe {
        let table = pg_sys::table_open(indexed.table, pg_sys::AccessShareLock as i32);
        let index = pg_sys::index_open(indexed.index, pg_sys::AccessShareLock as i32);
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan_ordered(table, index, snapshot, keys.len() as i32, keys.as_mut_ptr());
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            let tuple = pg_sys::systable_getnext_ordered(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            flow = visit(&deform(tuple, (*table).rd_att));
        }
        pg_sys::systable_endscan_ordered(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::index_close(index, pg_sys::NoLock as i32);
        pg_sys::table_close(table, pg_sys::NoLock as i32);
        flow
    }
}

/// What `take` makes of the row of this key, the whole of a unique one; `None` when there is no such row.
pub fn by_key<T>(
    indexed: Indexed,
    key: &mut [pg_sys::ScanKeyData],
    take: impl FnOnce(&[Option<pg_sys::Datum>]) -> T,
) -> Option<T> {
    let mut take = Some(take);
    let first = |row: &[Option<pg_sys::Datum>]| match take.take() {
        Some(take) => ControlFlow::Break(take(row)),
        None => ControlFlow::Continue(()),
    };
    match scan_in_order(indexed, key, first) {
        ControlFlow::Break(taken) => Some(taken),
        ControlFlow::Continue(()) => None,
    }
}
