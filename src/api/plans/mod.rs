//! credit_plan(), credit_tier(), credit_plan_cost(), credit_standard_plan(), credit_agreement() and credit_end_agreement().

pub mod purchases;
pub mod subscriptions;

use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::arguments;
use crate::domain::amount::Amount;
use crate::domain::plans::price_list::Model;
use crate::error::{self, Result};
use crate::plans::standard::{self, Bounds};
use crate::plans::{agreement as agreements, plan as plans};
use crate::store::connected;
use crate::store::plans::agreements::NewAgreement;
use crate::store::plans::{PlanTerms, TierTerms};

/// How many decimals a price has at most: the product with a discount is then exact.
const PRICE_DECIMALS: u32 = 12;

/// How many decimals a discount has at most.
const FRACTION_DECIMALS: u32 = 6;

/// The most years of a commitment.
const MAX_YEARS: usize = 10;

/// Creates a plan or changes what is given of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_plan(
    plan: Option<&str>,
    unit: default!(Option<&str>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    list_price: default!(Option<AnyNumeric>, "NULL"),
    model: default!(Option<&str>, "NULL"),
    reach: default!(Option<&str>, "NULL"),
    floor_margin: default!(Option<AnyNumeric>, "NULL"),
    below_floor: default!(Option<&str>, "NULL"),
    expiry: default!(Option<Interval>, "NULL"),
    rate_card: default!(Option<&str>, "NULL"),
    note: default!(Option<&str>, "NULL"),
) -> Result<String> {
    let plan = arguments::name("plan", plan)?;
    if let Some(model) = model.filter(|model| model.parse::<Model>().is_err()) {
        return Err(error::unknown_option("model", model, "volume, graduated, package, stairstep"));
    }
    let terms = PlanTerms {
        unit: arguments::optional_name("unit", unit)?,
        currency: arguments::optional_currency(currency)?,
        model,
        reach: option("reach", reach, &["purchase", "cumulative"])?,
        floor_margin: fraction("floor_margin", floor_margin)?,
        below_floor: option("below_floor", below_floor, &["refuse", "flag"])?,
        expiry: length("expiry", expiry)?,
        rate_card: arguments::optional_name("rate_card", rate_card)?,
        note: arguments::short("note", note)?,
    };
    let list_price = price("list_price", list_price)?;
    connected(|| plans::save(plan, &terms, list_price))?;
    Ok(plan.to_owned())
}

/// One of the words that an argument may be.
pub fn option<'a>(argument: &str, value: Option<&'a str>, known: &[&str]) -> Result<Option<&'a str>> {
    match value {
        Some(value) if !known.contains(&value) => Err(error::unknown_option(argument, value, &known.join(", "))),
        value => Ok(value),
    }
}

fn price(argument: &str, value: Option<AnyNumeric>) -> Result<Option<Decimal>> {
    let value = value.map(|value| arguments::decimal(argument, &value)).transpose()?;
    match value.filter(|value| value.scale() > PRICE_DECIMALS) {
        Some(precise) => Err(error::too_precise(argument, precise, PRICE_DECIMALS)),
        None => Ok(value),
    }
}

fn fraction(argument: &str, value: Option<AnyNumeric>) -> Result<Option<Decimal>> {
    let value = value.map(|value| arguments::decimal(argument, &value)).transpose()?;
    match value {
        Some(value) if value > Decimal::ONE || (value == Decimal::ONE && argument == "floor_margin") => {
            Err(error::not_a_fraction(argument, value))
        }
        Some(value) if value.scale() > FRACTION_DECIMALS => Err(error::too_precise(argument, value, FRACTION_DECIMALS)),
        value => Ok(value),
    }
}

/// A length of time above zero that may be left out.
pub fn length(argument: &str, value: Option<Interval>) -> Result<Option<Interval>> {
    let parts = |length: &Interval| [i64::from(length.months()), i64::from(length.days()), length.micros()];
    let is_length = |length: &Interval| parts(length).iter().all(|part| *part >= 0) && parts(length) != [0, 0, 0];
    match arguments::optional_length(argument, value)? {
        Some(length) if !is_length(&length) => Err(error::not_a_length(argument)),
        length => Ok(length),
    }
}

/// Makes a version of a tier, or ends the tier; the version's id, NULL for none.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_tier(
    plan: Option<&str>,
    tier: Option<&str>,
    from_quantity: default!(Option<AnyNumeric>, "NULL"),
    discount: default!(Option<AnyNumeric>, "NULL"),
    unit_price: default!(Option<AnyNumeric>, "NULL"),
    flat: default!(Option<AnyNumeric>, "NULL"),
    billing_period: default!(Option<&str>, "NULL"),
    commitment: default!(Option<Interval>, "NULL"),
    expiry: default!(Option<Interval>, "NULL"),
    negotiated: default!(Option<bool>, "false"),
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    withdraw: default!(Option<bool>, "false"),
    override_reason: default!(Option<&str>, "NULL"),
    note: default!(Option<&str>, "NULL"),
) -> Result<Option<i64>> {
    let plan = arguments::name("plan", plan)?;
    let tier = arguments::name("tier", tier)?;
    let effective_at = arguments::optional_instant("effective_at", effective_at)?;
    if arguments::required("withdraw", withdraw)? {
        return connected(|| plans::end_tier(plan, tier, effective_at)).map(|()| None);
    }
    let new = plans::Tier {
        plan,
        tier,
        from: arguments::quantity_of("from_quantity", from_quantity.as_ref())?,
        discount: fraction("discount", discount)?,
        unit_price: price("unit_price", unit_price)?,
        flat: price("flat", flat)?,
        is_negotiated: arguments::required("negotiated", negotiated)?,
        effective_at,
        terms: TierTerms {
            billing_period: option("billing_period", billing_period, &["month", "quarter", "year"])?,
            commitment: length("commitment", commitment)?,
            expiry: length("expiry", expiry)?,
            override_reason: arguments::optional_name("override_reason", override_reason)?,
            note: arguments::short("note", note)?,
        },
    };
    let has_price = new.discount.is_some() || new.unit_price.is_some() || new.flat.is_some();
    if (new.discount.is_some() && new.unit_price.is_some()) || has_price == new.is_negotiated {
        return Err(error::one_price(
            "a tier",
            "Give discount or unit_price, or only flat; or negotiated => true without a price.",
        ));
    }
    connected(|| plans::save_tier(&new)).map(Some)
}

