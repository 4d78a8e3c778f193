-- Views of true-ups.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- What follows the last closed period; where none was closed, from the first that was declared on.
CREATE VIEW credit.true_ups_due AS
SELECT t.account, t.unit, GREATEST(period.starts_at, closed.until) AS starts_at, period.ends_at
FROM credit.true_up_terms t
JOIN credit.account a ON a.account = t.account
CROSS JOIN (SELECT credit.now() AS now) AS clock
CROSS JOIN LATERAL (SELECT max(c.ends_at) AS until FROM credit.true_up c WHERE c.account = t.account AND c.unit = t.unit) AS closed
CROSS JOIN LATERAL generate_series(0, (EXTRACT(epoch FROM clock.now - t.anchor) / EXTRACT(epoch FROM t.every) * 1.1)::bigint) AS number
CROSS JOIN LATERAL (
    SELECT credit.add_interval(t.anchor, t.every * number, a.time_zone) AS starts_at,
        credit.add_interval(t.anchor, t.every * (number + 1), a.time_zone) AS ends_at) AS period
WHERE period.ends_at <= clock.now AND period.ends_at > COALESCE(closed.until, '-infinity');

SET LOCAL search_path TO @extschema@, pg_temp;
