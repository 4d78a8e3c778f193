-- Consumption: what was consumed, added up by day, and how far that is done. The views are what is added up already and the lines
-- since then, in one snapshot. A filter on account and month, or on account and day, reaches the tables.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- What is added up ----------------------------------------------------------------------------------------------------

-- The ledger up to the watermark, added up. '' stands for none, so that it can be in a key. Days are those of the account's time
-- zone, which never changes once there are lots. What is here can always be computed anew, so it is not dumped.
CREATE TABLE credit.rollup (
    month          date NOT NULL,
    day            date NOT NULL,
    requests       bigint NOT NULL,
    first_posting  bigint NOT NULL,
    last_posting   bigint NOT NULL,
    account        text COLLATE "C" NOT NULL,
    unit           text COLLATE "C" NOT NULL,
    member         text COLLATE "C" NOT NULL,
    department     text COLLATE "C" NOT NULL,
    operation      text COLLATE "C" NOT NULL,
    currency       text COLLATE "C" NOT NULL,
    credits        numeric NOT NULL,
    pooled         numeric NOT NULL,
    overage        numeric NOT NULL,
    quantity       numeric NOT NULL,
    value          numeric NOT NULL,
    funded         numeric NOT NULL,
    lapsed         numeric NOT NULL,
    PRIMARY KEY (account, month, day, unit, member, department, operation, currency)
) WITH (fillfactor = 80);
COMMENT ON TABLE credit.rollup IS
    'The ledger up to credit.rolled_up_to(), added up: one row per account, unit, day, member, department, operation and '
    'currency. '''' stands for none. Read credit.consumption instead, which also has what came since. Not dumped: it is '
    'computed anew from the ledger.';
COMMENT ON COLUMN credit.rollup.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.rollup.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.rollup.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.rollup.first_posting IS 'The first posting that is in it.';
COMMENT ON COLUMN credit.rollup.last_posting IS 'The last posting that is in it.';
COMMENT ON COLUMN credit.rollup.account IS 'The account.';
COMMENT ON COLUMN credit.rollup.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.rollup.member IS 'The member; '''' for usage without one.';
COMMENT ON COLUMN credit.rollup.department IS 'The department that the member had when it was recorded; '''' for none.';
COMMENT ON COLUMN credit.rollup.operation IS 'The operation; '''' for none.';
COMMENT ON COLUMN credit.rollup.currency IS 'ISO 4217 code of value; '''' for lots without a cost basis.';
COMMENT ON COLUMN credit.rollup.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.rollup.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.rollup.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.rollup.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.rollup.value IS
    'The usage at the price of the lots that paid, to nine decimals: the usages of a lot together have the price of what '
    'was used of it.';
COMMENT ON COLUMN credit.rollup.funded IS
    'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.rollup.lapsed IS 'What lots of the member lost to their expiry, less what late usage took back.';

CREATE INDEX rollup_day ON credit.rollup (account, day);
COMMENT ON INDEX credit.rollup_day IS 'Finds the days of a period.';

-- How far along each lot with a price the lines that are added up have come: its price lies along it, and usage has the value of
-- its stretch. What comes later goes on from here. As the rollup it can be computed anew, and is not dumped.
CREATE TABLE credit.rollup_lot (
    lot      bigint NOT NULL,
    account  text COLLATE "C" NOT NULL,
    gone     numeric NOT NULL,
    gained   numeric NOT NULL,
    PRIMARY KEY (account, lot)
) WITH (fillfactor = 80);
COMMENT ON TABLE credit.rollup_lot IS
    'How far along each lot with a price the lines that are added up have come. Not dumped: it is computed anew from the ledger.';
COMMENT ON COLUMN credit.rollup_lot.account IS 'The account.';
COMMENT ON COLUMN credit.rollup_lot.lot IS 'The lot.';
COMMENT ON COLUMN credit.rollup_lot.gone IS 'What they took of it, other than by adjustments that correct nothing.';
COMMENT ON COLUMN credit.rollup_lot.gained IS 'What adjustments that correct nothing added to it, less what they took.';

-- How far the ledger is added up: one row, of this database of this server. A line of the ledger takes its posting id before it
-- is committed, so a higher one may be seen first. `mark` is the last id that was taken when `mark_before` was the next
-- transaction: once every transaction before that one has ended, no line up to the mark can come any more.
CREATE TABLE credit.rollup_watermark (
    rolled_to          bigint NOT NULL DEFAULT 0,
    final_to           bigint NOT NULL DEFAULT 0 CHECK (final_to >= rolled_to),
    mark               bigint CHECK (mark >= final_to),
    mark_before        xid8,
    system_identifier  bigint NOT NULL,
    database           oid NOT NULL,
    only_row           boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
    CHECK ((mark IS NULL) = (mark_before IS NULL))
);
COMMENT ON TABLE credit.rollup_watermark IS
    'How far the ledger is added up in credit.rollup: one row. Not dumped, and without meaning in another database: there it is '
    'begun anew.';
COMMENT ON COLUMN credit.rollup_watermark.rolled_to IS 'Up to this posting the ledger is added up.';
COMMENT ON COLUMN credit.rollup_watermark.final_to IS
    'Up to this posting it can be: all transactions that took a posting id up to here have ended.';
COMMENT ON COLUMN credit.rollup_watermark.mark IS 'The posting up to which it can be next; NULL when there is none.';
COMMENT ON COLUMN credit.rollup_watermark.mark_before IS 'The mark is final once all transactions before this one have ended.';
COMMENT ON COLUMN credit.rollup_watermark.system_identifier IS 'The server that this is true of, as in pg_control_system().';
COMMENT ON COLUMN credit.rollup_watermark.database IS 'The database that this is true of.';
COMMENT ON COLUMN credit.rollup_watermark.only_row IS 'True: there is one row.';

-- In src/api/consumption.rs. The last posting that is added up, as of the calling query's snapshot. It runs as its caller,
-- because a scan may call it for every row.
CREATE FUNCTION credit.rolled_up_to() RETURNS bigint LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME',
    'rolled_up_to_wrapper';
COMMENT ON FUNCTION credit.rolled_up_to() IS
    'The last posting that is added up in credit.rollup, as the calling query sees it; 0 for none, and where what is there '
    'belongs to another server or database.';

-- What a line of the ledger adds --------------------------------------------------------------------------------------

-- What each line of the ledger adds to the reports: usage and its corrections, and what happens to a member's own lots. Of the
-- lines of one usage that several lots paid for, one counts as the request. Lines that only take from a lot with a price add
-- nothing (`counts`), but its usage after them has the value of a later stretch.
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
    e.posting, e.occurred_at, e.line, e.lot, l.granted, l.paid, e.kind IN ('debit', 'adjustment')
        OR l.member IS NOT NULL AS counts,
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
COMMENT ON VIEW credit.consumption_line IS
    'What each line of the ledger adds to the reports, for those that add something: what credit.rollup adds up.';
COMMENT ON COLUMN credit.consumption_line.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.consumption_line.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_line.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_line.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_line.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_line.member IS 'The member; '''' for usage without one.';
COMMENT ON COLUMN credit.consumption_line.department IS 'The department that the member had when it was recorded; '''' for none.';
COMMENT ON COLUMN credit.consumption_line.operation IS 'The operation; '''' for none.';
COMMENT ON COLUMN credit.consumption_line.currency IS 'ISO 4217 code of value; '''' for lots without a cost basis.';
COMMENT ON COLUMN credit.consumption_line.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_line.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.consumption_line.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.consumption_line.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_line.value IS
    'Its own share of the price of the lot, to 18 decimals. credit.consumption_since has the value that adds up.';
COMMENT ON COLUMN credit.consumption_line.funded IS
    'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.consumption_line.lapsed IS
    'What lots of the member lost to their expiry, less what late usage took back.';
COMMENT ON COLUMN credit.consumption_line.posting IS 'The posting.';
COMMENT ON COLUMN credit.consumption_line.occurred_at IS 'When it happened.';
COMMENT ON COLUMN credit.consumption_line.line IS 'The line of the posting.';
COMMENT ON COLUMN credit.consumption_line.lot IS 'The lot.';
COMMENT ON COLUMN credit.consumption_line.granted IS 'What the lot was granted with.';
COMMENT ON COLUMN credit.consumption_line.paid IS 'What was paid for that; NULL when no price is known.';
COMMENT ON COLUMN credit.consumption_line.counts IS
    'Whether it adds anything to the reports; else it only takes from a lot with a price.';
COMMENT ON COLUMN credit.consumption_line.gone IS 'What it takes of the lot, other than by an adjustment that corrects nothing.';
COMMENT ON COLUMN credit.consumption_line.gained IS 'What an adjustment that corrects nothing adds to the lot.';

-- What came since the ledger was added up, each usage with the value of its stretch of the lot: the price up to where it ends,
-- cut to nine decimals, less the price up to where it begins. So the values of a lot's lines add up to its price, however they
-- are grouped. What adjustments added to a lot carries no price and leaves it last; what they took takes its price along.
CREATE VIEW credit.consumption_since AS
SELECT c.account, c.unit, c.month, c.day, c.member, c.department, c.operation, c.currency, c.credits, c.pooled, c.overage,
    c.quantity,
    c.requests, CASE WHEN c.credits <> 0 AND c.paid > 0 THEN
        (div(c.paid * LEAST(GREATEST(place.ends, 0), c.granted) * 1000000000, c.granted)
            - div(c.paid * LEAST(GREATEST(place.ends - c.gone, 0), c.granted) * 1000000000, c.granted)) * 0.000000001
                ELSE 0 END AS value,
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
COMMENT ON VIEW credit.consumption_since IS
    'What each line adds that came since the ledger was added up, with a value that adds up: the price of the stretch of the '
    'lot that it took.';
COMMENT ON COLUMN credit.consumption_since.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_since.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_since.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.consumption_since.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_since.member IS 'The member; '''' for usage without one.';
COMMENT ON COLUMN credit.consumption_since.department IS
    'The department that the member had when it was recorded; '''' for none.';
COMMENT ON COLUMN credit.consumption_since.operation IS 'The operation; '''' for none.';
COMMENT ON COLUMN credit.consumption_since.currency IS 'ISO 4217 code of value; '''' for lots without a cost basis.';
COMMENT ON COLUMN credit.consumption_since.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_since.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.consumption_since.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.consumption_since.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_since.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_since.funded IS
    'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.consumption_since.lapsed IS
    'What lots of the member lost to their expiry, less what late usage took back.';
COMMENT ON COLUMN credit.consumption_since.posting IS 'The posting.';
COMMENT ON COLUMN credit.consumption_since.occurred_at IS 'When it happened.';
COMMENT ON COLUMN credit.consumption_since.value IS 'The price of its stretch of the lot, to nine decimals.';

-- Views ---------------------------------------------------------------------------------------------------------------

-- All of it, up to now: by account, unit, day, member, department, operation and currency. Rows are added up further by the views
-- below.
CREATE VIEW credit.consumption AS
SELECT r.account, r.unit, r.month, r.day, NULLIF(r.member, '') AS member, NULLIF(r.department, '') AS department,
    NULLIF(r.operation, '') AS operation, NULLIF(r.currency, '') AS currency, r.credits, r.pooled, r.overage, r.quantity,
        r.requests,
    r.value, r.funded, r.lapsed
FROM credit.rollup r WHERE credit.rolled_up_to() > 0
UNION ALL
SELECT c.account, c.unit, c.month, c.day, NULLIF(c.member, ''), NULLIF(c.department, ''), NULLIF(c.operation, ''),
    NULLIF(c.currency, ''),
    c.credits, c.pooled, c.overage, c.quantity, c.requests, c.value, c.funded, c.lapsed
FROM credit.consumption_since c;
COMMENT ON VIEW credit.consumption IS
    'Consumption, up to now: what is added up and what came since, in one snapshot. Rows of the same keys may come more '
    'than once: add them up. Filter by account and month, or account and day.';
COMMENT ON COLUMN credit.consumption.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.consumption.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.consumption.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption.account IS 'The account.';
COMMENT ON COLUMN credit.consumption.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption.member IS 'The member; NULL for usage without one.';
COMMENT ON COLUMN credit.consumption.department IS 'The department that the member had when it was recorded; NULL for none.';
COMMENT ON COLUMN credit.consumption.operation IS 'The operation; NULL for none.';
COMMENT ON COLUMN credit.consumption.currency IS 'ISO 4217 code of value; NULL for lots without a cost basis.';
COMMENT ON COLUMN credit.consumption.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.consumption.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.consumption.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption.value IS
    'The usage at the price of the lots that paid, to nine decimals: the usages of a lot together have the price of what '
    'was used of it.';
COMMENT ON COLUMN credit.consumption.funded IS
    'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.consumption.lapsed IS 'What lots of the member lost to their expiry, less what late usage took back.';

-- One row per member and month that used something; usage without a member has a row of its own (member NULL).
CREATE VIEW credit.consumption_by_member AS
SELECT account, unit, month, member, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity,
    sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, member HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);
COMMENT ON VIEW credit.consumption_by_member IS
    'The usage of each member by month; usage without a member has a row of its own.';
COMMENT ON COLUMN credit.consumption_by_member.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_member.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_member.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_member.member IS 'The member; NULL for usage without one.';
COMMENT ON COLUMN credit.consumption_by_member.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_member.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_by_member.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_by_member.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_member.currency IS 'ISO 4217 code of value.';

-- The same by the department that the member had when the usage was recorded; without one, department is NULL.
CREATE VIEW credit.consumption_by_department AS
SELECT account, unit, month, department, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity,
    sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, department HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);
COMMENT ON VIEW credit.consumption_by_department IS
    'The usage of each department by month; usage without a department has a row of its own.';
COMMENT ON COLUMN credit.consumption_by_department.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_department.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_department.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_department.department IS
    'The department that the member had when it was recorded; NULL for none.';
COMMENT ON COLUMN credit.consumption_by_department.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_department.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_by_department.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_by_department.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_department.currency IS 'ISO 4217 code of value.';

-- A department with everything below it: one row for each level of a path, so eng counts what eng/ml used. Rows of one depth
-- never overlap; those of depth 1, with the one that has no department, are all there is.
CREATE VIEW credit.consumption_within_department AS
SELECT d.account, d.unit, d.month, array_to_string((string_to_array(d.department, '/'))[1:level.depth], '/') AS department,
    level.depth,
    trim_scale(sum(d.credits)) AS credits, trim_scale(sum(d.quantity)) AS quantity, sum(d.requests)::bigint AS requests,
    CASE WHEN min(d.currency) = max(d.currency) THEN trim_scale(sum(d.value)) END AS value,
    CASE WHEN min(d.currency) = max(d.currency) THEN min(d.currency) END AS currency
-- First each department alone: its path is taken apart once, and not for every day and member.
FROM (SELECT account, unit, month, department, currency, sum(credits) AS credits, sum(quantity) AS quantity,
    sum(requests) AS requests,
          sum(value) AS value
      FROM credit.consumption GROUP BY account, unit, month, department, currency
          HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0)) AS d,
    LATERAL generate_series(1, GREATEST(cardinality(string_to_array(d.department, '/')), 1)) AS level (depth)
GROUP BY d.account, d.unit, d.month, 4, level.depth;
COMMENT ON VIEW credit.consumption_within_department IS
    'The usage of each department by month with everything below it: eng counts what eng/ml used. Rows of one depth do not '
    'overlap; those of depth 1 add up to the consumption, exactly.';
COMMENT ON COLUMN credit.consumption_within_department.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_within_department.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_within_department.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_within_department.department IS
    'The path, of the department that the member had when it was recorded or of one above it; NULL for usage without one.';
COMMENT ON COLUMN credit.consumption_within_department.depth IS 'How many levels the path has; 1 for usage without a department.';
COMMENT ON COLUMN credit.consumption_within_department.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_within_department.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_within_department.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_within_department.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_within_department.currency IS 'ISO 4217 code of value.';

-- The same by operation.
CREATE VIEW credit.consumption_by_operation AS
SELECT account, unit, month, operation, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity,
    sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, operation HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);
COMMENT ON VIEW credit.consumption_by_operation IS 'The usage of each operation by month.';
COMMENT ON COLUMN credit.consumption_by_operation.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_operation.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_operation.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_operation.operation IS 'The operation; NULL for none.';
COMMENT ON COLUMN credit.consumption_by_operation.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_operation.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_by_operation.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_by_operation.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_operation.currency IS 'ISO 4217 code of value.';

-- One row per day on which something was used.
CREATE VIEW credit.consumption_daily AS
SELECT account, unit, month, day, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity,
    sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month, day HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);
COMMENT ON VIEW credit.consumption_daily IS 'The usage of each account by day.';
COMMENT ON COLUMN credit.consumption_daily.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_daily.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_daily.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_daily.day IS 'The day, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_daily.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_daily.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_daily.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_daily.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_daily.currency IS 'ISO 4217 code of value.';

-- One row per month in which something was used.
CREATE VIEW credit.consumption_monthly AS
SELECT account, unit, month, trim_scale(sum(credits)) AS credits, trim_scale(sum(quantity)) AS quantity,
    sum(requests)::bigint AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(sum(value)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.consumption GROUP BY account, unit, month HAVING bool_or(credits <> 0 OR requests <> 0 OR quantity <> 0);
COMMENT ON VIEW credit.consumption_monthly IS 'The usage of each account by month.';
COMMENT ON COLUMN credit.consumption_monthly.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_monthly.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_monthly.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_monthly.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_monthly.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_monthly.requests IS
    'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_monthly.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_monthly.currency IS 'ISO 4217 code of value.';

-- The usage of each task, session or conversation, from the ledger. There may be very many runs, so they are not added up: filter
-- on account.
CREATE VIEW credit.consumption_by_run AS
SELECT account, unit, run, min(occurred_at) AS started_at, max(occurred_at) AS ended_at, trim_scale(sum(- amount)) AS credits,
    count(DISTINCT (posting, operation)) FILTER (WHERE kind = 'debit') AS requests,
    CASE WHEN min(currency) = max(currency) THEN trim_scale(round(sum(- value), 9)) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency
FROM credit.ledger
WHERE run IS NOT NULL AND (kind = 'debit' OR kind = 'adjustment' AND corrects IS NOT NULL) GROUP BY account, unit, run;
COMMENT ON VIEW credit.consumption_by_run IS
    'The usage of each task, session or conversation, from the ledger. Filter on account.';
COMMENT ON COLUMN credit.consumption_by_run.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_run.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_run.run IS 'The task, session or conversation.';
COMMENT ON COLUMN credit.consumption_by_run.started_at IS 'When its first usage happened.';
COMMENT ON COLUMN credit.consumption_by_run.ended_at IS 'When its last usage happened.';
COMMENT ON COLUMN credit.consumption_by_run.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_run.requests IS 'How many debits and charges it made.';
COMMENT ON COLUMN credit.consumption_by_run.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_run.currency IS 'ISO 4217 code of value.';

-- The usage by day and by each dimension that it has, from the ledger. Usage with several dimensions is in several rows.
CREATE VIEW credit.consumption_by_dimension AS
SELECT e.account, e.unit, (e.occurred_at AT TIME ZONE a.time_zone)::date AS day, d.dimension, d.label,
    trim_scale(sum(- e.amount)) AS credits, count(DISTINCT (e.posting, e.operation)) FILTER (WHERE e.kind = 'debit') AS requests,
    CASE WHEN min(e.currency) = max(e.currency) THEN trim_scale(round(sum(- e.value), 9)) END AS value,
    CASE WHEN min(e.currency) = max(e.currency) THEN min(e.currency) END AS currency
FROM credit.ledger e JOIN credit.account a ON a.account = e.account,
    LATERAL jsonb_each_text(e.dimensions) AS d (dimension, label)
WHERE e.kind = 'debit' OR e.kind = 'adjustment' AND e.corrects IS NOT NULL GROUP BY e.account, e.unit, day, d.dimension, d.label;
COMMENT ON VIEW credit.consumption_by_dimension IS
    'The usage by day and by each dimension that it has, from the ledger. Usage with several dimensions is in several rows, so '
    'add up one dimension only. Filter on account.';
COMMENT ON COLUMN credit.consumption_by_dimension.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_dimension.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_dimension.day IS 'The day of the usage, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_dimension.dimension IS 'The name of the dimension, such as model.';
COMMENT ON COLUMN credit.consumption_by_dimension.label IS 'What it was, such as large.';
COMMENT ON COLUMN credit.consumption_by_dimension.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_dimension.requests IS 'How many debits and charges.';
COMMENT ON COLUMN credit.consumption_by_dimension.value IS
    'The usage at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_dimension.currency IS 'ISO 4217 code of value.';

-- One row per member and month: what the member got for lots of its own, what it used, and who could have used what was left.
CREATE VIEW credit.heavy_and_light_users AS
SELECT account, unit, month, member, trim_scale(funded) AS funded, trim_scale(used) AS used,
    trim_scale(used - pooled) AS used_of_own,
    trim_scale(pooled) AS used_of_pool, trim_scale(lapsed) AS lapsed, trim_scale(GREATEST(funded - (used - pooled), 0)) AS unused,
    CASE WHEN funded > 0 THEN round(used / funded, 4) END AS used_share,
    CASE WHEN funded <= 0 THEN 'unfunded' WHEN used > funded THEN 'heavy' WHEN used < funded THEN 'light' ELSE 'even' END AS class
FROM (SELECT account, unit, month, member, sum(funded) AS funded, sum(credits) AS used, sum(pooled) AS pooled,
    sum(lapsed) AS lapsed
      FROM credit.consumption WHERE member IS NOT NULL GROUP BY account, unit, month, member) AS m
WHERE funded <> 0 OR used <> 0 OR lapsed <> 0;
COMMENT ON VIEW credit.heavy_and_light_users IS
    'The usage of each member by month against what it was granted for lots of its own: who needs more, and who leaves '
    'credits unused that others could use if they were pooled.';
COMMENT ON COLUMN credit.heavy_and_light_users.account IS 'The account.';
COMMENT ON COLUMN credit.heavy_and_light_users.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.heavy_and_light_users.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.heavy_and_light_users.member IS 'The member.';
COMMENT ON COLUMN credit.heavy_and_light_users.funded IS
    'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.heavy_and_light_users.used IS 'What it used, less what corrections gave back.';
COMMENT ON COLUMN credit.heavy_and_light_users.used_of_own IS 'What of that its own lots paid.';
COMMENT ON COLUMN credit.heavy_and_light_users.used_of_pool IS 'What of that the pool paid: it ran out of its own.';
COMMENT ON COLUMN credit.heavy_and_light_users.lapsed IS
    'What lots of the member lost to their expiry, less what late usage took back.';
COMMENT ON COLUMN credit.heavy_and_light_users.unused IS 'What it left of what it was granted in the month.';
COMMENT ON COLUMN credit.heavy_and_light_users.used_share IS 'used by funded, to 4 decimals; NULL when it was granted nothing.';
COMMENT ON COLUMN credit.heavy_and_light_users.class IS
    'heavy when it used more than it was granted, light when less, even when the same; unfunded when it was granted nothing.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_rollup(integer, boolean) IS
'Adds up what is new in the ledger, of at most max_postings postings, and returns of how many it did: 0 when nothing new is '
'final, or while another session is at it. Lines that a running transaction may still come before are left for later; the views '
'read those from the ledger, so they are exact whenever this runs. Its cost is that of the new lines. With rebuild all is '
'forgotten first and added up anew. A step of credit_maintain().
Errors: 22023 malformed argument.';

COMMENT ON FUNCTION @extschema@.credit_chargeback(text, timestamptz, timestamptz, text, integer, text) IS
'What each department used from starts_at until before ends_at, by the time of the usage, and what it was granted: a row for '
'each department that the ledger names, one without a department for usage that has none. funded is what its members were '
'granted for lots of their own, less what was taken from them other than by usage and expiry; cross_subsidy is used less '
'funded, above zero what others paid for; value is what was used at the cost basis of the lots that paid, in currency, NULL '
'when there are several; overage is what lots of source overdraft paid. depth is how many levels of eng/ml/search are told '
'apart, NULL all. by tells usage apart by run, or by the dimension of that name, in the column part; then the ledger is read '
'line by line, and nothing is funded. The sum of used is the consumption of the account, exactly.
Errors: 22023 malformed argument; P0002 unknown account or unit.';

SET LOCAL search_path TO @extschema@, pg_temp;
