//! credit_check_design(): inconsistencies of units, cards and rates, before a customer finds them.

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::store::connected;
use crate::store::rates::design;

/// How many days of usage count at most.
const MAX_DAYS: i32 = 3_660;

/// One row for each finding, the severe ones first.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_check_design(
    max_spread: default!(Option<AnyNumeric>, 0.25),
    days: default!(Option<i32>, 90),
) -> Result<
    TableIterator<
        'static,
        (name!(severity, String), name!(finding, String), name!(subject, String), name!(detail, String), name!(way_out, String)),
    >,
> {
    let spread = arguments::amount("max_spread", &arguments::required("max_spread", max_spread)?)?;
    if spread < Amount::ZERO {
        return Err(error::negative("max_spread", &spread.to_string()));
    }
    let days = arguments::days("days", days, MAX_DAYS)?;
    let findings = connected(|| design::findings(spread, days));
    let row =
        |found: design::Finding| (found.severity, found.finding, found.subject, error::detail(&found.detail), found.way_out);
    Ok(TableIterator::new(findings.into_iter().map(row)))
}
