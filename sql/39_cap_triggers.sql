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
    -- As credit.add_interval() does it, without the cost of so many calls. The mean lengths are those of the Gregorian calendar, which repeats
    -- itself: however far away the anchor is, they are at most two periods off.
    (SELECT max(begins) FILTER (WHERE begins <= at), min(begins) FILTER (WHERE begins > at), NULL::timestamptz
    FROM (SELECT CASE number WHEN 0 THEN anchor ELSE (anchor AT TIME ZONE time_zone + number * length) AT TIME ZONE time_zone END AS begins
        FROM (SELECT CASE every WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days' WHEN 'month' THEN interval '1 month'
                     WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END AS length,
                 floor(EXTRACT(epoch FROM at - anchor) / CASE every WHEN 'day' THEN 86400 WHEN 'week' THEN 604800 WHEN 'month' THEN 2629746
                     WHEN 'quarter' THEN 7889238 ELSE 31556952 END)::bigint AS about) AS guess,
            generate_series(about - 3, about + 3) AS near (of_guess), LATERAL (SELECT of_guess::double precision AS number) AS near_it) AS periods
    WHERE every IS NOT NULL HAVING every IS NOT NULL)
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

-- What the ledger says was spent of caps: debits, and corrections of them, which count when the debit was recorded.
CREATE VIEW credit.cap_spending AS
SELECT c.account, c.cap, e.recorded_at, used.recorded_at AS used_at, - e.amount AS amount, e.posting
FROM credit.cap c JOIN credit.entry e ON e.account = c.account JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot,
    LATERAL (SELECT e.member, e.department, e.operation, e.recorded_at WHERE e.kind = 'debit'
        UNION ALL
        (SELECT e.member, e.department, e.operation, d.recorded_at FROM credit.entry d
         WHERE e.kind = 'adjustment' AND d.account = e.account AND d.posting = e.corrects AND d.lot = e.lot AND d.kind = 'debit'
         ORDER BY d.line LIMIT 1)) AS used
WHERE l.unit = c.unit AND (c.covers = 'everything' OR l.member IS NULL)
    AND (c.operation IS NULL OR c.operation = used.operation) AND (c.member IS NULL OR c.member = used.member)
    AND (c.department IS NULL OR c.department = used.department OR starts_with(used.department, c.department || '/'));

-- The same from an instant on, at which a period or a step begins, by the steps or periods in which the debits were recorded. Only a clock
-- that was ahead records in later periods, and only one that was set back since records a correction before its debit.
CREATE FUNCTION credit.cap_spent_by_step(of_account text, of_cap bigint, since timestamptz, OUT step timestamptz, OUT spent numeric)
    RETURNS SETOF record
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN c.rolling IS NOT NULL THEN c.anchor + make_interval(secs =>
                floor(EXTRACT(epoch FROM s.used_at - c.anchor) / EXTRACT(epoch FROM c.step)) * EXTRACT(epoch FROM c.step))
            WHEN s.used_at < c.first_ends_at THEN since
            ELSE (SELECT p.starts_at FROM credit.cap_period(c.anchor, c.every, NULL, NULL, c.time_zone, s.used_at) AS p) END, sum(s.amount)
    FROM (SELECT k.*, a.time_zone, (SELECT p.ends_at FROM credit.cap_period(k.anchor, k.every, NULL, NULL, a.time_zone, since) AS p) AS first_ends_at
            FROM credit.cap k JOIN credit.account a ON a.account = k.account WHERE k.account = of_account AND k.cap = of_cap OFFSET 0) AS c,
        credit.cap_spending AS s
    WHERE s.account = of_account AND s.cap = of_cap AND s.used_at >= since
        -- A correction comes after its debit by posting, so that the older part of the ledger need not be read.
        AND s.posting >= (SELECT min(e.posting + 0) FROM credit.entry e WHERE e.account = of_account AND e.recorded_at >= since)
    GROUP BY 1
$$;

-- The same in one sum.
CREATE FUNCTION credit.cap_spent(of_account text, of_cap bigint, since timestamptz) RETURNS numeric
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE(sum(spent), 0) FROM credit.cap_spent_by_step(of_account, of_cap, since)
$$;

SET LOCAL search_path TO @extschema@, pg_temp;
