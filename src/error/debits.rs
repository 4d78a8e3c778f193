//! Errors of debits.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::error::{names, plain, report};

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
