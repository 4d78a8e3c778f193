//! Charges: the version of the rate that is valid at the usage, for every session at once; each posting once, whatever is
//! repeated, rolled back or cut into batches; and quantities that add up.

use std::thread;

use pg_credit_clients::{Client, Cluster, Database, Session, price_of, wait_until, wait_until_blocked};

const INSUFFICIENT: &str = "23514";
const INVALID: &str = "22023";
const KEY_REUSED: &str = "23505";
const UNKNOWN: &str = "P0002";

fn used(client: &mut Client) -> String {
    client.text("SELECT 100000 - credit_balance('acme')")
}

#[test]
fn the_lines_of_the_readme_of_the_feature_run_as_they_stand() {
    let database = Database::new();
    let mut client = database.connect();
    client.run(
        "SELECT credit_unit('compute', decimals => 6, currency => 'USD', fiat_per_credit => 0.01);
         SELECT credit_unit('usd', decimals => 6, currency => 'USD');
         SELECT credit_rate_card('list', unit => 'compute', notice => interval '30 days');
         SELECT credit_rate('list', 'gpt-4o.input',  credits => 0.25, per => 1000, unit_cost => 0.0000025);
         SELECT credit_rate('list', 'gpt-4o.output', credits => 1,    per => 1000, unit_cost => 0.00001);
         SELECT credit_rate('list', 'report', credits => 2, per => 10, block => true);
         SELECT credit_publish('list')",
    );
    assert_eq!(client.text("SELECT credit_price('list', 'gpt-4o.input', 4808)"), "1.202");
    assert_eq!(client.text("SELECT credit_price('list', 'report', 11)"), "4");
    client.run(
        "SELECT credit_account('acme', unit => 'compute', rate_card => 'list');
         SELECT credit_grant('acme', 100);
         SELECT credit_charge('acme', 'gpt-4o.input', 4808, member => 'alice')",
    );
    assert_eq!(client.text("SELECT credit_balance('acme')"), "98.798");
    client.run("SELECT credit_rate('list', 'gpt-4o.output', credits => 1.5, per => 1000)");
    client.refusal("SELECT credit_publish('list', effective_at => now() + interval '10 days')").expect("55000");
    client.run("SELECT credit_rate('list', 'gpt-4o.output', credits => 0.5, per => 1000); SELECT credit_publish('list')");
    assert_eq!(client.text("SELECT credit_price('list', 'gpt-4o.output', 1000)"), "0.5");
    database.verify();
}

