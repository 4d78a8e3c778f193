//! The table `credit.hold`.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::pg_sys::{
    BOOLARRAYOID, INT2OID, INT4OID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID,
};

use crate::domain::amount::Amount;
use crate::domain::holds::hold::{Part, Parts, State};
use crate::store::ledger::entries::DebitLine;
use crate::store::ledger::sequences::{self, Sequence};
use crate::store::statement::{Row, Statement};

// One statement takes the amount from the slot and writes the hold. It runs under the slot's lock, so it never waits.
static TAKE: Statement = Statement::by_index(
    "WITH taken AS (
         UPDATE credit.slot SET remaining = remaining - $4 WHERE account = $1 AND lot = $2 AND slot = $3 AND remaining >= $4
         RETURNING true
     )
     INSERT INTO credit.hold (account, hold, unit, amount, lots, pooled, held, captured, open, member, department, operation,
         held_at, expires_at, open_until, quantity, rate, run, dimensions, metadata, recorded_by)
     SELECT $1, $5, $6, $4, ARRAY[$2], ARRAY[$7 = 1], ARRAY[$4], ARRAY[0::numeric], ARRAY[$4], $8, $9, $10, $11, $12, $12, $13,
         $14, $15, $16::jsonb, $17::jsonb, session_user
     FROM taken",
    &[
        TEXTOID,
        INT8OID,
        INT2OID,
        NUMERICOID,
        INT8OID,
        TEXTOID,
        INT2OID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        NUMERICOID,
        INT8OID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
    ],
);

static ADD: Statement = Statement::new(
    "INSERT INTO credit.hold (account, hold, unit, amount, lots, pooled, held, captured, open, member, department, operation,
         held_at, expires_at, open_until, settled_at, state, quantity, rate, run, dimensions, metadata, recorded_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, array_fill(0::numeric, ARRAY[cardinality($5)]), $7, $8, $9, $10, $11, $12, $12, NULL,
         'open', $13, $14, $15, $16::jsonb, $17::jsonb, session_user)",
    &[
        TEXTOID,
        INT8OID,
        TEXTOID,
        NUMERICOID,
        INT8ARRAYOID,
        BOOLARRAYOID,
        NUMERICARRAYOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        NUMERICOID,
        INT8OID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
    ],
);

macro_rules! columns {
    () => {
        "hold, unit, state, expires_at, settled_at, rate, shortfall, lots, pooled, held, captured, open, member, department,
             operation, run, dimensions::text, metadata::text, posting"
    };
}

static FIND: Statement = Statement::by_index(
    concat!("SELECT ", columns!(), " FROM credit.hold WHERE account = $1 AND hold = $2"),
    &[TEXTOID, INT8OID],
);

static LOCK: Statement = Statement::by_index(
    concat!("SELECT ", columns!(), " FROM credit.hold WHERE account = $1 AND hold = $2 FOR NO KEY UPDATE"),
    &[TEXTOID, INT8OID],
);

static WRITE: Statement = Statement::by_index(
    "UPDATE credit.hold SET state = $3, open_until = CASE WHEN $3 = 'open' THEN expires_at END, settled_at = $4, posting = $5,
         shortfall = $6, captured = $7, open = $8
     WHERE account = $1 AND hold = $2",
    &[TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, NUMERICOID, NUMERICARRAYOID, NUMERICARRAYOID],
);

