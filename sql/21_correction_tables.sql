-- Credits that came back: to a line of a debit, and to a lot.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- How much was given back of a line of a debit, whatever gave it: the bound of every correction. The ledger says it too, but only by reading
-- all of the account: here it is found by the line. A transaction that writes it holds the lot of the line, all of it.
CREATE TABLE credit.correction (
    posting     bigint NOT NULL,
    line        integer NOT NULL,
    account     text COLLATE "C" NOT NULL,
    given_back  numeric NOT NULL CHECK (given_back >= 0 AND given_back < 1e15),
    quantity    numeric NOT NULL DEFAULT 0 CHECK (quantity >= 0 AND quantity < 1e15),
    PRIMARY KEY (account, posting, line)
);

-- Credits that came back to a lot after it was granted. Those that adjustments added have no price; and where there is a row, the lot may hand
-- on the same credits twice, so a call that hands on looks at what was handed on before. A transaction that writes it holds the lot, all of it.
CREATE TABLE credit.lot_gain (
    lot         bigint NOT NULL,
    account     text COLLATE "C" NOT NULL,
    adjusted    numeric NOT NULL DEFAULT 0 CHECK (adjusted > -1e15 AND adjusted < 1e15),
    given_back  numeric NOT NULL DEFAULT 0 CHECK (given_back >= 0 AND given_back < 1e15),
    PRIMARY KEY (account, lot)
);

SELECT pg_catalog.pg_extension_config_dump('credit.correction', '');
SELECT pg_catalog.pg_extension_config_dump('credit.lot_gain', '');

SET LOCAL search_path TO @extschema@, pg_temp;