#[test]
fn a_charge_debits_what_the_price_says_and_keeps_quantity_and_rate() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    for (operation, quantity, dimensions, expected) in [
        ("input", "4808", "NULL", "1.202"),
        ("input", "1", "NULL", "0.00025"),
        ("output", "1000", "NULL", "1"),
        ("output", "1000", r#"'{"model": "mini", "region": "eu"}'"#, "0.5"),
        ("output", "1000", r#"'{"model": "maxi"}'"#, "1"),
        ("report", "11", "NULL", "4"),
        ("search", "1", "NULL", "0.5"),
        ("search", "1000", "NULL", "3"),
    ] {
        let call = format!("'{operation}', {quantity}, dimensions => {dimensions}");
        assert_eq!(client.text(&format!("SELECT credit_price('list', {call})")), expected, "{call}");
        let posting = client.text(&format!("SELECT credit_charge('acme', {call})"));
        let entry = client.rows(&format!(
            "SELECT - e.amount, e.operation, e.quantity, r.operation, e.dimensions IS NOT DISTINCT FROM {dimensions}::jsonb
             FROM credit.entry e JOIN credit.rate r USING (rate) WHERE e.posting = {posting}"
        ));
        assert_eq!(entry, [[expected, operation, quantity, operation, "t"]], "{call}");
    }
    assert_eq!(client.ask("SELECT credit_charge('acme', 'input', 0)"), Ok(None));
    assert_eq!(client.text("SELECT credit_price('list', 'search', 0)"), "0");
    database.verify();
}

#[test]
fn a_price_is_rounded_once_as_the_unit_says() {
    let database = Database::new();
    let mut client = database.connect();
    for (rounding, prices) in [
        ("half_even", ["0.12", "0.14", "0", "0.01"]),
        ("half_up", ["0.13", "0.14", "0.01", "0.01"]),
        ("up", ["0.13", "0.14", "0.01", "0.01"]),
        ("down", ["0.12", "0.13", "0", "0"]),
    ] {
        client.run(&format!(
            "SELECT credit_unit('{rounding}', decimals => 2, rounding => '{rounding}');
             SELECT credit_rate_card('{rounding}', unit => '{rounding}');
             SELECT credit_rate('{rounding}', 'call', credits => 1, per => 1000);
             SELECT credit_publish('{rounding}')"
        ));
        for (quantity, price) in ["125", "135", "5", "5.000001"].iter().zip(prices) {
            assert_eq!(
                client.text(&format!("SELECT credit_price('{rounding}', 'call', {quantity})")),
                price,
                "{rounding} {quantity}"
            );
        }
    }
}

#[test]
fn a_change_in_another_session_is_seen_at_once_and_only_when_it_commits() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    let mut publisher = database.connect();
    let price = "credit_charge('acme', 'input', 1000)";
    client.run("BEGIN");
    assert_eq!(price_of(&mut client, price), "0.25");
    publisher.run("BEGIN; SELECT credit_rate('list', 'input', credits => 0.3, per => 1000); SELECT credit_publish('list')");
    assert_eq!(price_of(&mut client, price), "0.25");
    publisher.run("ROLLBACK");
    assert_eq!(price_of(&mut client, price), "0.25");
    publisher
        .run("BEGIN; SELECT credit_rate('list', 'input', credits => 0.4, per => 1000); SELECT credit_publish('list'); COMMIT");
    // In the middle of a transaction, too.
    assert_eq!(price_of(&mut client, price), "0.4");
    client.run("COMMIT");
    // What a transaction published and took back again must not be remembered by itself either.
    client
        .run("BEGIN; SAVEPOINT s; SELECT credit_rate('list', 'input', credits => 9, per => 1000); SELECT credit_publish('list')");
    assert_eq!(price_of(&mut client, price), "9");
    client.run("ROLLBACK TO s");
    assert_eq!(price_of(&mut client, price), "0.4");
    client.run("ROLLBACK");
    assert_eq!(price_of(&mut client, price), "0.4");
    // The account's card and the default card are remembered as well.
    publisher.run(
        "SELECT credit_rate_card('own', unit => 'credit'); SELECT credit_rate('own', 'input', credits => 7, per => 1000);
         SELECT credit_publish('own'); SELECT credit_account('acme', rate_card => 'own')",
    );
    assert_eq!(price_of(&mut client, price), "7");
    database.verify();
}

#[test]
fn the_version_at_the_instant_of_the_usage_prices_it() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run(
        "SELECT credit_rate('list', 'input', credits => 0.5, per => 1000); \
        SELECT credit_publish('list', effective_at => '2090-01-01 00:00:00+00')",
    );
    for (clock, expected) in
        [("2089-12-31 23:59:59.999999+00", "0.25"), ("2090-01-01 00:00:00+00", "0.5"), ("2090-01-01 00:00:00.000001+00", "0.5")]
    {
        client.run(&format!("SET credit.clock = '{clock}'; SET credit.max_backdating_days = 36500"));
        let posting = client.text("SELECT credit_charge('acme', 'input', 1000)");
        assert_eq!(client.text(&format!("SELECT - amount FROM credit.entry WHERE posting = {posting}")), expected, "{clock}");
        // Late usage is priced as of when it happened.
        client.run("SET credit.clock = '2095-01-01 00:00:00+00'");
        let posting = client.text(&format!("SELECT credit_charge('acme', 'input', 1000, at => '{clock}')"));
        let entry = client.rows(&format!("SELECT - amount, occurred_at = '{clock}' FROM credit.entry WHERE posting = {posting}"));
        assert_eq!(entry, [[expected, "t"]]);
        assert_eq!(client.text(&format!("SELECT credit_price('list', 'input', 1000, at => '{clock}')")), expected);
    }
    client.refusal("SELECT credit_charge('acme', 'input', 1, at => '2001-01-01')").expect(UNKNOWN);
    client.refusal("SELECT credit_charge('acme', 'input', 1, at => '2095-01-01 00:00:00.000001+00')").expect(INVALID);
    database.verify();
}

