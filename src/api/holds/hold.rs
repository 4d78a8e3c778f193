//! credit_hold() and credit_hold_charge().

use chrono::TimeDelta;
use pgrx::prelude::*;

use crate::api::charges::charge;
use crate::api::debits::debit::{self, Context};
use crate::arguments;
use crate::captures::hold;
use crate::debits::request::Debit;
use crate::domain::holds::hold as holds;
use crate::domain::ledger::request::Fingerprint;
use crate::domain::rates::dimensions::Dimensions;
use crate::error::{self, Result};
use crate::ledger::idempotency::Keyed;
use crate::store::connected;
use crate::values::json::JsonText;

/// Holds an amount.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_hold(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    expires_after: default!(Option<Interval>, "'15 minutes'"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let metadata = arguments::metadata(metadata)?;
    let dimensions = debit::dimensions_of(dimensions.as_ref())?;
    let context = Context { run, dimensions: dimensions.as_deref(), metadata: metadata.as_deref() };
    let mut request = debit::request(account, amount.as_ref(), member, operation, unit, None, None, context)?;
    let length = length(expires_after)?;
    request.keyed = keyed(&request, length, key)?;
    connected(|| hold::hold(request, length))
}

/// Holds the price of a quantity.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_hold_charge(
    account: Option<&str>,
    operation: Option<&str>,
    quantity: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
    expires_after: default!(Option<Interval>, "'15 minutes'"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
) -> Result<i64> {
    let metadata = arguments::metadata(metadata)?;
    let quantity = quantity.as_ref();
    let mut request =
        charge::request(account, operation, quantity, member, dimensions.as_ref(), None, None, metadata.as_deref(), run)?;
    let length = length(expires_after)?;
    let fingerprint = || {
        Fingerprint::of("credit_hold_charge")
            .with("account", Some(request.account))
            .with("operation", Some(request.operation))
            .with("quantity", Some(request.quantity))
            .with("member", request.member)
            .with("dimensions", request.dimensions.as_ref().map(Dimensions::to_json))
            .with("expires_after", length.num_microseconds())
            .with("run", request.run)
            .finish()
    };
    let key = arguments::optional_name("key", key)?;
    request.keyed = key.map(|key| Keyed { key, function: "credit_hold_charge", fingerprint: fingerprint() });
    connected(|| hold::hold_charge(&request, length))
}

/// The key of a hold.
///
/// # Errors
/// 22023.
pub fn keyed<'a>(request: &Debit<'_>, length: TimeDelta, key: Option<&'a str>) -> Result<Option<Keyed<'a>>> {
    let key = arguments::optional_name("key", key)?;
    let fingerprint = || {
        Fingerprint::of("credit_hold")
            .with("account", Some(request.account))
            .with("amount", Some(request.amount))
            .with("member", request.member)
            .with("operation", request.operation)
            .with("unit", request.unit)
            .with("expires_after", length.num_microseconds())
            .with("run", request.run)
            .with("dimensions", request.dimensions)
            .finish()
    };
    Ok(key.map(|key| Keyed { key, function: "credit_hold", fingerprint: fingerprint() }))
}

/// For how long a hold is to be open. Days have 24 hours.
///
/// # Errors
/// 22023 when it is NULL, has months, is not above zero or longer than 31 days.
pub fn length(expires_after: Option<Interval>) -> Result<TimeDelta> {
    let given = arguments::required("expires_after", expires_after)?;
    let days = TimeDelta::try_days(given.days().into());
    let length = days.and_then(|days| days.checked_add(&TimeDelta::microseconds(given.micros())));
    let is_allowed = |length: &TimeDelta| given.months() == 0 && *length > TimeDelta::zero() && *length <= holds::LONGEST;
    length.filter(is_allowed).ok_or_else(error::invalid_hold_length)
}
