-- Schedules: what an account is granted again and again.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2026-01-31 00:00+00';

-- Monthly, from the 31st on: the anchor is not forgotten.
SELECT credit_schedule('acme', 1000, every => interval '1 month', anchor => '2026-01-31 00:00+00', expires => 'period_end') > 0 AS declared;
SET credit.clock = '2026-03-31 12:00+00';
SELECT credit_balance('acme') AS before_anything_was_issued;
SELECT credit_refresh() AS issued;
SELECT credit_refresh() AS issued_again;
SELECT effective_at, expires_at, status FROM credit.lots WHERE account = 'acme' ORDER BY 1;
SELECT credit_balance('acme');
-- The balance of any instant, as if each lot had been issued when it was due.
SELECT at, credit_balance('acme', at => at) FROM unnest('{2026-01-30 23:59:59.999999+00, 2026-01-31 00:00+00, 2026-02-27 23:00+00,
    2026-02-28 00:00+00, 2026-03-30 23:59:59.999999+00, 2026-03-31 00:00+00}'::timestamptz[]) AS at;

-- A debit issues what is due first, and the sweep posts what lapsed at its own time.
SET credit.clock = '2026-05-31 00:00+00';
SELECT credit_debit('acme', 10) > 0 AS debited;
SELECT expired, expires_at FROM credit_expire('acme') ORDER BY expires_at;
SELECT kind, amount, occurred_at, recorded_at FROM credit.ledger WHERE account = 'acme' ORDER BY occurred_at, kind DESC;

-- What would pay, before it is there: the lot has no id yet.
SET credit.clock = '2026-06-30 00:00+00';
SELECT lot, source, expires_at, available, debited FROM credit_explain_debit('acme', 300);

-- Rolling: bought on March 15, gone on March 15.
SET credit.clock = '2026-03-15 00:00+00';
SELECT credit_grant('roll', 100, effective_at => '2026-03-15 00:00+00', expires_after => interval '1 year') > 0 AS granted;
SELECT effective_at, expires_at FROM credit.lots WHERE account = 'roll';

-- In the account's time zone: fourteen hours ahead, and over a change of the clocks.
SELECT credit_account('kiribati', time_zone => 'Pacific/Kiritimati');
SELECT credit_schedule('kiribati', 5, interval '1 month', anchor => '2026-01-31 00:00+14', starts_at => '2026-01-31 00:00+14') > 0 AS declared;
SELECT effective_at AT TIME ZONE 'Pacific/Kiritimati' AS effective_at, expires_at AT TIME ZONE 'Pacific/Kiritimati' AS expires_at
FROM credit.lots WHERE account = 'kiribati' ORDER BY 1;
SELECT credit_account('berlin', time_zone => 'Europe/Berlin');
SELECT credit_schedule('berlin', 5, interval '1 day', anchor => '2026-03-28 02:30+01', starts_at => '2026-03-28 02:30+01') > 0 AS declared;
SET credit.clock = '2026-03-31 00:00+00';
SELECT credit_refresh(account => 'berlin') AS issued;
SELECT effective_at, expires_at - effective_at AS length FROM credit.lots WHERE account = 'berlin' ORDER BY 1;

-- Three cycles side by side.
SET credit.clock = '2026-01-01 00:00+00';
SELECT credit_schedule('cycles', 10, interval '1 month', category => 'promotional') AS monthly \gset
SELECT credit_schedule('cycles', 120, interval '1 year', expires => 'period_end', paid => 12, currency => 'USD') AS annual \gset
SELECT credit_schedule('cycles', 30, interval '3 months', expires_after => interval '1 year', periods => 2) AS rolling \gset
SELECT amount, effective_at, expires_at FROM credit_schedule_preview('cycles', :monthly, '2026-03-01 00:00+00');
SELECT amount, effective_at, expires_at FROM credit_schedule_preview('cycles', :annual, '2027-01-01 00:00+00');
SELECT amount, effective_at, expires_at FROM credit_schedule_preview('cycles', :rolling, '2027-01-01 00:00+00');
SELECT amount, category, cost_basis FROM credit.schedules s JOIN credit.lots l USING (account, category) WHERE account = 'cycles' AND s.amount = l.granted ORDER BY 1;

