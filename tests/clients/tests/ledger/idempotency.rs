//! The same key twice: one posting, whoever asks, in whatever order, and whatever becomes of the first.

use std::thread;

use pg_credit_clients::{Client, Database, Session, wait_until, wait_until_blocked};

const KEY_REUSED: &str = "23505";
const INSUFFICIENT: &str = "23514";

fn database_with_credit() -> (Database, Client) {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 100)");
    (database, client)
}

fn balance(client: &mut Client) -> String {
    client.text("SELECT credit_balance('acme')")
}

fn requests(client: &mut Client) -> i64 {
    client.number("SELECT count(*) FROM credit.request")
}

#[test]
fn a_key_used_by_many_at_once_posts_once() {
    const ROUNDS: usize = 40;
    let (database, mut client) = database_with_credit();
    let postings = database.clients(8, |_, client| {
        (0..ROUNDS)
            .map(|round| client.number(&format!("SELECT credit_debit('acme', 2, key => 'order-{round}')")))
            .collect::<Vec<_>>()
    });
    for other in &postings[1..] {
        assert_eq!(other, &postings[0], "every client gets the posting of the first");
    }
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), ROUNDS as i64);
    assert_eq!(balance(&mut client), "20");
    database.verify();
}

#[test]
fn a_key_on_a_grant_used_by_many_at_once_grants_once() {
    let database = Database::new();
    // The account, its unit and the member are new as well.
    let lots =
        database.clients(8, |_, client| client.number("SELECT credit_grant('new', 50, member => 'alice', key => 'order-1')"));
    assert!(lots.iter().all(|lot| *lot == lots[0]), "every client gets the lot of the first: {lots:?}");
    let mut client = database.connect();
    assert_eq!(client.text("SELECT credit_balance('new')"), "50");
    assert_eq!(client.number("SELECT count(*) FROM credit.lot"), 1);
    database.verify();
}

#[test]
fn a_key_used_for_another_request_is_refused_and_changes_nothing() {
    let (database, mut client) = database_with_credit();
    let posting = client.text("SELECT credit_debit('acme', 10, member => 'alice', operation => 'chat', key => 'order-1')");
    for other in [
        "credit_debit('acme', 11, member => 'alice', operation => 'chat', key => 'order-1')",
        "credit_debit('acme', 10, member => 'bob', operation => 'chat', key => 'order-1')",
        "credit_debit('acme', 10, member => 'alice', operation => 'embed', key => 'order-1')",
        "credit_debit('acme', 10, member => 'alice', key => 'order-1')",
        "credit_debit('acme', 10, member => 'alice', operation => 'chat', unit => 'credit', key => 'order-1')",
        "credit_debit('acme', 10, member => 'alice', operation => 'chat', at => '2020-01-01', key => 'order-1')",
        "credit_try_debit('acme', 11, key => 'order-1')",
        "credit_grant('acme', 10, key => 'order-1')",
    ] {
        let refusal = client.refusal(&format!("SELECT {other}")).expect(KEY_REUSED);
        for (name, value) in [("account", "acme"), ("key", "order-1"), ("function", "credit_debit"), ("result", posting.as_str())]
        {
            assert_eq!(refusal.detail_of(name), Some(value), "{name}= in: {refusal}");
        }
        assert!(refusal.message.contains("order-1"), "{refusal}");
        // The hint says what is compared, or whose key it is.
        let expected = if other.contains("grant") { "used by credit_debit()" } else { "metadata is not" };
        assert!(refusal.hint.as_ref().is_some_and(|hint| hint.contains(expected)), "{refusal}");
    }
    assert_eq!(balance(&mut client), "90");
    assert_eq!(client.number("SELECT count(*) FROM credit.lot"), 1);
    assert_eq!(client.text("SELECT string_agg(member, ' ') FROM credit.member"), "alice");
    database.verify();
}

#[test]
fn a_key_belongs_to_one_account() {
    let (database, mut client) = database_with_credit();
    client.run("SELECT credit_grant('globex', 100)");
    let first = client.text("SELECT credit_debit('acme', 1, key => 'order-1')");
    let second = client.text("SELECT credit_debit('globex', 2, key => 'order-1')");
    assert_ne!(first, second);
    database.verify();
}

