-- Access: three levels that credit_allow() grants, and next to nothing for PUBLIC; what was added to the installation; and the
-- guards of the books. The view credit.access_rule is the one list of what each level may do.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The levels ----------------------------------------------------------------------------------------------------------

-- The levels that roles were allowed, as credit_allow() recorded them: an upgrade grants from it again. A role is its name
-- everywhere, and its oid on the server where it was allowed: a role that is renamed keeps its oid, and a later role of the same
-- name has another.
CREATE TABLE credit.access_record (
    granted_at         timestamptz NOT NULL DEFAULT pg_catalog.now(),
    system_identifier  bigint NOT NULL,
    role_oid           oid NOT NULL,
    role               text COLLATE "C" NOT NULL,
    level              text COLLATE "C" NOT NULL CHECK (level IN ('read', 'spend', 'admin')),
    granted_by         text COLLATE "C" NOT NULL DEFAULT session_user,
    PRIMARY KEY (role, level)
);
COMMENT ON TABLE credit.access_record IS
    'Who was allowed what, as credit_allow() recorded it. An upgrade and a restored dump grant from it again. credit.access '
    'says what became of it.';
COMMENT ON COLUMN credit.access_record.role IS 'The role''s name when it was allowed.';
COMMENT ON COLUMN credit.access_record.level IS 'read, spend or admin. credit.access_rule lists what each may do.';
COMMENT ON COLUMN credit.access_record.role_oid IS 'The role''s oid, which it keeps when it is renamed.';
COMMENT ON COLUMN credit.access_record.system_identifier IS 'The server whose oid that is; on another one only the name counts.';
COMMENT ON COLUMN credit.access_record.granted_at IS 'When it was granted.';
COMMENT ON COLUMN credit.access_record.granted_by IS 'The login role of the session that granted it.';
SELECT pg_catalog.pg_extension_config_dump('credit.access_record', '');

