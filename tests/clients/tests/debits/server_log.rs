//! What the server's log says of errors that pass through the extension.

use pg_credit_clients::{Cluster, Database, Session, wait_until_blocked};

/// The lines of the log from the last one that contains `message` on.
fn log_from(cluster: &Cluster, message: &str) -> String {
    let log = cluster.log();
    let start = log.rfind(message).unwrap_or_else(|| panic!("no {message:?} in the log:\n{log}"));
    log[start..].to_owned()
}

#[test]
fn the_log_names_the_queries_of_a_deadlock() {
    let cluster = Cluster::start(&["deadlock_timeout = '100ms'", "log_error_verbosity = default"]);
    let database = Database::on(&cluster.server());
    let [mut one, mut other] = [database.connect(), database.connect()];
    one.run("SELECT credit_grant('a', 10), credit_grant('b', 10)");
    let waiter = other.backend();
    one.run("BEGIN; SELECT credit_debit('a', 1)");
    other.run("BEGIN; SELECT credit_debit('b', 2)");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| other.ask("SELECT credit_debit('a', 3)"));
        wait_until_blocked(&mut database.connect(), waiter);
        let outcomes = [one.ask("SELECT credit_debit('b', 4)"), waiting.join().expect("a session that waits")];
        let [victim] = outcomes.into_iter().filter_map(Result::err).collect::<Vec<_>>().try_into().expect("one victim");
        assert_eq!(victim.code, "40P01");
        // Only the log names the queries, as the hint says: they may be of other users.
        assert_eq!(victim.hint.as_deref(), Some("See server log for query details."));
        let detail = victim.detail.expect("a DETAIL");
        assert!(detail.contains("waits for") && !detail.contains("credit_debit"), "{detail}");
    });
    let log = log_from(&cluster, "deadlock detected");
    for query in ["SELECT credit_debit('a', 3)", "SELECT credit_debit('b', 4)"] {
        let named = log.lines().filter(|line| line.contains("Process ") && line.ends_with(query)).count();
        assert_eq!(named, 1, "{query} in:\n{log}");
    }
    for session in [&mut one, &mut other] {
        session.run("ROLLBACK");
    }
    database.verify();
}

#[test]
fn the_log_says_which_row_was_waited_for_and_the_caller_hears_what_he_heard_before() {
    let cluster = Cluster::start(&[]);
    let database = Database::on(&cluster.server());
    let [mut holder, mut waiter] = [database.connect(), database.connect()];
    holder.run("SELECT credit_grant('acme', 10)");
    holder.run("BEGIN; SELECT FROM credit.lot FOR UPDATE");
    let refusal = waiter.refusal("SET lock_timeout = '50ms'; SELECT credit_void('acme', 1)").expect("55P03");
    assert_eq!((refusal.detail, refusal.hint), (None, None));
    let log = log_from(&cluster, "canceling statement due to lock timeout");
    assert!(log.contains("in relation \"lot\""), "{log}");
    // An error that somebody caught says nothing of the next one.
    waiter.run("SET lock_timeout = 0");
    holder.run("ROLLBACK");
    waiter.run(
        "DO $$ BEGIN PERFORM credit_void('acme', 99); EXCEPTION WHEN no_data_found THEN NULL; END $$;
         SELECT credit_void('acme', 1)",
    );
    waiter.refusal("SELECT credit_debit('acme', 1)").expect("23514");
    let log = log_from(&cluster, "insufficient credits");
    assert!(log.contains("account=acme requested=1 available=0") && !log.contains("Context:"), "{log}");
}
