//! Attempts that can be taken back: an attempt that does not succeed leaves no lock and no row.

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
    let begun = Begun::begin();
    let result = PgTryBuilder::new(AssertUnwindSafe(attempt))
        .catch_others(|error| {
            begun.roll_back();
            error.rethrow()
        })
        .catch_rust_panic(|error| {
            begun.roll_back();
            error.rethrow()
        })
        .execute();
    match result {
        Ok(Some(_)) => begun.release(),
        _ => begun.roll_back(),
    }
    result
}

/// Runs `work`, which only reads, in a subtransaction; `Err` with the message where a value could not be computed (SQLSTATE class
/// 22).
pub fn computed<T: UnwindSafe + RefUnwindSafe>(work: impl FnOnce() -> T) -> Result<T, String> {
    const CLASS: i32 = (1 << 12) - 1;
    let begun = Begun::begin();
    let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| {
            begun.roll_back();
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
            begun.roll_back();
            error.rethrow()
        })
        .execute();
    if result.is_ok() {
        begun.release();
    }
    result
}

/// A subtransaction that has begun, and what was current before it. Exactly one of [`Begun::release`] and [`Begun::roll_back`]
/// ends it.
#[derive(Clone, Copy)]
struct Begun {
    /// Where the caller allocates.
    context: pg_sys::MemoryContext,
    /// The owner of the caller's resources.
    owner: pg_sys::ResourceOwner,
}

impl Begun {
    /// Begins a subtransaction. Results must outlive it, so they are allocated where the caller allocates.
    fn begin() -> Begun {
        connection::ensure();
        // SAFETY: these are the server's own variables. A function of ours runs with both set, and in one thread.
        let begun = unsafe { Begun { context: pg_sys::CurrentMemoryContext, owner: pg_sys::CurrentResourceOwner } };
        // SAFETY: functions of ours run in a transaction, and the server allows a null for the name. The context was current
        // until now, and belongs to what is around the subtransaction.
        unsafe {
            pg_sys::BeginInternalSubTransaction(std::ptr::null());
            pg_sys::MemoryContextSwitchTo(begun.context);
        }
        begun
    }

    /// Ends it and takes back its effects.
    fn roll_back(self) {
        // SAFETY: the subtransaction is the innermost one: every one that began in it has ended. After an error another context
        // may be current, so the caller's is first: the server frees the one of the subtransaction.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.context);
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        self.restore();
    }

    /// Ends it and keeps its effects.
    fn release(self) {
        // SAFETY: the subtransaction is the innermost one, and nothing in it has failed.
        unsafe { pg_sys::ReleaseCurrentSubTransaction() };
        self.restore();
    }

    /// Makes current again what was current before.
    fn restore(self) {
        // SAFETY: both belong to the caller, and are older than the subtransaction that has just ended, so they are still there.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.context);
            pg_sys::CurrentResourceOwner = self.owner;
        }
    }
}
