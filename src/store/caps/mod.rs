//! The table `credit.cap`.

pub mod cap_slots;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT2OID, INT8OID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::amount::Amount;
use crate::domain::caps::cap::{Every, Limit, Over};
use crate::domain::caps::period::Period;
use crate::domain::caps::rolling::Window;
use crate::server::invalidation;
use crate::store::Snapshot;
use crate::store::statement::{Row, Statement};

/// The caps of an account, unit and member with a department: its own, and those of all departments above it.
macro_rules! applying {
    () => {
        "SELECT c.cap, c.operation, c.amount, c.covers = 'pool', c.action = 'block', c.slots, c.member, c.department, c.every,
             EXTRACT(epoch FROM c.rolling)::bigint, c.anchor
         FROM credit.cap c
         WHERE c.account = $1 AND c.unit = $2 AND c.ended_at IS NULL AND (c.member IS NULL OR c.member = $3)
             AND (c.department IS NULL OR c.department = $4 OR starts_with($4, c.department || '/'))
         ORDER BY c.cap"
    };
}

static APPLYING: Statement = Statement::by_index(applying!(), &[TEXTOID, TEXTOID, TEXTOID, TEXTOID]);

static PERIOD: Statement = Statement::by_index(
    "SELECT p.starts_at, p.ends_at FROM credit.cap c JOIN credit.account a ON a.account = c.account,
         LATERAL credit.cap_period(c.anchor, c.every, c.rolling, c.step, a.time_zone, $3) AS p
     WHERE c.account = $1 AND c.cap = $2",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static LOCK: Statement = Statement::by_index(
    "SELECT slots, amount FROM credit.cap WHERE account = $1 AND cap = $2 FOR NO KEY UPDATE",
    &[TEXTOID, INT8OID],
);

static LOCK_IF_FREE: Statement = Statement::by_index(
    "SELECT slots FROM credit.cap WHERE account = $1 AND cap = $2 FOR NO KEY UPDATE SKIP LOCKED",
    &[TEXTOID, INT8OID],
);

static OF_SCOPE: Statement = Statement::by_index(
    "SELECT cap, amount, every, EXTRACT(epoch FROM rolling)::bigint, covers = 'pool', action = 'block', anchor FROM credit.cap
     WHERE account = $1 AND unit = $2 AND ended_at IS NULL AND member IS NOT DISTINCT FROM $3 AND department IS NOT DISTINCT
         FROM $4
         AND operation IS NOT DISTINCT FROM $5 ORDER BY cap",
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID],
);

static MOVING: Statement = Statement::by_index(
    "SELECT c.unit, m.path, c.operation, c.amount, c.every, EXTRACT(epoch FROM c.rolling)::bigint, c.covers = 'pool',
        c.action = 'block', c.anchor
     FROM credit.cap c, LATERAL (SELECT $3 || substr(c.department, length($2) + 1) AS path) AS m
     WHERE c.account = $1 AND c.ended_at IS NULL AND (c.department = $2 OR starts_with(c.department, $2 || '/'))
         AND NOT EXISTS (SELECT FROM credit.cap o WHERE o.account = $1 AND o.ended_at IS NULL AND o.department = m.path
             AND o.unit = c.unit
             AND o.operation IS NOT DISTINCT FROM c.operation)
     ORDER BY c.unit, c.cap",
    &[TEXTOID, TEXTOID, TEXTOID],
);

static CREATE: Statement = Statement::new(
    "INSERT INTO credit.cap (account, cap, unit, member, department, operation, amount, every, rolling, step, covers, action,
        anchor,
         created_at, changed_at, recorded_by)
     SELECT $1, nextval('credit.cap_id'), $2, $3, $4, $5, $6, $7,
         justify_hours(make_interval(secs => $12)), justify_hours(make_interval(secs => $13)),
         CASE WHEN $8 = 1 THEN 'pool' ELSE 'everything' END, CASE WHEN $9 = 1 THEN 'block' ELSE 'warn' END,
         COALESCE($10, date_trunc(COALESCE($7, 'day'), $11 AT TIME ZONE a.time_zone) AT TIME ZONE a.time_zone), $11, $11,
             session_user
     FROM credit.account a WHERE a.account = $1 RETURNING cap, anchor",
    &[
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        TEXTOID,
        INT2OID,
        INT2OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        INT8OID,
        INT8OID,
    ],
);

// Each line that counts has its id by now. The time does not tell what was posted before: a clock may have been ahead.
static CHANGE: Statement = Statement::by_index(
    "UPDATE credit.cap SET amount = $3, changed_at = GREATEST($4, changed_at, created_at),
         changed_after = COALESCE(pg_sequence_last_value('credit.posting_id'::regclass), 0)
     WHERE account = $1 AND cap = $2",
    &[TEXTOID, INT8OID, NUMERICOID, TIMESTAMPTZOID],
);

