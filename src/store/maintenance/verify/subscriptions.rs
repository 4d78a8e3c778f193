//! The proof of subscriptions and their changes.

use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     )
     SELECT 'subscriptions of an account in a unit do not overlap' AS invariant, x.account, NULL::bigint,
         x.plan || ' in ' || x.unit, x.effective_at || ' before ' || x.ended_at
     FROM (SELECT account, unit, plan, effective_at,
             lag(ended_at, 1, '-infinity') OVER (PARTITION BY account, unit ORDER BY effective_at, subscription) AS ended_at
         FROM credit.subscription WHERE ended_at IS DISTINCT FROM effective_at AND ($1 IS NULL OR account = $1)) x
     WHERE x.ended_at IS NULL OR x.ended_at > x.effective_at
     UNION ALL
     SELECT 'a subscription buys by its own plan, a whole period at its price', p.account, NULL,
         s.plan || ' ' || s.quantity || ' for ' || s.price,
         COALESCE(b.plan || ' ' || b.quantity || ' for ' || b.paid, 'no purchase') || ' in purchase ' || p.purchase
     FROM credit.subscription_purchase p
     LEFT JOIN credit.subscription s ON s.account = p.account AND s.subscription = p.subscription
     LEFT JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
     WHERE ($1 IS NULL OR p.account = $1) AND NOT COALESCE((b.plan, b.unit, b.currency, p.origin) = (s.plan, s.unit, s.currency,
         s.origin)
         AND (p.change IS NOT NULL OR (b.quantity, b.paid) = (s.quantity, s.price)), false)
     UNION ALL
     SELECT 'a change of plan moved what it says', c.account, NULL,
         c.granted || ' for ' || c.charge || ', back ' || c.returned || ' for ' || c.credit,
         bought.granted || ' for ' || bought.charge || ', back ' || back.returned || ' for ' || back.credit || ' in change ' ||
             c.change
     FROM credit.plan_change c
     CROSS JOIN LATERAL (SELECT COALESCE(sum(b.quantity), 0) AS granted, COALESCE(sum(b.paid), 0) AS charge
         FROM credit.subscription_purchase p JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
         WHERE p.account = c.account AND p.change = c.change) AS bought
     CROSS JOIN LATERAL (SELECT COALESCE(sum(r.returned), 0) AS returned, COALESCE(sum(r.credit), 0) AS credit
         FROM credit.subscription_return r WHERE r.account = c.account AND r.change = c.change) AS back
     WHERE ($1 IS NULL OR c.account = $1)
         AND (c.granted, c.charge, c.returned, c.credit) IS DISTINCT
             FROM (bought.granted, bought.charge, back.returned, back.credit)
     UNION ALL
     SELECT 'what is returned is in the ledger', COALESCE(r.account, e.account), COALESCE(r.lot, e.lot),
         COALESCE(r.returned::text, 'a return'),
         COALESCE((- e.amount)::text, 'none') || ' in posting ' || COALESCE(r.posting, e.posting)
     FROM (SELECT * FROM credit.subscription_return WHERE $1 IS NULL OR account = $1) r
     FULL JOIN (SELECT * FROM credit.entry WHERE kind = 'return' AND ($1 IS NULL OR account = $1)) e
         ON e.account = r.account AND e.posting = r.posting AND e.lot = r.lot
     WHERE r.returned IS DISTINCT FROM - e.amount
     UNION ALL
     SELECT 'what is returned is paid back at its cost basis', l.account, l.lot,
         trunc(l.paid * r.returned / l.granted, scale(l.paid))::text, r.credit::text
     FROM lots l JOIN (SELECT account, lot, sum(returned) AS returned, sum(credit) AS credit FROM credit.subscription_return
         GROUP BY account, lot) r
         ON r.account = l.account AND r.lot = l.lot
     WHERE r.credit IS DISTINCT FROM trunc(l.paid * r.returned / l.granted, scale(l.paid)) OR r.returned > l.granted
     UNION ALL
     SELECT 'a subscription is of its plan, its tier and its agreement', s.account, NULL,
         concat_ws(' ', p.unit, p.currency, t.plan, t.tier, g.plan),
         concat_ws(' ', s.unit, s.currency, s.plan, s.tier, 'tier', s.tier_version, 'agreement',
             s.agreement) || ' in subscription ' || s.subscription
     FROM credit.subscription s JOIN credit.plan p ON p.plan = s.plan LEFT JOIN credit.tier t ON t.version = s.tier_version
     LEFT JOIN credit.agreement g ON g.account = s.account AND g.agreement = s.agreement
     WHERE ($1 IS NULL OR s.account = $1) AND ((s.unit, s.currency) IS DISTINCT FROM (p.unit, p.currency) OR s.tier IS DISTINCT
         FROM t.tier
         OR (s.tier_version IS NULL) <> (t.version IS NULL) OR t.plan <> s.plan OR (s.agreement IS NULL) <> (g.agreement IS NULL)
             OR g.plan <> s.plan
         OR s.tier_version IS NULL AND s.agreement IS NULL OR s.expiry IS DISTINCT FROM COALESCE(g.expiry, t.expiry, p.expiry))
     UNION ALL
     SELECT 'a subscription begins, ends and follows as it says', s.account, NULL,
         concat_ws(' ', 'after', s.predecessor, 'of', s.origin, 'until', p.ended_at, 'from', s.anchor),
         concat_ws(' ', s.effective_at, 'agreed', s.agreed_at, 'recorded', s.recorded_at, 'anchor',
             s.anchor) || ' in subscription ' || s.subscription
     FROM credit.subscription s LEFT JOIN credit.subscription p ON p.account = s.account AND p.subscription = s.predecessor
     LEFT JOIN credit.subscription o ON o.account = s.account AND o.subscription = s.origin
     WHERE ($1 IS NULL OR s.account = $1) AND (o.subscription IS NULL OR o.origin <> o.subscription
         OR (s.predecessor IS NULL) <> (p.subscription IS NULL)
         OR p.subscription >= s.subscription OR p.unit <> s.unit OR p.ended_at > s.effective_at OR p.subscription IS NOT NULL
             AND p.ended_at IS NULL
         OR s.origin = p.origin AND (s.anchor, s.phase, s.billing_period) IS DISTINCT FROM (o.anchor, o.phase, o.billing_period)
         OR s.predecessor IS NULL AND s.origin <> s.subscription OR s.agreed_at > s.recorded_at AND s.agreed_at > s.effective_at)
     UNION ALL
     SELECT 'a change of plan is the subscription that it made', c.account, NULL,
         concat_ws(' ', s.plan, s.price, s.currency, 'from', s.effective_at, 'until', s.committed_until, 'recorded',
             s.recorded_at, s.recorded_by),
         concat_ws(' ', c.to_plan, c.new_price, c.currency, 'from', c.effective_at, 'until', c.committed_until, 'recorded',
             c.recorded_at, c.recorded_by) || ' in change ' || c.change
     FROM credit.plan_change c LEFT JOIN credit.subscription s ON s.account = c.account AND s.subscription = c.subscription
     LEFT JOIN credit.subscription p ON p.account = s.account AND p.subscription = s.predecessor
     WHERE ($1 IS NULL OR c.account = $1) AND (s.subscription IS NULL OR c.to_plan <> s.plan OR c.currency <> s.currency
         OR (c.new_price, c.committed_until, c.recorded_at, c.recorded_by) IS DISTINCT
             FROM (s.price, s.committed_until, s.recorded_at, s.recorded_by)
         OR c.effective_at <> s.effective_at OR c.from_plan <> p.plan OR c.period_end <= c.effective_at AND c.charge > 0)
     UNION ALL
     SELECT 'a subscription came from a change of plan', s.account, NULL, 'a change', 'none to subscription ' || s.subscription
     FROM credit.subscription s WHERE ($1 IS NULL OR s.account = $1)
         AND NOT EXISTS (SELECT FROM credit.plan_change c WHERE c.account = s.account AND c.subscription = s.subscription)
     UNION ALL
     SELECT 'the periods of a subscription are those of its calendar', p.account, NULL,
         concat_ws(' ', 'from', g.begins, 'to', g.ends),
         concat_ws(' ', p.reason, p.period_start, 'to', p.period_end, 'in purchase', p.purchase)
     FROM credit.subscription_purchase p JOIN credit.subscription s ON s.account = p.account AND s.subscription = p.subscription
     JOIN credit.account a ON a.account = p.account
     CROSS JOIN LATERAL (SELECT CASE s.billing_period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END AS months) AS length
     CROSS JOIN LATERAL (SELECT credit.add_interval(s.anchor, make_interval(months => s.phase + n * months),
         a.time_zone) AS begins,
             credit.add_interval(s.anchor, make_interval(months => s.phase + (n + 1) * months), a.time_zone) AS ends
         FROM (SELECT round(EXTRACT(epoch FROM p.period_start - s.anchor) / 2629746 - s.phase)::integer / months AS about) AS
             guess, generate_series(about - 1, about + 1) AS n
         ORDER BY abs(EXTRACT(epoch FROM credit.add_interval(s.anchor, make_interval(months => s.phase + n * months),
             a.time_zone) - p.period_start)) LIMIT 1) AS g
     WHERE ($1 IS NULL OR p.account = $1) AND ((p.period_start, p.period_end) IS DISTINCT FROM (g.begins, g.ends)
         OR p.reason = 'change' AND p.change IS NULL)
     UNION ALL
     SELECT 'what is returned is of a change and a period of its subscription', r.account, r.lot,
         concat_ws(' ', p.origin, 'change', c.change, c.subscription, 'period', p.period_start),
         concat_ws(' ', r.origin, 'change', r.change, r.subscription, 'period', r.period_start)
     FROM credit.subscription_return r
     LEFT JOIN credit.plan_change c ON c.account = r.account AND c.change = r.change
     LEFT JOIN credit.purchase_lot l ON l.account = r.account AND l.lot = r.lot
     LEFT JOIN credit.subscription_purchase p ON p.account = r.account AND p.purchase = l.purchase
     WHERE ($1 IS NULL OR r.account = $1) AND NOT COALESCE(r.origin = p.origin AND r.subscription = c.subscription
         AND r.period_start = p.period_start, false)",
);
