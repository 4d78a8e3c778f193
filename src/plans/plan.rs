//! Plans, their list prices, tiers and costs.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::plans::price_list::Model;
use crate::error::{self, Result};
use crate::plans::quote;
use crate::server::clock;
use crate::store::Snapshot;
use crate::store::plans::{self, PlanTerms, TierTerms, TierVersion};
use crate::store::rates::{rate_cards, units};

/// Creates a plan or changes what is given of it; another list price is another version of it.
///
/// # Errors
/// 22023 a new plan without unit, currency or list price, or an unknown currency; P0002 unknown unit or rate card; 55000 another
/// unit, currency or model once the plan has tiers.
pub fn save(plan: &str, terms: &PlanTerms<'_>, list_price: Option<Decimal>) -> Result<()> {
    let now = clock::now();
    check_names(terms, now)?;
    if !plans::lock(plan) {
        let unit = terms.unit.ok_or_else(|| error::null_argument("unit"))?;
        let currency = terms.currency.ok_or_else(|| error::null_argument("currency"))?;
        let list_price = list_price.ok_or_else(|| error::null_argument("list_price"))?;
        if plans::create(plan, unit, currency, terms, now) {
            plans::add_price(plan, now, list_price, now);
            return Ok(());
        }
        // Somebody else just created it.
        return save(plan, terms, Some(list_price));
    }
    let now = clock::now();
    let before = plans::plan(plan, Snapshot::Fresh).expect("a locked plan");
    let model = before.model.to_string();
    let fixed = [
        ("unit", terms.unit, before.unit.as_str()),
        ("currency", terms.currency, before.currency.as_str()),
        ("model", terms.model, model.as_str()),
    ];
    let changed = fixed.iter().find(|(_, asked, known)| asked.is_some_and(|asked| asked != *known));
    if let Some((argument, _, known)) = changed.filter(|_| plans::is_settled(plan)) {
        return Err(error::plan_settled(plan, argument, known));
    }
    plans::change(plan, terms);
    change_list_price(plan, list_price, now)
}

fn check_names(terms: &PlanTerms<'_>, now: DateTime<Utc>) -> Result<()> {
    if let Some(currency) = terms.currency {
        quote::currency_decimals(currency)?;
    }
    if let Some(card) = terms.rate_card.filter(|card| rate_cards::card(card).is_none()) {
        return Err(error::unknown_card(card));
    }
    match terms.unit.filter(|unit| !units::exists(unit)) {
        Some(units::DEFAULT_UNIT) => units::ensure_default(now),
        Some(unit) => return Err(error::unknown_unit(unit)),
        None => {}
    }
    Ok(())
}

fn change_list_price(plan: &str, list_price: Option<Decimal>, now: DateTime<Utc>) -> Result<()> {
    let known = plans::list_price(plan, now, Snapshot::Fresh);
    let Some(list_price) = list_price.filter(|list_price| known != Some(*list_price)) else { return Ok(()) };
    match plans::last_price_at(plan).filter(|last| *last >= now) {
        Some(last) => Err(error::price_in_force(plan, "list_price", last, now)),
        None => {
            plans::add_price(plan, now, list_price, now);
            Ok(())
        }
    }
}

/// A tier as the caller said it.
pub struct Tier<'a> {
    pub plan: &'a str,
    pub tier: &'a str,
    pub from: Amount,
    pub discount: Option<Decimal>,
    pub unit_price: Option<Decimal>,
    pub flat: Option<Decimal>,
    /// It has no price but by agreement.
    pub is_negotiated: bool,
    pub effective_at: Option<DateTime<Utc>>,
    pub terms: TierTerms<'a>,
}

