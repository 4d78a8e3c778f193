//! Rate cards: versions that do not overlap and are never rewritten, publications that serialise, notice, and ties.

use std::thread;
use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Database, Session, wait_until_blocked};

const INVALID: &str = "22023";
const UNKNOWN: &str = "P0002";
const WRONG_STATE: &str = "55000";
const FORBIDDEN: &str = "42501";
const OVERLAP: &str = "23P01";

fn versions(client: &mut Client) -> Vec<Vec<String>> {
    client.rows("SELECT credits, ended_at IS NULL FROM credit.rate WHERE operation = 'chat' ORDER BY effective_at, rate")
}

#[test]
fn a_change_ends_the_old_version_where_the_new_one_begins() {
    let (database, mut client) = Database::with_notice("0");
    let draft = client.text("SELECT credit_rate('list', 'chat', credits => 2, per => 1000)");
    assert_eq!(versions(&mut client), [["1", "t"]], "a draft is no version");
    assert_eq!(client.text("SELECT credit_price('list', 'chat', 1000)"), "1");
    assert_eq!(client.text("SELECT credit_publish('list', effective_at => '2090-01-01 00:00:00+00')"), "1");
    assert_eq!(versions(&mut client), [["1", "f"], ["2", "t"]]);
    assert_eq!(client.text("SELECT rate FROM credit.rate WHERE credits = 2"), draft, "published under the draft's id");
    assert_eq!(client.text("SELECT ended_at = '2090-01-01 00:00:00+00' FROM credit.rate WHERE credits = 1"), "t");
    assert_eq!(client.text("SELECT credit_price('list', 'chat', 1000)"), "1");
    assert_eq!(client.text("SELECT credit_price('list', 'chat', 1000, at => '2090-01-01 00:00:00+00')"), "2");
    assert_eq!(client.number("SELECT count(*) FROM credit.rate_draft"), 0);
    database.verify();
}

#[test]
fn versions_never_change() {
    let (database, mut client) = Database::with_notice("0");
    for statement in [
        "UPDATE credit.rate SET credits = 2",
        "UPDATE credit.rate SET effective_at = '2001-01-01'",
        "UPDATE credit.rate SET note = 'x'",
        "UPDATE credit.rate SET unit_cost = 1",
        "DELETE FROM credit.rate",
        "TRUNCATE credit.rate",
    ] {
        client.refusal(statement).expect(FORBIDDEN);
        client.run("SET session_replication_role = 'replica'");
        client.refusal(statement).expect(FORBIDDEN);
        client.run("RESET session_replication_role");
    }
    client.run("SELECT credit_rate('list', 'chat', credits => 2, per => 1000); SELECT credit_publish('list')");
    client.refusal("UPDATE credit.rate SET ended_at = NULL WHERE credits = 1").expect(FORBIDDEN);
    client.refusal("UPDATE credit.rate SET ended_at = ended_at + interval '1 day' WHERE credits = 1").expect(FORBIDDEN);
    // Not even who owns the table can make versions overlap.
    let insert = "INSERT INTO credit.rate (rate, effective_at, published_at, card, operation, credits, published_by)
        VALUES (nextval('credit.rate_id'), now() + interval '1 day', now(), 'list', 'chat', 3, 'x')";
    client.refusal(insert).expect(OVERLAP);
    database.verify();
}

