-- What does not fit together in units, cards and rates.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-15 00:00:00+00';

-- Nothing there, nothing found.
SELECT * FROM credit_check_design();

INSERT INTO credit.unit (unit, currency) VALUES ('compute', 'USD'), ('usd', 'USD'), ('seat', NULL);
INSERT INTO credit.unit_value (unit, effective_at, recorded_at, fiat_per_credit, recorded_by) VALUES ('compute', '2026-01-01', '2026-01-01', 0.01, 'owner');
INSERT INTO credit.rate_card (card, unit, agreement, created_at) VALUES ('list', 'compute', NULL, '2026-01-01'), ('startups', 'compute', NULL, '2026-01-01'),
    ('acme', 'compute', 'contract 7', '2026-01-01'), ('cash', 'usd', NULL, '2026-01-01');
INSERT INTO credit.rate (rate, card, operation, credits, per, unit_cost, effective_at, ended_at, published_at, published_by) VALUES
    (1, 'list', 'chat', 1, 1, 0.008, '2026-01-01', NULL, '2026-01-01', 'owner'),
    (2, 'startups', 'chat', 0.8, 1, 0.008, '2026-01-01', NULL, '2026-01-01', 'owner'),
    (3, 'acme', 'chat', 0.5, 1, 0.004, '2026-01-01', NULL, '2026-01-01', 'owner');

-- A fifth of difference is within the bound of a quarter of the lowest, and an agreement explains any.
SELECT * FROM credit_check_design();
SELECT severity, finding, subject, detail FROM credit_check_design(max_spread => 0.249999999);

-- All of it at once.
INSERT INTO credit.rate (rate, card, operation, credits, per, unit_cost, effective_at, ended_at, published_at, published_by) VALUES
    (4, 'cash', 'chat', 0.012, 1, NULL, '2026-01-01', NULL, '2026-01-01', 'owner'),
    (5, 'list', 'embed', 0.1, 1000, 0.0000005, '2026-01-01', '2026-02-01', '2026-01-01', 'owner'),
    (6, 'list', 'embed', 0.05, 1000, 0.0000006, '2026-02-01', NULL, '2026-01-01', 'owner');
INSERT INTO credit.account (account, unit, rate_card) VALUES ('one', 'compute', 'list'), ('two', 'seat', NULL), ('three', 'seat', 'cash');
SELECT credit_grant('one', 100), credit_grant('two', 100) \g /dev/null
SELECT credit_debit('one', 1, operation => 'image'), credit_debit('one', 1, operation => 'chat'), credit_debit('two', 1, operation => 'desk') \g /dev/null
INSERT INTO credit.entry (account, posting, line, kind, amount, lot, operation, quantity, rate, occurred_at, recorded_at, recorded_by, posted)
VALUES ('one', nextval('credit.posting_id'), 1, 'debit', -1, 1, 'speech', 1, 1, '2026-01-15', '2026-01-15', 'owner', true);
\pset expanded on
SELECT * FROM credit_check_design();
\pset expanded off
-- Usage counts for so many days.
SET credit.clock = '2026-01-20 00:00:00+00';
SELECT subject FROM credit_check_design(days => 6) WHERE finding LIKE 'an operation%';
SELECT subject FROM credit_check_design(days => 5) WHERE finding LIKE 'an operation%';

SELECT * FROM credit_check_design(max_spread => -1);
SELECT * FROM credit_check_design(max_spread => NULL);
SELECT * FROM credit_check_design(days => 0);
