//! True-ups with real clients: many accounts at once, on a standby, while usage goes on, and what a forged ledger would show.

use std::sync::Barrier;
use std::thread;

use pg_credit_clients::{Client, Cluster, Database, Random, Session, wait_until_blocked};

const QUARTER: &str = "'2026-01-01 00:00+00', '2026-04-01 00:00+00'";

/// Accounts with a commitment of 30, of whom number n used n.
fn committed(session: &mut Client, accounts: usize) {
    session.run(&format!(
        "SET credit.clock = '2026-01-01 00:00+00';
         SELECT count(credit_grant('account ' || n, 1000)), count(credit_true_up_terms('account ' || n, commitment => 30,
             unit_price => 0.1, currency => 'EUR', anchor => '2026-01-01 00:00+00')) FROM generate_series(0, {accounts} - 1) n;
         SELECT count(credit_debit('account ' || n, n)) FROM generate_series(1, {accounts} - 1) n;
         SET credit.clock = '2026-04-01 00:00+00'"
    ));
}

#[test]
fn all_accounts_are_closed_in_one_call() {
    let database = Database::new();
    let mut session = database.connect();
    committed(&mut session, 50);
    let sums = |session: &mut Client, function: &str| {
        session.rows(&format!(
            "SELECT count(*), sum(used), sum(shortfall), sum(overage), sum(amount_due), count(posted_at) \
                FROM {function}(NULL, {QUARTER}, all_accounts => true)"
        ))
    };
    // 0 to 49 were used of 30 each: 0 + ... + 30 are missing, 1 + ... + 19 go beyond.
    assert_eq!(sums(&mut session, "credit_true_up"), [["50", "1225", "465", "190", "65.50", "0"]]);
    assert_eq!(sums(&mut session, "credit_true_up_post"), [["50", "1225", "465", "190", "65.50", "50"]]);
    assert_eq!(sums(&mut session, "credit_true_up_post"), [["50", "1225", "465", "190", "65.50", "50"]]);
    assert_eq!(session.number("SELECT count(*) FROM credit.true_up"), 50);
    let lines = "SELECT bool_and(t.amount_due = (SELECT COALESCE(sum(l.amount), 0) FROM credit.true_up_line l
        WHERE l.account = t.account AND l.true_up = t.true_up))::text FROM credit.true_up t";
    assert_eq!(session.text(lines), "true");
    database.verify();
}

#[test]
fn one_that_cannot_be_closed_keeps_all_open() {
    let database = Database::new();
    let mut session = database.connect();
    committed(&mut session, 5);
    session.run("SELECT credit_true_up_post('account 3', '2025-12-01 00:00+00', '2026-02-01 00:00+00')");
    session.refusal(&format!("SELECT credit_true_up_post(NULL, {QUARTER}, all_accounts => true)")).expect("55000");
    assert_eq!(session.number("SELECT count(*) FROM credit.true_up"), 1);
    database.verify();
}

/// Debits of now, late ones, and closings of month after month at once: every closed month is the ledger of that month.
#[test]
fn usage_and_closings_at_once_agree() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SET credit.clock = '2040-01-01 00:00+00'; SELECT credit_grant('acme', 1000000);
         SELECT credit_true_up_terms('acme', every => '1 month', anchor => '2040-01-01 00:00+00', commitment => 100);
         SET credit.clock = '2040-02-01 00:00+00'; SELECT credit_true_up_post('acme')",
    );
    let month_begins = Barrier::new(8);
    let refused = database.clients(8, |number, client| {
        let mut random = Random::new(number as u64);
        let mut refused = 0;
        for month in 2..=12_u64 {
            // Time passes for all of them alike.
            month_begins.wait();
            client.run(&format!("SET credit.clock = '2040-{month:02}-15 00:00+00'"));
            for _ in 0..6 {
                let sql = match random.below(4) {
                    0 => format!("SELECT credit_debit('acme', 1.5, at => '2040-{:02}-10 00:00+00')", 1 + random.below(month)),
                    1 if number < 2 && month > 1 => "SELECT count(*) FROM credit_true_up_post('acme')".to_owned(),
                    2 => format!(
                        "SELECT count(posting) FROM credit_debit_many('{{acme,acme}}', '{{1,2}}',
                             at => ARRAY['2040-{:02}-10 00:00+00', NULL]::timestamptz[])",
                        1 + random.below(month)
                    ),
                    _ => "SELECT credit_debit('acme', 1)".to_owned(),
                };
                match client.ask(&sql) {
                    Ok(_) => {}
                    // Somebody writes, or is behind: it is repeated later.
                    Err(refusal) => {
                        assert!(["55000", "40001", "40P01"].contains(&refusal.code.as_str()), "{refusal}\nin: {sql}");
                        refused += 1;
                    }
                }
            }
        }
        refused
    });
    assert!(refused.iter().sum::<i32>() < 8 * 11 * 6 / 2, "{refused:?}");
    session.run("SET credit.clock = '2041-01-15 00:00+00'");
    while session.number("SELECT count(*) FROM credit.true_ups_due") > 0 {
        session.run("SELECT credit_true_up_post('acme')");
    }
    assert_eq!(session.number("SELECT count(*) FROM credit.true_up"), 12);
    let everything =
        "SELECT (SELECT sum(used) FROM credit.true_up) = (SELECT -sum(amount) FROM credit.entry WHERE kind = 'debit')";
    assert_eq!(session.text(everything), "t");
    database.verify();
}

