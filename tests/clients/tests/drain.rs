//! Many clients draw from the same credits: all of it can be had, and never more.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use pg_credit_clients::{Client, Database, Random, Refusal, Session, wait_until, wait_until_blocked, with_retries};

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

#[test]
fn sixteen_clients_drain_a_pool_to_its_last_credit() {
    let database = Database::new();
    grant(&mut database.connect(), "acme", "20000");
    assert_eq!(drain(&database, 16, "acme", "7"), 2857);
    assert_eq!(balance(&mut database.connect(), "acme"), "1");
    assert_eq!(total(&mut database.connect(), "acme", "debit"), "19999");
    database.verify();
}

#[test]
fn as_many_clients_as_there_is_credit_for_all_succeed() {
    let database = Database::new();
    grant(&mut database.connect(), "acme", "448");
    let outcomes = database.clients(64, |_, client| debit(client, "acme", "7"));
    assert_eq!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).next(), None);
    assert_eq!(balance(&mut database.connect(), "acme"), "0");
    database.verify();
}

#[test]
fn sixteen_clients_share_exactly_what_is_there_round_after_round() {
    const ROUNDS: usize = 24;
    const FIVES: [i32; 23] = [2, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5];
    const TENS: [i32; 12] = [10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 2];
    let database = Database::new();
    let mut client = database.connect();
    // 16 x 7 = 112 in one lot, in lots smaller than a debit, and in lots that a debit crosses.
    for (round, lots) in (0..ROUNDS).zip([&[112][..], &[56, 56], &FIVES, &TENS, &[1, 111], &[33, 45, 34]].iter().cycle()) {
        let account = format!("round_{round}");
        for amount in *lots {
            grant(&mut client, &account, &amount.to_string());
        }
    }
    let round_starts = Barrier::new(16);
    let refusals = database.clients(16, |_, client| {
        let debit_in = |round: usize| {
            round_starts.wait();
            debit(client, &format!("round_{round}"), "7").err()
        };
        (0..ROUNDS).map(debit_in).collect::<Vec<_>>()
    });
    assert_eq!(refusals.into_iter().flatten().flatten().next(), None, "a refusal or another error");
    assert_eq!(database.connect().text("SELECT sum(remaining) FROM credit.slot"), "0");
    database.verify();
}

#[test]
fn two_hundred_small_lots_are_drained_in_order() {
    let database = Database::new();
    database.connect().run("SELECT credit_grant('acme', 10) FROM generate_series(1, 200)");
    assert_eq!(drain(&database, 16, "acme", "7"), 285);
    let left = database.connect().rows("SELECT lot, remaining FROM credit.lots WHERE remaining > 0");
    let last = database.connect().text("SELECT max(lot) FROM credit.lot");
    assert_eq!(left, [[last, "5".to_owned()]]);
    database.verify();
}

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

