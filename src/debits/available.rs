//! Debiting what is there: up to an amount, as far as credits and caps that block reach.
//!
//! A debit that is refused says what there was at that instant, by one statement over what is committed. The next attempt asks
//! for that much. Somebody else may be faster; then it is refused again, with less.

use crate::debits::outcome::Outcome;
use crate::debits::request::Debit;
use crate::debits::{ahead, debit};
use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::ledger::idempotency;
use crate::server::contention::MAX_ATTEMPTS;
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
}

/// Debits up to the amount; where nothing is there, nothing is written and no key is stored.
///
/// # Errors
/// P0002 unknown account, unit, or unregistered member; 55000 inactive member; 22023 decimals; 23505 key reused; 40001 when
/// others overtake it without end.
pub fn debit_available(request: Debit<'_>) -> Result<Debited> {
    let nothing = Debited { shortfall: request.amount, ..Debited::default() };
    let keyed = subtransaction::attempt(|| match request.keyed {
        None => draw(request).map(|debited| Some((debited, None))),
        Some(keyed) => {
            let posting = entries::next_posting();
            match idempotency::claim(request.account, keyed, posting, clock::now())? {
                Some(earlier) => Ok(Some((None, Some(earlier)))),
                None => {
                    draw(Debit { posting: Some(posting), ..request }).map(|debited| debited.map(|debited| (Some(debited), None)))
                }
            }
        }
    })?;
    let Some((debited, earlier)) = keyed else { return Ok(nothing) };
    let posted = debited.or_else(|| earlier.map(|posting| (posting, entries::debited(request.account, posting))));
    Ok(posted.map_or(nothing, |(posting, debited)| Debited {
        posting: Some(posting),
        debited,
        shortfall: request.amount.checked_sub(debited).unwrap_or_default(),
    }))
}

/// The same of many: each takes what is there, in turn. Accounts are taken in the order of their names.
///
/// # Errors
/// As [`debit_available`], with `item=` in the DETAIL.
pub fn debit_many(items: &[Debit<'_>]) -> Result<Vec<Debited>> {
    ahead::lock(items)?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|index| items[*index].account);
    let mut debited = vec![Debited::default(); items.len()];
    for index in order {
        pgrx::check_for_interrupts!();
        debited[index] = debit_available(items[index]).map_err(|refusal| error::in_item(refusal, index))?;
    }
    Ok(debited)
}

/// Debits what is there of the amount; the posting and how much that was.
fn draw(request: Debit<'_>) -> Result<Option<(i64, Amount)>> {
    let request = Debit { keyed: None, ..request };
    let decimals = debit::check(request)?.context.unit_decimals();
    let mut wanted = request.amount;
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let left = match debit::outcome(Debit { amount: wanted, ..request })? {
            Outcome::Posted(posting) => return Ok(Some((posting, wanted))),
            Outcome::Insufficient { available } => available,
            Outcome::Capped(reached) => wanted.checked_sub(reached.shortfall()).unwrap_or_default(),
        };
        // A cap may have more decimals than the unit.
        wanted = left.min(wanted).cut(decimals);
        if !wanted.is_positive() {
            return Ok(None);
        }
    }
    Err(error::too_contended(request.account, MAX_ATTEMPTS))
}
