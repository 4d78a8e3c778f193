-- Maintenance: as a function in one's own transaction, and as a procedure that commits each batch.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT count(credit_grant('acme', n, expires_at => '2026-02-01 00:00:00+00')) FROM generate_series(1, 5) AS n;
SELECT credit_grant('acme', 100) > 0 AS granted;
SELECT credit_debit('acme', 1.5, key => 'one') > 0 AS debited;
SET credit.clock = '2026-03-15 00:00:00+00';

-- The function does one batch of each step. It is a part of the transaction it is called in, its log is as well.
BEGIN;
SELECT * FROM credit_maintain(max_rows => 2);
SELECT step, handled, batches, finished_at >= started_at AS finished, error FROM credit.maintenance_run WHERE step <> 'roll up' ORDER BY run;
ROLLBACK;
SELECT count(*) FROM credit.maintenance_run;
SELECT count(*) FROM credit.entry WHERE kind = 'expiry';

-- The procedure does all that is due, in batches, each a transaction: 2 lots and 2 lots, and one that finds nothing left.
CALL credit_maintain(time_limit => '1 minute', max_rows => 2);
SELECT step, handled, batches, finished_at >= started_at AS finished, error, recorded_by = session_user AS recorded_by
FROM credit.maintenance_run WHERE step <> 'roll up' ORDER BY run;
SELECT lot, amount, occurred_at, recorded_at FROM credit.ledger WHERE kind = 'expiry' ORDER BY lot;

-- Without time it does one batch of each step.
SELECT count(credit_grant('acme', n, expires_at => '2026-04-01 00:00:00+00')) FROM generate_series(1, 5) AS n;
SET credit.clock = '2026-04-01 00:00:00+00';
CALL credit_maintain(time_limit => '0', max_rows => 2);
SELECT step, handled, batches FROM credit.maintenance_run WHERE step <> 'roll up' ORDER BY run DESC LIMIT 4;

-- A step that fails does not keep the others from being done. The log says why, and the call fails in the end.
SELECT credit_debit('acme', 2, key => 'two') > 0 AS debited;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'keys are kept here' USING ERRCODE = '55006'; END $$;
CREATE TRIGGER refuse BEFORE DELETE ON credit.request FOR EACH ROW EXECUTE FUNCTION refuse();
SET credit.clock = '2026-06-01 00:00:00+00';
\set VERBOSITY sqlstate
CALL credit_maintain(time_limit => '1 minute', max_rows => 2);
\set VERBOSITY default
SELECT step, handled, batches, finished_at >= started_at AS finished, error FROM credit.maintenance_run WHERE step <> 'roll up' ORDER BY run DESC LIMIT 4;
DROP TRIGGER refuse ON credit.request;
CALL credit_maintain(time_limit => '1 minute');
SELECT step, handled, error FROM credit.maintenance_run WHERE step <> 'roll up' ORDER BY run DESC LIMIT 4;

-- Runs that began more than 90 days ago, in real time, are forgotten.
UPDATE credit.maintenance_run SET started_at = started_at - interval '91 days', finished_at = finished_at - interval '91 days';
SELECT * FROM credit_maintain();
SELECT count(*) FROM credit.maintenance_run;

-- What it refuses.
CALL credit_maintain(time_limit => '-1 second');
CALL credit_maintain(time_limit => NULL);
CALL credit_maintain(time_limit => '1 minute', max_rows => 0);
BEGIN;
CALL credit_maintain(time_limit => '1 minute');
ROLLBACK;
SELECT credit.begin_maintenance('sweep the floor');
SELECT credit.maintain_batch(0, 10);
SELECT credit.begin_maintenance('forget keys') AS run \gset
SELECT credit.end_maintenance(:run, NULL);
SELECT credit.maintain_batch(:run, 10);
SELECT credit.end_maintenance(:run, 'twice');
SELECT * FROM credit_verify();
