//! Conversions: credits of one unit become credits of another of the same account, at a rate that is recorded.

use pgrx::prelude::*;

use super::account;
use super::collect::{self, Share};
use super::debit::MAX_ATTEMPTS;
use super::idempotency::{self, Keyed};
use crate::convert;
use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::server::{clock, invalidation, subtransaction};
use crate::store::accounts::Context;
use crate::store::conversions::{self, Conversion, Given, Worth};
use crate::store::eligible::{self, Eligibility};
use crate::store::{entries, lots, slots};

/// What is to be converted, as the caller said it.
#[derive(Clone, Copy, Debug)]
pub struct Convert<'a> {
    pub account: &'a str,
    pub amount: Amount,
    pub from_unit: Option<&'a str>,
    pub to_unit: &'a str,
    /// Credits of the new unit for one of the old; what both are worth in money decides unless it is given.
    pub rate: Option<Amount>,
    pub member: Option<&'a str>,
    pub operation: Option<&'a str>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// Converts what a debit would draw; the posting.
///
/// # Errors
/// 23514 when it does not fit; 22023 one unit only, no common currency, or an amount that becomes nothing; 22003; P0002 unknown
/// account, unit or member; 55000 inactive member; 23505 key reused.
pub fn convert(request: Convert<'_>) -> Result<i64> {
    let posting = entries::next_posting();
    if let Some(keyed) = request.keyed
        && let Some(earlier) = idempotency::claim(request.account, keyed, posting, clock::now())?
    {
        return Ok(earlier);
    }
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let generation = invalidation::generation();
        let context = check(&request)?;
        let eligible = Eligibility {
            account: request.account,
            unit: &context.unit,
            member: request.member.unwrap_or_default(),
            pool: context.pool_pays(request.member),
            operation: request.operation,
        };
        let attempt = || match collect::lock_shares(eligible, request.amount) {
            Some(shares) if invalidation::generation() == generation => post(&request, &context, &shares, posting),
            _ => Ok(None),
        };
        if let Some(posting) = subtransaction::attempt(attempt)? {
            return Ok(posting);
        }
        let available = eligible::survey(eligible, NO_LOT, request.amount).available;
        if available < request.amount {
            return Err(error::insufficient(request.account, request.member, request.amount, available));
        }
    }
    Err(error::too_contended(request.account, MAX_ATTEMPTS))
}

/// The id of no lot.
const NO_LOT: i64 = 0;

/// Finds the account and its unit and checks the request against them.
fn check(request: &Convert<'_>) -> Result<Context> {
    let context = account::find(request.account, request.from_unit, request.member)?;
    if context.unit == request.to_unit {
        return Err(error::same_unit(request.to_unit));
    }
    account::check_decimals("amount", request.amount, &context)?;
    account::check_member(request.account, request.member, &context)?;
    Ok(context)
}

/// Writes the conversion, now that nothing of the lots can change any more; `None` when one expired during the wait.
fn post(request: &Convert<'_>, context: &Context, shares: &[Share<'_>], posting: i64) -> Result<Option<i64>> {
    let now = clock::now();
    if shares.iter().any(|share| share.from.state.has_expired(now)) {
        return Ok(None);
    }
    let worth = conversions::worth(&context.unit, request.to_unit).ok_or_else(|| error::unknown_unit(request.to_unit))?;
    let (numerator, denominator) = rate(request, context, &worth)?;
    let nothing = || error::converts_to_nothing(&context.unit, request.to_unit, request.amount, worth.decimals);
    let rate = conversions::quotient(&numerator, &denominator).ok_or_else(nothing)?;
    let given = |share: &Share<'_>| Given { lot: share.from.lot, amount: share.amount, held: share.from.remaining() };
    let given: Vec<_> = shares.iter().filter(|share| share.amount.is_positive()).map(given).collect();
    let parts = conversions::parts(request.account, &given, (&numerator, &denominator), worth.decimals, &worth.rounding);
    assert_eq!(parts.len(), given.len(), "a part for each lot");
    convert::amount("the converted amount", &parts[0].whole)?;
    if parts.iter().any(|part| !part.is_something) {
        return Err(nothing());
    }
    let layouts: Vec<_> =
        shares.iter().map(|share| collect::layout_after(share, request.amount, context.unit_decimals())).collect();
    slots::set_slots(&layouts);
    lots::close(&collect::emptied(shares));
    let (account, from_unit, to_unit, metadata) = (request.account, &*context.unit, request.to_unit, request.metadata);
    conversions::write(&Conversion { account, posting, from_unit, to_unit, rate: &rate, metadata }, &parts, now);
    Ok(Some(posting))
}

/// The rate as a fraction: what was given, or what the units are worth in the same money.
fn rate(request: &Convert<'_>, context: &Context, worth: &Worth) -> Result<(AnyNumeric, AnyNumeric)> {
    if let Some(rate) = request.rate {
        return Ok((convert::numeric(rate), AnyNumeric::from(1_i64)));
    }
    match (&worth.from_fiat, &worth.to_fiat) {
        (Some(from), Some(to)) if worth.from_currency == worth.to_currency => Ok((from.clone(), to.clone())),
        _ => {
            let currency = |currency: &Option<String>| currency.clone().unwrap_or_default();
            Err(error::no_common_value(
                (&context.unit, &currency(&worth.from_currency)),
                (request.to_unit, &currency(&worth.to_currency)),
            ))
        }
    }
}
