//! What the extension installs, against lists in this file: members, comments, names, marks, privileges, keys, what is dumped.

use pg_credit_clients::{Database, Server, Session, quote};
use postgres::Client;

/// Every member of the extension, as `pg_describe_object` names it.
const MEMBERS: &[&str] = &[
    "function credit.account_check()",
    "function credit.add_interval(timestamp with time zone,interval,text)",
    "function credit.announce_change()",
    "function credit.announce_lot()",
    "function credit.begin_maintenance(text)",
    "function credit.cap_period(timestamp with time zone,text,interval,interval,text,timestamp with time zone)",
    "function credit.cap_spent(text,bigint,timestamp with time zone)",
    "function credit.cap_spent_by_step(text,bigint,timestamp with time zone)",
    "function credit.cap_used(numeric,timestamp with time zone,timestamp with time zone[],numeric[],timestamp with time zone,timestamp with time zone)",
    "function credit.end_maintenance(bigint,text)",
    "function credit.entry_apply()",
    "function credit.entry_check()",
    "function credit.lot_apply()",
    "function credit.lot_check()",
    "function credit.maintain_batch(bigint,integer)",
    "function credit.maintenance_deadline(interval,integer)",
    "function credit.maintenance_steps()",
    "function credit.now()",
    "function credit.refuse_change()",
    "function credit.rolled_up_to()",
    "function credit.unit_check()",
    "function credit_account(text,text,text,text,boolean,text,text,interval,text,jsonb)",
    "function credit_activate(text,bigint)",
    "function credit_agreement(text,text,text,numeric,numeric,numeric[],numeric[],interval,text,text,\
     timestamp with time zone,timestamp with time zone,text,text)",
    "function credit_allow(text,text)",
    "function credit_balance(text,text,text,timestamp with time zone,text)",
    "function credit_cancel_plan(text,text,text)",
    "function credit_cap(text,numeric,text,text,text,text,text,interval,timestamp with time zone,text,text)",
    "function credit_change_plan(text,text,numeric,timestamp with time zone,boolean,text,timestamp with time zone,text,text,jsonb)",
    "function credit_charge(text,text,numeric,text,jsonb,timestamp with time zone,text,jsonb)",
    "function credit_charge_many(text[],text[],numeric[],text[],jsonb[],timestamp with time zone[],text[],jsonb[],text)",
    "function credit_charge_request(text,text[],numeric[],text,jsonb,timestamp with time zone,text,jsonb)",
    "function credit_chargeback(text,timestamp with time zone,timestamp with time zone,text,integer)",
    "function credit_check_design(numeric,integer)",
    "function credit_conversion_markdown(text)",
    "function credit_convert(text,numeric,text,text,numeric,text,text,text,jsonb)",
    "function credit_debit(text,numeric,text,text,text,timestamp with time zone,text,jsonb)",
    "function credit_debit_many(text[],numeric[],text[],text[],text[],timestamp with time zone[],text[],jsonb[],text)",
    "function credit_debit_many_json(jsonb,text)",
    "function credit_disallow(text,text)",
    "function credit_discard_drafts(text,text,jsonb)",
    "function credit_end_agreement(text,text,timestamp with time zone)",
    "function credit_end_cap(text,bigint)",
    "function credit_end_schedule(text,bigint,timestamp with time zone,text)",
    "function credit_expire(text,integer)",
    "function credit_expiry_forecast(text,text,interval)",
    "function credit_explain_debit(text,numeric,text,text,text)",
    "function credit_export_rate_card(text,boolean)",
    "function credit_grant(text,numeric,text,text,text,text,integer,timestamp with time zone,timestamp with time zone,interval,\
     text[],numeric,text,text,jsonb)",
    "function credit_import_rate_card(jsonb,boolean)",
    "function credit_maintain(integer)",
    // A procedure, which the server calls a function here.
    "function credit_maintain(interval,integer)",
    "function credit_member(text,text,text,boolean,text,jsonb)",
    "function credit_move_department(text,text,text)",
    "function credit_plan(text,text,text,numeric,text,text,numeric,text,interval,text,text)",
    "function credit_plan_cost(text,numeric,numeric)",
    "function credit_pooling(text,text,text,text,timestamp with time zone)",
    "function credit_pooling_preview(text,text,text,text,timestamp with time zone,text)",
    "function credit_price(text,text,numeric,jsonb,timestamp with time zone,text)",
    "function credit_publish(text,timestamp with time zone,text,boolean)",
    "function credit_publish_preview(text,timestamp with time zone,boolean)",
    "function credit_purchase(text,text,numeric,numeric,text,boolean,numeric,boolean,boolean,integer,interval,\
     boolean,text,interval,text,text,jsonb)",
    "function credit_quote(text,numeric,text,numeric,text)",
    "function credit_rate(text,text,numeric,numeric,timestamp with time zone,numeric,jsonb,text,boolean,numeric,numeric[],numeric[],\
     text,boolean)",
    "function credit_rate_card(text,text,interval,boolean,text,text)",
    "function credit_rebalance(text,text,interval,jsonb)",
    "function credit_rebalance_preview(text,text,interval)",
    "function credit_refresh(timestamp with time zone,text,integer)",
    "function credit_renew(text,timestamp with time zone,text)",
    "function credit_reprice(text,text,numeric,text,timestamp with time zone,numeric,jsonb)",
    "function credit_reprice_preview(text,integer,text)",
    "function credit_rollup(integer,boolean)",
    "function credit_schedule(text,numeric,interval,timestamp with time zone,timestamp with time zone,timestamp with time zone,\
     integer,text,interval,timestamp with time zone,text,boolean,text,jsonb,text,text,numeric,text,integer,interval,text,jsonb,text,boolean)",
    "function credit_schedule_preview(text,bigint,timestamp with time zone)",
    "function credit_set_expiry(text,bigint,timestamp with time zone,jsonb)",
    "function credit_spendable(text,text,text,text)",
    "function credit_standard_plan(text,text,text,numeric,numeric,numeric,numeric)",
    "function credit_standard_schedule(text,numeric,timestamp with time zone,integer,interval,numeric,text,text,text)",
    "function credit_tier(text,text,numeric,numeric,numeric,numeric,text,interval,interval,boolean,\
     timestamp with time zone,boolean,text,text)",
    "function credit_transfer(text,numeric,text,text,text,bigint,text,jsonb)",
    "function credit_true_up(text,timestamp with time zone,timestamp with time zone,text)",
    "function credit_true_up_lines(text,timestamp with time zone,timestamp with time zone,text)",
    "function credit_true_up_post(text,timestamp with time zone,timestamp with time zone,text)",
    "function credit_true_up_settle(text,bigint)",
    "function credit_true_up_terms(text,interval,timestamp with time zone,numeric,text,text,text,numeric,numeric,text,boolean,text)",
    "function credit_try_debit(text,numeric,text,text,text,timestamp with time zone,text,jsonb)",
    "function credit_unit(text,integer,text,text,numeric,timestamp with time zone,text)",
    "function credit_verify(text)",
    "function credit_void(text,bigint,jsonb)",
    "schema credit",
    "sequence credit.agreement_id",
    "sequence credit.cap_id",
    "sequence credit.lot_id",
    "sequence credit.maintenance_run_id",
    "sequence credit.plan_change_id",
    "sequence credit.pooling_rule",
    "sequence credit.posting_id",
    "sequence credit.purchase_id",
    "sequence credit.rate_id",
    "sequence credit.schedule_id",
    "sequence credit.subscription_id",
    "sequence credit.tier_id",
    "sequence credit.true_up_id",
    "table credit.access",
    "table credit.account",
    "table credit.agreement",
    "table credit.breakage",
    "table credit.cap",
    "table credit.cap_slot",
    "table credit.conversion",
    "table credit.entry",
    "table credit.lot",
    "table credit.maintenance_run",
    "table credit.member",
    "table credit.plan",
    "table credit.plan_change",
    "table credit.plan_cost",
    "table credit.plan_price",
    "table credit.plan_schedule",
    "table credit.pooling",
    "table credit.purchase",
    "table credit.purchase_lot",
    "table credit.rate",
    "table credit.rate_card",
    "table credit.rate_draft",
    "table credit.rate_usage",
    "table credit.request",
    "table credit.rollup",
    "table credit.rollup_watermark",
    "table credit.schedule",
    "table credit.schedule_period",
    "table credit.schedule_seat",
    "table credit.slot",
    "table credit.subscription",
    "table credit.subscription_purchase",
    "table credit.subscription_return",
    "table credit.tier",
    "table credit.true_up",
    "table credit.true_up_correction",
    "table credit.true_up_line",
    "table credit.true_up_terms",
    "table credit.unit",
    "table credit.unit_value",
    "type credit.lot_announcement",
    "type credit.remaining",
    "view credit.access_rule",
    "view credit.balances",
    "view credit.caps",
    "view credit.commitments",
    "view credit.consumption",
    "view credit.consumption_by_department",
    "view credit.consumption_by_member",
    "view credit.consumption_by_operation",
    "view credit.consumption_daily",
    "view credit.consumption_line",
    "view credit.consumption_monthly",
    "view credit.consumption_within_department",
    "view credit.conversion_table",
    "view credit.departments",
    "view credit.expiring_by_account",
    "view credit.expiring_by_member",
    "view credit.expiring_soon",
    "view credit.heavy_and_light_users",
    "view credit.instalments",
    "view credit.ledger",
    "view credit.lots",
    "view credit.margin",
    "view credit.margin_by_account",
    "view credit.rate_history",
    "view credit.schedules",
    "view credit.subscriptions",
    "view credit.tier_economics",
    "view credit.true_ups_due",
    "view credit.units",
];

