//! The table `credit.agreement`.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT8OID, INTERVALOID, NUMERICARRAYOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::store::statement::{Snapshot, Statement};

static IN_FORCE: Statement = Statement::new(
    "SELECT agreement, agreed_at, tier, unit_price, discount, override_reason IS NOT NULL
     FROM credit.agreement WHERE account = $1 AND plan = $2 AND effective_at <= $3 AND (ended_at IS NULL OR ended_at > $3)",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

// The quantity that was bought and paid since the last anniversary of the agreement, by the account's calendar. Pending orders do
// not count, nor do credits that were voided, or taken back by a change of plan. The anniversary is found once, before the
// purchases are read, and not for each of them; their losses are looked up separately.
static BOUGHT: Statement = Statement::by_index(
    "WITH year AS MATERIALIZED (
         SELECT g.plan, (
             SELECT max(credit.add_interval(g.effective_at, make_interval(years => year), a.time_zone))
             FROM generate_series(0, (EXTRACT(year FROM $3) - EXTRACT(year FROM g.effective_at))::integer + 1) AS year
             WHERE year = 0 OR credit.add_interval(g.effective_at, make_interval(years => year), a.time_zone) <= $3) AS starts_at
         FROM credit.agreement g JOIN credit.account a ON a.account = g.account WHERE g.account = $1 AND g.agreement = $2
     ), gone AS MATERIALIZED (
         -- A bonus comes last, and is not counted to the quantity.
         SELECT l.purchase, sum(LEAST(g.amount, l.granted)) AS quantity,
             sum(LEAST(g.amount, l.granted)) FILTER (WHERE NOT l.is_last) AS but_last
         FROM (SELECT lot, sum(amount) AS amount FROM (
             SELECT origin AS lot, granted AS amount FROM credit.voided WHERE account = $1
             UNION ALL SELECT lot, returned FROM credit.subscription_return WHERE account = $1) AS x GROUP BY lot) AS g
         CROSS JOIN LATERAL (SELECT l.purchase, l.granted, NOT EXISTS (SELECT FROM credit.purchase_lot n
                 WHERE n.account = $1 AND n.purchase = l.purchase AND n.line > l.line) AS is_last
             FROM credit.purchase_lot l WHERE l.account = $1 AND l.lot = g.lot OFFSET 0) AS l
         GROUP BY l.purchase)
     SELECT COALESCE(sum(b.quantity - COALESCE(CASE WHEN b.bonus IS NULL THEN gone.quantity ELSE gone.but_last END, 0)), 0)
     FROM credit.purchase b LEFT JOIN gone ON gone.purchase = b.purchase
     WHERE account = $1 AND plan = (SELECT plan FROM year) AND settled_at >= (SELECT starts_at FROM year) AND settled_at <= $3
         AND status = 'active'",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static FUTURE: Statement = Statement::new(
    "SELECT min(effective_at) FROM credit.agreement
     WHERE account = $1 AND plan = $2 AND effective_at > $3 AND ended_at IS DISTINCT FROM effective_at",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static END: Statement = Statement::new(
    "UPDATE credit.agreement SET ended_at = $3
     WHERE account = $1 AND plan = $2 AND effective_at <= $3 AND (ended_at IS NULL OR ended_at > $3) RETURNING agreement",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static POOLING: Statement = Statement::new(
    "SELECT pooling, effective_at, ended_at FROM credit.agreement WHERE account = $1 AND agreement = $2 AND pooling IS NOT NULL",
    &[TEXTOID, INT8OID],
);

static ADD: Statement = Statement::new(
    "INSERT INTO credit.agreement (account, agreement, plan, effective_at, ended_at, agreed_at, tier, unit_price, discount,
         committed_quantity, committed_money, expiry, pooling, rate_card, override_reason, note, recorded_at, recorded_by)
     VALUES ($1, nextval('credit.agreement_id'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $5, session_user)
     RETURNING agreement",
    &[
        TEXTOID,
        TEXTOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICARRAYOID,
        NUMERICARRAYOID,
        INTERVALOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
    ],
);

/// The terms that were agreed with an account about a plan, as its quotes and purchases see them.
#[derive(Clone, Debug)]
pub struct Agreement {
    pub agreement: i64,
    /// The plan counts as it was at this instant.
    pub agreed_at: DateTime<Utc>,
    /// All credits at this tier's price, whatever the quantity.
    pub tier: Option<String>,
    pub unit_price: Option<Decimal>,
    pub discount: Option<Decimal>,
    /// A reason was recorded why it may be below the floor.
    pub is_excused: bool,
}

/// The agreement that is valid at an instant.
pub fn in_force(account: &str, plan: &str, at: DateTime<Utc>, snapshot: Snapshot) -> Option<Agreement> {
    IN_FORCE.execute(snapshot, &[&account, &plan, &at]).first().map(|row| Agreement {
        agreement: row.get(1),
        agreed_at: row.get(2),
        tier: row.optional(3),
        unit_price: row.optional(4),
        discount: row.optional(5),
        is_excused: row.get(6),
    })
}

/// How much the account bought in the agreement's current year.
pub fn bought(account: &str, agreement: i64, at: DateTime<Utc>, snapshot: Snapshot) -> Amount {
    BOUGHT.execute(snapshot, &[&account, &agreement, &at]).first().expect("one row").get(1)
}

/// When an agreement begins that is announced for after an instant.
pub fn announced(account: &str, plan: &str, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    FUTURE.run(&[&account, &plan, &after]).first().and_then(|row| row.optional(1))
}

/// Ends the agreement that is valid at an instant, then; which, if there was one.
pub fn end(account: &str, plan: &str, at: DateTime<Utc>) -> Option<i64> {
    END.run(&[&account, &plan, &at]).first().map(|row| row.get(1))
}

/// How an agreement has the account pool its credits, if it says so, and from when until when.
pub fn pooling(account: &str, agreement: i64) -> Option<(String, DateTime<Utc>, Option<DateTime<Utc>>)> {
    POOLING.run(&[&account, &agreement]).first().map(|row| (row.get(1), row.get(2), row.optional(3)))
}

/// An agreement to be written.
#[derive(Clone)]
pub struct NewAgreement<'a> {
    pub account: &'a str,
    pub plan: &'a str,
    pub effective_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub tier: Option<&'a str>,
    pub unit_price: Option<Decimal>,
    pub discount: Option<Decimal>,
    pub committed_quantity: Option<Vec<Amount>>,
    pub committed_money: Option<Vec<Amount>>,
    pub expiry: Option<Interval>,
    pub pooling: Option<&'a str>,
    pub rate_card: Option<&'a str>,
    pub override_reason: Option<&'a str>,
    pub note: Option<&'a str>,
}

/// Writes an agreement; its id.
pub fn add(new: &NewAgreement<'_>, now: DateTime<Utc>) -> i64 {
    let written = ADD.run(&[
        &new.account,
        &new.plan,
        &new.effective_at,
        &new.ended_at,
        &now,
        &new.tier,
        &new.unit_price,
        &new.discount,
        &new.committed_quantity.as_deref(),
        &new.committed_money.as_deref(),
        &new.expiry,
        &new.pooling,
        &new.rate_card,
        &new.override_reason,
        &new.note,
    ]);
    written.first().expect("the agreement that was written").get(1)
}
