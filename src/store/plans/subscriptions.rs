//! The table `credit.subscription`: which plan an account is on, from when until when, and its periods.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT4OID, INT8OID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::plans::subscription::{BillingPeriod, Segment};
use crate::store::statement::{Row, Snapshot, Statement};

static IN_FORCE: Statement = Statement::new(
    "SELECT subscription, origin, anchor, phase, plan, quantity, price, currency, billing_period, committed_until,
         ended_at IS NOT NULL, effective_at
     FROM credit.subscription WHERE account = $1 AND unit = $2 AND effective_at <= $3 AND (ended_at IS NULL OR ended_at > $3)",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static LAST_WRITTEN: Statement = Statement::new(
    "SELECT GREATEST((SELECT max(recorded_at) FROM credit.subscription WHERE account = $1),
         (SELECT max(recorded_at) FROM credit.plan_change WHERE account = $1))",
    &[TEXTOID],
);

// The end of the last period that was bought, by a renewal or by a change within it, which may have come to nothing.
static BOUGHT_UNTIL: Statement = Statement::new(
    "SELECT max(bought.period_end) FROM (
         SELECT period_end FROM credit.subscription_purchase WHERE account = $1 AND origin = $2
         UNION ALL
         SELECT c.period_end FROM credit.plan_change c JOIN credit.subscription s ON s.account = c.account
             AND s.subscription = c.subscription
         WHERE c.account = $1 AND s.origin = $2 AND c.effective_at <= c.recorded_at) AS bought",
    &[TEXTOID, INT8OID],
);

static NEXT_ID: Statement = Statement::new("SELECT nextval('credit.subscription_id')", &[]);

static END: Statement = Statement::by_index(
    "UPDATE credit.subscription SET ended_at = $3, end_reason = COALESCE($4, end_reason), left_at = CASE WHEN $5 > $3 THEN $5 END
     WHERE account = $1 AND subscription = $2 AND ended_at IS DISTINCT FROM $3",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID],
);

// A version that was announced and does not come has ended when it was to begin.
static DROP_ANNOUNCED: Statement = Statement::new(
    "UPDATE credit.subscription SET ended_at = effective_at
     WHERE account = $1 AND unit = $2 AND effective_at > $3 AND ended_at IS DISTINCT FROM effective_at",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

// Nothing conflicts but what a REPEATABLE READ transaction cannot see: it gets 40001.
static ADD: Statement = Statement::new(
    "INSERT INTO credit.subscription (account, subscription, origin, predecessor, effective_at, agreed_at, anchor, phase,
        committed_until,
         recorded_at, agreement, tier_version, unit, plan, tier, billing_period, quantity, price, currency, list_price, discount,
         unit_price, expiry, recorded_by, override_reason, metadata)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, p.unit, p.plan, (SELECT tier FROM credit.tier WHERE version = $12),
         $14, $15,
         round($16, $17), p.currency, $18, $19, $20,
         COALESCE((SELECT expiry FROM credit.agreement WHERE account = $1 AND agreement = $11),
             (SELECT expiry FROM credit.tier WHERE version = $12), p.expiry), session_user, $21, $22::jsonb
     FROM credit.plan p WHERE p.plan = $13
     ON CONFLICT DO NOTHING",
    &[
        TEXTOID,
        INT8OID,
        INT8OID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        INT4OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        INT8OID,
        INT8OID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        INT4OID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        TEXTOID,
        TEXTOID,
    ],
);

// The terms of the tier or the agreement besides a price. The years of an agreed commitment count from when the agreement begins.
static TERMS: Statement = Statement::new(
    "SELECT t.billing_period, CASE
             WHEN g.committed_quantity IS NULL AND g.committed_money IS NULL THEN credit.add_interval($4, t.commitment,
                 a.time_zone)
             ELSE credit.add_interval(g.effective_at,
                 make_interval(years => cardinality(COALESCE(g.committed_quantity, g.committed_money))), a.time_zone) END
     FROM credit.account a
     LEFT JOIN credit.agreement g ON g.account = a.account AND g.agreement = $2
     LEFT JOIN credit.tier t ON t.version = $3
     WHERE a.account = $1",
    &[TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID],
);

