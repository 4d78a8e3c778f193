-- Expiry: to the instant, and never dependent on a job that has run.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_grant('acme', 10, expires_at => '2026-01-31 12:00:00+00') AS lot \gset
SELECT credit_grant('acme', 100);

-- A microsecond before expires_at the lot is usable; at expires_at it is not. Nothing was swept in between.
SET credit.clock = '2026-01-31 11:59:59.999999+00';
SELECT credit_balance('acme');
SET credit.clock = '2026-01-31 12:00:00+00';
SELECT credit_balance('acme');
SELECT lot, debited FROM credit_explain_debit('acme', 1);

-- Until the expiry is posted the books still hold what lapsed; nobody can use it.
SELECT lot, status, remaining, available FROM credit.lots WHERE account = 'acme' ORDER BY lot;

-- Posting it dates the expiry at expires_at, whenever it is posted.
SET credit.clock = '2026-02-10 00:00:00+00';
SELECT * FROM credit_expire('acme');
SELECT kind, lot, amount, occurred_at, recorded_at FROM credit.ledger WHERE account = 'acme' AND kind = 'expiry';
SELECT lot, status, remaining, available FROM credit.lots WHERE account = 'acme' ORDER BY lot;

-- There is nothing left to post.
SELECT * FROM credit_expire();

-- A length of time instead of an instant: months are counted on the calendar of the account's time zone.
-- New York is at UTC-5 in January and at UTC-4 from March 8 on: the same local time, another instant in UTC.
SELECT credit_account('calendar', time_zone => 'America/New_York');
SELECT credit_grant('calendar', 1, effective_at => '2026-02-28 17:00:00+00', expires_after => '1 month') AS month \gset
SELECT credit_grant('calendar', 1, effective_at => '2026-01-31 17:00:00+00', expires_after => '1 month') AS short_month \gset
SELECT credit_grant('calendar', 1, effective_at => '2026-03-07 17:00:00+00', expires_after => '1 day') AS day \gset
SELECT credit_grant('calendar', 1, effective_at => '2026-03-07 17:00:00+00', expires_after => '24 hours') AS hours \gset
SELECT CASE lot WHEN :month THEN '1 month' WHEN :short_month THEN '1 month from the 31st' WHEN :day THEN '1 day' ELSE '24 hours' END
    AS expires_after, effective_at, expires_at
FROM credit.lots WHERE account = 'calendar' ORDER BY lot;

-- Once there are lots, their expiries stand: the time zone stays.
SELECT credit_account('calendar', time_zone => 'Europe/Berlin');

-- credit_maintain() does all the housekeeping.
SELECT credit_grant('acme', 5, expires_at => '2026-02-20 00:00:00+00') > 0 AS granted;
SET credit.clock = '2026-02-20 00:00:00+00';
SELECT * FROM credit_maintain() WHERE task <> 'roll up';
SELECT * FROM credit_maintain() WHERE task <> 'roll up';

SELECT * FROM credit_verify();
