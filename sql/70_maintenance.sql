-- Maintenance: its steps and their log, the procedure that does them with one transaction for each batch, what expires soon, and
-- a view that says at a glance whether the installation does what it should: fast, up to date, held up by nobody, maintained. A
-- day is 24 hours in what expires soon, so that a view says the same in every session's time zone.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The steps and their log ---------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.maintenance_run_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.maintenance_run_id IS 'Ids of runs of maintenance.';
SELECT pg_catalog.pg_extension_config_dump('credit.maintenance_run_id', '');

-- One row per step of each run. Not of an account: it says how long the work took, not what it was about.
CREATE TABLE credit.maintenance_run (
    run          bigint NOT NULL PRIMARY KEY,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz CHECK (finished_at >= started_at),
    handled      bigint NOT NULL DEFAULT 0 CHECK (handled >= 0),
    batches      integer NOT NULL DEFAULT 0 CHECK (batches >= 0),
    step         text COLLATE "C" NOT NULL,
    error        text COLLATE "C",
    recorded_by  text COLLATE "C" NOT NULL
);
COMMENT ON TABLE credit.maintenance_run IS
    'The log of maintenance: one row per step of each run. Its times are real ones, whatever credit.clock says. Forgotten after '
    '90 days.';
COMMENT ON COLUMN credit.maintenance_run.run IS 'The run''s id.';
COMMENT ON COLUMN credit.maintenance_run.started_at IS 'When the step began.';
COMMENT ON COLUMN credit.maintenance_run.finished_at IS
    'When it ended; NULL while it runs, and for good when its session was interrupted.';
COMMENT ON COLUMN credit.maintenance_run.handled IS 'How many lots, keys or runs it did something about, all batches together.';
COMMENT ON COLUMN credit.maintenance_run.batches IS 'How many batches it did; 0 when another session was at the same step.';
COMMENT ON COLUMN credit.maintenance_run.step IS 'The step, as credit.maintenance_steps() names it.';
COMMENT ON COLUMN credit.maintenance_run.error IS 'The error that ended it; NULL for none.';
COMMENT ON COLUMN credit.maintenance_run.recorded_by IS 'The login role of the session.';
SELECT pg_catalog.pg_extension_config_dump('credit.maintenance_run', '');

-- In src/api/maintenance/mod.rs. They run as the owner; the procedure, which must be free to commit, runs as its caller and does
-- nothing but call them.
CREATE FUNCTION credit.maintenance_steps() RETURNS text[] LANGUAGE c STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintenance_steps_wrapper';
COMMENT ON FUNCTION credit.maintenance_steps() IS 'The steps of maintenance in their order.';

CREATE FUNCTION credit.maintenance_deadline(time_limit interval, max_rows integer) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintenance_deadline_wrapper';
COMMENT ON FUNCTION credit.maintenance_deadline(interval, integer) IS
'For the procedure credit_maintain: the real time after time_limit, from which on no further batch of a step is begun; checks '
'max_rows.
Errors: 22023 malformed argument.';

CREATE FUNCTION credit.begin_maintenance(step text) RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'begin_maintenance_wrapper';
COMMENT ON FUNCTION credit.begin_maintenance(text) IS
'For the procedure credit_maintain: logs that a step begins, and returns the run''s id.
Errors: 22023 unknown step.';

CREATE FUNCTION credit.maintain_batch(run bigint, max_rows integer) RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintain_batch_wrapper';
COMMENT ON FUNCTION credit.maintain_batch(bigint, integer) IS
'For the procedure credit_maintain: does at most max_rows of the run''s step in this transaction and returns how many; NULL '
'while another session is at a batch of the same step.
Errors: 22023 malformed argument; P0002 unknown run; 55000 the run has ended.';

CREATE FUNCTION credit.end_maintenance(run bigint, error text) RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'end_maintenance_wrapper';
COMMENT ON FUNCTION credit.end_maintenance(bigint, text) IS
'For the procedure credit_maintain: logs that a run ended, and by which error.
Errors: P0002 unknown run; 55000 the run has ended already.';

