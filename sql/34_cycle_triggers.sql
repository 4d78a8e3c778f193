-- Triggers of schedules: what was declared and issued stays, and who remembers when an account is due hears when that is earlier.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The end may be set, and moved as long as it has not come. Where it follows a plan, it may be taken away as long as it is not past:
-- a cancellation is dropped.
CREATE TRIGGER schedule_90_refuse_update BEFORE UPDATE ON credit.schedule
    FOR EACH ROW WHEN ((OLD.plan_schedule IS NULL AND (OLD.ends_at <= credit.now() OR NEW.ends_at IS NULL))
        OR OLD.ends_at < credit.now() OR ROW(
        OLD.schedule, OLD.anchor, OLD.starts_at, OLD.expires_at, OLD.recorded_at, OLD.every, OLD.expires_after, OLD.periods,
        OLD.expires_periods, OLD.priority, OLD.per_member, OLD.account, OLD.unit, OLD.amount, OLD.category, OLD.paid, OLD.currency,
        OLD.expires, OLD.proration, OLD.on_leave, OLD.true_up, OLD.recorded_by, OLD.rollover, OLD.metadata,
        OLD.plan_schedule, OLD.plan_since, OLD.ends_lots, OLD.into_pool)
        IS DISTINCT FROM ROW(
        NEW.schedule, NEW.anchor, NEW.starts_at, NEW.expires_at, NEW.recorded_at, NEW.every, NEW.expires_after, NEW.periods,
        NEW.expires_periods, NEW.priority, NEW.per_member, NEW.account, NEW.unit, NEW.amount, NEW.category, NEW.paid, NEW.currency,
        NEW.expires, NEW.proration, NEW.on_leave, NEW.true_up, NEW.recorded_by, NEW.rollover, NEW.metadata,
        NEW.plan_schedule, NEW.plan_since, NEW.ends_lots, NEW.into_pool))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER schedule_91_refuse_delete BEFORE DELETE ON credit.schedule
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER schedule_92_refuse_truncate BEFORE TRUNCATE ON credit.schedule
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_schedule_90_refuse_update BEFORE UPDATE ON credit.plan_schedule
    FOR EACH ROW WHEN (OLD.ends_at <= credit.now() OR NEW.ends_at IS NULL OR ROW(
        OLD.schedule, OLD.anchor, OLD.starts_at, OLD.expires_at, OLD.recorded_at, OLD.every, OLD.expires_after, OLD.periods,
        OLD.expires_periods, OLD.priority, OLD.per_member, OLD.plan, OLD.unit, OLD.amount, OLD.category, OLD.paid, OLD.currency,
        OLD.expires, OLD.proration, OLD.on_leave, OLD.true_up, OLD.recorded_by, OLD.rollover, OLD.metadata, OLD.key, OLD.fingerprint, OLD.into_pool)
        IS DISTINCT FROM ROW(
        NEW.schedule, NEW.anchor, NEW.starts_at, NEW.expires_at, NEW.recorded_at, NEW.every, NEW.expires_after, NEW.periods,
        NEW.expires_periods, NEW.priority, NEW.per_member, NEW.plan, NEW.unit, NEW.amount, NEW.category, NEW.paid, NEW.currency,
        NEW.expires, NEW.proration, NEW.on_leave, NEW.true_up, NEW.recorded_by, NEW.rollover, NEW.metadata, NEW.key, NEW.fingerprint, NEW.into_pool))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_schedule_91_refuse_delete BEFORE DELETE ON credit.plan_schedule
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER plan_schedule_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_schedule
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER schedule_period_90_refuse_update BEFORE UPDATE ON credit.schedule_period
    FOR EACH ROW WHEN (OLD.settled AND NOT NEW.settled OR ROW(
        OLD.schedule, OLD.lot, OLD.recorded_at, OLD.period, OLD.rolled, OLD.account, OLD.member, OLD.original, OLD.part)
        IS DISTINCT FROM ROW(
        NEW.schedule, NEW.lot, NEW.recorded_at, NEW.period, NEW.rolled, NEW.account, NEW.member, NEW.original, NEW.part))
    EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER schedule_period_91_refuse_delete BEFORE DELETE ON credit.schedule_period
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER schedule_period_92_refuse_truncate BEFORE TRUNCATE ON credit.schedule_period
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

CREATE TRIGGER schedule_seat_90_refuse_change BEFORE UPDATE OR DELETE ON credit.schedule_seat
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER schedule_seat_92_refuse_truncate BEFORE TRUNCATE ON credit.schedule_seat
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();

-- A refresh makes it later, which nobody needs to hear: who remembers the earlier instant looks again when it comes.
CREATE TRIGGER account_96_announce_due AFTER UPDATE OF refresh_at ON credit.account
    FOR EACH ROW WHEN (NEW.refresh_at < COALESCE(OLD.refresh_at, 'infinity')) EXECUTE FUNCTION credit.announce_change();

ALTER TABLE credit.schedule ENABLE ALWAYS TRIGGER schedule_90_refuse_update;
ALTER TABLE credit.schedule ENABLE ALWAYS TRIGGER schedule_91_refuse_delete;
ALTER TABLE credit.schedule ENABLE ALWAYS TRIGGER schedule_92_refuse_truncate;
ALTER TABLE credit.plan_schedule ENABLE ALWAYS TRIGGER plan_schedule_90_refuse_update;
ALTER TABLE credit.plan_schedule ENABLE ALWAYS TRIGGER plan_schedule_91_refuse_delete;
ALTER TABLE credit.plan_schedule ENABLE ALWAYS TRIGGER plan_schedule_92_refuse_truncate;
ALTER TABLE credit.schedule_period ENABLE ALWAYS TRIGGER schedule_period_90_refuse_update;
ALTER TABLE credit.schedule_period ENABLE ALWAYS TRIGGER schedule_period_91_refuse_delete;
ALTER TABLE credit.schedule_period ENABLE ALWAYS TRIGGER schedule_period_92_refuse_truncate;
ALTER TABLE credit.schedule_seat ENABLE ALWAYS TRIGGER schedule_seat_90_refuse_change;
ALTER TABLE credit.schedule_seat ENABLE ALWAYS TRIGGER schedule_seat_92_refuse_truncate;
ALTER TABLE credit.account ENABLE ALWAYS TRIGGER account_96_announce_due;

SET LOCAL search_path TO @extschema@, pg_temp;
