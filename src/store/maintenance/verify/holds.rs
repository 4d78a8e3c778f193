//! The proof of holds: what was held was captured, is open, or went back; captures are in the ledger; a settled hold has nothing.

use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "WITH holds AS MATERIALIZED (
         SELECT * FROM credit.hold WHERE $1 IS NULL OR account = $1
     ), parts AS MATERIALIZED (
         SELECT h.account, h.hold, h.state, h.unit, h.held_at, h.member, h.operation, p.lot, p.pooled, p.held, p.captured, p.open
         FROM holds h, LATERAL unnest(h.lots, h.pooled, h.held, h.captured, h.open) AS p (lot, pooled, held, captured, open)
     ), captures AS MATERIALIZED (
         SELECT account, hold, lot, - sum(amount) AS amount, max(posting) AS posting, min(posting) AS first_posting,
             min(recorded_at) AS first,
             max(recorded_at) AS last, count(*) FILTER (WHERE kind <> 'debit') AS others
         FROM credit.entry WHERE hold IS NOT NULL AND ($1 IS NULL OR account = $1) GROUP BY account, hold, lot
     )
     SELECT 'what was held was captured, is open or went back' AS invariant, account, lot, '0 to ' || held,
         captured || ' captured and ' || open || ' open of hold ' || hold
     FROM parts WHERE NOT COALESCE(held > 0 AND captured >= 0 AND open >= 0 AND captured + open <= held
         AND (state <> 'open' OR captured + open = held), false)
     UNION ALL
     SELECT 'a settled hold has nothing', account, lot, '0', open || ' open of hold ' || hold FROM parts
     WHERE state <> 'open' AND open <> 0
     UNION ALL
     SELECT 'a hold has the sum of its parts', h.account, NULL, h.amount::text, COALESCE(sum(p.held), 0) || ' of hold ' || h.hold
     FROM holds h LEFT JOIN parts p ON p.account = h.account AND p.hold = h.hold GROUP BY h.account, h.hold, h.amount
     HAVING h.amount IS DISTINCT FROM COALESCE(sum(p.held), 0)
     UNION ALL
     SELECT 'a hold takes each lot once, and each has all its figures', account, NULL, 'as many of each',
         concat_ws(' ', cardinality(lots), cardinality(pooled), cardinality(held), cardinality(captured), cardinality(open),
             'of hold', hold)
     FROM holds WHERE cardinality(lots) <> ALL (ARRAY[cardinality(pooled), cardinality(held), cardinality(captured),
             cardinality(open)]) OR NOT (cardinality(lots) = cardinality(pooled) AND cardinality(lots) = cardinality(held)
             AND cardinality(lots) = cardinality(captured) AND cardinality(lots) = cardinality(open))
         OR (SELECT count(DISTINCT lot) FROM unnest(lots) AS lot) <> cardinality(lots)
     UNION ALL
     SELECT 'what was captured of a hold is in the ledger', p.account, p.lot, p.captured::text,
         COALESCE(c.amount, 0) || ' of hold ' || p.hold
     FROM parts p LEFT JOIN captures c ON c.account = p.account AND c.hold = p.hold AND c.lot = p.lot
     -- What goes beyond a hold may be paid by the same lots.
     WHERE COALESCE(c.amount, 0) < p.captured
         OR COALESCE(c.amount, 0) > p.captured AND (p.captured < p.held AND p.open > 0 OR p.state IN ('released', 'expired')
             AND p.captured < p.held)
     UNION ALL
     SELECT 'a line that captures names a hold of its account', c.account, c.lot, 'a hold', 'none of id ' || c.hold
     FROM captures c LEFT JOIN holds h ON h.account = c.account AND h.hold = c.hold
     WHERE h.hold IS NULL OR c.others > 0 OR h.posting IS NULL
     UNION ALL
     SELECT 'a hold knows its last capture', h.account, NULL, max(c.posting)::text, h.posting || ' of hold ' || h.hold
     FROM holds h JOIN captures c ON c.account = h.account AND c.hold = h.hold
     GROUP BY h.account, h.hold, h.posting
     -- A capture has its posting before it locks the hold: that of the last one need not be the highest.
     HAVING NOT COALESCE(h.posting BETWEEN min(c.first_posting) AND max(c.posting), false)
     UNION ALL
     SELECT 'a hold takes lots of its account and unit', p.account, p.lot,
         p.unit || CASE WHEN p.pooled THEN ', pooled' ELSE '' END,
         COALESCE(l.unit || CASE WHEN l.member IS NULL THEN ', pooled' ELSE ' of ' || l.member END, 'no lot')
             || ' in hold ' || p.hold
     FROM parts p LEFT JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
     WHERE (l.unit, l.member IS NULL) IS DISTINCT FROM (p.unit, p.pooled) OR l.member <> p.member
         OR l.member IS NOT NULL AND p.member IS NULL
         OR l.applies_to IS NOT NULL AND NOT COALESCE(p.operation = ANY (l.applies_to), false)
         OR p.held_at < l.effective_at OR p.held_at >= l.expires_at
     UNION ALL
     SELECT 'a hold is held, and settled, in this order', account, NULL, held_at::text,
         concat_ws(' ', expires_at, settled_at, 'of hold', hold)
     FROM holds WHERE expires_at <= held_at OR settled_at < held_at
         OR state = 'expired' AND settled_at IS DISTINCT FROM expires_at",
);
