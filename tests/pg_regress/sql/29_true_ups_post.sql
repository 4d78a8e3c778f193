-- Closing periods: what follows, and what can no longer be written.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- A shortfall is due, and the missing credits are granted.
SELECT credit_standard_schedule('acme', 12000, anchor => '2026-01-01', years => 1, paid => 0, currency => 'EUR') > 0 AS scheduled;
SELECT every, anchor FROM credit.true_up_terms;
SELECT credit_true_up_terms('acme', commitment => 3000, unit_price => 0.0333, currency => 'EUR', grant_shortfall => true);
SELECT credit_debit('acme', 2200) > 0 AS debited;
SET credit.clock = '2026-04-01 00:00:00+00';
SELECT account, committed, used, shortfall, amount_due, currency, posted_at FROM credit_true_up('acme', '2026-01-01', '2026-04-01');
SELECT committed, used, shortfall, amount_due, currency, true_up, posted_at, granted_lot FROM credit_true_up_post('acme', '2026-01-01', '2026-04-01');
-- Again: the same, and nothing more.
SELECT shortfall, amount_due, true_up, posted_at, granted_lot FROM credit_true_up_post('acme', '2026-01-01', '2026-04-01');
SELECT shortfall, amount_due, true_up, posted_at FROM credit_true_up('acme', '2026-01-01', '2026-04-01');
SELECT count(*) AS closed FROM credit.true_up;
SELECT source, category, granted, paid, currency, effective_at, expires_at, metadata FROM credit.lots WHERE source = 'commitment';
SELECT kind, reference, quantity, unit_price, amount FROM credit_true_up_lines('acme', '2026-01-01', '2026-04-01');
SELECT credit_true_up_settle('acme', 1), credit_true_up_settle('acme', 1);
SELECT settled_at FROM credit_true_up('acme', '2026-01-01', '2026-04-01');

-- Usage of the closed quarter that comes late is recorded now, and refers to it; the statement stays as it is.
SELECT credit_debit('acme', 50, at => '2026-03-31 23:00+00') AS posting \gset
SELECT occurred_at FROM credit.ledger WHERE account = 'acme' AND posting = :posting;
SELECT true_up, occurred_at, amount FROM credit.true_up_correction;
SELECT posting > 0 FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 2], at => ARRAY['2026-02-01', '2026-04-01']::timestamptz[]);
SELECT true_up, occurred_at, amount FROM credit.true_up_correction ORDER BY posting;
SELECT used FROM credit_true_up('acme', '2026-01-01', '2026-04-01');
SELECT used FROM credit_true_up('acme', '2026-04-01', '2026-07-01');
SELECT kind, reference, quantity FROM credit_true_up_lines('acme', '2026-04-01', '2026-07-01') WHERE kind LIKE 'used%';
INSERT INTO credit.entry (account, kind, amount, lot, occurred_at) VALUES ('acme', 'debit', -1, 1, '2026-03-01');
SELECT credit_account('acme', late_usage => 'reject');
SELECT credit_debit('acme', 1, at => '2026-03-31 23:00+00');
SELECT credit_account('acme', late_usage => 'original', late_grace => '1 year');
SELECT credit_debit('acme', 1, at => '2026-03-31 23:00+00') > 0 AS recorded_now;

-- Carried: what is missing adds to the next period, what goes beyond counts there.
SELECT credit_true_up_terms('acme', shortfall => 'carry', overage => 'carry', grant_shortfall => false);
SET credit.clock = '2026-07-01 00:00:00+00';
SELECT committed, used, carried_in, shortfall, overage, amount_due, carried_forward FROM credit_true_up_post('acme', '2026-04-01', '2026-07-01');
SELECT credit_debit('acme', 6500) > 0 AS debited;
SET credit.clock = '2026-10-01 00:00:00+00';
SELECT committed, used, carried_in, shortfall, overage, amount_due, carried_forward FROM credit_true_up_post('acme', '2026-07-01', '2026-10-01');
SELECT committed, used, carried_in, shortfall, overage FROM credit_true_up('acme', '2026-10-01', '2027-01-01');

