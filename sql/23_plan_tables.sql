-- Tables of volume discounts: plans and their tiers, what was agreed with customers, and what they bought.
-- List prices, tiers and agreements are versions, half-open in time, [effective_at, ended_at), and never rewritten: an agreement
-- names the instant as of which the plan was agreed.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE TABLE credit.plan (
    plan          text COLLATE "C" PRIMARY KEY CHECK (length(plan) BETWEEN 1 AND 255),
    unit          text COLLATE "C" NOT NULL,
    currency      text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    model         text COLLATE "C" NOT NULL CHECK (model IN ('volume', 'graduated', 'package', 'stairstep')),
    reach         text COLLATE "C" NOT NULL DEFAULT 'purchase' CHECK (reach IN ('purchase', 'cumulative')),
    floor_margin  numeric CHECK (floor_margin >= 0 AND floor_margin < 1),
    below_floor   text COLLATE "C" NOT NULL DEFAULT 'refuse' CHECK (below_floor IN ('refuse', 'flag')),
    expiry        interval,
    rate_card     text COLLATE "C",
    created_at    timestamptz NOT NULL,
    note          text COLLATE "C"
);

-- The list price of one credit, from `effective_at` until the next row of the plan.
CREATE TABLE credit.plan_price (
    effective_at  timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    plan          text COLLATE "C" NOT NULL,
    list_price    numeric NOT NULL CHECK (list_price >= 0 AND list_price < 1e15),
    recorded_by   text COLLATE "C" NOT NULL,
    PRIMARY KEY (plan, effective_at)
);

-- What one credit costs the provider when so many are bought, from `effective_at` until the next row of the same quantity.
CREATE TABLE credit.plan_cost (
    effective_at   timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    plan           text COLLATE "C" NOT NULL,
    from_quantity  numeric NOT NULL CHECK (from_quantity >= 0 AND from_quantity < 1e15),
    unit_cost      numeric NOT NULL CHECK (unit_cost >= 0 AND unit_cost < 1e15),
    recorded_by    text COLLATE "C" NOT NULL,
    PRIMARY KEY (plan, from_quantity, effective_at)
);

CREATE SEQUENCE credit.tier_id MAXVALUE 9007199254740991;

-- Versions of tiers: each has a discount off the list price, a price of its own, or only a flat one; or it is negotiated.
CREATE TABLE credit.tier (
    version          bigint PRIMARY KEY,
    effective_at     timestamptz NOT NULL,
    ended_at         timestamptz CHECK (ended_at >= effective_at),
    recorded_at      timestamptz NOT NULL,
    negotiated       boolean NOT NULL DEFAULT false,
    plan             text COLLATE "C" NOT NULL,
    tier             text COLLATE "C" NOT NULL CHECK (length(tier) BETWEEN 1 AND 255),
    from_quantity    numeric NOT NULL CHECK (from_quantity >= 0 AND from_quantity < 1e15),
    discount         numeric CHECK (discount >= 0 AND discount <= 1),
    unit_price       numeric CHECK (unit_price >= 0 AND unit_price < 1e15),
    flat             numeric CHECK (flat >= 0 AND flat < 1e15),
    billing_period   text COLLATE "C" CHECK (billing_period IN ('month', 'quarter', 'year')),
    commitment       interval,
    expiry           interval,
    recorded_by      text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    note             text COLLATE "C",
    CHECK (discount IS NULL OR unit_price IS NULL),
    CHECK (negotiated = (discount IS NULL AND unit_price IS NULL AND flat IS NULL))
);

CREATE INDEX tier_by_plan ON credit.tier (plan, effective_at);
CREATE UNIQUE INDEX tier_current ON credit.tier (plan, tier) WHERE ended_at IS NULL;

CREATE SEQUENCE credit.agreement_id MAXVALUE 9007199254740991;

