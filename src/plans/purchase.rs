//! Purchases: a quote that is taken, and the lots it grants, at once or when it is paid.

use chrono::{DateTime, Utc};
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::exact::split;
use crate::domain::plans::subscription::{Decimals, Segment, entitlement};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::closed;
use crate::ledger::idempotency::{self, Keyed};
use crate::plans::quote::{self, Asked, Quoted};
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::Snapshot;
use crate::store::ledger::lots::{self, NewLot};
use crate::store::plans::purchases::{self, DueLot, NewPurchase, Part};
use crate::store::plans::{self, subscriptions};

/// The priority of the lots of a purchase.
const PRIORITY: i16 = 50;

/// How the credits of a purchase come in lots.
#[derive(Clone, Copy, Debug)]
pub enum Lots {
    /// All in one.
    One,
    /// One for each band of the price list, with what the band cost.
    Bands,
    /// A number of equal lots, each a length of time after the one before: the billing period of the tier, unless given.
    Instalments(i32, Option<Interval>),
}

/// A purchase as the caller said it.
#[derive(Clone, Debug)]
pub struct Purchase<'a> {
    pub account: &'a str,
    pub asked: Asked<'a>,
    /// It waits for its payment.
    pub is_pending: bool,
    pub bonus: Option<Amount>,
    /// The bonus shares the cost basis, instead of costing nothing.
    pub blends: bool,
    pub lots: Lots,
    /// Only what is left of the account's billing period is bought.
    pub prorates: bool,
    pub member: Option<&'a str>,
    pub expiry: Option<Interval>,
    pub override_reason: Option<&'a str>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// Buys; the first lot's id, or that of the same purchase made before under the same key.
///
/// # Errors
/// As [`quote::quote`]; 22023 so few that nothing is left of their price when it is rounded; 55000 below the floor without a
/// reason, or nothing left of the period; P0002 no period to prorate by; 23505 key reused; P0002 and 55000 for the member.
pub fn purchase(request: &Purchase<'_>) -> Result<i64> {
    let account = request.account;
    let lot = lots::next_id();
    if let Some(keyed) = request.keyed
        && let Some(earlier) = idempotency::claim(account, keyed, lot, clock::now())?
    {
        return Ok(earlier);
    }
    let plan_name = request.asked.plan;
    let plan = plans::plan(plan_name, Snapshot::Fresh).ok_or_else(|| error::unknown_plan(plan_name))?;
    let context = account::find_or_create(account, Some(&plan.unit), request.member, clock::now())?;
    account::lock(account);
    plans::share(plan_name);
    let _movable = closed::go_on(account);
    let now = clock::now();
    account::seat_member(account, request.member, &context, now)?;
    let mut quoted = quote::quote(request.asked, now, Snapshot::Fresh)?;
    if request.prorates {
        quoted = prorated(account, quoted, now)?;
    }
    if quoted.is_too_small {
        return Err(error::costs_too_little(plan_name, quoted.quantity, &quoted.plan.currency));
    }
    if let Some(bonus) = request.bonus {
        quoted = quoted.with_bonus(bonus).ok_or_else(|| error::amount_out_of_range("bonus", &bonus.to_string()))?;
    }
    if quoted.is_refused() && request.override_reason.is_none() {
        return Err(error::quote_below_floor(plan_name, &quoted.below_floor()));
    }
    let parts = parts(request, &quoted, lot, now)?;
    let purchase = write(request, &quoted, &parts, now);
    if !request.is_pending {
        grant(account, purchase, now, now);
    }
    Ok(lot)
}

/// The part of a quantity and its price that is left of the account's billing period, by days; each is rounded once.
fn prorated(account: &str, quoted: Quoted, now: DateTime<Utc>) -> Result<Quoted> {
    let unit = &quoted.plan.unit;
    let current = subscriptions::in_force(account, unit, now).ok_or_else(|| error::no_subscription(account, unit))?;
    let period = subscriptions::period(account, &current.cycle, now);
    let whole = Segment { days_left: period.days_left, quantity: quoted.quantity, price: quoted.total };
    let decimals = Decimals { unit: quoted.plan.unit_decimals, currency: quoted.currency_decimals };
    let left = entitlement(&[whole], period.days, decimals);
    if left.granted.is_zero() {
        return Err(error::nothing_left_of_period(account, quoted.quantity, period.days_left, period.days, period.ends_at));
    }
    let is_too_small = quoted.is_too_small || (left.charged.is_zero() && !quoted.total.is_zero());
    Ok(Quoted { quantity: left.granted, total: left.charged, is_too_small, unit_price: None, lines: Vec::new(), ..quoted })
}

