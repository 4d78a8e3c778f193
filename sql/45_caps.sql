-- Spending caps, and what they count.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Caps and their slots ------------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.cap_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.cap_id IS 'Ids of spending caps.';
SELECT pg_catalog.pg_extension_config_dump('credit.cap_id', '');

-- Whose spending is limited: a member's, a department's with all below it, or the account's; of one operation or of all. A cap's
-- scope, period and action stay; `slots` is its state. A rolling window is a number of whole steps, in which it is counted.
CREATE TABLE credit.cap (
    cap           bigint NOT NULL,
    anchor        timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    changed_after bigint NOT NULL DEFAULT 0,
    slots         smallint NOT NULL DEFAULT 1 CHECK (slots > 0),
    account       text COLLATE "C" NOT NULL,
    unit          text COLLATE "C" NOT NULL,
    member        text COLLATE "C",
    department    text COLLATE "C",
    operation     text COLLATE "C",
    amount        numeric NOT NULL CHECK (amount > 0 AND amount < 1e15),
    every         text COLLATE "C" CHECK (every IN ('day', 'week', 'month', 'quarter', 'year')),
    rolling       interval,
    step          interval,
    covers        text COLLATE "C" NOT NULL CHECK (covers IN ('everything', 'pool')),
    action        text COLLATE "C" NOT NULL CHECK (action IN ('block', 'warn')),
    recorded_by   text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, cap),
    CHECK (member IS NULL OR department IS NULL),
    CHECK ((every IS NULL) = (rolling IS NOT NULL) AND (rolling IS NULL) = (step IS NULL))
);
COMMENT ON TABLE credit.cap IS
    'Spending caps: what may be debited in each period, or any stretch of time of one length, for a member, a department with '
    'all below it, or an account.';
COMMENT ON COLUMN credit.cap.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.cap.anchor IS
    'When a period begins: period n begins at the anchor plus n times its length, by the account''s calendar. The steps of a '
    'rolling window are counted from it in seconds.';
COMMENT ON COLUMN credit.cap.created_at IS 'When the cap was made.';
COMMENT ON COLUMN credit.cap.changed_at IS 'When its limit was last changed.';
COMMENT ON COLUMN credit.cap.ended_at IS 'When it was ended; NULL while it applies.';
COMMENT ON COLUMN credit.cap.changed_after IS
    'The last id that a posting had when its limit was last changed: those that follow count against this limit.';
COMMENT ON COLUMN credit.cap.slots IS 'In how many rows of credit.cap_slot the limit lies.';
COMMENT ON COLUMN credit.cap.account IS 'The account.';
COMMENT ON COLUMN credit.cap.unit IS 'The unit that is counted.';
COMMENT ON COLUMN credit.cap.member IS 'The member whose spending is limited; NULL for a department or the account.';
COMMENT ON COLUMN credit.cap.department IS
    'The department whose spending is limited, with all below it; NULL for a member or the account.';
COMMENT ON COLUMN credit.cap.operation IS 'The operation that is limited; NULL for all.';
COMMENT ON COLUMN credit.cap.amount IS 'The limit of a period or window, in the unit.';
COMMENT ON COLUMN credit.cap.every IS 'The period: day, week, month, quarter or year; NULL for a rolling window.';
COMMENT ON COLUMN credit.cap.rolling IS
    'The length of the rolling window, in which a day has 24 hours; NULL for a period of the calendar.';
COMMENT ON COLUMN credit.cap.step IS
    'The length of the steps in which the rolling window is counted: what was debited counts until all of its step lies outside '
    'the window.';
COMMENT ON COLUMN credit.cap.covers IS 'What counts: everything, or pool: only what pooled lots pay.';
COMMENT ON COLUMN credit.cap.action IS 'What happens beyond the limit: block refuses the debit, warn posts it with a warning.';
COMMENT ON COLUMN credit.cap.recorded_by IS 'The role that made it.';
COMMENT ON INDEX credit.cap_pkey IS 'The caps of an account.';
SELECT pg_catalog.pg_extension_config_dump('credit.cap', '');

CREATE TRIGGER cap_91_refuse_delete BEFORE DELETE ON credit.cap
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.cap ENABLE ALWAYS TRIGGER cap_91_refuse_delete;
COMMENT ON TRIGGER cap_91_refuse_delete ON credit.cap IS 'A cap is ended with credit_end_cap(), not deleted: 42501.';

