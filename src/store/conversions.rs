//! The table `credit.conversion`, and the lots that a conversion opens.
//!
//! Shares and prices are computed by SQL's numeric, which is exact: whole steps of the unit are divided, and quotients cut, by
//! div() and %.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT4OID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use super::statement::Statement;
use crate::domain::amount::Amount;

static WORTH: Statement = Statement::new(
    "SELECT f.currency, f.fiat_per_credit, t.currency, t.fiat_per_credit, t.decimals::integer, t.rounding
     FROM credit.units f, credit.units t WHERE f.unit = $1 AND t.unit = $2",
    &[TEXTOID, TEXTOID],
);

// $2 lots, $3 what each gives, $4 what each held before, $5 / $6 the rate, $7 the decimals and $8 the rounding of the new unit.
// The largest remainders get the steps that are left; a share that would be nothing gets one step of the largest.
// A lot's price lies along it from 0 to granted: what leaves the lot takes its stretch of it along, so the stretches add up.
static SHARES: Statement = Statement::new(
    "WITH share AS (
         SELECT v.share, v.lot, v.amount, l.paid, l.granted, GREATEST(l.granted - v.held, 0) AS begins,
             GREATEST(l.granted - v.held + v.amount, 0) AS ends
         FROM unnest($2::bigint[], $3::numeric[], $4::numeric[]) WITH ORDINALITY AS v (lot, amount, held, share)
             JOIN credit.lot l ON l.account = $1 AND l.lot = v.lot
     ), whole AS (
         SELECT sum(amount) AS total, sum(amount) * $5 * 10::numeric ^ $7 AS n, $6::numeric AS d FROM share
     ), rounded AS (
         SELECT total, div(n, d) + CASE
             WHEN $8 = 'up' AND n % d > 0 OR $8 = 'half_up' AND 2 * (n % d) >= d
                 OR $8 = 'half_even' AND (2 * (n % d) > d OR 2 * (n % d) = d AND div(n, d) % 2 = 1) THEN 1 ELSE 0 END AS steps
         FROM whole
     ), dealt AS (
         SELECT s.*, r.steps AS all_steps, div(r.steps * s.amount, r.total) + CASE WHEN row_number() OVER (
                 ORDER BY (r.steps * s.amount) % r.total DESC, s.share) <= r.steps - sum(div(r.steps * s.amount, r.total)) OVER ()
             THEN 1 ELSE 0 END AS steps
         FROM share s, rounded r
     ), raised AS (
         SELECT d.*, CASE WHEN row_number() OVER (ORDER BY d.steps DESC, d.share) = 1 THEN d.steps - count(*) FILTER (WHERE d.steps = 0) OVER ()
             ELSE GREATEST(d.steps, 1) END AS given
         FROM dealt d
     )
     SELECT lot, amount, trim_scale(given * 0.1 ^ $7),
         trim_scale((div(paid * 1000000000 * LEAST(ends, granted), granted) - div(paid * 1000000000 * LEAST(begins, granted), granted)) * 0.000000001),
         trim_scale(all_steps * 0.1 ^ $7), given > 0
     FROM raised ORDER BY share",
    &[TEXTOID, INT8ARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, NUMERICOID, NUMERICOID, INT4OID, TEXTOID],
);

static WRITE: Statement = Statement::new(
    "WITH part AS MATERIALIZED (
         SELECT v.part::integer AS part, v.lot, v.given, v.got, v.paid, nextval('credit.lot_id') AS opened
         FROM unnest($3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[]) WITH ORDINALITY AS v (lot, given, got, paid, part)
         ORDER BY v.part
     ), lot AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, parent, metadata, recorded_at, recorded_by, posted)
         SELECT l.account, p.opened, $8, l.member, l.category, l.source, l.priority, p.got, p.paid, l.currency, trim_scale(p.paid / p.got),
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
    ],
);

static QUOTIENT: Statement =
    Statement::new("SELECT trim_scale(round($1 / $2, 18)), round($1 / $2, 18) > 0", &[NUMERICOID, NUMERICOID]);

/// What one of each unit is worth, and how amounts of the new one are written.
pub struct Worth {
    pub from_currency: Option<String>,
    pub from_fiat: Option<AnyNumeric>,
    pub to_currency: Option<String>,
    pub to_fiat: Option<AnyNumeric>,
    pub decimals: i32,
    pub rounding: String,
}

/// `None` when one of the units does not exist.
pub fn worth(from_unit: &str, to_unit: &str) -> Option<Worth> {
    let rows = WORTH.run(&[&from_unit, &to_unit]);
    rows.first().map(|row| Worth {
        from_currency: row.optional(1),
        from_fiat: row.optional(2),
        to_currency: row.optional(3),
        to_fiat: row.optional(4),
        decimals: row.get(5),
        rounding: row.get(6),
    })
}

/// A quotient to 18 decimals, for people; `None` when that is nothing.
pub fn quotient(numerator: &AnyNumeric, denominator: &AnyNumeric) -> Option<AnyNumeric> {
    let rows = QUOTIENT.run(&[numerator, denominator]);
    rows.first().filter(|row| row.get(2)).map(|row| row.get(1))
}

/// What a lot gives and held before.
pub struct Given {
    pub lot: i64,
    pub amount: Amount,
    pub held: Amount,
}

/// What a lot gives, and what is opened for it.
pub struct Part {
    pub lot: i64,
    pub given: AnyNumeric,
    pub got: AnyNumeric,
    pub paid: Option<AnyNumeric>,
    /// What all parts get together.
    pub whole: AnyNumeric,
    /// It gets something.
    pub is_something: bool,
}

/// What the lots' amounts become at the rate numerator / denominator, rounded once as a whole.
pub fn parts(account: &str, given: &[Given], rate: (&AnyNumeric, &AnyNumeric), decimals: i32, rounding: &str) -> Vec<Part> {
    let lots: Vec<_> = given.iter().map(|given| given.lot).collect();
    let amounts: Vec<_> = given.iter().map(|given| given.amount).collect();
    let held: Vec<_> = given.iter().map(|given| given.held).collect();
    let rows = SHARES.run(&[&account, &lots, &amounts.as_slice(), &held.as_slice(), rate.0, rate.1, &decimals, &rounding]);
    rows.iter()
        .map(|row| Part {
            lot: row.get(1),
            given: row.get(2),
            got: row.get(3),
            paid: row.optional(4),
            whole: row.get(5),
            is_something: row.get(6),
        })
        .collect()
}

/// What a conversion's posting says as a whole.
pub struct Conversion<'a> {
    pub account: &'a str,
    pub posting: i64,
    pub from_unit: &'a str,
    pub to_unit: &'a str,
    pub rate: &'a AnyNumeric,
    pub metadata: Option<&'a str>,
}

/// Opens the new lots with the terms of those that give, and writes the entries and the rate.
pub fn write(conversion: &Conversion<'_>, parts: &[Part], now: DateTime<Utc>) {
    let Conversion { account, posting, from_unit, to_unit, rate, metadata } = conversion;
    let lots: Vec<_> = parts.iter().map(|part| part.lot).collect();
    let given: Vec<_> = parts.iter().map(|part| part.given.clone()).collect();
    let got: Vec<_> = parts.iter().map(|part| part.got.clone()).collect();
    let paid: Vec<_> = parts.iter().map(|part| part.paid.clone()).collect();
    let written = WRITE.run(&[account, posting, &lots, &given, &got, &paid, from_unit, to_unit, *rate, metadata, &now]);
    assert_eq!(written.count(), 1, "conversion {posting}");
}
