//! Debits that cross from one lot to the next.

use pg_credit_clients::{Database, Session};

use super::{balance, debit, debit_until_refused, drain, grant, grant_lots, move_lots, void_lots, widen_to};

/// How many crowded lots, what each holds, and debits that do not divide it.
const CROSSED: [(usize, &str, &str, u64); 4] =
    [(200, "10", "7", 285), (200, "10.3", "3.7", 556), (40, "100", "33", 121), (12, "1000", "7", 1714)];

#[test]
fn lots_that_debits_cross_are_drained_to_the_last_that_fits() {
    let database = Database::new();
    for (number, (lots, holds, amount, debits)) in CROSSED.into_iter().enumerate() {
        let account = format!("acme_{number}");
        grant_lots(&mut database.connect(), &account, lots, holds);
        assert_eq!(drain(&database, 16, &account, amount), debits, "debits of {amount} from {lots} lots of {holds}");
        let mut client = database.connect();
        let last = "SELECT max(lot) FROM credit.lot l WHERE l.account = s.account";
        let elsewhere =
            format!("SELECT count(*) FROM credit.slot s WHERE account = '{account}' AND remaining > 0 AND lot <> ({last})");
        assert_eq!(client.number(&elsewhere), 0, "what is left is in the last lot");
        let lines = format!("SELECT count(DISTINCT posting) FROM credit.entry WHERE account = '{account}' AND kind = 'debit'");
        assert_eq!(client.number(&lines), debits as i64);
    }
    database.verify();
}

#[test]
fn crossing_debits_are_exact_while_lots_are_moved_voided_and_expire() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 40) FROM generate_series(1, 120)");
    client.run("SELECT credit_grant('acme', 10.3, priority => 90) FROM generate_series(1, 60)");
    client.run(
        "SELECT credit_grant('acme', 11, priority => 40, expires_at => clock_timestamp() + i * interval '8 ms')
         FROM generate_series(10, 90) i",
    );
    let granted = client.text("SELECT sum(amount) FROM credit.entry WHERE kind = 'grant'");
    database.clients(16, |number, client| match number {
        0 => move_lots(client, "acme"),
        1 => void_lots(client, 90),
        2 => {
            while client.text("SELECT credit_balance('acme') >= 7") == "t" {
                client.run("SELECT * FROM credit_expire('acme')");
            }
        }
        _ => drop(debit_until_refused(client, "acme", "7")),
    });
    client.run("SELECT * FROM credit_maintain()");
    let parts =
        "SELECT (-sum(amount) FILTER (WHERE kind IN ('debit', 'void', 'expiry')) + (SELECT sum(remaining) FROM credit.slot))
                 FROM credit.entry";
    assert_eq!(client.text(parts), granted, "debited + voided + expired + left");
    assert_eq!(client.text("SELECT credit_balance('acme') < 7"), "t");
    let crossed = "SELECT count(*) FROM credit.entry WHERE kind = 'debit' AND line = 2";
    assert!(client.number(crossed) > 0, "no debit crossed from one lot to the next");
    database.verify();
}

#[test]
fn a_crossing_debit_in_a_long_transaction_holds_one_slot_of_the_next_lot() {
    let database = Database::new();
    let mut long = database.connect();
    grant(&mut long, "acme", "100000");
    // More slots than clients: whoever finds all slots held waits for one, and that may be the long transaction's.
    widen_to(&database, "acme", 8);
    long.run("SELECT credit_grant('acme', 10, member => 'alice')");
    long.run("BEGIN; SELECT credit_debit('acme', 15, member => 'alice')");
    let lines = long.rows("SELECT line, amount FROM credit.entry WHERE member = 'alice' AND kind = 'debit' ORDER BY line");
    assert_eq!(lines, [["1", "-10"], ["2", "-5"]]);
    let refusals = database.clients(4, |number, client| {
        client.run("SET lock_timeout = '2s'");
        (0..20).find_map(|_| client.ask(&format!("SELECT credit_debit('acme', 1, member => 'bob_{number}')")).err())
    });
    assert_eq!(refusals.into_iter().flatten().next(), None, "a debit had to wait for the long transaction");
    long.run("COMMIT");
    database.verify();
}

/// A boundary that a debit meets exactly leaves an empty lot. Who closes it may stay in its transaction for long.
#[test]
fn a_lot_that_ran_empty_makes_nobody_wait_for_who_closes_it() {
    let database = Database::new();
    let (mut long, mut client) = (database.connect(), database.connect());
    grant(&mut client, "acme", "10");
    debit(&mut client, "acme", "10").unwrap();
    grant(&mut client, "acme", "100000");
    widen_to(&database, "acme", 8);
    client.run("SELECT credit_grant('acme', 10, priority => 1)");
    debit(&mut client, "acme", "10").unwrap();
    long.run("BEGIN");
    debit(&mut long, "acme", "1").unwrap();
    let before = client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'");
    let refusals = database.clients(4, |_, client| {
        client.run("SET lock_timeout = '2s'");
        (0..10).find_map(|_| debit(client, "acme", "1").err())
    });
    assert_eq!(refusals.into_iter().flatten().next(), None, "a debit had to wait for the long transaction");
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), before + 40);
    long.run("ROLLBACK");
    debit(&mut client, "acme", "1").unwrap();
    database.verify();
}

/// The attempt to pass by the empty lot is rolled back. What the session read of the account, in a transaction that had written
/// already, is not taken for rolled back with it.
#[test]
fn a_debit_goes_on_behind_an_empty_lot_in_a_transaction_that_has_written() {
    let database = Database::new();
    let mut client = database.connect();
    grant_lots(&mut client, "acme", 3, "10");
    client.run("SELECT credit_debit('acme', 10)");
    client.run("CREATE TABLE request (id bigint)");
    let mut session = database.connect();
    session.run("BEGIN; INSERT INTO request VALUES (1)");
    session.run("SELECT credit_debit('acme', 15); COMMIT");
    assert_eq!(balance(&mut session, "acme"), "5");
    database.verify();
}
