//! Every error that a caller can meet: its SQLSTATE, the message, the numbers, and the way out.
//!
//! DETAIL holds the numbers in one stable form, `name=value name=value`, for programs to read; a value with a space, a quote or
//! an equals sign in it is quoted as in JSON.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::names::NameError;

mod access;
mod caps;
mod consumption;
mod debits;
mod holds;
mod ledger;
mod maintenance;
pub mod names;
mod plans;
mod pools;
mod rates;
mod refunds;
mod schedules;
mod true_ups;

pub use access::*;
pub use caps::*;
pub use consumption::*;
pub use debits::*;
pub use holds::*;
pub use ledger::*;
pub use maintenance::*;
pub use plans::*;
pub use pools::*;
pub use rates::*;
pub use refunds::*;
pub use schedules::*;
pub use true_ups::*;

/// The result of an operation that can be refused.
pub type Result<T> = std::result::Result<T, ErrorReport>;

fn report(
    name: &'static str,
    code: PgSqlErrorCode,
    message: impl Into<String>,
    detail: impl Into<String>,
    hint: &str,
) -> ErrorReport {
    let (detail, hint) = (detail.into(), hint.to_owned());
    names::attach(name);
    let report = ErrorReport::new(code, message.into(), name);
    let report = if detail.is_empty() { report } else { report.set_detail(detail) };
    if hint.is_empty() { report } else { report.set_hint(hint) }
}

/// A value in a DETAIL: quoted as in JSON where it holds something that would end it.
fn plain(value: &str) -> String {
    let ends = |letter: char| letter.is_whitespace() || letter == '=' || letter == '"';
    if value.is_empty() || value.contains(ends) { serde_json::Value::from(value).to_string() } else { value.to_owned() }
}

/// Names and values in turn, as a DETAIL has them.
pub fn detail(pairs: &[String]) -> String {
    let pairs: Vec<String> = pairs.chunks_exact(2).map(|pair| format!("{}={}", pair[0], plain(&pair[1]))).collect();
    pairs.join(" ")
}

fn invalid(message: impl Into<String>, detail: impl Into<String>, hint: &str) -> ErrorReport {
    report(names::INVALID_ARGUMENT, PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, detail, hint)
}

fn not_found(name: &'static str, message: impl Into<String>, detail: impl Into<String>, hint: &str) -> ErrorReport {
    report(name, PgSqlErrorCode::ERRCODE_NO_DATA_FOUND, message, detail, hint)
}

fn wrong_state(name: &'static str, message: impl Into<String>, detail: impl Into<String>, hint: &str) -> ErrorReport {
    report(name, PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message, detail, hint)
}

/// Of a transaction whose snapshot does not show what it needs.
fn older_snapshot(name: &'static str, message: impl Into<String>, detail: impl Into<String>) -> ErrorReport {
    report(name, PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE, message, detail, "Repeat the transaction.")
}

// 22023 invalid_parameter_value

/// 22023: an argument that must be given is NULL.
pub fn null_argument(argument: &str) -> ErrorReport {
    invalid(format!("{argument} must not be NULL"), format!("argument={argument}"), "Give a value for this argument.")
}

/// 22023: an element of an array is NULL.
pub fn null_element(argument: &str) -> ErrorReport {
    invalid(format!("an element of {argument} must not be NULL"), format!("argument={argument}"), "Leave the element out.")
}

/// 22023: a text that cannot name anything.
pub fn invalid_name(argument: &str, value: &str, broken: NameError) -> ErrorReport {
    let shown: String = value.chars().take(40).collect();
    invalid(
        format!("{argument} {shown:?} must {}", broken.rule()),
        format!("argument={argument} length={}", value.chars().count()),
        "Use your own id of it: 1 to 255 characters without control characters.",
    )
}

/// 22023: NaN or infinite.
pub fn not_a_number(argument: &str, value: &str) -> ErrorReport {
    invalid(
        format!("{argument} must be a finite number, not {value}"),
        format!("argument={argument} value={value}"),
        "Give an amount like 12.5.",
    )
}

