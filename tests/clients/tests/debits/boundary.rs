//! Where credit begins and ends, to the microsecond, and how soon a change of members, accounts and units is obeyed.

use std::thread;

use pg_credit_clients::{Client, Database, Session, wait_until, wait_until_blocked};

const INSUFFICIENT: &str = "23514";
const WRONG_STATE: &str = "55000";
const INVALID: &str = "22023";
const UNKNOWN: &str = "P0002";

fn set_clock(client: &mut Client, instant: &str) {
    client.run(&format!("SET credit.clock = '{instant}'"));
}

/// A session that lives on the first of January 2030.
fn at_new_year(database: &Database) -> Client {
    let mut client = database.connect();
    set_clock(&mut client, "2030-01-01 00:00:00+00");
    client
}

fn balance(client: &mut Client) -> String {
    client.text("SELECT credit_balance('acme')")
}

/// The lots that paid for a posting, in the order of its lines.
fn payers(client: &mut Client, posting: &str) -> Vec<i64> {
    let lots = client.rows(&format!("SELECT lot FROM credit.entry WHERE posting = {posting} ORDER BY line"));
    lots.iter().map(|row| row[0].parse().expect("a lot")).collect()
}

#[test]
fn a_lot_is_usable_until_just_before_it_expires_swept_or_not() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    client.run("SELECT credit_grant('acme', 10, expires_at => '2030-02-01 00:00:00+00')");
    set_clock(&mut client, "2030-01-31 23:59:59.999999+00");
    assert_eq!(balance(&mut client), "10");
    client.run("SELECT credit_debit('acme', 1)");
    assert_eq!(client.text("SELECT status FROM credit.lots"), "usable");
    set_clock(&mut client, "2030-02-01 00:00:00+00");
    assert_eq!(balance(&mut client), "0");
    let refusal = client.refusal("SELECT credit_debit('acme', 1)").expect(INSUFFICIENT);
    assert_eq!(refusal.detail_of("available"), Some("0"));
    assert_eq!(client.ask("SELECT credit_try_debit('acme', 1)"), Ok(None));
    assert_eq!(client.ask("SELECT lot FROM credit_explain_debit('acme', 1)"), Ok(None));
    assert_eq!(client.rows("SELECT status, remaining, available FROM credit.lots"), [["expired", "9", "0"]]);
    assert!(client.rows("SELECT * FROM credit.balances").is_empty());
    client
        .refusal("INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'debit', -1, lot FROM credit.lot")
        .expect(WRONG_STATE);
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'expiry'"), 0, "no sweep has run");
    assert_eq!(client.text("SELECT credit_balance('acme', at => '2030-01-31 23:59:59.999999+00')"), "9");
    database.verify();
}

#[test]
fn a_lot_is_usable_from_the_instant_it_takes_effect() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    // It would pay first, were it in force.
    let future = client.number("SELECT credit_grant('acme', 10, priority => 1, effective_at => '2030-02-01 00:00:00+00')");
    set_clock(&mut client, "2030-01-31 23:59:59.999999+00");
    assert_eq!(balance(&mut client), "0");
    client.refusal("SELECT credit_debit('acme', 1)").expect(INSUFFICIENT);
    assert_eq!(client.text("SELECT status FROM credit.lots"), "future");
    assert_eq!(client.text("SELECT credit_balance('acme', at => '2030-02-01 00:00:00+00')"), "10");
    client
        .refusal("INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'debit', -1, lot FROM credit.lot")
        .expect(WRONG_STATE);
    let present = client.number("SELECT credit_grant('acme', 10)");
    let posting = client.text("SELECT credit_debit('acme', 1)");
    assert_eq!(payers(&mut client, &posting), [present]);
    set_clock(&mut client, "2030-02-01 00:00:00+00");
    assert_eq!(balance(&mut client), "19");
    let posting = client.text("SELECT credit_debit('acme', 12)");
    assert_eq!(payers(&mut client, &posting), [future, present]);
    database.verify();
}

