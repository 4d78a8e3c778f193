-- Tables of pooling: who was told when to spend the pool, or only what is his own.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE SEQUENCE credit.pooling_rule MAXVALUE 9007199254740991;

-- A rule is for the account, for what an agreement says of it, for a department with all below it, or for a member. Rules are only added:
-- of those for the same, the one that began last counts, and of two that begin at once the one that was made last.
CREATE TABLE credit.pooling (
    rule          bigint NOT NULL,
    agreement     bigint,
    effective_at  timestamptz CHECK (isfinite(effective_at)),
    recorded_at   timestamptz NOT NULL,
    account       text COLLATE "C" NOT NULL,
    member        text COLLATE "C",
    department    text COLLATE "C" CHECK (length(department) BETWEEN 1 AND 255 AND department !~ '(^|/)(/|$)'),
    pooling       text COLLATE "C" CHECK (pooling IN ('pooled', 'per_seat')),
    recorded_by   text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, rule),
    CHECK (num_nonnulls(agreement, member, department) <= 1),
    CHECK (pooling IS NOT NULL OR num_nonnulls(agreement, member, department) = 1),
    CHECK (effective_at IS NOT NULL OR num_nonnulls(agreement, member, department) = 0)
);

CREATE INDEX pooling_by_member ON credit.pooling (account, member, rule);

SELECT pg_catalog.pg_extension_config_dump('credit.pooling_rule', '');
SELECT pg_catalog.pg_extension_config_dump('credit.pooling', '');

SET LOCAL search_path TO @extschema@, pg_temp;
