//! The tables `credit.rate`, `credit.rate_draft` and `credit.rate_usage`.

pub mod conversion_table;
pub mod design;
pub mod rate_cards;
pub mod repricing;
pub mod units;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::rates::dimensions::Dimensions;
use crate::domain::rates::rate::{Rate, Scope, Tier};
use crate::store::statement::{Row, Rows, Statement};

/// A published version of a rate, in force in `[effective_at, ended_at)`.
#[derive(Clone, Debug)]
pub struct Version {
    /// The id of the version.
    pub rate: i64,
    pub dimensions: Dimensions,
    pub effective_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub terms: Rate,
}

impl Version {
    /// Whether it prices usage of this instant.
    pub fn is_in_force(&self, at: DateTime<Utc>) -> bool {
        self.effective_at <= at && self.ended_at.is_none_or(|ended_at| at < ended_at)
    }
}

/// A rate that is prepared.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The id of the draft.
    pub rate: i64,
    pub operation: String,
    pub dimensions: Dimensions,
    /// When it shall take effect, if that was said.
    pub effective_at: Option<DateTime<Utc>>,
    /// `None` ends the rate.
    pub terms: Option<Rate>,
}

/// The columns that hold a rate's terms, in the order of [`terms_of_row`].
macro_rules! terms {
    () => {
        "credits, per, block, minimum, tier_from, tier_credits, tier_scope"
    };
}
pub(super) use terms;

// A version that was superseded before it began was never in force.
static VERSIONS: Statement = Statement::by_index(
    concat!(
        "SELECT rate, dimensions::text, effective_at, ended_at, ",
        terms!(),
        " FROM credit.rate WHERE card = $1 AND operation = $2 AND (ended_at IS NULL OR ended_at > effective_at)
         ORDER BY effective_at, rate"
    ),
    &[TEXTOID, TEXTOID],
);

static NEXT_ID: Statement = Statement::new("SELECT nextval('credit.rate_id')", &[]);

static SAVE_DRAFT: Statement = Statement::new(
    "INSERT INTO credit.rate_draft (rate, card, operation, dimensions, effective_at, withdrawn, credits, per, block, minimum,
         tier_from, tier_credits, tier_scope, unit_cost, note, created_at, created_by)
     VALUES ($1, $2, $3, $4::jsonb, $5, $6 IS NULL, $6, COALESCE($7, 1), COALESCE($8, false), $9, $10, $11, $12, $13, $14, $15,
         session_user)
     ON CONFLICT (card, operation, dimensions) DO UPDATE SET rate = excluded.rate, effective_at = excluded.effective_at,
         withdrawn = excluded.withdrawn, credits = excluded.credits, per = excluded.per, block = excluded.block,
         minimum = excluded.minimum, tier_from = excluded.tier_from, tier_credits = excluded.tier_credits,
         tier_scope = excluded.tier_scope, unit_cost = excluded.unit_cost, note = excluded.note,
         created_at = excluded.created_at, created_by = excluded.created_by",
    &[
        INT8OID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TIMESTAMPTZOID,
        NUMERICOID,
        NUMERICOID,
        BOOLOID,
        NUMERICOID,
        NUMERICARRAYOID,
        NUMERICARRAYOID,
        TEXTOID,
        NUMERICOID,
        TEXTOID,
        TIMESTAMPTZOID,
    ],
);

static DRAFTS: Statement = Statement::by_index(
    concat!(
        "SELECT rate, operation, dimensions::text, effective_at, withdrawn, ",
        terms!(),
        " FROM credit.rate_draft WHERE card = $1 ORDER BY operation, dimensions"
    ),
    &[TEXTOID],
);

static DISCARD: Statement = Statement::new(
    "DELETE FROM credit.rate_draft WHERE card = $1 AND ($2 IS NULL OR operation = $2) AND ($3 IS NULL OR dimensions = $3::jsonb)",
    &[TEXTOID, TEXTOID, TEXTOID],
);

static PUBLISH: Statement = Statement::by_index(
    "WITH draft AS (DELETE FROM credit.rate_draft WHERE card = $1 AND rate = $2 RETURNING *)
     INSERT INTO credit.rate (rate, effective_at, published_at, block, card, operation, dimensions, credits, per, minimum,
         tier_from,
         tier_credits, tier_scope, unit_cost, published_by, override_reason, note)
     SELECT rate, $3, $4, block, card, operation, dimensions, credits, per, minimum, tier_from, tier_credits, tier_scope,
         unit_cost,
         session_user, $5, note
     FROM draft WHERE NOT withdrawn",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
);

