//! The proof of the books: each invariant is a query that returns what violates it. All of them see what the calling query sees,
//! so one instant. A file has the invariants of one kind of rows.

mod breakage;
mod caps;
mod charges;
mod conversions;
mod corrections;
pub mod guards;
mod holds;
mod ledger;
mod lots;
mod names;
mod origins;
mod plans;
mod pooling;
mod postings;
mod prices;
mod purchases;
mod requests;
mod rollup;
mod schedules;
mod scope;
mod seats;
mod sequences;
mod subscriptions;
mod true_ups;
mod values;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{Oid, TEXTOID, TIMESTAMPTZOID};

use crate::server::{clock, subtransaction};
use crate::store::schedules::plan_schedules;
use crate::store::statement::{Parameter, Row, Rows, Statement};

/// A violated invariant.
pub struct Violation {
    /// The sentence that should be true.
    pub invariant: String,
    pub account: Option<String>,
    pub lot: Option<i64>,
    pub expected: Option<String>,
    pub found: Option<String>,
}

/// A statement about one account, `$1`, or about all of them, NULL. A condition about an account is written
/// `$1 IS NULL OR account = $1`, with any column.
struct Scoped {
    of_one: Statement,
    of_all: Statement,
}

impl Scoped {
    const fn new(sql: &'static str, parameters: &'static [Oid]) -> Scoped {
        Scoped {
            of_one: Statement::edited(sql, parameters, scope::of_one),
            of_all: Statement::edited(sql, parameters, scope::of_all),
        }
    }

    fn read(&self, account: Option<&str>, parameters: &[&dyn Parameter]) -> Rows {
        if account.is_some() { self.of_one.read(parameters) } else { self.of_all.read(parameters) }
    }
}

/// Invariants of one kind of rows. The query returns the columns of a violation; it takes the account, NULL for all of them, and
/// the time.
struct Invariants(Scoped);

impl Invariants {
    const fn new(sql: &'static str) -> Invariants {
        Invariants(Scoped::new(sql, &[TEXTOID, TIMESTAMPTZOID]))
    }

    /// For a query that joins only rows of the account with each other: an account may have very many, of which the planner
    /// expects a few.
    const fn in_bulk(sql: &'static str) -> Invariants {
        let Scoped { of_one, of_all } = Scoped::new(sql, &[TEXTOID, TIMESTAMPTZOID]);
        Invariants(Scoped { of_one: of_one.and_in_bulk(), of_all })
    }

    /// The same, also about all accounts: what the planner knows of a young table says as little of them.
    const fn always_in_bulk(sql: &'static str) -> Invariants {
        let Scoped { of_one, of_all } = Scoped::new(sql, &[TEXTOID, TIMESTAMPTZOID]);
        Invariants(Scoped { of_one: of_one.and_in_bulk(), of_all: of_all.and_in_bulk() })
    }

    fn violations(&self, account: Option<&str>, now: DateTime<Utc>) -> Vec<Violation> {
        computed(account, || self.0.read(account, &[&account, &now]).iter().map(violation_of_row).collect())
    }
}

/// The queries of the proof.
static INVARIANTS: [&Invariants; 23] = [
    &lots::INVARIANTS,
    &ledger::INVARIANTS,
    &holds::INVARIANTS,
    &breakage::INVARIANTS,
    &conversions::INVARIANTS,
    &corrections::INVARIANTS,
    &values::INVARIANTS,
    &true_ups::INVARIANTS,
    &names::INVARIANTS,
    &charges::INVARIANTS,
    &purchases::INVARIANTS,
    &subscriptions::INVARIANTS,
    &plans::INVARIANTS,
    &plans::GRANTED_ONCE,
    &schedules::INVARIANTS,
    &caps::INVARIANTS,
    &pooling::INVARIANTS,
    &rollup::INVARIANTS,
    &postings::INVARIANTS,
    &origins::INVARIANTS,
    &requests::INVARIANTS,
    &sequences::INVARIANTS,
    &seats::INVARIANTS,
];

/// All violations, of one account or of all.
pub fn violations(account: Option<&str>) -> Vec<Violation> {
    let now = clock::now();
    let mut violations: Vec<Violation> = INVARIANTS.iter().flat_map(|invariants| invariants.violations(account, now)).collect();
    violations.extend(computed(account, || prices::violations(account)));
    violations.extend(guards::violations());
    violations.extend(computed(account, || plan_schedules::not_as_wanted(account, now).iter().map(violation_of_row).collect()));
    violations
}

/// The violations that `read` finds; one more where a row has values that nothing can be computed from.
fn computed(account: Option<&str>, read: impl FnOnce() -> Vec<Violation>) -> Vec<Violation> {
    subtransaction::computed(read).unwrap_or_else(|message| {
        vec![Violation {
            invariant: "the books can be computed with".to_owned(),
            account: account.map(str::to_owned),
            lot: None,
            expected: Some("values within their range".to_owned()),
            found: Some(message),
        }]
    })
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
