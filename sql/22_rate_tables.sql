-- Tables of the credit-to-value mapping: what a unit is worth in money, and how many credits an operation costs.
-- Versions are half-open in time, [effective_at, ended_at), and never rewritten: a change ends one version and begins another.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- What one credit of an abstract unit is worth, from `effective_at` until the next row of the unit. A unit with a currency and
-- without a row here is money: one of it is one of its currency.
CREATE TABLE credit.unit_value (
    effective_at     timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    fiat_per_credit  numeric NOT NULL CHECK (fiat_per_credit > 0 AND fiat_per_credit < 1e15),
    recorded_by      text COLLATE "C" NOT NULL,
    note             text COLLATE "C",
    PRIMARY KEY (unit, effective_at)
);

CREATE TABLE credit.rate_card (
    card               text COLLATE "C" PRIMARY KEY CHECK (length(card) BETWEEN 1 AND 255),
    unit               text COLLATE "C" NOT NULL,
    is_default         boolean NOT NULL DEFAULT false,
    notice             interval NOT NULL DEFAULT '0',
    agreement          text COLLATE "C" CHECK (length(agreement) BETWEEN 1 AND 255),
    note               text COLLATE "C",
    created_at         timestamptz NOT NULL,
    published_at       timestamptz,
    notice_kept_until  timestamptz
);

-- Accounts of a unit that name no card use the unit's default card.
CREATE UNIQUE INDEX rate_card_default ON credit.rate_card (unit) WHERE is_default;

CREATE SEQUENCE credit.rate_id MAXVALUE 9007199254740991;

-- Published rates. A hash stands for (card, operation, dimensions) in the constraint, so that no other extension is needed
-- to say that the versions of one rate do not overlap.
CREATE TABLE credit.rate (
    rate             bigint PRIMARY KEY,
    effective_at     timestamptz NOT NULL,
    ended_at         timestamptz,
    published_at     timestamptz NOT NULL,
    block            boolean NOT NULL DEFAULT false,
    card             text COLLATE "C" NOT NULL,
    operation        text COLLATE "C" NOT NULL CHECK (length(operation) BETWEEN 1 AND 255),
    dimensions       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(dimensions) = 'object'),
    credits          numeric NOT NULL CHECK (credits >= 0 AND credits < 1e15),
    per              numeric NOT NULL DEFAULT 1 CHECK (per > 0 AND per < 1e15),
    minimum          numeric CHECK (minimum > 0 AND minimum < 1e15),
    tier_from        numeric[],
    tier_credits     numeric[],
    tier_scope       text COLLATE "C" CHECK (tier_scope IN ('call', 'day', 'month', 'quarter', 'year')),
    unit_cost        numeric CHECK (unit_cost >= 0 AND unit_cost < 1e15),
    published_by     text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    note             text COLLATE "C",
    CHECK (ended_at >= effective_at),
    CHECK ((tier_from IS NULL) = (tier_scope IS NULL) AND (tier_from IS NULL) = (tier_credits IS NULL)),
    CHECK (cardinality(tier_from) > 0 AND cardinality(tier_from) = cardinality(tier_credits)),
    CONSTRAINT rate_versions_do_not_overlap EXCLUDE USING gist
        (int8range(hashtextextended(card || E'\x01' || operation || E'\x01' || dimensions::text, 0),
             hashtextextended(card || E'\x01' || operation || E'\x01' || dimensions::text, 0), '[]') WITH &&,
         tstzrange(effective_at, ended_at) WITH &&)
);

CREATE INDEX rate_by_operation ON credit.rate (card, operation, effective_at);

-- Rates that are prepared. Publishing turns them into versions, under the same ids.
CREATE TABLE credit.rate_draft (
    rate          bigint NOT NULL,
    effective_at  timestamptz,
    created_at    timestamptz NOT NULL,
    withdrawn     boolean NOT NULL DEFAULT false,
    block         boolean NOT NULL DEFAULT false,
    card          text COLLATE "C" NOT NULL,
    operation     text COLLATE "C" NOT NULL CHECK (length(operation) BETWEEN 1 AND 255),
    dimensions    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(dimensions) = 'object'),
    credits       numeric CHECK (credits >= 0 AND credits < 1e15),
    per           numeric NOT NULL DEFAULT 1 CHECK (per > 0 AND per < 1e15),
    minimum       numeric CHECK (minimum > 0 AND minimum < 1e15),
    tier_from     numeric[],
    tier_credits  numeric[],
    tier_scope    text COLLATE "C" CHECK (tier_scope IN ('call', 'day', 'month', 'quarter', 'year')),
    unit_cost     numeric CHECK (unit_cost >= 0 AND unit_cost < 1e15),
    created_by    text COLLATE "C" NOT NULL,
    note          text COLLATE "C",
    PRIMARY KEY (card, operation, dimensions),
    CHECK (withdrawn = (credits IS NULL)),
    CHECK ((tier_from IS NULL) = (tier_scope IS NULL) AND (tier_from IS NULL) = (tier_credits IS NULL)),
    CHECK (cardinality(tier_from) > 0 AND cardinality(tier_from) = cardinality(tier_credits))
);

-- How much of an operation an account has used in a period, for rates whose tiers count over a period. Written by charges only.
CREATE TABLE credit.rate_usage (
    period_start  timestamptz NOT NULL,
    account       text COLLATE "C" NOT NULL,
    card          text COLLATE "C" NOT NULL,
    operation     text COLLATE "C" NOT NULL,
    dimensions    jsonb NOT NULL DEFAULT '{}',
    tier_scope    text COLLATE "C" NOT NULL,
    quantity      numeric NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (account, card, operation, dimensions, tier_scope, period_start)
) WITH (fillfactor = 50);

-- Conversions between units of one account: the posting has the entries, this row the rate.
CREATE TABLE credit.conversion (
    posting      bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    account      text COLLATE "C" NOT NULL,
    from_unit    text COLLATE "C" NOT NULL,
    to_unit      text COLLATE "C" NOT NULL,
    from_amount  numeric NOT NULL CHECK (from_amount > 0),
    to_amount    numeric NOT NULL CHECK (to_amount > 0),
    rate         numeric NOT NULL CHECK (rate > 0),
    recorded_by  text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, posting),
    CHECK (from_unit <> to_unit)
);

SELECT pg_catalog.pg_extension_config_dump('credit.rate_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.unit_value', '');
SELECT pg_catalog.pg_extension_config_dump('credit.rate_card', '');
SELECT pg_catalog.pg_extension_config_dump('credit.rate', '');
SELECT pg_catalog.pg_extension_config_dump('credit.rate_draft', '');
SELECT pg_catalog.pg_extension_config_dump('credit.rate_usage', '');
SELECT pg_catalog.pg_extension_config_dump('credit.conversion', '');

SET LOCAL search_path TO @extschema@, pg_temp;
