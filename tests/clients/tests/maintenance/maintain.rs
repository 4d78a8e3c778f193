//! Maintenance with real clients: a transaction for each batch, two at once, interrupted, and run by pg_cron.

use std::thread;
use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Cluster, Database, Session, Stop, wait_until_blocked};

const DENIED: &str = "42501";
const CANCELLED: &str = "57014";
const IN_A_TRANSACTION: &str = "2D000";

/// A database with so many lots of an account that have expired, and one that has not.
fn with_expired(lots: usize) -> (Database, Client) {
    let database = Database::new();
    let mut client = database.connect();
    client.run(&format!(
        "SET credit.clock = '2026-01-01 00:00:00+00';
         SELECT count(credit_grant('acme', n, expires_at => '2026-02-01 00:00:00+00')) FROM generate_series(1, {lots}) AS n;
         SELECT credit_grant('acme', 1000);
         RESET credit.clock"
    ));
    (database, client)
}

fn expiries(client: &mut Client) -> i64 {
    client.number("SELECT count(*) FROM credit.entry WHERE kind = 'expiry'")
}

/// Steps of the log, the oldest first, as `step handled batches`, and the error of those that have one.
fn log(client: &mut Client) -> Vec<String> {
    let rows = "SELECT concat_ws(' ', step, handled, batches, error) FROM credit.maintenance_run ORDER BY run";
    client.rows(rows).concat()
}

#[test]
fn each_batch_is_a_transaction() {
    let (database, mut client) = with_expired(25);
    client.run(
        "CREATE TABLE transaction (id text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO public.transaction VALUES (pg_current_xact_id()::text); RETURN NULL; END';
         CREATE TRIGGER note AFTER INSERT ON credit.entry FOR EACH ROW EXECUTE FUNCTION note()",
    );
    client.run("CALL credit_maintain(time_limit => '1 minute', max_rows => 10)");
    assert_eq!(client.number("SELECT count(DISTINCT id) FROM transaction"), 3);
    client.run("DROP TRIGGER note ON credit.entry");
    assert_eq!(log(&mut client)[2], "expire lots 25 4");
    assert_eq!(client.text("SELECT sum(amount) FROM credit.entry WHERE kind = 'expiry'"), "-325");
    assert_eq!(client.text("SELECT credit_balance('acme')"), "1000");
    database.verify();
}

#[test]
fn two_at_once_do_everything_once() {
    let (database, mut client) = with_expired(400);
    database.clients(4, |number, session| match number {
        // The function shares the work instead of stepping aside.
        3 => (0..20).for_each(|_| session.run("SELECT credit_maintain(7)")),
        _ => session.run("CALL credit_maintain(time_limit => '1 minute', max_rows => 7)"),
    });
    // Whoever stepped aside did so because somebody else was at it, who went on to the end.
    assert_eq!(expiries(&mut client), 400);
    assert_eq!(client.number("SELECT sum(handled) FROM credit.maintenance_run WHERE step = 'expire lots'"), 400);
    assert_eq!(client.number("SELECT count(*) FROM credit.maintenance_run WHERE finished_at IS NULL OR error IS NOT NULL"), 0);
    database.verify();
}

#[test]
fn while_another_session_does_a_step_it_steps_aside() {
    let (database, mut client) = with_expired(3);
    let mut other = database.connect();
    let run = other.text("SELECT credit.begin_maintenance('expire lots')");
    other.run(&format!("BEGIN; SELECT credit.maintain_batch({run}, 1)"));
    client.run("CALL credit_maintain(time_limit => '1 minute')");
    assert_eq!(
        log(&mut client)[1..],
        [
            "give back holds 0 1",
            "refresh schedules 0 1",
            "expire lots 0 0",
            "close empty lots 0 1",
            "roll up 0 1",
            "forget keys 0 1",
            "forget runs 0 1"
        ]
    );
    other.run("COMMIT");
    assert_eq!(expiries(&mut client), 1);
    // Rolled back to a savepoint, a batch and its lock are gone.
    other.run(&format!("BEGIN; SAVEPOINT s; SELECT credit.maintain_batch({run}, 1); ROLLBACK TO s"));
    client.run("CALL credit_maintain(time_limit => '1 minute')");
    other.run("COMMIT");
    assert_eq!(expiries(&mut client), 3);
    database.verify();
}