#[test]
fn arguments_that_mean_the_same_are_the_same_request() {
    let (database, mut client) = database_with_credit();
    client.run("SET credit.max_backdating_days = 10000");
    let first = client.text(
        "SELECT credit_debit('acme', 10, at => '2020-01-01 12:00:00+00', key => 'order-1', metadata => '{\"a\": 1, \"b\": [2]}')",
    );
    for same in [
        "credit_debit('acme', 10.0, at => '2020-01-01 12:00:00+00', key => 'order-1', metadata => '{\"b\": [2], \"a\": 1}')",
        "credit_debit('acme', 10.000000000, at => '2020-01-01 14:00:00+02', key => 'order-1', metadata => '{ \"a\":1, \
            \"b\":[ 2 ] }')",
        "credit_debit('acme', 1e1, at => '2020-01-01 12:00:00Z', key => 'order-1', metadata => '{\"a\": 1, \"b\": [2]}', \
            member => NULL)",
        "credit_try_debit('acme', 10, at => '2020-01-01 12:00:00+00', key => 'order-1', metadata => '{\"a\": 1, \"b\": [2]}')",
    ] {
        assert_eq!(client.text(&format!("SELECT {same}")), first, "{same}");
    }
    // A note about a request is no part of it; the first note stays.
    for note in ["NULL", "'{}'", "'{\"attempt\": 2}'"] {
        let again =
            format!("SELECT credit_debit('acme', 10, at => '2020-01-01 12:00:00+00', key => 'order-1', metadata => {note})");
        assert_eq!(client.text(&again), first, "{note}");
        let again = format!(
            "SELECT posting FROM credit_debit_many('{{acme}}', '{{10}}', at => '{{2020-01-01 12:00:00+00}}', \
                keys => '{{order-1}}',
             metadata => ARRAY[{note}]::jsonb[])"
        );
        assert_eq!(client.text(&again), first, "{note}");
    }
    assert_eq!(client.text("SELECT metadata FROM credit.entry WHERE kind = 'debit'"), "{\"a\": 1, \"b\": [2]}");
    let lot = client.text("SELECT credit_grant('acme', 5, applies_to => '{chat,embed}', key => 'grant-1')");
    for same in ["5.0, applies_to => '{chat,embed}'", "5, applies_to => '{embed,chat}'", "5, applies_to => '{chat,embed,chat}'"] {
        assert_eq!(client.text(&format!("SELECT credit_grant('acme', {same}, key => 'grant-1')")), lot, "{same}");
    }
    assert_eq!(balance(&mut client), "95");
    database.verify();
}