static END: Statement = Statement::by_index("UPDATE credit.rate SET ended_at = $2 WHERE rate = $1", &[INT8OID, TIMESTAMPTZOID]);

// The calendar is the account's: its period begins when it does there.
static PERIOD_START: Statement = Statement::by_index(
    "SELECT date_trunc($2, $3 AT TIME ZONE time_zone) AT TIME ZONE time_zone FROM credit.account WHERE account = $1",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static USED: Statement = Statement::by_index(
    "SELECT quantity FROM credit.rate_usage
     WHERE account = $1 AND card = $2 AND operation = $3 AND dimensions = $4::jsonb AND tier_scope = $5 AND period_start = $6",
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

// Waits for other sessions that are just using the period: earlier usage decides the price.
static USE: Statement = Statement::new(
    "INSERT INTO credit.rate_usage AS u (account, card, operation, dimensions, tier_scope, period_start, quantity)
     VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7)
     ON CONFLICT (account, card, operation, dimensions, tier_scope, period_start) DO UPDATE
         SET quantity = u.quantity + excluded.quantity
     RETURNING quantity",
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, NUMERICOID],
);

/// A rate's terms from seven columns, the first of which is `first`.
pub(super) fn terms_of_row(row: &Row<'_>, first: i32) -> Rate {
    let bounds: Vec<Decimal> = row.optional(first + 4).unwrap_or_default();
    let credits: Vec<Decimal> = row.optional(first + 5).unwrap_or_default();
    Rate {
        credits: row.get(first),
        per: row.get(first + 1),
        block: row.get(first + 2),
        minimum: row.optional(first + 3),
        tiers: bounds.into_iter().zip(credits).map(|(from, credits)| Tier { from, credits }).collect(),
        scope: row
            .optional::<String>(first + 6)
            .map_or(Scope::Call, |scope| scope.parse().expect("a scope that the table allows")),
    }
}

/// The dimensions that a column holds.
pub(super) fn dimensions(text: &str) -> Dimensions {
    Dimensions::parse(text).expect("dimensions that were checked when they were written")
}

fn versions_of_rows(rows: Rows) -> Vec<Version> {
    let version = |row: Row<'_>| Version {
        rate: row.get(1),
        dimensions: dimensions(&row.get::<String>(2)),
        effective_at: row.get(3),
        ended_at: row.optional(4),
        terms: terms_of_row(&row, 5),
    };
    rows.iter().map(version).collect()
}

/// The versions of all rates of an operation, past, present and announced.
pub fn versions(card: &str, operation: &str) -> Vec<Version> {
    versions_of_rows(VERSIONS.run(&[&card, &operation]))
}

/// The same as the calling query sees them, for readers.
pub fn versions_for_reader(card: &str, operation: &str) -> Vec<Version> {
    versions_of_rows(VERSIONS.read(&[&card, &operation]))
}

/// A version id nobody else has.
pub fn next_id() -> i64 {
    NEXT_ID.run(&[]).first().expect("one row").get(1)
}

/// A draft to be written.
pub struct NewDraft<'a> {
    pub rate: i64,
    pub card: &'a str,
    pub operation: &'a str,
    pub dimensions: &'a Dimensions,
    pub effective_at: Option<DateTime<Utc>>,
    /// `None` ends the rate.
    pub terms: Option<&'a Rate>,
    pub unit_cost: Option<Decimal>,
    pub note: Option<&'a str>,
}

/// Writes the draft in the place of an earlier one of the same operation and dimensions.
pub fn save_draft(draft: &NewDraft<'_>, now: DateTime<Utc>) {
    let tiers = draft.terms.map(|terms| terms.tiers.as_slice()).filter(|tiers| !tiers.is_empty());
    let bounds: Option<Vec<_>> = tiers.map(|tiers| tiers.iter().map(|tier| tier.from).collect());
    let credits: Option<Vec<_>> = tiers.map(|tiers| tiers.iter().map(|tier| tier.credits).collect());
    SAVE_DRAFT.run(&[
        &draft.rate,
        &draft.card,
        &draft.operation,
        &draft.dimensions.to_json(),
        &draft.effective_at,
        &draft.terms.map(|terms| terms.credits),
        &draft.terms.map(|terms| terms.per),
        &draft.terms.map(|terms| terms.block),
        &draft.terms.and_then(|terms| terms.minimum),
        &bounds.as_deref(),
        &credits.as_deref(),
        &tiers.and(draft.terms).map(|terms| terms.scope.to_string()),
        &draft.unit_cost,
        &draft.note,
        &now,
    ]);
}

