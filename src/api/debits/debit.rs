//! credit_debit() and credit_try_debit().

use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::arguments;
use crate::debits::request::Debit;
use crate::debits::{available, debit};
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::error::Result;
use crate::ledger::idempotency::Keyed;
use crate::store::{connected, connected_on_demand};
use crate::values;
use crate::values::json::JsonText;

/// Debits, or raises 23514 when the amount does not fit.
#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::too_many_arguments)]
fn credit_debit(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let metadata = arguments::metadata(metadata)?;
    let dimensions = dimensions_of(dimensions.as_ref())?;
    let context = Context { run, dimensions: dimensions.as_deref(), metadata: metadata.as_deref() };
    let request = request(account, amount.as_ref(), member, operation, unit, at, key, context)?;
    connected_on_demand(|| debit::debit(request))
}

/// Debits, or returns NULL when the credits do not cover the amount.
#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::too_many_arguments)]
fn credit_try_debit(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
) -> Result<Option<i64>> {
    let metadata = arguments::metadata(metadata)?;
    let dimensions = dimensions_of(dimensions.as_ref())?;
    let context = Context { run, dimensions: dimensions.as_deref(), metadata: metadata.as_deref() };
    let request = request(account, amount.as_ref(), member, operation, unit, at, key, context)?;
    connected_on_demand(|| debit::try_debit(request))
}

/// Debits up to an amount, as far as credits and caps reach.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_debit_available(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
) -> Result<TableIterator<'static, (name!(posting, Option<i64>), name!(debited, AnyNumeric), name!(shortfall, AnyNumeric))>> {
    let metadata = arguments::metadata(metadata)?;
    let dimensions = dimensions_of(dimensions.as_ref())?;
    let context = Context { run, dimensions: dimensions.as_deref(), metadata: metadata.as_deref() };
    let request = request(account, amount.as_ref(), member, operation, unit, at, key, context)?;
    let debited = connected(|| available::debit_available(as_available(request)))?;
    Ok(TableIterator::once((debited.posting, values::numeric(debited.debited), values::numeric(debited.shortfall))))
}

/// Dimensions in their normal form, as a JSON object; `None` for none, and for an empty object.
///
/// # Errors
/// 22023 when they are not a flat JSON object, or too long.
pub fn dimensions_of(given: Option<&JsonText>) -> Result<Option<String>> {
    Ok(arguments::dimensions(given)?.filter(|dimensions| !dimensions.is_empty()).map(|dimensions| dimensions.to_json()))
}

/// The arguments that only say more about a spend.
#[derive(Clone, Copy, Default)]
pub struct Context<'a> {
    /// The task, session or conversation.
    pub run: Option<&'a str>,
    /// The dimensions, in their normal form.
    pub dimensions: Option<&'a str>,
    pub metadata: Option<&'a str>,
}

/// The debit that a function's arguments describe.
///
/// # Errors
/// 22023, 22003.
#[allow(clippy::too_many_arguments)]
pub fn request<'a>(
    account: Option<&'a str>,
    amount: Option<&AnyNumeric>,
    member: Option<&'a str>,
    operation: Option<&'a str>,
    unit: Option<&'a str>,
    at: Option<TimestampWithTimeZone>,
    key: Option<&'a str>,
    context: Context<'a>,
) -> Result<Debit<'a>> {
    let name = arguments::name("account", account)?;
    let mut request = Debit {
        account: name,
        amount: amounts::positive("amount", amount, name, unit)?,
        member: arguments::optional_name("member", member)?,
        operation: arguments::optional_name("operation", operation)?,
        unit: arguments::optional_name("unit", unit)?,
        occurred_at: arguments::optional_instant("at", at)?,
        keyed: None,
        posting: None,
        metadata: context.metadata,
        run: arguments::optional_name("run", context.run)?,
        dimensions: context.dimensions,
        usage: None,
        hold: None,
        hold_for: None,
        item: None,
    };
    let key = arguments::optional_name("key", key)?;
    request.keyed = key.map(|key| Keyed { key, function: "credit_debit", fingerprint: fingerprint(&request) });
    Ok(request)
}

/// The same request as one of credit_debit_available(): its key stands for what was there.
pub fn as_available(request: Debit<'_>) -> Debit<'_> {
    let function = "credit_debit_available";
    let fingerprint = || arguments_of(Fingerprint::of(function), &request).finish();
    let keyed = request.keyed.map(|keyed| Keyed { function, fingerprint: fingerprint(), ..keyed });
    Debit { keyed, ..request }
}

/// credit_debit() and credit_try_debit() make the same request: one may repeat the other's.
fn fingerprint(request: &Debit<'_>) -> Body {
    arguments_of(Fingerprint::of("credit_debit"), request).finish()
}

fn arguments_of(fingerprint: Fingerprint, request: &Debit<'_>) -> Fingerprint {
    fingerprint
        .with("account", Some(request.account))
        .with("amount", Some(request.amount))
        .with("member", request.member)
        .with("operation", request.operation)
        .with("unit", request.unit)
        .with("at", request.occurred_at.map(values::microseconds))
        .with("run", request.run)
        .with("dimensions", request.dimensions)
}
