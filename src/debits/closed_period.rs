//! Debits of a period that was closed by a true-up: they are recorded in the period that is open, and refer to the closed one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::debits::batch::outcome::ItemOutcome;
use crate::debits::request::Debit;
use crate::domain::amount::Amount;
use crate::domain::debits::late::LateUsage;
use crate::error::{self, Result};
use crate::ledger::closed;
use crate::server::clock;
use crate::server::locks::named;
use crate::store::ledger::accounts::Context;
use crate::store::true_ups::closed_periods;

/// Usage of a closed period.
#[derive(Clone, Copy, Debug)]
pub struct Correction<'a> {
    account: &'a str,
    true_up: i64,
    occurred_at: DateTime<Utc>,
    amount: Amount,
}

impl Correction<'_> {
    /// Records that the posting corrects the closed period by the amount.
    pub fn record(&self, posting: i64) {
        closed_periods::add_correction(self.account, self.true_up, posting, self.occurred_at, self.amount, clock::now());
    }
}

/// Whether the usage belongs to a closed period. It may wait for a session that is just closing one.
///
/// # Errors
/// 55000 where the account rejects late usage.
pub fn correction<'a>(usage: &Debit<'a>, context: &Context) -> Result<Option<Correction<'a>>> {
    let Some(at) = usage.occurred_at.filter(|at| closed::is_past(*at)) else { return Ok(None) };
    let Some(period) = closed::closed_at(usage.account, &context.unit, at) else { return Ok(None) };
    match context.late_usage {
        LateUsage::Reject => Err(error::period_closed(usage.account, at, (period.starts_at, period.ends_at), period.true_up)),
        LateUsage::Current | LateUsage::Original => {
            Ok(Some(Correction { account: usage.account, true_up: period.true_up, occurred_at: at, amount: usage.amount }))
        }
    }
}

/// Until when the accounts are closed of which something is dated in the past, with their closing locks shared in one order.
pub fn closed_until<'a>(items: &[Debit<'a>]) -> HashMap<&'a str, DateTime<Utc>> {
    let is_late = |item: &&Debit<'_>| item.occurred_at.is_some_and(closed::is_past);
    let accounts: BTreeSet<&str> = items.iter().filter(is_late).map(|item| item.account).collect();
    named::share_closing(accounts.iter().copied());
    accounts.into_iter().filter_map(|account| Some((account, closed::known_until(account)?))).collect()
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
        if let (Some(correction), Some(posting)) = (correction, outcome.posting()) {
            let missing = outcome.short().map(|short| short.shortfall).unwrap_or_default();
            let debited = correction.amount.checked_sub(missing).expect("a part of the amount");
            let known = by_posting.entry(posting).or_insert(Correction { amount: Amount::ZERO, ..*correction });
            known.amount = known.amount.checked_add(debited).unwrap_or(known.amount);
            known.occurred_at = known.occurred_at.min(correction.occurred_at);
        }
    }
    by_posting.iter().for_each(|(posting, correction)| correction.record(*posting));
}
