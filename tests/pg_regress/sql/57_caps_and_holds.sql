-- Spending caps and holds: a hold uses headroom, a capture moves it to what is used, and what is given back is free.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-11-25 10:00:00+00';
SET TimeZone = 'UTC';

SELECT credit_account('held'), credit_member('held', 'ada', department => 'eng/ml'), credit_member('held', 'bob', department => 'eng');
SELECT credit_grant('held', 1000) > 0 AS granted, credit_grant('held', 20, member => 'ada') > 0 AS granted;
SELECT credit_cap('held', 100, department => 'eng') > 0 AS made, credit_cap('held', 40, member => 'ada', operation => 'chat', every => 'day') > 0 AS made;

-- A hold uses headroom as a debit does; one that does not fit is refused and leaves nothing.
SELECT credit_hold('held', 30, member => 'ada', operation => 'chat', expires_after => '20 days') AS hold \gset
SELECT department, member, used, held, headroom FROM credit.caps ORDER BY cap;
SELECT credit_spendable('held', member => 'bob'), credit_spendable('held', member => 'ada', operation => 'chat');
SELECT credit_hold('held', 11, member => 'ada', operation => 'chat');
SELECT credit_debit('held', 11, member => 'ada', operation => 'chat');
SELECT credit_debit('held', 70, member => 'bob') > 0 AS debited;
SELECT credit_debit('held', 1, member => 'bob');
SELECT item, posting IS NOT NULL AS posted, shortfall, cap IS NOT NULL AS by_cap
FROM credit_debit_many('{held,held}', '{1,2}', members => '{bob,NULL}', mode => 'each');
SELECT * FROM credit_verify();

-- A capture of a part keeps the rest held.
SELECT credit_capture('held', :hold, 12, final => false) > 0 AS captured;
SELECT department, member, used, held, headroom FROM credit.caps ORDER BY cap;
SELECT * FROM credit_verify();

-- What is held may be captured, though the limit was lowered, and though what is given back frees less than what is too much.
SELECT credit_cap('held', 50, department => 'eng') > 0 AS lowered;
SELECT department, used, held, headroom FROM credit.caps WHERE department IS NOT NULL;
SELECT credit_capture('held', :hold, 13) > 0 AS captured;
SELECT department, member, used, held, headroom FROM credit.caps ORDER BY cap;
SELECT credit_debit('held', 1, member => 'bob');
SELECT * FROM credit_verify();

-- Held in one period, captured in the next: it counts there.
SELECT credit_cap('held', 200, department => 'eng') > 0 AS raised;
SELECT credit_hold('held', 60, member => 'bob', expires_after => '20 days') AS hold \gset
SET credit.clock = '2026-12-01 00:00:00+00';
SELECT department, used, held, headroom, resets_at FROM credit.caps WHERE department IS NOT NULL;
SELECT credit_debit('held', 141, member => 'bob');
SELECT credit_debit('held', 140, member => 'bob') > 0 AS debited;
SELECT credit_capture('held', :hold, 50) > 0 AS captured;
SELECT department, used, held, headroom FROM credit.caps WHERE department IS NOT NULL;
SELECT * FROM credit_verify();

-- A release frees all of it.
SELECT credit_hold('held', 10, member => 'bob') AS hold \gset
SELECT credit_debit('held', 1, member => 'bob');
SELECT credit_release('held', :hold);
SELECT credit_debit('held', 1, member => 'bob') > 0 AS debited;

-- A new cap counts open holds by what they keep: the member moved since.
SELECT credit_hold('held', 5, member => 'bob', operation => 'mail', expires_after => '1 hour') AS hold \gset
SELECT credit_member('held', 'bob', department => 'sales');
SELECT credit_cap('held', 100, department => 'sales', every => 'day') > 0 AS made, credit_cap('held', 300, department => 'eng', every => 'year') > 0 AS made,
    credit_cap('held', 100, operation => 'mail', every => 'week') > 0 AS made, credit_cap('held', 400, every => 'quarter') > 0 AS made;
SELECT department, operation, every, used, held FROM credit.caps WHERE member IS NULL ORDER BY cap;
-- A department that moves gets caps that count what is held below its new path.
SELECT credit_move_department('held', 'eng', 'dev/eng');
SELECT department, every, used, held FROM credit.caps WHERE department IS NOT NULL ORDER BY cap;
SELECT * FROM credit_verify();
SELECT credit_capture('held', :hold, 2) > 0 AS captured;
SELECT department, operation, every, used, held FROM credit.caps WHERE member IS NULL ORDER BY cap;
SELECT * FROM credit_verify();

