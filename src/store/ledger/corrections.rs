//! The tables `credit.correction` and `credit.lot_gain`: what came back to lines of debits and to lots, and the price that is
//! left of a lot.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT4OID, INT8ARRAYOID, INT8OID, NUMERICOID, TEXTOID};

use crate::domain::amount::Amount;
use crate::domain::ledger::correction::{Line, Usage};
use crate::domain::ledger::lot_price::LotPrice;
use crate::domain::rates::dimensions::Dimensions;
use crate::store::statement::{Row, Statement};

static LINES: Statement = Statement::by_index(
    "SELECT e.line, e.lot, - e.amount, COALESCE(e.quantity, 0), COALESCE(c.given_back, 0), COALESCE(c.quantity, 0), e.member,
        e.department,
         e.operation, e.dimensions::text, e.rate, e.recorded_at, e.occurred_at, e.run
     FROM credit.entry e LEFT JOIN credit.correction c ON c.account = e.account AND c.posting = e.posting AND c.line = e.line
     WHERE e.account = $1 AND e.posting = $2 AND e.kind = 'debit' ORDER BY e.line",
    &[TEXTOID, INT8OID],
);

// Totals, not differences: while the lot is locked nobody else writes.
static WRITE: Statement = Statement::by_index(
    "INSERT INTO credit.correction AS c (account, posting, line, given_back, quantity) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (account, posting, line) DO UPDATE SET given_back = EXCLUDED.given_back, quantity = EXCLUDED.quantity",
    &[TEXTOID, INT8OID, INT4OID, NUMERICOID, NUMERICOID],
);

static GAIN: Statement =
    Statement::by_index("SELECT adjusted, given_back FROM credit.lot_gain WHERE account = $1 AND lot = $2", &[TEXTOID, INT8OID]);

static WRITE_GAIN: Statement = Statement::by_index(
    "INSERT INTO credit.lot_gain AS g (account, lot, adjusted, given_back) VALUES ($1, $2, $3, $4)
     ON CONFLICT (account, lot) DO UPDATE SET adjusted = EXCLUDED.adjusted, given_back = EXCLUDED.given_back",
    &[TEXTOID, INT8OID, NUMERICOID, NUMERICOID],
);

// Credits that were handed on before are only looked for where something came back: that reads the account's lots.
static PRICES: Statement = Statement::by_index(
    "SELECT l.granted, l.paid, COALESCE(g.adjusted, 0), CASE WHEN g.lot IS NULL THEN 0 ELSE (
         SELECT LEAST(COALESCE(sum(c.paid), 0), l.paid) FROM credit.lot c WHERE c.account = l.account AND c.parent = l.lot) END
     FROM unnest($2::bigint[]) WITH ORDINALITY AS v (lot, place)
     JOIN credit.lot l ON l.account = $1 AND l.lot = v.lot
     LEFT JOIN credit.lot_gain g ON g.account = l.account AND g.lot = l.lot ORDER BY v.place",
    &[TEXTOID, INT8ARRAYOID],
);

static ANY_GAIN: Statement = Statement::by_index("SELECT EXISTS (SELECT FROM credit.lot_gain WHERE account = $1)", &[TEXTOID]);

// A schedule may end its lots before they expire. Once that is settled, whatever came to such a lot would be nobody's.
static ENDED_BY_SCHEDULE: Statement = Statement::by_index(
    "SELECT s.ends_at FROM credit.schedule_period p JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule
     WHERE p.account = $1 AND p.lot = $2 AND p.settled AND s.ends_lots AND s.ends_at <= $3",
    &[TEXTOID, INT8OID, pgrx::pg_sys::TIMESTAMPTZOID],
);

