-- Views of spending caps.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Where every cap stands now, as a debit would find it: `at` is later than now where its counters were written by a clock that read more, by
-- a day at most, or the window where that is shorter; further ahead they are astray, and the ledger says what is used.
CREATE VIEW credit.cap_state AS
SELECT c.account, c.cap, seen.at, p.starts_at, p.ends_at, p.running, s.used, s.steps, s.used_by_step
FROM (SELECT credit.now() AS now) AS clock, credit.cap c JOIN credit.account a ON a.account = c.account,
    LATERAL (SELECT make_interval(secs => EXTRACT(epoch FROM c.rolling)::bigint) AS length) AS span,
    LATERAL (SELECT max(s.period_start) + COALESCE(span.length, '0') AS ready, clock.now + LEAST(interval '1 day', span.length) AS latest
        FROM credit.cap_slot s WHERE s.account = c.account AND s.cap = c.cap) AS counted,
    LATERAL (SELECT counted.ready > counted.latest AS is_astray, CASE WHEN counted.ready <= counted.latest THEN GREATEST(clock.now, counted.ready) ELSE clock.now END AS at)
        AS seen,
    LATERAL credit.cap_period(c.anchor, c.every, c.rolling, c.step, a.time_zone, seen.at) AS p,
    LATERAL (SELECT COALESCE(sum(k.spent), 0) AS used, array_agg(k.step) AS steps, array_agg(k.spent) AS used_by_step
        FROM (SELECT u.step, u.spent
            FROM credit.cap_slot s, LATERAL credit.cap_used(s.used, s.period_start, s.steps, s.used_by_step, p.starts_at, p.running) AS u
            WHERE NOT seen.is_astray AND s.account = c.account AND s.cap = c.cap
            UNION ALL
            SELECT u.step, sum(u.amount)
            FROM (SELECT CASE WHEN p.running IS NULL THEN p.starts_at ELSE c.anchor + make_interval(secs =>
                        floor(EXTRACT(epoch FROM g.used_at - c.anchor) / EXTRACT(epoch FROM c.step)) * EXTRACT(epoch FROM c.step)) END AS step, g.amount
                FROM credit.cap_spending AS g
                WHERE seen.is_astray AND g.account = c.account AND g.cap = c.cap AND g.recorded_at >= p.starts_at AND g.used_at >= p.starts_at
                    AND (p.running IS NOT NULL OR g.used_at < p.ends_at)) AS u
            WHERE p.running IS NULL OR u.step - p.running <= p.running - p.starts_at
            GROUP BY u.step) AS k) AS s;

-- One row per cap that has not ended, with what was used of it in the running period, and what is left.
CREATE VIEW credit.caps AS
SELECT c.account, c.cap, c.unit, c.member, c.department, c.operation, c.every, c.rolling, c.covers, c.action, c.amount AS "limit",
    trim_scale(s.used) AS used, trim_scale(GREATEST(c.amount - s.used, 0)) AS headroom, p.starts_at AS period_start,
    CASE WHEN c.rolling IS NULL THEN p.ends_at ELSE s.earliest + make_interval(secs => EXTRACT(epoch FROM p.ends_at - p.starts_at)::bigint) END AS resets_at,
    c.created_at, c.changed_at, c.recorded_by
FROM credit.cap c JOIN credit.cap_state p ON p.account = c.account AND p.cap = c.cap,
    LATERAL (SELECT p.used, min(step) AS earliest FROM unnest(p.steps) AS step) AS s
WHERE c.ended_at IS NULL;

SET LOCAL search_path TO @extschema@, pg_temp;
