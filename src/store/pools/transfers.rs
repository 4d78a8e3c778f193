//! The lots and entries of a transfer, and the policy that allows it.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLARRAYOID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::amount::Amount;
use crate::domain::pools::rebalance::Seat;
use crate::domain::pools::transfers::Transfers;
use crate::store::ledger::lots;
use crate::store::statement::{Row, Snapshot, Statement};
use crate::values;

static POLICY: Statement = Statement::by_index("SELECT transfers FROM credit.account WHERE account = $1", &[TEXTOID]);

// Nothing is recorded before it happened: the second condition on the entries lets the index on recorded_at serve.
static SEATS: Statement = Statement::new(
    "SELECT m.member, m.department, m.active, LEAST(COALESCE(own.held, 0), 999999999999999.999999999),
         LEAST(COALESCE(usage.used, 0), 999999999999999.999999999)
     FROM credit.member m
     LEFT JOIN (
         SELECT l.member, sum(s.remaining) AS held FROM credit.lot l JOIN credit.slot s ON s.account = l.account AND s.lot = l.lot
         WHERE l.account = $1 AND l.unit = $2 AND NOT l.closed AND l.member IS NOT NULL AND l.applies_to IS NULL
             AND l.effective_at <= $4
             AND COALESCE(l.expires_at, 'infinity') > $4 GROUP BY l.member) own ON own.member = m.member
     LEFT JOIN (
         SELECT e.member, - sum(e.amount + COALESCE(c.given_back, 0)) AS used
         FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
         LEFT JOIN credit.correction c ON c.account = e.account AND c.posting = e.posting AND c.line = e.line
         WHERE e.account = $1 AND l.unit = $2 AND e.kind = 'debit' AND e.occurred_at > $3 AND e.recorded_at > $3
             AND e.occurred_at <= $4
         GROUP BY e.member) usage ON usage.member = m.member
     WHERE m.account = $1 ORDER BY m.member",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

// The line of the giver's lot has the giver's department, that of the receiver's lot the receiver's.
static WRITE: Statement = Statement::new(
    "WITH part AS MATERIALIZED (
         SELECT v.part::integer AS part, v.lot, v.amount, v.paid, v.diluted, v.opened
         FROM unnest($3::bigint[], $4::numeric[], $8::numeric[], $9::boolean[], $10::bigint[]) WITH ORDINALITY
             AS v (lot, amount, paid, diluted, opened, part)
     ), lot AS (
         INSERT INTO credit.lot (account, lot, unit, member, category, source, priority, granted, paid, currency, cost_basis,
             applies_to, effective_at, expires_at, parent, metadata, recorded_at, recorded_by, posted)
         SELECT l.account, p.opened, l.unit, $5, l.category, 'transfer', l.priority, p.amount,
             CASE WHEN p.paid = l.paid THEN l.paid ELSE p.paid END, l.currency,
             CASE WHEN p.diluted THEN trim_scale(p.paid / p.amount) ELSE l.cost_basis END, l.applies_to, l.effective_at,
                 l.expires_at, l.lot, COALESCE($6::jsonb, l.metadata), $7, session_user, true
         FROM part p JOIN credit.lot l ON l.account = $1 AND l.lot = p.lot
     ), slot AS (
         INSERT INTO credit.slot (account, lot, slot, remaining) SELECT $1, opened, 0, amount FROM part
     )
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
         recorded_by, metadata, posted)
     SELECT $1, $2, v.line, v.kind, v.amount, v.lot, v.member,
         (SELECT m.department FROM credit.member m WHERE m.account = $1 AND m.member = v.member), $7, $7, session_user, $6::jsonb,
             true
     FROM part p JOIN credit.lot l ON l.account = $1 AND l.lot = p.lot,
         LATERAL (VALUES (p.part, 'move_out', - p.amount, p.lot, l.member),
             (p.part + cardinality($3::bigint[]), 'move_in', p.amount, p.opened, $5)) AS v (line, kind, amount, lot, member)",
    &[
        TEXTOID,
        INT8OID,
        INT8ARRAYOID,
        NUMERICARRAYOID,
        TEXTOID,
        TEXTOID,
        TIMESTAMPTZOID,
        NUMERICARRAYOID,
        BOOLARRAYOID,
        INT8ARRAYOID,
    ],
);

/// Every member with what they hold of their own, usable now and for any operation, and what they used since `begin`.
pub fn seats(account: &str, unit: &str, begin: DateTime<Utc>, now: DateTime<Utc>, snapshot: Snapshot) -> Vec<Seat> {
    let rows = SEATS.execute(snapshot, &[&account, &unit, &begin, &now]);
    let seat = |row: Row<'_>| Seat {
        member: row.get(1),
        department: row.optional(2),
        active: row.get(3),
        held: row.get(4),
        used: row.get(5),
    };
    rows.iter().map(seat).collect()
}

/// The credits that a lot gives.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub lot: i64,
    pub amount: Amount,
    /// The part of the lot's price that goes along.
    pub paid: Option<Amount>,
    /// Credits without a price are among it.
    pub is_diluted: bool,
}

/// The transfers that the account allows.
pub fn policy(account: &str, snapshot: Snapshot) -> Transfers {
    let name: String = POLICY.execute(snapshot, &[&account]).first().expect("an account that was found").get(1);
    Transfers::of_name(&name).expect("a policy that the table allows")
}

/// Opens the receiver's lots, of a member or of the pool, and writes the entries.
pub fn write(account: &str, posting: i64, parts: &[Part], to: Option<&str>, metadata: Option<&str>, now: DateTime<Utc>) {
    let from: Vec<_> = parts.iter().map(|part| part.lot).collect();
    let amounts: Vec<_> = parts.iter().map(|part| values::numeric(part.amount)).collect();
    let paid: Vec<_> = parts.iter().map(|part| part.paid.map(values::numeric)).collect();
    let diluted: Vec<bool> = parts.iter().map(|part| part.is_diluted).collect();
    let opened = lots::next_ids(parts.len());
    let written = WRITE.run(&[&account, &posting, &from, &amounts, &to, &metadata, &now, &paid, &diluted, &opened]);
    assert_eq!(written.count(), 2 * parts.len(), "the entries of transfer {posting}");
}
