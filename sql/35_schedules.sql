-- Schedules: what is granted again and again, and which period of it became which lot. What was declared and issued stays, and
-- sessions that remember when an account is due hear when that is earlier.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Schedules -----------------------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.schedule_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.schedule_id IS 'Ids of schedules.';
SELECT pg_catalog.pg_extension_config_dump('credit.schedule_id', '');

-- Two tables with the same terms, which stand once here: what is granted to an account, and what a plan grants to the accounts on
-- it. Each of these gets a schedule of its own in credit.schedule, with these terms. What a schedule declares never changes, but
-- its end.
DO $tables$
DECLARE
    times CONSTANT text := $$
        starts_at        timestamptz NOT NULL,
        ends_at          timestamptz CHECK (ends_at >= starts_at),
        expires_at       timestamptz,
        recorded_at      timestamptz NOT NULL,
        every            interval NOT NULL,
        expires_after    interval,
        periods          integer CHECK (periods > 0),
        expires_periods  integer CHECK (expires_periods > 0),
        priority         smallint NOT NULL DEFAULT 50,
        per_member       boolean NOT NULL DEFAULT false,
        CHECK (per_member OR NOT into_pool),$$;
    amounts CONSTANT text := $$
        unit             text COLLATE "C" NOT NULL,
        amount           numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
        category         text COLLATE "C" NOT NULL CHECK (category IN ('paid', 'promotional')),
        paid             numeric CHECK (paid >= 0 AND paid < 1e15),
        currency         text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
        expires          text COLLATE "C" NOT NULL CHECK (expires IN ('never', 'period_end', 'periods', 'after', 'at')),
        proration        text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (proration IN ('none', 'first', 'last', 'both')),
        CHECK ((expires = 'periods') = (expires_periods IS NOT NULL) AND (expires = 'after') = (expires_after IS NOT NULL)
            AND (expires = 'at') = (expires_at IS NOT NULL)),
        CHECK ((paid IS NULL) = (currency IS NULL)),$$;
    notes CONSTANT text := $$
        true_up          interval,
        recorded_by      text COLLATE "C" NOT NULL,
        rollover         jsonb CHECK (jsonb_typeof(rollover) = 'object'),
        metadata         jsonb,
        CHECK (rollover IS NULL OR expires <> 'never'),$$;
BEGIN
    EXECUTE format($$
    CREATE TABLE credit.schedule (
        schedule         bigint NOT NULL,
        anchor           timestamptz NOT NULL, %1$s
        account          text COLLATE "C" NOT NULL,
        CHECK ((plan_schedule IS NULL) = (plan_since IS NULL) AND (plan_schedule IS NOT NULL OR NOT ends_lots)), %2$s
        on_leave         text COLLATE "C" NOT NULL DEFAULT 'expire' CHECK (on_leave IN ('expire', 'return', 'keep')), %3$s
        plan_schedule    bigint,
        plan_since       timestamptz,
        ends_lots        boolean NOT NULL DEFAULT false,
        into_pool        boolean NOT NULL DEFAULT false,
        PRIMARY KEY (account, schedule)
    )$$, times, amounts, notes);
    EXECUTE format($$
    CREATE TABLE credit.plan_schedule (
        schedule         bigint NOT NULL PRIMARY KEY,
        anchor           timestamptz, %1$s
        plan             text COLLATE "C" NOT NULL, %2$s
        on_leave         text COLLATE "C" CHECK (on_leave IN ('expire', 'return', 'keep')),
        CHECK ((key IS NULL) = (fingerprint IS NULL)), %3$s
        key              text COLLATE "C",
        fingerprint      bytea,
        into_pool        boolean NOT NULL DEFAULT false
    )$$, times, amounts, notes);
END
$tables$;
COMMENT ON TABLE credit.schedule IS
    'Schedules: what accounts are granted again and again. What they declare never changes, but their end.';
COMMENT ON COLUMN credit.schedule.schedule IS 'The schedule''s id.';
COMMENT ON COLUMN credit.schedule.anchor IS
    'Where period 0 begins. It sets the phase: period n begins at anchor + n * every, by the calendar of the account''s time '
    'zone.';