/// 22023: zero or negative.
pub fn not_positive(argument: &str, value: Amount) -> ErrorReport {
    invalid(
        format!("{argument} must be greater than zero, not {value}"),
        format!("argument={argument} value={value}"),
        match argument {
            "bonus" => "Leave bonus out of a purchase without one.",
            "amount" | "granted" => {
                "Credits are added with credit_grant() and taken with credit_debit(), both by a positive amount."
            }
            _ => "Give a number above zero, or leave it out where it may be left out.",
        },
    )
}

/// 22023: more significant decimals than the unit has.
pub fn too_many_decimals(argument: &str, value: &str, decimals: u32) -> ErrorReport {
    let (has, to) = match decimals {
        0 => ("must be a whole number".to_owned(), "a whole number".to_owned()),
        _ => (format!("has more than {decimals} decimals"), format!("{decimals} decimals")),
    };
    invalid(
        format!("{argument} {value} {has}"),
        format!("argument={argument} value={value} decimals={decimals}"),
        &format!("Round it yourself to {to}: a number is never rounded silently."),
    )
}

/// 22023: an infinite instant, or one too far away.
pub fn instant_out_of_range(argument: &str, value: &str, last_year: i32) -> ErrorReport {
    invalid(
        format!("{argument} must be a finite instant up to the year {last_year}, not {value}"),
        format!("argument={argument} value={}", plain(value)),
        if argument == "expires_at" {
            "For a lot that never expires, leave expires_at out (NULL)."
        } else {
            "Give an instant of the calendar; where none is meant, leave the argument out (NULL)."
        },
    )
}

/// 22023: a length of time beyond any contract.
pub fn length_out_of_range(argument: &str, years: i32, longest: i32) -> ErrorReport {
    invalid(
        format!("{argument} must be at most {longest} years, not {years}"),
        format!("argument={argument} years={years} longest={longest}"),
        if argument == "expires_after" {
            "For a lot that never expires, leave expires_after out (NULL)."
        } else {
            "Give a shorter length of time; where none is meant, leave the argument out (NULL)."
        },
    )
}

/// 22023: a word that is not one of the known ones.
pub fn unknown_option(argument: &str, value: &str, known: &str) -> ErrorReport {
    invalid(
        format!("{argument} \"{value}\" is not known"),
        format!("argument={argument} value={value}", value = plain(value)),
        &format!("Known values: {known}."),
    )
}

/// 22023: a priority outside of its range.
pub fn invalid_priority(value: i32) -> ErrorReport {
    invalid(
        format!("priority must be between 0 and 1000, not {value}"),
        format!("argument=priority value={value}"),
        "The lower the number, the earlier a lot is drawn; the default is 50.",
    )
}

/// 22023: a time zone the server does not know, or knows under another spelling.
pub fn unknown_time_zone(value: &str, spelt: Option<&str>) -> ErrorReport {
    let hint = match spelt {
        Some(spelt) => format!("The server spells it {spelt}."),
        None => "Use a name from pg_timezone_names, such as Europe/Berlin.".to_owned(),
    };
    invalid(format!("time_zone \"{value}\" is not known"), format!("argument=time_zone value={value}"), &hint)
}

/// 22008: a beginning or an end that lies outside of what the server's calendar holds.
pub fn timestamp_out_of_range(instant: DateTime<Utc>) -> ErrorReport {
    report(
        names::TIMESTAMP_OUT_OF_RANGE,
        PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW,
        "timestamp out of range",
        format!("instant={}", instant.to_rfc3339()),
        "Give an anchor that is nearer, or a shorter period.",
    )
}

/// 22023: a debit dated in the future.
pub fn future_instant(argument: &str, value: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    invalid(
        format!("{argument} must not be in the future: {}", value.to_rfc3339()),
        format!("argument={argument} value={} now={}", value.to_rfc3339(), now.to_rfc3339()),
        "Usage is debited when it has happened; to reserve credits, grant a lot for the purpose.",
    )
}

