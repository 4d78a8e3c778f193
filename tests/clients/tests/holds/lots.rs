//! What else happens to lots, members and accounts while a hold is open: the table of docs/holds.md, line by line.

use pg_credit_clients::{Client, Database, Session};

fn at(session: &mut Client, instant: &str) {
    session.run(&format!("SET credit.clock = '{instant}Z'"));
}

/// A lot of 100 until the end of June, of which 40 are held for an hour from noon on.
fn held() -> (Database, Client, i64, i64) {
    let database = Database::new();
    let mut session = database.connect();
    at(&mut session, "2026-06-01 12:00");
    let lot =
        session.number("SELECT credit_grant('acme', 100, expires_at => '2026-06-01 12:30Z', paid => 50, currency => 'USD')");
    let hold = session.number("SELECT credit_hold('acme', 40, expires_after => '1 hour')");
    (database, session, lot, hold)
}

#[test]
fn a_void_takes_what_is_not_held_and_what_comes_back_later() {
    let (database, mut session, lot, hold) = held();
    assert_eq!(session.text(&format!("SELECT credit_void('acme', {lot})")), "60");
    assert_eq!(session.rows("SELECT status, available, held FROM credit.lots"), [["held", "0", "40"]]);
    session.run(&format!("SELECT credit_capture('acme', {hold}, 15)"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "0");
    assert_eq!(
        session.rows("SELECT kind, sum(amount) FROM credit.ledger GROUP BY kind ORDER BY kind"),
        [["debit", "-15"], ["grant", "100"], ["void", "-85"]]
    );
    database.verify();
}

#[test]
fn a_void_of_a_lot_that_is_wholly_held_takes_what_comes_back_later() {
    let (database, mut session, lot, _) = held();
    session.run("SELECT credit_hold('acme', 60, expires_after => '1 hour')");
    assert_eq!(session.text(&format!("SELECT credit_void('acme', {lot})")), "0");
    session.run(&format!("SELECT credit_void('acme', {lot})"));
    session.run("SELECT credit_release('acme', hold) FROM credit.hold");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "0");
    assert_eq!(session.text("SELECT sum(amount) FROM credit.ledger WHERE kind = 'void'"), "-100");
    database.verify();
}

#[test]
fn a_withdrawal_takes_at_most_what_is_not_held() {
    let (database, mut session, lot, hold) = held();
    session.refusal(&format!("SELECT credit_withdraw('acme', {lot}, 61)")).expect("23514");
    session.run(&format!("SELECT credit_withdraw('acme', {lot}, 60)"));
    assert_eq!(session.text(&format!("SELECT credit_release('acme', {hold})")), "40");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "40");
    database.verify();
}

#[test]
fn another_expiry_moves_what_is_not_held() {
    let (database, mut session, lot, hold) = held();
    session.run(&format!("SELECT credit_set_expiry('acme', {lot}, '2026-08-01Z')"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "60");
    assert_eq!(session.text(&format!("SELECT credit_release('acme', {hold})")), "40");
    assert_eq!(
        session.rows("SELECT available, expires_at::date FROM credit.lots ORDER BY lot"),
        [["40", "2026-06-01"], ["60", "2026-08-01"]]
    );
    database.verify();
}

#[test]
fn transfers_rebalances_and_conversions_leave_it_alone() {
    let (database, mut session, _, hold) = held();
    session.run("SELECT credit_unit('token'); SELECT credit_member('acme', 'alice')");
    session.refusal("SELECT credit_transfer('acme', 61, to_member => 'alice')").expect("23514");
    session.run("SELECT credit_transfer('acme', 30, to_member => 'alice')");
    session.refusal("SELECT credit_convert('acme', 31, NULL, 'token', rate => 1)").expect("23514");
    session.run("SELECT credit_convert('acme', 30, NULL, 'token', rate => 1)");
    session.run(&format!("SELECT credit_capture('acme', {hold})"));
    assert_eq!(session.text("SELECT sum(available) FROM credit.lots WHERE unit = 'credit' AND member IS NULL"), "0");
    database.verify();
}

#[test]
fn an_expired_lot_still_pays_and_what_comes_back_expires_then() {
    let (database, mut session, _, hold) = held();
    at(&mut session, "2026-06-01 12:45");
    session.run("SELECT count(*) FROM credit_expire('acme')");
    assert_eq!(session.rows("SELECT available, held, total FROM credit.balances"), [["0", "40", "40"]]);
    session.run(&format!("SELECT credit_capture('acme', {hold}, 30)"));
    assert_eq!(
        session
            .rows("SELECT kind, amount, to_char(occurred_at AT TIME ZONE 'UTC', 'HH24:MI') FROM credit.ledger ORDER BY posting"),
        [["grant", "100", "12:00"], ["expiry", "-60", "12:30"], ["debit", "-30", "12:45"], ["expiry", "-10", "12:45"]]
    );
    database.verify();
}

#[test]
fn with_no_release_it_expires_at_the_end_of_the_hold() {
    let (database, mut session, ..) = held();
    at(&mut session, "2026-06-02 00:00");
    session.run("SELECT count(*) FROM credit_maintain()");
    assert_eq!(
        session.rows(
            "SELECT amount, to_char(occurred_at AT TIME ZONE 'UTC', 'HH24:MI') FROM credit.ledger WHERE kind = 'expiry' \
            ORDER BY occurred_at"
        ),
        [["-60", "12:30"], ["-40", "13:00"]]
    );
    database.verify();
}

#[test]
fn a_capture_has_the_department_of_the_hold() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100); SELECT credit_member('acme', 'alice', department => 'eng')");
    session.run("SELECT credit_cap('acme', 50, department => 'eng'), credit_cap('acme', 50, department => 'sales')");
    let hold = session.number("SELECT credit_hold('acme', 40, member => 'alice')");
    session.run("SELECT credit_member('acme', 'alice', department => 'sales')");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 30)"));
    assert_eq!(session.text("SELECT department FROM credit.ledger WHERE kind = 'debit'"), "eng");
    assert_eq!(
        session.rows("SELECT department, used, held FROM credit.caps ORDER BY department"),
        [["eng", "30", "0"], ["sales", "0", "0"]]
    );
    database.verify();
}

