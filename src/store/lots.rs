//! The tables `credit.lot` and `credit.slot`.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{
    BOOLOID, INT2ARRAYOID, INT2OID, INT4OID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTARRAYOID, TEXTOID,
    TIMESTAMPTZOID,
};

use pgrx::prelude::*;

use super::statement::{Row, Rows, Statement};
use crate::domain::amount::Amount;
use crate::domain::drawdown::{Expiry, Rank, Source};

/// The lots of an account and unit that may pay at an instant, for an operation.
/// $1 account, $2 unit, $3 member ('' without one), $4 the instant, $5 the operation; for both owners $6: does the pool pay too.
macro_rules! usable {
    ($owner:literal) => {
        concat!(
            "l.account = $1 AND l.unit = $2 AND NOT l.closed AND ",
            $owner,
            " AND l.effective_at <= $4 AND (l.expires_at IS NULL OR l.expires_at > $4)
              AND (l.applies_to IS NULL OR $5 = ANY (l.applies_to))"
        )
    };
}

/// The drawdown order within one owner's lots, as the index `credit.lot_drawdown` has it.
macro_rules! drawdown_order {
    () => {
        "l.priority, (l.applies_to IS NULL), l.expires_at, (l.category = 'paid'), l.effective_at, l.lot"
    };
}

macro_rules! eligible {
    () => {
        usable!("(COALESCE(l.member, '') = $3 OR ($6 AND COALESCE(l.member, '') = ''))")
    };
}

/// The first lot of one owner. $3 is the owner: a member, or '' for the pool.
static HEAD: Statement = Statement::new(
    concat!(
        "SELECT l.lot, l.slots, l.expires_at FROM credit.lot l WHERE ",
        usable!("COALESCE(l.member, '') = $3"),
        " ORDER BY ",
        drawdown_order!(),
        " LIMIT 1"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID],
);

static SURVEY: Statement = Statement::new(
    concat!(
        "SELECT LEAST(COALESCE(sum(s.remaining), 0), 999999999999999.999999999), array_agg(s.slot ORDER BY s.slot) FILTER (WHERE s.lot = $7 AND s.remaining >= $8)
         FROM credit.lot l JOIN credit.slot s ON s.account = l.account AND s.lot = l.lot WHERE ",
        eligible!()
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, BOOLOID, INT8OID, NUMERICOID],
);

static USABLE: Statement = Statement::new(
    concat!(
        "SELECT l.lot, l.member IS NULL, l.priority, l.applies_to IS NULL, l.expires_at, l.category = 'paid', l.effective_at,
             s.remaining, l.category, l.source, l.member
         FROM credit.lot l, LATERAL (SELECT COALESCE(sum(s.remaining), 0) AS remaining FROM credit.slot s
             WHERE s.account = l.account AND s.lot = l.lot) s
         WHERE ",
        eligible!(),
        " AND l.lot <> ALL ($7) ORDER BY (COALESCE(l.member, '') = ''), ",
        drawdown_order!(),
        " LIMIT $8"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, BOOLOID, INT8ARRAYOID, INT4OID],
);

static LOCK: Statement = Statement::new(
    "SELECT slots, closed, effective_at, expires_at FROM credit.lot WHERE account = $1 AND lot = $2 FOR NO KEY UPDATE",
    &[TEXTOID, INT8OID],
);

static LOCK_OPEN_IF_FREE: Statement = Statement::new(
    "SELECT slots, closed, effective_at, expires_at FROM credit.lot WHERE account = $1 AND lot = $2 AND NOT closed
     FOR NO KEY UPDATE SKIP LOCKED",
    &[TEXTOID, INT8OID],
);

static TERMS: Statement = Statement::new(
    "SELECT l.unit, l.member, l.applies_to, a.pooling = 'per_seat'
     FROM credit.lot l JOIN credit.account a ON a.account = l.account WHERE l.account = $1 AND l.lot = $2",
    &[TEXTOID, INT8OID],
);

static SLOTS: Statement =
    Statement::new("SELECT remaining FROM credit.slot WHERE account = $1 AND lot = $2 ORDER BY slot", &[TEXTOID, INT8OID]);

static SLOT: Statement = Statement::new(
    "SELECT remaining FROM credit.slot WHERE account = $1 AND lot = $2 AND slot = $3",
    &[TEXTOID, INT8OID, INT2OID],
);

