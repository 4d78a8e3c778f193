//! The table `credit.breakage`: the losses of lots by their expiry, and the part that late usage took back.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{
    BOOLARRAYOID, BOOLOID, INT4OID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTARRAYOID, TEXTOID,
    TIMESTAMPTZARRAYOID, TIMESTAMPTZOID,
};

use crate::domain::amount::Amount;
use crate::domain::debits::late::TooLate;
use crate::domain::ledger::drawdown::Source;
use crate::store::debits::eligible::{Eligibility, source_of_row};
use crate::store::ledger::entries;
use crate::store::statement::{Rows, Statement};

// The line is the lot owner's and dated at the expiry, whenever it is swept. A lot may lose something more than once: to a limit
// on what is carried before it expires, or when an adjustment added to it.
static EXPIRE: Statement = Statement::by_index(
    "WITH line AS (
         INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
             recorded_by, posted)
         SELECT l.account, $6, 1, 'expiry', - $3::numeric, l.lot, l.member, m.department, $4, $5, session_user,
             true
         FROM credit.lot l LEFT JOIN credit.member m ON m.account = l.account AND m.member = l.member
         WHERE l.account = $1 AND l.lot = $2
         RETURNING account, lot, posting
     )
     INSERT INTO credit.breakage (account, lot, posting, expires_at, expired) SELECT account, lot, posting, $4, $3 FROM line",
    &[TEXTOID, INT8OID, NUMERICOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID],
);

/// Lots `l` of an account `a` that would have paid at $6.
/// $1 account, $2 unit, $3 member ('' without one), $4 operation, $5 does the pool pay.
macro_rules! would_have_paid {
    () => {
        "l.account = $1 AND l.unit = $2 AND (COALESCE(l.member, '') = $3 OR ($5 AND COALESCE(l.member, '') = ''))
         AND (l.applies_to IS NULL OR $4 = ANY (l.applies_to)) AND l.effective_at <= $6
             AND COALESCE(l.expires_at, 'infinity') > $6"
    };
}

macro_rules! grace_ends {
    ($expires_at:literal) => {
        concat!("credit.add_interval(", $expires_at, ", a.late_grace, a.time_zone)")
    };
}

macro_rules! in_drawdown_order {
    () => {
        "ORDER BY l.member IS NULL, l.priority, l.applies_to IS NULL, l.expires_at, l.category = 'paid', l.effective_at, l.lot"
    };
}

// Locked in drawdown order, of one lot what it lost first; what a row has after waiting for its lock is read again. The loss of a
// lot counts from when it lost it, whether or not the lot lives on.
static LAPSED: Statement = Statement::by_index(
    concat!(
        "SELECT l.lot, l.member IS NULL, l.priority, l.applies_to IS NULL, l.expires_at, l.category = 'paid', l.effective_at,
             b.expired - b.taken_back, b.posting
         FROM credit.breakage b JOIN credit.lot l ON l.account = b.account AND l.lot = b.lot JOIN credit.account a
             ON a.account = b.account
         WHERE b.account = $1 AND b.expires_at > $6 AND b.expires_at <= $7 AND b.expired > b.taken_back AND ",
        would_have_paid!(),
        " AND ",
        grace_ends!("b.expires_at"),
        " > $7 ",
        in_drawdown_order!(),
        ", b.expires_at, b.posting FOR NO KEY UPDATE OF b"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

/// The same of several usages of an account and unit at once.
/// $1 account, $2 unit, $3 now, $4 members ('' without one), $5 operations, $6 does the pool pay, $7 when it happened.
macro_rules! would_have_paid_any {
    ($ends:literal) => {
        concat!(
            "l.account = $1 AND l.unit = $2 AND EXISTS (
             SELECT FROM unnest($4::text[], $5::text[], $6::boolean[], $7::timestamptz[]) AS v (member, operation, pool, at)
             WHERE (COALESCE(l.member, '') = v.member OR (v.pool AND COALESCE(l.member, '') = ''))
                 AND (l.applies_to IS NULL OR v.operation = ANY (l.applies_to)) AND l.effective_at <= v.at
                 AND COALESCE(l.expires_at, 'infinity') > v.at AND ",
            $ends,
            " > v.at)"
        )
    };
}

static UNSWEPT: Statement = Statement::by_index(
    concat!(
        "SELECT l.lot FROM credit.lot l JOIN credit.account a ON a.account = l.account
         WHERE NOT l.closed AND COALESCE(l.expires_at, 'infinity') <= $3 AND NOT EXISTS (SELECT FROM credit.schedule_period p
             WHERE p.account = l.account AND p.lot = l.lot AND NOT p.settled) AND ",
        would_have_paid_any!("l.expires_at"),
        " AND ",
        grace_ends!("l.expires_at"),
        " > $3 ",
        in_drawdown_order!(),
    ),
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID, TIMESTAMPTZARRAYOID],
);

// In the order of LAPSED, over all of them.
static LOCK_LAPSED: Statement = Statement::by_index(
    concat!(
        "SELECT FROM credit.breakage b JOIN credit.lot l ON l.account = b.account AND l.lot = b.lot
         JOIN credit.account a ON a.account = b.account
         WHERE b.account = $1 AND b.expires_at <= $3 AND b.expired > b.taken_back AND ",
        would_have_paid_any!("b.expires_at"),
        " AND ",
        grace_ends!("b.expires_at"),
        " > $3 ",
        in_drawdown_order!(),
        ", b.expires_at, b.posting FOR NO KEY UPDATE OF b"
    ),
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID, TIMESTAMPTZARRAYOID],
);

