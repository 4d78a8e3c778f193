//! Cards from documents: what differs from the rates in force becomes a draft, and is published if asked for.

use pgrx::prelude::*;

use crate::domain::exact::Fraction;
use crate::domain::rates::document::{Document, RateDocument, UnitDocument};
use crate::error::{self, Result};
use crate::rates::card::{self, Prepared};
use crate::rates::publish::{self, Publication};
use crate::rates::unit::{self, Unit};
use crate::server::clock;
use crate::store::rates::rate_cards::CardTerms;
use crate::store::rates::units::{self, UnitTerms};
use crate::store::rates::{self, conversion_table, repricing};

/// Makes the card of the document, or changes it, and prepares the rates that differ from those in force; how many. Rates that
/// the document does not name stay.
///
/// # Errors
/// 55000 for a unit that is another here, or drafts of something else when publishing; what preparing and publishing refuse.
pub fn import(document: &Document, notice: Interval, publish: bool) -> Result<i32> {
    save_unit(&document.unit)?;
    let terms = CardTerms {
        unit: Some(&document.unit.unit),
        is_default: Some(document.is_default),
        notice: Some(notice),
        agreement: document.agreement.as_deref(),
        note: document.note.as_deref(),
    };
    card::save(&document.card, &terms)?;
    if publish {
        check_no_other_drafts(document)?;
    }
    let mut prepared = 0;
    for rate in &document.rates {
        prepared += i32::from(prepare(&document.card, rate)?);
    }
    if publish && prepared > 0 {
        let publication = Publication { card: &document.card, effective_at: None, override_reason: None, supersede: false };
        publish::publish(publication)?;
    }
    Ok(prepared)
}

/// Creates the unit. One that exists must be the same: a document does not change what others are charged in.
fn save_unit(document: &UnitDocument) -> Result<()> {
    let unit = document.unit.as_str();
    if !units::exists(unit) {
        return unit::save(Unit {
            unit,
            terms: UnitTerms {
                decimals: Some(i16::from(document.decimals)),
                rounding: Some(&document.rounding),
                currency: document.currency.as_deref(),
            },
            fiat_per_credit: document.fiat_per_credit,
            effective_at: None,
            note: None,
        });
    }
    let here = conversion_table::unit(unit).expect("a unit that exists");
    let is_same = here.decimals == i16::from(document.decimals)
        && here.rounding == document.rounding
        && here.currency == document.currency
        && here.abstract_fiat.map(Fraction::from) == document.fiat_per_credit.map(Fraction::from);
    if is_same { Ok(()) } else { Err(error::unit_differs(unit)) }
}

/// Publishing takes all drafts of a card: those of somebody else must not go along.
fn check_no_other_drafts(document: &Document) -> Result<()> {
    let is_named = |draft: &rates::Draft| {
        document.rates.iter().any(|rate| rate.operation == draft.operation && rate.dimensions == draft.dimensions)
    };
    match rates::drafts(&document.card).iter().find(|draft| !is_named(draft)) {
        Some(other) => Err(error::other_drafts(&document.card, &other.operation)),
        None => Ok(()),
    }
}

/// Prepares a rate unless it is in force as it is; whether it did.
fn prepare(card: &str, rate: &RateDocument) -> Result<bool> {
    let in_force = repricing::in_force(card, &rate.operation, &rate.dimensions, clock::now());
    if in_force.is_some_and(|here| here.rate == rate.rate && here.unit_cost == rate.unit_cost) {
        return Ok(false);
    }
    card::prepare(&Prepared {
        card,
        operation: &rate.operation,
        dimensions: rate.dimensions.clone(),
        effective_at: None,
        terms: Some(rate.rate.clone()),
        unit_cost: rate.unit_cost,
        note: rate.note.as_deref(),
    })?;
    Ok(true)
}
