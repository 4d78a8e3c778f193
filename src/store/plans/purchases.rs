//! The tables `credit.purchase` and `credit.purchase_lot`.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT2OID, INT4OID, INT8OID, INTERVALOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::store::statement::Statement;

// The expiry of what is closest to the customer: of this purchase, the agreement, the tier, the plan.
static ADD: Statement = Statement::new(
    "INSERT INTO credit.purchase (account, purchase, recorded_at, settled_at, status, plan, agreement, tier_version, tier,
        quantity, bonus,
         list_price, discount, unit_price, paid, currency, unit, member, expiry, override_reason, metadata, recorded_by)
     SELECT $1, nextval('credit.purchase_id'), $2, CASE WHEN $3 = 'active' THEN $2 END, $3, $4, $5, $6,
         (SELECT tier FROM credit.tier WHERE version = $6), $7, $8, $9, $10, $11, round($12, $13), p.currency, p.unit, $14,
         COALESCE($15, (SELECT expiry FROM credit.agreement WHERE account = $1 AND agreement = $5),
             (SELECT expiry FROM credit.tier WHERE version = $6), p.expiry), $16, $17::jsonb, session_user
     FROM credit.plan p WHERE p.plan = $4
     RETURNING purchase",
    &[
        TEXTOID,
        TIMESTAMPTZOID,
        TEXTOID,
        TEXTOID,
        INT8OID,
        INT8OID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        INT4OID,
        TEXTOID,
        INTERVALOID,
        TEXTOID,
        TEXTOID,
    ],
);

static ADD_LOT: Statement = Statement::new(
    "INSERT INTO credit.purchase_lot (account, lot, purchase, line, step, category, granted, paid)
     VALUES ($1, $2, $3, $4, $5 * $6, $7, $8, round($9, $10))",
    &[TEXTOID, INT8OID, INT8OID, INT2OID, INTERVALOID, INT4OID, TEXTOID, NUMERICOID, NUMERICOID, INT4OID],
);

static OF_LOT: Statement =
    Statement::by_index("SELECT purchase FROM credit.purchase_lot WHERE account = $1 AND lot = $2", &[TEXTOID, INT8OID]);

static LOCK: Statement = Statement::by_index(
    "SELECT status, quantity + COALESCE(bonus, 0) FROM credit.purchase WHERE account = $1 AND purchase = $2 FOR NO KEY UPDATE",
    &[TEXTOID, INT8OID],
);

static MEMBER: Statement =
    Statement::by_index("SELECT member FROM credit.purchase WHERE account = $1 AND purchase = $2", &[TEXTOID, INT8OID]);

static SETTLE: Statement = Statement::by_index(
    "UPDATE credit.purchase SET status = $3, settled_at = GREATEST($4, recorded_at) WHERE account = $1 AND purchase = $2
        AND status = 'pending'",
    &[TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID],
);

// Every step is counted from the activation, on the account's calendar; every expiry from when its lot takes effect.
static LOTS: Statement = Statement::new(
    "SELECT l.lot, l.category, l.granted, l.paid, scale(l.paid), b.currency, b.unit, b.member, b.metadata::text,
        life.effective_at,
         credit.add_interval(life.effective_at, b.expiry, a.time_zone)
     FROM credit.purchase b JOIN credit.account a ON a.account = b.account
     JOIN credit.purchase_lot l ON l.account = b.account AND l.purchase = b.purchase,
     LATERAL (SELECT COALESCE(credit.add_interval($3, l.step, a.time_zone), $3) AS effective_at) AS life
     WHERE b.account = $1 AND b.purchase = $2 ORDER BY l.line",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

/// A purchase to be written.
pub struct NewPurchase<'a> {
    pub account: &'a str,
    pub plan: &'a str,
    pub status: &'a str,
    pub agreement: Option<i64>,
    pub tier_version: Option<i64>,
    pub quantity: Amount,
    pub bonus: Option<Amount>,
    pub list_price: Decimal,
    pub discount: Option<Decimal>,
    pub unit_price: Option<Decimal>,
    pub paid: Amount,
    pub currency_decimals: i32,
    pub member: Option<&'a str>,
    pub expiry: Option<Interval>,
    pub override_reason: Option<&'a str>,
    pub metadata: Option<&'a str>,
}

/// Writes a purchase; its id.
pub fn add(new: &NewPurchase<'_>, now: DateTime<Utc>) -> i64 {
    let written = ADD.run(&[
        &new.account,
        &now,
        &new.status,
        &new.plan,
        &new.agreement,
        &new.tier_version,
        &new.quantity,
        &new.bonus,
        &new.list_price,
        &new.discount,
        &new.unit_price,
        &new.paid,
        &new.currency_decimals,
        &new.member,
        &new.expiry,
        &new.override_reason,
        &new.metadata,
    ]);
    written.first().expect("the purchase that was written").get(1)
}

/// A lot of a purchase, planned or granted.
pub struct Part {
    pub lot: i64,
    pub category: &'static str,
    pub granted: Amount,
    pub paid: Amount,
    /// After how many steps from the purchase it takes effect.
    pub steps: Option<(Interval, i32)>,
}

/// Plans the lots of a purchase, in their order.
pub fn add_lots(account: &str, purchase: i64, parts: &[Part], currency_decimals: i32) {
    for (line, part) in (1_i16..).zip(parts) {
        let (step, number) = part.steps.unzip();
        ADD_LOT.run(&[
            &account,
            &part.lot,
            &purchase,
            &line,
            &step,
            &number,
            &part.category,
            &part.granted,
            &part.paid,
            &currency_decimals,
        ]);
    }
}

/// The purchase that a lot belongs to, granted or not.
pub fn of_lot(account: &str, lot: i64) -> Option<i64> {
    OF_LOT.run(&[&account, &lot]).first().map(|row| row.get(1))
}

/// Locks a purchase: its status, and how many credits it is.
pub fn lock(account: &str, purchase: i64) -> Option<(String, Amount)> {
    LOCK.run(&[&account, &purchase]).first().map(|row| (row.get(1), row.get(2)))
}

/// The member whose lots those of a purchase are.
pub fn member(account: &str, purchase: i64) -> Option<String> {
    MEMBER.run(&[&account, &purchase]).first().and_then(|row| row.optional(1))
}

/// Ends the wait of a locked purchase that is pending.
pub fn settle(account: &str, purchase: i64, status: &str, now: DateTime<Utc>) {
    assert_eq!(SETTLE.run(&[&account, &purchase, &status, &now]).count(), 1, "purchase {purchase} to settle");
}

/// A lot of a purchase as it is to be granted at an instant.
pub struct DueLot {
    pub lot: i64,
    pub category: String,
    pub granted: Amount,
    pub paid: Amount,
    pub paid_decimals: i32,
    pub currency: String,
    pub unit: String,
    pub member: Option<String>,
    pub metadata: Option<String>,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// The lots of a purchase, as they stand at an instant.
pub fn lots(account: &str, purchase: i64, now: DateTime<Utc>) -> Vec<DueLot> {
    let rows = LOTS.run(&[&account, &purchase, &now]);
    rows.iter()
        .map(|row| DueLot {
            lot: row.get(1),
            category: row.get(2),
            granted: row.get(3),
            paid: row.get(4),
            paid_decimals: row.get(5),
            currency: row.get(6),
            unit: row.get(7),
            member: row.optional(8),
            metadata: row.optional(9),
            effective_at: row.get(10),
            expires_at: row.optional(11),
        })
        .collect()
}
