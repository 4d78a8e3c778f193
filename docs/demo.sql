-- The walkthrough that `make demo` runs. It needs a database with pg_credit in it and a superuser, and nothing else.
-- Every statement that is shown is shown as it is run.

\pset footer off
\pset format aligned
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- What an error says, as a table: SQLSTATE, message, DETAIL and HINT.
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS TABLE (state text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    message := 'no error';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END
$$;

\echo
\echo '1. An account and its credits'
\echo '   A setting moves the clock, so that the demo can show expiry. It starts on 15 January 2026.'
\echo
SET credit.clock = '2026-01-15 09:00:00+00';
SELECT credit_account('acme', time_zone => 'Europe/Berlin') \g /dev/null
SELECT credit_member('acme', 'alice', department => 'research') \g /dev/null
SELECT credit_member('acme', 'bob', department => 'sales') \g /dev/null
\set ECHO queries
SELECT credit_grant('acme', 1000, paid => 800, currency => 'USD', expires_after => '1 year') AS bought,
    credit_grant('acme', 100, expires_after => '1 month') AS welcome_gift,
    credit_grant('acme', 40, applies_to => ARRAY['chat'], expires_at => '2026-02-01') AS chat_trial,
    credit_grant('acme', 25, member => 'alice') AS of_alice;
\set ECHO none
SELECT lot, member, category, granted, expires_at, applies_to, cost_basis FROM credit.lots WHERE account = 'acme' ORDER BY lot;

\echo
\echo '2. Which lots would pay? Explain a debit without making it'
\echo '   The member''s own credits first, then lots limited to the operation, then what expires sooner.'
\echo
\set ECHO queries
SELECT step, lot, owner, category, available, debited, remaining
FROM credit_explain_debit('acme', 180, member => 'alice', operation => 'chat');
\set ECHO none

\echo '3. Debits, and which lot paid what'
\echo
\set ECHO queries
SELECT credit_debit('acme', 180, member => 'alice', operation => 'chat') AS posting;
SELECT credit_debit('acme', 12.345678, member => 'bob', operation => 'image') AS posting;
SELECT posting, line, lot, amount, member, department, operation, value, currency
FROM credit.ledger WHERE account = 'acme' AND kind = 'debit' ORDER BY posting, line;
\set ECHO none

\echo '4. An overdraft is refused, whatever the concurrency. credit_try_debit() answers with NULL instead'
\echo
\echo 'SELECT credit_debit(''acme'', 5000, member => ''bob'');'
\pset expanded on
SELECT state AS sqlstate, message, detail, hint FROM pg_temp.error_of($$SELECT credit_debit('acme', 5000, member => 'bob')$$);
\pset expanded off

\echo '5. The debit belongs to your transaction: roll back the business write, and it is undone'
\echo
\set ECHO queries
BEGIN;
CREATE TABLE answer (id integer, text text);
INSERT INTO answer VALUES (1, 'The answer that was paid for');
SELECT credit_debit('acme', 100, member => 'bob') AS posting, credit_balance('acme') AS balance;
ROLLBACK;
SELECT credit_balance('acme') AS balance_after_rollback;
\set ECHO none

\echo '6. The same request under the same key counts once; a different one under it is an error'
\echo
\set ECHO queries
SELECT credit_debit('acme', 7, member => 'bob', key => 'request-4711') AS first,
    credit_debit('acme', 7, member => 'bob', key => 'request-4711') AS repeated, credit_balance('acme') AS balance;
\set ECHO none
\echo 'SELECT credit_debit(''acme'', 8, member => ''bob'', key => ''request-4711'');'
\pset expanded on
SELECT state AS sqlstate, message, detail FROM pg_temp.error_of($$SELECT credit_debit('acme', 8, member => 'bob', key => 'request-4711')$$);
\pset expanded off

\echo '7. Expiry is exact, and needs no job to have run'
\echo
SELECT credit_grant('umbrella', 10, expires_at => '2026-02-01 00:00:00+00') \g /dev/null
\set ECHO queries
SET credit.clock = '2026-01-31 23:59:59.999999+00';
SELECT credit_balance('umbrella') AS a_microsecond_before;
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT credit_balance('umbrella') AS at_expires_at, credit_try_debit('umbrella', 1) AS posting;
\set ECHO none

\echo '8. Adoption in place: a trigger on your own table debits as rows arrive'
\echo
\set ECHO queries
CREATE TABLE llm_request (id integer PRIMARY KEY, customer text, employee text, tokens integer, posting bigint);
CREATE FUNCTION debit_llm_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.posting := credit_debit(NEW.customer, NEW.tokens / 1000.0, member => NEW.employee, operation => 'chat');
    RETURN NEW;
END
$$;
CREATE TRIGGER debit BEFORE INSERT ON llm_request FOR EACH ROW EXECUTE FUNCTION debit_llm_request();
INSERT INTO llm_request VALUES (1, 'acme', 'alice', 1834), (2, 'acme', 'bob', 12000);
SELECT r.*, l.amount, l.lot, l.department
FROM llm_request r JOIN credit.ledger l ON l.posting = r.posting AND l.account = 'acme' ORDER BY r.id;
\set ECHO none

\echo '9. Balances, now and as of any instant'
\echo
\set ECHO queries
SELECT member, balance, paid, promotional, lots, next_expiry FROM credit.balances WHERE account = 'acme';
SELECT at, credit_balance('acme', at => at) AS balance
FROM unnest(ARRAY['2026-01-15 08:59:59+00', '2026-01-15 09:00:00+00', '2026-02-01 00:00:00+00', '2026-06-01 00:00:00+00',
    '2027-02-01 00:00:00+00']::timestamptz[]) AS at;
\set ECHO none

\echo '10. The proof of the books: a row for each violated invariant, so none'
\echo
\set ECHO queries
SELECT * FROM credit_verify();
\set ECHO none
\echo '    What is written stays, for superusers too:'
\echo
\echo 'UPDATE credit.entry SET amount = -1 WHERE kind = ''debit'';'
\pset expanded on
SELECT state AS sqlstate, message FROM pg_temp.error_of($$UPDATE credit.entry SET amount = -1 WHERE kind = 'debit'$$);
\pset expanded off
\echo '    A superuser can switch the triggers off and forge a line all the same. Then the proof finds it:'
\echo
\set ECHO queries
BEGIN;
ALTER TABLE credit.entry DISABLE TRIGGER entry_90_refuse_update;
UPDATE credit.entry SET amount = -1 WHERE account = 'acme' AND lot = 1 AND amount = -7;
SELECT invariant, account, lot, expected, found FROM credit_verify();
ROLLBACK;
SELECT count(*) AS violations FROM credit_verify();
\set ECHO none
