//! Refunds and withdrawals with real connections.

use pg_credit_clients::{Client, Database, Session};

fn database() -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 1000, paid => 100, currency => 'USD')");
    (database, session)
}

#[test]
fn refunds_at_once_never_give_back_more_than_was_debited() {
    let (database, mut session) = database();
    let posting = session.number("SELECT credit_debit('acme', 100)");
    let refunded = database.clients(8, |_, client| {
        let mut refunded = 0;
        for _ in 0..10 {
            match client.ask(&format!("SELECT credit_refund('acme', {posting}, 3)")) {
                Ok(_) => refunded += 3,
                Err(refusal) => drop(refusal.expect("55000")),
            }
        }
        refunded
    });
    assert_eq!(refunded.iter().sum::<i64>(), 99);
    let refused = session.refusal(&format!("SELECT credit_refund('acme', {posting}, 3)"));
    assert_eq!(refused.detail_of("refundable"), Some("1"));
    session.run(&format!("SELECT credit_refund('acme', {posting})"));
    session.refusal(&format!("SELECT credit_refund('acme', {posting})")).expect("55000");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "1000");
    database.verify();
}

#[test]
fn a_refund_and_a_correction_share_one_bound() {
    let (database, mut session) = database();
    let posting = session.number("SELECT credit_debit('acme', 10)");
    session.run(&format!(
        "INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 6, 1, {posting})"
    ));
    session.refusal(&format!("SELECT credit_refund('acme', {posting}, 5)")).expect("55000");
    session.run(&format!("SELECT credit_refund('acme', {posting}, 4)"));
    database.verify();
}

#[test]
fn the_lots_get_back_in_the_reverse_order_of_the_draw_with_their_basis() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 10, priority => 1, paid => 10, currency => 'USD'), credit_grant('acme', 100)");
    let posting = session.number("SELECT credit_debit('acme', 15, member => 'alice', operation => 'chat', run => 'r')");
    session.run(&format!("SELECT credit_refund('acme', {posting}, 7)"));
    assert_eq!(
        session.rows("SELECT lot, amount, member, operation, run FROM credit.refunds ORDER BY line"),
        [["2", "5", "alice", "chat", "r"], ["1", "2", "alice", "chat", "r"]]
    );
    assert_eq!(session.text("SELECT trim_scale(sum(value)) FROM credit.consumption"), "8");
    database.verify();
}

#[test]
fn caps_get_the_headroom_back() {
    let (database, mut session) = database();
    session.run("SELECT credit_cap('acme', 50), credit_cap('acme', 60, rolling => interval '1 day')");
    let posting = session.number("SELECT credit_debit('acme', 50)");
    session.run(&format!("SELECT credit_refund('acme', {posting}, 20)"));
    assert_eq!(session.rows("SELECT used, headroom FROM credit.caps ORDER BY cap"), [["30", "20"], ["30", "30"]]);
    database.verify();
}

#[test]
fn only_debits_are_refunded() {
    let (database, mut session) = database();
    let debit = session.number("SELECT credit_debit('acme', 10)");
    let refund = session.number(&format!("SELECT credit_refund('acme', {debit}, 1)"));
    let grant = session.number("SELECT min(posting) FROM credit.entry WHERE kind = 'grant'");
    for posting in [refund, grant] {
        session.refusal(&format!("SELECT credit_refund('acme', {posting})")).expect("55000");
    }
    session.refusal("SELECT credit_refund('acme', 123456789)").expect("P0002");
    session.refusal(&format!("SELECT credit_refund('nobody', {debit})")).expect("P0002");
    session.refusal(&format!("SELECT credit_refund('acme', {debit}, 0)")).expect("22023");
    database.verify();
}

#[test]
fn a_captured_hold_is_refunded_like_any_debit() {
    let (database, mut session) = database();
    let posting = session.number("SELECT credit_capture('acme', credit_hold('acme', 50), 30)");
    session.run(&format!("SELECT credit_refund('acme', {posting}, 30)"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "1000");
    database.verify();
}

#[test]
fn refunds_beside_debits_voids_expiries_and_moves_end_exactly() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme', refund_expired => 'grace', refund_grace => '1 hour')");
    session.run("SELECT credit_grant('acme', 200, expires_at => clock_timestamp() + interval '3 s') FROM generate_series(1, 4)");
    session.run("SELECT credit_grant('acme', 5000)");
    database.clients(8, |number, client| {
        for round in 0..25 {
            let lot = "(SELECT lot FROM credit.lots WHERE account = 'acme' AND available > 0 ORDER BY random() LIMIT 1) l";
            let sql = match (number + round) % 8 {
                0..=2 => "SELECT credit_debit('acme', 7)".to_owned(),
                3 | 4 => "SELECT credit_refund('acme', posting, 2) FROM (SELECT posting FROM credit.entry WHERE kind = 'debit' \
                    ORDER BY random() LIMIT 1) e"
                    .to_owned(),
                5 => format!("SELECT credit_withdraw('acme', lot, 1) FROM {lot}"),
                6 => "SELECT count(*) FROM credit_expire('acme')".to_owned(),
                _ => format!("SELECT credit_set_expiry('acme', lot, clock_timestamp() + interval '2 s') FROM {lot}"),
            };
            if let Err(refusal) = client.ask(&sql) {
                let code = refusal.code.as_str();
                assert!(["23514", "55000", "22023"].contains(&code), "{refusal}\nin: {sql}");
            }
        }
    });
    database.verify();
}

#[test]
fn a_savepoint_takes_a_refund_back_and_a_key_makes_it_once() {
    let (database, mut session) = database();
    let posting = session.number("SELECT credit_debit('acme', 10)");
    session
        .run(&format!("BEGIN; SAVEPOINT one; SELECT credit_refund('acme', {posting}, 4, key => 'k'); ROLLBACK TO one; COMMIT"));
    let refunds =
        database.clients(4, |_, client| client.number(&format!("SELECT credit_refund('acme', {posting}, 4, key => 'k')")));
    assert!(refunds.iter().all(|refund| *refund == refunds[0]), "{refunds:?}");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "994");
    let other = session.refusal(&format!("SELECT credit_refund('acme', {posting}, 5, key => 'k')")).expect("23505");
    assert_eq!(other.detail_of("differs"), Some("amount"));
    database.verify();
}

#[test]
fn withdrawals_and_debits_share_a_lot_exactly() {
    let (database, mut session) = database();
    let taken = database.clients(8, |number, client| {
        let sql = if number % 2 == 0 { "SELECT credit_withdraw('acme', 1, 7)" } else { "SELECT credit_debit('acme', 7)" };
        (0..30).filter(|_| client.ask(sql).is_ok()).count()
    });
    assert_eq!(taken.iter().sum::<usize>(), 142);
    assert_eq!(session.text("SELECT credit_balance('acme')"), "6");
    assert_eq!(session.text("SELECT credit_void('acme', 1)"), "6");
    database.verify();
}
