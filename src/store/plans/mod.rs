//! The tables `credit.plan`, `credit.plan_price`, `credit.plan_cost` and `credit.tier`.

pub mod agreements;
pub mod purchases;
pub mod subscription_moves;
pub mod subscriptions;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT8OID, INTERVALOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::plans::price_list::Model;
use crate::store::statement::{Snapshot, Statement};

static PLAN: Statement = Statement::by_index(
    "SELECT p.unit, p.currency, p.model, p.reach = 'cumulative', p.floor_margin, p.below_floor = 'flag', u.decimals
     FROM credit.plan p JOIN credit.unit u ON u.unit = p.unit WHERE p.plan = $1",
    &[TEXTOID],
);

// A lock alone would leave no mark: a transaction with an older snapshot (REPEATABLE READ) would buy at prices that are over.
static LOCK: Statement = Statement::by_index("UPDATE credit.plan SET created_at = created_at WHERE plan = $1", &[TEXTOID]);

static SHARE: Statement = Statement::by_index("SELECT true FROM credit.plan WHERE plan = $1 FOR SHARE", &[TEXTOID]);

static CREATE: Statement = Statement::new(
    "INSERT INTO credit.plan (plan, unit, currency, model, reach, floor_margin, below_floor, expiry, rate_card, note, created_at)
     VALUES ($1, $2, $3, COALESCE($4, 'volume'), COALESCE($5, 'purchase'), $6, COALESCE($7, 'refuse'), $8, $9, $10, $11)
     ON CONFLICT (plan) DO NOTHING",
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, NUMERICOID, TEXTOID, INTERVALOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static CHANGE: Statement = Statement::by_index(
    "UPDATE credit.plan SET unit = COALESCE($2, unit), currency = COALESCE($3, currency), model = COALESCE($4, model),
         reach = COALESCE($5, reach), floor_margin = COALESCE($6, floor_margin), below_floor = COALESCE($7, below_floor),
         expiry = COALESCE($8, expiry), rate_card = COALESCE($9, rate_card), note = COALESCE($10, note)
     WHERE plan = $1",
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, NUMERICOID, TEXTOID, INTERVALOID, TEXTOID, TEXTOID],
);

static IS_SETTLED: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM credit.tier WHERE plan = $1) OR EXISTS (SELECT FROM credit.agreement WHERE plan = $1)
         OR EXISTS (SELECT FROM credit.plan_cost WHERE plan = $1) OR EXISTS (SELECT FROM credit.purchase WHERE plan = $1)",
    &[TEXTOID],
);

static LIST_PRICE: Statement = Statement::new(
    "SELECT list_price FROM credit.plan_price WHERE plan = $1 AND effective_at <= $2 ORDER BY effective_at DESC LIMIT 1",
    &[TEXTOID, TIMESTAMPTZOID],
);

static LAST_PRICE_AT: Statement = Statement::new("SELECT max(effective_at) FROM credit.plan_price WHERE plan = $1", &[TEXTOID]);

static ADD_PRICE: Statement = Statement::new(
    "INSERT INTO credit.plan_price (plan, effective_at, list_price, recorded_at, recorded_by)
        VALUES ($1, $2, $3, $4, session_user)",
    &[TEXTOID, TIMESTAMPTZOID, NUMERICOID, TIMESTAMPTZOID],
);

// Of the quantities that are reached the highest one, and of its costs the newest.
static COST: Statement = Statement::new(
    "SELECT unit_cost FROM credit.plan_cost WHERE plan = $1 AND from_quantity <= $2 AND effective_at <= $3
     ORDER BY from_quantity DESC, effective_at DESC LIMIT 1",
    &[TEXTOID, NUMERICOID, TIMESTAMPTZOID],
);

static COST_IS_TAKEN: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM credit.plan_cost WHERE plan = $1 AND from_quantity = $2 AND effective_at >= $3)",
    &[TEXTOID, NUMERICOID, TIMESTAMPTZOID],
);

static ADD_COST: Statement = Statement::new(
    "INSERT INTO credit.plan_cost (plan, from_quantity, effective_at, unit_cost, recorded_at, recorded_by)
     VALUES ($1, $2, $3, $4, $3, session_user)",
    &[TEXTOID, NUMERICOID, TIMESTAMPTZOID, NUMERICOID],
);

