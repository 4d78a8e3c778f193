-- Spending caps: what they count, what they refuse, and what they leave.
SET credit.clock = '2026-11-25 10:00:00+00';
SET TimeZone = 'UTC';

-- As the documentation has it.
SELECT credit_account('acme', pooling => 'pooled');
SELECT credit_member('acme', 'alice', department => 'eng/ml');
SELECT credit_member('acme', 'bob', department => 'eng');
SELECT credit_member('acme', 'mia', department => 'marketing');
SELECT credit_grant('acme', 100, member => 'alice') > 0 AS granted;
SELECT credit_grant('acme', 1000) > 0 AS granted;
SELECT credit_cap('acme', department => 'eng', amount => 500, every => 'month', action => 'block') AS cap \gset
SELECT credit_debit('acme', 450, member => 'alice') > 0 AS debited;
SELECT regexp_replace(credit_debit('acme', 60, member => 'bob')::text, '\d', '');
SELECT credit_try_debit('acme', 60, member => 'bob');
SELECT credit_debit('acme', 60, member => 'mia') > 0 AS debited;
SELECT credit_transfer('acme', 50, to_member => 'bob') > 0 AS transferred;
SELECT credit_balance('acme', member => 'bob');
SELECT credit_spendable('acme', member => 'bob'), credit_spendable('acme', member => 'mia'), credit_spendable('acme');
SELECT member, department, operation, every, covers, action, "limit", used, headroom, period_start, resets_at FROM credit.caps;
SELECT item, posting IS NOT NULL AS posted, shortfall, cap = :cap AS by_cap
FROM credit_debit_many(ARRAY['acme', 'acme', 'acme', 'acme'], ARRAY[40, 20, 10, 2000]::numeric[], members => ARRAY['bob', 'alice', 'bob', 'bob'], mode => 'each');
SELECT count(*) FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1]::numeric[], members => ARRAY['mia', 'bob']);
SELECT * FROM credit_verify();

-- A changed limit keeps what was used; a lower one leaves nothing.
SELECT credit_cap('acme', 520, department => 'eng') = :cap AS same_cap;
SELECT used, headroom FROM credit.caps;
SELECT credit_cap('acme', 100, department => 'eng') = :cap AS same_cap;
SELECT used, headroom FROM credit.caps;
SELECT credit_try_debit('acme', 1, member => 'bob');
SELECT * FROM credit_verify();
SELECT credit_cap('acme', 510, department => 'eng') = :cap AS same_cap;

-- Another cap counts what was spent in the running period, of its own scope.
SELECT credit_cap('acme', 470, every => 'year', member => 'alice') > :cap AS another;
SELECT credit_cap('acme', 1000, covers => 'pool') > 0 AS another;
SELECT credit_cap('acme', 5, operation => 'chat', every => 'day') > 0 AS another;
SELECT credit_cap('acme', 30, every => 'week', member => 'mia', action => 'warn') > 0 AS another;
SELECT member, department, operation, every, covers, action, "limit", used, headroom, period_start, resets_at FROM credit.caps ORDER BY cap;
SELECT credit_debit('acme', 5, member => 'mia', operation => 'chat') > 0 AS warned;
SELECT credit_try_debit('acme', 0.5, operation => 'chat');
-- What is missing in credits is NULL, also where a cap is in the way besides.
SELECT credit_try_debit('acme', 5000, member => 'bob', operation => 'chat');
-- Beyond credit and beyond the cap: the credits are named.
SELECT credit_debit('acme', 5000, member => 'bob', operation => 'chat');
SELECT * FROM credit_verify();

-- In the next period there is headroom again, whether anything was debited since or not.
SET credit.clock = '2026-11-26 00:00:00+00';
SELECT operation, used, headroom, resets_at FROM credit.caps WHERE every = 'day';
SELECT credit_debit('acme', 5, operation => 'chat') > 0 AS debited;
SELECT operation, used, headroom, resets_at FROM credit.caps WHERE every = 'day';
SET credit.clock = '2026-12-01 00:00:00+00';
SELECT credit_debit('acme', 10, member => 'bob') > 0 AS debited;
SELECT department, used, headroom, period_start, resets_at FROM credit.caps WHERE department IS NOT NULL;
SELECT * FROM credit_verify();

-- What is corrected is there again.
SELECT credit_debit('acme', 20, member => 'bob') AS posting \gset
INSERT INTO credit.entry (account, kind, amount, lot, member, corrects)
SELECT account, 'adjustment', 5, lot, member, posting FROM credit.entry WHERE posting = :posting;
SELECT used, headroom FROM credit.caps WHERE department IS NOT NULL;
INSERT INTO credit.entry (account, kind, amount, lot, member, corrects)
SELECT account, 'adjustment', -1, lot, member, posting FROM credit.entry WHERE posting = :posting;
SELECT used, headroom FROM credit.caps WHERE department IS NOT NULL;
-- A directly inserted debit counts too.
INSERT INTO credit.entry (account, kind, amount, lot, member)
SELECT account, 'debit', -1, lot, 'bob' FROM credit.entry WHERE posting = :posting;
SELECT used, headroom FROM credit.caps WHERE department IS NOT NULL;
SELECT * FROM credit_verify();

-- A savepoint gives back.
SELECT credit_cap('acme', 40, department => 'eng', every => 'day') > 0 AS another;
BEGIN;
SAVEPOINT before;
SELECT credit_debit('acme', 13, member => 'bob') > 0 AS debited;
ROLLBACK TO before;
SELECT credit_spendable('acme', 'bob');
COMMIT;

-- Errors change nothing.
SELECT credit_cap('acme', 10, member => 'bob', department => 'eng');
SELECT credit_cap('acme', 10, member => 'nobody');
SELECT credit_cap('nobody', 10);
SELECT credit_cap('acme', 0);
SELECT credit_cap('acme', -1);
SELECT credit_cap('acme', 1, unit => 'gold');
SELECT credit_cap('acme', 10, every => 'fortnight');
SELECT credit_cap('acme', 10, covers => 'nothing');
SELECT credit_cap('acme', 10, action => 'shout');
SELECT credit_cap('acme', 30, department => 'eng', every => 'week');
SELECT credit_cap('acme', 510, department => 'eng', action => 'warn');
SELECT credit_cap('acme', 511, department => 'eng', covers => 'pool');
SELECT credit_cap('acme', 510, department => 'eng', anchor => '2026-01-15 00:00+00');
SELECT credit_member('acme', 'gone', active => false);
SELECT credit_cap('acme', 1, member => 'gone');
SELECT credit_end_cap('acme', 0);
SELECT count(*) FROM credit.caps;

-- An ended cap does not count.
SELECT credit_end_cap('acme', cap) FROM credit.caps ORDER BY cap;
SELECT credit_end_cap('acme', :cap);
SELECT count(*) FROM credit.caps;
SELECT credit_debit('acme', 100, member => 'bob', operation => 'chat') > 0 AS debited;
SELECT * FROM credit_verify();

-- A pool's cap does not count what a member's own lots pay.
SELECT credit_account('pool');
SELECT credit_grant('pool', 100, member => 'ann') > 0, credit_grant('pool', 1000) > 0;
SELECT credit_cap('pool', 350, covers => 'pool') > 0 AS cap;
SELECT credit_spendable('pool', 'ann');
SELECT credit_debit('pool', 451, member => 'ann');
SELECT credit_debit('pool', 450, member => 'ann') > 0 AS debited;
SELECT used, headroom FROM credit.caps WHERE account = 'pool';
SELECT * FROM credit_verify();
