-- Tables of subscriptions: the plan that an account is on, period by period, and what its changes moved.
-- A subscription is a version, half-open in time, [effective_at, ended_at), and never rewritten apart from its end. Versions with one
-- `origin` share their periods: they begin `phase` and any number of billing periods after `anchor`, on the account's calendar.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE SEQUENCE credit.subscription_id MAXVALUE 9007199254740991;
CREATE SEQUENCE credit.plan_change_id MAXVALUE 9007199254740991;

CREATE TABLE credit.subscription (
    subscription     bigint NOT NULL,
    origin           bigint NOT NULL,
    predecessor      bigint,
    effective_at     timestamptz NOT NULL,
    ended_at         timestamptz CHECK (ended_at >= effective_at),
    agreed_at        timestamptz NOT NULL,
    anchor           timestamptz NOT NULL,
    committed_until  timestamptz CHECK (committed_until > effective_at),
    recorded_at      timestamptz NOT NULL,
    agreement        bigint,
    tier_version     bigint,
    phase            integer NOT NULL DEFAULT 0,
    account          text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    plan             text COLLATE "C" NOT NULL,
    tier             text COLLATE "C",
    billing_period   text COLLATE "C" NOT NULL CHECK (billing_period IN ('month', 'quarter', 'year')),
    quantity         numeric NOT NULL CHECK (quantity > 0 AND quantity < 1e15),
    price            numeric NOT NULL CHECK (price >= 0 AND price < 1e15),
    currency         text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    list_price       numeric NOT NULL CHECK (list_price >= 0),
    discount         numeric,
    unit_price       numeric,
    expiry           interval,
    recorded_by      text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    end_reason       text COLLATE "C",
    metadata         jsonb,
    PRIMARY KEY (account, subscription)
);

CREATE UNIQUE INDEX subscription_current ON credit.subscription (account, unit) WHERE ended_at IS NULL;
CREATE INDEX subscription_by_unit ON credit.subscription (account, unit, effective_at);

-- What each call of credit_change_plan() did: the row that it returned.
CREATE TABLE credit.plan_change (
    change           bigint NOT NULL,
    subscription     bigint NOT NULL,
    effective_at     timestamptz NOT NULL,
    period_end       timestamptz NOT NULL,
    committed_until  timestamptz,
    recorded_at      timestamptz NOT NULL,
    days_left        integer NOT NULL CHECK (days_left BETWEEN 0 AND days_in_period),
    days_in_period   integer NOT NULL CHECK (days_in_period > 0),
    lots_kept        bigint NOT NULL CHECK (lots_kept >= 0),
    account          text COLLATE "C" NOT NULL,
    from_plan        text COLLATE "C",
    to_plan          text COLLATE "C" NOT NULL,
    charge           numeric NOT NULL CHECK (charge >= 0),
    credit           numeric NOT NULL CHECK (credit >= 0),
    currency         text COLLATE "C" NOT NULL,
    granted          numeric NOT NULL CHECK (granted >= 0),
    returned         numeric NOT NULL CHECK (returned >= 0),
    renewals         bigint NOT NULL CHECK (renewals >= 0),
    renewed_granted  numeric NOT NULL CHECK (renewed_granted >= 0),
    renewed_charge   numeric NOT NULL CHECK (renewed_charge >= 0),
    renewed_currency text COLLATE "C",
    new_price        numeric NOT NULL CHECK (new_price >= 0),
    note             text COLLATE "C",
    recorded_by      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, change),
    CHECK ((renewals = 0) = (renewed_currency IS NULL))
);

-- The purchases of a subscription: one for each period, and one for what a change within the period granted besides.
CREATE TABLE credit.subscription_purchase (
    purchase      bigint NOT NULL,
    subscription  bigint NOT NULL,
    origin        bigint NOT NULL,
    change        bigint,
    renewed_in    bigint,
    period_start  timestamptz NOT NULL,
    period_end    timestamptz NOT NULL CHECK (period_end > period_start),
    account       text COLLATE "C" NOT NULL,
    reason        text COLLATE "C" NOT NULL CHECK (reason IN ('period', 'change')),
    PRIMARY KEY (account, purchase)
);

-- A period is bought once.
CREATE UNIQUE INDEX subscription_purchase_of_period ON credit.subscription_purchase (account, origin, period_start) WHERE reason = 'period';
CREATE INDEX subscription_purchase_by_origin ON credit.subscription_purchase (account, origin, period_start);

-- Credits of a period that a change took back unused, and the money for them.
CREATE TABLE credit.subscription_return (
    posting       bigint NOT NULL,
    lot           bigint NOT NULL,
    subscription  bigint NOT NULL,
    origin        bigint NOT NULL,
    change        bigint NOT NULL,
    period_start  timestamptz NOT NULL,
    account       text COLLATE "C" NOT NULL,
    returned      numeric NOT NULL CHECK (returned > 0),
    credit        numeric NOT NULL CHECK (credit >= 0),
    PRIMARY KEY (account, posting)
);

CREATE INDEX subscription_return_by_lot ON credit.subscription_return (account, lot);
CREATE INDEX subscription_return_by_origin ON credit.subscription_return (account, origin, period_start);

SELECT pg_catalog.pg_extension_config_dump('credit.subscription_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.plan_change_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.subscription', '');
SELECT pg_catalog.pg_extension_config_dump('credit.plan_change', '');
SELECT pg_catalog.pg_extension_config_dump('credit.subscription_purchase', '');
SELECT pg_catalog.pg_extension_config_dump('credit.subscription_return', '');

SET LOCAL search_path TO @extschema@, pg_temp;
