//! The terms that were agreed with an account about a plan.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::plans::price_list::Model;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::plans::{plan, quote};
use crate::pools::pooling;
use crate::server::clock;
use crate::store::Snapshot;
use crate::store::plans;
use crate::store::plans::agreements::{self, NewAgreement};
use crate::store::rates::rate_cards;

/// Agrees: the agreement before ends where the new one begins. Its id. `effective_at` of `new` counts if it is given.
///
/// # Errors
/// P0002 unknown plan, tier or rate card; 22023 what contradicts itself; 55000 in the past, before an agreement that is
/// announced, or below the floor without a reason.
pub fn save(mut new: NewAgreement<'_>, effective_at: Option<DateTime<Utc>>) -> Result<i64> {
    let terms = plans::plan(new.plan, Snapshot::Fresh).ok_or_else(|| error::unknown_plan(new.plan))?;
    if let Some(card) = new.rate_card.filter(|card| rate_cards::card(card).is_none()) {
        return Err(error::unknown_card(card));
    }
    for money in new.committed_money.iter().flatten() {
        quote::check_money("committed_money", *money, &terms.currency)?;
    }
    account::find_or_create(new.account, Some(&terms.unit), None, clock::now())?;
    account::lock(new.account);
    plans::share(new.plan);
    let now = clock::now();
    new.effective_at = clock::of_now(effective_at.unwrap_or(now), now);
    if new.effective_at < now {
        return Err(error::agreement_in_force(new.account, new.plan, new.effective_at, now));
    }
    if new.ended_at.is_some_and(|ended_at| ended_at <= new.effective_at) {
        return Err(error::agreement_without_life(new.account, new.plan));
    }
    if let Some(later) = agreements::announced(new.account, new.plan, new.effective_at) {
        return Err(error::agreement_announced(new.account, new.plan, later));
    }
    check_price(&new, now)?;
    let earlier = agreements::end(new.account, new.plan, new.effective_at);
    let agreement = agreements::add(&new, now);
    earlier.into_iter().chain([agreement]).try_for_each(|agreement| pooling::follow_agreement(new.account, agreement))?;
    Ok(agreement)
}

/// Whether the price that is agreed, if one is, leaves the margin that the plan asks for.
fn check_price(new: &NewAgreement<'_>, now: DateTime<Utc>) -> Result<()> {
    let terms = plans::plan(new.plan, Snapshot::Fresh).expect("a plan that is locked");
    let list_price = plans::list_price(new.plan, now, Snapshot::Fresh).ok_or_else(|| error::no_list_price(new.plan, now))?;
    let mut tiers = plans::tiers_from(new.plan, now, Snapshot::Fresh);
    tiers.retain(|tier| tier.is_in_force(now));
    let agreed = agreements::Agreement {
        agreement: 0,
        agreed_at: now,
        tier: new.tier.map(str::to_owned),
        unit_price: new.unit_price,
        discount: new.discount,
        is_excused: new.override_reason.is_some(),
    };
    let tier = quote::own_tier(&agreed, &terms, &tiers);
    check_tier(new, &terms, tier.as_ref())?;
    let (price, flat) = match (&tier, quote::own_price(&agreed, list_price)?) {
        (_, Some(price)) => (price, None),
        (Some(tier), None) => (quote::unit_price(tier, list_price)?, tier.flat),
        (None, None) => return Ok(()),
    };
    if agreed.is_excused || terms.flags_only {
        return Ok(());
    }
    // The commitment of the first year says what a credit will cost; a bundle is as large as it is.
    let committed = new.committed_quantity.as_ref().and_then(|years| years.first().copied());
    let bundle = tier.map(|tier| tier.from).filter(|from| from.is_positive());
    let quantity = bundle.or(committed).unwrap_or(Amount::from_nanos(1_000_000_000).expect("one credit"));
    match plans::unit_cost(new.plan, quantity, now, Snapshot::Fresh) {
        Some(cost) => plan::check_price(new.plan, &terms, price, flat, quantity, cost),
        None => Ok(()),
    }
}

/// Whether the tier that is agreed, if one is, has a price for every quantity.
fn check_tier(new: &NewAgreement<'_>, plan: &plans::Plan, tier: Option<&plans::TierVersion>) -> Result<()> {
    let Some(name) = new.tier else { return Ok(()) };
    match tier {
        Some(tier) if !tier.is_negotiated && plan.model != Model::Stairstep => Ok(()),
        Some(tier) if !tier.is_negotiated => Err(error::step_for_every_quantity(new.plan, name)),
        _ => Err(error::unknown_tier(new.plan, name)),
    }
}

/// Ends the agreement of an account about a plan.
///
/// # Errors
/// P0002 when there is none; 55000 in the past.
pub fn end(account: &str, plan: &str, ended_at: Option<DateTime<Utc>>) -> Result<()> {
    account::lock(account);
    let now = clock::now();
    let ended_at = clock::of_now(ended_at.unwrap_or(now), now);
    if ended_at < now {
        return Err(error::agreement_in_force(account, plan, ended_at, now));
    }
    if let Some(later) = agreements::announced(account, plan, now) {
        return Err(error::agreement_announced(account, plan, later));
    }
    let ended = agreements::end(account, plan, ended_at).ok_or_else(|| error::unknown_agreement(account, plan))?;
    pooling::follow_agreement(account, ended)
}
