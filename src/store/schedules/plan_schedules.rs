//! The table `credit.plan_schedule`, and the schedules that accounts have because of the plan they are on.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, BYTEAOID, INT4OID, INT8OID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::calendar::Cycle;
use crate::server::heap;
use crate::store::insert::{Column, Insert, Json};
use crate::store::schedules::{NewSchedule, terms};
use crate::store::statement::{Rows, Snapshot, Statement};
use crate::values;

/// The schedules that the subscriptions of the accounts $1 come to at $2: how long each stays on a plan, and which schedules that
/// brings. Versions of a subscription that follow each other on one plan are one stay. Periods are those of the subscription,
/// where the plan declares none; an account that comes to a plan within one gets its days' part.
macro_rules! wanted {
    () => {
        "version AS (
             SELECT s.account, s.unit, s.plan, s.subscription, s.effective_at, s.ended_at, s.left_at,
                 CASE WHEN s.phase = 0 THEN s.anchor ELSE credit.add_interval(s.anchor, make_interval(months => s.phase),
                     a.time_zone) END AS anchor,
                 COALESCE(lag(s.plan) OVER one_by_one = s.plan AND lag(s.ended_at) OVER one_by_one = s.effective_at,
                     false) AS goes_on
             FROM credit.subscription s JOIN credit.account a ON a.account = s.account
             WHERE s.account = ANY ($1) AND s.ended_at IS DISTINCT FROM s.effective_at
             WINDOW one_by_one AS (PARTITION BY s.account, s.unit ORDER BY s.effective_at, s.subscription)
         ), stay AS (
             SELECT v.account, v.plan, min(v.effective_at) AS since,
                 (array_agg(v.anchor ORDER BY v.effective_at, v.subscription))[1] AS anchor,
                 max(COALESCE(v.ended_at, 'infinity')) AS ended,
                 -- One that was cancelled after its end went on until then.
                 NULLIF(max(COALESCE(GREATEST(v.ended_at, v.left_at), 'infinity')), 'infinity') AS until
             FROM (SELECT v.*, count(*) FILTER (WHERE NOT v.goes_on)
                       OVER (PARTITION BY v.account, v.unit ORDER BY v.effective_at, v.subscription) AS number FROM version v) v
             GROUP BY v.account, v.unit, v.plan, v.number
         ), wanted AS (
             SELECT t.account, p.schedule, GREATEST(t.since, p.starts_at) AS since, COALESCE(p.anchor, t.anchor) AS anchor,
                 LEAST(t.until, p.ends_at) AS ends_at, t.since >= p.starts_at AS comes
             FROM stay t JOIN credit.plan_schedule p ON p.plan = t.plan
             WHERE COALESCE(LEAST(t.until, p.ends_at), 'infinity') > GREATEST($2, t.since, p.starts_at) AND t.ended > p.starts_at
         )"
    };
}

/// Makes schedules `w` of accounts from those of their plans.
macro_rules! insert_from {
    ($wanted:literal) => {
        concat!(
            "INSERT INTO credit.schedule (account, schedule, anchor, starts_at, ends_at, expires_at, recorded_at, every,
                expires_after,
                 periods, expires_periods, priority, per_member, unit, amount, category, paid, currency, expires, proration,
                     on_leave,
                 true_up, recorded_by, rollover, metadata, plan_schedule, plan_since, ends_lots, into_pool)
             SELECT w.account, nextval('credit.schedule_id'), w.anchor, w.starts_at, w.ends_at, p.expires_at, w.recorded_at,
                 p.every,
                 p.expires_after, w.periods, p.expires_periods, p.priority, p.per_member, p.unit, p.amount, p.category, p.paid,
                 p.currency, p.expires, CASE WHEN NOT w.comes THEN p.proration WHEN p.proration IN ('none', 'first') THEN 'first'
                     ELSE 'both' END,
                 COALESCE(p.on_leave, 'expire'), p.true_up, session_user, p.rollover, p.metadata,
                 p.schedule, w.since, COALESCE(p.on_leave = 'expire', false), p.into_pool
             FROM ",
            $wanted,
            " w JOIN credit.plan_schedule p ON p.schedule = w.schedule
             WHERE NOT EXISTS (SELECT FROM credit.schedule s
                 WHERE s.account = w.account AND s.plan_schedule = w.schedule AND s.plan_since = w.since)"
        )
    };
}

