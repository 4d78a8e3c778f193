//! The steps of maintenance, in their order.

use chrono::{DateTime, TimeDelta, Utc};

use crate::consumption::rollup;
use crate::holds::ended;
use crate::ledger::expiry;
use crate::schedules::refresh;
use crate::server::clock;
use crate::server::locks::named;
use crate::settings;
use crate::store::ledger::requests;
use crate::store::maintenance::{self, Due};

/// How much due work of a step is counted at most: a reader of the view does not need to know by how much it is more.
const MOST_COUNTED: i32 = 10_000;

/// A step of maintenance. Those that issue or carry over credits belong before the one that posts what has lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    RefreshSchedules,
    ExpireLots,
    CloseEmptyLots,
    ForgetKeys,
    ForgetRuns,
    RollUp,
    GiveBackHolds,
}

const _: () = assert!(Step::RollUp as u64 == named::STEP_OF_ROLLUP);

impl Step {
    /// All steps in the order in which they are done.
    pub const ALL: [Step; 7] = [
        Step::GiveBackHolds,
        Step::RefreshSchedules,
        Step::ExpireLots,
        Step::CloseEmptyLots,
        Step::RollUp,
        Step::ForgetKeys,
        Step::ForgetRuns,
    ];

    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Step::GiveBackHolds => "give back holds",
            Step::RefreshSchedules => "refresh schedules",
            Step::ExpireLots => "expire lots",
            Step::CloseEmptyLots => "close empty lots",
            Step::ForgetKeys => "forget keys",
            Step::ForgetRuns => "forget runs",
            Step::RollUp => "roll up",
        }
    }

    /// Does at most `max_rows` of it; how many it did. None are left that could be done now when there were none.
    pub fn run(self, max_rows: i32) -> i64 {
        match self {
            Step::GiveBackHolds => ended::give_back_of_all(max_rows),
            Step::RefreshSchedules => refresh::all_free(max_rows),
            Step::ExpireLots => expiry::expire(None, max_rows).len() as i64,
            Step::CloseEmptyLots => expiry::close_empty(max_rows),
            Step::ForgetKeys => requests::forget(keys_kept_since(clock::now()), max_rows),
            Step::ForgetRuns => maintenance::forget(max_rows),
            Step::RollUp => rollup::refresh(max_rows, false),
        }
    }

    /// The work that the step would find now, as the calling query sees it.
    pub fn due(self) -> Due {
        let now = clock::now();
        match self {
            Step::GiveBackHolds => maintenance::holds_due(now, MOST_COUNTED),
            Step::RefreshSchedules => maintenance::schedules_due(now, MOST_COUNTED),
            Step::ExpireLots => maintenance::lots_due(now, MOST_COUNTED),
            // It would have to read every open lot.
            Step::CloseEmptyLots => Due { count: None, since: None },
            Step::ForgetKeys => maintenance::keys_due(keys_kept_since(now), MOST_COUNTED).after(retention_of_keys()),
            Step::ForgetRuns => maintenance::runs_due(MOST_COUNTED),
            Step::RollUp => rollup::due(MOST_COUNTED),
        }
    }
}

fn keys_kept_since(now: DateTime<Utc>) -> DateTime<Utc> {
    now - retention_of_keys()
}

fn retention_of_keys() -> TimeDelta {
    TimeDelta::days(i64::from(settings::key_retention_days()))
}