-- Expiry and rollover of the closed period are settled before.
SET credit.clock = '2026-01-01 00:00:00+00';
SELECT credit_schedule('beta', 100, '1 month', anchor => '2026-01-01', rollover => '{"fraction_of_unused": 0.5, "max_periods": 1}') > 0 AS scheduled;
SELECT credit_grant('beta', 7, expires_at => '2026-03-01') > 0 AS granted;
SET credit.clock = '2026-04-02 00:00:00+00';
SELECT committed, granted, used, expired, rolled_in, rolled_out, shortfall FROM credit_true_up('beta', '2026-01-01', '2026-04-01');
SELECT committed, granted, used, expired, rolled_in, rolled_out, shortfall FROM credit_true_up_post('beta', '2026-01-01', '2026-04-01');
SELECT count(*) AS due FROM credit.lots WHERE account = 'beta' AND remaining > 0 AND expires_at <= '2026-04-01';

-- Without a period: the first that was declared, then one after the other. What was bought before is no debt when it is used.
SET credit.clock = '2026-01-10 00:00:00+00';
SELECT credit_account('gamma');
SELECT credit_true_up_terms('gamma', commitment => 1000, unit_price => 0.01, currency => 'USD', anchor => '2026-01-01');
SELECT credit_true_up_post('gamma');
SELECT credit_grant('gamma', 5000, paid => 50, currency => 'USD') > 0 AS bought;
SELECT credit_debit('gamma', 1000) > 0 AS debited;
SET credit.clock = '2026-04-10 00:00:00+00';
SELECT credit_debit_many('{gamma}', '{10}', at => '{2026-04-02}', keys => '{k}') AS posted \gset
SELECT credit_debit('gamma', 3990) > 0 AS debited;
SET credit.clock = '2026-07-10 00:00:00+00';
SELECT starts_at, ends_at FROM credit.true_ups_due WHERE account = 'gamma' ORDER BY 1;
SELECT starts_at, used, prepaid, shortfall, overage, amount_due FROM credit_true_up_post('gamma');
SELECT starts_at, used, prepaid, shortfall, overage, amount_due FROM credit_true_up_post('gamma');
-- A repetition under its key is no correction.
SELECT credit_debit_many('{gamma}', '{10}', at => '{2026-04-02}', keys => '{k}') AS again \gset
SELECT :'posted' = :'again' AS repeated, count(*) AS corrections FROM credit.true_up_correction WHERE account = 'gamma';
-- An adjustment of what was debited in a closed period refers to it.
INSERT INTO credit.entry (account, kind, amount, lot, corrects)
SELECT account, 'adjustment', 3, lot, posting FROM credit.entry WHERE account = 'gamma' AND amount = -10;
SELECT true_up, occurred_at, amount FROM credit.true_up_correction WHERE account = 'gamma';
SELECT kind, reference, quantity FROM credit_true_up_lines('gamma') WHERE kind LIKE 'used%';
SELECT credit_true_up_terms('gamma', unit_price => 0.02);
SELECT credit_true_up_terms('gamma', currency => 'ZZZ');

-- Refused.
SET credit.clock = '2026-12-01 00:00:00+00';
SELECT credit_true_up_post('acme', '2026-10-01', '2027-01-01');
SELECT credit_true_up_post('acme', '2026-09-01', '2026-11-01');
SELECT credit_true_up_post('acme', '2026-11-01', '2026-12-01');
SELECT credit_true_up_settle('acme', 99);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT credit_true_up_post('acme', '2026-10-01', '2026-12-01');
ROLLBACK;
UPDATE credit.true_up SET used = 0;
DELETE FROM credit.true_up_line;
SELECT * FROM credit_verify();
