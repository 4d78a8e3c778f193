//! The tables `credit.schedule` and `credit.schedule_period`.

pub mod plan_schedules;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{
    BOOLOID, INT2OID, INT4OID, INT8OID, INTERVALOID, JSONBOID, NUMERICARRAYOID, NUMERICOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID,
};
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::calendar::Cycle;
use crate::domain::exact::Precision;
use crate::domain::schedules::rollover::Rollover;
use crate::domain::schedules::schedule::{Held, Line, LotId, Planned, Proration, Terms, Validity};
use crate::server::heap;
use crate::store::insert::{Column, Insert, Json};
use crate::store::ledger::entries;
use crate::store::ledger::lots::HandedOn;
use crate::store::statement::{Row, Snapshot, Statement};
use crate::values;

static SCHEDULES: Statement = Statement::by_index(
    "SELECT s.schedule, s.unit, s.category, s.priority, s.recorded_at, s.anchor, s.every, s.amount, s.starts_at,
          s.ends_at, s.periods, s.expires, s.expires_periods, s.expires_after, s.expires_at, s.proration, s.rollover::text,
         u.decimals::integer, u.rounding, s.per_member, s.plan_schedule, s.ends_lots, s.into_pool
     FROM credit.schedule s JOIN credit.unit u ON u.unit = s.unit WHERE s.account = $1 ORDER BY s.schedule",
    &[TEXTOID],
);

static LINES: Statement = Statement::by_index(
    "SELECT v.schedule, v.member, v.since,
         CASE WHEN v.into_pool THEN (SELECT max(c.period) FROM credit.schedule_seat c
              WHERE c.account = $1 AND c.schedule = v.schedule AND c.member = v.member)
         ELSE (SELECT max(p.period) FROM credit.schedule_period p
              WHERE p.account = $1 AND p.schedule = v.schedule AND p.member = v.member AND p.rolled = 0) END
     FROM (
         SELECT schedule, '' COLLATE \"C\" AS member, starts_at AS since, false AS into_pool
         FROM credit.schedule WHERE account = $1 AND NOT per_member
         UNION ALL
         SELECT s.schedule, m.member, m.seated_at, s.into_pool
         FROM credit.schedule s JOIN credit.member m ON m.account = s.account AND m.active AND m.seated_at IS NOT NULL
             WHERE s.account = $1 AND s.per_member
     ) v ORDER BY v.schedule, v.member",
    &[TEXTOID],
);

// Of the schedules of plans that ended: what each seat was granted for the last period that was issued, and what lapsed of its
// lot when the plan was left.
static ISSUED_LAST: Statement = Statement::by_index(
    "SELECT p.schedule, COALESCE(c.member, p.member), p.period, p.lot, COALESCE(c.amount, p.original), p.original, l.effective_at,
         CASE WHEN s.ends_lots THEN (SELECT COALESCE(sum(b.expired), 0) FROM credit.breakage b
             WHERE b.account = p.account AND b.expires_at = s.ends_at AND b.lot = p.lot) ELSE 0 END
     FROM credit.schedule s
     CROSS JOIN LATERAL (SELECT max(o.period) AS period FROM credit.schedule_period o
         WHERE o.account = s.account AND o.schedule = s.schedule AND o.rolled = 0) AS last
     JOIN credit.schedule_period p ON p.account = s.account AND p.schedule = s.schedule AND p.period = last.period
         AND p.rolled = 0
     JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
     LEFT JOIN credit.schedule_seat c ON s.into_pool AND c.account = p.account AND c.schedule = p.schedule AND c.period = p.period
         AND c.lot = p.lot
     WHERE s.account = $1 AND s.plan_schedule IS NOT NULL AND s.ends_at IS NOT NULL",
    &[TEXTOID],
);

// A lot ends with its schedule, where that was declared.
static HELD: Statement = Statement::by_index(
    "SELECT p.schedule, p.member, p.period, p.rolled, p.original, p.lot,
         LEAST(l.expires_at, CASE WHEN c.ends_lots THEN c.ends_at END), l.closed, l.slots,
         (SELECT COALESCE(sum(s.remaining), 0) FROM credit.slot s WHERE s.account = p.account AND s.lot = p.lot), l.expires_at
     FROM credit.schedule_period p JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
     JOIN credit.schedule c ON c.account = p.account AND c.schedule = p.schedule
     WHERE p.account = $1 AND NOT p.settled ORDER BY p.lot",
    &[TEXTOID],
);