// A version that ended when it began was never in force.
static TIERS: Statement = Statement::new(
    "SELECT version, tier, from_quantity, discount, unit_price, flat, negotiated, override_reason IS NOT NULL, effective_at,
        ended_at
     FROM credit.tier WHERE plan = $1 AND (ended_at IS NULL OR ended_at > $2) AND ended_at IS DISTINCT FROM effective_at
     ORDER BY from_quantity, tier, effective_at",
    &[TEXTOID, TIMESTAMPTZOID],
);

static END_TIER: Statement =
    Statement::by_index("UPDATE credit.tier SET ended_at = $2 WHERE version = $1", &[INT8OID, TIMESTAMPTZOID]);

static ADD_TIER: Statement = Statement::new(
    "INSERT INTO credit.tier (version, plan, tier, from_quantity, discount, unit_price, flat, negotiated, billing_period,
        commitment, expiry,
         effective_at, override_reason, note, recorded_at, recorded_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, session_user)",
    &[
        INT8OID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        BOOLOID,
        TEXTOID,
        INTERVALOID,
        INTERVALOID,
        TIMESTAMPTZOID,
        TEXTOID,
        TEXTOID,
        TIMESTAMPTZOID,
    ],
);

static NEXT_TIER_ID: Statement = Statement::new("SELECT nextval('credit.tier_id')", &[]);

/// A plan as quotes and purchases see it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub unit: String,
    pub unit_decimals: u32,
    pub currency: String,
    pub model: Model,
    /// The tier that is reached depends on all that was bought in the commitment year.
    pub is_cumulative: bool,
    pub floor_margin: Option<Decimal>,
    /// Whether a price below the floor is only flagged.
    pub flags_only: bool,
}

/// The plan of this name.
pub fn plan(plan: &str, snapshot: Snapshot) -> Option<Plan> {
    PLAN.execute(snapshot, &[&plan]).first().map(|row| Plan {
        unit: row.get(1),
        currency: row.get(2),
        model: row.get::<String>(3).parse().expect("a model that the table allows"),
        is_cumulative: row.get(4),
        floor_margin: row.optional(5),
        flags_only: row.get(6),
        unit_decimals: row.get::<i16>(7) as u32,
    })
}

/// Locks the plan for a change of its prices; whether there is one.
pub fn lock(plan: &str) -> bool {
    LOCK.run(&[&plan]).count() == 1
}

/// Keeps the plan's prices as they are until the transaction ends; whether there is such a plan.
pub fn share(plan: &str) -> bool {
    SHARE.run(&[&plan]).count() == 1
}

/// The terms that a plan is created with or changed to; `None` keeps what is there.
#[derive(Clone, Copy, Default)]
pub struct PlanTerms<'a> {
    pub unit: Option<&'a str>,
    pub currency: Option<&'a str>,
    pub model: Option<&'a str>,
    pub reach: Option<&'a str>,
    pub floor_margin: Option<Decimal>,
    pub below_floor: Option<&'a str>,
    pub expiry: Option<Interval>,
    pub rate_card: Option<&'a str>,
    pub note: Option<&'a str>,
}

/// Creates the plan unless it exists; whether it did.
pub fn create(plan: &str, unit: &str, currency: &str, terms: &PlanTerms<'_>, now: DateTime<Utc>) -> bool {
    let PlanTerms { model, reach, floor_margin, below_floor, expiry, rate_card, note, .. } = terms;
    CREATE.run(&[&plan, &unit, &currency, model, reach, floor_margin, below_floor, expiry, rate_card, note, &now]).count() == 1
}

/// Changes what is given of a locked plan.
pub fn change(plan: &str, terms: &PlanTerms<'_>) {
    let PlanTerms { unit, currency, model, reach, floor_margin, below_floor, expiry, rate_card, note } = terms;
    let changed = CHANGE.run(&[&plan, unit, currency, model, reach, floor_margin, below_floor, expiry, rate_card, note]);
    assert_eq!(changed.count(), 1, "plan {plan} to change");
}

/// Whether anything is priced by the plan's unit, currency and model.
pub fn is_settled(plan: &str) -> bool {
    IS_SETTLED.run(&[&plan]).first().expect("one row").get(1)
}