/// How each function that callers use is marked: volatility, parallel safety, whether it runs as the owner.
/// None is strict: a NULL where a value must be given is an error, not a NULL.
const API: &[(&str, &str, &str, bool)] = &[
    ("credit_account", "volatile", "unsafe", true),
    ("credit_activate", "volatile", "unsafe", true),
    ("credit_agreement", "volatile", "unsafe", true),
    ("credit_allow", "volatile", "unsafe", false),
    ("credit_balance", "stable", "safe", true),
    ("credit_cancel_plan", "volatile", "unsafe", true),
    ("credit_cap", "volatile", "unsafe", true),
    ("credit_change_plan", "volatile", "unsafe", true),
    ("credit_charge", "volatile", "unsafe", true),
    ("credit_charge_many", "volatile", "unsafe", true),
    ("credit_charge_request", "volatile", "unsafe", true),
    ("credit_chargeback", "stable", "safe", true),
    ("credit_check_design", "stable", "safe", true),
    ("credit_conversion_markdown", "stable", "safe", true),
    ("credit_convert", "volatile", "unsafe", true),
    ("credit_debit", "volatile", "unsafe", false),
    ("credit_debit_many", "volatile", "unsafe", true),
    ("credit_debit_many_json", "volatile", "unsafe", true),
    ("credit_disallow", "volatile", "unsafe", false),
    ("credit_discard_drafts", "volatile", "unsafe", true),
    ("credit_end_agreement", "volatile", "unsafe", true),
    ("credit_end_cap", "volatile", "unsafe", true),
    ("credit_end_schedule", "volatile", "unsafe", true),
    ("credit_expire", "volatile", "unsafe", true),
    ("credit_expiry_forecast", "stable", "safe", true),
    ("credit_explain_debit", "stable", "safe", true),
    ("credit_export_rate_card", "stable", "safe", true),
    ("credit_grant", "volatile", "unsafe", true),
    ("credit_import_rate_card", "volatile", "unsafe", true),
    ("credit_maintain", "volatile", "unsafe", true),
    // The procedure: one that runs as its owner cannot commit.
    ("credit_maintain", "volatile", "unsafe", false),
    ("credit_member", "volatile", "unsafe", true),
    ("credit_move_department", "volatile", "unsafe", true),
    ("credit_plan", "volatile", "unsafe", true),
    ("credit_plan_cost", "volatile", "unsafe", true),
    ("credit_pooling", "volatile", "unsafe", true),
    ("credit_pooling_preview", "stable", "safe", true),
    ("credit_price", "stable", "safe", true),
    ("credit_publish", "volatile", "unsafe", true),
    ("credit_publish_preview", "stable", "safe", true),
    ("credit_purchase", "volatile", "unsafe", true),
    ("credit_quote", "stable", "safe", true),
    ("credit_rate", "volatile", "unsafe", true),
    ("credit_rate_card", "volatile", "unsafe", true),
    ("credit_rebalance", "volatile", "unsafe", true),
    ("credit_rebalance_preview", "stable", "safe", true),
    ("credit_refresh", "volatile", "unsafe", true),
    ("credit_renew", "volatile", "unsafe", true),
    ("credit_reprice", "volatile", "unsafe", true),
    ("credit_reprice_preview", "stable", "safe", true),
    ("credit_rollup", "volatile", "unsafe", true),
    ("credit_schedule", "volatile", "unsafe", true),
    ("credit_schedule_preview", "stable", "safe", true),
    ("credit_set_expiry", "volatile", "unsafe", true),
    ("credit_spendable", "stable", "safe", true),
    ("credit_standard_plan", "volatile", "unsafe", true),
    ("credit_standard_schedule", "volatile", "unsafe", true),
    ("credit_tier", "volatile", "unsafe", true),
    ("credit_transfer", "volatile", "unsafe", true),
    ("credit_true_up", "stable", "safe", true),
    ("credit_true_up_lines", "stable", "safe", true),
    ("credit_true_up_post", "volatile", "unsafe", true),
    ("credit_true_up_settle", "volatile", "unsafe", true),
    ("credit_true_up_terms", "volatile", "unsafe", true),
    ("credit_try_debit", "volatile", "unsafe", false),
    ("credit_unit", "volatile", "unsafe", true),
    ("credit_verify", "stable", "unsafe", true),
    ("credit_void", "volatile", "unsafe", true),
];