/// A lot of 10 that expires within the second, and whether another of 10 comes after it.
fn grant_a_short_life(client: &mut Client, and_another: bool) -> (i64, Option<i64>) {
    let short = client.number("SELECT credit_grant('acme', 10, expires_at => clock_timestamp() + interval '600 ms')");
    (short, and_another.then(|| client.number("SELECT credit_grant('acme', 10)")))
}

fn wait_until_expired(client: &mut Client, lot: i64) {
    let expired = format!("SELECT expires_at <= clock_timestamp() FROM credit.lot WHERE lot = {lot}");
    wait_until("the lot expires", || client.text(&expired) == "t");
}

#[test]
fn a_debit_decides_again_when_a_lot_expires_while_it_waits() {
    // What it waits for: one slot, the lot as a whole, and the second of two lots.
    for (amount, and_another) in [("10", false), ("10", true), ("9.5", true), ("15", true)] {
        let database = Database::new();
        let (mut holder, mut watcher, mut waiter) = (database.connect(), database.connect(), database.connect());
        let (short, other) = grant_a_short_life(&mut holder, and_another);
        holder.run("BEGIN; SELECT credit_debit('acme', 1)");
        let backend = waiter.backend();
        let request = format!("SELECT credit_debit('acme', {amount})");
        let waiting = thread::spawn(move || waiter.ask(&request));
        wait_until_blocked(&mut watcher, backend);
        wait_until_expired(&mut watcher, short);
        holder.run("ROLLBACK");
        match (waiting.join().unwrap(), other) {
            (Ok(posting), Some(other)) if amount != "15" => assert_eq!(payers(&mut watcher, &posting.unwrap()), [other]),
            (Err(refusal), None) => drop(refusal.expect(INSUFFICIENT)),
            (Err(refusal), Some(_)) if amount == "15" => drop(refusal.expect(INSUFFICIENT)),
            (outcome, _) => panic!("debit of {amount}: {outcome:?}"),
        }
        database.verify();
    }
}

#[test]
fn a_transaction_that_began_before_the_expiry_cannot_use_the_lot_after_it() {
    let database = Database::new();
    for begin in ["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"] {
        let mut client = database.connect();
        let (short, _) = grant_a_short_life(&mut client, false);
        client.run(begin);
        client.run("SELECT now(); SELECT credit_debit('acme', 1)");
        wait_until_expired(&mut client, short);
        assert_eq!(balance(&mut client), "0");
        assert_eq!(client.ask("SELECT credit_try_debit('acme', 1)"), Ok(None));
        client.refusal("SELECT credit_debit('acme', 1)").expect(INSUFFICIENT);
        client.run("ROLLBACK");
    }
    database.verify();
}

#[test]
fn expired_lots_that_nobody_swept_are_skipped() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    client.run(
        "SELECT credit_grant('acme', 5, priority => 1, expires_at => '2030-01-02') FROM generate_series(1, 500);
         SELECT credit_grant('acme', 5, priority => 1, member => 'alice', expires_at => '2030-01-02') \
             FROM generate_series(1, 50)",
    );
    let live = client.number("SELECT credit_grant('acme', 10)");
    set_clock(&mut client, "2030-01-02 00:00:00+00");
    for request in ["credit_debit('acme', 4)", "credit_debit('acme', 4, member => 'alice')"] {
        let posting = client.text(&format!("SELECT {request}"));
        assert_eq!(payers(&mut client, &posting), [live], "{request}");
    }
    client.refusal("SELECT credit_debit('acme', 3, member => 'alice')").expect(INSUFFICIENT);
    assert_eq!(balance(&mut client), "2");
    // A debit may have closed some of them on its way.
    client.run("SELECT * FROM credit_expire()");
    assert_eq!(client.number("SELECT -sum(amount) FROM credit.entry WHERE kind = 'expiry'"), 2750);
    assert_eq!(balance(&mut client), "2");
    database.verify();
}