fn drafts_of_rows(rows: Rows) -> Vec<Draft> {
    let draft = |row: Row<'_>| Draft {
        rate: row.get(1),
        operation: row.get(2),
        dimensions: dimensions(&row.get::<String>(3)),
        effective_at: row.optional(4),
        terms: (!row.get::<bool>(5)).then(|| terms_of_row(&row, 6)),
    };
    rows.iter().map(draft).collect()
}

/// The drafts that are prepared for a card.
pub fn drafts(card: &str) -> Vec<Draft> {
    drafts_of_rows(DRAFTS.run(&[&card]))
}

/// The same as the calling query sees it, for readers.
pub fn drafts_for_reader(card: &str) -> Vec<Draft> {
    drafts_of_rows(DRAFTS.read(&[&card]))
}

/// Throws drafts away, of one operation and dimensions or of all; how many.
pub fn discard(card: &str, operation: Option<&str>, dimensions: Option<&Dimensions>) -> i64 {
    DISCARD.run(&[&card, &operation, &dimensions.map(Dimensions::to_json)]).count() as i64
}

/// Makes a version of a draft.
pub fn publish(card: &str, draft: i64, effective_at: DateTime<Utc>, now: DateTime<Utc>, override_reason: Option<&str>) {
    PUBLISH.run(&[&card, &draft, &effective_at, &now, &override_reason]);
}

/// Ends a version.
pub fn end(rate: i64, ended_at: DateTime<Utc>) {
    assert_eq!(END.run(&[&rate, &ended_at]).count(), 1, "rate {rate} to end");
}

/// The counter of an account's usage of a rate.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    pub account: &'a str,
    pub card: &'a str,
    pub operation: &'a str,
    pub dimensions: &'a Dimensions,
    pub scope: Scope,
    pub at: DateTime<Utc>,
}

/// The account's usage of the rate in the period, as the calling query sees it.
pub fn used(counter: Counter<'_>) -> Amount {
    let Counter { account, card, operation, dimensions, scope, at } = counter;
    let scope = scope.to_string();
    let Some(start) = PERIOD_START.read(&[&account, &scope, &at]).first().map(|row| row.get::<DateTime<Utc>>(1)) else {
        return Amount::ZERO;
    };
    let rows = USED.read(&[&account, &card, &operation, &dimensions.to_json(), &scope, &start]);
    rows.first().map_or(Amount::ZERO, |row| row.get(1))
}

/// A counter: whose, of which rate, and of which period.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    account: String,
    card: String,
    operation: String,
    dimensions: String,
    scope: String,
    start: DateTime<Utc>,
}

/// The period that usage counts to.
pub fn period(counter: Counter<'_>) -> Period {
    let Counter { account, card, operation, dimensions, scope, at } = counter;
    let scope = scope.to_string();
    let start = PERIOD_START.run(&[&account, &scope, &at]).first().expect("an existing account").get(1);
    let (account, card, operation) = (account.to_owned(), card.to_owned(), operation.to_owned());
    Period { account, card, operation, dimensions: dimensions.to_json(), scope, start }
}

/// Counts a quantity to the period; what was used in it then. Waits until it is free, and holds it until the transaction
/// ends.
fn count(period: &Period, quantity: Amount) -> Amount {
    let Period { account, card, operation, dimensions, scope, start } = period;
    let rows = USE.run(&[account, card, operation, dimensions, scope, start, &quantity]);
    rows.first().expect("one row").get(1)
}

/// Holds the counter of a period and counts nothing; what was used in it.
pub fn hold(period: &Period) -> Amount {
    count(period, Amount::ZERO)
}

/// Counts a quantity to a period whose counter is held.
pub fn add(period: &Period, quantity: Amount) {
    count(period, quantity);
}

/// Counts a quantity to the period; what was used before it. Holds the counter until the transaction ends.
pub fn use_quantity(counter: Counter<'_>, quantity: Amount) -> Option<Amount> {
    count(&period(counter), quantity).checked_sub(quantity)
}
