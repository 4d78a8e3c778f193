//! credit_maintain() and credit_verify().

pub mod forecast;
pub mod status;

use pgrx::prelude::*;

use crate::api::ledger::lots::batch;
use crate::arguments;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::maintenance::{self, Step};
use crate::server::connection;
use crate::store::ledger::sequences;
use crate::store::maintenance::verify::{self, Violation};
use crate::store::{connected, maintenance as log};
use crate::values;

/// Does one batch of each step of maintenance in the caller's transaction; a row for each.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_maintain(
    max_rows: default!(Option<i32>, 1000),
) -> Result<TableIterator<'static, (name!(task, String), name!(done, i64))>> {
    let limit = batch("max_rows", max_rows)?;
    let done = connected(|| maintenance::maintain(limit));
    Ok(TableIterator::new(done.into_iter().map(|(step, done)| (step.name().to_owned(), done))))
}

/// The steps of maintenance in their order, for the procedure of that name.
#[pg_extern(sql = false)]
fn maintenance_steps() -> Vec<String> {
    Step::ALL.map(|step| step.name().to_owned()).to_vec()
}

/// The instant from which on the procedure begins no further batch; checks its arguments, and that it may commit.
#[pg_extern(sql = false)]
fn maintenance_deadline(time_limit: Option<Interval>, max_rows: Option<i32>) -> Result<TimestampWithTimeZone> {
    if !connection::caller_may_commit() {
        return Err(error::cannot_commit(
            "credit_maintain",
            "the function credit_maintain() does one batch of each step within a transaction",
        ));
    }
    let time_limit = arguments::required("time_limit", arguments::optional_length("time_limit", time_limit)?)?;
    batch("max_rows", max_rows)?;
    let deadline = connected(|| log::deadline(time_limit)).ok_or_else(|| error::no_time("time_limit"))?;
    Ok(values::timestamptz(deadline))
}

/// Logs that a step begins; the run's id.
#[pg_extern(sql = false)]
fn begin_maintenance(step: Option<&str>) -> Result<i64> {
    let step = arguments::required("step", step)?;
    connected(|| maintenance::begin(step))
}

/// Does one batch of a run's step; how much that was, or NULL while another session does that step.
#[pg_extern(sql = false)]
fn maintain_batch(run: Option<i64>, max_rows: Option<i32>) -> Result<Option<i64>> {
    let run = arguments::required("run", run)?;
    let limit = batch("max_rows", max_rows)?;
    connected(|| maintenance::batch(run, limit))
}

/// Logs that a run's step ended, and the error that ended it.
#[pg_extern(sql = false)]
fn end_maintenance(run: Option<i64>, error: Option<&str>) -> Result<()> {
    let run = arguments::required("run", run)?;
    connected(|| maintenance::end(run, error))
}

/// Proves the books: a row for each violation, none when every invariant holds.
#[pg_extern(name = "credit_verify", security_definer, stable, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_verify_all() -> TableIterator<
    'static,
    (
        name!(invariant, String),
        name!(account, Option<String>),
        name!(lot, Option<i64>),
        name!(expected, Option<String>),
        name!(found, Option<String>),
    ),
> {
    let violations = connected(|| verify::violations(None));
    TableIterator::new(violations.into_iter().map(row))
}

/// The same of one account.
#[pg_extern(security_definer, stable, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_verify(
    account: Option<&str>,
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
    let account = arguments::name("account", account)?;
    let violations = connected(|| {
        account::find_for_reader(account, None, None)?;
        Ok(verify::violations(Some(account)))
    })?;
    Ok(TableIterator::new(violations.into_iter().map(row)))
}

type Row = (String, Option<String>, Option<i64>, Option<String>, Option<String>);

fn row(violation: Violation) -> Row {
    (violation.invariant, violation.account, violation.lot, violation.expected, violation.found)
}

/// Sets the sequences that are behind the books beyond them: which, and from where to where.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_repair_sequences() -> TableIterator<'static, (name!(sequence, String), name!(before, i64), name!(after, i64))> {
    let repaired = connected(sequences::repair);
    TableIterator::new(repaired.into_iter().map(|one| (one.sequence, one.before, one.after)))
}
