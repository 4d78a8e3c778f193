-- Runs and dimensions: what a task cost, and by what.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 12:00:00+00';

SELECT credit_grant('acme', 100) > 0 AS granted;
SELECT credit_debit('acme', 3, run => 'r1', dimensions => '{"model": "large"}') > 0 AS debited,
    credit_debit('acme', 4, run => 'r1', dimensions => '{"model": "small"}') > 0 AS debited,
    credit_debit('acme', 5, run => 'r2', dimensions => '{"model": "large"}') > 0 AS debited,
    credit_debit('acme', 6) > 0 AS debited;
SELECT credit_hold('acme', 10, run => 'r2', dimensions => '{"model": "small"}') AS hold \gset
SELECT credit_capture('acme', :hold, 2) > 0 AS captured;
SELECT * FROM credit.consumption_by_run ORDER BY run;
SELECT * FROM credit.consumption_by_dimension ORDER BY 1, 2, 3, 4;
SELECT * FROM credit_chargeback('acme', '2026-06-01Z', '2026-06-02Z', by => 'run');
SELECT * FROM credit_chargeback('acme', '2026-06-01Z', '2026-06-02Z', by => 'model');
SELECT credit_debit('acme', 1, dimensions => '[]');
SELECT * FROM credit_verify();
