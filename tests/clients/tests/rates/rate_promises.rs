//! What a card and a unit promise to customers cannot be got around: notice, units in use, versions that were charged by.

use pg_credit_clients::{Database, Session};

const WRONG_STATE: &str = "55000";
const FORBIDDEN: &str = "42501";
const SERIALIZATION: &str = "40001";

#[test]
fn a_shorter_notice_does_not_shorten_the_one_that_was_promised() {
    let (database, mut client) = Database::with_notice("30 days");
    client.run(
        "SELECT credit_rate_card('list', notice => interval '0'); SELECT credit_rate('list', 'chat', credits => 2, per => 1000)",
    );
    client.refusal("SELECT credit_publish('list')").expect(WRONG_STATE);
    client.refusal("SELECT credit_publish('list', effective_at => now() + interval '29 days')").expect(WRONG_STATE);
    // Not by clearing and setting it in small steps, either.
    client.run(
        "SELECT credit_rate_card('list', notice => interval '1 day'); SELECT credit_rate_card('list', notice => interval '0')",
    );
    client.refusal("SELECT credit_publish('list', effective_at => now() + interval '29 days')").expect(WRONG_STATE);
    client.run("SELECT credit_publish('list', effective_at => now() + interval '31 days')");
    // Once the longer one is over, the shorter one counts.
    client.run("SET credit.clock = '2095-01-01 00:00:00+00'");
    client.run("SELECT credit_rate('list', 'chat', credits => 3, per => 1000); SELECT credit_publish('list')");
    assert_eq!(client.text("SELECT credit_price('list', 'chat', 1000)"), "3");
    database.verify();
}

#[test]
fn a_default_card_keeps_its_notice_while_it_is_not_the_default() {
    let (database, mut client) = Database::with_notice("30 days");
    client.run(
        "SELECT credit_rate_card('general', unit => 'credit', notice => interval '30 days', is_default => true);
        SELECT credit_rate('general', 'chat', credits => 1); SELECT credit_publish('general'); SELECT credit_account('globex')",
    );
    client.run("SELECT credit_rate('general', 'chat', credits => 2)");
    client.refusal("SELECT credit_publish('general')").expect(WRONG_STATE);
    client.run("SELECT credit_rate_card('general', is_default => false)");
    client.refusal("SELECT credit_publish('general')").expect(WRONG_STATE);
    database.verify();
}

/// Who had come to the cheap band of the general rate would begin again in the dear one of the model's own.
#[test]
fn a_rate_that_counts_its_period_anew_needs_notice() {
    let (database, mut client) = Database::with_notice("30 days");
    let tiers = "tier_from => '{100}', tier_credits => '{0.1}', tier_scope => 'month'";
    client.run(&format!("SELECT credit_rate('list', 'image', credits => 1, {tiers}); SELECT credit_publish('list')"));
    client.run("SELECT credit_charge('acme', 'image', 100)");
    client.run(&format!("SELECT credit_rate('list', 'image', credits => 1, {tiers}, dimensions => '{{\"model\": \"a\"}}')"));
    client.refusal("SELECT credit_publish('list')").expect(WRONG_STATE);
    client.run(
        "SELECT credit_rate('list', 'image', credits => 0.1, dimensions => '{\"model\": \"a\"}'); SELECT credit_publish('list')",
    );
    // A version of the same rate counts on.
    client.run(
        "SELECT credit_rate('list', 'image', credits => 0.9, tier_from => '{100}', tier_credits => '{0.05}', \
        tier_scope => 'month');
        SELECT credit_publish('list')",
    );
    assert_eq!(client.text("SELECT credit_price(NULL, 'image', 100, account => 'acme')"), "5");
    database.verify();
}

#[test]
fn what_shall_change_at_now_changes_now() {
    let (database, mut client) = Database::with_notice("0");
    client.run(
        "SELECT credit_rate('list', 'chat', credits => 2, per => 1000); SELECT credit_publish('list', effective_at => now())",
    );
    client.run(
        "BEGIN; SELECT credit_charge('acme', 'chat', 1000); SELECT pg_sleep(0.01);
        SELECT credit_rate('list', 'chat', credits => 3, per => 1000, effective_at => now()); \
            SELECT credit_publish('list'); COMMIT",
    );
    // The charge before it keeps the version that it was charged by.
    assert_eq!(
        client
            .rows("SELECT - e.amount, r.credits, e.occurred_at < r.ended_at FROM credit.entry e JOIN credit.rate r USING (rate)"),
        [["2", "2", "t"]]
    );
    client
        .refusal(
            "SELECT credit_rate('list', 'chat', credits => 4, effective_at => now() - interval '1 ms'), credit_publish('list')",
        )
        .expect(WRONG_STATE);
    client.run("SELECT credit_discard_drafts('list')");
    client.run(
        "SELECT credit_unit('compute', currency => 'USD', fiat_per_credit => 0.01);
        SELECT credit_unit('compute', fiat_per_credit => 0.02, effective_at => now())",
    );
    // A clock that was set is another time: nothing of the transaction's.
    client.run("SET credit.clock = '2095-01-01 00:00:00+00'; SELECT credit_rate('list', 'chat', credits => 5)");
    client.refusal("SELECT credit_publish('list', effective_at => '2090-01-01')").expect(WRONG_STATE);
    database.verify();
}

