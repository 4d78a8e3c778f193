//! credit_release() and credit_extend_hold().

use pgrx::prelude::*;

use crate::api::holds::hold::length;
use crate::arguments;
use crate::domain::ledger::request::Fingerprint;
use crate::error::Result;
use crate::holds::{extend, release};
use crate::ledger::idempotency::Keyed;
use crate::store::connected;
use crate::values;

/// Gives back what a hold still has; how much that was.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_release(account: Option<&str>, hold: Option<i64>, key: default!(Option<&str>, "NULL")) -> Result<AnyNumeric> {
    let account = arguments::name("account", account)?;
    let hold = arguments::required("hold", hold)?;
    let key = arguments::optional_name("key", key)?;
    let function = "credit_release";
    let fingerprint = || Fingerprint::of(function).with("account", Some(account)).with("hold", Some(hold)).finish();
    let keyed = key.map(|key| Keyed { key, function, fingerprint: fingerprint() });
    connected(|| release::release(account, hold, keyed)).map(values::numeric)
}

/// Lets a hold end a length of time from now; when that is.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_extend_hold(
    account: Option<&str>,
    hold: Option<i64>,
    expires_after: Option<Interval>,
    key: default!(Option<&str>, "NULL"),
) -> Result<TimestampWithTimeZone> {
    let account = arguments::name("account", account)?;
    let hold = arguments::required("hold", hold)?;
    let length = length(expires_after)?;
    let key = arguments::optional_name("key", key)?;
    let function = "credit_extend_hold";
    let fingerprint = || {
        Fingerprint::of(function)
            .with("account", Some(account))
            .with("hold", Some(hold))
            .with("expires_after", length.num_microseconds())
            .finish()
    };
    let keyed = key.map(|key| Keyed { key, function, fingerprint: fingerprint() });
    connected(|| extend::extend(account, hold, length, keyed)).map(values::timestamptz)
}
