//! Requests under a key: the first one counts, a repetition returns its result, another body is an error.

use chrono::{DateTime, Utc};

use crate::domain::ledger::request::Body;
use crate::error::{self, Result};
use crate::store::ledger::requests;

/// A key and what was asked under it.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<'a> {
    /// The caller's key.
    pub key: &'a str,
    /// The name of the SQL function.
    pub function: &'a str,
    /// The hash of the arguments that make a request the same one.
    pub fingerprint: Body,
}

/// Claims the key for the result `result`, or finds the result of the same request made before.
///
/// Taken before any lot is locked: it waits for a transaction that is just using the key. The claim is undone with
/// the (sub)transaction, so a call that fails stores nothing.
///
/// # Errors
/// 23505 when the key was used for a different request.
pub fn claim(account: &str, keyed: Keyed<'_>, result: i64, now: DateTime<Utc>) -> Result<Option<i64>> {
    let Keyed { key, function, fingerprint } = keyed;
    loop {
        if requests::remember(account, key, function, &fingerprint, result, now) {
            return Ok(None);
        }
        // Only credit_maintain() deletes keys: if it did between the two statements, the key is free.
        if let Some(earlier) = repeated(account, keyed)? {
            return Ok(Some(earlier));
        }
        pgrx::check_for_interrupts!();
    }
}

/// The result of the same request, if it was made before. It claims nothing and never waits.
///
/// # Errors
/// 23505 when the key was used for a different request.
pub fn repeated(account: &str, keyed: Keyed<'_>) -> Result<Option<i64>> {
    match requests::find(account, keyed.key) {
        None => Ok(None),
        Some(earlier) if earlier.fingerprint == keyed.fingerprint.whole => Ok(Some(earlier.result)),
        Some(earlier) => {
            let stored = earlier.arguments.filter(|_| earlier.function == keyed.function);
            let differing = stored.map(|stored| keyed.fingerprint.arguments.differing(&stored)).unwrap_or_default();
            Err(error::key_reused(account, keyed.key, keyed.function, (&earlier.function, earlier.result), &differing))
        }
    }
}
