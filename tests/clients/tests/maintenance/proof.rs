//! The proof beside the server: what is compiled, sequences that are behind the books, and what is read for one account.

use pg_credit_clients::{Client, Cluster, Database, Session};

const WRONG_STATE: &str = "55000";
const FORBIDDEN: &str = "42501";

/// A statement of the extension is over before its code would be made, whatever it is estimated to cost.
#[test]
fn no_statement_of_the_extension_is_compiled() {
    let cluster = Cluster::start(&[
        "jit = on",
        "jit_above_cost = 0",
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
        "auto_explain.log_analyze = on",
    ]);
    let database = Database::on(&cluster.server());
    let mut session = database.connect();
    let before = cluster.log().len();
    session.run("SELECT credit_grant('acme', 10)");
    session.run("SELECT count(credit_balance('acme'))");
    session.run("SELECT * FROM credit_true_up('acme', '2020-01-01', '2021-01-01')");
    session.run("SELECT count(*) FROM credit_verify()");
    let is_available = session.text("SELECT pg_jit_available()") == "t";
    let log = cluster.log();
    let plans: Vec<&str> = log[before..].split(" LOG:  duration: ").skip(1).collect();
    // The session's own queries are compiled, where the server can.
    let (asked, ours): (Vec<&str>, Vec<&str>) =
        plans.iter().partition(|plan| plan.contains("Query Text: SELECT count(") && plan.contains("credit_"));
    let is_compiled = |plan: &&str| plan.contains("JIT:");
    assert_eq!(asked.iter().any(is_compiled), is_available, "statements of the session");
    assert_eq!(
        ours.iter().filter(|plan| plan.contains("no slot is below zero")).count(),
        1,
        "the log has the plans of the proof"
    );
    let compiled: Vec<&str> = ours.into_iter().filter(|plan| plan.contains("FROM credit.") && is_compiled(plan)).collect();
    assert!(compiled.is_empty(), "compiled:\n{}", compiled.join("\n"));
}

/// The setting is the session's again afterwards, also after an error.
#[test]
fn the_setting_of_the_session_stays() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "CREATE TABLE seen (jit text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen \
             VALUES (current_setting('jit')); RETURN NEW; END $$;
         GRANT INSERT ON seen TO PUBLIC;
         CREATE TRIGGER see AFTER INSERT ON credit.request FOR EACH ROW EXECUTE FUNCTION see();
         SET jit = on; SELECT credit_grant('acme', 10, key => 'first')",
    );
    assert_eq!(session.text("SELECT jit FROM seen"), "off");
    assert_eq!(session.text("SHOW jit"), "on");
    session.refusal("SELECT credit_debit('acme', 11, key => 'second')").expect("23514");
    assert_eq!(session.text("SHOW jit"), "on");
    session.run("SET jit = off; SELECT credit_balance('acme')");
    assert_eq!(session.text("SHOW jit"), "off");
}

fn database_with_books() -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SELECT credit_grant('acme', 1000), credit_grant('globex', 1000); SELECT count(credit_debit('acme', 1)) \
        FROM generate_series(1, 50)",
    );
    (database, session)
}

#[test]
fn ids_are_not_given_twice_by_a_sequence_behind_the_books() {
    let (database, mut session) = database_with_books();
    session.run("SELECT setval('credit.posting_id', 2)");
    let found = session.rows("SELECT invariant, expected, found FROM credit_verify()");
    assert_eq!(found, [["a sequence is ahead of the ids in the books", "beyond 52", "2 of credit.posting_id"]]);
    assert_eq!(session.number("SELECT count(*) FROM credit_verify('acme')"), 1);

    // Of a session that took ids before, of one that takes its first, alone and in a batch.
    for call in [
        "SELECT credit_debit('globex', 7)",
        "SELECT count(posting) FROM credit_debit_many('{globex,globex}', '{1,2}')",
        "SELECT credit_grant('initech', 5)",
        "SELECT credit_transfer('globex', 5, to_member => 'alice')",
    ] {
        let refusal = database.connect().refusal(call).expect(WRONG_STATE);
        assert_eq!(refusal.detail_of("taken"), Some("52"), "{call}");
    }
    session.refusal("SELECT credit_debit('globex', 7)").expect(WRONG_STATE);
    assert_eq!(session.text("SELECT credit_balance('globex')"), "1000");
}

