//! credit_refund() and credit_withdraw().

use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::arguments;
use crate::domain::ledger::request::Fingerprint;
use crate::error::{self, Result};
use crate::ledger::idempotency::Keyed;
use crate::refunds::refund::{self, Refund};
use crate::refunds::withdraw;
use crate::store::connected;
use crate::values::json::JsonText;

/// Gives back what a debit took, or a part of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_refund(
    account: Option<&str>,
    posting: Option<i64>,
    amount: default!(Option<AnyNumeric>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let metadata = with_reason(arguments::metadata(metadata)?, reason)?;
    let mut request = Refund {
        account: arguments::name("account", account)?,
        posting: arguments::required("posting", posting)?,
        amount: amount.as_ref().map(|amount| arguments::positive_amount("amount", Some(amount))).transpose()?,
        keyed: None,
        metadata: metadata.as_deref(),
    };
    let key = arguments::optional_name("key", key)?;
    let function = "credit_refund";
    let fingerprint = || {
        Fingerprint::of(function)
            .with("account", Some(request.account))
            .with("posting", Some(request.posting))
            .with("amount", request.amount)
            .with("reason", reason)
            .finish()
    };
    request.keyed = key.map(|key| Keyed { key, function, fingerprint: fingerprint() });
    connected(|| refund::refund(request))
}

/// Takes a part of what is left of a lot.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_withdraw(
    account: Option<&str>,
    lot: Option<i64>,
    amount: Option<AnyNumeric>,
    reason: default!(Option<&str>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let metadata = with_reason(arguments::metadata(metadata)?, reason)?;
    let account = arguments::name("account", account)?;
    let lot = arguments::required("lot", lot)?;
    let amount = amounts::positive("amount", amount.as_ref(), account, None)?;
    let key = arguments::optional_name("key", key)?;
    let function = "credit_withdraw";
    let fingerprint = || {
        Fingerprint::of(function)
            .with("account", Some(account))
            .with("lot", Some(lot))
            .with("amount", Some(amount))
            .with("reason", reason)
            .finish()
    };
    let keyed = key.map(|key| Keyed { key, function, fingerprint: fingerprint() });
    connected(|| withdraw::withdraw(account, lot, amount, keyed, metadata.as_deref()))
}

/// The metadata with the reason in it.
///
/// # Errors
/// 22023 for a reason that is too long, and where metadata says another one.
fn with_reason(metadata: Option<String>, reason: Option<&str>) -> Result<Option<String>> {
    let Some(reason) = arguments::short("reason", reason)? else { return Ok(metadata) };
    let known = metadata.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let mut object = match known {
        Some(serde_json::Value::Object(object)) => object,
        Some(other) => serde_json::Map::from_iter([("metadata".to_owned(), other)]),
        None => serde_json::Map::new(),
    };
    let reason = serde_json::Value::from(reason);
    if object.insert("reason".to_owned(), reason.clone()).is_some_and(|said| said != reason) {
        return Err(error::two_reasons());
    }
    Ok(Some(serde_json::Value::Object(object).to_string()))
}
