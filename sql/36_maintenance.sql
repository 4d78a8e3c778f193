-- The procedure that does the maintenance, one transaction for each batch, and the functions behind it.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- In src/api/maintenance.rs. They run as the owner; the procedure, which must be free to commit, runs as its caller and does
-- nothing but call them.
CREATE FUNCTION credit.maintenance_steps() RETURNS text[] LANGUAGE c STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintenance_steps_wrapper';
CREATE FUNCTION credit.maintenance_deadline(time_limit interval, max_rows integer) RETURNS timestamptz LANGUAGE c STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintenance_deadline_wrapper';
CREATE FUNCTION credit.begin_maintenance(step text) RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'begin_maintenance_wrapper';
CREATE FUNCTION credit.maintain_batch(run bigint, max_rows integer) RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintain_batch_wrapper';
CREATE FUNCTION credit.end_maintenance(run bigint, error text) RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'end_maintenance_wrapper';

-- A procedure with a SET clause cannot commit, so every name in it is qualified.
CREATE PROCEDURE @extschema@.credit_maintain(time_limit interval, max_rows integer DEFAULT 1000) LANGUAGE plpgsql AS $$
DECLARE
    ends_at CONSTANT pg_catalog.timestamptz := credit.maintenance_deadline(time_limit, max_rows);
    step pg_catalog.text;
    run pg_catalog.int8;
    handled pg_catalog.int8;
    problem pg_catalog.text;
    first_problem pg_catalog.text;
    first_state pg_catalog.text;
BEGIN
    FOREACH step IN ARRAY credit.maintenance_steps() LOOP
        run := credit.begin_maintenance(step);
        COMMIT;
        problem := NULL;
        LOOP
            BEGIN
                handled := credit.maintain_batch(run, max_rows);
            EXCEPTION WHEN OTHERS THEN
                handled := NULL;
                problem := SQLERRM;
                IF first_problem IS NULL THEN
                    first_problem := problem;
                    first_state := SQLSTATE;
                END IF;
            END;
            COMMIT;
            EXIT WHEN handled IS NULL OR handled OPERATOR(pg_catalog.=) 0 OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) ends_at;
        END LOOP;
        PERFORM credit.end_maintenance(run, problem);
        COMMIT;
    END LOOP;
    IF first_problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = first_state, MESSAGE = first_problem,
            HINT = 'The other steps were done; credit.maintenance_run says which failed.';
    END IF;
END
$$;

-- What expired is never forgotten; more of it may be taken back.
CREATE TRIGGER breakage_90_refuse_update BEFORE UPDATE ON credit.breakage
    FOR EACH ROW WHEN (NEW.taken_back < OLD.taken_back
        OR ROW(OLD.lot, OLD.posting, OLD.expires_at, OLD.account, OLD.expired)
        IS DISTINCT FROM ROW(NEW.lot, NEW.posting, NEW.expires_at, NEW.account, NEW.expired))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER breakage_91_refuse_delete BEFORE DELETE ON credit.breakage
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER breakage_92_refuse_truncate BEFORE TRUNCATE ON credit.breakage
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.breakage ENABLE ALWAYS TRIGGER breakage_90_refuse_update;
ALTER TABLE credit.breakage ENABLE ALWAYS TRIGGER breakage_91_refuse_delete;
ALTER TABLE credit.breakage ENABLE ALWAYS TRIGGER breakage_92_refuse_truncate;

SET LOCAL search_path TO @extschema@, pg_temp;
