//! The statement of a period. A closed one is shown as it was closed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::calendar::Cycle;
use crate::domain::exact::{Fraction, Precision, Rounding};
use crate::domain::schedules::schedule::Step;
use crate::domain::true_ups::true_up::{self, Difference, Facts};
use crate::error::{self, Result};
use crate::plans::quote;
use crate::schedules::due::State;
use crate::server::clock;
use crate::store::Snapshot;
use crate::store::ledger::account_calendar::AccountCalendar;
use crate::store::true_ups::closed_periods::{self, Closed, Line, TrueUp};
use crate::store::true_ups::true_up as store;
use crate::store::true_ups::true_up::{Sums, Terms};
use crate::true_ups::period::Period;
use crate::true_ups::promise::{self, Promise, shown_price, sum};

/// The statements of the accounts that are named, or of all that have a commitment, in the order of their names.
///
/// # Errors
/// 22023 a period without length; 55000 a commitment in money without a price; 22003.
pub fn statements(named: Option<&[&str]>, unit: Option<&str>, period: Period) -> Result<Vec<TrueUp>> {
    if period.to <= period.from {
        return Err(error::period_without_length(period.from, period.to));
    }
    let accounts = store::accounts(named, unit, period.from, period.to, period.snapshot);
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let now = clock::now();
    let sums = store::sums(&names, unit, period.from, period.to, now, period.snapshot)?;
    sums.iter().map(|sums| statement(sums, period, now)).collect()
}

fn statement(sums: &Sums, period: Period, now: DateTime<Utc>) -> Result<TrueUp> {
    let (account, unit) = (sums.account.as_str(), sums.unit.as_str());
    let next = closed_periods::after(account, unit, period.from, period.snapshot);
    if let Some(closed) = next.filter(|closed| closed.starts_at == period.from && closed.ends_at == period.to) {
        return Ok(closed_periods::find(account, closed.true_up, period.snapshot).expect("a period that was found"));
    }
    let (sums, brought) = &with_what_is_due(sums, period, now);
    let terms = store::terms(account, unit, period.snapshot);
    let promise = promise::of(sums, &terms, period, brought)?;
    let before =
        closed_periods::until(account, unit, period.from, period.snapshot).filter(|closed| closed.ends_at == period.from);
    let facts = Facts {
        committed: promise.committed,
        used: if terms.paid_only { sums.used_of_paid } else { sums.used },
        carried_in: before.map_or(Amount::ZERO, |closed| closed.carried_forward),
        // Credits that are voided or returned in it may have been bought before.
        prepaid: sum([sums.prepaid, before.map_or(Amount::ZERO, |closed| closed.prepaid_left)].into_iter())?.max(Amount::ZERO),
        used_of_priced: sums.used_of_priced,
    };
    let found = true_up::difference(facts, terms.shortfall, terms.overage).ok_or_else(|| {
        error::result_out_of_range("the difference of the period", format!("committed={} used={}", facts.committed, facts.used))
    })?;
    let money = Money::of(&promise, &terms, &found)?;
    let corrections = closed_periods::corrections(account, unit, period.from, period.to, period.snapshot);
    Ok(TrueUp {
        account: account.to_owned(),
        unit: unit.to_owned(),
        starts_at: period.from,
        ends_at: period.to,
        committed: facts.committed,
        used: facts.used,
        granted: sums.granted,
        expired: sums.expired,
        rolled_in: sums.rolled_in,
        rolled_out: sums.rolled_out,
        carried_in: facts.carried_in,
        prepaid: sums.prepaid,
        shortfall: found.shortfall,
        overage: found.overage,
        carried_forward: found.carried_forward,
        prepaid_left: found.prepaid_left,
        unit_price: money.price.as_ref().and_then(shown_price),
        overage_price: money.overage_price.as_ref().and_then(shown_price),
        amount_due: money.due,
        currency: money.due.and(money.currency.clone()),
        true_up: None,
        posted_at: None,
        settled_at: None,
        granted_lot: None,
        lines: lines(sums, &facts, &found, promise.lines, &money, before, &corrections),
    })
}

/// The sums with what is due in the account by now and was not issued yet, counted as if it were; with the part that each
/// schedule brings.
fn with_what_is_due(sums: &Sums, period: Period, now: DateTime<Utc>) -> (Sums, HashMap<i64, Amount>) {
    let (mut sums, mut brought) = (sums.clone(), HashMap::new());
    if sums.refresh_at.is_none_or(|refresh_at| refresh_at > now) {
        return (sums, brought);
    }
    let state = State::read(&sums.account, period.snapshot);
    let priced: Vec<i64> = store::schedule_prices(&sums.account, &sums.unit, period.snapshot)
        .into_iter()
        .filter(|price| price.paid.is_positive())
        .map(|price| price.schedule)
        .collect();
    let counts = |at: DateTime<Utc>| (period.from..period.to).contains(&at);
    let add = |sum: &mut Amount, amount: Amount| *sum = sum.checked_add(amount).unwrap_or(*sum);
    for line in state.due(now).iter().filter(|line| line.schedule.unit == sums.unit) {
        for step in &line.due.steps {
            match *step {
                Step::Begin { lot } if counts(line.counts_from(line.due.lots[lot].effective_at)) => {
                    let planned = &line.due.lots[lot];
                    if planned.parent.is_some() {
                        add(&mut sums.rolled_in, planned.granted);
                        add(&mut sums.rolled_out, planned.granted);
                        continue;
                    }
                    add(&mut sums.granted, planned.granted);
                    add(brought.entry(line.schedule.id).or_default(), planned.granted);
                    if priced.contains(&line.schedule.id) {
                        add(&mut sums.prepaid, planned.granted);
                    }
                }
                Step::Lapse { amount, at, .. } if counts(line.counts_from(at)) => add(&mut sums.expired, amount),
                _ => {}
            }
        }
        // Without a rollover the end of a lot is no step: the sweep posts its expiry.
        let lapsed = line.due.lots.iter().filter(|_| line.schedule.terms.rollover.is_none());
        for planned in lapsed {
            if planned.expires_at.is_some_and(|at| at <= now && counts(at)) {
                add(&mut sums.expired, planned.granted);
            }
        }
    }
    (sums, brought)
}