COMMENT ON COLUMN credit.schedule.starts_at IS
    'The first period is the one that contains this instant; its lot takes effect here.';
COMMENT ON COLUMN credit.schedule.ends_at IS
    'No period begins from here on; the last one ends here. NULL for a schedule without an end.';
COMMENT ON COLUMN credit.schedule.expires_at IS 'When all lots expire, where expires is at.';
COMMENT ON COLUMN credit.schedule.recorded_at IS 'When it was declared. What was due before counts from here on.';
COMMENT ON COLUMN credit.schedule.every IS 'The length of a period.';
COMMENT ON COLUMN credit.schedule.expires_after IS 'How long a lot lives from its effect on, where expires is after.';
COMMENT ON COLUMN credit.schedule.periods IS 'So many periods at most. NULL for no limit.';
COMMENT ON COLUMN credit.schedule.expires_periods IS
    'A lot lives to the end of so many periods, its own counted, where expires is periods.';
COMMENT ON COLUMN credit.schedule.priority IS 'The priority of its lots.';
COMMENT ON COLUMN credit.schedule.per_member IS 'Whether every active member gets the amount, instead of the pool.';
COMMENT ON COLUMN credit.schedule.into_pool IS 'Whether what every active member would get goes into the pool.';
COMMENT ON COLUMN credit.schedule.account IS 'The account.';
COMMENT ON COLUMN credit.schedule.unit IS 'The unit of its lots.';
COMMENT ON COLUMN credit.schedule.amount IS 'What a whole period brings.';
COMMENT ON COLUMN credit.schedule.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.schedule.paid IS 'Money paid for a whole period; for a part of it the same part, cut to 9 decimals.';
COMMENT ON COLUMN credit.schedule.currency IS 'ISO 4217 code of that money.';
COMMENT ON COLUMN credit.schedule.expires IS 'When lots expire: never, period_end, periods, after or at.';
COMMENT ON COLUMN credit.schedule.proration IS
    'Which incomplete periods get a part only, by the days of theirs: none, first, last or both. Rounded as the unit says.';
COMMENT ON COLUMN credit.schedule.on_leave IS
    'The fate of a member''s lots when the member is deactivated: expire, return (to the pool) or keep (until they expire).';
COMMENT ON COLUMN credit.schedule.true_up IS
    'How often the account is trued up, from the anchor on: it declares the terms where there were none (credit.true_up_terms).';
COMMENT ON COLUMN credit.schedule.recorded_by IS 'The login role of the session that declared it.';
COMMENT ON COLUMN credit.schedule.rollover IS
    'What of a lot''s unused part goes on when it expires. NULL: nothing. Keys: fraction_of_unused, max_fraction_of_original, '
    'max_amount, min_amount, max_periods, expires_after, drawn.';
COMMENT ON COLUMN credit.schedule.metadata IS 'Given to its lots. Not interpreted.';
COMMENT ON COLUMN credit.schedule.plan_schedule IS
    'The plan''s schedule that it comes from, in credit.plan_schedule. NULL for one of the account''s own.';
COMMENT ON COLUMN credit.schedule.plan_since IS
    'Since when the account is on the plan, or since when the plan has had the schedule if that was later.';
COMMENT ON COLUMN credit.schedule.ends_lots IS 'Whether its lots end with it: the plan''s schedule says on_leave expire.';
SELECT pg_catalog.pg_extension_config_dump('credit.schedule', '');

-- An account is on a plan once at a time, so it has the plan's schedule once.
CREATE UNIQUE INDEX schedule_of_plan ON credit.schedule (account, plan_schedule, plan_since) WHERE plan_schedule IS NOT NULL;
COMMENT ON INDEX credit.schedule_of_plan IS 'An account has the schedule of a plan once for each time it is on it.';

