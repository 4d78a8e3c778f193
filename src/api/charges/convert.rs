//! credit_convert().

use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::arguments;
use crate::charges::convert as conversion;
use crate::charges::convert::Convert;
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::error::Result;
use crate::ledger::idempotency::Keyed;
use crate::store::connected;
use crate::values::json::JsonText;

/// Converts credits of one unit into credits of another of the same account.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_convert(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    from_unit: Option<&str>,
    to_unit: Option<&str>,
    rate: default!(Option<AnyNumeric>, "NULL"),
    member: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let metadata = arguments::metadata(metadata)?;
    let name = arguments::name("account", account)?;
    let mut request = Convert {
        account: name,
        amount: amounts::positive("amount", amount.as_ref(), name, from_unit)?,
        from_unit: arguments::optional_name("from_unit", from_unit)?,
        to_unit: arguments::name("to_unit", to_unit)?,
        rate: rate.map(|rate| arguments::positive_amount("rate", Some(&rate))).transpose()?,
        member: arguments::optional_name("member", member)?,
        operation: arguments::optional_name("operation", operation)?,
        keyed: None,
        metadata: metadata.as_deref(),
    };
    let key = arguments::optional_name("key", key)?;
    request.keyed = key.map(|key| Keyed { key, function: "credit_convert", fingerprint: fingerprint(&request) });
    connected(|| conversion::convert(request))
}

fn fingerprint(request: &Convert<'_>) -> Body {
    Fingerprint::of("credit_convert")
        .with("account", Some(request.account))
        .with("amount", Some(request.amount))
        .with("from_unit", request.from_unit)
        .with("to_unit", Some(request.to_unit))
        .with("rate", request.rate)
        .with("member", request.member)
        .with("operation", request.operation)
        .finish()
}