#[test]
fn a_request_that_failed_leaves_its_key_free() {
    let (database, mut client) = database_with_credit();
    client.refusal("SELECT credit_debit('acme', 101, member => 'new', key => 'order-1')").expect(INSUFFICIENT);
    client.refusal("SELECT credit_grant('acme', 10, category => 'free', key => 'order-1')").expect("22023");
    client.refusal("SELECT credit_grant('unknown', 10, unit => 'no such unit', key => 'order-1')").expect("P0002");
    client.run("BEGIN; SELECT credit_debit('acme', 1, key => 'order-1'); ROLLBACK");
    client.run("BEGIN; SAVEPOINT s; SELECT credit_debit('acme', 1, key => 'order-1'); ROLLBACK TO s; COMMIT");
    assert_eq!(requests(&mut client), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.member"), 0);
    client.run("SELECT credit_debit('acme', 30, key => 'order-1')");
    assert_eq!(balance(&mut client), "70");
    database.verify();
}

#[test]
fn a_try_debit_that_does_not_fit_stores_nothing() {
    let (database, mut client) = database_with_credit();
    let mut observer = database.connect();
    client.run("BEGIN");
    let postings = "SELECT count(*) FROM credit.entry";
    let before = client.number(postings);
    assert_eq!(client.ask("SELECT credit_try_debit('acme', 100.5, member => 'new', key => 'order-1')"), Ok(None));
    assert_eq!(client.text("SELECT credit_balance('acme')"), "100");
    assert_eq!(requests(&mut client), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.member"), 0);
    assert_eq!(client.number(postings), before);
    // Nobody waits for the key or the member while the transaction goes on.
    observer.run("SET lock_timeout = '1s'");
    observer.run("SELECT credit_debit('acme', 50, member => 'new', key => 'order-1')");
    client.run("COMMIT");
    assert_eq!(balance(&mut observer), "50");
    database.verify();
}

#[test]
fn a_repetition_returns_the_first_result_although_nothing_is_left() {
    let (database, mut client) = database_with_credit();
    let posting = client.text("SELECT credit_debit('acme', 100, member => 'alice', key => 'order-1')");
    client.run("SELECT credit_member('acme', 'alice', active => false)");
    let retry = "SELECT credit_debit('acme', 100, member => 'alice', key => 'order-1')";
    assert_eq!(client.text(retry), posting);
    assert_eq!(client.text(&retry.replace("debit", "try_debit")), posting);
    database.verify();
}

/// A second request under the key of one that is not yet committed waits, and then sees what `outcome` left.
fn second_request_after(outcome: &str, function: &str) -> (Database, String, Result<Option<String>, String>) {
    let (database, mut first) = database_with_credit();
    let (mut second, mut observer) = (database.connect(), database.connect());
    let request = format!("SELECT {function}('acme', 10, key => 'order-1')");
    first.run("BEGIN");
    let result = first.text(&request);
    let backend = second.backend();
    let waiting = thread::spawn(move || second.ask(&request).map_err(|refusal| refusal.to_string()));
    wait_until_blocked(&mut observer, backend);
    assert!(!waiting.is_finished());
    first.run(outcome);
    wait_until("the second request ends", || waiting.is_finished());
    (database, result, waiting.join().unwrap())
}

#[test]
fn a_second_request_waits_for_the_first_and_returns_its_result() {
    for function in ["credit_debit", "credit_try_debit", "credit_grant"] {
        let (database, first, second) = second_request_after("COMMIT", function);
        assert_eq!(second, Ok(Some(first)), "{function}");
        let expected = if function == "credit_grant" { "110" } else { "90" };
        assert_eq!(balance(&mut database.connect()), expected);
        database.verify();
    }
}

#[test]
fn a_second_request_takes_over_when_the_first_rolls_back() {
    for function in ["credit_debit", "credit_try_debit", "credit_grant"] {
        let (database, first, second) = second_request_after("ROLLBACK", function);
        let second = second.expect("it is made after all").expect("a result");
        assert_ne!(second, first, "{function}");
        let expected = if function == "credit_grant" { "110" } else { "90" };
        assert_eq!(balance(&mut database.connect()), expected);
        database.verify();
    }
}

#[test]
fn a_transaction_with_an_old_snapshot_cannot_post_a_key_twice() {
    let (database, mut old) = database_with_credit();
    let mut other = database.connect();
    for (number, level) in ["REPEATABLE READ", "SERIALIZABLE"].iter().enumerate() {
        let request = format!("SELECT credit_debit('acme', 10, key => 'order-{number}')");
        old.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT FROM credit.request"));
        let posting = other.text(&request);
        old.refusal(&request).expect("40001");
        old.run("ROLLBACK");
        assert_eq!(old.text(&request), posting);
    }
    assert_eq!(balance(&mut other), "80");
    database.verify();
}

#[test]
fn keys_are_kept_for_the_declared_time() {
    let (database, mut client) = database_with_credit();
    client.run("SET credit.clock = '2030-01-01 00:00:00+00'");
    let old = client.text("SELECT credit_debit('acme', 1, key => 'old')");
    client.run("SET credit.clock = '2030-01-20 00:00:00+00'; SELECT credit_debit('acme', 1, key => 'young')");
    let forgotten = "SELECT done FROM credit_maintain() WHERE task = 'forget keys'";
    client.run("SET credit.clock = '2030-01-31 00:00:00+00'");
    assert_eq!(client.text(forgotten), "0", "exactly thirty days are kept");
    assert_eq!(client.text("SELECT credit_debit('acme', 1, key => 'old')"), old);
    client.run("SET credit.clock = '2030-01-31 00:00:00.000001+00'");
    assert_eq!(client.text(forgotten), "1");
    assert_ne!(client.text("SELECT credit_debit('acme', 1, key => 'old')"), old, "a forgotten key can be used again");
    client.run("SET credit.key_retention_days = 5");
    assert_eq!(client.text(forgotten), "1", "the young one");
    assert_eq!(balance(&mut client), "97");
    database.verify();
}

#[test]
fn two_maintenance_runs_at_once_share_the_work() {
    const KEYS: i64 = 3000;
    const LOTS: i64 = 200;
    let (database, mut client) = database_with_credit();
    client.run("SET credit.clock = '2020-01-01 00:00:00+00'");
    client.run("SELECT credit_grant('old', 1000000)");
    client.run(&format!("SELECT credit_debit('old', 1, key => 'order-' || i) FROM generate_series(1, {KEYS}) i"));
    client.run(&format!(
        "SELECT credit_grant('old', 5, expires_at => '2020-02-01', priority => 60) FROM generate_series(1, {LOTS})"
    ));
    let done = database.clients(2, |_, client| {
        let mut done = [0, 0];
        loop {
            let tasks = client.rows("SELECT task, done FROM credit_maintain(500) WHERE done > 0 AND task <> 'roll up'");
            if tasks.is_empty() {
                return done;
            }
            for task in tasks {
                done[usize::from(task[0] == "forget keys")] += task[1].parse::<i64>().unwrap();
            }
        }
    });
    assert_eq!([done[0][0] + done[1][0], done[0][1] + done[1][1]], [LOTS, KEYS], "lots and keys, each once");
    assert_eq!(requests(&mut client), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'expiry'"), LOTS);
    database.verify();
}

#[test]
fn a_key_that_is_just_being_forgotten_is_waited_for() {
    for (outcome, is_forgotten) in [("COMMIT", true), ("ROLLBACK", false)] {
        let database = Database::new();
        let (mut client, mut maintainer, mut observer) = (database.connect(), database.connect(), database.connect());
        client.run("SET credit.clock = '2020-01-01 00:00:00+00'; SELECT credit_grant('acme', 100)");
        let request = "SELECT credit_debit('acme', 1, key => 'order-1')";
        let posting = client.text(request);
        maintainer.run("BEGIN; SELECT * FROM credit_maintain()");
        let backend = client.backend();
        let waiting = thread::spawn(move || client.text(request));
        wait_until_blocked(&mut observer, backend);
        maintainer.run(outcome);
        assert_eq!(waiting.join().unwrap() != posting, is_forgotten, "{outcome}");
        database.verify();
    }
}
