//! How far back a debit or a charge may be dated.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{self, Result};
use crate::server::clock;
use crate::settings;
use crate::store::ledger::accounts;

/// Checks that usage does not lie further back than `credit.max_backdating_days`, and the account's late_grace before that.
///
/// # Errors
/// 22023.
pub fn check(account: &str, at: Option<DateTime<Utc>>) -> Result<()> {
    let Some(at) = at else { return Ok(()) };
    let days = settings::max_backdating_days();
    let latest = clock::now() - TimeDelta::days(days);
    if at >= latest {
        return Ok(());
    }
    // Only what is older asks the account.
    let earliest = accounts::before_grace(account, latest).unwrap_or(latest);
    if at < earliest { Err(error::too_far_back(account, at, earliest, days)) } else { Ok(()) }
}

/// Whether usage may lie too far back, so that [`check`] must say.
pub fn is_doubtful(at: Option<DateTime<Utc>>) -> bool {
    at.is_some_and(|at| at < clock::now() - TimeDelta::days(settings::max_backdating_days()))
}
