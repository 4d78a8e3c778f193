-- Pools, seats, caps, transfers and chargeback together, as an application calls them, at the time that it is.

-- Every file starts with a new extension and UTC. This one leaves the clock alone: a chargeback up to now is asked for.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';

SELECT credit_account('acme', pooling => 'pooled');
SELECT credit_member('acme', 'alice', department => 'eng/ml');  SELECT credit_member('acme', 'bob', department => 'eng');
SELECT credit_member('acme', 'mia', department => 'marketing');
SELECT credit_grant('acme', 100, member => 'alice');  SELECT credit_grant('acme', 1000);
SELECT credit_cap('acme', department => 'eng', amount => 500, every => 'month', action => 'block');
SELECT credit_debit('acme', 450, member => 'alice');             -- 100 of her own, 350 of the pool
SELECT member, amount FROM credit.ledger WHERE kind = 'debit' ORDER BY posting, line;
-- When it resets depends on when this runs: the text is shown where the clock stands still, in 34_caps.
\set VERBOSITY sqlstate
SELECT credit_debit('acme', 60, member => 'bob');                -- department eng may spend 500 a month, 450 used, resets ...
\set VERBOSITY default
DO $$ BEGIN
    PERFORM credit_debit('acme', 60, member => 'bob');
EXCEPTION WHEN program_limit_exceeded THEN
    RAISE NOTICE '%', replace(SQLERRM, to_char(date_trunc('month', now()) + interval '1 month', 'YYYY-MM-DD HH24:MI:SS+00'), '(the first of next month)');
END $$;
SELECT credit_debit('acme', 60, member => 'mia');                -- other departments go on
SELECT credit_transfer('acme', 50, to_member => 'bob');          -- from the pool; origin lot, expiry and cost basis kept
SELECT credit_balance('acme', member => 'bob');                  -- 590: his 50 and the pool's 540
SELECT credit_spendable('acme', member => 'bob');                -- and the cap leaves 50 of them
SELECT department, used, funded, cross_subsidy FROM credit_chargeback('acme', date_trunc('month', now()), now() + interval '1 day') ORDER BY department;
-- With everything below each.
SELECT department, used, funded, cross_subsidy FROM credit_chargeback('acme', date_trunc('month', now()), now() + interval '1 day', depth => 1) ORDER BY department;
SELECT * FROM credit_verify();
