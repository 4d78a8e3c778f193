//! Who may do what: the three levels, nothing for anybody else, and nobody makes a function run what they planted.

use pg_credit_clients::{Client, Database, Session, quote};

const DENIED: &str = "42501";

/// A call of each function.
const CALLS: &[(&str, &str)] = &[
    ("credit_balance", "SELECT credit_balance('acme')"),
    ("credit_explain_debit", "SELECT count(*) FROM credit_explain_debit('acme', 1)"),
    ("credit_debit", "SELECT credit_debit('acme', 1)"),
    ("credit_try_debit", "SELECT credit_try_debit('acme', 1)"),
    ("credit_debit_many", "SELECT count(*) FROM credit_debit_many('{acme}'::text[], '{1}')"),
    ("credit_debit_many_json", r#"SELECT count(*) FROM credit_debit_many_json('[{"account": "acme", "amount": 1}]')"#),
    ("credit_account", "SELECT credit_account('acme')"),
    ("credit_member", "SELECT credit_member('acme', 'alice')"),
    ("credit_grant", "SELECT credit_grant('acme', 1)"),
    ("credit_void", "SELECT credit_void('acme', 1)"),
    ("credit_set_expiry", "SELECT credit_set_expiry('acme', 1, NULL)"),
    ("credit_expire", "SELECT count(*) FROM credit_expire()"),
    ("credit_maintain", "SELECT count(*) FROM credit_maintain()"),
    ("credit_expiry_forecast", "SELECT count(*) FROM credit_expiry_forecast('acme')"),
    ("maintenance_steps", "SELECT credit.maintenance_steps()"),
    ("maintenance_deadline", "SELECT credit.maintenance_deadline('0', 1)"),
    ("begin_maintenance", "SELECT credit.begin_maintenance('forget keys')"),
    ("maintain_batch", "SELECT credit.maintain_batch(1, 1)"),
    ("end_maintenance", "SELECT credit.end_maintenance(1, NULL)"),
    ("credit_verify", "SELECT count(*) FROM credit_verify()"),
    ("credit_allow", "SELECT credit_allow(current_user, 'admin')"),
    ("credit_disallow", "SELECT credit_disallow(current_user, 'admin')"),
    ("credit_price", "SELECT credit_price('list', 'chat', 1)"),
    ("credit_charge", "SELECT credit_charge('acme', 'chat', 1)"),
    ("credit_check", "SELECT count(*) FROM credit_check('acme', 1)"),
    ("credit_debit_available", "SELECT count(*) FROM credit_debit_available('acme', 1)"),
    ("credit_hold", "SELECT credit_hold('acme', 1)"),
    ("credit_hold_charge", "SELECT credit_hold_charge('acme', 'chat', 1)"),
    ("credit_hold_many", "SELECT count(*) FROM credit_hold_many('{acme}', '{1}')"),
    ("credit_capture", "SELECT credit_capture('acme', 1)"),
    ("credit_capture_charge", "SELECT credit_capture_charge('acme', 1, 1)"),
    ("credit_capture_many", "SELECT count(*) FROM credit_capture_many('{acme}', '{1}')"),
    ("credit_release", "SELECT credit_release('acme', 1)"),
    ("credit_extend_hold", "SELECT credit_extend_hold('acme', 1, '1 hour')"),
    ("credit_refund", "SELECT credit_refund('acme', 1)"),
    ("credit_withdraw", "SELECT credit_withdraw('acme', 1, 1)"),
    ("credit_charge_request", "SELECT credit_charge_request('acme', '{chat}', '{1}')"),
    ("credit_charge_many", "SELECT count(*) FROM credit_charge_many('{acme}', '{chat}', '{1}')"),
    ("credit_unit", "SELECT credit_unit('token')"),
    ("credit_rate_card", "SELECT credit_rate_card('other', unit => 'credit')"),
    ("credit_rate", "SELECT credit_rate('list', 'search', credits => 1)"),
    ("credit_publish", "SELECT credit_publish('list')"),
    ("credit_publish_preview", "SELECT count(*) FROM credit_publish_preview('list')"),
    ("credit_discard_drafts", "SELECT credit_discard_drafts('list')"),
    ("credit_convert", "SELECT credit_convert('acme', 1, NULL, 'token', rate => 1)"),
    ("credit_rebalance", "SELECT count(*) FROM credit_rebalance('acme')"),
    ("credit_rebalance_preview", "SELECT count(*) FROM credit_rebalance_preview('acme')"),
    ("credit_true_up", "SELECT count(*) FROM credit_true_up('acme', '2026-01-01', '2026-04-01')"),
    ("credit_true_up_lines", "SELECT count(*) FROM credit_true_up_lines('acme', '2026-01-01', '2026-04-01')"),
    ("credit_true_up_terms", "SELECT credit_true_up_terms('acme')"),
    ("credit_true_up_post", "SELECT count(*) FROM credit_true_up_post('acme', '2025-01-01', '2025-04-01')"),
    ("credit_true_up_settle", "SELECT credit_true_up_settle('acme', 1)"),
    ("credit_cap", "SELECT credit_cap('acme', 1000)"),
    ("credit_end_cap", "SELECT credit_end_cap('acme', cap) FROM credit.cap WHERE ended_at IS NULL LIMIT 1"),
    ("credit_spendable", "SELECT credit_spendable('acme')"),
    ("credit_pooling", "SELECT credit_pooling('acme', 'pooled')"),
    ("credit_pooling_preview", "SELECT count(*) FROM credit_pooling_preview('acme', 'pooled')"),
    ("credit_move_department", "SELECT credit_move_department('acme', 'eng', 'research')"),
    ("credit_transfer", "SELECT credit_transfer('acme', 1, to_member => 'alice')"),
    ("credit_reprice", "SELECT count(*) FROM credit_reprice('list', 'chat', 1, 'hold')"),
    ("credit_reprice_preview", "SELECT count(*) FROM credit_reprice_preview('list')"),
    ("credit_conversion_markdown", "SELECT credit_conversion_markdown('list')"),
    ("credit_export_rate_card", "SELECT credit_export_rate_card('list')"),
    ("credit_import_rate_card", "SELECT credit_import_rate_card('{}')"),
    ("credit_check_design", "SELECT count(*) FROM credit_check_design()"),
    ("credit_plan", "SELECT credit_plan('other', unit => 'credit', currency => 'USD', list_price => 1)"),
    ("credit_tier", "SELECT credit_tier('api', 'one', 0, discount => 0)"),
    ("credit_plan_cost", "SELECT credit_plan_cost('api', 1)"),
    ("credit_standard_plan", "SELECT credit_standard_plan('other', 'credit', 'USD', 1)"),
    ("credit_agreement", "SELECT credit_agreement('acme', 'api')"),
    ("credit_end_agreement", "SELECT credit_end_agreement('acme', 'api')"),
    ("credit_quote", "SELECT count(*) FROM credit_quote('api', 1)"),
    ("credit_purchase", "SELECT credit_purchase('acme', 'api', 1)"),
    ("credit_change_plan", "SELECT credit_change_plan('acme', 'api', 1)"),
    ("credit_renew", "SELECT count(*) FROM credit_renew('acme')"),
    ("credit_cancel_plan", "SELECT credit_cancel_plan('acme')"),
    ("credit_schedule", "SELECT credit_schedule('acme', 1, interval '1 month')"),
    ("credit_standard_schedule", "SELECT credit_standard_schedule('acme', 1)"),
    ("credit_end_schedule", "SELECT credit_end_schedule('acme', 1)"),
    ("credit_schedule_preview", "SELECT count(*) FROM credit_schedule_preview('acme', 1, now())"),
    ("credit_refresh", "SELECT credit_refresh()"),
    ("credit_activate", "SELECT credit_activate('acme', 1)"),
    ("credit_rollup", "SELECT credit_rollup()"),
    ("credit_chargeback", "SELECT count(*) FROM credit_chargeback('acme', now() - interval '1 day', now())"),
    ("rolled_up_to", "SELECT credit.rolled_up_to()"),
    ("now", "SELECT credit.now()"),
    ("cap_period", "SELECT credit.cap_period(now(), 'day', NULL, NULL, 'UTC', now())"),
    ("cap_used", "SELECT credit.cap_used(1, now(), NULL, NULL, now(), NULL)"),
    ("add_interval", "SELECT credit.add_interval(now(), '1 day', 'UTC')"),
    ("guards", "SELECT count(*) FROM credit.guards()"),
    ("settle_privileges", "SELECT credit.settle_privileges('{}')"),
    ("credit_enable_triggers", "SELECT credit_enable_triggers()"),
    ("credit_repair_sequences", "SELECT count(*) FROM credit_repair_sequences()"),
];

const READING: &[&str] = &[
    "add_interval",
    "cap_period",
    "cap_used",
    "credit_balance",
    "credit_chargeback",
    "credit_conversion_markdown",
    "credit_expiry_forecast",
    "credit_explain_debit",
    "credit_pooling_preview",
    "credit_price",
    "credit_quote",
    "credit_rebalance_preview",
    "credit_schedule_preview",
    "credit_spendable",
    "credit_true_up",
    "credit_true_up_lines",
    "now",
    "rolled_up_to",
];
const SPENDING: &[&str] = &[
    "credit_check",
    "credit_debit_available",
    "credit_hold",
    "credit_hold_charge",
    "credit_hold_many",
    "credit_capture",
    "credit_capture_charge",
    "credit_capture_many",
    "credit_release",
    "credit_extend_hold",
    "credit_balance",
    "credit_spendable",
    "credit_explain_debit",
    "credit_debit",
    "credit_try_debit",
    "credit_debit_many",
    "credit_debit_many_json",
    "credit_price",
    "credit_quote",
    "credit_charge",
    "credit_charge_request",
    "credit_charge_many",
];
const OWNER_ONLY: &[&str] =
    &["credit_allow", "credit_disallow", "credit_enable_triggers", "credit_repair_sequences", "settle_privileges"];

const READABLE: &[&str] = &[
    "account",
    "agreement",
    "balances",
    "breakage",
    "cap",
    "caps",
    "commitments",
    "consumption",
    "consumption_by_day_made",
    "consumption_by_department",
    "consumption_by_dimension",
    "consumption_by_member",
    "consumption_by_operation",
    "consumption_by_run",
    "consumption_daily",
    "consumption_monthly",
    "consumption_within_department",
    "conversion_table",
    "correction",
    "departments",
    "expiring_by_account",
    "expiring_by_member",
    "expiring_soon",
    "heavy_and_light_users",
    "holds",
    "instalments",
    "ledger",
    "lot_gain",
    "lots",
    "maintenance_run",
    "member",
    "plan",
    "plan_change",
    "plan_price",
    "plan_schedule",
    "pooling",
    "purchase",
    "purchase_lot",
    "purchases",
    "rate_card",
    "rate_history",
    "refunds",
    "rollup_watermark",
    "schedule",
    "schedule_period",
    "schedule_seat",
    "schedules",
    "status",
    "subscription",
    "subscription_purchase",
    "subscription_return",
    "subscriptions",
    "tier",
    "true_up",
    "true_up_correction",
    "true_up_line",
    "true_up_terms",
    "true_ups_due",
    "unit",
    "unit_value",
    "units",
    "unseated_members",
    "voided",
];

/// The columns that an administrator may insert; everything else is the extension's to fill in.
const LOT_COLUMNS: &[&str] = &[
    "account",
    "applies_to",
    "category",
    "currency",
    "effective_at",
    "expires_at",
    "granted",
    "member",
    "metadata",
    "paid",
    "priority",
    "source",
    "unit",
];
const ENTRY_COLUMNS: &[&str] = &[
    "account",
    "amount",
    "corrects",
    "dimensions",
    "kind",
    "lot",
    "member",
    "metadata",
    "occurred_at",
    "operation",
    "quantity",
    "run",
];

fn with_lot() -> Database {
    let database = Database::new();
    database.connect().run(
        "SELECT credit_grant('acme', 100); SELECT credit_rate_card('list', unit => 'credit', is_default => true);
         SELECT credit_rate('list', 'chat', credits => 1); SELECT credit_publish('list')",
    );
    database
}

/// A session of a new role that has been allowed a level.
fn allowed(database: &Database, level: &str) -> (String, Client) {
    let role = database.create_role(level);
    database.connect().run(&format!("SELECT credit_allow('{role}', '{level}')"));
    let session = database.connect_as(&role);
    (role, session)
}

/// Calls every function: those that are not granted are denied, the others are not.
fn assert_may_call(session: &mut Client, granted: impl Fn(&str) -> bool) {
    for (function, sql) in CALLS {
        let code = session.ask(&format!("BEGIN; {sql}")).err().map(|refusal| refusal.code);
        session.run("ROLLBACK");
        let denied = code.as_deref() == Some(DENIED);
        assert_eq!(!denied, granted(function), "{function}: {code:?}");
    }
}

fn relations(database: &Database, kinds: &str) -> Vec<String> {
    let sql = format!(
        "SELECT relname FROM pg_class WHERE relnamespace = 'credit'::regnamespace AND relkind IN ({kinds}) \
            ORDER BY relname COLLATE \"C\""
    );
    database.connect().rows(&sql).concat()
}

/// Reads every table, view and sequence, and tries to change it.
fn assert_may_read_only(database: &Database, session: &mut Client, readable: &[&str]) {
    for relation in relations(database, "'r', 'v', 'S'") {
        let read = session.ask(&format!("SELECT count(*) FROM credit.{relation}")).err().map(|refusal| refusal.code);
        assert_eq!(read.is_none(), readable.contains(&relation.as_str()), "reading {relation}: {read:?}");
    }
    for table in relations(database, "'r'") {
        for change in [
            format!("INSERT INTO credit.{table} DEFAULT VALUES"),
            format!("DELETE FROM credit.{table}"),
            format!("TRUNCATE credit.{table}"),
            format!("DO $$ BEGIN LOCK TABLE credit.{table} IN EXCLUSIVE MODE; END $$"),
            format!("ALTER TABLE credit.{table} DISABLE TRIGGER ALL"),
        ] {
            session.refusal(&change).expect(DENIED);
        }
    }
    for change in [
        "UPDATE credit.slot SET remaining = 1000",
        "UPDATE credit.account SET pooling = 'pooled'",
        "SELECT nextval('credit.lot_id')",
    ] {
        session.refusal(change).expect(DENIED);
    }
}

/// The names of columns that the role may insert.
fn insertable(session: &mut Client, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'credit.{table}'::regclass AND attnum > 0
             AND has_column_privilege(attrelid, attnum, 'INSERT') ORDER BY attname COLLATE \"C\""
    );
    session.rows(&sql).concat()
}