#[test]
fn a_cancelled_closing_leaves_the_period_open() {
    let database = Database::new();
    let mut session = database.connect();
    committed(&mut session, 2);
    let mut late = database.connect();
    late.run("SET credit.clock = '2026-04-01 00:00+00'; BEGIN; SELECT credit_debit('account 1', 5, at => '2026-02-01 00:00+00')");
    let mut closing = database.connect();
    closing.run("SET credit.clock = '2026-04-01 00:00+00'");
    let backend = closing.backend();
    let waiting =
        thread::spawn(move || closing.ask(&format!("SELECT credit_true_up_post(NULL, {QUARTER}, all_accounts => true)")));
    wait_until_blocked(&mut session, backend);
    session.run(&format!("SELECT pg_cancel_backend({backend})"));
    waiting.join().unwrap().unwrap_err().expect("57014");
    late.run("COMMIT");
    assert_eq!(session.number("SELECT count(*) FROM credit.true_up"), 0);
    assert_eq!(session.text(&format!("SELECT used FROM credit_true_up_post('account 1', {QUARTER})")), "6");
    database.verify();
}

#[test]
fn a_standby_shows_statements() {
    let primary = Cluster::start(&[]);
    let mut session = primary.server().connect("postgres");
    session.run("CREATE EXTENSION pg_credit");
    committed(&mut session, 3);
    session.run(&format!("SELECT credit_true_up_post('account 2', {QUARTER})"));
    let standby = primary.standby();
    let mut reader = standby.server().connect("postgres");
    reader.run("SET credit.clock = '2026-04-01 00:00+00'");
    let shortfalls =
        format!("SELECT account, shortfall, posted_at IS NOT NULL FROM credit_true_up(NULL, {QUARTER}, all_accounts => true)");
    assert_eq!(reader.rows(&shortfalls), [["account 0", "30", "f"], ["account 1", "29", "f"], ["account 2", "28", "t"]]);
}

/// Whoever may write past the triggers is found out.
#[test]
fn what_is_forged_in_a_closed_period_is_found() {
    let database = Database::new();
    let mut session = database.connect();
    committed(&mut session, 3);
    session.run(&format!("SELECT credit_true_up_post(NULL, {QUARTER}, all_accounts => true)"));
    let forgeries = [
        (
            "UPDATE credit.entry SET occurred_at = '2026-04-02' WHERE kind = 'debit' AND account = 'account 2'",
            "the ledger of a closed period",
        ),
        ("UPDATE credit.true_up SET amount_due = 0 WHERE account = 'account 1'", "what is due of a closed period"),
        ("DELETE FROM credit.true_up_line WHERE kind = 'used' AND account = 'account 1'", "the ledger of a closed period"),
        (
            "INSERT INTO credit.true_up_correction SELECT true_up, 1, now(), now(), account, 1 FROM credit.true_up LIMIT 1",
            "what corrects a closed period",
        ),
    ];
    for (forgery, found) in forgeries {
        let disable = "ALTER TABLE credit.entry DISABLE TRIGGER ALL; ALTER TABLE credit.true_up DISABLE TRIGGER ALL;
            ALTER TABLE credit.true_up_line DISABLE TRIGGER ALL; ALTER TABLE credit.true_up_correction DISABLE TRIGGER ALL";
        session.run(&format!("BEGIN; {disable}; {forgery}"));
        let invariants = session.text("SELECT string_agg(DISTINCT invariant, '; ') FROM credit_verify()");
        assert!(invariants.contains(found), "{forgery}: {invariants}");
        session.run("ROLLBACK");
    }
    database.verify();
}