CREATE VIEW credit.access_rule AS
SELECT level.level, rule.privilege, rule.kind, rule.object
FROM (
    SELECT f.levels, 'EXECUTE' AS privilege, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind,
        pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS object
    FROM (VALUES
        ('{read,spend,admin}'::text[], 'credit_balance'), ('{read,spend,admin}', 'credit_explain_debit'),
        ('{spend,admin}', 'credit_check'), ('{spend,admin}', 'credit_debit'), ('{spend,admin}', 'credit_try_debit'),
        ('{spend,admin}', 'credit_debit_many'),
        ('{spend,admin}', 'credit_debit_available'), ('{spend,admin}', 'credit_hold'), ('{spend,admin}', 'credit_hold_charge'),
        ('{spend,admin}', 'credit_capture'), ('{spend,admin}', 'credit_capture_charge'), ('{spend,admin}', 'credit_release'),
        ('{spend,admin}', 'credit_extend_hold'), ('{spend,admin}', 'credit_hold_many'),
        ('{spend,admin}', 'credit_capture_many'), ('{admin}', 'credit_refund'), ('{admin}', 'credit_withdraw'),
            ('{spend,admin}', 'credit_debit_many_json'),
        ('{read,admin}', 'credit_conversion_markdown'), ('{admin}', 'credit_export_rate_card'),
            ('{admin}', 'credit_import_rate_card'), ('{admin}', 'credit_check_design'), ('{admin}', 'credit_convert'),
            ('{admin}', 'credit_reprice'), ('{admin}', 'credit_reprice_preview'),
        ('{admin}', 'credit_account'), ('{admin}', 'credit_member'), ('{admin}', 'credit_grant'), ('{admin}', 'credit_void'),
        ('{admin}', 'credit_set_expiry'), ('{admin}', 'credit_expire'), ('{admin}', 'credit_maintain'),
        ('{read,spend,admin}', 'credit_price'), ('{spend,admin}', 'credit_charge'), ('{spend,admin}', 'credit_charge_request'),
        ('{spend,admin}', 'credit_charge_many'), ('{admin}', 'credit_unit'), ('{admin}', 'credit_rate_card'),
            ('{admin}', 'credit_rate'),
        ('{admin}', 'credit_discard_drafts'), ('{admin}', 'credit_publish'), ('{admin}', 'credit_publish_preview'),
        ('{read,spend,admin}', 'credit_quote'), ('{admin}', 'credit_purchase'), ('{admin}', 'credit_activate'),
            ('{admin}', 'credit_plan'),
        ('{admin}', 'credit_tier'), ('{admin}', 'credit_plan_cost'), ('{admin}', 'credit_standard_plan'),
            ('{admin}', 'credit_agreement'), ('{admin}', 'credit_end_agreement'),
        ('{read,admin}', 'credit_expiry_forecast'), ('{admin}', 'maintenance_steps'), ('{admin}', 'maintenance_deadline'),
        ('{admin}', 'begin_maintenance'), ('{admin}', 'maintain_batch'), ('{admin}', 'end_maintenance'),
        ('{admin}', 'credit_change_plan'), ('{admin}', 'credit_renew'), ('{admin}', 'credit_cancel_plan'),
        ('{admin}', 'credit_schedule'), ('{admin}', 'credit_standard_schedule'), ('{admin}', 'credit_end_schedule'),
        ('{read,admin}', 'credit_schedule_preview'), ('{admin}', 'credit_refresh'),
        ('{read,admin}', 'credit_true_up'), ('{read,admin}', 'credit_true_up_lines'), ('{admin}', 'credit_true_up_post'),
        ('{admin}', 'credit_true_up_settle'), ('{admin}', 'credit_true_up_terms'),
        ('{admin}', 'credit_transfer'), ('{admin}', 'credit_rebalance'), ('{read,admin}', 'credit_rebalance_preview'),
        ('{admin}', 'credit_cap'), ('{admin}', 'credit_end_cap'), ('{read,spend,admin}', 'credit_spendable'),
        ('{public,read,admin}', 'cap_period'), ('{public,read,admin}', 'cap_used'),
        ('{admin}', 'credit_pooling'), ('{read,admin}', 'credit_pooling_preview'), ('{admin}', 'credit_move_department'),
        ('{read,admin}', 'credit_chargeback'), ('{admin}', 'credit_rollup'), ('{public,read,admin}', 'rolled_up_to'),
        ('{admin}', 'credit_verify'), ('{admin}', 'guards'),
        ('{public,read,admin}', 'maintenance_due'), ('{public,read,admin}', 'library_version'),
        ('{public,read,admin}', 'direct_access'),
        ('{public,read,admin}', 'direct_steps'),
        -- Views call these for whoever reads them, also through a view of somebody else's. They tell nothing of any account.
        ('{public,read,admin}', 'now'), ('{public,read,admin}', 'add_interval')
    ) AS f (levels, function)
    JOIN pg_catalog.pg_proc p ON p.proname = f.function
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = x.oid
        AND x.extname = 'pg_credit'
    UNION ALL
    -- What a level may read of a table: all of it, or for `read` all but what tells what credits cost the provider.
    SELECT pg_catalog.array_agg(level.level), CASE WHEN visible.columns IS NULL THEN r.privilege
        ELSE pg_catalog.format('SELECT (%s)', visible.columns) END,
        r.kind, r.object
    FROM (VALUES
        ('{read,admin}'::text[], 'USAGE', 'SCHEMA', 'credit'), ('{admin}', 'USAGE', 'DOMAIN', 'credit.remaining'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.balances'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.lots'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.holds'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.refunds'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_by_day_made'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.hold'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.ledger'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.expiring_soon'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.expiring_by_member'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.expiring_by_account'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.breakage'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.correction'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.lot_gain'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.maintenance_run'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.status'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.units'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.conversion_table'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.rate_history'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.margin'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.margin_by_account'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.unit'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.account'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.member'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.unit_value'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.rate_card'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.rate'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.rate_draft'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.rate_usage'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.plan'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.plan_price'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.tier'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.agreement'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.purchase'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.purchases'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.voided'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedule'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.plan_schedule'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedule_period'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedule_seat'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedules'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.unseated_members'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.true_up'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.true_ups_due'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.true_up_line'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.true_up_terms'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.true_up_correction'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.pooling'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.departments'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.purchase_lot'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.commitments'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.subscription'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.plan_change'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.subscription_purchase'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.subscription_return'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.instalments'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.subscriptions'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.caps'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.cap'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.cap_slot'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_by_member'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_by_department'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_by_operation'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_daily'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_by_run'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_by_dimension'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_monthly'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.consumption_within_department'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.heavy_and_light_users'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.rollup'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.rollup_lot'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.rollup_watermark'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.plan_cost'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.tier_economics'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.lot'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.slot'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.entry'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.request'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.conversion'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.access'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.access_record'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.access_rule'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.access_privilege'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.installed_object'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.held_privilege'),
        ('{admin}', 'SELECT', 'TABLE', 'credit.installation'),
        ('{admin}', 'INSERT, UPDATE (decimals, currency)', 'TABLE', 'credit.unit'),
        ('{admin}',
            'INSERT (account, granted, member, unit, category, source, priority, effective_at, expires_at, applies_to, paid, '
            'currency, metadata)',
            'TABLE', 'credit.lot'),
        ('{admin}',
            'INSERT (account, kind, amount, lot, member, operation, quantity, occurred_at, corrects, metadata, dimensions, run)',
            'TABLE', 'credit.entry')
    ) AS r (levels, privilege, kind, object)
    CROSS JOIN LATERAL pg_catalog.unnest(r.levels) AS level (level)
    LEFT JOIN LATERAL (
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
            FILTER (WHERE NOT costs.is_hidden) AS columns
        FROM pg_catalog.pg_attribute a
        CROSS JOIN LATERAL (SELECT a.attname IN ('floor_margin', 'below_floor', 'override_reason',
            'end_reason') AS is_hidden) AS costs
        WHERE level.level = 'read' AND r.privilege = 'SELECT' AND a.attrelid = (SELECT c.oid FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = r.object)
            AND a.attnum > 0 AND NOT a.attisdropped
        HAVING pg_catalog.bool_or(costs.is_hidden)) AS visible ON true
    GROUP BY 2, 3, 4
) AS rule, LATERAL unnest(rule.levels) AS level (level);
COMMENT ON VIEW credit.access_rule IS 'What each access level may do: the one list that credit_allow() grants from.';
COMMENT ON COLUMN credit.access_rule.level IS 'The access level: read, spend or admin; public is what everybody may do.';
COMMENT ON COLUMN credit.access_rule.privilege IS 'The privilege, as GRANT spells it.';
COMMENT ON COLUMN credit.access_rule.kind IS 'What the object is: FUNCTION, PROCEDURE, TABLE, DOMAIN or SCHEMA.';
COMMENT ON COLUMN credit.access_rule.object IS 'The object, as GRANT spells it.';

