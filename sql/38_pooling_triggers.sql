-- Triggers of pooling: rules are history, and debits that remember a policy hear of a new one.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE TRIGGER pooling_90_refuse_change BEFORE UPDATE OR DELETE ON credit.pooling
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER pooling_92_refuse_truncate BEFORE TRUNCATE ON credit.pooling
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER pooling_95_announce AFTER INSERT ON credit.pooling
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();

ALTER TABLE credit.pooling ENABLE ALWAYS TRIGGER pooling_90_refuse_change;
ALTER TABLE credit.pooling ENABLE ALWAYS TRIGGER pooling_92_refuse_truncate;
ALTER TABLE credit.pooling ENABLE ALWAYS TRIGGER pooling_95_announce;

SET LOCAL search_path TO @extschema@, pg_temp;
