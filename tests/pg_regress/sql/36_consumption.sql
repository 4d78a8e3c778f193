-- What was consumed, by whom and for what: exact at any moment, however far it is added up.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-31 09:00:00+00';

SELECT credit_account('acme', time_zone => 'Asia/Tokyo', late_usage => 'original', late_grace => '10 days');
SELECT credit_member('acme', 'alice', department => 'eng/ml'), credit_member('acme', 'bob', department => 'eng'), credit_member('acme', 'mia', department => 'marketing');
SELECT credit_unit('chat'), credit_rate_card('list', unit => 'credit');
SELECT credit_rate('list', 'chat', credits => 2, per => 1000), credit_rate('list', 'image', credits => 3), credit_publish('list');
SELECT credit_account('acme', rate_card => 'list');
SELECT credit_grant('acme', 100, member => 'alice', paid => 33, currency => 'USD') AS alices \gset
SELECT credit_grant('acme', 1000, paid => 700, currency => 'USD', expires_at => '2026-02-05 00:00:00+00') AS pool \gset
SELECT credit_grant('acme', 40, member => 'mia', expires_at => '2026-02-03 00:00:00+00') AS mias \gset

-- Two lots pay for the first; it is one request. The second is a request of two operations. The last is past midnight in Tokyo.
SELECT credit_debit('acme', 150, member => 'alice', operation => 'search') AS search \gset
SELECT credit_charge_request('acme', '{chat,image}', '{1500,2}', member => 'bob') > 0 AS charged;
SELECT credit_charge('acme', 'chat', 500, member => 'mia') > 0 AS charged;
SET credit.clock = '2026-01-31 16:00:00+00';
SELECT credit_debit('acme', 7) > 0 AS debited;

-- Where nothing is added up the ledger is read.
SELECT credit.rolled_up_to();
SELECT * FROM credit.consumption_by_member ORDER BY account, month, member;
SELECT * FROM credit.consumption_by_department ORDER BY account, month, department;
SELECT * FROM credit.consumption_by_operation ORDER BY account, month, operation;
SELECT * FROM credit.consumption_daily ORDER BY account, day;
SELECT * FROM credit.consumption_monthly ORDER BY account, month;
SELECT department, funded, used, value, currency, cross_subsidy, overage
FROM credit_chargeback('acme', '2026-01-01 00:00:00+09', '2026-03-01 00:00:00+09');

-- Added up, in the part or wholly, everything is the same. What it takes to know that nothing can slip below: no transaction that took an
-- id is running. Those of other databases count, so this asks until they are done.
CREATE PROCEDURE roll_all() LANGUAGE plpgsql AS $$ BEGIN
    FOR attempt IN 1 .. 600 LOOP
        PERFORM credit_rollup();
        COMMIT;
        EXIT WHEN credit.rolled_up_to() = (SELECT last_value FROM credit.posting_id);
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
CREATE TABLE before AS SELECT * FROM credit.consumption_by_member;
CALL roll_all();
SELECT credit.rolled_up_to() = (SELECT max(posting) FROM credit.entry) AS all_is_added_up;
TABLE before EXCEPT ALL SELECT * FROM credit.consumption_by_member;
SELECT month, day, member, department, operation, currency, credits, pooled, quantity, requests, value, funded, lapsed
FROM credit.rollup WHERE account = 'acme' ORDER BY day, member, operation, currency;

-- A correction counts against what it corrects: in the month of the correction, and with the department that its debit was of.
SELECT credit_member('acme', 'alice', department => 'sales');
SET credit.clock = '2026-02-02 00:00:00+00';
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 30, :alices, :search);
-- One that corrects no usage is no consumption, but alice has more.
INSERT INTO credit.entry (account, kind, amount, lot, member) VALUES ('acme', 'adjustment', 5, :alices, 'alice');
SELECT month, member, credits, quantity, requests, value FROM credit.consumption_by_member WHERE member = 'alice' ORDER BY month;
SELECT month, department, credits FROM credit.consumption_by_department ORDER BY month, department;

-- Usage that comes late counts when it happened. It is paid by what expired.
SET credit.clock = '2026-02-06 00:00:00+00';
SELECT count(*) FROM credit_expire('acme');
SELECT month, member, lapsed FROM credit.heavy_and_light_users ORDER BY month, member;
SELECT credit_debit('acme', 25, member => 'mia', operation => 'search', at => '2026-02-01 12:00:00+00') > 0 AS debited;
SELECT month, member, credits, requests, value FROM credit.consumption_by_member WHERE member = 'mia' ORDER BY month;
SELECT month, member, funded, used, used_of_own, used_of_pool, lapsed, unused, used_share, class FROM credit.heavy_and_light_users
ORDER BY month, member;

-- A period may begin and end at any instant.
CALL roll_all();
SELECT department, funded, used, value, cross_subsidy FROM credit_chargeback('acme', '2026-01-01 00:00:00+09', '2026-02-01 00:00:00+09');
SELECT department, used FROM credit_chargeback('acme', '2026-01-31 09:00:00+00', '2026-01-31 09:00:00.000001+00');
SELECT department, used FROM credit_chargeback('acme', '2026-01-31 09:00:00.000001+00', '2026-01-31 16:00:00+00');
SELECT department, used FROM credit_chargeback('acme', '2026-01-31 16:00:00+00', '2026-02-02 00:00:00+00');
SELECT department, used FROM credit_chargeback('acme', '2026-01-31 09:00:00.000001+00', '2026-02-02 00:00:00.000001+00');