static HELD_OF_MEMBER: Statement = Statement::by_index(
    "SELECT s.on_leave, p.lot FROM credit.schedule s
     JOIN credit.schedule_period p ON p.account = s.account AND p.schedule = s.schedule AND p.member = $2
     JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
     WHERE s.account = $1 AND s.per_member AND s.on_leave <> 'keep' AND NOT l.closed AND COALESCE(l.expires_at, 'infinity') > $3
     ORDER BY p.lot",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static NEXT_ID: Statement = Statement::new("SELECT nextval('credit.schedule_id')", &[]);

static ADD_SCHEDULE: Insert = Insert::into("credit.schedule");

static END_SCHEDULE: Statement = Statement::new(
    "UPDATE credit.schedule SET ends_at = $3 WHERE account = $1 AND schedule = $2 AND (ends_at IS NULL OR ends_at > $4)",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

// The row of the period comes first: a period that was issued already brings nothing. The price of a part of a period is cut
// to nine decimals, so that the parts never add up to more. Where seats feed the pool, each lot of a period is a part of it.
static ISSUE: Statement = Statement::new(
    "WITH period AS (
         INSERT INTO credit.schedule_period (account, schedule, member, period, rolled, lot, original, settled, recorded_at, part)
         VALUES ($1, $3, $4, $5, 0, $2, $6, $10, $11, CASE WHEN $12 THEN (SELECT COALESCE(max(o.part) + 1, 0)
             FROM credit.schedule_period o WHERE o.account = $1 AND o.schedule = $3 AND o.member = $4 AND o.period = $5)
                 ELSE 0 END)
         ON CONFLICT DO NOTHING RETURNING schedule
     ), price AS (
         SELECT s.*, CASE WHEN $6 = s.amount THEN s.paid ELSE trim_scale(div(s.paid * $6 * 1000000000,
             s.amount) * 0.000000001) END AS part
         FROM period JOIN credit.schedule s ON s.account = $1 AND s.schedule = period.schedule
     ), lot AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             effective_at, expires_at, metadata, recorded_at, recorded_by, posted)
         SELECT account, $2, unit, NULLIF($4, ''), category, 'allocation', priority, $6, part, currency, trim_scale(part / $6),
             $7, $8, metadata, $11, session_user, true FROM price
         RETURNING account, member, metadata
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) SELECT account, $2, 0, $6 FROM lot
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, metadata, posted)
     SELECT lot.account, $13, 1, 'grant', $6, $2, lot.member,
         (SELECT m.department FROM credit.member m WHERE m.account = $1 AND m.member = lot.member), $9, $11, session_user,
         lot.metadata, true FROM lot",
    &[
        TEXTOID,
        INT8OID,
        INT8OID,
        TEXTOID,
        INT4OID,
        NUMERICOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        BOOLOID,
        TIMESTAMPTZOID,
        BOOLOID,
        INT8OID,
    ],
);

// The key makes a seat bring a period's part once.
static COUNT_SEATS: Statement = Statement::new(
    "INSERT INTO credit.schedule_seat (account, schedule, member, period, lot, amount, recorded_at)
     SELECT $1, $2, v.member, $3, $4, v.amount, $7 FROM unnest($5::text[], $6::numeric[]) AS v (member, amount)",
    &[TEXTOID, INT8OID, INT4OID, INT8OID, TEXTARRAYOID, NUMERICARRAYOID, TIMESTAMPTZOID],
);

