-- Access: nothing for PUBLIC; three levels that credit_allow() grants. This view is the one list of what each level may do.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE VIEW credit.access_rule AS
SELECT level.level, rule.privilege, rule.kind, rule.object
FROM (
    SELECT f.levels, 'EXECUTE' AS privilege, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind,
        pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS object
    FROM (VALUES
        ('{read,spend,admin}'::text[], 'credit_balance'), ('{read,spend,admin}', 'credit_explain_debit'),
        ('{spend,admin}', 'credit_debit'), ('{spend,admin}', 'credit_try_debit'), ('{spend,admin}', 'credit_debit_many'), ('{spend,admin}', 'credit_debit_many_json'),
        ('{read,admin}', 'credit_conversion_markdown'), ('{admin}', 'credit_export_rate_card'), ('{admin}', 'credit_import_rate_card'), ('{admin}', 'credit_check_design'), ('{admin}', 'credit_convert'), ('{admin}', 'credit_reprice'), ('{admin}', 'credit_reprice_preview'),
        ('{admin}', 'credit_account'), ('{admin}', 'credit_member'), ('{admin}', 'credit_grant'), ('{admin}', 'credit_void'),
        ('{admin}', 'credit_set_expiry'), ('{admin}', 'credit_expire'), ('{admin}', 'credit_maintain'),
        ('{read,spend,admin}', 'credit_price'), ('{spend,admin}', 'credit_charge'), ('{spend,admin}', 'credit_charge_request'),
        ('{spend,admin}', 'credit_charge_many'), ('{admin}', 'credit_unit'), ('{admin}', 'credit_rate_card'), ('{admin}', 'credit_rate'),
        ('{admin}', 'credit_discard_drafts'), ('{admin}', 'credit_publish'), ('{admin}', 'credit_publish_preview'),
        ('{read,spend,admin}', 'credit_quote'), ('{admin}', 'credit_purchase'), ('{admin}', 'credit_activate'), ('{admin}', 'credit_plan'),
        ('{admin}', 'credit_tier'), ('{admin}', 'credit_plan_cost'), ('{admin}', 'credit_standard_plan'), ('{admin}', 'credit_agreement'), ('{admin}', 'credit_end_agreement'),
        ('{read,admin}', 'credit_expiry_forecast'), ('{admin}', 'maintenance_steps'), ('{admin}', 'maintenance_deadline'),
        ('{admin}', 'begin_maintenance'), ('{admin}', 'maintain_batch'), ('{admin}', 'end_maintenance'),
        ('{admin}', 'credit_change_plan'), ('{admin}', 'credit_renew'), ('{admin}', 'credit_cancel_plan'),
        ('{admin}', 'credit_schedule'), ('{admin}', 'credit_standard_schedule'), ('{admin}', 'credit_end_schedule'),
        ('{read,admin}', 'credit_schedule_preview'), ('{admin}', 'credit_refresh'),
        ('{read,admin}', 'credit_true_up'), ('{read,admin}', 'credit_true_up_lines'), ('{admin}', 'credit_true_up_post'),
        ('{admin}', 'credit_true_up_settle'), ('{admin}', 'credit_true_up_terms'),
        ('{admin}', 'credit_transfer'), ('{admin}', 'credit_rebalance'), ('{read,admin}', 'credit_rebalance_preview'),
        ('{admin}', 'credit_cap'), ('{admin}', 'credit_end_cap'), ('{read,spend,admin}', 'credit_spendable'),
        ('{read,admin}', 'cap_period'), ('{read,admin}', 'cap_used'),
        ('{admin}', 'credit_pooling'), ('{read,admin}', 'credit_pooling_preview'), ('{admin}', 'credit_move_department'),
        ('{read,admin}', 'credit_chargeback'), ('{admin}', 'credit_rollup'), ('{read,admin}', 'rolled_up_to'),
        ('{admin}', 'credit_verify'), ('{read,admin}', 'now'), ('{read,admin}', 'add_interval')
    ) AS f (levels, function)
    JOIN pg_catalog.pg_proc p ON p.proname = f.function
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = x.oid AND x.extname = 'pg_credit'
    UNION ALL
    SELECT levels, privilege, kind, object FROM (VALUES
        ('{read,admin}'::text[], 'USAGE', 'SCHEMA', 'credit'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.balances'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.lots'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.ledger'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.expiring_soon'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.expiring_by_member'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.expiring_by_account'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.breakage'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.maintenance_run'),
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
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedule'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.plan_schedule'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedule_period'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedule_seat'),
        ('{read,admin}', 'SELECT', 'TABLE', 'credit.schedules'),
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
        ('{admin}', 'SELECT', 'TABLE', 'credit.access_rule'),
        ('{admin}', 'INSERT, UPDATE (decimals, currency)', 'TABLE', 'credit.unit'),
        ('{admin}', 'INSERT (account, granted, member, unit, category, source, priority, effective_at, expires_at, applies_to, paid, currency, metadata)',
            'TABLE', 'credit.lot'),
        ('{admin}', 'INSERT (account, kind, amount, lot, member, operation, quantity, occurred_at, corrects, metadata, dimensions)',
            'TABLE', 'credit.entry')
    ) AS r (levels, privilege, kind, object)
) AS rule, LATERAL unnest(rule.levels) AS level (level);

COMMENT ON VIEW credit.access_rule IS 'What each access level may do: the one list that credit_allow() grants from.';
COMMENT ON COLUMN credit.access_rule.level IS 'The access level: read, spend or admin.';
COMMENT ON COLUMN credit.access_rule.privilege IS 'The privilege, as GRANT spells it.';
COMMENT ON COLUMN credit.access_rule.kind IS 'What the object is: FUNCTION, PROCEDURE, TABLE or SCHEMA.';
COMMENT ON COLUMN credit.access_rule.object IS 'The object, as GRANT spells it.';

REVOKE ALL ON SCHEMA credit FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA credit FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA credit FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA credit FROM PUBLIC;

-- The functions in the target schema, whatever it is called: all that belong to this extension.
DO $$
DECLARE
    function pg_catalog.regprocedure;
BEGIN
    FOR function IN
        SELECT d.objid::pg_catalog.regprocedure
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid OPERATOR(pg_catalog.=) d.refobjid
        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND d.deptype OPERATOR(pg_catalog.=) 'e' AND x.extname OPERATOR(pg_catalog.=) 'pg_credit'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', function);
    END LOOP;
END
$$;

SET LOCAL search_path TO @extschema@, pg_temp;