-- A procedure with a SET clause cannot commit, so every name in it is qualified.
CREATE PROCEDURE @extschema@.credit_maintain(time_limit interval, max_rows integer DEFAULT 1000) LANGUAGE plpgsql AS $$
DECLARE
    ends_at CONSTANT pg_catalog.timestamptz := credit.maintenance_deadline(time_limit, max_rows);
    step pg_catalog.text;
    run pg_catalog.int8;
    handled pg_catalog.int8;
    problem pg_catalog.text;
    first_problem pg_catalog.text;
    first_state pg_catalog.text;
BEGIN
    FOREACH step IN ARRAY credit.maintenance_steps() LOOP
        run := credit.begin_maintenance(step);
        COMMIT;
        problem := NULL;
        LOOP
            BEGIN
                handled := credit.maintain_batch(run, max_rows);
            EXCEPTION WHEN OTHERS THEN
                handled := NULL;
                problem := SQLERRM;
                IF first_problem IS NULL THEN
                    first_problem := problem;
                    first_state := SQLSTATE;
                END IF;
            END;
            COMMIT;
            EXIT WHEN handled IS NULL OR handled OPERATOR(pg_catalog.=) 0
                OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) ends_at;
        END LOOP;
        PERFORM credit.end_maintenance(run, problem);
        COMMIT;
    END LOOP;
    IF first_problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = first_state, MESSAGE = first_problem,
            HINT = 'The other steps were done; credit.maintenance_run says which failed.';
    END IF;
END
$$;
COMMENT ON PROCEDURE @extschema@.credit_maintain(interval, integer) IS
'Maintenance, one transaction for each batch of max_rows: all that is due, until time_limit has passed; then one batch of each '
'step that is left. What is done stays done however the session ends; the next run goes on. Of two at once, one does a step and '
'the other steps aside. Logged in credit.maintenance_run. A step that fails does not keep the others from being done; its error '
'is raised at the end.
Errors: 22023 malformed argument; 2D000 called in a transaction block; what a step raised.';

-- What expires soon ---------------------------------------------------------------------------------------------------

-- One row per lot that holds something and expires within 90 days, with the price of what is left: all of it less that of what is
-- gone. What adjustments added has no price and is used last.
CREATE VIEW credit.expiring_soon AS
SELECT l.account, l.lot, l.unit, l.member, l.category, l.source,
    CASE WHEN l.expires_at <= clock.now + interval '168 hours' THEN 7
         WHEN l.expires_at <= clock.now + interval '720 hours' THEN 30
         WHEN l.expires_at <= clock.now + interval '1440 hours' THEN 60
         ELSE 90 END AS within_days,
    trim_scale(s.remaining) AS remaining,
    trim_scale(l.paid - div(l.paid * GREATEST(l.granted - GREATEST(s.remaining - GREATEST(COALESCE(g.adjusted, 0), 0), 0),
        0) * 1000000000,
        l.granted) * 0.000000001) AS value, l.currency, l.effective_at, l.expires_at
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.lot l
    LEFT JOIN credit.lot_gain g ON g.account = l.account AND g.lot = l.lot
    CROSS JOIN LATERAL (SELECT sum(remaining) AS remaining FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot) AS s
