-- Changes of plan where plans have schedules; what a change and a cancellation buy; what is pending, voided or paid back.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 00:00:00+00';

SELECT credit_plan(plan, unit => 'credit', currency => 'USD', list_price => price), credit_tier(plan, 'list', 0, discount => 0) > 0 AS tier
FROM (VALUES ('lite', 10), ('max', 100)) AS p (plan, price);
SELECT credit_schedule(plan => 'lite', amount => 1000, every => '1 month') > 0 AS lite, credit_schedule(plan => 'max', amount => 10000, every => '1 month') > 0 AS max;
SELECT charge, granted, new_price FROM credit_change_plan('acme', 'lite', 1);

-- A day later: 29 of 30 days of 90.00, and of 9000 credits. The schedules' periods are those of the subscription.
SET credit.clock = '2026-06-02 00:00:00+00';
SELECT charge, granted, note FROM credit_change_plan('acme', 'max', 1, preview => true);
SELECT charge, granted, note FROM credit_change_plan('acme', 'max', 1);
SELECT plan, anchor, starts_at, ends_at, issued FROM credit.schedules WHERE account = 'acme' ORDER BY schedule;
SELECT charge, effective_at FROM credit_change_plan('acme', 'lite', 1);
SELECT credit_balance('acme');
SELECT kept_quantity, kept_paid, quantity FROM credit.purchases WHERE account = 'acme' ORDER BY purchase;
SELECT line, amount, granted, lot IS NULL AS without_lot, is_due FROM credit.instalments WHERE account = 'acme' ORDER BY purchase;

-- On the last days of each month: two days of max are charged, and bring two days.
SET credit.clock = '2026-07-30 12:00:00+00';
SELECT period_start, paid FROM credit_renew('acme');
SELECT charge FROM credit_change_plan('acme', 'max', 1);
SELECT charge FROM credit_change_plan('acme', 'lite', 1);
SET credit.clock = '2026-08-31 23:00:00+00';
SELECT period_start, paid FROM credit_renew('acme');
SELECT charge FROM credit_change_plan('acme', 'max', 1);
SELECT credit_balance('acme') AS usable;
SELECT granted, effective_at, expires_at FROM credit.lots WHERE account = 'acme' AND source = 'allocation' ORDER BY lot;
SELECT * FROM credit_verify();

