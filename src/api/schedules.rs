//! credit_schedule(), credit_standard_schedule(), credit_end_schedule(), credit_schedule_preview() and credit_refresh().

use chrono::{DateTime, Utc};
use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::api::ledger::lots::batch;
use crate::api::plans::{length, option};
use crate::arguments;
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::domain::schedules::rollover::Rollover;
use crate::error::{self, Result};
use crate::ledger::account as accounts;
use crate::ledger::grant::{DEFAULT_PRIORITY, PRIORITIES};
use crate::ledger::idempotency::Keyed;
use crate::schedules::schedule::{self, Declared};
use crate::schedules::{plan_schedule, refresh};
use crate::server::clock;
use crate::store::connected;
use crate::store::ledger::accounts as store;
use crate::store::schedules::NewSchedule;
use crate::store::schedules::plan_schedules::OfPlan;
use crate::values;
use crate::values::json::JsonText;

/// The most periods that a schedule or its lots may live.
const MAX_PERIODS: i32 = 100_000;

/// Declares what an account, or every account on a plan, is granted again and again; the schedule's id.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_schedule(
    account: default!(Option<&str>, "NULL"),
    amount: default!(Option<AnyNumeric>, "NULL"),
    every: default!(Option<Interval>, "NULL"),
    anchor: default!(Option<TimestampWithTimeZone>, "NULL"),
    starts_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    ends_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    periods: default!(Option<i32>, "NULL"),
    expires: default!(Option<&str>, "NULL"),
    expires_after: default!(Option<Interval>, "NULL"),
    expires_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    proration: default!(Option<&str>, "'none'"),
    per_member: default!(Option<bool>, "false"),
    on_leave: default!(Option<&str>, "NULL"),
    rollover: default!(Option<JsonText>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    category: default!(Option<&str>, "NULL"),
    paid: default!(Option<AnyNumeric>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    true_up: default!(Option<Interval>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    plan: default!(Option<&str>, "NULL"),
    into_pool: default!(Option<bool>, "false"),
) -> Result<i64> {
    let plan = arguments::optional_name("plan", plan)?;
    if account.is_some() && plan.is_some() {
        return Err(error::account_or_plan());
    }
    let key = arguments::optional_name("key", key)?;
    let (rollover, metadata) = (rollover.map(|json| json.0), arguments::metadata(metadata)?);
    let on_leave = option("on_leave", on_leave, &["expire", "return", "keep"])?;
    let of_account = account.unwrap_or_default();
    let request = Request {
        every: arguments::required("every", length("every", every)?)?,
        anchor: arguments::optional_instant("anchor", anchor)?,
        starts_at: arguments::optional_instant("starts_at", starts_at)?,
        unit: arguments::optional_name("unit", unit)?,
        category,
        currency,
        priority: priority.unwrap_or(DEFAULT_PRIORITY),
        validity: validity(
            expires,
            length("expires_after", expires_after)?,
            arguments::optional_instant("expires_at", expires_at)?,
        )?,
        rollover: rollover.as_deref(),
    };
    let new = NewSchedule {
        account: if plan.is_none() { arguments::name("account", account)? } else { "" },
        amount: amounts::positive("amount", amount.as_ref(), of_account, unit)?,
        ends_at: arguments::optional_instant("ends_at", ends_at)?,
        periods: count("periods", periods)?,
        proration: option("proration", Some(arguments::required("proration", proration)?), &["none", "first", "last", "both"])?
            .expect("a value that was given"),
        per_member: arguments::required("per_member", per_member)?,
        into_pool: arguments::required("into_pool", into_pool)?,
        on_leave: on_leave.unwrap_or(if into_pool == Some(true) { "keep" } else { "expire" }),
        paid: amounts::money("paid", paid.as_ref(), currency, of_account, unit)?,
        true_up: length("true_up", true_up)?,
        metadata: metadata.as_deref(),
        ..request.blank()
    };
    if new.into_pool && !new.per_member {
        return Err(error::pool_without_seats());
    }
    if new.into_pool && plan.is_none() && new.on_leave != "keep" {
        return Err(error::leaver_of_pool(new.on_leave));
    }
    let fingerprint = request.fingerprint(&new);
    match plan {
        None => {
            let keyed = key.map(|key| Keyed { key, function: "credit_schedule", fingerprint });
            connected(|| request.declare(new, keyed))
        }
        Some(plan) => {
            // Not to say what becomes of the lots means another thing for a plan than to say that they expire.
            let of_plan = Fingerprint::of("credit_schedule of a plan").with("on_leave", on_leave);
            let fingerprint = of_plan.with("terms", Some(format!("{fingerprint:?}"))).finish();
            let of = OfPlan { plan, anchor: request.anchor, on_leave, key: key.map(|key| (key, fingerprint.whole)) };
            connected(|| request.declare_of_plan(new, of))
        }
    }
}

/// The declaration of a schedule, beside the values that are stored as they are.
struct Request<'a> {
    every: Interval,
    anchor: Option<DateTime<Utc>>,
    starts_at: Option<DateTime<Utc>>,
    unit: Option<&'a str>,
    category: Option<&'a str>,
    currency: Option<&'a str>,
    priority: i32,
    validity: Validity,
    rollover: Option<&'a str>,
}

/// How long the lots live, as the table says it.
struct Validity {
    expires: &'static str,
    periods: Option<i32>,
    after: Option<Interval>,
    at: Option<DateTime<Utc>>,
}

impl<'a> Request<'a> {
    /// A schedule with nothing of its own yet.
    fn blank(&self) -> NewSchedule<'a> {
        NewSchedule {
            account: "",
            unit: String::new(),
            amount: Default::default(),
            every: self.every,
            anchor: DateTime::default(),
            starts_at: DateTime::default(),
            ends_at: None,
            periods: None,
            expires: self.validity.expires,
            expires_periods: self.validity.periods,
            expires_after: self.validity.after,
            expires_at: self.validity.at,
            proration: "none",
            per_member: false,
            into_pool: false,
            on_leave: "expire",
            rollover: self.rollover,
            category: String::new(),
            paid: None,
            currency: self.currency.map(str::to_owned),
            priority: DEFAULT_PRIORITY as i16,
            true_up: None,
            metadata: None,
        }
    }

    fn declare(&self, new: NewSchedule<'_>, keyed: Option<Keyed<'_>>) -> Result<i64> {
        self.checked(new, |new, declared| schedule::declare(new, declared, self.starts_at, self.anchor, keyed))
    }

    fn declare_of_plan(&self, new: NewSchedule<'_>, of: OfPlan<'_>) -> Result<i64> {
        self.checked(new, |new, declared| plan_schedule::declare(new, of, declared, self.starts_at))
    }

    fn checked<'n>(
        &self,
        mut new: NewSchedule<'n>,
        declare: impl FnOnce(NewSchedule<'n>, Declared<'_>) -> Result<i64>,
    ) -> Result<i64> {
        if !PRIORITIES.contains(&self.priority) {
            return Err(error::invalid_priority(self.priority));
        }
        new.priority = self.priority as i16;
        let length = |text: &str| values::span(&values::interval_of_text(text));
        let rollover = self.rollover.map(|json| Rollover::parse(json, length)).transpose();
        let rollover = rollover.map_err(|broken| error::invalid_rollover(&broken))?;
        if rollover.is_some() && self.validity.expires == "never" {
            return Err(error::nothing_to_roll());
        }
        declare(new, Declared { rollover: rollover.as_ref(), unit: self.unit, category: self.category })
    }

    fn fingerprint(&self, new: &NewSchedule<'_>) -> Body {
        let length = |length: &Interval| format!("{:?}", (length.months(), length.days(), length.micros()));
        Fingerprint::of("credit_schedule")
            .with("account", Some(new.account))
            .with("amount", Some(new.amount))
            .with("every", Some(length(&self.every)))
            .with("anchor", self.anchor.map(values::microseconds))
            .with("starts_at", self.starts_at.map(values::microseconds))
            .with("ends_at", new.ends_at.map(values::microseconds))
            .with("periods", new.periods)
            .with("expires", Some(self.validity.expires))
            .with("expires_periods", self.validity.periods)
            .with("expires_after", self.validity.after.as_ref().map(length))
            .with("expires_at", self.validity.at.map(values::microseconds))
            .with("proration", Some(new.proration))
            .with("per_member", Some(new.per_member))
            .with("into_pool", new.into_pool.then_some(true))
            .with("on_leave", Some(new.on_leave))
            .with("rollover", self.rollover)
            .with("unit", self.unit)
            .with("category", self.category)
            .with("paid", new.paid)
            .with("currency", self.currency)
            .with("priority", Some(self.priority))
            .with("true_up", new.true_up.as_ref().map(length))
            .finish()
    }
}

