-- Views of spending caps.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per cap that has not ended, with what was used of it in the running period, and what is left.
CREATE VIEW credit.caps AS
SELECT c.account, c.cap, c.unit, c.member, c.department, c.operation, c.every, c.rolling, c.covers, c.action, c.amount AS "limit",
    trim_scale(s.used) AS used, trim_scale(GREATEST(c.amount - s.used, 0)) AS headroom, p.starts_at AS period_start,
    CASE WHEN c.rolling IS NULL THEN p.ends_at ELSE s.earliest + make_interval(secs => EXTRACT(epoch FROM p.ends_at - p.starts_at)::bigint) END AS resets_at,
    c.created_at, c.changed_at, c.recorded_by
FROM (SELECT credit.now() AS now) AS clock, credit.cap c,
    LATERAL credit.cap_state(c.account, c.cap, clock.now) AS p,
    LATERAL (SELECT p.used, min(step) AS earliest FROM unnest(p.steps) AS step) AS s
WHERE c.ended_at IS NULL;

SET LOCAL search_path TO @extschema@, pg_temp;