-- Use up, switch, use up: what was used is not granted again, in one instant or day by day.
SELECT credit_plan(plan, unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier(plan, 'list', 0, discount => 0) > 0 AS tier,
    credit_schedule(plan => plan, amount => 1000, every => '1 month', on_leave => 'expire', proration => 'both') > 0 AS schedule
FROM unnest(ARRAY['red', 'green', 'blue']) AS plan;
CREATE FUNCTION pg_temp.go_round(who text, step interval) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan text;
BEGIN
    FOR turn IN 1 .. 3 LOOP
        FOREACH plan IN ARRAY ARRAY['red', 'green', 'blue'] LOOP
            PERFORM credit_change_plan(who, plan, 100);
            IF credit_balance(who) > 0 THEN PERFORM credit_debit(who, credit_balance(who)); END IF;
            PERFORM set_config('credit.clock', (current_setting('credit.clock')::timestamptz + step)::text, false);
        END LOOP;
    END LOOP;
    RETURN (SELECT - sum(amount) FROM credit.entry WHERE account = who AND kind = 'debit');
END $$;
SET credit.clock = '2026-09-01 00:00:00+00';
SELECT pg_temp.go_round('at once', '0');
SELECT pg_temp.go_round('by the day', '1 day 5 hours');
SET credit.clock = '2026-09-01 00:00:00+00';
SELECT pg_temp.go_round('by the week', '7 days');

-- Unused credits end where on_leave says so, and are granted again for the days that are left: 15 of 30 days, less what was used.
SET credit.clock = '2026-09-01 00:00:00+00';
SELECT charge FROM credit_change_plan('idle', 'red', 100);
SELECT credit_debit('idle', 700, metadata => '{"of": "all"}') > 0 AS debited;
SET credit.clock = '2026-09-16 00:00:00+00';
SELECT charge FROM credit_change_plan('idle', 'green', 100);
-- 600 of the 700 were of the schedule, 500 of them for the days until then.
SELECT source, granted, remaining FROM credit.lots WHERE account = 'idle' ORDER BY lot;
SELECT credit_balance('idle');

-- Cheaper at once: nothing comes on top of what is there, and what was charged beyond the days is said. So it is after a mistake.
SET credit.clock = '2026-09-01 00:00:00+00';
SELECT charge FROM credit_change_plan('mistaken', 'max', 1);
SET credit.clock = '2026-09-01 00:10:00+00';
SELECT charge, credit, returned, note FROM credit_change_plan('mistaken', 'lite', 1, at => '2026-09-01 00:10:00+00', preview => true);
SELECT charge, credit, returned, note FROM credit_change_plan('mistaken', 'lite', 1, at => '2026-09-01 00:10:00+00');
SELECT credit_balance('mistaken');
SELECT credit_plan('dear', unit => 'credit', currency => 'USD', list_price => 0.02), credit_tier('dear', 'list', 0, discount => 0) > 0 AS tier;
SELECT credit_plan('cheap', unit => 'credit', currency => 'USD', list_price => 0.005), credit_tier('cheap', 'list', 0, discount => 0) > 0 AS tier;
SELECT charge FROM credit_change_plan('mistaken too', 'dear', 1000);
SELECT charge, credit, note FROM credit_change_plan('mistaken too', 'cheap', 1000, at => '2026-09-01 00:10:00+00');
-- The other way round the difference is charged, once.
SELECT charge, note FROM credit_change_plan('mistaken too', 'dear', 1000);
SELECT charge FROM credit_change_plan('corrected', 'cheap', 1000);
SELECT charge, note FROM credit_change_plan('corrected', 'dear', 1000);

-- A plan with other periods: a year in advance counts for its months, and so do seats, each by itself.
SELECT credit_plan(plan, unit => 'credit', currency => 'USD', list_price => price), credit_tier(plan, 'list', 0, discount => 0) > 0 AS tier
FROM (VALUES ('yearly', 1), ('monthly', 2), ('seats', 1), ('more seats', 2)) AS p (plan, price);
SELECT credit_schedule(plan => 'yearly', amount => 3650, every => '1 year') > 0 AS yearly, credit_schedule(plan => 'monthly', amount => 620, every => '1 month') > 0 AS monthly;
SELECT credit_schedule(plan => 'seats', amount => 30, every => '1 month', per_member => true) > 0 AS seats,
    credit_schedule(plan => 'more seats', amount => 60, every => '1 month', per_member => true, into_pool => true) > 0 AS more_seats;
SET credit.clock = '2026-10-01 00:00:00+00';
SELECT charge FROM credit_change_plan('year', 'yearly', 1);
SELECT charge FROM credit_change_plan('team', 'seats', 1);
SELECT credit_member('team', 'ada'), credit_member('team', 'bob');
SET credit.clock = '2026-10-02 00:00:00+00';
SELECT credit_refresh() > 0 AS refreshed;
SET credit.clock = '2026-10-12 00:00:00+00';
SELECT charge FROM credit_change_plan('year', 'monthly', 1);
SELECT charge FROM credit_change_plan('team', 'more seats', 1);
SELECT credit_member('team', 'cleo');
SELECT credit_refresh() >= 0 AS refreshed;
SET credit.clock = '2026-12-01 00:00:00+00';
SELECT credit_refresh() > 0 AS refreshed;
SELECT granted, effective_at FROM credit.lots WHERE account = 'year' AND source = 'allocation' ORDER BY lot;
SELECT member, granted, effective_at FROM credit.lots WHERE account = 'team' AND source = 'allocation' ORDER BY lot;
SELECT * FROM credit_verify();

-- An announced change: what it brings is counted and issued by the rule when it takes effect, whoever looks first.
SELECT credit_schedule(plan => 'dear', amount => 100, every => '7 days', anchor => '2026-12-01 00:00:00+00', on_leave => 'expire') > 0 AS dear,
    credit_schedule(plan => 'cheap', amount => 70, every => '7 days', anchor => '2026-12-01 00:00:00+00') > 0 AS cheap;
SELECT charge FROM credit_change_plan('weekly', 'dear', 1000);
SELECT effective_at, note FROM credit_change_plan('weekly', 'cheap', 1000);
SET credit.clock = '2026-12-30 00:00:00+00';
SELECT credit_debit('weekly', 60) > 0 AS debited;
SET credit.clock = '2027-01-01 00:00:00+00';
-- The week began on December 29th: 100 were granted and 60 of them used, of which 42.86 were for its first three days. 40 are due for the other four.
SELECT credit_balance('weekly') AS before;
SELECT credit_refresh() > 0 AS refreshed;
SELECT credit_balance('weekly') AS after;
SELECT granted, remaining, effective_at, expires_at FROM credit.lots WHERE account = 'weekly' AND source = 'allocation' ORDER BY lot;
SELECT * FROM credit_verify();

-- Missed periods: a change buys them first and says so, in the preview too; a cancellation buys nothing.
SELECT credit_plan('plain', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('plain', 'list', 0, discount => 0) > 0 AS tier;
SET credit.clock = '2027-06-01 00:00:00+00';
SELECT charge FROM credit_change_plan('lapsed', 'plain', 1000);
SELECT charge FROM credit_change_plan('late', 'plain', 1000);
SET credit.clock = '2027-12-10 00:00:00+00';
SELECT charge, credit, granted, renewals, renewed_granted, renewed_charge, renewed_currency FROM credit_change_plan('late', 'plain', 500, preview => true);
SELECT charge, credit, granted, renewals, renewed_granted, renewed_charge, renewed_currency FROM credit_change_plan('late', 'plain', 500, key => 'late');
SELECT renewals, renewed_charge FROM credit_change_plan('late', 'plain', 500, key => 'late');
SELECT count(*), sum(paid) FROM credit.purchase WHERE account = 'late';
SELECT charge, renewals, renewed_charge, renewed_currency FROM credit_change_plan('late', 'plain', 2000);
SELECT credit_cancel_plan('lapsed');
SELECT count(*), sum(paid) FROM credit.purchase WHERE account = 'lapsed';
SELECT plan, effective_at, ended_at FROM credit.subscription WHERE account = 'lapsed';
SELECT count(*) FROM credit_renew('lapsed');
SELECT credit_cancel_plan('lapsed');
-- Whoever begins again begins anew; who has paid ends with what was paid.
SELECT from_plan, charge, renewals FROM credit_change_plan('lapsed', 'plain', 1000);
SELECT credit_cancel_plan('lapsed');
SELECT credit_cancel_plan('late');
SELECT * FROM credit_verify();

-- What is pending counts where it is paid; the price of an order stays as it was quoted.
SELECT credit_plan('bulk', unit => 'credit', currency => 'USD', list_price => 0.01, reach => 'cumulative');
SELECT credit_tier('bulk', 'small', 0, discount => 0) > 0 AS small, credit_tier('bulk', 'big', 1000000, discount => 0.5) > 0 AS big;
SELECT credit_agreement('buyer', 'bulk', committed_quantity => ARRAY[2000000]) > 0 AS agreed;
SELECT credit_purchase('buyer', 'bulk', 1000000, pending => true) AS big \gset
SELECT tier, total FROM credit_quote('bulk', 5000, 'buyer');
SELECT credit_purchase('buyer', 'bulk', 5000) > 0 AS bought;
SELECT credit_activate('buyer', :big) = :big AS activated;
SELECT tier, quantity, paid, status FROM credit.purchase WHERE account = 'buyer' ORDER BY purchase;
SELECT tier, total FROM credit_quote('bulk', 5000, 'buyer');
SELECT bought, paid, missing_quantity FROM credit.commitments WHERE account = 'buyer';

-- What is voided is not bought: what was used of it is, also where the rest was moved to another lot. A bonus is no part of the quantity.
SELECT credit_debit('buyer', 300000) > 0 AS debited;
SELECT credit_set_expiry('buyer', :big, '2030-01-01 00:00:00+00') AS moved \gset
SELECT credit_void('buyer', :moved);
SELECT quantity, paid, kept_quantity, kept_paid FROM credit.purchases WHERE account = 'buyer' ORDER BY purchase;
SELECT bought, paid, missing_quantity FROM credit.commitments WHERE account = 'buyer';
SELECT tier, total FROM credit_quote('bulk', 5000, 'buyer');
SELECT tier, customers, credits_sold, revenue FROM credit.tier_economics WHERE plan = 'bulk' ORDER BY from_quantity;
SELECT credit_purchase('bonus', 'bulk', 100, bonus => 50, blend => true) AS bonus \gset
SELECT credit_void('bonus', lot) FROM credit.purchase_lot WHERE account = 'bonus' AND line = 2;
SELECT quantity, paid, kept_quantity, kept_paid FROM credit.purchases WHERE account = 'bonus';
SELECT credit_void('bonus', :bonus);
SELECT quantity, paid, kept_quantity, kept_paid FROM credit.purchases WHERE account = 'bonus';
SELECT tier, customers, credits_sold, revenue FROM credit.tier_economics WHERE plan = 'bulk' ORDER BY from_quantity;
UPDATE credit.voided SET paid = 0;

-- Nor does it count for a change of plan: what was voided of the period is granted and charged again.
SELECT charge FROM credit_change_plan('voided', 'plain', 1000);
SELECT credit_void('voided', lot) FROM credit.lots WHERE account = 'voided';
SELECT charge, granted FROM credit_change_plan('voided', 'plain', 1500);

-- Nor for a true-up of a later period than the one in which it was bought.
SET credit.clock = '2028-01-01 00:00:00+00';
SELECT credit_purchase('prepaid', 'plain', 1000) AS prepaid \gset
SELECT credit_true_up_terms('prepaid', every => '1 month', anchor => '2028-01-01 00:00:00+00', commitment => 300, unit_price => 0.01, currency => 'USD');
SET credit.clock = '2028-02-10 00:00:00+00';
SELECT prepaid, shortfall, amount_due FROM credit_true_up_post('prepaid');
SELECT credit_void('prepaid', :prepaid);
SET credit.clock = '2028-03-10 00:00:00+00';
SELECT prepaid, shortfall, amount_due FROM credit_true_up_post('prepaid');
SELECT starts_at, prepaid, prepaid_left, shortfall FROM credit.true_up WHERE account = 'prepaid' ORDER BY starts_at;

-- The proof knows the rules.
SELECT * FROM credit_verify();
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
ALTER TABLE credit.plan_change DISABLE TRIGGER USER;
ALTER TABLE credit.voided DISABLE TRIGGER USER;
UPDATE credit.plan_change SET renewed_charge = renewed_charge + 1 WHERE renewals > 1;
UPDATE credit.voided SET origin = lot;
SELECT invariant, account, expected, found FROM credit_verify() WHERE account IS NOT NULL ORDER BY 1, 2, 3, 4;
ROLLBACK;
BEGIN;
ALTER TABLE credit.schedule_period DISABLE TRIGGER USER;
UPDATE credit.schedule_period SET original = original + 1 WHERE original IN (8700, 580.645161, 22.857143);
SELECT account, expected, found FROM credit_verify() WHERE invariant = 'what plans grant for a time is granted once' ORDER BY lot;
ROLLBACK;