static SET_SLOTS: Statement = Statement::new(
    "UPDATE credit.slot s SET remaining = v.remaining
     FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::numeric[]) AS v (account, lot, slot, remaining)
     WHERE s.account = v.account AND s.lot = v.lot AND s.slot = v.slot AND s.remaining <> v.remaining",
    &[TEXTARRAYOID, INT8ARRAYOID, INT2ARRAYOID, NUMERICARRAYOID],
);

static TAKE_FROM_SLOTS: Statement = Statement::new(
    "UPDATE credit.slot s SET remaining = s.remaining - v.amount
     FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::numeric[]) AS v (account, lot, slot, amount)
     WHERE s.account = v.account AND s.lot = v.lot AND s.slot = v.slot AND s.remaining >= v.amount",
    &[TEXTARRAYOID, INT8ARRAYOID, INT2ARRAYOID, NUMERICARRAYOID],
);

static USABLE_BY_OWNERS: Statement = Statement::new(
    concat!(
        "SELECT v.owned::integer, l.lot, l.member, l.priority, l.applies_to, l.expires_at, l.category = 'paid', l.effective_at, l.slots
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS v (account, unit, owner, owned), LATERAL (
             SELECT l.*, (SELECT array_agg(s.remaining::numeric ORDER BY s.slot) FROM credit.slot s
                 WHERE s.account = l.account AND s.lot = l.lot) AS slots
             FROM (SELECT l.account, l.lot, l.member, l.priority, l.applies_to, l.expires_at, l.category, l.effective_at FROM credit.lot l
                 WHERE l.account = v.account AND l.unit = v.unit AND COALESCE(l.member, '') = v.owner AND NOT l.closed
                     AND l.effective_at <= $4 AND (l.expires_at IS NULL OR l.expires_at > $4) ORDER BY ",
        drawdown_order!(),
        " LIMIT $5) l) l"
    ),
    &[TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID, INT4OID],
);

static SET_SLOT: Statement = Statement::new(
    "UPDATE credit.slot SET remaining = $4 WHERE account = $1 AND lot = $2 AND slot = $3",
    &[TEXTOID, INT8OID, INT2OID, NUMERICOID],
);

static ADD_SLOTS: Statement = Statement::new(
    "WITH added AS (INSERT INTO credit.slot (account, lot, slot, remaining)
         SELECT $1, $2, $3 + part - 1, remaining FROM unnest($4::numeric[]) WITH ORDINALITY AS v (remaining, part) RETURNING slot)
     UPDATE credit.lot SET slots = $3 + (SELECT count(*) FROM added) WHERE account = $1 AND lot = $2",
    &[TEXTOID, INT8OID, INT2OID, NUMERICARRAYOID],
);

static CLOSE: Statement = Statement::new(
    "UPDATE credit.lot l SET closed = true FROM unnest($1::text[], $2::bigint[]) AS v (account, lot)
     WHERE l.account = v.account AND l.lot = v.lot AND NOT l.closed",
    &[TEXTARRAYOID, INT8ARRAYOID],
);

// Written even when it is open already: a REPEATABLE READ transaction that saw the lot without this credit must not be able to
// lock its row and close it.
static REOPEN: Statement =
    Statement::new("UPDATE credit.lot SET closed = false WHERE account = $1 AND lot = $2", &[TEXTOID, INT8OID]);

static DUE: Statement = Statement::new(
    "SELECT account, lot FROM credit.lot WHERE NOT closed AND expires_at <= $1 AND ($2 IS NULL OR account = $2)
     ORDER BY expires_at, account, lot LIMIT $3",
    &[TIMESTAMPTZOID, TEXTOID, INT4OID],
);

static EMPTY: Statement = Statement::new(
    "SELECT l.account, l.lot FROM credit.lot l
     WHERE NOT l.closed AND NOT EXISTS (SELECT FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot AND s.remaining > 0)
     ORDER BY l.account, l.lot LIMIT $1",
    &[INT4OID],
);

static COST_BASIS: Statement = Statement::new("SELECT trim_scale($1 / $2)", &[NUMERICOID, NUMERICOID]);

static NEXT_ID: Statement = Statement::new("SELECT nextval('credit.lot_id')", &[]);

static GRANT: Statement = Statement::new(
    "WITH lot AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, metadata, recorded_at, recorded_by, posted)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, trim_scale($9 / $8), $11, $12, $13, $14::jsonb, $15, session_user, true)
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES ($1, $2, 0, $8)
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, metadata, posted)
     VALUES ($1, nextval('credit.posting_id'), 1, 'grant', $8, $2, $4,
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
         SELECT l.account, nextval('credit.posting_id'), 1, 'grant', l.granted, l.lot, l.member, m.department, l.recorded_at,
             l.recorded_at, l.recorded_by, l.metadata, true
         FROM credit.lot l LEFT JOIN credit.member m ON m.account = l.account AND m.member = l.member
         WHERE l.account = $1 AND l.lot = $2
     )
     UPDATE credit.lot SET posted = true WHERE account = $1 AND lot = $2 AND NOT posted",
    &[TEXTOID, INT8OID],
);

