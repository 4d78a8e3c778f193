-- Triggers of subscriptions: what was agreed, changed, charged or paid back never changes.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The end of a version may be set, with its reason, and moved as long as it has not come. Everything else of it stays.
CREATE TRIGGER subscription_90_refuse_update BEFORE UPDATE ON credit.subscription
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR OLD.ended_at <= credit.now() OR ROW(
        OLD.subscription, OLD.origin, OLD.predecessor, OLD.effective_at, OLD.agreed_at, OLD.anchor, OLD.committed_until, OLD.recorded_at,
        OLD.agreement, OLD.tier_version, OLD.phase, OLD.account, OLD.unit, OLD.plan, OLD.tier, OLD.billing_period, OLD.quantity, OLD.price,
        OLD.currency, OLD.list_price, OLD.discount, OLD.unit_price, OLD.expiry, OLD.recorded_by, OLD.override_reason, OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.subscription, NEW.origin, NEW.predecessor, NEW.effective_at, NEW.agreed_at, NEW.anchor, NEW.committed_until, NEW.recorded_at,
        NEW.agreement, NEW.tier_version, NEW.phase, NEW.account, NEW.unit, NEW.plan, NEW.tier, NEW.billing_period, NEW.quantity, NEW.price,
        NEW.currency, NEW.list_price, NEW.discount, NEW.unit_price, NEW.expiry, NEW.recorded_by, NEW.override_reason, NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER subscription_91_refuse_delete BEFORE DELETE ON credit.subscription
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER subscription_92_refuse_truncate BEFORE TRUNCATE ON credit.subscription
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_change_90_refuse_change BEFORE UPDATE OR DELETE ON credit.plan_change
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_change_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_change
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER subscription_purchase_90_refuse_change BEFORE UPDATE OR DELETE ON credit.subscription_purchase
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER subscription_purchase_92_refuse_truncate BEFORE TRUNCATE ON credit.subscription_purchase
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER subscription_return_90_refuse_change BEFORE UPDATE OR DELETE ON credit.subscription_return
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER subscription_return_92_refuse_truncate BEFORE TRUNCATE ON credit.subscription_return
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

ALTER TABLE credit.subscription ENABLE ALWAYS TRIGGER subscription_90_refuse_update;
ALTER TABLE credit.subscription ENABLE ALWAYS TRIGGER subscription_91_refuse_delete;
ALTER TABLE credit.subscription ENABLE ALWAYS TRIGGER subscription_92_refuse_truncate;
ALTER TABLE credit.plan_change ENABLE ALWAYS TRIGGER plan_change_90_refuse_change;
ALTER TABLE credit.plan_change ENABLE ALWAYS TRIGGER plan_change_92_refuse_truncate;
ALTER TABLE credit.subscription_purchase ENABLE ALWAYS TRIGGER subscription_purchase_90_refuse_change;
ALTER TABLE credit.subscription_purchase ENABLE ALWAYS TRIGGER subscription_purchase_92_refuse_truncate;
ALTER TABLE credit.subscription_return ENABLE ALWAYS TRIGGER subscription_return_90_refuse_change;
ALTER TABLE credit.subscription_return ENABLE ALWAYS TRIGGER subscription_return_92_refuse_truncate;

SET LOCAL search_path TO @extschema@, pg_temp;
