-- Caps of rolling windows: what falls out when, at exactly which instant, and what a limit means whatever is changed.
SET credit.clock = '2026-11-25 10:00:00+00';
SET TimeZone = 'UTC';

-- As the documentation has it: 30 days are counted by the day.
SELECT credit_account('rolled'), credit_member('rolled', 'bob', department => 'eng/ml');
SELECT credit_grant('rolled', 10000, effective_at => '2026-01-01 00:00:00+00') > 0 AS granted;
SELECT credit_debit('rolled', 50, member => 'bob') > 0 AS debited;
SELECT credit_cap('rolled', 500, department => 'eng', rolling => '30 days') AS cap \gset
SELECT credit_debit('rolled', 350, member => 'bob') AS posting \gset
SET credit.clock = '2026-11-28 10:00:00+00';
SELECT credit_debit('rolled', 60, member => 'bob') > 0 AS debited;
SELECT credit_debit('rolled', 60, member => 'bob');
SELECT credit_try_debit('rolled', 60, member => 'bob');
-- More than the limit never fits; then all of it is free when nothing counts any more.
SELECT credit_debit('rolled', 501, member => 'bob');
SELECT credit_spendable('rolled', 'bob'), credit_spendable('rolled');
SELECT department, every, rolling, "limit", used, headroom, period_start, resets_at FROM credit.caps WHERE account = 'rolled';
SELECT item, posting IS NOT NULL AS posted, shortfall, cap = :cap AS by_cap
FROM credit_debit_many(ARRAY['rolled', 'rolled', 'rolled', 'rolled'], ARRAY[30, 20, 10, 5]::numeric[], members => ARRAY['bob', 'bob', 'bob', NULL], mode => 'each');
SELECT count(*) FROM credit_debit_many(ARRAY['rolled', 'rolled'], ARRAY[6, 6]::numeric[], members => ARRAY['bob', 'bob']);
SELECT * FROM credit_verify();

-- A day counts until all of it lies outside: not a microsecond less.
SET credit.clock = '2026-12-25 23:59:59.999999+00';
SELECT used, headroom, resets_at FROM credit.caps WHERE account = 'rolled';
SELECT credit_try_debit('rolled', 1, member => 'bob');
SET credit.clock = '2026-12-26 00:00:00+00';
SELECT used, headroom, period_start, resets_at FROM credit.caps WHERE account = 'rolled';
SELECT credit_debit('rolled', 401, member => 'bob');
SELECT credit_debit('rolled', 400, member => 'bob') > 0 AS debited;
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
SELECT * FROM credit_verify();

-- The clock is set back: what is forgotten is not there, what was used later counts where a window sees both, and nothing is lost.
SET credit.clock = '2026-12-20 12:00:00+00';
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
SELECT credit_try_debit('rolled', 1, member => 'bob');
SET credit.clock = '2026-10-01 12:00:00+00';
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
SELECT credit_debit('rolled', 300, member => 'bob') > 0, credit_debit('rolled', 200, member => 'bob') > 0 AS debited;
SELECT credit_try_debit('rolled', 1, member => 'bob');
SET credit.clock = '2026-10-31 12:00:00+00';
SELECT credit_try_debit('rolled', 1, member => 'bob');
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
SET credit.clock = '2027-02-01 00:00:00+00';
SELECT used, headroom, resets_at FROM credit.caps WHERE account = 'rolled';
SELECT credit_debit('rolled', 500, member => 'bob') > 0 AS debited;
SELECT credit_try_debit('rolled', 1, member => 'bob');
SELECT * FROM credit_verify();

-- A changed limit keeps what was used, step by step. The same length said in another way is the same window.
SELECT credit_cap('rolled', 520, department => 'eng', rolling => '720 hours') = :cap AS same_cap;
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
SELECT credit_cap('rolled', 100, department => 'eng', rolling => '30 days') = :cap AS same_cap;
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
SELECT credit_debit('rolled', 1, member => 'bob');
SELECT credit_cap('rolled', 510, department => 'eng', rolling => '30 days') = :cap AS same_cap;
SELECT credit_debit('rolled', 10, member => 'bob') > 0 AS debited;
SELECT * FROM credit_verify();

-- A correction gives back to the day of its debit, and what is given back does not count twice when the day falls out.
SET credit.clock = '2027-02-10 12:00:00+00';
SELECT credit_cap('rolled', 600, department => 'eng', rolling => '30 days') = :cap AS same_cap;
SELECT credit_debit('rolled', 80, member => 'bob') AS posting \gset
SET credit.clock = '2027-02-20 12:00:00+00';
INSERT INTO credit.entry (account, kind, amount, lot, member, corrects)
SELECT account, 'adjustment', 30, lot, member, posting FROM credit.entry WHERE posting = :posting;
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
SET credit.clock = '2027-03-04 00:00:00+00';
SELECT used, headroom, resets_at FROM credit.caps WHERE account = 'rolled';
SET credit.clock = '2027-03-13 00:00:00+00';
SELECT used, headroom, resets_at FROM credit.caps WHERE account = 'rolled';
-- One of a debit that fell out changes nothing.
INSERT INTO credit.entry (account, kind, amount, lot, member, corrects)
SELECT account, 'adjustment', 20, lot, member, posting FROM credit.entry WHERE posting = :posting AND kind = 'debit';
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
-- A directly inserted debit counts too.
INSERT INTO credit.entry (account, kind, amount, lot, member)
SELECT account, 'debit', -7, lot, 'bob' FROM credit.entry WHERE posting = :posting AND kind = 'debit';
SELECT used, headroom FROM credit.caps WHERE account = 'rolled';
INSERT INTO credit.entry (account, kind, amount, lot, member)
SELECT account, 'debit', -594, lot, 'bob' FROM credit.entry WHERE posting = :posting AND kind = 'debit';
SELECT * FROM credit_verify();