/// The same of the internal functions, and whether they are strict.
const INTERNAL: &[(&str, &str, &str, bool, bool)] = &[
    ("account_check", "volatile", "unsafe", true, false),
    ("add_interval", "stable", "safe", false, true),
    ("announce_change", "volatile", "unsafe", true, false),
    ("announce_lot", "volatile", "unsafe", true, false),
    ("begin_maintenance", "volatile", "unsafe", true, false),
    ("cap_period", "stable", "safe", false, false),
    ("cap_spent", "stable", "safe", false, true),
    ("cap_spent_by_step", "stable", "safe", false, true),
    ("cap_used", "immutable", "safe", false, false),
    ("end_maintenance", "volatile", "unsafe", true, false),
    ("entry_apply", "volatile", "unsafe", true, false),
    ("entry_check", "volatile", "unsafe", true, false),
    ("lot_apply", "volatile", "unsafe", true, false),
    ("lot_check", "volatile", "unsafe", true, false),
    ("maintain_batch", "volatile", "unsafe", true, false),
    ("maintenance_deadline", "stable", "safe", true, false),
    ("maintenance_steps", "stable", "safe", true, false),
    ("now", "stable", "safe", false, true),
    ("refuse_change", "volatile", "unsafe", true, false),
    ("rolled_up_to", "stable", "safe", false, true),
    ("unit_check", "volatile", "unsafe", true, false),
];

