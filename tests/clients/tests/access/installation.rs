//! Privileges that the extension did not give, roles that are renamed or gone, and views of others over ours.

use pg_credit_clients::{Client, Database, Server, Session};

/// What a role may do with objects of the extension, by whatever way: functions, tables, sequences, types and the schema.
fn reach(session: &mut Client, role: &str) -> Vec<String> {
    let sql = format!(
        "SELECT kind || ' ' || object FROM credit.installed_object o WHERE CASE kind
             WHEN 'TABLE' THEN has_table_privilege('{role}', o.id, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, \
                 TRIGGER')
                 OR has_any_column_privilege('{role}', o.id, 'SELECT, INSERT, UPDATE, REFERENCES')
             WHEN 'SEQUENCE' THEN has_sequence_privilege('{role}', o.id, 'USAGE, SELECT, UPDATE')
             WHEN 'SCHEMA' THEN has_schema_privilege('{role}', o.id, 'USAGE, CREATE')
             WHEN 'TYPE' THEN has_type_privilege('{role}', o.id, 'USAGE') \
                 WHEN 'DOMAIN' THEN has_type_privilege('{role}', o.id, 'USAGE')
             ELSE has_function_privilege('{role}', o.id, 'EXECUTE') AND NOT has_function_privilege('public', o.id, 'EXECUTE') END"
    );
    session.rows(&sql).concat()
}

const NOTHING: [String; 0] = [];

/// Hosting platforms set default privileges that give every new object to the login role of end users.
#[test]
fn default_privileges_open_nothing() {
    for within in ["", "IN SCHEMA public "] {
        let database = Database::bare(&Server::under_test());
        let mut session = database.connect();
        let role = database.create_role("credit_authenticated");
        for what in ["EXECUTE ON FUNCTIONS", "ALL ON TABLES", "ALL ON SEQUENCES", "ALL ON TYPES"] {
            session.run(&format!("ALTER DEFAULT PRIVILEGES {within}GRANT {what} TO {role} WITH GRANT OPTION"));
        }
        if within.is_empty() {
            session.run(&format!("ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {role}"));
        }
        session.run("CREATE EXTENSION pg_credit; SELECT credit_grant('acme', 100)");
        assert_eq!(reach(&mut session, &role), NOTHING);
        assert_eq!(session.number("SELECT count(*) FROM credit.installation"), 0);
        let mut stranger = database.connect_as(&role);
        for sql in [
            "SELECT credit_grant('acme', 1000000)",
            "SELECT credit_balance('acme')",
            "UPDATE credit.slot SET remaining = 1000000",
            "SELECT count(*) FROM credit.plan_cost",
            "SELECT setval('credit.posting_id', 1)",
            "CREATE TABLE mine (remaining credit.remaining)",
        ] {
            stranger.refusal(sql).expect("42501");
        }
        // Somebody who is allowed a level has that level and no more.
        session.run(&format!("SELECT credit_allow('{role}', 'spend')"));
        assert_eq!(stranger.text("SELECT credit_balance('acme')"), "100");
        stranger.refusal("SELECT credit_grant('acme', 1)").expect("42501");
        assert_eq!(session.number("SELECT count(*) FROM credit.installation"), 0);
        session.run(&format!("SELECT credit_disallow('{role}', 'spend')"));
        assert_eq!(reach(&mut session, &role), NOTHING);
        database.verify();
        session.run(&format!("DROP OWNED BY {role}"));
    }
}

/// What an upgrade script does for the objects that it creates.
#[test]
fn an_upgrade_settles_what_it_creates_and_nothing_else() {
    let database = Database::new();
    let mut session = database.connect();
    let (reporter, stranger) = (database.create_role("credit_reporter"), database.create_role("credit_stranger"));
    session.run(&format!(
        "SELECT credit_allow('{reporter}', 'read'); GRANT SELECT ON credit.slot TO {stranger};
         ALTER DEFAULT PRIVILEGES IN SCHEMA credit GRANT ALL ON TABLES TO {stranger};
         REVOKE ALL ON FUNCTION credit_balance(text, text, text, timestamptz, text) FROM {reporter};
         CREATE TABLE credit.added (account text PRIMARY KEY); ALTER EXTENSION pg_credit ADD TABLE credit.added"
    ));
    let may = "SELECT concat_ws(' ', has_table_privilege('@', 'credit.slot', 'SELECT'), \
        has_table_privilege('@', 'credit.added', 'INSERT'))";
    assert_eq!(session.text(&may.replace('@', &stranger)), "t t");
    session.run("SELECT credit.settle_privileges('{TABLE credit.added}')");
    assert_eq!(session.text(&may.replace('@', &stranger)), "t f", "what a DBA granted stays, what is new is closed");
    let balance = "has_function_privilege('@', 'credit_balance(text, text, text, timestamptz, text)', 'EXECUTE')";
    let balance = format!("SELECT {}", balance.replace('@', &reporter));
    assert_eq!(session.text(&balance), "f", "what a DBA took away stays away");
    // Where nothing is named it is everything: recorded levels are granted again, and all else is taken.
    session.run("SELECT credit.settle_privileges()");
    assert_eq!(session.text(&may.replace('@', &stranger)), "f f");
    assert_eq!(session.text(&balance), "t");
    assert_eq!(session.rows("SELECT state FROM credit.access"), [["granted"]]);
    session.refusal("SELECT credit.settle_privileges('{TABLE credit.aded}')").expect("42704");
    session.run(&format!("DROP OWNED BY {stranger}"));
}

#[test]
fn a_restored_database_gets_its_triggers_back_in_one_call() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100); SELECT credit_debit('acme', 1)");
    let always = "SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                  WHERE c.relnamespace = 'credit'::regnamespace AND NOT tgisinternal AND tgenabled = 'A'";
    let before = session.number(always);
    assert!(before > 80, "{before} triggers that always fire");
    // What pg_restore --data-only --disable-triggers does to each table.
    session.run(
        "DO $$ DECLARE t regclass; BEGIN
             FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'credit'::regnamespace AND relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', t); EXECUTE format('ALTER TABLE %s ENABLE TRIGGER ALL', t);
             END LOOP;
         END $$",
    );
    assert_eq!(session.number(always), 0);
    let named = "SELECT count(*) FROM credit_verify() WHERE expected = 'always; credit_enable_triggers() sets it'";
    assert_eq!(session.number(named), before);
    assert_eq!(session.number("SELECT credit_enable_triggers()"), before);
    assert_eq!(session.number(always), before);
    database.verify();
}