#[test]
fn two_publishers_at_once_take_turns() {
    let (database, mut first) = Database::with_notice("0");
    let mut second = database.connect();
    let backend = second.backend();
    first.run("SELECT credit_rate('list', 'chat', credits => 2, per => 1000)");
    first.run("BEGIN; SELECT credit_publish('list')");
    let waiting = thread::spawn(move || second.number("SELECT credit_publish('list')"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    assert_eq!(waiting.join().unwrap(), 0, "the drafts were published already");
    assert_eq!(versions(&mut first), [["1", "f"], ["2", "t"]]);
    database.verify();
}

#[test]
fn many_publishers_leave_one_chain_of_versions() {
    let (database, mut client) = Database::with_notice("0");
    database.clients(8, |number, client| {
        for round in 0..10 {
            client.run(&format!("SELECT credit_rate('list', 'chat', credits => {number}.{round}, per => 1000)"));
            client.run("SELECT credit_publish('list')");
        }
    });
    client.run("SELECT credit_publish('list')");
    let gaps = "SELECT count(*) FROM (SELECT ended_at, lead(effective_at) OVER (ORDER BY effective_at, ended_at) AS next \
        FROM credit.rate
        WHERE operation = 'chat' AND ended_at IS DISTINCT FROM effective_at) v WHERE ended_at IS DISTINCT FROM next";
    assert_eq!(client.number(gaps), 0, "each version ends where the next begins");
    assert_eq!(client.number("SELECT count(*) FROM credit.rate WHERE ended_at IS NULL"), 1);
    database.verify();
}

#[test]
fn history_is_not_rewritten() {
    let (database, mut client) = Database::with_notice("0");
    client.run("SELECT credit_charge('acme', 'chat', 1000); SELECT credit_rate('list', 'chat', credits => 2, per => 1000)");
    for past in ["now() - interval '1 second'", "'2020-01-01'"] {
        client.refusal(&format!("SELECT credit_publish('list', effective_at => {past})")).expect(WRONG_STATE);
    }
    assert_eq!(client.number("SELECT count(*) FROM credit.rate_draft"), 1, "an error leaves the drafts");
    client.run("SELECT credit_discard_drafts('list')");
    assert_eq!(client.number("SELECT count(*) FROM credit.rate_draft"), 0);
    // What had no rate at all may get one: nothing was charged by another.
    client.run(
        "SELECT credit_rate('list', 'embed', credits => 1, per => 1000); \
        SELECT credit_publish('list', effective_at => '2020-01-01')",
    );
    client.run("SET credit.max_backdating_days = 36500; SELECT credit_charge('acme', 'embed', 1000, at => '2020-06-01')");
    database.verify();
}

#[test]
fn an_announced_version_is_only_superseded_on_purpose() {
    let (database, mut client) = Database::with_notice("0");
    client.run(
        "SELECT credit_rate('list', 'chat', credits => 2, per => 1000); \
        SELECT credit_publish('list', effective_at => '2090-01-01 00:00:00+00')",
    );
    client.run("SELECT credit_rate('list', 'chat', credits => 3, per => 1000)");
    client.refusal("SELECT credit_publish('list', effective_at => '2080-01-01 00:00:00+00')").expect(WRONG_STATE);
    assert_eq!(client.text("SELECT credit_publish('list', effective_at => '2080-01-01 00:00:00+00', supersede => true)"), "1");
    for (at, price) in [("2079-01-01", "1"), ("2080-01-01 00:00:00+00", "3"), ("2095-01-01", "3")] {
        assert_eq!(client.text(&format!("SELECT credit_price('list', 'chat', 1000, at => '{at}')")), price, "{at}");
    }
    assert_eq!(client.text("SELECT effective_at = ended_at FROM credit.rate WHERE credits = 2"), "t", "it was never in force");
    database.verify();
}

#[test]
fn a_worse_rate_needs_its_notice() {
    let (database, mut client) = Database::with_notice("30 days");
    client.run("SELECT credit_rate('list', 'chat', credits => 2, per => 1000)");
    let refusal = client.refusal("SELECT credit_publish('list', effective_at => now() + interval '10 days')").expect(WRONG_STATE);
    assert!(refusal.hint.as_deref().unwrap_or_default().contains("override_reason"), "{refusal}");
    client
        .refusal("SELECT credit_publish('list', effective_at => now() + interval '30 days' - interval '1 second')")
        .expect(WRONG_STATE);
    let preview = "SELECT operation, old_credits, new_credits, worse FROM credit_publish_preview('list')";
    assert_eq!(client.rows(preview), [["chat", "1", "2", "t"]]);
    assert_eq!(versions(&mut client), [["1", "t"]]);
    client.run("SELECT credit_publish('list', effective_at => now() + interval '30 days 1 second')");
    // Cheaper at once, and the announced one in between is not in the way once it is superseded.
    client
        .run("SELECT credit_rate('list', 'chat', credits => 0.5, per => 1000); SELECT credit_publish('list', supersede => true)");
    assert_eq!(client.text("SELECT credit_price('list', 'chat', 1000)"), "0.5");
    // By override, with a reason that stays.
    client.run("SELECT credit_rate('list', 'chat', credits => 4, per => 1000)");
    client.refusal("SELECT credit_publish('list', override_reason => '')").expect(INVALID);
    client.run("SELECT credit_publish('list', override_reason => 'agreed by mail')");
    assert_eq!(client.text("SELECT override_reason FROM credit.rate WHERE credits = 4"), "agreed by mail");
    database.verify();
}

#[test]
fn notice_also_protects_from_what_looks_harmless() {
    let (database, mut client) = Database::with_notice("30 days");
    for worse in [
        "credits => 1, per => 1000, minimum => 0.01",
        "credits => 1, per => 1000, block => true",
        "credits => 0.5, per => 1000, tier_from => '{10}', tier_credits => '{1.1}'",
        "withdraw => true",
        "credits => 2, per => 1000, dimensions => '{\"model\": \"a\"}'",
    ] {
        client.run(&format!("SELECT credit_rate('list', 'chat', {worse})"));
        client.refusal("SELECT credit_publish('list')").expect(WRONG_STATE);
        client.run("SELECT credit_discard_drafts('list')");
    }
    for fine in [
        "'chat', credits => 1, per => 1000, dimensions => '{\"model\": \"a\"}'",
        "'chat', credits => 1, per => 1000, tier_from => '{10}', tier_credits => '{0.9}'",
        "'a new operation', credits => 100",
    ] {
        client.run(&format!("SELECT credit_rate('list', {fine})"));
        client.run("SELECT credit_publish('list')");
    }
    database.verify();
}

/// A rate for two dimensions outdoes a cheaper one for a third, for usage that has all of them.
#[test]
fn notice_protects_usage_that_a_more_specific_rate_takes_over() {
    let (database, mut client) = Database::with_notice("30 days");
    client.run(
        "SELECT credit_rate('list', 'chat', credits => 0.5, per => 1000, dimensions => '{\"region\": \"eu\"}');
         SELECT credit_publish('list');
         SELECT credit_rate('list', 'chat', credits => 0.8, per => 1000, dimensions => '{\"model\": \"a\", \"size\": \"s\"}')",
    );
    // Cheaper than the general rate, but dearer for the European usage of the model.
    client.refusal("SELECT credit_publish('list')").expect(WRONG_STATE);
    client.run(
        "SELECT credit_rate('list', 'chat', credits => 0.4, per => 1000, dimensions => '{\"model\": \"a\", \"size\": \"s\"}')",
    );
    client.run("SELECT credit_publish('list')");
    // Withdrawn again it leaves its usage to a dearer one.
    client.run("SELECT credit_rate('list', 'chat', dimensions => '{\"model\": \"a\", \"size\": \"s\"}', withdraw => true)");
    client.refusal("SELECT credit_publish('list')").expect(WRONG_STATE);
    database.verify();
}

#[test]
fn a_card_that_nobody_uses_needs_no_notice() {
    let database = Database::new();
    let mut client = database.connect();
    client.run(
        "SELECT credit_account('acme'); SELECT credit_rate_card('list', unit => 'credit', notice => interval '30 days');
         SELECT credit_rate('list', 'chat', credits => 1); SELECT credit_publish('list');
         SELECT credit_rate('list', 'chat', credits => 2); SELECT credit_publish('list');
         SELECT credit_rate_card('list', is_default => true); SELECT credit_rate('list', 'chat', credits => 3)",
    );
    // Now the account uses it, as the default of its unit.
    client.refusal("SELECT credit_publish('list')").expect(WRONG_STATE);
    database.verify();
}

#[test]
fn rates_between_which_a_usage_could_not_choose_are_refused() {
    let (database, mut client) = Database::with_notice("0");
    client.run(
        "SELECT credit_rate('list', 'chat', credits => 2, dimensions => '{\"model\": \"a\"}');
         SELECT credit_rate('list', 'chat', credits => 3, dimensions => '{\"region\": \"eu\"}')",
    );
    client.refusal("SELECT credit_publish('list')").expect(INVALID);
    assert_eq!(client.number("SELECT count(*) FROM credit.rate"), 1);
    client.run("SELECT credit_rate('list', 'chat', credits => 4, dimensions => '{\"region\": \"eu\", \"model\": \"a\"}')");
    assert_eq!(client.text("SELECT credit_publish('list')"), "3");
    for (usage, price) in [
        ("{}", "0.001"),
        (r#"{"model": "a"}"#, "2"),
        (r#"{"region": "eu"}"#, "3"),
        (r#"{"model": "a", "region": "eu", "x": 1}"#, "4"),
    ] {
        assert_eq!(client.text(&format!("SELECT credit_price('list', 'chat', 1, dimensions => '{usage}')")), price, "{usage}");
    }
    // Without the one that decides, it would be a tie again.
    client.run("SELECT credit_rate('list', 'chat', dimensions => '{\"region\": \"eu\", \"model\": \"a\"}', withdraw => true)");
    client.refusal("SELECT credit_publish('list')").expect(INVALID);
    database.verify();
}

#[test]
fn malformed_cards_and_rates_are_refused() {
    let (database, mut client) = Database::with_notice("0");
    client.run("SELECT credit_rate_card('empty', unit => 'credit')");
    for (call, code) in [
        ("credit_unit('u', decimals => 10)", INVALID),
        ("credit_unit('u', decimals => -1)", INVALID),
        ("credit_unit('u', rounding => 'nearest')", INVALID),
        ("credit_unit('u', currency => 'usd')", INVALID),
        ("credit_unit('u', fiat_per_credit => 0.01)", INVALID),
        ("credit_unit('u', currency => 'USD', fiat_per_credit => 0)", INVALID),
        ("credit_unit('u', currency => 'USD', fiat_per_credit => -1)", INVALID),
        ("credit_unit('')", INVALID),
        ("credit_rate_card('c', unit => 'unknown')", UNKNOWN),
        ("credit_rate_card('c', unit => 'credit', notice => interval '-1 day')", INVALID),
        ("credit_rate_card('')", INVALID),
        ("credit_rate('unknown', 'chat', credits => 1)", UNKNOWN),
        ("credit_rate('list', 'chat')", INVALID),
        ("credit_rate('list', 'chat', credits => -1)", INVALID),
        ("credit_rate('list', 'chat', credits => 'NaN')", INVALID),
        ("credit_rate('list', 'chat', credits => 1e15)", "22003"),
        ("credit_rate('list', 'chat', credits => 1, per => 0)", INVALID),
        ("credit_rate('list', 'chat', credits => 1, per => -1)", INVALID),
        ("credit_rate('list', 'chat', credits => 1, minimum => 0)", INVALID),
        ("credit_rate('list', 'chat', credits => 1, tier_from => '{10}')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, tier_from => '{10,5}', tier_credits => '{1,1}')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, tier_from => '{0}', tier_credits => '{1}')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, tier_from => '{1}', tier_credits => '{1,2}')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, tier_from => '{1}', tier_credits => '{NULL}')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, tier_from => '{1}', tier_credits => '{1}', tier_scope => 'week')", INVALID),
        (
            "credit_rate('list', 'chat', credits => 1, block => true, tier_from => '{1}', tier_credits => '{1}', \
                tier_scope => 'month')",
            INVALID,
        ),
        ("credit_rate('list', 'chat', credits => 1, unit_cost => -1)", INVALID),
        ("credit_rate('list', 'chat', credits => 1, dimensions => '[1]')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, dimensions => '{\"a\": []}')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, effective_at => 'infinity')", INVALID),
        ("credit_rate('list', 'chat', credits => 1, withdraw => true)", INVALID),
        ("credit_publish('unknown')", UNKNOWN),
        ("credit_publish(NULL)", INVALID),
        ("credit_publish('list', effective_at => '-infinity')", INVALID),
    ] {
        let refusal = client.refusal(&format!("SELECT {call}")).expect(code);
        assert!(refusal.detail.is_some() && refusal.hint.is_some(), "{call}: {refusal}");
    }
    assert_eq!(client.number("SELECT count(*) FROM credit.rate_draft"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.unit"), 1);
    database.verify();
}

#[test]
fn five_thousand_rates_are_published_in_one_step_and_do_not_matter_to_a_charge() {
    let (database, mut client) = Database::with_notice("30 days");
    client.run("SELECT count(credit_rate('list', 'operation ' || i, credits => i, per => 1000)) FROM generate_series(1, 5000) i");
    assert_eq!(client.text("SELECT credit_publish('list')"), "5000");
    assert_eq!(client.text("SELECT credit_price('list', 'operation 4321', 1000)"), "4321");
    client.run("SELECT credit_charge('acme', 'operation 7', 1000)");
    assert_eq!(client.text("SELECT credit_balance('acme')"), "993");
    database.verify();
}

/// A model may be a dimension instead of an operation of its own.
#[test]
fn thousands_of_rates_of_one_operation_do_not_matter_to_a_charge_either() {
    let (database, mut client) = Database::with_notice("30 days");
    client.run(
        "SELECT count(credit_rate('list', 'chat', credits => 0.0001 * i, per => 1000, \
        dimensions => jsonb_build_object('model', 'm' || i)))
        FROM generate_series(1, 5000) i",
    );
    assert_eq!(client.text("SELECT credit_publish('list')"), "5000");
    let began = Instant::now();
    for model in [1, 4321] {
        let dimensions = format!("'{{\"model\": \"m{model}\", \"region\": \"eu\"}}'");
        let expected = client.text(&format!("SELECT trim_scale(0.0001 * {model})"));
        assert_eq!(client.text(&format!("SELECT credit_price('list', 'chat', 1000, dimensions => {dimensions})")), expected);
        client.run(&format!("SELECT credit_charge('acme', 'chat', 1000, dimensions => {dimensions})"));
        client.run(&format!(
            "SELECT count(credit_charge('acme', 'chat', 1, dimensions => {dimensions})) FROM generate_series(1, 1000)"
        ));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?} for 2,000 charges", began.elapsed());
    assert_eq!(client.text("SELECT credit_price('list', 'chat', 1000, dimensions => '{\"model\": \"other\"}')"), "1");
    database.verify();
}