/// What each access level may do, privilege by privilege. Columns stand behind their table.
const READ: &[&str] = &[
    "EXECUTE credit.add_interval",
    "EXECUTE credit.cap_period",
    "EXECUTE credit.cap_used",
    "EXECUTE credit.now",
    "EXECUTE credit.rolled_up_to",
    "EXECUTE public.credit_balance",
    "EXECUTE public.credit_chargeback",
    "EXECUTE public.credit_conversion_markdown",
    "EXECUTE public.credit_expiry_forecast",
    "EXECUTE public.credit_explain_debit",
    "EXECUTE public.credit_pooling_preview",
    "EXECUTE public.credit_price",
    "EXECUTE public.credit_quote",
    "EXECUTE public.credit_rebalance_preview",
    "EXECUTE public.credit_schedule_preview",
    "EXECUTE public.credit_spendable",
    "EXECUTE public.credit_true_up",
    "EXECUTE public.credit_true_up_lines",
    "SELECT credit.account",
    "SELECT credit.agreement",
    "SELECT credit.balances",
    "SELECT credit.breakage",
    "SELECT credit.cap",
    "SELECT credit.caps",
    "SELECT credit.commitments",
    "SELECT credit.consumption",
    "SELECT credit.consumption_by_department",
    "SELECT credit.consumption_by_member",
    "SELECT credit.consumption_by_operation",
    "SELECT credit.consumption_daily",
    "SELECT credit.consumption_monthly",
    "SELECT credit.consumption_within_department",
    "SELECT credit.conversion_table",
    "SELECT credit.departments",
    "SELECT credit.expiring_by_account",
    "SELECT credit.expiring_by_member",
    "SELECT credit.expiring_soon",
    "SELECT credit.heavy_and_light_users",
    "SELECT credit.instalments",
    "SELECT credit.ledger",
    "SELECT credit.lots",
    "SELECT credit.maintenance_run",
    "SELECT credit.member",
    "SELECT credit.plan",
    "SELECT credit.plan_change",
    "SELECT credit.plan_price",
    "SELECT credit.plan_schedule",
    "SELECT credit.pooling",
    "SELECT credit.purchase",
    "SELECT credit.purchase_lot",
    "SELECT credit.rate_card",
    "SELECT credit.rate_history",
    "SELECT credit.rollup_watermark",
    "SELECT credit.schedule",
    "SELECT credit.schedule_period",
    "SELECT credit.schedule_seat",
    "SELECT credit.schedules",
    "SELECT credit.subscription",
    "SELECT credit.subscription_purchase",
    "SELECT credit.subscription_return",
    "SELECT credit.subscriptions",
    "SELECT credit.tier",
    "SELECT credit.true_up",
    "SELECT credit.true_up_correction",
    "SELECT credit.true_up_line",
    "SELECT credit.true_up_terms",
    "SELECT credit.true_ups_due",
    "SELECT credit.unit",
    "SELECT credit.unit_value",
    "SELECT credit.units",
    "USAGE credit",
];

const SPEND: &[&str] = &[
    "EXECUTE public.credit_balance",
    "EXECUTE public.credit_charge",
    "EXECUTE public.credit_charge_many",
    "EXECUTE public.credit_charge_request",
    "EXECUTE public.credit_debit",
    "EXECUTE public.credit_debit_many",
    "EXECUTE public.credit_debit_many_json",
    "EXECUTE public.credit_explain_debit",
    "EXECUTE public.credit_price",
    "EXECUTE public.credit_quote",
    "EXECUTE public.credit_spendable",
    "EXECUTE public.credit_try_debit",
];

