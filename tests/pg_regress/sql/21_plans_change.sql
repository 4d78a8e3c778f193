-- Changing plans: what is charged and granted within a period, what is paid back, commitments, and renewal.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2024-01-01 00:00:00+00';

SELECT credit_plan('small', unit => 'credit', currency => 'USD', list_price => 0.01);
SELECT credit_tier('small', 'list', 0, discount => 0) > 0 AS priced;
SELECT credit_plan('large', unit => 'credit', currency => 'USD', list_price => 0.008);
SELECT credit_tier('large', 'list', 0, discount => 0) > 0 AS priced;

-- The first one: a whole month is bought at once. June has 30 days.
SET credit.clock = '2026-06-01 00:00:00+00';
SELECT * FROM credit_change_plan('acme', 'small', 1000);
SELECT granted, paid, cost_basis, source FROM credit.lots WHERE account = 'acme';

-- Dearer on the 11th: at once. 20 of 30 days are left, so 2/3 of the difference of 2000 credits and of 14.00.
SET credit.clock = '2026-06-11 15:00:00+00';
SELECT to_plan, days_left, days_in_period, charge, granted FROM credit_change_plan('acme', 'large', 3000, preview => true);
SELECT credit_balance('acme') AS nothing_changed;
SELECT * FROM credit_change_plan('acme', 'large', 3000, key => 'upgrade');
SELECT from_plan, charge, granted FROM credit_change_plan('acme', 'large', 3000, key => 'upgrade');
SELECT credit_change_plan('acme', 'large', 3001, key => 'upgrade');
SELECT granted, paid, effective_at FROM credit.lots WHERE account = 'acme' ORDER BY lot;

-- Cheaper: when the period ends, and nothing is charged or paid back.
SET credit.clock = '2026-06-16 00:00:00+00';
SELECT effective_at, days_left, charge, credit, note FROM credit_change_plan('acme', 'small', 1000);
SELECT plan, quantity, is_announced, effective_at, ended_at FROM credit.subscriptions WHERE account = 'acme' ORDER BY effective_at;

-- Cheaper at once: what is unused and not entitled to any more is taken back at its cost basis; 15 of 30 days are left.
-- Entitled: 1000 for 10 days, 3000 for 5, 1000 for 15: 1333.33... credits. 2333.333333 were granted.
SELECT credit_debit('acme', 1500) > 0 AS spent;
SELECT charge, credit, granted, returned, lots_kept, note FROM credit_change_plan('acme', 'small', 1000, at => '2026-06-16 00:00:00+00', preview => true);
SELECT charge, credit, granted, returned, lots_kept, note FROM credit_change_plan('acme', 'small', 1000, at => '2026-06-16 00:00:00+00');
SELECT kind, sum(amount) FROM credit.entry WHERE account = 'acme' GROUP BY kind ORDER BY kind;

-- There and back and there again: what was spent is not granted again.
SELECT to_plan, charge, credit, granted, returned FROM credit_change_plan('acme', 'large', 3000);
SELECT to_plan, charge, credit, granted, returned FROM credit_change_plan('acme', 'small', 1000, at => '2026-06-16 00:00:00+00');
SELECT to_plan, charge, credit, granted, returned FROM credit_change_plan('acme', 'large', 3000);
SELECT credit_change_plan('acme', 'large', 3000);

-- The rest of the period, bought besides: 15 of 30 days.
SELECT credit_purchase('acme', 'small', 333, prorate => true) > 0 AS bought;
SELECT quantity, unit_price, paid FROM credit.purchase WHERE account = 'acme' ORDER BY purchase DESC LIMIT 1;
SELECT credit_purchase('acme', 'small', 0.000001, prorate => true);
SELECT credit_purchase('newcomer', 'small', 333, prorate => true);

-- Renewal: once, and after months without one each period with its own dates.
SET credit.clock = '2026-07-01 00:00:00+00';
SELECT period_start, period_end, granted, paid FROM credit_renew('acme');
SELECT count(*) FROM credit_renew('acme');
SET credit.clock = '2026-10-15 00:00:00+00';
SELECT period_start, period_end, granted, paid FROM credit_renew('acme', '2026-08-31');
SELECT period_start, period_end, granted, paid FROM credit_renew('acme');

