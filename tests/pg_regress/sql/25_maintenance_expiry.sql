-- What expires soon, what will be lost at the present pace, and what is done about it.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_account('acme', time_zone => 'Europe/Berlin');
SELECT credit_grant('acme', 100, paid => 80, currency => 'USD', expires_at => '2026-02-08 00:00:00+00') AS week \gset
SELECT credit_grant('acme', 40, member => 'alice', expires_at => '2026-02-08 00:00:00.000001+00') AS month \gset
SELECT credit_grant('acme', 10, effective_at => '2026-03-15 00:00:00+00', expires_at => '2026-05-02 00:00:00+00') AS quarter \gset
SELECT credit_grant('acme', 10, expires_at => '2026-05-02 00:00:00.000001+00') AS later \gset
SELECT credit_grant('acme', 1000) AS forever \gset
SET credit.clock = '2026-01-02 00:00:00+00';
SELECT credit_debit('acme', 30) > 0 AS debited, credit_debit('acme', 15, member => 'alice', operation => 'chat') > 0 AS debited;

-- A month later. The first lot expires in exactly 7 days, the second a microsecond after that; the last that counts in exactly 90.
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT lot, member, within_days, remaining, value, currency, expires_at FROM credit.expiring_soon WHERE account = 'acme' ORDER BY lot;
SELECT member, within_7_days, within_30_days, within_60_days, within_90_days, value, currency, lots, next_expiry
FROM credit.expiring_by_member WHERE account = 'acme' ORDER BY member NULLS FIRST;
SELECT unit, within_7_days, within_30_days, within_60_days, within_90_days, value, currency, lots, next_expiry
FROM credit.expiring_by_account WHERE account = 'acme';

-- Nothing was used in the last 30 days, which begin just after what was used; so all of it would be lost. In the last 31 days 30 were
-- used of the pool, and 15 by alice. If that goes on, 7 days take 7 / 31 of it, each from what would pay. The third lot is not in
-- effect before March 15; until then the fourth pays, and then the lot that never expires.
SELECT sum(remaining), sum(forecast_used), sum(forecast_lost) FROM credit_expiry_forecast('acme');
SELECT lot, member, remaining, expires_at, forecast_used, forecast_lost, lost_value, currency
FROM credit_expiry_forecast('acme', burn_window => '31 days');
SELECT bool_and(forecast_used + forecast_lost = remaining) AS adds_up FROM credit_expiry_forecast('acme', burn_window => '31 days');
SELECT * FROM credit_expiry_forecast('nobody');
SELECT * FROM credit_expiry_forecast('acme', burn_window => '-1 day');
SELECT * FROM credit_expiry_forecast('acme', burn_window => NULL);

-- Her lot is given another month: what is left moves to a lot with the new date and the same terms. The ledger keeps the trail.
SELECT credit_set_expiry('acme', :month, '2026-03-08 00:00:00+00', metadata => '{"reason": "goodwill"}') AS extended \gset
SELECT lot, status, granted, remaining, expires_at, parent FROM credit.lots WHERE account = 'acme' AND member = 'alice' ORDER BY lot;
SELECT kind, lot, amount, member, metadata, recorded_at FROM credit.ledger WHERE account = 'acme' AND kind LIKE 'move%' ORDER BY posting, line;
SELECT lot, within_days FROM credit.expiring_soon WHERE account = 'acme' ORDER BY lot;

-- It can be cut short just as well, and it can be done twice.
SELECT credit_set_expiry('acme', :extended, '2026-02-05 00:00:00+00') AS cut \gset
SELECT credit_set_expiry('acme', :extended, '2026-02-06 00:00:00+00');
SELECT lot, parent, remaining, expires_at FROM credit.lots WHERE account = 'acme' AND lot = :cut;

-- Swept a year late, by whichever way, an expiry is dated at the instant at which the lot expired. What is recorded when, is another thing.
SET credit.clock = '2027-02-01 00:00:00+00';
SELECT lot, expired, expires_at FROM credit_expire('acme', max_lots => 2) ORDER BY lot;
SELECT done FROM credit_maintain() WHERE task = 'expire lots';
SELECT lot, amount, value, occurred_at, recorded_at FROM credit.ledger WHERE account = 'acme' AND kind = 'expiry' ORDER BY lot;
SELECT count(*) FROM credit.ledger e JOIN credit.lots l USING (account, lot) WHERE e.kind = 'expiry' AND e.occurred_at IS DISTINCT FROM l.expires_at;
SELECT count(*) FROM credit.expiring_soon;
SELECT * FROM credit_verify();