#[test]
fn everybody_else_may_do_nothing() {
    let database = with_lot();
    let mut session = database.connect_as(&database.create_role("nobody"));
    assert_may_call(&mut session, |_| false);
    assert_may_read_only(&database, &mut session, &[]);
    // The functions that the tests above know are all there are; the trigger functions cannot be called at all.
    let functions = "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid \
        AND d.classid = 'pg_proc'::regclass
                     JOIN pg_extension x ON x.oid = d.refobjid WHERE x.extname = 'pg_credit' \
                         AND has_function_privilege(p.oid, 'EXECUTE')";
    // A handful is for everybody, by way of a view over ours; without the schema nobody can name it.
    assert_eq!(session.number(&format!("SELECT count(*) FROM ({functions}) f")), 9);
    database.verify();
}

#[test]
fn spend_debits_and_touches_no_table() {
    let database = with_lot();
    let (role, mut session) = allowed(&database, "spend");
    assert_may_call(&mut session, |function| SPENDING.contains(&function));
    assert_may_read_only(&database, &mut session, &[]);
    let posting = session.number("SELECT credit_debit('acme', 2.5, member => 'alice')");
    assert_eq!(session.ask("SELECT credit_try_debit('acme', 1000)").expect("an answer"), None);
    assert_eq!(session.text("SELECT credit_balance('acme')"), "97.5");
    let recorded = format!("SELECT recorded_by FROM credit.entry WHERE posting = {posting}");
    assert_eq!(database.connect().text(&recorded), role, "the session's role, not the function's owner");
    database.verify();
}

