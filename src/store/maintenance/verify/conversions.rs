//! The proof of conversions: amounts, terms and prices.

use crate::store::maintenance::verify::Invariants;

pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     )
     SELECT 'a conversion moves what it records' AS invariant, COALESCE(c.account, e.account), NULL,
         COALESCE(c.from_amount || ' ' || c.from_unit || ' to ' || c.to_amount || ' ' || c.to_unit
             || COALESCE(CASE WHEN (c.recorded_at, c.recorded_by) <> (e.recorded_at, e.recorded_by)
                 THEN ' at ' || c.recorded_at || ' by ' || c.recorded_by END, ''), 'a recorded conversion'),
         COALESCE(e.given || ' ' || e.from_units || ' to ' || e.got || ' ' || e.to_units
             || COALESCE(CASE WHEN (c.recorded_at, c.recorded_by) <> (e.recorded_at, e.recorded_by)
                 THEN ' at ' || e.recorded_at || ' by ' || e.recorded_by END, ''), 'no entries')
             || ' in posting ' || COALESCE(c.posting, e.posting)
     FROM (SELECT * FROM credit.conversion WHERE $1 IS NULL OR account = $1) c
     FULL JOIN (
         SELECT e.account, e.posting, - sum(e.amount) FILTER (WHERE kind = 'convert_out') AS given,
             sum(e.amount) FILTER (WHERE kind = 'convert_in') AS got,
             string_agg(DISTINCT l.unit, ',') FILTER (WHERE kind = 'convert_out') AS from_units,
             string_agg(DISTINCT l.unit, ',') FILTER (WHERE kind = 'convert_in') AS to_units,
             min(e.recorded_at) AS recorded_at, min(e.recorded_by) AS recorded_by
         FROM credit.entry e JOIN lots l ON l.account = e.account AND l.lot = e.lot
         WHERE e.kind IN ('convert_out', 'convert_in') GROUP BY e.account, e.posting) e ON e.account = c.account
             AND e.posting = c.posting
     WHERE (c.from_amount, c.to_amount, c.from_unit, c.to_unit, c.recorded_at, c.recorded_by)
             IS DISTINCT FROM (e.given, e.got, e.from_units, e.to_units, e.recorded_at, e.recorded_by)
         OR c.to_amount - c.from_amount * c.rate NOT BETWEEN - 1 - c.from_amount * 0.00000000000001
             AND c.from_amount * 0.00000000000001
     UNION ALL
     SELECT 'a converted lot keeps its terms', l.account, l.lot,
         concat_ws(' ', p.member, p.category, p.source, p.priority, p.applies_to, p.effective_at, p.expires_at, p.currency),
         concat_ws(' ', l.member, l.category, l.source, l.priority, l.applies_to, l.effective_at, l.expires_at, l.currency)
     FROM lots l JOIN credit.lot p ON p.account = l.account AND p.lot = l.parent
     WHERE l.unit <> p.unit AND (l.member, l.category, l.source, l.priority, l.applies_to, l.effective_at, l.expires_at,
         l.currency)
         IS DISTINCT FROM (p.member, p.category, p.source, p.priority, p.applies_to, p.effective_at, p.expires_at, p.currency)
     UNION ALL
     SELECT 'conversions carry the price of what they take, to the last decimal', p.account, p.lot,
         CASE WHEN c.given = p.granted THEN p.paid ELSE trunc(p.paid * c.given / p.granted, 9) END::text, c.paid::text
     FROM lots p JOIN (
         SELECT o.account, o.lot, - sum(o.amount) AS given, count(*) AS times,
             sum(h.paid) AS paid
         FROM credit.entry o LEFT JOIN (
             SELECT i.account, i.posting, l.parent, sum(l.paid) AS paid
             FROM credit.entry i JOIN lots l ON l.account = i.account AND l.lot = i.lot
             WHERE i.kind = 'convert_in' AND ($1 IS NULL OR i.account = $1) GROUP BY i.account, i.posting, l.parent) h
             ON h.account = o.account AND h.posting = o.posting AND h.parent = o.lot
         WHERE o.kind = 'convert_out' AND ($1 IS NULL OR o.account = $1) GROUP BY o.account, o.lot) c
         ON c.account = p.account AND c.lot = p.lot
     WHERE p.paid IS NOT NULL AND NOT EXISTS (SELECT FROM credit.entry a
             WHERE a.account = p.account AND a.lot = p.lot AND a.kind = 'adjustment' AND a.amount > 0)
         AND (c.paid IS NULL OR abs(c.paid - p.paid * c.given / p.granted) > c.times * 0.000000001
             OR c.paid > p.paid OR c.given = p.granted AND c.paid <> p.paid)",
);