-- What is granted -----------------------------------------------------------------------------------------------------

-- All that belongs to this extension and can be granted, with its privileges as the catalog keeps them.
CREATE VIEW credit.installed_object AS
SELECT o.kind, o.object, d.classid AS class, d.objid AS id, o.owner,
    COALESCE(o.privileges, acldefault(o.type, o.owner)) AS privileges
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND x.extname = 'pg_credit'
CROSS JOIN LATERAL (
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, format('%I.%I', n.nspname, c.relname) AS object,
        c.relowner AS owner,
        CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS type, c.relacl AS privileges
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid
    UNION ALL
    SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
        format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), p.proowner, 'f', p.proacl
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid
    UNION ALL
    SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, format('%I.%I', n.nspname, t.typname), t.typowner, 'T', t.typacl
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE d.classid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objid AND t.typtype IN ('d', 'c', 'e', 'b') AND t.typelem = 0
        AND (t.typrelid = 0 OR (SELECT r.relkind FROM pg_catalog.pg_class r WHERE r.oid = t.typrelid) = 'c')
    UNION ALL
    SELECT 'SCHEMA', quote_ident(n.nspname), n.nspowner, 'n', n.nspacl FROM pg_catalog.pg_namespace n
    WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND n.oid = d.objid
) AS o
WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' AND d.objsubid = 0;
COMMENT ON VIEW credit.installed_object IS 'All that belongs to this extension and can be granted.';
COMMENT ON COLUMN credit.installed_object.kind IS 'What it is, as GRANT spells it; views are tables there.';
COMMENT ON COLUMN credit.installed_object.object IS 'Its name, as GRANT spells it.';
COMMENT ON COLUMN credit.installed_object.class IS 'The catalog it stands in.';
COMMENT ON COLUMN credit.installed_object.id IS 'Its oid there.';
COMMENT ON COLUMN credit.installed_object.owner IS 'The role that owns it.';
COMMENT ON COLUMN credit.installed_object.privileges IS 'Its privileges, as the catalog keeps them.';

