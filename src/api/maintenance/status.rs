//! The functions behind the view `credit.status`: how the tables of debits stand, which way this session took, what is due.

use pgrx::prelude::*;

use crate::maintenance;
use crate::server::heap::{relations, tally};
use crate::store::connected;
use crate::values;

/// The version of the library that this session has loaded.
#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Each table that debits read or write directly when nothing is in the way, and what is in the way.
#[pg_extern(sql = false)]
fn direct_access() -> TableIterator<'static, (name!(relation, String), name!(is_written, bool), name!(obstacle, Option<String>))>
{
    let row = |standing: relations::Standing| {
        let table = format!("credit.{}", standing.table.to_string_lossy());
        (table, standing.is_written, standing.obstacle.map(|obstacle| obstacle.to_string()))
    };
    TableIterator::new(relations::standings().into_iter().map(row))
}

/// How often this session took each step directly, and how often through SQL.
#[pg_extern(sql = false)]
fn direct_steps() -> TableIterator<'static, (name!(step, String), name!(directly, i64), name!(by_sql, i64))> {
    let row = |step: tally::Step| {
        let count = tally::of(step);
        (step.name().to_owned(), count.directly, count.by_sql)
    };
    TableIterator::new(tally::Step::ALL.map(row))
}

/// The work that each step of maintenance would find, counted up to a limit, and since when the oldest of it is due.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn maintenance_due()
-> TableIterator<'static, (name!(step, String), name!(due, Option<i64>), name!(since, Option<TimestampWithTimeZone>))> {
    let due = connected(maintenance::due);
    TableIterator::new(due.into_iter().map(|(step, due)| (step.name().to_owned(), due.count, due.since.map(values::timestamptz))))
}
