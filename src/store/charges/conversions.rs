//! The table `credit.conversion`, and the lots that a conversion opens.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::charges::conversion::Got;
use crate::store::ledger::lots;
use crate::store::statement::Statement;
use crate::values;

static WORTH: Statement = Statement::new(
    "SELECT f.currency, f.fiat_per_credit, t.currency, t.fiat_per_credit, t.decimals
     FROM credit.units f, credit.units t WHERE f.unit = $1 AND t.unit = $2",
    &[TEXTOID, TEXTOID],
);

static WRITE: Statement = Statement::new(
    "WITH part AS MATERIALIZED (
         SELECT v.part::integer AS part, v.lot, v.given, v.got, v.paid, v.opened
         FROM unnest($3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[], $12::bigint[]) WITH ORDINALITY
             AS v (lot, given, got, paid, opened, part)
     ), lot AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, parent, metadata, recorded_at, recorded_by, posted)
         SELECT l.account, p.opened, $8, l.member, l.category, l.source, l.priority, p.got, p.paid, l.currency,
             trim_scale(p.paid / p.got),
             l.applies_to, l.effective_at, l.expires_at, l.lot, COALESCE($10::jsonb, l.metadata), $11, session_user, true
         FROM part p JOIN credit.lot l ON l.account = $1 AND l.lot = p.lot
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) SELECT $1, opened, 0, got FROM part
     ), entry AS (
         INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
             recorded_by, metadata, posted)
         SELECT $1, $2, v.line, v.kind, v.amount, v.lot, l.member, m.department, $11, $11, session_user, $10::jsonb, true
         FROM part p JOIN credit.lot l ON l.account = $1 AND l.lot = p.lot
             LEFT JOIN credit.member m ON m.account = $1 AND m.member = l.member,
             LATERAL (VALUES (p.part, 'convert_out', - p.given, p.lot),
                 (p.part + cardinality($3::bigint[]), 'convert_in', p.got, p.opened)) AS v (line, kind, amount, lot)
     )
     INSERT INTO credit.conversion (account, posting, from_unit, to_unit, from_amount, to_amount, rate, recorded_at, recorded_by)
     SELECT $1, $2, $7, $8, trim_scale(sum(given)), trim_scale(sum(got)), $9, $11, session_user FROM part",
    &[
        TEXTOID,
        INT8OID,
        INT8ARRAYOID,
        NUMERICARRAYOID,
        NUMERICARRAYOID,
        NUMERICARRAYOID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        TEXTOID,
        TIMESTAMPTZOID,
        INT8ARRAYOID,
    ],
);

/// The worth of one of each unit, and how many decimals the new one has.
pub struct Worth {
    pub from_currency: Option<String>,
    /// The value of one of the old unit, in its currency.
    pub from_fiat: Option<Decimal>,
    pub to_currency: Option<String>,
    /// The value of one of the new unit, in its currency.
    pub to_fiat: Option<Decimal>,
    /// Of the new unit.
    pub decimals: u32,
}

/// `None` when one of the units does not exist.
pub fn worth(from_unit: &str, to_unit: &str) -> Option<Worth> {
    let rows = WORTH.run(&[&from_unit, &to_unit]);
    rows.first().map(|row| Worth {
        from_currency: row.optional(1),
        from_fiat: row.optional(2),
        to_currency: row.optional(3),
        to_fiat: row.optional(4),
        decimals: row.get::<i16>(5) as u32,
    })
}

/// The credits that a lot gives, and the lot that is opened for them.
pub struct Part {
    pub lot: i64,
    /// The credits that the lot gives.
    pub given: Amount,
    /// The lot that is opened.
    pub got: Got,
}

/// A conversion's posting as a whole.
pub struct Conversion<'a> {
    pub account: &'a str,
    pub posting: i64,
    pub from_unit: &'a str,
    pub to_unit: &'a str,
    /// How much of the new unit one of the old becomes.
    pub rate: Decimal,
    pub metadata: Option<&'a str>,
}

/// Opens the new lots with the terms of those that give, and writes the entries and the rate.
pub fn write(conversion: &Conversion<'_>, parts: &[Part], now: DateTime<Utc>) {
    let Conversion { account, posting, from_unit, to_unit, rate, metadata } = conversion;
    let from: Vec<_> = parts.iter().map(|part| part.lot).collect();
    let given: Vec<_> = parts.iter().map(|part| values::numeric(part.given)).collect();
    let got: Vec<_> = parts.iter().map(|part| values::numeric(part.got.amount)).collect();
    let paid: Vec<_> = parts.iter().map(|part| part.got.paid.map(values::numeric)).collect();
    let opened = lots::next_ids(parts.len());
    let written = WRITE.run(&[account, posting, &from, &given, &got, &paid, from_unit, to_unit, rate, metadata, &now, &opened]);
    assert_eq!(written.count(), 1, "conversion {posting}");
}
