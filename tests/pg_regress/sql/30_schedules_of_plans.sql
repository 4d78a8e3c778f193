-- Schedules of a plan: what every account on it is granted, from when it comes to the plan until it leaves.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-10 00:00:00+00';

SELECT credit_plan('growth', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('growth', 'list', 0, discount => 0) > 0 AS tier;
SELECT credit_plan('scale', unit => 'credit', currency => 'USD', list_price => 0.02), credit_tier('scale', 'list', 0, discount => 0) > 0 AS tier;
SELECT to_plan, note FROM credit_change_plan('early', 'growth', 100);

-- Who is on the plan already gets it from now on, in the periods of his subscription; who comes later, from then on.
SET credit.clock = '2026-01-20 00:00:00+00';
SELECT credit_schedule(plan => 'growth', amount => 1000, every => '1 month') AS growth \gset
SELECT to_plan, note FROM credit_change_plan('late', 'growth', 100);
SELECT account, plan, plan_schedule = :growth AS of_growth, anchor, starts_at, ends_at, issued FROM credit.schedules ORDER BY account;
SELECT credit_balance('early'), credit_balance('late');
SET credit.clock = '2026-02-10 00:00:00+00';
SELECT credit_refresh();
SELECT account, source, granted, effective_at, expires_at FROM credit.lots WHERE source = 'allocation' ORDER BY account, effective_at;

-- Another plan with a schedule of its own that ends what is unused when somebody leaves; a preview shows both, and changes nothing.
SELECT credit_schedule(plan => 'scale', amount => 5000, every => '1 month', on_leave => 'expire', anchor => '2026-01-01 00:00:00+00', proration => 'first') AS scale \gset
SELECT from_plan, to_plan, lots_kept, note FROM credit_change_plan('early', 'scale', 100, preview => true);
SELECT count(*) FROM credit.schedules WHERE account = 'early';
SELECT from_plan, to_plan, lots_kept, note FROM credit_change_plan('early', 'scale', 100);
SELECT plan, anchor, starts_at, ends_at, status, issued FROM credit.schedules WHERE account = 'early' ORDER BY schedule;
-- Those of the plan that was left stay until they expire.
SELECT granted, remaining, expires_at FROM credit.lots WHERE account = 'early' AND source = 'allocation' ORDER BY lot;

-- A cheaper plan waits for the end of the period; the schedules know it. What was announced may be dropped again.
SET credit.clock = '2026-02-15 00:00:00+00';
SELECT to_plan, effective_at, note FROM credit_change_plan('early', 'growth', 100);
SELECT plan, starts_at, ends_at, status FROM credit.schedules WHERE account = 'early' ORDER BY schedule;
SELECT to_plan, effective_at, note FROM credit_change_plan('early', 'scale', 120);
SELECT plan, starts_at, ends_at, status FROM credit.schedules WHERE account = 'early' ORDER BY schedule;

-- Cancelled: the last lot was to live to March 1st, and lives so long; what begins then ends with the subscription.
SELECT credit_cancel_plan('early');
SELECT plan, starts_at, ends_at, status FROM credit.schedules WHERE account = 'early' AND plan = 'scale';
SET credit.clock = '2026-03-05 00:00:00+00';
SELECT credit_debit('early', 200) > 0 AS debited;
SELECT granted, remaining, effective_at, expires_at FROM credit.lots WHERE account = 'early' AND source = 'allocation' ORDER BY lot;
SET credit.clock = '2026-03-10 00:00:00+00';
SELECT credit_balance('early');
SELECT credit_refresh();
SELECT sum(expired) AS expired, expires_at FROM credit.breakage WHERE account = 'early' GROUP BY expires_at ORDER BY expires_at;

-- Left at once, what is unused ends at once: a balance says so before anybody posted it.
SELECT to_plan, note FROM credit_change_plan('hasty', 'scale', 100);
SELECT credit_balance('hasty');
SET credit.clock = '2026-03-12 00:00:00+00';
SELECT to_plan, note FROM credit_change_plan('hasty', 'growth', 100, at => '2026-03-12 00:00:00+00');
SELECT source, granted, remaining, status FROM credit.lots WHERE account = 'hasty' ORDER BY lot;
SELECT credit_balance('hasty');

-- Going back and forth grants nothing twice: what lapsed may come again for the days that are left, what is kept counts.
SET credit.clock = '2026-03-14 00:00:00+00';
SELECT to_plan, note FROM credit_change_plan('hasty', 'scale', 100);
SET credit.clock = '2026-03-15 00:00:00+00';
SELECT to_plan, note FROM credit_change_plan('hasty', 'growth', 100, at => '2026-03-15 00:00:00+00');
SELECT plan, starts_at, ends_at, issued FROM credit.schedules WHERE account = 'hasty' ORDER BY schedule;
SELECT sum(granted) FROM credit.lots WHERE account = 'hasty' AND source = 'allocation';

-- What an account has of its plan ends with the plan's schedule only.
SELECT credit_end_schedule('late', schedule) FROM credit.schedules WHERE account = 'late';
SELECT credit_end_schedule(plan => 'growth', schedule => :growth, ends_at => '2026-04-01 00:00:00+00') = :growth AS ended;
SELECT account, starts_at, ends_at FROM credit.schedules WHERE plan = 'growth' AND ends_at > credit.now() ORDER BY account, schedule;
SELECT credit_end_schedule(plan => 'growth', schedule => :growth) = :growth AS ended;
SELECT account, starts_at, ends_at FROM credit.schedules WHERE plan = 'growth' ORDER BY account, schedule;
SELECT credit_end_schedule(plan => 'growth', schedule => :growth);
SELECT credit_end_schedule(plan => 'growth', schedule => 0);
SELECT note FROM credit_change_plan('later', 'growth', 100);
SELECT count(*) FROM credit.schedules WHERE account = 'later';

-- Twice with a key is once; an account or a plan; the unit is the plan's.
SELECT credit_schedule(plan => 'growth', amount => 1, every => '1 month', key => 'k') = credit_schedule(plan => 'growth', amount => 1, every => '1 month', key => 'k') AS same;
SELECT credit_schedule(plan => 'growth', amount => 2, every => '1 month', key => 'k');
SELECT credit_schedule('early', 1, '1 month', plan => 'growth');
SELECT credit_schedule(amount => 1, every => '1 month');
SELECT credit_schedule(plan => 'growth', amount => 1, every => '1 month', unit => 'token');
SELECT credit_schedule(plan => 'nothing', amount => 1, every => '1 month');
UPDATE credit.plan_schedule SET amount = 2;
DELETE FROM credit.plan_schedule;
SELECT * FROM credit_verify();