-- From the instant of its end a hold has nothing, whether or not anybody has given it back.
SELECT credit_account('ends');
SELECT credit_grant('ends', 1000) > 0 AS granted;
SELECT credit_cap('ends', 100) > 0 AS made, credit_cap('ends', 150, rolling => '1 day') > 0 AS made;
SELECT credit_hold('ends', 90, expires_after => '10 minutes') AS hold \gset
SELECT credit_debit('ends', 11);
SET credit.clock = '2026-12-01 00:10:00+00';
SELECT rolling, used, held, headroom FROM credit.caps WHERE account = 'ends' ORDER BY cap;
SELECT credit_spendable('ends');
SELECT credit_debit('ends', 95) > 0 AS debited;
SELECT rolling, used, held, headroom FROM credit.caps WHERE account = 'ends' ORDER BY cap;
SELECT state FROM credit.hold WHERE hold = :hold;
SELECT * FROM credit_verify();
-- The same in a batch, and in a hold.
SELECT credit_hold('ends', 5, expires_after => '10 minutes') > 0 AS holding;
SET credit.clock = '2026-12-01 00:20:00+00';
SELECT item, posting IS NOT NULL AS posted, shortfall FROM credit_debit_many('{ends,ends}', '{3,3}', mode => 'each');
SELECT credit_hold('ends', 2) > 0 AS holding;
SELECT rolling, used, held, headroom FROM credit.caps WHERE account = 'ends' ORDER BY cap;
SELECT * FROM credit_verify();

-- Rolling windows: a capture counts in the step in which it is made, and falls out with it.
SELECT credit_account('rolls');
SELECT credit_grant('rolls', 1000) > 0 AS granted;
SELECT credit_cap('rolls', 100, rolling => '1 hour') > 0 AS made;
SET credit.clock = '2026-12-02 10:00:00+00';
SELECT credit_hold('rolls', 60, expires_after => '1 day') AS hold \gset
SELECT credit_debit('rolls', 40) > 0 AS debited;
SET credit.clock = '2026-12-02 10:40:00+00';
SELECT credit_capture('rolls', :hold, 30, final => false) > 0 AS captured;
SELECT used, held, headroom, resets_at FROM credit.caps WHERE account = 'rolls';
SET credit.clock = '2026-12-02 11:02:00+00';
SELECT used, held, headroom, resets_at FROM credit.caps WHERE account = 'rolls';
SELECT credit_debit('rolls', 41);
SELECT credit_debit('rolls', 40) > 0 AS debited;
SELECT credit_capture('rolls', :hold) > 0 AS captured;
SELECT used, held, headroom, resets_at FROM credit.caps WHERE account = 'rolls';
SELECT * FROM credit_verify();

-- A cap on the pool has what the hold took of pooled lots; what is captured first is of the member's own.
SELECT credit_account('pooled'), credit_member('pooled', 'ada');
SELECT credit_grant('pooled', 10, member => 'ada') > 0 AS granted, credit_grant('pooled', 100) > 0 AS granted;
SELECT credit_cap('pooled', 50, covers => 'pool') > 0 AS made, credit_cap('pooled', 80) > 0 AS made;
SELECT credit_hold('pooled', 30, member => 'ada') AS hold \gset
SELECT covers, used, held, headroom FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
SELECT credit_capture('pooled', :hold, 15, final => false) > 0 AS captured;
SELECT covers, used, held, headroom FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
SELECT credit_cap('pooled', 200, covers => 'pool', every => 'year') > 0 AS made;
SELECT credit_release('pooled', :hold);
SELECT covers, used, held, headroom FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
-- Beyond what is held a capture is a debit like any other, and all or nothing.
SELECT credit_hold('pooled', 20) AS hold \gset
SELECT credit_capture('pooled', :hold, 70);
SELECT covers, used, held, headroom FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
SELECT credit_capture('pooled', :hold, 30) > 0 AS captured;
SELECT covers, used, held, headroom FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
SELECT * FROM credit_verify();

-- A cap that warns does so when credits are held, and not again when they are captured.
SELECT credit_account('warned');
SELECT credit_grant('warned', 100) > 0 AS granted;
SELECT credit_cap('warned', 10, action => 'warn') > 0 AS made;
SELECT credit_hold('warned', 12) AS hold \gset
SELECT credit_capture('warned', :hold) > 0 AS captured;
SELECT used, held, headroom FROM credit.caps WHERE account = 'warned';

-- A savepoint that is rolled back takes hold and capture back.
BEGIN;
SELECT credit_hold('pooled', 10, member => 'ada') AS hold \gset
SAVEPOINT before;
SELECT credit_capture('pooled', :hold, 5) > 0 AS captured;
SELECT covers, used, held FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
ROLLBACK TO before;
SELECT covers, used, held FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
ROLLBACK;
SELECT covers, used, held FROM credit.caps WHERE account = 'pooled' ORDER BY cap;

-- Deactivated members and ended caps are in nobody's way.
SELECT credit_hold('pooled', 5, member => 'ada') AS hold \gset
SELECT count(credit_end_cap('pooled', cap)) FROM credit.caps WHERE account = 'pooled' AND covers = 'pool';
SELECT credit_capture('pooled', :hold) > 0 AS captured;
SELECT covers, used, held, headroom FROM credit.caps WHERE account = 'pooled' ORDER BY cap;
SELECT * FROM credit_verify();

-- The counters never say less than nothing is held, and the proof compares them with the holds.
BEGIN;
UPDATE credit.cap_slot SET held = held + 1 WHERE account = 'pooled';
SELECT invariant, account, expected, found LIKE '1 of cap %' AS found FROM credit_verify();
UPDATE credit.cap_slot SET held = held - 2 WHERE account = 'pooled';
SELECT DISTINCT invariant, account, expected FROM credit_verify() ORDER BY 1;
ROLLBACK;
