-- Tables of schedules: what is granted again and again, and which period of it became which lot.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE SEQUENCE credit.schedule_id MAXVALUE 9007199254740991;

-- What a schedule declares never changes, but its end.
CREATE TABLE credit.schedule (
    schedule         bigint NOT NULL,
    anchor           timestamptz NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz CHECK (ends_at >= starts_at),
    expires_at       timestamptz,
    recorded_at      timestamptz NOT NULL,
    every            interval NOT NULL,
    expires_after    interval,
    periods          integer CHECK (periods > 0),
    expires_periods  integer CHECK (expires_periods > 0),
    priority         smallint NOT NULL DEFAULT 50,
    per_member       boolean NOT NULL DEFAULT false,
    account          text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    amount           numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    category         text COLLATE "C" NOT NULL CHECK (category IN ('paid', 'promotional')),
    paid             numeric CHECK (paid >= 0 AND paid < 1e15),
    currency         text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
    expires          text COLLATE "C" NOT NULL CHECK (expires IN ('never', 'period_end', 'periods', 'after', 'at')),
    proration        text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (proration IN ('none', 'first', 'last', 'both')),
    on_leave         text COLLATE "C" NOT NULL DEFAULT 'expire' CHECK (on_leave IN ('expire', 'return', 'keep')),
    true_up          interval,
    recorded_by      text COLLATE "C" NOT NULL,
    rollover         jsonb CHECK (jsonb_typeof(rollover) = 'object'),
    metadata         jsonb,
    plan_schedule    bigint,
    plan_since       timestamptz,
    ends_lots        boolean NOT NULL DEFAULT false,
    into_pool        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account, schedule),
    CHECK (per_member OR NOT into_pool),
    CHECK ((plan_schedule IS NULL) = (plan_since IS NULL) AND (plan_schedule IS NOT NULL OR NOT ends_lots)),
    CHECK ((expires = 'periods') = (expires_periods IS NOT NULL) AND (expires = 'after') = (expires_after IS NOT NULL)
        AND (expires = 'at') = (expires_at IS NOT NULL)),
    CHECK ((paid IS NULL) = (currency IS NULL)),
    CHECK (rollover IS NULL OR expires <> 'never')
);

-- An account is on a plan once at a time, so it has the plan's schedule once.
CREATE UNIQUE INDEX schedule_of_plan ON credit.schedule (account, plan_schedule, plan_since) WHERE plan_schedule IS NOT NULL;

-- What a plan grants to the accounts on it. Each gets a schedule of its own in credit.schedule, with these terms.
CREATE TABLE credit.plan_schedule (
    schedule         bigint NOT NULL PRIMARY KEY,
    anchor           timestamptz,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz CHECK (ends_at >= starts_at),
    expires_at       timestamptz,
    recorded_at      timestamptz NOT NULL,
    every            interval NOT NULL,
    expires_after    interval,
    periods          integer CHECK (periods > 0),
    expires_periods  integer CHECK (expires_periods > 0),
    priority         smallint NOT NULL DEFAULT 50,
    per_member       boolean NOT NULL DEFAULT false,
    plan             text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    amount           numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    category         text COLLATE "C" NOT NULL CHECK (category IN ('paid', 'promotional')),
    paid             numeric CHECK (paid >= 0 AND paid < 1e15),
    currency         text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
    expires          text COLLATE "C" NOT NULL CHECK (expires IN ('never', 'period_end', 'periods', 'after', 'at')),
    proration        text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (proration IN ('none', 'first', 'last', 'both')),
    on_leave         text COLLATE "C" CHECK (on_leave IN ('expire', 'return', 'keep')),
    true_up          interval,
    recorded_by      text COLLATE "C" NOT NULL,
    rollover         jsonb CHECK (jsonb_typeof(rollover) = 'object'),
    metadata         jsonb,
    key              text COLLATE "C",
    fingerprint      bytea,
    into_pool        boolean NOT NULL DEFAULT false,
    CHECK (per_member OR NOT into_pool),
    CHECK ((expires = 'periods') = (expires_periods IS NOT NULL) AND (expires = 'after') = (expires_after IS NOT NULL)
        AND (expires = 'at') = (expires_at IS NOT NULL)),
    CHECK ((paid IS NULL) = (currency IS NULL)),
    CHECK ((key IS NULL) = (fingerprint IS NULL)),
    CHECK (rollover IS NULL OR expires <> 'never')
);

CREATE INDEX plan_schedule_by_plan ON credit.plan_schedule (plan);
CREATE UNIQUE INDEX plan_schedule_by_key ON credit.plan_schedule (plan, key) WHERE key IS NOT NULL;

-- The key makes a period of a schedule one lot, and one lot each time it is rolled. Of the pool the member is ''; what seats bring to it
-- at different instants of a period are parts of it.
CREATE TABLE credit.schedule_period (
    schedule     bigint NOT NULL,
    lot          bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    period       integer NOT NULL,
    rolled       smallint NOT NULL DEFAULT 0 CHECK (rolled >= 0),
    settled      boolean NOT NULL,
    account      text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL DEFAULT '',
    original     numeric NOT NULL CHECK (original > 0 AND original < 1e15),
    part         integer NOT NULL DEFAULT 0 CHECK (part >= 0),
    PRIMARY KEY (account, schedule, member, period, rolled, part)
);

-- What each seat brought to the pool, where seats feed it: the key makes a seat bring a period's part once.
CREATE TABLE credit.schedule_seat (
    schedule     bigint NOT NULL,
    lot          bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    period       integer NOT NULL,
    account      text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL,
    amount       numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    PRIMARY KEY (account, schedule, member, period)
);

CREATE UNIQUE INDEX schedule_period_by_lot ON credit.schedule_period (account, lot);
CREATE INDEX schedule_period_unsettled ON credit.schedule_period (account, schedule) WHERE NOT settled;

SELECT pg_catalog.pg_extension_config_dump('credit.schedule_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.schedule', '');
SELECT pg_catalog.pg_extension_config_dump('credit.plan_schedule', '');
SELECT pg_catalog.pg_extension_config_dump('credit.schedule_period', '');
SELECT pg_catalog.pg_extension_config_dump('credit.schedule_seat', '');

SET LOCAL search_path TO @extschema@, pg_temp;
