//! credit_allow() and credit_disallow(): the three levels of access, granted to existing roles.

pub mod guards;

use pgrx::prelude::*;

use crate::arguments;
use crate::error::{self, Result};
use crate::store::{access, connected};

/// Grants a role one of the levels 'read', 'spend' and 'admin', and records it.
///
/// Not SECURITY DEFINER: only the owner of the objects can grant on them.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_allow(role: Option<&str>, level: Option<&str>) -> Result<()> {
    let (role, level) = check(role, level)?;
    connected(|| {
        existing(role)?;
        access::follow_renamed(role);
        access::grant(role, level);
        access::record(role, level);
        Ok(())
    })
}

/// Takes a level from a role again. Privileges that another level of the role grants too stay. A name that was recorded may be
/// that of a role that has another name now, or is gone.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_disallow(role: Option<&str>, level: Option<&str>) -> Result<()> {
    let (role, level) = check(role, level)?;
    connected(|| {
        if !access::is_recorded(role) {
            existing(role)?;
        }
        let holders = access::holders(role, level);
        access::forget(role, level);
        for holder in holders {
            access::revoke(&holder, level);
            for remaining in access::recorded_levels(&holder) {
                access::grant(&holder, &remaining);
            }
        }
        Ok(())
    })
}

fn check<'a>(role: Option<&'a str>, level: Option<&'a str>) -> Result<(&'a str, &'a str)> {
    let role = arguments::required("role", role)?;
    let level = arguments::required("level", level)?;
    match level {
        "read" | "spend" | "admin" => Ok((role, level)),
        _ => Err(error::unknown_option("level", level, "read, spend, admin")),
    }
}

fn existing(role: &str) -> Result<()> {
    if access::role_exists(role) { Ok(()) } else { Err(error::unknown_role(role)) }
}
