//! Where rows were found: a row that is updated in place is found again at the same place, without an index.
//!
//! A remembered place is only a guess. The page must still be in the buffer it was in, and the row there must have the key;
//! otherwise the index says where it is.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::pg_sys;

use crate::server::heap::deform;
use crate::server::heap::layout::{Columns, Row};
use crate::server::heap::table::Table;

/// How many places one backend remembers at most; then the memory starts anew. A lot has at most 32 slots unless
/// `credit.max_slots` says otherwise, so this suffices for the slots of hundreds of busy lots.
const MAX_REMEMBERED: usize = 16_384;

/// A page with less room than this is cleaned of old row versions before a row on it is updated. The server itself would do so at
/// every access once the page is filled to its fill factor, which costs more than the update.
const LITTLE_ROOM: usize = pg_sys::BLCKSZ as usize / 10;

/// A row as it was found.
pub struct Found {
    /// A copy of the row in the memory context that was current when it was found, which outlives the call that looks for it.
    pub(super) tuple: pg_sys::HeapTuple,
    /// Its values, which point into the copy.
    pub(super) values: Vec<Option<pg_sys::Datum>>,
}

/// The first version of a row that is updated in place, and the buffer of its page.
#[derive(Clone, Copy)]
struct Place {
    tuple: pg_sys::ItemPointerData,
    buffer: pg_sys::Buffer,
}

/// The places of one table's rows. They are good as long as the table is stored in the same file.
#[derive(Default)]
struct Places {
    file: u32,
    of: HashMap<(i64, i16), Place>,
}

thread_local! {
    static PLACES: RefCell<Places> = RefCell::default();
}

