//! A session remembers which lot paid last. Whatever lots come, go or open again after that, its next debit takes from the one
//! that is first in drawdown order then.

use std::thread;

use pg_credit_clients::{Client, Cluster, Database, Session, wait_until_blocked};

/// A database with a lot of 100 that lasts a year, and a session that has debited it: it remembers it as the first.
fn with_known_head() -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100, expires_after => interval '1 year', metadata => '{\"name\": \"year\"}')");
    assert_eq!(debit(&mut session, 1), "year");
    (database, session)
}

/// Another lot of 100.
fn grant(session: &mut Client, name: &str, terms: &str) {
    session.run(&format!("SELECT credit_grant('acme', 100, metadata => '{{\"name\": \"{name}\"}}', {terms})"));
}

/// Debits the amount; the names of the lots that paid, in the order they did.
fn debit(session: &mut Client, amount: i64) -> String {
    let posting = session.number(&format!("SELECT credit_debit('acme', {amount})"));
    session.text(&format!(
        "SELECT string_agg(l.metadata->>'name', ' ' ORDER BY e.line)
         FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
         WHERE e.account = 'acme' AND e.posting = {posting} AND e.kind = 'debit'"
    ))
}

const SOONER: &str = "expires_after => interval '1 day'";

#[test]
fn a_lot_that_somebody_grants_is_drawn_first_from_its_commit_on() {
    let (database, mut session) = with_known_head();
    let mut other = database.connect();
    other.run("BEGIN");
    grant(&mut other, "day", SOONER);
    assert_eq!(debit(&mut session, 1), "year", "not committed yet");
    other.run("ROLLBACK");
    assert_eq!(debit(&mut session, 1), "year", "taken back");
    other.run("BEGIN");
    grant(&mut other, "day", SOONER);
    assert_eq!(debit(&mut session, 1), "year");
    other.run("COMMIT");
    assert_eq!(debit(&mut session, 1), "day", "committed");
    // Also within a transaction that has debited already.
    session.run("BEGIN");
    assert_eq!(debit(&mut session, 1), "day");
    grant(&mut other, "hour", "expires_after => interval '1 hour'");
    assert_eq!(debit(&mut session, 1), "hour");
    session.run("COMMIT");
    database.verify();
}

#[test]
fn a_lot_of_the_own_transaction_is_drawn_first_until_it_is_rolled_back() {
    let (database, mut session) = with_known_head();
    session.run("BEGIN");
    grant(&mut session, "day", SOONER);
    assert_eq!(debit(&mut session, 1), "day");
    session.run("ROLLBACK");
    assert_eq!(debit(&mut session, 1), "year");
    session.run("BEGIN; SELECT credit_debit('acme', 1); SAVEPOINT before_grant");
    grant(&mut session, "day", SOONER);
    assert_eq!(debit(&mut session, 1), "day");
    session.run("ROLLBACK TO before_grant");
    assert_eq!(debit(&mut session, 1), "year");
    // Several subtransactions announce, and only the last is taken back.
    session.run("SAVEPOINT kept");
    grant(&mut session, "day", SOONER);
    session.run("RELEASE kept; SAVEPOINT lost");
    grant(&mut session, "hour", "expires_after => interval '1 hour'");
    assert_eq!(debit(&mut session, 1), "hour");
    session.run("ROLLBACK TO lost; COMMIT");
    assert_eq!(debit(&mut session, 1), "day");
    assert_eq!(debit(&mut database.connect(), 1), "day");
    database.verify();
}

#[test]
fn a_lot_that_ran_dry_is_not_tried_for_ever_and_one_opened_again_is_the_first() {
    let (database, mut session) = with_known_head();
    let mut other = database.connect();
    grant(&mut other, "two years", "expires_after => interval '2 years'");
    assert_eq!(debit(&mut session, 1), "year");
    assert_eq!(debit(&mut other, 98), "year", "the rest of it");
    assert_eq!(debit(&mut session, 1), "two years");
    assert_eq!(debit(&mut session, 1), "two years");
    let year = session.number("SELECT lot FROM credit.lot WHERE metadata->>'name' = 'year'");
    let correction = format!("INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'adjustment', 5, {year})");
    other.run("BEGIN");
    other.run(&correction);
    assert_eq!(debit(&mut session, 1), "two years");
    other.run("COMMIT");
    assert_eq!(debit(&mut session, 1), "year", "open again");
    assert_eq!(debit(&mut session, 5), "year two years");
    database.verify();
}

