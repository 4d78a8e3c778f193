-- Views of consumption: what is added up already and the lines since then, in one snapshot. A filter on account and month, or on account
-- and day, reaches the tables.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- What each line of the ledger adds to the reports: usage and its corrections, and what happens to a member's own lots. Of the lines of
-- one usage that several lots paid for, one counts as the request. Lines that only take from a lot with a price add nothing (`counts`), but
-- its usage after them has the value of a later stretch.
CREATE VIEW credit.consumption_line AS
SELECT e.account, l.unit, date_trunc('month', local.day)::date AS month, local.day, COALESCE(e.member, '') AS member,
    COALESCE(e.department, '') AS department, COALESCE(e.operation, '') AS operation,
    CASE WHEN sort.is_usage AND l.currency IS NOT NULL THEN l.currency ELSE '' END AS currency,
    CASE WHEN sort.is_usage THEN - e.amount ELSE 0 END AS credits,
    CASE WHEN sort.is_usage AND l.member IS NULL THEN - e.amount ELSE 0 END AS pooled,
    CASE WHEN sort.is_usage AND l.source = 'overdraft' THEN - e.amount ELSE 0 END AS overage,
    CASE WHEN NOT sort.is_usage THEN 0 WHEN e.kind = 'debit' THEN COALESCE(e.quantity, 0)
         ELSE - sign(e.amount) * abs(COALESCE(e.quantity, 0)) END AS quantity,
    CASE WHEN e.kind <> 'debit' THEN 0 WHEN e.line = 1 THEN 1
         WHEN EXISTS (SELECT FROM credit.entry p WHERE p.account = e.account AND p.posting = e.posting AND p.line < e.line
             AND p.kind = 'debit' AND p.operation IS NOT DISTINCT FROM e.operation) THEN 0 ELSE 1 END AS requests,
    CASE WHEN sort.is_usage AND l.paid > 0 THEN round(round(- e.amount * l.paid, 18) / l.granted, 18) ELSE 0 END AS value,
    CASE WHEN sort.is_usage OR e.kind IN ('expiry', 'expiry_reversal') THEN 0 ELSE e.amount END AS funded,
    CASE WHEN e.kind IN ('expiry', 'expiry_reversal') THEN - e.amount ELSE 0 END AS lapsed,
    e.posting, e.occurred_at, e.line, e.lot, l.granted, l.paid, e.kind IN ('debit', 'adjustment') OR l.member IS NOT NULL AS counts,
    CASE WHEN sort.is_birth OR e.kind = 'adjustment' AND NOT sort.is_usage THEN 0 ELSE - e.amount END AS gone,
    CASE WHEN e.kind = 'adjustment' AND NOT sort.is_usage THEN e.amount ELSE 0 END AS gained
FROM credit.entry e
-- Looked up line by line: the planner takes account and lot for independent, and joins as if there were hardly any.
CROSS JOIN LATERAL (SELECT l.unit, l.member, l.source, l.currency, l.granted, l.paid, a.time_zone
    FROM credit.lot l JOIN credit.account a ON a.account = l.account WHERE l.account = e.account AND l.lot = e.lot OFFSET 0) AS l
CROSS JOIN LATERAL (SELECT (e.occurred_at AT TIME ZONE l.time_zone)::date AS day) AS local
-- What corrects something corrects a debit, and has its member, department and operation.
CROSS JOIN LATERAL (SELECT e.kind = 'debit' OR e.kind = 'adjustment' AND e.corrects IS NOT NULL AS is_usage,
    e.kind IN ('grant', 'move_in', 'convert_in', 'roll_in') AS is_birth) AS sort
WHERE e.kind IN ('debit', 'adjustment') OR l.member IS NOT NULL OR l.paid > 0 AND NOT sort.is_birth;

-- What came since the ledger was added up, each usage with the value of its stretch of the lot: the price up to where it ends, cut to nine
-- decimals, less the price up to where it begins. So the values of a lot's lines add up to its price, however they are grouped. What
-- adjustments added to a lot carries no price and leaves it last; what they took takes its price along.
CREATE VIEW credit.consumption_since AS
SELECT c.account, c.unit, c.month, c.day, c.member, c.department, c.operation, c.currency, c.credits, c.pooled, c.overage, c.quantity,
    c.requests, CASE WHEN c.credits <> 0 AND c.paid > 0 THEN
        (div(c.paid * LEAST(GREATEST(place.ends, 0), c.granted) * 1000000000, c.granted)
            - div(c.paid * LEAST(GREATEST(place.ends - c.gone, 0), c.granted) * 1000000000, c.granted)) * 0.000000001 ELSE 0 END AS value,
    c.funded, c.lapsed, c.posting, c.occurred_at
