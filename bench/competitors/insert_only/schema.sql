-- The ceiling: the same line of the ledger in a table with the same columns and indexes, and no check at all. It takes from
-- nothing, so it can overdraw without limit: no ledger on PostgreSQL that writes a line per debit can be faster by much.
CREATE SCHEMA insert_only;
CREATE SEQUENCE insert_only.posting_id;

CREATE TABLE insert_only.entry (LIKE credit.entry INCLUDING DEFAULTS INCLUDING INDEXES)
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