/// Records the provider's cost of one credit from a quantity on.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_plan_cost(
    plan: Option<&str>,
    unit_cost: Option<AnyNumeric>,
    from_quantity: default!(Option<AnyNumeric>, "0"),
) -> Result<String> {
    let plan = arguments::name("plan", plan)?;
    let unit_cost = arguments::required("unit_cost", price("unit_cost", unit_cost)?)?;
    let from = arguments::quantity_of("from_quantity", from_quantity.as_ref())?;
    connected(|| plans::save_cost(plan, from, unit_cost))?;
    Ok(plan.to_owned())
}

/// Installs the standard structure: Starter, Growth, Scale and Enterprise.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_standard_plan(
    plan: Option<&str>,
    unit: Option<&str>,
    currency: Option<&str>,
    list_price: Option<AnyNumeric>,
    growth_from: default!(Option<AnyNumeric>, "100000"),
    scale_from: default!(Option<AnyNumeric>, "1000000"),
    enterprise_from: default!(Option<AnyNumeric>, "10000000"),
) -> Result<String> {
    let plan = arguments::name("plan", plan)?;
    let terms = PlanTerms {
        unit: Some(arguments::name("unit", unit)?),
        currency: arguments::optional_currency(Some(arguments::required("currency", currency)?))?,
        model: Some("volume"),
        ..PlanTerms::default()
    };
    let list_price = arguments::required("list_price", price("list_price", list_price)?)?;
    let bounds = Bounds {
        growth: arguments::positive_amount("growth_from", growth_from.as_ref())?,
        scale: arguments::positive_amount("scale_from", scale_from.as_ref())?,
        enterprise: arguments::positive_amount("enterprise_from", enterprise_from.as_ref())?,
    };
    connected(|| standard::install(plan, &terms, list_price, bounds))?;
    Ok(plan.to_owned())
}

/// Agrees with an account about a plan; the agreement's id.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_agreement(
    account: Option<&str>,
    plan: Option<&str>,
    tier: default!(Option<&str>, "NULL"),
    unit_price: default!(Option<AnyNumeric>, "NULL"),
    discount: default!(Option<AnyNumeric>, "NULL"),
    committed_quantity: default!(Option<Vec<Option<AnyNumeric>>>, "NULL"),
    committed_money: default!(Option<Vec<Option<AnyNumeric>>>, "NULL"),
    expiry: default!(Option<Interval>, "NULL"),
    pooling: default!(Option<&str>, "NULL"),
    rate_card: default!(Option<&str>, "NULL"),
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    ended_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    override_reason: default!(Option<&str>, "NULL"),
    note: default!(Option<&str>, "NULL"),
) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let effective_at = arguments::optional_instant("effective_at", effective_at)?;
    let new = NewAgreement {
        account,
        plan: arguments::name("plan", plan)?,
        effective_at: effective_at.unwrap_or_default(),
        ended_at: arguments::optional_instant("ended_at", ended_at)?,
        tier: arguments::optional_name("tier", tier)?,
        unit_price: price("unit_price", unit_price)?,
        discount: fraction("discount", discount)?,
        committed_quantity: years("committed_quantity", committed_quantity)?,
        committed_money: years("committed_money", committed_money)?,
        expiry: length("expiry", expiry)?,
        pooling: option("pooling", pooling, &["pooled", "per_seat"])?,
        rate_card: arguments::optional_name("rate_card", rate_card)?,
        override_reason: arguments::optional_name("override_reason", override_reason)?,
        note: arguments::short("note", note)?,
    };
    let prices = [new.tier.is_some(), new.unit_price.is_some(), new.discount.is_some()];
    if prices.iter().filter(|given| **given).count() > 1 {
        return Err(error::one_price(
            "an agreement",
            "Give tier, unit_price or discount, or none for the plan's prices as they are.",
        ));
    }
    if new.committed_quantity.is_some() && new.committed_money.is_some() {
        return Err(error::invalid_commitment());
    }
    connected(|| agreements::save(new, effective_at))
}

/// The commitment of each year.
fn years(argument: &str, values: Option<Vec<Option<AnyNumeric>>>) -> Result<Option<Vec<Amount>>> {
    let Some(values) = values else { return Ok(None) };
    let amount = |value: &Option<AnyNumeric>| {
        arguments::positive_amount(argument, Some(value.as_ref().ok_or_else(|| error::null_element(argument))?))
    };
    if values.is_empty() || values.len() > MAX_YEARS {
        return Err(error::invalid_commitment());
    }
    values.iter().map(amount).collect::<Result<_>>().map(Some)
}

/// Ends what was agreed with an account about a plan.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_end_agreement(
    account: Option<&str>,
    plan: Option<&str>,
    ended_at: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> Result<String> {
    let account = arguments::name("account", account)?;
    let plan = arguments::name("plan", plan)?;
    let ended_at = arguments::optional_instant("ended_at", ended_at)?;
    connected(|| agreements::end(account, plan, ended_at))?;
    Ok(account.to_owned())
}
