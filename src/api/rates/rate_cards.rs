//! credit_rate_card(), credit_rate(), credit_discard_drafts(), credit_publish() and credit_publish_preview().

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::exact::Rounding;
use crate::domain::rates::rate::{Rate, Scope, Tier};
use crate::error::{self, Result};
use crate::rates::card as cards;
use crate::rates::card::Prepared;
use crate::rates::publish::{self, Change, Publication};
use crate::store::connected;
use crate::store::rates::rate_cards::{self, CardTerms};
use crate::values;
use crate::values::json::JsonText;

/// Creates a rate card or changes what is given of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_rate_card(
    card: Option<&str>,
    unit: default!(Option<&str>, "NULL"),
    notice: default!(Option<Interval>, "NULL"),
    is_default: default!(Option<bool>, "NULL"),
    agreement: default!(Option<&str>, "NULL"),
    note: default!(Option<&str>, "NULL"),
) -> Result<String> {
    let card = arguments::name("card", card)?;
    let unit = arguments::optional_name("unit", unit)?;
    let notice = arguments::notice(notice)?;
    let agreement = arguments::optional_name("agreement", agreement)?;
    let note = arguments::short("note", note)?;
    connected(|| cards::save(card, &CardTerms { unit, is_default, notice, agreement, note }))?;
    Ok(card.to_owned())
}

/// Prepares a rate; publishing makes a version of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_rate(
    card: Option<&str>,
    operation: Option<&str>,
    credits: default!(Option<AnyNumeric>, "NULL"),
    per: default!(Option<AnyNumeric>, "1"),
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    unit_cost: default!(Option<AnyNumeric>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
    note: default!(Option<&str>, "NULL"),
    block: default!(Option<bool>, "false"),
    minimum: default!(Option<AnyNumeric>, "NULL"),
    tier_from: default!(Option<Vec<Option<AnyNumeric>>>, "NULL"),
    tier_credits: default!(Option<Vec<Option<AnyNumeric>>>, "NULL"),
    tier_scope: default!(Option<&str>, "NULL"),
    withdraw: default!(Option<bool>, "false"),
) -> Result<i64> {
    let withdraw = arguments::required("withdraw", withdraw)?;
    let terms = match (&credits, withdraw) {
        (Some(_), true) => return Err(error::withdrawn_with_credits()),
        (None, true) => None,
        (credits, false) => Some(Rate {
            credits: arguments::decimal("credits", arguments::required("credits", credits.as_ref())?)?,
            per: arguments::decimal("per", arguments::required("per", per.as_ref())?)?,
            block: arguments::required("block", block)?,
            minimum: minimum.map(|minimum| arguments::decimal("minimum", &minimum)).transpose()?,
            tiers: tiers(tier_from, tier_credits)?,
            scope: scope(tier_scope)?,
        }),
    };
    let prepared = Prepared {
        card: arguments::name("card", card)?,
        operation: arguments::name("operation", operation)?,
        dimensions: arguments::dimensions(dimensions.as_ref())?.unwrap_or_default(),
        effective_at: arguments::optional_instant("effective_at", effective_at)?,
        terms,
        unit_cost: unit_cost.map(|cost| arguments::decimal("unit_cost", &cost)).transpose()?,
        note: arguments::short("note", note)?,
    };
    connected(|| cards::prepare(&prepared))
}

fn tiers(from: Option<Vec<Option<AnyNumeric>>>, credits: Option<Vec<Option<AnyNumeric>>>) -> Result<Vec<Tier>> {
    let (from, credits) = (from.unwrap_or_default(), credits.unwrap_or_default());
    if from.len() != credits.len() {
        return Err(error::unequal_tiers(from.len(), credits.len()));
    }
    let number = |argument: &str, value: &Option<AnyNumeric>| {
        arguments::decimal(argument, value.as_ref().ok_or_else(|| error::null_element(argument))?)
    };
    let tier = |(from, credits)| Ok(Tier { from: number("tier_from", from)?, credits: number("tier_credits", credits)? });
    from.iter().zip(&credits).map(tier).collect()
}

fn scope(scope: Option<&str>) -> Result<Scope> {
    let scope = scope.unwrap_or("call");
    scope.parse().map_err(|()| error::unknown_option("tier_scope", scope, "call, day, month, quarter, year"))
}

/// Throws prepared rates away; how many.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_discard_drafts(
    card: Option<&str>,
    operation: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let card = arguments::name("card", card)?;
    let operation = arguments::optional_name("operation", operation)?;
    let dimensions = arguments::dimensions(dimensions.as_ref())?;
    connected(|| cards::discard(card, operation, dimensions.as_ref()))
}

/// Makes versions of all that is prepared for a card, in one step; how many.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_publish(
    card: Option<&str>,
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    override_reason: default!(Option<&str>, "NULL"),
    supersede: default!(Option<bool>, "false"),
) -> Result<i32> {
    let publication = Publication {
        card: arguments::name("card", card)?,
        effective_at: arguments::optional_instant("effective_at", effective_at)?,
        override_reason: arguments::optional_name("override_reason", override_reason)?,
        supersede: arguments::required("supersede", supersede)?,
    };
    connected(|| publish::publish(publication))
}

/// The changes that publishing would make: a row for each prepared rate.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_publish_preview(
    card: Option<&str>,
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    supersede: default!(Option<bool>, "false"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(operation, String),
            name!(dimensions, String),
            name!(effective_at, TimestampWithTimeZone),
            name!(old_credits, Option<AnyNumeric>),
            name!(old_per, Option<AnyNumeric>),
            name!(new_credits, Option<AnyNumeric>),
            name!(new_per, Option<AnyNumeric>),
            name!(change_percent, Option<AnyNumeric>),
            name!(worse, bool),
            name!(earliest, Option<TimestampWithTimeZone>),
            name!(accounts, i64),
        ),
    >,
> {
    let card = arguments::name("card", card)?;
    let publication = Publication {
        card,
        effective_at: arguments::optional_instant("effective_at", effective_at)?,
        override_reason: None,
        supersede: arguments::required("supersede", supersede)?,
    };
    let (changes, notice_until, accounts) =
        connected(|| publish::preview(publication).map(|(changes, until)| (changes, until, rate_cards::users(card))))?;
    let row = |change: Change| {
        let terms = |rate: &Option<crate::domain::rates::rate::Rate>| {
            rate.as_ref().map(|rate| (values::numeric_of_decimal(rate.credits), values::numeric_of_decimal(rate.per))).unzip()
        };
        let ((old_credits, old_per), (new_credits, new_per)) = (terms(&change.before), terms(&change.after));
        let percent = change.percent().and_then(|percent| percent.round_decimal(2, Rounding::HalfEven));
        (
            change.draft.operation.clone(),
            change.draft.dimensions.to_json(),
            values::timestamptz(change.effective_at),
            old_credits,
            old_per,
            new_credits,
            new_per,
            percent.map(values::numeric_of_decimal),
            change.worse,
            (change.too_soon && accounts > 0).then(|| values::timestamptz(notice_until)),
            accounts,
        )
    };
    Ok(TableIterator::new(changes.into_iter().map(row).collect::<Vec<_>>()))
}
