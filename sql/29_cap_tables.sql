-- Tables of spending caps, and what they count.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE SEQUENCE credit.cap_id MAXVALUE 9007199254740991;

-- Whose spending is limited: a member's, a department's with all below it, or the account's; of one operation or of all.
-- A cap's scope, period and action stay; `slots` is its state. A rolling window is a number of whole steps, in which it is counted.
CREATE TABLE credit.cap (
    cap          bigint NOT NULL,
    anchor       timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    slots        smallint NOT NULL DEFAULT 1 CHECK (slots > 0),
    account      text COLLATE "C" NOT NULL,
    unit         text COLLATE "C" NOT NULL,
    member       text COLLATE "C",
    department   text COLLATE "C",
    operation    text COLLATE "C",
    amount       numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    every        text COLLATE "C" CHECK (every IN ('day', 'week', 'month', 'quarter', 'year')),
    rolling      interval,
    step         interval,
    covers       text COLLATE "C" NOT NULL CHECK (covers IN ('everything', 'pool')),
    action       text COLLATE "C" NOT NULL CHECK (action IN ('block', 'warn')),
    recorded_by  text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, cap),
    CHECK (member IS NULL OR department IS NULL),
    CHECK ((every IS NULL) = (rolling IS NOT NULL) AND (rolling IS NULL) = (step IS NULL))
);

-- A part of a cap's limit and what was used of it, as credit.slot is a part of a lot: a debit counts in one of them that nobody holds.
-- `used` belongs to the period that began at `period_start`; in a later one it counts as nothing, and the next debit says so. Of a rolling
-- window it is the sum of `used_by_step`: what was used in the steps that began at `steps`, as far back as `period_start`.
CREATE TABLE credit.cap_slot (
    cap           bigint NOT NULL,
    period_start  timestamptz NOT NULL,
    slot          smallint NOT NULL,
    account       text COLLATE "C" NOT NULL,
    allowance     numeric NOT NULL,
    used          numeric NOT NULL,
    steps         timestamptz[],
    used_by_step  numeric[],
    PRIMARY KEY (account, cap, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

SELECT pg_catalog.pg_extension_config_dump('credit.cap_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.cap', '');
SELECT pg_catalog.pg_extension_config_dump('credit.cap_slot', '');

SET LOCAL search_path TO @extschema@, pg_temp;