-- Counted from the anchor: the 31st of January, the 28th of February, the 31st of March. A leap day comes every four years.
SET credit.clock = '2026-01-31 00:00:00+00';
SELECT period_end, days_in_period FROM credit_change_plan('monthly', 'small', 310);
SET credit.clock = '2026-05-01 00:00:00+00';
SELECT period_start, period_end FROM credit_renew('monthly');
SET credit.clock = '2024-02-29 00:00:00+00';
SELECT period_end, days_in_period FROM credit_change_plan('yearly', 'small', 366, billing_period => 'year');
SET credit.clock = '2028-03-01 00:00:00+00';
SELECT period_start, period_end FROM credit_renew('yearly');

-- On the account's calendar: the month in which clocks change has 31 days all the same.
SET credit.clock = '2026-03-01 12:00:00+00';
SELECT credit_account('berlin', time_zone => 'Europe/Berlin');
SELECT days_left, days_in_period, period_end, granted, charge
FROM credit_change_plan('berlin', 'small', 310, anchor => '2025-12-31 23:00:00+00');
SET credit.clock = '2026-03-31 21:59:59+00';
SELECT days_left, charge, granted FROM credit_change_plan('berlin', 'small', 620, preview => true);
SET credit.clock = '2026-03-31 22:00:00+00';
SELECT days_left, charge, granted FROM credit_change_plan('berlin', 'small', 620, preview => true);

-- Another billing period: dearer at once, with a new period; cheaper when the period ends, counted from the same anchor.
SET credit.clock = '2026-01-31 00:00:00+00';
SELECT charge FROM credit_change_plan('longer', 'small', 1000);
SET credit.clock = '2026-02-10 00:00:00+00';
SELECT effective_at, period_end, charge, credit, granted, returned, note FROM credit_change_plan('longer', 'small', 13000, billing_period => 'year', preview => true);
SELECT effective_at, period_end, charge FROM credit_change_plan('longer', 'small', 11000, billing_period => 'year');
SELECT credit_change_plan('longer', 'small', 11000, billing_period => 'year', at => '2026-02-10 00:00:00+00');
SET credit.clock = '2028-03-01 00:00:00+00';
SELECT period_start, period_end, granted FROM credit_renew('longer');

-- Commitments.
SELECT credit_tier('large', 'list', 0, discount => 0, billing_period => 'month', commitment => '1 year') > 0 AS committed;
SELECT commitment_until FROM credit_change_plan('bound', 'large', 1000);
SELECT credit_change_plan('bound', 'small', 100);
SELECT credit_cancel_plan('bound');
SELECT commitment_until FROM credit_change_plan('bound', 'large', 2000, preview => true);
SELECT effective_at, commitment_until FROM credit_change_plan('bound', 'small', 100, override_reason => 'moved away');
SELECT credit_cancel_plan('bound', override_reason => 'moved away');
SELECT plan, ended_at FROM credit.subscriptions WHERE account = 'bound';

-- Instalments, which add up to what was paid.
SELECT credit_purchase('parts', 'small', 1000, instalments => 3, instalment_period => '1 month') > 0 AS bought;
SELECT line, due_at, amount, currency, granted, is_due FROM credit.instalments WHERE account = 'parts' ORDER BY line;
SELECT credit_purchase('billed', 'large', 1000, instalments => 2) > 0 AS bought;
SELECT line, due_at, amount, billing_period FROM credit.instalments WHERE account = 'billed' ORDER BY line;
SELECT credit_purchase('billed', 'small', 1000, instalments => 2);
SELECT sum(i.amount) = b.paid AS adds_up FROM credit.instalments i JOIN credit.purchase b USING (account, purchase) WHERE account = 'parts' GROUP BY b.paid;

-- Refused.
SELECT credit_change_plan('nobody', 'small');
SELECT credit_change_plan('acme', 'small', 10, at => '2020-01-01');
SELECT credit_change_plan('acme', 'small', 10, at => '2040-01-01');
SELECT credit_change_plan('acme', 'small', 10, anchor => '2026-01-01');
SELECT credit_change_plan('acme', 'none', 10);
SELECT credit_renew('nobody');
SELECT credit_renew('acme', '2040-01-01');
SELECT credit_cancel_plan('parts');

SELECT * FROM credit_verify();
