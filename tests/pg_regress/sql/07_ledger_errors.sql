-- Errors: each SQLSTATE, with its message, its numbers (DETAIL) and the way out (HINT).

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_grant('acme', 100) AS lot \gset

-- 23514 check_violation: insufficient credits.
SELECT credit_debit('acme', 100.5);
\echo :LAST_ERROR_SQLSTATE
SELECT credit_debit('acme', 500, member => 'alice');
\echo :LAST_ERROR_SQLSTATE

-- 22023 invalid_parameter_value: amounts that are none.
SELECT credit_debit('acme', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT credit_debit('acme', -1);
SELECT credit_debit('acme', NULL);
SELECT credit_debit('acme', 'NaN');
SELECT credit_debit('acme', 'Infinity');
SELECT credit_grant('acme', '-Infinity');
-- The unit 'credit' has six decimals. Zeros at the end do not count.
SELECT credit_debit('acme', 0.0000001);
SELECT credit_debit('acme', 1.5000000000000) > 0 AS debited;

-- 22003 numeric_value_out_of_range: from 10^15 on.
SELECT credit_grant('acme', 1e15);
\echo :LAST_ERROR_SQLSTATE
SELECT credit_grant('huge', 999999999999999.999999) > 0 AS granted;

-- 22023: names that name nothing, or would be mistaken for others.
SELECT credit_debit(NULL, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT credit_debit('', 1);
SELECT credit_debit(' acme', 1);
SELECT credit_debit(E'ac\nme', 1);
SELECT credit_debit(repeat('x', 256), 1);

-- 22023: terms that make no sense.
SELECT credit_grant('acme', 1, expires_at => '2026-01-01 00:00:00+00');
\echo :LAST_ERROR_SQLSTATE
SELECT credit_grant('acme', 1, effective_at => '2026-03-01 00:00:00+00', expires_at => '2026-02-01 00:00:00+00');
SELECT credit_grant('acme', 1, expires_at => 'infinity');
SELECT credit_grant('acme', 1, expires_at => '2026-02-01 00:00:00+00', expires_after => '1 month');
SELECT credit_grant('acme', 1, expires_after => '-1 day');
SELECT credit_grant('acme', 1, category => 'gift');
SELECT credit_grant('acme', 1, source => 'gift');
SELECT credit_grant('acme', 1, priority => 1001);
SELECT credit_grant('acme', 1, applies_to => '{}');
SELECT credit_grant('acme', 1, applies_to => ARRAY['chat', NULL]);
SELECT credit_grant('acme', 1, paid => 1);
SELECT credit_grant('acme', 1, currency => 'USD');
SELECT credit_grant('acme', 1, paid => 1, currency => 'dollars');
SELECT credit_grant('acme', 1, paid => -1, currency => 'USD');
SELECT credit_grant('acme', 1, paid => 1, currency => 'USD', category => 'promotional');
SELECT credit_debit('acme', 1, at => '2026-01-01 00:00:01+00');
SELECT credit_account('acme', pooling => 'shared');
SELECT credit_account('new', time_zone => 'Atlantis');
SELECT credit_allow('nobody', 'owner');
SELECT credit_maintain(0);

-- P0002 no_data_found: nothing of this name.
SELECT credit_debit('nobody', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT credit_balance('nobody');
SELECT credit_debit('acme', 1, unit => 'gold');
SELECT credit_grant('acme', 1, unit => 'gold');
SELECT credit_void('acme', 4711);
SELECT credit_set_expiry('acme', 4711, NULL);
SELECT credit_allow('no such role', 'read');
SELECT credit_account('strict', require_members => true);
SELECT credit_grant('strict', 1, member => 'alice');

-- 23505 unique_violation: a key of another request.
SELECT credit_debit('acme', 1, key => 'k') > 0 AS debited;
SELECT credit_debit('acme', 2, key => 'k');
\echo :LAST_ERROR_SQLSTATE

-- 55000 object_not_in_prerequisite_state: too late for that.
SELECT credit_void('acme', :lot);
SELECT credit_set_expiry('acme', :lot, '2027-01-01 00:00:00+00');
\echo :LAST_ERROR_SQLSTATE
SELECT credit_account('acme', time_zone => 'Europe/Berlin');
SELECT credit_member('acme', 'alice', active => false);
SELECT credit_debit('acme', 1, member => 'alice');
UPDATE credit.unit SET decimals = 2;

-- 42501 insufficient_privilege: what is written stays, for superusers too.
DELETE FROM credit.entry WHERE account = 'acme';
\echo :LAST_ERROR_SQLSTATE
UPDATE credit.entry SET amount = amount * 2 WHERE account = 'acme';
TRUNCATE credit.entry;
UPDATE credit.lot SET expires_at = NULL, granted = 1000 WHERE account = 'acme';
DELETE FROM credit.lot WHERE account = 'acme';
DELETE FROM credit.slot WHERE account = 'acme';

-- Nothing of all that was posted: the grant, the debits that succeeded, and the void.
SELECT posting, kind, amount FROM credit.ledger WHERE account = 'acme' ORDER BY posting;
SELECT * FROM credit_verify();
