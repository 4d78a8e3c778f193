//! credit_capture() and credit_capture_charge(). They are declared in sql/05_holds.sql: `final` is no name for an argument in
//! Rust.

use pgrx::prelude::*;

use crate::arguments;
use crate::captures::capture::{self, Beyond, Capture, Wanted};
use crate::domain::ledger::request::Fingerprint;
use crate::error::{self, Result};
use crate::ledger::idempotency::Keyed;
use crate::store::connected;
use crate::values;
use crate::values::json::JsonText;

/// Debits what a spend cost from its hold.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn credit_capture(
    account: Option<&str>,
    hold: Option<i64>,
    amount: Option<AnyNumeric>,
    is_final: Option<bool>,
    beyond: Option<&str>,
    at: Option<TimestampWithTimeZone>,
    key: Option<&str>,
    metadata: Option<JsonText>,
) -> Result<Option<i64>> {
    let metadata = arguments::metadata(metadata)?;
    let amount = amount.as_ref().map(|amount| arguments::quantity_of("amount", Some(amount))).transpose()?;
    let wanted = amount.map_or(Wanted::Everything, Wanted::Amount);
    let request = request(account, hold, wanted, is_final, beyond, at, metadata.as_deref())?;
    let keyed = keyed("credit_capture", &request, key)?;
    connected(|| capture::capture(Capture { keyed, ..request }))
}

/// Debits the price of a quantity from its hold, by the version of the rate that the hold pinned.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn credit_capture_charge(
    account: Option<&str>,
    hold: Option<i64>,
    quantity: Option<AnyNumeric>,
    is_final: Option<bool>,
    beyond: Option<&str>,
    at: Option<TimestampWithTimeZone>,
    key: Option<&str>,
    metadata: Option<JsonText>,
) -> Result<Option<i64>> {
    let metadata = arguments::metadata(metadata)?;
    let wanted = Wanted::Quantity(arguments::quantity(quantity.as_ref())?);
    let request = request(account, hold, wanted, is_final, beyond, at, metadata.as_deref())?;
    let keyed = keyed("credit_capture_charge", &request, key)?;
    connected(|| capture::capture(Capture { keyed, ..request }))
}

/// The capture that a function's arguments describe.
///
/// # Errors
/// 22023.
pub fn request<'a>(
    account: Option<&'a str>,
    hold: Option<i64>,
    wanted: Wanted,
    is_final: Option<bool>,
    beyond: Option<&str>,
    at: Option<TimestampWithTimeZone>,
    metadata: Option<&'a str>,
) -> Result<Capture<'a>> {
    Ok(Capture {
        account: arguments::name("account", account)?,
        hold: arguments::required("hold", hold)?,
        wanted,
        is_final: arguments::required("final", is_final)?,
        beyond: beyond_of(beyond)?,
        occurred_at: arguments::optional_instant("at", at)?,
        keyed: None,
        metadata,
    })
}

/// The key of a capture.
///
/// # Errors
/// 22023.
pub fn keyed<'a>(function: &'static str, request: &Capture<'_>, key: Option<&'a str>) -> Result<Option<Keyed<'a>>> {
    let key = arguments::optional_name("key", key)?;
    let (amount, quantity) = match request.wanted {
        Wanted::Everything => (None, None),
        Wanted::Amount(amount) => (Some(amount), None),
        Wanted::Quantity(quantity) => (None, Some(quantity)),
    };
    let fingerprint = || {
        Fingerprint::of(function)
            .with("account", Some(request.account))
            .with("hold", Some(request.hold))
            .with("amount", amount)
            .with("quantity", quantity)
            .with("final", Some(request.is_final))
            .with("beyond", Some(name_of(request.beyond)))
            .with("at", request.occurred_at.map(values::microseconds))
            .finish()
    };
    Ok(key.map(|key| Keyed { key, function, fingerprint: fingerprint() }))
}

fn beyond_of(beyond: Option<&str>) -> Result<Beyond> {
    match arguments::required("beyond", beyond)? {
        "debit" => Ok(Beyond::Debit),
        "refuse" => Ok(Beyond::Refuse),
        "available" => Ok(Beyond::Available),
        unknown => Err(error::unknown_option("beyond", unknown, "debit, refuse, available")),
    }
}

fn name_of(beyond: Beyond) -> &'static str {
    match beyond {
        Beyond::Debit => "debit",
        Beyond::Refuse => "refuse",
        Beyond::Available => "available",
    }
}