#[test]
fn a_repeated_charge_returns_the_first_whatever_became_of_the_rate() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    let charge = "SELECT credit_charge('acme', 'input', 1000, member => 'alice', key => 'request-1')";
    let posting = client.text(charge);
    client.run("SELECT credit_rate('list', 'input', credits => 9, per => 1000); SELECT credit_publish('list')");
    assert_eq!(client.text(charge), posting);
    assert_eq!(client.text("SELECT credit_charge('acme', 'input', 1000.0, member => 'alice', key => 'request-1')"), posting);
    client.run("SELECT credit_rate('list', 'input', withdraw => true); SELECT credit_publish('list')");
    client.refusal("SELECT credit_charge('acme', 'input', 1000)").expect(UNKNOWN);
    assert_eq!(client.text(charge), posting);
    for other in [
        "credit_charge('acme', 'input', 1001, member => 'alice', key => 'request-1')",
        "credit_charge('acme', 'output', 1000, member => 'alice', key => 'request-1')",
        "credit_charge('acme', 'input', 1000, member => 'bob', key => 'request-1')",
        "credit_charge('acme', 'input', 1000, member => 'alice', dimensions => '{\"a\": 1}', key => 'request-1')",
        "credit_debit('acme', 0.25, member => 'alice', key => 'request-1')",
    ] {
        client.refusal(&format!("SELECT {other}")).expect(KEY_REUSED);
    }
    assert_eq!(used(&mut client), "0.25");
    database.verify();
}

#[test]
fn a_key_used_by_many_charges_at_once_posts_once() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    let postings = database.clients(8, |_, client| {
        (0..20)
            .map(|round| client.number(&format!("SELECT credit_charge('acme', 'image', 10, key => 'image-{round}')")))
            .collect::<Vec<_>>()
    });
    assert!(postings.iter().all(|of_client| of_client == &postings[0]));
    assert_eq!(used(&mut client), "150", "100 at 1 and 100 at a half");
    assert_eq!(client.text("SELECT quantity FROM credit.rate_usage"), "200", "a repetition uses nothing");
    database.verify();
}

/// What is free up to a bound uses it up all the same, and a repetition does not use it up twice.
#[test]
fn a_charge_that_costs_nothing_uses_its_key_and_its_period() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run(
        "SELECT credit_rate('list', 'trial', credits => 0, tier_from => '{100}', tier_credits => '{1}', \
        tier_scope => 'month'); SELECT credit_publish('list')",
    );
    for _ in 0..2 {
        assert_eq!(client.ask("SELECT credit_charge('acme', 'trial', 60, key => 'free')"), Ok(None));
        assert_eq!(
            client.ask("SELECT credit_charge_request('acme', ARRAY['trial'], ARRAY[20], key => 'free request')"),
            Ok(None)
        );
        assert_eq!(
            client.rows(
                "SELECT posting FROM credit_charge_many(ARRAY['acme'], ARRAY['trial'], ARRAY[5], keys => ARRAY['free item'])"
            ),
            [[""]]
        );
        assert_eq!(
            client.rows(
                "SELECT posting FROM credit_charge_many(ARRAY['acme'], ARRAY['input'], ARRAY[0], keys => ARRAY['zero item'])"
            ),
            [[""]]
        );
    }
    assert_eq!(client.text("SELECT quantity FROM credit.rate_usage"), "85");
    client.refusal("SELECT credit_charge('acme', 'trial', 61, key => 'free')").expect(KEY_REUSED);
    assert_eq!(price_of(&mut client, "credit_charge('acme', 'trial', 20)"), "5");
    database.verify();
}

#[test]
fn tiers_of_a_period_count_every_charge_of_the_account_once() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    database.clients(8, |number, client| {
        for round in 0..30 {
            let quantity = 1 + (number + round) % 9;
            client.run(&format!("SELECT credit_charge('acme', 'image', {quantity})"));
        }
    });
    let total = client.text("SELECT sum(quantity) FROM credit.entry WHERE operation = 'image'");
    assert_eq!(client.text("SELECT quantity FROM credit.rate_usage"), total);
    let graduated = client.text(&format!(
        "SELECT trim_scale(LEAST({total}, 100) + LEAST(GREATEST({total} - 100, 0), 900) * 0.5 + GREATEST({total} - 1000, \
            0) * 0.25)"
    ));
    assert_eq!(used(&mut client), graduated, "however the charges interleaved");
    // What is next costs what the period has come to, and a price alone counts nothing.
    for _ in 0..2 {
        assert_eq!(client.text("SELECT credit_price(NULL, 'image', 10, account => 'acme')"), "2.5");
    }
    assert_eq!(client.text("SELECT credit_price('list', 'image', 10)"), "10");
    database.verify();
}