-- The rules of the levels one by one: a row per privilege, and per column where a rule names columns.
CREATE VIEW credit.access_privilege AS
SELECT r.level, r.kind, r.object, names.column_name, part.matched[1] AS privilege
FROM credit.access_rule r
CROSS JOIN LATERAL regexp_matches(r.privilege, '([A-Z]+)(?: [(]([^)]*)[)])?', 'g') AS part (matched)
CROSS JOIN LATERAL unnest(COALESCE(string_to_array(part.matched[2], ', '), ARRAY[NULL])) AS names (column_name);
COMMENT ON VIEW credit.access_privilege IS 'The rules of credit.access_rule one by one: a row per privilege and column.';
COMMENT ON COLUMN credit.access_privilege.level IS 'The access level.';
COMMENT ON COLUMN credit.access_privilege.kind IS 'What the object is, as GRANT spells it.';
COMMENT ON COLUMN credit.access_privilege.object IS 'The object, as GRANT spells it.';
COMMENT ON COLUMN credit.access_privilege.column_name IS 'The column; NULL for the whole object.';
COMMENT ON COLUMN credit.access_privilege.privilege IS 'One privilege.';

-- The privileges on these objects of anybody but their owners, one by one.
CREATE VIEW credit.held_privilege AS
SELECT o.kind, o.object, held.column_name, held.privilege, held.grantee, held.grantor, held.is_grantable
FROM credit.installed_object o
CROSS JOIN LATERAL (
    SELECT NULL AS column_name, a.privilege_type AS privilege, a.grantee, a.grantor, a.is_grantable
        FROM aclexplode(o.privileges) AS a
    UNION ALL
    SELECT quote_ident(c.attname), a.privilege_type, a.grantee, a.grantor, a.is_grantable
    FROM pg_catalog.pg_attribute c CROSS JOIN LATERAL aclexplode(c.attacl) AS a
    WHERE o.class = 'pg_catalog.pg_class'::regclass AND c.attrelid = o.id AND NOT c.attisdropped
) AS held
WHERE held.grantee <> o.owner;
COMMENT ON VIEW credit.held_privilege IS 'What is granted on the extension''s objects to anybody but their owner, one by one.';
COMMENT ON COLUMN credit.held_privilege.kind IS 'What the object is, as GRANT spells it.';
COMMENT ON COLUMN credit.held_privilege.object IS 'The object, as GRANT spells it.';
COMMENT ON COLUMN credit.held_privilege.column_name IS 'The column; NULL for the whole object.';
COMMENT ON COLUMN credit.held_privilege.privilege IS 'The privilege.';
COMMENT ON COLUMN credit.held_privilege.grantee IS 'The role that has it; 0 is PUBLIC.';
COMMENT ON COLUMN credit.held_privilege.grantor IS 'The role that granted it.';
COMMENT ON COLUMN credit.held_privilege.is_grantable IS 'Whether that role may grant it to others.';

-- The state of each level that was allowed. A role is found by its oid on the server where it was allowed, and by its name
-- elsewhere.
CREATE VIEW credit.access AS
WITH here AS MATERIALIZED (
    SELECT c.system_identifier FROM pg_catalog.pg_control_system() c
), allowed AS MATERIALIZED (
    SELECT a.role, a.level, a.granted_at, a.granted_by, holder.oid, holder.rolname
    FROM credit.access_record a
    LEFT JOIN LATERAL (
        -- On the server where it was allowed the oid alone says who it is: a role that was made anew under the name was allowed
        -- nothing.
        SELECT r.oid, r.rolname FROM pg_catalog.pg_roles r, here
        WHERE CASE WHEN a.system_identifier = here.system_identifier THEN r.oid = a.role_oid ELSE r.rolname = a.role END
    ) AS holder ON true
), held AS MATERIALIZED (
    SELECT h.grantee, h.kind, h.object, COALESCE(h.column_name, '') AS column_name, h.privilege FROM credit.held_privilege h
), counted AS (
    SELECT a.role, a.level, count(*) AS of_level, count(h.grantee) AS held
    FROM allowed a JOIN (SELECT * FROM credit.access_privilege OFFSET 0) p ON p.level = a.level
    LEFT JOIN held h ON h.grantee = a.oid AND h.kind = p.kind AND h.object = p.object
        AND h.column_name = COALESCE(p.column_name, '')
        AND h.privilege = p.privilege
    GROUP BY a.role, a.level
)
SELECT a.role, a.level,
    CASE WHEN a.rolname IS NULL THEN 'gone'
         WHEN c.held = 0 THEN 'not granted'
         WHEN a.rolname <> a.role THEN 'renamed'
         WHEN c.held < c.of_level THEN 'granted in part'
         ELSE 'granted' END AS state,
    a.rolname::text AS role_now, a.granted_at, a.granted_by
