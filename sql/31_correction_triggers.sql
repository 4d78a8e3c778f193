-- Triggers of what came back.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- What was given back may be taken again, so amounts change; the line and the lot that a row is about do not.
CREATE TRIGGER correction_90_refuse_update BEFORE UPDATE ON credit.correction
    FOR EACH ROW WHEN (ROW(OLD.account, OLD.posting, OLD.line) IS DISTINCT FROM ROW(NEW.account, NEW.posting, NEW.line))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER correction_91_refuse_delete BEFORE DELETE ON credit.correction
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER correction_92_refuse_truncate BEFORE TRUNCATE ON credit.correction
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER lot_gain_90_refuse_update BEFORE UPDATE ON credit.lot_gain
    FOR EACH ROW WHEN (ROW(OLD.account, OLD.lot) IS DISTINCT FROM ROW(NEW.account, NEW.lot))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER lot_gain_91_refuse_delete BEFORE DELETE ON credit.lot_gain
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER lot_gain_92_refuse_truncate BEFORE TRUNCATE ON credit.lot_gain
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.correction ENABLE ALWAYS TRIGGER correction_90_refuse_update;
ALTER TABLE credit.correction ENABLE ALWAYS TRIGGER correction_91_refuse_delete;
ALTER TABLE credit.correction ENABLE ALWAYS TRIGGER correction_92_refuse_truncate;
ALTER TABLE credit.lot_gain ENABLE ALWAYS TRIGGER lot_gain_90_refuse_update;
ALTER TABLE credit.lot_gain ENABLE ALWAYS TRIGGER lot_gain_91_refuse_delete;
ALTER TABLE credit.lot_gain ENABLE ALWAYS TRIGGER lot_gain_92_refuse_truncate;

SET LOCAL search_path TO @extschema@, pg_temp;