// The part of the price that goes with the moved part: all of it when nothing was used, and never more. The basis is inherited exactly.
static MOVE: Statement = Statement::new(
    "WITH moved AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, parent, metadata, recorded_at, recorded_by, posted)
         SELECT account, $3, unit, member, category, source, priority, $4,
             CASE WHEN $4 >= granted THEN paid ELSE trim_scale(round(paid * $4 / granted, 9)) END, currency, cost_basis,
             applies_to, effective_at, $5, lot, COALESCE($6::jsonb, metadata), $7, session_user, true
         FROM credit.lot WHERE account = $1 AND lot = $2
         RETURNING member, granted
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES ($1, $3, 0, $4)
     ), posting AS MATERIALIZED (SELECT nextval('credit.posting_id') AS posting)
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, metadata, posted)
     SELECT $1, posting.posting, v.line, v.kind, v.amount, v.lot, moved.member,
         (SELECT department FROM credit.member m WHERE m.account = $1 AND m.member = moved.member),
         $7, $7, session_user, $6::jsonb, true
     FROM moved, posting, (VALUES (1, 'move_out', - $4::numeric, $2::bigint), (2, 'move_in', $4, $3)) AS v (line, kind, amount, lot)",
    &[TEXTOID, INT8OID, INT8OID, NUMERICOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID],
);

/// Which lots may pay: of whom, in which unit, when, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Eligibility<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    /// Empty when no member is named.
    pub member: &'a str,
    /// Whether pooled lots pay too.
    pub pool: bool,
    pub operation: Option<&'a str>,
}

/// The first lot in drawdown order.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub lot: i64,
    pub slots: i16,
    pub expires_at: Option<DateTime<Utc>>,
}

/// What is committed, seen at one instant.
pub struct Survey {
    /// All that the eligible lots hold, as far as an amount goes: no debit asks for more.
    pub available: Amount,
    /// The slots of the head lot that cover the amount alone.
    pub covering: Vec<i16>,
}

/// A usable lot in drawdown order, with what describes it to people.
pub struct Usable {
    pub source: Source,
    pub category: String,
    pub origin: String,
    pub member: Option<String>,
}

