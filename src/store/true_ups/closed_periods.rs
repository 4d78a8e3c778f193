//! Periods that were closed: their statements, and what came after them.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT4OID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::store::statement::{Row, Snapshot, Statement};
use crate::values;

static CLOSED: Statement = Statement::by_index(
    "SELECT true_up, starts_at, ends_at, carried_forward, prepaid_left FROM credit.true_up
     WHERE account = $1 AND unit = $2 AND ends_at > $3 ORDER BY ends_at LIMIT 1",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static LAST_CLOSED: Statement = Statement::by_index(
    "SELECT true_up, starts_at, ends_at, carried_forward, prepaid_left FROM credit.true_up
     WHERE account = $1 AND unit = $2 AND ends_at <= $3 ORDER BY ends_at DESC LIMIT 1",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static CORRECTIONS: Statement = Statement::by_index(
    "SELECT c.true_up, sum(c.amount) FROM credit.true_up_correction c JOIN credit.true_up t ON t.account = c.account
        AND t.true_up = c.true_up
     WHERE c.account = $1 AND t.unit = $2 AND c.recorded_at >= $3 AND c.recorded_at < $4 GROUP BY c.true_up ORDER BY c.true_up",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static ADD_CORRECTION: Statement = Statement::new(
    "INSERT INTO credit.true_up_correction (account, true_up, posting, occurred_at, amount, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING",
    &[TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID, NUMERICOID, TIMESTAMPTZOID],
);

static NEXT_ID: Statement = Statement::new("SELECT nextval('credit.true_up_id')", &[]);

static POST: Statement = Statement::new(
    "INSERT INTO credit.true_up (account, true_up, unit, starts_at, ends_at, committed, used, granted, expired, rolled_in,
        rolled_out,
         carried_in, prepaid, shortfall, overage, unit_price, overage_price, amount_due, currency, carried_forward, prepaid_left,
             granted_lot, posted_at,
         recorded_by)
     VALUES ($1, $2, $3, $4, $5, $6[1], $6[2], $6[3], $6[4], $6[5], $6[6], $6[7], $6[8], $6[9], $6[10], $7, $8, $9, $10, $6[11],
         $6[12], $11, $12,
         session_user)",
    &[
        TEXTOID,
        INT8OID,
        TEXTOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        NUMERICARRAYOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        TEXTOID,
        INT8OID,
        TIMESTAMPTZOID,
    ],
);

static POST_LINE: Statement = Statement::new(
    "INSERT INTO credit.true_up_line (account, true_up, line, kind, reference, quantity, unit_price, amount)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    &[TEXTOID, INT8OID, INT4OID, TEXTOID, TEXTOID, NUMERICOID, NUMERICOID, NUMERICOID],
);

static SET_CLOSED_UNTIL: Statement = Statement::by_index(
    "UPDATE credit.account SET closed_until = GREATEST(closed_until, $2) WHERE account = $1",
    &[TEXTOID, TIMESTAMPTZOID],
);

static SETTLE: Statement = Statement::by_index(
    "UPDATE credit.true_up SET settled_at = GREATEST($3, posted_at) WHERE account = $1 AND true_up = $2 AND settled_at IS NULL",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static KNOWN: Statement = Statement::by_index(
    "SELECT starts_at, ends_at, posted_at, settled_at, unit, committed, used, granted, expired, rolled_in, rolled_out, carried_in,
        prepaid,
         shortfall, overage, carried_forward, unit_price, overage_price, amount_due, currency, granted_lot, prepaid_left
     FROM credit.true_up WHERE account = $1 AND true_up = $2",
    &[TEXTOID, INT8OID],
);

static KNOWN_LINES: Statement = Statement::by_index(
    "SELECT kind, reference, quantity, unit_price, amount FROM credit.true_up_line WHERE account = $1 AND true_up = $2
        ORDER BY line",
    &[TEXTOID, INT8OID],
);

static FORGET_ACTIVITY: Statement = Statement::new("SELECT pg_catalog.pg_stat_clear_snapshot()", &[]);

// Those that may still write something which happened before the instant: they began before it. Since when another role's
// transaction runs may be hidden; then it counts if it writes.
static OLDER_WRITERS: Statement = Statement::new(
    "SELECT a.pid, COALESCE(a.xact_start, $1) FROM pg_catalog.pg_stat_activity a
     WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
         AND (a.xact_start < $1 OR a.xact_start IS NULL AND a.backend_xid IS NOT NULL)
     UNION ALL
     SELECT 0, p.prepared FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database()
     ORDER BY 2 LIMIT 1",
    &[TIMESTAMPTZOID],
);

/// A period that was closed.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    pub true_up: i64,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// The overage (above zero) or the shortfall (below it) that the next period gets.
    pub carried_forward: Amount,
    /// The prepaid credits that were neither used nor needed for the commitment.
    pub prepaid_left: Amount,
}

/// A statement of a period, closed or not.
#[derive(Clone, Debug)]
pub struct TrueUp {
    pub account: String,
    pub unit: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub committed: Amount,
    pub used: Amount,
    pub granted: Amount,
    pub expired: Amount,
    pub rolled_in: Amount,
    pub rolled_out: Amount,
    pub carried_in: Amount,
    pub prepaid: Amount,
    pub shortfall: Amount,
    pub overage: Amount,
    pub carried_forward: Amount,
    pub prepaid_left: Amount,
    pub unit_price: Option<Decimal>,
    pub overage_price: Option<Decimal>,
    pub amount_due: Option<Amount>,
    pub currency: Option<String>,
    pub true_up: Option<i64>,
    pub posted_at: Option<DateTime<Utc>>,
    pub settled_at: Option<DateTime<Utc>>,
    pub granted_lot: Option<i64>,
    pub lines: Vec<Line>,
}

