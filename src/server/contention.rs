//! How long an operation goes on that others overtake.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Result, names};

/// How often an operation may find that everything changed while it waited, before it gives up with 40001. Each time somebody
/// else came through, so this ends only what is overtaken without end.
pub const MAX_ATTEMPTS: u32 = 10_000;

/// Whether nothing may be waited for.
static MUST_NOT_WAIT: AtomicBool = AtomicBool::new(false);

/// While this lives, debits wait for nothing: all that they should need is locked. One that would wait, because something better
/// came meanwhile, raises 40001, and the attempt is taken back and made again.
pub struct WaitingForNothing(());

impl WaitingForNothing {
    pub fn begin() -> WaitingForNothing {
        MUST_NOT_WAIT.store(true, Ordering::Relaxed);
        WaitingForNothing(())
    }
}

impl Drop for WaitingForNothing {
    fn drop(&mut self) {
        MUST_NOT_WAIT.store(false, Ordering::Relaxed);
    }
}

/// Whether nothing may be waited for.
pub fn must_not_wait() -> bool {
    MUST_NOT_WAIT.load(Ordering::Relaxed)
}

/// The attempt's result; `None` where it would have waited, or others overtook it.
///
/// # Errors
/// Those of the attempt but 40001.
pub fn or_again<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(_) if names::last() == names::SERIALIZATION => Ok(None),
        Err(report) => Err(report),
    }
}
