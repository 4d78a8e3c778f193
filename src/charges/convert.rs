//! Conversions: credits of one unit become credits of another of the same account, at a rate that is recorded.

use std::rc::Rc;

use crate::debits::collect::{self, Share};
use crate::domain::amount::Amount;
use crate::domain::charges::conversion::{self, ConversionError, Given, Got};
use crate::domain::exact::Fraction;
use crate::domain::ledger::lot_price::LotPrice;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::closed;
use crate::ledger::idempotency::{self, Keyed};
use crate::schedules::refresh;
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::arrival;
use crate::server::{clock, invalidation, subtransaction};
use crate::store::charges::conversions::{self, Conversion, Part, Worth};
use crate::store::debits::eligible::NO_LOT;
use crate::store::debits::eligible::{self, Eligibility};
use crate::store::ledger::accounts::Context;
use crate::store::ledger::{corrections, entries};

/// A request to convert, as the caller said it.
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
    arrival::let_in(request.account);
    let _movable = closed::go_on(request.account);
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let generation = invalidation::generation();
        let context = check(&request)?;
        if context.is_due(clock::now()) {
            refresh::first_touch(request.account)?;
            account::forget(request.account, request.from_unit, request.member);
            continue;
        }
        let eligible = Eligibility {
            account: request.account,
            unit: &context.unit,
            member: request.member.unwrap_or_default(),
            pool: context.pool_pays(request.member),
            operation: request.operation,
        };
        let attempt = || match collect::lock_shares(eligible, request.amount, collect::lock_whole_share) {
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

/// Finds the account and its unit and checks the request against them.
fn check(request: &Convert<'_>) -> Result<Rc<Context>> {
    let context = account::find_remembered(request.account, request.from_unit, request.member)?;
    if context.unit == request.to_unit {
        return Err(error::same_unit(request.to_unit));
    }
    account::check_decimals("amount", request.amount, &context)?;
    account::check_member(request.account, request.member, &context)?;
    Ok(context)
}

/// Writes the conversion, now that nothing of the lots can change any more; `None` when one expired during the wait, or another
/// policy counts.
fn post(request: &Convert<'_>, context: &Context, shares: &[Share<'_>], posting: i64) -> Result<Option<i64>> {
    let now = clock::now();
    if !context.pooling_holds(now) || shares.iter().any(|share| share.has_expired(now)) {
        return Ok(None);
    }
    let worth = conversions::worth(&context.unit, request.to_unit).ok_or_else(|| error::unknown_unit(request.to_unit))?;
    let rate = rate(request, context, &worth)?;
    let refuse = |broken| match broken {
        ConversionError::TooLittle => error::converts_to_nothing(&context.unit, request.to_unit, request.amount, worth.decimals),
        ConversionError::OutOfRange => {
            let rate = conversion::recorded(&rate).unwrap_or_default().to_string();
            error::converts_out_of_range(&context.unit, request.to_unit, request.amount, &rate)
        }
    };
    let recorded = conversion::recorded(&rate).ok_or(ConversionError::TooLittle).map_err(refuse)?;
    let paying: Vec<&Share<'_>> = shares.iter().filter(|share| share.amount.is_positive()).collect();
    let got = conversion::convert(&given(request.account, &paying), &rate, worth.decimals).map_err(refuse)?;
    let part = |(share, got): (&&Share<'_>, Got)| Part { lot: share.source.rank.lot, given: share.amount, got };
    let parts: Vec<Part> = paying.iter().zip(got).map(part).collect();
    if collect::write_slots(shares, request.account, request.amount, context.unit_decimals()).is_none() {
        return Ok(None);
    }
    let written = Conversion {
        account: request.account,
        posting,
        from_unit: &context.unit,
        to_unit: request.to_unit,
        rate: recorded,
        metadata: request.metadata,
    };
    conversions::write(&written, &parts, now);
    Ok(Some(posting))
}

/// The credits that the lots give, with what decides their price.
fn given(account: &str, paying: &[&Share<'_>]) -> Vec<Given> {
    let lots: Vec<i64> = paying.iter().map(|share| share.source.rank.lot).collect();
    let given = |(share, price): (&&Share<'_>, LotPrice)| Given {
        amount: share.amount,
        held: share.held().expect("a lot that is locked wholly"),
        price,
    };
    paying.iter().zip(corrections::prices(account, &lots)).map(given).collect()
}

/// The rate: what was given, or what the units are worth in the same money.
fn rate(request: &Convert<'_>, context: &Context, worth: &Worth) -> Result<Fraction> {
    if let Some(rate) = request.rate {
        return Ok(Fraction::from(rate));
    }
    match (worth.from_fiat, worth.to_fiat) {
        (Some(from), Some(to)) if worth.from_currency == worth.to_currency => {
            Ok(Fraction::from(from).over(&Fraction::from(to)).expect("a value above zero"))
        }
        _ => {
            let currency = |currency: &Option<String>| currency.clone().unwrap_or_default();
            Err(error::no_common_value(
                (&context.unit, &currency(&worth.from_currency)),
                (request.to_unit, &currency(&worth.to_currency)),
            ))
        }
    }
}