/// The first loss of a lot whose grace is over.
static TOO_LATE: Statement = Statement::by_index(
    concat!(
        "SELECT l.lot, loss.expires_at, ",
        grace_ends!("loss.expires_at"),
        " FROM (SELECT b.lot, b.expires_at FROM credit.breakage b WHERE b.account = $1 AND b.expires_at > $6
            AND b.expires_at <= $7
             UNION ALL
             SELECT o.lot, o.expires_at FROM credit.lot o WHERE o.account = $1 AND o.unit = $2 AND NOT o.closed
                 AND COALESCE(o.expires_at, 'infinity') <= $7
                 AND EXISTS (SELECT FROM credit.slot s WHERE s.account = o.account AND s.lot = o.lot AND s.remaining > 0)) AS loss
         JOIN credit.lot l ON l.account = $1 AND l.lot = loss.lot JOIN credit.account a ON a.account = l.account
         WHERE ",
        would_have_paid!(),
        " AND ",
        grace_ends!("loss.expires_at"),
        " <= $7 ORDER BY loss.expires_at, l.lot LIMIT 1"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static LAST_LINE: Statement = Statement::by_index(
    "SELECT COALESCE(max(line), 0) FROM credit.entry WHERE account = $1 AND posting = $2",
    &[TEXTOID, INT8OID],
);

// Each second line from $3 on: the debit of the same lot comes between. It is dated as the expiry that it takes back.
static TAKE_BACK: Statement = Statement::by_index(
    "WITH taken AS (
         UPDATE credit.breakage b SET taken_back = b.taken_back + v.amount
         FROM unnest($4::bigint[], $5::numeric[]) WITH ORDINALITY AS v (posting, amount, part)
         WHERE b.account = $1 AND b.posting = v.posting AND b.expired - b.taken_back >= v.amount
         RETURNING b.account, b.lot, b.posting, b.expires_at, v.amount, v.part
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at, corrects,
         recorded_by, posted)
     SELECT t.account, $2, $3 + 2 * (t.part::integer - 1), 'expiry_reversal', t.amount, t.lot, l.member, m.department,
         t.expires_at, $6,
         t.posting, session_user, true
     FROM taken t JOIN credit.lot l ON l.account = t.account AND l.lot = t.lot
     LEFT JOIN credit.member m ON m.account = l.account AND m.member = l.member",
    &[TEXTOID, INT8OID, INT4OID, INT8ARRAYOID, NUMERICARRAYOID, TIMESTAMPTZOID],
);