#[test]
fn a_period_is_one_of_the_accounts_calendar() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run(
        "SELECT credit_account('berlin', rate_card => 'list', time_zone => 'Europe/Berlin'); SELECT credit_grant('berlin', 1000)",
    );
    client.run("SET credit.clock = '2095-03-31 21:59:59.999999+00'");
    let price = "credit_charge('berlin', 'image', 100)";
    assert_eq!([price_of(&mut client, price), price_of(&mut client, price)], ["100", "50"]);
    // In Berlin it is April by now.
    client.run("SET credit.clock = '2095-03-31 22:00:00+00'");
    assert_eq!(price_of(&mut client, price), "100");
    // Late usage counts for its own period.
    assert_eq!(price_of(&mut client, "credit_charge('berlin', 'image', 100, at => '2095-03-20 12:00:00+00')"), "50");
    assert_eq!(client.rows("SELECT quantity FROM credit.rate_usage ORDER BY period_start"), [["300"], ["100"]]);
    database.verify();
}

#[test]
fn what_is_rolled_back_was_not_used() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run("BEGIN; SELECT credit_charge('acme', 'image', 60); SAVEPOINT s; SELECT credit_charge('acme', 'image', 60)");
    client.run("ROLLBACK TO s; SELECT credit_charge('acme', 'image', 40); COMMIT");
    assert_eq!(used(&mut client), "100");
    client.refusal("SELECT credit_charge('acme', 'image', 1000000)").expect(INSUFFICIENT);
    assert_eq!(client.text("SELECT quantity FROM credit.rate_usage"), "100");
    client.run("BEGIN; SELECT credit_charge('acme', 'image', 60); ROLLBACK");
    assert_eq!(client.text("SELECT quantity FROM credit.rate_usage"), "100");
    database.verify();
}

#[test]
fn a_charge_of_a_period_waits_for_the_one_before_it() {
    let (database, mut first) = Database::with_rates_of_each_kind();
    let mut second = database.connect();
    let backend = second.backend();
    first.run("BEGIN; SELECT credit_charge('acme', 'image', 100)");
    let waiting = thread::spawn(move || price_of(&mut second, "credit_charge('acme', 'image', 100)"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    assert_eq!(waiting.join().unwrap(), "50");
    // Another account waits for nobody.
    first.run("SELECT credit_account('globex', rate_card => 'list'); SELECT credit_grant('globex', 100)");
    first.run("BEGIN; SELECT credit_charge('acme', 'image', 100)");
    database.connect().run("SET lock_timeout = '1s'; SELECT credit_charge('globex', 'image', 10)");
    first.run("COMMIT");
    database.verify();
}

#[test]
fn the_quantity_of_a_charge_that_several_lots_pay_adds_up() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run("SELECT credit_account('small', rate_card => 'list')");
    for amount in ["0.1", "0.033333", "0.000001", "1"] {
        client.run(&format!("SELECT credit_grant('small', {amount})"));
    }
    let posting = client.text("SELECT credit_charge('small', 'input', 777.7)");
    let lines = client.rows(&format!("SELECT - amount, quantity FROM credit.entry WHERE posting = {posting} ORDER BY line"));
    assert_eq!(lines.len(), 4, "{lines:?}");
    let sums = client.rows(&format!(
        "SELECT - sum(amount), trim_scale(sum(quantity)), count(DISTINCT rate), \
            bool_and(abs(quantity / - amount - 777.7 / 0.194425) < 0.01)
         FROM credit.entry WHERE posting = {posting}"
    ));
    assert_eq!(sums, [["0.194425", "777.7", "1", "t"]]);
    database.verify();
}

#[test]
fn malformed_charges_are_refused_and_change_nothing() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run("SELECT credit_account('without card')");
    for (call, code) in [
        ("credit_charge('acme', 'input', -1)", INVALID),
        ("credit_charge('acme', 'input', NULL)", INVALID),
        ("credit_charge('acme', 'input', 'NaN')", INVALID),
        ("credit_charge('acme', 'input', 'Infinity')", INVALID),
        ("credit_charge('acme', 'input', 1e15)", "22003"),
        ("credit_charge('acme', 'input', 0.0000000001)", INVALID),
        ("credit_charge('acme', NULL, 1)", INVALID),
        ("credit_charge('acme', '', 1)", INVALID),
        ("credit_charge(NULL, 'input', 1)", INVALID),
        ("credit_charge('acme', 'unknown', 1)", UNKNOWN),
        ("credit_charge('nobody', 'input', 1)", UNKNOWN),
        ("credit_charge('without card', 'input', 1)", UNKNOWN),
        ("credit_charge('acme', 'input', 1, dimensions => '[]')", INVALID),
        ("credit_charge('acme', 'input', 1, dimensions => '{\"a\": null}')", INVALID),
        ("credit_charge('acme', 'input', 1, dimensions => '{\"a\": {}}')", INVALID),
        ("credit_charge('acme', 'report', 999999999999999)", "23514"),
        ("credit_price('list', 'input', -1)", INVALID),
        ("credit_price('unknown', 'input', 1)", UNKNOWN),
        ("credit_price(NULL, 'input', 1)", INVALID),
        ("credit_price('list', 'unknown', 1)", UNKNOWN),
        ("credit_price(NULL, 'input', 1, account => 'nobody')", UNKNOWN),
    ] {
        let refusal = client.refusal(&format!("SELECT {call}")).expect(code);
        assert!(refusal.detail.is_some() && refusal.hint.is_some(), "{call}: {refusal}");
    }
    assert_eq!(used(&mut client), "0");
    assert_eq!(client.number("SELECT count(*) FROM credit.rate_usage"), 0);
    database.verify();
}