const ADMIN: &[&str] = &[
    "EXECUTE credit.add_interval",
    "EXECUTE credit.begin_maintenance",
    "EXECUTE credit.cap_period",
    "EXECUTE credit.cap_used",
    "EXECUTE credit.end_maintenance",
    "EXECUTE credit.maintain_batch",
    "EXECUTE credit.maintenance_deadline",
    "EXECUTE credit.maintenance_steps",
    "EXECUTE credit.now",
    "EXECUTE credit.rolled_up_to",
    "EXECUTE public.credit_account",
    "EXECUTE public.credit_activate",
    "EXECUTE public.credit_agreement",
    "EXECUTE public.credit_balance",
    "EXECUTE public.credit_cancel_plan",
    "EXECUTE public.credit_cap",
    "EXECUTE public.credit_change_plan",
    "EXECUTE public.credit_charge",
    "EXECUTE public.credit_charge_many",
    "EXECUTE public.credit_charge_request",
    "EXECUTE public.credit_chargeback",
    "EXECUTE public.credit_check_design",
    "EXECUTE public.credit_conversion_markdown",
    "EXECUTE public.credit_convert",
    "EXECUTE public.credit_debit",
    "EXECUTE public.credit_debit_many",
    "EXECUTE public.credit_debit_many_json",
    "EXECUTE public.credit_discard_drafts",
    "EXECUTE public.credit_end_agreement",
    "EXECUTE public.credit_end_cap",
    "EXECUTE public.credit_end_schedule",
    "EXECUTE public.credit_expire",
    "EXECUTE public.credit_expiry_forecast",
    "EXECUTE public.credit_explain_debit",
    "EXECUTE public.credit_export_rate_card",
    "EXECUTE public.credit_grant",
    "EXECUTE public.credit_import_rate_card",
    "EXECUTE public.credit_maintain",
    "EXECUTE public.credit_maintain",
    "EXECUTE public.credit_member",
    "EXECUTE public.credit_move_department",
    "EXECUTE public.credit_plan",
    "EXECUTE public.credit_plan_cost",
    "EXECUTE public.credit_pooling",
    "EXECUTE public.credit_pooling_preview",
    "EXECUTE public.credit_price",
    "EXECUTE public.credit_publish",
    "EXECUTE public.credit_publish_preview",
    "EXECUTE public.credit_purchase",
    "EXECUTE public.credit_quote",
    "EXECUTE public.credit_rate",
    "EXECUTE public.credit_rate_card",
    "EXECUTE public.credit_rebalance",
    "EXECUTE public.credit_rebalance_preview",
    "EXECUTE public.credit_refresh",
    "EXECUTE public.credit_renew",
    "EXECUTE public.credit_reprice",
    "EXECUTE public.credit_reprice_preview",
    "EXECUTE public.credit_rollup",
    "EXECUTE public.credit_schedule",
    "EXECUTE public.credit_schedule_preview",
    "EXECUTE public.credit_set_expiry",
    "EXECUTE public.credit_spendable",
    "EXECUTE public.credit_standard_plan",
    "EXECUTE public.credit_standard_schedule",
    "EXECUTE public.credit_tier",
    "EXECUTE public.credit_transfer",
    "EXECUTE public.credit_true_up",
    "EXECUTE public.credit_true_up_lines",
    "EXECUTE public.credit_true_up_post",
    "EXECUTE public.credit_true_up_settle",
    "EXECUTE public.credit_true_up_terms",
    "EXECUTE public.credit_try_debit",
    "EXECUTE public.credit_unit",
    "EXECUTE public.credit_verify",
    "EXECUTE public.credit_void",
    "INSERT credit.entry.account",
    "INSERT credit.entry.amount",
    "INSERT credit.entry.corrects",
    "INSERT credit.entry.dimensions",
    "INSERT credit.entry.kind",
    "INSERT credit.entry.lot",
    "INSERT credit.entry.member",
    "INSERT credit.entry.metadata",
    "INSERT credit.entry.occurred_at",
    "INSERT credit.entry.operation",
    "INSERT credit.entry.quantity",
    "INSERT credit.lot.account",
    "INSERT credit.lot.applies_to",
    "INSERT credit.lot.category",
    "INSERT credit.lot.currency",
    "INSERT credit.lot.effective_at",
    "INSERT credit.lot.expires_at",
    "INSERT credit.lot.granted",
    "INSERT credit.lot.member",
    "INSERT credit.lot.metadata",
    "INSERT credit.lot.paid",
    "INSERT credit.lot.priority",
    "INSERT credit.lot.source",
    "INSERT credit.lot.unit",
    "INSERT credit.unit",
    "SELECT credit.access",
    "SELECT credit.access_rule",
    "SELECT credit.account",
    "SELECT credit.agreement",
    "SELECT credit.balances",
    "SELECT credit.breakage",
    "SELECT credit.cap",
    "SELECT credit.cap_slot",
    "SELECT credit.caps",
    "SELECT credit.commitments",
    "SELECT credit.consumption",
    "SELECT credit.consumption_by_department",
    "SELECT credit.consumption_by_member",
    "SELECT credit.consumption_by_operation",
    "SELECT credit.consumption_daily",
    "SELECT credit.consumption_monthly",
    "SELECT credit.consumption_within_department",
    "SELECT credit.conversion",
    "SELECT credit.conversion_table",
    "SELECT credit.departments",
    "SELECT credit.entry",
    "SELECT credit.expiring_by_account",
    "SELECT credit.expiring_by_member",
    "SELECT credit.expiring_soon",
    "SELECT credit.heavy_and_light_users",
    "SELECT credit.instalments",
    "SELECT credit.ledger",
    "SELECT credit.lot",
    "SELECT credit.lots",
    "SELECT credit.maintenance_run",
    "SELECT credit.margin",
    "SELECT credit.margin_by_account",
    "SELECT credit.member",
    "SELECT credit.plan",
    "SELECT credit.plan_change",
    "SELECT credit.plan_cost",
    "SELECT credit.plan_price",
    "SELECT credit.plan_schedule",
    "SELECT credit.pooling",
    "SELECT credit.purchase",
    "SELECT credit.purchase_lot",
    "SELECT credit.rate",
    "SELECT credit.rate_card",
    "SELECT credit.rate_draft",
    "SELECT credit.rate_history",
    "SELECT credit.rate_usage",
    "SELECT credit.request",
    "SELECT credit.rollup",
    "SELECT credit.rollup_watermark",
    "SELECT credit.schedule",
    "SELECT credit.schedule_period",
    "SELECT credit.schedule_seat",
    "SELECT credit.schedules",
    "SELECT credit.slot",
    "SELECT credit.subscription",
    "SELECT credit.subscription_purchase",
    "SELECT credit.subscription_return",
    "SELECT credit.subscriptions",
    "SELECT credit.tier",
    "SELECT credit.tier_economics",
    "SELECT credit.true_up",
    "SELECT credit.true_up_correction",
    "SELECT credit.true_up_line",
    "SELECT credit.true_up_terms",
    "SELECT credit.true_ups_due",
    "SELECT credit.unit",
    "SELECT credit.unit_value",
    "SELECT credit.units",
    "UPDATE credit.unit.currency",
    "UPDATE credit.unit.decimals",
    "USAGE credit",
];

