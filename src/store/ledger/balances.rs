//! The credits that there are to spend: from the slots now, from the ledger as of an instant.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::store::statement::Statement;

/// Lots in force at an instant, in the asked scope.
/// $1 account, $2 unit, $3 member or NULL for everything, $4 whether a member may use the pool, $5 the instant, $6 operation.
macro_rules! in_scope {
    () => {
        "l.account = $1 AND l.unit = $2
         AND ($3 IS NULL OR COALESCE(l.member, '') = $3 OR ($4 AND l.member IS NULL))
         AND l.effective_at <= $5 AND (l.expires_at IS NULL OR l.expires_at > $5)
         AND ($6 IS NULL OR l.applies_to IS NULL OR $6 = ANY (l.applies_to))"
    };
}

/// What goes back to a lot `l` of the account `$1` is lost at `$5`: it was voided, or its schedule has ended it.
macro_rules! takes_nothing_back {
    () => {
        "SELECT FROM credit.voided v WHERE v.account = $1 AND v.lot = l.lot AND v.emptied
         UNION ALL
         SELECT FROM credit.schedule_period p JOIN credit.schedule c ON c.account = p.account AND c.schedule = p.schedule
         WHERE p.account = $1 AND p.lot = l.lot AND c.ends_lots AND c.ends_at <= $5"
    };
}

static IN_FORCE: Statement = Statement::by_index(
    concat!(
        "SELECT trim_scale(COALESCE((SELECT sum(s.remaining)
             FROM credit.lot l JOIN credit.slot s ON s.account = l.account AND s.lot = l.lot
             WHERE NOT l.closed AND ",
        in_scope!(),
        "), 0) + COALESCE((SELECT sum(o.open)
             FROM credit.hold h, unnest(h.lots, h.open) AS o (lot, open), credit.lot l
             WHERE h.account = $1 AND h.open_until <= $5 AND l.lot = o.lot AND NOT EXISTS (",
        takes_nothing_back!(),
        ") AND ",
        in_scope!(),
        "), 0))"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, BOOLOID, TIMESTAMPTZOID, TEXTOID],
);

// What holds had then is not usable: of each what was held, less what was captured until then.
// A lot of a schedule counts from when it was due, however late it was issued: nothing was spent between.
static AS_OF: Statement = Statement::new(
    concat!(
        "SELECT trim_scale(COALESCE((SELECT sum(e.amount)
             FROM credit.lot l JOIN credit.entry e ON e.account = l.account AND e.lot = l.lot
             WHERE e.account = $1 AND (e.recorded_at <= $5 OR e.kind IN ('grant', 'roll_in', 'expiry') AND e.occurred_at <= $5)
                 AND ",
        in_scope!(),
        "), 0) - COALESCE((SELECT sum(o.held - LEAST(o.held, COALESCE((SELECT - sum(c.amount) FROM credit.entry c
                 WHERE c.account = $1 AND c.hold = h.hold AND c.lot = o.lot AND c.recorded_at <= $5), 0)))
             FROM credit.hold h, unnest(h.lots, h.held) AS o (lot, held), credit.lot l
             WHERE h.account = $1 AND h.held_at <= $5 AND COALESCE(h.settled_at, 'infinity') > $5 AND h.expires_at > $5
                 AND l.lot = o.lot AND ",
        in_scope!(),
        "), 0))"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, BOOLOID, TIMESTAMPTZOID, TEXTOID],
);

/// The owner whose credits are counted.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    /// Without a member everything in the account counts.
    pub member: Option<&'a str>,
    /// Whether the pool counts for a member.
    pub pool: bool,
    /// Without an operation lots limited to operations count too.
    pub operation: Option<&'a str>,
}

/// The amount that the slots of the lots in force at `at` hold now, with what holds have of them that have ended by then.
pub fn in_force(scope: Scope<'_>, at: DateTime<Utc>) -> AnyNumeric {
    sum(&IN_FORCE, scope, at)
}

/// The amount that the lots in force at `at` held then, as the ledger says.
pub fn as_of(scope: Scope<'_>, at: DateTime<Utc>) -> AnyNumeric {
    sum(&AS_OF, scope, at)
}

fn sum(statement: &Statement, scope: Scope<'_>, at: DateTime<Utc>) -> AnyNumeric {
    let Scope { account, unit, member, pool, operation } = scope;
    let rows = statement.read(&[&account, &unit, &member, &pool, &at, &operation]);
    rows.first().expect("an aggregate has one row").get(1)
}
