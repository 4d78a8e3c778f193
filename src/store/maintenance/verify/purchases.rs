//! The proof of purchases, and of what they were priced by.

use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     )
     SELECT 'the lots of a purchase add up to it' AS invariant, b.account, min(l.lot),
         b.quantity + COALESCE(b.bonus, 0) || ' for ' || b.paid,
         COALESCE(sum(l.granted), 0) || ' for ' || COALESCE(sum(l.paid), 0)
     FROM credit.purchase b LEFT JOIN credit.purchase_lot l ON l.account = b.account AND l.purchase = b.purchase
     WHERE $1 IS NULL OR b.account = $1
     GROUP BY b.account, b.purchase
     HAVING COALESCE(sum(l.granted), 0) <> b.quantity + COALESCE(b.bonus, 0)
         OR b.quantity > 0 AND sum(l.paid) IS DISTINCT FROM b.paid
     UNION ALL
     SELECT 'an active purchase has its lots, and no other has any', p.account, p.lot,
         b.status || ' ' || p.granted || ' for ' || p.paid,
         COALESCE(l.granted || ' for ' || l.paid, 'no lot')
     FROM credit.purchase_lot p LEFT JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
     LEFT JOIN lots l ON l.account = p.account AND l.lot = p.lot
     WHERE ($1 IS NULL OR p.account = $1) AND CASE WHEN b.status = 'active'
         THEN (l.granted, l.paid, l.currency, l.unit) IS DISTINCT FROM (p.granted, p.paid, b.currency, b.unit)
             ELSE l.lot IS NOT NULL OR b.status IS NULL END
     UNION ALL
     SELECT 'versions of a tier, and agreements about a plan, do not overlap', x.account, NULL, x.name,
         x.effective_at || ' before ' || x.ended_at
     FROM (SELECT NULL AS account, plan || '.' || tier AS name, effective_at,
             lag(ended_at, 1, '-infinity') OVER (PARTITION BY plan, tier ORDER BY effective_at, version) AS ended_at
                 FROM credit.tier
         UNION ALL
         SELECT account, plan, effective_at, lag(ended_at, 1, '-infinity') OVER (PARTITION BY account, plan ORDER BY effective_at,
             agreement)
         FROM credit.agreement WHERE $1 IS NULL OR account = $1) x
     WHERE x.ended_at IS NULL OR x.ended_at > x.effective_at
     UNION ALL
     SELECT 'a purchase is of its plan, its tier and its agreement', b.account, NULL,
         concat_ws(' ', p.unit, p.currency, t.plan, t.tier, g.plan),
         concat_ws(' ', b.unit, b.currency, b.plan, b.tier, 'tier', b.tier_version, 'agreement',
             b.agreement) || ' in purchase ' || b.purchase
     FROM credit.purchase b JOIN credit.plan p ON p.plan = b.plan LEFT JOIN credit.tier t ON t.version = b.tier_version
     LEFT JOIN credit.agreement g ON g.account = b.account AND g.agreement = b.agreement
     WHERE ($1 IS NULL OR b.account = $1) AND ((b.unit, b.currency) IS DISTINCT FROM (p.unit, p.currency) OR b.tier IS DISTINCT
         FROM t.tier
         OR (b.tier_version IS NULL) <> (t.version IS NULL) OR t.plan <> b.plan OR (b.agreement IS NULL) <> (g.agreement IS NULL)
             OR g.plan <> b.plan
         OR b.tier_version IS NULL AND b.agreement IS NULL)
     UNION ALL
     SELECT 'a list price was one of the plan', x.account, NULL, 'a list price of ' || x.plan, x.list_price || ' in ' || x.name
     FROM (SELECT account, plan, list_price, 'purchase ' || purchase AS name FROM credit.purchase
         UNION ALL SELECT account, plan, list_price, 'subscription ' || subscription FROM credit.subscription) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT EXISTS (SELECT FROM credit.plan_price p WHERE p.plan = x.plan
         AND p.list_price = x.list_price)
     UNION ALL
     SELECT 'a price is that of its tier or agreement', x.account, NULL, COALESCE(x.of_terms::text, 'a price'),
         concat_ws(' ', x.unit_price, 'less', x.discount, 'in', x.name)
     FROM (SELECT b.account, b.list_price, b.discount, b.unit_price, b.name,
             -- What is bought for the rest of a period, and what a flat price covers, has no price for one credit.
             b.unit_price IS NULL AND (b.is_part OR t.flat IS NOT NULL) AS is_part,
             -- An agreement names a tier, a price or a discount; without any it is the plan's.
             COALESCE(CASE WHEN g.tier IS NULL THEN COALESCE(g.unit_price, b.list_price * (1 - g.discount)) END, t.unit_price,
                 b.list_price * (1 - t.discount)) AS of_terms
         FROM (SELECT account, plan, list_price, discount, unit_price, agreement, tier_version, 'purchase ' || purchase AS name,
                 true AS is_part FROM credit.purchase
             UNION ALL SELECT account, plan, list_price, discount, unit_price, agreement, tier_version,
                 'subscription ' || subscription, false FROM credit.subscription) b
         JOIN credit.plan p ON p.plan = b.plan AND p.model IN ('volume', 'graduated')
         LEFT JOIN credit.tier t ON t.version = b.tier_version LEFT JOIN credit.agreement g ON g.account = b.account
             AND g.agreement = b.agreement) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT x.is_part AND (x.of_terms IS NOT NULL
         AND NOT COALESCE(abs(x.unit_price - x.of_terms) <= 0.000000000001, false)
         OR x.list_price > 0 AND NOT COALESCE(abs(x.discount - (1 - x.unit_price / x.list_price)) <= 0.000001, false))
     UNION ALL
     SELECT 'a purchase costs its price', x.account, NULL, (x.quantity * x.unit_price)::text,
         x.paid || ' for ' || x.quantity || ' at ' || x.unit_price || ' in ' || x.name
     FROM (SELECT b.account, b.plan, b.quantity, b.unit_price, b.paid, b.tier_version, 'purchase ' || b.purchase AS name
         FROM credit.purchase b
         WHERE b.unit_price IS NOT NULL AND NOT EXISTS (SELECT FROM credit.subscription_purchase s WHERE s.account = b.account
             AND s.purchase = b.purchase
             AND s.change IS NOT NULL AND s.reason = 'change')
         UNION ALL SELECT account, plan, quantity, unit_price, price, tier_version, 'subscription ' || subscription
             FROM credit.subscription) x
     JOIN credit.plan p ON p.plan = x.plan LEFT JOIN credit.tier t ON t.version = x.tier_version
     WHERE ($1 IS NULL OR x.account = $1) AND p.model = 'volume' AND t.flat IS NULL
         -- Money is rounded by half of its smallest step at most.
         AND NOT COALESCE(abs(x.paid - x.quantity * x.unit_price)
             <= ('5e-' || scale(x.paid) + 1)::numeric + x.quantity * 0.000000000001, false)
     UNION ALL
     SELECT 'a purchase is settled after it was recorded', account, NULL, recorded_at::text,
         settled_at || ' of purchase ' || purchase
     FROM credit.purchase WHERE ($1 IS NULL OR account = $1) AND settled_at < recorded_at
     UNION ALL
     SELECT 'the lots of a purchase are numbered, and what was given free comes last', l.account, NULL, count(*) || ' lots',
         concat_ws(' ', min(l.line), 'to', max(l.line), 'in purchase', l.purchase)
     FROM credit.purchase_lot l JOIN credit.purchase b ON b.account = l.account AND b.purchase = l.purchase
     WHERE $1 IS NULL OR l.account = $1 GROUP BY l.account, l.purchase, b.bonus
     HAVING max(l.line) <> count(*) OR min(l.line) <> 1 OR count(DISTINCT l.step) FILTER (WHERE l.step > '0') <> count(*) FILTER
         (WHERE l.step IS NOT NULL)
         OR bool_or(l.line = 1 AND l.step IS NOT NULL) OR count(*) FILTER (WHERE l.category = 'promotional'
             AND l.granted = b.bonus) <> count(*) FILTER (WHERE l.category = 'promotional')
         OR count(*) FILTER (WHERE l.category = 'promotional') > 1
     UNION ALL
     SELECT 'versions of a tier follow each other, and none is of the past', NULL, NULL, t.recorded_at::text,
         t.effective_at || ' of version ' || t.version
     FROM credit.tier t WHERE $1 IS NULL AND t.effective_at < t.recorded_at
     UNION ALL
     SELECT 'a price of a plan is not of the past', NULL, NULL, x.recorded_at::text, x.effective_at || ' of ' || x.plan
     FROM (SELECT plan, effective_at, recorded_at FROM credit.plan_price UNION ALL SELECT plan, effective_at, recorded_at
         FROM credit.plan_cost) x
     WHERE $1 IS NULL AND x.effective_at < x.recorded_at
     UNION ALL
     SELECT 'a plan has a list price from when it is there, and is in a unit that exists', NULL, NULL, p.created_at::text,
         COALESCE(min(l.effective_at)::text, 'no price') || ' of ' || p.plan
     FROM credit.plan p LEFT JOIN credit.plan_price l ON l.plan = p.plan
     WHERE $1 IS NULL GROUP BY p.plan, p.created_at, p.unit
     HAVING min(l.effective_at) IS DISTINCT FROM p.created_at OR NOT EXISTS (SELECT FROM credit.unit u WHERE u.unit = p.unit)",
);
