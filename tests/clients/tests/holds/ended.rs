//! Holds whose time is over: their credits are free at that instant, whether or not anybody has given them back.

use pg_credit_clients::{Client, Database, Session};

fn at(session: &mut Client, instant: &str) {
    session.run(&format!("SET credit.clock = '2026-06-01 {instant}Z'"));
}

fn database() -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    at(&mut session, "12:00");
    session.run("SELECT credit_grant('acme', 100)");
    (database, session)
}

#[test]
fn credits_are_free_at_the_instant_of_the_end_and_not_before() {
    let (database, mut session) = database();
    session.run("SELECT credit_hold('acme', 80, expires_after => '10 minutes')");
    at(&mut session, "12:09:59.999999");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "20");
    session.refusal("SELECT credit_debit('acme', 21)").expect("23514");
    at(&mut session, "12:10");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "100");
    assert_eq!(session.rows("SELECT available, held, total FROM credit.balances"), [["100", "0", "100"]]);
    assert_eq!(session.rows("SELECT state, open FROM credit.holds"), [["expired", "0"]]);
    assert_eq!(session.text("SELECT allowed FROM credit_check('acme', 100)"), "t");
    session.run("SELECT credit_debit('acme', 100)");
    assert_eq!(session.text("SELECT settled_at::text FROM credit.holds"), "2026-06-01 12:10:00+00");
    database.verify();
}

#[test]
fn a_debit_that_does_not_lack_them_leaves_them_alone() {
    let (database, mut session) = database();
    session.run("SELECT credit_hold('acme', 30, expires_after => '10 minutes')");
    at(&mut session, "13:00");
    session.run("SELECT credit_debit('acme', 70)");
    assert_eq!(session.text("SELECT state FROM credit.hold"), "open");
    assert_eq!(session.text("SELECT done FROM credit_maintain() WHERE task = 'give back holds'"), "1");
    assert_eq!(session.text("SELECT state FROM credit.hold"), "expired");
    database.verify();
}

#[test]
fn batches_and_charges_find_them_too() {
    let (database, mut session) = database();
    session.run("SELECT credit_hold('acme', 90, expires_after => '10 minutes')");
    at(&mut session, "13:00");
    assert_eq!(session.text("SELECT count(posting) FROM credit_debit_many('{acme,acme}', '{50,50}')"), "2");
    database.verify();
}

#[test]
fn the_first_capture_counts_and_the_second_does_not() {
    let (database, mut session) = database();
    let hold = session.number("SELECT credit_hold('acme', 30, expires_after => '10 minutes')");
    at(&mut session, "12:30");
    session.refusal(&format!("SELECT credit_capture('acme', {hold}, 1, final => false)")).expect("55000");
    session.refusal(&format!("SELECT credit_extend_hold('acme', {hold}, '1 hour')")).expect("55000");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 40)"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "60");
    let refused = session.refusal(&format!("SELECT credit_capture('acme', {hold}, 1)")).expect("55000");
    assert_eq!(refused.detail_of("state"), Some("captured"));
    database.verify();
}

#[test]
fn a_release_of_one_that_has_ended_gives_back_nothing() {
    let (database, mut session) = database();
    let hold = session.number("SELECT credit_hold('acme', 30, expires_after => '10 minutes')");
    at(&mut session, "12:30");
    assert_eq!(session.text(&format!("SELECT credit_release('acme', {hold})")), "0");
    assert_eq!(session.text("SELECT state FROM credit.hold"), "expired");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "100");
    database.verify();
}

#[test]
fn an_extended_hold_ends_later() {
    let (database, mut session) = database();
    let hold = session.number("SELECT credit_hold('acme', 30, expires_after => '10 minutes')");
    at(&mut session, "12:05");
    session.run(&format!("SELECT credit_extend_hold('acme', {hold}, '1 hour')"));
    at(&mut session, "13:04");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "70");
    at(&mut session, "13:05");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "100");
    database.verify();
}

#[test]
fn a_balance_as_of_an_instant_knows_what_was_held_then() {
    let (database, mut session) = database();
    let hold = session.number("SELECT credit_hold('acme', 30, expires_after => '1 hour')");
    at(&mut session, "12:10");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 10, final => false)"));
    at(&mut session, "12:20");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 5)"));
    at(&mut session, "15:00");
    for (instant, balance) in [("11:59", "0"), ("12:05", "70"), ("12:15", "70"), ("12:20", "85"), ("14:00", "85")] {
        let asked = format!("SELECT credit_balance('acme', at => '2026-06-01 {instant}Z')");
        assert_eq!(session.text(&asked), balance, "at {instant}");
    }
    database.verify();
}

#[test]
fn a_clock_that_was_set_back_opens_nothing_again() {
    let (database, mut session) = database();
    let hold = session.number("SELECT credit_hold('acme', 100, expires_after => '10 minutes')");
    at(&mut session, "12:30");
    session.run("SELECT credit_debit('acme', 50)");
    at(&mut session, "12:05");
    assert_eq!(session.text(&format!("SELECT state FROM credit.holds WHERE hold = {hold}")), "expired");
    session.refusal(&format!("SELECT credit_capture('acme', {hold}, 1, beyond => 'refuse')")).expect("23514");
    session.refusal(&format!("SELECT credit_capture('acme', {hold}, 1, final => false)")).expect("55000");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "50");
    database.verify();
}

/// Whether maintenance was there meanwhile makes no difference: the work was done.
#[test]
fn the_first_capture_counts_also_when_the_hold_was_given_back() {
    let (database, mut session) = database();
    let hold = session.number("SELECT credit_hold('acme', 40, run => 'r', expires_after => '10 minutes')");
    at(&mut session, "12:30");
    session.run("SELECT credit_maintain()");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 30)"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "70");
    assert_eq!(
        session.rows(&format!(
            "SELECT h.state, h.captured, e.run FROM credit.holds h JOIN credit.entry e USING (hold) WHERE hold = {hold}"
        )),
        [["captured", "0", "r"]]
    );
    session.refusal(&format!("SELECT credit_capture('acme', {hold}, 1)")).expect("55000");
    database.verify();
}

#[test]
fn many_clients_lack_what_one_hold_has() {
    let (database, mut session) = database();
    session.run("RESET credit.clock; SELECT credit_grant('busy', 300)");
    session.run("SELECT credit_hold('busy', 1, expires_after => '1 microsecond') FROM generate_series(1, 300)");
    let debited =
        database.clients(10, |_, client| (0..30).filter(|_| client.ask("SELECT credit_debit('busy', 1)").is_ok()).count());
    assert_eq!(debited.iter().sum::<usize>(), 300, "{debited:?}");
    database.verify();
}