-- The end may be set, and moved as long as it has not come. Where it follows a plan, it may be taken away as long as it is not
-- past: a cancellation is dropped.
CREATE TRIGGER schedule_90_refuse_update BEFORE UPDATE ON credit.schedule
    FOR EACH ROW WHEN ((OLD.plan_schedule IS NULL AND (OLD.ends_at <= credit.now() OR NEW.ends_at IS NULL))
        OR OLD.ends_at < credit.now() OR ROW(
        OLD.schedule, OLD.anchor, OLD.starts_at, OLD.expires_at, OLD.recorded_at, OLD.every, OLD.expires_after, OLD.periods,
        OLD.expires_periods, OLD.priority, OLD.per_member, OLD.account, OLD.unit, OLD.amount, OLD.category, OLD.paid,
        OLD.currency, OLD.expires, OLD.proration, OLD.on_leave, OLD.true_up, OLD.recorded_by, OLD.rollover, OLD.metadata,
        OLD.plan_schedule, OLD.plan_since, OLD.ends_lots, OLD.into_pool)
        IS DISTINCT FROM ROW(
        NEW.schedule, NEW.anchor, NEW.starts_at, NEW.expires_at, NEW.recorded_at, NEW.every, NEW.expires_after, NEW.periods,
        NEW.expires_periods, NEW.priority, NEW.per_member, NEW.account, NEW.unit, NEW.amount, NEW.category, NEW.paid,
        NEW.currency, NEW.expires, NEW.proration, NEW.on_leave, NEW.true_up, NEW.recorded_by, NEW.rollover, NEW.metadata,
        NEW.plan_schedule, NEW.plan_since, NEW.ends_lots, NEW.into_pool))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule ENABLE ALWAYS TRIGGER schedule_90_refuse_update;
COMMENT ON TRIGGER schedule_90_refuse_update ON credit.schedule IS
    'Only the end of a schedule may be set, as long as it has not come (ENABLE ALWAYS).';

CREATE TRIGGER schedule_91_refuse_delete BEFORE DELETE ON credit.schedule
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule ENABLE ALWAYS TRIGGER schedule_91_refuse_delete;
COMMENT ON TRIGGER schedule_91_refuse_delete ON credit.schedule IS 'Schedules are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER schedule_92_refuse_truncate BEFORE TRUNCATE ON credit.schedule
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule ENABLE ALWAYS TRIGGER schedule_92_refuse_truncate;
COMMENT ON TRIGGER schedule_92_refuse_truncate ON credit.schedule IS 'Schedules are never deleted (ENABLE ALWAYS).';

COMMENT ON TABLE credit.plan_schedule IS
    'What plans grant to the accounts on them. Each account has a schedule of its own in credit.schedule from when it comes to '
    'the plan until it leaves. What is declared never changes, but its end.';
COMMENT ON COLUMN credit.plan_schedule.schedule IS 'Its id.';
COMMENT ON COLUMN credit.plan_schedule.anchor IS 'The anchor of the accounts'' schedules; NULL for when each came to the plan.';
COMMENT ON COLUMN credit.plan_schedule.starts_at IS 'Who is on the plan gets it from here on.';
COMMENT ON COLUMN credit.plan_schedule.ends_at IS 'Nobody is granted anything from here on. NULL for no end.';
COMMENT ON COLUMN credit.plan_schedule.expires_at IS 'As in credit.schedule.';
COMMENT ON COLUMN credit.plan_schedule.recorded_at IS 'When it was declared.';
COMMENT ON COLUMN credit.plan_schedule.every IS 'The length of a period.';
COMMENT ON COLUMN credit.plan_schedule.expires_after IS 'As in credit.schedule.';
COMMENT ON COLUMN credit.plan_schedule.periods IS
    'So many periods at most for each account, counted from when it comes to the plan.';
COMMENT ON COLUMN credit.plan_schedule.expires_periods IS 'As in credit.schedule.';
COMMENT ON COLUMN credit.plan_schedule.priority IS 'The priority of the lots.';
COMMENT ON COLUMN credit.plan_schedule.per_member IS
    'Whether every active member of an account gets the amount, instead of its pool.';