#[test]
fn lots_are_not_given_ids_twice() {
    let (database, mut session) = database_with_books();
    session.run("SELECT setval('credit.lot_id', 1)");
    let refusal = database.connect().refusal("SELECT credit_grant('initech', 5)").expect(WRONG_STATE);
    assert_eq!(refusal.detail_of("sequence"), Some("credit.lot_id"));
    assert_eq!(
        session.number("SELECT count(*) FROM credit_verify() WHERE invariant = 'a sequence is ahead of the ids in the books'"),
        1
    );
    // A session that took ids before.
    let of_known_session = session.refusal("SELECT credit_grant('initech', 5)").expect(WRONG_STATE);
    assert_eq!(of_known_session.detail_of("sequence"), Some("credit.lot_id"));
}

/// A connection looks at the newest rows before its first id, however long the ledger is.
#[test]
fn the_first_debit_of_a_connection_does_not_read_the_ledger() {
    let (database, mut session) = database_with_books();
    session.run(
        "SELECT count(*) FROM credit_debit_many(array_fill('acme'::text, ARRAY[20000]), \
        array_fill(0.001::numeric, ARRAY[20000])); ANALYZE credit.entry",
    );
    let mut reader = database.connect();
    let mut read = || {
        reader.text("SELECT pg_stat_clear_snapshot()");
        reader.number("SELECT seq_scan * 1000000 + seq_tup_read FROM pg_stat_user_tables WHERE relid = 'credit.entry'::regclass")
    };
    session.run("SELECT pg_stat_force_next_flush()");
    let before = read();
    let mut newcomer = database.connect();
    newcomer.run("SELECT credit_debit('acme', 1)");
    newcomer.run("SELECT pg_stat_force_next_flush()");
    // Eight pages hold fewer than 2,000 lines.
    assert!(read() - before < 2000, "{before} before");
}

#[test]
fn sequences_are_repaired_by_their_owner() {
    let (database, mut session) = database_with_books();
    let admin = database.create_role("admin");
    session.run(&format!(
        "SELECT credit_allow('{admin}', 'admin'); SELECT setval('credit.posting_id', 2), setval('credit.lot_id', 1)"
    ));
    database.connect_as(&admin).refusal("SELECT * FROM credit_repair_sequences()").expect(FORBIDDEN);
    let repaired = session.rows("SELECT * FROM credit_repair_sequences()");
    assert_eq!(repaired, [["credit.lot_id", "1", "1002"], ["credit.posting_id", "2", "1052"]]);
    assert_eq!(session.rows("SELECT * FROM credit_repair_sequences()"), Vec::<Vec<String>>::new());
    // Those that were refused go on.
    session.run("SELECT credit_debit('globex', 7), credit_grant('initech', 5)");
    database.connect_as(&admin).run("SELECT credit_debit('globex', 7)");
    database.verify();
}

/// A new extension in the same session begins anew.
#[test]
fn an_extension_that_is_made_again_begins_with_the_first_id() {
    let (_database, mut session) = database_with_books();
    session.run("DROP EXTENSION pg_credit CASCADE; CREATE EXTENSION pg_credit; SELECT credit_grant('acme', 10)");
    assert_eq!(session.number("SELECT credit_debit('acme', 1)"), 2);
}

