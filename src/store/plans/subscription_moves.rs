//! The tables `credit.subscription_purchase`, `credit.subscription_return` and `credit.plan_change`: what subscriptions moved.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8OID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::plans::subscription::Moved;
use crate::store::ledger::entries;
use crate::store::plans::subscriptions::{Period, months_between};
use crate::store::statement::Statement;

static MOVED: Statement = Statement::new(
    "SELECT COALESCE(sum(quantity), 0), COALESCE(sum(paid), 0) FROM (
         SELECT b.quantity, b.paid FROM credit.subscription_purchase p JOIN credit.purchase b ON b.account = p.account
             AND b.purchase = p.purchase
         WHERE p.account = $1 AND p.origin = $2 AND p.period_start = $3
         UNION ALL
         SELECT - LEAST(sum(v.granted), l.granted), - LEAST(sum(round(v.paid, scale(l.paid))), l.paid)
             FROM credit.subscription_purchase p
         JOIN credit.purchase_lot l ON l.account = p.account AND l.purchase = p.purchase
         JOIN credit.voided v ON v.account = l.account AND v.origin = l.lot
         WHERE p.account = $1 AND p.origin = $2 AND p.period_start = $3
         GROUP BY l.account, l.lot
         UNION ALL
         SELECT - returned, - credit FROM credit.subscription_return WHERE account = $1 AND origin = $2
             AND period_start = $3) AS moved",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

// The periods that have begun and are not bought, the first one first. A period belongs to the subscription in force when it
// begins; one whose credits would have expired by now is not bought: nobody could use them.
static DUE: Statement = Statement::new(
    concat!(
        "SELECT s.subscription, s.origin, s.unit, s.quantity, s.price, scale(s.price), period.starts_at, period.ends_at,
            s.currency
     FROM credit.subscription s JOIN credit.account a ON a.account = s.account
     CROSS JOIN LATERAL (SELECT CASE s.billing_period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END AS months) AS billing
     CROSS JOIN LATERAL ",
        months_between!("s.anchor", "s.effective_at"),
        " AS first (near)
     CROSS JOIN LATERAL ",
        months_between!("s.anchor", "$3"),
        " AS last (near)
     CROSS JOIN LATERAL generate_series(floor((first.near - s.phase)::numeric / billing.months)::integer - 1,
         ceil((last.near - s.phase)::numeric / billing.months)::integer + 1) AS number
     CROSS JOIN LATERAL (SELECT credit.add_interval(s.anchor, make_interval(months => s.phase + number * billing.months),
         a.time_zone) AS starts_at,
         credit.add_interval(s.anchor, make_interval(months => s.phase + (number + 1) * billing.months),
             a.time_zone) AS ends_at) AS period
     WHERE s.account = $1 AND ($2 IS NULL OR s.unit = $2) AND s.ended_at IS DISTINCT FROM s.effective_at
         AND period.starts_at >= s.effective_at AND (s.ended_at IS NULL OR period.starts_at < s.ended_at)
             AND period.starts_at <= $3
         AND (s.expiry IS NULL OR credit.add_interval(period.starts_at, s.expiry, a.time_zone) > $4)
         AND NOT EXISTS (SELECT FROM credit.subscription_purchase p
             WHERE p.account = s.account AND p.origin = s.origin AND p.period_start = period.starts_at AND p.reason = 'period')
     ORDER BY period.starts_at, s.subscription"
    ),
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

// A part of a period has no price for one credit: that of the subscription is for a whole period. Where the account's row is
// locked nothing conflicts; a REPEATABLE READ transaction that cannot see what was bought meanwhile gets 40001.
static BUY: Statement = Statement::new(
    "WITH bought AS (
         INSERT INTO credit.purchase (account, purchase, recorded_at, settled_at, status, plan, agreement, tier_version, tier,
             quantity,
             list_price, discount, unit_price, paid, currency, unit, expiry, recorded_by, metadata)
         SELECT account, nextval('credit.purchase_id'), $10, $10, 'active', plan, agreement, tier_version, tier, $4, list_price,
             discount,
             CASE WHEN quantity = $4 AND price = $5 THEN unit_price END, round($5, $6), currency, unit, expiry, session_user,
                 metadata
         FROM credit.subscription WHERE account = $1 AND subscription = $2
         RETURNING purchase
     ), part AS (
         INSERT INTO credit.purchase_lot (account, lot, purchase, line, category, granted, paid)
         SELECT $1, $3, purchase, 1, 'paid', $4, round($5, $6) FROM bought WHERE $4 > 0
     )
     INSERT INTO credit.subscription_purchase (account, purchase, subscription, origin, change, renewed_in, period_start,
         period_end, reason)
     SELECT $1, bought.purchase, $2, s.origin, $7, $12, $8, $9, CASE WHEN $11 THEN 'period' ELSE 'change' END
     FROM bought, credit.subscription s WHERE s.account = $1 AND s.subscription = $2
     ON CONFLICT DO NOTHING
     RETURNING purchase",
    &[
        TEXTOID,
        INT8OID,
        INT8OID,
        NUMERICOID,
        NUMERICOID,
        INT4OID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        BOOLOID,
        INT8OID,
    ],
);

