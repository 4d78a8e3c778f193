//! The schedules that a plan grants: each account has one of its own, from when it comes to the plan until it leaves.
//!
//! An account's schedules follow from its subscriptions ([`follow`]), whatever function changes them. A plan's schedule is
//! declared and ended while nobody can come to the plan, and with the rows of all accounts on it locked, so that none is missed
//! and none is left over. A call that changes the plan of an account takes the plan's lock before the account's row, as here.

use chrono::{DateTime, Utc};

use crate::error::{self, Result};
use crate::schedules::schedule::{self, Declared};
use crate::schedules::{refresh, seats};
use crate::server::clock;
use crate::server::locks::named;
use crate::store::ledger::account_calendar::AccountCalendar;
use crate::store::ledger::accounts;
use crate::store::schedules::plan_schedules::{self, Beginning, Missing, OfPlan};
use crate::store::schedules::{self, NewSchedule};
use crate::store::{Snapshot, plans};

/// How many accounts a plan has at most where a declaration waits for members who are taking their seats. Each takes a place in
/// the server's lock table.
const MAX_ACCOUNTS_OF_SEATS: usize = 1000;

/// Declares what every account on the plan is granted, those that are on it already included; the schedule's id.
///
/// # Errors
/// As [`schedule::declare`]; 22023 another unit than the plan's; P0002 unknown plan.
pub fn declare(
    mut new: NewSchedule<'_>,
    of: OfPlan<'_>,
    declared: Declared<'_>,
    starts_at: Option<DateTime<Utc>>,
) -> Result<i64> {
    named::keep_others_from_plan(of.plan);
    let plan = plans::plan(of.plan, Snapshot::Fresh).ok_or_else(|| error::unknown_plan(of.plan))?;
    if let Some((key, fingerprint)) = of.key
        && let Some((earlier, known)) = plan_schedules::of_key(of.plan, key)
    {
        let is_same = known == fingerprint;
        return if is_same { Ok(earlier) } else { Err(error::key_of_plan_reused(of.plan, key, earlier)) };
    }
    if let Some(unit) = declared.unit.filter(|unit| *unit != plan.unit) {
        return Err(error::not_the_unit_of_the_plan(of.plan, unit, &plan.unit));
    }
    schedule::complete(&mut new, &declared, plan.unit_decimals, Some(&plan.currency))?;
    new.unit = plan.unit;
    let accounts = locked_subscribers(of.plan, new.per_member)?;
    let now = clock::now();
    new.starts_at = starts_at.unwrap_or(now);
    new.anchor = of.anchor.unwrap_or(new.starts_at);
    schedule::check_times(&new, now)?;
    let id = schedules::next_id();
    plan_schedules::touch_plan(of.plan);
    plan_schedules::add(id, of, &new, now);
    plan_schedules::add_all(&accounts, id, now);
    // Periods that have passed are due already.
    plan_schedules::make_due(&accounts, now.min(new.starts_at));
    Ok(id)
}

/// Ends a plan's schedule, and with it those that accounts have of it.
///
/// # Errors
/// P0002 unknown schedule; 55000 one that has ended, or an end in the past.
pub fn end(plan: &str, schedule: i64, ends_at: Option<DateTime<Utc>>) -> Result<()> {
    named::keep_others_from_plan(plan);
    if !plan_schedules::exists(plan, schedule) {
        return Err(error::unknown_plan_schedule(plan, schedule));
    }
    let accounts = locked_subscribers(plan, plan_schedules::gives_to_seats(plan))?;
    let now = clock::now();
    let ends_at = ends_at.unwrap_or(now);
    if ends_at < now {
        return Err(error::plan_schedule_end_passed(plan, schedule, ends_at, now));
    }
    if !plan_schedules::end(plan, schedule, ends_at, now) {
        return Err(error::plan_schedule_ended(plan, schedule));
    }
    // An end that is put off brings it to those who come after the old one too.
    accounts.iter().for_each(|account| drop(follow(account, now)));
    plan_schedules::make_due(&accounts, now);
    plan_schedules::touch_plan(plan);
    Ok(())
}

/// The accounts on the plan, with their rows locked, and what was due up to now issued: an end does not take that away. Where
/// seats get something, no member comes to them meanwhile, as far as the plan does not have very many accounts.
///
/// # Errors
/// 40001 where somebody came to the plan, or took a seat, after this transaction's snapshot was taken.
fn locked_subscribers(plan: &str, seats_get_something: bool) -> Result<Vec<String>> {
    let seen = |snapshot| plan_schedules::subscribers(plan, clock::now(), snapshot);
    let subscribers = seen(Snapshot::Fresh);
    if seats_get_something && subscribers.len() <= MAX_ACCOUNTS_OF_SEATS {
        seats::keep_newcomers_out(&subscribers.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    // One after the other, as a batch takes its accounts.
    for account in &subscribers {
        refresh::first_touch(account)?;
        accounts::lock_row(account);
    }
    // Nobody comes, but an account may have left until it was locked.
    let accounts = seen(Snapshot::Fresh);
    if seen(Snapshot::Latest).iter().any(|account| !accounts.contains(account)) {
        return Err(error::older_than_subscribers(plan));
    }
    Ok(accounts)
}

/// Makes the account's schedules what its subscriptions come to at an instant, with its row locked. Returns notes about it.
///
/// Lots that are due then are issued if nobody holds a lot that ends with them; otherwise at the next touch.
pub fn follow(account: &str, now: DateTime<Utc>) -> Vec<String> {
    let accounts = [account.to_owned()];
    let moved = plan_schedules::adjust(&accounts, now);
    let missing = plan_schedules::missing(account, now);
    if moved == 0 && missing.is_empty() {
        return Vec::new();
    }
    let calendar = AccountCalendar::of(account, Snapshot::Fresh);
    for missing in &missing {
        plan_schedules::add_one(account, missing, beginning(missing, &calendar), now);
    }
    plan_schedules::make_due(&accounts, now);
    refresh::if_free(account, clock::now());
    let counted = |many: i64, what: &str| (many > 0).then(|| format!("schedules of plans that {what}: {many}"));
    [counted(missing.len() as i64, "begin"), counted(moved, "get another end")].into_iter().flatten().collect()
}

/// The anchor that the periods of a schedule are counted from, and how many periods there are. An account that comes back to a
/// plan within a period that it had of it goes on with the periods that are left, this one included: what was granted of that
/// period is not granted again.
fn beginning(missing: &Missing, calendar: &AccountCalendar) -> Beginning {
    let anew = Beginning { anchor: missing.anchor, periods: missing.periods };
    let Some(before) = missing.before else { return anew };
    let last = before.cycle.containing(calendar, before.ended_at - chrono::TimeDelta::microseconds(1));
    if before.cycle.start(calendar, last + 1) <= missing.since {
        return anew;
    }
    let over = last - before.cycle.containing(calendar, before.starts_at);
    Beginning { anchor: before.cycle.anchor, periods: before.periods.map(|periods| periods - over as i32) }
}
