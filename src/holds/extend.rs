//! Letting an open hold end later, or earlier.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::holds::hold::State;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::idempotency::{self, Keyed};
use crate::server::clock;
use crate::store::holds as store;
use crate::values;

/// Lets a hold end a length of time from now; when that is.
///
/// # Errors
/// P0002 unknown account or hold; 55000 settled or expired; 23505 key reused.
pub fn extend(account: &str, hold: i64, length: TimeDelta, keyed: Option<Keyed<'_>>) -> Result<DateTime<Utc>> {
    account::find_remembered(account, None, None)?;
    let expires_at = clock::now() + length;
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::claim(account, keyed, values::microseconds(expires_at), clock::now())?
    {
        return Ok(values::instant_from_microseconds(earlier).expect("an instant that was stored"));
    }
    let found = store::lock(account, hold).ok_or_else(|| error::unknown_hold(account, hold))?;
    match found.state {
        State::Open if found.has_ended(clock::now()) => Err(error::hold_ended(account, hold, found.expires_at)),
        State::Open => {
            store::extend(account, hold, expires_at);
            Ok(expires_at)
        }
        state => Err(error::hold_settled(account, hold, state, found.settled_at.unwrap_or(found.expires_at))),
    }
}
