//! credit_change_plan(), credit_renew() and credit_cancel_plan().

use pgrx::prelude::*;

use crate::api::plans::option;
use crate::arguments;
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::domain::plans::subscription::BillingPeriod;
use crate::error::Result;
use crate::ledger::idempotency::Keyed;
use crate::plans::renewal::{self, Renewed};
use crate::plans::subscription::{self, Change};
use crate::store::connected;
use crate::store::plans::subscription_moves::Changed;
use crate::values;
use crate::values::json::JsonText;

/// Changes the plan of an account, or begins its first subscription; one row: what that did, or would do.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_change_plan(
    account: Option<&str>,
    plan: Option<&str>,
    quantity: default!(Option<AnyNumeric>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    preview: default!(Option<bool>, "false"),
    billing_period: default!(Option<&str>, "NULL"),
    anchor: default!(Option<TimestampWithTimeZone>, "NULL"),
    override_reason: default!(Option<&str>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(from_plan, Option<String>),
            name!(to_plan, String),
            name!(effective_at, TimestampWithTimeZone),
            name!(period_end, TimestampWithTimeZone),
            name!(days_left, i32),
            name!(days_in_period, i32),
            name!(charge, AnyNumeric),
            name!(credit, AnyNumeric),
            name!(currency, String),
            name!(granted, AnyNumeric),
            name!(returned, AnyNumeric),
            name!(renewals, i64),
            name!(renewed_granted, AnyNumeric),
            name!(renewed_charge, AnyNumeric),
            name!(renewed_currency, Option<String>),
            name!(commitment_until, Option<TimestampWithTimeZone>),
            name!(new_price, AnyNumeric),
            name!(lots_kept, i64),
            name!(note, Option<String>),
        ),
    >,
> {
    let metadata = arguments::metadata(metadata)?;
    let billing_period = option("billing_period", billing_period, &["month", "quarter", "year"])?;
    let mut request = Change {
        account: arguments::name("account", account)?,
        plan: arguments::name("plan", plan)?,
        quantity: quantity.map(|quantity| arguments::positive_amount("quantity", Some(&quantity))).transpose()?,
        at: arguments::optional_instant("at", at)?,
        preview: arguments::required("preview", preview)?,
        billing_period: billing_period.map(|period| period.parse::<BillingPeriod>().expect("a period that is known")),
        anchor: arguments::optional_instant("anchor", anchor)?,
        override_reason: arguments::optional_name("override_reason", override_reason)?,
        keyed: None,
        metadata: metadata.as_deref(),
    };
    let key = arguments::optional_name("key", key)?;
    request.keyed = key.map(|key| Keyed { key, function: "credit_change_plan", fingerprint: fingerprint(&request) });
    let changed = connected(|| subscription::change(&request))?;
    Ok(TableIterator::once(row(changed)))
}

/// The same terms are the same request. Terms that were not given do not count.
fn fingerprint(request: &Change<'_>) -> Body {
    Fingerprint::of("credit_change_plan")
        .with("account", Some(request.account))
        .with("plan", Some(request.plan))
        .with("quantity", request.quantity)
        .with("at", request.at.map(|at| at.timestamp_micros()))
        .with("billing_period", request.billing_period)
        .with("anchor", request.anchor.map(|anchor| anchor.timestamp_micros()))
        .with("override_reason", request.override_reason)
        .finish()
}

type Row = (
    Option<String>,
    String,
    TimestampWithTimeZone,
    TimestampWithTimeZone,
    i32,
    i32,
    AnyNumeric,
    AnyNumeric,
    String,
    AnyNumeric,
    AnyNumeric,
    i64,
    AnyNumeric,
    AnyNumeric,
    Option<String>,
    Option<TimestampWithTimeZone>,
    AnyNumeric,
    i64,
    Option<String>,
);

fn row(changed: Changed) -> Row {
    (
        changed.from_plan,
        changed.to_plan,
        values::timestamptz(changed.effective_at),
        values::timestamptz(changed.period_end),
        changed.days_left,
        changed.days_in_period,
        changed.charge,
        changed.credit,
        changed.currency,
        changed.granted,
        changed.returned,
        changed.renewals,
        changed.renewed_granted,
        changed.renewed_charge,
        changed.renewed_currency,
        changed.committed_until.map(values::timestamptz),
        changed.new_price,
        changed.lots_kept,
        changed.note,
    )
}

/// Buys the periods of an account's subscriptions that have begun and are not bought; a row for each.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_renew(
    account: Option<&str>,
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(subscription, i64),
            name!(period_start, TimestampWithTimeZone),
            name!(period_end, TimestampWithTimeZone),
            name!(lot, i64),
            name!(granted, AnyNumeric),
            name!(paid, AnyNumeric),
        ),
    >,
> {
    let account = arguments::name("account", account)?;
    let at = arguments::optional_instant("at", at)?;
    let unit = arguments::optional_name("unit", unit)?;
    let renewed = connected(|| renewal::renew(account, unit, at))?;
    let row = |renewed: Renewed| {
        (
            renewed.subscription,
            values::timestamptz(renewed.starts_at),
            values::timestamptz(renewed.ends_at),
            renewed.lot,
            values::numeric(renewed.granted),
            values::money(renewed.paid, renewed.currency_decimals as u32),
        )
    };
    Ok(TableIterator::new(renewed.into_iter().map(row)))
}

/// Ends the subscription of an account with the last period that was bought; when that is.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_cancel_plan(
    account: Option<&str>,
    unit: default!(Option<&str>, "NULL"),
    override_reason: default!(Option<&str>, "NULL"),
) -> Result<TimestampWithTimeZone> {
    let account = arguments::name("account", account)?;
    let unit = arguments::optional_name("unit", unit)?;
    let override_reason = arguments::optional_name("override_reason", override_reason)?;
    connected(|| renewal::cancel(account, unit, override_reason)).map(values::timestamptz)
}
