-- The schema of the tables, views and internal functions, and the sequences of the ids that callers see.
-- A plain CREATE SCHEMA: a schema of this name that somebody made beforehand is refused, because its owner could plant objects in it.

-- Texts are UTF-8 in all that follows. Said here, before the library is loaded, also where the server preloads it.
DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'pg_credit does not work in a database whose encoding is ' OPERATOR(pg_catalog.||) pg_catalog.getdatabaseencoding(),
            DETAIL = 'encoding=' OPERATOR(pg_catalog.||) pg_catalog.getdatabaseencoding(),
            HINT = 'Use a database whose encoding is UTF8: CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

CREATE SCHEMA credit;

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- A domain instead of a CHECK on the slot: PostgreSQL parses a table's CHECK constraints anew for every statement, which cost
-- a debit more than its insert. It keeps a domain's.
CREATE DOMAIN credit.remaining AS numeric CHECK (VALUE >= 0);

-- Ids stay below 2^53, so that a client that reads numbers as doubles (JavaScript) keeps them exact.
CREATE SEQUENCE credit.lot_id MAXVALUE 9007199254740991;
CREATE SEQUENCE credit.posting_id MAXVALUE 9007199254740991;

SELECT pg_catalog.pg_extension_config_dump('credit.lot_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.posting_id', '');

SET LOCAL search_path TO @extschema@, pg_temp;