#[test]
fn closing_a_lot_that_is_rolled_back_leaves_it_the_first() {
    let (database, mut session) = with_known_head();
    grant(&mut session, "two years", "expires_after => interval '2 years'");
    session.run("BEGIN");
    assert_eq!(debit(&mut session, 100), "year two years");
    assert_eq!(debit(&mut session, 1), "two years");
    session.run("ROLLBACK");
    assert_eq!(debit(&mut session, 1), "year");
    session.run("BEGIN; SAVEPOINT all_of_it");
    assert_eq!(debit(&mut session, 100), "year two years");
    assert_eq!(debit(&mut session, 1), "two years");
    session.run("ROLLBACK TO all_of_it");
    assert_eq!(debit(&mut session, 1), "year");
    session.run("COMMIT");
    database.verify();
}

#[test]
fn time_alone_can_make_another_lot_the_first() {
    let database = Database::new();
    let mut session = database.connect();
    let at = |session: &mut Client, day: u32| session.run(&format!("SET credit.clock = '2026-03-{day:02} 00:00+00'"));
    at(&mut session, 1);
    grant(&mut session, "to the 10th", "expires_at => '2026-03-10 00:00+00'");
    grant(&mut session, "to the 20th", "expires_at => '2026-03-20 00:00+00'");
    assert_eq!(debit(&mut session, 1), "to the 10th");
    session.run("SET credit.clock = '2026-03-09 23:59:59.999999+00'");
    assert_eq!(debit(&mut session, 1), "to the 10th");
    at(&mut session, 10);
    assert_eq!(debit(&mut session, 1), "to the 20th", "expired at this very instant");
    // One that is granted now for later, and would be the first.
    grant(&mut session, "from the 12th", "effective_at => '2026-03-12 00:00+00', expires_at => '2026-03-13 00:00+00'");
    assert_eq!(debit(&mut session, 1), "to the 20th");
    assert_eq!(debit(&mut session, 1), "to the 20th");
    at(&mut session, 12);
    assert_eq!(debit(&mut session, 1), "from the 12th");
    at(&mut session, 13);
    assert_eq!(debit(&mut session, 1), "to the 20th");
    session.run("RESET credit.clock");
    database.verify();
}

#[test]
fn what_is_remembered_for_one_request_is_not_for_another() {
    let (database, mut session) = with_known_head();
    session.run("SELECT credit_grant('acme', 50, member => 'alice')");
    session.run("SELECT credit_grant('acme', 50, applies_to => ARRAY['search'])");
    let left = |session: &mut Client, who: &str| session.text(&format!("SELECT credit_balance('acme', {who})"));
    session.run(
        "SELECT credit_debit('acme', 1), credit_debit('acme', 1, member => 'alice'), \
        credit_debit('acme', 1, operation => 'search')",
    );
    session.run(
        "SELECT credit_debit('acme', 1), credit_debit('acme', 1, member => 'alice'), \
        credit_debit('acme', 1, operation => 'search')",
    );
    assert_eq!(
        session.rows("SELECT remaining::text FROM credit.lots WHERE account = 'acme' ORDER BY lot"),
        [["97"], ["48"], ["48"]]
    );
    // A member who has none of his own yet, then gets some.
    session.run("SELECT credit_debit('acme', 1, member => 'bob'), credit_debit('acme', 1, member => 'bob')");
    session.run("SELECT credit_grant('acme', 50, member => 'bob'); SELECT credit_debit('acme', 1, member => 'bob')");
    assert_eq!(session.rows("SELECT remaining::text FROM credit.lots WHERE member = 'bob'"), [["49"]]);
    assert_eq!(left(&mut session, "member => 'bob'"), "192", "his 49, the pool's 95 and what is for searches");
    // Per seat, the pool does not pay any more.
    session.run("SELECT credit_account('acme', pooling => 'per_seat')");
    session.run("SELECT credit_debit('acme', 49, member => 'bob')");
    session.refusal("SELECT credit_debit('acme', 1, member => 'bob')").expect("23514");
    database.verify();
}

