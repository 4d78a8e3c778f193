//! credit_transfer().

use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::arguments;
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::error::Result;
use crate::ledger::idempotency::Keyed;
use crate::pools::transfer::{self, Transfer};
use crate::store::connected;
use crate::values::json::JsonText;

/// Transfers credits from a member or the pool to a member or the pool.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_transfer(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    from_member: default!(Option<&str>, "NULL"),
    to_member: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    lot: default!(Option<i64>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let metadata = arguments::metadata(metadata)?;
    let name = arguments::name("account", account)?;
    let mut request = Transfer {
        account: name,
        amount: amounts::positive("amount", amount.as_ref(), name, unit)?,
        from: arguments::optional_name("from_member", from_member)?,
        to: arguments::optional_name("to_member", to_member)?,
        unit: arguments::optional_name("unit", unit)?,
        lot,
        keyed: None,
        metadata: metadata.as_deref(),
    };
    let key = arguments::optional_name("key", key)?;
    request.keyed = key.map(|key| Keyed { key, function: "credit_transfer", fingerprint: fingerprint(&request) });
    connected(|| transfer::transfer(request))
}

fn fingerprint(request: &Transfer<'_>) -> Body {
    Fingerprint::of("credit_transfer")
        .with("account", Some(request.account))
        .with("amount", Some(request.amount))
        .with("from_member", request.from)
        .with("to_member", request.to)
        .with("unit", request.unit)
        .with("lot", request.lot)
        .finish()
}
