-- What was consumed, added up by day, and how far that is done.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The ledger up to the watermark, added up. '' stands for none, so that it can be in a key. Days are those of the account's time zone,
-- which never changes once there are lots. What is here can always be computed anew, so it is not dumped.
CREATE TABLE credit.rollup (
    month          date NOT NULL,
    day            date NOT NULL,
    requests       bigint NOT NULL,
    first_posting  bigint NOT NULL,
    last_posting   bigint NOT NULL,
    account        text COLLATE "C" NOT NULL,
    unit           text COLLATE "C" NOT NULL,
    member         text COLLATE "C" NOT NULL,
    department     text COLLATE "C" NOT NULL,
    operation      text COLLATE "C" NOT NULL,
    currency       text COLLATE "C" NOT NULL,
    credits        numeric NOT NULL,
    pooled         numeric NOT NULL,
    overage        numeric NOT NULL,
    quantity       numeric NOT NULL,
    value          numeric NOT NULL,
    funded         numeric NOT NULL,
    lapsed         numeric NOT NULL,
    PRIMARY KEY (account, month, day, unit, member, department, operation, currency)
) WITH (fillfactor = 80);

CREATE INDEX rollup_day ON credit.rollup (account, day);

-- How far along each lot with a price the lines that are added up have come: its price lies along it, and usage has the value of its
-- stretch. What comes later goes on from here. As the rollup it can be computed anew, and is not dumped.
CREATE TABLE credit.rollup_lot (
    lot      bigint NOT NULL,
    account  text COLLATE "C" NOT NULL,
    gone     numeric NOT NULL,
    gained   numeric NOT NULL,
    PRIMARY KEY (account, lot)
) WITH (fillfactor = 80);

-- How far the ledger is added up: one row, of this database of this server. A line of the ledger takes its posting id before it
-- is committed, so a higher one may be seen first. `mark` is the last id that was taken when `mark_before` was the next transaction:
-- once every transaction before that one has ended, no line up to the mark can come any more.
CREATE TABLE credit.rollup_watermark (
    rolled_to          bigint NOT NULL DEFAULT 0,
    final_to           bigint NOT NULL DEFAULT 0 CHECK (final_to >= rolled_to),
    mark               bigint CHECK (mark >= final_to),
    mark_before        xid8,
    system_identifier  bigint NOT NULL,
    database           oid NOT NULL,
    only_row           boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
    CHECK ((mark IS NULL) = (mark_before IS NULL))
);

-- In src/api/consumption.rs. The last posting that is added up, as of the calling query's snapshot. It runs as its caller, because a scan may
-- call it for every row.
CREATE FUNCTION credit.rolled_up_to() RETURNS bigint LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rolled_up_to_wrapper';

SET LOCAL search_path TO @extschema@, pg_temp;
