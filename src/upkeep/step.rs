//! The steps of maintenance, in their order.

use chrono::TimeDelta;

use crate::cycles::refresh;
use crate::posting::expiry;
use crate::reporting::rollup;
use crate::server::clock;
use crate::settings;
use crate::store::{maintenance, requests};

/// A step of maintenance. Those that issue or carry over credits belong before the one that posts what has lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    RefreshSchedules,
    ExpireLots,
    CloseEmptyLots,
    ForgetKeys,
    ForgetRuns,
    RollUp,
}

impl Step {
    /// All steps in the order in which they are done.
    pub const ALL: [Step; 6] =
        [Step::RefreshSchedules, Step::ExpireLots, Step::CloseEmptyLots, Step::RollUp, Step::ForgetKeys, Step::ForgetRuns];

    /// What the log calls it.
    pub fn name(self) -> &'static str {
        match self {
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
            Step::RefreshSchedules => refresh::all_free(max_rows),
            Step::ExpireLots => expiry::expire(None, max_rows).len() as i64,
            Step::CloseEmptyLots => expiry::close_empty(max_rows),
            Step::ForgetKeys => {
                let before = clock::now() - TimeDelta::days(i64::from(settings::key_retention_days()));
                requests::forget(before, max_rows)
            }
            Step::ForgetRuns => maintenance::forget(max_rows),
            Step::RollUp => rollup::refresh(max_rows, false),
        }
    }
}
