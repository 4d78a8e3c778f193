//! Refusals of plans, agreements, quotes and purchases.

mod subscriptions;

pub use subscriptions::*;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::plans::price_list::PriceListError;
use crate::error::{invalid, names, not_found, plain, wrong_state};

// 22023 invalid_parameter_value

/// 22023: another currency than the plan's.
pub fn other_currency(plan: &str, known: &str, asked: &str) -> ErrorReport {
    invalid(
        format!("plan \"{plan}\" is sold in {known}, not in {asked}"),
        format!("argument=currency plan={} currency={known} requested={}", plain(plan), plain(asked)),
        "Leave currency out, or use a plan in that currency.",
    )
}

/// 22023: neither or both of quantity and budget.
pub fn quantity_or_budget() -> ErrorReport {
    invalid(
        "either quantity or budget must be given",
        "argument=quantity",
        "Give how many credits (quantity), or how much money (budget), not both.",
    )
}

/// 22023: a budget that buys nothing, or everything.
pub fn budget_buys_no_quantity(plan: &str, budget: Amount) -> ErrorReport {
    invalid(
        format!("a budget of {budget} does not say how many credits of plan \"{plan}\" it buys"),
        format!("argument=budget plan={} budget={budget}", plain(plan)),
        "It is below the price of the smallest quantity, or the last step of the plan has no end; give a quantity.",
    )
}

/// 22023: credits whose price is rounded to nothing: bought again and again they would be free.
pub fn costs_too_little(plan: &str, quantity: Amount, currency: &str) -> ErrorReport {
    invalid(
        format!("{quantity} credits of plan \"{plan}\" cost less than can be paid in {currency}"),
        format!("argument=quantity plan={} quantity={quantity} currency={currency} total=0", plain(plan)),
        "Buy more of them at once.",
    )
}

/// 22023: a number that must be a part of one.
pub fn not_a_fraction(argument: &str, value: Decimal) -> ErrorReport {
    invalid(
        format!("{argument} must be between 0 and 1, not {value}"),
        format!("argument={argument} value={value}"),
        "Twelve percent are 0.12.",
    )
}

/// 22023: a price or a discount with too many decimals.
pub fn too_precise(argument: &str, value: Decimal, decimals: u32) -> ErrorReport {
    invalid(
        format!("{argument} {value} has more than {decimals} decimals"),
        format!("argument={argument} value={value} decimals={decimals}"),
        "Prices have at most 12 decimals and discounts 6, so that their product is exact.",
    )
}

/// 22023: two prices for one tier or agreement, or none.
pub fn one_price(what: &str, known: &str) -> ErrorReport {
    invalid(format!("{what} must have one price"), format!("argument=unit_price what={what}"), known)
}

/// 22023: a length of time that is none.
pub fn not_a_length(argument: &str) -> ErrorReport {
    invalid(
        format!("{argument} must be a length of time above zero"),
        format!("argument={argument}"),
        "Give a length like '12 months', or leave it out.",
    )
}

/// 22023: instalments that are no schedule.
pub fn invalid_instalments(number: Option<i32>) -> ErrorReport {
    let value = number.map(|number| number.to_string()).unwrap_or_default();
    invalid(
        "instalments must be from 2 to 120, and have an instalment_period",
        format!("argument=instalments value={value}"),
        "Give for example instalments => 12, instalment_period => '1 month'; without one the billing period of the tier counts.",
    )
}

/// 22023: more instalments than the credits can be split into.
pub fn too_many_instalments(number: i32, quantity: Amount) -> ErrorReport {
    invalid(
        format!("{quantity} credits cannot be split into {number} instalments"),
        format!("argument=instalments value={number} quantity={quantity}"),
        "Each instalment must have at least the smallest quantity of the unit.",
    )
}

/// 22023: ways to split a purchase that exclude each other.
pub fn two_splits(one: &str, other: &str) -> ErrorReport {
    invalid(
        format!("{one} and {other} must not both be given"),
        format!("argument={other}"),
        "A lot has one cost basis: that of its band, or that of the whole purchase.",
    )
}

/// 22023: a commitment that says nothing, or two of them.
pub fn invalid_commitment() -> ErrorReport {
    invalid(
        "a commitment must be one array of positive amounts, one for each year",
        "argument=committed_quantity",
        "Give committed_quantity in credits, or committed_money in the plan's currency: ARRAY[100000, 150000, 200000].",
    )
}

/// 22023: an agreement that ends before it begins.
pub fn agreement_without_life(account: &str, plan: &str) -> ErrorReport {
    invalid(
        "ended_at must be after effective_at",
        format!("argument=ended_at account={} plan={}", plain(account), plain(plan)),
        "An agreement is valid from effective_at until just before ended_at; without an end, leave it out.",
    )
}