/// Makes a version of a tier, which ends the one before; its id.
///
/// # Errors
/// P0002 unknown plan; 22023 tiers that leave a gap or overlap, a flat fee that cannot be paid; 55000 in the past, or after a
/// version that is announced, or below the floor without a reason.
pub fn save_tier(tier: &Tier<'_>) -> Result<i64> {
    let (now, from) = locked(tier.plan, tier.effective_at)?;
    let plan = plans::plan(tier.plan, Snapshot::Fresh).expect("a locked plan");
    tier.from
        .within(plan.unit_decimals)
        .map_err(|_| error::too_many_decimals("from_quantity", &tier.from.to_string(), plan.unit_decimals))?;
    check_flat(tier.flat, &plan.currency)?;
    if plan.model == Model::Stairstep
        && !tier.is_negotiated
        && (tier.flat.is_none() || tier.discount.or(tier.unit_price).is_some())
    {
        return Err(error::step_without_flat(tier.plan, tier.tier));
    }
    let new = TierVersion {
        version: plans::next_tier_id(),
        tier: tier.tier.to_owned(),
        from: tier.from,
        discount: tier.discount,
        unit_price: tier.unit_price,
        flat: tier.flat,
        is_negotiated: tier.is_negotiated,
        is_excused: tier.terms.override_reason.is_some(),
        effective_at: from,
        ended_at: None,
    };
    let ladder = replaced(tier.plan, tier.tier, from, Some(&new))?;
    check_ladders(tier.plan, &plan, &ladder, from)?;
    check_floor(tier.plan, &plan, &new, from)?;
    end_current(tier.plan, tier.tier, from);
    plans::add_tier(tier.plan, &new, &tier.terms, now);
    Ok(new.version)
}

/// A flat fee is paid as it is, so it can be paid; prices per credit may be finer.
fn check_flat(flat: Option<Decimal>, currency: &str) -> Result<()> {
    let decimals = quote::currency_decimals(currency)?;
    match flat.filter(|flat| flat.normalize().scale() > decimals) {
        Some(flat) => Err(error::too_many_decimals_of_money("flat", &flat.to_string(), currency, decimals)),
        None => Ok(()),
    }
}

/// Ends a tier.
///
/// # Errors
/// As [`save_tier`]; P0002 when there is no such tier.
pub fn end_tier(plan: &str, tier: &str, effective_at: Option<DateTime<Utc>>) -> Result<()> {
    let (_, from) = locked(plan, effective_at)?;
    let terms = plans::plan(plan, Snapshot::Fresh).expect("a locked plan");
    let ladder = replaced(plan, tier, from, None)?;
    if !end_current(plan, tier, from) {
        return Err(error::unknown_tier(plan, tier));
    }
    if ladder.iter().any(|tier| tier.is_in_force(from)) {
        check_ladders(plan, &terms, &ladder, from)?;
    }
    Ok(())
}

/// Locks the plan; the time then, and when the change takes effect.
fn locked(plan: &str, effective_at: Option<DateTime<Utc>>) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    if !plans::lock(plan) {
        return Err(error::unknown_plan(plan));
    }
    let now = clock::now();
    let from = clock::of_now(effective_at.unwrap_or(now), now);
    if from < now {
        return Err(error::price_in_force(plan, "effective_at", from, now));
    }
    Ok((now, from))
}

/// The tiers of the plan as they will be, with a version of one of them in the place of the one before.
fn replaced(plan: &str, tier: &str, from: DateTime<Utc>, new: Option<&TierVersion>) -> Result<Vec<TierVersion>> {
    let mut tiers = plans::tiers_from(plan, from, Snapshot::Fresh);
    if let Some(later) = tiers.iter().find(|known| known.tier == tier && known.effective_at > from) {
        return Err(error::tier_announced(plan, tier, later.effective_at));
    }
    tiers.retain(|known| known.tier != tier);
    tiers.extend(new.cloned());
    Ok(tiers)
}

