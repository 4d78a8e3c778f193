//! Releasing a hold: what it still has goes back.

use crate::domain::amount::Amount;
use crate::domain::holds::hold::State;
use crate::error::{self, Result};
use crate::holds::give_back::{self, Ending};
use crate::ledger::idempotency::{self, Keyed};
use crate::ledger::{account, closed};
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::holds as store;
use crate::store::ledger::requests;

/// Gives back what is still held; how much that was. Nothing of a hold that is settled or has expired: workers release whatever
/// came of the work.
///
/// # Errors
/// P0002 unknown account or hold; 23505 key reused.
pub fn release(account: &str, hold: i64, keyed: Option<Keyed<'_>>) -> Result<Amount> {
    let context = account::find_remembered(account, None, None)?;
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::claim(account, keyed, hold, clock::now())?
    {
        let released = store::find(account, earlier).map(|hold| hold.parts.given_back());
        return Ok(released.unwrap_or_default());
    }
    let _movable = closed::go_on_from(context.closed_until);
    arrival::let_in(account);
    let found = store::lock(account, hold).ok_or_else(|| error::unknown_hold(account, hold))?;
    let now = clock::now();
    let released = match found.state {
        State::Open if found.has_ended(now) => {
            let at = found.expires_at;
            give_back::settle(account, vec![Ending { hold: found, state: State::Expired, at }]);
            Amount::ZERO
        }
        State::Open => {
            give_back::settle(account, vec![Ending { hold: found, state: State::Released, at: now }]).into_iter().sum()
        }
        State::Captured | State::Released | State::Expired => Amount::ZERO,
    };
    if let (Some(keyed), true) = (keyed, released.is_zero()) {
        requests::settle_with_nothing(account, keyed.key);
    }
    Ok(released)
}
