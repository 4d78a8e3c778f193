//! Refusals of forecasts, maintenance and late usage.

use chrono::{DateTime, Utc};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::debits::late::TooLate;
use crate::error::{invalid, names, not_found, plain, report, wrong_state};

/// 22023: a length of time that ends before it begins, or at once.
pub fn window_without_length(argument: &str, begin: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    invalid(
        format!("{argument} must be longer than zero"),
        format!("argument={argument} begin={} now={}", begin.to_rfc3339(), now.to_rfc3339()),
        "Give the length of time whose usage is carried on, such as '30 days'.",
    )
}

/// 22023: a limit that leaves no time.
pub fn no_time(argument: &str) -> ErrorReport {
    invalid(
        format!("{argument} must not be negative"),
        format!("argument={argument}"),
        "Give the time after which no further batch is begun, such as '5 minutes'; 0 for one batch of each step.",
    )
}

/// 2D000: a procedure that commits was called where nothing may commit.
pub fn cannot_commit(procedure: &str, within_a_transaction: &str) -> ErrorReport {
    report(
        names::CANNOT_COMMIT,
        PgSqlErrorCode::ERRCODE_INVALID_TRANSACTION_TERMINATION,
        format!("CALL {procedure}() commits after each batch, so it cannot run within a transaction"),
        format!("procedure={procedure}"),
        &format!("Call it by itself, outside of BEGIN and COMMIT and not from a function; {within_a_transaction}."),
    )
}

/// P0002: a run of maintenance that was never begun.
pub fn unknown_run(run: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_RUN,
        format!("there is no run {run} of maintenance"),
        format!("run={run}"),
        "Runs are made by CALL credit_maintain(time_limit => '5 minutes').",
    )
}

/// 55000: a run of maintenance that has ended.
pub fn run_has_ended(run: i64) -> ErrorReport {
    wrong_state(
        names::RUN_HAS_ENDED,
        format!("run {run} of maintenance has ended"),
        format!("run={run}"),
        "Runs are made by CALL credit_maintain(time_limit => '5 minutes').",
    )
}

/// 22023: a time of grace below zero.
pub fn negative_grace(argument: &str) -> ErrorReport {
    invalid(
        format!("{argument} must not be negative"),
        format!("argument={argument}"),
        "Give how long after a lot's expiry usage of its life may arrive, such as '1 hour'; 0 for not at all.",
    )
}

/// 55000: usage that came after a lot's expiry and the account's grace.
pub fn late_usage(account: &str, at: DateTime<Utc>, now: DateTime<Utc>, late: &TooLate) -> ErrorReport {
    let (expires_at, until) = (late.expires_at.to_rfc3339(), late.accepted_until.to_rfc3339());
    wrong_state(
        names::LATE_USAGE,
        format!("usage of account \"{account}\" at {} comes too late: lot {} expired at {expires_at}", at.to_rfc3339(), late.lot),
        format!(
            "account={} lot={} at={} now={} expires_at={expires_at} accepted_until={until}",
            plain(account),
            late.lot,
            at.to_rfc3339(),
            now.to_rfc3339()
        ),
        "The account rejects late usage (credit_account(late_usage => ...)). Debit it without a time, or correct the ledger.",
    )
}

/// 55000: ids would be given a second time.
pub fn sequence_behind(sequence: &str, last: i64, taken: i64) -> ErrorReport {
    wrong_state(
        names::SEQUENCE_BEHIND,
        format!("the sequence {sequence} is behind the books: ids would be given twice"),
        format!("sequence={sequence} last={last} taken={taken}"),
        "Rows came without their sequence (logical replication, a partial restore, \
            setval). Its owner calls credit_repair_sequences().",
    )
}
