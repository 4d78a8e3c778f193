//! Grants: new lots, by credit_grant() or by a direct insert.

use chrono::{DateTime, Utc};
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::ledger::terms::{self, Category, Source, Terms, TermsError};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::closed;
use crate::ledger::idempotency::{self, Keyed};
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::ledger::accounts;
use crate::store::ledger::lots::{self, NewLot};

/// The priority of a lot, unless another one is given.
pub const DEFAULT_PRIORITY: i32 = 50;

/// The priorities that a lot may have.
pub const PRIORITIES: std::ops::RangeInclusive<i32> = 0..=1000;

/// A request to grant, as the caller said it.
#[derive(Clone, Debug, Default)]
pub struct Grant<'a> {
    pub account: &'a str,
    pub amount: Amount,
    pub member: Option<&'a str>,
    pub unit: Option<&'a str>,
    pub category: Option<&'a str>,
    pub source: Option<&'a str>,
    pub priority: Option<i32>,
    pub effective_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub expires_after: Option<Interval>,
    pub applies_to: Option<Vec<String>>,
    pub paid: Option<Amount>,
    pub currency: Option<&'a str>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// Grants; the lot's id, or that of the same grant made before under the same key.
///
/// # Errors
/// 22023 for terms that make no sense; P0002 unknown unit, or unregistered member; 55000 inactive member; 23505 key reused.
pub fn grant(request: Grant<'_>) -> Result<i64> {
    let lot = lots::next_id();
    if let Some(keyed) = request.keyed
        && let Some(earlier) = idempotency::claim(request.account, keyed, lot, clock::now())?
    {
        return Ok(earlier);
    }
    let _movable = closed::go_on(request.account);
    let now = clock::now();
    let new = check(&request, lot, now)?;
    lots::grant(&new, now);
    Ok(lot)
}

/// Checks a grant, fills in what was not said, and creates its account and registers its member if they are new.
pub fn check<'a>(request: &Grant<'a>, lot: i64, now: DateTime<Utc>) -> Result<NewLot<'a>> {
    let account = request.account;
    let category = request.category.map(str::parse::<Category>).transpose();
    let category = category.map_err(|known| error::unknown_option("category", request.category.unwrap_or_default(), &known.0))?;
    let source = request.source.map(str::parse::<Source>).transpose();
    let source = source.map_err(|known| error::unknown_option("source", request.source.unwrap_or_default(), &known.0))?;
    let priority = request.priority.unwrap_or(DEFAULT_PRIORITY);
    if !PRIORITIES.contains(&priority) {
        return Err(error::invalid_priority(priority));
    }
    let applies_to = operations(request.applies_to.clone())?;

    arrival::let_in(account);
    let context = account::find_or_create(account, request.unit, request.member, now)?;
    account::check_decimals("amount", request.amount, &context)?;
    account::seat_member(account, request.member, &context, now)?;

    let price = terms::price(request.paid, request.currency, context.currency.as_deref()).map_err(|broken| {
        let paid = request.paid.map(|paid| paid.to_string()).unwrap_or_default();
        error::invalid_price(broken, &paid, request.currency.or(context.currency.as_deref()).unwrap_or_default())
    })?;
    let (category, source) = terms::classify(category, source, price.as_ref());
    let effective_at = request.effective_at.unwrap_or(now);
    let terms = Terms { category, source, effective_at, expires_at: expiry(request, effective_at)?, price };
    terms.check(now).map_err(|broken| match &terms.price {
        Some(price) if broken == TermsError::PaidPromotion => {
            error::invalid_price(broken, &price.paid.to_string(), &price.currency)
        }
        _ => error::invalid_terms(broken, effective_at, terms.expires_at),
    })?;

    Ok(NewLot {
        account,
        lot,
        unit: request.unit.map_or_else(|| context.unit.clone(), str::to_owned),
        member: request.member,
        category: category.to_string(),
        source: source.to_string(),
        priority: priority as i16,
        granted: request.amount,
        paid: terms.price.as_ref().map(|price| price.paid),
        paid_decimals: None,
        currency: terms.price.map(|price| price.currency),
        applies_to,
        effective_at,
        expires_at: terms.expires_at,
        metadata: request.metadata,
    })
}

/// When the lot expires: at an instant, or a length of time after it takes effect, by the account's calendar.
fn expiry(request: &Grant<'_>, effective_at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    match (request.expires_at, request.expires_after) {
        (Some(_), Some(_)) => Err(error::two_expiries()),
        (expires_at, None) => Ok(expires_at),
        (None, Some(length)) => Ok(Some(accounts::add_interval(request.account, effective_at, length))),
    }
}

/// The operations a lot is limited to: sorted, each once.
fn operations(applies_to: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    let Some(mut operations) = applies_to else { return Ok(None) };
    if operations.is_empty() {
        return Err(error::empty_applies_to());
    }
    for operation in &operations {
        crate::arguments::name("applies_to", Some(operation))?;
    }
    operations.sort_unstable();
    operations.dedup();
    Ok(Some(operations))
}
