-- Idempotency: under a key, a request counts once.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- The first call under a key counts; the same call again returns the same result and changes nothing.
SELECT credit_grant('acme', 100, paid => 80, currency => 'USD', key => 'invoice 7');
SELECT credit_grant('acme', 100, paid => 80, currency => 'USD', key => 'invoice 7');
SELECT credit_debit('acme', 30, member => 'alice', key => 'request 1') AS posting \gset
SELECT credit_debit('acme', 30, member => 'alice', key => 'request 1') = :posting AS same_posting;
SELECT credit_balance('acme');

-- The same request is the same, however it is written; credit_try_debit() makes the same request as credit_debit().
SELECT credit_try_debit(account => 'acme', member => 'alice', amount => 30.000, key => 'request 1') = :posting AS same_posting;
SELECT credit_balance('acme');

-- Another request under the same key is an error.
SELECT credit_debit('acme', 31, member => 'alice', key => 'request 1');
SELECT credit_debit('acme', 30, member => 'bob', key => 'request 1');
SELECT credit_grant('acme', 30, key => 'request 1');

-- A request that fails, or that credit_try_debit() answers with NULL, leaves its key free.
SELECT credit_debit('acme', 1000, key => 'request 2');
SELECT credit_try_debit('acme', 1000, key => 'request 2') IS NULL AS refused;
SELECT credit_grant('acme', 1000) > 0 AS granted;
SELECT credit_debit('acme', 1000, key => 'request 2') > 0 AS debited;

-- So does a request that is rolled back.
BEGIN;
SELECT credit_debit('acme', 1, key => 'request 3') > 0 AS debited;
ROLLBACK;
SELECT credit_debit('acme', 2, key => 'request 3') > 0 AS debited;

-- Keys belong to an account.
SELECT credit_grant('umbrella', 5, key => 'request 3') > 0 AS granted;

-- A repetition is answered even when the credits would no longer suffice.
SELECT credit_balance('acme') AS rest \gset
SELECT credit_debit('acme', :rest, key => 'the rest') AS posting \gset
SELECT credit_debit('acme', :rest, key => 'the rest') = :posting AS same_posting, credit_balance('acme');

SELECT account, key, function FROM credit.request ORDER BY account, key;

-- Keys of debits and charges are kept for credit.key_retention_days. After that credit_maintain() forgets them, and they can be used again.
-- Those of grants are kept.
SHOW credit.key_retention_days;
SET credit.clock = '2026-01-31 00:00:00+00';
SELECT * FROM credit_maintain() WHERE task <> 'roll up';
SET credit.clock = '2026-01-31 00:00:00.000001+00';
SELECT * FROM credit_maintain() WHERE task <> 'roll up';
SELECT count(*) FROM credit.request;

SELECT * FROM credit_verify();
