-- Voiding what is left of a lot, and moving it to another expiry.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- A void withdraws what is left, once.
SELECT credit_grant('acme', 100, paid => 80, currency => 'USD') AS lot \gset
SELECT credit_debit('acme', 30) > 0 AS debited;
SELECT credit_void('acme', :lot, metadata => '{"reason": "chargeback"}');
SELECT credit_void('acme', :lot);
SELECT kind, amount, value, currency, metadata FROM credit.ledger WHERE account = 'acme' AND lot = :lot ORDER BY posting;
SELECT credit_balance('acme');

-- A lot that has expired has nothing left to withdraw: that is breakage, and its expiry will be posted.
SELECT credit_grant('acme', 10, expires_at => '2026-02-01 00:00:00+00') AS lot \gset
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT credit_void('acme', :lot);
SELECT expired FROM credit_expire('acme');

-- A lot's terms never change: another expiry is another lot, with the same cost basis and all other terms.
SELECT credit_grant('moves', 90, paid => 30, currency => 'USD', member => 'alice', priority => 7, applies_to => '{chat}',
    expires_at => '2026-03-01 00:00:00+00', metadata => '{"order": 1}') AS lot \gset
SELECT credit_debit('moves', 20, member => 'alice', operation => 'chat') > 0 AS debited;
SELECT credit_set_expiry('moves', :lot, '2026-04-01 00:00:00+00') AS moved \gset
SELECT CASE lot WHEN :lot THEN 'the old lot' WHEN :moved THEN 'the new lot' END AS lot, status, granted, remaining, paid, currency,
    round(cost_basis, 9) AS cost_basis, expires_at
FROM credit.lots WHERE account = 'moves' ORDER BY lots.lot;
SELECT member, priority, applies_to, metadata, parent = :lot AS parent FROM credit.lots WHERE account = 'moves' AND lot = :moved;
SELECT line, kind, amount, CASE lot WHEN :lot THEN 'the old lot' WHEN :moved THEN 'the new lot' END AS lot
FROM credit.ledger WHERE account = 'moves' AND kind LIKE 'move%' ORDER BY posting, line;

-- The same expiry moves nothing; NULL is for ever.
SELECT credit_set_expiry('moves', :moved, '2026-04-01 00:00:00+00') = :moved AS same_lot;
SELECT credit_set_expiry('moves', :moved, NULL) AS forever \gset
SELECT status, remaining, expires_at FROM credit.lots WHERE account = 'moves' AND lot = :forever;

-- It is too late for a lot that has expired or is used up, and for an expiry in the past.
SELECT credit_set_expiry('moves', :moved, '2026-05-01 00:00:00+00');
SELECT credit_set_expiry('moves', :forever, '2026-02-01 00:00:00+00');
SELECT credit_grant('moves', 1, expires_at => '2026-02-02 00:00:00+00') AS lot \gset
SET credit.clock = '2026-02-02 00:00:00+00';
SELECT credit_set_expiry('moves', :lot, '2026-05-01 00:00:00+00');

SELECT * FROM credit_verify();
