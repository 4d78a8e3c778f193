//! The promise for a period: as it was declared, or by agreements, or by what schedules grant.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::calendar::{Cycle, Span};
use crate::domain::exact::{Fraction, MAX_RATE_DECIMALS, Precision, Rounding};
use crate::domain::schedules::schedule;
use crate::domain::true_ups::true_up;
use crate::error::{self, Result};
use crate::plans::quote;
use crate::schedules::schedule::granted_before;
use crate::server::clock;
use crate::store::ledger::account_calendar::AccountCalendar;
use crate::store::plans::{self, agreements};
use crate::store::schedules::{self, Schedule};
use crate::store::true_ups::closed_periods::Line;
use crate::store::true_ups::true_up as store;
use crate::store::true_ups::true_up::{Commitment, Sums, Terms};
use crate::true_ups::period::Period;

const MONTHS_OF_A_YEAR: i64 = 12;

/// A commitment for a period, with where it comes from and what a credit of it costs.
#[derive(Default)]
pub struct Promise {
    pub committed: Amount,
    pub lines: Vec<Line>,
    /// The price of one credit, the mean where there are several.
    pub price: Option<Fraction>,
    pub currency: Option<String>,
}

/// One source of a promise.
struct Source {
    reference: String,
    quantity: Amount,
    price: Option<(Fraction, String)>,
}

/// The use of an account's credits that was promised for the period.
///
/// # Errors
/// 55000 a commitment in money without a price; 22003.
pub fn of(sums: &Sums, terms: &Terms, period: Period, brought: &HashMap<i64, Amount>) -> Result<Promise> {
    let precision =
        Precision { decimals: sums.decimals, rounding: sums.rounding.parse().expect("a rounding that the table allows") };
    let calendar = AccountCalendar::of(&sums.account, period.snapshot);
    let sources = match (terms.commitment, terms.cycle) {
        (Some(commitment), Some(cycle)) => {
            // Before the anchor nothing was promised.
            let of_period = |number: i64| if number < 0 { Amount::ZERO } else { commitment };
            let part = true_up::part(cycle, of_period, period.from, period.to, &calendar);
            vec![Source {
                reference: "terms".to_owned(),
                quantity: rounded(&part, precision)?,
                // Without one of its own.
                price: if terms.unit_price.is_none() { price_of_schedules(sums, period) } else { None },
            }]
        }
        _ => {
            let agreed = agreed(sums, period, precision, &calendar)?;
            if agreed.is_empty() { scheduled(sums, period, &calendar, brought)? } else { agreed }
        }
    };
    promise(sources, terms)
}

/// Puts the sources together: the price is the mean of theirs if all of them have one, in one currency.
fn promise(sources: Vec<Source>, terms: &Terms) -> Result<Promise> {
    let committed = sum(sources.iter().map(|source| source.quantity))?;
    let own = terms.unit_price.map(Fraction::from).zip(terms.currency.clone());
    let currency = sources.first().and_then(|first| first.price.as_ref()).map(|(_, currency)| currency.clone());
    let is_priced = |source: &Source| source.price.as_ref().map(|(_, currency)| currency) == currency.as_ref();
    let mean = || {
        let priced = sources.iter().filter(|source| !source.quantity.is_zero());
        let parts: Vec<_> = priced.filter_map(|s| Some((Fraction::from(s.quantity), s.price.as_ref()?.0.clone()))).collect();
        true_up::mean_price(&parts).or_else(|| Some(sources.first()?.price.as_ref()?.0.clone())).zip(currency.clone())
    };
    let (price, currency) = own.or_else(|| if sources.iter().all(is_priced) { mean() } else { None }).unzip();
    let line = |source: &Source| {
        let price = own_or(&price, source).as_ref().and_then(shown_price);
        Line {
            kind: "committed".to_owned(),
            reference: Some(source.reference.clone()),
            quantity: source.quantity,
            unit_price: price,
            amount: None,
        }
    };
    let lines = sources.iter().map(line).collect();
    Ok(Promise { committed, lines, price, currency })
}

fn own_or(price: &Option<Fraction>, source: &Source) -> Option<Fraction> {
    source.price.as_ref().map(|(price, _)| price.clone()).or_else(|| price.clone())
}

/// A price as it is shown.
pub fn shown_price(price: &Fraction) -> Option<Decimal> {
    price.round_decimal(MAX_RATE_DECIMALS, Rounding::HalfEven)
}

