-- Triggers of the credit-to-value mapping: what was published never changes, and who remembers it hears of changes.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The end of a version may be set, and moved to an earlier one that is still to come. (What was to come when the transaction began
-- may be past by now.)
CREATE TRIGGER rate_90_refuse_update BEFORE UPDATE ON credit.rate
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR NEW.ended_at > OLD.ended_at OR OLD.ended_at <= credit.now()
        OR NEW.ended_at < LEAST(pg_catalog.now(), credit.now()) OR ROW(
        OLD.rate, OLD.effective_at, OLD.published_at, OLD.block, OLD.card, OLD.operation, OLD.dimensions, OLD.credits, OLD.per, OLD.minimum,
        OLD.tier_from, OLD.tier_credits, OLD.tier_scope, OLD.unit_cost, OLD.published_by, OLD.override_reason, OLD.note)
        IS DISTINCT FROM ROW(
        NEW.rate, NEW.effective_at, NEW.published_at, NEW.block, NEW.card, NEW.operation, NEW.dimensions, NEW.credits, NEW.per, NEW.minimum,
        NEW.tier_from, NEW.tier_credits, NEW.tier_scope, NEW.unit_cost, NEW.published_by, NEW.override_reason, NEW.note))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER rate_91_refuse_delete BEFORE DELETE ON credit.rate
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER rate_92_refuse_truncate BEFORE TRUNCATE ON credit.rate
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER unit_value_90_refuse_update BEFORE UPDATE ON credit.unit_value
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER unit_value_91_refuse_delete BEFORE DELETE ON credit.unit_value
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER unit_value_92_refuse_truncate BEFORE TRUNCATE ON credit.unit_value
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER rate_card_90_refuse_rename BEFORE UPDATE ON credit.rate_card
    FOR EACH ROW WHEN (OLD.card <> NEW.card) EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER rate_card_91_refuse_delete BEFORE DELETE ON credit.rate_card
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER rate_card_92_refuse_truncate BEFORE TRUNCATE ON credit.rate_card
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

-- Charges remember cards and rates; they hear of a change when it commits.
CREATE TRIGGER rate_95_announce AFTER INSERT OR UPDATE ON credit.rate
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();
CREATE TRIGGER rate_card_95_announce AFTER INSERT OR UPDATE ON credit.rate_card
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();

ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_90_refuse_update;
ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_91_refuse_delete;
ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_92_refuse_truncate;
ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_95_announce;
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_90_refuse_rename;
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_91_refuse_delete;
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_92_refuse_truncate;
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_95_announce;
ALTER TABLE credit.unit_value ENABLE ALWAYS TRIGGER unit_value_90_refuse_update;
ALTER TABLE credit.unit_value ENABLE ALWAYS TRIGGER unit_value_91_refuse_delete;
ALTER TABLE credit.unit_value ENABLE ALWAYS TRIGGER unit_value_92_refuse_truncate;

SET LOCAL search_path TO @extschema@, pg_temp;
