//! Transaction ids, and the server they belong to: they mean nothing anywhere else.

use std::cell::Cell;

use pgrx::pg_sys;

/// The id that the next transaction to write will have: all that have one already have a lower one.
pub fn next() -> i64 {
    // SAFETY: the server reads a counter in shared memory under its own lock.
    let next = unsafe { pg_sys::ReadNextFullTransactionId() };
    i64::try_from(next.value).expect("fewer than 2^63 transactions")
}

/// Whether this is a part of a parallel query, in which no command can begin: statements see what the query sees.
pub fn are_parallel() -> bool {
    // SAFETY: the server reads a variable of this backend.
    unsafe { pg_sys::IsInParallelMode() }
}

/// A server, and one of its databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number that the server got when it was initialized. A copy of its files has the same one.
    pub system_identifier: i64,
    /// The id of the database.
    pub database: pg_sys::Oid,
}

impl Place {
    /// The server and the database that this backend serves.
    pub fn here() -> Place {
        // SAFETY: both were set when this backend connected to its database, and do not change.
        unsafe { Place { system_identifier: pg_sys::GetSystemIdentifier() as i64, database: pg_sys::MyDatabaseId } }
    }
}

/// The view that a query has of the rows. Two that are equal show the same rows: transactions that have ended stay so, and with
/// the same `end` no transaction can begin to count, only stop running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    begin: pg_sys::TransactionId,
    end: pg_sys::TransactionId,
    running: (u32, i32),
    command: pg_sys::CommandId,
}

impl Sight {
    /// The view of the calling query; `None` when no query runs.
    pub fn of_caller() -> Option<Sight> {
        // SAFETY: the server looks at a variable of this backend.
        if !unsafe { pg_sys::ActiveSnapshotSet() } {
            return None;
        }
        // SAFETY: there is an active snapshot. It stays active as long as the calling query runs, and is borrowed only here.
        let snapshot = unsafe { &*pg_sys::GetActiveSnapshot() };
        let running = (snapshot.xcnt, snapshot.subxcnt);
        Some(Sight { begin: snapshot.xmin, end: snapshot.xmax, running, command: snapshot.curcid })
    }
}

thread_local! {
    static REMEMBERED: Cell<Option<(Sight, i64)>> = const { Cell::new(None) };
}

/// The result of `find`, asked once for a query and then remembered: a scan may ask for it at every row.
pub fn once_per_query(find: impl FnOnce() -> i64) -> i64 {
    let sight = Sight::of_caller();
    match (sight, REMEMBERED.get()) {
        (Some(sight), Some((known, value))) if known == sight => value,
        _ => {
            let value = find();
            REMEMBERED.set(sight.map(|sight| (sight, value)));
            value
        }
    }
}