COMMENT ON COLUMN credit.plan_schedule.into_pool IS 'Whether what every active member would get goes into the account''s pool.';
COMMENT ON COLUMN credit.plan_schedule.plan IS 'The plan.';
COMMENT ON COLUMN credit.plan_schedule.unit IS 'The plan''s unit.';
COMMENT ON COLUMN credit.plan_schedule.amount IS 'What a whole period brings an account, or each of its members.';
COMMENT ON COLUMN credit.plan_schedule.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.plan_schedule.paid IS 'Money paid for a whole period.';
COMMENT ON COLUMN credit.plan_schedule.currency IS 'ISO 4217 code of that money.';
COMMENT ON COLUMN credit.plan_schedule.expires IS 'As in credit.schedule.';
COMMENT ON COLUMN credit.plan_schedule.proration IS 'As in credit.schedule.';
COMMENT ON COLUMN credit.plan_schedule.on_leave IS
    'expire: what is unused ends when the account leaves the plan, or the member the account. Otherwise an account keeps its '
    'lots until they expire. NULL: members as with expire, accounts as with keep.';
COMMENT ON COLUMN credit.plan_schedule.true_up IS 'As in credit.schedule.';
COMMENT ON COLUMN credit.plan_schedule.recorded_by IS 'The login role of the session that declared it.';
COMMENT ON COLUMN credit.plan_schedule.rollover IS 'As in credit.schedule.';
COMMENT ON COLUMN credit.plan_schedule.metadata IS 'Given to the lots. Not interpreted.';
COMMENT ON COLUMN credit.plan_schedule.key IS 'The idempotency key under which it was declared.';
COMMENT ON COLUMN credit.plan_schedule.fingerprint IS 'SHA-256 of what was declared under the key.';
SELECT pg_catalog.pg_extension_config_dump('credit.plan_schedule', '');

CREATE INDEX plan_schedule_by_plan ON credit.plan_schedule (plan);
COMMENT ON INDEX credit.plan_schedule_by_plan IS 'The schedules of a plan.';

CREATE UNIQUE INDEX plan_schedule_by_key ON credit.plan_schedule (plan, key) WHERE key IS NOT NULL;
COMMENT ON INDEX credit.plan_schedule_by_key IS 'A key declares once.';

CREATE TRIGGER plan_schedule_90_refuse_update BEFORE UPDATE ON credit.plan_schedule
    FOR EACH ROW WHEN (OLD.ends_at <= credit.now() OR NEW.ends_at IS NULL OR ROW(
        OLD.schedule, OLD.anchor, OLD.starts_at, OLD.expires_at, OLD.recorded_at, OLD.every, OLD.expires_after, OLD.periods,
        OLD.expires_periods, OLD.priority, OLD.per_member, OLD.plan, OLD.unit, OLD.amount, OLD.category, OLD.paid, OLD.currency,
        OLD.expires, OLD.proration, OLD.on_leave, OLD.true_up, OLD.recorded_by, OLD.rollover, OLD.metadata, OLD.key,
        OLD.fingerprint, OLD.into_pool)
        IS DISTINCT FROM ROW(
        NEW.schedule, NEW.anchor, NEW.starts_at, NEW.expires_at, NEW.recorded_at, NEW.every, NEW.expires_after, NEW.periods,
        NEW.expires_periods, NEW.priority, NEW.per_member, NEW.plan, NEW.unit, NEW.amount, NEW.category, NEW.paid, NEW.currency,
        NEW.expires, NEW.proration, NEW.on_leave, NEW.true_up, NEW.recorded_by, NEW.rollover, NEW.metadata, NEW.key,
        NEW.fingerprint, NEW.into_pool))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_schedule ENABLE ALWAYS TRIGGER plan_schedule_90_refuse_update;
COMMENT ON TRIGGER plan_schedule_90_refuse_update ON credit.plan_schedule IS
    'Only the end may be set, as long as it has not come (ENABLE ALWAYS).';

CREATE TRIGGER plan_schedule_91_refuse_delete BEFORE DELETE ON credit.plan_schedule
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_schedule ENABLE ALWAYS TRIGGER plan_schedule_91_refuse_delete;
COMMENT ON TRIGGER plan_schedule_91_refuse_delete ON credit.plan_schedule IS 'Schedules are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER plan_schedule_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_schedule
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_schedule ENABLE ALWAYS TRIGGER plan_schedule_92_refuse_truncate;
COMMENT ON TRIGGER plan_schedule_92_refuse_truncate ON credit.plan_schedule IS 'Schedules are never deleted (ENABLE ALWAYS).';

