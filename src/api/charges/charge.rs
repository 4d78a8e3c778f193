//! credit_price(), credit_charge() and credit_charge_request().

use pgrx::prelude::*;

use crate::arguments;
use crate::charges::charge::{self, Charge};
use crate::charges::request;
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::domain::rates::dimensions::Dimensions;
use crate::error::{self, Result};
use crate::ledger::idempotency::Keyed;
use crate::rates::price::{self, Usage};
use crate::store::connected;
use crate::text_array::TextArray;
use crate::values;
use crate::values::json::JsonText;

/// The price of a quantity, without charging it.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_price(
    card: Option<&str>,
    operation: Option<&str>,
    quantity: Option<AnyNumeric>,
    dimensions: default!(Option<JsonText>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    account: default!(Option<&str>, "NULL"),
) -> Result<AnyNumeric> {
    let card = arguments::optional_name("card", card)?;
    let account = arguments::optional_name("account", account)?;
    let dimensions = arguments::dimensions(dimensions.as_ref())?.unwrap_or_default();
    let at = arguments::optional_instant("at", at)?;
    let operation = arguments::name("operation", operation)?;
    let quantity = arguments::quantity(quantity.as_ref())?;
    let price = connected(|| {
        if let Some(account) = account {
            crate::ledger::account::find_for_reader(account, None, None)?;
        }
        let at = at.unwrap_or_else(crate::server::clock::now);
        price::quote(card, &Usage { account, operation, quantity, dimensions: &dimensions, at })
    })?;
    Ok(values::numeric(price.amount))
}

/// Prices a quantity by the account's rate card and debits the price.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_charge(
    account: Option<&str>,
    operation: Option<&str>,
    quantity: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
) -> Result<Option<i64>> {
    let metadata = arguments::metadata(metadata)?;
    let request = request(account, operation, quantity.as_ref(), member, dimensions.as_ref(), at, key, metadata.as_deref(), run)?;
    connected(|| charge::charge(&request))
}

/// Charges several operations of one request: one posting, all of it or nothing.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_charge_request(
    account: Option<&str>,
    operations: Option<TextArray>,
    quantities: Option<Vec<Option<AnyNumeric>>>,
    member: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
) -> Result<Option<i64>> {
    let account_name = arguments::name("account", account)?;
    let operations = arguments::required("operations", operations)?.0;
    let quantities = arguments::required("quantities", quantities)?;
    if operations.len() != quantities.len() || operations.is_empty() || operations.len() > MAX_OPERATIONS {
        return Err(error::invalid_arrays(
            "quantities",
            quantities.len(),
            &format!("1 to {MAX_OPERATIONS}, as many as operations"),
        ));
    }
    let metadata = arguments::metadata(metadata)?;
    // Of all items, so no item's error.
    arguments::optional_name("member", member)?;
    arguments::dimensions(dimensions.as_ref())?;
    arguments::optional_instant("at", at)?;
    arguments::optional_name("run", run)?;
    let item = |index: usize| {
        let (operation, quantity) = (operations[index].as_deref(), quantities[index].as_ref());
        request(account, operation, quantity, member, dimensions.as_ref(), at, None, metadata.as_deref(), run)
            .map_err(|refusal| error::in_item(refusal, index))
    };
    let charges = (0..operations.len()).map(item).collect::<Result<Vec<_>>>()?;
    let key = arguments::optional_name("key", key)?;
    let keyed = key.map(|key| Keyed { key, function: "credit_charge_request", fingerprint: fingerprint_of_all(&charges) });
    connected(|| request::charge_request(&charges, account_name, keyed))
}

/// How many operations one request has at most.
const MAX_OPERATIONS: usize = 1000;

/// The charge that a function's arguments describe.
///
/// # Errors
/// 22023, 22003.
#[allow(clippy::too_many_arguments)]
pub fn request<'a>(
    account: Option<&'a str>,
    operation: Option<&'a str>,
    quantity: Option<&AnyNumeric>,
    member: Option<&'a str>,
    dimensions: Option<&JsonText>,
    at: Option<TimestampWithTimeZone>,
    key: Option<&'a str>,
    metadata: Option<&'a str>,
    run: Option<&'a str>,
) -> Result<Charge<'a>> {
    let mut request = Charge {
        account: arguments::name("account", account)?,
        operation: arguments::name("operation", operation)?,
        quantity: arguments::quantity(quantity)?,
        member: arguments::optional_name("member", member)?,
        dimensions: arguments::dimensions(dimensions)?,
        at: arguments::optional_instant("at", at)?,
        keyed: None,
        metadata,
        run: arguments::optional_name("run", run)?,
    };
    let key = arguments::optional_name("key", key)?;
    let fingerprint = || with_charge(Fingerprint::of("credit_charge"), &request).finish();
    request.keyed = key.map(|key| Keyed { key, function: "credit_charge", fingerprint: fingerprint() });
    Ok(request)
}

/// The fingerprint covers the request, not its price: a repetition is one whatever the rates are by then.
fn with_charge(fingerprint: Fingerprint, charge: &Charge<'_>) -> Fingerprint {
    fingerprint
        .with("account", Some(charge.account))
        .with("operation", Some(charge.operation))
        .with("quantity", Some(charge.quantity))
        .with("member", charge.member)
        .with("dimensions", charge.dimensions.as_ref().map(Dimensions::to_json))
        .with("at", charge.at.map(values::microseconds))
        .with("run", charge.run)
}

fn fingerprint_of_all(charges: &[Charge<'_>]) -> Body {
    charges.iter().fold(Fingerprint::of("credit_charge_request"), with_charge).finish()
}
