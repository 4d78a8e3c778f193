//! Transaction ids, and the server they belong to: they mean nothing anywhere else.

use std::cell::Cell;

use pgrx::pg_sys;

/// The id that the next transaction to write will have: all that have one already have a lower one.
pub fn next() -> i64 {
    let next = unsafe { pg_sys::ReadNextFullTransactionId() };
    i64::try_from(next.value).expect("fewer than 2^63 transactions")
}

/// Which server this is, and which of its databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub system_identifier: i64,
    pub database: pg_sys::Oid,
}

impl Place {
    /// Here.
    pub fn here() -> Place {
        unsafe { Place { system_identifier: pg_sys::GetSystemIdentifier() as i64, database: pg_sys::MyDatabaseId } }
    }
}

/// What a query sees: two that are the same see the same rows. Which transactions are over only ever grows, and with the same end there
/// can only be fewer that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    begin: pg_sys::TransactionId,
    end: pg_sys::TransactionId,
    running: (u32, i32),
    command: pg_sys::CommandId,
}

impl Sight {
    /// What the calling query sees.
    pub fn of_caller() -> Option<Sight> {
        unsafe {
            if !pg_sys::ActiveSnapshotSet() {
                return None;
            }
            let snapshot = &*pg_sys::GetActiveSnapshot();
            let running = (snapshot.xcnt, snapshot.subxcnt);
            Some(Sight { begin: snapshot.xmin, end: snapshot.xmax, running, command: snapshot.curcid })
        }
    }
}

thread_local! {
    static REMEMBERED: Cell<Option<(Sight, i64)>> = const { Cell::new(None) };
}

/// What `find` found for the calling query: a scan may ask for every row.
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
