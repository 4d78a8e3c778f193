//! The charges of one request: one posting for all of them.

use crate::charges::charge::{Charge, earlier, go_on, posted, price_of};
use crate::charges::periods;
use crate::debits::batch;
use crate::debits::request::Debit;
use crate::error::{self, Result};
use crate::ledger::idempotency::{self, Keyed};
use crate::rates::price;
use crate::server::clock;
use crate::store::ledger::{entries, requests};

/// Charges the operations of one request: one posting, all of it or nothing. `None` when all of it costs nothing.
///
/// # Errors
/// As [`charge::charge`](super::charge::charge), with `item=` in the DETAIL.
pub fn charge_request(charges: &[Charge<'_>], account: &str, keyed: Option<Keyed<'_>>) -> Result<Option<i64>> {
    if let Some(earlier) = earlier(account, keyed)? {
        return Ok(posted(earlier));
    }
    let _movable = charges.first().map(go_on).transpose()?;
    let now = price::instant(charges.first().and_then(|charge| charge.at))?;
    let posting = entries::next_posting();
    // Before anything is counted or locked, as everywhere.
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::claim(account, keyed, posting, clock::now())?
    {
        return Ok(posted(earlier));
    }
    periods::hold_periods(&charges.iter().collect::<Vec<_>>(), now)?;
    let price = |(index, charge)| price_of(charge, now).map_err(|refusal| error::in_item(refusal, index));
    let priced = charges.iter().enumerate().map(price).collect::<Result<Vec<_>>>()?;
    let costing = charges.iter().zip(&priced).enumerate().filter(|(_, (_, priced))| !priced.price.amount.is_zero());
    let debits: Vec<_> = costing.map(|(index, (charge, priced))| Debit { item: Some(index), ..priced.debit(charge) }).collect();
    if debits.is_empty() {
        if let Some(keyed) = keyed {
            requests::settle_with_nothing(account, keyed.key);
        }
        return Ok(None);
    }
    batch::debit_as_one(&debits, posting)?;
    Ok(Some(posting))
}