#[test]
fn an_expiry_is_dated_at_the_expiry_whenever_it_is_swept() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    let lot = client.text("SELECT credit_grant('acme', 10, member => 'alice', expires_at => '2030-02-01 00:00:00+00')");
    client.run("SELECT credit_member('acme', 'alice', department => 'research')");
    client.run("SELECT credit_debit('acme', 4, member => 'alice')");
    set_clock(&mut client, "2030-01-31 23:59:59.999999+00");
    assert!(client.rows("SELECT * FROM credit_expire()").is_empty(), "not yet due");
    set_clock(&mut client, "2030-03-15 12:00:00+00");
    let swept = client.rows("SELECT account, lot, expired, expires_at AT TIME ZONE 'UTC' FROM credit_expire()");
    assert_eq!(swept, [["acme", lot.as_str(), "6", "2030-02-01 00:00:00"]]);
    let entry = client.rows(
        "SELECT amount, lot, member, department, occurred_at AT TIME ZONE 'UTC', recorded_at AT TIME ZONE 'UTC'
         FROM credit.entry WHERE kind = 'expiry'",
    );
    assert_eq!(entry, [["-6", lot.as_str(), "alice", "research", "2030-02-01 00:00:00", "2030-03-15 12:00:00"]]);
    assert!(client.rows("SELECT * FROM credit_expire()").is_empty(), "once");
    assert_eq!(client.text("SELECT status FROM credit.lots"), "expired");
    assert_eq!(client.text("SELECT credit_balance('acme', at => '2030-01-31')"), "6", "the past has not changed");
    database.verify();
}

#[test]
fn voiding_takes_what_is_left_once_and_nothing_after_the_expiry() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    let lot = client.text("SELECT credit_grant('acme', 10, expires_at => '2030-02-01 00:00:00+00')");
    let future = client.text("SELECT credit_grant('acme', 10, effective_at => '2031-01-01 00:00:00+00')");
    let late = client.text("SELECT credit_grant('acme', 10, expires_at => '2030-02-01 00:00:00+00')");
    client.run("SELECT credit_debit('acme', 4)");
    for (lot, voided) in [(&lot, "6"), (&lot, "0"), (&future, "10"), (&future, "0")] {
        assert_eq!(client.text(&format!("SELECT credit_void('acme', {lot})")), voided);
    }
    set_clock(&mut client, "2030-02-01 00:00:00+00");
    let void_late = format!("SELECT credit_void('acme', {late})");
    assert_eq!(client.text(&void_late), "0", "expired and not swept");
    client.run("SELECT * FROM credit_expire()");
    assert_eq!(client.text(&void_late), "0", "expired and swept");
    client.refusal("SELECT credit_void('acme', 999999)").expect(UNKNOWN);
    assert_eq!(client.text("SELECT sum(amount) FROM credit.entry WHERE kind = 'void'"), "-16");
    database.verify();
}

#[test]
fn an_expiry_can_be_set_removed_and_set_again() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    let mut lot = client.text(
        "SELECT credit_grant('acme', 10, effective_at => '2029-06-01', expires_at => '2030-02-01', \
        priority => 7, metadata => '{\"order\": 1}')",
    );
    for expiry in ["NULL", "'2030-06-01'", "'2030-01-01 00:00:00.000001+00'", "NULL"] {
        let moved = client.text(&format!("SELECT credit_set_expiry('acme', {lot}, {expiry})"));
        assert_ne!(moved, lot);
        let again = format!("SELECT credit_set_expiry('acme', {moved}, {expiry})");
        assert_eq!(client.text(&again), moved, "it expires then already");
        let terms = client.rows(&format!(
            "SELECT expires_at IS NOT DISTINCT FROM {expiry}, parent, priority, metadata->>'order', remaining FROM credit.lots \
                WHERE lot = {moved}"
        ));
        assert_eq!(terms, [["t", lot.as_str(), "7", "1", "10"]]);
        client.refusal(&format!("SELECT credit_set_expiry('acme', {lot}, '2032-01-01')")).expect(WRONG_STATE);
        lot = moved;
    }
    assert_eq!(balance(&mut client), "10");
    for impossible in ["2029-12-31", "2030-01-01 00:00:00+00", "2029-06-01", "2029-05-01", "infinity"] {
        client.refusal(&format!("SELECT credit_set_expiry('acme', {lot}, '{impossible}')")).expect(INVALID);
    }
    let short = client.text("SELECT credit_grant('acme', 5, expires_at => '2030-01-02 00:00:00+00')");
    set_clock(&mut client, "2030-01-02 00:00:00+00");
    client.refusal(&format!("SELECT credit_set_expiry('acme', {short}, NULL)")).expect(WRONG_STATE);
    client.refusal("SELECT credit_set_expiry('acme', 999999, NULL)").expect(UNKNOWN);
    database.verify();
}

