-- The schema of the tables, views and internal functions, and the sequences of the ids that callers see.
-- A plain CREATE SCHEMA: a schema of this name that somebody made beforehand is refused, because its owner could plant objects in it.

CREATE SCHEMA credit;

-- Ids stay below 2^53, so that a client that reads numbers as doubles (JavaScript) keeps them exact.
CREATE SEQUENCE credit.lot_id MAXVALUE 9007199254740991;
CREATE SEQUENCE credit.posting_id MAXVALUE 9007199254740991;

SELECT pg_catalog.pg_extension_config_dump('credit.lot_id', '');
SELECT pg_catalog.pg_extension_config_dump('credit.posting_id', '');
