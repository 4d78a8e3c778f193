//! Refusals of reports of consumption.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;

use crate::error::invalid;

/// 22023: a period that ends before it begins, or at once.
pub fn report_without_length(starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> ErrorReport {
    invalid(
        "ends_at must be after starts_at",
        format!("argument=ends_at starts_at={} ends_at={}", starts_at.to_rfc3339(), ends_at.to_rfc3339()),
        "Give the first instant of the period, and the first one after it.",
    )
}

/// 22023: a number of levels by which every department would be the same.
pub fn no_depth(depth: i32) -> ErrorReport {
    invalid(
        format!("depth must be at least 1, not {depth}"),
        format!("argument=depth value={depth}"),
        "It says how many levels of eng/ml/search are told apart: 1 for eng alone; NULL for all.",
    )
}
