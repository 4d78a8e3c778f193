-- Everything that must be the same after a restore. The two outputs are compared as text.

SET TIME ZONE 'UTC';

\echo == every table that is dumped: its rows
SELECT format('SELECT %L AS "table", count(*) AS rows, md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) AS digest FROM %s AS t',
              relation::regclass, relation::regclass)
FROM pg_extension, unnest(extconfig) AS relation
WHERE extname = 'pg_credit' AND (SELECT relkind FROM pg_class WHERE oid = relation) = 'r'
ORDER BY relation::regclass::text COLLATE "C"
\gexec

\echo == every sequence that is dumped: where it stands
SELECT format('SELECT %L AS sequence, last_value, is_called FROM %s', relation::regclass, relation::regclass)
FROM pg_extension, unnest(extconfig) AS relation
WHERE extname = 'pg_credit' AND (SELECT relkind FROM pg_class WHERE oid = relation) = 'S'
ORDER BY relation::regclass::text COLLATE "C"
\gexec

\echo == tables with rows of ours that are not dumped (there must be none)
SELECT c.oid::regclass
FROM pg_class c
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'pg_credit' AND c.relkind IN ('r', 'p', 'S') AND NOT c.oid = ANY (e.extconfig)
    -- Added up anew from the ledger.
    AND c.relname NOT IN ('rollup', 'rollup_watermark')
ORDER BY 1;

\echo == the books: violated invariants (there must be none)
SELECT * FROM credit_verify();

\echo == balances
SELECT account,
       credit_balance(account) AS pool,
       credit_balance(account, member => 'alice') AS of_alice,
       credit_balance(account, operation => 'chat') AS for_chat,
       credit_balance(account, at => '2024-01-15 00:00:00+00') AS as_of_then
FROM credit.account ORDER BY account;
SELECT count(*) AS slots, sum(remaining) AS remaining FROM credit.slot;

\echo == consumption, whether it is added up or not
SELECT * FROM credit.consumption_by_member ORDER BY account, unit, month, member;
SELECT * FROM credit.consumption_daily ORDER BY account, unit, day;
SELECT * FROM credit_chargeback('acme', '2024-01-01', '2100-01-01');

\echo == views
SELECT 'balances' AS view, count(*), md5(string_agg(v::text, chr(10) ORDER BY v::text COLLATE "C")) FROM credit.balances v
UNION ALL
SELECT 'lots', count(*), md5(string_agg(v::text, chr(10) ORDER BY v::text COLLATE "C")) FROM credit.lots v
UNION ALL
SELECT 'ledger', count(*), md5(string_agg(v::text, chr(10) ORDER BY v::text COLLATE "C")) FROM credit.ledger v
ORDER BY 1;

\echo == triggers, and when they fire
SELECT tgrelid::regclass AS "table", tgname, tgenabled
FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
WHERE relnamespace = 'credit'::regnamespace AND NOT tgisinternal
ORDER BY 1, 2;

\echo == what the role that may spend may do
SELECT p.oid::regprocedure AS function
FROM pg_proc p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'pg_credit' AND has_function_privilege('lifecycle_spender', p.oid, 'EXECUTE')
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass AS relation, privilege
FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind IN ('r', 'v')
  AND has_table_privilege('lifecycle_spender', c.oid, privilege)
ORDER BY c.oid::regclass::text COLLATE "C", privilege;
