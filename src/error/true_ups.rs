//! Errors of the true-up.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{invalid, names, not_found, plain, report, wrong_state};

type Span = (DateTime<Utc>, DateTime<Utc>);

fn shown((from, to): Span) -> String {
    format!("starts_at={} ends_at={}", from.to_rfc3339(), to.to_rfc3339())
}

/// 22023: a period that ends where it begins, or before.
pub fn period_without_length(from: DateTime<Utc>, to: DateTime<Utc>) -> ErrorReport {
    invalid(
        "a period must end after it begins",
        shown((from, to)),
        "Give the first instant of the period, and the first after it.",
    )
}

/// 22023: neither an account nor all of them are named, or both are.
pub fn one_account_or_all(account: Option<&str>) -> ErrorReport {
    let (message, detail) = match account {
        None => ("account must not be NULL", "argument=account".to_owned()),
        Some(account) => {
            ("account and all_accounts contradict each other", format!("argument=all_accounts account={}", plain(account)))
        }
    };
    invalid(message, detail, "Name an account, or say all_accounts => true: a NULL never means all of them.")
}

/// 22023: one end of a period is given.
pub fn half_a_period() -> ErrorReport {
    invalid(
        "starts_at and ends_at are given together or not at all",
        "argument=ends_at",
        "Without both it is the present period of one account, as credit_true_up_terms() declares it.",
    )
}

/// 22023: a price without a currency.
pub fn price_without_currency() -> ErrorReport {
    invalid("unit_price and overage_price need a currency", "argument=currency", "Give the currency, such as currency => 'EUR'.")
}

/// 22023: true-ups are computed in periods of some length.
pub fn cadence_too_short(argument: &str) -> ErrorReport {
    invalid(format!("{argument} must be at least one day"), format!("argument={argument}"), "Give a length such as '3 months'.")
}

/// 55000: nothing says when the account's periods begin.
pub fn no_true_up_terms(account: &str, unit: &str) -> ErrorReport {
    wrong_state(
        names::NO_TRUE_UP_TERMS,
        format!("account \"{account}\" has no true-up declared in {unit}"),
        format!("account={} unit={}", plain(account), plain(unit)),
        "Give starts_at and ends_at, or declare the periods with credit_true_up_terms().",
    )
}

/// 55000: a commitment in money, and no price of a credit.
pub fn commitment_without_price(account: &str, agreement: i64) -> ErrorReport {
    wrong_state(
        names::COMMITMENT_WITHOUT_PRICE,
        format!("agreement {agreement} of account \"{account}\" commits money and has no price of a credit"),
        format!("account={} agreement={agreement}", plain(account)),
        "Agree on a unit_price, or declare the commitment in credits with credit_true_up_terms(commitment => ...).",
    )
}

/// 55000: the period is still running.
pub fn period_not_over(ends_at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::PERIOD_NOT_OVER,
        format!("the period ends at {}, which has not come", ends_at.to_rfc3339()),
        format!("ends_at={} now={}", ends_at.to_rfc3339(), now.to_rfc3339()),
        "Look at it with credit_true_up(), and post it when it is over.",
    )
}

/// 55000: a transaction that began before the end of the period has not ended.
pub fn period_still_written(ends_at: DateTime<Utc>, process: i32, since: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::PERIOD_STILL_WRITTEN,
        format!("a transaction that began before {} has not ended", ends_at.to_rfc3339()),
        format!("ends_at={} pid={process} since={}", ends_at.to_rfc3339(), since.to_rfc3339()),
        "Repeat it when that transaction has ended: what it writes may belong to the period. A pid of 0 stands for a prepared \
            one.",
    )
}

/// 25001: the statement must see what other transactions write.
pub fn needs_read_committed() -> ErrorReport {
    report(
        names::NEEDS_READ_COMMITTED,
        PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        "a period is closed at the isolation level READ COMMITTED",
        "isolation=stricter",
        "Post it in a transaction of its own: BEGIN ISOLATION LEVEL READ COMMITTED.",
    )
}

/// 55000: part of the period was closed already.
pub fn period_overlaps(account: &str, period: Span, closed: Span, true_up: i64) -> ErrorReport {
    wrong_state(
        names::PERIOD_OVERLAPS,
        format!("true-up {true_up} of account \"{account}\" has closed the time until {}", closed.1.to_rfc3339()),
        format!(
            "account={} true_up={true_up} closed_from={} closed_until={} {}",
            plain(account),
            closed.0.to_rfc3339(),
            closed.1.to_rfc3339(),
            shown(period)
        ),
        "Periods follow each other: begin where the last one ended.",
    )
}

/// 55000: there is time between the last closed period and this one.
pub fn period_leaves_gap(account: &str, period: Span, closed_until: DateTime<Utc>, true_up: i64) -> ErrorReport {
    wrong_state(
        names::PERIOD_LEAVES_GAP,
        format!("account \"{account}\" is closed until {}, and the period begins later", closed_until.to_rfc3339()),
        format!("account={} true_up={true_up} closed_until={} {}", plain(account), closed_until.to_rfc3339(), shown(period)),
        "Periods follow each other: begin where the last one ended.",
    )
}

/// 55000: something would be dated in a closed period.
pub fn period_closed(account: &str, at: DateTime<Utc>, closed: Span, true_up: i64) -> ErrorReport {
    wrong_state(
        names::PERIOD_CLOSED,
        format!("true-up {true_up} of account \"{account}\" has closed the period of {}", at.to_rfc3339()),
        format!("account={} true_up={true_up} at={} {}", plain(account), at.to_rfc3339(), shown(closed)),
        "Record it now, or let credit_account(late_usage => 'current') do so.",
    )
}

/// P0002: no such closed period.
pub fn unknown_true_up(account: &str, true_up: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_TRUE_UP,
        format!("account \"{account}\" has no true-up {true_up}"),
        format!("account={} true_up={true_up}", plain(account)),
        "The table credit.true_up has the periods that were closed.",
    )
}
