//! credit_rebalance() and its preview.

use pgrx::prelude::*;

use crate::arguments;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::pools::rebalance::{self, Rebalance};
use crate::server::clock;
use crate::store::connected;
use crate::store::ledger::accounts::Context;
use crate::store::maintenance::forecast;
use crate::values;
use crate::values::json::JsonText;

/// Gives what light users leave unused to heavy ones; a row for each transfer.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_rebalance(
    account: Option<&str>,
    unit: default!(Option<&str>, "NULL"),
    burn_window: default!(Option<Interval>, "'30 days'"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (name!(from_member, String), name!(to_member, String), name!(amount, AnyNumeric), name!(posting, i64)),
    >,
> {
    let name = arguments::name("account", account)?;
    let unit = arguments::optional_name("unit", unit)?;
    let burn_window = arguments::required("burn_window", arguments::optional_length("burn_window", burn_window)?)?;
    let metadata = arguments::metadata(metadata)?;
    let moved = connected(|| {
        let context = account::find(name, unit, None)?;
        rebalance::rebalance(Rebalance { metadata: metadata.as_deref(), ..request(name, &context, burn_window)? })
    })?;
    let rows = moved.into_iter().map(|(step, posting)| (step.from, step.to, values::numeric(step.amount), posting));
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}

/// The transfers that credit_rebalance() would make.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_rebalance_preview(
    account: Option<&str>,
    unit: default!(Option<&str>, "NULL"),
    burn_window: default!(Option<Interval>, "'30 days'"),
) -> Result<TableIterator<'static, (name!(from_member, String), name!(to_member, String), name!(amount, AnyNumeric))>> {
    let name = arguments::name("account", account)?;
    let unit = arguments::optional_name("unit", unit)?;
    let burn_window = arguments::required("burn_window", arguments::optional_length("burn_window", burn_window)?)?;
    let moves = connected(|| {
        let context = account::find_for_reader(name, unit, None)?;
        Ok(rebalance::preview(request(name, &context, burn_window)?))
    })?;
    let rows = moves.into_iter().map(|step| (step.from, step.to, values::numeric(step.amount)));
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}

/// A request to rebalance by the usage of a window that ends now.
fn request<'a>(account: &'a str, context: &'a Context, burn_window: Interval) -> Result<Rebalance<'a>> {
    let now = clock::now();
    let begin = forecast::begin_of_window(account, now, burn_window);
    if begin >= now {
        return Err(error::window_without_length("burn_window", begin, now));
    }
    Ok(Rebalance { account, unit: &context.unit, begin, metadata: None })
}