#[test]
fn the_default_card_of_the_unit_prices_accounts_without_their_own() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run("SELECT credit_account('plain'); SELECT credit_grant('plain', 10)");
    client.refusal("SELECT credit_charge('plain', 'input', 1000)").expect(UNKNOWN);
    client.run("SELECT credit_rate_card('list', is_default => true)");
    client.run("SELECT credit_charge('plain', 'input', 1000)");
    assert_eq!(client.text("SELECT credit_balance('plain')"), "9.75");
    client.refusal("SELECT credit_account('plain', rate_card => 'unknown')").expect(UNKNOWN);
    database.verify();
}

#[test]
fn a_crowd_charges_one_pool_exactly() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    database.clients(16, |number, client| {
        for _ in 0..50 {
            client.run(&format!("SELECT credit_charge('acme', 'input', 1000, member => 'm{number}')"));
        }
    });
    assert_eq!(used(&mut client), "200", "800 at a quarter");
    assert_eq!(client.text("SELECT sum(quantity) FROM credit.entry WHERE kind = 'debit'"), "800000");
    database.verify();
}

#[test]
fn under_the_stricter_levels_charges_are_repeated_like_debits() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        client.run(&format!(
            "BEGIN ISOLATION LEVEL {level}; SELECT credit_charge('acme', 'input', 1000); \
            SELECT credit_charge('acme', 'image', 1); COMMIT"
        ));
    }
    assert_eq!(used(&mut client), "2.5");
    database.verify();
}

#[test]
fn a_standby_prices() {
    let cluster = Cluster::start(&[]);
    let database = Database::on(&cluster.server());
    let mut primary = database.connect();
    primary.run(
        "SELECT credit_rate_card('list', unit => 'credit', is_default => true); \
            SELECT credit_rate('list', 'input', credits => 0.25, per => 1000);
         SELECT credit_publish('list'); SELECT credit_grant('acme', 10); SELECT credit_charge('acme', 'input', 1000)",
    );
    let standby = cluster.standby();
    let mut reader = standby.server().connect(database.name());
    primary.run("SELECT credit_rate('list', 'input', credits => 0.5, per => 1000); SELECT credit_publish('list')");
    let written = primary.text("SELECT pg_current_wal_lsn()");
    wait_until("the standby has caught up", || reader.text(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}'")) == "t");
    assert_eq!(reader.text("SELECT credit_price('list', 'input', 4808)"), "2.404");
    assert_eq!(reader.text("SELECT credit_price(NULL, 'input', 4808, account => 'acme')"), "2.404");
    reader.refusal("SELECT credit_charge('acme', 'input', 1)").expect("25006");
}

#[test]
fn a_price_of_a_snapshot_is_that_of_the_snapshot() {
    let (database, mut reader) = Database::with_rates_of_each_kind();
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(reader.text("SELECT credit_price('list', 'input', 1000)"), "0.25");
    database.connect().run("SELECT credit_rate('list', 'input', credits => 0.5, per => 1000); SELECT credit_publish('list')");
    assert_eq!(reader.text("SELECT credit_price('list', 'input', 1000)"), "0.25");
    reader.run("COMMIT");
    assert_eq!(reader.text("SELECT credit_price('list', 'input', 1000)"), "0.5");
    database.verify();
}