static ADD: Insert = Insert::into("credit.plan_schedule");

static OF_KEY: Statement =
    Statement::new("SELECT schedule, fingerprint FROM credit.plan_schedule WHERE plan = $1 AND key = $2", &[TEXTOID, TEXTOID]);

static EXISTS: Statement =
    Statement::new("SELECT true FROM credit.plan_schedule WHERE plan = $1 AND schedule = $2", &[TEXTOID, INT8OID]);

static END: Statement = Statement::new(
    "UPDATE credit.plan_schedule SET ends_at = GREATEST($3, starts_at)
     WHERE plan = $1 AND schedule = $2 AND (ends_at IS NULL OR ends_at > $4)",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static SUBSCRIBERS: Statement = Statement::new(
    "SELECT DISTINCT account FROM credit.subscription
     WHERE plan = $1 AND (ended_at IS NULL OR ended_at > $2) AND ended_at IS DISTINCT FROM effective_at ORDER BY account",
    &[TEXTOID, TIMESTAMPTZOID],
);

static GIVES_TO_SEATS: Statement =
    Statement::new("SELECT EXISTS (SELECT FROM credit.plan_schedule WHERE plan = $1 AND per_member)", &[TEXTOID]);

// A stay that goes on longer than it seemed takes its end back; one that is not wanted any more ends now, or where it was to
// begin.
static ADJUST: Statement = Statement::new(
    concat!(
        "WITH ",
        wanted!(),
        " UPDATE credit.schedule s SET ends_at = v.ends_at
         FROM (SELECT o.account, o.schedule, CASE WHEN w.account IS NULL THEN GREATEST($2, o.starts_at)
                 WHEN w.ends_at IS NOT NULL THEN GREATEST(w.ends_at, o.starts_at) END AS ends_at
             FROM credit.schedule o LEFT JOIN wanted w ON w.account = o.account AND w.schedule = o.plan_schedule
                 AND w.since = o.plan_since
             WHERE o.account = ANY ($1) AND o.plan_schedule IS NOT NULL
                 AND CASE WHEN w.account IS NULL THEN COALESCE(o.ends_at, 'infinity') > $2 AND o.ends_at IS DISTINCT
                     FROM o.starts_at
                     ELSE COALESCE(o.ends_at, 'infinity') >= $2 END) AS v
         WHERE s.account = v.account AND s.schedule = v.schedule AND s.ends_at IS DISTINCT FROM v.ends_at"
    ),
    &[TEXTARRAYOID, TIMESTAMPTZOID],
);

// The schedules that an account had of a plan before it left it. A schedule that ended where it began brought nothing.
static MISSING: Statement = Statement::new(
    concat!(
        "WITH ",
        wanted!(),
        " SELECT w.schedule, w.since, w.anchor, w.ends_at, p.every, before.anchor, before.ends_at, before.starts_at,
            before.periods, p.periods,
             w.comes
         FROM wanted w JOIN credit.plan_schedule p ON p.schedule = w.schedule
         LEFT JOIN LATERAL (SELECT s.anchor, s.ends_at, s.starts_at, s.periods FROM credit.schedule s
             WHERE s.account = w.account AND s.plan_schedule = w.schedule AND s.plan_since < w.since AND s.ends_at > s.starts_at
             ORDER BY s.plan_since DESC LIMIT 1) before ON true
         WHERE NOT EXISTS (SELECT FROM credit.schedule s
             WHERE s.account = w.account AND s.plan_schedule = w.schedule AND s.plan_since = w.since)
         ORDER BY w.schedule"
    ),
    &[TEXTARRAYOID, TIMESTAMPTZOID],
);

// A transaction that comes to the plan with an older snapshot cannot see what it grants: this has it repeated.
static TOUCH_PLAN: Statement = Statement::new("UPDATE credit.plan SET currency = currency WHERE plan = $1", &[TEXTOID]);

static ADD_ONE: Statement = Statement::new(
    insert_from!(
        "(SELECT $1 AS account, $2 AS schedule, $3 AS since, $4 AS anchor, $3 AS starts_at, $5 AS ends_at, $6 AS recorded_at,
             $7 AS periods, $8 AS comes)"
    ),
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID, BOOLOID],
);

