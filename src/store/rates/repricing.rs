//! A card's rates as they are and as they will be with their drafts, and the usage that they price.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT4OID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::rates::dimensions::Dimensions;
use crate::domain::rates::replay::{Offer, Use};
use crate::domain::rates::reprice::Priced;
use crate::store::rates::{dimensions, terms, terms_of_row};
use crate::store::statement::{Row, Statement};

static IN_FORCE: Statement = Statement::by_index(
    concat!(
        "SELECT unit_cost, ",
        terms!(),
        " FROM credit.rate WHERE card = $1 AND operation = $2 AND dimensions = $3::jsonb AND effective_at <= $4
             AND (ended_at IS NULL OR ended_at > $4)"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static FIAT_PER_CREDIT: Statement = Statement::new("SELECT fiat_per_credit FROM credit.units WHERE unit = $1", &[TEXTOID]);

static AS_IT_WILL_BE: Statement = Statement::new(
    concat!(
        "SELECT operation, dimensions::text, ",
        terms!(),
        " FROM credit.rate_draft WHERE card = $1 AND NOT withdrawn
         UNION ALL
         SELECT operation, dimensions::text, ",
        terms!(),
        " FROM credit.rate r
         WHERE card = $1 AND effective_at <= credit.now() AND (ended_at IS NULL OR ended_at > credit.now())
             AND NOT EXISTS (SELECT FROM credit.rate_draft d
                 WHERE d.card = r.card AND d.operation = r.operation AND d.dimensions = r.dimensions)"
    ),
    &[TEXTOID],
);

// The lines of one posting, operation and rate are one priced quantity that several lots paid. Bands of a period count what was
// used in it before the days asked for, too, so then it is read from the beginning of the year. Credits that were given back
// count as not used: a part of the price with the same part of the quantity, or with the quantity that was given back, if that is
// more.
static USAGE: Statement = Statement::new(
    "SELECT e.account, e.operation, COALESCE(e.dimensions, '{}')::text, round(sum(LEAST(e.quantity - COALESCE(c.quantity, 0),
             CASE WHEN c.given_back > 0 THEN e.quantity * (1 + c.given_back / e.amount) ELSE e.quantity END)), 9),
         - sum(e.amount + COALESCE(c.given_back, 0)),
         date_trunc('day', local.at)::text, date_trunc('month', local.at)::text, date_trunc('quarter', local.at)::text,
         date_trunc('year', local.at)::text, e.occurred_at >= since.at
     FROM (SELECT credit.now() - make_interval(days => $2) AS at) AS since CROSS JOIN credit.entry e
         JOIN credit.rate r ON r.rate = e.rate JOIN credit.account a ON a.account = e.account
         LEFT JOIN credit.correction c ON c.account = e.account AND c.posting = e.posting AND c.line = e.line,
         LATERAL (SELECT e.occurred_at AT TIME ZONE a.time_zone AS at) AS local
     WHERE e.kind = 'debit' AND r.card = $1 AND ($3 IS NULL OR e.account = $3)
         AND e.occurred_at >= CASE WHEN $4 THEN date_trunc('year', since.at AT TIME ZONE a.time_zone) AT TIME ZONE a.time_zone
             ELSE since.at END
     GROUP BY e.account, e.posting, e.operation, e.rate, e.dimensions, e.occurred_at, local.at, since.at
     HAVING sum(e.amount + COALESCE(c.given_back, 0)) <> 0 OR bool_and(c.line IS NULL)
     ORDER BY e.account, e.occurred_at, e.posting",
    &[TEXTOID, INT4OID, TEXTOID, BOOLOID],
);

/// The version of a rate in force at an instant, with its cost.
pub fn in_force(card: &str, operation: &str, dimensions: &Dimensions, at: DateTime<Utc>) -> Option<Priced> {
    let rows = IN_FORCE.run(&[&card, &operation, &dimensions.to_json(), &at]);
    rows.first().map(|row| Priced { unit_cost: row.optional(1), rate: terms_of_row(&row, 2) })
}

/// The worth of one of a unit in money now.
pub fn fiat_per_credit(unit: &str) -> Option<Decimal> {
    FIAT_PER_CREDIT.run(&[&unit]).first().and_then(|row| row.optional(1))
}

/// The drafts of a card, and the rates in force that they leave.
pub fn as_it_will_be(card: &str) -> Vec<Offer> {
    let rows = AS_IT_WILL_BE.read(&[&card]);
    let offer = |row: Row<'_>| Offer {
        operation: row.get(1),
        dimensions: dimensions(&row.get::<String>(2)),
        rate: terms_of_row(&row, 3),
    };
    rows.iter().map(offer).collect()
}

/// The usage that a card priced in the last days, by account and in the order of use; with what came before in the same year if
/// asked for.
pub fn usage(card: &str, days: i32, account: Option<&str>, with_earlier: bool) -> Vec<Use> {
    let rows = USAGE.read(&[&card, &days, &account, &with_earlier]);
    let usage = |row: Row<'_>| Use {
        account: row.get(1),
        operation: row.get(2),
        dimensions: dimensions(&row.get::<String>(3)),
        quantity: row.get::<Amount>(4),
        charged: row.get::<Amount>(5),
        periods: [row.get(6), row.get(7), row.get(8), row.get(9)],
        counts: row.get(10),
    };
    rows.iter().map(usage).collect()
}