impl<T: Columns> Table<T> {
    /// The row of this key, whose lock the caller holds: nobody else changes it, so its newest committed version, or the one this
    /// transaction wrote, is the one to change. The place is remembered under `name`. `is_it` says whether a row has the key.
    /// `key` is made only where the index has to be asked.
    pub fn find<const KEYS: usize>(
        &self,
        index: pg_sys::Oid,
        name: (i64, i16),
        key: impl FnOnce() -> [pg_sys::ScanKeyData; KEYS],
        is_it: impl Fn(Row<'_, T>) -> bool,
    ) -> Option<Found> {
        // SAFETY: the table is open as long as this lives.
        let file = unsafe { file_number(self.relation) };
        if let Some(place) = remembered(file, name)
            && let Some(found) = self.find_at(place).filter(|found| is_it(self.row(found)))
        {
            return Some(found);
        }
        let (found, place) = self.find_by_index(index, &mut key())?;
        remember(file, name, place);
        Some(found)
    }

    /// A condition `column = value` of the key that [`Table::find`] asks the index for.
    pub fn equals(&self, column: T, function: u32, value: pg_sys::Datum) -> pg_sys::ScanKeyData {
        // The server turns the column of the table into that of the index.
        crate::server::heap::equals(self.positions.of(column) as i16 + 1, function, value)
    }

    /// The row's values by the table's columns.
    pub fn row<'a>(&'a self, found: &'a Found) -> Row<'a, T> {
        Row { values: &found.values, positions: &self.positions }
    }

    fn find_at(&self, place: Place) -> Option<Found> {
        let block = block_of(&place.tuple);
        // SAFETY: the table is open. The server pins the buffer only if this page of this file is still in it.
        let is_there =
            unsafe { pg_sys::ReadRecentBuffer(file_of(self.relation), pg_sys::ForkNumber::MAIN_FORKNUM, block, place.buffer) };
        // SAFETY: the buffer is pinned, and its page is the one that the place names.
        is_there.then(|| unsafe { self.version_at(place) }).flatten()
    }

    fn find_by_index(&self, index: pg_sys::Oid, key: &mut [pg_sys::ScanKeyData]) -> Option<(Found, Place)> {
        let count = key.len() as i32;
        // SAFETY: the table is open, and callers pass an index of it that the module `relations` found and checked. The key
        // lives until the scan ends. The scan goes by the index, which the assertion makes sure of. The index yields places in
        // pages that the table has, and each buffer that is read stays pinned until version_at() gives it back.
        unsafe {
            let scan = pg_sys::systable_beginscan(
                self.relation,
                index,
                true,
                &raw mut pg_sys::SnapshotSelfData,
                count,
                key.as_mut_ptr(),
            );
            assert!(!(*scan).iscan.is_null(), "a scan by the index");
            let mut found = None;
            while found.is_none() {
                let tuple = pg_sys::index_getnext_tid((*scan).iscan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                let tuple = *tuple;
                let place = Place { tuple, buffer: pg_sys::ReadBuffer(self.relation, block_of(&tuple)) };
                found = self.version_at(place).map(|version| (version, place));
            }
            pg_sys::systable_endscan(scan);
            found
        }
    }

    /// The newest version of the row whose first one is there; gives back the pin of the buffer.
    ///
    /// # Safety
    /// The caller has pinned the buffer, and it has the page of this table in which the place is.
    unsafe fn version_at(&self, place: Place) -> Option<Found> {
        // SAFETY: the table is open, and the caller vouches for the buffer and its pin. The row is read and copied while the page
        // is locked, and the copy is described by the open table.
        unsafe {
            let Place { tuple: mut first, buffer } = place;
            if pg_sys::PageGetHeapFreeSpace(pg_sys::BufferGetPage(buffer)) < LITTLE_ROOM {
                pg_sys::heap_page_prune_opt(self.relation, buffer);
            }
            let mut version = pg_sys::HeapTupleData::default();
            let snapshot = &raw mut pg_sys::SnapshotSelfData;
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
            let is_there = pg_sys::heap_hot_search_buffer(
                &mut first,
                self.relation,
                buffer,
                snapshot,
                &mut version,
                std::ptr::null_mut(),
                true,
            );
            let tuple = if is_there { pg_sys::heap_copytuple(&mut version) } else { std::ptr::null_mut() };
            pg_sys::UnlockReleaseBuffer(buffer);
            (!tuple.is_null()).then(|| Found { tuple, values: deform(tuple, (*self.relation).rd_att) })
        }
    }
}

fn remembered(file: u32, name: (i64, i16)) -> Option<Place> {
    PLACES.with_borrow(|places| if places.file == file { places.of.get(&name).copied() } else { None })
}

fn remember(file: u32, name: (i64, i16), place: Place) {
    PLACES.with_borrow_mut(|places| {
        if places.file != file || places.of.len() == MAX_REMEMBERED {
            *places = Places { file, of: HashMap::new() };
        }
        places.of.insert(name, place);
    });
}

fn block_of(tuple: &pg_sys::ItemPointerData) -> pg_sys::BlockNumber {
    (u32::from(tuple.ip_blkid.bi_hi) << 16) | u32::from(tuple.ip_blkid.bi_lo)
}

/// The file that a table is stored in.
///
/// # Safety
/// The relation is open.
#[cfg(feature = "pg15")]
unsafe fn file_of(relation: pg_sys::Relation) -> pg_sys::RelFileNode {
    // SAFETY: the caller vouches that it is open.
    unsafe { (*relation).rd_node }
}

/// The file that a table is stored in.
///
/// # Safety
/// The relation is open.
#[cfg(not(feature = "pg15"))]
unsafe fn file_of(relation: pg_sys::Relation) -> pg_sys::RelFileLocator {
    // SAFETY: the caller vouches that it is open.
    unsafe { (*relation).rd_locator }
}

/// The number of the file that a table is stored in.
///
/// # Safety
/// The relation is open.
#[cfg(feature = "pg15")]
unsafe fn file_number(relation: pg_sys::Relation) -> u32 {
    // SAFETY: the caller vouches that it is open.
    unsafe { file_of(relation).relNode.to_u32() }
}

/// The number of the file that a table is stored in.
///
/// # Safety
/// The relation is open.
#[cfg(not(feature = "pg15"))]
unsafe fn file_number(relation: pg_sys::Relation) -> u32 {
    // SAFETY: the caller vouches that it is open.
    unsafe { file_of(relation).relNumber.to_u32() }
}
