//! The choice of the transaction that is ended when several wait for each other in a circle.

use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::pg_sys;

use crate::server::locks::slot;

/// How many times sooner an impatient call looks for a deadlock.
const IMPATIENCE: i32 = 10;

/// Whether the call that runs is an impatient one.
static IS_IMPATIENT: AtomicBool = AtomicBool::new(false);

/// A call of a transaction in which an earlier call debited. Only such transactions, and single calls that they meet, can wait in
/// a circle. An impatient call looks for a deadlock sooner than a single call, so that it is the one that is ended.
pub struct Impatience {
    timeout: i32,
}

impl Impatience {
    /// `None` for a call that is the first to debit, and within a call that is impatient already.
    pub fn of_call() -> Option<Impatience> {
        if !slot::is_any_kept() || IS_IMPATIENT.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: this is a setting of this backend, which has one thread. The server reads it when it begins to wait.
        unsafe {
            let timeout = pg_sys::DeadlockTimeout;
            pg_sys::DeadlockTimeout = (timeout / IMPATIENCE).max(1);
            Some(Impatience { timeout })
        }
    }
}

impl Drop for Impatience {
    fn drop(&mut self) {
        IS_IMPATIENT.store(false, Ordering::Relaxed);
        // SAFETY: this is a setting of this backend, which has one thread.
        unsafe { pg_sys::DeadlockTimeout = self.timeout };
    }
}