static ADD_ALL: Statement = Statement::new(
    concat!(
        "WITH ",
        wanted!(),
        " ",
        insert_from!(
            "(SELECT w.*, w.since AS starts_at, $2 AS recorded_at, q.periods FROM wanted w
             JOIN credit.plan_schedule q ON q.schedule = w.schedule WHERE w.schedule = $3)"
        )
    ),
    &[TEXTARRAYOID, TIMESTAMPTZOID, INT8OID],
);

// Also where they are due already: a transaction with an older snapshot is to be repeated.
static MAKE_DUE: Statement = Statement::new(
    "UPDATE credit.account SET refresh_at = LEAST(refresh_at, $2) WHERE account = ANY ($1)",
    &[TEXTARRAYOID, TIMESTAMPTZOID],
);

// For the proof: one invariant in the shape of all others. An end that was put off beyond when a schedule starts is none.
static NOT_AS_WANTED: Statement = Statement::new(
    concat!(
        "WITH ",
        wanted!(),
        " SELECT 'an account has the schedules of its plan', COALESCE(w.account, o.account), NULL::bigint,
             COALESCE('schedule ' || w.schedule || ' until ' || COALESCE(w.ends_at::text, 'it leaves'), 'none'),
             COALESCE('schedule ' || o.plan_schedule || ' until ' || COALESCE(o.ends_at::text, 'it leaves'), 'none')
         FROM (SELECT s.* FROM credit.schedule s WHERE s.plan_schedule IS NOT NULL AND s.account = ANY ($1)
             AND COALESCE(s.ends_at, 'infinity') > $2 AND s.ends_at IS DISTINCT FROM s.starts_at) o
         FULL JOIN wanted w ON w.account = o.account AND w.schedule = o.plan_schedule AND w.since = o.plan_since
         WHERE o.account IS NULL AND NOT EXISTS (SELECT FROM credit.schedule s
                 WHERE s.account = w.account AND s.plan_schedule = w.schedule AND s.plan_since = w.since
                     AND s.ends_at = s.starts_at)
             OR w.account IS NULL OR w.ends_at IS DISTINCT FROM o.ends_at"
    ),
    &[TEXTARRAYOID, TIMESTAMPTZOID],
);

static ALL_ACCOUNTS: Statement = Statement::new(
    "SELECT account FROM credit.subscription UNION SELECT account FROM credit.schedule WHERE plan_schedule IS NOT NULL",
    &[],
);

/// The terms of a schedule that a plan is to grant, beside those that every schedule has.
#[derive(Clone, Copy)]
pub struct OfPlan<'a> {
    pub plan: &'a str,
    /// When each account came to the plan, where there is none.
    pub anchor: Option<DateTime<Utc>>,
    pub on_leave: Option<&'a str>,
    pub key: Option<(&'a str, [u8; 32])>,
}

/// Writes a plan's schedule.
pub fn add(id: i64, of: OfPlan<'_>, new: &NewSchedule<'_>, now: DateTime<Utc>) {
    let user = heap::session_user();
    let key = of.key.map(|(key, _)| key);
    let fingerprint = of.key.as_ref().map(|(_, fingerprint)| fingerprint.as_slice());
    let own: [Column<'_>; 8] = [
        ("plan", TEXTOID, &of.plan),
        ("schedule", INT8OID, &id),
        ("anchor", TIMESTAMPTZOID, &of.anchor),
        ("on_leave", TEXTOID, &of.on_leave),
        ("recorded_at", TIMESTAMPTZOID, &now),
        ("recorded_by", TEXTOID, &user),
        ("key", TEXTOID, &key),
        ("fingerprint", BYTEAOID, &fingerprint),
    ];
    let (rollover, metadata) = (Json(new.rollover), Json(new.metadata));
    ADD.row(&[&own[..], &terms(new, &rollover, &metadata)].concat());
}

/// The schedule that was declared under a key, with its fingerprint.
pub fn of_key(plan: &str, key: &str) -> Option<(i64, Vec<u8>)> {
    OF_KEY.run(&[&plan, &key]).first().map(|row| (row.get(1), row.get(2)))
}