WHERE NOT l.closed AND l.expires_at > clock.now AND l.expires_at <= clock.now + interval '2160 hours' AND s.remaining > 0;
COMMENT ON VIEW credit.expiring_soon IS 'Lots that hold something and expire within 90 days, in effect or not yet.';
COMMENT ON COLUMN credit.expiring_soon.account IS 'The account.';
COMMENT ON COLUMN credit.expiring_soon.lot IS 'The lot.';
COMMENT ON COLUMN credit.expiring_soon.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.expiring_soon.member IS 'The member whose lot it is; NULL for the pool.';
COMMENT ON COLUMN credit.expiring_soon.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.expiring_soon.source IS 'Where the lot came from.';
COMMENT ON COLUMN credit.expiring_soon.within_days IS 'The least of 7, 30, 60 and 90 days of 24 hours within which it expires.';
COMMENT ON COLUMN credit.expiring_soon.remaining IS 'What is left of it.';
COMMENT ON COLUMN credit.expiring_soon.value IS 'What is left at the lot''s cost basis, in currency; NULL when it has none.';
COMMENT ON COLUMN credit.expiring_soon.currency IS 'ISO 4217 code of value.';
COMMENT ON COLUMN credit.expiring_soon.effective_at IS 'From when on it is usable.';
COMMENT ON COLUMN credit.expiring_soon.expires_at IS 'From when on it is not usable any more.';

-- One row per owner that loses credits within 90 days: a member, or the pool (member NULL).
CREATE VIEW credit.expiring_by_member AS
SELECT account, unit, member,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 7), 0) AS within_7_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 30), 0) AS within_30_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 60), 0) AS within_60_days,
    sum(remaining) AS within_90_days,
    CASE WHEN min(currency) = max(currency) THEN sum(value) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
    count(*) AS lots, min(expires_at) AS next_expiry
FROM credit.expiring_soon GROUP BY account, unit, member;
COMMENT ON VIEW credit.expiring_by_member IS
    'The credits of each owner that expire within 90 days: of a member, or of the pool (member NULL).';
COMMENT ON COLUMN credit.expiring_by_member.account IS 'The account.';
COMMENT ON COLUMN credit.expiring_by_member.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.expiring_by_member.member IS 'The member; NULL for the pool.';
COMMENT ON COLUMN credit.expiring_by_member.within_7_days IS 'What expires within 7 days.';
COMMENT ON COLUMN credit.expiring_by_member.within_30_days IS 'What expires within 30 days, those 7 included.';
COMMENT ON COLUMN credit.expiring_by_member.within_60_days IS 'What expires within 60 days.';
COMMENT ON COLUMN credit.expiring_by_member.within_90_days IS 'What expires within 90 days.';
COMMENT ON COLUMN credit.expiring_by_member.value IS
    'What expires within 90 days at the lots'' cost basis, lots without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.expiring_by_member.currency IS 'ISO 4217 code of value.';
COMMENT ON COLUMN credit.expiring_by_member.lots IS 'How many lots these are.';
COMMENT ON COLUMN credit.expiring_by_member.next_expiry IS 'When the first of them expires.';

-- The same of all owners of an account together.
CREATE VIEW credit.expiring_by_account AS
SELECT account, unit,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 7), 0) AS within_7_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 30), 0) AS within_30_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 60), 0) AS within_60_days,
    sum(remaining) AS within_90_days,
    CASE WHEN min(currency) = max(currency) THEN sum(value) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
    count(*) AS lots, min(expires_at) AS next_expiry
FROM credit.expiring_soon GROUP BY account, unit;
COMMENT ON VIEW credit.expiring_by_account IS 'The credits of each account that expire within 90 days.';
COMMENT ON COLUMN credit.expiring_by_account.account IS 'The account.';
COMMENT ON COLUMN credit.expiring_by_account.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.expiring_by_account.within_7_days IS 'What expires within 7 days.';
COMMENT ON COLUMN credit.expiring_by_account.within_30_days IS 'What expires within 30 days, those 7 included.';
COMMENT ON COLUMN credit.expiring_by_account.within_60_days IS 'What expires within 60 days.';
COMMENT ON COLUMN credit.expiring_by_account.within_90_days IS 'What expires within 90 days.';
COMMENT ON COLUMN credit.expiring_by_account.value IS
    'What expires within 90 days at the lots'' cost basis, lots without one not counted; NULL when they were paid for in '
    'several currencies, or none was.';
COMMENT ON COLUMN credit.expiring_by_account.currency IS 'ISO 4217 code of value.';
COMMENT ON COLUMN credit.expiring_by_account.lots IS 'How many lots these are.';
COMMENT ON COLUMN credit.expiring_by_account.next_expiry IS 'When the first of them expires.';

