//! credit_cap(), credit_end_cap() and credit_spendable().

use chrono::Datelike;
use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::arguments;
use crate::caps::change;
use crate::domain::caps::cap::{Every, Limit, Over};
use crate::domain::caps::rolling::Window;
use crate::error::{self, Result};
use crate::store::caps::Scope;
use crate::store::connected;

/// The last year in which the anchor of a rolling window may lie.
const LAST_YEAR_OF_STEPS: i32 = 9999;

/// Makes a cap, or changes the limit of the one there is.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_cap(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    department: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    every: default!(Option<&str>, "NULL"),
    rolling: default!(Option<Interval>, "NULL"),
    anchor: default!(Option<TimestampWithTimeZone>, "NULL"),
    covers: default!(Option<&str>, "'everything'"),
    action: default!(Option<&str>, "'block'"),
) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let amount = amounts::positive("amount", amount.as_ref(), account, unit)?;
    let member = arguments::optional_name("member", member)?;
    let department = arguments::optional_department("department", department)?;
    let operation = arguments::optional_name("operation", operation)?;
    let unit = arguments::optional_name("unit", unit)?;
    let over = over(account, every, rolling)?;
    let anchor_of_steps = anchor.filter(|_| over.window().is_some());
    let anchor = arguments::optional_instant("anchor", anchor)?;
    // Steps are counted from it in seconds. SQL and Rust do so alike over these years.
    if let (Some(given), Some(at)) = (anchor_of_steps, anchor)
        && at.year() > LAST_YEAR_OF_STEPS
    {
        return Err(error::instant_out_of_range("anchor", &given.to_string(), LAST_YEAR_OF_STEPS));
    }
    let pool = match arguments::required("covers", covers)? {
        "everything" => false,
        "pool" => true,
        unknown => return Err(error::unknown_option("covers", unknown, "everything, pool")),
    };
    let blocks = match arguments::required("action", action)? {
        "block" => true,
        "warn" => false,
        unknown => return Err(error::unknown_option("action", unknown, "block, warn")),
    };
    if let (Some(member), Some(department)) = (member, department) {
        return Err(error::cap_of_two(account, member, department));
    }
    let scope = Scope { account, unit: "", member, department, operation };
    connected(|| change::set(scope, unit, Limit { amount, over, pool, blocks }, anchor))
}

/// The time that the limit is for: a month, unless something else is said.
fn over(account: &str, every: Option<&str>, rolling: Option<Interval>) -> Result<Over> {
    let every_of = |name: &str| Every::of_name(name).ok_or_else(|| error::unknown_option("every", name, Every::NAMES));
    match (every, rolling) {
        (Some(every), Some(_)) => Err(error::cap_of_period_and_window(account, every)),
        (Some(every), None) => Ok(Over::Every(every_of(every)?)),
        (None, None) => Ok(Over::Every(Every::Month)),
        (None, Some(length)) => {
            let of_days = i64::from(length.days()).checked_mul(86_400_000_000).filter(|_| length.months() == 0);
            let microseconds = of_days.and_then(|days| days.checked_add(length.micros()));
            microseconds.and_then(Window::of_microseconds).map(Over::Any).ok_or_else(error::invalid_window)
        }
    }
}

/// Ends a cap.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_end_cap(account: Option<&str>, cap: Option<i64>) -> Result<bool> {
    let account = arguments::name("account", account)?;
    let cap = arguments::required("cap", cap)?;
    connected(|| change::end(account, cap))
}
