//! A card's published rates as a document and as rows for people.

use pgrx::pg_sys::{BOOLOID, TEXTOID};
use rust_decimal::Decimal;

use crate::store::statement::Statement;

// An interval's text depends on a setting of the session, so it is written out here. NULLs mean "not there".
static DOCUMENT: Statement = Statement::new(
    "SELECT jsonb_strip_nulls(jsonb_build_object(
         'format', 'pg_credit rate card 1', 'card', c.card, 'is_default', c.is_default, 'agreement', c.agreement, 'note', c.note,
         'notice', COALESCE(NULLIF(concat_ws(' ',
             NULLIF(EXTRACT(year FROM c.notice) * 12 + EXTRACT(month FROM c.notice), 0) || ' months',
             NULLIF(EXTRACT(day FROM c.notice), 0) || ' days',
             trim_scale(NULLIF(EXTRACT(hour FROM c.notice) * 3600 + EXTRACT(minute FROM c.notice) * 60 + EXTRACT(second
                 FROM c.notice), 0))
                 || ' seconds'), ''), '0 days'),
         'unit', (SELECT jsonb_build_object('unit', u.unit, 'decimals', u.decimals, 'rounding', u.rounding, 'currency',
             u.currency,
                 'fiat_per_credit', CASE u.kind WHEN 'abstract' THEN u.fiat_per_credit END)
             FROM credit.units u WHERE u.unit = c.unit),
         'rates', COALESCE((SELECT jsonb_agg(jsonb_build_object(
                 'operation', r.operation, 'dimensions', NULLIF(r.dimensions, '{}'), 'credits', trim_scale(r.credits),
                 'per', trim_scale(r.per), 'block', NULLIF(r.block, false), 'minimum', trim_scale(r.minimum),
                 'tiers', (SELECT jsonb_agg(jsonb_build_object('from', trim_scale(t.above), 'credits', trim_scale(t.credits))
                     ORDER BY t.above)
                     FROM unnest(r.tier_from, r.tier_credits) AS t (above, credits)),
                 'tier_scope', r.tier_scope, 'unit_cost', CASE WHEN $2 THEN trim_scale(r.unit_cost) END, 'note', r.note)
                 ORDER BY r.operation, r.dimensions)
             FROM credit.rate r WHERE r.card = c.card AND r.effective_at <= credit.now()
                 AND (r.ended_at IS NULL OR r.ended_at > credit.now())),
             '[]')))::text
     FROM credit.rate_card c WHERE c.card = $1",
    &[TEXTOID, BOOLOID],
);

static UNIT: Statement = Statement::new(
    "SELECT u.unit, u.currency, trim_scale(u.fiat_per_credit)::text FROM credit.rate_card c JOIN credit.units u ON u.unit = c.unit
     WHERE c.card = $1",
    &[TEXTOID],
);

static ROWS: Statement = Statement::new(
    "SELECT t.operation,
         (SELECT string_agg(d.key || '=' || d.value, ', ' ORDER BY d.key) FROM jsonb_each_text(t.dimensions) AS d),
         t.credits::text, t.per::text, t.block, t.minimum::text, t.tiers, t.tier_scope,
             trim_scale(round(t.units_per_credit, 6))::text,
         trim_scale(round(t.fiat_per_unit, 12))::text,
         to_char(t.since AT TIME ZONE 'UTC', 'YYYY-MM-DD'), t.next_credits::text, t.next_per::text,
         to_char(t.next_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
     FROM credit.conversion_table t WHERE t.card = $1 ORDER BY t.operation, t.dimensions",
    &[TEXTOID],
);

/// The rates of a card in force now as JSON; `None` when there is no such card.
pub fn document(card: &str, costs: bool) -> Option<String> {
    DOCUMENT.read(&[&card, &costs]).first().map(|row| row.get(1))
}

static UNIT_HERE: Statement = Statement::new(
    "SELECT decimals, rounding, currency, CASE kind WHEN 'abstract' THEN fiat_per_credit END FROM credit.units WHERE unit = $1",
    &[TEXTOID],
);

/// A unit as it is here.
pub struct UnitHere {
    pub decimals: i16,
    pub rounding: String,
    pub currency: Option<String>,
    /// The worth of a credit of an abstract unit now.
    pub abstract_fiat: Option<Decimal>,
}

/// `None` when there is no such unit.
pub fn unit(unit: &str) -> Option<UnitHere> {
    let rows = UNIT_HERE.run(&[&unit]);
    rows.first().map(|row| UnitHere {
        decimals: row.get(1),
        rounding: row.get(2),
        currency: row.optional(3),
        abstract_fiat: row.optional(4),
    })
}

/// The unit of a card, and what one of it is worth.
pub struct CardUnit {
    pub unit: String,
    pub currency: Option<String>,
    pub fiat_per_credit: Option<String>,
}

/// `None` when there is no such card.
pub fn unit_of_card(card: &str) -> Option<CardUnit> {
    let rows = UNIT.read(&[&card]);
    rows.first().map(|row| CardUnit { unit: row.get(1), currency: row.optional(2), fiat_per_credit: row.optional(3) })
}

/// A published rate, its numbers as texts; dates in UTC.
pub struct PublishedRate {
    pub operation: String,
    pub dimensions: Option<String>,
    pub credits: String,
    pub per: String,
    pub block: bool,
    pub minimum: Option<String>,
    pub tiers: Option<String>,
    pub tier_scope: Option<String>,
    pub units_per_credit: Option<String>,
    pub fiat_per_unit: Option<String>,
    pub since: String,
    pub next_credits: Option<String>,
    pub next_per: Option<String>,
    pub next_on: Option<String>,
}

/// The rates of a card in force now, by operation.
pub fn published(card: &str) -> Vec<PublishedRate> {
    let rows = ROWS.read(&[&card]);
    rows.iter()
        .map(|row| PublishedRate {
            operation: row.get(1),
            dimensions: row.optional(2),
            credits: row.get(3),
            per: row.get(4),
            block: row.get(5),
            minimum: row.optional(6),
            tiers: row.optional(7),
            tier_scope: row.optional(8),
            units_per_credit: row.optional(9),
            fiat_per_unit: row.optional(10),
            since: row.get(11),
            next_credits: row.optional(12),
            next_per: row.optional(13),
            next_on: row.optional(14),
        })
        .collect()
}