-- Proration counts the days of the incomplete periods; a lot may live several periods.
SET credit.clock = '2026-04-11 15:00+00';
SELECT credit_schedule('pro', 30, interval '1 month', anchor => '2026-04-01 00:00+00', ends_at => '2026-06-11 00:00+00',
    proration => 'both', expires => '2 periods') AS pro \gset
SELECT * FROM credit_schedule_preview('pro', :pro, '2027-01-01 00:00+00');

-- The recommended setup for business customers: a year's allocation, rolling expiry, a true-up each quarter.
SELECT credit_standard_schedule('b2b', 120000, anchor => '2026-03-15 00:00+00', years => 2, expires_after => '18 months', paid => 1080, currency => 'EUR') AS b2b \gset
SELECT * FROM credit_schedule_preview('b2b', :b2b, '2030-01-01 00:00+00');
SELECT every, expires_after, true_up, status, issued_lots, issued FROM credit.schedules WHERE account = 'b2b';

-- Another cycle from the next period on: what the old one brings ends, what the new one brings is seen beforehand.
SELECT credit_end_schedule('cycles', :monthly, '2026-05-01 00:00+00') = :monthly AS ended;
SELECT credit_schedule('cycles', 30, interval '3 months', starts_at => '2026-05-01 00:00+00') AS quarterly \gset
SELECT amount, effective_at, expires_at FROM credit_schedule_preview('cycles', :monthly, '2026-12-31 00:00+00');
SELECT amount, effective_at, expires_at FROM credit_schedule_preview('cycles', :quarterly, '2026-12-31 00:00+00');

-- Members: everyone who is active gets the amount, also who comes later. What a leaver has left goes as the schedule says.
SET credit.clock = '2026-07-01 00:00+00';
SELECT credit_account('team');
SELECT credit_member('team', 'alice');
SELECT credit_schedule('team', 31, interval '1 month', per_member => true, on_leave => 'return', proration => 'first') > 0 AS declared;
SET credit.clock = '2026-07-11 00:00+00';
SELECT credit_member('team', 'bob');
SELECT credit_debit('team', 1, member => 'bob') > 0 AS debited;
SELECT member, available FROM credit.balances WHERE account = 'team' ORDER BY 1;
SELECT credit_member('team', 'bob', active => false);
SELECT member, available FROM credit.balances WHERE account = 'team' ORDER BY 1;
-- Whoever comes back within the period had its part of it; the next one brings the whole again.
SET credit.clock = '2026-07-21 00:00+00';
SELECT credit_member('team', 'bob', active => true);
SELECT credit_balance('team', 'alice') AS alice, credit_balance('team', 'bob') AS bob;
SET credit.clock = '2026-08-01 00:00+00';
SELECT credit_balance('team', 'alice') AS alice, credit_balance('team', 'bob') AS bob;
SELECT credit_refresh(account => 'team') AS issued;
SELECT member, available FROM credit.balances WHERE account = 'team' ORDER BY 1;

-- Refusals.
SELECT credit_schedule('acme', 10, interval '30 minutes');
SELECT credit_schedule('acme', 10, interval '1 month', expires => 'soon');
SELECT credit_schedule('acme', 10, interval '1 month', expires => 'never', expires_after => '1 year');
SELECT credit_schedule('acme', 10, interval '1 month', ends_at => '2026-01-01 00:00+00');
SELECT credit_schedule('acme', 10, interval '1 hour', starts_at => '2020-01-01 00:00+00');
SELECT credit_schedule('acme', 10, interval '1 month', periods => 0);
SELECT credit_schedule('acme', 10, interval '1 month', rollover => '{"fraction": 1}');
SELECT credit_schedule('acme', 10, interval '1 month', expires => 'never', rollover => '{}');
SELECT credit_standard_schedule('acme', 10, expires_after => '3 months');
SELECT credit_end_schedule('acme', 999);
SELECT credit_end_schedule('cycles', :quarterly, '2026-01-01 00:00+00');
SELECT credit_refresh(at => '2027-01-01 00:00+00');
SELECT count(*) FROM credit_verify();
