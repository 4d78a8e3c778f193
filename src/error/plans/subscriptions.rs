//! Refusals of subscriptions and their changes.

use chrono::{DateTime, Utc};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::amount::Amount;
use crate::domain::plans::subscription::BillingPeriod;
use crate::error::{names, not_found, plain, report, wrong_state};

// P0002 no_data_found

/// P0002: the account is on no plan in the unit.
pub fn no_subscription(account: &str, unit: &str) -> ErrorReport {
    not_found(
        names::NO_SUBSCRIPTION,
        format!("account \"{account}\" has no subscription in unit \"{unit}\""),
        format!("account={} unit={}", plain(account), plain(unit)),
        "Begin one with credit_change_plan().",
    )
}

// 55000 object_not_in_prerequisite_state

/// 55000: a change at an instant at which none can be.
pub fn change_at(account: &str, at: DateTime<Utc>, now: DateTime<Utc>, period_end: Option<DateTime<Utc>>) -> ErrorReport {
    let end = period_end.map(|end| format!(" period_end={}", end.to_rfc3339())).unwrap_or_default();
    wrong_state(
        names::CHANGE_AT,
        format!("the plan of account \"{account}\" cannot change at {}", at.to_rfc3339()),
        format!("account={} at={} now={}{end}", plain(account), at.to_rfc3339(), now.to_rfc3339()),
        "Leave at out; or change now, or when the period ends. A preview can be of any later instant.",
    )
}

/// 55000: the clock is far behind what was written of the account's subscriptions.
pub fn clock_behind_subscription(account: &str, written: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::CLOCK_BEHIND_SUBSCRIPTION,
        format!("the clock is behind the subscription of account \"{account}\""),
        format!("account={} written_at={} now={}", plain(account), written.to_rfc3339(), now.to_rfc3339()),
        "Put the server's clock right, or credit.clock. A clock that is less than a day behind does not matter.",
    )
}

/// 55000: periods of another length, or another currency, begin when the current period ends.
pub fn not_within_a_period(account: &str, billing_period: BillingPeriod, period_end: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::NOT_WITHIN_A_PERIOD,
        format!("account \"{account}\" cannot change to this plan before its period ends"),
        format!("account={} billing_period={billing_period} period_end={}", plain(account), period_end.to_rfc3339()),
        "A cheaper plan with another billing period, and one in another currency, \
            takes effect when the period ends: leave at out.",
    )
}

/// 55000: the commitment has not ended.
pub fn still_committed(account: &str, plan: &str, until: DateTime<Utc>, at: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::STILL_COMMITTED,
        format!("account \"{account}\" is committed to plan \"{plan}\" until {}", until.to_rfc3339()),
        format!("account={} plan={} committed_until={} at={}", plain(account), plain(plan), until.to_rfc3339(), at.to_rfc3339()),
        "Change to a plan whose commitment is worth what is left of this one, or give a reason: override_reason => ...",
    )
}

/// 55000: the same plan, quantity and price as now.
pub fn nothing_changes(account: &str, plan: &str, quantity: Amount) -> ErrorReport {
    wrong_state(
        names::NOTHING_CHANGES,
        format!("account \"{account}\" is on plan \"{plan}\" with {quantity} credits already"),
        format!("account={} plan={} quantity={quantity}", plain(account), plain(plan)),
        "Name another plan or quantity. The view credit.subscriptions shows what is in force.",
    )
}

/// 55000: the periods of a subscription are counted from where they were.
pub fn anchor_is_set(account: &str, anchor: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::ANCHOR_IS_SET,
        format!("the periods of account \"{account}\" are counted from {} already", anchor.to_rfc3339()),
        format!("account={} anchor={}", plain(account), anchor.to_rfc3339()),
        "Leave anchor out; it can be given with the first subscription.",
    )
}

/// 55000: so little is left of the period that nothing can be bought for it.
pub fn nothing_left_of_period(
    account: &str,
    quantity: Amount,
    days_left: i32,
    days: i32,
    period_end: DateTime<Utc>,
) -> ErrorReport {
    wrong_state(
        names::NOTHING_LEFT_OF_PERIOD,
        format!(
            "nothing is left of {quantity} credits until the period of account \"{account}\" ends at {}",
            period_end.to_rfc3339()
        ),
        format!(
            "account={} quantity={quantity} days_left={days_left} days_in_period={days} period_end={}",
            plain(account),
            period_end.to_rfc3339()
        ),
        "Buy more, or when the next period has begun.",
    )
}

/// 55000: a period is bought when it has begun.
pub fn renewal_too_early(account: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::RENEWAL_TOO_EARLY,
        format!("the periods of account \"{account}\" cannot be renewed until {}", at.to_rfc3339()),
        format!("account={} at={} now={}", plain(account), at.to_rfc3339(), now.to_rfc3339()),
        "A period is bought when it has begun: leave at out, or name an instant in the past.",
    )
}

/// 55000: the periods that are to be renewed first are in two currencies.
pub fn renewals_in_two_currencies(account: &str, one: &str, other: &str) -> ErrorReport {
    wrong_state(
        names::RENEWALS_IN_TWO_CURRENCIES,
        format!("account \"{account}\" has periods to renew in {one} and in {other}"),
        format!("account={} currency={one} other={other}", plain(account)),
        "Renew them first with credit_renew(), which returns a row for each.",
    )
}

// 40001 serialization_failure

/// 40001: the change was of a period that is over.
pub fn period_passed(account: &str, period_end: DateTime<Utc>) -> ErrorReport {
    report(
        names::PERIOD_PASSED,
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        format!("the period of account \"{account}\" ended, or its lots expired, while they were waited for"),
        format!("account={} period_end={}", plain(account), period_end.to_rfc3339()),
        "Try the transaction again.",
    )
}
