-- The log of maintenance.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE SEQUENCE credit.maintenance_run_id MAXVALUE 9007199254740991;

-- One row per step of each run. Not of an account: it says how long the work took, not what it was about.
CREATE TABLE credit.maintenance_run (
    run          bigint NOT NULL PRIMARY KEY,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz CHECK (finished_at >= started_at),
    handled      bigint NOT NULL DEFAULT 0 CHECK (handled >= 0),
    batches      integer NOT NULL DEFAULT 0 CHECK (batches >= 0),
    step         text COLLATE "C" NOT NULL,
    error        text COLLATE "C",
    recorded_by  text COLLATE "C" NOT NULL
);

SELECT pg_catalog.pg_extension_config_dump('credit.maintenance_run_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.maintenance_run', '');

SET LOCAL search_path TO @extschema@, pg_temp;