#[test]
fn the_number_of_slots_is_limited_and_changes_no_result() {
    let database = Database::new();
    for limit in [1, 4, 32] {
        let account = format!("acme_{limit}");
        grant(&mut database.connect(), &account, "5000.5");
        let successes = database.clients(16, |_, client| {
            client.run(&format!("SET credit.max_slots = {limit}"));
            debit_until_refused(client, &account, "3.7")
        });
        assert_eq!(successes.into_iter().sum::<u64>(), 1351);
        assert_eq!(balance(&mut database.connect(), &account), "1.8");
        let slots = database.connect().number(&format!("SELECT slots FROM credit.lots WHERE account = '{account}'"));
        assert!(slots <= limit, "{slots} slots, at most {limit}");
    }
    database.verify();
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

/// Voids the lots of a priority, which debits come to last, one after the other; how much that was.
fn void_lots(client: &mut Client, priority: i32) {
    for row in client.rows(&format!("SELECT lot FROM credit.lot WHERE priority = {priority} ORDER BY lot")) {
        client.run(&format!("SELECT credit_void('acme', {})", row[0]));
    }
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

/// Two debits of one transaction, in an order that others may have the other way round.
fn debit_two_pools(client: &mut Client, random: &mut Random, pools: u64) -> Result<(), Refusal> {
    let (first, second) = (random.below(pools), random.below(pools));
    with_retries(client, "BEGIN", 200, |client| {
        debit(client, &format!("pool_{first}"), "1.5")?;
        debit(client, &format!("pool_{second}"), "1.5").map(drop)
    })
}

#[test]
fn two_debits_in_a_transaction_lose_nothing_when_they_are_retried() {
    const TRANSACTIONS: usize = 40;
    const POOLS: u64 = 12;
    let database = Database::new();
    for max_slots in [1, 32] {
        database.connect().run(&format!("SELECT credit_grant('pool_' || i, 1000) FROM generate_series(0, {}) i", POOLS - 1));
        let outcomes = database.clients(16, |number, client| {
            client.run(&format!("SET credit.max_slots = {max_slots}; SET deadlock_timeout = '20ms'"));
            let mut random = Random::new(number as u64);
            (0..TRANSACTIONS).try_for_each(|_| debit_two_pools(client, &mut random, POOLS))
        });
        assert_eq!(outcomes.into_iter().find_map(Result::err), None);
    }
    let debits = database.connect().rows("SELECT count(*), sum(amount) FROM credit.entry WHERE kind = 'debit'");
    assert_eq!(debits, [["2560", "-3840.0"]]);
    database.verify();
}

#[test]
fn a_debit_in_a_long_transaction_holds_one_slot_and_not_the_pool() {
    let database = Database::new();
    grant(&mut database.connect(), "acme", "100000");
    widen(&database, "acme");
    let mut long = database.connect();
    long.run("BEGIN");
    debit(&mut long, "acme", "1").unwrap();
    let refusals = database.clients(16, |_, client| {
        client.run("SET lock_timeout = '2s'");
        (0..20).find_map(|_| debit(client, "acme", "1").err())
    });
    assert_eq!(refusals.into_iter().flatten().next(), None, "a debit had to wait for the long transaction");
    long.run("COMMIT");
    database.verify();
}

#[test]
fn a_debit_that_needs_what_another_has_taken_waits_for_the_outcome() {
    let database = Database::new();
    for (outcome, lots) in [("COMMIT", 1), ("ROLLBACK", 1), ("COMMIT", 3), ("ROLLBACK", 3)] {
        let account = format!("{outcome}_{lots}");
        grant_lots(&mut database.connect(), &account, lots, "100");
        let (mut holder, mut watcher, mut waiter) = (database.connect(), database.connect(), database.connect());
        holder.run("BEGIN");
        debit(&mut holder, &account, "1").unwrap();
        // More than all there is, the other's debit undone: refused at once.
        let too_much = format!("{}.1", lots * 100);
        debit(&mut watcher, &account, &too_much).unwrap_err().expect(INSUFFICIENT);
        let backend = waiter.backend();
        let (of_waiter, all) = (account.clone(), format!("{}", lots * 100));
        let waiting = thread::spawn(move || debit(&mut waiter, &of_waiter, &all));
        wait_until_blocked(&mut watcher, backend);
        holder.run(outcome);
        match (outcome, waiting.join().unwrap()) {
            ("COMMIT", Err(refusal)) => {
                let available = format!("{}", lots * 100 - 1);
                assert_eq!(refusal.expect(INSUFFICIENT).detail_of("available"), Some(available.as_str()));
            }
            ("ROLLBACK", Ok(_)) => {}
            (_, result) => panic!("after {outcome}: {result:?}"),
        }
    }
    database.verify();
}

#[test]
fn repeatable_read_and_serializable_are_exact_with_retries() {
    let database = Database::new();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let account = level.replace(' ', "_");
        // The second lot is collected across.
        grant(&mut database.connect(), &account, "500");
        grant(&mut database.connect(), &account, "205");
        let begin = format!("BEGIN ISOLATION LEVEL {level}");
        let successes = database.clients(8, |_, client| {
            let mut successes = 0;
            loop {
                match with_retries(client, &begin, 1000, |client| debit(client, &account, "7")) {
                    Ok(_) => successes += 1,
                    Err(refusal) => {
                        refusal.expect(INSUFFICIENT);
                        return successes;
                    }
                }
            }
        });
        assert_eq!(successes.into_iter().sum::<u64>(), 100, "{level}");
        assert_eq!(balance(&mut database.connect(), &account), "5");
    }
    database.verify();
}

#[test]
fn a_rollback_to_a_savepoint_gives_the_credit_back_at_once() {
    let database = Database::new();
    let (mut first, mut second) = (database.connect(), database.connect());
    second.run("SET lock_timeout = '2s'");
    for (account, lots) in [("one_lot", &["10"][..]), ("two_lots", &["4", "6"])] {
        for amount in lots {
            grant(&mut second, account, amount);
        }
        first.run("BEGIN; SAVEPOINT before_debit");
        debit(&mut first, account, "10").unwrap();
        first.run("ROLLBACK TO before_debit");
        debit(&mut second, account, "10").expect("what was rolled back can be taken");
        debit(&mut first, account, "10").unwrap_err().expect(INSUFFICIENT);
        first.run("ROLLBACK");
        assert_eq!(balance(&mut second, account), "0");
    }
    database.verify();
}

/// Interrupts `waiter` while it waits for a debit of `holder`; then everything is as it was before.
fn interrupt_a_wait(database: &Database, account: &str, setting: &str, code: &str) {
    let (mut holder, mut watcher, mut waiter) = (database.connect(), database.connect(), database.connect());
    holder.run("BEGIN");
    debit(&mut holder, account, "1").unwrap();
    let backend = waiter.backend();
    waiter.run(setting);
    let all = balance(&mut watcher, account);
    let waits = format!("SELECT credit_debit('{account}', {all}, member => 'late', key => 'interrupted')");
    let waiting = thread::spawn(move || {
        let refusal = waiter.refusal(&waits);
        (waiter, refusal)
    });
    if setting.is_empty() {
        wait_until_blocked(&mut watcher, backend);
        watcher.run(&format!("SELECT pg_cancel_backend({backend})"));
    }
    let (mut waiter, refusal) = waiting.join().unwrap();
    refusal.expect(code);
    // The server reports an error before it has cleaned up after it.
    let held = format!("SELECT count(*) FROM pg_locks WHERE pid = {backend}");
    wait_until("the interrupted session holds no locks", || watcher.number(&held) == 0);
    holder.run("ROLLBACK");
    assert_eq!(balance(&mut watcher, account), all, "an interrupted debit changed something");
    waiter.run("RESET ALL");
    debit(&mut waiter, account, "1").expect("the next call works");
}

#[test]
fn a_wait_can_be_cancelled_and_times_out_cleanly() {
    let database = Database::new();
    grant(&mut database.connect(), "one_lot", "100");
    grant_lots(&mut database.connect(), "three_lots", 3, "100");
    for account in ["one_lot", "three_lots"] {
        interrupt_a_wait(&database, account, "SET lock_timeout = '50ms'", "55P03");
        interrupt_a_wait(&database, account, "SET statement_timeout = '50ms'", "57014");
        interrupt_a_wait(&database, account, "", "57014");
    }
    let mut client = database.connect();
    assert_eq!(client.number("SELECT count(*) FROM credit.request"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.member"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), 6);
    database.verify();
}

/// Debits in a block that catches errors, as applications written in PL/pgSQL do; the SQLSTATE it caught.
const DEBIT_AND_CATCH: &str = "CREATE FUNCTION debit_and_catch(account text, amount numeric) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM credit_debit(account, amount, member => 'caught', key => 'caught');
        RETURN 'posted';
    EXCEPTION WHEN OTHERS OR query_canceled THEN
        RETURN SQLSTATE;
    END $$";

#[test]
fn an_error_can_be_caught_and_the_transaction_goes_on() {
    let database = Database::new();
    let (mut holder, mut owner) = (database.connect(), database.connect());
    let spender = database.create_role("spender");
    owner.run(&format!("{DEBIT_AND_CATCH}; SELECT credit_allow('{spender}', 'spend')"));
    let mut client = database.connect_as(&spender);
    let backend = client.backend();
    let identity = "SELECT current_user || ' ' || current_setting('search_path')";
    let before = client.text(identity);
    for (account, lots) in [("one_lot", 1), ("three_lots", 3)] {
        grant_lots(&mut owner, account, lots, "100");
        let catch = |amount: usize| format!("SELECT debit_and_catch('{account}', {amount})");
        client.run("BEGIN; SET LOCAL lock_timeout = '50ms'");
        debit(&mut client, account, "2").unwrap();
        assert_eq!(client.text(&catch(1000)), INSUFFICIENT);
        client.run("COMMIT; BEGIN; SET LOCAL lock_timeout = '50ms'");
        // All that is there, while another holds a part of it.
        holder.run("BEGIN");
        debit(&mut holder, account, "1").unwrap();
        assert_eq!(client.text(&catch(lots * 100 - 2)), "55P03");
        assert_eq!(client.text(identity), before, "a caught error must not leave the caller with the owner's rights");
        let locks = format!("SELECT count(*) FROM pg_locks WHERE pid = {backend} AND locktype IN ('advisory', 'tuple')");
        assert_eq!(owner.number(&locks), 0, "a caught error keeps no slot");
        holder.run("ROLLBACK");
        assert_eq!(client.text(&catch(lots * 100 - 2)), "posted");
        client.run("ROLLBACK");
        assert_eq!(client.text(identity), before);
        assert_eq!(balance(&mut owner, account), (lots * 100 - 2).to_string());
    }
    assert_eq!(owner.number("SELECT count(*) FROM credit.request"), 0);
    database.verify();
}

#[test]
fn a_statement_of_many_debits_applies_wholly_or_not_at_all() {
    let database = Database::new();
    let mut client = database.connect();
    grant(&mut client, "acme", "50");
    grant(&mut client, "acme", "50.5");
    client.refusal("SELECT credit_debit('acme', 1, member => 'm' || i) FROM generate_series(1, 101) i").expect(INSUFFICIENT);
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.member"), 0);
    client.run("SELECT credit_debit('acme', 1, member => 'm' || i) FROM generate_series(1, 100) i");
    assert_eq!(balance(&mut client, "acme"), "0.5");
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

#[test]
fn a_failed_try_debit_holds_no_lock() {
    let database = Database::new();
    let (mut first, mut observer) = (database.connect(), database.connect());
    let backend = first.backend();
    for (account, lots) in [("one_lot", 1), ("two_lots", 2)] {
        grant_lots(&mut observer, account, lots, "10");
        for arguments in ["", ", member => 'new'", ", key => 'unused'", ", member => 'new', key => 'unused'"] {
            first.run("BEGIN");
            let too_much = format!("SELECT credit_try_debit('{account}', 20.5{arguments})");
            assert_eq!(first.ask(&too_much).unwrap(), None);
            assert_holds_nothing(&mut observer, backend, account);
            first.run("COMMIT");
        }
    }
    assert_eq!(observer.text("SELECT (SELECT count(*) FROM credit.member) + (SELECT count(*) FROM credit.request)"), "0");
    database.verify();
}

#[test]
fn a_try_debit_that_fails_after_waiting_holds_no_lock() {
    let database = Database::new();
    for lots in [1, 2, 3] {
        let account = format!("lots_{lots}");
        let (mut holder, mut observer, mut waiter) = (database.connect(), database.connect(), database.connect());
        grant_lots(&mut observer, &account, lots, "10");
        holder.run("BEGIN");
        debit(&mut holder, &account, "5").unwrap();
        let backend = waiter.backend();
        let everything = format!("SELECT credit_try_debit('{account}', {})", lots * 10);
        let waiting = thread::spawn(move || {
            waiter.run("BEGIN");
            (waiter.ask(&everything), waiter)
        });
        wait_until_blocked(&mut observer, backend);
        holder.run("COMMIT");
        let (outcome, waiter) = waiting.join().unwrap();
        assert_eq!(outcome, Ok(None));
        assert_holds_nothing(&mut observer, backend, &account);
        drop(waiter);
    }
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
        "SELECT count(*) FROM credit.lots JOIN credit.lot USING (account, lot) WHERE account = '{account}' AND closed AND remaining > 0"
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

#[test]
fn an_account_may_hold_more_than_one_amount_can_say() {
    let database = Database::new();
    let mut client = database.connect();
    grant_lots(&mut client, "acme", 3, "900000000000000");
    assert_eq!(balance(&mut client, "acme"), "2700000000000000");
    debit(&mut client, "acme", "0.000001").unwrap();
    debit(&mut client, "acme", "999999999999999").expect("more than one lot");
    assert_eq!(balance(&mut client, "acme"), "1700000000000000.999999");
    let explained = client.text("SELECT sum(debited) FROM credit_explain_debit('acme', 950000000000000)");
    assert_eq!(explained.parse::<f64>().unwrap(), 950_000_000_000_000.0);
    debit(&mut client, "acme", "999999999999999").unwrap();
    let refusal = debit(&mut client, "acme", "999999999999999").unwrap_err().expect(INSUFFICIENT);
    assert_eq!(refusal.detail_of("available"), Some("700000000000001.999999"));
    database.verify();
}

#[test]
fn slots_of_a_whole_unit_hold_whole_units() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("INSERT INTO credit.unit (unit, decimals) VALUES ('token', 0)");
    client.run("SELECT credit_account('acme', unit => 'token')");
    // A number that no power of two divides.
    grant(&mut client, "acme", "9999");
    widen(&database, "acme");
    let broken = "SELECT count(*) FROM credit.slot WHERE remaining <> trunc(remaining)";
    assert_eq!(client.number(broken), 0, "slots with a part of a token");
    let left = client.number("SELECT credit_balance('acme')");
    assert_eq!(drain(&database, 16, "acme", "3"), left as u64 / 3);
    assert_eq!(client.number(broken), 0, "slots with a part of a token");
    let crumbs = left as u64 % 3;
    assert_eq!(drain(&database, 16, "acme", "1"), crumbs);
    assert_eq!(balance(&mut client, "acme"), "0");
    database.verify();
}

#[test]
fn credit_that_comes_while_others_wait_is_found() {
    let database = Database::new();
    let (mut holder, mut watcher, mut waiter) = (database.connect(), database.connect(), database.connect());
    grant(&mut holder, "acme", "10");
    holder.run("BEGIN");
    debit(&mut holder, "acme", "10").unwrap();
    let backend = waiter.backend();
    let waiting = thread::spawn(move || debit(&mut waiter, "acme", "10"));
    wait_until_blocked(&mut watcher, backend);
    grant(&mut watcher, "acme", "10");
    holder.run("COMMIT");
    wait_until("the debit ends", || waiting.is_finished());
    waiting.join().unwrap().expect("decided again after the wait");
    assert_eq!(balance(&mut watcher, "acme"), "0");
    database.verify();
}
