//! Refusals of schedules.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::domain::schedules::rollover::RolloverError;
use crate::error::{invalid, names, not_found, older_snapshot, plain, report, wrong_state};

// 22023 invalid_parameter_value

/// 22023: a period below an hour.
pub fn period_too_short() -> ErrorReport {
    invalid("every must be at least one hour", "argument=every", "Give a length such as interval '1 month'.")
}

/// 22023: a schedule that could never issue anything.
pub fn schedule_without_life(starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>) -> ErrorReport {
    let end = ends_at.map(|at| at.to_rfc3339()).unwrap_or_default();
    invalid(
        "a schedule must end, and its lots must expire, after it starts",
        format!("starts_at={} ends_at={end}", starts_at.to_rfc3339()),
        "Leave ends_at out for a schedule without an end.",
    )
}

/// 22023: so far away that there are more periods between than anybody wants.
pub fn too_many_periods(argument: &str, most: i64) -> ErrorReport {
    invalid(
        format!("{argument} is more than {most} periods away"),
        format!("argument={argument} most={most}"),
        "Start later, look less far ahead, or give longer periods.",
    )
}

/// 22023: more than one way to say when lots expire.
pub fn several_validities() -> ErrorReport {
    invalid(
        "expires, expires_after and expires_at must not be given together",
        "argument=expires",
        "Give one: expires => 'period_end', 'never' or '3 periods', a length (expires_after), or an instant (expires_at).",
    )
}

/// 22023: a number of periods outside of its range.
pub fn invalid_count(argument: &str, value: i32, most: i32) -> ErrorReport {
    invalid(
        format!("{argument} must be between 1 and {most}, not {value}"),
        format!("argument={argument} value={value}"),
        "Leave it out (NULL) for a schedule without an end.",
    )
}

/// 22023: an expiry that the standard setup does not have.
pub fn unusual_expiry() -> ErrorReport {
    invalid(
        "expires_after of the standard schedule must be 12 to 24 months",
        "argument=expires_after",
        "Declare anything else with credit_schedule().",
    )
}

/// 22023: a refresh of what is not due yet.
pub fn refresh_in_future(at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    invalid(
        format!("at must not be in the future: {}", at.to_rfc3339()),
        format!("argument=at value={} now={}", at.to_rfc3339(), now.to_rfc3339()),
        "credit_schedule_preview() shows what will be due.",
    )
}

/// 22023: a policy that makes no sense.
pub fn invalid_rollover(broken: &RolloverError) -> ErrorReport {
    invalid(
        format!("rollover: {} {}", broken.key, broken.problem),
        format!("argument=rollover key={}", plain(&broken.key)),
        "Known keys: fraction_of_unused, max_fraction_of_original, max_amount, min_amount, max_periods, expires_after, drawn.",
    )
}

/// 22023: a rollover of lots that never expire.
pub fn nothing_to_roll() -> ErrorReport {
    invalid(
        "lots that never expire have nothing to roll over",
        "argument=rollover",
        "Let them expire at the end of the period, or leave rollover out.",
    )
}

/// 22023: a plan's schedule in another unit than the plan's.
pub fn not_the_unit_of_the_plan(plan: &str, unit: &str, of_plan: &str) -> ErrorReport {
    invalid(
        format!("a schedule of plan \"{plan}\" is in its unit \"{of_plan}\", not \"{unit}\""),
        format!("argument=unit value={} plan={} unit={}", plain(unit), plain(plan), plain(of_plan)),
        "Leave unit out.",
    )
}

/// 22023: a schedule is of an account or of a plan.
pub fn account_or_plan() -> ErrorReport {
    invalid(
        "exactly one of account and plan must be given",
        "argument=plan",
        "Name the account that is granted something, or the plan whose accounts are.",
    )
}

/// 23505: a key of a plan's schedule that stands for another one.
pub fn key_of_plan_reused(plan: &str, key: &str, schedule: i64) -> ErrorReport {
    report(
        names::KEY_REUSED,
        PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
        format!("key \"{key}\" of plan \"{plan}\" was used for a different request"),
        format!("plan={} key={} result={schedule}", plain(plan), plain(key)),
        "Repeat a request with the same arguments, or use a new key for a new request.",
    )
}

// P0002 no_data_found

/// P0002: no such schedule of a plan.
pub fn unknown_plan_schedule(plan: &str, schedule: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_PLAN_SCHEDULE,
        format!("schedule {schedule} of plan \"{plan}\" does not exist"),
        format!("plan={} schedule={schedule}", plain(plan)),
        "The table credit.plan_schedule lists them.",
    )
}