FROM allowed a JOIN counted c ON c.role = a.role AND c.level = a.level;
COMMENT ON VIEW credit.access IS 'Who was allowed what by credit_allow(), and what became of it.';
COMMENT ON COLUMN credit.access.role IS 'The role''s name when it was allowed.';
COMMENT ON COLUMN credit.access.level IS 'read, spend or admin. credit.access_rule lists what each may do.';
COMMENT ON COLUMN credit.access.state IS
    'granted; granted in part: some of it was taken away by other means; not granted: nothing of it is there, as after a '
    'restore of the data alone; renamed: the role has another name now; gone: there is no such role, or another one that was '
    'made anew under the name.';
COMMENT ON COLUMN credit.access.role_now IS 'The role''s name now; NULL when it is gone.';
COMMENT ON COLUMN credit.access.granted_at IS 'When it was granted.';
COMMENT ON COLUMN credit.access.granted_by IS 'The login role of the session that granted it.';

-- Guards --------------------------------------------------------------------------------------------------------------

-- In src/api/access/guards.rs. It runs as the owner, so that a reader of the view below sees what the owner sees.
CREATE FUNCTION credit.guards() RETURNS TABLE (kind text, object text, expected text, found text) LANGUAGE c STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp AS 'MODULE_PATHNAME', 'guards_wrapper';
COMMENT ON FUNCTION credit.guards() IS
'What guards the books: triggers, constraints, unique indexes, columns that have a default or are never NULL, and how tables, '
'views, sequences and
functions are set up. `expected` is what this version installs, NULL for what is not its own; `found` is what there is, NULL '
'when it is missing.';

-- Objects and privileges that somebody added to the installation: no violation of the books, and the extension does not know why
-- they are there.
CREATE VIEW credit.installation AS
SELECT 'grant' AS kind, h.kind || ' ' || h.object AS object,
    h.privilege || COALESCE(' (' || h.column_name || ')', '') AS name,
        COALESCE(grantee.rolname::text, CASE h.grantee WHEN 0 THEN 'PUBLIC' ELSE h.grantee::text END) AS role,
    'granted by ' || COALESCE(grantor.rolname::text, h.grantor::text) || CASE WHEN h.is_grantable THEN ', with grant option'
        ELSE '' END AS detail
FROM credit.held_privilege h
LEFT JOIN pg_catalog.pg_roles grantee ON grantee.oid = h.grantee
LEFT JOIN pg_catalog.pg_roles grantor ON grantor.oid = h.grantor
WHERE h.is_grantable OR NOT EXISTS (
    SELECT FROM credit.access_privilege p
    WHERE (p.kind, p.object, p.privilege) = (h.kind, h.object, h.privilege) AND p.column_name IS NOT DISTINCT FROM h.column_name
        AND (h.grantee = 0 AND p.level = 'public' OR EXISTS (SELECT FROM credit.access_record a WHERE a.level = p.level
            AND CASE WHEN a.system_identifier = (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c)
                THEN a.role_oid = h.grantee ELSE a.role = grantee.rolname END)))
UNION ALL
SELECT 'trigger', 'TABLE ' || regexp_replace(g.object, '[.][^.]*$', ''), regexp_replace(g.object, '^.*[.]', ''), NULL, g.found
FROM credit.guards() g WHERE g.kind = 'trigger' AND g.expected IS NULL
UNION ALL
SELECT 'rule', o.kind || ' ' || o.object, r.rulename, NULL, pg_catalog.pg_get_ruledef(r.oid)
FROM credit.installed_object o JOIN pg_catalog.pg_rewrite r ON r.ev_class = o.id
WHERE o.class = 'pg_catalog.pg_class'::regclass AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', o.kind || ' ' || o.object, p.polname, NULL,
    concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
        CASE p.polcmd WHEN 'r' THEN 'for select' WHEN 'a' THEN 'for insert' WHEN 'w' THEN 'for update' WHEN 'd' THEN 'for delete'
            ELSE 'for all' END,
        'using ' || pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'with check '
            || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