/// Rows that a restore or logical replication writes are announced too.
#[test]
fn a_lot_that_replication_writes_is_drawn_first() {
    let (database, mut session) = with_known_head();
    let mut other = database.connect();
    other.run("SET session_replication_role = replica");
    copy_lot(&mut other);
    assert_eq!(debit(&mut session, 1), "copied");
    database.verify();
}

/// As a restore writes them that switches the triggers off.
#[test]
fn a_lot_that_is_written_with_the_triggers_off_is_drawn_first_once_they_are_on() {
    let (database, mut session) = with_known_head();
    let mut other = database.connect();
    other.run("ALTER TABLE credit.lot DISABLE TRIGGER lot_95_announce");
    copy_lot(&mut other);
    other.run("ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_95_announce");
    assert_eq!(debit(&mut session, 1), "copied");
    database.verify();
}

/// While the grant is open, the server gives the indexes of lots other ids.
#[test]
fn a_lot_that_was_granted_while_the_indexes_were_rebuilt_is_drawn_first() {
    let (database, mut session) = with_known_head();
    let (mut snapshot, mut rebuilding, mut other) = (database.connect(), database.connect(), database.connect());
    snapshot.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    let backend = rebuilding.backend();
    let mut watcher = database.connect();
    thread::scope(|scope| {
        let rebuilt = scope.spawn(|| rebuilding.run("REINDEX TABLE CONCURRENTLY credit.lot"));
        wait_until_blocked(&mut watcher, backend);
        other.run("BEGIN");
        grant(&mut other, "day", SOONER);
        snapshot.run("COMMIT");
        assert_eq!(debit(&mut session, 1), "year", "not committed yet");
        other.run("COMMIT");
        rebuilt.join().expect("the rebuilding client");
    });
    assert_eq!(debit(&mut session, 1), "day");
    database.verify();
}

/// Writes a lot of 7 that expires in an hour, past the functions.
fn copy_lot(session: &mut Client) {
    session.run(
        "INSERT INTO credit.lot (account, lot, unit, category, source, priority, granted, effective_at, expires_at, metadata, \
            recorded_at,
             recorded_by, posted)
         SELECT account, 1000, unit, category, source, priority, 7, effective_at, now() + interval '1 hour', \
             '{\"name\": \"copied\"}', now(),
             session_user, true FROM credit.lot;
         INSERT INTO credit.slot (account, lot, slot, remaining) VALUES ('acme', 1000, 0, 7);
         INSERT INTO credit.entry (account, posting, line, kind, amount, lot, metadata, occurred_at, recorded_at, recorded_by, \
             posted)
         VALUES ('acme', 1000, 1, 'grant', 7, 1000, '{\"name\": \"copied\"}', now(), now(), session_user, true);
         SELECT setval('credit.lot_id', 1000), setval('credit.posting_id', 1000)",
    );
}

/// Whether the transaction that added a lot commits is known only later.
#[test]
fn a_lot_of_a_prepared_transaction_is_drawn_first_from_its_commit_on() {
    let cluster = Cluster::start(&["fsync = off", "max_prepared_transactions = 5"]);
    let database = Database::on(&cluster.server());
    let mut session = database.connect();
    grant(&mut session, "year", "expires_after => interval '1 year'");
    assert_eq!(debit(&mut session, 1), "year");
    session.run("BEGIN");
    grant(&mut session, "day", SOONER);
    assert_eq!(session.ask("SELECT count(*) FROM credit.lot").expect("a count").as_deref(), Some("2"));
    session.run("PREPARE TRANSACTION 'grant'");
    assert_eq!(debit(&mut session, 1), "year");
    session.run("COMMIT PREPARED 'grant'");
    assert_eq!(debit(&mut session, 1), "day");
    database.verify();
}

/// More than the server's queue of invalidation messages holds.
#[test]
fn one_of_thousands_of_grants_is_drawn_first() {
    let (database, mut session) = with_known_head();
    let mut other = database.connect();
    other.run("SELECT credit_grant('mass_' || i, 1) FROM generate_series(1, 6000) i");
    grant(&mut other, "day", SOONER);
    assert_eq!(debit(&mut session, 1), "day");
    database.verify();
}
