-- The published table, its history, the margins, and a card as a document.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-15 00:00:00+00';

-- Units: abstract with a value that changes in March, money, and one without any value.
INSERT INTO credit.unit (unit, currency, created_at) VALUES ('compute', 'USD', '2026-01-01'), ('usd', 'USD', '2026-01-01'), ('seat', NULL, '2026-01-01');
INSERT INTO credit.unit_value (unit, effective_at, recorded_at, fiat_per_credit, recorded_by) VALUES
    ('compute', '2026-01-01', '2026-01-01', 0.01, 'owner'), ('compute', '2026-03-01', '2026-01-01', 0.020, 'owner');
SELECT * FROM credit.units ORDER BY unit;

-- A card with every kind of rate, one of which changed and will change again.
INSERT INTO credit.rate_card (card, unit, notice, note, created_at) VALUES ('list', 'compute', '1 month 2 days 03:00:01.5', 'for all', '2026-01-01');
INSERT INTO credit.rate (rate, card, operation, dimensions, credits, per, block, minimum, tier_from, tier_credits, tier_scope, unit_cost,
    effective_at, ended_at, published_at, published_by, override_reason) VALUES
    (1, 'list', 'chat|input', '{}', 0.30, 1000, false, NULL, NULL, NULL, NULL, 0.0000020, '2026-01-01', '2026-01-10', '2026-01-01', 'owner', NULL),
    (2, 'list', 'chat|input', '{}', 0.25, 1000, false, NULL, NULL, NULL, NULL, 0.0000020, '2026-01-10', '2026-02-10', '2026-01-10', 'owner', NULL),
    (3, 'list', 'chat|input', '{}', 0.20, 1000, false, NULL, NULL, NULL, NULL, 0.0000020, '2026-02-10', NULL, '2026-01-12', 'owner', NULL),
    (4, 'list', 'chat|input', '{}', 0.40, 1000, false, NULL, NULL, NULL, NULL, 0.0000020, '2026-02-10', '2026-02-10', '2026-01-11', 'owner', 'a mistake'),
    (5, 'list', 'chat|input', '{"model": "large", "region": "eu"}', 3, 1000, false, 0.5, NULL, NULL, NULL, 0.00004, '2026-01-01', NULL, '2026-01-01', 'owner', NULL),
    (6, 'list', 'report', '{}', 2, 10, true, NULL, NULL, NULL, NULL, NULL, '2026-01-01', '2026-06-01', '2026-01-01', 'owner', NULL),
    (7, 'list', 'speech', '{}', 1, 3, false, NULL, '{1000,5000}', '{0.5,0.250}', 'month', 0.0006, '2026-01-01', NULL, '2026-01-01', 'owner', NULL),
    (8, 'list', 'free', '{}', 0, 1, false, NULL, NULL, NULL, NULL, 0.01, '2026-01-01', NULL, '2026-01-01', 'owner', NULL);
SELECT operation, dimensions, credits, per, block, minimum, tiers, tier_scope FROM credit.conversion_table WHERE card = 'list' ORDER BY 1, 2;
SELECT operation, credits_per_unit, units_per_credit, fiat_per_unit, currency, since, next_credits, next_per, next_at
FROM credit.conversion_table WHERE card = 'list' ORDER BY operation, dimensions;

-- A rate ends, and the next begins, at the instant itself.
SET credit.clock = '2026-02-09 23:59:59.999999+00';
SELECT rate, credits FROM credit.conversion_table WHERE operation = 'chat|input' AND dimensions = '{}';
SET credit.clock = '2026-02-10 00:00:00+00';
SELECT rate, credits FROM credit.conversion_table WHERE operation = 'chat|input' AND dimensions = '{}';
SET credit.clock = '2026-01-15 00:00:00+00';

-- History: what each version changed. What never was in force changes nothing.
SELECT version, rate, status, credits, effective_at, ended_at, previous, previous_credits, change_percent, override_reason
FROM credit.rate_history WHERE card = 'list' AND operation = 'chat|input' AND dimensions = '{}' ORDER BY version;

-- The margin of each rate: a cent a credit.
SELECT operation, dimensions, price, lowest_price, cost, margin, margin_percent, lowest_margin_percent, currency
FROM credit.margin WHERE card = 'list' ORDER BY 1, 2;

-- What was earned: 1,000 tokens cost 0.25 credits, paid by a lot that was sold at half price, and by a gift.
INSERT INTO credit.account (account, unit, rate_card) VALUES ('acme', 'compute', 'list');
SELECT credit_grant('acme', 5, paid => 0.03, currency => 'USD', priority => 1) AS sold, credit_grant('acme', 100) AS given;
INSERT INTO credit.entry (account, posting, line, kind, amount, lot, operation, quantity, rate, occurred_at, recorded_at, recorded_by, posted)
VALUES ('acme', nextval('credit.posting_id'), 1, 'debit', -5, 1, 'chat|input', 20000, 2, '2026-01-15', '2026-01-15', 'owner', true),
    ('acme', currval('credit.posting_id'), 2, 'debit', -2.5, 2, 'chat|input', 10000, 2, '2026-01-15', '2026-01-15', 'owner', true),
    ('acme', nextval('credit.posting_id'), 1, 'debit', -2, 2, 'report', 9, 6, '2026-01-15', '2026-01-15', 'owner', true);
\pset expanded on
SELECT * FROM credit.margin_by_account WHERE account = 'acme' ORDER BY operation;
\pset expanded off

-- A page for the documentation; whatever a name holds, it stays in its cell.
\pset format unaligned
\pset tuples_only on
SELECT credit_conversion_markdown('list');
-- The card as a document; costs are left out where it is for others. A setting of the session does not show in it.
SET intervalstyle = 'iso_8601';
SELECT jsonb_pretty(credit_export_rate_card('list'));
SELECT jsonb_path_query_array(credit_export_rate_card('list', costs => false), '$.rates[*].unit_cost');
RESET intervalstyle;
\pset format aligned
\pset tuples_only off
SELECT credit_conversion_markdown('none');
SELECT credit_export_rate_card('none');
SELECT credit_export_rate_card('list', costs => NULL);
