-- What the proof finds of schedules: each forgery by somebody who may switch the guards off.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-31 00:00:00+00';

SELECT credit_plan('growth', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('growth', 'list', 0, discount => 0) > 0 AS tier;
SELECT credit_schedule(plan => 'growth', amount => 10, every => '1 month') > 0 AS declared;
SELECT to_plan FROM credit_change_plan('acme', 'growth', 100);
SELECT credit_schedule('acme', 100, '1 month', paid => 1, currency => 'USD', rollover => '{"fraction_of_unused": 0.5}') > 0 AS declared;
SELECT credit_schedule('acme', 5, '36 hours', expires => 'never') > 0 AS declared;
SELECT credit_member('acme', 'alice'), credit_schedule('acme', 7, '7 days', per_member => true) > 0 AS declared;
SELECT credit_schedule('acme', 9, '1 day', anchor => '2025-11-01 06:00:00+00', ends_at => '2026-02-03 12:00:00+00', proration => 'both') > 0 AS declared;
SET credit.clock = '2026-04-10 00:00:00+00';
SELECT credit_refresh() > 0 AS refreshed;
SELECT * FROM credit_verify();

-- What is found, without that the guards are off.
CREATE VIEW found AS SELECT DISTINCT invariant FROM credit_verify() WHERE invariant <> 'the triggers that guard the books are on';

-- A period that is forgotten: in between, the last one, of a rollover.
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
DELETE FROM credit.schedule_period WHERE schedule = (SELECT schedule FROM credit.schedule WHERE amount = 100) AND period = 1 AND rolled = 0;
SELECT * FROM found ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
DELETE FROM credit.schedule_period WHERE schedule = (SELECT schedule FROM credit.schedule WHERE amount = 5) AND period = (SELECT max(period) FROM credit.schedule_period p JOIN credit.schedule s USING (account, schedule) WHERE amount = 5);
SELECT * FROM found ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
DELETE FROM credit.schedule_period WHERE rolled = 2 AND period = 0;
SELECT * FROM found ORDER BY 1;
ROLLBACK;

-- All periods of a schedule moved by one, of a pool or of a member.
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
UPDATE credit.schedule_period SET period = period + 1000 WHERE schedule = (SELECT schedule FROM credit.schedule WHERE amount = 100);
UPDATE credit.schedule_period SET period = period - 999 WHERE schedule = (SELECT schedule FROM credit.schedule WHERE amount = 100);
SELECT * FROM found ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
UPDATE credit.schedule_period SET period = period + 1000 WHERE member = 'alice';
SELECT * FROM found ORDER BY 1;
ROLLBACK;

-- A lot that says it was rolled over, and is of no period.
BEGIN;
ALTER TABLE credit.lot DISABLE TRIGGER USER;
UPDATE credit.lot SET source = 'rollover', parent = (SELECT min(lot) FROM credit.lot) WHERE lot = (SELECT min(lot) FROM credit.lot WHERE source = 'purchase');
SELECT * FROM found ORDER BY 1;
ROLLBACK;

-- Breakage of another time, amount or lot, or none.
BEGIN;
ALTER TABLE credit.breakage DISABLE TRIGGER USER;
UPDATE credit.breakage SET expires_at = expires_at + interval '1 day' WHERE posting = (SELECT min(posting) FROM credit.breakage);
SELECT * FROM found ORDER BY 1;
UPDATE credit.breakage SET expires_at = expires_at - interval '1 day', taken_back = 1 WHERE posting = (SELECT min(posting) FROM credit.breakage);
SELECT * FROM found ORDER BY 1;
UPDATE credit.breakage SET taken_back = 0, lot = lot + 1 WHERE posting = (SELECT min(posting) FROM credit.breakage);
SELECT * FROM found ORDER BY 1;
DELETE FROM credit.breakage WHERE posting = (SELECT min(posting) FROM credit.breakage);
SELECT * FROM found ORDER BY 1;
ROLLBACK;

-- An account that nobody looks at any more, or too late: for the pool, for a member.
BEGIN;
UPDATE credit.account SET refresh_at = NULL WHERE account = 'acme';
SELECT * FROM found ORDER BY 1;
UPDATE credit.account SET refresh_at = '2026-04-12 00:00:00+00' WHERE account = 'acme';
SELECT * FROM found ORDER BY 1;
ROLLBACK;
SELECT credit_schedule('seats', 7, '7 days', per_member => true) > 0 AS declared, credit_member('seats', 'bob');
SELECT * FROM found ORDER BY 1;
BEGIN;
UPDATE credit.account SET refresh_at = NULL WHERE account = 'seats';
SELECT * FROM found ORDER BY 1;
UPDATE credit.account SET refresh_at = credit.now() + interval '8 days' WHERE account = 'seats';
SELECT * FROM found ORDER BY 1;
ROLLBACK;

-- An account without what its plan grants, with more of it, or for longer.
BEGIN;
ALTER TABLE credit.schedule DISABLE TRIGGER USER;
UPDATE credit.schedule SET ends_at = '2027-01-01 00:00:00+00' WHERE amount = 10;
SELECT * FROM found ORDER BY 1;
UPDATE credit.schedule SET plan_schedule = NULL, plan_since = NULL, ends_at = NULL WHERE amount = 10;
SELECT * FROM found ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE credit.subscription DISABLE TRIGGER USER;
UPDATE credit.subscription SET ended_at = '2026-02-01 00:00:00+00';
SELECT * FROM found ORDER BY 1;
ROLLBACK;
SELECT * FROM credit_verify();

-- Each period and each seat in turn, of schedules of every kind; also where they are issued at the very instant at which they are due.
SET credit.clock = '2026-05-01 00:00:00+00';
SELECT credit_plan('better', unit => 'credit', currency => 'USD', list_price => 0.02), credit_tier('better', 'list', 0, discount => 0) > 0 AS tier;
SELECT credit_schedule(plan => 'better', amount => 30, every => '1 month', per_member => true, into_pool => true) > 0 AS declared,
    credit_schedule(plan => 'better', amount => 5, every => '10 days', on_leave => 'expire') > 0 AS declared;
SELECT credit_account('kinds', time_zone => 'Europe/Berlin'), credit_member('kinds', 'ann');
SELECT credit_schedule('kinds', 100, '1 month', anchor => '2026-04-15 00:00+00', proration => 'both', ends_at => '2026-07-05 00:00+00') > 0 AS ended,
    credit_schedule('kinds', 8, '10 days', per_member => true, expires => 'never', proration => 'first') > 0 AS of_members,
    credit_schedule('kinds', 6, '1 month', per_member => true, into_pool => true) > 0 AS into_pool,
    credit_schedule('kinds', 9, '1 month', rollover => '{"fraction_of_unused": 1}', anchor => '2026-04-20 00:00+00') > 0 AS rolls;
SELECT credit_refresh('kinds') > 0 AS refreshed;
SET credit.clock = '2026-05-09 12:00:00+00';
SELECT credit_member('kinds', 'ben'), to_plan FROM credit_change_plan('kinds', 'growth', 100);
SET credit.clock = '2026-05-31 00:00:00+00';
SELECT credit_refresh('kinds') > 0 AS refreshed;
SELECT credit_member('kinds', 'ben', active => false);
SET credit.clock = '2026-06-03 00:00:00+00';
SELECT credit_member('kinds', 'ben', active => true), to_plan FROM credit_change_plan('kinds', 'better', 100);
SET credit.clock = '2026-08-01 00:00:00+00';
SELECT credit_refresh('kinds') > 0 AS refreshed;
SELECT * FROM credit_verify();
CREATE FUNCTION forged(forgery text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found boolean;
BEGIN
    BEGIN
        EXECUTE forgery;
        SELECT count(*) > 0 INTO found FROM credit_verify('kinds') WHERE invariant <> 'the triggers that guard the books are on';
        RAISE EXCEPTION 'taken back';
    EXCEPTION WHEN raise_exception THEN
        RETURN CASE WHEN found THEN 'found' ELSE 'not found' END;
    END;
END $$;
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
ALTER TABLE credit.schedule_seat DISABLE TRIGGER USER;
SELECT s.amount, forged(format('DELETE FROM credit.schedule_period WHERE account = %L AND lot = %s', p.account, p.lot)), count(*), array_agg(p.period || ' ' || p.member)
    FILTER (WHERE forged(format('DELETE FROM credit.schedule_period WHERE account = %L AND lot = %s', p.account, p.lot)) <> 'found') AS periods
FROM credit.schedule_period p JOIN credit.schedule s USING (account, schedule) WHERE account = 'kinds' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT forged(format('DELETE FROM credit.schedule_seat WHERE account = %L AND schedule = %s AND member = %L AND period = %s', account, schedule, member, period)), count(*)
FROM credit.schedule_seat WHERE account = 'kinds' GROUP BY 1;
ROLLBACK;
DROP FUNCTION forged;
DROP VIEW found;
