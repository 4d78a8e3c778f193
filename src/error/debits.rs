//! Errors of debits.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::error::{invalid, names, plain, report};

/// 22023: a check of an amount and of a quantity, or of neither.
pub fn check_of_what() -> ErrorReport {
    invalid(
        "credit_check() needs an amount, or an operation with a quantity, not both",
        "argument=amount",
        "Give amount => 12.5, or operation => 'chat', quantity => 1000 for the price of it.",
    )
}

/// 22023: a check of a price in another unit than the card has.
pub fn check_of_unit(unit: &str) -> ErrorReport {
    invalid(
        format!("the account's rate card is in unit \"{unit}\""),
        format!("argument=unit unit={}", plain(unit)),
        "Leave unit out of a check of a quantity.",
    )
}

/// 23514: less than the requested amount is usable.
pub fn insufficient(account: &str, member: Option<&str>, requested: Amount, available: Amount) -> ErrorReport {
    let member = member.map(|member| format!(" member={}", plain(member))).unwrap_or_default();
    report(
        names::INSUFFICIENT,
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION,
        format!("account \"{account}\" has insufficient credits: {requested} requested, {available} available"),
        format!("account={account}{member} requested={requested} available={available}", account = plain(account)),
        "Grant credits with credit_grant(), see what would pay with credit_explain_debit(), or use credit_try_debit().",
    )
}
