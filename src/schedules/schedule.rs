//! Declaring schedules, ending them, and what they will bring.

use chrono::{DateTime, Utc};

use crate::domain::calendar::Cycle;
use crate::domain::ledger::terms::{self, Category};
use crate::domain::schedules::plan_schedule::Granted;
use crate::domain::schedules::rollover::Rollover;
use crate::domain::schedules::schedule::{self, Planned};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::closed;
use crate::ledger::idempotency::{self, Keyed};
use crate::schedules::due::State;
use crate::schedules::{refresh, seats};
use crate::server::clock;
use crate::store::Snapshot;
use crate::store::ledger::account_calendar::AccountCalendar;
use crate::store::ledger::accounts;
use crate::store::schedules::{self, NewSchedule, Schedule};
use crate::store::true_ups::true_up;

/// How many periods are looked through at most, for example between the start of a schedule and now.
const MAX_PERIODS: i64 = 10_000;

/// The shortest period: an hour, in microseconds.
const SHORTEST: i64 = 3_600_000_000;

/// The declaration of a schedule, beside the values that are stored as they are.
#[derive(Clone, Copy)]
pub struct Declared<'a> {
    pub rollover: Option<&'a Rollover>,
    pub unit: Option<&'a str>,
    pub category: Option<&'a str>,
}

/// Declares a schedule and issues what is due of it; its id.
///
/// # Errors
/// 22023 for terms that make no sense; P0002 unknown unit; 23505 key reused; 40001 as [`seats::keep_newcomers_out`].
pub fn declare(
    mut new: NewSchedule<'_>,
    declared: Declared<'_>,
    starts_at: Option<DateTime<Utc>>,
    anchor: Option<DateTime<Utc>>,
    keyed: Option<Keyed<'_>>,
) -> Result<i64> {
    let id = schedules::next_id();
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::claim(new.account, keyed, id, clock::now())?
    {
        return Ok(earlier);
    }
    let context = account::find_or_create(new.account, declared.unit, None, clock::now())?;
    let _movable = closed::go_on(new.account);
    complete(&mut new, &declared, context.unit_decimals(), context.currency.as_deref())?;
    if new.true_up.is_some_and(|true_up| crate::values::span(&true_up).mean_microseconds() < true_up::SHORTEST) {
        return Err(error::cadence_too_short("true_up"));
    }
    new.unit.clone_from(&context.unit);

    if new.per_member {
        seats::keep_newcomers_out(&[new.account])?;
    }
    // The schedules that were there issue first what was due before.
    refresh::first_touch(new.account)?;
    account::lock(new.account);
    let now = clock::now();
    new.starts_at = starts_at.unwrap_or(now);
    new.anchor = anchor.unwrap_or(new.starts_at);
    check_times(&new, now)?;
    schedules::add(id, &new, now);
    if let Some(every) = new.true_up {
        true_up::declare_cadence(new.account, &new.unit, every, new.anchor, now);
    }
    let refresh_at = accounts::refresh_at(new.account).map_or(new.starts_at, |known| known.min(new.starts_at));
    accounts::set_refresh_at(new.account, Some(refresh_at));
    refresh::first_touch(new.account)?;
    if new.per_member {
        match accounts::unseated(new.account) {
            0 => {}
            members => error::notice_of_unseated(new.account, members),
        }
    }
    Ok(id)
}

/// Checks amounts and price against the unit, and says what follows from them.
///
/// # Errors
/// 22023.
pub fn complete(new: &mut NewSchedule<'_>, declared: &Declared<'_>, decimals: u32, currency_of_unit: Option<&str>) -> Result<()> {
    let limits = declared.rollover.iter().flat_map(|rollover| [rollover.max_amount, rollover.min_amount]).flatten();
    for (argument, amount) in std::iter::once(("amount", new.amount)).chain(limits.map(|limit| ("rollover", limit))) {
        amount.within(decimals).map_err(|_| error::too_many_decimals(argument, &amount.to_string(), decimals))?;
    }
    let category = declared.category.map(str::parse::<Category>).transpose();
    let category =
        category.map_err(|known| error::unknown_option("category", declared.category.unwrap_or_default(), &known.0))?;
    let currency = new.currency.take();
    let price = terms::price(new.paid, currency.as_deref(), currency_of_unit).map_err(|broken| {
        error::invalid_price(
            broken,
            &new.paid.map(|paid| paid.to_string()).unwrap_or_default(),
            currency.as_deref().or(currency_of_unit).unwrap_or_default(),
        )
    })?;
    let (category, _) = terms::classify(category, None, price.as_ref());
    if let Some(price) = price.as_ref().filter(|price| category == Category::Promotional && price.paid.is_positive()) {
        return Err(error::invalid_price(terms::TermsError::PaidPromotion, &price.paid.to_string(), &price.currency));
    }
    (new.category, new.currency) = (category.to_string(), price.map(|price| price.currency));
    Ok(())
}