-- Status --------------------------------------------------------------------------------------------------------------

-- In src/api/maintenance/status.rs. The first three tell nothing of any account.
CREATE FUNCTION credit.library_version() RETURNS text LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME',
    'library_version_wrapper';
COMMENT ON FUNCTION credit.library_version() IS 'The version of the library that this session has loaded.';

CREATE FUNCTION credit.direct_access() RETURNS TABLE (relation text, is_written boolean, obstacle text)
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'direct_access_wrapper';
COMMENT ON FUNCTION credit.direct_access() IS
    'The tables that debits read directly, or write (is_written), without the executor; obstacle says what keeps them from it: '
    'then they do the same through SQL, at half the speed. NULL when nothing is in the way.';

CREATE FUNCTION credit.direct_steps() RETURNS TABLE (step text, directly bigint, by_sql bigint)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'direct_steps_wrapper';
COMMENT ON FUNCTION credit.direct_steps() IS
    'How often the debits of this session took each step directly, and how often through SQL, also in transactions that were '
    'rolled back.';

CREATE FUNCTION credit.maintenance_due() RETURNS TABLE (step text, due bigint, since timestamptz) LANGUAGE c STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'maintenance_due_wrapper';
COMMENT ON FUNCTION credit.maintenance_due() IS
    'The work that each step of maintenance would find, counted up to 10000, and since when the oldest of it is due. '
    'due is NULL where '
    'counting would read every open lot.';

-- A slot's lock is an advisory one: its space is in objsubid (src/server/locks/mod.rs).
CREATE VIEW credit.status AS
SELECT 'speed' AS topic, a.relation AS subject, a.obstacle IS NULL AS is_well,
    CASE WHEN a.obstacle IS NULL THEN 'directly' ELSE 'through SQL' END AS state,
    COALESCE(a.obstacle, CASE WHEN a.is_written THEN 'debits write it without the executor'
        ELSE 'debits read it without the executor' END) AS detail,
    NULL::timestamptz AS since
FROM credit.direct_access() a
UNION ALL
SELECT 'speed', 'transaction isolation', i.level = 'read committed', i.level,
    CASE i.level WHEN 'read committed' THEN 'debits may go directly' ELSE 'debits go through SQL at this level' END, NULL
FROM (SELECT current_setting('transaction_isolation') AS level) AS i
UNION ALL
SELECT 'this session', s.step, NULL, format('%s directly, %s through SQL', s.directly, s.by_sql),
    'what debits of this session did so far', NULL
FROM credit.direct_steps() s
UNION ALL
SELECT 'version', 'installed', x.extversion = v.loaded AND x.extversion = a.default_version, x.extversion,
    CASE WHEN x.extversion <> v.loaded THEN format('the library is %s: connect anew, or ALTER EXTENSION pg_credit UPDATE',
        v.loaded)
         WHEN x.extversion <> a.default_version THEN format('%s is available: ALTER EXTENSION pg_credit UPDATE',
             a.default_version)
         ELSE 'the library and the files of the server have the same' END, NULL
FROM pg_catalog.pg_extension x
CROSS JOIN LATERAL (SELECT credit.library_version() AS loaded) AS v
LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = x.extname
WHERE x.extname = 'pg_credit'
UNION ALL
SELECT 'slots held', COALESCE('process ' || h.pid, 'prepared transaction "' || p.gid || '"', 'transaction '
    || h.virtualtransaction),
    COALESCE(s.xact_start, p.prepared) > clock_timestamp() - interval '1 minute',
    format('%s of lots, %s of caps', h.lots, h.caps),
    CASE WHEN p.gid IS NOT NULL THEN 'until COMMIT PREPARED or ROLLBACK PREPARED'
         ELSE concat_ws(', ', s.state, NULLIF(s.application_name, ''), 'until its transaction ends') END,
    COALESCE(s.xact_start, p.prepared)