/// A publisher who does not see what was published meanwhile could neither compare with it nor find a tie.
#[test]
fn a_publisher_with_an_older_snapshot_fails() {
    let (database, mut first) = Database::with_notice("0");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut second = database.connect();
        first.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT credit_price('list', 'chat', 1)"));
        second.run(
            "SELECT credit_rate('list', 'chat', credits => 2, dimensions => '{\"model\": \"a\"}'); SELECT credit_publish('list')",
        );
        first
            .refusal(
                "SELECT credit_rate('list', 'chat', credits => 3, dimensions => '{\"region\": \"eu\"}'), credit_publish('list')",
            )
            .expect(SERIALIZATION);
        first.run("ROLLBACK");
    }
    database.verify();
}

#[test]
fn the_end_of_a_version_only_comes_nearer() {
    let (database, mut client) = Database::with_notice("0");
    client.refusal("UPDATE credit.rate SET ended_at = now() - interval '1 second'").expect(FORBIDDEN);
    client.run(
        "SELECT credit_rate('list', 'chat', credits => 2, per => 1000); \
        SELECT credit_publish('list', effective_at => '2090-01-01')",
    );
    client.refusal("UPDATE credit.rate SET ended_at = '2091-01-01' WHERE credits = 1").expect(FORBIDDEN);
    client.refusal("UPDATE credit.rate SET ended_at = effective_at WHERE credits = 1").expect(FORBIDDEN);
    database.verify();
}

#[test]
fn a_unit_in_use_keeps_what_prices_depend_on() {
    let (database, mut client) = Database::with_notice("0");
    for change in ["rounding = 'up'", "decimals = 2", "unit = 'other'"] {
        client.refusal(&format!("UPDATE credit.unit SET {change} WHERE unit = 'credit'")).expect(WRONG_STATE);
    }
    client.refusal("SELECT credit_unit('credit', rounding => 'up')").expect(WRONG_STATE);
    // From abstract to money in use: a credit would suddenly be a dollar. With its value it stays abstract.
    client.refusal("SELECT credit_unit('credit', currency => 'USD')").expect(WRONG_STATE);
    client.run("SELECT credit_unit('credit', currency => 'USD', fiat_per_credit => 0.01, decimals => 9)");
    client.refusal("UPDATE credit.unit SET currency = 'EUR' WHERE unit = 'credit'").expect(WRONG_STATE);
    // Nobody uses this one.
    client.run("SELECT credit_unit('spare'); SELECT credit_unit('spare', rounding => 'up', decimals => 2, currency => 'EUR')");
    database.verify();
}

#[test]
fn a_unit_has_a_value_from_an_instant_on() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_unit('compute', currency => 'USD', fiat_per_credit => 0.01, effective_at => '2020-01-01')");
    client.run("SELECT credit_unit('compute', fiat_per_credit => 0.02, effective_at => '2090-01-01 00:00:00+00')");
    assert_eq!(client.rows("SELECT fiat_per_credit FROM credit.unit_value ORDER BY effective_at"), [["0.01"], ["0.02"]]);
    client
        .refusal("SELECT credit_unit('compute', fiat_per_credit => 0.03, effective_at => now() - interval '1 hour')")
        .expect(WRONG_STATE);
    for statement in
        ["UPDATE credit.unit_value SET fiat_per_credit = 1", "DELETE FROM credit.unit_value", "TRUNCATE credit.unit_value"]
    {
        client.refusal(statement).expect(FORBIDDEN);
    }
    client.run(
        "SELECT credit_unit('usd', currency => 'USD'); SELECT credit_grant('acme', 1, unit => 'usd'); \
        SELECT credit_grant('acme', 1, unit => 'compute')",
    );
    for change in ["'usd', fiat_per_credit => 0.5", "'usd', currency => 'EUR'", "'compute', currency => 'EUR'"] {
        client.refusal(&format!("SELECT credit_unit({change})")).expect(WRONG_STATE);
    }
    // The same again changes nothing.
    client.run("SELECT credit_unit('compute', currency => 'USD', fiat_per_credit => 0.01)");
    database.verify();
}
