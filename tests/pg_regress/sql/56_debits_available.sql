-- Debiting what is there: up to an amount, as far as the credits and the caps that block reach.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-10 00:00:00+00';

SELECT credit_grant('acme', 10) > 0 AS granted, credit_grant('acme', 5, expires_at => '2026-02-01') > 0 AS granted,
    credit_grant('acme', 3, member => 'ann') > 0 AS granted, credit_grant('acme', 4, applies_to => '{chat}') > 0 AS granted;

-- All of it is there; then a part; then nothing, and nothing is written.
SELECT posting > 0 AS posted, debited, shortfall FROM credit_debit_available('acme', 6);
SELECT posting > 0 AS posted, debited, shortfall FROM credit_debit_available('acme', 100);
SELECT posting, debited, shortfall FROM credit_debit_available('acme', 100, key => 'k');
SELECT posting, debited, shortfall FROM credit_debit_available('acme', 100, member => 'new', key => 'k');
SELECT count(*) AS keys FROM credit.request;
SELECT member FROM credit.member;
-- Which lots pay is as ever: ann's own, and those that are limited to chat.
SELECT posting > 0 AS posted, debited, shortfall FROM credit_debit_available('acme', 100, 'ann', 'chat', run => 'task');
SELECT amount, lot, member, operation, run FROM credit.ledger WHERE kind = 'debit' ORDER BY posting, line;

-- The key returns the same row again, whatever there is by then, and it is a key of this function.
SELECT credit_grant('keys', 10) > 0 AS granted;
SELECT posting, debited, shortfall FROM credit_debit_available('keys', 12, key => 'k') \gset
SELECT :debited AS debited, :shortfall AS shortfall;
SELECT credit_grant('keys', 50) > 0 AS granted;
SELECT posting = :posting AS same, debited, shortfall FROM credit_debit_available('keys', 12, key => 'k');
SELECT posting = :posting AS same, debited, shortfall, cap FROM credit_debit_many('{keys}', '{12}', keys => '{k}', mode => 'available');
\set VERBOSITY terse
SELECT debited FROM credit_debit_available('keys', 13, key => 'k');
SELECT credit_debit('keys', 12, key => 'k');
\set VERBOSITY default
SELECT credit_balance('keys');

-- Caps: that of the pool counts what the pool pays, and one that only warns lets all through.
SELECT credit_grant('capped', 100) > 0 AS granted, credit_grant('capped', 5, member => 'ann') > 0 AS granted;
SELECT credit_cap('capped', 20, every => 'day', member => 'ann') AS of_ann, credit_cap('capped', 12, every => 'day', covers => 'pool') AS of_pool,
    credit_cap('capped', 1, every => 'day', action => 'warn') AS warns \gset
SET client_min_messages = error;
SELECT debited, shortfall FROM credit_debit_available('capped', 50, 'ann');
SELECT posting, debited, shortfall FROM credit_debit_available('capped', 50, 'ann');
SELECT debited, shortfall FROM credit_debit_available('capped', 50);
RESET client_min_messages;
SELECT cap, used, headroom FROM credit.caps WHERE account = 'capped' ORDER BY cap;

-- Many: each takes what is there, in turn. cap says which cap did not leave the rest.
SELECT credit_grant('many', 10) > 0 AS granted, credit_grant('others', 7) > 0 AS granted, credit_cap('others', 4, every => 'month') > 0 AS capped;
SELECT item, posting > 0 AS posted, debited, shortfall, cap IS NOT NULL AS capped
FROM credit_debit_many(ARRAY['many', 'others', 'many', 'many', 'others'], ARRAY[6, 3, 6, 6, 3], keys => ARRAY['a', NULL, 'b', 'c', NULL], mode => 'available');
SELECT key FROM credit.request WHERE account = 'many' ORDER BY key;
-- The same again: what has a key is not debited again.
SELECT item, posting > 0 AS posted, debited, shortfall
FROM credit_debit_many(ARRAY['many', 'many', 'many'], ARRAY[6, 6, 6], keys => ARRAY['a', 'b', 'c'], mode => 'available');
SELECT item, debited, shortfall FROM credit_debit_many_json('[{"account": "keys", "amount": 60}, {"account": "keys", "amount": 1}]', mode => 'available');
-- The same key twice in one call is one debit.
SELECT credit_grant('twice', 5) > 0 AS granted;
SELECT item, debited, shortfall, dense_rank() OVER (ORDER BY posting) AS posting
FROM credit_debit_many('{twice,twice}', '{7,7}', keys => '{k,k}', mode => 'available');
SELECT credit_charge_many('{many}', '{chat}', '{1}', mode => 'available');

-- What is due of schedules counts, and late usage draws what expired lots lost.
SELECT credit_schedule('due', 8, every => '1 month', starts_at => '2026-01-01') > 0 AS scheduled;
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT debited, shortfall FROM credit_debit_available('due', 100);
SELECT credit_account('late', late_usage => 'original', late_grace => '10 days');
SELECT credit_grant('late', 5, expires_at => '2026-02-10') > 0 AS granted, credit_grant('late', 3) > 0 AS granted;
SET credit.clock = '2026-02-12 00:00:00+00';
SELECT debited, shortfall FROM credit_debit_available('late', 100, at => '2026-02-09', key => 'late');
SELECT debited, shortfall FROM credit_debit_available('late', 100, at => '2026-02-09', key => 'late');
SELECT kind, amount FROM credit.ledger WHERE account = 'late' AND kind IN ('debit', 'expiry_reversal') ORDER BY posting, line;

-- What holds have is not there, until their time is over.
SELECT credit_grant('held', 10) > 0 AS granted, credit_hold('held', 6, expires_after => '1 minute') > 0 AS held;
SELECT debited, shortfall FROM credit_debit_available('held', 100);
SET credit.clock = '2026-02-12 00:01:00+00';
SELECT debited, shortfall FROM credit_debit_available('held', 100);
SELECT * FROM credit_verify();