static END: Statement = Statement::by_index(
    "UPDATE credit.cap SET ended_at = GREATEST($3, changed_at, created_at) WHERE account = $1 AND cap = $2 AND ended_at IS NULL",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static TOUCH_ACCOUNT: Statement = Statement::by_index(
    "UPDATE credit.account SET has_caps = EXISTS (SELECT FROM credit.cap c WHERE c.account = $1 AND c.ended_at IS NULL)
     WHERE account = $1",
    &[TEXTOID],
);

// A transaction that looks at an older snapshot (REPEATABLE READ) must not debit past a cap that the snapshot does not show.
static MARK_SLOTS: Statement =
    Statement::by_index("UPDATE credit.slot SET remaining = remaining WHERE account = $1 AND lot = $2", &[TEXTOID, INT8OID]);

/// A cap as debits that it counts see it.
#[derive(Debug)]
pub struct Cap {
    pub cap: i64,
    /// The only operation that counts.
    pub operation: Option<String>,
    pub limit: Amount,
    /// Only what pooled lots pay counts.
    pub pool: bool,
    /// Debits beyond the limit are refused.
    pub blocks: bool,
    /// How many slots it has, as far as was heard.
    pub slots: Cell<i16>,
    /// The member whose spending it limits; without member and department it limits the account's.
    pub member: Option<String>,
    pub department: Option<String>,
    /// The time that the limit is for.
    pub over: Over,
    anchor: DateTime<Utc>,
    /// The slot that was last seen to have headroom.
    pub start: Cell<Option<i16>>,
    /// The period that was looked up last.
    period: Cell<Option<Period>>,
}

impl Cap {
    /// Whether it counts what is debited for this operation.
    pub fn counts(&self, operation: Option<&str>) -> bool {
        self.operation.is_none() || self.operation.as_deref() == operation
    }

    /// The time that counts at an instant.
    pub fn period(&self, account: &str, at: DateTime<Utc>) -> Period {
        if let Some(window) = self.over.window() {
            return window.period(self.anchor, at);
        }
        if let Some(known) = self.period.get().filter(|known| known.starts_at <= at && at < known.ends_at) {
            return known;
        }
        let period = period(account, self.cap, self.over, self.anchor, at);
        self.period.set(Some(period));
        period
    }

    /// The time that counts at an instant, as the calling query sees the calendar of the account.
    pub fn period_for_reader(&self, account: &str, at: DateTime<Utc>) -> Period {
        if let Some(window) = self.over.window() {
            return window.period(self.anchor, at);
        }
        if let Some(known) = self.period.get().filter(|known| known.starts_at <= at && at < known.ends_at) {
            return known;
        }
        let rows = PERIOD.read(&[&account, &self.cap, &at]);
        let row = rows.first().expect("caps are never deleted");
        let period = Period { starts_at: row.get(1), ends_at: row.get(2), step: None };
        self.period.set(Some(period));
        period
    }

    /// The values that decide debits: the same cap with the same limit.
    pub fn key(&self) -> (i64, Amount) {
        (self.cap, self.limit)
    }
}

/// The time that a limit is for, from its columns.
fn over_of_row(row: &Row<'_>, every: i32) -> Over {
    match row.optional::<String>(every) {
        Some(every) => Over::Every(Every::of_name(&every).expect("a period that the table allows")),
        None => {
            Over::Any(Window::of_microseconds(row.get::<i64>(every + 1) * 1_000_000).expect("a window that the table allows"))
        }
    }
}

/// The caps that may count a debit of this account, unit and member, in the order in which they are locked.
pub fn applying(snapshot: Snapshot, account: &str, unit: &str, member: Option<&str>, department: Option<&str>) -> Vec<Cap> {
    let rows = APPLYING.execute(snapshot, &[&account, &unit, &member, &department]);
    let cap = |row: Row<'_>| Cap {
        cap: row.get(1),
        operation: row.optional(2),
        limit: row.get(3),
        pool: row.get(4),
        blocks: row.get(5),
        slots: Cell::new(row.get(6)),
        member: row.optional(7),
        department: row.optional(8),
        over: over_of_row(&row, 9),
        anchor: row.get(11),
        start: Cell::new(None),
        period: Cell::new(None),
    };
    rows.iter().map(cap).collect()
}

/// The time of a cap that counts at an instant.
pub fn period(account: &str, cap: i64, over: Over, anchor: DateTime<Utc>, at: DateTime<Utc>) -> Period {
    if let Some(window) = over.window() {
        return window.period(anchor, at);
    }
    PERIODS.with_borrow(|periods| periods.get(account, cap, at)).unwrap_or_else(|| {
        let rows = PERIOD.run(&[&account, &cap, &at]);
        let row = rows.first().expect("caps are never deleted");
        let period = Period { starts_at: row.get(1), ends_at: row.get(2), step: None };
        PERIODS.with_borrow_mut(|periods| periods.put(account, cap, period));
        period
    })
}

thread_local! {
    static PERIODS: RefCell<Periods> = RefCell::default();
}

/// How many periods one backend remembers at most; then it forgets all of them at once.
const MOST_PERIODS: usize = 10_000;

