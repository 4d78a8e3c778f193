//! Errors of access levels.

use pgrx::pg_sys::panic::ErrorReport;

use crate::error::{names, not_found, plain};

/// P0002: no such role.
pub fn unknown_role(role: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_ROLE,
        format!("role \"{role}\" does not exist"),
        format!("role={role}", role = plain(role)),
        "Create it with CREATE ROLE.",
    )
}