-- What was agreed with an account about a plan, while it is valid: a price of its own or the plan as of `agreed_at`, what it commits
-- to buy in each year, and its own terms.
CREATE TABLE credit.agreement (
    agreement            bigint NOT NULL,
    effective_at         timestamptz NOT NULL,
    ended_at             timestamptz CHECK (ended_at >= effective_at),
    agreed_at            timestamptz NOT NULL,
    recorded_at          timestamptz NOT NULL,
    account              text COLLATE "C" NOT NULL,
    plan                 text COLLATE "C" NOT NULL,
    tier                 text COLLATE "C",
    unit_price           numeric CHECK (unit_price >= 0 AND unit_price < 1e15),
    discount             numeric CHECK (discount >= 0 AND discount <= 1),
    committed_quantity   numeric[],
    committed_money      numeric[],
    expiry               interval,
    pooling              text COLLATE "C" CHECK (pooling IN ('pooled', 'per_seat')),
    rate_card            text COLLATE "C",
    recorded_by          text COLLATE "C" NOT NULL,
    override_reason      text COLLATE "C",
    note                 text COLLATE "C",
    PRIMARY KEY (account, agreement),
    CHECK (num_nonnulls(tier, unit_price, discount) <= 1),
    CHECK (committed_quantity IS NULL OR committed_money IS NULL)
);

CREATE UNIQUE INDEX agreement_current ON credit.agreement (account, plan) WHERE ended_at IS NULL;

CREATE SEQUENCE credit.purchase_id MAXVALUE 9007199254740991;

-- What an account bought, at which price, and why at that price. Its terms never change; `status` and `settled_at` are its state.
CREATE TABLE credit.purchase (
    purchase         bigint NOT NULL,
    recorded_at      timestamptz NOT NULL,
    settled_at       timestamptz,
    agreement        bigint,
    tier_version     bigint,
    account          text COLLATE "C" NOT NULL,
    plan             text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'active', 'void')),
    tier             text COLLATE "C",
    quantity         numeric NOT NULL CHECK (quantity >= 0 AND quantity < 1e15),
    bonus            numeric CHECK (bonus > 0 AND bonus < 1e15),
    list_price       numeric NOT NULL CHECK (list_price >= 0),
    discount         numeric,
    unit_price       numeric,
    paid             numeric NOT NULL CHECK (paid >= 0 AND paid < 1e15),
    currency         text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    unit             text COLLATE "C" NOT NULL,
    member           text COLLATE "C",
    expiry           interval,
    recorded_by      text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    metadata         jsonb,
    PRIMARY KEY (account, purchase),
    CHECK ((status = 'pending') = (settled_at IS NULL))
);

CREATE INDEX purchase_by_plan ON credit.purchase (account, plan, recorded_at);

-- The lots of a purchase, and what each of them cost. While it is pending they are only planned: the lots do not exist.
CREATE TABLE credit.purchase_lot (
    lot        bigint NOT NULL,
    purchase   bigint NOT NULL,
    step       interval,
    line       smallint NOT NULL CHECK (line > 0),
    account    text COLLATE "C" NOT NULL,
    category   text COLLATE "C" NOT NULL CHECK (category IN ('paid', 'promotional')),
    granted    numeric NOT NULL CHECK (granted > 0 AND granted < 1e15),
    paid       numeric NOT NULL CHECK (paid >= 0 AND paid < 1e15),
    PRIMARY KEY (account, lot)
);

CREATE UNIQUE INDEX purchase_lot_by_purchase ON credit.purchase_lot (account, purchase, line);

-- Credits that credit_void() took out of lots, and their price. `origin` is the lot that the lot descends from in its unit: for credits that
-- were bought, the one that the purchase granted, whatever became of them since. The ledger has no index by lot.
CREATE TABLE credit.voided (
    posting  bigint NOT NULL,
    lot      bigint NOT NULL,
    origin   bigint NOT NULL,
    account  text COLLATE "C" NOT NULL,
    amount   numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    granted  numeric NOT NULL CHECK (granted >= 0),
    paid     numeric NOT NULL CHECK (paid >= 0 AND paid < 1e15),
    PRIMARY KEY (account, posting),
    CHECK (granted <= amount)
);

CREATE INDEX voided_by_origin ON credit.voided (account, origin);

SELECT pg_catalog.pg_extension_config_dump('credit.tier_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.agreement_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.purchase_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.plan', '');
SELECT pg_catalog.pg_extension_config_dump('credit.plan_price', '');
SELECT pg_catalog.pg_extension_config_dump('credit.plan_cost', '');
SELECT pg_catalog.pg_extension_config_dump('credit.tier', '');
SELECT pg_catalog.pg_extension_config_dump('credit.agreement', '');
SELECT pg_catalog.pg_extension_config_dump('credit.purchase', '');
SELECT pg_catalog.pg_extension_config_dump('credit.purchase_lot', '');
SELECT pg_catalog.pg_extension_config_dump('credit.voided', '');

SET LOCAL search_path TO @extschema@, pg_temp;
