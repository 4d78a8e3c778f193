-- Triggers and functions of spending caps.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Debits remember which caps apply; `slots` grows without being told.
CREATE TRIGGER cap_95_announce
    AFTER INSERT OR DELETE OR UPDATE OF anchor, ended_at, unit, member, department, operation, amount, every, rolling, step, covers, action
    ON credit.cap
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
CREATE TRIGGER cap_91_refuse_delete BEFORE DELETE ON credit.cap
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER cap_92_refuse_truncate BEFORE TRUNCATE ON credit.cap
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER cap_slot_91_refuse_delete BEFORE DELETE ON credit.cap_slot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
CREATE TRIGGER cap_slot_92_refuse_truncate BEFORE TRUNCATE ON credit.cap_slot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.cap ENABLE ALWAYS TRIGGER cap_95_announce;
ALTER TABLE credit.cap ENABLE ALWAYS TRIGGER cap_91_refuse_delete;
ALTER TABLE credit.cap ENABLE ALWAYS TRIGGER cap_92_refuse_truncate;
ALTER TABLE credit.cap_slot ENABLE ALWAYS TRIGGER cap_slot_91_refuse_delete;
ALTER TABLE credit.cap_slot ENABLE ALWAYS TRIGGER cap_slot_92_refuse_truncate;

