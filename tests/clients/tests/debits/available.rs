//! Debits of what is there: together they take all of it and never more, whoever else draws.

use std::sync::Barrier;
use std::thread;

use pg_credit_clients::{Client, Database, Random, Refusal, Session, quote, wait_until_blocked, with_retries};

/// How much was debited of the amount; 0 where nothing was there.
fn debit_available(client: &mut Client, account: &str, amount: &str, more: &str) -> Result<i64, Refusal> {
    let sql = format!("SELECT debited::bigint FROM credit_debit_available('{account}', {amount}{more})");
    client.ask(&sql).map(|debited| debited.expect("one row").parse().expect("a number"))
}

/// Debits until nothing is there; how much that was.
fn drain(client: &mut Client, account: &str, amount: &str, more: &str) -> i64 {
    let mut sum = 0;
    loop {
        match debit_available(client, account, amount, more).expect("no error") {
            0 => return sum,
            debited => sum += debited,
        }
    }
}

#[test]
fn many_clients_take_all_that_is_there() {
    let database = Database::new();
    let mut client = database.connect();
    for (account, lots, amount) in [("one_lot", 1, 5003), ("small_lots", 200, 11), ("some_lots", 5, 401)] {
        client.run(&format!("SELECT credit_grant('{account}', {amount}) FROM generate_series(1, {lots})"));
        let debited = database.clients(16, |_, client| drain(client, account, "7", ""));
        assert_eq!(debited.into_iter().sum::<i64>(), lots * amount, "{account}");
        assert_eq!(client.text(&format!("SELECT credit_balance('{account}')")), "0");
    }
    database.verify();
}

#[test]
fn those_that_come_at_once_share_exactly_what_is_there() {
    const ROUNDS: usize = 20;
    let database = Database::new();
    let mut client = database.connect();
    for round in 0..ROUNDS {
        let lots = 1 + round % 4;
        client.run(&format!("SELECT credit_grant('round_{round}', 448 / {lots}) FROM generate_series(1, {lots})"));
    }
    let round_starts = Barrier::new(16);
    let debited = database.clients(16, |_, client| {
        let in_round = |round: usize| {
            round_starts.wait();
            // Each wants more than its part, some more than there is.
            debit_available(client, &format!("round_{round}"), ["50", "1000"][round % 2], "")
        };
        (0..ROUNDS).map(in_round).collect::<Result<Vec<_>, _>>().expect("no error")
    });
    for round in 0..ROUNDS {
        let lots = 1 + round as i64 % 4;
        assert_eq!(debited.iter().map(|client| client[round]).sum::<i64>(), 448 / lots * lots, "round {round}");
    }
    database.verify();
}

#[test]
fn caps_are_used_up_and_not_exceeded() {
    let database = Database::new();
    let mut client = database.connect();
    client.run(
        "SELECT credit_grant('acme', 5000), credit_grant('acme', 100, member => 'alice'), credit_member('acme', 'bob');
         SELECT credit_cap('acme', 1500, every => 'year'),
             credit_cap('acme', 701, every => 'year', member => 'alice', covers => 'pool'),
             credit_cap('acme', 603, every => 'year', member => 'bob'), credit_cap('acme', 1, every => 'year', action => 'warn')",
    );
    let debited = database.clients(12, |number, client| {
        client.run("SET client_min_messages = error");
        let more = ["", ", member => 'alice'", ", member => 'bob'"][number % 3];
        drain(client, "acme", "17", more)
    });
    let of = |which: usize| debited.iter().skip(which).step_by(3).sum::<i64>();
    assert_eq!(of(0) + of(1) + of(2), 1500, "the cap of the account");
    assert!(of(1) <= 801 && of(2) <= 603, "alice {} and bob {}", of(1), of(2));
    // Without those in the way each gets all that their own caps leave.
    client.run(
        "SELECT credit_grant('beta', 5000), credit_grant('beta', 100, member => 'alice'), credit_member('beta', 'bob');
         SELECT credit_cap('beta', 701, every => 'year', member => 'alice', covers => 'pool'),
             credit_cap('beta', 603, every => 'year', member => 'bob')",
    );
    let debited = database.clients(8, |number, client| {
        drain(client, "beta", "90", if number % 2 == 0 { ", member => 'alice'" } else { ", member => 'bob'" })
    });
    assert_eq!(debited.iter().step_by(2).sum::<i64>(), 801, "alice's own lot, and the cap on the pool");
    assert_eq!(debited.iter().skip(1).step_by(2).sum::<i64>(), 603);
    database.verify();
}