/// A lot whose row is locked.
#[derive(Clone, Copy, Debug)]
pub struct Locked {
    pub slots: i16,
    pub closed: bool,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// The first usable lot in drawdown order; it may turn out to be empty.
pub fn head(eligible: Eligibility<'_>, now: DateTime<Utc>) -> Option<Head> {
    let Eligibility { account, unit, member, pool, operation } = eligible;
    let first_of = |owner: &str| {
        let rows = HEAD.run(&[&account, &unit, &owner, &now, &operation]);
        rows.first().map(|row| Head { lot: row.get(1), slots: row.get(2), expires_at: row.optional(3) })
    };
    // The pool is only looked at when the member has nothing of his own.
    let own = if member.is_empty() { None } else { first_of(member) };
    own.or_else(|| if pool { first_of("") } else { None })
}

/// The one statement that decides whether a debit is refused; it takes no locks.
pub fn survey(eligible: Eligibility<'_>, now: DateTime<Utc>, head: i64, amount: Amount) -> Survey {
    let Eligibility { account, unit, member, pool, operation } = eligible;
    let rows = SURVEY.run(&[&account, &unit, &member, &now, &operation, &pool, &head, &amount]);
    let row = rows.first().expect("an aggregate has one row");
    Survey { available: row.get(1), covering: row.optional(2).unwrap_or_default() }
}

fn usable_of_row(row: Row<'_>) -> Usable {
    let rank = Rank {
        pooled: row.get(2),
        priority: row.get(3),
        general: row.get(4),
        expiry: row.optional(5).map_or(Expiry::Never, Expiry::At),
        paid: row.get(6),
        effective_at: row.get(7),
        lot: row.get(1),
    };
    Usable { source: Source { rank, available: row.get(8) }, category: row.get(9), origin: row.get(10), member: row.optional(11) }
}

fn usable_rows(rows: Rows) -> Vec<Usable> {
    rows.iter().map(usable_of_row).collect()
}

/// The next usable lots in drawdown order, at most `limit`, without those already `known`.
pub fn usable(eligible: Eligibility<'_>, now: DateTime<Utc>, known: &[i64], limit: i32) -> Vec<Usable> {
    let Eligibility { account, unit, member, pool, operation } = eligible;
    usable_rows(USABLE.run(&[&account, &unit, &member, &now, &operation, &pool, &known.to_vec(), &limit]))
}

/// The usable lots as the calling query sees them, for readers.
pub fn usable_to_reader(eligible: Eligibility<'_>, now: DateTime<Utc>, limit: i32) -> Vec<Usable> {
    let Eligibility { account, unit, member, pool, operation } = eligible;
    usable_rows(USABLE.read(&[&account, &unit, &member, &now, &operation, &pool, &Vec::<i64>::new(), &limit]))
}

fn locked_of_rows(rows: Rows) -> Option<Locked> {
    rows.first().map(|row| Locked {
        slots: row.get(1),
        closed: row.get(2),
        effective_at: row.get(3),
        expires_at: row.optional(4),
    })
}

/// Locks the lot's row, waiting for whoever holds it; `None` when there is no such lot.
pub fn lock(account: &str, lot: i64) -> Option<Locked> {
    locked_of_rows(LOCK.run(&[&account, &lot]))
}

/// Locks the row of an open lot, unless somebody else holds it.
pub fn lock_open_if_free(account: &str, lot: i64) -> Option<Locked> {
    locked_of_rows(LOCK_OPEN_IF_FREE.run(&[&account, &lot]))
}

/// What decides who may spend a lot.
pub struct LotTerms {
    pub unit: String,
    pub member: Option<String>,
    pub applies_to: Option<Vec<String>>,
    pub per_seat: bool,
}

pub fn terms(account: &str, lot: i64) -> Option<LotTerms> {
    let rows = TERMS.run(&[&account, &lot]);
    rows.first().map(|row| LotTerms {
        unit: row.get(1),
        member: row.optional(2),
        applies_to: row.optional(3),
        per_seat: row.get(4),
    })
}

/// What each slot holds, from slot 0 on.
pub fn slots(account: &str, lot: i64) -> Vec<Amount> {
    SLOTS.run(&[&account, &lot]).iter().map(|row| row.get(1)).collect()
}

/// What one slot holds.
pub fn slot(account: &str, lot: i64, slot: i16) -> Amount {
    SLOT.run(&[&account, &lot, &slot]).first().expect("slots are never deleted").get(1)
}

/// What one lot's slots shall hold from now on.
pub struct Layout<'a> {
    pub account: &'a str,
    pub lot: i64,
    pub remaining: Vec<Amount>,
}

