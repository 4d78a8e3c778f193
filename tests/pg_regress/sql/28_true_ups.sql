-- True-up: what was promised for a period against what was consumed.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- By schedule: three periods begin in the quarter.
SET credit.clock = '2026-01-31 00:00+00';
SELECT credit_schedule('acme', 1000, every => interval '1 month', anchor => '2026-01-31 00:00+00', expires => 'period_end') > 0 AS scheduled;
SELECT credit_debit('acme', 800) > 0 AS debited;
SET credit.clock = '2026-03-10 00:00+00';
SELECT credit_debit('acme', 1000) > 0 AS debited;
SET credit.clock = '2026-03-31 12:00+00';
SELECT credit_debit('acme', 400) > 0 AS debited;
SELECT committed, used, shortfall, overage, amount_due, currency FROM credit_true_up('acme', '2026-01-01', '2026-04-01');
SELECT line, kind, reference, quantity, unit_price, amount FROM credit_true_up_lines('acme', '2026-01-01', '2026-04-01');

-- By agreement: a year of 12,000 is a quarter of 3,000, at the agreed price.
SET credit.clock = '2026-01-01 00:00+00';
SELECT credit_plan('api', unit => 'credit', currency => 'EUR', list_price => 0.02);
SELECT credit_agreement('globex', 'api', unit_price => 0.0125, committed_quantity => ARRAY[12000, 24000]) > 0 AS agreed;
SELECT credit_grant('globex', 5000) > 0 AS granted;
SELECT credit_debit('globex', 2200) > 0 AS debited;
SELECT committed, used, shortfall, overage, unit_price, amount_due, currency FROM credit_true_up('globex', '2026-01-01', '2026-04-01');
SELECT committed FROM credit_true_up('globex', '2026-11-01', '2027-03-01');
-- What was paid for in the period is not due again.
SELECT credit_purchase('globex', 'api', 300) > 0 AS bought;
SELECT prepaid, shortfall, amount_due FROM credit_true_up('globex', '2026-01-01', '2026-04-01');

-- A commitment in money is worth so many credits at the agreed price.
SELECT credit_agreement('initech', 'api', discount => 0.25, committed_money => ARRAY[1200]) > 0 AS agreed;
SELECT committed, used, shortfall, amount_due, currency FROM credit_true_up('initech', '2026-01-01', '2026-04-01');

-- As declared: whatever was agreed, a fixed commitment for each quarter, with its own prices.
SELECT credit_account('hooli');
SELECT credit_true_up_terms('hooli', commitment => 900, unit_price => 0.1, overage_price => 0.15, currency => 'USD', eligible => 'paid', anchor => '2026-01-01');
SELECT credit_grant('hooli', 300, paid => 0, currency => 'USD', category => 'paid', priority => 10) > 0, credit_grant('hooli', 5000) > 0;
SELECT credit_debit('hooli', 700) > 0 AS debited;
SELECT starts_at, ends_at, committed, used, shortfall, overage, amount_due FROM credit_true_up('hooli');
SELECT kind, quantity FROM credit_true_up_lines('hooli') WHERE kind LIKE 'used%';
SELECT committed FROM credit_true_up('hooli', '2026-01-01', '2026-02-15');

-- All at once.
SELECT account, committed, used, shortfall, amount_due, currency FROM credit_true_up(starts_at => '2026-01-01', ends_at => '2026-04-01', all_accounts => true);

-- Refused.
SELECT credit_true_up('acme', '2026-04-01', '2026-01-01');
SELECT credit_true_up('acme', '2026-04-01');
SELECT credit_true_up('acme');
SELECT credit_true_up('nobody', '2026-01-01', '2026-04-01');
SELECT credit_true_up(NULL);
SELECT credit_true_up_terms('acme', shortfall => 'ignore');
SELECT credit_true_up_terms('acme', eligible => 'some');
SELECT credit_true_up_terms('acme', unit_price => 1);
SELECT credit_true_up_terms('acme', every => '1 hour');
SELECT credit_true_up_terms('acme', commitment => -1);
SELECT credit_true_up_post('hooli', '2026-01-01', '2026-04-01');
SELECT * FROM credit_verify();
