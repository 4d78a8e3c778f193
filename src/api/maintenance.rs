//! credit_maintain() and credit_verify().

use chrono::TimeDelta;
use pgrx::prelude::*;

use super::lots::batch;
use crate::convert;
use crate::error::Result;
use crate::posting::{account, expiry};
use crate::server::clock;
use crate::settings;
use crate::store::{connected, requests, verify};

/// Does the housekeeping: posts expiries, closes empty lots, forgets old keys; a row for each task.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_maintain(
    max_rows: default!(Option<i32>, 1000),
) -> Result<TableIterator<'static, (name!(task, String), name!(done, i64))>> {
    let limit = batch("max_rows", max_rows)?;
    let keys_before = clock::now() - TimeDelta::days(i64::from(settings::key_retention_days()));
    let tasks = connected(|| {
        vec![
            ("expire lots".to_owned(), expiry::expire(None, limit).len() as i64),
            ("close empty lots".to_owned(), expiry::close_empty(limit)),
            ("forget keys".to_owned(), requests::forget(keys_before, limit)),
        ]
    });
    Ok(TableIterator::new(tasks))
}

/// Proves the books: a row for each violation, none when every invariant holds.
#[pg_extern(security_definer, stable, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_verify(
    account: default!(Option<&str>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(invariant, String),
            name!(account, Option<String>),
            name!(lot, Option<i64>),
            name!(expected, Option<String>),
            name!(found, Option<String>),
        ),
    >,
> {
    let account = convert::optional_name("account", account)?;
    let violations = connected(|| {
        account.map(|account| account::find_for_reader(account, None, None)).transpose()?;
        Ok(verify::violations(account))
    })?;
    Ok(TableIterator::new(
        violations.into_iter().map(|row| (row.invariant, row.account, row.lot, row.expected, row.found)).collect::<Vec<_>>(),
    ))
}