// Where the clock was set back since, the books say what it does not: its rollover is settled, or its expiry is posted.
static EXPIRED_IN_BOOKS: Statement = Statement::by_index(
    "SELECT l.expires_at FROM credit.lot l WHERE l.account = $1 AND l.lot = $2 AND l.expires_at IS NOT NULL AND (
         EXISTS (SELECT FROM credit.schedule_period p JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule
             WHERE p.account = l.account AND p.lot = l.lot AND p.settled AND s.rollover IS NOT NULL)
         OR EXISTS (SELECT FROM credit.breakage b WHERE b.account = l.account AND b.expires_at = l.expires_at
             AND b.lot = l.lot))",
    &[TEXTOID, INT8OID],
);

/// A line of a debit as it is now, and its instants.
pub struct DebitLine {
    pub line: Line,
    pub recorded_at: DateTime<Utc>,
    pub occurred_at: DateTime<Utc>,
}

/// The lines of a posting that are debits, with what was given back of them.
pub fn lines(account: &str, posting: i64) -> Vec<DebitLine> {
    LINES.run(&[&account, &posting]).iter().map(line_of_row).collect()
}

fn line_of_row(row: Row<'_>) -> DebitLine {
    let dimensions: Option<String> = row.optional(10);
    let usage = Usage {
        member: row.optional(7),
        department: row.optional(8),
        operation: row.optional(9),
        dimensions: dimensions.and_then(|json| Dimensions::parse(&json).ok()),
        rate: row.optional(11),
        run: row.optional(14),
    };
    let line = Line {
        line: row.get(1),
        lot: row.get(2),
        debited: row.get(3),
        quantity: row.get(4),
        given_back: row.get(5),
        quantity_given_back: row.get(6),
        usage,
    };
    DebitLine { line, recorded_at: row.get(12), occurred_at: row.get(13) }
}

/// Says what was given back of a line, altogether.
pub fn write(account: &str, posting: i64, line: i32, given_back: Amount, quantity: Amount) {
    let written = WRITE.run(&[&account, &posting, &line, &given_back, &quantity]);
    assert_eq!(written.count(), 1, "what was given back of line {line} of posting {posting}");
}

/// The credits that came back to a lot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gain {
    /// By adjustments that correct no debit.
    pub adjusted: Amount,
    /// By corrections of debits.
    pub given_back: Amount,
}

/// The credits that came back to the lot so far.
pub fn gain(account: &str, lot: i64) -> Gain {
    let rows = GAIN.run(&[&account, &lot]);
    rows.first().map(|row| Gain { adjusted: row.get(1), given_back: row.get(2) }).unwrap_or_default()
}

/// Says what came back to the lot, altogether.
pub fn write_gain(account: &str, lot: i64, gain: Gain) {
    let written = WRITE_GAIN.run(&[&account, &lot, &gain.adjusted, &gain.given_back]);
    assert_eq!(written.count(), 1, "what came back to lot {lot}");
}

/// The figures that decide which price goes along with credits that leave the lots, in the order of the lots.
pub fn prices(account: &str, lots: &[i64]) -> Vec<LotPrice> {
    let rows = PRICES.run(&[&account, &lots.to_vec()]);
    let price = |row: Row<'_>| LotPrice {
        granted: row.get(1),
        paid: row.optional(2),
        gained: row.get(3),
        handed_on: row.optional(4).unwrap_or_default(),
    };
    let prices: Vec<LotPrice> = rows.iter().map(price).collect();
    assert_eq!(prices.len(), lots.len(), "a price for each lot");
    prices
}

/// The same of one lot.
pub fn price(account: &str, lot: i64) -> LotPrice {
    prices(account, &[lot])[0]
}

/// Whether anything came back to any lot of the account.
pub fn any_gain(account: &str) -> bool {
    ANY_GAIN.run(&[&account]).first().expect("one row").get(1)
}

/// When a lot expired, by what was written of it; `None` where nothing was.
pub fn expired_in_books(account: &str, lot: i64) -> Option<DateTime<Utc>> {
    EXPIRED_IN_BOOKS.run(&[&account, &lot]).first().map(|row| row.get(1))
}

/// When the schedule of a lot ended it, before its expiry.
pub fn ended_by_schedule(account: &str, lot: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    ENDED_BY_SCHEDULE.run(&[&account, &lot, &now]).first().map(|row| row.get(1))
}
