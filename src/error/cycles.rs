//! Refusals of schedules.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;

use super::{invalid, not_found, plain, wrong_state};
use crate::domain::rollover::RolloverError;

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

// P0002 no_data_found

/// P0002: no such schedule.
pub fn unknown_schedule(account: &str, schedule: i64) -> ErrorReport {
    not_found(
        format!("schedule {schedule} of account \"{account}\" does not exist"),
        format!("account={} schedule={schedule}", plain(account)),
        "The view credit.schedules lists them.",
    )
}

// 55000 object_not_in_prerequisite_state

/// 55000: an end in the past.
pub fn schedule_end_passed(account: &str, schedule: i64, ends_at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        format!("schedule {schedule} cannot end in the past"),
        format!("account={} schedule={schedule} ends_at={} now={}", plain(account), ends_at.to_rfc3339(), now.to_rfc3339()),
        "What was due was issued. End it now, and void what should not be there.",
    )
}

/// 55000: it has ended.
pub fn schedule_ended(account: &str, schedule: i64) -> ErrorReport {
    wrong_state(
        format!("schedule {schedule} has ended"),
        format!("account={} schedule={schedule}", plain(account)),
        "Make a new one with credit_schedule().",
    )
}