// The period's own lots in drawdown order, in which they are to be locked.
static LOTS: Statement = Statement::new(
    "SELECT l.lot, l.granted, l.paid, scale(l.paid),
         (SELECT COALESCE(sum(r.returned), 0) FROM credit.subscription_return r WHERE r.account = l.account AND r.lot = l.lot)
     FROM credit.subscription_purchase p
     JOIN credit.purchase_lot b ON b.account = p.account AND b.purchase = p.purchase
     JOIN credit.lot l ON l.account = b.account AND l.lot = b.lot
     WHERE p.account = $1 AND p.origin = $2 AND p.period_start = $3 AND NOT l.closed
     ORDER BY l.priority, COALESCE(l.expires_at, 'infinity'), l.effective_at, l.lot",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static RETURN: Statement = Statement::new(
    "WITH line AS (
         INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
             recorded_by, metadata,
             posted)
         SELECT l.account, $12, 1, 'return', - $3::numeric, l.lot, l.member, m.department, $9, $9, session_user,
             $10::jsonb, true
         FROM credit.lot l LEFT JOIN credit.member m ON m.account = l.account AND m.member = l.member
         WHERE l.account = $1 AND l.lot = $2
         RETURNING posting
     )
     INSERT INTO credit.subscription_return (account, posting, lot, subscription, origin, change, period_start, returned, credit)
     SELECT $1, line.posting, $2, $6, $11, $7, $8, $3, round($4, $5) FROM line",
    &[
        TEXTOID,
        INT8OID,
        NUMERICOID,
        NUMERICOID,
        INT4OID,
        INT8OID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TEXTOID,
        INT8OID,
        INT8OID,
    ],
);

// Lots from before a change that still hold something.
static KEPT: Statement = Statement::new(
    "SELECT count(*) FROM credit.lot l
     WHERE l.account = $1 AND l.unit = $2 AND NOT l.closed AND (l.expires_at IS NULL OR l.expires_at > $3)
         AND EXISTS (SELECT FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot AND s.remaining > 0)
         AND NOT EXISTS (SELECT FROM credit.purchase_lot b
             JOIN credit.subscription_purchase p ON p.account = b.account AND p.purchase = b.purchase
             WHERE b.account = l.account AND b.lot = l.lot AND p.change = $4)",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID],
);

static NEXT_CHANGE: Statement = Statement::new("SELECT nextval('credit.plan_change_id')", &[]);

static ADD_CHANGE: Statement = Statement::new(
    "INSERT INTO credit.plan_change (account, change, subscription, effective_at, period_end, committed_until, recorded_at,
        days_left,
         days_in_period, lots_kept, from_plan, to_plan, charge, credit, currency, granted, returned, new_price, note, recorded_by,
         renewals, renewed_granted, renewed_charge, renewed_currency)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, round($13, $20), round($14, $20), $15, $16, $17, round($18, $20),
         $19,
         session_user, $21, $22, round($23, $24), $25)",
    &[
        TEXTOID,
        INT8OID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        INT4OID,
        INT4OID,
        INT8OID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        TEXTOID,
        INT4OID,
        INT8OID,
        NUMERICOID,
        NUMERICOID,
        INT4OID,
        TEXTOID,
    ],
);

