//! Many clients draw from the same credits: all of it can be had, and never more.

use std::sync::Barrier;

use pg_credit_clients::{Database, Session};

use super::{INSUFFICIENT, balance, debit, debit_until_refused, drain, grant, grant_lots, total, widen};

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
