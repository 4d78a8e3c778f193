//! Attempts that can be taken back: what they locked and wrote is gone when they do not succeed.

use pgrx::pg_sys;

/// Runs `attempt` in a subtransaction of its own and keeps its effects only if it returns `Some`.
///
/// An error inside is not caught: it ends the whole statement, as it must (a caught error without a rolled back
/// subtransaction corrupts the transaction).
pub fn attempt<T, E>(attempt: impl FnOnce() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        // Results must outlive the subtransaction, so they are allocated where the caller allocates.
        pg_sys::MemoryContextSwitchTo(context);
        let result = attempt();
        match result {
            Ok(Some(_)) => pg_sys::ReleaseCurrentSubTransaction(),
            _ => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}
