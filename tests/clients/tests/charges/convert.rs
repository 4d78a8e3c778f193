//! Conversions between units of one account: beside debits, under a key, rolled back, at the boundary, and to the last decimal.

use pg_credit_clients::{Client, Database, Random, Session, with_retries};

/// An account in `compute`, of which 100 are worth a dollar.
fn database() -> Database {
    let database = Database::new();
    database.connect().run(
        "INSERT INTO credit.unit (unit, decimals, currency) VALUES ('compute', 6, 'USD'), ('usd', 4, 'USD');
         INSERT INTO credit.unit_value (unit, effective_at, recorded_at, fiat_per_credit, recorded_by)
             VALUES ('compute', '2020-01-01', '2020-01-01', 0.01, 'owner');
         SELECT credit_account('acme', unit => 'compute')",
    );
    database
}

fn balance(session: &mut Client, unit: &str) -> String {
    session.text(&format!("SELECT credit_balance('acme', unit => '{unit}')"))
}

#[test]
fn conversions_and_debits_at_once_lose_nothing() {
    let database = database();
    let mut session = database.connect();
    for lot in 0..6 {
        session.run(&format!("SELECT credit_grant('acme', 500, paid => 3.33, currency => 'USD', priority => {lot})"));
    }
    let refused = database.clients(12, |number, client| {
        let mut refused = 0;
        for turn in 0..40 {
            let sql = match number % 3 {
                0 => "SELECT credit_convert('acme', 7.5, 'compute', 'usd')".to_owned(),
                1 => format!("SELECT credit_debit('acme', {})", 3 + turn % 5),
                _ => "SELECT credit_debit('acme', 0.05, unit => 'usd')".to_owned(),
            };
            match client.ask(&sql) {
                Ok(_) => {}
                Err(refusal) => {
                    refusal.expect("23514");
                    refused += 1;
                }
            }
        }
        refused
    });
    assert!(refused.iter().sum::<i32>() < 12 * 40, "all of it was refused");
    // 3,000 were granted: they were debited, converted at a hundred to one, or are left.
    let whole = "SELECT trim_scale(3000 + sum(amount) FILTER (WHERE kind IN ('debit', 'convert_out') AND unit = 'compute')
            - (SELECT sum(remaining) FROM credit.lots WHERE unit = 'compute')) FROM credit.ledger";
    assert_eq!(session.text(whole), "0");
    let rates = "SELECT bool_and(from_amount = 7.5 AND to_amount = 0.075 AND rate = 0.01)::text || ' ' || (count(*) > 0) \
        FROM credit.conversion";
    assert_eq!(session.text(rates), "true true");
    let usd =
        "SELECT (SELECT sum(to_amount) FROM credit.conversion) - (SELECT sum(remaining) FROM credit.lots WHERE unit = 'usd')
            = (SELECT COALESCE(-sum(amount), 0) FROM credit.ledger WHERE kind = 'debit' AND unit = 'usd')";
    assert_eq!(session.text(usd), "t");
    database.verify();
}

#[test]
fn a_drained_account_is_converted_to_the_last_step() {
    let database = database();
    let mut session = database.connect();
    for _ in 0..4 {
        session.run("SELECT credit_grant('acme', 25)");
    }
    let postings = database.clients(10, |_, client| {
        let mut postings = 0;
        while client.ask("SELECT credit_convert('acme', 1, 'compute', 'usd')").is_ok() {
            postings += 1;
        }
        postings
    });
    assert_eq!(postings.iter().sum::<i32>(), 100, "conversions of one credit each");
    assert_eq!((balance(&mut session, "compute"), balance(&mut session, "usd")), ("0".to_owned(), "1".to_owned()));
    database.verify();
}

#[test]
fn one_key_converts_once() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 1000)");
    let convert = "SELECT credit_convert('acme', 10, 'compute', 'usd', key => 'ticket 7')";
    let mut postings = database.clients(8, |_, client| client.text(convert));
    // Repeated even when the value has changed since: it was asked for once.
    session.run(
        "INSERT INTO credit.unit_value (unit, effective_at, recorded_at, fiat_per_credit, recorded_by)
            VALUES ('compute', '2021-01-01', '2021-01-01', 0.5, 'owner')",
    );
    postings.push(session.text(convert));
    postings.dedup();
    assert_eq!(postings.len(), 1);
    assert_eq!((balance(&mut session, "compute"), balance(&mut session, "usd")), ("990".to_owned(), "0.1".to_owned()));
    let refusal = session.refusal("SELECT credit_convert('acme', 10, 'compute', 'usd', rate => 1, key => 'ticket 7')");
    refusal.expect("23505");
    database.verify();
}

