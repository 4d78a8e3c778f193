//! A session remembers where it found the rows of slots, and how the tables looked. Whatever happens to rows and tables after
//! that, its next debits are exact, and what others added to the tables holds.

use std::thread;

use pg_credit_clients::{Client, Cluster, Database, Session, wait_until, wait_until_blocked};

/// Enough accounts for several pages of slots.
const ACCOUNTS: i64 = 600;

/// A database with accounts of 1000 each, and a session that has debited all of them: it knows where their slots are.
fn with_places(accounts: i64) -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    grant_all(&mut session, accounts);
    debit_all(&mut session, accounts);
    (database, session)
}

fn grant_all(session: &mut Client, accounts: i64) {
    session.run(&format!("SELECT credit_grant('account_' || i, 1000) FROM generate_series(1, {accounts}) i"));
}

/// One credit of each account.
fn debit_all(session: &mut Client, accounts: i64) {
    session.run(&format!("SELECT credit_debit('account_' || i, 1) FROM generate_series(1, {accounts}) i"));
}

/// Every slot holds this, the books are right, and the indexes lead to every row.
fn assert_each_holds(database: &Database, remaining: &str) {
    let mut session = database.connect();
    assert_eq!(session.rows("SELECT DISTINCT remaining FROM credit.slot"), [[remaining]]);
    assert_indexes_are_whole(&mut session);
    database.verify();
}

fn assert_indexes_are_whole(session: &mut Client) {
    for (table, by_index) in [("slot", "SELECT count(*) FROM credit.slot WHERE account > ''"), ("entry", COUNT_ENTRIES_BY_INDEX)]
    {
        let all = session.number(&format!("SELECT count(*) FROM credit.{table}"));
        session.run("SET enable_seqscan = off; SET enable_bitmapscan = off");
        assert_eq!(session.number(by_index), all, "rows of credit.{table} that its index leads to");
        session.run("RESET enable_seqscan; RESET enable_bitmapscan");
    }
    if session.number("SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'") == 1 {
        session.run("CREATE EXTENSION IF NOT EXISTS amcheck");
        session.run("SELECT bt_index_check('credit.slot_pkey', true), bt_index_check('credit.entry_pkey', true)");
    }
}

const COUNT_ENTRIES_BY_INDEX: &str = "SELECT count(*) FROM credit.entry WHERE account > ''";

/// The page of each slot, as one text.
fn pages(session: &mut Client) -> String {
    session.text("SELECT string_agg((ctid::text::point)[0]::text, ' ' ORDER BY account, lot, slot) FROM credit.slot")
}

#[test]
fn a_table_that_is_rewritten_is_found_again() {
    let (database, mut session) = with_places(ACCOUNTS);
    let mut other = database.connect();
    other.run("VACUUM FULL credit.slot");
    debit_all(&mut session, ACCOUNTS);
    assert_each_holds(&database, "998");
    other.run("CLUSTER credit.slot USING slot_pkey");
    debit_all(&mut session, ACCOUNTS);
    assert_each_holds(&database, "997");
    // In the session's own transaction, and taken back: the old file is the right one again.
    session.run("BEGIN");
    debit_all(&mut session, ACCOUNTS);
    session.run("CLUSTER credit.slot USING slot_pkey");
    debit_all(&mut session, ACCOUNTS);
    assert_eq!(session.rows("SELECT DISTINCT remaining FROM credit.slot"), [["995"]]);
    session.run("ROLLBACK");
    debit_all(&mut session, ACCOUNTS);
    assert_each_holds(&database, "996");
}