-- The key makes a period of a schedule one lot, and one lot each time it is rolled. Of the pool the member is ''; what seats
-- bring to it at different instants of a period are parts of it.
CREATE TABLE credit.schedule_period (
    schedule     bigint NOT NULL,
    lot          bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    period       integer NOT NULL,
    rolled       smallint NOT NULL DEFAULT 0 CHECK (rolled >= 0),
    settled      boolean NOT NULL,
    account      text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL DEFAULT '',
    original     numeric NOT NULL CHECK (original > 0 AND original < 1e15),
    part         integer NOT NULL DEFAULT 0 CHECK (part >= 0),
    PRIMARY KEY (account, schedule, member, period, rolled, part)
);
COMMENT ON TABLE credit.schedule_period IS
    'Which period of a schedule became which lot, and which lots it was rolled to. The key makes each of them happen once.';
COMMENT ON COLUMN credit.schedule_period.schedule IS 'The schedule.';
COMMENT ON COLUMN credit.schedule_period.lot IS 'The lot.';
COMMENT ON COLUMN credit.schedule_period.recorded_at IS 'When it was issued; when it was due is the lot''s effective_at.';
COMMENT ON COLUMN credit.schedule_period.period IS 'The number of the period that the credits were issued for.';
COMMENT ON COLUMN credit.schedule_period.rolled IS 'How often they were rolled.';
COMMENT ON COLUMN credit.schedule_period.settled IS
    'Whether nothing is left to do when the lot expires: nothing rolls, or it did.';
COMMENT ON COLUMN credit.schedule_period.account IS 'The account.';
COMMENT ON COLUMN credit.schedule_period.member IS 'The member; empty for the pool.';
COMMENT ON COLUMN credit.schedule_period.original IS 'What was issued for the period, or for this part of it.';
COMMENT ON COLUMN credit.schedule_period.part IS
    'Which of the lots of the period: 0 but where seats feed the pool, who come at different instants.';
SELECT pg_catalog.pg_extension_config_dump('credit.schedule_period', '');

CREATE UNIQUE INDEX schedule_period_by_lot ON credit.schedule_period (account, lot);
COMMENT ON INDEX credit.schedule_period_by_lot IS 'The period of a lot.';

CREATE INDEX schedule_period_unsettled ON credit.schedule_period (account, schedule) WHERE NOT settled;
COMMENT ON INDEX credit.schedule_period_unsettled IS 'The lots of an account whose end has not been settled.';

CREATE TRIGGER schedule_period_90_refuse_update BEFORE UPDATE ON credit.schedule_period
    FOR EACH ROW WHEN (OLD.settled AND NOT NEW.settled OR ROW(
        OLD.schedule, OLD.lot, OLD.recorded_at, OLD.period, OLD.rolled, OLD.account, OLD.member, OLD.original, OLD.part)
        IS DISTINCT FROM ROW(
        NEW.schedule, NEW.lot, NEW.recorded_at, NEW.period, NEW.rolled, NEW.account, NEW.member, NEW.original, NEW.part))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule_period ENABLE ALWAYS TRIGGER schedule_period_90_refuse_update;
COMMENT ON TRIGGER schedule_period_90_refuse_update ON credit.schedule_period IS
    'What was issued never changes; it may be settled, once (ENABLE ALWAYS).';

CREATE TRIGGER schedule_period_91_refuse_delete BEFORE DELETE ON credit.schedule_period
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule_period ENABLE ALWAYS TRIGGER schedule_period_91_refuse_delete;
COMMENT ON TRIGGER schedule_period_91_refuse_delete ON credit.schedule_period IS
    'What was issued is never forgotten (ENABLE ALWAYS).';

CREATE TRIGGER schedule_period_92_refuse_truncate BEFORE TRUNCATE ON credit.schedule_period
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule_period ENABLE ALWAYS TRIGGER schedule_period_92_refuse_truncate;
COMMENT ON TRIGGER schedule_period_92_refuse_truncate ON credit.schedule_period IS
    'What was issued is never forgotten (ENABLE ALWAYS).';

