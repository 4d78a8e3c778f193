//! Debiting what is there: up to an amount, as far as credits and caps that block reach.
//!
//! A debit of all of it is tried first, as any other. Where that is refused, it is drawn as a batch draws: with the caps that
//! count it locked whole, then the lots that pay, so what is there is final when it is taken.

use crate::debits::batch;
use crate::debits::batch::outcome::{ItemOutcome, Mode};
use crate::debits::debit;
use crate::debits::outcome::{Outcome, Short};
use crate::debits::request::Debit;
use crate::domain::amount::Amount;
use crate::error::Result;
use crate::ledger::idempotency;
use crate::server::{clock, subtransaction};
use crate::store::ledger::entries;

/// What was debited of the amount that was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Debited {
    /// The posting; `None` where nothing was there.
    pub posting: Option<i64>,
    pub debited: Amount,
    /// The part that was not there.
    pub shortfall: Amount,
    /// The cap that did not leave it, if the credits are there; not known of a repetition.
    pub cap: Option<i64>,
}

/// Debits up to the amount; where nothing is there, nothing is written and no key is stored.
///
/// # Errors
/// P0002 unknown account, unit, or unregistered member; 55000 inactive member; 22023 decimals; 23505 key reused; 40001 when
/// others overtake it without end.
pub fn debit_available(request: Debit<'_>) -> Result<Debited> {
    match all_or_nothing(request)? {
        Some(debited) => Ok(debited),
        None => debit_many(&[request]).map(|mut debited| debited.remove(0)),
    }
}

/// The same of many: each takes what is there, in turn.
///
/// # Errors
/// As [`debit_available`], with `item=` in the DETAIL.
pub fn debit_many(items: &[Debit<'_>]) -> Result<Vec<Debited>> {
    let outcomes = batch::debit_many(items, Mode::Available)?;
    // A key may stand for an earlier request: the ledger says what that took.
    let is_known = |(item, outcome): &(&Debit<'_>, &ItemOutcome)| item.keyed.is_some() && outcome.is_posted();
    let known = items.iter().zip(&outcomes).filter(is_known);
    let postings: Vec<_> = known.filter_map(|(item, outcome)| Some((item.account, outcome.posting()?))).collect();
    let mut of_ledger = entries::debited(&postings).into_iter();
    let ended = |(item, outcome): (&Debit<'_>, &ItemOutcome)| {
        let Short { shortfall, cap } = outcome.short().unwrap_or_default();
        match (is_known(&(item, outcome)), outcome.posting()) {
            (true, Some(posting)) => Debited { cap, ..took(item, posting, of_ledger.next().expect("one of each posting")) },
            (_, Some(posting)) => Debited { cap, ..took(item, posting, item.amount.checked_sub(shortfall).unwrap_or_default()) },
            (_, None) => Debited { cap, ..nothing(item) },
        }
    };
    Ok(items.iter().zip(&outcomes).map(ended).collect())
}

fn took(item: &Debit<'_>, posting: i64, debited: Amount) -> Debited {
    let shortfall = item.amount.checked_sub(debited).unwrap_or_default();
    Debited { posting: Some(posting), debited, shortfall, cap: None }
}

fn nothing(item: &Debit<'_>) -> Debited {
    Debited { shortfall: item.amount, ..Debited::default() }
}

/// Debits all of it, or finds what its key stands for, or that nothing is there; `None` where a part of it is there.
fn all_or_nothing(request: Debit<'_>) -> Result<Option<Debited>> {
    let checked = debit::check(request)?;
    let mut nothing_is_there = None;
    let mut all = || {
        let posting = match request.keyed {
            None => request.posting,
            Some(keyed) => {
                let posting = entries::next_posting();
                if let Some(earlier) = idempotency::claim(request.account, keyed, posting, clock::now())? {
                    let debited = entries::debited(&[(request.account, earlier)])[0];
                    return Ok(Some(took(&request, earlier, debited)));
                }
                Some(posting)
            }
        };
        let (left, cap) = match debit::outcome(Debit { keyed: None, posting, ..request })? {
            Outcome::Posted(posting) => return Ok(Some(took(&request, posting, request.amount))),
            Outcome::Insufficient { available } => (available, None),
            Outcome::Capped(reached) => (request.amount.checked_sub(reached.shortfall()).unwrap_or_default(), Some(reached.cap)),
        };
        if !left.cut(checked.context.unit_decimals()).is_positive() {
            nothing_is_there = Some(Debited { cap, ..nothing(&request) });
        }
        Ok(None)
    };
    let debited = if debit::writes_early(&request, &checked) { subtransaction::attempt(all)? } else { all()? };
    Ok(debited.or(nothing_is_there))
}