static CHANGED: Statement = Statement::by_index(
    "SELECT from_plan, to_plan, effective_at, period_end, days_left, days_in_period, charge, credit, currency, granted, returned,
         committed_until, new_price, lots_kept, note, renewals, renewed_granted, renewed_charge, renewed_currency
     FROM credit.plan_change WHERE account = $1 AND change = $2",
    &[TEXTOID, INT8OID],
);

/// The credits and the money of a period so far.
pub fn moved(account: &str, origin: i64, period: &Period) -> Moved {
    let rows = MOVED.run(&[&account, &origin, &period.starts_at]);
    let row = rows.first().expect("one row");
    Moved { granted: row.get(1), charged: row.get(2) }
}

/// A period that has begun and is not bought.
pub struct Due {
    pub subscription: i64,
    pub quantity: Amount,
    pub price: Amount,
    pub currency: String,
    pub currency_decimals: i32,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// The periods of an account, in one unit or all, that began until an instant and are not bought.
pub fn due(account: &str, unit: Option<&str>, until: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Due> {
    let rows = DUE.run(&[&account, &unit, &until, &now]);
    rows.iter()
        .map(|row| Due {
            subscription: row.get(1),
            quantity: row.get(4),
            price: row.get(5),
            currency: row.get(9),
            currency_decimals: row.get(6),
            starts_at: row.get(7),
            ends_at: row.get(8),
        })
        .collect()
}

/// A purchase of a subscription, in one lot.
pub struct Bought<'a> {
    pub account: &'a str,
    pub subscription: i64,
    /// `None` where nothing is granted: only the days of a dearer plan are charged.
    pub lot: Option<i64>,
    pub granted: Amount,
    pub paid: Amount,
    pub currency_decimals: i32,
    /// The change that made it.
    pub change: Option<i64>,
    /// The change that had it renewed.
    pub renewed_in: Option<i64>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// It is the period's own, not what a change grants besides.
    pub is_period: bool,
}

/// Writes a purchase of a subscription with its lot as it is planned; its id.
pub fn buy(new: &Bought<'_>, now: DateTime<Utc>) -> i64 {
    let written = BUY.run(&[
        &new.account,
        &new.subscription,
        &new.lot,
        &new.granted,
        &new.paid,
        &new.currency_decimals,
        &new.change,
        &new.starts_at,
        &new.ends_at,
        &now,
        &new.is_period,
        &new.renewed_in,
    ]);
    written.first().expect("the purchase that was written").get(1)
}

/// A lot that a period granted.
#[derive(Clone, Copy, Debug)]
pub struct PeriodLot {
    pub lot: i64,
    pub granted: Amount,
    pub paid: Amount,
    pub currency_decimals: i32,
    /// How much of it was returned before.
    pub returned: Amount,
}

/// The lots that a period granted and that are open, in drawdown order.
pub fn lots(account: &str, origin: i64, period: &Period) -> Vec<PeriodLot> {
    let rows = LOTS.run(&[&account, &origin, &period.starts_at]);
    rows.iter()
        .map(|row| PeriodLot {
            lot: row.get(1),
            granted: row.get(2),
            paid: row.get(3),
            currency_decimals: row.get(4),
            returned: row.get(5),
        })
        .collect()
}

/// Credits of a lot that are returned, and the money for them.
pub struct Returned<'a> {
    pub account: &'a str,
    pub lot: PeriodLot,
    pub amount: Amount,
    /// The money that is paid back for them.
    pub credit: Amount,
    pub subscription: i64,
    /// The first of the subscriptions whose period granted them.
    pub origin: i64,
    pub change: i64,
    pub period_start: DateTime<Utc>,
    pub metadata: Option<&'a str>,
}

/// Writes credits that a change of plan took back.
pub fn add_return(new: &Returned<'_>, now: DateTime<Utc>) {
    let written = RETURN.run(&[
        &new.account,
        &new.lot.lot,
        &new.amount,
        &new.credit,
        &new.lot.currency_decimals,
        &new.subscription,
        &new.change,
        &new.period_start,
        &now,
        &new.metadata,
        &new.origin,
        &entries::next_posting(),
    ]);
    assert_eq!(written.count(), 1, "the return from lot {}", new.lot.lot);
}

