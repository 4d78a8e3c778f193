//! The calendar of an account, as the server knows it: instants in its time zone.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::pg_sys::{INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::calendar::{Calendar, Span};
use crate::store::statement::{Snapshot, Statement};

// Nothing to count on the calendar; there and back would move the first of an hour that comes twice to the second.
static ADD: Statement = Statement::new(
    "SELECT CASE WHEN $3 = 0 AND $4 = 0 THEN $1 ELSE (($1 AT TIME ZONE $2) + make_interval(months => $3,
        days => $4)) AT TIME ZONE $2 END
         + $5 * interval '1 microsecond'",
    &[TIMESTAMPTZOID, TEXTOID, INT4OID, INT4OID, INT8OID],
);

static DAY: Statement =
    Statement::new("SELECT (($1 AT TIME ZONE $2)::date - DATE '2000-01-01')::bigint", &[TIMESTAMPTZOID, TEXTOID]);

static TIME_ZONE: Statement = Statement::by_index("SELECT time_zone FROM credit.account WHERE account = $1", &[TEXTOID]);

/// An instant, and the months, days and microseconds that are added to it.
type Sum = (DateTime<Utc>, i32, i32, i64);

/// The calendar of an account, as the server knows it.
pub struct AccountCalendar {
    time_zone: String,
    snapshot: Snapshot,
    /// The sums that were asked for before.
    sums: RefCell<HashMap<Sum, DateTime<Utc>>>,
}

impl AccountCalendar {
    /// The calendar of an account that exists.
    pub fn of(account: &str, snapshot: Snapshot) -> AccountCalendar {
        let time_zone = TIME_ZONE.execute(snapshot, &[&account]).first().expect("an existing account").get(1);
        AccountCalendar { time_zone, snapshot, sums: RefCell::default() }
    }
}

impl Calendar for AccountCalendar {
    fn add(&self, at: DateTime<Utc>, Span { months, days, microseconds }: Span) -> DateTime<Utc> {
        // A call that counts very many periods can be cancelled.
        pgrx::check_for_interrupts!();
        // Hours are hours everywhere.
        if (months, days) == (0, 0) {
            return at + TimeDelta::microseconds(microseconds);
        }
        let sum = || {
            let rows = ADD.execute(self.snapshot, &[&at, &self.time_zone, &months, &days, &microseconds]);
            rows.first().expect("one row").get(1)
        };
        let known = self.sums.borrow().get(&(at, months, days, microseconds)).copied();
        known.unwrap_or_else(|| *self.sums.borrow_mut().entry((at, months, days, microseconds)).or_insert_with(sum))
    }

    fn day(&self, at: DateTime<Utc>) -> i64 {
        DAY.execute(self.snapshot, &[&at, &self.time_zone]).first().expect("one row").get(1)
    }
}
