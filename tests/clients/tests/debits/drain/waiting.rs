//! Who waits for whom, and how a wait ends.

use std::thread;

use pg_credit_clients::{Database, Session, wait_until, wait_until_blocked};

use super::{INSUFFICIENT, assert_holds_nothing, balance, debit, grant, grant_lots, widen};

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