/// Checks that a schedule begins, and that it does not have too many periods before.
///
/// # Errors
/// 22023.
pub fn check_times(new: &NewSchedule<'_>, now: DateTime<Utc>) -> Result<()> {
    let cycle = Cycle { anchor: new.anchor, every: crate::values::span(&new.every) };
    if cycle.every.mean_microseconds() < SHORTEST {
        return Err(error::period_too_short());
    }
    if new.ends_at.is_some_and(|ends_at| ends_at <= new.starts_at) {
        return Err(error::schedule_without_life(new.starts_at, new.ends_at));
    }
    if new.expires_at.is_some_and(|expires_at| expires_at <= new.starts_at.max(now)) {
        return Err(error::schedule_without_life(new.starts_at, new.expires_at));
    }
    if new.starts_at < now {
        check_distance(cycle, "starts_at", new.starts_at, now)?;
    }
    check_distance(cycle, "anchor", new.anchor, new.starts_at)
}

/// Checks that there are not too many periods between two instants.
///
/// # Errors
/// 22023.
pub fn check_distance(cycle: Cycle, argument: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<()> {
    let periods = (to - from).num_microseconds().map(|distance| (distance / cycle.every.mean_microseconds()).abs());
    match periods.filter(|periods| *periods <= MAX_PERIODS) {
        Some(_) => Ok(()),
        None => Err(error::too_many_periods(argument, MAX_PERIODS)),
    }
}

/// Ends a schedule: no period begins at `ends_at` or later.
///
/// # Errors
/// P0002 unknown schedule; 55000 one that has ended, or an end in the past.
pub fn end(account: &str, schedule: i64, ends_at: Option<DateTime<Utc>>) -> Result<()> {
    account::find(account, None, None)?;
    let _movable = closed::go_on(account);
    refresh::first_touch(account)?;
    account::lock(account);
    let now = clock::now();
    let known = schedules::schedules(account, Snapshot::Fresh).into_iter().find(|known| known.id == schedule);
    let known = known.ok_or_else(|| error::unknown_schedule(account, schedule))?;
    if let Some(of_plan) = known.of_plan {
        return Err(error::schedule_of_plan(account, schedule, of_plan));
    }
    let ends_at = ends_at.unwrap_or(now);
    if ends_at < now {
        return Err(error::schedule_end_passed(account, schedule, ends_at, now));
    }
    // One that has not begun ends where it begins.
    if !schedules::end(account, schedule, ends_at.max(known.terms.starts_at), now) {
        return Err(error::schedule_ended(account, schedule));
    }
    // A later end brings more: when the next of it is due is looked up anew.
    let due = accounts::refresh_at(account).map_or(now, |known| known.min(now));
    accounts::set_refresh_at(account, Some(due));
    refresh::first_touch(account)
}

/// The lots that a schedule will bring each line after `from`, up to `until`, as it stands.
///
/// # Errors
/// P0002 unknown account or schedule.
pub fn preview(account: &str, schedule: i64, until: DateTime<Utc>) -> Result<Vec<Planned>> {
    account::find_for_reader(account, None, None)?;
    let known = schedules::schedules(account, Snapshot::OfCaller).into_iter().find(|known| known.id == schedule);
    let known = known.ok_or_else(|| error::unknown_schedule(account, schedule))?;
    check_distance(known.terms.cycle, "until", known.terms.starts_at, until)?;
    let seats = if known.into_pool {
        schedules::lines(account, Snapshot::OfCaller).iter().filter(|line| line.schedule == known.id).count()
    } else {
        1
    };
    let before = granted_before(account, &known, Snapshot::OfCaller, clock::now());
    Ok(schedule::preview(&known.terms, seats, &before, until, &AccountCalendar::of(account, Snapshot::OfCaller)))
}

/// The earlier grants to the pool, or to the seats that feed it, by plans that the account has left: a plan's schedule brings
/// less by them. Grants to members themselves differ from one to the other, and are left out.
pub fn granted_before(account: &str, known: &Schedule, snapshot: Snapshot, now: DateTime<Utc>) -> Vec<Vec<Granted>> {
    if known.of_plan.is_none() || (known.per_member && !known.into_pool) {
        return Vec::new();
    }
    State::read(account, snapshot).granted_before(known.id, now)
}
