//! The table `credit.lot`.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT2OID, INT4OID, INT8ARRAYOID, INT8OID, NUMERICOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::ledger::lot_price::LotPrice;
use crate::store::ledger::entries;
use crate::store::ledger::sequences::{self, Sequence};
use crate::store::statement::{Rows, Statement};

static LOCK: Statement = Statement::by_index(
    "SELECT slots, closed, effective_at, expires_at FROM credit.lot WHERE account = $1 AND lot = $2 FOR NO KEY UPDATE",
    &[TEXTOID, INT8OID],
);

static LOCK_OPEN_IF_FREE: Statement = Statement::by_index(
    "SELECT slots, closed, effective_at, expires_at FROM credit.lot WHERE account = $1 AND lot = $2 AND NOT closed
     FOR NO KEY UPDATE SKIP LOCKED",
    &[TEXTOID, INT8OID],
);

static TERMS: Statement =
    Statement::by_index("SELECT unit, member, applies_to FROM credit.lot WHERE account = $1 AND lot = $2", &[TEXTOID, INT8OID]);

static CLOSE: Statement = Statement::by_index(
    "UPDATE credit.lot l SET closed = true FROM unnest($1::text[], $2::bigint[]) AS v (account, lot)
     WHERE l.account = v.account AND l.lot = v.lot AND NOT l.closed",
    &[TEXTARRAYOID, INT8ARRAYOID],
);

// Written even when it is open already: a REPEATABLE READ transaction that saw the lot without this credit must not be able to
// lock its row and close it.
static REOPEN: Statement =
    Statement::by_index("UPDATE credit.lot SET closed = false WHERE account = $1 AND lot = $2", &[TEXTOID, INT8OID]);

/// Open lots that have expired by $1. A lot that a schedule carries over is closed when that is settled.
macro_rules! due_lots {
    () => {
        "NOT closed AND expires_at <= $1 AND NOT EXISTS (SELECT FROM credit.schedule_period p
         WHERE p.account = l.account AND p.lot = l.lot AND NOT p.settled)"
    };
}
pub(in crate::store) use due_lots;

// A lot that rolls over is settled by the refresh of its schedule, not by the sweep. The statement locks what it finds, so that
// two at once find different ones. It follows the order of the index alone: of a hundred thousand that expire at one instant any
// will do, and sorting them would be most of the work.
static DUE: Statement = Statement::by_index(
    concat!(
        "SELECT account, lot FROM credit.lot l WHERE ",
        due_lots!(),
        " ORDER BY expires_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
    ),
    &[TIMESTAMPTZOID, INT4OID],
);

static DUE_OF_ACCOUNT: Statement = Statement::by_index(
    "SELECT lot FROM credit.lot l WHERE account = $1 AND NOT closed AND COALESCE(expires_at, 'infinity') <= $2
         AND NOT EXISTS (SELECT FROM credit.schedule_period p WHERE p.account = l.account AND p.lot = l.lot AND NOT p.settled)
     LIMIT $3",
    &[TEXTOID, TIMESTAMPTZOID, INT4OID],
);

static EMPTY: Statement = Statement::new(
    "SELECT l.account, l.lot FROM credit.lot l
     WHERE NOT l.closed AND NOT EXISTS (SELECT FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot
         AND s.remaining > 0)
     ORDER BY l.account, l.lot LIMIT $1",
    &[INT4OID],
);

static COST_BASIS: Statement = Statement::new("SELECT trim_scale($1 / $2)", &[NUMERICOID, NUMERICOID]);

static GRANT: Statement = Statement::new(
    "WITH lot AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, metadata, recorded_at, recorded_by, posted)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $16 IS NULL THEN $9 ELSE round($9, $16) END, $10, trim_scale($9 / $8),
             $11, $12, $13, $14::jsonb, $15, session_user, true)
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES ($1, $2, 0, $8)
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, metadata, posted)
     VALUES ($1, $17, 1, 'grant', $8, $2, $4,
         (SELECT department FROM credit.member WHERE account = $1 AND member = $4), $15, $15, session_user, $14::jsonb, true)",
    &[
        TEXTOID,
        INT8OID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        INT2OID,
        NUMERICOID,
        NUMERICOID,
        TEXTOID,
        TEXTARRAYOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TEXTOID,
        TIMESTAMPTZOID,
        INT4OID,
        INT8OID,
    ],
);

// A direct insert has made the lot's row; this makes the rest, and posts it.
static APPLY_INSERTED: Statement = Statement::new(
    "WITH slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining)
         SELECT account, lot, 0, granted FROM credit.lot WHERE account = $1 AND lot = $2
     ), entry AS (
         INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
             recorded_by, metadata, posted)
         SELECT l.account, $3, 1, 'grant', l.granted, l.lot, l.member, m.department, l.recorded_at,
             l.recorded_at, l.recorded_by, l.metadata, true
         FROM credit.lot l LEFT JOIN credit.member m ON m.account = l.account AND m.member = l.member
         WHERE l.account = $1 AND l.lot = $2
     )
     UPDATE credit.lot SET posted = true WHERE account = $1 AND lot = $2 AND NOT posted",
    &[TEXTOID, INT8OID, INT8OID],
);