/// Debits a little and moves the rest, again and again; the ids of the lots of the chain.
fn move_in_a_chain(client: &mut Client, granted: &str, paid: &str, debit: &str) -> Vec<String> {
    let first = client.text(&format!("SELECT credit_grant('acme', {granted}, paid => {paid}, currency => 'USD')"));
    let mut chain = vec![first];
    for month in 2..8 {
        if debit != "0" {
            client.run(&format!("SELECT credit_debit('acme', {debit})"));
        }
        let last = chain.last().expect("the first");
        chain.push(client.text(&format!("SELECT credit_set_expiry('acme', {last}, '2031-0{month}-01')")));
    }
    chain
}

#[test]
fn moves_keep_the_cost_basis_and_never_make_money() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    for (granted, paid, debit) in
        [("1000", "100", "7"), ("3", "1", "0.000001"), ("900", "1000.01", "33.3"), ("1000", "0", "1"), ("7", "0.01", "1")]
    {
        let chain = move_in_a_chain(&mut client, granted, paid, debit).join(", ");
        let moves = format!("FROM credit.lot l JOIN credit.lot p ON p.lot = l.parent WHERE l.lot IN ({chain})");
        let kept =
            format!("SELECT bool_and(l.cost_basis = p.cost_basis AND l.currency = p.currency AND l.paid <= p.paid) {moves}");
        assert_eq!(client.text(&kept), "t", "{granted} for {paid}");
        // What each part used keeps the difference to what went on with the rest: rounding is never a gain.
        let value = format!("SELECT max(l.paid - p.paid * l.granted / p.granted) < 0.000000001 {moves}");
        assert_eq!(client.text(&value), "t", "{granted} for {paid}");
        client.run(&format!("SELECT credit_void('acme', lot) FROM credit.lots WHERE lot IN ({chain}) AND remaining > 0"));
    }
    database.verify();
}

#[test]
fn a_lot_that_nobody_used_keeps_its_whole_price_when_it_is_moved() {
    let database = Database::new();
    let mut client = at_new_year(&database);
    for (granted, paid) in [("3", "1"), ("7", "99.99"), ("999999999999999", "0.01"), ("0.3", "999999999999999.99")] {
        let chain = move_in_a_chain(&mut client, granted, paid, "0").join(", ");
        let prices = format!("SELECT count(DISTINCT paid), min(paid) = {paid}, count(*) FROM credit.lot WHERE lot IN ({chain})");
        assert_eq!(client.rows(&prices), [["1", "t", "7"]], "{granted} for {paid}");
    }
    database.verify();
}

