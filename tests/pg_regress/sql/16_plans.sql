-- Plans: tiers by volume, graduated, in bundles and in steps; quotes, budgets, and prices anchored to cost.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_plan('api', unit => 'credit', currency => 'USD', list_price => 0.01, model => 'volume');
SELECT credit_tier('api', 'starter', 0,       discount => 0) IS NOT NULL AS made;
SELECT credit_tier('api', 'growth',  100000,  discount => 0.12) IS NOT NULL AS made;
SELECT credit_tier('api', 'scale',   1000000, discount => 0.25) IS NOT NULL AS made;

SELECT tier, unit_price, total FROM credit_quote('api', 250000);
SELECT total, next_tier, next_total, warning FROM credit_quote('api', 99999);
SELECT quantity, list_price, discount, currency, effective_price, lines, next_quantity, marginal_price FROM credit_quote('api', 250000);
-- What a budget buys: 880.00 buys more in the next tier than at the list price.
SELECT tier, quantity, total FROM credit_quote('api', budget => 880);

-- Graduated: each band at its own price.
SELECT credit_plan('graduated', unit => 'credit', currency => 'USD', list_price => 0.01, model => 'graduated');
SELECT count(credit_tier('graduated', tier, from_quantity, discount => discount))
FROM (VALUES (1, 'starter', 0, 0.0), (2, 'growth', 100000, 0.12), (3, 'scale', 1000000, 0.25)) AS t (n, tier, from_quantity, discount);
SELECT tier, unit_price, total, effective_price, lines, warning FROM credit_quote('graduated', 250000);

-- Bundles are sold whole; a step costs the same whatever is bought in it. JPY has no decimals, KWD three.
SELECT credit_plan('bundles', unit => 'credit', currency => 'JPY', list_price => 1.5, model => 'package');
SELECT count(credit_tier('bundles', tier, size, flat => price)) FROM (VALUES ('small', 1000, 1400), ('large', 10000, 12000)) AS t (tier, size, price);
SELECT quantity, total, lines FROM credit_quote('bundles', 20500);
SELECT credit_plan('steps', unit => 'credit', currency => 'KWD', list_price => 0.003, model => 'stairstep');
SELECT count(credit_tier('steps', tier, from_quantity, flat => price)) FROM (VALUES ('first', 0, 5), ('second', 10000, 25.5)) AS t (tier, from_quantity, price);
SELECT tier, total, effective_price FROM credit_quote('steps', 20000);

-- A tier follows its list price; a new version ends the one before.
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT credit_plan('api', list_price => 0.02);
SELECT tier, unit_price, total FROM credit_quote('api', 250000);
SELECT credit_tier('api', 'growth', 100000, unit_price => 0.015) IS NOT NULL AS made;
SELECT tier, discount, unit_price, total FROM credit_quote('api', 250000);
SELECT credit_tier('api', 'growth', withdraw => true);
SELECT tier, next_tier FROM credit_quote('api', 250000);

-- Refused, and nothing changes.
SELECT credit_tier('api', 'other', 1000000, discount => 0.5);
SELECT credit_tier('api', 'starter', 10, discount => 0);
SELECT credit_tier('api', 'both', 10, discount => 0.1, unit_price => 1);
SELECT * FROM credit_quote('api', 0);
SELECT * FROM credit_quote('api');
SELECT * FROM credit_quote('api', 10, currency => 'EUR');
SELECT * FROM credit_quote('nothing', 10);
SELECT credit_plan('euro', unit => 'credit', currency => 'XXX', list_price => 1);
SELECT credit_plan('api', currency => 'EUR');

-- A floor under the margin.
SELECT credit_plan('floor', unit => 'credit', currency => 'USD', list_price => 0.01, floor_margin => 0.3);
SELECT credit_plan_cost('floor', 0.004);
SELECT credit_plan_cost('floor', 0.003, from_quantity => 1000000);
SELECT credit_tier('floor', 'list', 0, discount => 0) IS NOT NULL AS made;
SELECT credit_tier('floor', 'deep', 100000, discount => 0.5);
SELECT credit_tier('floor', 'deep', 100000, discount => 0.5, override_reason => 'launch') IS NOT NULL AS made;
SELECT credit_tier('floor', 'huge', 1000000, discount => 0.5) IS NOT NULL AS made;
SELECT tier, total, margin_percent, warning FROM credit_quote('floor', 1000)
UNION ALL SELECT tier, total, margin_percent, warning FROM credit_quote('floor', 200000)
UNION ALL SELECT tier, total, margin_percent, warning FROM credit_quote('floor', 1000000);
SELECT tier, unit_price, unit_cost, margin_percent, below_floor, customers FROM credit.tier_economics WHERE plan = 'floor' ORDER BY from_quantity;
-- A tier without a price needs an agreement.
SELECT credit_tier('floor', 'enterprise', 5000000, negotiated => true) IS NOT NULL AS made;
SELECT * FROM credit_quote('floor', 5000000);

-- The standard structure in one call.
SELECT credit_standard_plan('standard', 'credit', 'EUR', 0.01);
SELECT tier, from_quantity, discount, unit_price FROM credit.tier_economics WHERE plan = 'standard' ORDER BY from_quantity;
SELECT tier, billing_period, commitment, negotiated FROM credit.tier WHERE plan = 'standard' ORDER BY from_quantity;