/// Whether the plan has a schedule of this id.
pub fn exists(plan: &str, schedule: i64) -> bool {
    EXISTS.run(&[&plan, &schedule]).count() == 1
}

/// Sets the end of a plan's schedule that has not ended; whether it did.
pub fn end(plan: &str, schedule: i64, ends_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    END.run(&[&plan, &schedule, &ends_at, &now]).count() == 1
}

/// The accounts that are on a plan, or will be; in the order of their names.
pub fn subscribers(plan: &str, now: DateTime<Utc>, snapshot: Snapshot) -> Vec<String> {
    SUBSCRIBERS.execute(snapshot, &[&plan, &now]).iter().map(|row| row.get(1)).collect()
}

/// Whether the plan gives something to the seats of the accounts on it.
pub fn gives_to_seats(plan: &str) -> bool {
    GIVES_TO_SEATS.run(&[&plan]).first().expect("one row").get(1)
}

/// Moves the ends of the accounts' schedules to where they leave their plans; whether any moved.
pub fn adjust(accounts: &[String], now: DateTime<Utc>) -> i64 {
    ADJUST.run(&[&accounts.to_vec(), &now]).count() as i64
}

/// A schedule of a plan that an account is to have.
pub struct Missing {
    pub schedule: i64,
    pub since: DateTime<Utc>,
    pub anchor: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    /// As many as the plan grants.
    pub periods: Option<i32>,
    /// It comes to the plan then; otherwise the plan begins to grant it then.
    pub comes: bool,
    /// The schedule that it had before it left the plan.
    pub before: Option<Before>,
}

/// A schedule of a plan that an account had, and when it left the plan.
#[derive(Clone, Copy)]
pub struct Before {
    pub cycle: Cycle,
    pub starts_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub periods: Option<i32>,
}

/// The anchor that the periods of an account's schedule of a plan are counted from, and how many periods there are.
#[derive(Clone, Copy)]
pub struct Beginning {
    pub anchor: DateTime<Utc>,
    pub periods: Option<i32>,
}

/// The schedules of its plans that an account does not have yet.
pub fn missing(account: &str, now: DateTime<Utc>) -> Vec<Missing> {
    let rows = MISSING.run(&[&vec![account], &now]);
    rows.iter()
        .map(|row| {
            let every = values::span(&row.get(5));
            let before = row.optional(6).zip(row.optional(7)).map(|(anchor, ended_at)| Before {
                cycle: Cycle { anchor, every },
                ended_at,
                starts_at: row.get(8),
                periods: row.optional(9),
            });
            Missing {
                schedule: row.get(1),
                since: row.get(2),
                anchor: row.get(3),
                ends_at: row.optional(4),
                periods: row.optional(10),
                comes: row.get(11),
                before,
            }
        })
        .collect()
}

/// Gives an account a schedule of its plan.
pub fn add_one(account: &str, missing: &Missing, beginning: Beginning, now: DateTime<Utc>) {
    let Beginning { anchor, periods } = beginning;
    ADD_ONE.run(&[&account, &missing.schedule, &missing.since, &anchor, &missing.ends_at, &now, &periods, &missing.comes]);
}

/// Gives accounts that are on its plan a schedule; how many.
pub fn add_all(accounts: &[String], schedule: i64, now: DateTime<Utc>) -> i64 {
    ADD_ALL.run(&[&accounts.to_vec(), &now, &schedule]).count() as i64
}

/// Says to older snapshots that something of the plan changed.
pub fn touch_plan(plan: &str) {
    TOUCH_PLAN.run(&[&plan]);
}

/// Has the accounts looked at when they are touched next.
pub fn make_due(accounts: &[String], now: DateTime<Utc>) {
    MAKE_DUE.run(&[&accounts.to_vec(), &now]);
}

/// Where an account's schedules are not what its plans grant; of one account or of all, as the calling query sees them.
pub fn not_as_wanted(account: Option<&str>, now: DateTime<Utc>) -> Rows {
    let accounts = match account {
        Some(account) => vec![account.to_owned()],
        None => ALL_ACCOUNTS.read(&[]).iter().map(|row| row.get(1)).collect(),
    };
    NOT_AS_WANTED.read(&[&accounts, &now])
}
