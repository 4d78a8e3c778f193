//! Holds and spending caps.

use pg_credit_clients::{Client, Database, Session};

fn caps(session: &mut Client) -> Vec<Vec<String>> {
    session.rows("SELECT used, held, headroom FROM credit.caps ORDER BY cap")
}

fn with_cap(limit: i64) -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    session.run(&format!("SELECT credit_grant('acme', 100000); SELECT credit_cap('acme', {limit})"));
    (database, session)
}

#[test]
fn a_hold_uses_headroom_and_a_capture_of_it_is_never_refused() {
    let (database, mut session) = with_cap(50);
    let hold = session.number("SELECT credit_hold('acme', 40)");
    session.refusal("SELECT credit_hold('acme', 11)").expect("54000");
    session.run("SELECT credit_cap('acme', 10)");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 35, final => false)"));
    assert_eq!(caps(&mut session), [["35", "5", "0"]]);
    session.refusal(&format!("SELECT credit_capture('acme', {hold}, 6)")).expect("54000");
    assert_eq!(session.text(&format!("SELECT credit_release('acme', {hold})")), "5");
    assert_eq!(caps(&mut session), [["35", "0", "0"]]);
    database.verify();
}

#[test]
fn a_capture_counts_in_the_period_in_which_it_is_made() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SET credit.clock = '2026-06-30 23:00Z'");
    session.run(
        "SELECT credit_grant('acme', 1000); SELECT credit_cap('acme', 50), credit_cap('acme', 60, rolling => interval '1 day')",
    );
    let hold = session.number("SELECT credit_hold('acme', 40, expires_after => '5 hours')");
    session.run("SET credit.clock = '2026-07-01 01:00Z'");
    assert_eq!(caps(&mut session), [["0", "40", "10"], ["0", "40", "20"]]);
    session.run(&format!("SELECT credit_capture('acme', {hold}, 30)"));
    assert_eq!(caps(&mut session), [["30", "0", "20"], ["30", "0", "30"]]);
    database.verify();
}

#[test]
fn a_new_cap_counts_open_holds() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100), credit_grant('acme', 20, member => 'alice')");
    let hold = session.number("SELECT credit_hold('acme', 50, member => 'alice')");
    session.run("SELECT credit_cap('acme', 60), credit_cap('acme', 60, covers => 'pool', every => 'day')");
    assert_eq!(caps(&mut session), [["0", "50", "10"], ["0", "30", "30"]]);
    session.run(&format!("SELECT credit_capture('acme', {hold}, 25)"));
    assert_eq!(caps(&mut session), [["25", "0", "35"], ["5", "0", "55"]]);
    database.verify();
}

#[test]
fn a_hold_that_has_ended_keeps_nobody_from_spending() {
    let (database, mut session) = with_cap(50);
    session.run("SELECT credit_hold('acme', 45, expires_after => '1 microsecond')");
    assert_eq!(caps(&mut session), [["0", "0", "50"]]);
    assert_eq!(session.text("SELECT credit_spendable('acme')"), "50");
    assert_eq!(session.text("SELECT allowed FROM credit_check('acme', 50)"), "t");
    session.run("SELECT credit_debit('acme', 50)");
    assert_eq!(caps(&mut session), [["50", "0", "0"]]);
    database.verify();
}

#[test]
fn a_cap_is_reached_exactly_by_holds_debits_and_captures() {
    let (database, mut session) = with_cap(600);
    let spent = database.clients(9, |number, client| {
        let mut spent = 0;
        for _ in 0..40 {
            let outcome = match number % 3 {
                0 => client.ask("SELECT credit_debit('acme', 3)").map(|_| 3),
                1 => client.ask("SELECT credit_hold('acme', 3)").map(|_| 3),
                _ => client.ask("SELECT credit_capture('acme', credit_hold('acme', 3), 2)").map(|_| 2),
            };
            match outcome {
                Ok(amount) => spent += amount,
                Err(refusal) => drop(refusal.expect("54000")),
            }
        }
        spent
    });
    let taken = session.number("SELECT used + held FROM credit.caps");
    assert_eq!(taken, spent.iter().sum::<i64>());
    assert!((598..=600).contains(&taken), "{taken}");
    database.verify();
}

#[test]
fn caps_that_change_while_holds_are_settled_count_what_there_is() {
    let (database, mut session) = with_cap(50_000);
    database.clients(6, |number, client| {
        for round in 0..25 {
            match number {
                0 => client.run(&format!("SELECT credit_cap('acme', {})", 40_000 + round)),
                1 => {
                    let cap = client.number("SELECT credit_cap('acme', 30000, every => 'day')");
                    client.run(&format!("SELECT credit_end_cap('acme', {cap})"));
                }
                _ => {
                    let hold = client.number("SELECT credit_hold('acme', 5)");
                    let settled = if round % 2 == 0 { "credit_capture" } else { "credit_release" };
                    client.run(&format!("SELECT {settled}('acme', {hold})"));
                }
            }
        }
    });
    assert_eq!(session.text("SELECT held FROM credit.caps"), "0");
    database.verify();
}