#[test]
fn a_changed_unit_is_obeyed_for_accounts_that_are_met_for_the_first_time() {
    let database = Database::new();
    let (mut spender, mut admin) = (database.connect(), database.connect());
    admin.run("INSERT INTO credit.unit (unit, decimals) VALUES ('token', 0), ('cent', 2)");
    admin.run("SELECT credit_account('account_' || i, unit => 'token') FROM generate_series(1, 9) i");
    admin.run("SELECT credit_grant('account_' || i, 10) FROM generate_series(1, 9) i");
    admin.run("SELECT credit_grant('account_9', 10, unit => 'cent')");
    let spend = |account: i32, amount: &str| format!("SELECT credit_debit('account_{account}', {amount})");
    spender.run(&spend(1, "1"));
    spender.refusal(&spend(2, "0.5")).expect(INVALID);
    spender.run("SELECT credit_debit('account_9', 0.25, unit => 'cent')");
    // Its own change, undone with the savepoint or the transaction.
    for undo in ["ROLLBACK TO s; COMMIT", "ROLLBACK"] {
        spender.run("BEGIN; SAVEPOINT s; UPDATE credit.unit SET decimals = 1 WHERE unit = 'token'");
        spender.run(&spend(3, "0.5"));
        spender.run(undo);
        spender.refusal(&spend(4, "0.5")).expect(INVALID);
    }
    // Another's, at its commit, also within an open transaction.
    admin.run("BEGIN; UPDATE credit.unit SET decimals = 1 WHERE unit = 'token'");
    spender.run("BEGIN");
    spender.run(&spend(5, "1"));
    admin.run("COMMIT");
    spender.run(&spend(6, "0.5"));
    spender.run("COMMIT");
    spender.refusal(&spend(7, "0.25")).expect(INVALID);
    database.verify();
}

#[test]
fn a_deactivated_member_stops_spending_at_once() {
    let database = Database::new();
    let (mut spender, mut admin) = (database.connect(), database.connect());
    admin.run("SELECT credit_grant('acme', 1000)");
    let spend = "SELECT credit_debit('acme', 1, member => 'alice')";
    for deactivate in [
        "SELECT credit_member('acme', 'alice', active => false)",
        "UPDATE credit.member SET active = false WHERE member = 'alice'",
    ] {
        spender.run(&format!("{spend}; {spend}"));
        admin.run(deactivate);
        spender.refusal(spend).expect(WRONG_STATE);
        spender.refusal(&spend.replace("debit", "try_debit")).expect(WRONG_STATE);
        admin.run("SELECT credit_member('acme', 'alice', active => true)");
        // In a transaction that is already open and has spent for her.
        spender.run("BEGIN");
        spender.run(spend);
        admin.run(deactivate);
        spender.refusal(spend).expect(WRONG_STATE);
        spender.run("ROLLBACK");
        // A change that is rolled back never was.
        admin.run("SELECT credit_member('acme', 'alice', active => true)");
        spender.run(spend);
        admin.run(&format!("BEGIN; {deactivate}"));
        spender.run(spend);
        admin.run("ROLLBACK");
        spender.run(spend);
    }
    database.verify();
}

#[test]
fn an_own_change_is_obeyed_and_forgotten_with_its_savepoint() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 100); SELECT credit_member('acme', 'alice', department => 'sales')");
    let spend = "SELECT credit_debit('acme', 1, member => 'alice')";
    let department = "SELECT department FROM credit.entry ORDER BY posting DESC LIMIT 1";
    client.run(spend);
    for leave in ["ROLLBACK TO s", "ROLLBACK"] {
        client.run("BEGIN; SAVEPOINT s; SELECT credit_member('acme', 'alice', department => 'research')");
        client.run(spend);
        assert_eq!(client.text(department), "research");
        client.run("SELECT credit_member('acme', 'alice', active => false)");
        client.run("SAVEPOINT refused");
        client.refusal(spend).expect(WRONG_STATE);
        client.run("ROLLBACK TO refused");
        client.run(leave);
        client.run(spend);
        assert_eq!(client.text(department), "sales", "after {leave}");
        client.run("COMMIT");
    }
    database.verify();
}

#[test]
fn a_member_whose_registration_was_rolled_back_is_registered_again() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 100)");
    let spend = "SELECT credit_debit('acme', 1, member => 'new')";
    client.run(&format!("BEGIN; {spend}; {spend}; ROLLBACK"));
    client.run(&format!("BEGIN; SAVEPOINT s; {spend}; {spend}; ROLLBACK TO s; COMMIT"));
    assert_eq!(client.number("SELECT count(*) FROM credit.member"), 0);
    client.run(spend);
    assert_eq!(client.text("SELECT member FROM credit.member"), "new");
    database.verify();
}

