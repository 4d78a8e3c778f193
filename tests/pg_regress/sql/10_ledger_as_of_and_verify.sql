-- Balances as of an instant, and the proof of the books.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- A history: January.
SELECT credit_grant('acme', 100, expires_at => '2026-02-01 00:00:00+00') AS january \gset
SELECT credit_grant('acme', 50, member => 'alice') AS lasting \gset
SET credit.clock = '2026-01-10 00:00:00+00';
SELECT credit_debit('acme', 30) > 0 AS debited;
SET credit.clock = '2026-01-20 00:00:00+00';
SELECT credit_debit('acme', 10) > 0 AS debited;
SET credit.clock = '2026-03-01 00:00:00+00';

-- The balance at any instant: what was recorded up to it, of the lots in force then.
SELECT at, credit_balance('acme', at => at) AS balance, credit_balance('acme', member => 'alice', at => at) AS of_alice
FROM unnest(ARRAY['2025-12-31 23:59:59+00', '2026-01-01 00:00:00+00', '2026-01-10 00:00:00+00', '2026-01-19 23:59:59+00',
    '2026-01-31 23:59:59.999999+00', '2026-02-01 00:00:00+00', '2026-03-01 00:00:00+00']::timestamptz[]) AS at;

-- Posting the expiry late changes no balance of the past.
SELECT expired, expires_at FROM credit_expire('acme');
SELECT at, credit_balance('acme', at => at) AS balance
FROM unnest(ARRAY['2026-01-31 23:59:59.999999+00', '2026-02-01 00:00:00+00', '2026-03-01 00:00:00+00']::timestamptz[]) AS at;

-- Nor does moving a lot to another expiry: before the move the old lot held the credits, after it the new one does.
SELECT credit_set_expiry('acme', :lasting, '2026-03-10 00:00:00+00') > 0 AS moved;
SET credit.clock = '2026-03-05 00:00:00+00';
SELECT at, credit_balance('acme', at => at) AS balance
FROM unnest(ARRAY['2026-02-15 00:00:00+00', '2026-03-01 00:00:00+00', '2026-03-05 00:00:00+00']::timestamptz[]) AS at;

-- The future: what will be left when nothing more is debited.
SELECT at, credit_balance('acme', at => at) AS balance
FROM unnest(ARRAY['2026-03-09 23:59:59+00', '2026-03-10 00:00:00+00']::timestamptz[]) AS at;

-- The ledger alone proves the balance of each lot.
SELECT lot, sum(amount) AS ledger, (SELECT remaining FROM credit.lots l WHERE l.account = 'acme' AND l.lot = e.lot) AS remaining
FROM credit.ledger e WHERE account = 'acme' GROUP BY lot ORDER BY lot;
SELECT * FROM credit_verify();

-- A superuser can always switch the triggers off and forge the books. The proof finds it. (All of this is rolled back.)
BEGIN;
UPDATE credit.slot SET remaining = remaining + 1000 WHERE account = 'acme' AND lot = :january;
SELECT * FROM credit_verify('acme');
ROLLBACK;

BEGIN;
ALTER TABLE credit.entry DISABLE TRIGGER USER;
DELETE FROM credit.entry WHERE account = 'acme' AND kind = 'debit' AND amount = -10;
ALTER TABLE credit.entry ENABLE TRIGGER USER;
SELECT invariant, account, lot, expected, found FROM credit_verify('acme') ORDER BY invariant, found;
ROLLBACK;

BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE credit.entry SET amount = -5 WHERE account = 'acme' AND kind = 'debit' AND amount = -10;
ROLLBACK;

BEGIN;
ALTER TABLE credit.entry DISABLE TRIGGER entry_90_refuse_update;
UPDATE credit.entry SET amount = -5, recorded_at = '2026-02-11 00:00:00+00' WHERE account = 'acme' AND kind = 'debit' AND amount = -10;
SELECT invariant, account, lot, expected, found FROM credit_verify('acme') ORDER BY invariant, found;
ROLLBACK;

-- A member pays with the lot of another, for an operation that the lot does not apply to, a part of a credit that its unit does not have.
BEGIN;
SELECT credit_member('acme', 'alice'), credit_member('acme', 'bob');
SELECT credit_grant('acme', 10, member => 'alice', applies_to => '{chat}') AS alices \gset
SELECT credit_debit('acme', 1, member => 'alice', operation => 'chat') > 0 AS debited;
ALTER TABLE credit.entry DISABLE TRIGGER entry_90_refuse_update;
UPDATE credit.entry SET amount = -1.0000001, member = 'bob', operation = 'search' WHERE account = 'acme' AND lot = :alices AND kind = 'debit';
SELECT invariant, account, expected, regexp_replace(found, 'posting \d+', 'posting ...') AS found FROM credit_verify('acme') ORDER BY invariant, found;
ROLLBACK;

-- Even the database's last guard stands: a slot cannot be written below zero.
UPDATE credit.slot SET remaining = -1 WHERE account = 'acme';
\echo :LAST_ERROR_SQLSTATE

SELECT * FROM credit_verify();
