//! A card's rates as they are and as they will be, and the usage that they price.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT4OID, NUMERICARRAYOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;
use rust_decimal::Decimal;

use super::statement::{Row, Statement};
use crate::convert;
use crate::domain::amount::Amount;
use crate::domain::exact::{self, Precision};
use crate::domain::rate::{Rate, Tier};
use crate::domain::reprice::Priced;

/// What a rate says, from column $first on: as texts, which lose no digit.
macro_rules! terms {
    () => {
        "credits::text, per::text, block, minimum::text, tier_from::text[], tier_credits::text[], tier_scope, unit_cost::text"
    };
}

static IN_FORCE: Statement = Statement::new(
    concat!(
        "SELECT ",
        terms!(),
        " FROM credit.rate WHERE card = $1 AND operation = $2 AND dimensions = $3::jsonb AND effective_at <= $4
             AND (ended_at IS NULL OR ended_at > $4)"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static WRITE_DRAFT: Statement = Statement::new(
    "INSERT INTO credit.rate_draft (rate, card, operation, dimensions, credits, per, block, minimum, tier_from, tier_credits,
         tier_scope, unit_cost, effective_at, created_at, created_by, note)
     VALUES (nextval('credit.rate_id'), $1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, session_user, $14)
     ON CONFLICT (card, operation, dimensions) DO UPDATE SET rate = EXCLUDED.rate, withdrawn = false, credits = EXCLUDED.credits,
         per = EXCLUDED.per, block = EXCLUDED.block, minimum = EXCLUDED.minimum, tier_from = EXCLUDED.tier_from,
         tier_credits = EXCLUDED.tier_credits, tier_scope = EXCLUDED.tier_scope, unit_cost = EXCLUDED.unit_cost,
         effective_at = EXCLUDED.effective_at, created_at = EXCLUDED.created_at, created_by = EXCLUDED.created_by, note = EXCLUDED.note
     RETURNING rate",
    &[
        TEXTOID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        BOOLOID,
        NUMERICOID,
        NUMERICARRAYOID,
        NUMERICARRAYOID,
        TEXTOID,
        NUMERICOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TEXTOID,
    ],
);

static CARD: Statement = Statement::new(
    "SELECT u.decimals, u.rounding, u.fiat_per_credit::text FROM credit.rate_card c JOIN credit.units u ON u.unit = c.unit WHERE c.card = $1",
    &[TEXTOID],
);

static AS_IT_WILL_BE: Statement = Statement::new(
    concat!(
        "SELECT ",
        terms!(),
        ", operation, dimensions::text FROM credit.rate_draft WHERE card = $1 AND NOT withdrawn
         UNION ALL
         SELECT ",
        terms!(),
        ", operation, dimensions::text FROM credit.rate r
         WHERE card = $1 AND effective_at <= credit.now() AND (ended_at IS NULL OR ended_at > credit.now())
             AND NOT EXISTS (SELECT FROM credit.rate_draft d
                 WHERE d.card = r.card AND d.operation = r.operation AND d.dimensions = r.dimensions)"
    ),
    &[TEXTOID],
);

// The lines of one posting, operation and rate are one priced quantity that several lots paid. Bands of a period count what was
// used in it before the days asked for, too, so then it is read from the beginning of the year.
static USAGE: Statement = Statement::new(
    "SELECT e.account, e.operation, COALESCE(e.dimensions, '{}')::text, sum(e.quantity), - sum(e.amount),
         date_trunc('day', local.at)::text, date_trunc('month', local.at)::text, date_trunc('quarter', local.at)::text,
         date_trunc('year', local.at)::text, e.occurred_at >= since.at
     FROM (SELECT credit.now() - make_interval(days => $2) AS at) AS since CROSS JOIN credit.entry e
         JOIN credit.rate r ON r.rate = e.rate JOIN credit.account a ON a.account = e.account,
         LATERAL (SELECT e.occurred_at AT TIME ZONE a.time_zone AS at) AS local
     WHERE e.kind = 'debit' AND r.card = $1 AND ($3 IS NULL OR e.account = $3)
         AND e.occurred_at >= CASE WHEN $4 THEN date_trunc('year', since.at AT TIME ZONE a.time_zone) AT TIME ZONE a.time_zone ELSE since.at END
     GROUP BY e.account, e.posting, e.operation, e.rate, e.dimensions, e.occurred_at, local.at, since.at
     ORDER BY e.account, e.occurred_at, e.posting",
    &[TEXTOID, INT4OID, TEXTOID, BOOLOID],
);

fn decimal(text: &str) -> Decimal {
    exact::parse_decimal(text).expect("a number that the table allows")
}

