//! This backend among the others.

use pgrx::pg_sys;

/// The number of this backend among those connected: small, dense and stable, so backends spread evenly over slots.
pub fn number() -> u32 {
    // SAFETY: the server sets its variable before any function of ours runs, and does not change it.
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let number = unsafe { pg_sys::MyBackendId };
    // SAFETY: the server sets its variable before any function of ours runs, and does not change it.
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    let number = unsafe { pg_sys::MyProcNumber };
    number.unsigned_abs()
}