/// Writes what a lot that has expired still held out of the books.
pub fn expire(account: &str, lot: i64, amount: Amount, expires_at: DateTime<Utc>, now: DateTime<Utc>) {
    let written = EXPIRE.run(&[&account, &lot, &amount, &expires_at, &now, &entries::next_posting()]);
    assert_eq!(written.count(), 1, "the expiry of lot {lot}");
}

/// Usage of a time at which other lots were in force than now.
#[derive(Clone, Copy, Debug)]
pub struct Lateness<'a> {
    pub eligible: Eligibility<'a>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When it came.
    pub now: DateTime<Utc>,
}

fn run(statement: &Statement, lateness: Lateness<'_>) -> Rows {
    let Lateness { eligible: Eligibility { account, unit, member, pool, operation }, at, now } = lateness;
    statement.run(&[&account, &unit, &member, &operation, &pool, &at, &now])
}

/// A usage, and when it happened.
pub type LateUsage<'a> = (Eligibility<'a>, DateTime<Utc>);

/// Lots that would have paid one of several usages of an account and unit, have expired within the grace, and are not swept yet;
/// in drawdown order. Those of schedules are settled by the refresh.
pub fn unswept(late: &[LateUsage<'_>], now: DateTime<Utc>) -> Vec<i64> {
    run_any(&UNSWEPT, late, now).iter().map(|row| row.get(1)).collect()
}

/// Locks what the lots that would have paid any of several usages of one account and unit lost, in drawdown order.
pub fn lock_lapsed(late: &[LateUsage<'_>], now: DateTime<Utc>) {
    run_any(&LOCK_LAPSED, late, now);
}

fn run_any(statement: &Statement, late: &[LateUsage<'_>], now: DateTime<Utc>) -> Rows {
    let (first, _) = late.first().expect("some usage");
    let members: Vec<_> = late.iter().map(|(eligible, _)| eligible.member).collect();
    let operations: Vec<_> = late.iter().map(|(eligible, _)| eligible.operation).collect();
    let pools: Vec<_> = late.iter().map(|(eligible, _)| eligible.pool).collect();
    let instants: Vec<_> = late.iter().map(|(_, at)| *at).collect();
    statement.run(&[&first.account, &first.unit, &now, &members, &operations, &pools, &instants])
}

/// A loss of a lot at one time that nobody took back yet.
#[derive(Clone, Copy, Debug)]
pub struct Lapsed {
    /// The posting of its expiry.
    pub posting: i64,
    pub source: Source,
}

/// The losses within the grace of the lots that would have paid, in drawdown order, locked.
pub fn lapsed(lateness: Lateness<'_>) -> Vec<Lapsed> {
    run(&LAPSED, lateness).iter().map(|row| Lapsed { posting: row.get(9), source: source_of_row(&row) }).collect()
}

/// A part of an expiry that is taken back.
#[derive(Clone, Copy, Debug)]
pub struct TakenBack {
    /// The posting of the expiry.
    pub expiry: i64,
    pub lot: i64,
    pub amount: Amount,
}

/// The first lot that would have paid, lost something, and whose grace is over.
pub fn too_late(lateness: Lateness<'_>) -> Option<TooLate> {
    let rows = run(&TOO_LATE, lateness);
    rows.first().map(|row| TooLate { lot: row.get(1), expires_at: row.get(2), accepted_until: row.get(3) })
}

/// The number of a posting's last line; 0 when it has none.
pub fn last_line(account: &str, posting: i64) -> i32 {
    LAST_LINE.run(&[&account, &posting]).first().expect("one row").get(1)
}

/// Takes back parts of locked expiries, in every second line from `line` on.
pub fn take_back(account: &str, posting: i64, line: i32, parts: &[TakenBack], now: DateTime<Utc>) {
    let (expiries, amounts): (Vec<i64>, Vec<Amount>) = parts.iter().map(|part| (part.expiry, part.amount)).unzip();
    let written = TAKE_BACK.run(&[&account, &posting, &line, &expiries, &amounts.as_slice(), &now]);
    assert_eq!(written.count(), parts.len(), "what posting {posting} takes back");
}