/// How much is debited by one that waits for another, which then ends as `outcome` says; `meanwhile` is done during the wait.
fn debited_after_waiting(database: &Database, account: &str, amount: &str, outcome: &str, meanwhile: &str) -> i64 {
    let (mut holder, mut admin, mut waiter) = (database.connect(), database.connect(), database.connect());
    admin.run(&format!("SELECT credit_grant('{account}', 10)"));
    holder.run(&format!("BEGIN; SELECT credit_debit('{account}', 4)"));
    let backend = waiter.backend();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || debit_available(&mut waiter, account, amount, ", member => 'new'"));
        wait_until_blocked(&mut admin, backend);
        admin.run(meanwhile);
        holder.run(outcome);
        waiting.join().expect("the client that waits").expect("no error")
    })
}

#[test]
fn it_waits_for_those_who_hold_what_it_would_take() {
    let database = Database::new();
    for amount in ["10", "1000"] {
        let account = |name: &str| format!("{name}_{amount}");
        let grant = |name: &str| format!("SELECT credit_grant('{}', 5)", account(name));
        let nothing = "SELECT";
        assert_eq!(debited_after_waiting(&database, &account("committed"), amount, "COMMIT", nothing), 6);
        assert_eq!(debited_after_waiting(&database, &account("undone"), amount, "ROLLBACK", nothing), 10);
        // Credits that come during the wait are found.
        let more = debited_after_waiting(&database, &account("more"), amount, "COMMIT", &grant("more"));
        assert_eq!(more, if amount == "10" { 10 } else { 11 });
    }
    database.verify();
}

#[test]
fn a_key_stands_for_what_was_there() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 30)");
    let row = "SELECT posting, debited, shortfall FROM credit_debit_available('acme', 100, member => 'new', key => 'k')";
    let rows = database.clients(8, |_, client| client.rows(row));
    assert!(rows.iter().all(|other| other == &rows[0] && other[0][1..] == ["30", "70"]), "{rows:?}");
    client.run("SELECT credit_grant('acme', 30)");
    assert_eq!(client.rows(row), rows[0]);
    assert_eq!(client.text("SELECT credit_balance('acme')"), "30");
    // Nothing there stores no key, also where many ask at once.
    client.run("SELECT credit_account('empty')");
    let nothing =
        "SELECT posting IS NULL, debited, shortfall FROM credit_debit_available('empty', 1, member => 'new', key => 'k')";
    database.clients(8, |_, client| assert_eq!(client.rows(nothing), [["t", "0", "1"]]));
    assert_eq!(client.number("SELECT count(*) FROM credit.request WHERE account = 'empty'"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.member WHERE account = 'empty'"), 0);
    database.verify();
}

#[test]
fn repeatable_read_and_serializable_are_exact_with_retries() {
    let database = Database::new();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let account = level.replace(' ', "_");
        database.connect().run(&format!("SELECT credit_grant('{account}', 300), credit_grant('{account}', 103)"));
        let begin = format!("BEGIN ISOLATION LEVEL {level}");
        let debited = database.clients(8, |_, client| {
            let mut sum = 0;
            loop {
                let taken = with_retries(client, &begin, 1000, |client| debit_available(client, &account, "7", ""));
                match taken.unwrap_or_else(|refusal| panic!("after all retries: {refusal}")) {
                    0 => return sum,
                    debited => sum += debited,
                }
            }
        });
        assert_eq!(debited.into_iter().sum::<i64>(), 403, "{level}");
    }
    database.verify();
}

/// A seat that a debit in part takes is one that the account's schedules give to.
#[test]
fn a_newcomer_who_gets_a_part_has_a_seat() {
    let database = Database::new();
    let mut client = database.connect();
    client.run(
        "SET credit.clock = '2026-01-01 00:00:00+00';
         SELECT credit_account('acme', self_seating => true), credit_grant('acme', 10);
         SELECT credit_schedule('acme', 5, '1 month', per_member => true)",
    );
    for (amount, member) in [(4, "whole"), (40, "part")] {
        client.run(&format!("SELECT credit_debit_available('acme', {amount}, member => '{member}')"));
    }
    client.run("SET credit.clock = '2026-02-01 00:00:00+00'; SELECT credit_refresh(account => 'acme')");
    let seats = client.rows("SELECT DISTINCT member FROM credit.lot WHERE member IS NOT NULL ORDER BY member");
    assert_eq!(seats, [["part"], ["whole"]]);
    database.verify();
}

/// Items of three accounts and two members.
fn random_items(random: &mut Random, twin: &str) -> Vec<(String, u64, &'static str, &'static str)> {
    let item = |random: &mut Random| {
        let account = format!("{twin}-{}", random.below(3));
        (account, 1 + random.below(30), *random.pick(&["NULL", "'alice'", "'bob'"]), *random.pick(&["NULL", "'chat'"]))
    };
    (0..1 + random.below(12)).map(|_| item(random)).collect()
}

