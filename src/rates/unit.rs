//! Units, and what abstract ones are worth in money.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::error::{self, Result};
use crate::server::clock;
use crate::store::rates::units::{self, UnitTerms};

/// A unit as the caller said it.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    pub unit: &'a str,
    pub terms: UnitTerms<'a>,
    pub fiat_per_credit: Option<Decimal>,
    pub effective_at: Option<DateTime<Utc>>,
    pub note: Option<&'a str>,
}

/// Creates a unit or changes what is given of it.
///
/// # Errors
/// 22023 a value without a currency, or a currency that does not exist; 55000 for what a unit in use cannot become, or a value
/// that would rewrite the past.
pub fn save(request: Unit<'_>) -> Result<()> {
    let Unit { unit, terms, fiat_per_credit, effective_at, note } = request;
    crate::arguments::optional_currency(terms.currency)?;
    let is_new = units::create(unit, terms, clock::now());
    let before = units::lock(unit).expect("a unit that exists");
    let now = clock::now();
    if !is_new {
        check_change(request, &before)?;
        units::change(unit, terms);
    }
    let Some(fiat_per_credit) = fiat_per_credit else { return Ok(()) };
    if terms.currency.or(before.currency.as_deref()).is_none() {
        return Err(error::value_without_currency(unit));
    }
    let from = clock::of_now(effective_at.unwrap_or(now), now);
    let known = units::values(unit);
    if known.iter().rev().find(|(at, _)| *at <= from).is_some_and(|(_, value)| *value == fiat_per_credit) {
        return Ok(());
    }
    let is_taken = known.iter().any(|(at, _)| *at == from);
    let rewrites = from < now && known.iter().any(|(at, _)| *at <= from);
    if is_taken || rewrites {
        return Err(error::value_in_force(unit, from, now));
    }
    units::add_value(unit, from, fiat_per_credit, now, note);
    Ok(())
}

/// Whether a unit that exists may become what is asked.
fn check_change(request: Unit<'_>, before: &units::LockedUnit) -> Result<()> {
    let is_money = before.currency.is_some() && !before.has_value;
    let becomes_abstract = is_money && request.fiat_per_credit.is_some();
    let becomes_money = before.currency.is_none() && request.terms.currency.is_some() && request.fiat_per_credit.is_none();
    let changes_currency =
        before.currency.is_some() && request.terms.currency.is_some_and(|currency| Some(currency) != before.currency.as_deref());
    if (becomes_abstract || becomes_money || changes_currency) && units::is_in_use(request.unit) {
        return Err(error::unit_in_use(request.unit));
    }
    Ok(())
}