FROM credit.installed_object o JOIN pg_catalog.pg_policy p ON p.polrelid = o.id
WHERE o.class = 'pg_catalog.pg_class'::regclass
UNION ALL
SELECT 'row security', o.kind || ' ' || o.object, NULL, NULL, CASE WHEN c.relforcerowsecurity THEN 'forced' ELSE 'enabled' END
FROM credit.installed_object o JOIN pg_catalog.pg_class c ON c.oid = o.id
WHERE o.class = 'pg_catalog.pg_class'::regclass AND c.relrowsecurity;
COMMENT ON VIEW credit.installation IS
    'What somebody added to the installation: grants that credit_allow() did not make, triggers, rules and policies. The books '
    'may be right with all of them; each row is for a person to judge.';
COMMENT ON COLUMN credit.installation.kind IS 'grant, trigger, rule, policy, or row security.';
COMMENT ON COLUMN credit.installation.object IS 'What it was added to.';
COMMENT ON COLUMN credit.installation.name IS 'The privilege, or the name of what was added.';
COMMENT ON COLUMN credit.installation.role IS 'Of a grant: the role that has it, or PUBLIC.';
COMMENT ON COLUMN credit.installation.detail IS 'Who granted it, or how it is defined.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_allow(text, text) IS
'Grants an existing role the level read, spend or admin, and records it in credit.access. For the owner of the extension.
Errors: 22023 unknown level; P0002 unknown role; 42501 not the owner.';

COMMENT ON FUNCTION @extschema@.credit_disallow(text, text) IS
'Takes a level from a role again; what its other levels grant stays. Also by a name that credit.access has and no role any '
'more: of a role
that was renamed it takes the level under its name of now. For the owner of the extension.
Errors: 22023 unknown level; P0002 unknown role; 42501 not the owner.';

COMMENT ON FUNCTION @extschema@.credit_enable_triggers() IS
'Switches the triggers of the extension on as they were installed, and says how many were not: pg_restore --disable-triggers '
'leaves those that
always fire as ordinary ones. What is missing or was replaced stays; credit_verify() names it. For the owner of the extension.
Errors: 42501 not the owner.';

-- Privileges of all that was installed --------------------------------------------------------------------------------

-- At the end of the install script for everything, and of an upgrade script for what it created: default privileges may have
-- opened new objects to others. Objects that are not named stay as they are, with all that others granted on them.
CREATE FUNCTION credit.settle_privileges(objects text[] DEFAULT NULL) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, credit, pg_temp SET jit = off
    AS $$
DECLARE
    wanted text;
    statement text;
    grants CONSTANT text[] := ARRAY(
        SELECT format('GRANT %s ON %s %s TO %s', r.privilege, r.kind, r.object, role.name)
        FROM credit.access_rule r
        JOIN (SELECT 'public' AS level, 'PUBLIC' AS name
              UNION SELECT a.level, quote_ident(a.role_now) FROM credit.access a
              WHERE a.state IN ('granted', 'granted in part', 'renamed')) AS role
            ON role.level = r.level
        WHERE objects IS NULL OR r.kind || ' ' || r.object = ANY (objects));
BEGIN
    FOREACH wanted IN ARRAY COALESCE(objects, '{}') LOOP
        IF NOT EXISTS (SELECT FROM credit.installed_object o WHERE o.kind || ' ' || o.object = wanted) THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('pg_credit has no %s', wanted),
                HINT = 'Names are spelt as in credit.installed_object: kind, space, object.';
        END IF;
    END LOOP;
    FOR statement IN
        SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', h.kind, h.object,
            CASE h.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(h.grantee)) END)
        FROM credit.held_privilege h WHERE objects IS NULL OR h.kind || ' ' || h.object = ANY (objects)
    LOOP
        EXECUTE statement;
    END LOOP;
    FOREACH statement IN ARRAY grants LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
COMMENT ON FUNCTION credit.settle_privileges(text[]) IS
'Takes everything on the named objects of the extension, or on all, from everybody but their owner, and grants what '
'credit.access_rule gives
PUBLIC and the roles of credit.access. Install and upgrade scripts call it for what they create. For the owner.';

SELECT credit.settle_privileges();

SET LOCAL search_path TO @extschema@, pg_temp;