/// How many months lie between two instants of an account's calendar, but for a part of a month. There is no year 0.
macro_rules! months_between {
    ($anchor:literal, $at:literal) => {
        concat!(
            "(SELECT ((EXTRACT(year FROM local.at) - EXTRACT(year FROM local.anchor)
                 - (sign(EXTRACT(year FROM local.at)) - sign(EXTRACT(year FROM local.anchor))) / 2) * 12
                 + EXTRACT(month FROM local.at) - EXTRACT(month FROM local.anchor))::integer AS months
             FROM (SELECT ",
            $anchor,
            " AT TIME ZONE a.time_zone AS anchor, ",
            $at,
            " AT TIME ZONE a.time_zone AS at) AS local)"
        )
    };
}
pub(super) use months_between;

// Every period is counted from the anchor: the one on the 31st of January is followed by the 28th of February and the 31st of
// March. The months between the two give its number, but for a part of a month.
static PERIOD: Statement = Statement::new(
    concat!(
        "SELECT period.starts_at, period.ends_at,
             (period.ends_at AT TIME ZONE a.time_zone)::date - (period.starts_at AT TIME ZONE a.time_zone)::date,
             (period.ends_at AT TIME ZONE a.time_zone)::date - ($5 AT TIME ZONE a.time_zone)::date
         FROM credit.account a
         CROSS JOIN LATERAL (SELECT floor((months - $3)::numeric / $4)::integer AS near FROM ",
        months_between!("$2", "$5"),
        " AS between_them) AS guess
         CROSS JOIN LATERAL generate_series(guess.near - 1, guess.near + 1) AS number
         CROSS JOIN LATERAL (SELECT credit.add_interval($2, make_interval(months => $3 + number * $4), a.time_zone) AS starts_at,
             credit.add_interval($2, make_interval(months => $3 + (number + 1) * $4), a.time_zone) AS ends_at) AS period
         WHERE a.account = $1 AND period.starts_at <= $5 AND period.ends_at > $5"
    ),
    &[TEXTOID, TIMESTAMPTZOID, INT4OID, INT4OID, TIMESTAMPTZOID],
);

// How many months the end of a period is away from the anchor.
static PHASE_AT: Statement = Statement::new(
    concat!(
        "SELECT months FROM credit.account a CROSS JOIN LATERAL ",
        months_between!("$4", "$5"),
        " AS guess (near) CROSS JOIN LATERAL generate_series(near - 1, near + 1) AS months
         WHERE a.account = $1 AND (months - $2) % $3 = 0
             AND credit.add_interval($4, make_interval(months => months), a.time_zone) = $5 LIMIT 1"
    ),
    &[TEXTOID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

// The periods that end after an instant and begin before another.
static PERIODS_BETWEEN: Statement = Statement::new(
    concat!(
        "SELECT count(*) FROM credit.account a
         CROSS JOIN LATERAL (SELECT floor((months - $3)::numeric / $4)::integer AS near FROM ",
        months_between!("$2", "$5"),
        " AS until_then) AS first
         CROSS JOIN LATERAL (SELECT ceil((months - $3)::numeric / $4)::integer AS near FROM ",
        months_between!("$2", "$6"),
        " AS until_end) AS last
         CROSS JOIN LATERAL generate_series(first.near - 1, last.near + 1) AS number
         WHERE a.account = $1 AND credit.add_interval($2, make_interval(months => $3 + (number + 1) * $4), a.time_zone) > $5
             AND credit.add_interval($2, make_interval(months => $3 + number * $4), a.time_zone) < $6"
    ),
    &[TEXTOID, TIMESTAMPTZOID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

// The plans that a period saw, each with the days that were left when it began.
static SEGMENTS: Statement = Statement::new(
    "SELECT LEAST($5, GREATEST(0, ($4 AT TIME ZONE a.time_zone)::date - (GREATEST(s.effective_at,
        $3) AT TIME ZONE a.time_zone)::date)),
         s.quantity, s.price
     FROM credit.subscription s JOIN credit.account a ON a.account = s.account
     WHERE s.account = $1 AND s.origin = $2 AND s.effective_at < $4 AND (s.ended_at IS NULL OR s.ended_at > $3)
         AND s.ended_at IS DISTINCT FROM s.effective_at
     ORDER BY s.effective_at, s.subscription",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID],
);

/// A subscription in force.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub subscription: i64,
    /// The first of those that share their periods.
    pub origin: i64,
    pub effective_at: DateTime<Utc>,
    pub cycle: Cycle,
    pub plan: String,
    /// How many credits a whole period grants.
    pub quantity: Amount,
    /// The price of a whole period.
    pub price: Amount,
    pub currency: String,
    pub committed_until: Option<DateTime<Utc>>,
    /// It was cancelled, or another one is announced.
    pub is_ending: bool,
}

/// How the periods of a subscription follow each other: each begins `phase` months and any number of billing periods after
/// `anchor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The instant from which the periods are counted, on the account's calendar.
    pub anchor: DateTime<Utc>,
    /// How many months after the anchor a period begins.
    pub phase: i32,
    pub billing_period: BillingPeriod,
}

/// The subscription of an account in a unit at an instant.
pub fn in_force(account: &str, unit: &str, at: DateTime<Utc>) -> Option<Subscription> {
    IN_FORCE.execute(Snapshot::Fresh, &[&account, &unit, &at]).first().map(subscription_of_row)
}

fn subscription_of_row(row: Row<'_>) -> Subscription {
    let billing_period: String = row.get(9);
    Subscription {
        subscription: row.get(1),
        origin: row.get(2),
        cycle: Cycle {
            anchor: row.get(3),
            phase: row.get(4),
            billing_period: billing_period.parse().expect("a period that the table allows"),
        },
        plan: row.get(5),
        quantity: row.get(6),
        price: row.get(7),
        currency: row.get(8),
        committed_until: row.optional(10),
        is_ending: row.get(11),
        effective_at: row.get(12),
    }
}

/// When a subscription or a change of plan of an account was written last.
pub fn last_written(account: &str) -> Option<DateTime<Utc>> {
    LAST_WRITTEN.run(&[&account]).first().and_then(|row| row.optional(1))
}

/// When the last period ends that was bought of the subscriptions that share their periods; `None` when none was.
pub fn bought_until(account: &str, origin: i64) -> Option<DateTime<Utc>> {
    BOUGHT_UNTIL.run(&[&account, &origin]).first().and_then(|row| row.optional(1))
}

/// The id of a subscription nobody else has.
pub fn next_id() -> i64 {
    NEXT_ID.run(&[]).first().expect("one row").get(1)
}

/// Ends a subscription, or moves its end as long as that has not come. An end in the past notes when that was.
pub fn end(account: &str, subscription: i64, at: DateTime<Utc>, reason: Option<&str>, now: DateTime<Utc>) {
    END.run(&[&account, &subscription, &at, &reason, &now]);
}

/// Drops what is announced for after an instant; whether there was anything.
pub fn drop_announced(account: &str, unit: &str, after: DateTime<Utc>) -> bool {
    DROP_ANNOUNCED.run(&[&account, &unit, &after]).count() > 0
}

/// A subscription to be written.
pub struct NewSubscription<'a> {
    pub account: &'a str,
    pub subscription: i64,
    /// The first of the subscriptions that share their periods.
    pub origin: i64,
    /// The subscription before; `None` for the first.
    pub predecessor: Option<i64>,
    pub effective_at: DateTime<Utc>,
    /// The instant as of which list price and tiers of the plan counted.
    pub agreed_at: DateTime<Utc>,
    pub cycle: Cycle,
    pub committed_until: Option<DateTime<Utc>>,
    pub agreement: Option<i64>,
    pub tier_version: Option<i64>,
    pub plan: &'a str,
    pub quantity: Amount,
    pub price: Amount,
    pub currency_decimals: i32,
    pub list_price: Decimal,
    pub discount: Option<Decimal>,
    pub unit_price: Option<Decimal>,
    pub override_reason: Option<&'a str>,
    pub metadata: Option<&'a str>,
}

