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
    FROM (SELECT CASE every WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days' WHEN 'month' THEN interval '1 month'
                     WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END AS length) AS of_length,
        -- The mean length is at most a period off.
        LATERAL (SELECT floor(EXTRACT(epoch FROM at - anchor) / EXTRACT(epoch FROM length))::integer AS about) AS guess,
        LATERAL generate_series(about + 1, about - 2, -1) AS number
    WHERE every IS NOT NULL AND credit.add_interval(anchor, number * length, time_zone) <= at
    ORDER BY number DESC LIMIT 1)
    UNION ALL
    SELECT begins - make_interval(secs => EXTRACT(epoch FROM rolling)::bigint), begins + make_interval(secs => EXTRACT(epoch FROM step)::bigint), begins
    FROM (SELECT anchor + make_interval(secs => floor(EXTRACT(epoch FROM at - anchor) / EXTRACT(epoch FROM step)) * EXTRACT(epoch FROM step)) AS begins)
        AS of_step WHERE rolling IS NOT NULL;
END;

-- What a slot has counted that counts in a period, step by step; all in one, the period's, for periods of the calendar. What was used
-- later than now counts where a window sees both.
CREATE FUNCTION credit.cap_used(used numeric, period_start timestamptz, steps timestamptz[], used_by_step numeric[], starts_at timestamptz,
        running timestamptz, OUT step timestamptz, OUT spent numeric) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT period_start, used WHERE steps IS NULL AND period_start = starts_at
    UNION ALL
    SELECT s.step, s.spent FROM unnest(steps, used_by_step) AS s (step, spent)
    WHERE s.step >= starts_at AND s.step - running <= running - starts_at
$$;

-- What the ledger says was spent of a cap from an instant on: debits that are recorded since, and corrections of them; by the steps in
-- which the debits were recorded, or all together for periods of the calendar.
CREATE FUNCTION credit.cap_spent_by_step(of_account text, of_cap bigint, since timestamptz, OUT step timestamptz, OUT spent numeric)
    RETURNS SETOF record
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN c.rolling IS NULL THEN since ELSE c.anchor + make_interval(secs =>
            floor(EXTRACT(epoch FROM used.recorded_at - c.anchor) / EXTRACT(epoch FROM c.step)) * EXTRACT(epoch FROM c.step)) END, - sum(e.amount)
    FROM credit.cap c JOIN credit.entry e ON e.account = c.account JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot,
        LATERAL (SELECT e.member, e.department, e.operation, e.recorded_at WHERE e.kind = 'debit'
            UNION ALL
            (SELECT e.member, e.department, e.operation, d.recorded_at FROM credit.entry d
             WHERE e.kind = 'adjustment' AND d.account = e.account AND d.posting = e.corrects AND d.lot = e.lot AND d.kind = 'debit'
                 AND d.recorded_at >= since
             ORDER BY d.line LIMIT 1)) AS used
    WHERE c.account = of_account AND c.cap = of_cap AND e.account = of_account AND e.recorded_at >= since AND l.unit = c.unit
        AND (c.covers = 'everything' OR l.member IS NULL)
        AND (c.operation IS NULL OR c.operation = used.operation) AND (c.member IS NULL OR c.member = used.member)
        AND (c.department IS NULL OR c.department = used.department OR starts_with(used.department, c.department || '/'))
    GROUP BY 1
$$;

-- The same in one sum.
CREATE FUNCTION credit.cap_spent(of_account text, of_cap bigint, since timestamptz) RETURNS numeric
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE(sum(spent), 0) FROM credit.cap_spent_by_step(of_account, of_cap, since)
$$;

SET LOCAL search_path TO @extschema@, pg_temp;