#[test]
fn what_was_done_before_an_interruption_stays_done_and_the_next_run_goes_on() {
    let (database, mut client) = with_expired(30);
    // Somebody keeps the keys' table to himself: the run has posted the expiries by the time it waits for that.
    client.run("SELECT credit_debit('acme', 1, key => 'k'); BEGIN; LOCK TABLE credit.request IN ACCESS EXCLUSIVE MODE");
    let mut worker = database.connect();
    let backend = worker.backend();
    let waiting = thread::spawn(move || worker.ask("CALL credit_maintain(time_limit => '1 minute', max_rows => 10)"));
    let mut watcher = database.connect();
    wait_until_blocked(&mut watcher, backend);
    assert_eq!(expiries(&mut watcher), 30, "they are committed");
    watcher.run(&format!("SELECT pg_cancel_backend({backend})"));
    waiting.join().expect("the thread").expect_err("cancelled").expect(CANCELLED);
    client.run("COMMIT");
    let open = "SELECT step FROM credit.maintenance_run WHERE finished_at IS NULL";
    assert_eq!(watcher.rows(open), [["forget keys"]], "what was interrupted has no end");
    client.run("CALL credit_maintain(time_limit => '1 minute')");
    assert_eq!(client.number("SELECT count(*) FROM credit.maintenance_run WHERE finished_at IS NOT NULL"), 5 + 7);
    database.verify();
}

#[test]
fn a_lot_that_somebody_holds_is_left_to_the_next_run() {
    let (database, mut client) = with_expired(3);
    client.run("BEGIN; SELECT FROM credit.lot WHERE account = 'acme' ORDER BY lot LIMIT 1 FOR UPDATE");
    let mut worker = database.connect();
    worker.run("CALL credit_maintain(time_limit => '1 minute', max_rows => 1)");
    assert_eq!(expiries(&mut worker), 2, "the one that is held comes first, and is passed over");
    client.run("COMMIT");
    worker.run("CALL credit_maintain(time_limit => '1 minute')");
    assert_eq!(expiries(&mut worker), 3);
    assert_eq!(worker.text("SELECT sum(amount) FROM credit.entry WHERE kind = 'expiry'"), "-6");
    database.verify();
}

#[test]
fn who_administers_may_call_it_and_nobody_else() {
    let (database, mut client) = with_expired(3);
    for (level, is_allowed) in [("read", false), ("spend", false), ("admin", true)] {
        let role = database.create_role(level);
        client.run(&format!("SELECT credit_allow('{role}', '{level}')"));
        let mut session = database.connect_as(&role);
        let call = "CALL credit_maintain(time_limit => '1 minute')";
        match is_allowed {
            true => session.run(call),
            false => drop(session.refusal(call).expect(DENIED)),
        }
        if is_allowed {
            let recorded = format!("SELECT count(*) FROM credit.maintenance_run WHERE recorded_by = '{role}'");
            assert_eq!(session.number(&recorded), 7);
            session.refusal("BEGIN; CALL credit_maintain(time_limit => '1 minute')").expect(IN_A_TRANSACTION);
            session.run("ROLLBACK");
            client.run(&format!("SELECT credit_disallow('{role}', '{level}')"));
            session.refusal(call).expect(DENIED);
        }
    }
    assert_eq!(expiries(&mut client), 3);
}

/// The real pg_cron, in servers of its own, since it has to be preloaded: one whose jobs connect as clients do, and one whose
/// jobs run in background workers. It counts in minutes, so this takes up to one.
#[test]
fn pg_cron_runs_it() {
    if std::env::var_os("PG_CREDIT_CRON").is_none() {
        eprintln!("skipped: there is no pg_cron for this PostgreSQL");
        return;
    }
    thread::scope(|scope| {
        for workers in ["off", "on"] {
            scope.spawn(move || let_pg_cron_run_it(workers));
        }
    });
}

fn let_pg_cron_run_it(workers: &str) {
    let workers = format!("cron.use_background_workers = {workers}");
    let cluster = Cluster::start(&["shared_preload_libraries = 'pg_cron'", "cron.database_name = 'postgres'", &workers]);
    let socket = cluster.server().socket_directory;
    cluster.server().connect("postgres").run(&format!("ALTER SYSTEM SET cron.host = '{}'", socket.display()));
    cluster.stop(Stop::Fast);
    cluster.start_again();
    let mut client = cluster.server().connect("postgres");
    client.run(
        "CREATE EXTENSION pg_cron; CREATE EXTENSION pg_credit;
         SET credit.clock = '2026-01-01 00:00:00+00';
         SELECT credit_grant('acme', 10, expires_at => '2026-02-01 00:00:00+00');
         SELECT cron.schedule('pg_credit', '* * * * *', $$CALL credit_maintain(time_limit => '4 minutes')$$)",
    );
    let end = Instant::now() + Duration::from_secs(75);
    while client.number("SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')") == 0 {
        assert!(Instant::now() < end, "pg_cron ran nothing\n{}", cluster.log());
        thread::sleep(Duration::from_millis(200));
    }
    let outcome = client.rows("SELECT status, return_message FROM cron.job_run_details ORDER BY runid LIMIT 1");
    assert_eq!(outcome[0][0], "succeeded", "{workers}: {outcome:?}");
    assert_eq!(expiries(&mut client), 1);
    assert_eq!(log(&mut client)[2], "expire lots 1 2", "{workers}");
    assert_eq!(client.number("SELECT count(*) FROM credit_verify()"), 0);
}