// $8 is the part of the price that goes along. The basis is inherited exactly, unless credits without a price are among what is
// moved ($9).
static MOVE: Statement = Statement::new(
    "WITH moved AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, parent, metadata, recorded_at, recorded_by, posted)
         SELECT account, $3, unit, member, category, source, priority, $4, CASE WHEN $8 = paid THEN paid ELSE $8 END, currency,
             CASE WHEN $9 THEN trim_scale($8 / $4) ELSE cost_basis END, applies_to, effective_at, $5, lot,
                 COALESCE($6::jsonb, metadata), $7, session_user, true
         FROM credit.lot WHERE account = $1 AND lot = $2
         RETURNING member, granted
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES ($1, $3, 0, $4)
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, metadata, posted)
     SELECT $1, $10, v.line, v.kind, v.amount, v.lot, moved.member,
         (SELECT department FROM credit.member m WHERE m.account = $1 AND m.member = moved.member),
         $7, $7, session_user, $6::jsonb, true
     FROM moved, (VALUES (1, 'move_out', - $4::numeric, $2::bigint), (2, 'move_in', $4, $3)) AS v (line, kind, amount, lot)",
    &[TEXTOID, INT8OID, INT8OID, NUMERICOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, NUMERICOID, BOOLOID, INT8OID],
);

static MARK_MOVED: Statement =
    Statement::by_index("UPDATE credit.lot SET moved_to = $3 WHERE account = $1 AND lot = $2", &[TEXTOID, INT8OID, INT8OID]);

// To the pool, with the same life.
static RETURN: Statement = Statement::new(
    "WITH left_behind AS (SELECT * FROM credit.lot WHERE account = $1 AND lot = $2), moved AS (
         INSERT INTO credit.lot (account, lot, unit, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, parent, metadata, recorded_at, recorded_by, posted)
         SELECT account, $3, unit, category, source, priority, $4, CASE WHEN $6 = paid THEN paid ELSE $6 END, currency,
             CASE WHEN $7 THEN trim_scale($6 / $4) ELSE cost_basis END, applies_to, effective_at, expires_at, lot,
             metadata, $5, session_user, true
         FROM left_behind
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES ($1, $3, 0, $4)
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, posted)
     SELECT $1, $8, v.line, v.kind, v.amount, v.lot, l.member,
         (SELECT department FROM credit.member m WHERE m.account = $1 AND m.member = l.member), $5, $5, session_user, true
     FROM left_behind l, (VALUES (1, 'move_out', - $4::numeric, $2::bigint), (2, 'move_in', $4, $3)) AS v (line, kind, amount,
         lot)",
    &[TEXTOID, INT8OID, INT8OID, NUMERICOID, TIMESTAMPTZOID, NUMERICOID, BOOLOID, INT8OID],
);

