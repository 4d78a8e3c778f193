-- Seats that feed the pool: an amount for each active seat, together in one pooled lot.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2026-04-01 00:00:00+00';

SELECT credit_account('acme');
SELECT credit_member('acme', 'ada', department => 'eng'), credit_member('acme', 'ben'), credit_member('acme', 'cy', active => false);
SELECT credit_schedule('acme', 100, '1 month', per_member => true, into_pool => true, proration => 'first', paid => 10, currency => 'EUR') AS schedule;
SELECT credit_balance('acme') AS all_of_it, credit_balance('acme', member => 'ada') AS ada;
SELECT lot, member, granted, paid, cost_basis, effective_at::date, expires_at::date FROM credit.lots ORDER BY lot;
SELECT * FROM credit_schedule_preview('acme', 1, '2026-06-01');

-- A seat that is added raises it, by the rest of the period; so does one that comes back. Nobody brings a period's part twice.
SET credit.clock = '2026-04-16 00:00:00+00';
SELECT credit_member('acme', 'dee');
SELECT credit_member('acme', 'cy', active => true);
SELECT credit_member('acme', 'ada', active => false);
SELECT credit_member('acme', 'ada', active => true);
SELECT credit_balance('acme') AS all_of_it;
SELECT lot, member, granted, paid, effective_at::date FROM credit.lots ORDER BY lot;
SELECT member, period, lot, amount FROM credit.schedule_seat ORDER BY lot, member;

-- Whoever leaves leaves there what the seat brought; from the next period on it brings nothing.
SELECT credit_debit('acme', 120, member => 'ada') > 0 AS spent;
SELECT credit_member('acme', 'ben', active => false);
SELECT credit_balance('acme') AS all_of_it;

-- Who only reads counts what is due: one lot for all seats of the boundary.
SET credit.clock = '2026-06-10 00:00:00+00';
SELECT credit_balance('acme') AS seen, credit_balance('acme', member => 'dee') AS by_dee, credit_balance('acme', at => '2026-05-20') AS in_may;
SELECT lot, owner, available, debited, uncovered FROM credit_explain_debit('acme', 50, member => 'dee');
SELECT spendable_before, spendable_after FROM credit_pooling_preview('acme', 'per_seat') WHERE member = 'dee';
SELECT * FROM credit_verify();
SELECT credit_refresh() AS lots;
SELECT credit_balance('acme') AS issued;
SELECT p.period, p.part, p.rolled, p.original, l.remaining, l.expires_at::date FROM credit.schedule_period p JOIN credit.lots l USING (account, lot) ORDER BY p.period, p.part;
SELECT issued_lots, issued, into_pool FROM credit.schedules;

-- What a true-up says was promised is what the seats brought.
SELECT committed, used, shortfall FROM credit_true_up('acme', '2026-04-01', '2026-07-01');

-- A pool that seats feed rolls over as one.
SELECT credit_schedule('roll', 100, '1 month', per_member => true, into_pool => true, rollover => '{"max_amount": 150, "max_periods": 1}') AS schedule;
SELECT count(credit_member('roll', 'r' || n)) AS seats FROM generate_series(1, 3) AS n;
SET credit.clock = '2026-07-10 00:00:00+00';
SELECT credit_balance('roll') AS seen;
SELECT credit_debit('roll', 1, member => 'r1') > 0 AS spent;
SELECT source, granted, remaining FROM credit.lots WHERE account = 'roll' AND remaining > 0 ORDER BY lot;
SELECT lot, member, remaining, forecast_used, forecast_rolled, forecast_lost FROM credit_expiry_forecast('roll') ORDER BY lot;

-- What a plan grants, for each seat of each account on it; its lots end when the account leaves the plan.
SELECT credit_plan('team', unit => 'credit', currency => 'USD', list_price => 0.01);
SELECT credit_tier('team', 'list', 0, discount => 0) > 0 AS tier;
SELECT credit_schedule(plan => 'team', amount => 50, every => '1 month', per_member => true, into_pool => true, on_leave => 'expire', key => 'k') > 0 AS declared;
SELECT credit_schedule(plan => 'team', amount => 50, every => '1 month', per_member => true, into_pool => true, on_leave => 'expire', key => 'k') > 0 AS declared_already;
SELECT credit_account('hooli');
SELECT credit_member('hooli', 'h1'), credit_member('hooli', 'h2');
SELECT granted, note FROM credit_change_plan('hooli', 'team', 100);
SELECT credit_balance('hooli') AS with_two_seats;
SELECT credit_member('hooli', 'h3');
SELECT credit_balance('hooli') AS with_three;
SET credit.clock = '2026-08-15 00:00:00+00';
SELECT credit_balance('hooli') AS seen;
SELECT count(*) AS renewed FROM credit_renew('hooli');
SELECT credit_cancel_plan('hooli') AS cancelled;
SELECT ends_at, into_pool, plan FROM credit.schedules WHERE account = 'hooli';
SET credit.clock = '2026-09-10 00:00:00+00';
SELECT credit_refresh(account => 'hooli') AS lots;
SELECT source, sum(remaining) AS remaining FROM credit.lots WHERE account = 'hooli' AND member IS NULL GROUP BY source ORDER BY source;

-- Ten thousand seats are one lot.
SELECT credit_account('crowd');
SELECT count(credit_member('crowd', 's' || n)) AS seats FROM generate_series(1, 10000) AS n;
SELECT credit_schedule('crowd', 1.5, '1 month', per_member => true, into_pool => true) > 0 AS declared;
SELECT granted, slots FROM credit.lot WHERE account = 'crowd';
SELECT count(*) AS seats, sum(amount) AS brought FROM credit.schedule_seat WHERE account = 'crowd';

-- Refused, and nothing changed.
SELECT credit_schedule('acme', 100, '1 month', into_pool => true);
SELECT credit_schedule('acme', 100, '1 month', per_member => true, into_pool => true, on_leave => 'return');
SELECT credit_schedule('acme', 100, '1 month', per_member => true, into_pool => NULL);
UPDATE credit.schedule_seat SET amount = 1;
DELETE FROM credit.schedule_seat;
SELECT count(*) AS schedules FROM credit.schedule WHERE account = 'acme';
SELECT * FROM credit_verify();