-- What each seat brought to the pool, where seats feed it: the key makes a seat bring a period's part once.
CREATE TABLE credit.schedule_seat (
    schedule     bigint NOT NULL,
    lot          bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    period       integer NOT NULL,
    account      text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL,
    amount       numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    PRIMARY KEY (account, schedule, member, period)
);
COMMENT ON TABLE credit.schedule_seat IS
    'What each seat brought to the pool, period by period, of schedules with into_pool. Only added to (42501).';
COMMENT ON COLUMN credit.schedule_seat.schedule IS 'The schedule.';
COMMENT ON COLUMN credit.schedule_seat.lot IS 'The lot of the pool that it became a part of.';
COMMENT ON COLUMN credit.schedule_seat.recorded_at IS 'When it was issued; when it was due is the lot''s effective_at.';
COMMENT ON COLUMN credit.schedule_seat.period IS 'The number of the period.';
COMMENT ON COLUMN credit.schedule_seat.account IS 'The account.';
COMMENT ON COLUMN credit.schedule_seat.member IS 'The member whose seat it is.';
COMMENT ON COLUMN credit.schedule_seat.amount IS 'What the seat brought, in the lot''s unit.';
COMMENT ON INDEX credit.schedule_seat_pkey IS 'A seat brings a period''s part once.';
SELECT pg_catalog.pg_extension_config_dump('credit.schedule_seat', '');

CREATE TRIGGER schedule_seat_90_refuse_change BEFORE UPDATE OR DELETE ON credit.schedule_seat
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule_seat ENABLE ALWAYS TRIGGER schedule_seat_90_refuse_change;
COMMENT ON TRIGGER schedule_seat_90_refuse_change ON credit.schedule_seat IS 'What seats brought never changes (ENABLE ALWAYS).';

CREATE TRIGGER schedule_seat_92_refuse_truncate BEFORE TRUNCATE ON credit.schedule_seat
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.schedule_seat ENABLE ALWAYS TRIGGER schedule_seat_92_refuse_truncate;
COMMENT ON TRIGGER schedule_seat_92_refuse_truncate ON credit.schedule_seat IS
    'What seats brought is never forgotten (ENABLE ALWAYS).';

-- The account that is due ---------------------------------------------------------------------------------------------

-- A refresh makes it later, which nobody needs to hear: who remembers the earlier instant looks again when it comes.
CREATE TRIGGER account_96_announce_due AFTER UPDATE OF refresh_at ON credit.account
    FOR EACH ROW WHEN (NEW.refresh_at < COALESCE(OLD.refresh_at, 'infinity')) EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.account ENABLE ALWAYS TRIGGER account_96_announce_due;
COMMENT ON TRIGGER account_96_announce_due ON credit.account IS
    'Tells the backends that remember accounts when something is due earlier (ENABLE ALWAYS).';

-- Views ---------------------------------------------------------------------------------------------------------------

-- One row per schedule, with what it has brought so far.
CREATE VIEW credit.schedules AS
SELECT s.account, s.schedule, s.unit, s.amount, s.every, s.anchor, s.starts_at, s.ends_at, s.periods, s.expires,
    s.expires_periods,
    s.expires_after, s.expires_at, s.proration, s.per_member, s.on_leave, s.rollover, s.category, s.paid, s.currency, s.priority,
        s.true_up,
    CASE WHEN s.ends_at <= clock.now OR s.ends_at = s.starts_at THEN 'ended' WHEN s.starts_at > clock.now THEN 'future'
        ELSE 'active' END AS status,
    issued.lots AS issued_lots, issued.granted AS issued, issued.rolled, s.recorded_at, s.recorded_by, s.metadata,
    p.plan, s.plan_schedule, s.into_pool
FROM (SELECT credit.now() AS now) AS clock, credit.schedule s LEFT JOIN credit.plan_schedule p ON p.schedule = s.plan_schedule,
    LATERAL (SELECT count(*) FILTER (WHERE p.rolled = 0) AS lots,
        COALESCE(trim_scale(sum(l.granted) FILTER (WHERE p.rolled = 0)), 0) AS granted,
                 COALESCE(trim_scale(sum(l.granted) FILTER (WHERE p.rolled > 0)), 0) AS rolled
             FROM credit.schedule_period p JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
             WHERE p.account = s.account AND p.schedule = s.schedule) AS issued;