#[test]
fn an_account_that_was_rolled_back_is_not_remembered() {
    let database = Database::new();
    let mut client = database.connect();
    for (undone, redone) in [("BEGIN", "ROLLBACK"), ("BEGIN; SAVEPOINT s", "ROLLBACK TO s; COMMIT")] {
        let account = format!("acme_{}", redone.len());
        let spend = format!("SELECT credit_debit('{account}', 1, member => 'alice')");
        client.run(undone);
        client.run(&format!("SELECT credit_grant('{account}', 10, member => 'alice'); {spend}; {spend}"));
        client.run(redone);
        client.refusal(&spend).expect(UNKNOWN);
        // The account that is made instead has other rules: its members do not spend from the pool.
        client.run(&format!("SELECT credit_account('{account}', pooling => 'per_seat'); SELECT credit_grant('{account}', 10)"));
        client.refusal(&spend).expect(INSUFFICIENT);
    }
    database.verify();
}

#[test]
fn a_changed_department_is_stamped_at_once() {
    let database = Database::new();
    let (mut spender, mut admin) = (database.connect(), database.connect());
    admin.run("SELECT credit_grant('acme', 100)");
    let stamped = "SELECT e.department FROM credit.entry e WHERE e.posting = ";
    let mut expect = |admin: &mut Client, change: &str, department: &str| {
        admin.run(change);
        let posting = spender.text("SELECT credit_debit('acme', 1, member => 'alice')");
        assert_eq!(spender.ask(&format!("{stamped}{posting}")).unwrap().unwrap_or_default(), department, "after {change}");
    };
    expect(&mut admin, "SELECT 1", "");
    expect(&mut admin, "SELECT credit_member('acme', 'alice', department => 'sales')", "sales");
    expect(&mut admin, "UPDATE credit.member SET department = 'research'", "research");
    expect(&mut admin, "BEGIN; SELECT credit_member('acme', 'alice', department => 'sales')", "research");
    expect(&mut admin, "ROLLBACK", "research");
    expect(&mut admin, "BEGIN; UPDATE credit.member SET department = NULL", "research");
    expect(&mut admin, "COMMIT", "");
    assert_eq!(admin.number("SELECT count(DISTINCT department) FROM credit.entry"), 2, "history stays as it was");
    database.verify();
}

#[test]
fn changed_account_settings_are_obeyed_at_once() {
    let database = Database::new();
    let (mut spender, mut admin) = (database.connect(), database.connect());
    admin.run("INSERT INTO credit.unit (unit, decimals) VALUES ('token', 0); SELECT credit_account('acme')");
    admin.run("SELECT credit_grant('acme', 100); SELECT credit_grant('acme', 100, unit => 'token')");
    admin.run("SELECT credit_grant('acme', 1, member => 'alice')");
    let spend = "SELECT credit_debit('acme', 1.5, member => 'alice')";
    spender.run(spend);
    // The same change is undone first, and then stays.
    let mut change = |change: &str, request: &str, code: &str| {
        spender.run("SELECT credit_debit('acme', 1.5, member => 'alice', unit => 'credit')");
        admin.run(&format!("BEGIN; {change}"));
        spender.run(spend);
        admin.run("ROLLBACK");
        spender.run(spend);
        admin.run(change);
        spender.refusal(request).expect(code);
    };
    change("SELECT credit_account('acme', pooling => 'per_seat')", spend, INSUFFICIENT);
    admin.run("SELECT credit_account('acme', pooling => 'pooled')");
    let mut change = |change: &str, request: &str, code: &str| {
        spender.run(spend);
        admin.run(&format!("BEGIN; {change}"));
        spender.run(spend);
        admin.run("ROLLBACK");
        spender.run(spend);
        admin.run(change);
        spender.refusal(request).expect(code);
    };
    let spend_as_stranger = "SELECT credit_debit('acme', 1, member => 'stranger')";
    change("SELECT credit_account('acme', require_members => true)", spend_as_stranger, UNKNOWN);
    // 1.5 tokens: too many decimals.
    change("SELECT credit_account('acme', unit => 'token')", spend, INVALID);
    spender.run("SELECT credit_debit('acme', 2, member => 'alice')");
    assert_eq!(spender.text("SELECT credit_balance('acme', unit => 'token')"), "98");
    admin.run("UPDATE credit.unit SET decimals = 3 WHERE unit = 'token'");
    spender.run(spend);
    database.verify();
}

