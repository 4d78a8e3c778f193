//! Usage of a period that was closed by a true-up: it is recorded in the period that is open, and refers to the closed one. A closed
//! period is never opened again.
//!
//! Who dates something in the past shares the account's closing lock until the transaction ends, and who closes a period takes it alone:
//! nothing can get into a period while it is being closed. What happens now needs no lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::debits::batch::ItemOutcome;
use crate::debits::debit::Debit;
use crate::domain::amount::Amount;
use crate::domain::debits::late::LateUsage;
use crate::error::{self, Result};
use crate::server::clock::{self, Movable};
use crate::server::{arrival, invalidation, lock};
use crate::store::Snapshot;
use crate::store::ledger::accounts::{self, Context};
use crate::store::ledger::lots;
use crate::store::true_ups::closed_periods::{self, Closed};

/// Usage of a closed period.
#[derive(Clone, Copy, Debug)]
pub struct Correction<'a> {
    account: &'a str,
    true_up: i64,
    occurred_at: DateTime<Utc>,
    amount: Amount,
}

impl Correction<'_> {
    /// Says that the posting corrects the closed period, by so much.
    pub fn record(&self, posting: i64) {
        closed_periods::add_correction(self.account, self.true_up, posting, self.occurred_at, self.amount, clock::now());
    }
}

/// As long as what this returns lives, everything is dated where the account's closed periods end, or later: a clock that was set back must
/// not write into them.
pub fn go_on(account: &str) -> Movable {
    go_on_from(accounts::closed_until(account, true))
}

/// The same where it is known until when the account is closed.
pub fn go_on_from(closed_until: Option<DateTime<Utc>>) -> Movable {
    let movable = clock::movable();
    if let Some(closed_until) = closed_until {
        clock::move_to(closed_until);
    }
    movable
}

/// Until the transaction ends nobody closes a period of the account, if the instant is in the past: before anything of the account is locked.
pub fn keep_open(account: &str, at: Option<DateTime<Utc>>) {
    if at.is_some_and(is_past) {
        lock::share_closing(std::iter::once(account));
    }
}

/// Whether the usage belongs to a closed period. It may wait for who is just closing one.
///
/// # Errors
/// 55000 where the account rejects late usage.
pub fn correction<'a>(usage: &Debit<'a>, context: &Context) -> Result<Option<Correction<'a>>> {
    let Some(at) = usage.occurred_at.filter(|at| is_past(*at)) else { return Ok(None) };
    let Some(closed) = closed_at(usage.account, &context.unit, at) else { return Ok(None) };
    match context.late_usage {
        LateUsage::Reject => Err(error::period_closed(usage.account, at, (closed.starts_at, closed.ends_at), closed.true_up)),
        LateUsage::Current | LateUsage::Original => {
            Ok(Some(Correction { account: usage.account, true_up: closed.true_up, occurred_at: at, amount: usage.amount }))
        }
    }
}

/// Until when the accounts are closed of which something is dated in the past, with their closing locks shared in one order.
pub fn closed_until<'a>(items: &[Debit<'a>]) -> HashMap<&'a str, DateTime<Utc>> {
    let is_late = |item: &&Debit<'_>| item.occurred_at.is_some_and(is_past);
    let accounts: BTreeSet<&str> = items.iter().filter(is_late).map(|item| item.account).collect();
    lock::share_closing(accounts.iter().copied());
    accounts.into_iter().filter_map(|account| Some((account, known_until(account)?))).collect()
}

/// The items with those that correct a closed period as of now; `None` where none does.
pub fn as_of_now<'a>(items: &[Debit<'a>], corrections: &[Option<Correction<'_>>]) -> Option<Vec<Debit<'a>>> {
    let as_of_now = |(item, correction): (&Debit<'a>, &Option<Correction<'_>>)| Debit {
        occurred_at: item.occurred_at.filter(|_| correction.is_none()),
        ..*item
    };
    corrections.iter().any(Option::is_some).then(|| items.iter().zip(corrections).map(as_of_now).collect())
}

/// Records what became of the items that correct closed periods; those of one posting together.
pub fn record_all(corrections: &[Option<Correction<'_>>], outcomes: &[ItemOutcome]) {
    let mut by_posting: BTreeMap<i64, Correction<'_>> = BTreeMap::new();
    for (correction, outcome) in corrections.iter().zip(outcomes) {
        if let (Some(correction), ItemOutcome::Posted(posting)) = (correction, outcome) {
            let known = by_posting.entry(*posting).or_insert(Correction { amount: Amount::ZERO, ..*correction });
            known.amount = known.amount.checked_add(correction.amount).unwrap_or(known.amount);
            known.occurred_at = known.occurred_at.min(correction.occurred_at);
        }
    }
    by_posting.iter().for_each(|(posting, correction)| correction.record(*posting));
}

/// Checks that an entry that is inserted directly does not belong to a closed period.
///
/// # Errors
/// 55000.
pub fn check_open(account: &str, unit: &str, at: DateTime<Utc>) -> Result<()> {
    match closed_at(account, unit, at).filter(|_| is_past(at)) {
        Some(closed) => Err(error::period_closed(account, at, (closed.starts_at, closed.ends_at), closed.true_up)),
        None => Ok(()),
    }
}

/// Says that an adjustment corrects what was debited in a closed period, if it does.
pub fn record_adjustment(account: &str, lot: i64, corrected_at: DateTime<Utc>, posting: i64, amount: Amount) {
    let unit = lots::terms(account, lot).expect("a lot that is locked").unit;
    if let Some(closed) = closed_at(account, &unit, corrected_at) {
        closed_periods::add_correction(account, closed.true_up, posting, corrected_at, amount, clock::now());
    }
}

/// What happened since the transaction began is of now.
fn is_past(at: DateTime<Utc>) -> bool {
    let now = clock::now();
    clock::of_now(at, now) < now
}

/// The closed period that contains the instant, or the first one if it lies before that.
fn closed_at(account: &str, unit: &str, at: DateTime<Utc>) -> Option<Closed> {
    lock::share_closing(std::iter::once(account));
    known_until(account).filter(|until| at < *until)?;
    closed_periods::after(account, unit, at, Snapshot::Fresh)
}

/// Until when the account is closed. With an older snapshot that locks the account's row, before which comes what may bring lots.
fn known_until(account: &str) -> Option<DateTime<Utc>> {
    let is_latest = invalidation::sees_latest();
    if !is_latest {
        arrival::let_in(account);
    }
    accounts::closed_until(account, is_latest)
}