-- A savepoint gives back.
BEGIN;
SAVEPOINT before;
SELECT credit_debit('rolled', 13, member => 'bob') > 0 AS debited;
ROLLBACK TO before;
SELECT used FROM credit.caps WHERE account = 'rolled';
COMMIT;

-- Hours and minutes; a window of one operation of the pool that only warns.
SELECT credit_account('berlin', time_zone => 'Europe/Berlin'), credit_grant('berlin', 1000) > 0 AS granted;
SELECT credit_cap('berlin', 5, rolling => '1 hour', operation => 'chat', covers => 'pool', action => 'warn') > 0 AS cap;
SELECT credit_cap('berlin', 100, rolling => '1 day') > 0, credit_cap('berlin', 300, rolling => '1 week') > 0, credit_cap('berlin', 20, rolling => '90 minutes') > 0 AS caps;
SELECT operation, rolling, step, anchor FROM credit.cap WHERE account = 'berlin' ORDER BY cap;
SET credit.clock = '2027-03-28 00:59:30+00';
SELECT credit_debit('berlin', 5, operation => 'chat') > 0 AS debited;
SELECT credit_debit('berlin', 2, operation => 'chat') > 0 AS warned;
SELECT credit_debit('berlin', 14);
-- A day has 24 hours where the clocks are changed.
SET credit.clock = '2027-03-28 01:00:00+00';
SELECT rolling, used, period_start, resets_at FROM credit.caps WHERE account = 'berlin' ORDER BY cap;
SET credit.clock = '2027-03-29 01:00:00+00';
SELECT rolling, used, period_start, resets_at FROM credit.caps WHERE account = 'berlin' ORDER BY cap;
SELECT * FROM credit_verify();

-- What is announced as late usage counts when it is recorded.
SELECT credit_debit('berlin', 19, at => '2027-03-20 00:00+00') > 0 AS debited;
SELECT rolling, used FROM credit.caps WHERE account = 'berlin' ORDER BY cap;

-- Errors change nothing.
SELECT credit_cap('berlin', 10, every => 'day', rolling => '1 day');
SELECT credit_cap('berlin', 10, rolling => '1 month');
SELECT credit_cap('berlin', 10, rolling => '0');
SELECT credit_cap('berlin', 10, rolling => '-1 day');
SELECT credit_cap('berlin', 10, rolling => '30 seconds');
SELECT credit_cap('berlin', 10, rolling => '90 seconds');
SELECT credit_cap('berlin', 10, rolling => '3661 days');
SELECT credit_cap('berlin', 110, rolling => '1 day', anchor => '2027-01-01 00:30+00');
-- A longer window with less, a month with more than a window that holds it, a warning too late, a pool above everything.
SELECT credit_cap('berlin', 99, rolling => '2 days');
SELECT credit_cap('berlin', 301, every => 'day');
SELECT credit_cap('berlin', 100, rolling => '1 day', action => 'warn');
SELECT credit_cap('berlin', 101, rolling => '1 day', covers => 'pool');
SELECT count(*) FROM credit.caps WHERE account = 'berlin';
-- A window may lie over the end of a month: the month may be limited to less.
BEGIN;
SELECT credit_cap('berlin', 90, every => 'month') > 0 AS cap;
ROLLBACK;

-- Another anchor aligns the steps, of a cap that is made anew and counts what the window has.
SELECT credit_end_cap('berlin', cap) FROM credit.caps WHERE account = 'berlin' AND rolling = '1 day';
SELECT credit_cap('berlin', 100, rolling => '1 day', anchor => '2027-01-01 00:30+00') > 0 AS cap;
SELECT rolling, used, period_start, resets_at FROM credit.caps WHERE account = 'berlin' AND rolling = '1 day';
SELECT * FROM credit_verify();

-- A department that moves takes its caps along; what is spent from then on counts for them. Where the new path has some, those stay.
SELECT credit_account('moving'), credit_grant('moving', 1000) > 0 AS granted;
SELECT credit_member('moving', 'ann', department => 'eng/ml'), credit_member('moving', 'ben', department => 'eng');
SELECT credit_cap('moving', 100, department => 'eng', rolling => '30 days') > 0, credit_cap('moving', 40, department => 'eng/ml', operation => 'chat') > 0,
    credit_cap('moving', 90, department => 'eng/ml', every => 'year') > 0, credit_cap('moving', 10, department => 'product/ml', every => 'day') > 0 AS caps;
SELECT credit_debit('moving', 60, member => 'ann') > 0 AS debited;
SELECT credit_move_department('moving', 'eng', 'product');
SELECT department, operation, every, rolling, "limit", used FROM credit.caps WHERE account = 'moving' ORDER BY cap;
SELECT credit_try_debit('moving', 11, member => 'ann');
SELECT credit_debit('moving', 10, member => 'ann') > 0 AS debited;
SELECT department, operation, every, rolling, "limit", used FROM credit.caps WHERE account = 'moving' ORDER BY cap;
SELECT * FROM credit_verify();
