-- Prices and currencies that callers name: they exist, and they can be paid. The messages say at once what would be right.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- A price has the decimals of its currency: two of USD, none of JPY, three of KWD. Trailing zeros do not count.
SELECT credit_grant('acme', 3, paid => 10.01, currency => 'USD') AS usd, credit_grant('acme', 3, paid => 100.00, currency => 'JPY') AS jpy,
    credit_grant('acme', 3, paid => 1.005, currency => 'KWD') AS kwd;
SELECT credit_grant('acme', 3, paid => 10.005, currency => 'USD');
SELECT credit_grant('acme', 3, paid => 100.5, currency => 'JPY');
SELECT credit_grant('acme', 3, paid => 1.00500000001, currency => 'KWD');
SELECT credit_grant('acme', 3, paid => 1, currency => 'ABC');
SELECT credit_grant('acme', 3, paid => 1, currency => 'XAU');
SELECT credit_grant('acme', 3, paid => 1, currency => 'usd');
-- Without a currency it is the unit's.
SELECT credit_unit('yen', currency => 'JPY', decimals => 0);
SELECT credit_grant('tokyo', 3, unit => 'yen', paid => 0.5);
SELECT credit_grant('tokyo', 3, unit => 'yen', paid => 0.00000000005);

-- Units and their value. What a credit is worth may be finer than what can be paid.
SELECT credit_unit('micro', currency => 'USD', fiat_per_credit => 0.0000015);
SELECT credit_unit('gold', currency => 'ABC', fiat_per_credit => 0.01);
INSERT INTO credit.unit (unit, currency) VALUES ('gold', 'ABC');
UPDATE credit.unit SET currency = 'XXX' WHERE unit = 'micro';
SELECT credit_import_rate_card('{"format": "pg_credit rate card 1", "card": "c", "is_default": false, "notice": "0 days",
    "unit": {"unit": "gold", "decimals": 2, "rounding": "half_up", "currency": "QQQ"}, "rates": []}');

-- Direct inserts, schedules, plans, agreements, quotes and true-ups.
INSERT INTO credit.lot (account, granted, paid, currency) VALUES ('acme', 3, 1.2345, 'USD');
INSERT INTO credit.lot (account, granted, paid, currency) VALUES ('acme', 3, 1, 'QQQ');
SELECT credit_schedule('acme', 100, '1 month', paid => 10.005, currency => 'USD');
SELECT credit_schedule('acme', 100, '1 month', paid => 10, currency => 'ABC');
SELECT credit_standard_schedule('acme', 1200, paid => 10.005, currency => 'USD');
SELECT credit_plan('api', unit => 'credit', currency => 'USD', list_price => 0.00125);
SELECT credit_plan('euro', unit => 'credit', currency => 'ABC', list_price => 1);
SELECT credit_schedule(plan => 'api', amount => 100, every => '1 month', paid => 10.005, currency => 'USD');
SELECT credit_tier('api', 'first', from_quantity => 0, unit_price => 0.00125) > 0 AS tier;
SELECT credit_tier('api', 'second', from_quantity => 1000, flat => 9.995, unit_price => 0.001);
SELECT credit_agreement('acme', 'api', committed_money => ARRAY[1000, 1000.001]);
SELECT credit_quote('api', budget => 10.005);
SELECT credit_true_up_terms('acme', every => '1 month', unit_price => 0.00125, currency => 'ABC');
SELECT credit_true_up_terms('acme', every => '1 month', unit_price => 0.00125, currency => 'USD');

-- Numbers with too many decimals: the unit's are named at once, also of an account that does not exist.
SELECT credit_debit('acme', 0.30000000000000004);
SELECT credit_debit('acme', 0.300000001);
SELECT credit_try_debit('acme', 0.30000000000000004, unit => 'yen');
SELECT credit_grant('nobody', 0.30000000000000004);
SELECT credit_explain_debit('acme', 0.30000000000000004);
SELECT credit_charge('acme', 'chat', 0.30000000000000004);
SELECT item FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 0.30000000000000004]);

-- What is above zero.
SELECT credit_purchase('acme', 'api', 10, bonus => 0);
SELECT credit_quote('api', budget => 0);

-- A key stands for what is asked, not for what is noted about it: metadata is not compared.
SELECT credit_grant('acme', 5, key => 'k', metadata => '{"try": 1}') AS lot \gset
SELECT credit_grant('acme', 5, key => 'k', metadata => '{"try": 2}') = :lot AS same_lot, credit_grant('acme', 5.0, key => 'k') = :lot AS same_lot_too;
SELECT metadata FROM credit.lot WHERE lot = :lot;
SELECT credit_grant('acme', 6, key => 'k') > 0;
SELECT credit_debit('acme', 5, key => 'k') > 0;

-- A procedure that commits, where nothing can.
\set SHOW_CONTEXT never
BEGIN;
CALL credit_maintain(time_limit => '1 second');
ROLLBACK;
DO $$ BEGIN CALL credit_maintain(time_limit => '0'); END $$;
CREATE FUNCTION maintain() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL credit_maintain(time_limit => ''0''); END';
SELECT maintain();
DROP FUNCTION maintain();
\set SHOW_CONTEXT errors

-- The proof finds what was not written by us.
SELECT * FROM credit_verify();
ALTER TABLE credit.lot DISABLE TRIGGER lot_90_refuse_update;
UPDATE credit.lot SET currency = 'ABC' WHERE currency = 'KWD';
UPDATE credit.lot SET paid = 10.011 WHERE paid = 10.01;
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_90_refuse_update;
ALTER TABLE credit.unit DISABLE TRIGGER unit_90_check;
UPDATE credit.unit SET currency = 'ABC' WHERE unit = 'micro';
ALTER TABLE credit.unit ENABLE TRIGGER unit_90_check;
SELECT * FROM credit_verify() WHERE invariant IN ('a currency exists', 'what was paid for a lot can be paid') ORDER BY 1, 2, 3, 5;
SELECT * FROM credit_verify('acme') WHERE invariant IN ('a currency exists', 'what was paid for a lot can be paid') ORDER BY 1, 2, 3, 5;