#[test]
fn what_is_rolled_back_leaves_nothing() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100, paid => 1, currency => 'USD')");
    session.run("BEGIN; SAVEPOINT before; SELECT credit_convert('acme', 40, 'compute', 'usd', key => 'k'); ROLLBACK TO before");
    assert_eq!(balance(&mut session, "compute"), "100");
    session.run("SELECT credit_convert('acme', 30, 'compute', 'usd', key => 'k'); COMMIT");
    session.run("BEGIN; SELECT credit_convert('acme', 30, 'compute', 'usd'); ROLLBACK");
    assert_eq!((balance(&mut session, "compute"), balance(&mut session, "usd")), ("70".to_owned(), "0.3".to_owned()));
    assert_eq!(session.number("SELECT count(*) FROM credit.conversion"), 1);
    // What fails because it becomes nothing has claimed no key.
    session.refusal("SELECT credit_convert('acme', 0.000001, 'compute', 'usd', key => 'too little')").expect("22023");
    assert_eq!(session.number("SELECT count(*) FROM credit.request WHERE key = 'too little'"), 0);
    database.verify();
}

#[test]
fn a_conversion_waits_for_a_debit_and_takes_what_it_leaves() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100)");
    session.run("BEGIN; SELECT credit_debit('acme', 60)");
    let mut other = database.connect();
    other.run("SET lock_timeout = '300ms'");
    other.refusal("SELECT credit_convert('acme', 50, 'compute', 'usd')").expect("55P03");
    // The debit is not committed, so nothing is refused because of it.
    assert_eq!(other.text("SELECT credit_balance('acme')"), "100");
    session.run("COMMIT");
    session.refusal("SELECT credit_convert('acme', 50, 'compute', 'usd')").expect("23514");
    session.run("SELECT credit_convert('acme', 40, 'compute', 'usd')");
    database.verify();
}

#[test]
fn boundaries_are_exact_to_the_microsecond() {
    let database = database();
    let mut session = database.connect();
    session.run("SET timezone = 'UTC'; SET credit.clock = '2026-01-01'");
    session.run(
        "INSERT INTO credit.unit_value (unit, effective_at, recorded_at, fiat_per_credit, recorded_by)
            VALUES ('compute', '2026-02-01', '2026-01-01', 0.02, 'owner')",
    );
    session.run("SELECT credit_grant('acme', 10, expires_at => '2026-03-01')");
    for (clock, expected) in [("2026-01-31 23:59:59.999999", "0.01"), ("2026-02-01", "0.02")] {
        session.run(&format!("SET credit.clock = '{clock}'"));
        let posting = session.text("SELECT credit_convert('acme', 1, 'compute', 'usd')");
        assert_eq!(
            session.text(&format!("SELECT rate FROM credit.conversion WHERE posting = {posting}")),
            expected,
            "at {clock}"
        );
    }
    session.run("SET credit.clock = '2026-02-28 23:59:59.999999'; SELECT credit_convert('acme', 1, 'compute', 'usd')");
    session.run("SET credit.clock = '2026-03-01'");
    session.refusal("SELECT credit_convert('acme', 1, 'compute', 'usd')").expect("23514");
    session.run("RESET credit.clock");
    database.verify();
}

#[test]
fn the_price_of_a_lot_is_carried_to_the_last_decimal_in_whatever_pieces() {
    let database = database();
    let mut session = database.connect();
    let mut random = Random::new(4);
    for lot in 1..=20 {
        let millionths = 1_000_000 + random.below(50_000_000);
        let paid = random.below(100_000_000);
        session.run(&format!("SELECT credit_grant('acme', {millionths} * 0.000001, paid => {paid} * 0.01, currency => 'USD')"));
        let mut left = millionths;
        while left > 0 {
            // At least enough for one step of the new unit; the last piece takes a rest that would be too small along.
            let piece = if left < 200_000 { left } else { (10_000 + random.below(left / 2)).min(left) };
            let piece = if left - piece < 10_000 { left } else { piece };
            session.run(&format!("SELECT credit_convert('acme', {piece} * 0.000001, 'compute', 'usd')"));
            left -= piece;
        }
        let carried = "SELECT trim_scale(sum(paid) * 100) FROM credit.lot WHERE unit = 'usd' AND parent = ";
        let of_lot = session.text("SELECT max(lot) FROM credit.lot WHERE unit = 'compute'");
        assert_eq!(session.text(&format!("{carried}{of_lot}")), paid.to_string(), "cents carried by lot number {lot}");
    }
    database.verify();
}

#[test]
fn stricter_isolation_levels_need_no_more_than_retries() {
    let database = database();
    database.connect().run("SELECT credit_grant('acme', 400), credit_grant('acme', 400)");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        database.clients(4, |number, client| {
            for _ in 0..10 {
                let sql = match number % 2 {
                    0 => "SELECT credit_convert('acme', 5, 'compute', 'usd')",
                    _ => "SELECT credit_debit('acme', 3)",
                };
                let begin = format!("BEGIN ISOLATION LEVEL {level}");
                with_retries(client, &begin, 1000, |client| client.ask(sql)).unwrap_or_else(|refusal| panic!("{refusal}"));
            }
        });
    }
    let mut session = database.connect();
    // Twice (2 x 10 conversions of 5 and 2 x 10 debits of 3).
    assert_eq!((balance(&mut session, "compute"), balance(&mut session, "usd")), ("480".to_owned(), "2".to_owned()));
    database.verify();
}