/// 22023: tiers that are no price list.
pub fn no_price_list(plan: &str, broken: &PriceListError) -> ErrorReport {
    let (problem, detail) = match broken {
        PriceListError::Empty => ("has no tiers with a price".to_owned(), String::new()),
        PriceListError::Gap(from) => (format!("has no price for quantities below {from}"), format!(" from_quantity={from}")),
        PriceListError::Overlap(one, other) => (
            format!("has two tiers that begin at the same quantity: \"{one}\" and \"{other}\""),
            format!(" one={} other={}", plain(one), plain(other)),
        ),
        PriceListError::EmptyBundle(tier) => {
            (format!("has a bundle without a size: \"{tier}\""), format!(" tier={}", plain(tier)))
        }
    };
    invalid(
        format!("plan \"{plan}\" {problem}"),
        format!("plan={}{detail}", plain(plan)),
        "Begin with the tier from quantity 0 (a bundle: from its size), and give each tier a from_quantity of its own.",
    )
}

/// 22023: tiers in the wrong order.
pub fn bounds_not_ascending() -> ErrorReport {
    invalid(
        "growth_from, scale_from and enterprise_from must ascend from above zero",
        "argument=growth_from",
        "Leave them out for 100000, 1000000 and 10000000 credits.",
    )
}

/// 22023: a tier with a price above one that is negotiated.
pub fn priced_above_negotiated(plan: &str, tier: &str, negotiated: &str) -> ErrorReport {
    invalid(
        format!("tier \"{tier}\" of plan \"{plan}\" must begin below the negotiated tier \"{negotiated}\""),
        format!("plan={} tier={} negotiated={}", plain(plan), plain(tier), plain(negotiated)),
        "The negotiated tier is the last one.",
    )
}

/// 22023: a step of a stairstep plan as the price of every quantity.
pub fn step_for_every_quantity(plan: &str, tier: &str) -> ErrorReport {
    invalid(
        format!("tier \"{tier}\" of plan \"{plan}\" is the price of a range of quantities, not of every one"),
        format!("argument=tier plan={} tier={}", plain(plan), plain(tier)),
        "Agree on unit_price or discount, or on nothing but the plan's prices as they are.",
    )
}

/// 22023: a step without its price, or with one for each credit.
pub fn step_without_flat(plan: &str, tier: &str) -> ErrorReport {
    invalid(
        format!("tier \"{tier}\" of plan \"{plan}\" must have a flat price, and no other"),
        format!("argument=flat plan={} tier={}", plain(plan), plain(tier)),
        "In a stairstep plan every quantity of a step costs the same: give flat instead of discount or unit_price.",
    )
}

// P0002 no_data_found

/// P0002: no such plan.
pub fn unknown_plan(plan: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_PLAN,
        format!("plan \"{plan}\" does not exist"),
        format!("plan={}", plain(plan)),
        "Create it with credit_plan().",
    )
}

/// P0002: no such tier, or none with a price.
pub fn unknown_tier(plan: &str, tier: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_TIER,
        format!("plan \"{plan}\" has no tier \"{tier}\" with a price"),
        format!("plan={} tier={}", plain(plan), plain(tier)),
        "The view credit.tier_economics shows the tiers in force.",
    )
}

/// P0002: the plan had no list price yet.
pub fn no_list_price(plan: &str, at: DateTime<Utc>) -> ErrorReport {
    not_found(
        names::NO_LIST_PRICE,
        format!("plan \"{plan}\" has no list price at {}", at.to_rfc3339()),
        format!("plan={} at={}", plain(plan), at.to_rfc3339()),
        "Set it with credit_plan(..., list_price => ...).",
    )
}

/// P0002: the account has no agreement about the plan.
pub fn unknown_agreement(account: &str, plan: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_AGREEMENT,
        format!("account \"{account}\" has no agreement about plan \"{plan}\""),
        format!("account={} plan={}", plain(account), plain(plan)),
        "Agree with credit_agreement().",
    )
}

/// P0002: the lot is none of a purchase.
pub fn unknown_purchase(account: &str, lot: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_PURCHASE,
        format!("lot {lot} of account \"{account}\" is not one of a purchase"),
        format!("account={} lot={lot}", plain(account)),
        "Give the id that credit_purchase(..., pending => true) returned.",
    )
}

// 55000 object_not_in_prerequisite_state

