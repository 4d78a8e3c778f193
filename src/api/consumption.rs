//! credit_rollup() and credit_chargeback(): consumption, added up.

use pgrx::prelude::*;

use crate::api::ledger::lots::batch;
use crate::arguments;
use crate::consumption::rollup;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::server::transactions::{self, Place};
use crate::store::consumption::chargeback::{self, Line};
use crate::store::consumption::rollup as store;
use crate::store::{connected, connected_on_demand};

/// Adds up lines of the ledger that are final, of at most `max_postings` postings; of how many it did.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_rollup(max_postings: default!(Option<i32>, 10000), rebuild: default!(Option<bool>, false)) -> Result<i64> {
    let limit = batch("max_postings", max_postings)?;
    let rebuild = arguments::required("rebuild", rebuild)?;
    Ok(connected(|| rollup::refresh(limit, rebuild)))
}

/// The credits that each department used and was granted from an instant until another.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_chargeback(
    account: Option<&str>,
    starts_at: Option<TimestampWithTimeZone>,
    ends_at: Option<TimestampWithTimeZone>,
    unit: default!(Option<&str>, "NULL"),
    depth: default!(Option<i32>, "NULL"),
    by: default!(Option<&str>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(department, Option<String>),
            name!(funded, AnyNumeric),
            name!(used, AnyNumeric),
            name!(value, Option<AnyNumeric>),
            name!(currency, Option<String>),
            name!(cross_subsidy, AnyNumeric),
            name!(overage, AnyNumeric),
            name!(part, Option<String>),
        ),
    >,
> {
    let name = arguments::name("account", account)?;
    let begin = arguments::instant("starts_at", arguments::required("starts_at", starts_at)?)?;
    let end = arguments::instant("ends_at", arguments::required("ends_at", ends_at)?)?;
    let unit = arguments::optional_name("unit", unit)?;
    let by = arguments::optional_name("by", by)?;
    if begin >= end {
        return Err(error::report_without_length(begin, end));
    }
    if let Some(depth) = depth.filter(|depth| *depth < 1) {
        return Err(error::no_depth(depth));
    }
    let lines = connected(|| {
        let context = account::find_for_reader(name, unit, None)?;
        Ok(match by {
            None => chargeback::by_department(name, &context.unit, begin, end, depth),
            Some(by) => chargeback::by_part(name, &context.unit, begin, end, depth, by),
        })
    })?;
    Ok(TableIterator::new(lines.into_iter().map(|line| {
        let Line { department, funded, used, value, currency, cross_subsidy, overage, part } = line;
        (department, funded, used, value, currency, cross_subsidy, overage, part)
    })))
}

/// The last posting that is added up, as the calling query sees it; 0 where what is added up is not of this database.
#[pg_extern(sql = false)]
fn rolled_up_to() -> i64 {
    transactions::once_per_query(|| match connected_on_demand(store::seen) {
        Some((rolled_to, place)) if place == Place::here() => rolled_to,
        _ => 0,
    })
}
