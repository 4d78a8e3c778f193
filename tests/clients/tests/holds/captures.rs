//! Several clients and one hold, keys, savepoints, and clients that are cancelled or killed.

use pg_credit_clients::{Database, Session, wait_until_blocked};

fn with_credits(amount: i64) -> Database {
    let database = Database::new();
    database.connect().run(&format!("SELECT credit_grant('acme', {amount})"));
    database
}

#[test]
fn of_two_captures_of_a_hold_one_counts() {
    let database = with_credits(1000);
    let mut session = database.connect();
    for _ in 0..20 {
        let hold = session.number("SELECT credit_hold('acme', 10)");
        let outcomes = database.clients(4, |_, client| client.ask(&format!("SELECT credit_capture('acme', {hold}, 4)")));
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for refusal in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refusal.expect("55000").detail_of("state"), Some("captured"));
        }
    }
    assert_eq!(session.text("SELECT credit_balance('acme')"), "920");
    database.verify();
}

#[test]
fn a_capture_and_a_release_never_both_count() {
    let database = with_credits(1000);
    let mut session = database.connect();
    let mut captured = 0;
    for round in 0..30 {
        let hold = session.number("SELECT credit_hold('acme', 10)");
        let outcomes = database.clients(2, |number, client| match (number + round) % 2 {
            0 => client.ask(&format!("SELECT credit_capture('acme', {hold})")).ok().flatten().map(|_| "captured".to_owned()),
            _ => Some(client.text(&format!("SELECT credit_release('acme', {hold})"))),
        });
        let was_captured = outcomes.iter().flatten().any(|outcome| outcome == "captured");
        let released: i64 = outcomes.iter().flatten().filter_map(|outcome| outcome.parse::<i64>().ok()).sum();
        assert_eq!(released, if was_captured { 0 } else { 10 });
        captured += i64::from(was_captured) * 10;
    }
    assert_eq!(session.number("SELECT credit_balance('acme')"), 1000 - captured);
    database.verify();
}

#[test]
fn holds_and_debits_share_the_last_credits_exactly() {
    let database = with_credits(500);
    let taken = database.clients(12, |number, client| {
        let mut taken = 0;
        for _ in 0..30 {
            let sql = match number % 3 {
                0 => "SELECT credit_hold('acme', 3)",
                1 => "SELECT credit_debit('acme', 3)",
                _ => "SELECT credit_capture('acme', credit_hold('acme', 3), 1)",
            };
            match client.ask(sql) {
                Ok(_) => taken += if number % 3 == 2 { 1 } else { 3 },
                Err(refusal) => drop(refusal.expect("23514")),
            }
        }
        taken
    });
    let mut session = database.connect();
    assert_eq!(session.number("SELECT credit_balance('acme')"), 500 - taken.iter().sum::<i64>());
    assert!(session.number("SELECT credit_balance('acme')") < 3);
    database.verify();
}

#[test]
fn a_key_is_used_once_whoever_is_first() {
    let database = with_credits(100);
    let holds = database.clients(8, |_, client| client.number("SELECT credit_hold('acme', 10, key => 'k')"));
    assert!(holds.iter().all(|hold| *hold == holds[0]), "{holds:?}");
    let hold = holds[0];
    let postings =
        database.clients(8, |_, client| client.number(&format!("SELECT credit_capture('acme', {hold}, 4, key => 'c')")));
    assert!(postings.iter().all(|posting| *posting == postings[0]), "{postings:?}");
    let mut session = database.connect();
    assert_eq!(session.text("SELECT credit_balance('acme')"), "96");
    let other = session.refusal(&format!("SELECT credit_capture('acme', {hold}, 5, key => 'c')")).expect("23505");
    assert_eq!(other.detail_of("differs"), Some("amount"));
    let hold = session.number("SELECT credit_hold('acme', 6)");
    let released = database.clients(4, |_, client| client.text(&format!("SELECT credit_release('acme', {hold}, key => 'r')")));
    assert_eq!(released, ["6", "6", "6", "6"]);
    let zero = session.number("SELECT credit_hold('acme', 6)");
    for _ in 0..2 {
        assert_eq!(session.ask(&format!("SELECT credit_capture('acme', {zero}, 0, key => 'zero')")).unwrap(), None);
    }
    assert_eq!(session.text("SELECT credit_balance('acme')"), "96");
    database.verify();
}

#[test]
fn a_savepoint_takes_holds_and_captures_back() {
    let database = with_credits(100);
    let mut session = database.connect();
    let hold = session.number("SELECT credit_hold('acme', 10)");
    session.run(&format!(
        "BEGIN; SAVEPOINT one; SELECT credit_hold('acme', 50), credit_capture('acme', {hold}); ROLLBACK TO one; \
            SELECT credit_capture('acme', {hold}, 3, final => false); COMMIT"
    ));
    assert_eq!(session.rows("SELECT available, held, total FROM credit.balances"), [["90", "7", "97"]]);
    session.run(&format!("BEGIN; SELECT credit_release('acme', {hold}); ROLLBACK"));
    assert_eq!(session.text(&format!("SELECT state FROM credit.holds WHERE hold = {hold}")), "open");
    database.verify();
}