static EXTEND: Statement = Statement::by_index(
    "UPDATE credit.hold SET expires_at = $3, open_until = $3 WHERE account = $1 AND hold = $2",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static ENDED: Statement = Statement::by_index(
    "SELECT hold FROM credit.hold WHERE account = $1 AND open_until <= $2 ORDER BY open_until LIMIT $3",
    &[TEXTOID, TIMESTAMPTZOID, INT4OID],
);

static WITH_ENDED: Statement = Statement::by_index(
    "SELECT v.account FROM unnest($1::text[]) WITH ORDINALITY AS v (account, place)
     WHERE EXISTS (SELECT FROM credit.hold h WHERE h.account = v.account AND h.open_until <= $2) ORDER BY v.place",
    &[TEXTARRAYOID, TIMESTAMPTZOID],
);

static ANY: Statement = Statement::by_index("SELECT EXISTS (SELECT FROM credit.hold WHERE account = $1)", &[TEXTOID]);

static ACCOUNTS_WITH_ENDED: Statement = Statement::new(
    "SELECT account FROM credit.hold WHERE open_until <= $1 GROUP BY account ORDER BY account LIMIT $2",
    &[TIMESTAMPTZOID, INT4OID],
);

static IN_ORDER: Statement = Statement::by_index(
    "SELECT l.lot, l.expires_at FROM credit.lot l WHERE l.account = $1 AND l.lot = ANY ($2)
     ORDER BY COALESCE(l.expires_at, 'infinity') > $3, l.unit, l.member IS NULL, l.priority, (l.applies_to IS NULL),
         COALESCE(l.expires_at, 'infinity'), (l.category = 'paid'), l.effective_at, l.lot",
    &[TEXTOID, INT8ARRAYOID, TIMESTAMPTZOID],
);

// Only under the slot's lock: a lot that is open while it is held is not closed meanwhile. Nor is one that has something in the
// slot: a transaction with an older snapshot may close a lot that it saw empty.
static GIVE_TO_SLOT: Statement = Statement::by_index(
    "UPDATE credit.slot s SET remaining = s.remaining + $4 FROM credit.lot l
     WHERE s.account = $1 AND s.lot = $2 AND s.slot = $3 AND l.account = $1 AND l.lot = $2 AND NOT l.closed
         AND (l.expires_at IS NULL OR l.expires_at > $5) AND s.remaining > 0",
    &[TEXTOID, INT8OID, INT2OID, NUMERICOID, TIMESTAMPTZOID],
);

static OPEN_SLOTS: Statement = Statement::by_index(
    "SELECT slots FROM credit.lot WHERE account = $1 AND lot = $2 AND NOT closed AND (expires_at IS NULL OR expires_at > $3)",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static IS_VOIDED: Statement =
    Statement::new("SELECT EXISTS (SELECT FROM credit.voided WHERE account = $1 AND lot = $2 AND emptied)", &[TEXTOID, INT8OID]);

/// A hold as it is made.
#[derive(Clone, Copy, Debug)]
pub struct NewHold<'a> {
    /// The values that captures write into their lines.
    pub line: DebitLine<'a>,
    pub unit: &'a str,
    /// For how long it is open.
    pub length: TimeDelta,
}

impl NewHold<'_> {
    fn expires_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.length
    }
}

/// Takes the amount of a hold from a slot whose lock is held; its id, or `None` when the slot holds less.
pub fn take(
    new: &NewHold<'_>,
    (lot, pooled, slot): (i64, bool, i16),
    amount: Amount,
    id: Option<i64>,
    now: DateTime<Utc>,
) -> Option<i64> {
    let id = id.unwrap_or_else(next_id);
    let line = new.line;
    let written = TAKE.run(&[
        &line.account,
        &lot,
        &slot,
        &amount,
        &id,
        &new.unit,
        &i16::from(pooled),
        &line.member,
        &line.department,
        &line.operation,
        &now,
        &new.expires_at(now),
        &line.usage.map(|usage| usage.quantity),
        &line.usage.map(|usage| usage.rate),
        &line.run,
        &line.dimensions,
        &line.metadata,
    ]);
    (written.count() == 1).then_some(id)
}

/// Writes a hold of what was taken from these lots.
pub fn add(new: &NewHold<'_>, parts: &Parts, id: i64, now: DateTime<Utc>) {
    let line = new.line;
    let held: Vec<Amount> = parts.0.iter().map(|part| part.held).collect();
    let written = ADD.run(&[
        &line.account,
        &id,
        &new.unit,
        &parts.open(),
        &parts.0.iter().map(|part| part.lot).collect::<Vec<_>>(),
        &parts.0.iter().map(|part| part.pooled).collect::<Vec<_>>(),
        &held.as_slice(),
        &line.member,
        &line.department,
        &line.operation,
        &now,
        &new.expires_at(now),
        &line.usage.map(|usage| usage.quantity),
        &line.usage.map(|usage| usage.rate),
        &line.run,
        &line.dimensions,
        &line.metadata,
    ]);
    assert_eq!(written.count(), 1, "hold {id}");
}

/// A hold as it is now.
#[derive(Clone, Debug)]
pub struct Hold {
    pub hold: i64,
    pub unit: String,
    pub state: State,
    pub expires_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    /// The version of the rate that captures are priced by.
    pub rate: Option<i64>,
    pub shortfall: Amount,
    pub parts: Parts,
    pub member: Option<String>,
    pub department: Option<String>,
    pub operation: Option<String>,
    pub run: Option<String>,
    pub dimensions: Option<String>,
    pub metadata: Option<String>,
    /// The posting of the last capture.
    pub posting: Option<i64>,
}

impl Hold {
    /// The lots that it still has something of.
    pub fn lots(&self) -> impl Iterator<Item = i64> {
        self.parts.0.iter().filter(|part| part.open.is_positive()).map(|part| part.lot)
    }

    /// Whether it is open and its time is over.
    pub fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.state == State::Open && self.expires_at <= now
    }
}