// $2 the lot that ends, $3 the lot that goes on, $10 the part of the price that goes along. The basis is inherited exactly,
// unless credits without a price are among what rolls ($11).
static ROLL: Statement = Statement::new(
    "WITH ended AS (
         SELECT p.schedule, p.member AS line, p.period, p.part, p.rolled, p.original, l.*
         FROM credit.schedule_period p JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
         WHERE p.account = $1 AND p.lot = $2
     ), period AS (
         INSERT INTO credit.schedule_period (account, schedule, member, period, rolled, lot, original, settled, recorded_at, part)
         SELECT $1, schedule, line, period, rolled + 1, $3, original, false, $9, part FROM ended
     ), lot AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, parent, metadata, recorded_at, recorded_by, posted)
         SELECT $1, $3, unit, member, category, 'rollover', $7, $4, CASE WHEN $10 = paid THEN paid ELSE $10 END, currency,
             CASE WHEN $11 THEN trim_scale($10 / $4) ELSE cost_basis END,
             applies_to, $5, $6, lot, metadata, $9, session_user, true FROM ended
         RETURNING member
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES ($1, $3, 0, $4)
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, posted)
     SELECT $1, $12, v.line, v.kind, v.amount, v.lot, lot.member,
         (SELECT m.department FROM credit.member m WHERE m.account = $1 AND m.member = lot.member), $8, $9, session_user, true
     FROM lot, (VALUES (1, 'roll_out', - $4::numeric, $2::bigint), (2, 'roll_in', $4, $3)) AS v (line, kind, amount, lot)",
    &[
        TEXTOID,
        INT8OID,
        INT8OID,
        NUMERICOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        INT2OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        NUMERICOID,
        BOOLOID,
        INT8OID,
    ],
);

static SETTLE: Statement = Statement::by_index(
    "UPDATE credit.schedule_period SET settled = true WHERE account = $1 AND lot = $2 AND NOT settled",
    &[TEXTOID, INT8OID],
);

/// The terms that decide about a schedule's lots.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub id: i64,
    pub unit: String,
    pub category: String,
    pub priority: i16,
    pub per_member: bool,
    /// Whether the credits that seats bring are the pool's.
    pub into_pool: bool,
    pub recorded_at: DateTime<Utc>,
    /// The plan's schedule that it comes from.
    pub of_plan: Option<i64>,
    pub terms: Terms,
}

/// A line of a schedule: the pool (no member) or a member who has a seat.
#[derive(Clone, Debug)]
pub struct LineRow {
    pub schedule: i64,
    /// The member; empty for the pool.
    pub member: String,
    pub line: Line,
}

/// A lot whose end has not been settled.
#[derive(Clone, Debug)]
pub struct HeldRow {
    pub schedule: i64,
    /// The member; empty for the pool.
    pub member: String,
    pub held: Held,
    pub lot: i64,
    /// How many slots the lot has.
    pub slots: i16,
    pub closed: bool,
    /// When the lot itself expires; its schedule may end it before.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The last grant to a seat by a schedule of a plan that ended.
#[derive(Clone, Debug)]
pub struct IssuedLast {
    pub schedule: i64,
    /// Empty for the pool.
    pub member: String,
    pub period: i64,
    pub lot: i64,
    /// The credits that the seat got.
    pub granted: Amount,
    /// The credits that the whole lot was granted with.
    pub of_lot: Amount,
    pub effective_at: DateTime<Utc>,
    /// The part of the lot that lapsed when the plan was left.
    pub lapsed: Amount,
}

/// The last grants of the account's schedules of plans that ended.
pub fn issued_last(account: &str, snapshot: Snapshot) -> Vec<IssuedLast> {
    let issued = |row: Row<'_>| IssuedLast {
        schedule: row.get(1),
        member: row.get(2),
        period: row.get::<i32>(3).into(),
        lot: row.get(4),
        granted: row.get(5),
        of_lot: row.get(6),
        effective_at: row.get(7),
        lapsed: row.get(8),
    };
    ISSUED_LAST.execute(snapshot, &[&account]).iter().map(issued).collect()
}

/// The account's schedules, in the order they were made.
pub fn schedules(account: &str, snapshot: Snapshot) -> Vec<Schedule> {
    SCHEDULES.execute(snapshot, &[&account]).iter().map(schedule_of_row).collect()
}