/// From when on it is to be, at every instant at which a tier begins or ends, the tiers must leave no gap and not overlap.
fn check_ladders(name: &str, plan: &plans::Plan, tiers: &[TierVersion], from: DateTime<Utc>) -> Result<()> {
    let bounds = tiers.iter().flat_map(|tier| [Some(tier.effective_at), tier.ended_at]).flatten();
    for at in bounds.filter(|at| *at > from).chain([from]) {
        let in_force: Vec<_> = tiers.iter().filter(|tier| tier.is_in_force(at)).cloned().collect();
        if let [one, other] = negotiated_above(&in_force).unwrap_or_default().as_slice() {
            return Err(error::priced_above_negotiated(name, one, other));
        }
        if in_force.iter().any(|tier| !tier.is_negotiated) {
            let list_price = plans::list_price(name, at, Snapshot::Fresh).ok_or_else(|| error::no_list_price(name, at))?;
            quote::price_list(name, plan, &in_force, list_price)?;
        }
    }
    Ok(())
}

/// A negotiated tier is the last one: the tier with a price that begins at or above one, and that one.
fn negotiated_above(tiers: &[TierVersion]) -> Option<Vec<String>> {
    let negotiated = tiers.iter().filter(|tier| tier.is_negotiated).min_by_key(|tier| tier.from)?;
    let above = tiers.iter().find(|tier| tier.version != negotiated.version && tier.from >= negotiated.from)?;
    Some(vec![above.tier.clone(), negotiated.tier.clone()])
}

/// A tier's smallest quantity has its smallest margin, but for a flat price.
fn check_floor(name: &str, plan: &plans::Plan, tier: &TierVersion, at: DateTime<Utc>) -> Result<()> {
    if tier.is_negotiated || tier.is_excused || plan.flags_only {
        return Ok(());
    }
    let smallest = Amount::from_nanos(10_i128.pow(9 - plan.unit_decimals)).expect("the smallest quantity");
    let quantity = if tier.from.is_zero() { smallest } else { tier.from };
    let list_price = plans::list_price(name, at, Snapshot::Fresh).ok_or_else(|| error::no_list_price(name, at))?;
    let Some(cost) = plans::unit_cost(name, quantity, at, Snapshot::Fresh) else { return Ok(()) };
    let price = quote::unit_price(tier, list_price)?;
    check_price(name, plan, price, tier.flat, quantity, cost)
}

/// Whether a price leaves the margin that the plan asks for.
///
/// # Errors
/// 55000.
pub fn check_price(
    name: &str,
    plan: &plans::Plan,
    price: Decimal,
    flat: Option<Decimal>,
    quantity: Amount,
    cost: Decimal,
) -> Result<()> {
    use crate::domain::exact::Fraction;
    let quantity = Fraction::from(quantity);
    let flat = flat.map_or_else(Fraction::zero, Fraction::from);
    let total = Fraction::from(price).times(&quantity).plus(&flat);
    let costs = Fraction::from(cost).times(&quantity);
    let Some(floor) = plan.floor_margin else { return Ok(()) };
    let keeps = Fraction::whole(1).minus(&Fraction::from(floor));
    if costs > total.times(&keeps) { Err(error::below_floor(name, price, cost, floor)) } else { Ok(()) }
}

/// Ends the version of a tier that is in force at an instant, then; whether there was one.
fn end_current(plan: &str, tier: &str, at: DateTime<Utc>) -> bool {
    let current = plans::tiers_from(plan, at, Snapshot::Fresh);
    let current = current.iter().find(|known| known.tier == tier && known.is_in_force(at));
    current.map(|current| plans::end_tier(current.version, at)).is_some()
}

/// Records the provider's cost of one credit from a quantity on, as of now.
///
/// # Errors
/// P0002 unknown plan; 55000 when such a cost is known from now on.
pub fn save_cost(plan: &str, from_quantity: Amount, unit_cost: Decimal) -> Result<()> {
    let (now, _) = locked(plan, None)?;
    if plans::cost_is_taken(plan, from_quantity, now) {
        return Err(error::price_in_force(plan, "unit_cost", now, now));
    }
    plans::add_cost(plan, from_quantity, unit_cost, now);
    Ok(())
}
