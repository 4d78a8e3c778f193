//! Errors of limits that keep the books from being filled: new members, long texts, and usage that lies far back.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{invalid, names, plain, report};

/// 54000: debits registered as many members of the account within a day as they may.
pub fn too_many_new_members(account: &str, member: &str, most: i32) -> ErrorReport {
    report(
        names::TOO_MANY_NEW_MEMBERS,
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("debits registered {most} new members of account \"{account}\" within 24 hours, and may not register more"),
        format!("account={} member={} registered={most} limit={most}", plain(account), plain(member)),
        "Register the member with credit_member(), or have credit.max_new_members_per_day raised.",
    )
}

/// 22023: metadata, dimensions or a note are too long.
pub fn too_long(argument: &str, bytes: usize, most: usize) -> ErrorReport {
    invalid(
        format!("{argument} has {bytes} bytes of text, more than {most}"),
        format!("argument={argument} bytes={bytes} limit={most}"),
        "Keep it in a table of your own, and its id here; or have credit.max_metadata_bytes raised.",
    )
}

/// 22023: usage lies too far back.
pub fn too_far_back(account: &str, at: DateTime<Utc>, earliest: DateTime<Utc>, days: i64) -> ErrorReport {
    invalid(
        format!("at lies more than {days} days back: {}", at.to_rfc3339()),
        format!("argument=at account={} value={} earliest={}", plain(account), at.to_rfc3339(), earliest.to_rfc3339()),
        "Debit it without at, or have credit.max_backdating_days raised.",
    )
}
