//! The proof of lots: their slots, their lines, and what a move keeps.

use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     ), slots AS MATERIALIZED (
         SELECT account, lot, sum(remaining) AS remaining, count(*) AS slots, min(remaining) AS least,
             min(slot) AS first, max(slot) AS last
         FROM credit.slot WHERE $1 IS NULL OR account = $1 GROUP BY account, lot
     ), entries AS MATERIALIZED (
         SELECT account, lot, sum(amount) AS amount, count(*) FILTER (WHERE kind IN ('grant', 'move_in', 'convert_in',
             'roll_in')) AS grants,
             sum(amount) FILTER (WHERE kind IN ('grant', 'move_in', 'convert_in', 'roll_in')) AS granted
         FROM credit.entry WHERE $1 IS NULL OR account = $1 GROUP BY account, lot
     )
     SELECT 'a lot''s slots hold what its entries add up to' AS invariant, COALESCE(e.account, s.account) AS account,
         COALESCE(e.lot, s.lot) AS lot, COALESCE(e.amount, 0)::text AS expected,
         COALESCE(s.remaining, 0) || COALESCE(' and ' || h.open || ' held', '') AS found
     FROM entries e FULL JOIN slots s ON s.account = e.account AND s.lot = e.lot
     LEFT JOIN (SELECT h.account, o.lot, sum(o.open) AS open FROM credit.hold h, LATERAL unnest(h.lots, h.open) AS o (lot, open)
         WHERE $1 IS NULL OR h.account = $1 GROUP BY h.account, o.lot) h
         ON h.account = COALESCE(e.account, s.account) AND h.lot = COALESCE(e.lot, s.lot)
     WHERE COALESCE(e.amount, 0) <> COALESCE(s.remaining, 0) + COALESCE(h.open, 0)
     UNION ALL
     SELECT 'no slot is below zero', account, lot, '0', least::text FROM slots WHERE least < 0
     UNION ALL
     SELECT 'every lot has its slots, numbered from 0', l.account, l.lot, l.slots::text, COALESCE(s.slots, 0)::text
     FROM lots l LEFT JOIN slots s ON s.account = l.account AND s.lot = l.lot
     WHERE (s.slots, s.first, s.last) IS DISTINCT FROM (l.slots::bigint, 0::smallint, (l.slots - 1)::smallint)
     UNION ALL
     SELECT 'every slot and entry has its lot', x.account, x.lot, 'a lot', 'none'
     FROM (SELECT account, lot FROM slots UNION SELECT account, lot FROM entries) x
     WHERE NOT EXISTS (SELECT FROM lots l WHERE l.account = x.account AND l.lot = x.lot)
     UNION ALL
     SELECT 'a lot''s first entry grants it, once and wholly', l.account, l.lot, l.granted::text, COALESCE(e.granted, 0)::text
     FROM lots l LEFT JOIN entries e ON e.account = l.account AND e.lot = l.lot
     WHERE e.grants IS DISTINCT FROM 1 OR e.granted IS DISTINCT FROM l.granted
     UNION ALL
     SELECT 'a closed lot holds nothing', l.account, l.lot, '0', s.remaining::text
     FROM lots l JOIN slots s ON s.account = l.account AND s.lot = l.lot WHERE l.closed AND s.remaining <> 0
     UNION ALL
     SELECT 'every row is posted', account, lot, 'posted', 'lot not posted' FROM lots WHERE NOT posted
     UNION ALL
     SELECT 'a moved lot keeps its cost basis, and never more than its price', l.account, l.lot, p.cost_basis || ' of ' || p.paid,
         l.cost_basis || ' of ' || l.paid
     FROM lots l JOIN credit.lot p ON p.account = l.account AND p.lot = l.parent
     -- Credits without a price that went along make the others of the lot cost less each.
     WHERE l.unit = p.unit AND (l.currency IS DISTINCT FROM p.currency OR l.paid > p.paid OR l.cost_basis IS DISTINCT
         FROM p.cost_basis
         AND NOT COALESCE(l.cost_basis < p.cost_basis AND l.cost_basis = trim_scale(l.paid / l.granted)
             AND EXISTS (SELECT FROM credit.entry a
             WHERE ($1 IS NULL OR a.account = $1) AND a.account = p.account AND a.lot = p.lot AND a.kind = 'adjustment'
                 AND a.corrects IS NULL AND a.amount > 0), false))",
);
