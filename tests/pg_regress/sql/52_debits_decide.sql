-- Deciding before spending: may a debit pass, why not, and when; and taking what is there.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 12:00:00+00';

SELECT allowed, reason FROM credit_check('acme', 5);
SELECT credit_grant('acme', 100) > 0 AS granted;
SELECT credit_hold('acme', 30, expires_after => '1 hour') > 0 AS held;
SELECT * FROM credit_check('acme', 70);
SELECT * FROM credit_check('acme', 80);
SELECT credit_cap('acme', 50, every => 'day') > 0 AS capped;
SELECT * FROM credit_check('acme', 25);
SELECT * FROM credit_check('acme', 45);
SELECT credit_spendable('acme');
SELECT * FROM credit_check('acme', 5, unit => 'nope');

-- A schedule brings more later.
SELECT credit_account('globex', time_zone => 'Europe/Berlin');
SELECT credit_schedule('globex', 10, every => '1 month') > 0 AS scheduled;
SELECT * FROM credit_check('globex', 10);
SELECT credit_debit('globex', 5) > 0 AS debited;
SELECT * FROM credit_check('globex', 10);
SELECT * FROM credit_check('globex', 15);

-- What is there, at most the amount; in a batch, each item in turn.
SELECT posting IS NOT NULL AS posted, debited, shortfall FROM credit_debit_available('globex', 7);
SELECT posting, debited, shortfall FROM credit_debit_available('globex', 7);
SELECT item, posting IS NOT NULL AS posted, debited, shortfall
FROM credit_debit_many(ARRAY['acme', 'acme', 'globex'], ARRAY[3, 100, 1], mode => 'available');
SELECT * FROM credit_verify();
