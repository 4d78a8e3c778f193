-- The name of a refusal: what a program tells it by, and not by its text.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 12:00:00+00';

SELECT credit_grant('acme', 10) > 0 AS granted;
CREATE TABLE job (cost int CHECK (cost > 0));
DO $$
DECLARE name text;
BEGIN
    BEGIN
        PERFORM credit_debit('acme', 20);
    EXCEPTION WHEN check_violation THEN
        GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
        RAISE NOTICE 'a debit: %', name;
    END;
    BEGIN
        INSERT INTO job VALUES (-1);
    EXCEPTION WHEN check_violation THEN
        GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
        RAISE NOTICE 'a CHECK of the application: %', name;
    END;
    BEGIN
        RAISE check_violation;
    EXCEPTION WHEN check_violation THEN
        GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
        RAISE NOTICE 'an error without a name: "%"', name;
    END;
END $$;

-- Also out of a trigger.
CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM credit_debit('acme', NEW.cost); RETURN NEW; END $$;
CREATE TRIGGER pay BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION pay();
DO $$
DECLARE name text;
BEGIN
    INSERT INTO job VALUES (100);
EXCEPTION WHEN check_violation THEN
    GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
    RAISE NOTICE 'a trigger: %', name;
END $$;
DROP TABLE job;
DROP FUNCTION pay();

-- A key that stands for another request: which argument differs.
SELECT credit_debit('acme', 1, key => 'k') > 0 AS debited;
SELECT credit_debit('acme', 2, member => 'alice', key => 'k');
SELECT credit_debit('acme', 1, run => 'r', key => 'k');
