-- Tables of the true-up: what is declared of it, and the periods that were closed.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE SEQUENCE credit.true_up_id MAXVALUE 9007199254740991;

-- What is not declared comes from the account's agreements, or its schedules.
CREATE TABLE credit.true_up_terms (
    anchor           timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL,
    every            interval NOT NULL CHECK (every > '0'),
    account          text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    commitment       numeric CHECK (commitment >= 0 AND commitment < 1e15),
    shortfall        text COLLATE "C" NOT NULL DEFAULT 'due' CHECK (shortfall IN ('due', 'carry', 'forgive')),
    overage          text COLLATE "C" NOT NULL DEFAULT 'due' CHECK (overage IN ('due', 'carry', 'forgive')),
    eligible         text COLLATE "C" NOT NULL DEFAULT 'all' CHECK (eligible IN ('all', 'paid')),
    unit_price       numeric CHECK (unit_price >= 0 AND unit_price < 1e15),
    overage_price    numeric CHECK (overage_price >= 0 AND overage_price < 1e15),
    currency         text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
    grant_shortfall  boolean NOT NULL DEFAULT false,
    recorded_by      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, unit),
    CHECK ((unit_price IS NULL AND overage_price IS NULL) OR currency IS NOT NULL)
);

-- A closed period. Nothing of it changes but that its debt is settled.
CREATE TABLE credit.true_up (
    true_up          bigint NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL CHECK (ends_at > starts_at),
    posted_at        timestamptz NOT NULL,
    settled_at       timestamptz,
    granted_lot      bigint,
    account          text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    committed        numeric NOT NULL,
    used             numeric NOT NULL,
    granted          numeric NOT NULL,
    expired          numeric NOT NULL,
    rolled_in        numeric NOT NULL,
    rolled_out       numeric NOT NULL,
    carried_in       numeric NOT NULL,
    prepaid          numeric NOT NULL,
    prepaid_left     numeric NOT NULL CHECK (prepaid_left >= 0),
    shortfall        numeric NOT NULL CHECK (shortfall >= 0),
    overage          numeric NOT NULL CHECK (overage >= 0 AND (overage = 0 OR shortfall = 0)),
    unit_price       numeric,
    overage_price    numeric,
    amount_due       numeric CHECK (amount_due >= 0),
    currency         text COLLATE "C",
    carried_forward  numeric NOT NULL,
    recorded_by      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, true_up),
    CHECK ((amount_due IS NULL) = (currency IS NULL))
);

CREATE UNIQUE INDEX true_up_by_end ON credit.true_up (account, unit, ends_at);

CREATE TABLE credit.true_up_line (
    true_up     bigint NOT NULL,
    line        integer NOT NULL,
    account     text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    reference   text COLLATE "C",
    quantity    numeric NOT NULL,
    unit_price  numeric,
    amount      numeric,
    PRIMARY KEY (account, true_up, line)
);

-- Usage of a closed period that came after it, or what an adjustment takes back of it: it is in the ledger of the period that was open then.
CREATE TABLE credit.true_up_correction (
    true_up      bigint NOT NULL,
    posting      bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    account      text COLLATE "C" NOT NULL,
    amount       numeric NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (account, posting)
);

SELECT pg_catalog.pg_extension_config_dump('credit.true_up_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.true_up_terms', '');
SELECT pg_catalog.pg_extension_config_dump('credit.true_up', '');
SELECT pg_catalog.pg_extension_config_dump('credit.true_up_line', '');
SELECT pg_catalog.pg_extension_config_dump('credit.true_up_correction', '');

SET LOCAL search_path TO @extschema@, pg_temp;