/// The agreements' commitments: a month of a year is a twelfth of it.
fn agreed(sums: &Sums, period: Period, precision: Precision, calendar: &AccountCalendar) -> Result<Vec<Source>> {
    let found = store::commitments(&sums.account, &sums.unit, period.from, period.to, period.snapshot);
    let source = |commitment: Commitment| {
        let monthly = Cycle { anchor: commitment.effective_at, every: Span { months: 1, days: 0, microseconds: 0 } };
        let (from, to) =
            (period.from.max(commitment.effective_at), commitment.ended_at.map_or(period.to, |end| end.min(period.to)));
        let years = commitment.quantity.as_deref().or(commitment.money.as_deref()).expect("a commitment");
        let of_month = |month: i64| years.get((month / MONTHS_OF_A_YEAR) as usize).copied().unwrap_or_default();
        let twelfths = true_up::part(monthly, of_month, from, to, calendar);
        let promised = twelfths.over(&Fraction::whole(MONTHS_OF_A_YEAR)).expect("a year has months");
        let price = agreed_price(&sums.account, &commitment, from, period)?;
        let reference = format!("agreement {}", commitment.agreement);
        let credits = match (&commitment.money, &price) {
            (None, _) => promised,
            (Some(_), Some(price)) if !price.is_zero() => promised.over(price).expect("a price above zero"),
            (Some(_), _) => return Err(error::commitment_without_price(&sums.account, commitment.agreement)),
        };
        let price = price.map(|price| (price, commitment.currency));
        Ok(Source { reference, quantity: rounded(&credits, precision)?, price })
    };
    found.into_iter().map(source).collect()
}

/// The price of one credit that was agreed; of a plan with tiers there is none.
fn agreed_price(account: &str, commitment: &Commitment, from: DateTime<Utc>, period: Period) -> Result<Option<Fraction>> {
    let Some(agreement) = agreements::in_force(account, &commitment.plan, from, period.snapshot) else { return Ok(None) };
    let Some(list_price) = plans::list_price(&commitment.plan, agreement.agreed_at, period.snapshot) else {
        return Ok(agreement.unit_price.map(Fraction::from));
    };
    if let Some(price) = quote::own_price(&agreement, list_price)? {
        return Ok(Some(Fraction::from(price)));
    }
    let Some(plan) = plans::plan(&commitment.plan, period.snapshot) else { return Ok(None) };
    let tiers = plans::tiers_from(&commitment.plan, agreement.agreed_at, period.snapshot);
    let tier = quote::own_tier(&agreement, &plan, &tiers);
    let price = tier.map(|tier| quote::unit_price(&tier, list_price)).transpose()?;
    Ok(Some(price.map_or_else(|| Fraction::from(list_price), Fraction::from)))
}

/// The amounts that the schedules grant for the periods that begin then, issued or not.
fn scheduled(sums: &Sums, period: Period, calendar: &AccountCalendar, brought: &HashMap<i64, Amount>) -> Result<Vec<Source>> {
    let Period { from, to, snapshot } = period;
    let prices = store::schedule_prices(&sums.account, &sums.unit, snapshot);
    let reaches = |known: &Schedule| {
        known.unit == sums.unit && known.terms.starts_at < to && known.terms.ends_at.is_none_or(|ends_at| ends_at > from)
    };
    let source = |known: Schedule| {
        let quantity = if known.per_member {
            let issued = store::issued_to_members(&sums.account, known.id, from, to, snapshot);
            sum([issued, brought.get(&known.id).copied().unwrap_or_default()].into_iter())?
        } else {
            let before = granted_before(&sums.account, &known, snapshot, clock::now());
            let planned = schedule::preview(&known.terms, 1, &before, to, calendar);
            sum(planned.iter().filter(|lot| (from..to).contains(&lot.effective_at)).map(|lot| lot.granted))?
        };
        let price = prices.iter().find(|price| price.schedule == known.id);
        let price = price.and_then(|price| {
            Fraction::from(price.paid).over(&Fraction::from(price.amount)).map(|each| (each, price.currency.clone()))
        });
        Ok(Source { reference: format!("schedule {}", known.id), quantity, price })
    };
    schedules::schedules(&sums.account, snapshot).into_iter().filter(reaches).map(source).collect()
}

/// The mean price of a credit of the account's schedules; `None` where they cost nothing, or different money.
fn price_of_schedules(sums: &Sums, period: Period) -> Option<(Fraction, String)> {
    let prices = store::schedule_prices(&sums.account, &sums.unit, period.snapshot);
    let currency = prices.first()?.currency.clone();
    let mut parts = Vec::new();
    for price in prices {
        let each = Fraction::from(price.paid).over(&Fraction::from(price.amount))?;
        parts.push((Fraction::from(price.amount), each));
        if price.currency != currency {
            return None;
        }
    }
    true_up::mean_price(&parts).map(|price| (price, currency))
}

/// A sum within the range of amounts.
pub fn sum(mut amounts: impl Iterator<Item = Amount>) -> Result<Amount> {
    let sum = amounts.try_fold(Amount::ZERO, Amount::checked_add);
    sum.ok_or_else(|| error::result_out_of_range("the sum of the period", "result=sum"))
}

fn rounded(credits: &Fraction, precision: Precision) -> Result<Amount> {
    credits.round(precision).ok_or_else(|| error::result_out_of_range("the commitment in credits", "result=commitment"))
}