/// The members of the extension: `classid`, `objid` and a description. From PostgreSQL 17 on the array and row types that
/// come with other objects are members too; they have nothing of their own to say.
const MEMBERS_QUERY: &str = "SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object
    FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND x.extname = 'pg_credit'
        AND NOT (d.classid = 'pg_type'::regclass
            AND EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                WHERE t.oid = d.objid AND (t.typtype = 'c' AND c.relkind <> 'c' OR t.typcategory = 'A')))";

/// One text per row, sorted by byte, as the lists in this file are.
fn column(session: &mut Client, sql: &str) -> Vec<String> {
    let mut values: Vec<String> = session.rows(sql).into_iter().flatten().collect();
    values.sort_unstable();
    values
}

fn listed(list: &[&str]) -> Vec<String> {
    list.iter().map(|line| (*line).to_owned()).collect()
}

const NOTHING: [String; 0] = [];

#[test]
fn the_members_are_the_listed_ones() {
    let database = Database::new();
    let members = column(&mut database.connect(), &format!("SELECT object FROM ({MEMBERS_QUERY}) m"));
    assert_eq!(members, listed(MEMBERS));
}

#[test]
fn everything_has_a_comment() {
    let database = Database::new();
    let mut session = database.connect();
    let members = format!(
        "SELECT object FROM ({MEMBERS_QUERY}) m WHERE NOT EXISTS (SELECT FROM pg_description c
             WHERE c.classoid = m.classid AND c.objoid = m.objid AND c.objsubid = 0)"
    );
    let columns = "SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
            AND col_description(a.attrelid, a.attnum) IS NULL";
    let triggers = "SELECT t.tgrelid::regclass || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'credit'::regnamespace AND NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL";
    // An index that only serves a primary key says nothing that the key does not.
    let indexes = "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'credit'::regnamespace AND NOT i.indisprimary AND obj_description(c.oid, 'pg_class') IS NULL";
    for lacking in [&members, columns, triggers, indexes] {
        assert_eq!(column(&mut session, lacking), NOTHING, "without a comment");
    }
}

#[test]
fn every_argument_has_a_name() {
    let database = Database::new();
    let mut session = database.connect();
    let unnamed = format!(
        "SELECT object FROM ({MEMBERS_QUERY}) m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
         WHERE p.pronargs > 0 AND (p.proargnames IS NULL OR '' = ANY (p.proargnames)
             OR cardinality(p.proargnames) <> cardinality(COALESCE(p.proallargtypes, p.proargtypes::oid[])))"
    );
    assert_eq!(column(&mut session, &unnamed), NOTHING);
    let api = column(&mut session, "SELECT proname FROM pg_proc WHERE proname LIKE 'credit\\_%'");
    assert_eq!(api, API.iter().map(|function| function.0.to_owned()).collect::<Vec<_>>(), "the signatures of each name");
}

#[test]
fn functions_are_marked_as_listed() {
    let database = Database::new();
    let marks = format!(
        "SELECT concat_ws(' ', p.proname, CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
             CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
             CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END, CASE WHEN p.proisstrict THEN 'strict' ELSE 'not strict' END)
         FROM ({MEMBERS_QUERY}) m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid"
    );
    let api = API.iter().map(|(name, volatility, parallel, definer)| (name, volatility, parallel, *definer, false));
    let internal =
        INTERNAL.iter().map(|(name, volatility, parallel, definer, strict)| (name, volatility, parallel, *definer, *strict));
    let mut expected: Vec<String> = api
        .chain(internal)
        .map(|(name, volatility, parallel, definer, strict)| {
            let runs_as = if definer { "definer" } else { "invoker" };
            let strict = if strict { "strict" } else { "not strict" };
            format!("{name} {volatility} {parallel} {runs_as} {strict}")
        })
        .collect();
    expected.sort_unstable();
    assert_eq!(column(&mut database.connect(), &marks), expected);
}

