-- Access: nothing for PUBLIC; three levels for roles that exist.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_credit_reader, regress_credit_spender, regress_credit_admin, regress_credit_nobody;
RESET client_min_messages;
CREATE ROLE regress_credit_reader;
CREATE ROLE regress_credit_spender;
CREATE ROLE regress_credit_admin;
CREATE ROLE regress_credit_nobody;
SELECT credit_grant('acme', 100) AS lot \gset

-- The levels: look, spend, manage.
SELECT credit_allow('regress_credit_reader', 'read');
SELECT credit_allow('regress_credit_spender', 'spend');
SELECT credit_allow('regress_credit_admin', 'admin');
SELECT role, level FROM credit.access ORDER BY role;

-- What each level may do is listed in one place.
SELECT substring(object FROM '^[a-z_.]+') AS function,
    string_agg(level, ', ' ORDER BY array_position('{read,spend,admin}', level)) AS levels
FROM credit.access_rule WHERE kind = 'FUNCTION' GROUP BY object ORDER BY object COLLATE "C";
SELECT object, string_agg(DISTINCT level || CASE WHEN privilege <> 'SELECT' THEN ' (but costs)' ELSE '' END, ', ') AS may_select
FROM credit.access_rule WHERE kind = 'TABLE' AND privilege LIKE 'SELECT%' GROUP BY object ORDER BY object COLLATE "C";
SELECT level, object, privilege FROM credit.access_rule WHERE kind <> 'FUNCTION' AND privilege NOT LIKE 'SELECT%'
ORDER BY level, object COLLATE "C";

-- Without a level: nothing.
SET ROLE regress_credit_nobody;
SELECT credit_balance('acme');
SELECT credit_debit('acme', 1);
SELECT * FROM credit.ledger;
RESET ROLE;

-- 'read' sees, and changes nothing.
SET ROLE regress_credit_reader;
SELECT credit_balance('acme');
SELECT member, available FROM credit.balances WHERE account = 'acme';
SELECT lot, debited FROM credit_explain_debit('acme', 1);
SELECT credit_debit('acme', 1);
SELECT credit_grant('acme', 1);
SELECT * FROM credit.slot;
RESET ROLE;

-- 'spend' debits, and touches no table.
SET ROLE regress_credit_spender;
SELECT credit_debit('acme', 1) > 0 AS debited;
SELECT credit_try_debit('acme', 1000) IS NULL AS refused;
SELECT credit_balance('acme');
SELECT credit_grant('acme', 1);
SELECT credit_void('acme', :lot);
SELECT * FROM credit.ledger;
UPDATE credit.slot SET remaining = 1000;
SET credit.clock = '2020-01-01 00:00:00+00';
RESET ROLE;

-- 'admin' manages credits, also by direct inserts, which the triggers check. It can neither forge rows nor hand out access.
SET ROLE regress_credit_admin;
SELECT credit_grant('acme', 10) AS another \gset
SELECT credit_void('acme', :another);
INSERT INTO credit.lot (account, granted) VALUES ('acme', 5);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'adjustment', 1, :lot);
SELECT credit_balance('acme');
SELECT * FROM credit_verify();
INSERT INTO credit.entry (account, kind, amount, lot, posted) VALUES ('acme', 'adjustment', 1, :lot, true);
INSERT INTO credit.entry (account, kind, amount, lot, recorded_at) VALUES ('acme', 'adjustment', 1, :lot, '2020-01-01 00:00:00+00');
UPDATE credit.slot SET remaining = 1000;
DELETE FROM credit.entry;
SELECT credit_allow('regress_credit_nobody', 'admin');
RESET ROLE;

-- Taking a level away leaves what another level of the role grants.
SELECT credit_allow('regress_credit_spender', 'read');
SELECT credit_disallow('regress_credit_spender', 'spend');
SELECT has_function_privilege('regress_credit_spender', 'credit_debit(text, numeric, text, text, text, timestamptz, text, jsonb, text, jsonb)', 'EXECUTE') AS may_debit,
    has_function_privilege('regress_credit_spender', 'credit_balance(text, text, text, timestamptz, text)', 'EXECUTE') AS may_read;
SELECT role, level FROM credit.access ORDER BY role, level;

-- Afterwards the roles can be dropped.
SELECT credit_disallow('regress_credit_spender', 'read');
SELECT credit_disallow('regress_credit_reader', 'read');
SELECT credit_disallow('regress_credit_admin', 'admin');
DROP ROLE regress_credit_reader, regress_credit_spender, regress_credit_admin, regress_credit_nobody;
