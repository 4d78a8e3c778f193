//! credit_void(), credit_set_expiry() and credit_expire(): how a lot ends, or does not end yet.

use pgrx::prelude::*;

use crate::arguments;
use crate::error::{self, Result};
use crate::ledger::expiry::{self, Expired};
use crate::ledger::{account, withdraw};
use crate::plans::purchase;
use crate::schedules::refresh;
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::connected;
use crate::values;
use crate::values::json::JsonText;

/// Voids what is left of a lot, or a purchase that is pending; how much that was.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_void(account: Option<&str>, lot: Option<i64>, metadata: default!(Option<JsonText>, "NULL")) -> Result<AnyNumeric> {
    let account = arguments::name("account", account)?;
    let lot = arguments::required("lot", lot)?;
    let metadata = arguments::metadata(metadata)?;
    let voided = connected(|| {
        // Before the purchase's row, as where it is activated.
        arrival::let_in(account);
        match purchase::void_pending(account, lot) {
            Some(given_up) => Ok(given_up),
            None => {
                refresh::first_touch(account)?;
                withdraw::void(account, lot, metadata.as_deref())
            }
        }
    })?;
    Ok(values::numeric(voided))
}

/// Moves what is left of a lot to a new one with another expiry; the new lot's id.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_set_expiry(
    account: Option<&str>,
    lot: Option<i64>,
    expires_at: Option<TimestampWithTimeZone>,
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let lot = arguments::required("lot", lot)?;
    let expires_at = arguments::optional_instant("expires_at", expires_at)?;
    let metadata = arguments::metadata(metadata)?;
    connected(|| {
        refresh::first_touch(account)?;
        withdraw::set_expiry(account, lot, expires_at, metadata.as_deref())
    })
}

/// Posts the expiries of an account that are due; a row for each lot.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_expire(
    account: Option<&str>,
    max_lots: default!(Option<i32>, 1000),
) -> Result<
    TableIterator<
        'static,
        (name!(account, String), name!(lot, i64), name!(expired, AnyNumeric), name!(expires_at, TimestampWithTimeZone)),
    >,
> {
    let account = arguments::name("account", account)?;
    let max_lots = batch("max_lots", max_lots)?;
    let expired = connected(|| {
        account::find(account, None, None)?;
        // Credits that roll over are not to lapse.
        refresh::if_free(account, clock::now());
        Ok(expiry::expire(Some(account), max_lots))
    })?;
    Ok(TableIterator::new(expired.into_iter().map(row)))
}

/// The same of all accounts. They are meant by leaving the account out, so a NULL of a join never means them.
#[pg_extern(name = "credit_expire", security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_expire_of_all(
    max_lots: default!(Option<i32>, 1000),
) -> Result<
    TableIterator<
        'static,
        (name!(account, String), name!(lot, i64), name!(expired, AnyNumeric), name!(expires_at, TimestampWithTimeZone)),
    >,
> {
    let max_lots = batch("max_lots", max_lots)?;
    let expired = connected(|| expiry::expire(None, max_lots));
    Ok(TableIterator::new(expired.into_iter().map(row)))
}

fn row(lot: Expired) -> (String, i64, AnyNumeric, TimestampWithTimeZone) {
    (lot.account, lot.lot, values::numeric(lot.amount), values::timestamptz(lot.expires_at))
}

/// How much one call may do: 1 to 10,000. Every lot it closes takes a place in the server's lock table until the commit.
///
/// # Errors
/// 22023.
pub fn batch(argument: &str, value: Option<i32>) -> Result<i32> {
    let value = arguments::required(argument, value)?;
    if (1..=10_000).contains(&value) { Ok(value) } else { Err(error::invalid_batch(argument, value)) }
}
