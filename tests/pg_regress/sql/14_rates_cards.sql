-- Rate cards: what an operation costs, published in versions that never change.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2026-01-01 00:00:00+00';

-- An abstract unit that is worth a cent, and money itself.
SELECT credit_unit('compute', decimals => 6, currency => 'USD', fiat_per_credit => 0.01);
SELECT credit_unit('usd', decimals => 6, currency => 'USD');

-- Rates are prepared first; nothing has changed yet.
SELECT credit_rate_card('list', unit => 'compute', notice => interval '30 days');
SELECT credit_rate('list', 'gpt-4o.input', credits => 0.25, per => 1000, unit_cost => 0.0000025) AS rate;
SELECT credit_rate('list', 'gpt-4o.output', credits => 1, per => 1000, unit_cost => 0.00001) AS rate;
SELECT credit_rate('list', 'report', credits => 2, per => 10, block => true) AS rate;
SELECT credit_price('list', 'report', 11);
SELECT operation, effective_at, old_credits, new_credits, new_per, worse, accounts FROM credit_publish_preview('list');

-- Published in one step.
SELECT credit_publish('list');
SELECT credit_price('list', 'gpt-4o.input', 4808);
SELECT credit_price('list', 'report', 11);

-- A minimum for each call, and tiers: the first million at one rate, then another, per call or per account and month.
SELECT credit_rate('list', 'search', credits => 3, per => 1000, minimum => 0.5) AS rate;
SELECT credit_rate('list', 'embed', credits => 1, per => 1000, tier_from => '{1000000,5000000}', tier_credits => '{0.5,0.25}') AS rate;
SELECT credit_rate('list', 'image', credits => 1, tier_from => '{100}', tier_credits => '{0.5}', tier_scope => 'month') AS rate;
SELECT credit_publish('list');
SELECT quantity, credit_price('list', 'search', quantity) AS search, credit_price('list', 'embed', quantity) AS embed
FROM unnest(ARRAY[0, 1, 1000, 1000000, 6000000]) AS quantity;

-- The rate with the most dimensions that the usage has; ties are refused.
SELECT credit_rate('list', 'chat', credits => 1, per => 1000) AS rate;
SELECT credit_rate('list', 'chat', credits => 2, per => 1000, dimensions => '{"model": "large"}') AS rate;
SELECT credit_rate('list', 'chat', credits => 3, per => 1000, dimensions => '{"region": "eu"}') AS rate;
SELECT credit_publish('list');
SELECT credit_rate('list', 'chat', credits => 4, per => 1000, dimensions => '{"region": "eu", "model": "large"}') AS rate;
SELECT credit_publish('list');
SELECT dimensions, credit_price('list', 'chat', 1000, dimensions => dimensions)
FROM unnest(ARRAY['{}', '{"model": "large"}', '{"model": "small", "region": "eu"}', '{"model": "large", "region": "eu", "plan": 7}']::jsonb[])
    AS dimensions;

-- Exactly at the change the new version applies.
SELECT credit_rate('list', 'report', credits => 1, per => 10, block => true, effective_at => '2026-02-01 00:00:00+00') AS rate;
SELECT credit_publish('list');
SELECT at, credit_price('list', 'report', 11, at => at)
FROM unnest(ARRAY['2026-01-31 23:59:59.999999+00', '2026-02-01 00:00:00+00']::timestamptz[]) AS at;

-- Now that somebody uses the card, a worse rate needs its notice: refused sooner, fine later, cheaper at once.
SELECT credit_account('acme', unit => 'compute', rate_card => 'list');
SELECT credit_rate('list', 'gpt-4o.output', credits => 1.5, per => 1000) AS rate;
SELECT credit_publish('list', effective_at => credit.now() + interval '10 days');
SELECT operation, old_credits, new_credits, change_percent, worse, earliest, accounts
FROM credit_publish_preview('list', effective_at => credit.now() + interval '10 days');
SELECT credit_publish('list', effective_at => credit.now() + interval '30 days');
SET credit.clock = '2026-01-02 00:00:00+00';
SELECT credit_rate('list', 'gpt-4o.output', credits => 0.8, per => 1000) AS rate;
-- An announced change is only given up on purpose.
SELECT credit_publish('list');
SELECT credit_publish('list', supersede => true);

-- An admin may override, with a reason that is kept.
SET credit.clock = '2026-01-03 00:00:00+00';
SELECT credit_rate('list', 'gpt-4o.output', credits => 0.9, per => 1000) AS rate;
SELECT credit_publish('list', override_reason => 'agreed with all customers on 2025-12-30');
SELECT rate, credits, per, effective_at, ended_at, override_reason FROM credit.rate WHERE operation = 'gpt-4o.output' ORDER BY rate;

-- History is never rewritten: not by a function ...
SELECT credit_rate('list', 'report', credits => 9, per => 10) AS rate;
SELECT credit_publish('list', effective_at => '2025-12-01 00:00:00+00');
SELECT credit_discard_drafts('list');
-- ... nor by hand, and versions cannot overlap.
UPDATE credit.rate SET credits = 9 WHERE operation = 'report';
DELETE FROM credit.rate;
\set VERBOSITY terse
INSERT INTO credit.rate (rate, effective_at, published_at, card, operation, credits, published_by)
VALUES (1000, '2026-06-01', '2026-06-01', 'list', 'report', 9, 'me');
\set VERBOSITY default

-- What a unit is worth has versions, too.
SELECT credit_unit('compute', fiat_per_credit => 0.02, effective_at => '2027-01-01 00:00:00+00');
SELECT credit_unit('compute', fiat_per_credit => 0.03, effective_at => '2026-01-02 00:00:00+00');
SELECT effective_at, fiat_per_credit FROM credit.unit_value WHERE unit = 'compute' ORDER BY effective_at;

-- What makes no sense.
SELECT credit_rate('list', 'x', credits => -1);
SELECT credit_rate('list', 'x', credits => 1, per => 0);
SELECT credit_rate('list', 'x', credits => 1, tier_from => '{10,5}', tier_credits => '{1,1}');
SELECT credit_rate('list', 'x', credits => 1, block => true, tier_from => '{10}', tier_credits => '{1}', tier_scope => 'month');
SELECT credit_rate('list', 'x', credits => 1, dimensions => '{"a": [1]}');
SELECT credit_rate('unknown', 'x', credits => 1);
SELECT credit_price('list', 'x', 1);
SELECT credit_price('list', 'report', -1);

SELECT * FROM credit_verify();