/// Under SERIALIZABLE nobody looks at the newest rows, which could fail the transaction for nothing; nor are ids compared with
/// those of an extension that is gone.
#[test]
fn serializable_transactions_take_ids_unseen() {
    let (database, mut session) = database_with_books();
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    session.run("DROP EXTENSION pg_credit CASCADE; CREATE EXTENSION pg_credit");
    session.run(&format!("{begin}; SELECT credit_grant('acme', 10); SELECT credit_debit('acme', 1); COMMIT"));
    database.verify();
    session.run("SELECT setval('credit.posting_id', 1)");
    // Here the key of the ledger refuses it.
    database.connect().refusal(&format!("{begin}; SELECT credit_debit('acme', 1)")).expect("23505");
}

/// An account may have very many lots on tables that were never analysed; nothing joins each row of them with each.
#[test]
fn the_proof_of_one_large_account_is_no_loop_over_loops() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SET credit.clock = '2026-01-01';
         SELECT credit_account('acme'); SELECT count(credit_member('acme', 'seat ' || seat)) FROM generate_series(1, 300) AS seat;
         SELECT credit_schedule('acme', 5, '7 days', per_member => true, expires => 'never');
         SET credit.clock = '2026-06-30'; SELECT credit_refresh('acme');
         SELECT count(credit_void('acme', lot)) FROM (SELECT lot FROM credit.lot ORDER BY lot LIMIT 500) AS l",
    );
    assert_eq!(session.number("SELECT count(*) FROM credit.lot"), 300 * 26);
    // It takes a second, and took forty when one of its queries looped.
    session.run("SET statement_timeout = '20s'");
    assert_eq!(session.number("SELECT count(*) FROM credit_verify('acme')"), 0);
    assert_eq!(session.number("SELECT count(*) FROM credit_verify()"), 0);
}

/// The proof of one account reads the rows of that account, however many others there are.
#[test]
fn the_proof_of_one_account_reads_nothing_of_others() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SET credit.clock = '2026-01-01';
         SELECT credit_grant('acme', 100), credit_schedule('acme', 5, '7 days', per_member => true), \
             credit_member('acme', 'alice');
         SELECT count(credit_account('customer ' || of)) FROM generate_series(0, 300) AS of;
         SELECT count(credit_member('customer 0', 'member ' || number)) FROM generate_series(1, 3000) AS number;
         SELECT count(credit_member('customer ' || of, 'alice')), \
             count(credit_schedule('customer ' || of, 5, '7 days', per_member => true))
             FROM generate_series(1, 300) AS of;
         SET credit.clock = '2026-06-30'; SELECT credit_refresh();
         SELECT count(credit_debit('customer ' || of, 1, member => 'alice')) FROM generate_series(1, 300) AS of;
         SELECT credit_debit('acme', 1, member => 'alice'); ANALYZE; BEGIN",
    );
    assert_eq!(session.number("SELECT count(*) FROM credit_verify('acme')"), 0);
    let read = session.rows(
        "SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables
         WHERE relname IN ('entry', 'lot', 'slot', 'member', 'schedule_period') AND seq_tup_read > 0",
    );
    assert_eq!(read, Vec::<Vec<String>>::new());
}

