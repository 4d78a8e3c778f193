-- Triggers of plans, agreements and purchases: what was agreed or bought never changes, and who remembers rate cards hears of changes.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE TRIGGER plan_90_refuse_rename BEFORE UPDATE ON credit.plan
    FOR EACH ROW WHEN (OLD.plan <> NEW.plan) EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_91_refuse_delete BEFORE DELETE ON credit.plan
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_92_refuse_truncate BEFORE TRUNCATE ON credit.plan
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_price_90_refuse_update BEFORE UPDATE ON credit.plan_price
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_price_91_refuse_delete BEFORE DELETE ON credit.plan_price
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_price_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_price
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_cost_90_refuse_update BEFORE UPDATE ON credit.plan_cost
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_cost_91_refuse_delete BEFORE DELETE ON credit.plan_cost
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_cost_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_cost
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

-- The end of a version may be set, and moved as long as it has not come. Everything else of it stays.
CREATE TRIGGER tier_90_refuse_update BEFORE UPDATE ON credit.tier
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR OLD.ended_at <= credit.now() OR ROW(
        OLD.version, OLD.effective_at, OLD.recorded_at, OLD.negotiated, OLD.plan, OLD.tier, OLD.from_quantity, OLD.discount, OLD.unit_price,
        OLD.flat, OLD.billing_period, OLD.commitment, OLD.expiry, OLD.recorded_by, OLD.override_reason, OLD.note)
        IS DISTINCT FROM ROW(
        NEW.version, NEW.effective_at, NEW.recorded_at, NEW.negotiated, NEW.plan, NEW.tier, NEW.from_quantity, NEW.discount, NEW.unit_price,
        NEW.flat, NEW.billing_period, NEW.commitment, NEW.expiry, NEW.recorded_by, NEW.override_reason, NEW.note))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER tier_91_refuse_delete BEFORE DELETE ON credit.tier
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER tier_92_refuse_truncate BEFORE TRUNCATE ON credit.tier
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

CREATE TRIGGER agreement_90_refuse_update BEFORE UPDATE ON credit.agreement
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR OLD.ended_at <= credit.now() OR ROW(
        OLD.agreement, OLD.effective_at, OLD.agreed_at, OLD.recorded_at, OLD.account, OLD.plan, OLD.tier, OLD.unit_price, OLD.discount,
        OLD.committed_quantity, OLD.committed_money, OLD.expiry, OLD.pooling, OLD.rate_card, OLD.recorded_by, OLD.override_reason, OLD.note)
        IS DISTINCT FROM ROW(
        NEW.agreement, NEW.effective_at, NEW.agreed_at, NEW.recorded_at, NEW.account, NEW.plan, NEW.tier, NEW.unit_price, NEW.discount,
        NEW.committed_quantity, NEW.committed_money, NEW.expiry, NEW.pooling, NEW.rate_card, NEW.recorded_by, NEW.override_reason, NEW.note))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER agreement_91_refuse_delete BEFORE DELETE ON credit.agreement
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER agreement_92_refuse_truncate BEFORE TRUNCATE ON credit.agreement
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

-- A purchase that is pending may become active or void, once.
CREATE TRIGGER purchase_90_refuse_update BEFORE UPDATE ON credit.purchase
    FOR EACH ROW WHEN (OLD.status <> 'pending' OR NEW.status = 'pending' OR ROW(
        OLD.purchase, OLD.recorded_at, OLD.agreement, OLD.tier_version, OLD.account, OLD.plan, OLD.tier, OLD.quantity, OLD.bonus, OLD.list_price,
        OLD.discount, OLD.unit_price, OLD.paid, OLD.currency, OLD.unit, OLD.member, OLD.expiry, OLD.recorded_by, OLD.override_reason, OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.purchase, NEW.recorded_at, NEW.agreement, NEW.tier_version, NEW.account, NEW.plan, NEW.tier, NEW.quantity, NEW.bonus, NEW.list_price,
        NEW.discount, NEW.unit_price, NEW.paid, NEW.currency, NEW.unit, NEW.member, NEW.expiry, NEW.recorded_by, NEW.override_reason, NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER purchase_91_refuse_delete BEFORE DELETE ON credit.purchase
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER purchase_92_refuse_truncate BEFORE TRUNCATE ON credit.purchase
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER purchase_lot_90_refuse_update BEFORE UPDATE ON credit.purchase_lot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER voided_90_refuse_change BEFORE UPDATE OR DELETE ON credit.voided
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER voided_92_refuse_truncate BEFORE TRUNCATE ON credit.voided
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER purchase_lot_91_refuse_delete BEFORE DELETE ON credit.purchase_lot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER purchase_lot_92_refuse_truncate BEFORE TRUNCATE ON credit.purchase_lot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

-- Which rate card an account uses follows from its agreements and their plans.
CREATE TRIGGER plan_95_announce AFTER INSERT OR UPDATE OF plan, unit, rate_card ON credit.plan
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();
CREATE TRIGGER agreement_95_announce AFTER INSERT OR UPDATE ON credit.agreement
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();

ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_90_refuse_rename;
ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_91_refuse_delete;
ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_92_refuse_truncate;
ALTER TABLE credit.plan_price ENABLE ALWAYS TRIGGER plan_price_90_refuse_update;
ALTER TABLE credit.plan_price ENABLE ALWAYS TRIGGER plan_price_91_refuse_delete;
ALTER TABLE credit.plan_price ENABLE ALWAYS TRIGGER plan_price_92_refuse_truncate;
ALTER TABLE credit.plan_cost ENABLE ALWAYS TRIGGER plan_cost_90_refuse_update;
ALTER TABLE credit.plan_cost ENABLE ALWAYS TRIGGER plan_cost_91_refuse_delete;
ALTER TABLE credit.plan_cost ENABLE ALWAYS TRIGGER plan_cost_92_refuse_truncate;
ALTER TABLE credit.tier ENABLE ALWAYS TRIGGER tier_90_refuse_update;
ALTER TABLE credit.tier ENABLE ALWAYS TRIGGER tier_91_refuse_delete;
ALTER TABLE credit.tier ENABLE ALWAYS TRIGGER tier_92_refuse_truncate;
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_90_refuse_update;
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_91_refuse_delete;
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_92_refuse_truncate;
ALTER TABLE credit.purchase ENABLE ALWAYS TRIGGER purchase_90_refuse_update;
ALTER TABLE credit.purchase ENABLE ALWAYS TRIGGER purchase_91_refuse_delete;
ALTER TABLE credit.purchase ENABLE ALWAYS TRIGGER purchase_92_refuse_truncate;
ALTER TABLE credit.purchase_lot ENABLE ALWAYS TRIGGER purchase_lot_90_refuse_update;
ALTER TABLE credit.purchase_lot ENABLE ALWAYS TRIGGER purchase_lot_91_refuse_delete;
ALTER TABLE credit.purchase_lot ENABLE ALWAYS TRIGGER purchase_lot_92_refuse_truncate;
ALTER TABLE credit.voided ENABLE ALWAYS TRIGGER voided_90_refuse_change;
ALTER TABLE credit.voided ENABLE ALWAYS TRIGGER voided_92_refuse_truncate;
ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_95_announce;
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_95_announce;

SET LOCAL search_path TO @extschema@, pg_temp;