-- The parts of a department together; and all of it is what the account consumed, exactly.
SELECT department, funded, used FROM credit_chargeback('acme', '2026-01-01', '2026-03-01', depth => 1);
SELECT (SELECT sum(used) FROM credit_chargeback('acme', '2026-01-01', '2026-03-01')) = (SELECT sum(credits) FROM credit.consumption_monthly) AS adds_up;

-- A value in several currencies has none; a unit has its own rows.
SELECT credit_grant('acme', 10, paid => 5, currency => 'EUR', priority => 1) > 0 AS granted, credit_grant('acme', 10, paid => 1, currency => 'USD') > 0 AS granted;
SELECT credit_debit('acme', 12, member => 'bob') > 0 AS debited;
SELECT member, month, credits, value, currency FROM credit.consumption_by_member WHERE member = 'bob' ORDER BY month;
SELECT credit_grant('acme', 10, unit => 'chat') > 0 AS granted;
SELECT credit_debit('acme', 1, unit => 'chat') > 0 AS debited;
SELECT unit, credits FROM credit.consumption_monthly WHERE month = '2026-02-01' ORDER BY unit;
SELECT department, used FROM credit_chargeback('acme', '2026-02-01', '2026-03-01', unit => 'chat');

-- What an overdraft paid is overage.
SELECT credit_account('globex');
INSERT INTO credit.lot (account, unit, granted, category, source, effective_at) VALUES ('globex', 'credit', 50, 'promotional', 'overdraft', '2026-01-01');
SELECT credit_grant('globex', 20, priority => 1) > 0 AS granted, credit_debit('globex', 30) > 0 AS debited;
SELECT department, used, overage FROM credit_chargeback('globex', '2026-01-01', '2026-03-01');

-- Rebuilt it is the same. What is wrong in it is found.
CALL roll_all();
SELECT * FROM credit_verify();
CREATE TABLE rollup AS TABLE credit.rollup;
UPDATE credit.rollup SET credits = credits + 1 WHERE member = 'alice' AND month = '2026-01-01' AND currency = '';
SELECT invariant, account, expected, found FROM credit_verify();
UPDATE credit.rollup SET credits = credits + 1 WHERE member = 'alice' AND currency = 'USD' AND month = '2026-01-01';
DELETE FROM credit.rollup WHERE member = 'mia' AND operation = 'chat';
SELECT invariant, account, expected, found FROM credit_verify();
SELECT credit_rollup(rebuild => true) >= 0 AS rebuilt;
CALL roll_all();
SELECT * FROM credit_verify();
TABLE rollup EXCEPT ALL TABLE credit.rollup;
TABLE credit.rollup EXCEPT ALL TABLE rollup;

-- What was added up on another server is not believed, and added up anew.
UPDATE credit.rollup_watermark SET system_identifier = system_identifier + 1;
SELECT credit.rolled_up_to();
SELECT member, credits FROM credit.consumption_by_member WHERE month = '2026-01-01' AND account = 'acme' ORDER BY member;
SELECT * FROM credit_verify();
CALL roll_all();
TABLE rollup EXCEPT ALL TABLE credit.rollup;
TABLE credit.rollup EXCEPT ALL TABLE rollup;

-- What is refused.
SELECT credit_rollup(0);
SELECT credit_rollup(rebuild => NULL);
SELECT * FROM credit_chargeback('acme', '2026-02-01', '2026-02-01');
SELECT * FROM credit_chargeback('acme', NULL, '2026-02-01');
SELECT * FROM credit_chargeback('acme', '2026-01-01', 'infinity');
SELECT * FROM credit_chargeback('nobody', '2026-01-01', '2026-02-01');
SELECT * FROM credit_chargeback('acme', '2026-01-01', '2026-02-01', unit => 'gold');
SELECT * FROM credit_chargeback('acme', '2026-01-01', '2026-02-01', depth => 0);

-- The departments of a tree with everything below them: each depth alone adds up to what was consumed.
SELECT month, department, depth, credits, requests, value FROM credit.consumption_within_department ORDER BY month, department NULLS LAST, depth;
SELECT m.month, m.unit, m.credits = sum(w.credits) AS same_credits, m.requests = sum(w.requests) AS same_requests
FROM credit.consumption_monthly m JOIN credit.consumption_within_department w USING (account, unit, month)
WHERE w.depth = 1 GROUP BY m.account, m.month, m.unit, m.credits, m.requests ORDER BY m.month, m.unit;

-- Who is funded when the pool's credits are transferred: the receiver's department, and no longer when they go back.
SELECT credit_member('umbrella', 'zoe', department => 'eng') FROM credit_account('umbrella');
SELECT credit_grant('umbrella', 100) > 0 AS granted, credit_grant('umbrella', 10, member => 'zoe') > 0 AS zoes;
SELECT credit_transfer('umbrella', 30, to_member => 'zoe') > 0 AS transferred;
SELECT department, used, funded, cross_subsidy FROM credit_chargeback('umbrella', '2000-01-01', '2100-01-01');
SELECT credit_transfer('umbrella', 40, from_member => 'zoe') > 0 AS given_back;
SELECT department, used, funded, cross_subsidy FROM credit_chargeback('umbrella', '2000-01-01', '2100-01-01');