/// Writes a version of a subscription.
pub fn add(new: &NewSubscription<'_>, now: DateTime<Utc>) {
    let written = ADD.run(&[
        &new.account,
        &new.subscription,
        &new.origin,
        &new.predecessor,
        &new.effective_at,
        &new.agreed_at,
        &new.cycle.anchor,
        &new.cycle.phase,
        &new.committed_until,
        &now,
        &new.agreement,
        &new.tier_version,
        &new.plan,
        &new.cycle.billing_period.to_string(),
        &new.quantity,
        &new.price,
        &new.currency_decimals,
        &new.list_price,
        &new.discount,
        &new.unit_price,
        &new.override_reason,
        &new.metadata,
    ]);
    assert_eq!(written.count(), 1, "subscription {} to write", new.subscription);
}

/// The terms of a tier or an agreement besides its price.
pub struct Terms {
    pub billing_period: Option<BillingPeriod>,
    pub committed_until: Option<DateTime<Utc>>,
}

/// The terms of an agreement or of a version of a tier, for a subscription that begins at an instant.
pub fn terms(account: &str, agreement: Option<i64>, tier_version: Option<i64>, effective_at: DateTime<Utc>) -> Terms {
    let rows = TERMS.run(&[&account, &agreement, &tier_version, &effective_at]);
    let row = rows.first().expect("an existing account");
    Terms {
        billing_period: row.optional::<String>(1).map(|period| period.parse().expect("a period that the table allows")),
        committed_until: row.optional(2).filter(|until| *until > effective_at),
    }
}