/// P0002: no such schedule.
pub fn unknown_schedule(account: &str, schedule: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_SCHEDULE,
        format!("schedule {schedule} of account \"{account}\" does not exist"),
        format!("account={} schedule={schedule}", plain(account)),
        "The view credit.schedules lists them.",
    )
}

// 55000 object_not_in_prerequisite_state

/// 55000: an end in the past.
pub fn schedule_end_passed(account: &str, schedule: i64, ends_at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::SCHEDULE_END_PASSED,
        format!("schedule {schedule} cannot end in the past"),
        format!("account={} schedule={schedule} ends_at={} now={}", plain(account), ends_at.to_rfc3339(), now.to_rfc3339()),
        "Credits that were due are issued already. End the schedule now, and void lots that should not be there.",
    )
}

/// 55000: it has ended.
pub fn schedule_ended(account: &str, schedule: i64) -> ErrorReport {
    wrong_state(
        names::SCHEDULE_ENDED,
        format!("schedule {schedule} has ended"),
        format!("account={} schedule={schedule}", plain(account)),
        "Make a new one with credit_schedule().",
    )
}

/// 55000: an end in the past.
pub fn plan_schedule_end_passed(plan: &str, schedule: i64, ends_at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::PLAN_SCHEDULE_END_PASSED,
        format!("schedule {schedule} of plan \"{plan}\" cannot end in the past"),
        format!("plan={} schedule={schedule} ends_at={} now={}", plain(plan), ends_at.to_rfc3339(), now.to_rfc3339()),
        "Credits that were due are issued already. End the schedule now.",
    )
}

/// 55000: it has ended.
pub fn plan_schedule_ended(plan: &str, schedule: i64) -> ErrorReport {
    wrong_state(
        names::PLAN_SCHEDULE_ENDED,
        format!("schedule {schedule} of plan \"{plan}\" has ended"),
        format!("plan={} schedule={schedule}", plain(plan)),
        "Make a new one with credit_schedule().",
    )
}

/// 55000: an account's schedule that comes with its plan.
pub fn schedule_of_plan(account: &str, schedule: i64, of_plan: i64) -> ErrorReport {
    wrong_state(
        names::SCHEDULE_OF_PLAN,
        format!("schedule {schedule} comes with the plan of account \"{account}\""),
        format!("account={} schedule={schedule} plan_schedule={of_plan}", plain(account)),
        "It ends when the account leaves the plan, or for all its accounts with credit_end_schedule(plan => ...).",
    )
}

// 40001 serialization_failure

/// 40001: a snapshot from before somebody came to the plan.
pub fn older_than_subscribers(plan: &str) -> ErrorReport {
    older_snapshot(
        names::SERIALIZATION,
        format!("accounts came to plan \"{plan}\" after this transaction's snapshot was taken"),
        format!("plan={}", plain(plan)),
    )
}

/// 40001: a snapshot from before somebody became a member of the account.
pub fn older_than_members(account: &str) -> ErrorReport {
    older_snapshot(
        names::SERIALIZATION,
        format!("members came to account \"{account}\" after this transaction's snapshot was taken"),
        format!("account={}", plain(account)),
    )
}

/// A notice: a schedule of members gives nothing to those without a seat.
pub fn notice_of_unseated(account: &str, members: i64) {
    let message = format!("members of account \"{account}\" without a seat get nothing from the schedule: {members}");
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "pg_credit")
        .set_detail(format!("account={} unseated={members}", plain(account)))
        .set_hint(
            "The view credit.unseated_members lists them; credit_member() and credit_grant() give a member a seat.".to_owned(),
        )
        .report(PgLogLevel::NOTICE);
}

/// 22023: the pool is to be fed by seats that get nothing.
pub fn pool_without_seats() -> ErrorReport {
    invalid(
        "into_pool needs per_member: it says where the amount of each seat goes",
        "argument=into_pool",
        "Leave into_pool out: without per_member the amount is the pool's. Or add per_member => true.",
    )
}

/// 22023: a leaver's part of the pool.
pub fn leaver_of_pool(on_leave: &str) -> ErrorReport {
    invalid(
        "credits that a seat brought to the pool stay there when its member leaves",
        format!("argument=on_leave value={on_leave}"),
        "Leave on_leave out, or say keep: from the next period on the seat brings nothing.",
    )
}