/// A line of a statement.
#[derive(Clone, Debug)]
pub struct Line {
    pub kind: String,
    pub reference: Option<String>,
    pub quantity: Amount,
    pub unit_price: Option<Decimal>,
    pub amount: Option<Amount>,
}

/// The first closed period that ends after an instant.
pub fn after(account: &str, unit: &str, at: DateTime<Utc>, snapshot: Snapshot) -> Option<Closed> {
    CLOSED.execute(snapshot, &[&account, &unit, &at]).first().map(closed_of_row)
}

/// The last closed period that ended by an instant.
pub fn until(account: &str, unit: &str, at: DateTime<Utc>, snapshot: Snapshot) -> Option<Closed> {
    LAST_CLOSED.execute(snapshot, &[&account, &unit, &at]).first().map(closed_of_row)
}

fn closed_of_row(row: Row<'_>) -> Closed {
    Closed {
        true_up: row.get(1),
        starts_at: row.get(2),
        ends_at: row.get(3),
        carried_forward: row.get(4),
        prepaid_left: row.get(5),
    }
}

/// The amounts that came late for closed periods and were recorded between two instants, one for each period.
pub fn corrections(account: &str, unit: &str, from: DateTime<Utc>, to: DateTime<Utc>, snapshot: Snapshot) -> Vec<(i64, Amount)> {
    CORRECTIONS.execute(snapshot, &[&account, &unit, &from, &to]).iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// Says that a posting is usage of a closed period.
pub fn add_correction(account: &str, true_up: i64, posting: i64, occurred_at: DateTime<Utc>, amount: Amount, now: DateTime<Utc>) {
    ADD_CORRECTION.run(&[&account, &true_up, &posting, &occurred_at, &amount, &now]);
}

/// The oldest transaction that began before an instant and has not ended: its process and since when it runs; 0 stands for a
/// prepared one.
pub fn older_writer(at: DateTime<Utc>) -> Option<(i32, DateTime<Utc>)> {
    // The server keeps what it showed before in this transaction.
    FORGET_ACTIVITY.run(&[]);
    OLDER_WRITERS.run(&[&at]).first().map(|row| (row.get(1), row.get(2)))
}

/// An id for a closed period.
pub fn next_id() -> i64 {
    NEXT_ID.run(&[]).first().expect("one row").get(1)
}

/// Writes a closed period with its lines, and says that the account is closed until its end.
pub fn post(id: i64, closed: &TrueUp, granted_lot: Option<i64>, now: DateTime<Utc>) {
    let amounts = [
        closed.committed,
        closed.used,
        closed.granted,
        closed.expired,
        closed.rolled_in,
        closed.rolled_out,
        closed.carried_in,
        closed.prepaid,
        closed.shortfall,
        closed.overage,
        closed.carried_forward,
        closed.prepaid_left,
    ];
    let amounts: Vec<_> = amounts.into_iter().map(values::numeric).collect();
    POST.run(&[
        &closed.account,
        &id,
        &closed.unit,
        &closed.starts_at,
        &closed.ends_at,
        &amounts,
        &closed.unit_price,
        &closed.overage_price,
        &closed.amount_due,
        &closed.currency,
        &granted_lot,
        &now,
    ]);
    for (number, line) in (1_i32..).zip(&closed.lines) {
        POST_LINE.run(&[
            &closed.account,
            &id,
            &number,
            &line.kind,
            &line.reference,
            &line.quantity,
            &line.unit_price,
            &line.amount,
        ]);
    }
    SET_CLOSED_UNTIL.run(&[&closed.account, &closed.ends_at]);
}

/// Says that what was due is settled; whether it was not before.
pub fn settle(account: &str, true_up: i64, now: DateTime<Utc>) -> bool {
    SETTLE.run(&[&account, &true_up, &now]).count() == 1
}

/// A closed period as it was closed.
pub fn find(account: &str, true_up: i64, snapshot: Snapshot) -> Option<TrueUp> {
    let rows = KNOWN.execute(snapshot, &[&account, &true_up]);
    let lines = KNOWN_LINES.execute(snapshot, &[&account, &true_up]);
    rows.first().map(|row| TrueUp {
        account: account.to_owned(),
        starts_at: row.get(1),
        ends_at: row.get(2),
        posted_at: row.optional(3),
        settled_at: row.optional(4),
        unit: row.get(5),
        committed: row.get(6),
        used: row.get(7),
        granted: row.get(8),
        expired: row.get(9),
        rolled_in: row.get(10),
        rolled_out: row.get(11),
        carried_in: row.get(12),
        prepaid: row.get(13),
        shortfall: row.get(14),
        overage: row.get(15),
        carried_forward: row.get(16),
        unit_price: row.optional(17),
        overage_price: row.optional(18),
        amount_due: row.optional(19),
        currency: row.optional(20),
        granted_lot: row.optional(21),
        prepaid_left: row.get(22),
        true_up: Some(true_up),
        lines: lines.iter().map(line_of_row).collect(),
    })
}

fn line_of_row(row: Row<'_>) -> Line {
    Line {
        kind: row.get(1),
        reference: row.optional(2),
        quantity: row.get(3),
        unit_price: row.optional(4),
        amount: row.optional(5),
    }
}
