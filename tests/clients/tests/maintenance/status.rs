//! Debits go the direct way, counted and not timed, and the view `credit.status` says so, and what else is not as it should be.

use pg_credit_clients::{Client, Cluster, Database, Session, wait_until_blocked};

const TABLES: [&str; 6] = ["entry", "slot", "lot", "account", "member", "unit"];

/// A database with an account that has a member and two lots.
fn with_credit() -> (Database, Client) {
    let database = Database::new();
    let mut owner = database.connect();
    owner.run("SELECT credit_grant('acme', 1000), credit_grant('acme', 5, priority => 1), credit_member('acme', 'ann')");
    (database, owner)
}

/// The counts of a session's steps, as `step directly by_sql`.
fn counted(session: &mut Client) -> Vec<String> {
    session.rows("SELECT concat_ws(' ', step, directly, by_sql) FROM credit.direct_steps()").concat()
}

/// A new session debits three times, one of them from two lots, and a batch: all of that directly.
fn assert_debits_go_directly(database: &Database) {
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100, priority => 0)");
    session.run("SELECT credit_debit('acme', 1, member => 'ann')");
    session.run("SELECT credit_debit('acme', 1)");
    session.run("SELECT credit_debit('acme', 1)");
    session.run("SELECT * FROM credit_debit_many(array_fill('acme'::text, '{8}'), array_fill(0.1, '{8}'))");
    let counts = counted(&mut session);
    let of = |step: &str| counts.iter().find_map(|count| count.strip_prefix(step)).expect("a step").trim().to_owned();
    assert_eq!(of("debit"), "3 0", "{counts:?}");
    assert_eq!(of("write lines"), "1 0", "{counts:?}");
    for step in ["read account", "find head lot"] {
        let (directly, by_sql) = of(step).split_once(' ').map(|(one, other)| (one.to_owned(), other.to_owned())).expect("two");
        assert!(directly != "0" && by_sql == "0", "{step}: {counts:?}");
    }
    let tables = "SELECT subject, state FROM credit.status WHERE topic = 'speed' AND subject LIKE 'credit.%' ORDER BY subject";
    for row in session.rows(tables) {
        assert_eq!(row[1], "directly", "{}", row[0]);
    }
    assert_eq!(session.rows(tables).len(), TABLES.len());
    session.run("SELECT count(*) FROM credit.ledger");
    database.verify();
}

/// The next debit of the session goes through SQL, because of this.
fn assert_debit_goes_through_sql(session: &mut Client, relation: &str, obstacle: &str) {
    let before = counted(session);
    let posting = session.number("SELECT credit_debit('acme', 1, operation => 'chat')");
    let after = counted(session);
    let by_sql =
        |counts: &[String]| counts[2].rsplit(' ').next().map(str::to_owned).expect("a number").parse::<i64>().expect("a number");
    assert_eq!(by_sql(&after), by_sql(&before) + 1, "{obstacle}: {after:?}");
    assert_eq!(
        session.rows(&format!("SELECT kind, amount, operation FROM credit.entry WHERE posting = {posting}")),
        [["debit", "-1", "chat"]]
    );
    let status = format!("SELECT is_well, state, detail FROM credit.status WHERE topic = 'speed' AND subject = '{relation}'");
    assert_eq!(session.rows(&status), [["f", "through SQL", obstacle]]);
}

#[test]
fn debits_go_directly_after_the_installation() {
    let (database, _) = with_credit();
    assert_debits_go_directly(&database);
}

#[test]
fn a_column_that_somebody_added_or_dropped_does_no_harm() {
    let (database, mut owner) = with_credit();
    let mut before = database.connect();
    before.run("SELECT credit_debit('acme', 1)");
    for table in TABLES {
        owner.run(&format!("ALTER TABLE credit.{table} ADD COLUMN region text, ADD COLUMN weight numeric"));
    }
    before.run("SELECT credit_debit('acme', 1), credit_grant('acme', 1), credit_member('acme', 'bob')");
    assert_debits_go_directly(&database);
    owner.run("UPDATE credit.slot SET region = 'eu' WHERE slot = 0");
    for table in TABLES {
        owner.run(&format!("ALTER TABLE credit.{table} DROP COLUMN region"));
    }
    before.run("SELECT credit_debit('acme', 1)");
    assert_debits_go_directly(&database);
    for table in TABLES {
        owner.run(&format!("ALTER TABLE credit.{table} DROP COLUMN weight"));
    }
    before.run("SELECT credit_debit('acme', 1)");
    assert_eq!(counted(&mut before)[2], "debit 4 0");
    assert_debits_go_directly(&database);
    let values =
        "SELECT DISTINCT kind, posted, recorded_by IS NULL, occurred_at = recorded_at, department IS NULL, metadata IS NULL
        FROM credit.entry WHERE kind = 'debit'";
    assert_eq!(owner.rows(values), [["debit", "t", "f", "t", "t", "t"]]);
}