/// Roles that were allowed something and are renamed, or gone, now.
#[test]
fn renamed_and_dropped_roles() {
    let database = Database::new();
    let mut owner = database.connect();
    let (agent, reader) = (database.create_role("credit_agent"), database.create_role("credit_reader"));
    let renamed = format!("{agent}_renamed");
    let access = "SELECT role, level, state, role_now FROM credit.access ORDER BY role, level";
    owner.run(&format!(
        "SELECT credit_allow('{agent}', 'admin'), credit_allow('{agent}', 'read'); ALTER ROLE {agent} RENAME TO {renamed}"
    ));
    assert_eq!(
        owner.rows(access),
        [[agent.as_str(), "admin", "renamed", renamed.as_str()], [agent.as_str(), "read", "renamed", renamed.as_str()]]
    );
    assert_eq!(owner.number("SELECT count(*) FROM credit.installation"), 0, "it was credit_allow() that granted it");
    // A later role of the name does not inherit what the first one had.
    owner.run(&format!("CREATE ROLE {agent} LOGIN"));
    database.connect_as(&agent).refusal("SELECT credit_grant('acme', 1)").expect("42501");
    owner.run("SELECT credit.settle_privileges()");
    database.connect_as(&agent).refusal("SELECT credit_grant('acme', 1)").expect("42501");
    database.connect_as(&renamed).run("SELECT credit_grant('acme', 1)");
    // By the old name, what it named is taken from the one who has it; the other level stays.
    owner.run(&format!("SELECT credit_disallow('{agent}', 'admin')"));
    database.connect_as(&renamed).refusal("SELECT credit_grant('acme', 1)").expect("42501");
    assert_eq!(database.connect_as(&renamed).text("SELECT credit_balance('acme')"), "1");
    // Allowed itself, the new one has a row of its own, and the first one goes by its present name.
    owner.run(&format!("SELECT credit_allow('{agent}', 'read')"));
    assert_eq!(
        owner.rows(access),
        [[agent.as_str(), "read", "granted", agent.as_str()], [renamed.as_str(), "read", "granted", renamed.as_str()]]
    );
    owner.run(&format!("SELECT credit_disallow('{renamed}', 'read'); DROP ROLE {renamed}"));
    database.connect_as(&agent).run("SELECT credit_balance('acme')");
    // Dropped, and another role made under its name: that one was allowed nothing, whatever is allowed to it, or taken from it,
    // later.
    let anew = database.create_role("anew");
    owner.run(&format!(
        "SELECT credit_allow('{anew}', 'admin'); DROP OWNED BY {anew}; DROP ROLE {anew}; CREATE ROLE {anew} LOGIN"
    ));
    owner.run(&format!(
        "SELECT credit_allow('{anew}', 'read'), credit_allow('{anew}', 'spend'), \
        credit_disallow('{anew}', 'spend'), credit.settle_privileges()"
    ));
    let levels = format!("SELECT level, state FROM credit.access WHERE role = '{anew}' ORDER BY level");
    assert_eq!(owner.rows(&levels), [["admin", "gone"], ["read", "granted"]]);
    database.connect_as(&anew).refusal("SELECT credit_grant('acme', 1)").expect("42501");
    owner.run(&format!("SELECT credit_disallow('{anew}', 'read'), credit_disallow('{anew}', 'admin')"));
    assert_eq!(owner.rows(&levels), Vec::<Vec<String>>::new());

    // Dropped, with what it had: the record says so, and goes by the name that is gone.
    owner.run(&format!(
        "SELECT credit_disallow('{agent}', 'read'); \
        SELECT credit_allow('{reader}', 'spend'); DROP OWNED BY {reader}; DROP ROLE {reader}"
    ));
    assert_eq!(owner.rows(access), [[reader.as_str(), "spend", "gone", ""]]);
    owner.run(&format!("SELECT credit_disallow('{reader}', 'spend')"));
    assert_eq!(owner.number("SELECT count(*) FROM credit.access"), 0);
    owner.refusal(&format!("SELECT credit_disallow('{reader}', 'spend')")).expect("P0002");
}