/// When lots expire: a word, a number of periods, a length or an instant; at the end of the period when nothing is said.
fn validity(expires: Option<&str>, after: Option<Interval>, at: Option<DateTime<Utc>>) -> Result<Validity> {
    if [expires.is_some(), after.is_some(), at.is_some()].iter().filter(|given| **given).count() > 1 {
        return Err(error::several_validities());
    }
    let of = |expires| Validity { expires, periods: None, after: None, at: None };
    if after.is_some() {
        return Ok(Validity { after, ..of("after") });
    }
    if at.is_some() {
        return Ok(Validity { at, ..of("at") });
    }
    match expires {
        None | Some("period_end") => Ok(of("period_end")),
        Some("never") => Ok(of("never")),
        Some(text) => {
            let number = text.strip_suffix(" periods").or(text.strip_suffix(" period")).and_then(|number| number.parse().ok());
            match number.filter(|number| (1..=MAX_PERIODS).contains(number)) {
                Some(periods) => Ok(Validity { periods: Some(periods), ..of("periods") }),
                None => Err(error::unknown_option("expires", text, "period_end, never, 3 periods")),
            }
        }
    }
}

/// A number of periods that may be left out.
fn count(argument: &str, value: Option<i32>) -> Result<Option<i32>> {
    match value {
        Some(value) if !(1..=MAX_PERIODS).contains(&value) => Err(error::invalid_count(argument, value, MAX_PERIODS)),
        value => Ok(value),
    }
}