#[test]
fn pages_that_are_cut_off_and_filled_otherwise_are_noticed() {
    let (database, mut session) = with_places(ACCOUNTS);
    let mut other = database.connect();
    let size = "SELECT pg_relation_size('credit.slot')";
    let full = other.number(size);
    other.run("ALTER TABLE credit.slot DISABLE TRIGGER slot_91_refuse_delete");
    other.run("CREATE TABLE moved AS SELECT * FROM credit.slot WHERE (ctid::text::point)[0] >= 2");
    other.run("DELETE FROM credit.slot WHERE (ctid::text::point)[0] >= 2");
    other.run("ALTER TABLE credit.slot ENABLE ALWAYS TRIGGER slot_91_refuse_delete");
    // One is not always enough: what was deleted stays while autovacuum holds an older snapshot, and the end of a table that it
    // reads.
    wait_until("the end of the table is cut off", || {
        other.run("VACUUM credit.slot");
        other.number(size) < full
    });
    // The other way round: where a row was is another one now.
    other.run("INSERT INTO credit.slot SELECT * FROM moved ORDER BY lot DESC");
    debit_all(&mut session, ACCOUNTS);
    assert_each_holds(&database, "998");
}

#[test]
fn the_extension_created_anew_has_slots_of_its_own() {
    let (database, mut session) = with_places(ACCOUNTS);
    let mut other = database.connect();
    other.run("DROP EXTENSION pg_credit; CREATE EXTENSION pg_credit");
    grant_all(&mut other, ACCOUNTS);
    let ids = other.rows("SELECT min(lot), max(lot) FROM credit.lot");
    assert_eq!(ids, [["1".to_owned(), ACCOUNTS.to_string()]], "the same ids again");
    debit_all(&mut session, ACCOUNTS);
    debit_all(&mut session, ACCOUNTS);
    assert_each_holds(&database, "998");
}

#[test]
fn rows_that_moved_to_another_page_are_followed() {
    let (database, mut session) = with_places(ACCOUNTS);
    let mut other = database.connect();
    let before = pages(&mut other);
    // With it, every update writes a version with index entries of its own, and no page is cleaned while the snapshot is held.
    other.run("CREATE INDEX by_remaining ON credit.slot (remaining)");
    let mut snapshot = database.connect();
    snapshot.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM credit.slot");
    (0..4).for_each(|_| debit_all(&mut session, ACCOUNTS));
    snapshot.run("COMMIT");
    assert_ne!(pages(&mut other), before, "no row left its page");
    session.run("SET enable_seqscan = off");
    let by_index = "SELECT count(*) FROM credit.slot WHERE remaining BETWEEN 995 AND 995";
    assert_eq!(session.number(by_index), ACCOUNTS, "debits keep up the index that was added");
    session.run("RESET enable_seqscan");
    assert_each_holds(&database, "995");
    other.run("DROP INDEX credit.by_remaining");
    other.run("VACUUM credit.slot");
    debit_all(&mut session, ACCOUNTS);
    debit_all(&mut session, ACCOUNTS);
    assert_each_holds(&database, "993");
}

#[test]
fn rows_leave_full_pages_while_a_snapshot_is_held() {
    const MANY: i64 = 2000;
    let (database, mut session) = with_places(MANY);
    let before = pages(&mut session);
    let mut snapshot = database.connect();
    snapshot.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM credit.slot");
    (0..6).for_each(|_| debit_all(&mut session, MANY));
    assert_ne!(pages(&mut session), before, "no row left its page");
    // Rows that move in a transaction, or a part of one, that is rolled back.
    session.run("BEGIN");
    debit_all(&mut session, MANY);
    session.run("SAVEPOINT inner_part");
    (0..3).for_each(|_| debit_all(&mut session, MANY));
    session.run("ROLLBACK TO inner_part");
    debit_all(&mut session, MANY);
    session.run("ROLLBACK");
    (0..2).for_each(|_| debit_all(&mut session, MANY));
    assert_each_holds(&database, "991");
    assert_eq!(snapshot.rows("SELECT DISTINCT remaining FROM credit.slot"), [["999"]], "what the old snapshot sees");
    snapshot.run("COMMIT");
    session.run("VACUUM credit.slot");
    debit_all(&mut session, MANY);
    assert_each_holds(&database, "990");
}

