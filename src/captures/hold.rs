//! Making holds: of an amount, or of the price of a quantity.

use chrono::TimeDelta;

use crate::charges::charge::{self, Charge};
use crate::debits::debit;
use crate::debits::request::Debit;
use crate::domain::holds::hold::Parts;
use crate::domain::rates::dimensions::Dimensions;
use crate::error::Result;
use crate::ledger::{account, idempotency};
use crate::rates::price;
use crate::server::clock;
use crate::store::holds::{self as store, NewHold};
use crate::store::ledger::entries::Usage;

/// Holds an amount; the hold's id.
///
/// # Errors
/// As a debit.
pub fn hold(request: Debit<'_>, length: TimeDelta) -> Result<i64> {
    debit::debit(Debit { hold_for: Some(length), ..request })
}

/// Holds the price of a quantity, and pins the version of the rate that made it; the hold's id. Nothing is counted to a period of
/// the rate before it is captured.
///
/// # Errors
/// As a charge.
pub fn hold_charge(charge: &Charge<'_>, length: TimeDelta) -> Result<i64> {
    if let Some(earlier) = charge::earlier(charge.account, charge.keyed)? {
        return Ok(earlier);
    }
    let context = account::find_remembered(charge.account, None, charge.member)?;
    let none = Dimensions::default();
    let usage = price::Usage {
        account: Some(charge.account),
        operation: charge.operation,
        quantity: charge.quantity,
        dimensions: charge.dimensions.as_ref().unwrap_or(&none),
        at: clock::now(),
    };
    let price = price::quote(None, &usage)?;
    let dimensions = charge.dimensions.as_ref().filter(|dimensions| !dimensions.is_empty()).map(Dimensions::to_json);
    let request = Debit {
        account: charge.account,
        amount: price.amount,
        member: charge.member,
        operation: Some(charge.operation),
        unit: Some(&price.unit),
        occurred_at: None,
        keyed: charge.keyed,
        posting: None,
        metadata: charge.metadata,
        run: charge.run,
        dimensions: dimensions.as_deref(),
        usage: Some(Usage { quantity: charge.quantity, rate: price.rate }),
        hold: None,
        hold_for: Some(length),
        item: None,
    };
    if !price.amount.is_zero() {
        return debit::debit(request);
    }
    // Nothing is drawn: it only pins the rate.
    let now = clock::now();
    let id = store::next_id();
    if let Some(keyed) = charge.keyed
        && let Some(earlier) = idempotency::claim(charge.account, keyed, id, now)?
    {
        return Ok(earlier);
    }
    let member = account::active_member(charge.account, charge.member, &context, now)?;
    let new = NewHold { line: request.line(member), unit: &price.unit, length };
    store::add(&new, &Parts::default(), id, now);
    Ok(id)
}
