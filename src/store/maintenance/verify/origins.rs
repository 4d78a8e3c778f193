//! The proof of where lots come from: a lot says what the line, the purchase, the schedule or the lot that it comes from says.

use crate::store::maintenance::verify::Invariants;

// Credits that were added to a lot later carry no price, so what moves out of such a lot may cost less than its basis says.
pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "WITH brought AS NOT MATERIALIZED (
         SELECT l.*, e.kind, e.recorded_at AS line_recorded_at, e.recorded_by AS line_recorded_by, e.metadata AS line_metadata,
             e.posting
         FROM credit.lot l JOIN credit.entry e ON e.account = l.account AND e.lot = l.lot
             AND e.kind IN ('grant', 'move_in', 'convert_in', 'roll_in')
         WHERE ($1 IS NULL OR l.account = $1)
     )
     SELECT 'a lot is recorded with the line that brings it' AS invariant, account, lot,
         concat_ws(' ', kind, line_recorded_at, line_recorded_by),
             concat_ws(' ', COALESCE('from lot ' || parent, 'grant'), recorded_at, recorded_by) AS found
     FROM brought WHERE (recorded_at, recorded_by, parent IS NULL) IS DISTINCT
         FROM (line_recorded_at, line_recorded_by, kind = 'grant')
     UNION ALL
     SELECT 'a lot''s metadata are those of its line, or of the lot that it comes from', b.account, b.lot,
         COALESCE(b.line_metadata, p.metadata)::text, b.metadata::text
     FROM brought b LEFT JOIN credit.lot p ON p.account = b.account AND p.lot = b.parent
     WHERE b.metadata IS DISTINCT FROM COALESCE(b.line_metadata, p.metadata)
     UNION ALL
     SELECT 'a lot comes from the lot that gives in its posting', b.account, b.lot, 'lot ' || b.parent,
         'no such line in posting ' || b.posting
     FROM brought b WHERE b.parent IS NOT NULL AND NOT EXISTS (SELECT FROM credit.entry o WHERE o.account = b.account
         AND o.posting = b.posting
         AND o.lot = b.parent AND o.kind = replace(b.kind, '_in', '_out') AND (b.kind = 'convert_in' OR o.amount = - b.granted))
     UNION ALL
     SELECT 'a moved lot keeps its terms', b.account, b.lot,
         concat_ws(' ', p.category, p.source, p.priority, p.applies_to, p.effective_at, p.expires_at),
         concat_ws(' ', b.category, b.source, b.priority, b.applies_to, b.effective_at, b.expires_at)
     FROM brought b JOIN credit.lot p ON p.account = b.account AND p.lot = b.parent
     WHERE b.kind IN ('move_in', 'roll_in') AND ((b.unit, b.category, b.applies_to) IS DISTINCT
         FROM (p.unit, p.category, p.applies_to)
         OR CASE WHEN b.kind = 'roll_in' THEN b.source <> 'rollover'
             ELSE (b.priority, b.effective_at) IS DISTINCT FROM (p.priority, p.effective_at)
                 OR b.source NOT IN (p.source, 'transfer') END
         -- With another member it was transferred or given back, with the same one its expiry was set.
         OR b.kind = 'move_in' AND b.member IS DISTINCT FROM p.member AND b.expires_at IS DISTINCT FROM p.expires_at
         OR b.kind = 'move_in' AND b.member IS NOT DISTINCT FROM p.member AND b.source <> p.source)
     UNION ALL
     SELECT 'what a lot cost is its cost basis for what it was granted', l.account, l.lot, l.cost_basis || ' x ' || l.granted,
         l.paid::text
     FROM credit.lot l WHERE ($1 IS NULL OR l.account = $1) AND l.paid IS NOT NULL
         AND (l.paid > l.cost_basis * l.granted + 0.000001 + l.paid * 0.00000000000001
             OR l.paid < l.cost_basis * l.granted - 0.000001 - l.paid * 0.00000000000001
                 AND NOT EXISTS (SELECT FROM credit.entry a
                 WHERE a.account = l.account AND l.parent IS NOT NULL AND a.kind = 'adjustment' AND a.amount > 0))
     UNION ALL
     SELECT 'what was granted free cost nothing', account, lot, '0', paid::text
     FROM credit.lot WHERE ($1 IS NULL OR account = $1) AND category = 'promotional' AND paid > 0
     UNION ALL
     SELECT 'a lot of a purchase has the terms of the purchase', l.account, l.lot,
         concat_ws(' ', 'purchase', p.category, b.member, 'for', b.expiry, 'settled', b.settled_at, b.metadata),
         concat_ws(' ', l.source, l.category, l.member, 'from', l.effective_at, 'to', l.expires_at, 'recorded', l.recorded_at,
             l.metadata)
     FROM credit.purchase_lot p JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
     JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot JOIN credit.account a ON a.account = p.account
     LEFT JOIN credit.subscription_purchase s ON s.account = b.account AND s.purchase = b.purchase
     LEFT JOIN credit.plan_change c ON c.account = s.account AND c.change = s.change
     WHERE ($1 IS NULL OR p.account = $1) AND ((l.source, l.category, l.member, l.priority, l.applies_to, l.metadata, l.parent)
             IS DISTINCT FROM ('purchase', p.category, b.member, 50::smallint, NULL::text[], b.metadata, NULL::bigint)
         -- A clock that was set back gives the lots before the purchase was recorded, which counts as settled when it was
         -- recorded.
         OR GREATEST(l.recorded_at, b.recorded_at) <> b.settled_at
         OR l.expires_at IS DISTINCT FROM credit.add_interval(l.effective_at, b.expiry, a.time_zone)
         OR NOT l.effective_at = ANY (ARRAY(SELECT COALESCE(credit.add_interval(begins, p.step, a.time_zone), begins)
             FROM unnest(ARRAY[LEAST(b.settled_at, l.recorded_at), s.period_start, c.effective_at]) AS begins
                 WHERE begins IS NOT NULL))
         OR b.settled_at = b.recorded_at AND l.recorded_at = b.recorded_at AND l.recorded_by <> b.recorded_by)
     UNION ALL
     SELECT 'a lot of a schedule has the terms of the schedule', l.account, l.lot,
         concat_ws(' ', 'allocation', s.category, s.priority, s.paid, s.currency, s.expires, s.metadata),
         concat_ws(' ', l.source, l.category, l.priority, l.applies_to, l.paid, l.currency, 'from', l.effective_at, 'to',
             l.expires_at, l.metadata)
     FROM credit.schedule_period p JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule
     JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
     WHERE ($1 IS NULL OR p.account = $1) AND ((l.category, l.currency, l.applies_to, l.recorded_at)
             IS DISTINCT FROM (s.category, s.currency, NULL::text[], p.recorded_at)
         OR p.rolled = 0 AND (l.source, l.priority, l.parent) IS DISTINCT FROM ('allocation', s.priority, NULL::bigint)
         OR p.rolled = 0 AND (l.metadata IS DISTINCT FROM s.metadata OR (l.paid IS NULL) <> (s.paid IS NULL)
             OR abs(l.paid - s.paid * p.original / s.amount) > 0.00000001)
         OR (l.member IS NOT NULL) <> (s.per_member AND NOT s.into_pool)
         OR p.rolled = 0 AND s.proration = 'none' AND NOT s.into_pool AND p.original <> s.amount
         OR p.rolled = 0 AND NOT s.into_pool AND p.original > s.amount)
     UNION ALL
     SELECT 'a lot of the shortfall of a closed period is what was due', t.account, t.granted_lot,
         d.quantity || ' for ' || t.amount_due,
         l.granted || ' for ' || COALESCE(l.paid::text, 'nothing')
     FROM credit.true_up t LEFT JOIN credit.lot l ON l.account = t.account AND l.lot = t.granted_lot
     LEFT JOIN credit.true_up_line d ON d.account = t.account AND d.true_up = t.true_up AND d.kind = 'shortfall_due'
     WHERE ($1 IS NULL OR t.account = $1) AND t.granted_lot IS NOT NULL
         AND ((l.granted, l.source, l.unit, l.paid, l.currency, l.recorded_at, l.expires_at)
         IS DISTINCT FROM (d.quantity, 'commitment', t.unit, t.amount_due, t.currency, t.posted_at, NULL::timestamptz))",
);
