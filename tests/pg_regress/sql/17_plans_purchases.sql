-- Purchases: lots with their exact cost basis, bonus, instalments, payment first, and what was agreed with a customer.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_plan('api', unit => 'credit', currency => 'USD', list_price => 0.01, expiry => '12 months');
SELECT count(credit_tier('api', tier, from_quantity, discount => discount))
FROM (VALUES ('starter', 0, 0.0), ('growth', 100000, 0.12), ('scale', 1000000, 0.25)) AS t (tier, from_quantity, discount);

SELECT credit_purchase('acme', 'api', 250000, key => 'order-1') AS lot \gset
-- The same key, the same lot; nothing is bought.
SELECT credit_purchase('acme', 'api', 250000, key => 'order-1') = :lot AS same_lot;
SELECT granted, paid, currency, cost_basis, source FROM credit.lots WHERE account = 'acme';
SELECT status, tier, quantity, list_price, discount, unit_price, paid, currency FROM credit.purchase WHERE account = 'acme';
SELECT expires_at = credit.add_interval(effective_at, '12 months', 'UTC') AS expires_in_a_year FROM credit.lots WHERE account = 'acme';
SELECT credit_purchase('acme', 'api', 1, key => 'order-1');

-- Bonus credits cost nothing, or share the cost basis.
SELECT credit_purchase('bonus', 'api', 100, bonus => 10) IS NOT NULL AS bought;
SELECT granted, category, paid, cost_basis FROM credit.lots WHERE account = 'bonus' ORDER BY lot;
SELECT credit_purchase('blend', 'api', 100, bonus => 50, blend => true) IS NOT NULL AS bought;
SELECT granted, category, paid, cost_basis = paid / granted AS exact FROM credit.lots WHERE account = 'blend' ORDER BY lot;

-- A budget, and instalments whose parts add up to it.
SELECT credit_purchase('parts', 'api', budget => 100, instalments => 3, instalment_period => '1 month') IS NOT NULL AS bought;
SELECT granted, paid, status FROM credit.lots WHERE account = 'parts' ORDER BY lot;
SELECT sum(granted), sum(paid) FROM credit.lots WHERE account = 'parts';

-- Payment first: no lot before it is activated. Twice is once.
SELECT credit_purchase('later', 'api', 1000, pending => true) AS lot \gset
SELECT count(*) FROM credit.lots WHERE account = 'later';
SELECT credit_balance('later');
SELECT credit_activate('later', :lot) = :lot AS activated, credit_activate('later', :lot) = :lot AS again;
SELECT credit_balance('later');
SELECT credit_purchase('later', 'api', 500, pending => true) AS lot \gset
SELECT credit_void('later', :lot);
SELECT credit_void('later', :lot);
SELECT status, quantity, settled_at IS NOT NULL AS settled FROM credit.purchase WHERE account = 'later' ORDER BY purchase;

-- What was agreed wins over the plan, and says so. A plan that changes later does not change it.
SELECT credit_agreement('globex', 'api', unit_price => 0.006, committed_quantity => ARRAY[1000000, 2000000], expiry => '24 months') IS NOT NULL AS agreed;
SELECT tier, discount, unit_price, total, agreement IS NOT NULL AS by_agreement FROM credit_quote('api', 300000, 'globex');
SELECT credit_agreement('initech', 'api') IS NOT NULL AS agreed;
SELECT credit_agreement('hooli', 'api', tier => 'growth') IS NOT NULL AS agreed;
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT credit_plan('api', list_price => 0.02);
SELECT 'globex' AS account, total FROM credit_quote('api', 100, 'globex')
UNION ALL SELECT 'initech', total FROM credit_quote('api', 100, 'initech')
UNION ALL SELECT 'hooli', total FROM credit_quote('api', 100, 'hooli')
UNION ALL SELECT 'acme', total FROM credit_quote('api', 100, 'acme');
SELECT credit_purchase('globex', 'api', 300000) IS NOT NULL AS bought;
SELECT year, committed_quantity, bought, paid, missing_quantity FROM credit.commitments WHERE account = 'globex';
SELECT credit_end_agreement('initech', 'api');
SELECT total, agreement FROM credit_quote('api', 100, 'initech');

-- All that was bought in the year of the agreement reaches the tier.
SELECT credit_plan('cumulative', unit => 'credit', currency => 'USD', list_price => 1, reach => 'cumulative');
SELECT count(credit_tier('cumulative', tier, from_quantity, unit_price => price)) FROM (VALUES ('one', 0, 1.0), ('two', 100, 0.5)) AS t (tier, from_quantity, price);
SELECT credit_agreement('acme', 'cumulative') IS NOT NULL AS agreed;
SELECT credit_purchase('acme', 'cumulative', 80) IS NOT NULL AS bought;
SELECT tier, total FROM credit_quote('cumulative', 20, 'acme');
SELECT tier, total FROM credit_quote('cumulative', 20);

-- Refused.
SELECT credit_purchase('acme', 'api', 10, currency => 'EUR');
SELECT credit_purchase('acme', 'api', 0);
SELECT credit_purchase('acme', 'api', 10, bonus => 1, blend => true, by_band => true);
SELECT credit_activate('acme', 123456789);
SELECT credit_end_agreement('initech', 'api');
SELECT credit_agreement('acme', 'api', tier => 'scale', unit_price => 1);

SELECT plan, tier, customers, credits_sold, revenue FROM credit.tier_economics ORDER BY plan, from_quantity NULLS LAST;
SELECT * FROM credit_verify();