fn schedule_of_row(row: Row<'_>) -> Schedule {
    let length = |text: &str| values::span(&values::interval_of_text(text));
    let rollover = row.optional::<String>(17);
    let proration: String = row.get(16);
    let rounding: String = row.get(19);
    let expires: String = row.get(12);
    let validity = match expires.as_str() {
        "period_end" => Validity::PeriodEnd,
        "periods" => Validity::Periods(row.get(13)),
        "after" => Validity::After(values::span(&row.get::<Interval>(14))),
        "at" => Validity::Until(row.get(15)),
        _ => Validity::Never,
    };
    Schedule {
        id: row.get(1),
        unit: row.get(2),
        category: row.get(3),
        priority: row.get(4),
        per_member: row.get(20),
        into_pool: row.get(23),
        recorded_at: row.get(5),
        of_plan: row.optional(21),
        terms: Terms {
            ends_lots: row.get(22),
            cycle: Cycle { anchor: row.get(6), every: values::span(&row.get::<Interval>(7)) },
            amount: row.get(8),
            starts_at: row.get(9),
            ends_at: row.optional(10),
            periods: row.optional(11),
            validity,
            proration: Proration {
                first: matches!(proration.as_str(), "first" | "both"),
                last: matches!(proration.as_str(), "last" | "both"),
            },
            rollover: rollover.map(|json| Rollover::parse(&json, length).expect("a policy that was checked when it was written")),
            precision: Precision {
                decimals: row.get::<i32>(18) as u32,
                rounding: rounding.parse().expect("a rounding of the table"),
            },
        },
    }
}

/// The lines that get something, with the last period of each.
pub fn lines(account: &str, snapshot: Snapshot) -> Vec<LineRow> {
    let line = |row: Row<'_>| LineRow {
        schedule: row.get(1),
        member: row.get(2),
        line: Line { since: Some(row.get(3)), issued: row.optional::<i32>(4).map(i64::from) },
    };
    LINES.execute(snapshot, &[&account]).iter().map(line).collect()
}

/// The lots whose end has not been settled, by their id.
pub fn held(account: &str, snapshot: Snapshot) -> Vec<HeldRow> {
    let held = |row: Row<'_>| HeldRow {
        schedule: row.get(1),
        member: row.get(2),
        held: Held {
            id: LotId::Known(row.get(6)),
            period: row.get::<i32>(3).into(),
            rolled: row.get::<i16>(4).into(),
            original: row.get(5),
            remaining: row.get(10),
            expires_at: row.optional(7),
        },
        lot: row.get(6),
        slots: row.get(9),
        closed: row.get(8),
        expires_at: row.optional(11),
    };
    HELD.execute(snapshot, &[&account]).iter().map(held).collect()
}

/// The open lots that schedules gave a member, with what becomes of them when the member leaves.
pub fn lots_of_leaver(account: &str, member: &str, now: DateTime<Utc>) -> Vec<(String, i64)> {
    HELD_OF_MEMBER.run(&[&account, &member, &now]).iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// A schedule to be written.
pub struct NewSchedule<'a> {
    pub account: &'a str,
    pub unit: String,
    pub amount: Amount,
    pub every: Interval,
    pub anchor: DateTime<Utc>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub periods: Option<i32>,
    /// As the column says it: never, period_end, periods, after or at.
    pub expires: &'a str,
    pub expires_periods: Option<i32>,
    pub expires_after: Option<Interval>,
    pub expires_at: Option<DateTime<Utc>>,
    pub proration: &'a str,
    pub per_member: bool,
    pub into_pool: bool,
    pub on_leave: &'a str,
    pub rollover: Option<&'a str>,
    pub category: String,
    pub paid: Option<Amount>,
    pub currency: Option<String>,
    pub priority: i16,
    pub true_up: Option<Interval>,
    pub metadata: Option<&'a str>,
}

/// A schedule id nobody else has.
pub fn next_id() -> i64 {
    NEXT_ID.run(&[]).first().expect("one row").get(1)
}