/// The calls that take ids, and the sequence of these ids. All accounts have what it needs, and the session has taken ids before.
const TAKERS: &[(&str, &str, &str)] = &[
    ("a grant", "credit.posting_id", "SELECT credit_grant('acme', 1)"),
    ("a lot that is inserted", "credit.posting_id", "INSERT INTO credit.lot (account, granted) VALUES ('acme', 1)"),
    ("a debit", "credit.posting_id", "SELECT credit_debit('acme', 1)"),
    ("a debit with a key", "credit.posting_id", "SELECT credit_debit('acme', 1, key => 'k')"),
    (
        "a line that is inserted",
        "credit.posting_id",
        "INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'adjustment', 1, lot FROM credit.lot \
            WHERE account = 'gains'",
    ),
    ("a void", "credit.posting_id", "SELECT credit_void(account, lot) FROM credit.lot WHERE account = 'voids'"),
    (
        "a move",
        "credit.posting_id",
        "SELECT credit_set_expiry(account, lot, '2027-01-01') FROM credit.lot WHERE account = 'moves'",
    ),
    ("an expiry", "credit.posting_id", "SELECT credit_expire('expires')"),
    ("an issue", "credit.posting_id", "SELECT credit_refresh('issues')"),
    ("a rollover", "credit.posting_id", "SELECT credit_refresh('rolls')"),
    ("a return to the pool", "credit.posting_id", "SELECT credit_member('team', 'ann', active => false)"),
    (
        "a return for money",
        "credit.posting_id",
        "SELECT charge FROM credit_change_plan('changes', 'cheap', 10, at => '2026-02-01 00:00:00+00')",
    ),
    ("a lot of a grant", "credit.lot_id", "SELECT credit_grant('acme', 1)"),
    ("a lot that is planned", "credit.lot_id", "SELECT credit_purchase('buys', 'dear', 1, pending => true)"),
    (
        "a lot of a move",
        "credit.lot_id",
        "SELECT credit_set_expiry(account, lot, '2028-01-01') FROM credit.lot WHERE account = 'moves' AND NOT closed",
    ),
    ("a lot of a transfer", "credit.lot_id", "SELECT credit_transfer('acme', 1, to_member => 'ann')"),
    ("a lot of a conversion", "credit.lot_id", "SELECT credit_convert('acme', 1, 'credit', 'token')"),
];

fn refuses_until_it_is_put_right(session: &mut Client, name: &str, sequence: &str, call: &str) {
    let right = session.number(&format!("SELECT last_value FROM {sequence}"));
    session.run(&format!("SELECT setval('{sequence}', 1)"));
    let refusal = session.refusal(call).expect(WRONG_STATE);
    assert_eq!(refusal.detail_of("sequence"), Some(sequence), "{name}");
    session.run(&format!("SELECT setval('{sequence}', {right})"));
    session.run(call);
}

/// A session that took ids before refuses each further one that is not above them, whatever takes it, and goes on once it is put
/// right.
#[test]
fn each_id_that_the_books_have_is_refused() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SET credit.clock = '2026-01-01 00:00:00+00';
         SELECT credit_unit('token', currency => 'USD', fiat_per_credit => 0.01), \
             credit_unit('credit', currency => 'USD', fiat_per_credit => 1);
         SELECT credit_plan('dear', unit => 'credit', currency => 'USD', list_price => 1), \
             credit_plan('cheap', unit => 'credit', currency => 'USD', list_price => 0.1);
         SELECT credit_tier('dear', 'list', 0, discount => 0), credit_tier('cheap', 'list', 0, discount => 0);
         SELECT credit_grant(a, 100) FROM unnest('{acme,gains,voids,moves}'::text[]) AS a;
         SELECT credit_grant('expires', 100, expires_at => '2026-01-15 00:00:00+00');
         SELECT credit_member('acme', 'ann'), credit_account('team'), credit_member('team', 'ann');
         SELECT credit_schedule('issues', 100, '1 month'), credit_refresh('issues');
         SELECT credit_schedule('rolls', 100, '1 month', rollover => '{}'), credit_refresh('rolls');
         SELECT credit_schedule('team', 31, '1 month', per_member => true, on_leave => 'return'), credit_refresh('team');
         SELECT charge FROM credit_change_plan('changes', 'dear', 100);
         SET credit.clock = '2026-02-01 00:00:00+00';
         SELECT count(*) FROM credit_renew('changes'); SELECT credit_refresh('team')",
    );
    for (name, sequence, call) in TAKERS {
        refuses_until_it_is_put_right(&mut session, name, sequence, call);
    }
    // Not directly: under REPEATABLE READ a debit is written by SQL.
    session.run("SET default_transaction_isolation = 'repeatable read'");
    refuses_until_it_is_put_right(&mut session, "a debit by SQL", "credit.posting_id", "SELECT credit_debit('acme', 1)");
    database.verify();
}