fn batch_of(items: &[(String, u64, &str, &str)]) -> String {
    let array = |elements: Vec<String>| format!("ARRAY[{}]", elements.join(", "));
    format!(
        "SELECT posting IS NOT NULL, debited, COALESCE(shortfall, 0) FROM credit_debit_many({}, {}::numeric[], \
             members => {}::text[], operations => {}::text[], mode => 'available') ORDER BY item",
        array(items.iter().map(|item| quote(&item.0)).collect()),
        array(items.iter().map(|item| item.1.to_string()).collect()),
        array(items.iter().map(|item| item.2.to_owned()).collect()),
        array(items.iter().map(|item| item.3.to_owned()).collect()),
    )
}

#[test]
fn a_batch_is_what_debiting_one_by_one_is() {
    let database = Database::new();
    let mut client = database.connect();
    for seed in 0..12 {
        let (batch, single) = (format!("batch-{seed}"), format!("single-{seed}"));
        let mut random = Random::new(seed);
        for account in 0..3 {
            for _ in 0..1 + random.below(6) {
                let amount = 1 + random.below(25);
                let member = *random.pick(&["NULL", "NULL", "'alice'", "'bob'"]);
                let scope = *random.pick(&["NULL", "NULL", "'{chat}'"]);
                for twin in [&batch, &single] {
                    let lot = format!("'{twin}-{account}', {amount}, member => {member}, applies_to => {scope}");
                    client.run(&format!("SELECT credit_grant({lot})"));
                }
            }
            for twin in [&batch, &single] {
                client.run(&format!("SELECT credit_account('{twin}-{account}'), credit_member('{twin}-{account}', 'bob')"));
            }
            let (limit, covers) = (20 + random.below(40), *random.pick(&["everything", "pool"]));
            for twin in [&batch, &single] {
                client.run(&format!("SELECT credit_cap('{twin}-{account}', {limit}, every => 'year', covers => '{covers}')"));
                client.run(&format!("SELECT credit_cap('{twin}-{account}', {limit} / 2, every => 'year', member => 'bob')"));
            }
        }
        for round in 0..4 {
            let items = random_items(&mut random, &batch);
            let one_by_one: Vec<Vec<String>> = items
                .iter()
                .map(|(account, amount, member, operation)| {
                    let account = account.replace(&batch, &single);
                    client.rows(&format!(
                        "SELECT posting IS NOT NULL, debited, shortfall FROM credit_debit_available('{account}', {amount}, \
                             member => {member}, operation => {operation})"
                    ))[0]
                        .clone()
                })
                .collect();
            assert_eq!(client.rows(&batch_of(&items)), one_by_one, "seed {seed}, round {round}: {items:?}");
        }
        let ledger = |client: &mut Client, twin: &str| {
            client.rows(&format!(
                "SELECT right(account, 1), dense_rank() OVER (PARTITION BY account ORDER BY posting), line, amount, \
                     COALESCE(member, '-'), COALESCE(operation, '-')
                 FROM credit.entry WHERE account LIKE '{twin}-%' AND kind = 'debit' ORDER BY account, posting, line"
            ))
        };
        assert_eq!(ledger(&mut client, &batch), ledger(&mut client, &single), "ledgers of seed {seed}");
    }
    database.verify();
}

#[test]
fn batches_in_any_order_take_all_and_never_deadlock() {
    const MEMBERS: u64 = 4;
    let database = Database::new();
    let mut client = database.connect();
    client.run(&format!(
        "SELECT count(credit_grant('a' || a, 50, member => 'm' || m)) \
             FROM generate_series(0, 2) a, generate_series(1, {MEMBERS}) m, generate_series(1, 3);
         SELECT count(credit_grant('a' || a, 200)) FROM generate_series(0, 2) a;
         SELECT credit_cap('a0', 10000, every => 'year')"
    ));
    let debited = database.clients(12, |number, client| {
        client.run("SET deadlock_timeout = '5ms'");
        let mut random = Random::new(number as u64);
        let (mut sum, mut misses) = (0, 0);
        while misses < 15 {
            let items: Vec<_> = (0..6).map(|_| (random.below(3), 1 + random.below(MEMBERS))).collect();
            let list = |what: &dyn Fn(&(u64, u64)) -> String| items.iter().map(what).collect::<Vec<_>>().join(", ");
            let taken = client
                .ask(&format!(
                    "SELECT sum(debited)::bigint FROM credit_debit_many(ARRAY[{}], array_fill(5::numeric, ARRAY[6]), \
                         members => ARRAY[{}], mode => 'available')",
                    list(&|(account, _)| format!("'a{account}'")),
                    list(&|(_, member)| format!("'m{member}'")),
                ))
                .expect("no error")
                .expect("a sum");
            let taken: i64 = taken.parse().expect("a number");
            misses = if taken == 0 { misses + 1 } else { 0 };
            sum += taken;
        }
        sum
    });
    let left = client.number("SELECT COALESCE(sum(available), 0)::bigint FROM credit.balances");
    assert_eq!(debited.into_iter().sum::<i64>() + left, 3 * (MEMBERS as i64 * 150 + 200));
    assert_eq!(left, 0, "all members asked often enough");
    database.verify();
}
