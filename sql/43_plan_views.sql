-- Views of plans and purchases.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per purchase, and what is kept of it: less what was voided of its lots, or taken back and paid back by a change of plan.
CREATE VIEW credit.purchases AS
SELECT b.account, b.purchase, b.plan, b.tier, b.agreement, b.status, b.recorded_at, b.settled_at, b.unit, b.quantity, b.paid, b.currency,
    CASE WHEN b.status = 'active' THEN b.quantity - COALESCE(gone.quantity, 0) ELSE 0 END AS kept_quantity,
    CASE WHEN b.status = 'active' THEN b.paid - COALESCE(round(gone.paid, scale(b.paid)), 0) ELSE 0 END AS kept_paid
FROM credit.purchase b
LEFT JOIN (
    -- A bonus comes last, and is not counted to the quantity. A lot that gained something is not worth more than it cost.
    SELECT g.account, l.purchase, sum(LEAST(g.amount, l.granted)) FILTER (WHERE NOT l.is_bonus) AS quantity, sum(LEAST(g.paid, l.paid)) AS paid
    FROM (
        SELECT account, lot, sum(amount) AS amount, sum(paid) AS paid
        FROM (SELECT account, origin AS lot, granted AS amount, paid FROM credit.voided
              UNION ALL SELECT account, lot, returned, credit FROM credit.subscription_return) AS x
        GROUP BY account, lot) AS g
    -- Looked up one by one: few purchases lose something.
    CROSS JOIN LATERAL (
        SELECT l.purchase, l.granted, l.paid, NOT EXISTS (SELECT FROM credit.purchase_lot n
            WHERE n.account = l.account AND n.purchase = l.purchase AND n.line > l.line) AND EXISTS (SELECT FROM credit.purchase o
            WHERE o.account = l.account AND o.purchase = l.purchase AND o.bonus IS NOT NULL) AS is_bonus
        FROM credit.purchase_lot l WHERE l.account = g.account AND l.lot = g.lot OFFSET 0) AS l
    GROUP BY g.account, l.purchase
) AS gone ON gone.account = b.account AND gone.purchase = b.purchase;

-- One row per tier in force, and one for each that is not but was sold; what was sold by agreements with a price of their own is a tier NULL.
CREATE VIEW credit.tier_economics AS
WITH sold AS (
    SELECT plan, tier, count(DISTINCT account) FILTER (WHERE kept_quantity > 0 OR kept_paid > 0) AS customers,
        sum(kept_quantity) AS quantity, sum(kept_paid) AS revenue
    FROM credit.purchases WHERE status = 'active' GROUP BY plan, tier
), known AS (
    SELECT v.plan, v.tier, v.from_quantity, v.discount, v.unit_price, v.negotiated, v.flat
    FROM credit.tier v CROSS JOIN (SELECT credit.now() AS now) AS clock
    WHERE v.effective_at <= clock.now AND (v.ended_at IS NULL OR v.ended_at > clock.now)
)
SELECT p.plan, t.tier, t.from_quantity, p.currency, price.list_price, trim_scale(round(1 - price.unit_price / NULLIF(price.list_price, 0), 6)) AS discount,
    trim_scale(price.unit_price) AS unit_price, cost.unit_cost,
    round(100 * (1 - cost.unit_cost / NULLIF(price.unit_price, 0)), 2) AS margin_percent, p.floor_margin,
    COALESCE(price.unit_price * (1 - p.floor_margin) < cost.unit_cost, false) AS below_floor,
    COALESCE(sold.customers, 0) AS customers, COALESCE(sold.quantity, 0) AS credits_sold, COALESCE(sold.revenue, 0) AS revenue
FROM credit.plan p
CROSS JOIN (SELECT credit.now() AS now) AS clock
JOIN (
    SELECT plan, tier, from_quantity, discount, unit_price, negotiated, flat FROM known
    UNION ALL
    SELECT s.plan, s.tier, NULL, NULL, NULL, true, NULL FROM sold s
    WHERE NOT EXISTS (SELECT FROM known k WHERE k.plan = s.plan AND k.tier = s.tier)
) AS t ON t.plan = p.plan
LEFT JOIN LATERAL (
    SELECT v.list_price, CASE
        WHEN t.negotiated THEN NULL
        WHEN p.model IN ('package', 'stairstep') AND t.from_quantity > 0 THEN
            COALESCE(t.unit_price, v.list_price * (1 - t.discount), 0) + COALESCE(t.flat, 0) / t.from_quantity
        ELSE COALESCE(t.unit_price, v.list_price * (1 - t.discount)) END AS unit_price
    FROM credit.plan_price v WHERE v.plan = p.plan AND v.effective_at <= clock.now ORDER BY v.effective_at DESC LIMIT 1
) AS price ON true
LEFT JOIN LATERAL (
    SELECT c.unit_cost FROM credit.plan_cost c WHERE c.plan = p.plan AND c.from_quantity <= t.from_quantity AND c.effective_at <= clock.now
    ORDER BY c.from_quantity DESC, c.effective_at DESC LIMIT 1
) AS cost ON true
LEFT JOIN sold ON sold.plan = p.plan AND sold.tier IS NOT DISTINCT FROM t.tier;

-- One row per year of a commitment that has begun: what was promised, what was bought, what is missing.
CREATE VIEW credit.commitments AS
SELECT a.account, a.agreement, a.plan, year.number AS year, year.starts_at, year.ends_at,
    a.committed_quantity[year.number] AS committed_quantity, a.committed_money[year.number] AS committed_money, p.currency,
    bought.quantity AS bought, bought.paid,
    GREATEST(a.committed_quantity[year.number] - bought.quantity, 0) AS missing_quantity,
    GREATEST(a.committed_money[year.number] - bought.paid, 0) AS missing_money
FROM credit.agreement a
JOIN credit.plan p ON p.plan = a.plan
JOIN credit.account o ON o.account = a.account
CROSS JOIN (SELECT credit.now() AS now) AS clock
CROSS JOIN LATERAL (
    SELECT number, credit.add_interval(a.effective_at, make_interval(years => number - 1), o.time_zone) AS starts_at,
        LEAST(credit.add_interval(a.effective_at, make_interval(years => number), o.time_zone), a.ended_at) AS ends_at
    FROM generate_series(1, cardinality(COALESCE(a.committed_quantity, a.committed_money))) AS number
) AS year
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(b.kept_quantity), 0) AS quantity, COALESCE(sum(b.kept_paid), 0) AS paid
    FROM credit.purchases b WHERE b.account = a.account AND b.plan = a.plan AND b.status = 'active'
        AND b.settled_at >= year.starts_at AND b.settled_at < year.ends_at
) AS bought
WHERE year.starts_at <= clock.now AND year.starts_at < year.ends_at;

SET LOCAL search_path TO @extschema@, pg_temp;
