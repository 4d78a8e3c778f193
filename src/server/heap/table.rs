//! Tables that are open for writing directly.

use pgrx::pg_sys;

use crate::server::heap::layout::{Columns, Entry, Positions, Slot};
use crate::server::heap::relations::{self, Writable};

/// A table open for writing. Its lock is kept to the end of the transaction, as after any write.
pub struct Table<T> {
    /// The open table.
    pub(super) relation: pg_sys::Relation,
    /// Where its columns stand.
    pub(super) positions: Positions<T>,
}

/// Opens slots and ledger because a debit may write them directly, or says that it may not.
///
/// It decides again with the locks of both tables held, which keep others from changing them: while it waited for a lock, the
/// holder of the lock may have added a trigger, a column, a check or an index.
pub fn open_for_debit() -> Option<(Table<Slot>, Table<Entry>)> {
    let (slots, ledger) = relations::relations().of_debits()?;
    let (slots, ledger) = (Table::open(slots), Table::open(ledger));
    let (now_slots, now_ledger) = relations::relations().of_debits()?;
    Some((slots.still(now_slots)?, ledger.still(now_ledger)?))
}

/// The same of the ledger alone.
pub fn open_ledger() -> Option<Table<Entry>> {
    let ledger = Table::open(relations::relations().of_ledger()?);
    ledger.still(relations::relations().of_ledger()?)
}

impl<T: Columns> Table<T> {
    fn open(writable: Writable<T>) -> Table<T> {
        // SAFETY: the server raises an error for a table that is not there. What it opens stays open until `drop`.
        let relation = unsafe { pg_sys::table_open(writable.table, pg_sys::RowExclusiveLock as i32) };
        Table { relation, positions: writable.positions }
    }

    /// The open table, as it was found now that its lock is held.
    fn still(mut self, now: Writable<T>) -> Option<Table<T>> {
        // SAFETY: the relation is open as long as this lives.
        let is_the_same = unsafe { (*self.relation).rd_id } == now.table;
        self.positions = now.positions;
        is_the_same.then_some(self)
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the relation was opened by `open`, and nothing uses it after this. After an error the server closes it.
            unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as i32) };
        }
    }
}
