//! credit_grant().

use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::arguments;
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::error::{self, Result};
use crate::ledger::grant::{self, Grant};
use crate::ledger::idempotency::Keyed;
use crate::store::connected;
use crate::text_array::TextArray;
use crate::values;
use crate::values::json::JsonText;

/// Grants a lot of credits.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_grant(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    category: default!(Option<&str>, "NULL"),
    source: default!(Option<&str>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    expires_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    expires_after: default!(Option<Interval>, "NULL"),
    applies_to: default!(Option<TextArray>, "NULL"),
    paid: default!(Option<AnyNumeric>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let metadata = arguments::metadata(metadata)?;
    let name = arguments::name("account", account)?;
    let mut request = Grant {
        account: name,
        amount: amounts::positive("amount", amount.as_ref(), name, unit)?,
        member: arguments::optional_name("member", member)?,
        unit: arguments::optional_name("unit", unit)?,
        category,
        source,
        priority,
        effective_at: arguments::optional_instant("effective_at", effective_at)?,
        expires_at: arguments::optional_instant("expires_at", expires_at)?,
        expires_after: arguments::optional_length("expires_after", expires_after)?,
        applies_to: operations(applies_to)?,
        paid: amounts::money("paid", paid.as_ref(), currency, name, unit)?,
        currency,
        keyed: None,
        metadata: metadata.as_deref(),
    };
    let key = arguments::optional_name("key", key)?;
    request.keyed = key.map(|key| Keyed { key, function: "credit_grant", fingerprint: fingerprint(&request) });
    connected(|| grant::grant(request))
}

fn operations(applies_to: Option<TextArray>) -> Result<Option<Vec<String>>> {
    let operations = applies_to.map(|names| names.0.into_iter().collect::<Option<Vec<_>>>());
    match operations {
        Some(None) => Err(error::null_element("applies_to")),
        Some(Some(operations)) => Ok(Some(operations)),
        None => Ok(None),
    }
}

/// The same terms are the same request, whatever their spelling: 10 and 10.0, operations in any order.
fn fingerprint(request: &Grant<'_>) -> Body {
    let operations = request.applies_to.clone().map(|mut operations| {
        operations.sort_unstable();
        operations.dedup();
        format!("{operations:?}")
    });
    Fingerprint::of("credit_grant")
        .with("account", Some(request.account))
        .with("amount", Some(request.amount))
        .with("member", request.member)
        .with("unit", request.unit)
        .with("category", request.category)
        .with("source", request.source)
        .with("priority", request.priority)
        .with("effective_at", request.effective_at.map(values::microseconds))
        .with("expires_at", request.expires_at.map(values::microseconds))
        .with(
            "expires_after",
            request
                .expires_after
                .map(|length| (length.months(), length.days(), length.micros()))
                .map(|length| format!("{length:?}")),
        )
        .with("applies_to", operations)
        .with("paid", request.paid)
        .with("currency", request.currency)
        .finish()
}
