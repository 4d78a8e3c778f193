//! Closing a period: what is due is settled first, then the statement is written, and with it what follows. From then on nothing
//! that is dated in the period can be written: see [`crate::debits::closed_period`].
//!
//! The closing lock comes first, then what is due is settled, account by account. A transaction that began before the period's
//! end may still add to it, so the period is not closed before that has ended.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::ledger::closed;
use crate::ledger::{account, expiry, grant};
use crate::schedules::refresh;
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::{arrival, named};
use crate::server::{clock, invalidation, subtransaction};
use crate::store::Snapshot;
use crate::store::ledger::lots::{self, NewLot};
use crate::store::ledger::slots;
use crate::store::true_ups::closed_periods::{self, TrueUp};
use crate::store::true_ups::true_up as store;
use crate::true_ups::period::Period;
use crate::true_ups::statement;

/// How often it is looked whether a transaction has ended.
const LOOKS: u32 = 20;

/// The time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// How many expired lots are swept at a time.
const LOTS_AT_A_TIME: i32 = 1000;

/// Closes a period of the accounts that are named, or of all that have a commitment; a period that is closed already stays as it
/// is.
///
/// # Errors
/// 22023 a period without length; 55000 it has not ended, overlaps or leaves a gap, or somebody still writes into it; 25001 at
/// another isolation level than READ COMMITTED; P0002 unknown account.
pub fn post(named: Option<&[&str]>, unit: Option<&str>, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<TrueUp>> {
    let period = Period { from, to, snapshot: Snapshot::Fresh };
    let now = clock::now();
    if to > now {
        return Err(error::period_not_over(to, now));
    }
    if !invalidation::sees_latest() {
        return Err(error::needs_read_committed());
    }
    if let Some(since) = clock::began_before(to) {
        // SAFETY: the server sets its variable when the backend starts, and does not change it.
        let own = unsafe { pgrx::pg_sys::MyProcPid };
        return Err(error::period_still_written(to, own, since));
    }
    let accounts = store::accounts(named, unit, from, to, Snapshot::Fresh);
    // First of all: usage of the past takes its share of this lock before anything of the account.
    named::acquire_closing(accounts.iter().map(String::as_str));
    // One after the other, in the order in which a batch takes them.
    accounts.iter().collect::<BTreeSet<_>>().into_iter().try_for_each(|account| settle_what_is_due(account))?;
    if let Some((process, since)) = lasting_writer(to) {
        return Err(error::period_still_written(to, process, since));
    }
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let statements = statement::statements(Some(&names), unit, period)?;
    let close_now = |statement: TrueUp| {
        let _movable = closed::go_on(&statement.account);
        close(statement, clock::now())
    };
    statements.into_iter().map(close_now).collect()
}

/// A writing transaction that began before the end of the period and goes on. A transaction gives its locks back a moment before
/// the server stops listing it, so one that is listed is looked for again.
fn lasting_writer(to: DateTime<Utc>) -> Option<(i32, DateTime<Utc>)> {
    for _ in 0..LOOKS {
        let found = closed_periods::older_writer(to);
        found?;
        pgrx::check_for_interrupts!();
        std::thread::sleep(BETWEEN_LOOKS);
    }
    closed_periods::older_writer(to)
}

/// Issues what the account's schedules brought, locks its row, and posts what expired. It waits for a transaction that holds such
/// a lot, but not while it holds the account or another such lot.
fn settle_what_is_due(account: &str) -> Result<()> {
    arrival::let_in(account);
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        refresh::first_touch(account)?;
        let due = lots::due(clock::now(), Some(account), LOTS_AT_A_TIME);
        for (account, lot) in &due {
            refresh::wait_for_lot(account, *lot, slots::slots(account, *lot).len() as i16)?;
        }
        let settled = subtransaction::attempt(|| {
            account::lock(account);
            let is_free = due.iter().all(|(account, lot)| expiry::expire_if_free(account, *lot));
            Ok(is_free.then_some(()))
        })?;
        if settled.is_some() && lots::due(clock::now(), Some(account), 1).is_empty() {
            return Ok(());
        }
    }
    Err(error::too_contended(account, MAX_ATTEMPTS))
}

/// Writes the statement and what follows from it.
fn close(statement: TrueUp, now: DateTime<Utc>) -> Result<TrueUp> {
    if statement.true_up.is_some() {
        return Ok(statement);
    }
    check_neighbours(&statement)?;
    let id = closed_periods::next_id();
    let granted_lot = grant_shortfall(&statement, id, now);
    closed_periods::post(id, &statement, granted_lot, now);
    Ok(closed_periods::find(&statement.account, id, Snapshot::Fresh).expect("the period that was just closed"))
}

/// Closed periods follow each other without a gap.
fn check_neighbours(statement: &TrueUp) -> Result<()> {
    let TrueUp { account, unit, starts_at, ends_at, .. } = statement;
    if let Some(next) = closed_periods::after(account, unit, *starts_at, Snapshot::Fresh) {
        return Err(error::period_overlaps(account, (*starts_at, *ends_at), (next.starts_at, next.ends_at), next.true_up));
    }
    match closed_periods::until(account, unit, *starts_at, Snapshot::Fresh) {
        Some(last) if last.ends_at != *starts_at => {
            Err(error::period_leaves_gap(account, (*starts_at, *ends_at), last.ends_at, last.true_up))
        }
        _ => Ok(()),
    }
}

/// The credits that are missing to the commitment, for what is due of it; they never expire.
fn grant_shortfall(statement: &TrueUp, id: i64, now: DateTime<Utc>) -> Option<i64> {
    let account = statement.account.as_str();
    let terms = store::terms(account, &statement.unit, Snapshot::Fresh);
    let due = statement.lines.iter().find(|line| line.kind == "shortfall_due").map_or(Amount::ZERO, |line| line.quantity);
    if !terms.grant_shortfall || !due.is_positive() {
        return None;
    }
    let lot = lots::next_id();
    let metadata = format!(r#"{{"true_up": {id}}}"#);
    let new = NewLot {
        account,
        lot,
        unit: statement.unit.clone(),
        member: None,
        category: if statement.amount_due.is_some() { "paid" } else { "promotional" }.to_owned(),
        source: "commitment".to_owned(),
        priority: grant::DEFAULT_PRIORITY as i16,
        granted: due,
        paid: statement.amount_due,
        paid_decimals: None,
        currency: statement.currency.clone(),
        applies_to: None,
        effective_at: now,
        expires_at: None,
        metadata: Some(&metadata),
    };
    lots::grant(&new, now);
    Some(lot)
}
