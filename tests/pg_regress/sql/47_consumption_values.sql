-- What usage was worth: the values of a lot's lines add up to its price, whichever way they are grouped and whatever is added up already.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-10 00:00:00+00';

-- Three credits for 10, used one by one, on three days by three people of two departments.
SELECT credit_account('acme'), credit_member('acme', 'ann', department => 'eng'), credit_member('acme', 'ben', department => 'eng/ml'),
    credit_member('acme', 'cid', department => 'sales');
SELECT credit_grant('acme', 3, paid => 10, currency => 'USD', effective_at => '2026-01-01', expires_at => '2026-02-01') AS lot \gset
SELECT credit_debit('acme', 1, member => 'ann', at => '2026-01-05 12:00:00+00') > 0 AS ann,
    credit_debit('acme', 1, member => 'ben', at => '2026-01-06 12:00:00+00') > 0 AS ben;
SELECT remaining, value FROM credit.expiring_soon;
SELECT count(*) FILTER (WHERE rolled > 0) AS rolled FROM (SELECT credit_rollup() AS rolled) r;
SELECT credit_debit('acme', 1, member => 'cid', at => '2026-01-07 12:00:00+00') > 0 AS cid;
SELECT day, member, credits, value FROM credit.consumption WHERE account = 'acme' ORDER BY day;
SELECT sum(value) AS of_all FROM credit.consumption WHERE account = 'acme';
SELECT month, value FROM credit.consumption_monthly WHERE account = 'acme';
SELECT sum(value) AS of_days FROM credit.consumption_daily WHERE account = 'acme';
SELECT sum(value) AS of_members FROM credit.consumption_by_member WHERE account = 'acme';
SELECT department, depth, value FROM credit.consumption_within_department WHERE account = 'acme' ORDER BY department;
SELECT department, value FROM credit_chargeback('acme', '2026-01-01', '2026-02-01');
-- A period that cuts days: the departments add up to what it comes to, rounded once.
SELECT department, value, sum(value) OVER () AS of_all FROM credit_chargeback('acme', '2026-01-05 06:00:00+00', '2026-01-07 18:00:00+00');
SELECT department, value FROM credit_chargeback('acme', '2026-01-05 06:00:00+00', '2026-01-06 18:00:00+00', depth => 1);
-- In the ledger each line has its own share.
SELECT posting, amount, value, round(sum(value) OVER (ORDER BY posting), 9) AS so_far FROM credit.ledger WHERE account = 'acme' AND kind = 'debit';
SELECT count(*) FILTER (WHERE rolled > 0) AS rolled FROM (SELECT credit_rollup() AS rolled) r;
SELECT sum(value) AS of_all FROM credit.consumption WHERE account = 'acme';
SELECT * FROM credit_verify();

-- What leaves the lot otherwise takes its stretch along; parent and children together have the price, but for what a move cuts.
SELECT credit_account('globex'), credit_member('globex', 'dan');
SELECT credit_grant('globex', 7, paid => 2, currency => 'USD') AS lot \gset
SELECT credit_debit('globex', 1) > 0 AS debited, credit_transfer('globex', 2, to_member => 'dan') > 0 AS transferred, credit_debit('globex', 1) > 0 AS debited;
SELECT credit_set_expiry('globex', :lot, '2026-02-01 00:00:00+00') AS moved \gset
SELECT credit_debit('globex', 5, member => 'dan') > 0 AS debited;
SELECT round(sum(value), 8) AS of_all, sum(credits) AS credits FROM credit.consumption WHERE account = 'globex';
SELECT count(*) FILTER (WHERE rolled > 0) AS rolled FROM (SELECT credit_rollup() AS rolled) r;
SELECT round(sum(value), 8) AS of_all, sum(credits) AS credits FROM credit.consumption WHERE account = 'globex';
SELECT account, lot, gone, gained FROM credit.rollup_lot ORDER BY account, lot;

-- A correction gives its value back, and the next usage has it again.
SELECT credit_grant('initech', 3, paid => 1, currency => 'USD') AS lot \gset
SELECT credit_debit('initech', 2) AS posting \gset
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('initech', 'adjustment', 1, :lot, :posting);
SELECT credits, value FROM credit.consumption_monthly WHERE account = 'initech';
SELECT credit_debit('initech', 2) > 0 AS debited;
SELECT credits, value FROM credit.consumption_monthly WHERE account = 'initech';
-- What an adjustment that corrects nothing adds to a lot carries no price.
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('initech', 'adjustment', 2, :lot);
SELECT credit_debit('initech', 2) > 0 AS debited;
SELECT credits, value FROM credit.consumption_monthly WHERE account = 'initech';
SELECT * FROM credit_verify();

-- What is added up anew is the same.
SELECT count(*) FILTER (WHERE rolled > 0) AS rolled FROM (SELECT credit_rollup(rebuild => true) AS rolled) r;
SELECT account, round(sum(value), 8) AS of_all FROM credit.consumption WHERE currency IS NOT NULL GROUP BY account ORDER BY account;
SELECT * FROM credit_verify();

-- So does what is earned by rates.
SELECT credit_rate_card('list', unit => 'credit'), credit_unit('credit', currency => 'USD', fiat_per_credit => 3);
SELECT credit_rate('list', 'chat', credits => 1, unit_cost => 0.5) > 0 AS drafted, credit_publish('list') > 0 AS published;
SELECT credit_account('thirds', rate_card => 'list'), credit_grant('thirds', 3, paid => 10, currency => 'USD') > 0 AS granted;
SELECT credit_charge('thirds', 'chat', 1) > 0 AS charged FROM generate_series(1, 3);
SELECT credits, revenue, cost, margin, margin_percent FROM credit.margin_by_account WHERE account = 'thirds';

-- What a lot gained has no price where it is about to expire.
SELECT credit_grant('hooli', 3, paid => 10, currency => 'USD', expires_at => '2026-02-01 00:00:00+00') AS lot \gset
SELECT credit_debit('hooli', 1) > 0 AS debited;
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('hooli', 'adjustment', 2, :lot);
SELECT remaining, value FROM credit.expiring_soon WHERE account = 'hooli';
SELECT forecast_lost, lost_value FROM credit_expiry_forecast('hooli');

-- The proof compares it with the ledger.
UPDATE credit.rollup_lot SET gone = gone + 1 WHERE account = 'acme';
UPDATE credit.rollup SET value = value + 0.000000001 WHERE account = 'acme' AND member = 'ann';
SELECT invariant, account, lot, expected, found FROM credit_verify() ORDER BY 1;