#[test]
fn what_a_column_of_somebody_holds_stays_when_a_debit_writes_the_row() {
    let (database, mut owner) = with_credit();
    owner.run("ALTER TABLE credit.slot ADD COLUMN region text; UPDATE credit.slot SET region = 'eu'");
    let mut session = database.connect();
    session.run("SELECT credit_debit('acme', 1)");
    assert_eq!(counted(&mut session)[2], "debit 1 0");
    assert_eq!(owner.rows("SELECT DISTINCT region FROM credit.slot"), [["eu"]]);
}

#[test]
fn debits_go_directly_after_tables_and_indexes_were_made_anew() {
    let (database, mut owner) = with_credit();
    for rebuild in ["REINDEX TABLE CONCURRENTLY", "REINDEX TABLE", "VACUUM FULL", "VACUUM (FREEZE, ANALYZE)"] {
        for table in TABLES {
            owner.run(&format!("{rebuild} credit.{table}"));
        }
        assert_debits_go_directly(&database);
    }
}

#[test]
fn where_a_direct_write_would_be_wrong_the_debit_goes_through_sql() {
    let (database, mut owner) = with_credit();
    owner.run(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE DOMAIN word AS text \
        NOT NULL",
    );
    // The table, the addition, the obstacle that is told, and the statement that takes the addition away again.
    let obstacles = [
        (
            "entry",
            "ADD COLUMN region text DEFAULT 'eu'",
            "the column \"region\", which was added, has a default or is generated",
            "DROP COLUMN region",
        ),
        (
            "entry",
            "ADD COLUMN double numeric GENERATED ALWAYS AS (amount * 2) STORED",
            "the column \"double\", which was added, has a default or is generated",
            "DROP COLUMN double",
        ),
        (
            "slot",
            "ADD COLUMN double numeric GENERATED ALWAYS AS (remaining * 2) STORED",
            "the column \"double\", which was added, has a default or is generated",
            "DROP COLUMN double",
        ),
        (
            "entry",
            "ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
            "the column \"number\" is NOT NULL, and debits may leave it empty",
            "DROP COLUMN number",
        ),
        (
            "entry",
            "ADD COLUMN word word DEFAULT 'x'",
            "the column \"word\", which was added, has a default or is generated",
            "DROP COLUMN word",
        ),
        ("entry", "ADD CHECK (amount < 1e14)", "a CHECK constraint was added", "DROP CONSTRAINT entry_amount_check"),
        ("entry", "ENABLE ROW LEVEL SECURITY", "row-level security is enabled", "DISABLE ROW LEVEL SECURITY"),
        (
            "slot",
            "ADD UNIQUE (account, lot, slot, remaining)",
            "an index was added",
            "DROP CONSTRAINT slot_account_lot_slot_remaining_key",
        ),
        (
            "entry",
            "ADD CONSTRAINT lines UNIQUE (account, posting, line) DEFERRABLE",
            "the index \"lines\" has a predicate or an expression, is deferred, or is an exclusion constraint",
            "DROP CONSTRAINT lines",
        ),
    ];
    let mut session = database.connect();
    session.run("SELECT credit_debit('acme', 1)");
    for (table, add, obstacle, remove) in obstacles {
        owner.run(&format!("ALTER TABLE credit.{table} {add}"));
        assert_debit_goes_through_sql(&mut session, &format!("credit.{table}"), obstacle);
        owner.run(&format!("ALTER TABLE credit.{table} {remove}"));
    }
    let others = [
        (
            "CREATE TRIGGER mine BEFORE INSERT ON credit.entry FOR EACH ROW EXECUTE FUNCTION nothing()",
            "the trigger \"mine\" is not of the extension",
            "DROP TRIGGER mine ON credit.entry",
        ),
        (
            "CREATE INDEX large ON credit.entry (posting) WHERE amount < -100",
            "the index \"large\" has a predicate or an expression, is deferred, or is an exclusion constraint",
            "DROP INDEX credit.large",
        ),
        (
            "CREATE RULE mine AS ON DELETE TO credit.entry DO INSTEAD NOTHING",
            "a rule was added",
            "DROP RULE mine ON credit.entry",
        ),
        (
            "CREATE DOMAIN percent AS numeric CHECK (VALUE <= 100); ALTER TABLE credit.entry ADD COLUMN share percent",
            "the column \"share\", which was added, has a domain as its type",
            "ALTER TABLE credit.entry DROP COLUMN share",
        ),
    ];
    for (add, obstacle, remove) in others {
        owner.run(add);
        assert_debit_goes_through_sql(&mut session, "credit.entry", obstacle);
        owner.run(remove);
    }
    assert_debits_go_directly(&database);
}