/// A billing period, and how much of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// How many days it has.
    pub days: i32,
    /// From the day of the instant that was asked for on, that day included.
    pub days_left: i32,
}

/// The period that contains an instant.
pub fn period(account: &str, cycle: &Cycle, at: DateTime<Utc>) -> Period {
    let rows = PERIOD.run(&[&account, &cycle.anchor, &cycle.phase, &cycle.billing_period.months(), &at]);
    let row = rows.first().expect("the periods leave no gap");
    let days: i32 = row.get(3);
    Period { starts_at: row.get(1), ends_at: row.get(2), days, days_left: row.get::<i32>(4).clamp(0, days) }
}

/// The cycle that goes on with another billing period where a period ends: counted from the same anchor.
pub fn continued(account: &str, cycle: &Cycle, ends_at: DateTime<Utc>, billing_period: BillingPeriod) -> Cycle {
    let rows = PHASE_AT.run(&[&account, &cycle.phase, &cycle.billing_period.months(), &cycle.anchor, &ends_at]);
    match rows.first() {
        Some(row) => Cycle { phase: row.get(1), billing_period, ..*cycle },
        None => Cycle { anchor: ends_at, phase: 0, billing_period },
    }
}

/// How many periods end after an instant and begin before another.
pub fn periods_between(account: &str, cycle: &Cycle, after: DateTime<Utc>, before: DateTime<Utc>) -> i64 {
    let months = cycle.billing_period.months();
    PERIODS_BETWEEN.run(&[&account, &cycle.anchor, &cycle.phase, &months, &after, &before]).first().expect("one row").get(1)
}

/// The plans that a period saw until now.
pub fn segments(account: &str, origin: i64, period: &Period) -> Vec<Segment> {
    let rows = SEGMENTS.run(&[&account, &origin, &period.starts_at, &period.ends_at, &period.days]);
    rows.iter().map(|row| Segment { days_left: row.get(1), quantity: row.get(2), price: row.get(3) }).collect()
}
