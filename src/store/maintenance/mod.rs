//! The table `credit.maintenance_run`: the log of maintenance. Its times are real ones, whatever `credit.clock` says: it tells
//! how long the work took.

pub mod forecast;
pub mod verify;

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::pg_sys::{INT4OID, INT8OID, INTERVALOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::store::ledger::lots::due_lots;
use crate::store::ledger::requests::forgettable;
use crate::store::statement::{Rows, Statement};

static BEGIN: Statement = Statement::new(
    "INSERT INTO credit.maintenance_run (run, step, started_at, recorded_by)
     VALUES (nextval('credit.maintenance_run_id'), $1, clock_timestamp(), session_user) RETURNING run",
    &[TEXTOID],
);

static RUN: Statement =
    Statement::by_index("SELECT step, finished_at IS NOT NULL FROM credit.maintenance_run WHERE run = $1", &[INT8OID]);

static COUNT_BATCH: Statement = Statement::by_index(
    "UPDATE credit.maintenance_run SET handled = handled + $2, batches = batches + 1 WHERE run = $1",
    &[INT8OID, INT8OID],
);

static END: Statement = Statement::by_index(
    "UPDATE credit.maintenance_run SET finished_at = clock_timestamp(), error = $2 WHERE run = $1",
    &[INT8OID, TEXTOID],
);

static FORGET: Statement = Statement::new(
    "DELETE FROM credit.maintenance_run r USING (
         SELECT run FROM credit.maintenance_run WHERE started_at < clock_timestamp() - interval '90 days'
         ORDER BY run LIMIT $1 FOR UPDATE SKIP LOCKED) old
     WHERE r.run = old.run",
    &[INT4OID],
);

static DEADLINE: Statement = Statement::new("SELECT clock_timestamp() + $1 WHERE $1 >= interval '0'", &[INTERVALOID]);

static SCHEDULES_DUE: Statement = Statement::by_index(
    "SELECT count(*), min(refresh_at) FROM (
         SELECT refresh_at FROM credit.account WHERE refresh_at <= $1 ORDER BY refresh_at LIMIT $2) due",
    &[TIMESTAMPTZOID, INT4OID],
);

static HOLDS_DUE: Statement = Statement::new(
    "SELECT count(*), min(open_until) FROM (SELECT open_until FROM credit.hold WHERE open_until <= $1 LIMIT $2) due",
    &[TIMESTAMPTZOID, INT4OID],
);

static LOTS_DUE: Statement = Statement::by_index(
    concat!(
        "SELECT count(*), min(expires_at) FROM (SELECT expires_at FROM credit.lot l WHERE ",
        due_lots!(),
        " ORDER BY expires_at LIMIT $2) due"
    ),
    &[TIMESTAMPTZOID, INT4OID],
);

static KEYS_DUE: Statement = Statement::in_stretches(
    concat!(
        "SELECT count(*), min(recorded_at) FROM (SELECT recorded_at FROM credit.request WHERE ",
        forgettable!(),
        " LIMIT $2) due"
    ),
    &[TIMESTAMPTZOID, INT4OID],
);

static RUNS_DUE: Statement = Statement::new(
    "SELECT count(*), min(started_at) + interval '90 days' FROM (
         SELECT started_at FROM credit.maintenance_run WHERE started_at < clock_timestamp() - interval '90 days' LIMIT $1) due",
    &[INT4OID],
);

/// The work that a step would find: how much, counted up to a limit, `None` when that is not counted; and since when the oldest
/// of it is due.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// How much is due; `None` where that is not counted.
    pub count: Option<i64>,
    /// Since when the oldest of it is due.
    pub since: Option<DateTime<Utc>>,
}

impl Due {
    /// From the one row of a statement that counts.
    pub(super) fn of(rows: &Rows) -> Due {
        let row = rows.first().expect("one row");
        Due { count: Some(row.get(1)), since: row.optional(2) }
    }

    /// The same, due only `kept` later.
    pub fn after(self, kept: TimeDelta) -> Due {
        Due { since: self.since.map(|since| since + kept), ..self }
    }
}

/// Accounts of which schedules are due.
pub fn schedules_due(now: DateTime<Utc>, most: i32) -> Due {
    Due::of(&SCHEDULES_DUE.read(&[&now, &most]))
}

/// Holds whose time is over and that nobody has given back.
pub fn holds_due(now: DateTime<Utc>, most: i32) -> Due {
    Due::of(&HOLDS_DUE.read(&[&now, &most]))
}

/// Lots whose expiry was not posted.
pub fn lots_due(now: DateTime<Utc>, most: i32) -> Due {
    Due::of(&LOTS_DUE.read(&[&now, &most]))
}

/// Keys from before an instant, and when the first of them was used.
pub fn keys_due(before: DateTime<Utc>, most: i32) -> Due {
    Due::of(&KEYS_DUE.read(&[&before, &most]))
}

/// Runs that are older than 90 days.
pub fn runs_due(most: i32) -> Due {
    Due::of(&RUNS_DUE.read(&[&most]))
}

/// A step of a run.
pub struct Run {
    pub step: String,
    pub has_ended: bool,
}

/// Logs that a step begins; the run's id.
pub fn begin(step: &str) -> i64 {
    BEGIN.run(&[&step]).first().expect("the inserted row").get(1)
}

/// The run of this id.
pub fn run(run: i64) -> Option<Run> {
    let rows = RUN.run(&[&run]);
    rows.first().map(|row| Run { step: row.get(1), has_ended: row.get(2) })
}

/// Counts a batch of a run.
pub fn count_batch(run: i64, handled: i64) {
    assert_eq!(COUNT_BATCH.run(&[&run, &handled]).count(), 1, "run {run} of maintenance");
}

/// Logs that a run ended.
pub fn end(run: i64, error: Option<&str>) {
    assert_eq!(END.run(&[&run, &error]).count(), 1, "run {run} of maintenance");
}

/// Forgets at most `limit` runs that are older than 90 days.
pub fn forget(limit: i32) -> i64 {
    FORGET.run(&[&limit]).count() as i64
}

/// The real time after a length of time; `None` for a negative length.
pub fn deadline(time_limit: Interval) -> Option<DateTime<Utc>> {
    DEADLINE.read(&[&time_limit]).first().map(|row| row.get(1))
}
