-- The view that says at a glance whether the installation does what it should: fast, up to date, held up by nobody, maintained.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- In src/api/status.rs. The first three tell nothing of any account.
CREATE FUNCTION credit.library_version() RETURNS text LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION credit.library_version() IS 'The version of the library that this session has loaded.';

CREATE FUNCTION credit.direct_access() RETURNS TABLE (relation text, is_written boolean, obstacle text) LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'direct_access_wrapper';
COMMENT ON FUNCTION credit.direct_access() IS
'The tables that debits read directly, or write (is_written), without the executor; obstacle says what keeps them from it: then they do the same through SQL, at half the speed. NULL when nothing is in the way.';

CREATE FUNCTION credit.direct_steps() RETURNS TABLE (step text, directly bigint, by_sql bigint) LANGUAGE c VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'direct_steps_wrapper';
COMMENT ON FUNCTION credit.direct_steps() IS
'How often the debits of this session took each step directly, and how often through SQL, also in transactions that were rolled back.';

CREATE FUNCTION credit.maintenance_due() RETURNS TABLE (step text, due bigint, since timestamptz) LANGUAGE c STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintenance_due_wrapper';
COMMENT ON FUNCTION credit.maintenance_due() IS
'What each step of maintenance would find, counted up to 10000, and since when the oldest of it is due. due is NULL where counting would read every open lot.';

-- A slot's lock is an advisory one: its space is in objsubid (src/server/lock.rs).
CREATE VIEW credit.status AS
SELECT 'speed' AS topic, a.relation AS subject, a.obstacle IS NULL AS is_well,
    CASE WHEN a.obstacle IS NULL THEN 'directly' ELSE 'through SQL' END AS state,
    COALESCE(a.obstacle, CASE WHEN a.is_written THEN 'debits write it without the executor' ELSE 'debits read it without the executor' END) AS detail,
    NULL::timestamptz AS since
FROM credit.direct_access() a
UNION ALL
SELECT 'speed', 'transaction isolation', i.level = 'read committed', i.level,
    CASE i.level WHEN 'read committed' THEN 'debits may go directly' ELSE 'debits go through SQL at this level' END, NULL
FROM (SELECT current_setting('transaction_isolation') AS level) AS i
UNION ALL
SELECT 'this session', s.step, NULL, format('%s directly, %s through SQL', s.directly, s.by_sql), 'what debits of this session did so far', NULL
FROM credit.direct_steps() s
UNION ALL
SELECT 'version', 'installed', x.extversion = v.loaded AND x.extversion = a.default_version, x.extversion,
    CASE WHEN x.extversion <> v.loaded THEN format('the library is %s: connect anew, or ALTER EXTENSION pg_credit UPDATE', v.loaded)
         WHEN x.extversion <> a.default_version THEN format('%s is available: ALTER EXTENSION pg_credit UPDATE', a.default_version)
         ELSE 'the library and the files of the server have the same' END, NULL
FROM pg_catalog.pg_extension x
CROSS JOIN LATERAL (SELECT credit.library_version() AS loaded) AS v
LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = x.extname
WHERE x.extname = 'pg_credit'
UNION ALL
SELECT 'slots held', COALESCE('process ' || h.pid, 'prepared transaction "' || p.gid || '"', 'transaction ' || h.virtualtransaction),
    COALESCE(s.xact_start, p.prepared) > clock_timestamp() - interval '1 minute',
    format('%s of lots, %s of caps', h.lots, h.caps),
    CASE WHEN p.gid IS NOT NULL THEN 'until COMMIT PREPARED or ROLLBACK PREPARED'
         ELSE concat_ws(', ', s.state, NULLIF(s.application_name, ''), 'until its transaction ends') END,
    COALESCE(s.xact_start, p.prepared)
FROM (
    SELECT l.pid, l.virtualtransaction, count(*) FILTER (WHERE l.objsubid = 20293) AS lots, count(*) FILTER (WHERE l.objsubid = 20297) AS caps
    FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid IN (20293, 20297) AND l.granted
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
    GROUP BY l.pid, l.virtualtransaction
) AS h
LEFT JOIN pg_catalog.pg_stat_activity s ON s.pid = h.pid
LEFT JOIN pg_catalog.pg_locks x ON h.pid IS NULL AND x.pid IS NULL AND x.virtualtransaction = h.virtualtransaction AND x.locktype = 'transactionid'
LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
UNION ALL
SELECT 'maintenance', d.step, COALESCE(d.since > credit.now() - interval '24 hours', true) AND last.error IS NULL,
    CASE d.due WHEN 0 THEN 'nothing due' WHEN 10000 THEN '10000 due, or more' ELSE COALESCE(d.due || ' due', 'not counted') END,
    concat_ws(', ', COALESCE('last done ' || to_char(last.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC', 'never done'),
        'error: ' || last.error),
    d.since
FROM credit.maintenance_due() d
LEFT JOIN LATERAL (SELECT r.finished_at, r.error FROM credit.maintenance_run r
    WHERE r.step = d.step AND r.finished_at IS NOT NULL ORDER BY r.run DESC LIMIT 1) AS last ON true;

COMMENT ON VIEW credit.status IS 'Whether the installation does what it should, one row per subject: whether debits go directly, which version runs, which transactions hold slots, what maintenance has to do.';
COMMENT ON COLUMN credit.status.topic IS 'speed: the tables of the direct path; this session: what its debits did; version; slots held: transactions that others may wait for; maintenance: its steps.';
COMMENT ON COLUMN credit.status.subject IS 'The table, step, version or transaction.';
COMMENT ON COLUMN credit.status.is_well IS 'false: somebody should look; NULL: only a figure. Of a transaction: false when it holds slots for over a minute, NULL when this role may not see since when. Of a step of maintenance: false when something is due for over 24 hours, or its last run failed.';
COMMENT ON COLUMN credit.status.state IS 'What it is, in a word or a number.';
COMMENT ON COLUMN credit.status.detail IS 'Why, and the way out.';
COMMENT ON COLUMN credit.status.since IS 'Since when the oldest is due, or the transaction runs; NULL elsewhere.';

SET LOCAL search_path TO @extschema@, pg_temp;