/// Writes what the slots of locked lots hold; slots that stay as they are, are not written.
pub fn set_slots(layouts: &[Layout<'_>]) {
    let (mut accounts, mut lots, mut slots, mut amounts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for layout in layouts {
        for (slot, remaining) in layout.remaining.iter().enumerate() {
            accounts.push(layout.account);
            lots.push(layout.lot);
            slots.push(slot as i16);
            amounts.push(*remaining);
        }
    }
    SET_SLOTS.run(&[&accounts, &lots, &slots, &amounts.as_slice()]);
}

/// What is taken from one slot.
#[derive(Clone, Copy, Debug)]
pub struct SlotShare<'a> {
    pub account: &'a str,
    pub lot: i64,
    pub slot: i16,
    pub amount: Amount,
}

/// Takes amounts from slots whose locks are held; from how many: a slot that holds less is left as it is.
pub fn take_from_slots(shares: &[SlotShare<'_>]) -> usize {
    let accounts: Vec<_> = shares.iter().map(|share| share.account).collect();
    let lots: Vec<_> = shares.iter().map(|share| share.lot).collect();
    let slots: Vec<_> = shares.iter().map(|share| share.slot).collect();
    let amounts: Vec<_> = shares.iter().map(|share| share.amount).collect();
    TAKE_FROM_SLOTS.run(&[&accounts, &lots, &slots, &amounts.as_slice()]).count()
}

/// Whose lots are read for a batch: of a member, or of the pool (empty).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    pub owner: &'a str,
}

/// A usable lot of one of the owners, with what each slot holds.
pub struct OwnedLot {
    /// The owner's position, from 0.
    pub owner: usize,
    pub rank: Rank,
    pub member: Option<String>,
    pub applies_to: Option<Vec<String>>,
    pub slots: Vec<Amount>,
}

/// The usable lots of many owners, at most `limit` of each, all seen at one instant.
pub fn usable_by_owners(owners: &[Owner<'_>], now: DateTime<Utc>, limit: i32) -> Vec<OwnedLot> {
    let accounts: Vec<_> = owners.iter().map(|owner| owner.account).collect();
    let units: Vec<_> = owners.iter().map(|owner| owner.unit).collect();
    let names: Vec<_> = owners.iter().map(|owner| owner.owner).collect();
    let rows = USABLE_BY_OWNERS.run(&[&accounts, &units, &names, &now, &limit]);
    let lot = |row: Row<'_>| {
        let member: Option<String> = row.optional(3);
        let applies_to: Option<Vec<String>> = row.optional(5);
        let rank = Rank {
            pooled: member.is_none(),
            priority: row.get(4),
            general: applies_to.is_none(),
            expiry: row.optional(6).map_or(Expiry::Never, Expiry::At),
            paid: row.get(7),
            effective_at: row.get(8),
            lot: row.get(2),
        };
        OwnedLot { owner: row.get::<i32>(1) as usize - 1, rank, member, applies_to, slots: row.get(9) }
    };
    rows.iter().map(lot).collect()
}

/// Writes what one slot holds whose lock is held.
pub fn set_slot(account: &str, lot: i64, slot: i16, remaining: Amount) {
    assert_eq!(SET_SLOT.run(&[&account, &lot, &slot, &remaining]).count(), 1, "slot {slot} of lot {lot}");
}

/// Adds slots behind the `existing` ones of a lot whose row is locked.
pub fn add_slots(account: &str, lot: i64, existing: i16, amounts: &[Amount]) {
    assert_eq!(ADD_SLOTS.run(&[&account, &lot, &existing, &amounts]).count(), 1, "lot {lot} to widen");
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

/// Lots past their expiry that are not closed yet, the oldest first.
pub fn due(now: DateTime<Utc>, account: Option<&str>, limit: i32) -> Vec<(String, i64)> {
    DUE.run(&[&now, &account, &limit]).iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// Open lots that hold nothing.
pub fn empty(limit: i32) -> Vec<(String, i64)> {
    EMPTY.run(&[&limit]).iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// What one credit of a lot cost, exact as far as SQL divides.
pub fn cost_basis(paid: Amount, granted: Amount) -> AnyNumeric {
    COST_BASIS.run(&[&paid, &granted]).first().expect("one row").get(1)
}

/// A lot id nobody else has.
pub fn next_id() -> i64 {
    NEXT_ID.run(&[]).first().expect("one row").get(1)
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
    ]);
    assert_eq!(written.count(), 1, "the grant entry of lot {}", new.lot);
}

/// Gives a directly inserted lot its first slot and its grant entry.
pub fn apply_inserted(account: &str, lot: i64) {
    assert_eq!(APPLY_INSERTED.run(&[&account, &lot]).count(), 1, "lot {lot} to post");
}

/// Writes the lot that takes over `amount` of `from` with another expiry, and the two entries of the move.
pub fn write_move(
    account: &str,
    from: i64,
    to: i64,
    amount: Amount,
    expires_at: Option<DateTime<Utc>>,
    metadata: Option<&str>,
    now: DateTime<Utc>,
) {
    let written = MOVE.run(&[&account, &from, &to, &amount, &expires_at, &metadata, &now]);
    assert_eq!(written.count(), 2, "the two entries of a move from lot {from}");
}