/// The lots of a purchase: they add up to what is paid, to the last decimal of the currency.
fn parts(request: &Purchase<'_>, quoted: &Quoted, first: i64, now: DateTime<Utc>) -> Result<Vec<Part>> {
    let decimals = quoted.plan.unit_decimals;
    let paid = |granted, paid, steps| Part { lot: 0, category: "paid", granted, paid, steps };
    let mut parts: Vec<Part> = match request.lots {
        Lots::One => vec![paid(quoted.quantity, quoted.total, None)],
        Lots::Bands => quoted.lines.iter().map(|line| paid(line.quantity, line.amount, None)).collect(),
        Lots::Instalments(number, step) => {
            let step = step.or_else(|| billing_period(request.account, quoted, now));
            let step = step.ok_or_else(|| error::invalid_instalments(Some(number)))?;
            let equal = vec![Amount::from_nanos(1).expect("a weight"); number as usize];
            let quantities = split(quoted.quantity, &equal, decimals);
            if quantities.iter().any(|quantity| !quantity.is_positive()) {
                return Err(error::too_many_instalments(number, quoted.quantity));
            }
            let amounts = split(quoted.total, &quantities, quoted.currency_decimals);
            let steps = (0..number).map(|index| (index > 0).then_some((step, index)));
            quantities.iter().zip(amounts).zip(steps).map(|((granted, amount), steps)| paid(*granted, amount, steps)).collect()
        }
    };
    if let Some(bonus) = request.bonus {
        bonus.within(decimals).map_err(|_| error::too_many_decimals("bonus", &bonus.to_string(), decimals))?;
        let category = if request.blends { "paid" } else { "promotional" };
        parts.push(Part { lot: 0, category, granted: bonus, paid: Amount::ZERO, steps: None });
    }
    if request.blends {
        let quantities: Vec<_> = parts.iter().map(|part| part.granted).collect();
        let amounts = split(quoted.total, &quantities, quoted.currency_decimals);
        parts.iter_mut().zip(amounts).for_each(|(part, amount)| part.paid = amount);
    }
    for (index, part) in parts.iter_mut().enumerate() {
        part.lot = if index == 0 { first } else { lots::next_id() };
    }
    assert_eq!(parts.iter().map(|part| part.paid).sum::<Amount>(), quoted.total, "the parts of a purchase");
    Ok(parts)
}

/// How often the tier that is reached is billed, if it says so.
fn billing_period(account: &str, quoted: &Quoted, now: DateTime<Utc>) -> Option<Interval> {
    let tier_version = quoted.tier.as_ref().map(|tier| tier.version);
    let period = subscriptions::terms(account, None, tier_version, now).billing_period?;
    Some(Interval::new(period.months(), 0, 0).expect("a billing period"))
}

/// Writes what was bought at which price, and its lots as they are planned.
fn write(request: &Purchase<'_>, quoted: &Quoted, parts: &[Part], now: DateTime<Utc>) -> i64 {
    let currency_decimals = quoted.currency_decimals as i32;
    let new = NewPurchase {
        account: request.account,
        plan: request.asked.plan,
        status: if request.is_pending { "pending" } else { "active" },
        agreement: quoted.agreement.as_ref().map(|agreement| agreement.agreement),
        tier_version: quoted.tier.as_ref().map(|tier| tier.version),
        quantity: quoted.quantity,
        bonus: request.bonus,
        list_price: quoted.list_price,
        discount: quoted.discount,
        unit_price: quoted.unit_price,
        paid: quoted.total,
        currency_decimals,
        member: request.member,
        expiry: request.expiry,
        override_reason: request.override_reason.filter(|_| quoted.is_below_floor),
        metadata: request.metadata,
    };
    let purchase = purchases::add(&new, now);
    purchases::add_lots(request.account, purchase, parts, currency_decimals);
    purchase
}

/// Grants the lots of a purchase; the first takes effect at `effective_at`.
pub fn grant(account: &str, purchase: i64, effective_at: DateTime<Utc>, now: DateTime<Utc>) {
    for due in purchases::lots(account, purchase, effective_at) {
        let DueLot { lot, category, granted, paid, paid_decimals, currency, unit, member, metadata, effective_at, expires_at } =
            due;
        let new = NewLot {
            account,
            lot,
            unit,
            member: member.as_deref(),
            category,
            source: "purchase".to_owned(),
            priority: PRIORITY,
            granted,
            paid: Some(paid),
            paid_decimals: Some(paid_decimals),
            currency: Some(currency),
            applies_to: None,
            effective_at,
            expires_at,
            metadata: metadata.as_deref(),
        };
        lots::grant(&new, now);
    }
}

/// Grants what was bought and is now paid; nothing when that was done before. The lot that was named.
///
/// # Errors
/// P0002 no such lot of a purchase; 55000 when the purchase was voided, or when its member has become inactive.
pub fn activate(account: &str, lot: i64) -> Result<i64> {
    arrival::let_in(account);
    let purchase = purchases::of_lot(account, lot).ok_or_else(|| error::unknown_purchase(account, lot))?;
    let (status, _) = purchases::lock(account, purchase).expect("the purchase of a lot");
    match status.as_str() {
        "active" => Ok(lot),
        "void" => Err(error::purchase_void(account, lot)),
        _ => {
            let _movable = closed::go_on(account);
            let now = clock::now();
            check_member(account, purchase)?;
            purchases::settle(account, purchase, "active", now);
            grant(account, purchase, now, now);
            Ok(lot)
        }
    }
}

/// Whether the member that a purchase is for may still be granted credits.
fn check_member(account: &str, purchase: i64) -> Result<()> {
    let member = purchases::member(account, purchase);
    let context = account::find(account, None, member.as_deref())?;
    account::check_member(account, member.as_deref(), &context)
}

/// Gives up a purchase that is pending; how many credits that was. `None` when the lot is none of a pending purchase.
pub fn void_pending(account: &str, lot: i64) -> Option<Amount> {
    let purchase = purchases::of_lot(account, lot)?;
    let (status, credits) = purchases::lock(account, purchase).expect("the purchase of a lot");
    match status.as_str() {
        "pending" => {
            purchases::settle(account, purchase, "void", clock::now());
            Some(credits)
        }
        "void" => Some(Amount::ZERO),
        _ => None,
    }
}