/// What somebody adds to the ledger, and what shows that a debit of 7 went by it.
const ADDITIONS: [(&str, &str); 4] = [
    (
        "CREATE TRIGGER publish AFTER INSERT ON credit.entry FOR EACH ROW EXECUTE FUNCTION publish()",
        "SELECT count(*) FROM outbox WHERE amount = -7",
    ),
    (
        "ALTER TABLE credit.entry ADD COLUMN note text DEFAULT 'none'",
        "SELECT count(*) FROM credit.entry WHERE amount = -7 AND note = 'none'",
    ),
    ("ALTER TABLE credit.entry ADD CHECK (publish_amount(amount))", "SELECT count(*) FROM outbox WHERE amount = -7"),
    ("CREATE INDEX twice ON credit.entry ((amount * 2))", "SELECT count(*) FROM credit.entry WHERE amount * 2 = -14"),
];

/// What additions call.
const OUTBOX: &str = "CREATE TABLE outbox (amount numeric);
    CREATE FUNCTION publish() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.outbox VALUES (NEW.amount); RETURN NULL; END';
    CREATE FUNCTION publish_amount(amount numeric) RETURNS boolean LANGUAGE sql AS
        'INSERT INTO public.outbox VALUES (amount); SELECT true'";

/// On a server of its own, because a mistake here may end the server.
fn with_outbox(cluster: &Cluster) -> (Database, Client, Client) {
    let database = Database::on(&cluster.server());
    let (mut session, mut other) = (database.connect(), database.connect());
    session.run(OUTBOX);
    session.run("SELECT credit_grant('acme', 1000); SELECT credit_debit('acme', 1)");
    other.run("SET enable_seqscan = off");
    (database, session, other)
}

#[test]
fn what_is_added_between_two_debits_of_a_transaction_holds_for_the_second() {
    let cluster = Cluster::start(&["fsync = off"]);
    for (addition, shows) in ADDITIONS {
        let (database, mut session, mut other) = with_outbox(&cluster);
        // The savepoint gives back the locks of its debit, so the other session need not wait.
        session.run("BEGIN; SELECT count(*) FROM credit.unit; SAVEPOINT s; SELECT credit_debit('acme', 5); ROLLBACK TO s");
        other.run(addition);
        session.run("SELECT credit_debit('acme', 7); COMMIT");
        assert_eq!(other.number(shows), 1, "{addition}");
        assert_eq!(session.text("SELECT credit_balance('acme')"), "992");
        database.verify();
    }
}

#[test]
fn a_debit_that_waits_for_an_addition_goes_by_it() {
    let cluster = Cluster::start(&["fsync = off"]);
    let trigger_on_slot = "CREATE TRIGGER publish AFTER UPDATE ON credit.slot FOR EACH ROW EXECUTE FUNCTION publish_slot()";
    let of_slot = (trigger_on_slot, "SELECT count(*) FROM outbox WHERE amount = 992");
    for (addition, shows) in ADDITIONS.into_iter().chain([of_slot]) {
        let (database, mut session, mut other) = with_outbox(&cluster);
        session.run(
            "CREATE FUNCTION publish_slot() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN INSERT INTO public.outbox VALUES (NEW.remaining); RETURN NULL; END'",
        );
        let backend = session.backend();
        other.run("BEGIN");
        other.run(addition);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| session.ask("SELECT credit_debit('acme', 7)"));
            wait_until_blocked(&mut database.connect(), backend);
            other.run("COMMIT");
            waiting.join().expect("the debiting client").expect("a debit that waited");
        });
        assert_eq!(other.number(shows), 1, "{addition}");
        assert_eq!(other.text("SELECT credit_balance('acme')"), "992");
        database.verify();
    }
}

