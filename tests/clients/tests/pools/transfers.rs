//! Transfers between members and the pool: beside debits, under a key, rolled back, while the policy and the members change.

use std::thread;

use pg_credit_clients::{Client, Database, Random, Session, wait_until_blocked};

const MEMBERS: [&str; 4] = ["ada", "ben", "cy", "dee"];

/// An account with four members, 1,000 credits in the pool in four lots, and 100 of each member, all with a price.
fn database() -> Database {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme')");
    for member in MEMBERS {
        session.run(&format!("SELECT credit_member('acme', '{member}', department => 'eng')"));
        session.run(&format!("SELECT credit_grant('acme', 100, member => '{member}', paid => 7, currency => 'EUR')"));
    }
    for lot in 0..4 {
        session.run(&format!("SELECT credit_grant('acme', 250, paid => 10, currency => 'EUR', priority => {lot})"));
    }
    database
}

fn owner(random: &mut Random) -> String {
    match random.below(5) as usize {
        4 => "NULL".to_owned(),
        member => format!("'{}'", MEMBERS[member]),
    }
}

fn remaining(session: &mut Client) -> String {
    session.text("SELECT trim_scale(sum(remaining)) FROM credit.lots")
}

#[test]
fn transfers_and_debits_at_once_lose_nothing() {
    let database = database();
    let outcomes = database.clients(12, |number, client| {
        let mut random = Random::new(number as u64 + 7);
        let mut counts = [0; 3];
        for _ in 0..60 {
            let sql = if number % 3 == 0 {
                format!("SELECT credit_debit('acme', {}, member => {})", 1 + random.below(4), owner(&mut random))
            } else {
                format!(
                    "SELECT credit_transfer('acme', {}.{}, {}, {})",
                    random.below(30),
                    1 + random.below(9),
                    owner(&mut random),
                    owner(&mut random)
                )
            };
            match client.ask(&sql) {
                Ok(_) => counts[0] += 1,
                Err(refusal) if refusal.code == "23514" => counts[1] += 1,
                Err(refusal) => {
                    // To oneself.
                    refusal.expect("22023");
                    counts[2] += 1;
                }
            }
        }
        counts
    });
    let done: i32 = outcomes.iter().map(|counts| counts[0]).sum();
    assert!(done > 300, "{outcomes:?}");
    let mut session = database.connect();
    let debited = session.text("SELECT trim_scale(1400 + sum(amount)) FROM credit.ledger WHERE kind = 'debit'");
    assert_eq!(remaining(&mut session), debited);
    // What is left is worth what it cost, of whichever owner, and no lot exceeds the price of the one that it came from.
    let bases = "SELECT count(DISTINCT cost_basis) <= 2 AND bool_and(cost_basis IN (0.07, 0.04)) FROM credit.lots";
    assert_eq!(session.text(bases), "t");
    database.verify();
}

#[test]
fn a_key_counts_once_and_a_savepoint_undoes() {
    let database = database();
    let transfer = "SELECT credit_transfer('acme', 10, 'ada', 'ben', key => 'ticket 7')";
    let postings = database.clients(8, |_, client| client.text(transfer));
    assert!(postings.iter().all(|posting| *posting == postings[0]), "{postings:?}");
    let mut session = database.connect();
    session.refusal("SELECT credit_transfer('acme', 10, 'ada', 'cy', key => 'ticket 7')").expect("23505");
    session.run("BEGIN; SAVEPOINT before; SELECT credit_transfer('acme', 50, 'ada', 'ben', key => 'k'); ROLLBACK TO before");
    session.run("SELECT credit_transfer('acme', 90, 'ada', 'ben', key => 'k'); COMMIT");
    session.refusal("SELECT credit_transfer('acme', 1, 'ada', 'ben')").expect("23514");
    let of_ben = "SELECT trim_scale(sum(remaining)) FROM credit.lots WHERE member = 'ben'";
    assert_eq!(session.text(of_ben), "200");
    database.verify();
}

/// Members who give to each other lock only what they give, so no two of them wait for each other.
#[test]
fn members_who_swap_do_not_deadlock() {
    let database = database();
    database.clients(8, |number, client| {
        let (from, to) = if number % 2 == 0 { ("ada", "ben") } else { ("ben", "ada") };
        for _ in 0..40 {
            client.run(&format!("BEGIN; SELECT credit_transfer('acme', 0.25, '{from}', '{to}'); COMMIT"));
        }
    });
    let mut session = database.connect();
    let left = "SELECT string_agg(DISTINCT own::text, ',') FROM (SELECT trim_scale(sum(remaining)) AS own FROM credit.lots
        WHERE member IN ('ada', 'ben') GROUP BY member) m";
    assert_eq!(session.text(left), "100");
    database.verify();
}

/// A debit of a hot pool goes on while a transfer that took a part of a lot is not committed yet.
#[test]
fn an_open_transfer_keeps_nobody_from_a_hot_pool() {
    let database = database();
    let mut session = database.connect();
    // Split into slots by those who use it at once.
    database.clients(8, |_, client| (0..20).for_each(|_| client.run("SELECT credit_debit('acme', 0.01)")));
    let mut transferring = database.connect();
    transferring.run("BEGIN; SELECT credit_transfer('acme', 1, to_member => 'ada')");
    session.run("SET lock_timeout = '2s'; SELECT credit_debit('acme', 1)");
    transferring.run("COMMIT");
    database.verify();
}

