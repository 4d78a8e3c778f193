-- Quick start: grant credits, debit them, look at what happened.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- The first grant creates the account, with the default unit 'credit'. It returns the lot's id.
SELECT credit_grant('acme', 1000);

-- A debit returns the posting's id. Naming a member registers it.
SELECT credit_debit('acme', 12.5, member => 'alice');

SELECT credit_balance('acme');

-- A debit that does not fit is refused, and changes nothing ...
SELECT credit_debit('acme', 1000);

-- ... or is answered with NULL.
SELECT credit_try_debit('acme', 1000) IS NULL AS refused;

SELECT credit_balance('acme');

-- The debit belongs to the transaction of the caller: a rollback undoes it.
BEGIN;
SELECT credit_debit('acme', 900, member => 'bob');
SELECT credit_balance('acme');
ROLLBACK;
SELECT credit_balance('acme');

-- Every line of the ledger names its lot and who spent it.
SELECT posting, line, kind, amount, unit, lot, member FROM credit.ledger WHERE account = 'acme' ORDER BY posting, line;

-- Amounts keep up to six decimals in the default unit, exactly.
SELECT credit_debit('acme', 0.000001);
SELECT credit_balance('acme');

-- The proof of the books: a row for each violation, so none.
SELECT * FROM credit_verify();