/// A lot whose row is locked.
#[derive(Clone, Copy, Debug)]
pub struct Locked {
    pub slots: i16,
    pub closed: bool,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

fn locked_of_rows(rows: Rows) -> Option<Locked> {
    rows.first().map(|row| Locked {
        slots: row.get(1),
        closed: row.get(2),
        effective_at: row.get(3),
        expires_at: row.optional(4),
    })
}

impl Locked {
    /// Whether the lot's life is over.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// Locks the lot's row, and waits until it is free; `None` when there is no such lot.
pub fn lock(account: &str, lot: i64) -> Option<Locked> {
    locked_of_rows(LOCK.run(&[&account, &lot]))
}

/// Locks the row of an open lot, unless somebody else holds it.
pub fn lock_open_if_free(account: &str, lot: i64) -> Option<Locked> {
    locked_of_rows(LOCK_OPEN_IF_FREE.run(&[&account, &lot]))
}

/// The terms that decide who may spend a lot.
pub struct LotTerms {
    pub unit: String,
    pub member: Option<String>,
    pub applies_to: Option<Vec<String>>,
}

/// The terms of a lot; `None` when the account has no such lot.
pub fn terms(account: &str, lot: i64) -> Option<LotTerms> {
    let rows = TERMS.run(&[&account, &lot]);
    rows.first().map(|row| LotTerms { unit: row.get(1), member: row.optional(2), applies_to: row.optional(3) })
}

/// Closes locked lots that hold nothing: no debit looks at them again.
pub fn close(lots: &[(&str, i64)]) {
    if !lots.is_empty() {
        let (accounts, lots): (Vec<&str>, Vec<i64>) = lots.iter().copied().unzip();
        CLOSE.run(&[&accounts, &lots]);
    }
}

/// Opens a locked lot again to which something was added.
pub fn reopen(account: &str, lot: i64) {
    REOPEN.run(&[&account, &lot]);
}

/// Lots past their expiry that are not closed yet: of all accounts the oldest first, or of one account.
pub fn due(now: DateTime<Utc>, account: Option<&str>, limit: i32) -> Vec<(String, i64)> {
    match account {
        None => DUE.run(&[&now, &limit]).iter().map(|row| (row.get(1), row.get(2))).collect(),
        Some(account) => {
            let rows = DUE_OF_ACCOUNT.run(&[&account, &now, &limit]);
            rows.iter().map(|row| (account.to_owned(), row.get(1))).collect()
        }
    }
}

/// Open lots that hold nothing.
pub fn empty(limit: i32) -> Vec<(String, i64)> {
    EMPTY.run(&[&limit]).iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// The price of one credit of a lot, exact as far as SQL divides.
pub fn cost_basis(paid: Amount, granted: Amount) -> AnyNumeric {
    COST_BASIS.run(&[&paid, &granted]).first().expect("one row").get(1)
}

/// A lot id nobody else has.
pub fn next_id() -> i64 {
    sequences::next(Sequence::Lots)
}

/// A number of lot ids that nobody else has, in ascending order.
pub fn next_ids(count: usize) -> Vec<i64> {
    (0..count).map(|_| next_id()).collect()
}

/// A lot to be written.
pub struct NewLot<'a> {
    pub account: &'a str,
    pub lot: i64,
    pub unit: String,
    pub member: Option<&'a str>,
    pub category: String,
    pub source: String,
    pub priority: i16,
    pub granted: Amount,
    pub paid: Option<Amount>,
    /// How many decimals of it are shown, trailing zeros too; as many as it takes when that is not said.
    pub paid_decimals: Option<i32>,
    pub currency: Option<String>,
    pub applies_to: Option<Vec<String>>,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub metadata: Option<&'a str>,
}

/// Writes a lot with its first slot and its grant entry.
pub fn grant(new: &NewLot<'_>, now: DateTime<Utc>) {
    let written = GRANT.run(&[
        &new.account,
        &new.lot,
        &new.unit,
        &new.member,
        &new.category,
        &new.source,
        &new.priority,
        &new.granted,
        &new.paid,
        &new.currency,
        &new.applies_to,
        &new.effective_at,
        &new.expires_at,
        &new.metadata,
        &now,
        &new.paid_decimals,
        &entries::next_posting(),
    ]);
    assert_eq!(written.count(), 1, "the grant entry of lot {}", new.lot);
}

/// Gives a directly inserted lot its first slot and its grant entry.
pub fn apply_inserted(account: &str, lot: i64) {
    assert_eq!(APPLY_INSERTED.run(&[&account, &lot, &entries::next_posting()]).count(), 1, "lot {lot} to post");
}

/// Credits that a lot hands on to a new one.
#[derive(Clone, Copy, Debug)]
pub struct HandedOn {
    /// The lot that hands on.
    pub from: i64,
    /// The lot that receives.
    pub to: i64,
    pub amount: Amount,
    /// The part of the price that goes along.
    pub paid: Option<Amount>,
    /// Credits without a price are among it.
    pub is_diluted: bool,
}

impl HandedOn {
    /// An amount that a lot hands on out of `held`, with its share of the price.
    pub fn of(price: LotPrice, (from, held): (i64, Amount), to: i64, amount: Amount) -> HandedOn {
        HandedOn { from, to, amount, paid: price.share(held, amount), is_diluted: price.is_diluted(held, amount) }
    }
}

/// Writes the lot that takes over a part of another with another expiry, and the two entries of the move.
pub fn write_move(account: &str, moved: HandedOn, expires_at: Option<DateTime<Utc>>, metadata: Option<&str>, now: DateTime<Utc>) {
    let HandedOn { from, to, amount, paid, is_diluted } = moved;
    let written =
        MOVE.run(&[&account, &from, &to, &amount, &expires_at, &metadata, &now, &paid, &is_diluted, &entries::next_posting()]);
    assert_eq!(written.count(), 2, "the two entries of a move from lot {from}");
}

/// Says which lot lives on for one whose expiry was changed.
pub fn mark_moved(account: &str, moved: HandedOn) {
    assert_eq!(MARK_MOVED.run(&[&account, &moved.from, &moved.to]).count(), 1, "lot {} to mark", moved.from);
}

/// Writes the pooled lot that takes over a part of a member's lot, and the two entries of the move.
pub fn write_return(account: &str, returned: HandedOn, now: DateTime<Utc>) {
    let HandedOn { from, to, amount, paid, is_diluted } = returned;
    let written = RETURN.run(&[&account, &from, &to, &amount, &now, &paid, &is_diluted, &entries::next_posting()]);
    assert_eq!(written.count(), 2, "the two entries of a return of lot {from}");
}
