//! Attempts that can be taken back: what they locked and wrote is gone when they do not succeed.

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe};

use pgrx::PgTryBuilder;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::PgSqlErrorCode;

use crate::server::connection;

/// Runs `attempt` in a subtransaction of its own and keeps its effects only if it returns `Some`.
///
/// An error inside ends the subtransaction and goes on to the caller: left open, it would leave the session in an aborted
/// transaction that nobody had begun.
pub fn attempt<T, E>(attempt: impl FnOnce() -> Result<Option<T>, E>) -> Result<Option<T>, E>
where
    T: UnwindSafe + RefUnwindSafe,
    E: UnwindSafe + RefUnwindSafe,
{
    connection::ensure();
    let before = unsafe { State::save() };
    unsafe {
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        // Results must outlive the subtransaction, so they are allocated where the caller allocates.
        pg_sys::MemoryContextSwitchTo(before.context);
    }
    let result = PgTryBuilder::new(AssertUnwindSafe(attempt))
        .catch_others(|error| {
            unsafe { before.roll_back() };
            error.rethrow()
        })
        .catch_rust_panic(|error| {
            unsafe { before.roll_back() };
            error.rethrow()
        })
        .execute();
    match result {
        Ok(Some(_)) => unsafe { before.release() },
        _ => unsafe { before.roll_back() },
    }
    result
}

/// Runs `work`, which only reads, in a subtransaction; `Err` with the message where a value could not be computed (SQLSTATE class 22).
pub fn computed<T: UnwindSafe + RefUnwindSafe>(work: impl FnOnce() -> T) -> Result<T, String> {
    const CLASS: i32 = (1 << 12) - 1;
    connection::ensure();
    // SAFETY: as in attempt(): the subtransaction ends in every case, and what the caller had is restored.
    let before = unsafe { State::save() };
    unsafe {
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.context);
    }
    let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| {
            // SAFETY: see above.
            unsafe { before.roll_back() };
            match &error {
                CaughtError::PostgresError(report)
                    if report.sql_error_code() as i32 & CLASS == PgSqlErrorCode::ERRCODE_DATA_EXCEPTION as i32 =>
                {
                    Err(report.message().to_owned())
                }
                _ => error.rethrow(),
            }
        })
        .catch_rust_panic(|error| {
            // SAFETY: see above.
            unsafe { before.roll_back() };
            error.rethrow()
        })
        .execute();
    if result.is_ok() {
        // SAFETY: see above.
        unsafe { before.release() };
    }
    result
}

/// Where the caller allocates and who owns its resources.
#[derive(Clone, Copy)]
struct State {
    context: pg_sys::MemoryContext,
    owner: pg_sys::ResourceOwner,
}

impl State {
    unsafe fn save() -> State {
        unsafe { State { context: pg_sys::CurrentMemoryContext, owner: pg_sys::CurrentResourceOwner } }
    }

    unsafe fn roll_back(self) {
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.context);
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            self.restore();
        }
    }

    unsafe fn release(self) {
        unsafe {
            pg_sys::ReleaseCurrentSubTransaction();
            self.restore();
        }
    }

    unsafe fn restore(self) {
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.context);
            pg_sys::CurrentResourceOwner = self.owner;
        }
    }
}
