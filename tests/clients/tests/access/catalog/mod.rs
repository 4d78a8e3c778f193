//! What the extension installs, against lists beside this file: members, comments, names, marks, privileges, keys, what is
//! dumped.

mod functions;
mod members;
mod privileges;

use pg_credit_clients::{Database, Server, Session, quote};
use postgres::Client;

use functions::{API, INTERNAL};
use members::{MEMBERS, MEMBERS_QUERY};
use privileges::{ADMIN, PUBLIC, READ, SPEND};

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
    // pgrx writes STRICT where there are no arguments, and there it means nothing.
    let marks = format!(
        "SELECT concat_ws(' ', p.proname, CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
             CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
             CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END, CASE WHEN p.proisstrict AND p.pronargs > 0 THEN 'strict' \
                 ELSE 'not strict' END)
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

/// What runs as the owner must not find objects that its caller planted: the search path is pinned, pg_temp last. A procedure
/// that commits cannot pin it; it runs as its caller, and every name in it is qualified. Debits and quotes pin it when they
/// need a statement (tests/access/identity.rs).
#[test]
fn the_search_path_is_pinned_where_it_matters() {
    let database = Database::new();
    let loose = format!(
        "SELECT object || ' ' || COALESCE(p.proconfig::text, 'no settings')
         FROM ({MEMBERS_QUERY}) m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
         WHERE (p.prosecdef OR p.proname LIKE 'credit\\_%')
             AND p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, credit, pg_temp']
             AND NOT (p.prokind = 'p' AND NOT p.prosecdef)
             AND NOT (p.proname IN ('credit_debit', 'credit_try_debit', 'credit_quote') AND NOT p.prosecdef)"
    );
    assert_eq!(column(&mut database.connect(), &loose), NOTHING);
}

/// What views call is checked against whoever reads them, also where the view is somebody else's over ours.
#[test]
fn public_may_call_what_views_call_and_nothing_else() {
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
    let types = format!(
        "SELECT object FROM ({MEMBERS_QUERY}) m
         WHERE m.classid = 'pg_type'::regclass AND has_type_privilege('public', m.objid, 'USAGE')"
    );
    assert_eq!(column(&mut session, &functions), listed(PUBLIC), "PUBLIC may call");
    for allowed in [&types, tables, sequences, schema] {
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
        granted("t.typacl", "t.oid::regtype::text", "pg_type t"),
        granted("n.nspacl", "n.nspname", "pg_namespace n"),
    ];
    // Of a table that is read but for some columns, those that are not.
    let columns = format!(
        "SELECT privilege || ' ' || relation || CASE WHEN privilege = 'SELECT' THEN ' without ' || hidden ELSE '.' || name END
         FROM (SELECT g.privilege_type AS privilege, a.attrelid::regclass AS relation, a.attname AS name,
                   row_number() OVER (PARTITION BY a.attrelid, g.privilege_type ORDER BY a.attnum) AS number,
                   (SELECT string_agg(h.attname, ', ' ORDER BY h.attnum) FROM pg_attribute h WHERE h.attrelid = a.attrelid \
                       AND h.attnum > 0
                        AND NOT h.attisdropped AND NOT has_column_privilege({role}, h.attrelid, h.attnum, 'SELECT')) AS hidden
               FROM pg_attribute a, aclexplode(a.attacl) g WHERE g.grantee = {role}::regrole) AS granted
         WHERE privilege <> 'SELECT' OR number = 1",
        role = quote(role)
    );
    column(session, &format!("{} UNION ALL {columns}", queries.join(" UNION ALL ")))
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
             AND relname NOT IN ('rollup', 'rollup_lot', 'rollup_watermark')";
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