/// The many lines of a batch are written directly too.
#[test]
fn a_batch_that_waits_for_an_addition_goes_by_it() {
    let cluster = Cluster::start(&["fsync = off"]);
    for (addition, shows) in ADDITIONS {
        let (database, mut session, mut other) = with_outbox(&cluster);
        let batch =
            "SELECT count(*) FROM credit_debit_many(array_fill('acme'::text, ARRAY[8]), ARRAY[7,2,2,2,2,2,2,2]::numeric[])";
        let backend = session.backend();
        other.run("BEGIN");
        other.run(addition);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| session.ask(batch));
            wait_until_blocked(&mut database.connect(), backend);
            other.run("COMMIT");
            waiting.join().expect("the debiting client").expect("a batch that waited");
        });
        assert_eq!(other.number(shows), 1, "{addition}");
        assert_eq!(other.text("SELECT credit_balance('acme')"), "978");
        database.verify();
    }
}

/// An index that is being built waits for the transaction, and the transaction's next debit must already keep it up.
#[test]
fn an_index_that_is_being_built_concurrently_is_kept_up() {
    let cluster = Cluster::start(&["fsync = off"]);
    let (database, mut session, mut other) = with_outbox(&cluster);
    session.run("BEGIN; SELECT credit_debit('acme', 5)");
    let backend = other.backend();
    thread::scope(|scope| {
        let building = scope.spawn(|| other.ask("CREATE INDEX CONCURRENTLY twice ON credit.entry ((amount * 2))"));
        wait_until_blocked(&mut database.connect(), backend);
        session.run("SELECT credit_debit('acme', 7); COMMIT");
        building.join().expect("the other client").expect("an index");
    });
    session.run("SELECT credit_debit('acme', 7)");
    assert_eq!(other.number("SELECT count(*) FROM credit.entry WHERE amount * 2 = -14"), 2);
    assert_eq!(other.text("SELECT credit_balance('acme')"), "980");
    database.verify();
}

/// The debit has looked at the indexes, then waits for the sequence; the index that is made meanwhile is not there to be written
/// yet.
#[test]
fn an_index_that_is_made_while_a_debit_waits_is_left_to_who_makes_it() {
    let cluster = Cluster::start(&["fsync = off"]);
    let (database, mut session, mut other) = with_outbox(&cluster);
    let (mut holder, mut watcher) = (database.connect(), database.connect());
    holder.run("BEGIN; ALTER SEQUENCE credit.posting_id OWNER TO current_user");
    let (debiting, making) = (session.backend(), other.backend());
    thread::scope(|scope| {
        let debited = scope.spawn(|| session.ask("SELECT credit_debit('acme', 7)"));
        wait_until_blocked(&mut watcher, debiting);
        let made = scope.spawn(|| other.ask("CREATE INDEX CONCURRENTLY mine ON credit.entry (recorded_at, amount)"));
        wait_until_blocked(&mut watcher, making);
        holder.run("ROLLBACK");
        debited.join().expect("the debiting client").expect("a debit");
        made.join().expect("the other client").expect("an index");
    });
    assert_eq!(other.number("SELECT count(*) FROM credit.entry WHERE recorded_at > '-infinity' AND amount = -7"), 1);
    assert_eq!(other.text("SELECT credit_balance('acme')"), "992");
    database.verify();
}

#[test]
fn an_index_of_lots_that_was_made_anew_while_a_debit_waited_is_found() {
    let cluster = Cluster::start(&["fsync = off"]);
    let (database, mut session, mut other) = with_outbox(&cluster);
    session.run("SELECT credit_grant('other', 100)");
    let backend = session.backend();
    let definition = other.text("SELECT pg_get_indexdef('credit.lot_drawdown'::regclass)");
    other.run("BEGIN; LOCK TABLE credit.lot; DROP INDEX credit.lot_drawdown");
    other.run(&definition);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| session.ask("SELECT credit_debit('other', 1)"));
        wait_until_blocked(&mut database.connect(), backend);
        other.run("COMMIT");
        waiting.join().expect("the debiting client").expect("a debit that waited");
    });
    assert_eq!(session.text("SELECT credit_balance('other')"), "99");
    database.verify();
}