COMMENT ON VIEW credit.schedules IS 'One row per schedule, with what it has brought so far.';
COMMENT ON COLUMN credit.schedules.account IS 'The account.';
COMMENT ON COLUMN credit.schedules.schedule IS 'The schedule''s id.';
COMMENT ON COLUMN credit.schedules.unit IS 'The unit of its lots.';
COMMENT ON COLUMN credit.schedules.amount IS 'What a whole period brings.';
COMMENT ON COLUMN credit.schedules.every IS 'The length of a period.';
COMMENT ON COLUMN credit.schedules.anchor IS
    'Where period 0 begins. It sets the phase: period n begins at anchor + n * every, by the calendar of the account''s time '
    'zone.';
COMMENT ON COLUMN credit.schedules.starts_at IS
    'The first period is the one that contains this instant; its lot takes effect here.';
COMMENT ON COLUMN credit.schedules.ends_at IS
    'No period begins from here on; the last one ends here. NULL for a schedule without an end.';
COMMENT ON COLUMN credit.schedules.periods IS 'So many periods at most. NULL for no limit.';
COMMENT ON COLUMN credit.schedules.expires IS 'When lots expire: never, period_end, periods, after or at.';
COMMENT ON COLUMN credit.schedules.expires_periods IS
    'A lot lives to the end of so many periods, its own counted, where expires is periods.';
COMMENT ON COLUMN credit.schedules.expires_after IS 'How long a lot lives from its effect on, where expires is after.';
COMMENT ON COLUMN credit.schedules.expires_at IS 'When all lots expire, where expires is at.';
COMMENT ON COLUMN credit.schedules.proration IS
    'Which incomplete periods get a part only, by the days of theirs: none, first, last or both. Rounded as the unit says.';
COMMENT ON COLUMN credit.schedules.per_member IS 'Whether every active member gets the amount, instead of the pool.';
COMMENT ON COLUMN credit.schedules.into_pool IS 'Whether what every active member would get goes into the pool.';
COMMENT ON COLUMN credit.schedules.on_leave IS
    'The fate of a member''s lots when the member is deactivated: expire, return (to the pool) or keep (until they expire).';
COMMENT ON COLUMN credit.schedules.rollover IS
    'What of a lot''s unused part goes on when it expires. NULL: nothing. Keys: fraction_of_unused, max_fraction_of_original, '
    'max_amount, min_amount, max_periods, expires_after, drawn.';
COMMENT ON COLUMN credit.schedules.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.schedules.paid IS 'Money paid for a whole period; for a part of it the same part, cut to 9 decimals.';
COMMENT ON COLUMN credit.schedules.currency IS 'ISO 4217 code of that money.';
COMMENT ON COLUMN credit.schedules.priority IS 'The priority of its lots.';
COMMENT ON COLUMN credit.schedules.true_up IS
    'How often the account is trued up, from the anchor on: it declares the terms where there were none (credit.true_up_terms).';
COMMENT ON COLUMN credit.schedules.status IS 'future, active or ended, now.';
COMMENT ON COLUMN credit.schedules.issued_lots IS 'How many lots it has issued, without those that were rolled.';
COMMENT ON COLUMN credit.schedules.issued IS 'How many credits it has issued, without those that were rolled.';
COMMENT ON COLUMN credit.schedules.rolled IS 'How many credits were rolled, each time counted.';
COMMENT ON COLUMN credit.schedules.recorded_at IS 'When it was declared. What was due before counts from here on.';
COMMENT ON COLUMN credit.schedules.recorded_by IS 'The login role of the session that declared it.';
COMMENT ON COLUMN credit.schedules.metadata IS 'Given to its lots. Not interpreted.';
COMMENT ON COLUMN credit.schedules.plan IS 'The plan that it comes with; NULL for one of the account''s own.';
COMMENT ON COLUMN credit.schedules.plan_schedule IS 'The plan''s schedule that it comes from, in credit.plan_schedule.';