FROM (
    SELECT l.pid, l.virtualtransaction, count(*) FILTER (WHERE l.objsubid = 20293) AS lots, count(*)
        FILTER (WHERE l.objsubid = 20297) AS caps
    FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid IN (20293, 20297) AND l.granted
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
    GROUP BY l.pid, l.virtualtransaction
) AS h
LEFT JOIN pg_catalog.pg_stat_activity s ON s.pid = h.pid
LEFT JOIN pg_catalog.pg_locks x ON h.pid IS NULL AND x.pid IS NULL AND x.virtualtransaction = h.virtualtransaction
    AND x.locktype = 'transactionid'
LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
UNION ALL
SELECT 'maintenance', d.step, COALESCE(d.since > credit.now() - interval '24 hours', true) AND last.error IS NULL,
    CASE d.due WHEN 0 THEN 'nothing due' WHEN 10000 THEN '10000 due, or more' ELSE COALESCE(d.due || ' due', 'not counted') END,
    concat_ws(', ', COALESCE('last done ' || to_char(last.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
        || ' UTC', 'never done'),
        'error: ' || last.error),
    d.since
FROM credit.maintenance_due() d
LEFT JOIN LATERAL (SELECT r.finished_at, r.error FROM credit.maintenance_run r
    WHERE r.step = d.step AND r.finished_at IS NOT NULL ORDER BY r.run DESC LIMIT 1) AS last ON true;
COMMENT ON VIEW credit.status IS
    'Whether the installation does what it should, one row per subject: whether debits go directly, which version runs, which '
    'transactions hold slots, what maintenance has to do.';
COMMENT ON COLUMN credit.status.topic IS
    'speed: the tables of the direct path; this session: what its debits did; version; slots held: transactions that others may '
    'wait for; maintenance: its steps.';
COMMENT ON COLUMN credit.status.subject IS 'The table, step, version or transaction.';
COMMENT ON COLUMN credit.status.is_well IS
    'false: somebody should look; NULL: only a figure. Of a transaction: false when it holds slots for over a minute, NULL when '
    'this role may not see since when. Of a step of maintenance: false when something is due for over 24 hours, or its last run '
    'failed.';
COMMENT ON COLUMN credit.status.state IS 'What it is, in a word or a number.';
COMMENT ON COLUMN credit.status.detail IS 'Why, and the way out.';
COMMENT ON COLUMN credit.status.since IS 'Since when the oldest is due, or the transaction runs; NULL elsewhere.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_maintain(integer) IS
'Maintenance in the caller''s transaction: issues what schedules bring, posts expiries, closes empty lots, adds up consumption, '
'forgets keys of debits and charges that are older than credit.key_retention_days and runs older than 90 days, at most max_rows '
'of each; a row for each task. Safe to run twice at once.
Errors: 22023 malformed argument.';

COMMENT ON FUNCTION @extschema@.credit_expiry_forecast(text, text, interval) IS
'What each lot that expires will have lost by then, if every member goes on using credits for every operation as in the '
'burn_window up to now: simulated in drawdown order. lost_value is at the lot''s cost basis, in currency. What schedules will '
'issue until then is drawn on as well, and what they roll over (forecast_rolled) is not lost. The earliest expiry first; '
'changes nothing.
Errors: 22023 malformed argument; P0002 unknown account or unit.';

COMMENT ON FUNCTION @extschema@.credit_verify() IS
    'Proves the books: a row for each violated invariant, none when all of them hold. Reads the whole ledger.';
COMMENT ON FUNCTION @extschema@.credit_verify(text) IS
'The same of one account.
Errors: 22023 malformed argument; P0002 unknown account.';

COMMENT ON FUNCTION @extschema@.credit_repair_sequences() IS
    'Sets each sequence that is behind the ids in the books beyond them; a row for each. For the owner, after rows came without '
    'their sequences: logical failover, a partial restore.';

SET LOCAL search_path TO @extschema@, pg_temp;
