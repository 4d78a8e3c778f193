//! The proof of the books: each invariant is a query that returns what violates it. All of them see what the calling query sees, so one
//! instant. A file has the invariants of one kind of rows.

mod breakage;
mod caps;
mod charges;
mod conversions;
pub mod guards;
mod ledger;
mod lots;
mod names;
mod pooling;
mod prices;
mod purchases;
mod rollup;
mod schedules;
mod subscriptions;
mod true_ups;

use pgrx::pg_sys::{Oid, TEXTOID, TIMESTAMPTZOID};

use super::plan_schedules;
use super::statement::{Row, Statement};
use crate::server::clock;

/// A violated invariant.
pub struct Violation {
    pub invariant: String,
    pub account: Option<String>,
    pub lot: Option<i64>,
    pub expected: Option<String>,
    pub found: Option<String>,
}

/// What every statement of the proof takes: the account, NULL for all of them, and the time.
const PARAMETERS: &[Oid] = &[TEXTOID, TIMESTAMPTZOID];

/// The statements of the proof. Each returns the columns of a violation.
static INVARIANTS: [&Statement; 13] = [
    &lots::INVARIANTS,
    &ledger::INVARIANTS,
    &breakage::INVARIANTS,
    &conversions::INVARIANTS,
    &true_ups::INVARIANTS,
    &names::INVARIANTS,
    &charges::INVARIANTS,
    &purchases::INVARIANTS,
    &subscriptions::INVARIANTS,
    &schedules::INVARIANTS,
    &caps::INVARIANTS,
    &pooling::INVARIANTS,
    &rollup::INVARIANTS,
];

/// All violations, of one account or of all.
pub fn violations(account: Option<&str>) -> Vec<Violation> {
    let now = clock::now();
    let mut violations: Vec<Violation> = Vec::new();
    for invariants in INVARIANTS {
        violations.extend(invariants.read(&[&account, &now]).iter().map(violation_of_row));
    }
    violations.extend(prices::violations(account));
    violations.extend(guards::violations());
    violations.extend(plan_schedules::not_as_wanted(account, now).iter().map(violation_of_row));
    violations
}

fn violation_of_row(row: Row<'_>) -> Violation {
    Violation {
        invariant: row.get(1),
        account: row.optional(2),
        lot: row.optional(3),
        expected: row.optional(4),
        found: row.optional(5),
    }
}