/// How many lots from before a change still hold something.
pub fn lots_kept(account: &str, unit: &str, change: i64, now: DateTime<Utc>) -> i64 {
    KEPT.run(&[&account, &unit, &now, &change]).first().expect("one row").get(1)
}

/// The id of a change nobody else has.
pub fn next_change() -> i64 {
    NEXT_CHANGE.run(&[]).first().expect("one row").get(1)
}

/// The effects of a change, as they are to be written.
pub struct NewChange<'a> {
    pub account: &'a str,
    pub change: i64,
    pub subscription: i64,
    pub effective_at: DateTime<Utc>,
    pub period: Period,
    pub committed_until: Option<DateTime<Utc>>,
    pub from_plan: Option<&'a str>,
    pub to_plan: &'a str,
    pub charge: Amount,
    pub credit: Amount,
    pub currency: &'a str,
    pub currency_decimals: i32,
    pub granted: Amount,
    pub returned: Amount,
    /// The periods that were bought first, and what they came to.
    pub renewals: i64,
    /// The credits and the money of the periods that were bought first.
    pub renewed: Moved,
    /// The currency of that and its decimals.
    pub renewed_money: Option<(String, i32)>,
    /// The price of a whole period from then on.
    pub new_price: Amount,
    /// How many lots from before still hold credits.
    pub lots_kept: i64,
    pub note: Option<String>,
}

/// Writes a change of plan.
pub fn add_change(new: &NewChange<'_>, now: DateTime<Utc>) {
    let (renewed_currency, renewed_decimals) = new.renewed_money.clone().unzip();
    ADD_CHANGE.run(&[
        &new.account,
        &new.change,
        &new.subscription,
        &new.effective_at,
        &new.period.ends_at,
        &new.committed_until,
        &now,
        &new.period.days_left,
        &new.period.days,
        &new.lots_kept,
        &new.from_plan,
        &new.to_plan,
        &new.charge,
        &new.credit,
        &new.currency,
        &new.granted,
        &new.returned,
        &new.new_price,
        &new.note,
        &new.currency_decimals,
        &new.renewals,
        &new.renewed.granted,
        &new.renewed.charged,
        &renewed_decimals.unwrap_or(new.currency_decimals),
        &renewed_currency,
    ]);
}

/// The effects of a change. Money has all the decimals of its currency.
pub struct Changed {
    pub from_plan: Option<String>,
    pub to_plan: String,
    pub effective_at: DateTime<Utc>,
    pub period_end: DateTime<Utc>,
    pub days_left: i32,
    pub days_in_period: i32,
    pub charge: AnyNumeric,
    pub credit: AnyNumeric,
    pub currency: String,
    pub granted: AnyNumeric,
    pub returned: AnyNumeric,
    pub renewals: i64,
    pub renewed_granted: AnyNumeric,
    pub renewed_charge: AnyNumeric,
    pub renewed_currency: Option<String>,
    pub committed_until: Option<DateTime<Utc>>,
    pub new_price: AnyNumeric,
    pub lots_kept: i64,
    pub note: Option<String>,
}

/// A change that was written.
pub fn changed(account: &str, change: i64) -> Changed {
    let rows = CHANGED.run(&[&account, &change]);
    let row = rows.first().expect("the change that was written");
    Changed {
        from_plan: row.optional(1),
        to_plan: row.get(2),
        effective_at: row.get(3),
        period_end: row.get(4),
        days_left: row.get(5),
        days_in_period: row.get(6),
        charge: row.get(7),
        credit: row.get(8),
        currency: row.get(9),
        granted: row.get(10),
        returned: row.get(11),
        renewals: row.get(16),
        renewed_granted: row.get(17),
        renewed_charge: row.get(18),
        renewed_currency: row.optional(19),
        committed_until: row.optional(12),
        new_price: row.get(13),
        lots_kept: row.get(14),
        note: row.optional(15),
    }
}
