//! Drains are exact while lots are moved, voided and expire, and while tables are rewritten.

use std::thread;
use std::time::Duration;

use pg_credit_clients::{Database, Session};

use super::{balance, debit, debit_until_refused, grant, grant_lots, move_lots, total, void_lots};

#[test]
fn a_drain_is_exact_while_lots_are_moved_and_maintained() {
    let database = Database::new();
    database.connect().run("SELECT credit_grant('acme', 500 + i) FROM generate_series(1, 10) i");
    let successes = database.clients(16, |number, client| match number {
        0 => {
            move_lots(client, "acme");
            0
        }
        1 => {
            while client.text("SELECT credit_balance('acme') >= 7") == "t" {
                client.run("SELECT * FROM credit_maintain()");
            }
            0
        }
        _ => debit_until_refused(client, "acme", "7"),
    });
    assert_eq!(successes.into_iter().sum::<u64>(), 5055 / 7);
    assert_eq!(balance(&mut database.connect(), "acme"), "1");
    assert!(database.connect().number("SELECT count(*) FROM credit.entry WHERE kind = 'move_in'") > 0, "nothing was moved");
    database.verify();
}

#[test]
fn nothing_is_lost_while_lots_are_moved_voided_and_expire() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 300) FROM generate_series(1, 8)");
    client.run("SELECT credit_grant('acme', 11, priority => 90) FROM generate_series(1, 60)");
    client.run(
        "SELECT credit_grant('acme', 40, priority => 95, expires_at => clock_timestamp() + i * interval '8 ms')
         FROM generate_series(20, 100) i",
    );
    let granted = client.text("SELECT sum(amount) FROM credit.entry WHERE kind = 'grant'");
    database.clients(16, |number, client| match number {
        0 => move_lots(client, "acme"),
        1 => void_lots(client, 90),
        2 => {
            while client.text("SELECT credit_balance('acme') >= 7") == "t" {
                client.run("SELECT * FROM credit_expire('acme')");
                client.run("SELECT * FROM credit_maintain()");
            }
        }
        _ => drop(debit_until_refused(client, "acme", "7")),
    });
    client.run("SELECT * FROM credit_maintain()");
    let parts =
        "SELECT (-sum(amount) FILTER (WHERE kind IN ('debit', 'void', 'expiry')) + (SELECT sum(remaining) FROM credit.slot))
                 FROM credit.entry";
    assert_eq!(client.text(parts), granted, "debited + voided + expired + left");
    assert_ne!(total(&mut client, "acme", "void"), "0");
    assert_eq!(client.text("SELECT credit_balance('acme') < 7"), "t");
    database.verify();
}

#[test]
fn a_drain_is_exact_while_the_tables_are_rewritten() {
    let database = Database::new();
    grant(&mut database.connect(), "acme", "20000");
    let changes = [
        "CREATE INDEX entry_by_member ON credit.entry (account, member)",
        "VACUUM FULL credit.slot",
        "REINDEX TABLE credit.slot",
        "CREATE TRIGGER nothing BEFORE UPDATE ON credit.slot FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "VACUUM FULL credit.entry",
        "DROP TRIGGER nothing ON credit.slot",
        "VACUUM FULL credit.lot",
        "DROP INDEX credit.entry_by_member",
    ];
    let successes = database.clients(9, |number, client| {
        client.run("SET deadlock_timeout = '20ms'");
        if number > 0 {
            return debit_until_refused(client, "acme", "7");
        }
        for change in changes {
            thread::sleep(Duration::from_millis(30));
            if let Err(refusal) = client.ask(change) {
                refusal.expect("40P01");
            }
        }
        0
    });
    assert_eq!(successes.into_iter().sum::<u64>(), 2857);
    assert_eq!(balance(&mut database.connect(), "acme"), "1");
    database.verify();
}

/// Runs `statement` in a transaction whose snapshot is older than credit that came to an open empty lot.
fn run_with_an_old_snapshot(database: &Database, account: &str, level: &str, statement: &str) {
    let (mut old, mut other) = (database.connect(), database.connect());
    let empty = grant(&mut other, account, "10");
    debit(&mut other, account, "10").unwrap();
    grant_lots(&mut other, account, 2, "10");
    let open = format!("SELECT NOT closed FROM credit.lot WHERE account = '{account}' AND lot = {empty}");
    assert_eq!(other.text(&open), "t", "the lot ran empty and is still open");
    old.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT FROM credit.lot"));
    other.run(&format!("INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('{account}', 'adjustment', 5, {empty})"));
    let outcome = old.ask(statement).and_then(|_| old.ask("COMMIT"));
    let debited = match outcome {
        Ok(_) => "SELECT -12 WHERE $$X$$ LIKE '%credit_debit%' UNION ALL SELECT 0 LIMIT 1".replace('X', statement),
        Err(refusal) => {
            refusal.expect("40001");
            old.run("ROLLBACK");
            "SELECT 0".to_owned()
        }
    };
    let left = 25 + other.number(&debited);
    assert_eq!(balance(&mut other, account), left.to_string(), "{level}: {statement}");
    let closed = format!(
        "SELECT count(*) FROM credit.lots JOIN credit.lot USING (account, lot) WHERE account = '{account}' AND closed \
            AND remaining > 0"
    );
    assert_eq!(other.number(&closed), 0, "a closed lot with credit, {level}: {statement}");
}

#[test]
fn an_old_snapshot_never_closes_a_lot_that_got_credit() {
    let database = Database::new();
    for (number, level) in ["REPEATABLE READ", "SERIALIZABLE"].iter().enumerate() {
        run_with_an_old_snapshot(&database, &format!("maintained_{number}"), level, "SELECT * FROM credit_maintain()");
        let account = format!("debited_{number}");
        run_with_an_old_snapshot(&database, &account, level, &format!("SELECT credit_debit('{account}', 12)"));
    }
    database.verify();
}