#[test]
fn a_change_of_pooling_keeps_the_hold() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100); SELECT credit_member('acme', 'alice')");
    let hold = session.number("SELECT credit_hold('acme', 40, member => 'alice')");
    session.run("SELECT credit_account('acme', pooling => 'per_seat')");
    session.refusal("SELECT credit_debit('acme', 1, member => 'alice')").expect("23514");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 30)"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "70");
    database.verify();
}

#[test]
fn a_rollover_carries_what_is_not_held() {
    let database = Database::new();
    let mut session = database.connect();
    at(&mut session, "2026-06-01 00:00");
    session.run("SELECT credit_account('acme')");
    session.run(
        "SELECT credit_schedule('acme', 100, interval '1 month', expires => '1 period', rollover => '{\"max_periods\": 1}')",
    );
    let hold = session.number("SELECT credit_hold('acme', 40, expires_after => '30 days 12 hours')");
    at(&mut session, "2026-07-01 00:00");
    session.run("SELECT credit_refresh(account => 'acme')");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "160");
    assert_eq!(session.text(&format!("SELECT credit_release('acme', {hold})")), "40");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "160");
    database.verify();
}

#[test]
fn late_usage_does_not_take_what_is_held() {
    let (database, mut session, _, hold) = held();
    session.run("SELECT credit_account('acme', late_usage => 'original', late_grace => '1 day')");
    at(&mut session, "2026-06-01 12:45");
    session.refusal("SELECT credit_debit('acme', 61, at => '2026-06-01 12:20Z')").expect("23514");
    session.run("SELECT credit_debit('acme', 60, at => '2026-06-01 12:20Z')");
    session.run(&format!("SELECT credit_capture('acme', {hold})"));
    database.verify();
}

#[test]
fn a_closed_period_keeps_its_captures_and_a_later_one_counts_later() {
    let database = Database::new();
    let mut session = database.connect();
    at(&mut session, "2026-03-31 23:00");
    session.run("SELECT credit_grant('acme', 100, paid => 100, currency => 'USD')");
    let hold = session.number("SELECT credit_hold('acme', 40, expires_after => '1 day')");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 10, final => false)"));
    session.run("SELECT credit_true_up_terms('acme', every => '3 months', commitment => 50)");
    at(&mut session, "2026-04-01 01:00");
    session.run("SELECT count(*) FROM credit_true_up_post('acme', '2026-01-01', '2026-04-01')");
    session.run(&format!("SELECT credit_capture('acme', {hold}, 5)"));
    let months = "SELECT month, sum(credits) FROM credit.consumption WHERE credits > 0 GROUP BY month ORDER BY month";
    assert_eq!(session.rows(months), [["2026-03-01", "10"], ["2026-04-01", "5"]]);
    database.verify();
}
