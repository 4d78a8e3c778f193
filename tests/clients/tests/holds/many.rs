//! Many holds and captures in one call.

use pg_credit_clients::{Database, Session};

#[test]
fn each_item_counts_by_itself() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 10), credit_grant('globex', 5)");
    let held = "SELECT item, hold IS NOT NULL, shortfall FROM credit_hold_many('{globex,acme,acme}', '{5,8,4}', mode => 'each')";
    assert_eq!(session.rows(held), [["1", "t", ""], ["2", "t", ""], ["3", "f", "2"]]);
    let refused = session.refusal("SELECT count(*) FROM credit_hold_many('{acme,acme}', '{1,4}')").expect("23514");
    assert_eq!(refused.detail_of("item"), Some("2"));
    assert_eq!(session.text("SELECT count(*) FROM credit.hold"), "2");
    let captured = "SELECT c.item, c.posting IS NOT NULL, c.reason FROM (SELECT array_agg(account ORDER BY hold) AS accounts, \
        array_agg(hold ORDER BY hold) AS holds FROM credit.hold) h, \
        credit_capture_many(h.accounts, h.holds, '{3,20}', mode => 'each') c ORDER BY 1";
    // Holds have their ids in the order of the accounts.
    assert_eq!(session.rows(captured), [["1", "t", ""], ["2", "f", "insufficient_credits"]]);
    assert_eq!(session.rows(captured), [["1", "f", "settled"], ["2", "f", "insufficient_credits"]]);
    database.verify();
}

#[test]
fn batches_in_any_order_end_exactly() {
    let database = Database::new();
    database.connect().run("SELECT credit_grant('a' || n, 200) FROM generate_series(1, 3) n");
    database.clients(6, |number, client| {
        for _ in 0..10 {
            let accounts = if number % 2 == 0 { "{a1,a2,a3}" } else { "{a3,a2,a1}" };
            client.run(&format!(
                "SELECT count(*) FROM (SELECT array_agg(hold) AS holds FROM credit_hold_many('{accounts}', '{{2,2,2}}')) h, \
                    credit_capture_many('{accounts}', h.holds, '{{1,1,1}}') c"
            ));
        }
    });
    let mut session = database.connect();
    assert_eq!(
        session.text("SELECT string_agg(credit_balance('a' || n)::text, ' ') FROM generate_series(1, 3) n"),
        "140 140 140"
    );
    database.verify();
}
