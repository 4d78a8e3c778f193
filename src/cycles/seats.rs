//! Members who come and go: what schedules gave to their seats.

use chrono::{DateTime, Utc};

use super::refresh;
use crate::error::{self, Result};
use crate::posting::whole_lot;
use crate::server::clock;
use crate::store::accounts::{self, Context};
use crate::store::{breakage, lots, schedules};

/// A change of a member, as credit_member() makes it.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub account: &'a str,
    pub member: &'a str,
    pub department: Option<&'a str>,
    pub active: Option<bool>,
    pub metadata: Option<&'a str>,
}

/// Registers or changes the member. What was due up to now is issued first; then a leaver's lots end as their schedules say, and a
/// newcomer's seat gets what is due.
///
/// # Errors
/// As [`refresh::first_touch`].
pub fn save(change: Change<'_>, before: &Context) -> Result<()> {
    let Change { account, member, department, active, metadata } = change;
    let was_active = before.member.as_ref().map(|member| member.active);
    let leaves = was_active == Some(true) && active == Some(false);
    let comes = was_active != Some(true) && active != Some(false);
    // Lots of a schedule that has ended are given up too.
    let gets_more = comes && before.refresh_at.is_some();
    if leaves || gets_more {
        refresh::first_touch(account)?;
        accounts::lock(account);
    }
    let now = clock::now();
    accounts::save_member(account, member, department, active, metadata, now);
    if leaves {
        give_up(account, member, now)?;
    }
    if gets_more {
        accounts::seat_added(account, now);
        refresh::first_touch(account)?;
    }
    Ok(())
}

/// Ends what schedules gave the member: it lapses, or goes to the pool.
fn give_up(account: &str, member: &str, now: DateTime<Utc>) -> Result<()> {
    for (on_leave, lot) in schedules::lots_of_leaver(account, member, now) {
        let whole = whole_lot::lock(account, lot).ok_or_else(|| error::unknown_lot(account, lot))?;
        let remaining = whole.remaining();
        if remaining.is_zero() {
            continue;
        }
        whole.empty_and_close();
        match on_leave.as_str() {
            "return" => lots::write_return(account, lot, lots::next_id(), remaining, now),
            _ => breakage::expire(account, lot, remaining, now, now),
        }
    }
    Ok(())
}