/// 55000: the unit, currency or model of a plan that is in use cannot change.
pub fn plan_settled(plan: &str, argument: &str, known: &str) -> ErrorReport {
    wrong_state(
        names::PLAN_SETTLED,
        format!("the {argument} of plan \"{plan}\" cannot change any more"),
        format!("plan={} argument={argument} value={}", plain(plan), plain(known)),
        "Tiers, agreements and purchases of the plan depend on it; use a new plan.",
    )
}

/// 55000: a price that was in force stays as it was.
pub fn price_in_force(plan: &str, argument: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::PRICE_IN_FORCE,
        format!("{argument} of plan \"{plan}\" cannot change for {}", at.to_rfc3339()),
        format!("plan={} argument={argument} at={} now={}", plain(plan), at.to_rfc3339(), now.to_rfc3339()),
        "A change takes effect from now on, or later, and after the one before.",
    )
}

/// 55000: a later version of the tier is announced.
pub fn tier_announced(plan: &str, tier: &str, at: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::TIER_ANNOUNCED,
        format!("a change of tier \"{tier}\" of plan \"{plan}\" is already announced for {}", at.to_rfc3339()),
        format!("plan={} tier={} announced={}", plain(plan), plain(tier), at.to_rfc3339()),
        "Let the new one take effect at that instant or after it.",
    )
}

/// 55000: a price that leaves less than the plan's floor margin.
pub fn below_floor(plan: &str, price: Decimal, cost: Decimal, floor: Decimal) -> ErrorReport {
    wrong_state(
        names::BELOW_FLOOR,
        format!("a price of {price} per credit is below the floor margin of plan \"{plan}\""),
        format!("plan={} unit_price={price} unit_cost={cost} floor_margin={floor}", plain(plan)),
        "Raise the price, or give a reason: override_reason => ...",
    )
}

/// A quote that earns less than the plan's floor margin.
#[derive(Clone, Copy, Debug)]
pub struct BelowFloor {
    pub quantity: Amount,
    pub bonus: Option<Amount>,
    pub total: Amount,
    pub margin_percent: Option<Decimal>,
    pub floor_margin: Option<Decimal>,
}

/// 55000: a quote that leaves less than the plan's floor margin.
pub fn quote_below_floor(plan: &str, quoted: &BelowFloor) -> ErrorReport {
    let text = |value: Option<Decimal>| value.map(|value| value.to_string()).unwrap_or_default();
    let with_bonus = quoted.bonus.map(|bonus| format!(" and a bonus of {bonus}")).unwrap_or_default();
    wrong_state(
        names::QUOTE_BELOW_FLOOR,
        format!("{} credits{with_bonus} for {} are below the floor margin of plan \"{plan}\"", quoted.quantity, quoted.total),
        format!(
            "plan={} quantity={} bonus={} total={} margin_percent={} floor_margin={}",
            plain(plan),
            quoted.quantity,
            quoted.bonus.map(|bonus| bonus.to_string()).unwrap_or_default(),
            quoted.total,
            text(quoted.margin_percent),
            text(quoted.floor_margin)
        ),
        "Raise the price, or buy with a reason: credit_purchase(..., override_reason => ...).",
    )
}

/// 55000: a quantity from this on has a price by agreement only.
pub fn needs_agreement(plan: &str, quantity: Amount, from: Amount) -> ErrorReport {
    wrong_state(
        names::NEEDS_AGREEMENT,
        format!("{quantity} credits of plan \"{plan}\" have no price without an agreement"),
        format!("plan={} quantity={quantity} negotiated_from={from}", plain(plan)),
        "Agree on a price with credit_agreement().",
    )
}

/// 55000: an agreement for the past stays as it was.
pub fn agreement_in_force(account: &str, plan: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::AGREEMENT_IN_FORCE,
        format!("the agreement of account \"{account}\" about plan \"{plan}\" cannot change for {}", at.to_rfc3339()),
        format!("account={} plan={} at={} now={}", plain(account), plain(plan), at.to_rfc3339(), now.to_rfc3339()),
        "Agree from now on, or later.",
    )
}

/// 55000: a later agreement is announced.
pub fn agreement_announced(account: &str, plan: &str, at: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::AGREEMENT_ANNOUNCED,
        format!("account \"{account}\" has an agreement about plan \"{plan}\" from {} on", at.to_rfc3339()),
        format!("account={} plan={} announced={}", plain(account), plain(plan), at.to_rfc3339()),
        "Let the new one begin at that instant or after it.",
    )
}

/// 55000: a purchase that was voided cannot be activated.
pub fn purchase_void(account: &str, lot: i64) -> ErrorReport {
    wrong_state(
        names::PURCHASE_VOID,
        format!("the purchase of lot {lot} of account \"{account}\" was voided"),
        format!("account={} lot={lot} status=void", plain(account)),
        "Buy again with credit_purchase().",
    )
}