#[test]
fn a_cancelled_capture_leaves_the_hold_as_it_was() {
    let database = with_credits(100);
    let [mut first, mut second, mut watcher] = [database.connect(), database.connect(), database.connect()];
    let hold = first.number("SELECT credit_hold('acme', 10)");
    first.run(&format!("BEGIN; SELECT credit_capture('acme', {hold}, 4, final => false)"));
    let process = second.backend();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || second.ask(&format!("SELECT credit_capture('acme', {hold})")));
        wait_until_blocked(&mut watcher, process);
        watcher.run(&format!("SELECT pg_cancel_backend({process})"));
        assert_eq!(waiting.join().expect("a session").expect_err("cancelled").code, "57014");
    });
    first.run("COMMIT");
    assert_eq!(first.rows("SELECT available, held FROM credit.balances"), [["90", "6"]]);
    database.verify();
}

#[test]
fn more_than_was_held_is_drawn_or_refused_as_a_whole() {
    let database = with_credits(20);
    let mut session = database.connect();
    let hold = session.number("SELECT credit_hold('acme', 15)");
    let refused = session.refusal(&format!("SELECT credit_capture('acme', {hold}, 21)")).expect("23514");
    assert_eq!((refused.detail_of("requested"), refused.detail_of("available")), (Some("6"), Some("5")));
    assert_eq!(session.text("SELECT state FROM credit.holds"), "open");
    let refused = session.refusal(&format!("SELECT credit_capture('acme', {hold}, 16, beyond => 'refuse')")).expect("23514");
    assert_eq!(refused.detail_of("held"), Some("15"));
    let posting = session.number(&format!("SELECT credit_capture('acme', {hold}, 22.5, beyond => 'available')"));
    let lines = format!("SELECT sum(amount), count(DISTINCT hold) FROM credit.ledger WHERE posting = {posting}");
    assert_eq!(session.rows(&lines), [["-20", "1"]]);
    assert_eq!(session.rows("SELECT captured, shortfall, state FROM credit.holds"), [["15", "2.5", "captured"]]);
    assert_eq!(session.text("SELECT metadata ->> 'shortfall' FROM credit.ledger WHERE metadata IS NOT NULL"), "2.5");
    database.verify();
}

#[test]
fn an_inactive_member_captures_and_releases_and_holds_nothing_new() {
    let database = with_credits(100);
    let mut session = database.connect();
    let [one, other] = [1, 2].map(|_| session.number("SELECT credit_hold('acme', 10, member => 'alice')"));
    session.run("SELECT credit_member('acme', 'alice', active => false)");
    session.run(&format!("SELECT credit_capture('acme', {one}, 4)"));
    assert_eq!(session.text(&format!("SELECT credit_release('acme', {other})")), "10");
    session.refusal("SELECT credit_hold('acme', 1, member => 'alice')").expect("55000");
    assert_eq!(session.text("SELECT member FROM credit.ledger WHERE kind = 'debit'"), "alice");
    database.verify();
}

#[test]
fn what_was_held_is_there_after_a_crash() {
    // Settings of the server under test leave out the flush: what an acknowledged hold survives is tested by `debits crash`.
    let database = with_credits(100);
    let mut session = database.connect();
    let hold = session.number("SELECT credit_hold('acme', 10)");
    let mut killed = database.connect();
    let process = killed.backend();
    killed.run(&format!("BEGIN; SELECT credit_capture('acme', {hold}), credit_hold('acme', 20)"));
    session.run(&format!("SELECT pg_terminate_backend({process}, 10000)"));
    assert!(killed.ask("SELECT 1").is_err());
    assert_eq!(session.rows("SELECT available, held FROM credit.balances"), [["90", "10"]]);
    assert_eq!(session.text(&format!("SELECT credit_release('acme', {hold})")), "10");
    database.verify();
}

#[test]
fn a_price_is_pinned_when_it_is_held() {
    let database = with_credits(100);
    let mut session = database.connect();
    session.run(
        "SELECT credit_rate_card('list', unit => 'credit', is_default => true); \
         SELECT credit_rate('list', 'chat', credits => 0.5); \
            SELECT credit_publish('list')",
    );
    let hold =
        session.number("SELECT credit_hold_charge('acme', 'chat', 20, run => 'r', dimensions => '{\"model\": \"large\"}')");
    assert_eq!(session.text("SELECT held FROM credit.balances"), "10");
    session.run("SELECT credit_rate('list', 'chat', credits => 0.25); SELECT credit_publish('list')");
    let posting = session.number(&format!("SELECT credit_capture_charge('acme', {hold}, 30)"));
    let line = format!(
        "SELECT sum(amount), sum(quantity), min(run), min(dimensions ->> 'model'), count(DISTINCT rate) FROM credit.ledger \
            WHERE posting = {posting}"
    );
    assert_eq!(session.rows(&line), [["-15", "30", "r", "large", "1"]]);
    let amount = session.number("SELECT credit_hold('acme', 1)");
    session.refusal(&format!("SELECT credit_capture_charge('acme', {amount}, 1)")).expect("55000");
    database.verify();
}

#[test]
fn at_repeatable_read_a_capture_of_a_hold_that_changed_is_to_be_repeated() {
    let database = with_credits(100);
    let [mut first, mut second] = [database.connect(), database.connect()];
    let hold = first.number("SELECT credit_hold('acme', 10)");
    second.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM credit.lots");
    first.run(&format!("SELECT credit_capture('acme', {hold}, 1, final => false)"));
    second.refusal(&format!("SELECT credit_capture('acme', {hold})")).expect("40001");
    second.run("ROLLBACK");
    second.run(&format!("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT credit_capture('acme', {hold}, 4); COMMIT"));
    assert_eq!(first.text("SELECT credit_balance('acme')"), "95");
    database.verify();
}