/// Writes a schedule.
pub fn add(id: i64, new: &NewSchedule<'_>, now: DateTime<Utc>) {
    let user = heap::session_user();
    let own: [Column<'_>; 6] = [
        ("account", TEXTOID, &new.account),
        ("schedule", INT8OID, &id),
        ("anchor", TIMESTAMPTZOID, &new.anchor),
        ("on_leave", TEXTOID, &new.on_leave),
        ("recorded_at", TIMESTAMPTZOID, &now),
        ("recorded_by", TEXTOID, &user),
    ];
    let (rollover, metadata) = (Json(new.rollover), Json(new.metadata));
    ADD_SCHEDULE.row(&[&own[..], &terms(new, &rollover, &metadata)].concat());
}

/// The parameters that a schedule and one of a plan have in common.
pub(in crate::store) fn terms<'a>(new: &'a NewSchedule<'_>, rollover: &'a Json<'_>, metadata: &'a Json<'_>) -> [Column<'a>; 20] {
    [
        ("unit", TEXTOID, &new.unit),
        ("amount", NUMERICOID, &new.amount),
        ("every", INTERVALOID, &new.every),
        ("starts_at", TIMESTAMPTZOID, &new.starts_at),
        ("ends_at", TIMESTAMPTZOID, &new.ends_at),
        ("periods", INT4OID, &new.periods),
        ("expires", TEXTOID, &new.expires),
        ("expires_at", TIMESTAMPTZOID, &new.expires_at),
        ("expires_after", INTERVALOID, &new.expires_after),
        ("expires_periods", INT4OID, &new.expires_periods),
        ("proration", TEXTOID, &new.proration),
        ("per_member", BOOLOID, &new.per_member),
        ("into_pool", BOOLOID, &new.into_pool),
        ("rollover", JSONBOID, rollover),
        ("category", TEXTOID, &new.category),
        ("paid", NUMERICOID, &new.paid),
        ("currency", TEXTOID, &new.currency),
        ("priority", INT2OID, &new.priority),
        ("true_up", INTERVALOID, &new.true_up),
        ("metadata", JSONBOID, metadata),
    ]
}

/// Sets the end of a schedule that has not ended; whether it did.
pub fn end(account: &str, schedule: i64, ends_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    END_SCHEDULE.run(&[&account, &schedule, &ends_at, &now]).count() == 1
}

/// Writes the lot of a period, or a part of it that `seats` bring, unless it was issued before; whether it was written. `due_at`
/// is when it was due.
#[allow(clippy::too_many_arguments)]
pub fn issue(
    account: &str,
    line: (i64, &str),
    lot: i64,
    planned: &Planned,
    seats: Option<&[(&str, Amount)]>,
    settled: bool,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    let (schedule, member) = line;
    let period = i32::try_from(planned.period).expect("a period near the present");
    let Planned { granted, effective_at, expires_at, .. } = planned;
    if let Some(seats) = seats {
        let (members, amounts): (Vec<&str>, Vec<Amount>) = seats.iter().copied().unzip();
        COUNT_SEATS.run(&[&account, &schedule, &period, &lot, &members, &amounts.as_slice(), &now]);
    }
    let is_part = seats.is_some();
    let issued = ISSUE.run(&[
        &account,
        &lot,
        &schedule,
        &member,
        &period,
        granted,
        effective_at,
        expires_at,
        &due_at,
        &settled,
        &now,
        &is_part,
        &entries::next_posting(),
    ]);
    issued.count() == 1
}

/// Writes the lot that part of another rolls to.
pub fn roll(account: &str, rolled: HandedOn, planned: &Planned, priority: i16, due_at: DateTime<Utc>, now: DateTime<Utc>) {
    let HandedOn { from, to, amount, paid, is_diluted } = rolled;
    let Planned { effective_at, expires_at, .. } = planned;
    let posting = entries::next_posting();
    let written = ROLL.run(&[
        &account,
        &from,
        &to,
        &amount,
        effective_at,
        expires_at,
        &priority,
        &due_at,
        &now,
        &paid,
        &is_diluted,
        &posting,
    ]);
    assert_eq!(written.count(), 2, "the two entries of a rollover from lot {from}");
}

/// Says that the end of a lot has been settled.
pub fn settle(account: &str, lot: i64) {
    SETTLE.run(&[&account, &lot]);
}
