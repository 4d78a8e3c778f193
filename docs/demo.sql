-- The walkthrough that `make demo` runs. It needs a database with pg_credit in it and a superuser, and nothing else.
-- Statements are shown as they are run; those that only prepare something are not.

\pset footer off
\pset format aligned
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- What an error says, as a table: SQLSTATE, message, DETAIL and HINT.
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS TABLE (state text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE assert_failure USING MESSAGE = 'no error: ' || statement;
EXCEPTION
    WHEN assert_failure THEN RAISE;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
            hint = PG_EXCEPTION_HINT;
        RETURN NEXT;
END
$$;
SET credit.clock = '2026-01-15 09:00:00+00';
SELECT credit_account('acme') \g /dev/null
SELECT credit_member('acme', 'alice', department => 'research') \g /dev/null
SELECT credit_member('acme', 'bob', department => 'sales') \g /dev/null

\echo '1. Credits are granted in lots. The customer acme has four, with different terms.'
\echo '   (The setting credit.clock moves the time, so that this demo can show expiry: it is 15 January 2026.)'
\set ECHO queries
SELECT credit_grant('acme', 1000, paid => 800, currency => 'USD', expires_after => '1 year') AS bought,
    credit_grant('acme', 100, expires_after => '1 month') AS welcome_gift,
    credit_grant('acme', 40, applies_to => ARRAY['chat'], expires_at => '2026-02-01') AS chat_trial,
    credit_grant('acme', 25, member => 'alice') AS of_alice;
\set ECHO none

\echo '2. Which lots would pay? The member''s own first, then those limited to the operation, then what expires sooner.'
SET credit.clock = '2026-01-20 12:00:00+00';
\set ECHO queries
SELECT step, lot, owner, category, expires_at, available, debited, remaining
FROM credit_explain_debit('acme', 50, member => 'alice', operation => 'chat');
\set ECHO none

\echo '3. Debits. The ledger says which lot paid, for whom, and what it was worth at the price the customer paid.'
\set ECHO queries
SELECT credit_debit('acme', 50, member => 'alice', operation => 'chat') AS alice,
    credit_debit('acme', 120.5, member => 'bob', operation => 'image') AS bob;
SELECT posting, line, lot, amount, member, department, operation, value, currency
FROM credit.ledger WHERE account = 'acme' AND kind = 'debit' ORDER BY posting, line;
\set ECHO none

\echo '4. More than there is, is refused. credit_debit() raises an error; credit_try_debit() returns NULL.'
\echo 'SELECT credit_debit(''acme'', 5000, member => ''bob'');'
\pset expanded on
SELECT state AS sqlstate, message, detail, hint FROM pg_temp.error_of($$SELECT credit_debit('acme', 5000, member => 'bob')$$);
\pset expanded off

\echo '5. A debit belongs to your transaction: with the write it pays for, it commits or rolls back.'
CREATE TABLE answer (id integer, text text);
\set ECHO queries
BEGIN;
INSERT INTO answer VALUES (1, 'The answer that was paid for');
SELECT credit_debit('acme', 100, member => 'bob') AS posting;
ROLLBACK;
SELECT credit_balance('acme') AS balance, (SELECT count(*) FROM answer) AS answers;
\set ECHO none

\echo '6. Under a key a request counts once, however often it is repeated. Another request under it is an error.'
\set ECHO queries
SELECT credit_debit('acme', 7, member => 'bob', key => 'request-4711') AS first,
    credit_debit('acme', 7, member => 'bob', key => 'request-4711') AS repeated;
\set ECHO none
\echo 'SELECT credit_debit(''acme'', 8, member => ''bob'', key => ''request-4711'');'
\pset expanded on
SELECT state AS sqlstate, message FROM pg_temp.error_of($$SELECT credit_debit('acme', 8, member => 'bob', key => 'request-4711')$$);
\pset expanded off

\echo '7. Expiry is exact to the instant, and needs no job to have run: lot 3 expires on 1 February.'
\set ECHO queries
SET credit.clock = '2026-01-31 23:59:59.999999+00';
SELECT credit_balance('acme') AS a_microsecond_before;
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT credit_balance('acme') AS at_expires_at;
SELECT lot, status, granted, remaining, available, expires_at FROM credit.lots WHERE account = 'acme' ORDER BY lot;
\set ECHO none

\echo '8. Adoption in place: a trigger on your own table debits as its rows arrive.'
SET credit.clock = '2026-02-03 08:00:00+00';
\set ECHO queries
CREATE TABLE llm_request (id integer PRIMARY KEY, customer text, employee text, tokens integer);
CREATE FUNCTION debit_llm_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM credit_debit(NEW.customer, NEW.tokens / 1000.0, member => NEW.employee, operation => 'chat',
        key => 'llm_request ' || NEW.id, metadata => jsonb_build_object('llm_request', NEW.id));
    RETURN NULL;
END $$;
CREATE TRIGGER debit AFTER INSERT ON llm_request FOR EACH ROW EXECUTE FUNCTION debit_llm_request();
INSERT INTO llm_request VALUES (1, 'acme', 'alice', 1834), (2, 'acme', 'bob', 12000);
INSERT INTO llm_request VALUES (2, 'acme', 'bob', 12000) ON CONFLICT DO NOTHING;
SELECT r.*, l.amount, l.lot, l.department
FROM llm_request r JOIN credit.ledger l ON l.account = 'acme' AND l.metadata -> 'llm_request' = to_jsonb(r.id) ORDER BY r.id;
\set ECHO none

\echo '9. A model call costs what it costs, and that is known when it is over. Hold before it, capture after it.'
\set ECHO queries
SELECT allowed, available FROM credit_check('acme', 30, member => 'bob', operation => 'chat');
SELECT credit_hold('acme', 30, member => 'bob', operation => 'chat', expires_after => '10 minutes', run => 'answer-1') AS hold \gset
SELECT available, held, total FROM credit.balances WHERE account = 'acme' AND member IS NULL;
SELECT credit_capture('acme', :hold, 12.5) AS posting \gset
SELECT state, amount, captured, released FROM credit.holds WHERE hold = :hold;
\set ECHO none
\echo '   The answer was bad: the customer gets a part of it back, into the lots that paid.'
\set ECHO queries
SELECT credit_refund('acme', :posting, 5, reason => 'bad answer') AS refund \gset
SELECT kind, lot, amount, member, run FROM credit.ledger WHERE posting IN (:posting, :refund) ORDER BY posting, line;
\set ECHO none

\echo '10. Balances as of any instant, from the ledger.'
\set ECHO queries
SELECT at, credit_balance('acme', at => at) AS balance FROM unnest(ARRAY['2026-01-15 08:59:59+00',
    '2026-01-15 09:00:00+00', '2026-01-20 12:00:00+00', '2026-02-01 00:00:00+00', '2026-02-03 08:00:00+00']::timestamptz[]) AS at;
\set ECHO none

\echo '11. Rates. A card of public list prices (docs/price_list.sql): a dozen models, 1 credit is a cent, a quarter is added.'
\o /dev/null
\ir price_list.sql
SELECT credit_account('acme', rate_card => 'llm');
SELECT credit_grant('acme', 500, unit => 'cent', paid => 4.50, currency => 'USD');
\o
\set ECHO queries
SELECT operation, dimensions ->> 'model' AS model, credits, per, units_per_credit, fiat_per_unit
FROM credit.conversion_table WHERE card = 'llm' AND operation = 'output' ORDER BY credits DESC LIMIT 4;
SELECT credit_charge_request('acme', ARRAY['input', 'cached_input', 'output'], ARRAY[4808, 2000, 615],
    member => 'alice', dimensions => '{"model": "claude-sonnet-5"}') AS posting;
SELECT line, operation, quantity, -amount AS credits, -value AS paid FROM credit.ledger
WHERE account = 'acme' AND unit = 'cent' AND kind = 'debit' ORDER BY posting, line;
\set ECHO none
\echo '    The provider cuts the price of its output by a fifth. Who keeps it? Here the customer; what would acme have paid?'
\set ECHO queries
SELECT old_credits, new_credits, per, change_percent, margin_before, margin_after
FROM credit_reprice('llm', 'output', 0.000008, 'pass_through', dimensions => '{"model": "claude-sonnet-5"}');
SELECT account, charged, would_be, difference, change_percent FROM credit_reprice_preview('llm');
SELECT severity, finding, subject FROM credit_check_design();
\set ECHO none

\echo '12. Selling credits: Starter, Growth, Scale, and an Enterprise deal that was negotiated.'
\o /dev/null
SELECT credit_standard_plan('api', 'credit', 'USD', 0.01);
SELECT credit_plan('api', floor_margin => 0.3);
SELECT credit_plan_cost('api', 0.004), credit_plan_cost('api', 0.003, from_quantity => 1000000);
SELECT credit_agreement('umbrella', 'api', unit_price => 0.0055, committed_quantity => ARRAY[10000000, 15000000, 20000000], expiry => '24 months');
\o
\set ECHO queries
SELECT q.tier, n AS credits, q.unit_price, q.total, q.margin_percent, q.next_tier, q.warning
FROM unnest(ARRAY[20000, 99999, 250000, 2000000]) AS n, credit_quote('api', n) AS q;
SELECT credit_purchase('small', 'api', 20000) AS starter, credit_purchase('middle', 'api', 250000) AS growth,
    credit_purchase('large', 'api', 2000000) AS scale, credit_purchase('umbrella', 'api', 10000000) AS enterprise;
SELECT tier, unit_price, unit_cost, margin_percent, customers, credits_sold, revenue FROM credit.tier_economics ORDER BY from_quantity;
SELECT account, year, committed_quantity, bought, missing_quantity FROM credit.commitments;
\set ECHO none

\echo '13. The proof of the books: a row for each violated invariant. None, so they are right.'
\set ECHO queries
SELECT * FROM credit_verify();
\set ECHO none
\echo '    The ledger refuses every change. A superuser can switch that off and forge a line: then the proof finds it.'
\set ECHO queries
BEGIN;
ALTER TABLE credit.entry DISABLE TRIGGER entry_90_refuse_update;
UPDATE credit.entry SET amount = -1 WHERE account = 'acme' AND amount = -7;
SELECT * FROM credit_verify();
ROLLBACK;