#[test]
fn who_becomes_inactive_during_the_wait_gets_nothing() {
    let database = database();
    let mut holding = database.connect();
    let mut watcher = database.connect();
    // All of ada's lot is held.
    holding.run("BEGIN; SELECT credit_set_expiry('acme', lot, now() + interval '1 day') FROM credit.lots WHERE member = 'ada'");
    let mut waiter = database.connect();
    let backend = waiter.backend();
    let waiting = thread::spawn(move || waiter.ask("SELECT credit_transfer('acme', 10, 'ada', 'ben')"));
    wait_until_blocked(&mut watcher, backend);
    watcher.run("SELECT credit_member('acme', 'ben', active => false)");
    holding.run("COMMIT");
    waiting.join().unwrap().unwrap_err().expect("55000");
    let mut session = database.connect();
    assert_eq!(session.text("SELECT trim_scale(sum(remaining)) FROM credit.lots WHERE member = 'ben'"), "100");
    database.verify();
}

/// What schedules bring is issued before it is given away, and what was given away no longer rolls over.
#[test]
fn what_is_due_is_issued_first() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SET credit.clock = '2026-01-01 00:00+00';
         SELECT credit_schedule('acme', 100, '1 month', rollover => '{\"fraction_of_unused\": 1}');
         SELECT credit_member('acme', 'ada');
         SET credit.clock = '2026-02-01 00:00+00';
         SELECT credit_transfer('acme', 150, to_member => 'ada')",
    );
    let lots = "SELECT string_agg(concat_ws(' ', source, member, trim_scale(remaining)), ', ' ORDER BY lot) FROM credit.lots \
        WHERE remaining > 0";
    assert_eq!(session.text(lots), "allocation 50, transfer ada 100, transfer ada 50");
    session.run("SET credit.clock = '2026-03-01 00:00+00'; SELECT credit_refresh()");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "150");
    database.verify();
}

/// Parts of a lot that cannot be divided evenly never carry more than its price.
#[test]
fn crumbs_never_exceed_the_price() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SELECT credit_account('acme'), credit_member('acme', 'ada');
         SELECT credit_grant('acme', 3, paid => 0.02, currency => 'EUR');
         SELECT count(credit_transfer('acme', 0.000001, to_member => 'ada')) FROM generate_series(1, 200)",
    );
    assert_eq!(
        session.text("SELECT sum(paid) <= 0.02 * 0.0002 / 3 AND sum(paid) > 0 FROM credit.lots WHERE member = 'ada'"),
        "t"
    );
    session.run("SELECT credit_transfer('acme', 2.9998, to_member => 'ada')");
    assert_eq!(session.text("SELECT sum(paid) <= 0.02 FROM credit.lots WHERE member = 'ada'"), "t");
    database.verify();
}

/// Two rebalances at once, and debits beside them: what each member lacked he gets once, and nothing is lost.
#[test]
fn rebalances_at_once_move_it_once() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_debit('acme', 160, member => 'ada'), credit_debit('acme', 30, member => 'ben')");
    let moved = database.clients(6, |number, client| match number {
        0..=3 => client.rows("SELECT amount FROM credit_rebalance('acme')").len(),
        _ => {
            (0..20).for_each(|_| client.run("SELECT credit_debit('acme', 0.5, member => 'cy')"));
            0
        }
    });
    assert!(moved.iter().sum::<usize>() >= 2, "{moved:?}");
    // Of ada 160 were used and nothing was left; whoever could, gave. Cy never gave what he needed meanwhile.
    assert_eq!(session.text("SELECT trim_scale(sum(remaining)) FROM credit.lots WHERE member = 'ada'"), "160");
    session.run("SELECT count(*) FROM credit_rebalance('acme')");
    assert_eq!(session.number("SELECT count(*) FROM credit_rebalance('acme')"), 0);
    assert_eq!(session.text("SELECT credit_balance('acme')"), "1190");
    database.verify();
}

/// Who rebalances takes the lots of many members, and so does a batch: in one order, so nobody waits in a circle.
#[test]
fn a_rebalance_beside_a_batch_does_not_deadlock() {
    let database = Database::new();
    let (mut holder, mut session) = (database.connect(), database.connect());
    // What ada gives comes first, since she has most; of both, ben's lot is the first in drawdown order.
    session.run(
        "SELECT credit_account('acme'); SELECT credit_grant('acme', 400, member => 'cy'), \
        credit_debit('acme', 400, member => 'cy')",
    );
    session.run(
        "SELECT credit_grant('acme', 300, member => 'ada', priority => 60), \
        credit_grant('acme', 200, member => 'ben', priority => 10)",
    );
    holder.run("BEGIN; SELECT credit_debit('acme', 1, member => 'ben')");
    let batch = database.waiting("SELECT count(*) FROM credit_debit_many('{acme,acme}', '{1,1}', members => '{ada,ben}')");
    let rebalance = database.waiting("SELECT count(*) FROM credit_rebalance('acme')");
    holder.run("COMMIT");
    batch.join().unwrap().unwrap();
    rebalance.join().unwrap().unwrap();
    assert_eq!(session.text("SELECT credit_balance('acme', member => 'cy')"), "400");
    database.verify();
}