/// The list price of a plan at an instant.
pub fn list_price(plan: &str, at: DateTime<Utc>, snapshot: Snapshot) -> Option<Decimal> {
    LIST_PRICE.execute(snapshot, &[&plan, &at]).first().map(|row| row.get(1))
}

/// When the newest list price begins.
pub fn last_price_at(plan: &str) -> Option<DateTime<Utc>> {
    LAST_PRICE_AT.run(&[&plan]).first().and_then(|row| row.optional(1))
}

/// Adds a list price of a plan, from an instant on.
pub fn add_price(plan: &str, from: DateTime<Utc>, list_price: Decimal, now: DateTime<Utc>) {
    ADD_PRICE.run(&[&plan, &from, &list_price, &now]);
}

/// The provider's cost of one credit when `quantity` is bought.
pub fn unit_cost(plan: &str, quantity: Amount, at: DateTime<Utc>, snapshot: Snapshot) -> Option<Decimal> {
    COST.execute(snapshot, &[&plan, &quantity, &at]).first().map(|row| row.get(1))
}

/// Whether a cost from that instant on, or later, is known.
pub fn cost_is_taken(plan: &str, from_quantity: Amount, at: DateTime<Utc>) -> bool {
    COST_IS_TAKEN.run(&[&plan, &from_quantity, &at]).first().expect("one row").get(1)
}

/// Adds the provider's cost of a credit of a plan, from a quantity on.
pub fn add_cost(plan: &str, from_quantity: Amount, unit_cost: Decimal, now: DateTime<Utc>) {
    ADD_COST.run(&[&plan, &from_quantity, &now, &unit_cost]);
}

/// A version of a tier, in force in `[effective_at, ended_at)`.
#[derive(Clone, Debug)]
pub struct TierVersion {
    pub version: i64,
    pub tier: String,
    pub from: Amount,
    pub discount: Option<Decimal>,
    pub unit_price: Option<Decimal>,
    pub flat: Option<Decimal>,
    /// It has no price but by agreement.
    pub is_negotiated: bool,
    /// A reason was recorded why it may be below the floor.
    pub is_excused: bool,
    pub effective_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl TierVersion {
    /// Whether it counts at an instant.
    pub fn is_in_force(&self, at: DateTime<Utc>) -> bool {
        self.effective_at <= at && self.ended_at.is_none_or(|ended_at| at < ended_at)
    }
}

/// The versions that are in force at an instant or later, in the order of their quantities.
pub fn tiers_from(plan: &str, at: DateTime<Utc>, snapshot: Snapshot) -> Vec<TierVersion> {
    let rows = TIERS.execute(snapshot, &[&plan, &at]);
    rows.iter()
        .map(|row| TierVersion {
            version: row.get(1),
            tier: row.get(2),
            from: row.get(3),
            discount: row.optional(4),
            unit_price: row.optional(5),
            flat: row.optional(6),
            is_negotiated: row.get(7),
            is_excused: row.get(8),
            effective_at: row.get(9),
            ended_at: row.optional(10),
        })
        .collect()
}

/// Ends a version of a tier.
pub fn end_tier(version: i64, at: DateTime<Utc>) {
    assert_eq!(END_TIER.run(&[&version, &at]).count(), 1, "tier version {version} to end");
}

/// The terms of a version of a tier besides its price.
#[derive(Clone, Copy)]
pub struct TierTerms<'a> {
    pub billing_period: Option<&'a str>,
    pub commitment: Option<Interval>,
    pub expiry: Option<Interval>,
    pub override_reason: Option<&'a str>,
    pub note: Option<&'a str>,
}

/// Adds a version of a tier.
pub fn add_tier(plan: &str, new: &TierVersion, terms: &TierTerms<'_>, now: DateTime<Utc>) {
    let TierTerms { billing_period, commitment, expiry, override_reason, note } = terms;
    ADD_TIER.run(&[
        &new.version,
        &plan,
        &new.tier.as_str(),
        &new.from,
        &new.discount,
        &new.unit_price,
        &new.flat,
        &new.is_negotiated,
        billing_period,
        commitment,
        expiry,
        &new.effective_at,
        override_reason,
        note,
        &now,
    ]);
}

/// The next id of a version of a tier.
pub fn next_tier_id() -> i64 {
    NEXT_TIER_ID.run(&[]).first().expect("one row").get(1)
}