/// What runs as the owner must not find objects that its caller planted: the search path is pinned, pg_temp last. A procedure that
/// commits cannot pin it; it runs as its caller, and every name in it is qualified. Debits pin it when they need a statement
/// (tests/identity.rs).
#[test]
fn the_search_path_is_pinned_where_it_matters() {
    let database = Database::new();
    let loose = format!(
        "SELECT object || ' ' || COALESCE(p.proconfig::text, 'no settings')
         FROM ({MEMBERS_QUERY}) m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
         WHERE (p.prosecdef OR p.proname LIKE 'credit\\_%')
             AND p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, credit, pg_temp']
             AND NOT (p.prokind = 'p' AND NOT p.prosecdef)
             AND NOT (p.proname IN ('credit_debit', 'credit_try_debit') AND NOT p.prosecdef)"
    );
    assert_eq!(column(&mut database.connect(), &loose), NOTHING);
}

#[test]
fn public_may_do_nothing() {
    let database = Database::new();
    let mut session = database.connect();
    let functions = format!(
        "SELECT object FROM ({MEMBERS_QUERY}) m
         WHERE m.classid = 'pg_proc'::regclass AND has_function_privilege('public', m.objid, 'EXECUTE')"
    );
    let tables =
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind IN ('r', 'v')
        AND (has_table_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
            OR has_any_column_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))";
    let sequences =
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind = 'S'
        AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('public', c.oid, 'USAGE, SELECT, UPDATE') END";
    let schema = "SELECT 'credit' WHERE has_schema_privilege('public', 'credit', 'USAGE, CREATE')";
    for allowed in [&functions, tables, sequences, schema] {
        assert_eq!(column(&mut session, allowed), NOTHING, "PUBLIC may use");
    }
}

/// All that a role was granted on the extension's objects, columns behind their table.
fn privileges(session: &mut Client, role: &str) -> Vec<String> {
    let granted = |acl: &str, object: &str, source: &str| {
        format!(
            "SELECT g.privilege_type || ' ' || {object} FROM {source}, aclexplode({acl}) g
             WHERE g.grantee = {role}::regrole",
            role = quote(role)
        )
    };
    let function_name = "(SELECT nspname FROM pg_namespace n WHERE n.oid = p.pronamespace) || '.' || p.proname";
    let queries = [
        granted("p.proacl", function_name, "pg_proc p"),
        granted("c.relacl", "c.oid::regclass::text", "pg_class c"),
        granted("a.attacl", "a.attrelid::regclass || '.' || a.attname", "pg_attribute a"),
        granted("n.nspacl", "n.nspname", "pg_namespace n"),
    ];
    column(session, &queries.join(" UNION ALL "))
}

#[test]
fn each_level_grants_what_is_listed_and_takes_all_of_it_back() {
    let database = Database::new();
    let mut session = database.connect();
    for (level, expected) in [("read", READ), ("spend", SPEND), ("admin", ADMIN)] {
        let role = database.create_role("credit_catalog");
        session.run(&format!("SELECT credit_allow('{role}', '{level}')"));
        assert_eq!(privileges(&mut session, &role), listed(expected), "level {level}");
        session.run(&format!("SELECT credit_disallow('{role}', '{level}')"));
        assert_eq!(privileges(&mut session, &role), NOTHING, "level {level} taken back");
        assert_eq!(session.number("SELECT count(*) FROM credit.access"), 0);
    }
}

/// What is not registered is lost by a dump, or makes the first insert after a restore fail.
#[test]
fn every_table_and_sequence_is_dumped_wholly() {
    // What is added up is computed anew from the ledger, which a dump has.
    let database = Database::new();
    let mut session = database.connect();
    let dumped = "SELECT unnest(extconfig)::regclass::text FROM pg_extension WHERE extname = 'pg_credit'";
    let present =
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'credit'::regnamespace AND relkind IN ('r', 'p', 'S')
             AND relname NOT IN ('rollup', 'rollup_watermark')";
    assert_eq!(column(&mut session, dumped), column(&mut session, present));
    let conditions = "SELECT c FROM pg_extension, unnest(extcondition) c WHERE extname = 'pg_credit' AND c <> ''";
    assert_eq!(column(&mut session, conditions), NOTHING);
}

/// One customer's rows stay together, and the schema can be distributed by account.
#[test]
fn account_comes_first_in_every_key() {
    let database = Database::new();
    let mut session = database.connect();
    let of_an_account = "SELECT attrelid FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE attname = 'account' AND relkind = 'r' AND relnamespace = 'credit'::regnamespace";
    let keys = format!(
        "SELECT i.indexrelid::regclass::text FROM pg_index i
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid IN ({of_an_account}) AND i.indisunique AND a.attname IS DISTINCT FROM 'account'
         UNION ALL
         SELECT f.conname FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
         WHERE f.conrelid IN ({of_an_account}) AND f.contype = 'f' AND a.attname <> 'account'"
    );
    assert_eq!(column(&mut session, &keys), NOTHING);
    let without_key = "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'credit'::regnamespace AND relkind = 'r'
        AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)";
    assert_eq!(column(&mut session, without_key), NOTHING);
    // Everyone's own ids compare by byte, in every table and view.
    let by_locale = "SELECT a.attrelid::regclass || '.' || a.attname
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation o ON o.oid = a.attcollation
        WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND o.collname <> 'C'";
    assert_eq!(column(&mut session, by_locale), NOTHING);
}