/// Declares the recommended setup for business customers: an allocation for a year, rolling expiry, a true-up each quarter.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_standard_schedule(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    anchor: default!(Option<TimestampWithTimeZone>, "NULL"),
    years: default!(Option<i32>, "NULL"),
    expires_after: default!(Option<Interval>, "'12 months'"),
    paid: default!(Option<AnyNumeric>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    key: default!(Option<&str>, "NULL"),
) -> Result<i64> {
    let months = |months| Interval::new(months, 0, 0).expect("a length of months");
    let anchor = arguments::optional_instant("anchor", anchor)?;
    let expires_after = arguments::required("expires_after", length("expires_after", expires_after)?)?;
    if !(12..=24).contains(&expires_after.months()) || expires_after.days() != 0 || expires_after.micros() != 0 {
        return Err(error::unusual_expiry());
    }
    let of_account = account.unwrap_or_default();
    let request = Request {
        every: months(12),
        anchor,
        starts_at: anchor,
        unit: arguments::optional_name("unit", unit)?,
        category: Some("paid"),
        currency,
        priority: DEFAULT_PRIORITY,
        validity: validity(None, Some(expires_after), None)?,
        rollover: None,
    };
    let new = NewSchedule {
        account: arguments::name("account", account)?,
        amount: amounts::positive("amount", amount.as_ref(), of_account, unit)?,
        periods: count("years", years)?,
        paid: amounts::money("paid", paid.as_ref(), currency, of_account, unit)?,
        true_up: Some(months(3)),
        ..request.blank()
    };
    let fingerprint = request.fingerprint(&new);
    let key = arguments::optional_name("key", key)?;
    let keyed = key.map(|key| Keyed { key, function: "credit_standard_schedule", fingerprint });
    connected(|| request.declare(new, keyed))
}

/// Ends a schedule of an account, or of a plan with those of its accounts: no period begins then or later. Lots that were issued
/// stay.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_end_schedule(
    account: default!(Option<&str>, "NULL"),
    schedule: default!(Option<i64>, "NULL"),
    ends_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    plan: default!(Option<&str>, "NULL"),
) -> Result<i64> {
    let plan = arguments::optional_name("plan", plan)?;
    if account.is_some() && plan.is_some() {
        return Err(error::account_or_plan());
    }
    let account = if plan.is_none() { arguments::name("account", account)? } else { "" };
    let id = arguments::required("schedule", schedule)?;
    let ends_at = arguments::optional_instant("ends_at", ends_at)?;
    connected(|| match plan {
        None => schedule::end(account, id, ends_at),
        Some(plan) => plan_schedule::end(plan, id, ends_at),
    })?;
    Ok(id)
}

/// The lots that a schedule brings the pool, or a member who is there all the time, up to an instant; as it stands.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_schedule_preview(
    account: Option<&str>,
    schedule: Option<i64>,
    until: Option<TimestampWithTimeZone>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(period, i64),
            name!(amount, AnyNumeric),
            name!(effective_at, TimestampWithTimeZone),
            name!(expires_at, Option<TimestampWithTimeZone>),
        ),
    >,
> {
    let account = arguments::name("account", account)?;
    let id = arguments::required("schedule", schedule)?;
    let until = arguments::instant("until", arguments::required("until", until)?)?;
    let lots = connected(|| schedule::preview(account, id, until))?;
    let row = |lot: crate::domain::schedules::schedule::Planned| {
        (lot.period, values::numeric(lot.granted), values::timestamptz(lot.effective_at), lot.expires_at.map(values::timestamptz))
    };
    Ok(TableIterator::new(lots.into_iter().map(row).collect::<Vec<_>>()))
}

/// Issues what is due of an account, unless somebody holds it; how many lots came to be.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_refresh(account: Option<&str>, at: default!(Option<TimestampWithTimeZone>, "NULL")) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let at = arguments::optional_instant("at", at)?;
    connected(|| {
        let until = until(at)?;
        accounts::find(account, None, None)?;
        Ok(refresh::if_free(account, until).unwrap_or_default())
    })
}

/// The same of all accounts. They are meant by leaving the account out, so a NULL of a join never means them.
#[pg_extern(name = "credit_refresh", security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_refresh_of_all(
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    max_accounts: default!(Option<i32>, 1000),
) -> Result<i64> {
    let at = arguments::optional_instant("at", at)?;
    let max_accounts = batch("max_accounts", max_accounts)?;
    connected(|| {
        let until = until(at)?;
        Ok(store::due(until, max_accounts).iter().filter_map(|account| refresh::if_free(account, until)).sum())
    })
}

/// The instant up to which something is issued.
///
/// # Errors
/// 22023 in the future.
fn until(at: Option<DateTime<Utc>>) -> Result<DateTime<Utc>> {
    let now = clock::now();
    match at.filter(|at| *at > now) {
        Some(at) => Err(error::refresh_in_future(at, now)),
        None => Ok(at.unwrap_or(now)),
    }
}
