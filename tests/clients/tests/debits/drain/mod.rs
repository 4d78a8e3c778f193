//! Many clients draw from the same credits: all of it can be had, and never more.

mod changes;
mod crossing;
mod exact;
mod transactions;
mod waiting;

use pg_credit_clients::{Client, Database, Random, Refusal, Session};

const INSUFFICIENT: &str = "23514";

fn debit(client: &mut Client, account: &str, amount: &str) -> Result<String, Refusal> {
    client.ask(&format!("SELECT credit_debit('{account}', {amount})")).map(|posting| posting.expect("a posting"))
}

/// Debits until it is refused; how often it succeeded. Any error but a true refusal fails the test.
fn debit_until_refused(client: &mut Client, account: &str, amount: &str) -> u64 {
    let mut successes = 0;
    loop {
        match debit(client, account, amount) {
            Ok(_) => successes += 1,
            Err(refusal) => {
                let refusal = refusal.expect(INSUFFICIENT);
                let available: f64 = refusal.detail_of("available").expect("available= in DETAIL").parse().expect("a number");
                assert!(available < amount.parse().unwrap(), "refused although it fits: {refusal}");
                return successes;
            }
        }
    }
}

/// So many clients debit until they are refused; how often all of them succeeded.
fn drain(database: &Database, clients: usize, account: &str, amount: &str) -> u64 {
    database.clients(clients, |_, client| debit_until_refused(client, account, amount)).into_iter().sum()
}

fn grant(client: &mut Client, account: &str, amount: &str) -> i64 {
    client.number(&format!("SELECT credit_grant('{account}', {amount})"))
}

fn grant_lots(client: &mut Client, account: &str, lots: usize, amount: &str) {
    client.run(&format!("SELECT credit_grant('{account}', {amount}) FROM generate_series(1, {lots})"));
}

fn balance(client: &mut Client, account: &str) -> String {
    client.text(&format!("SELECT credit_balance('{account}')"))
}

/// The total of the account's entries of a kind, as a positive number.
fn total(client: &mut Client, account: &str, kind: &str) -> String {
    client
        .text(&format!("SELECT abs(COALESCE(sum(amount), 0)) FROM credit.entry WHERE account = '{account}' AND kind = '{kind}'"))
}

/// Lets a crowd contend for the account until its lot has more than one slot.
fn widen(database: &Database, account: &str) {
    widen_to(database, account, 2);
}

/// Debits until the account's widest lot has so many slots.
fn widen_to(database: &Database, account: &str, least: i64) {
    let slots = format!("SELECT max(slots) FROM credit.lots WHERE account = '{account}'");
    for _ in 0..50 {
        database.clients(16, |_, client| {
            for _ in 0..10 {
                debit(client, account, "1").expect("there is enough");
            }
        });
        if database.connect().number(&slots) >= least {
            return;
        }
    }
    panic!("the lot of {account} was never split into {least}");
}

/// What keeps others from the session's credits: slot locks, and rows that cannot be locked at once.
fn assert_holds_nothing(observer: &mut Client, backend: i32, account: &str) {
    let locks =
        format!("SELECT string_agg(l::text, ' ') FROM pg_locks l WHERE pid = {backend} AND locktype IN ('advisory', 'tuple')");
    assert_eq!(observer.ask(&locks).unwrap(), None, "locks that are left");
    for table in ["lot", "slot"] {
        observer.run(&format!("SELECT FROM credit.{table} WHERE account = '{account}' FOR UPDATE NOWAIT"));
    }
}

/// Moves the account's lots to other expiries until nothing is left of it.
fn move_lots(client: &mut Client, account: &str) {
    let mut random = Random::new(7);
    loop {
        let open = client.rows(&format!("SELECT lot FROM credit.lots WHERE account = '{account}' AND remaining >= 7"));
        if open.is_empty() {
            return;
        }
        let lot = &random.pick(&open)[0];
        let days = 1 + random.below(300);
        let moved = client.ask(&format!("SELECT credit_set_expiry('{account}', {lot}, now() + interval '{days} days')"));
        if let Err(refusal) = moved {
            refusal.expect("55000");
        }
    }
}

/// Voids the lots of a priority, which debits come to last, one after the other; how much that was.
fn void_lots(client: &mut Client, priority: i32) {
    for row in client.rows(&format!("SELECT lot FROM credit.lot WHERE priority = {priority} ORDER BY lot")) {
        client.run(&format!("SELECT credit_void('acme', {})", row[0]));
    }
}
