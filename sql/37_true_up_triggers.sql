-- Triggers of the true-up: a period that was closed stays as it was closed.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- That its debt is settled may be written, once.
CREATE TRIGGER true_up_90_refuse_update BEFORE UPDATE ON credit.true_up
    FOR EACH ROW WHEN (OLD.settled_at IS NOT NULL OR ROW(
        OLD.true_up, OLD.starts_at, OLD.ends_at, OLD.posted_at, OLD.granted_lot, OLD.account, OLD.unit, OLD.committed, OLD.used,
        OLD.granted, OLD.expired, OLD.rolled_in, OLD.rolled_out, OLD.carried_in, OLD.prepaid, OLD.prepaid_left, OLD.shortfall, OLD.overage,
        OLD.unit_price, OLD.overage_price, OLD.amount_due, OLD.currency, OLD.carried_forward, OLD.recorded_by)
        IS DISTINCT FROM ROW(
        NEW.true_up, NEW.starts_at, NEW.ends_at, NEW.posted_at, NEW.granted_lot, NEW.account, NEW.unit, NEW.committed, NEW.used,
        NEW.granted, NEW.expired, NEW.rolled_in, NEW.rolled_out, NEW.carried_in, NEW.prepaid, NEW.prepaid_left, NEW.shortfall, NEW.overage,
        NEW.unit_price, NEW.overage_price, NEW.amount_due, NEW.currency, NEW.carried_forward, NEW.recorded_by))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER true_up_91_refuse_delete BEFORE DELETE ON credit.true_up
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER true_up_92_refuse_truncate BEFORE TRUNCATE ON credit.true_up
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER true_up_line_90_refuse_change BEFORE UPDATE OR DELETE ON credit.true_up_line
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER true_up_line_92_refuse_truncate BEFORE TRUNCATE ON credit.true_up_line
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER true_up_correction_90_refuse_change BEFORE UPDATE OR DELETE ON credit.true_up_correction
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER true_up_correction_92_refuse_truncate BEFORE TRUNCATE ON credit.true_up_correction
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

ALTER TABLE credit.true_up ENABLE ALWAYS TRIGGER true_up_90_refuse_update;
ALTER TABLE credit.true_up ENABLE ALWAYS TRIGGER true_up_91_refuse_delete;
ALTER TABLE credit.true_up ENABLE ALWAYS TRIGGER true_up_92_refuse_truncate;
ALTER TABLE credit.true_up_line ENABLE ALWAYS TRIGGER true_up_line_90_refuse_change;
ALTER TABLE credit.true_up_line ENABLE ALWAYS TRIGGER true_up_line_92_refuse_truncate;
ALTER TABLE credit.true_up_correction ENABLE ALWAYS TRIGGER true_up_correction_90_refuse_change;
ALTER TABLE credit.true_up_correction ENABLE ALWAYS TRIGGER true_up_correction_92_refuse_truncate;

SET LOCAL search_path TO @extschema@, pg_temp;