/// The periods that were looked up last: the members of an account share its caps, and the calendar is asked once for all of
/// them.
#[derive(Default)]
struct Periods {
    /// The generation under which they were looked up: the account's time zone may change.
    generation: u64,
    of_caps: HashMap<i64, (String, Period)>,
}

impl Periods {
    fn get(&self, account: &str, cap: i64, at: DateTime<Utc>) -> Option<Period> {
        let (of_account, period) = self.of_caps.get(&cap).filter(|_| self.generation == invalidation::generation())?;
        (of_account == account && period.starts_at <= at && at < period.ends_at).then_some(*period)
    }

    fn put(&mut self, account: &str, cap: i64, period: Period) {
        if self.generation != invalidation::generation() || self.of_caps.len() >= MOST_PERIODS {
            *self = Periods { generation: invalidation::generation(), of_caps: HashMap::new() };
        }
        self.of_caps.insert(cap, (account.to_owned(), period));
    }
}

/// A cap whose row is locked.
#[derive(Clone, Copy, Debug)]
pub struct Locked {
    pub slots: i16,
    pub limit: Amount,
}

/// Locks a cap's row; waits until it is free.
pub fn lock(account: &str, cap: i64) -> Option<Locked> {
    let rows = LOCK.run(&[&account, &cap]);
    rows.first().map(|row| Locked { slots: row.get(1), limit: row.get(2) })
}

/// Locks a cap's row unless somebody holds it; how many slots it has.
pub fn lock_if_free(account: &str, cap: i64) -> Option<i16> {
    LOCK_IF_FREE.run(&[&account, &cap]).first().map(|row| row.get(1))
}

/// The spending that is limited.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    pub member: Option<&'a str>,
    pub department: Option<&'a str>,
    pub operation: Option<&'a str>,
}

/// A cap of a scope.
pub struct OfScope {
    pub cap: i64,
    pub limit: Limit,
    pub anchor: DateTime<Utc>,
}

/// The caps of just this scope that have not ended.
pub fn of_scope(scope: Scope<'_>) -> Vec<OfScope> {
    let Scope { account, unit, member, department, operation } = scope;
    let rows = OF_SCOPE.run(&[&account, &unit, &member, &department, &operation]);
    let of_row = |row: Row<'_>| OfScope {
        cap: row.get(1),
        limit: Limit { amount: row.get(2), over: over_of_row(&row, 3), pool: row.get(5), blocks: row.get(6) },
        anchor: row.get(7),
    };
    rows.iter().map(of_row).collect()
}

/// A cap that a department takes along: whose it will be, in what, and what it says.
pub struct Moving {
    pub unit: String,
    pub department: String,
    pub operation: Option<String>,
    pub limit: Limit,
    pub anchor: DateTime<Utc>,
}

/// The caps of a department and of those below it, as they will be below another path. Where that has caps of its own, those
/// stay.
pub fn moving(account: &str, from: &str, to: &str) -> Vec<Moving> {
    let of_row = |row: Row<'_>| Moving {
        unit: row.get(1),
        department: row.get(2),
        operation: row.optional(3),
        limit: Limit { amount: row.get(4), over: over_of_row(&row, 5), pool: row.get(7), blocks: row.get(8) },
        anchor: row.get(9),
    };
    MOVING.run(&[&account, &from, &to]).iter().map(of_row).collect()
}

/// Writes a cap without its slots; its id and its anchor.
pub fn create(scope: Scope<'_>, limit: Limit, anchor: Option<DateTime<Utc>>, now: DateTime<Utc>) -> (i64, DateTime<Utc>) {
    let Scope { account, unit, member, department, operation } = scope;
    let window = limit.over.window();
    let created = CREATE.run(&[
        &account,
        &unit,
        &member,
        &department,
        &operation,
        &limit.amount,
        &limit.over.every().map(Every::name),
        &i16::from(limit.pool),
        &i16::from(limit.blocks),
        &anchor,
        &now,
        &window.map(Window::seconds),
        &window.map(Window::step_seconds),
    ]);
    let row = created.first().expect("a cap of an existing account");
    (row.get(1), row.get(2))
}

/// Changes a cap's limit. Nobody else counts in the cap meanwhile.
pub fn change(account: &str, cap: i64, amount: Amount, now: DateTime<Utc>) {
    assert_eq!(CHANGE.run(&[&account, &cap, &amount, &now]).count(), 1, "cap {cap} to change");
}

/// Ends a cap; whether it applied.
pub fn end(account: &str, cap: i64, now: DateTime<Utc>) -> bool {
    END.run(&[&account, &cap, &now]).count() == 1
}

/// Says whether the account has caps, and locks its row.
pub fn touch_account(account: &str) {
    TOUCH_ACCOUNT.run(&[&account]);
}

/// Marks the slots of a locked lot for those who look at older snapshots.
pub fn mark_slots(account: &str, lot: i64) {
    MARK_SLOTS.run(&[&account, &lot]);
}