/// A sequence was set too far ahead by mistake, and back where it belongs: a connection that took an id meanwhile goes on.
#[test]
fn a_sequence_that_was_put_right_serves_those_who_took_its_ids() {
    let (database, mut session) = database_with_books();
    for (sequence, call) in [("credit.posting_id", "credit_debit('acme', 1)"), ("credit.lot_id", "credit_grant('acme', 1)")] {
        let right = session.number(&format!("SELECT last_value FROM {sequence}"));
        session.run(&format!("SELECT setval('{sequence}', 1000000)"));
        session.run(&format!("BEGIN; SELECT {call}; ROLLBACK"));
        session.run(&format!("SELECT setval('{sequence}', {right})"));
        session.run(&format!("SELECT {call}; SELECT {call}"));
        // By one too few: the next id is the last one.
        session.run(&format!("SELECT setval('{sequence}', last_value - 1) FROM {sequence}"));
        let refusal = session.refusal(&format!("SELECT {call}")).expect(WRONG_STATE);
        assert_eq!(refusal.detail_of("last"), refusal.detail_of("taken"), "{sequence}");
        session.run(&format!("SELECT {call}"));
        // An id beyond was written: going back would give it twice.
        session.run(&format!("SELECT setval('{sequence}', 1000000); SELECT {call}; SELECT setval('{sequence}', {right} + 10)"));
        session.refusal(&format!("SELECT {call}")).expect(WRONG_STATE);
        session.run("SELECT count(*) FROM credit_repair_sequences()");
        session.run(&format!("SELECT {call}"));
    }
    database.verify();
}

/// Consumption that was added up to some id would never see a posting with a lower id that comes later.
#[test]
fn a_sequence_that_consumption_is_ahead_of_is_refused() {
    let (database, mut session) = database_with_books();
    let right = session.number("SELECT last_value FROM credit.posting_id");
    session.run("SELECT setval('credit.posting_id', 1000000)");
    session.run("SELECT credit_rollup()");
    session.run("SELECT credit_rollup()");
    session.run(&format!("SELECT setval('credit.posting_id', {right})"));
    session.run("BEGIN; SELECT setval('credit.posting_id', 1000000); SELECT credit_debit('acme', 1); ROLLBACK");
    session.run(&format!("SELECT setval('credit.posting_id', {right})"));
    let refusal = session.refusal("SELECT credit_debit('acme', 1)").expect(WRONG_STATE);
    assert_eq!(refusal.detail_of("sequence"), Some("credit.posting_id"));
    assert_eq!(session.number("SELECT count(*) FROM credit_repair_sequences() WHERE sequence = 'credit.posting_id'"), 1);
    session.run("SELECT credit_debit('acme', 1)");
    database.verify();
}

/// A subscription without a price would grant whatever its quantity says.
#[test]
fn a_price_that_is_taken_away_from_a_subscription_is_found() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SELECT credit_plan('small', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('small', 'list', 0, \
             discount => 0);
         SELECT credit_change_plan('acme', 'small', 100)",
    );
    assert_eq!(session.number("SELECT count(*) FROM credit_verify()"), 0);
    for forgery in
        ["unit_price = NULL, discount = NULL, quantity = 50000", "unit_price = NULL", "discount = NULL", "quantity = 101"]
    {
        session.run("BEGIN; ALTER TABLE credit.subscription DISABLE TRIGGER USER");
        session.run(&format!("UPDATE credit.subscription SET {forgery}"));
        session.run("SELECT credit_enable_triggers()");
        let of_prices = "SELECT count(*) FROM credit_verify() WHERE invariant LIKE '%price%'";
        assert!(session.number(of_prices) > 0, "{forgery}");
        session.run("ROLLBACK");
    }
}
