-- What lots lost to expiry, and the log of maintenance.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- What a lot lost to an expiry, and how much of that late usage took back. The ledger says it too; here it is found by the time,
-- without reading the account's history. A lot of which a rollover carries less than it holds loses something each time. Whoever takes
-- back locks the row here and leaves the lot alone.
CREATE TABLE credit.breakage (
    lot         bigint NOT NULL,
    posting     bigint NOT NULL,
    expires_at  timestamptz NOT NULL,
    account     text COLLATE "C" NOT NULL,
    expired     numeric NOT NULL CHECK (expired > 0),
    taken_back  numeric NOT NULL DEFAULT 0 CHECK (taken_back >= 0),
    PRIMARY KEY (account, posting),
    CHECK (taken_back <= expired)
);

CREATE INDEX breakage_expires_at ON credit.breakage (account, expires_at);

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

SELECT pg_catalog.pg_extension_config_dump('credit.breakage', '');
SELECT pg_catalog.pg_extension_config_dump('credit.maintenance_run_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.maintenance_run', '');

SET LOCAL search_path TO @extschema@, pg_temp;