#[test]
fn a_column_of_ours_that_may_not_be_empty_any_more_is_respected() {
    let database = Database::new();
    let mut owner = database.connect();
    owner.run("SELECT credit_account('acme'); ALTER TABLE credit.entry ALTER COLUMN operation SET NOT NULL");
    // Grants have no operation.
    owner.refusal("SELECT credit_grant('acme', 1)").expect("23502");
    owner.run("ALTER TABLE credit.entry ALTER COLUMN operation DROP NOT NULL; SELECT credit_grant('acme', 10)");
    owner.run("UPDATE credit.account SET metadata = '{}'; SELECT credit_debit('acme', 1)");
    owner.run(
        "ALTER TABLE credit.entry DISABLE TRIGGER USER; UPDATE credit.entry \
        SET operation = 'x'; ALTER TABLE credit.entry ENABLE TRIGGER USER",
    );
    owner.run("SELECT credit_enable_triggers(); ALTER TABLE credit.entry ALTER COLUMN operation SET NOT NULL");
    let detail = "the column \"operation\" is NOT NULL, and debits may leave it empty";
    assert_debit_goes_through_sql(&mut owner, "credit.entry", detail);
    owner.refusal("SELECT credit_debit('acme', 1)").expect("23502");
}

#[test]
fn a_debit_that_waited_for_a_change_of_the_table_looks_again() {
    let (database, mut owner) = with_credit();
    let mut session = database.connect();
    session.run("SELECT credit_debit('acme', 1)");
    owner.run("BEGIN; ALTER TABLE credit.entry ADD COLUMN region text DEFAULT 'eu', ADD COLUMN first text");
    let backend = session.backend();
    let debit = std::thread::spawn(move || {
        session.run("SELECT credit_debit('acme', 1)");
        counted(&mut session)
    });
    wait_until_blocked(&mut database.connect(), backend);
    owner.run("COMMIT");
    assert_eq!(debit.join().expect("the debit")[2], "debit 1 1");
    assert_eq!(owner.rows("SELECT DISTINCT region FROM credit.entry"), [["eu"]]);
    database.verify();
}

#[test]
fn under_a_stricter_isolation_level_the_status_says_why() {
    let (database, mut session) = with_credit();
    session.run("SET default_transaction_isolation = 'repeatable read'");
    session.run("SELECT credit_debit('acme', 1)");
    let status = "SELECT is_well, state, detail FROM credit.status WHERE subject = 'transaction isolation'";
    assert_eq!(session.rows(status), [["f", "repeatable read", "debits go through SQL at this level"]]);
    assert_eq!(session.rows("SELECT state FROM credit.status WHERE subject = 'debit'"), [["0 directly, 1 through SQL"]]);
    database.verify();
}

#[test]
fn the_status_names_transactions_that_hold_slots() {
    let cluster = Cluster::start(&["fsync = off", "max_prepared_transactions = 2"]);
    let database = Database::on(&cluster.server());
    let mut owner = database.connect();
    owner.run("SELECT credit_grant('acme', 100), credit_cap('acme', 50)");
    let held = "SELECT CASE WHEN subject LIKE 'process %' THEN 'process' ELSE subject END, is_well, state, since IS NOT NULL
        FROM credit.status WHERE topic = 'slots held'";
    assert!(owner.rows(held).is_empty());
    let mut other = database.connect();
    other.run("BEGIN; SELECT credit_debit('acme', 1)");
    let backend = other.backend();
    assert_eq!(owner.rows(held), [["process", "t", "1 of lots, 1 of caps", "t"]]);
    let subject = format!("SELECT detail LIKE 'idle in transaction%' FROM credit.status WHERE subject = 'process {backend}'");
    assert_eq!(owner.text(&subject), "t");
    other.run("PREPARE TRANSACTION 'left'");
    assert_eq!(owner.rows(held), [["prepared transaction \"left\"", "t", "1 of lots, 1 of caps", "t"]]);
    owner.run("COMMIT PREPARED 'left'");
    assert!(owner.rows(held).is_empty());
}

