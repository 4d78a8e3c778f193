-- The schema of the tables, views and internal functions, and what all nouns use. There is one file per noun. The files are
-- installed in the order of their numbers (src/install.rs). Each object has its comment right behind it: what it is, its unit,
-- and the errors that it raises. \dx+, \df+, \d+ and documentation tools show it; tests/clients/tests/catalog proves that nothing
-- lacks one. The functions to call, credit_*(), are created in the schema that CREATE EXTENSION names, before the files that have
-- their comments.
--
-- Tables: in every table of an account's rows `account` comes first in the primary key, in every unique index and in every
-- foreign key: one customer's rows stay together, and the schema can be distributed by account. Identifiers compare by byte
-- (COLLATE "C"): cheap index descents, and no index breaks when the system's collations change. No foreign keys: they stand while
-- pg_restore -j copies tables of an extension in any order, and refuse the copy (measured on 15 to 18). The functions that write
-- check, accounts and members are never deleted while something names them, and credit_verify() proves.
--
-- Views are for people and BI tools: plain names and plain types; times are timestamptz, amounts numeric. A filter on account
-- reaches the tables.

-- Texts are UTF-8 in all that follows. Said here, before the library is loaded, also where the server preloads it.
DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'pg_credit does not work in a database whose encoding is '
                OPERATOR(pg_catalog.||) pg_catalog.getdatabaseencoding(),
            DETAIL = 'encoding=' OPERATOR(pg_catalog.||) pg_catalog.getdatabaseencoding(),
            HINT = 'Use a database whose encoding is UTF8: CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

-- A plain CREATE SCHEMA: a schema of this name that somebody made beforehand is refused, because its owner could plant objects in
-- it.
CREATE SCHEMA credit;
COMMENT ON SCHEMA credit IS
    'pg_credit: the tables, views and internal functions of the credit economy. The functions to call are credit_*(), in the '
    'schema that the extension was created in.';

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The clock and the calendar ------------------------------------------------------------------------------------------

-- What the views take for now: the real time, or credit.clock.
CREATE FUNCTION credit.now() RETURNS timestamptz LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'now_wrapper';
COMMENT ON FUNCTION credit.now() IS 'The instant the views go by: the real time at the call, or credit.clock when it is set.';

-- Months and days are counted on the calendar of the time zone, hours and less are absolute: one day is the same local time
-- tomorrow, 24 hours are 24 hours. Skipped and doubled hours are as AT TIME ZONE resolves them.
CREATE FUNCTION credit.add_interval(at timestamptz, length interval, time_zone text) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        -- Nothing to count on the calendar; there and back would move the first of an hour that comes twice to the second.
        WHEN months = 0 AND days = 0 THEN at + length
        ELSE (at AT TIME ZONE time_zone + calendar) AT TIME ZONE time_zone + (length - calendar)
    END
    FROM (SELECT (EXTRACT(year FROM length) * 12 + EXTRACT(month FROM length))::integer,
            EXTRACT(day FROM length)::integer) AS l (months, days),
        LATERAL pg_catalog.make_interval(months => months, days => days) AS calendar
$$;
COMMENT ON FUNCTION credit.add_interval(timestamptz, interval, text) IS
    'An instant plus an interval: months and days on the calendar of the time zone, hours and less absolute.';

-- Triggers of all nouns -----------------------------------------------------------------------------------------------

-- Trigger functions are in src/api/trigger.rs. They run as the owner: who may insert a row must not need the slots. Triggers that
-- apply a direct insert act on rows that are not posted, so rows that a restore copies stay as they are, and they do nothing on a
-- replica. Those that refuse a change always fire.
CREATE FUNCTION credit.refuse_change() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'refuse_change_wrapper';
COMMENT ON FUNCTION credit.refuse_change() IS 'Trigger: refuses the change (42501).';

CREATE FUNCTION credit.announce_change() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'announce_change_wrapper';
COMMENT ON FUNCTION credit.announce_change() IS
    'Trigger function: tells every backend at commit that accounts, units or members changed, so that none debits by what it '
    'remembers.';

SET LOCAL search_path TO @extschema@, pg_temp;