/// The price of the difference.
struct Money {
    price: Option<Fraction>,
    overage_price: Option<Fraction>,
    currency: Option<String>,
    due: Option<Amount>,
}

impl Money {
    fn of(promise: &Promise, terms: &Terms, found: &Difference) -> Result<Money> {
        let price = promise.price.clone();
        let overage_price = terms.overage_price.map(Fraction::from).or_else(|| price.clone());
        let currency = promise.currency.clone().or_else(|| terms.currency.clone());
        let due = match &currency {
            Some(currency) => {
                let precision = Precision { decimals: quote::currency_decimals(currency)?, rounding: Rounding::HalfEven };
                let owed = [(found.shortfall_due, &price), (found.overage_due, &overage_price)];
                let owed: Vec<_> = owed.into_iter().filter(|(amount, _)| amount.is_positive()).collect();
                let priced: Option<Vec<_>> = owed.iter().map(|(amount, price)| Some((*amount, price.as_ref()?))).collect();
                let due = priced.map(|priced| true_up::price(&priced, precision));
                due.map(|due| {
                    due.ok_or_else(|| {
                        error::result_out_of_range(
                            "amount_due",
                            format!("shortfall_due={} overage_due={}", found.shortfall_due, found.overage_due),
                        )
                    })
                })
                .transpose()?
            }
            None => None,
        };
        Ok(Money { price, overage_price, currency, due })
    }
}

/// The lines: where each figure comes from. Their amounts add up to what is due.
fn lines(
    sums: &Sums,
    facts: &Facts,
    found: &Difference,
    committed: Vec<Line>,
    money: &Money,
    before: Option<Closed>,
    corrections: &[(i64, Amount)],
) -> Vec<Line> {
    let line =
        |kind: &str, quantity: Amount| Line { kind: kind.to_owned(), reference: None, quantity, unit_price: None, amount: None };
    let of_period =
        |kind: &str, true_up: i64, quantity| Line { reference: Some(format!("true_up {true_up}")), ..line(kind, quantity) };
    let mut lines = committed;
    lines.extend(before.map(|closed| of_period("carried_in", closed.true_up, facts.carried_in)));
    lines.extend(before.map(|closed| of_period("prepaid_in", closed.true_up, closed.prepaid_left)));
    lines.push(line("used", facts.used));
    lines.push(line("used_beside", sums.used.checked_sub(facts.used).unwrap_or_default()));
    lines.extend(corrections.iter().map(|(true_up, amount)| of_period("used_late", *true_up, *amount)));
    let flows = [
        ("granted", sums.granted),
        ("prepaid", sums.prepaid),
        ("expired", sums.expired),
        ("rolled_in", sums.rolled_in),
        ("rolled_out", sums.rolled_out),
        ("voided", sums.voided),
        ("returned", sums.returned),
        ("converted", sums.converted),
        ("adjusted", sums.adjusted),
        ("shortfall", found.shortfall),
        ("overage", found.overage),
    ];
    lines.extend(flows.map(|(kind, quantity)| line(kind, quantity)));
    let owed = [("shortfall_due", found.shortfall_due, &money.price), ("overage_due", found.overage_due, &money.overage_price)];
    // A period has a shortfall or an overage, so all that is due belongs to the one line.
    lines.extend(owed.map(|(kind, quantity, price)| Line {
        unit_price: price.as_ref().and_then(shown_price),
        amount: money.due,
        ..line(kind, quantity)
    }));
    lines.push(line("carried_forward", found.carried_forward));
    lines.push(line("prepaid_left", found.prepaid_left));
    lines.retain(|line| !line.quantity.is_zero() || line.kind == "committed" || line.kind == "used");
    lines
}

/// The declared period that is to be closed next: the one after the last that was closed, else the first.
///
/// # Errors
/// As [`period_at`].
pub fn next_to_close(account: &str, unit: &str, now: DateTime<Utc>, snapshot: Snapshot) -> Result<Period> {
    match closed_periods::until(account, unit, now, snapshot) {
        Some(last) => period_at(account, unit, last.ends_at, snapshot).map(|period| Period { from: last.ends_at, ..period }),
        None => {
            let cycle = cycle(account, unit, snapshot)?;
            Ok(period_of(cycle, account, cycle.anchor, snapshot))
        }
    }
}

/// The period that contains an instant, as it was declared.
///
/// # Errors
/// 55000 where nothing was declared.
pub fn period_at(account: &str, unit: &str, at: DateTime<Utc>, snapshot: Snapshot) -> Result<Period> {
    Ok(period_of(cycle(account, unit, snapshot)?, account, at, snapshot))
}

fn cycle(account: &str, unit: &str, snapshot: Snapshot) -> Result<Cycle> {
    store::terms(account, unit, snapshot).cycle.ok_or_else(|| error::no_true_up_terms(account, unit))
}

fn period_of(cycle: Cycle, account: &str, at: DateTime<Utc>, snapshot: Snapshot) -> Period {
    let calendar = AccountCalendar::of(account, snapshot);
    let number = cycle.containing(&calendar, at);
    Period { from: cycle.start(&calendar, number), to: cycle.start(&calendar, number + 1), snapshot }
}
