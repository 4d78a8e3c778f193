//! Renewal: each billing period of a subscription is bought once, when it has begun.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::closed;
use crate::plans::purchase;
use crate::schedules::{plan_schedule, refresh};
use crate::server::clock::{self, Movable};
use crate::store::ledger::lots;
use crate::store::plans::subscription_moves::Bought;
use crate::store::plans::{subscription_moves as moves, subscriptions};

/// A period that was bought.
#[derive(Clone, Debug)]
pub struct Renewed {
    pub subscription: i64,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub lot: i64,
    pub granted: Amount,
    pub paid: Amount,
    pub currency: String,
    pub currency_decimals: i32,
}

/// Buys the periods of an account that have begun until `at` (now) and are not bought, in their order. Two at once buy once.
///
/// # Errors
/// P0002 unknown account; 55000 in the future.
pub fn renew(name: &str, unit: Option<&str>, at: Option<DateTime<Utc>>) -> Result<Vec<Renewed>> {
    account::find(name, unit, None)?;
    account::lock(name);
    let _movable = go_on(name)?;
    let now = clock::now();
    let until = at.map_or(now, |at| clock::of_now(at, now));
    if until > now {
        return Err(error::renewal_too_early(name, until, now));
    }
    Ok(due(name, unit, until, now, None))
}

/// Lets the books of an account whose row is locked go on where its subscriptions were written last, if the clock was set back
/// since.
///
/// # Errors
/// 55000 where it is further behind than that explains.
pub fn go_on(account: &str) -> Result<Movable> {
    let movable = closed::go_on(account);
    let written = subscriptions::last_written(account);
    clock::move_to_if_near(written);
    let now = clock::now();
    match written.filter(|written| *written > now) {
        Some(written) => Err(error::clock_behind_subscription(account, written, now)),
        None => Ok(movable),
    }
}

/// The same in an account whose row is locked; `change` is the change of plan that buys them first.
pub fn due(account: &str, unit: Option<&str>, until: DateTime<Utc>, now: DateTime<Utc>, change: Option<i64>) -> Vec<Renewed> {
    let due = moves::due(account, unit, until, now).into_iter().map(|period| {
        let lot = lots::next_id();
        let bought = Bought {
            account,
            subscription: period.subscription,
            lot: Some(lot),
            granted: period.quantity,
            paid: period.price,
            currency_decimals: period.currency_decimals,
            change: None,
            renewed_in: change,
            starts_at: period.starts_at,
            ends_at: period.ends_at,
            is_period: true,
        };
        buy(&bought, period.starts_at, now);
        Renewed {
            subscription: period.subscription,
            starts_at: period.starts_at,
            ends_at: period.ends_at,
            lot,
            granted: period.quantity,
            paid: period.price,
            currency: period.currency,
            currency_decimals: period.currency_decimals,
        }
    });
    due.collect()
}

/// Buys a part of a subscription, usable from an instant on.
pub fn buy(bought: &Bought<'_>, effective_at: DateTime<Utc>, now: DateTime<Utc>) {
    let purchase = moves::buy(bought, now);
    purchase::grant(bought.account, purchase, effective_at, now);
}

/// Ends the subscription of an account in a unit with the last period that was bought, and drops what is announced; when it ends.
/// It buys nothing: of a subscription that nobody renewed the end has passed.
///
/// # Errors
/// P0002 unknown account, or no subscription; 55000 before its commitment ends without a reason.
pub fn cancel(name: &str, unit: Option<&str>, override_reason: Option<&str>) -> Result<DateTime<Utc>> {
    let context = account::find(name, unit, None)?;
    refresh::first_touch(name)?;
    account::lock(name);
    let _movable = go_on(name)?;
    let now = clock::now();
    let current = subscriptions::in_force(name, &context.unit, now);
    let current = current.ok_or_else(|| error::no_subscription(name, &context.unit))?;
    let ends_at =
        subscriptions::bought_until(name, current.origin).map_or(current.effective_at, |end| end.max(current.effective_at));
    if let Some(until) = current.committed_until.filter(|until| *until > ends_at && override_reason.is_none()) {
        return Err(error::still_committed(name, &current.plan, until, ends_at));
    }
    subscriptions::drop_announced(name, &context.unit, now);
    subscriptions::end(name, current.subscription, ends_at, override_reason, now);
    plan_schedule::follow(name, now);
    Ok(ends_at)
}