#[test]
fn an_extension_that_was_made_anew_is_a_new_one() {
    let database = Database::new();
    let (mut spender, mut admin) = (database.connect(), database.connect());
    for round in 1..4 {
        admin.run(&format!("SELECT credit_grant('acme', {}, member => 'alice')", round * 10));
        spender.run("SELECT credit_debit('acme', 1, member => 'alice', key => 'order-1')");
        assert_eq!(balance(&mut spender), (round * 10 - 1).to_string());
        admin.run("DROP EXTENSION pg_credit CASCADE; CREATE EXTENSION pg_credit");
        spender.refusal("SELECT credit_debit('acme', 1, member => 'alice')").expect(UNKNOWN);
    }
    database.verify();
}

#[test]
fn tables_that_are_rewritten_or_extended_stay_right() {
    let database = Database::new();
    let (mut spender, mut owner) = (database.connect(), database.connect());
    owner.run("SELECT credit_grant('acme', 100); CREATE TABLE heard (posting bigint)");
    owner.run(
        "CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.heard \
        VALUES (NEW.posting); RETURN NULL; END'",
    );
    let changes = [
        "VACUUM FULL credit.slot",
        "VACUUM FULL credit.entry",
        "REINDEX TABLE credit.slot",
        "REINDEX TABLE credit.entry",
        "CLUSTER credit.slot USING slot_pkey",
        "CREATE INDEX entry_by_member ON credit.entry (account, member)",
        "CREATE TRIGGER hear AFTER INSERT ON credit.entry FOR EACH ROW EXECUTE FUNCTION hear()",
        "DROP TRIGGER hear ON credit.entry",
        "DROP INDEX credit.entry_by_member",
        "CREATE UNIQUE INDEX entry_once ON credit.entry (account, posting, line) WHERE kind = 'debit'",
        "ALTER TABLE credit.entry ADD COLUMN note text DEFAULT 'none'",
        "ALTER TABLE credit.entry DROP COLUMN note",
    ];
    for change in changes {
        spender.run("SELECT credit_debit('acme', 1, member => 'alice')");
        owner.run(change);
        spender.run("SELECT credit_debit('acme', 1, member => 'alice')");
    }
    assert_eq!(balance(&mut spender), "76");
    assert_eq!(owner.number("SELECT count(*) FROM heard"), 2, "the trigger that was there for two debits");
    owner.run("SET enable_seqscan = off");
    assert_eq!(owner.number("SELECT count(*) FROM credit.entry WHERE account = 'acme' AND posting > 0 AND kind = 'debit'"), 24);
    database.verify();
}

/// The clocks of New York are put back at 06:00 UTC: half past one comes twice.
#[test]
fn hours_are_hours_where_the_clocks_are_put_back() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SET timezone = 'UTC'; SELECT credit_account('acme', time_zone => 'America/New_York')");
    set_clock(&mut client, "2026-11-01 05:30:00+00");
    for (length, expires_at) in [
        ("1 hour", "2026-11-01 06:30:00+00"),
        ("24 hours", "2026-11-02 05:30:00+00"),
        ("1 day", "2026-11-02 06:30:00+00"),
        ("1 month 1 hour", "2026-12-01 07:30:00+00"),
    ] {
        let lot = client.number(&format!("SELECT credit_grant('acme', 1, expires_after => '{length}')"));
        let found = client.text(&format!("SELECT expires_at::text FROM credit.lot WHERE lot = {lot}"));
        assert_eq!(found, expires_at, "{length}");
    }
    assert_eq!(
        client.text("SELECT credit.add_interval('2026-11-01 05:30+00', '0', 'America/New_York')::text"),
        "2026-11-01 05:30:00+00"
    );
}