/// Enums cannot be extended in a transaction, and identity and serial columns have sequences that a dump does not know.
#[test]
fn there_are_no_enums_and_no_hidden_sequences() {
    let database = Database::new();
    let mut session = database.connect();
    let enums = "SELECT typname FROM pg_type WHERE typtype = 'e' AND typnamespace = 'credit'::regnamespace";
    let surprises = "SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'credit'::regnamespace AND (a.attidentity <> '' OR a.attgenerated <> ''
            OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%')";
    // A client that reads numbers as doubles keeps ids below 2^53 exact.
    let sequences = "SELECT seqrelid::regclass::text FROM pg_sequence JOIN pg_class ON oid = seqrelid
        WHERE relnamespace = 'credit'::regnamespace AND (seqmax >= 2 ^ 53 OR seqcycle)";
    for found in [enums, surprises, sequences] {
        assert_eq!(column(&mut session, found), NOTHING);
    }
}

/// Whoever owned the schema before could have planted objects in it.
#[test]
fn a_schema_that_somebody_made_beforehand_is_refused() {
    let database = Database::bare(&Server::under_test());
    let mut session = database.connect();
    session.run("CREATE SCHEMA credit");
    session.refusal("CREATE EXTENSION pg_credit").expect("42P06");
    session.refusal("CREATE EXTENSION IF NOT EXISTS pg_credit").expect("42P06");
    assert_eq!(session.number("SELECT count(*) FROM pg_proc WHERE proname LIKE 'credit\\_%'"), 0);
}

#[test]
fn the_functions_can_live_in_another_schema() {
    let database = Database::bare(&Server::under_test());
    let mut session = database.connect();
    session.run("CREATE SCHEMA \"the app\"; CREATE EXTENSION pg_credit SCHEMA \"the app\"");
    let elsewhere =
        "SELECT count(*) FROM pg_proc WHERE proname LIKE 'credit\\_%' AND pronamespace <> '\"the app\"'::regnamespace";
    assert_eq!(session.number(elsewhere), 0);
    session.run("SELECT \"the app\".credit_grant('acme', 10, member => 'alice')");
    session.run("SELECT \"the app\".credit_debit('acme', 2.5, member => 'alice')");
    assert_eq!(session.text("SELECT \"the app\".credit_balance('acme')"), "7.5");
    assert_eq!(session.rows("SELECT * FROM \"the app\".credit_verify()"), Vec::<Vec<String>>::new());

    let role = database.create_role("credit_catalog");
    session.run(&format!("SELECT \"the app\".credit_allow('{role}', 'spend'); GRANT USAGE ON SCHEMA \"the app\" TO {role}"));
    let mut spender = database.connect_as(&role);
    spender.run("SET search_path = \"the app\"; SELECT credit_debit('acme', 2.5, member => 'alice')");
    assert_eq!(spender.text("SELECT credit_balance('acme')"), "5");
    session.refusal("ALTER EXTENSION pg_credit SET SCHEMA public").expect("0A000");
}

#[test]
fn dropping_the_extension_leaves_nothing() {
    // What CREATE EXTENSION and use may add to. Sizes of what the server keeps for itself do not count.
    const COUNTS: &str = "SELECT concat_ws(' ', (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'),
        (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_type), (SELECT count(*) FROM pg_proc),
        (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_description),
        (SELECT count(*) FROM pg_init_privs), (SELECT count(*) FROM pg_default_acl), (SELECT count(*) FROM pg_extension),
        (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_cast), (SELECT count(*) FROM pg_operator))";
    let database = Database::bare(&Server::under_test());
    let mut session = database.connect();
    let before = session.text(COUNTS);
    let role = database.create_role("credit_catalog");
    session.run("CREATE EXTENSION pg_credit; SELECT credit_grant('acme', 10); SELECT credit_debit('acme', 1, member => 'alice')");
    session.run(&format!("SELECT credit_allow('{role}', 'admin')"));
    assert_ne!(session.text(COUNTS), before);
    session.run("DROP EXTENSION pg_credit");
    assert_eq!(session.text(COUNTS), before);
    // What was granted to roles went too, or this would be refused.
    session.run(&format!("DROP ROLE {role}"));

    // Installed again, it knows nothing of before, not even in this session.
    session.run("CREATE EXTENSION pg_credit");
    session.refusal("SELECT credit_debit('acme', 1, member => 'alice')").expect("P0002");
    session.run("SELECT credit_grant('acme', 3)");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "3");
}