-- What of a cap counts at an instant: what was recorded from starts_at on, until ends_at. Period number n of the calendar begins at the anchor
-- plus n times the length, by the account's calendar. Of a rolling window it is the step that runs and those before it of which a part
-- still lies in the window; steps are of seconds, whatever the calendar says.
CREATE FUNCTION credit.cap_period(anchor timestamptz, every text, rolling interval, step interval, time_zone text, at timestamptz,
        OUT starts_at timestamptz, OUT ends_at timestamptz, OUT running timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    -- Parsed here, once: whoever reads a view of somebody else's over ours may call it and not look into the schema.
    BEGIN ATOMIC
    (SELECT credit.add_interval(anchor, number * length, time_zone), credit.add_interval(anchor, (number + 1) * length, time_zone), NULL::timestamptz
    -- The mean lengths of the Gregorian calendar, which repeats itself: however far away the anchor is, they are at most two periods off.
    FROM (VALUES ('day', interval '1 day', 86400), ('week', interval '7 days', 604800), ('month', interval '1 month', 2629746),
            ('quarter', interval '3 months', 7889238), ('year', interval '1 year', 31556952)) AS of_length (name, length, mean),
        LATERAL (SELECT floor(EXTRACT(epoch FROM at - anchor) / mean)::bigint AS about) AS guess,
        LATERAL (SELECT number::double precision FROM generate_series(about + 2, about - 2, -1) AS number) AS near
    WHERE name = every AND credit.add_interval(anchor, number * length, time_zone) <= at
    ORDER BY number DESC LIMIT 1)
    UNION ALL
    SELECT begins - make_interval(secs => EXTRACT(epoch FROM rolling)::bigint), begins + make_interval(secs => EXTRACT(epoch FROM step)::bigint), begins
    FROM (SELECT anchor + make_interval(secs => floor(EXTRACT(epoch FROM at - anchor) / EXTRACT(epoch FROM step)) * EXTRACT(epoch FROM step)) AS begins)
        AS of_step WHERE rolling IS NOT NULL;
END;

-- What a slot has counted that counts in a period, step by step; all in one, the period's, for periods of the calendar. What was used
-- later than now counts where a window sees both. A clock that was ahead has counted in periods of the calendar that were still to come.
CREATE FUNCTION credit.cap_used(used numeric, period_start timestamptz, steps timestamptz[], used_by_step numeric[], starts_at timestamptz,
        running timestamptz, OUT step timestamptz, OUT spent numeric) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT period_start, used WHERE running IS NULL AND period_start = starts_at
    UNION ALL
    SELECT s.step, s.spent FROM unnest(steps, used_by_step) AS s (step, spent)
    WHERE CASE WHEN running IS NULL THEN period_start < starts_at AND s.step = starts_at
               ELSE s.step >= starts_at AND s.step - running <= running - starts_at END
$$;

-- What the ledger says was spent of a cap from an instant on, at which a period or a step begins: debits that are recorded since, and
-- corrections of them; by the steps or periods in which the debits were recorded. Only a clock that was ahead records in later periods.
CREATE FUNCTION credit.cap_spent_by_step(of_account text, of_cap bigint, since timestamptz, OUT step timestamptz, OUT spent numeric)
    RETURNS SETOF record
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN c.rolling IS NOT NULL THEN c.anchor + make_interval(secs =>
                floor(EXTRACT(epoch FROM used.recorded_at - c.anchor) / EXTRACT(epoch FROM c.step)) * EXTRACT(epoch FROM c.step))
            WHEN used.recorded_at < c.first_ends_at THEN since
            ELSE (SELECT p.starts_at FROM credit.cap_period(c.anchor, c.every, NULL, NULL, c.time_zone, used.recorded_at) AS p) END, - sum(e.amount)
    FROM (SELECT k.*, a.time_zone, (SELECT p.ends_at FROM credit.cap_period(k.anchor, k.every, NULL, NULL, a.time_zone, since) AS p) AS first_ends_at
            FROM credit.cap k JOIN credit.account a ON a.account = k.account OFFSET 0) AS c
        JOIN credit.entry e ON e.account = c.account JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot,
        LATERAL (SELECT e.member, e.department, e.operation, e.recorded_at WHERE e.kind = 'debit'
            UNION ALL
            (SELECT d.member, d.department, d.operation, d.recorded_at FROM credit.entry d
             WHERE e.kind = 'adjustment' AND d.account = e.account AND d.posting = e.corrects AND d.kind = 'debit' AND d.recorded_at >= since
             ORDER BY d.line LIMIT 1)) AS used
    WHERE c.account = of_account AND c.cap = of_cap AND e.account = of_account AND e.recorded_at >= since AND l.unit = c.unit
        AND (c.covers = 'everything' OR l.member IS NULL)
        AND (c.operation IS NULL OR c.operation = used.operation) AND (c.member IS NULL OR c.member = used.member)
        AND (c.department IS NULL OR c.department = used.department OR starts_with(used.department, c.department || '/'))
    GROUP BY 1
$$;

-- Where a cap stands at an instant, as a debit would find it: `at` is later where the counters were written by a clock that read more, by
-- a day at most, or the window where that is shorter; further ahead they are astray, and the ledger says what is used. `used` comes step by
-- step for rolling windows.
CREATE FUNCTION credit.cap_state(of_account text, of_cap bigint, now timestamptz, OUT at timestamptz, OUT starts_at timestamptz,
        OUT ends_at timestamptz, OUT running timestamptz, OUT used numeric, OUT steps timestamptz[], OUT used_by_step numeric[])
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT seen.at, p.starts_at, p.ends_at, p.running, u.used, u.steps, u.used_by_step
    FROM credit.cap c JOIN credit.account a ON a.account = c.account,
        LATERAL (SELECT max(s.period_start) + COALESCE(make_interval(secs => EXTRACT(epoch FROM c.rolling)::bigint), '0') AS ready
            FROM credit.cap_slot s WHERE s.account = c.account AND s.cap = c.cap) AS counted,
        LATERAL (SELECT counted.ready > now + most AS is_astray, CASE WHEN counted.ready <= now + most THEN GREATEST(now, counted.ready) ELSE now END AS at
            FROM (SELECT LEAST(interval '1 day', make_interval(secs => EXTRACT(epoch FROM c.rolling)::bigint)) AS most) AS excused) AS seen,
        LATERAL credit.cap_period(c.anchor, c.every, c.rolling, c.step, a.time_zone, seen.at) AS p,
        LATERAL (SELECT COALESCE(sum(k.spent), 0) AS used, array_agg(k.step) AS steps, array_agg(k.spent) AS used_by_step
            FROM (SELECT u.step, u.spent
                FROM credit.cap_slot s, LATERAL credit.cap_used(s.used, s.period_start, s.steps, s.used_by_step, p.starts_at, p.running) AS u
                WHERE NOT seen.is_astray AND s.account = c.account AND s.cap = c.cap
                UNION ALL
                SELECT u.step, u.spent FROM credit.cap_spent_by_step(c.account, c.cap, p.starts_at) AS u
                WHERE seen.is_astray AND CASE WHEN p.running IS NULL THEN u.step = p.starts_at ELSE u.step - p.running <= p.running - p.starts_at END) AS k) AS u
    WHERE c.account = of_account AND c.cap = of_cap
$$;

-- The same in one sum.
CREATE FUNCTION credit.cap_spent(of_account text, of_cap bigint, since timestamptz) RETURNS numeric
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE(sum(spent), 0) FROM credit.cap_spent_by_step(of_account, of_cap, since)
$$;

SET LOCAL search_path TO @extschema@, pg_temp;
