//! credit_reprice() and credit_reprice_preview(): the next rate when costs change, and what customers would have paid by it.

use std::collections::BTreeMap;

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::exact::{Fraction, Rounding};
use crate::domain::rates::replay::{self, Comparison};
use crate::domain::rates::reprice::{self, Policy};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::rates::card as cards;
use crate::rates::card::Prepared;
use crate::server::clock;
use crate::store::connected;
use crate::store::rates::{rate_cards, repricing};
use crate::values;
use crate::values::json::JsonText;

/// How many days of usage are replayed at most.
const MAX_DAYS: i32 = 3_660;

/// How many decimals of a change in percent are shown.
const PERCENT_DECIMALS: u32 = 4;

/// Writes the draft of the rate that follows from a new cost.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_reprice(
    card: Option<&str>,
    operation: Option<&str>,
    new_unit_cost: Option<AnyNumeric>,
    policy: Option<&str>,
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    target_margin: default!(Option<AnyNumeric>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(rate, i64),
            name!(old_credits, AnyNumeric),
            name!(new_credits, AnyNumeric),
            name!(per, AnyNumeric),
            name!(change_percent, Option<AnyNumeric>),
            name!(margin_before, Option<AnyNumeric>),
            name!(margin_after, Option<AnyNumeric>),
            name!(old_cost, Option<AnyNumeric>),
            name!(new_cost, AnyNumeric),
        ),
    >,
> {
    let card = arguments::name("card", card)?;
    let operation = arguments::name("operation", operation)?;
    let cost = arguments::decimal("new_unit_cost", &arguments::required("new_unit_cost", new_unit_cost)?)?;
    let policy = policy_of(arguments::required("policy", policy)?, target_margin)?;
    let effective_at = arguments::optional_instant("effective_at", effective_at)?;
    let dimensions = arguments::dimensions(dimensions.as_ref())?.unwrap_or_default();
    connected(|| {
        let terms = rate_cards::card(card).ok_or_else(|| error::unknown_card(card))?;
        let old = repricing::in_force(card, operation, &dimensions, effective_at.unwrap_or_else(clock::now))
            .ok_or_else(|| error::no_rate_in_force(card, operation, &dimensions.to_json()))?;
        let fiat = repricing::fiat_per_credit(&terms.unit);
        let new = reprice::reprice(&old, cost, fiat, policy).map_err(|broken| error::cannot_reprice(card, operation, broken))?;
        let old_cost = old.unit_cost.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
        let note = format!("cost {old_cost} to {cost}");
        let draft = cards::prepare(&Prepared {
            card,
            operation,
            dimensions,
            effective_at,
            terms: Some(new.rate.clone()),
            unit_cost: new.unit_cost,
            note: Some(&note),
        })?;
        let number = values::numeric_of_decimal;
        Ok(TableIterator::once((
            draft,
            number(old.rate.credits),
            number(new.rate.credits),
            number(new.rate.per),
            reprice::change_percent(&old.rate, &new.rate).map(number),
            old.margin(fiat).map(number),
            new.margin(fiat).map(number),
            old.unit_cost.map(number),
            number(cost),
        )))
    })
}

/// The policy of a name; a target belongs to `adjust` and to nothing else.
fn policy_of(name: &str, target_margin: Option<AnyNumeric>) -> Result<Policy> {
    let target = target_margin.map(|margin| arguments::decimal("target_margin", &margin)).transpose()?;
    match (name, target) {
        ("pass_through", None) => Ok(Policy::PassThrough),
        ("hold", None) => Ok(Policy::Hold),
        ("adjust", Some(target)) => Ok(Policy::Adjust(target)),
        ("adjust", None) => Err(error::null_argument("target_margin")),
        ("pass_through" | "hold", Some(_)) => Err(error::needless_target(name)),
        _ => Err(error::unknown_option("policy", name, "pass_through, hold, adjust")),
    }
}

/// Replays the usage of all accounts of the last days by the card as it will be once its drafts are published. They are meant by
/// leaving the account out, so a NULL of a join never means them.
#[pg_extern(name = "credit_reprice_preview", security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_reprice_preview_of_all(
    card: Option<&str>,
    days: default!(Option<i32>, 30),
) -> Result<
    TableIterator<
        'static,
        (
            name!(account, String),
            name!(charged, AnyNumeric),
            name!(would_be, AnyNumeric),
            name!(difference, AnyNumeric),
            name!(change_percent, Option<AnyNumeric>),
            name!(unpriced, AnyNumeric),
        ),
    >,
> {
    compare(card, days, None)
}

/// The same of one account.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_reprice_preview(
    card: Option<&str>,
    account: Option<&str>,
    days: default!(Option<i32>, 30),
) -> Result<
    TableIterator<
        'static,
        (
            name!(account, String),
            name!(charged, AnyNumeric),
            name!(would_be, AnyNumeric),
            name!(difference, AnyNumeric),
            name!(change_percent, Option<AnyNumeric>),
            name!(unpriced, AnyNumeric),
        ),
    >,
> {
    let account = arguments::name("account", account)?;
    compare(card, days, Some(account))
}

type Previewed = (String, AnyNumeric, AnyNumeric, AnyNumeric, Option<AnyNumeric>, AnyNumeric);

fn compare(card: Option<&str>, days: Option<i32>, account: Option<&str>) -> Result<TableIterator<'static, Previewed>> {
    let card = arguments::name("card", card)?;
    let days = arguments::days("days", days, MAX_DAYS)?;
    let compared: BTreeMap<String, Comparison> = connected(|| {
        let terms = rate_cards::card_for_reader(card).ok_or_else(|| error::unknown_card(card))?;
        if let Some(account) = account {
            account::find_for_reader(account, None, None)?;
        }
        let offers = repricing::as_it_will_be(card);
        let with_earlier = offers.iter().any(|offer| offer.rate.counts_over_a_period());
        let uses = repricing::usage(card, days, account, with_earlier);
        replay::replay(&offers, &uses, terms.precision)
            .ok_or_else(|| error::result_out_of_range("a price of the preview", format!("days={days}")))
    })?;
    Ok(TableIterator::new(compared.into_iter().map(|(account, comparison)| preview(account, comparison))))
}

fn preview(account: String, comparison: Comparison) -> Previewed {
    let Comparison { charged, would_be, unpriced } = comparison;
    let comparable = charged.checked_sub(unpriced).expect("a part of what was charged");
    let difference = would_be.checked_sub(comparable).expect("a difference of two amounts above zero");
    let percent = Fraction::from(difference).times(&Fraction::whole(100)).over(&Fraction::from(comparable));
    let percent = percent.and_then(|percent| percent.round_decimal(PERCENT_DECIMALS, Rounding::HalfEven));
    (
        account,
        values::numeric(charged),
        values::numeric(would_be),
        values::numeric(difference),
        percent.map(values::numeric_of_decimal),
        values::numeric(unpriced),
    )
}