CREATE TRIGGER cap_92_refuse_truncate BEFORE TRUNCATE ON credit.cap
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.cap ENABLE ALWAYS TRIGGER cap_92_refuse_truncate;
COMMENT ON TRIGGER cap_92_refuse_truncate ON credit.cap IS 'Caps are ended, not deleted: 42501.';

-- Debits remember which caps apply; `slots` grows without being told.
CREATE TRIGGER cap_95_announce
    AFTER INSERT OR DELETE OR UPDATE OF anchor, ended_at, unit, member, department, operation, amount, every, rolling, step,
        covers, action
    ON credit.cap
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.cap ENABLE ALWAYS TRIGGER cap_95_announce;
COMMENT ON TRIGGER cap_95_announce ON credit.cap IS 'Tells debits that remember caps that one was added or changed.';

-- A part of a cap's limit and what was used of it, as credit.slot is a part of a lot: a debit counts in one of them that nobody
-- holds. `used` belongs to the period that began at `period_start`; in a later one it counts as nothing, and the next debit says
-- so. Of a rolling window it is the sum of `used_by_step`: what was used in the steps that began at `steps`, as far back as
-- `period_start`.
CREATE TABLE credit.cap_slot (
    cap           bigint NOT NULL,
    period_start  timestamptz NOT NULL,
    slot          smallint NOT NULL,
    account       text COLLATE "C" NOT NULL,
    allowance     numeric NOT NULL,
    used          numeric NOT NULL,
    held          numeric NOT NULL DEFAULT 0,
    steps         timestamptz[],
    used_by_step  numeric[],
    PRIMARY KEY (account, cap, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE credit.cap_slot IS 'Parts of the caps'' limits with what was used of them.';
COMMENT ON COLUMN credit.cap_slot.cap IS 'The cap.';
COMMENT ON COLUMN credit.cap_slot.period_start IS
    'When the period began that used belongs to; in a later one nothing is used yet. Of a rolling window: how far back it is '
    'complete.';
COMMENT ON COLUMN credit.cap_slot.slot IS 'The slot''s number, from 0.';
COMMENT ON COLUMN credit.cap_slot.account IS 'The account.';
COMMENT ON COLUMN credit.cap_slot.allowance IS 'The part of the limit, in the cap''s unit.';
COMMENT ON COLUMN credit.cap_slot.used IS 'What was used of it, in the cap''s unit.';
COMMENT ON COLUMN credit.cap_slot.held IS
    'What open holds have of it, in the cap''s unit, also those that have ended and were not given back yet. It belongs to no '
    'period.';
COMMENT ON COLUMN credit.cap_slot.steps IS
    'When the steps began in which something was used, of a rolling window. Of the calendar: when the later periods begin in '
    'which a clock that was ahead has used something; mostly NULL.';
COMMENT ON COLUMN credit.cap_slot.used_by_step IS 'What was used in each of the steps or later periods, in the cap''s unit.';
COMMENT ON INDEX credit.cap_slot_pkey IS 'The slots of a cap.';
SELECT pg_catalog.pg_extension_config_dump('credit.cap_slot', '');

CREATE TRIGGER cap_slot_91_refuse_delete BEFORE DELETE ON credit.cap_slot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.cap_slot ENABLE ALWAYS TRIGGER cap_slot_91_refuse_delete;
COMMENT ON TRIGGER cap_slot_91_refuse_delete ON credit.cap_slot IS 'Counters are never deleted: 42501.';

CREATE TRIGGER cap_slot_92_refuse_truncate BEFORE TRUNCATE ON credit.cap_slot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.cap_slot ENABLE ALWAYS TRIGGER cap_slot_92_refuse_truncate;
COMMENT ON TRIGGER cap_slot_92_refuse_truncate ON credit.cap_slot IS 'Counters are never deleted: 42501.';

-- What a cap counts ---------------------------------------------------------------------------------------------------

-- What of a cap counts at an instant: what was recorded from starts_at on, until ends_at. Period number n of the calendar begins
-- at the anchor plus n times the length, by the account's calendar. Of a rolling window it is the step that runs and those before
-- it of which a part still lies in the window; steps are of seconds, whatever the calendar says.
CREATE FUNCTION credit.cap_period(anchor timestamptz, every text, rolling interval, step interval, time_zone text, at timestamptz,
        OUT starts_at timestamptz, OUT ends_at timestamptz, OUT running timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    -- Parsed here, once: whoever reads a view of somebody else's over ours may call it and not look into the schema.
    BEGIN ATOMIC
    -- As credit.add_interval() does it, without the cost of so many calls. The mean lengths are those of the Gregorian calendar,
    -- which repeats itself: however far away the anchor is, they are at most two periods off.
    (SELECT max(begins) FILTER (WHERE begins <= at), min(begins) FILTER (WHERE begins > at), NULL::timestamptz
    FROM (SELECT CASE number WHEN 0 THEN anchor
        ELSE (anchor AT TIME ZONE time_zone + number * length) AT TIME ZONE time_zone END AS begins
        FROM (SELECT CASE every WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days'
            WHEN 'month' THEN interval '1 month'
                     WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END AS length,
                 floor(EXTRACT(epoch FROM at - anchor) / CASE every WHEN 'day' THEN 86400 WHEN 'week' THEN 604800
                     WHEN 'month' THEN 2629746
                     WHEN 'quarter' THEN 7889238 ELSE 31556952 END)::bigint AS about) AS guess,
            generate_series(about - 3, about + 3) AS near (of_guess),
                LATERAL (SELECT of_guess::double precision AS number) AS near_it) AS periods
    WHERE every IS NOT NULL HAVING every IS NOT NULL)
    UNION ALL
    SELECT begins - make_interval(secs => EXTRACT(epoch FROM rolling)::bigint),
        begins + make_interval(secs => EXTRACT(epoch FROM step)::bigint), begins
    FROM (SELECT anchor + make_interval(secs => floor(EXTRACT(epoch FROM at - anchor) / EXTRACT(epoch FROM step)) * EXTRACT(epoch
        FROM step)) AS begins)
        AS of_step WHERE rolling IS NOT NULL;
END;
COMMENT ON FUNCTION credit.cap_period(timestamptz, text, interval, interval, text, timestamptz) IS
    'What of a cap counts at an instant: the period that contains it, by the calendar of a time zone; of a rolling window the '
    'step that runs and those before it that the window still sees.';

-- What a slot has counted that counts in a period, step by step; all in one, the period's, for periods of the calendar. What was
-- used later than now counts where a window sees both. A clock that was ahead has counted in periods of the calendar that were
-- still to come.
CREATE FUNCTION credit.cap_used(used numeric, period_start timestamptz, steps timestamptz[], used_by_step numeric[],
    starts_at timestamptz,
        running timestamptz, OUT step timestamptz, OUT spent numeric) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT period_start, used WHERE running IS NULL AND period_start = starts_at
    UNION ALL
    SELECT s.step, s.spent FROM unnest(steps, used_by_step) AS s (step, spent)
    WHERE CASE WHEN running IS NULL THEN period_start < starts_at AND s.step = starts_at
               ELSE s.step >= starts_at AND s.step - running <= running - starts_at END
$$;
COMMENT ON FUNCTION credit.cap_used(numeric, timestamptz, timestamptz[], numeric[], timestamptz, timestamptz) IS
    'What of a cap''s slot counts, by step, in the cap''s unit.';

-- What the ledger says was spent of caps: debits, and corrections of them, which count when the debit was recorded.
CREATE VIEW credit.cap_spending AS
SELECT c.account, c.cap, e.recorded_at, used.recorded_at AS used_at, - e.amount AS amount, e.posting, e.hold
FROM credit.cap c JOIN credit.entry e ON e.account = c.account JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot,
    LATERAL (SELECT e.member, e.department, e.operation, e.recorded_at WHERE e.kind = 'debit'
        UNION ALL
        (SELECT e.member, e.department, e.operation, d.recorded_at FROM credit.entry d
         WHERE e.kind = 'adjustment' AND d.account = e.account AND d.posting = e.corrects AND d.lot = e.lot AND d.kind = 'debit'
         ORDER BY d.line LIMIT 1)) AS used
WHERE l.unit = c.unit AND (c.covers = 'everything' OR l.member IS NULL)
    AND (c.operation IS NULL OR c.operation = used.operation) AND (c.member IS NULL OR c.member = used.member)
    AND (c.department IS NULL OR c.department = used.department OR starts_with(used.department, c.department || '/'));
COMMENT ON VIEW credit.cap_spending IS 'What the ledger says was spent of every cap, line by line: for the extension itself.';
COMMENT ON COLUMN credit.cap_spending.account IS 'The account.';
COMMENT ON COLUMN credit.cap_spending.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.cap_spending.recorded_at IS 'When the line was recorded.';
COMMENT ON COLUMN credit.cap_spending.used_at IS
    'When the debit was recorded, of a correction the debit that it corrects: it counts then.';
COMMENT ON COLUMN credit.cap_spending.amount IS 'What counts, in the unit; below zero for what was given back.';
COMMENT ON COLUMN credit.cap_spending.posting IS 'The posting of the line.';
COMMENT ON COLUMN credit.cap_spending.hold IS 'The hold that it was captured from; NULL for none.';

-- The same from an instant on, at which a period or a step begins, by the steps or periods in which the debits were recorded.
-- Only a clock that was ahead records in later periods, and only one that was set back since records a correction before its
-- debit.
CREATE FUNCTION credit.cap_spent_by_step(of_account text, of_cap bigint, since timestamptz, OUT step timestamptz,
    OUT spent numeric)
    RETURNS SETOF record
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN c.rolling IS NOT NULL THEN c.anchor + make_interval(secs =>
                floor(EXTRACT(epoch FROM s.used_at - c.anchor) / EXTRACT(epoch FROM c.step)) * EXTRACT(epoch FROM c.step))
            WHEN s.used_at < c.first_ends_at THEN since
            ELSE (SELECT p.starts_at FROM credit.cap_period(c.anchor, c.every, NULL, NULL, c.time_zone, s.used_at) AS p) END,
        sum(s.amount)
    FROM (SELECT k.*, a.time_zone,
                (SELECT p.ends_at FROM credit.cap_period(k.anchor, k.every, NULL, NULL, a.time_zone, since) AS p) AS first_ends_at
            FROM credit.cap k JOIN credit.account a ON a.account = k.account
            WHERE k.account = of_account AND k.cap = of_cap OFFSET 0) AS c,
        credit.cap_spending AS s
    WHERE s.account = of_account AND s.cap = of_cap AND s.used_at >= since
        -- A correction comes after its debit by posting, so that the older part of the ledger need not be read.
        AND s.posting >= (SELECT min(e.posting + 0) FROM credit.entry e WHERE e.account = of_account AND e.recorded_at >= since)
    GROUP BY 1
$$;
COMMENT ON FUNCTION credit.cap_spent_by_step(text, bigint, timestamptz) IS
    'What the ledger says was spent of a cap from an instant on, by step, in the cap''s unit.';

-- The same in one sum.
CREATE FUNCTION credit.cap_spent(of_account text, of_cap bigint, since timestamptz) RETURNS numeric
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE(sum(spent), 0) FROM credit.cap_spent_by_step(of_account, of_cap, since)
$$;
COMMENT ON FUNCTION credit.cap_spent(text, bigint, timestamptz) IS
    'What the ledger says was spent of a cap from an instant on, in the cap''s unit.';

-- What every open hold has of every cap. A hold counts as the debit would that captures it.
CREATE VIEW credit.cap_holding AS
SELECT c.account, c.cap, h.hold, h.open_until, sum(o.open) AS amount
FROM credit.cap c JOIN credit.hold h ON h.account = c.account AND h.unit = c.unit AND h.open_until IS NOT NULL,
    LATERAL unnest(h.open, h.pooled) AS o (open, pooled)
WHERE c.ended_at IS NULL AND (c.covers = 'everything' OR o.pooled) AND (c.operation IS NULL OR c.operation = h.operation)
    AND (c.member IS NULL OR c.member = h.member)
    AND (c.department IS NULL OR c.department = h.department OR starts_with(h.department, c.department || '/'))
GROUP BY c.account, c.cap, h.account, h.hold;
COMMENT ON VIEW credit.cap_holding IS 'What every open hold has of every cap: for the extension itself.';
COMMENT ON COLUMN credit.cap_holding.account IS 'The account.';
COMMENT ON COLUMN credit.cap_holding.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.cap_holding.hold IS 'The hold''s id.';
COMMENT ON COLUMN credit.cap_holding.open_until IS 'When the hold ends.';
COMMENT ON COLUMN credit.cap_holding.amount IS 'What of the hold counts to the cap, in the unit.';

-- Views ---------------------------------------------------------------------------------------------------------------

-- Where every cap stands now, as a debit would find it: `at` is later than now where its counters were written by a clock that
-- read more, by a day at most, or the window where that is shorter; further ahead they are astray, and the ledger says what is
-- used.
CREATE VIEW credit.cap_state AS
SELECT c.account, c.cap, seen.at, p.starts_at, p.ends_at, p.running, s.used, s.steps, s.used_by_step, counted.held
FROM (SELECT credit.now() AS now) AS clock, credit.cap c JOIN credit.account a ON a.account = c.account,
    LATERAL (SELECT make_interval(secs => EXTRACT(epoch FROM c.rolling)::bigint) AS length) AS span,
    LATERAL (SELECT max(s.period_start) + COALESCE(span.length, '0') AS ready,
        clock.now + LEAST(interval '1 day', span.length) AS latest, COALESCE(sum(s.held), 0) AS held
        FROM credit.cap_slot s WHERE s.account = c.account AND s.cap = c.cap) AS counted,
    LATERAL (SELECT counted.ready > counted.latest AS is_astray, CASE WHEN counted.ready <= counted.latest
        THEN GREATEST(clock.now, counted.ready) ELSE clock.now END AS at)
        AS seen,
    LATERAL credit.cap_period(c.anchor, c.every, c.rolling, c.step, a.time_zone, seen.at) AS p,
    LATERAL (SELECT COALESCE(sum(k.spent), 0) AS used, array_agg(k.step) AS steps, array_agg(k.spent) AS used_by_step
        FROM (SELECT u.step, u.spent
            FROM credit.cap_slot s, LATERAL credit.cap_used(s.used, s.period_start, s.steps, s.used_by_step, p.starts_at,
                p.running) AS u
            WHERE NOT seen.is_astray AND s.account = c.account AND s.cap = c.cap
            UNION ALL
            SELECT u.step, sum(u.amount)
            FROM (SELECT CASE WHEN p.running IS NULL THEN p.starts_at ELSE c.anchor + make_interval(secs =>
                        floor(EXTRACT(epoch FROM g.used_at - c.anchor) / EXTRACT(epoch FROM c.step)) * EXTRACT(epoch
                            FROM c.step)) END AS step, g.amount
                FROM credit.cap_spending AS g
                WHERE seen.is_astray AND g.account = c.account AND g.cap = c.cap AND g.recorded_at >= p.starts_at
                    AND g.used_at >= p.starts_at
                    AND (p.running IS NOT NULL OR g.used_at < p.ends_at)) AS u
            WHERE p.running IS NULL OR u.step - p.running <= p.running - p.starts_at
            GROUP BY u.step) AS k) AS s;
COMMENT ON VIEW credit.cap_state IS
    'Where every cap stands now, with the counters as they are kept: for the extension itself. credit.caps shows it to people.';
COMMENT ON COLUMN credit.cap_state.account IS 'The account.';
COMMENT ON COLUMN credit.cap_state.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.cap_state.at IS
    'The instant for which this is: now, or later where the clock was set back behind what the counters say.';
COMMENT ON COLUMN credit.cap_state.starts_at IS 'When the running period began; of a rolling window: from when on debits count.';
COMMENT ON COLUMN credit.cap_state.ends_at IS 'When the next period begins, or the next step of a rolling window.';
COMMENT ON COLUMN credit.cap_state.running IS
    'When the running step of a rolling window began; NULL for a period of the calendar.';
COMMENT ON COLUMN credit.cap_state.used IS 'What counts as used, in the unit.';
COMMENT ON COLUMN credit.cap_state.steps IS
    'When the steps began in which something was used that counts; of the calendar the running period.';
COMMENT ON COLUMN credit.cap_state.used_by_step IS 'What was used in each of the steps, in the unit.';
COMMENT ON COLUMN credit.cap_state.held IS
    'What holds have of the cap, in the unit, with those that have ended and that nobody has given back.';

-- One row per cap that has not ended, with what was used of it in the running period, and what is left.
CREATE VIEW credit.caps AS
SELECT c.account, c.cap, c.unit, c.member, c.department, c.operation, c.every, c.rolling, c.covers, c.action, c.amount AS "limit",
    trim_scale(s.used) AS used, trim_scale(held.held) AS held,
    trim_scale(GREATEST(c.amount - s.used - held.held, 0)) AS headroom, p.starts_at AS period_start,
    CASE WHEN c.rolling IS NULL THEN p.ends_at
        ELSE s.earliest + make_interval(secs => EXTRACT(epoch FROM p.ends_at - p.starts_at)::bigint) END AS resets_at,
    c.created_at, c.changed_at, c.recorded_by
FROM credit.cap c JOIN credit.cap_state p ON p.account = c.account AND p.cap = c.cap,
    LATERAL (SELECT p.used, min(step) AS earliest FROM unnest(p.steps) AS step) AS s,
    LATERAL (SELECT CASE WHEN p.held = 0 THEN 0 ELSE p.held - (SELECT COALESCE(sum(h.amount), 0) FROM credit.cap_holding h
        WHERE h.account = c.account AND h.cap = c.cap AND h.open_until <= p.at) END AS held) AS held
WHERE c.ended_at IS NULL;
COMMENT ON VIEW credit.caps IS 'Spending caps that apply now, with what was used in the running period and what is left.';
COMMENT ON COLUMN credit.caps.account IS 'The account.';
COMMENT ON COLUMN credit.caps.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.caps.unit IS 'The unit that is counted.';
COMMENT ON COLUMN credit.caps.member IS 'The member whose spending is limited, if one''s is.';
COMMENT ON COLUMN credit.caps.department IS 'The department whose spending is limited, with all below it.';
COMMENT ON COLUMN credit.caps.operation IS 'The operation that is limited; NULL for all.';
COMMENT ON COLUMN credit.caps.every IS 'The period: day, week, month, quarter or year; NULL for a rolling window.';
COMMENT ON COLUMN credit.caps.rolling IS 'The length of the rolling window; NULL for a period of the calendar.';
COMMENT ON COLUMN credit.caps.covers IS 'What counts: everything, or pool: only what pooled lots pay.';
COMMENT ON COLUMN credit.caps.action IS 'What happens beyond the limit: block or warn.';
COMMENT ON COLUMN credit.caps."limit" IS 'The limit of a period or window, in the unit.';
COMMENT ON COLUMN credit.caps.used IS 'What counts as used now, in the unit.';
COMMENT ON COLUMN credit.caps.held IS 'What open holds have of the limit, in the unit.';
COMMENT ON COLUMN credit.caps.headroom IS 'What is left of the limit: limit - used - held, in the unit; never below 0.';
COMMENT ON COLUMN credit.caps.period_start IS 'When the running period began; of a rolling window: from when on debits count.';
COMMENT ON COLUMN credit.caps.resets_at IS
    'When the next period begins; of a rolling window: when the next part of what is used counts no more, NULL if nothing is '
    'used.';
COMMENT ON COLUMN credit.caps.created_at IS 'When the cap was made.';
COMMENT ON COLUMN credit.caps.changed_at IS 'When its limit was last changed.';
COMMENT ON COLUMN credit.caps.recorded_by IS 'The role that made it.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_cap(text, numeric, text, text, text, text, text, interval, timestamptz, text, text) IS
'Limits what may be debited in each period (every: day, week, month, quarter, year; a month by default) or in any stretch of '
'time of one length (rolling: whole minutes, up to 3660 days) for a member, a department with all below it, or the whole '
'account; for one operation or all. Returns the cap''s id. The same scope, period or window, covers and action again changes '
'the limit; what was used stays counted. A new cap counts what was spent in the running period. Debits count when they are '
'recorded, whenever the usage was. covers ''pool'' counts only what pooled lots pay. action ''block'' refuses debits beyond the '
'limit (54000), ''warn'' posts them with a warning. Periods begin at anchor plus whole periods, by the account''s calendar: by '
'default at local midnight, on Mondays, on the first of the month, quarter or year. A rolling window is counted in 24 to 30 '
'steps from the anchor on: a debit counts until all of its step lies outside the window.
Errors: 22023 malformed argument, member and department together, a period and a window together, or caps that contradict each '
'other; P0002 unknown account, unit or member; 55000 inactive member, or another anchor for a cap that exists; 40001 and 40P01: '
'repeat the transaction.';

COMMENT ON FUNCTION @extschema@.credit_end_cap(text, bigint) IS
'Ends a cap at once; false when it had ended before.
Errors: 22023 malformed argument; P0002 unknown account or cap.';

SET LOCAL search_path TO @extschema@, pg_temp;