/// On another server only the name counts: its oids are those of other roles.
#[test]
fn a_record_from_another_server_goes_by_its_name() {
    let database = Database::new();
    let mut owner = database.connect();
    let (reader, other) = (database.create_role("credit_reader"), database.create_role("credit_other"));
    owner.run(&format!(
        "SELECT credit_allow('{reader}', 'read');
         UPDATE credit.access_record SET system_identifier = 1, role_oid = '{other}'::regrole"
    ));
    assert_eq!(owner.rows("SELECT role, state, role_now FROM credit.access"), [[reader.as_str(), "granted", reader.as_str()]]);
    owner.run(&format!("GRANT SELECT ON credit.balances TO {other}"));
    assert_eq!(owner.rows("SELECT role FROM credit.installation"), [[other.as_str()]]);
    owner.run(&format!("REVOKE SELECT ON credit.balances FROM {other}; SELECT credit_disallow('{reader}', 'read')"));
    assert_eq!(owner.number("SELECT count(*) FROM credit.held_privilege WHERE grantee <> 0"), 0);
}

/// A view of another owner over ours works for that owner's readers, and tells them no more than it selects.
#[test]
fn views_of_other_owners_over_ours_work() {
    let database = Database::new();
    let mut owner = database.connect();
    owner.run(
        "SELECT credit_plan('api', 'credit', 'USD', 1), credit_tier('api', 'one', 0, discount => 0);
         SELECT credit_agreement('acme', 'api', committed_quantity => '{100}');
         SELECT credit_purchase('acme', 'api', 50, instalments => 2, instalment_period => '1 month');
         SELECT credit_grant('acme', 100, expires_at => now() + interval '5 days');
         SELECT credit_cap('acme', 1000, every => 'month'), credit_cap('acme', 500, rolling => '2 days');
         SELECT credit_debit('acme', 1, member => 'alice'); SELECT credit_rollup(); \
             SELECT credit_debit('acme', 1, member => 'bob');
         SELECT credit_true_up_terms('acme', '1 month', now() - interval '40 days', 10)",
    );
    let (reporter, stranger) = (database.create_role("credit_reporter"), database.create_role("credit_stranger"));
    owner.run(&format!(
        "SELECT credit_allow('{reporter}', 'read'); CREATE SCHEMA reports AUTHORIZATION {reporter}; GRANT USAGE \
        ON SCHEMA reports TO {stranger}"
    ));
    let mut session = database.connect_as(&reporter);
    let views = session.rows(
        "SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a \
            ON a.attrelid = c.oid
         WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
             AND has_column_privilege(c.oid, a.attnum, 'SELECT') GROUP BY c.relname ORDER BY 1",
    );
    assert!(views.len() > 50, "{} relations that read may read", views.len());
    for view in &views {
        session.run(&format!("CREATE VIEW reports.{0} AS SELECT {1} FROM credit.{0}", view[0], view[1]));
    }
    session.run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA reports TO {stranger}"));
    let mut reader = database.connect_as(&stranger);
    for view in &views {
        let rows = |session: &mut Client| session.rows(&format!("SELECT v::text FROM reports.{} v ORDER BY 1", view[0]));
        assert_eq!(rows(&mut reader), rows(&mut session), "{}", view[0]);
    }
    for filled in ["caps", "commitments", "consumption", "instalments", "lots", "balances", "true_ups_due", "expiring_soon"] {
        assert_ne!(reader.number(&format!("SELECT count(*) FROM reports.{filled}")), 0, "{filled}");
    }
    // The handful of functions cannot be named without the schema, and nothing else was opened.
    for refused in ["SELECT credit.now()", "SELECT count(*) FROM credit.caps", "SELECT credit_balance('acme')"] {
        reader.refusal(refused).expect("42501");
    }
}