#[test]
fn read_reads() {
    let database = with_lot();
    let (_, mut session) = allowed(&database, "read");
    assert_may_call(&mut session, |function| READING.contains(&function));
    assert_may_read_only(&database, &mut session, READABLE);
    assert_eq!(session.rows("SELECT account, available FROM credit.balances"), [["acme", "100"]]);
    assert_eq!(session.text("SELECT count(*) FROM credit.ledger"), "1");
}

#[test]
fn admin_manages_and_cannot_forge() {
    let database = with_lot();
    let (role, mut session) = allowed(&database, "admin");
    assert_may_call(&mut session, |function| !OWNER_ONLY.contains(&function));
    assert_eq!(insertable(&mut session, "lot"), LOT_COLUMNS);
    assert_eq!(insertable(&mut session, "entry"), ENTRY_COLUMNS);
    for table in ["slot", "account", "member", "request", "access"] {
        assert_eq!(insertable(&mut session, table), Vec::<String>::new(), "{table}");
    }
    let lot = session.number("SELECT lot FROM credit.lot");
    session.run("INSERT INTO credit.lot (account, granted, metadata) VALUES ('acme', 5, '{}')");
    session.run(&format!("INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', -1, {lot})"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "104");
    assert_eq!(database.connect().rows("SELECT DISTINCT recorded_by FROM credit.entry WHERE posting > 1"), [[role]]);
    for (table, columns, allowed) in [
        ("lot", "posted closed slots lot parent cost_basis recorded_at recorded_by", LOT_COLUMNS),
        ("entry", "posted posting line department rate recorded_at recorded_by", ENTRY_COLUMNS),
    ] {
        for column in columns.split(' ') {
            assert!(!allowed.contains(&column));
            session.refusal(&format!("INSERT INTO credit.{table} (account, {column}) VALUES ('acme', DEFAULT)")).expect(DENIED);
        }
        for change in ["DELETE FROM credit.", "TRUNCATE credit."] {
            session.refusal(&format!("{change}{table}")).expect(DENIED);
        }
        session.refusal(&format!("UPDATE credit.{table} SET metadata = '{{}}'")).expect(DENIED);
        session.refusal(&format!("SELECT * FROM credit.{table} FOR UPDATE")).expect(DENIED);
    }
    session.refusal("UPDATE credit.slot SET remaining = 1000").expect(DENIED);
    session.refusal("SET session_replication_role = replica").expect(DENIED);
    session.run(
        "INSERT INTO credit.unit (unit, decimals) VALUES ('gold', 2); UPDATE credit.unit SET decimals = 3 WHERE unit = 'gold'",
    );
    session.refusal("UPDATE credit.unit SET rounding = 'up'").expect(DENIED);
    database.verify();
}

#[test]
fn an_ordinary_role_cannot_move_the_clock() {
    let database = Database::new();
    database.connect().run("SELECT credit_grant('acme', 100, expires_at => now() + interval '1 hour')");
    let (role, _) = allowed(&database, "spend");
    let future = "2999-01-01";
    // Before the library is loaded the setting is an unknown name, which anybody may set; loading must drop it.
    for early in [
        format!("SET credit.clock = '{future}'"),
        format!("SELECT set_config('credit.clock', '{future}', false)"),
        format!("BEGIN; SET LOCAL credit.clock = '{future}'"),
    ] {
        let mut session = database.connect_as(&role);
        // Whether it is refused or ignored is the server's matter.
        let _ = session.ask(&early);
        assert_eq!(session.ask("SELECT credit_balance('acme')").ok().flatten().as_deref(), Some("100"), "after {early}");
    }
    let mut session = database.connect_as(&role);
    session.run("SELECT credit_balance('acme')");
    for late in [
        format!("SET credit.clock = '{future}'"),
        format!("SELECT set_config('credit.clock', '{future}', true)"),
        format!("ALTER ROLE CURRENT_USER SET credit.clock = '{future}'"),
        "SET credit.key_retention_days = 1".to_owned(),
        "SET credit.max_slots = 4".to_owned(),
        "SET credit.max_new_members_per_day = 1000000".to_owned(),
        "SET credit.max_metadata_bytes = 1000000".to_owned(),
        "SET credit.max_backdating_days = 100000".to_owned(),
        "SET credit.no_such_setting = 1".to_owned(),
    ] {
        let refused = session.refusal(&late);
        assert!([DENIED, "42602"].contains(&refused.code.as_str()), "{late}: {refused}");
    }
    assert_eq!(session.text("SELECT credit_balance('acme')"), "100");
}

/// A setting of a role's function or of the role itself must not reach the clock either.
#[test]
fn a_function_of_an_ordinary_role_cannot_move_the_clock() {
    let database = Database::new();
    database.connect().run("SELECT credit_grant('acme', 100, expires_at => now() + interval '1 hour')");
    let (role, _) = allowed(&database, "spend");
    database.connect().run(&format!("CREATE SCHEMA own AUTHORIZATION {role}"));
    for create in [
        "CREATE FUNCTION own.look() RETURNS numeric LANGUAGE sql SET credit.clock = '2999-01-01' AS $$ \
            SELECT credit_balance('acme') $$",
        "CREATE FUNCTION own.look() RETURNS numeric LANGUAGE plpgsql AS $$
         BEGIN SET LOCAL credit.clock = '2999-01-01'; RETURN credit_balance('acme'); END $$",
    ] {
        // Neither when the library is loaded nor when it is not yet.
        for warm_up in ["SELECT 1", "SELECT credit_balance('acme')"] {
            let mut session = database.connect_as(&role);
            session.run("DROP FUNCTION IF EXISTS own.look()");
            let mut session = database.connect_as(&role);
            session.run(warm_up);
            if session.ask(create).is_ok()
                && let Ok(balance) = session.ask("SELECT own.look()")
            {
                assert_eq!(balance.as_deref(), Some("100"), "{create} after {warm_up}");
            }
        }
    }
}

/// What a credit costs the provider is for administrators: whose call it is decides, not whose session.
#[test]
fn costs_are_shown_to_the_role_that_calls() {
    let database = with_lot();
    database.connect().run(
        "SELECT credit_plan('api', 'credit', 'USD', 0.01, floor_margin => 0.3), credit_plan_cost('api', 0.004);
         SELECT credit_tier('api', 'one', 0, discount => 0), credit_tier('api', 'big', 1000, discount => 0.9, \
             override_reason => 'strategic')",
    );
    let (spender, mut spending) = allowed(&database, "spend");
    let (admin, mut managing) = allowed(&database, "admin");
    let margin = "SELECT margin_percent FROM public.credit_quote('api', 100)";
    assert_eq!(managing.text(margin), "60");
    assert_eq!(spending.ask(margin).expect("an answer"), None);
    for (role, session) in [(&spender, &mut spending), (&admin, &mut managing)] {
        database
            .connect()
            .run(&format!("CREATE SCHEMA of_{role} AUTHORIZATION {role}; GRANT USAGE ON SCHEMA of_{role} TO PUBLIC"));
        session.run(&format!(
            "CREATE FUNCTION of_{role}.margin() RETURNS numeric LANGUAGE sql SECURITY DEFINER AS $$ {margin} $$;
             CREATE FUNCTION of_{role}.margin_of_caller() RETURNS numeric LANGUAGE sql AS $$ {margin} $$"
        ));
    }
    // A trap that an administrator is made to call shows nothing; what an administrator hands out is shown.
    assert_eq!(managing.ask(&format!("SELECT of_{spender}.margin()")).expect("an answer"), None);
    assert_eq!(managing.text(&format!("SELECT of_{spender}.margin_of_caller()")), "60");
    assert_eq!(spending.text(&format!("SELECT of_{admin}.margin()")), "60");
    assert_eq!(spending.ask(&format!("SELECT of_{admin}.margin_of_caller()")).expect("an answer"), None);
    // Also under SET ROLE, and with the whole query in a parallel worker.
    database.connect().run(&format!("GRANT {spender} TO {admin}"));
    managing.run(&format!("SET ROLE {spender}"));
    assert_eq!(managing.ask(margin).expect("an answer"), None);
    managing.run("RESET ROLE");
    let in_parallel = if pg_credit_clients::server_major() >= 16 { "debug_parallel_query" } else { "force_parallel_mode" };
    managing.run(&format!("SET {in_parallel} = on"));
    assert_eq!(managing.text(margin), "60");
}

/// What `read` sees of plans and prices is what customers may see: neither the floor of a margin nor why it was passed.
#[test]
fn read_sees_no_floors_and_no_reasons() {
    let database = with_lot();
    database.connect().run(
        "SELECT credit_plan('api', 'credit', 'USD', 0.01, floor_margin => 0.3), credit_plan_cost('api', 0.004);
         SELECT credit_tier('api', 'one', 0, discount => 0.9, override_reason => 'strategic')",
    );
    let (_, mut reading) = allowed(&database, "read");
    let (_, mut managing) = allowed(&database, "admin");
    assert_eq!(
        reading.text("SELECT concat_ws(' ', plan, unit, currency, model, reach) FROM credit.plan"),
        "api credit USD volume purchase"
    );
    assert_eq!(reading.text("SELECT concat_ws(' ', tier, discount) FROM credit.tier"), "one 0.9");
    for hidden in [
        "floor_margin FROM credit.plan",
        "below_floor FROM credit.plan",
        "override_reason FROM credit.tier",
        "override_reason FROM credit.agreement",
        "override_reason FROM credit.purchase",
        "override_reason FROM credit.subscription",
        "override_reason FROM credit.rate_history",
    ] {
        reading.refusal(&format!("SELECT {hidden}")).expect(DENIED);
        managing.run(&format!("SELECT {hidden}"));
    }
    let told = "SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind IN ('r', 'v') AND a.attname ~ 'cost$|margin|floor|override'
            AND a.attname <> 'cost_basis' AND has_column_privilege(c.oid, a.attnum, 'SELECT')";
    assert_eq!(reading.rows(told), Vec::<Vec<String>>::new(), "columns about costs that read may read");
}

#[test]
fn taking_a_level_away_keeps_what_the_others_grant() {
    let database = with_lot();
    let (role, mut session) = allowed(&database, "spend");
    let mut owner = database.connect();
    owner.run(&format!(
        "SELECT credit_allow('{role}', 'admin'); SELECT credit_allow('{role}', 'read'); SELECT credit_allow('{role}', 'read')"
    ));
    assert_eq!(owner.rows("SELECT level FROM credit.access ORDER BY level").concat(), ["admin", "read", "spend"]);
    owner.run(&format!("SELECT credit_disallow('{role}', 'admin')"));
    assert_may_call(&mut session, |function| SPENDING.contains(&function) || READING.contains(&function));
    assert_may_read_only(&database, &mut session, READABLE);
    owner.run(&format!("SELECT credit_disallow('{role}', 'read')"));
    assert_may_call(&mut session, |function| SPENDING.contains(&function));
    assert_may_read_only(&database, &mut session, &[]);
    owner.run(&format!("SELECT credit_disallow('{role}', 'spend'); SELECT credit_disallow('{role}', 'spend')"));
    assert_may_call(&mut session, |_| false);
    assert_eq!(owner.number("SELECT count(*) FROM credit.access"), 0);
    // Nothing is left that would keep the role from being dropped.
    owner.run(&format!("BEGIN; DROP ROLE {role}; ROLLBACK"));
}

#[test]
fn a_role_may_have_any_name() {
    let database = with_lot();
    let mut owner = database.connect();
    let name = format!("a \"b\"; DROP TABLE credit.entry; --'{}", std::process::id());
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    owner.run(&format!("CREATE ROLE {quoted} LOGIN"));
    owner.run(&format!("SELECT credit_allow({}, 'spend')", quote(&name)));
    let outcome = database.connect_as(&name).ask("SELECT credit_debit('acme', 1)");
    owner.run(&format!("SELECT credit_disallow({}, 'spend'); DROP ROLE {quoted}", quote(&name)));
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(owner.text("SELECT credit_balance('acme')"), "99");
}

/// Objects with the names that the functions use, first in the search path; each of them raises an error when it is used.
const TRAPS: &str = "
    CREATE FUNCTION trap.raise() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''hijacked''; END';
    CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT CASE \
        WHEN trap.raise() THEN ''2000-01-01''::timestamptz END';
    CREATE FUNCTION trap.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint WHERE trap.raise()';
    CREATE FUNCTION trap.nextval(text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint WHERE trap.raise()';
    CREATE FUNCTION trap.trim_scale(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0 WHERE trap.raise()';
    CREATE FUNCTION trap.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT ''''::text WHERE trap.raise()';
    CREATE FUNCTION trap.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE sql AS 'SELECT $1[1] WHERE trap.raise()';
    CREATE FUNCTION trap.number_trap(numeric, numeric) RETURNS boolean LANGUAGE sql AS 'SELECT trap.raise()';
    CREATE FUNCTION trap.minus_trap(numeric, numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 0.0 WHERE trap.raise()';
    CREATE FUNCTION trap.text_trap(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.raise()';
    CREATE FUNCTION trap.id_trap(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT trap.raise()';
    CREATE FUNCTION trap.time_trap(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS 'SELECT trap.raise()';
    CREATE OPERATOR trap.>= (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = trap.number_trap);
    CREATE OPERATOR trap.- (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = trap.minus_trap);
    CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.text_trap);
    CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.id_trap);
    CREATE OPERATOR trap.<= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = trap.time_trap);
    CREATE OPERATOR trap.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = trap.time_trap);
    CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT trap.now()';
    CREATE TABLE trap.slot (account text, lot bigint, slot smallint, remaining numeric);
    CREATE TABLE trap.account (account text, unit text);
    CREATE TEMP TABLE slot (account text, lot bigint, slot smallint, remaining numeric);
    CREATE TEMP TABLE entry (account text, amount numeric);
    CREATE TEMP TABLE lot (account text, lot bigint);
    CREATE TEMP TABLE account (account text, unit text);
    CREATE TEMP TABLE request (account text, key text);
    CREATE TEMP TABLE pg_roles (rolname text);
    CREATE DOMAIN pg_temp.numeric AS pg_catalog.numeric CHECK (trap.raise());
    GRANT ALL ON ALL TABLES IN SCHEMA trap TO PUBLIC";

/// A role that owns a schema full of traps and looks there first.
fn trapped(database: &Database, level: &str) -> Client {
    let (role, mut session) = allowed(database, level);
    database.connect().run(&format!("CREATE SCHEMA trap AUTHORIZATION {role}; GRANT ALL ON SCHEMA trap TO PUBLIC"));
    session.run(TRAPS);
    session.run("SET search_path = pg_temp, trap, public, pg_catalog");
    assert!(session.refusal("SELECT 1.0 >= 1.0").message.contains("hijacked"), "the traps do not work");
    session
}

#[test]
fn what_a_spender_plants_is_not_run_by_the_functions() {
    let database = with_lot();
    let mut session = trapped(&database, "spend");
    let mut owner = database.connect();
    session.run("SELECT public.credit_debit('acme'::text, amount => 2)");
    session.run("SELECT public.credit_try_debit('acme'::text, 3, member => 'alice', key => 'k')");
    session.run("SELECT * FROM public.credit_debit_many('{acme,acme}'::text[], '{1,1}')");
    // From several slots, by the other path.
    owner.run("SELECT credit_grant('acme', 1, priority => 1)");
    session.run("SELECT public.credit_debit('acme'::text, 5)");
    session.run("SELECT count(*) FROM public.credit_explain_debit('acme'::text, 5)");
    assert_eq!(session.text("SELECT public.credit_balance('acme'::text)"), "89");
    assert_eq!(session.refusal("SELECT public.credit_debit('acme'::text, 5000)").code, "23514");
    database.verify();
}

#[test]
fn what_an_administrator_plants_is_not_run_by_functions_and_triggers() {
    let database = with_lot();
    let mut session = trapped(&database, "admin");
    for sql in [
        "SELECT public.credit_grant('acme'::text, 10, member => 'bob', expires_after => '1 month', paid => 5, currency => 'USD', \
            key => 'g')",
        "INSERT INTO credit.lot (account, granted, member) VALUES ('acme', 7, 'bob')",
        "INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', -1, 1)",
        "SELECT public.credit_account('other'::text, time_zone => 'Europe/Berlin')",
        "SELECT public.credit_member('acme'::text, 'bob', department => 'sales')",
        "SELECT public.credit_set_expiry('acme'::text, 1, '2999-01-01')",
        "SELECT public.credit_void('acme'::text, 2)",
        "SELECT * FROM public.credit_expire()",
        "SELECT * FROM public.credit_maintain()",
        "CALL public.credit_maintain(time_limit => interval '1 minute')",
        "SELECT * FROM public.credit_verify()",
        "SELECT available FROM credit.balances",
        "SELECT remaining FROM credit.lots",
        "SELECT value FROM credit.ledger",
    ] {
        session.run(sql);
    }
    assert_eq!(database.connect().text("SELECT credit_balance('acme')"), "106");
    database.verify();
}

/// The owner of the extension may have somebody else's schema in their path when they hand out access.
#[test]
fn what_others_plant_is_not_run_when_the_owner_grants_and_proves() {
    let database = with_lot();
    let _spender = trapped(&database, "spend");
    let role = database.create_role("reader");
    let mut owner = database.connect();
    owner.run("SET search_path = trap, public, pg_catalog");
    for sql in [
        format!("SELECT public.credit_allow('{role}'::text, 'read')"),
        format!("SELECT public.credit_disallow('{role}'::text, 'read')"),
        "SELECT * FROM public.credit_verify()".to_owned(),
        "SELECT public.credit_debit('acme'::text, 1)".to_owned(),
    ] {
        owner.run(&sql);
    }
    database.verify();
}

#[test]
fn a_schema_that_somebody_made_beforehand_is_refused() {
    let database = Database::bare(&pg_credit_clients::Server::under_test());
    let mut session = database.connect();
    session.run("CREATE SCHEMA credit");
    session.refusal("CREATE EXTENSION pg_credit").expect("42P06");
}