fn hold_of_row(row: Row<'_>) -> Hold {
    let (lots, pooled): (Vec<i64>, Vec<bool>) = (row.get(8), row.get(9));
    let (held, captured, open): (Vec<Amount>, Vec<Amount>, Vec<Amount>) = (row.get(10), row.get(11), row.get(12));
    let part = |position: usize| Part {
        lot: lots[position],
        pooled: pooled[position],
        held: held[position],
        captured: captured[position],
        open: open[position],
    };
    let state: String = row.get(3);
    Hold {
        hold: row.get(1),
        unit: row.get(2),
        state: State::of_name(&state).expect("a state that the table allows"),
        expires_at: row.get(4),
        settled_at: row.optional(5),
        rate: row.optional(6),
        shortfall: row.get(7),
        parts: Parts((0..lots.len()).map(part).collect()),
        member: row.optional(13),
        department: row.optional(14),
        operation: row.optional(15),
        run: row.optional(16),
        dimensions: row.optional(17),
        metadata: row.optional(18),
        posting: row.optional(19),
    }
}

/// A hold as it is now, without a lock.
pub fn find(account: &str, hold: i64) -> Option<Hold> {
    FIND.run(&[&account, &hold]).first().map(hold_of_row)
}

/// Locks a hold, and waits until it is free; `None` when the account has no such hold.
pub fn lock(account: &str, hold: i64) -> Option<Hold> {
    LOCK.run(&[&account, &hold]).first().map(hold_of_row)
}

/// Writes what became of a locked hold.
pub fn write(account: &str, hold: &Hold) {
    let captured: Vec<Amount> = hold.parts.0.iter().map(|part| part.captured).collect();
    let open: Vec<Amount> = hold.parts.0.iter().map(|part| part.open).collect();
    let written = WRITE.run(&[
        &account,
        &hold.hold,
        &hold.state.name(),
        &hold.settled_at,
        &hold.posting,
        &hold.shortfall,
        &captured.as_slice(),
        &open.as_slice(),
    ]);
    assert_eq!(written.count(), 1, "hold {}", hold.hold);
}

/// Lets a locked, open hold end at another time.
pub fn extend(account: &str, hold: i64, expires_at: DateTime<Utc>) {
    assert_eq!(EXTEND.run(&[&account, &hold, &expires_at]).count(), 1, "hold {hold}");
}

/// Holds of an account whose time is over and that nobody has given back, at most `limit`, the earliest first.
pub fn ended(account: &str, now: DateTime<Utc>, limit: i32) -> Vec<i64> {
    ENDED.run(&[&account, &now, &limit]).iter().map(|row| row.get(1)).collect()
}

/// Those of the accounts that have such holds, in the order of their names.
pub fn with_ended(accounts: &[&str], now: DateTime<Utc>) -> Vec<String> {
    WITH_ENDED.run(&[&accounts.to_vec(), &now]).iter().map(|row| row.get(1)).collect()
}

/// Whether the account has holds, or had.
pub fn any(account: &str) -> bool {
    ANY.run(&[&account]).first().expect("one row").get(1)
}

/// Accounts with such holds, at most `limit`.
pub fn accounts_with_ended(now: DateTime<Utc>, limit: i32) -> Vec<String> {
    ACCOUNTS_WITH_ENDED.run(&[&now, &limit]).iter().map(|row| row.get(1)).collect()
}

/// These lots, with their expiry, in the order in which they are locked at an instant: those that have expired by then, which
/// late usage locks first, then in drawdown order.
pub fn in_lock_order(account: &str, lots: &[i64], now: DateTime<Utc>) -> Vec<(i64, Option<DateTime<Utc>>)> {
    IN_ORDER.run(&[&account, &lots.to_vec(), &now]).iter().map(|row| (row.get(1), row.optional(2))).collect()
}

/// How many slots a lot has that is in force and not closed.
pub fn open_slots(account: &str, lot: i64, now: DateTime<Utc>) -> Option<i16> {
    OPEN_SLOTS.run(&[&account, &lot, &now]).first().map(|row| row.get(1))
}

/// Adds an amount to a slot whose lock is held, if its lot is in force and not closed; whether it is.
pub fn give_to_slot(account: &str, lot: i64, slot: i16, amount: Amount, now: DateTime<Utc>) -> bool {
    GIVE_TO_SLOT.run(&[&account, &lot, &slot, &amount, &now]).count() == 1
}

/// Whether all that was left of a lot was voided.
pub fn is_voided(account: &str, lot: i64) -> bool {
    IS_VOIDED.run(&[&account, &lot]).first().expect("one row").get(1)
}

/// An id that no hold has.
pub fn next_id() -> i64 {
    sequences::next(Sequence::Holds)
}