/// 22023: a batch size outside of its range.
pub fn invalid_batch(argument: &str, value: i32) -> ErrorReport {
    invalid(
        format!("{argument} must be between 1 and 10000, not {value}"),
        format!("argument={argument} value={value}"),
        "It limits the work of one call; call again for more.",
    )
}

/// 22023: arrays that do not belong together, or are too long.
pub fn invalid_arrays(argument: &str, length: usize, expected: &str) -> ErrorReport {
    invalid(
        format!("{argument} has {length} elements, expected {expected}"),
        format!("argument={argument} length={length}"),
        "Each array has one element per debit; leave out those that are not needed. One call takes at most 100000 debits.",
    )
}

/// 22023: an item of a JSON batch that cannot be read.
pub fn invalid_items(problem: &str) -> ErrorReport {
    invalid(
        format!("items are not a JSON array of debits: {problem}"),
        "argument=items",
        "Give objects like {\"account\": \"acme\", \"amount\": 12.5, \"member\": \"alice\"}.",
    )
}

/// 22023: one of the items is no debit.
pub fn invalid_item(problem: &str) -> ErrorReport {
    // The caller does not see the position within the text of the item.
    let problem = problem.split(" at line ").next().unwrap_or(problem);
    invalid(
        format!("an item is not a debit: {problem}"),
        "argument=items",
        "Give objects like {\"account\": \"acme\", \"amount\": 12.5, \"member\": \"alice\"}.",
    )
}

/// The error of one item of a batch: says which, counted from 1.
pub fn in_item(refusal: ErrorReport, index: usize) -> ErrorReport {
    let detail = refusal.detail().unwrap_or_default().to_owned();
    refusal.set_detail(format!("item={} {detail}", index + 1).trim_end())
}

// 22003 numeric_value_out_of_range

/// 22003: the magnitude is 10^15 or more.
pub fn amount_out_of_range(argument: &str, value: &str) -> ErrorReport {
    report(
        names::AMOUNT_OUT_OF_RANGE,
        PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        format!("{argument} {value} is out of range"),
        format!("argument={argument} value={value} limit=1000000000000000"),
        "Amounts stay below 10^15; use a larger unit.",
    )
}

/// 22003: the result of a call would be 10^15 or more. `detail` has the numbers behind it.
pub fn result_out_of_range(result: &str, detail: impl Into<String>) -> ErrorReport {
    report(
        names::RESULT_OUT_OF_RANGE,
        PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        format!("{result} would be 10^15 or more"),
        format!("{} limit=1000000000000000", detail.into()),
        "Amounts and prices stay below 10^15; use a larger unit, or do it in parts.",
    )
}

// P0002 no_data_found

// 22021 character_not_in_repertoire

/// 22021: a text is not UTF-8.
pub fn invalid_text() -> ErrorReport {
    report(
        names::INVALID_TEXT,
        PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
        "a text in an array is not UTF-8",
        "",
        "pg_credit needs a database whose encoding is UTF8.",
    )
}

// 0A000 feature_not_supported

/// 0A000: the encoding of the database is not UTF8.
pub fn unsupported_encoding(encoding: &str) -> ErrorReport {
    report(
        names::UNSUPPORTED_ENCODING,
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("pg_credit does not work in a database whose encoding is {encoding}"),
        format!("encoding={encoding}"),
        "Use a database whose encoding is UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.",
    )
}

// 40001 serialization_failure

/// 40001: after very many attempts the credit that is there could not be obtained.
pub fn too_contended(account: &str, attempts: u32) -> ErrorReport {
    report(
        names::SERIALIZATION,
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        format!("the credits of account \"{account}\" kept changing while a debit tried to take them"),
        format!("account={account} attempts={attempts}", account = plain(account)),
        "Try the transaction again.",
    )
}
