//! Members who come and go, and the credits that schedules gave to their seats.

use chrono::{DateTime, Utc};

use crate::error::{self, Result};
use crate::ledger::closed;
use crate::ledger::{account, whole_lot};
use crate::schedules::refresh;
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::arrival;
use crate::server::{clock, invalidation, subtransaction};
use crate::store::ledger::accounts::{self, Context, MemberTerms};
use crate::store::ledger::{breakage, lots, slots};
use crate::store::{Snapshot, schedules};

/// A change of a member, as credit_member() makes it.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub account: &'a str,
    pub member: &'a str,
    pub terms: MemberTerms<'a>,
}

/// Registers or changes the member, and gives them a seat if they are active and have none. First, all that was due up to now is
/// issued; then a leaver's lots end as their schedules say, and a newcomer's seat gets what is due.
///
/// # Errors
/// As [`refresh::first_touch`].
pub fn save(change: Change<'_>, before: &Context) -> Result<()> {
    let Change { account, member, terms } = change;
    let active = terms.active;
    let _movable = closed::go_on(account);
    let comes = match &before.member {
        Some(member) if member.active && active == Some(false) => return leave(change),
        Some(member) if member.active => !member.seated,
        Some(_) => active == Some(true),
        None => active != Some(false),
    };
    if comes {
        refresh::first_touch(account)?;
        account::make_room_for_seat(account);
    }
    let now = clock::now();
    accounts::save_member(account, member, terms, now);
    if comes {
        accounts::seat_added(account, now);
        refresh::first_touch(account)?;
    }
    Ok(())
}

/// Until the transaction ends nobody takes a seat of the accounts, which are given in the order of their names, and all who took
/// one are seen.
///
/// # Errors
/// 40001 where somebody took one after this transaction's snapshot was taken.
pub fn keep_newcomers_out(accounts: &[&str]) -> Result<()> {
    arrival::keep_out(accounts.iter().copied());
    if invalidation::sees_latest() {
        return Ok(());
    }
    let seen = |account, snapshot| accounts::seats_taken(account, snapshot);
    match accounts.iter().find(|account| seen(account, Snapshot::Fresh) != seen(account, Snapshot::Latest)) {
        Some(account) => Err(error::older_than_members(account)),
        None => Ok(()),
    }
}

/// Deactivates the member and ends their lots, also those of a schedule that has ended. It waits for a call that holds a lot, but
/// not while it holds the account: a transaction that debits before a boundary and after it would wait for that.
fn leave(change: Change<'_>) -> Result<()> {
    let Change { account, member, terms } = change;
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        refresh::first_touch(account)?;
        for (_, lot) in schedules::lots_of_leaver(account, member, clock::now()) {
            refresh::wait_for_lot(account, lot, slots::slots(account, lot).len() as i16)?;
        }
        let left = subtransaction::attempt(|| {
            account::lock(account);
            let now = clock::now();
            if refresh::is_due(account, now) {
                return Ok(None);
            }
            accounts::save_member(account, member, terms, now);
            Ok(give_up(account, member, now))
        })?;
        if left.is_some() {
            return Ok(());
        }
    }
    Err(error::too_contended(account, MAX_ATTEMPTS))
}

/// Ends what schedules gave the member: it lapses, or goes to the pool. `None` when somebody holds a lot of it.
fn give_up(account: &str, member: &str, now: DateTime<Utc>) -> Option<()> {
    for (on_leave, lot) in schedules::lots_of_leaver(account, member, now) {
        let whole = whole_lot::lock_if_free(account, lot)?;
        let remaining = whole.remaining();
        if remaining.is_zero() {
            continue;
        }
        let returned = (on_leave == "return").then(|| whole.hand_on(remaining));
        whole.empty_and_close();
        match returned {
            Some(returned) => lots::write_return(account, returned, now),
            _ => breakage::expire(account, lot, remaining, now, now),
        }
    }
    Some(())
}