FROM (SELECT line.*, COALESCE(l.gone, 0) + sum(line.gone) OVER so_far AS gone_after,
          COALESCE(l.gained, 0) + sum(line.gained) OVER so_far AS gained_after
      FROM credit.consumption_line line
      LEFT JOIN LATERAL (SELECT l.gone, l.gained FROM credit.rollup_lot l
          WHERE l.account = line.account AND l.lot = line.lot AND credit.rolled_up_to() > 0 OFFSET 0) AS l ON true
      WHERE line.posting > credit.rolled_up_to()
      WINDOW so_far AS (PARTITION BY line.account, line.lot ORDER BY line.posting, line.line ROWS UNBOUNDED PRECEDING)) AS c
    CROSS JOIN LATERAL (SELECT c.gone_after + GREATEST(- c.gained_after, 0) AS ends) AS place
WHERE c.counts;

-- All of it, up to now: by account, unit, day, member, department, operation and currency. Rows are added up further by the views below.
CREATE VIEW credit.consumption AS
SELECT r.account, r.unit, r.month, r.day, NULLIF(r.member, '') AS member, NULLIF(r.department, '') AS department,
    NULLIF(r.operation, '') AS operation, NULLIF(r.currency, '') AS currency, r.credits, r.pooled, r.overage, r.quantity, r.requests,
    r.value, r.funded, r.lapsed
FROM credit.rollup r WHERE credit.rolled_up_to() > 0
UNION ALL
SELECT c.account, c.unit, c.month, c.day, NULLIF(c.member, ''), NULLIF(c.department, ''), NULLIF(c.operation, ''), NULLIF(c.currency, ''),
    c.credits, c.pooled, c.overage, c.quantity, c.requests, c.value, c.funded, c.lapsed
FROM credit.consumption_since c;

-- One row per member and month that used something; usage without a member has a row of its own (member NULL).
CREATE VIEW credit.consumption_by_member AS
SELECT account, unit, month, member, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity, sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, member HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);

-- The same by the department that the member had when the usage was recorded; without one, department is NULL.
CREATE VIEW credit.consumption_by_department AS
SELECT account, unit, month, department, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity, sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, department HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);

-- A department with everything below it: one row for each level of a path, so eng counts what eng/ml used. Rows of one depth never overlap;
-- those of depth 1, with the one that has no department, are all there is.
CREATE VIEW credit.consumption_within_department AS
SELECT d.account, d.unit, d.month, array_to_string((string_to_array(d.department, '/'))[1:level.depth], '/') AS department, level.depth,
    trim_scale(sum(d.credits)) AS credits, trim_scale(sum(d.quantity)) AS quantity, sum(d.requests)::bigint AS requests,
    CASE WHEN min(d.currency) = max(d.currency) THEN trim_scale(sum(d.value)) END AS value,
    CASE WHEN min(d.currency) = max(d.currency) THEN min(d.currency) END AS currency
-- First each department alone: its path is taken apart once, and not for every day and member.
FROM (SELECT account, unit, month, department, currency, sum(credits) AS credits, sum(quantity) AS quantity, sum(requests) AS requests,
          sum(value) AS value
      FROM credit.consumption GROUP BY account, unit, month, department, currency HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0)) AS d,
    LATERAL generate_series(1, GREATEST(cardinality(string_to_array(d.department, '/')), 1)) AS level (depth)
GROUP BY d.account, d.unit, d.month, 4, level.depth;

-- The same by operation.
CREATE VIEW credit.consumption_by_operation AS
SELECT account, unit, month, operation, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity, sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, operation HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);

-- One row per day on which something was used.
CREATE VIEW credit.consumption_daily AS
SELECT account, unit, month, day, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity, sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, day HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);

-- One row per month in which something was used.
CREATE VIEW credit.consumption_monthly AS
SELECT account, unit, month, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity, sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);

-- One row per member and month: what the member got for lots of its own, what it used, and who could have used what was left.
CREATE VIEW credit.heavy_and_light_users AS
SELECT account, unit, month, member, trim_scale(funded) AS funded, trim_scale(used) AS used, trim_scale(used - pooled) AS used_of_own,
    trim_scale(pooled) AS used_of_pool, trim_scale(lapsed) AS lapsed, trim_scale(GREATEST(funded - (used - pooled), 0)) AS unused,
    CASE WHEN funded > 0 THEN round(used / funded, 4) END AS used_share,
    CASE WHEN funded <= 0 THEN 'unfunded' WHEN used > funded THEN 'heavy' WHEN used < funded THEN 'light' ELSE 'even' END AS class
FROM (SELECT account, unit, month, member, sum(funded) AS funded, sum(credits) AS used, sum(pooled) AS pooled, sum(lapsed) AS lapsed
      FROM credit.consumption WHERE member IS NOT NULL GROUP BY account, unit, month, member) AS m
WHERE funded <> 0 OR used <> 0 OR lapsed <> 0;

SET LOCAL search_path TO @extschema@, pg_temp;
