//! Rate cards, and the rates that are prepared for them.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::rates::dimensions::Dimensions;
use crate::domain::rates::rate::Rate;
use crate::error::{self, Result};
use crate::server::clock;
use crate::store::rates::rate_cards::{self, CardTerms};
use crate::store::rates::{self, NewDraft, units};

/// Creates a card or changes what is given of it.
///
/// # Errors
/// 22023 a new card without a unit; P0002 unknown unit; 55000 another unit once rates are published, or a second default.
pub fn save(card: &str, terms: &CardTerms<'_>) -> Result<()> {
    let now = clock::now();
    if let Some(unit) = terms.unit.filter(|unit| !units::exists(unit)) {
        match unit == units::DEFAULT_UNIT {
            true => units::ensure_default(now),
            false => return Err(error::unknown_unit(unit)),
        }
    }
    let Some(before) = rate_cards::lock(card, now) else {
        let unit = terms.unit.ok_or_else(|| error::null_argument("unit"))?;
        check_default(card, unit, terms)?;
        return match rate_cards::create(card, unit, terms, now) {
            true => Ok(()),
            // Somebody else just created it.
            false => save(card, terms),
        };
    };
    if terms.unit.is_some_and(|unit| unit != before.unit) && rate_cards::has_rates(card) {
        return Err(error::card_unit_in_use(card, &before.unit));
    }
    check_default(card, terms.unit.unwrap_or(&before.unit), terms)?;
    // A shorter notice, or no more being the default, must not let a worse rate come sooner than the accounts that use the card
    // were promised: the notice until now holds as long as it says.
    let touches_promise = terms.notice.is_some() || terms.is_default.is_some();
    let promised = (touches_promise && rate_cards::is_used(card)).then_some(before.notice_until);
    rate_cards::change(card, terms, promised);
    Ok(())
}

fn check_default(card: &str, unit: &str, terms: &CardTerms<'_>) -> Result<()> {
    match rate_cards::other_default_of_unit(unit, card).filter(|_| terms.is_default == Some(true)) {
        Some(other) => Err(error::second_default_card(unit, &other)),
        None => Ok(()),
    }
}

/// A rate as the caller said it.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    pub card: &'a str,
    pub operation: &'a str,
    pub dimensions: Dimensions,
    pub effective_at: Option<DateTime<Utc>>,
    /// `None` ends the rate.
    pub terms: Option<Rate>,
    pub unit_cost: Option<Decimal>,
    pub note: Option<&'a str>,
}

/// Prepares a rate, in the place of what was prepared for the same operation and dimensions; its id.
///
/// # Errors
/// P0002 unknown card; 22023 for terms that make no sense.
pub fn prepare(prepared: &Prepared<'_>) -> Result<i64> {
    let now = clock::now();
    // A draft that is being published must not be replaced meanwhile.
    rate_cards::lock(prepared.card, now).ok_or_else(|| error::unknown_card(prepared.card))?;
    let card = rate_cards::card(prepared.card).expect("a locked card");
    if let Some(terms) = &prepared.terms {
        terms.check().map_err(|broken| error::invalid_rate(broken, prepared.operation))?;
        if let Some(minimum) = terms.minimum.filter(|minimum| minimum.scale() > card.precision.decimals) {
            return Err(error::too_many_decimals("minimum", &minimum.to_string(), card.precision.decimals));
        }
    }
    let rate = rates::next_id();
    let draft = NewDraft {
        rate,
        card: prepared.card,
        operation: prepared.operation,
        dimensions: &prepared.dimensions,
        effective_at: prepared.effective_at,
        terms: prepared.terms.as_ref(),
        unit_cost: prepared.unit_cost,
        note: prepared.note,
    };
    rates::save_draft(&draft, now);
    Ok(rate)
}

/// Throws away what is prepared; how many rates.
///
/// # Errors
/// P0002 unknown card.
pub fn discard(card: &str, operation: Option<&str>, dimensions: Option<&Dimensions>) -> Result<i64> {
    rate_cards::lock(card, clock::now()).ok_or_else(|| error::unknown_card(card))?;
    Ok(rates::discard(card, operation, dimensions))
}