-- Debits registered them, and nobody who may grant gave them a seat.
CREATE VIEW credit.unseated_members AS
SELECT m.account, m.member, m.department, m.kind, m.created_at AS registered_at,
    (SELECT count(*) FROM credit.schedule s
     WHERE s.account = m.account AND s.per_member AND s.ends_at IS DISTINCT FROM s.starts_at
         AND COALESCE(s.ends_at > clock.now, true)) AS schedules,
    pg_catalog.format('SELECT credit_member(%L, %L);', m.account, m.member) AS seated_by
FROM (SELECT credit.now() AS now) AS clock, credit.member m
WHERE m.active AND m.seated_at IS NULL;
COMMENT ON VIEW credit.unseated_members IS
    'Active members without a seat: debits registered them. They spend what is theirs and the pool, and get nothing from '
    'schedules of members.';
COMMENT ON COLUMN credit.unseated_members.account IS 'The account.';
COMMENT ON COLUMN credit.unseated_members.member IS 'The member.';
COMMENT ON COLUMN credit.unseated_members.department IS 'The member''s department.';
COMMENT ON COLUMN credit.unseated_members.kind IS 'What the member is: user, agent or service.';
COMMENT ON COLUMN credit.unseated_members.registered_at IS 'When a debit registered the member.';
COMMENT ON COLUMN credit.unseated_members.schedules IS
    'How many schedules of members the account has that have not ended: what a seat would bring.';
COMMENT ON COLUMN credit.unseated_members.seated_by IS 'The statement that gives the member a seat.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_schedule(text, numeric, interval, timestamptz, timestamptz, timestamptz, integer, text,
    interval, timestamptz, text, boolean, text, jsonb, text, text, numeric, text, integer, interval, text, jsonb, text,
    boolean) IS
'Declares what an account is granted again and again, issues what is due of it, and returns the schedule''s id. With plan '
'instead of account: what every account is granted that is on the plan, those that are on it already included, from when it '
'comes to the plan until it leaves. The first period is the one that contains starts_at (now by default). A lot expires at the '
'end of its period, or as expires (never, 3 periods), expires_after or expires_at say. per_member: every active member gets the '
'amount; with into_pool the pool gets it for each of them, as one lot for all seats of a boundary and one for each that is '
'added within a period.
Errors: 22023 malformed or contradictory argument; 22003 from 10^15 on; P0002 unknown unit or plan; 23505 key used for another '
'request.';

COMMENT ON FUNCTION @extschema@.credit_standard_schedule(text, numeric, timestamptz, integer, interval, numeric, text, text,
    text) IS
'Declares the recommended setup for business customers: an allocation each year, lots that live 12 to 24 months from their '
'effect on, a true-up each quarter. Returns the schedule''s id.
Errors: as credit_schedule().';

COMMENT ON FUNCTION @extschema@.credit_end_schedule(text, bigint, timestamptz, text) IS
'Ends a schedule of an account, or with plan one of a plan and what its accounts have of it, now or at an instant ahead: no '
'period begins from then on, and the last one ends there. What was issued stays. Returns the schedule''s id.
Errors: 22023 malformed argument; P0002 unknown account or schedule; 55000 an end in the past, a schedule that has ended, or '
'one of an account that comes with its plan.';

COMMENT ON FUNCTION @extschema@.credit_schedule_preview(text, bigint, timestamptz) IS
'The lots that a schedule brings the pool, by the seats of now where seats feed it, or a member who is there all the time, from '
'its start up to an instant, without what rolls over.
Errors: 22023 malformed argument; P0002 unknown account or schedule.';

COMMENT ON FUNCTION @extschema@.credit_refresh(timestamptz, integer) IS
'Issues what was due until an instant (now by default), of at most max_accounts; how many lots came to be. It waits for nobody: '
'what a running transaction holds is left to the next time. What is usable never depends on it.
Errors: 22023 malformed argument, or an instant in the future.';
COMMENT ON FUNCTION @extschema@.credit_refresh(text, timestamptz) IS
'Issues what was due of one account until an instant (now by default); how many lots came to be. It waits for nobody: what a '
'running transaction holds is left to the next time. What is usable never depends on it.
Errors: 22023 malformed argument, or an instant in the future; P0002 unknown account.';

SET LOCAL search_path TO @extschema@, pg_temp;
