//! Errors of the server itself, which can be added to before they are raised again.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgTryBuilder, pg_sys};

/// Calls `ask`, and returns the error that the server raises in it, if it does. The caller raises it again: nothing may go on
/// after it.
pub fn of_server<T>(ask: impl FnOnce() -> T) -> Result<T, ErrorReport> {
    // SAFETY: this is the server's own variable. A backend that runs a function has a current memory context, and one thread.
    let context = unsafe { pg_sys::CurrentMemoryContext };
    let mut answer = None;
    let refused = PgTryBuilder::new(AssertUnwindSafe(|| {
        answer = Some(ask());
        None
    }))
    .catch_others(|error| match error {
        CaughtError::PostgresError(raised) => {
            // SAFETY: the context was current when this was called, and the caller still runs in it.
            unsafe { pg_sys::MemoryContextSwitchTo(context) };
            let report = ErrorReport::new(raised.sql_error_code(), raised.message().to_owned(), "pg_credit");
            let report = match raised.detail() {
                Some(detail) => report.set_detail(detail),
                None => report,
            };
            Some(match raised.hint() {
                Some(hint) => report.set_hint(hint),
                None => report,
            })
        }
        other => other.rethrow(),
    })
    .execute();
    match refused {
        Some(refusal) => Err(refusal),
        None => Ok(answer.expect("an answer where nothing was refused")),
    }
}
