-- Agreements at their bounds: agreed tiers of every model, years from the anchor, the floor with a bonus, and what is over.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2024-02-29 00:00:00+01';

-- An agreed tier is the price of every quantity, with its flat price; it is named, and its version is kept.
SELECT credit_plan('volume', unit => 'credit', currency => 'USD', list_price => 1);
SELECT count(credit_tier('volume', tier, size, discount => discount, flat => flat))
FROM (VALUES ('one', 0, 0.0, NULL), ('two', 100, 0.5, 3)) AS t (tier, size, discount, flat);
SELECT credit_agreement('acme', 'volume', tier => 'two') IS NOT NULL AS agreed;
SELECT tier, unit_price, total, lines, next_tier FROM credit_quote('volume', 10, 'acme');
SELECT credit_purchase('acme', 'volume', 10) IS NOT NULL AS bought;
SELECT b.tier, v.discount, b.paid FROM credit.purchase b JOIN credit.tier v ON v.version = b.tier_version;

-- An agreed bundle keeps its size; a step is no price for every quantity.
SELECT credit_plan('bundles', unit => 'credit', currency => 'JPY', list_price => 2, model => 'package');
SELECT count(credit_tier('bundles', tier, size, flat => flat)) FROM (VALUES ('small', 10, 15), ('large', 100, 120)) AS t (tier, size, flat);
SELECT credit_agreement('acme', 'bundles', tier => 'large') IS NOT NULL AS agreed;
SELECT tier, quantity, unit_price, total, lines FROM credit_quote('bundles', 101, 'acme');
SELECT tier, quantity, total, lines FROM credit_quote('bundles', 101);
SELECT credit_plan('steps', unit => 'credit', currency => 'KWD', list_price => 1, model => 'stairstep');
SELECT credit_tier('steps', 'first', 0, discount => 0.1);
SELECT credit_tier('steps', 'first', 0, flat => 5, unit_price => 1);
SELECT credit_tier('steps', 'first', 0, flat => 5) IS NOT NULL AS made;
SELECT credit_tier('steps', 'second', 10, flat => 7.5) IS NOT NULL AS made;
SELECT credit_agreement('acme', 'steps', tier => 'first');
SELECT tier, total, next_tier, marginal_price, next_total FROM credit_quote('steps', 9, 'acme');
-- Its last step has no end, and what is free neither.
SELECT * FROM credit_quote('steps', budget => 8);
SELECT quantity, total FROM credit_quote('steps', budget => 7.499);

-- The years of a commitment are counted from its beginning, on the calendar of the account: 29, then 28 February in Berlin.
SELECT credit_account('berlin', time_zone => 'Europe/Berlin');
SELECT credit_plan('years', unit => 'credit', currency => 'USD', list_price => 1, reach => 'cumulative');
SELECT count(credit_tier('years', tier, size, unit_price => price)) FROM (VALUES ('one', 0, 1.0), ('two', 100, 0.5)) AS t (tier, size, price);
SELECT credit_agreement('berlin', 'years', committed_quantity => ARRAY[100, 200, 300], ended_at => '2026-06-01') IS NOT NULL AS agreed;
SELECT credit_purchase('berlin', 'years', 99.999999) IS NOT NULL AS bought;
-- Exactly the bound reaches the tier, with what was bought before.
SELECT tier, total FROM credit_quote('years', 0.000001, 'berlin');
-- It has a price, so it is not sold for nothing.
SELECT credit_purchase('berlin', 'years', 0.000001);
SET credit.clock = '2025-02-27 22:59:59.999999+00';
SELECT tier FROM credit_quote('years', 1, 'berlin');
SELECT credit_purchase('berlin', 'years', 50) IS NOT NULL AS bought;
-- A new year begins, and what is bought in it counts from 0.
SET credit.clock = '2025-02-27 23:00:00+00';
SELECT tier FROM credit_quote('years', 1, 'berlin');
SELECT credit_purchase('berlin', 'years', 7) IS NOT NULL AS bought;
SELECT year, starts_at, ends_at, committed_quantity, bought, paid, missing_quantity FROM credit.commitments ORDER BY year;
-- It ends in the middle of its third year. What is bought at that instant is bought without it.
SET credit.clock = '2026-05-31 23:59:59.999999+00';
SELECT agreement IS NOT NULL AS by_agreement FROM credit_quote('years', 1, 'berlin');
SELECT year, starts_at, ends_at, missing_quantity FROM credit.commitments WHERE year = 3;
SET credit.clock = '2026-06-01 00:00:00+00';
SELECT agreement IS NOT NULL AS by_agreement FROM credit_quote('years', 1, 'berlin');

-- A bonus costs too: with it the margin is below the floor. The reason is recorded where it was needed.
SELECT credit_plan('floor', unit => 'credit', currency => 'USD', list_price => 1, floor_margin => 0.3);
SELECT credit_plan_cost('floor', 0.6);
SELECT credit_tier('floor', 'list', 0, discount => 0) IS NOT NULL AS made;
SELECT margin_percent, warning FROM credit_quote('floor', 100);
SELECT credit_purchase('acme', 'floor', 100, bonus => 17);
SELECT credit_purchase('acme', 'floor', 100, bonus => 16, override_reason => 'not needed') IS NOT NULL AS bought;
SELECT credit_purchase('acme', 'floor', 100, bonus => 17, override_reason => 'a fair') IS NOT NULL AS bought;
SELECT bonus, override_reason FROM credit.purchase WHERE plan = 'floor' ORDER BY purchase;
SELECT credit_agreement('acme', 'floor', unit_price => 0.8);
SELECT credit_agreement('acme', 'floor', unit_price => 0.8, override_reason => 'the first customer') IS NOT NULL AS agreed;
SELECT unit_price, margin_percent, warning FROM credit_quote('floor', 100, 'acme');
-- That reason is none for a bonus on top.
SELECT credit_purchase('acme', 'floor', 100) IS NOT NULL AS bought;
SELECT credit_purchase('acme', 'floor', 100, bonus => 100);

-- Who has become inactive is granted nothing, paid or not.
SELECT credit_purchase('acme', 'floor', 1, member => 'alice', pending => true) AS lot \gset
SELECT credit_member('acme', 'alice', active => false);
SELECT credit_activate('acme', :lot);
SELECT credit_member('acme', 'alice', active => true);
SELECT credit_activate('acme', :lot) = :lot AS activated;

-- Of what was sold nothing is missing, in whatever tier and currency: tiers that are over, and agreed prices.
SELECT credit_purchase('globex', 'volume', 1), credit_purchase('globex', 'steps', 1), credit_purchase('globex', 'bundles', 1) > 0 AS bought \gset
SELECT credit_tier('volume', 'two', withdraw => true);
SELECT plan, tier, currency, unit_price, customers, credits_sold, revenue FROM credit.tier_economics ORDER BY plan, from_quantity NULLS LAST, tier;
SELECT count(*) FROM (
    SELECT currency, sum(revenue) FROM credit.tier_economics GROUP BY 1 EXCEPT SELECT currency, sum(paid) FROM credit.purchase WHERE status = 'active' GROUP BY 1
) AS difference;
SELECT * FROM credit_verify();