fn priced_of_row(row: &Row<'_>) -> Priced {
    let numbers = |column| -> Vec<String> { row.optional(column).unwrap_or_default() };
    let tiers = numbers(5)
        .iter()
        .zip(&numbers(6))
        .map(|(from, credits)| Tier { from: decimal(from), credits: decimal(credits) })
        .collect();
    let scope = row.optional::<String>(7).unwrap_or_else(|| "call".to_owned());
    let rate = Rate {
        credits: decimal(&row.get::<String>(1)),
        per: decimal(&row.get::<String>(2)),
        block: row.get(3),
        minimum: row.optional::<String>(4).map(|text| decimal(&text)),
        tiers,
        scope: scope.parse().expect("a scope that the table allows"),
    };
    Priced { rate, unit_cost: row.optional::<String>(8).map(|text| decimal(&text)) }
}

/// How a card's prices are written, and what one of its unit is worth.
pub struct CardTerms {
    pub precision: Precision,
    pub fiat_per_credit: Option<Decimal>,
}

/// `None` when there is no such card.
pub fn card(card: &str) -> Option<CardTerms> {
    let rows = CARD.read(&[&card]);
    rows.first().map(|row| CardTerms {
        precision: Precision {
            decimals: row.get::<i16>(1) as u32,
            rounding: row.get::<String>(2).parse().expect("a rounding that the table allows"),
        },
        fiat_per_credit: row.optional::<String>(3).map(|text| decimal(&text)),
    })
}

/// The version of a rate in force at an instant.
pub fn in_force(card: &str, operation: &str, dimensions: &str, at: DateTime<Utc>) -> Option<Priced> {
    IN_FORCE.run(&[&card, &operation, &dimensions, &at]).first().map(|row| priced_of_row(&row))
}

/// Which rate a draft is of, and when it is to begin.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub card: &'a str,
    pub operation: &'a str,
    pub dimensions: &'a str,
    pub effective_at: Option<DateTime<Utc>>,
}

/// Writes the draft of a rate, in place of another; its id.
pub fn write_draft(subject: Subject<'_>, priced: &Priced, note: &str, now: DateTime<Utc>) -> i64 {
    let number = |decimal: Decimal| convert::numeric_of_text(&decimal.to_string());
    let numbers = |of: fn(&Tier) -> Decimal| -> Option<Vec<AnyNumeric>> {
        (!priced.rate.tiers.is_empty()).then(|| priced.rate.tiers.iter().map(|tier| number(of(tier))).collect())
    };
    let rate = &priced.rate;
    let scope = (!rate.tiers.is_empty()).then(|| rate.scope.to_string());
    let rows = WRITE_DRAFT.run(&[
        &subject.card,
        &subject.operation,
        &subject.dimensions,
        &number(rate.credits),
        &number(rate.per),
        &rate.block,
        &rate.minimum.map(number),
        &numbers(|tier| tier.from),
        &numbers(|tier| tier.credits),
        &scope,
        &priced.unit_cost.map(number),
        &subject.effective_at,
        &now,
        &note,
    ]);
    rows.first().expect("the draft that was written").get(1)
}

/// A rate of a card as it will be once its drafts are published.
pub struct ComingRate {
    pub operation: String,
    pub dimensions: String,
    pub rate: Rate,
}

/// The drafts, and the rates in force that they leave.
pub fn as_it_will_be(card: &str) -> Vec<ComingRate> {
    let rows = AS_IT_WILL_BE.read(&[&card]);
    let coming = |row: Row<'_>| ComingRate { operation: row.get(9), dimensions: row.get(10), rate: priced_of_row(&row).rate };
    rows.iter().map(coming).collect()
}

/// A quantity that a rate of the card priced.
pub struct Usage {
    pub account: String,
    pub operation: String,
    pub dimensions: String,
    pub quantity: Amount,
    pub charged: Amount,
    /// The local day, month, quarter and year it falls into.
    pub periods: [String; 4],
    /// It falls into the days asked for; else it only counts for what came before them.
    pub counts: bool,
}

/// What a card priced in the last days, by account and in the order of use.
pub fn usage(card: &str, days: i32, account: Option<&str>, with_earlier: bool) -> Vec<Usage> {
    let rows = USAGE.read(&[&card, &days, &account, &with_earlier]);
    rows.iter()
        .map(|row| Usage {
            account: row.get(1),
            operation: row.get(2),
            dimensions: row.get(3),
            quantity: row.get(4),
            charged: row.get(5),
            periods: [row.get(6), row.get(7), row.get(8), row.get(9)],
            counts: row.get(10),
        })
        .collect()
}