#[test]
fn the_status_says_what_maintenance_has_to_do_and_since_when() {
    let database = Database::new();
    let mut owner = database.connect();
    owner.run("SET credit.clock = '2026-01-01 00:00+00'");
    owner.run("SET credit.key_retention_days = 60");
    owner.run(
        "SELECT credit_grant('acme', 10, expires_at => '2026-02-01 00:00+00'), \
            credit_schedule('acme', 5, interval '1 month', key => 'monthly'),
             credit_debit('acme', 1, key => 'old')",
    );
    let due = "SELECT subject, is_well, state, since AT TIME ZONE 'UTC' FROM credit.status WHERE topic = 'maintenance' \
        AND since IS NOT NULL
        AND subject <> 'roll up' ORDER BY subject";
    assert!(owner.rows(due).is_empty());
    owner.run("SET credit.clock = '2026-02-01 06:00+00'");
    assert_eq!(
        owner.rows(due),
        [["expire lots", "t", "2 due", "2026-02-01 00:00:00"], ["refresh schedules", "t", "1 due", "2026-02-01 00:00:00"]]
    );
    owner.run("SET credit.clock = '2026-12-02 00:00+00'");
    assert_eq!(
        owner.rows(due),
        [
            ["expire lots", "f", "2 due", "2026-02-01 00:00:00"],
            ["forget keys", "f", "1 due", "2026-03-02 00:00:00"],
            ["refresh schedules", "f", "1 due", "2026-02-01 00:00:00"]
        ]
    );
    owner.run("SELECT credit_maintain()");
    assert!(owner.rows(due).is_empty());
    let steps =
        "SELECT array_agg(subject ORDER BY subject) = (SELECT array_agg(s ORDER BY s) FROM unnest(credit.maintenance_steps()) s)
        FROM credit.status WHERE topic = 'maintenance'";
    assert_eq!(owner.text(steps), "t");
    owner.run("SELECT credit.end_maintenance(credit.begin_maintenance('expire lots'), 'disk full')");
    let failed = "SELECT is_well, detail LIKE '%error: disk full' FROM credit.status WHERE subject = 'expire lots'";
    assert_eq!(owner.rows(failed), [["f", "t"]]);
}

#[test]
fn a_session_that_ignores_the_indexes_of_the_catalog_debits_through_sql() {
    let (database, _) = with_credit();
    let mut session = database.server().connect_with("-c ignore_system_indexes=on", database.name());
    session.run("SELECT credit_debit('acme', 1, member => 'ann')");
    session.run("SELECT credit_debit('acme', 1, member => 'ann')");
    let counts = counted(&mut session);
    assert!(counts.contains(&"debit 0 2".to_owned()), "{counts:?}");
    database.verify();
}

#[test]
fn the_status_compares_the_versions() {
    let (database, mut owner) = with_credit();
    let version = "SELECT is_well, state, detail FROM credit.status WHERE topic = 'version'";
    let library = owner.text("SELECT credit.library_version()");
    assert_eq!(owner.rows(version), [["t", library.as_str(), "the library and the files of the server have the same"]]);
    owner.run("BEGIN; UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'pg_credit'");
    let behind = format!("the library is {library}: connect anew, or ALTER EXTENSION pg_credit UPDATE");
    assert_eq!(owner.rows(version), [["f", "0.0.1", behind.as_str()]]);
    owner.run("ROLLBACK");
    database.verify();
}

#[test]
fn a_role_that_reads_sees_the_status() {
    let (database, mut owner) = with_credit();
    let role = database.create_role("reader");
    owner.run(&format!("SELECT credit_allow('{role}', 'read')"));
    let mut reader = database.connect_as(&role);
    assert_eq!(reader.number("SELECT count(*) FROM credit.status WHERE topic = 'speed'"), 7);
    owner.run(&format!("SELECT credit_disallow('{role}', 'read')"));
}
