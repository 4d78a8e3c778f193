-- Triggers. Those that apply a direct insert act on rows that are not posted, so rows that a restore copies stay as they are,
-- and they do nothing on a replica. Those that refuse a change always fire.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The functions behind them, in src/api/trigger.rs. They run as the owner: who may insert a row must not need the slots.

CREATE FUNCTION credit.lot_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'lot_check_wrapper';
CREATE FUNCTION credit.lot_apply() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'lot_apply_wrapper';
CREATE FUNCTION credit.entry_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'entry_check_wrapper';
CREATE FUNCTION credit.entry_apply() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'entry_apply_wrapper';
CREATE FUNCTION credit.refuse_change() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'refuse_change_wrapper';
CREATE FUNCTION credit.account_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'account_check_wrapper';
CREATE FUNCTION credit.unit_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'unit_check_wrapper';

CREATE FUNCTION credit.announce_change() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'announce_change_wrapper';
CREATE FUNCTION credit.announce_lot() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'announce_lot_wrapper';

CREATE TRIGGER lot_10_check BEFORE INSERT ON credit.lot
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.lot_check();
CREATE TRIGGER lot_20_apply AFTER INSERT ON credit.lot
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.lot_apply();

CREATE TRIGGER entry_10_check BEFORE INSERT ON credit.entry
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.entry_check();
CREATE TRIGGER entry_20_apply AFTER INSERT ON credit.entry
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.entry_apply();

-- An entry may only ever change from not posted to posted, which entry_apply does.
CREATE TRIGGER entry_90_refuse_update BEFORE UPDATE ON credit.entry
    FOR EACH ROW WHEN (OLD.posted OR NOT NEW.posted OR ROW(
        OLD.posting, OLD.lot, OLD.occurred_at, OLD.recorded_at, OLD.corrects, OLD.rate, OLD.line, OLD.account, OLD.kind,
        OLD.amount, OLD.member, OLD.department, OLD.operation, OLD.quantity, OLD.recorded_by, OLD.metadata, OLD.dimensions)
        IS DISTINCT FROM ROW(
        NEW.posting, NEW.lot, NEW.occurred_at, NEW.recorded_at, NEW.corrects, NEW.rate, NEW.line, NEW.account, NEW.kind,
        NEW.amount, NEW.member, NEW.department, NEW.operation, NEW.quantity, NEW.recorded_by, NEW.metadata, NEW.dimensions))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER entry_91_refuse_delete BEFORE DELETE ON credit.entry
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER entry_92_refuse_truncate BEFORE TRUNCATE ON credit.entry
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

-- A lot's terms never change; its slots only grow in number, and once posted it stays posted.
CREATE TRIGGER lot_90_refuse_update BEFORE UPDATE ON credit.lot
    FOR EACH ROW WHEN ((OLD.posted AND NOT NEW.posted) OR NEW.slots < OLD.slots OR ROW(
        OLD.lot, OLD.effective_at, OLD.expires_at, OLD.recorded_at, OLD.parent, OLD.priority, OLD.account, OLD.unit, OLD.member,
        OLD.category, OLD.source, OLD.granted, OLD.paid, OLD.currency, OLD.cost_basis, OLD.applies_to, OLD.recorded_by, OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.lot, NEW.effective_at, NEW.expires_at, NEW.recorded_at, NEW.parent, NEW.priority, NEW.account, NEW.unit, NEW.member,
        NEW.category, NEW.source, NEW.granted, NEW.paid, NEW.currency, NEW.cost_basis, NEW.applies_to, NEW.recorded_by, NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER lot_91_refuse_delete BEFORE DELETE ON credit.lot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER lot_92_refuse_truncate BEFORE TRUNCATE ON credit.lot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

CREATE TRIGGER slot_91_refuse_delete BEFORE DELETE ON credit.slot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER slot_92_refuse_truncate BEFORE TRUNCATE ON credit.slot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

CREATE TRIGGER conversion_90_refuse_change BEFORE UPDATE OR DELETE ON credit.conversion
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER conversion_92_refuse_truncate BEFORE TRUNCATE ON credit.conversion
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

-- The account's time zone dates its expiries, a unit's decimals are in amounts already posted, and the ledger names its members:
-- a member is deactivated, not deleted.
CREATE TRIGGER account_90_check BEFORE UPDATE OF account, time_zone OR DELETE ON credit.account
    FOR EACH ROW EXECUTE FUNCTION credit.account_check();
CREATE TRIGGER member_91_refuse_delete BEFORE DELETE ON credit.member
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER account_92_refuse_truncate BEFORE TRUNCATE ON credit.account
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER member_92_refuse_truncate BEFORE TRUNCATE ON credit.member
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER unit_92_refuse_truncate BEFORE TRUNCATE ON credit.unit
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER unit_90_check BEFORE INSERT OR UPDATE OR DELETE ON credit.unit
    FOR EACH ROW EXECUTE FUNCTION credit.unit_check();

-- Debits remember accounts, units and members; they hear of a change when it commits. For each row, so that logical
-- replication fires them too. A purchase marks its account by writing created_at as it is: nobody remembers that.
CREATE TRIGGER account_95_announce
    AFTER UPDATE OF account, unit, pooling, time_zone, require_members, rate_card, metadata, late_usage, late_grace,
        has_caps, has_pooling_rules, closed_until, self_seating
    OR DELETE ON credit.account
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
CREATE TRIGGER member_95_announce AFTER UPDATE ON credit.member
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
CREATE TRIGGER unit_95_announce AFTER UPDATE OR DELETE ON credit.unit
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();

-- Debits remember which lot comes first. A lot's terms never change and a closed one holds nothing, so they only have to hear of lots
-- that are added or opened again.
CREATE TRIGGER lot_95_announce AFTER INSERT ON credit.lot
    FOR EACH ROW EXECUTE FUNCTION credit.announce_lot();
CREATE TRIGGER lot_96_announce AFTER UPDATE OF closed ON credit.lot
    FOR EACH ROW WHEN (OLD.closed AND NOT NEW.closed) EXECUTE FUNCTION credit.announce_lot();

ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_95_announce;
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_96_announce;
ALTER TABLE credit.account ENABLE ALWAYS TRIGGER account_95_announce;
ALTER TABLE credit.member ENABLE ALWAYS TRIGGER member_95_announce;
ALTER TABLE credit.unit ENABLE ALWAYS TRIGGER unit_95_announce;
ALTER TABLE credit.entry ENABLE ALWAYS TRIGGER entry_90_refuse_update;
ALTER TABLE credit.entry ENABLE ALWAYS TRIGGER entry_91_refuse_delete;
ALTER TABLE credit.entry ENABLE ALWAYS TRIGGER entry_92_refuse_truncate;
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_90_refuse_update;
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_91_refuse_delete;
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_92_refuse_truncate;
ALTER TABLE credit.conversion ENABLE ALWAYS TRIGGER conversion_90_refuse_change;
ALTER TABLE credit.conversion ENABLE ALWAYS TRIGGER conversion_92_refuse_truncate;
ALTER TABLE credit.slot ENABLE ALWAYS TRIGGER slot_91_refuse_delete;
ALTER TABLE credit.slot ENABLE ALWAYS TRIGGER slot_92_refuse_truncate;

SET LOCAL search_path TO @extschema@, pg_temp;
