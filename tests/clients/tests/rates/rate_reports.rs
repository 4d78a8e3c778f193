//! Documents, repricing and its preview: what goes out comes in, and what is foretold is what is charged.

use pg_credit_clients::{Client, Database, Random, Session, quote};

/// A card with every kind of rate.
const CARD: &str = "
    SELECT credit_unit('compute', decimals => 6, rounding => 'half_up', currency => 'USD', fiat_per_credit => 0.01);
    SELECT credit_rate_card('list', unit => 'compute', notice => interval '1 month 2 days 03:04:05.6', is_default => true,
        agreement => 'contract 7', note => 'for all');
    SELECT credit_rate('list', 'chat', credits => 0.123456789012345678, per => 1000, unit_cost => 0.000000000000000001, \
        note => 'exact');
    SELECT credit_rate('list', 'chat', credits => 3, per => 1000, dimensions => '{\"model\": \"large\", \"fast\": true}');
    SELECT credit_rate('list', 'report', credits => 2, per => 10, block => true, minimum => 1.5);
    SELECT credit_rate('list', 'speech', credits => 1, per => 3, tier_from => '{1000,5000}', tier_credits => '{0.5,0.25}', \
        tier_scope => 'month');
    SELECT credit_rate('list', 'free', credits => 0);
    SELECT credit_publish('list')";

fn export(session: &mut Client) -> String {
    session.text("SELECT credit_export_rate_card('list')")
}

#[test]
fn a_card_comes_in_as_it_went_out() {
    let (here, there) = (Database::new(), Database::new());
    let (mut out, mut into) = (here.connect(), there.connect());
    out.run(CARD);
    let document = export(&mut out);
    let import = |publish| format!("SELECT credit_import_rate_card({}, publish => {publish})", quote(&document));
    assert_eq!(into.text(&import(true)), "5");
    assert_eq!(export(&mut into), document);
    // What is in force already makes no version again.
    assert_eq!(into.text(&import(true)), "0");
    assert_eq!(into.number("SELECT count(*) FROM credit.rate"), 5);
    for operation in ["chat", "report", "speech", "free"] {
        let price = format!("SELECT credit_price('list', '{operation}', 7777)");
        assert_eq!(into.text(&price), out.text(&price), "{operation}");
    }
    there.verify();
}

#[test]
fn an_import_prepares_or_publishes_all_or_nothing() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(CARD);
    let dearer = "jsonb_set(credit_export_rate_card('list'), '{rates,2,credits}', '5')";
    assert_eq!(session.text(&format!("SELECT credit_import_rate_card({dearer})")), "1");
    assert_eq!(session.number("SELECT count(*) FROM credit.rate_draft"), 1);
    assert_eq!(session.number("SELECT credit_discard_drafts('list')"), 1);
    // Dearer without notice for accounts that use the card: refused as publishing is, and no draft is left.
    session.run("SELECT credit_account('acme', unit => 'compute', rate_card => 'list')");
    session.refusal(&format!("SELECT credit_import_rate_card({dearer}, publish => true)")).expect("55000");
    assert_eq!(session.number("SELECT count(*) FROM credit.rate_draft"), 0);
    // Somebody else's draft does not go along.
    session.run("SELECT credit_rate('list', 'other', credits => 1)");
    session.refusal("SELECT credit_import_rate_card(credit_export_rate_card('list'), publish => true)").expect("55000");
    // A unit that is another here is not changed by a document.
    let other_unit = "jsonb_set(credit_export_rate_card('list'), '{unit,fiat_per_credit}', '0.02')";
    session.refusal(&format!("SELECT credit_import_rate_card({other_unit})")).expect("55000");
    for (path, value) in [("{rates,0,per}", "0"), ("{rates,0,credits}", "-1"), ("{format}", "\"x\""), ("{notice}", "\"-1 day\"")]
    {
        let broken = format!("jsonb_set(credit_export_rate_card('list'), '{path}', '{value}')");
        session.refusal(&format!("SELECT credit_import_rate_card({broken})")).expect("22023");
    }
    session.refusal("SELECT credit_import_rate_card('[]')").expect("22023");
    session.refusal("SELECT credit_import_rate_card(NULL)").expect("22023");
    session.refusal("SELECT credit_import_rate_card(credit_export_rate_card('list') || '{\"more\": 1}')").expect("22023");
    database.verify();
}

/// What the preview says of an account's usage is what charging that usage by the published draft takes.
#[test]
fn a_preview_foretells_what_is_charged() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SET timezone = 'UTC'; SET credit.clock = '2026-03-20 12:00:00+00'");
    session.run(CARD);
    session.run(
        "SELECT credit_account('acme', unit => 'compute', rate_card => 'list', time_zone => 'Pacific/Auckland');
         SELECT credit_account('umbrella', unit => 'compute', rate_card => 'list');
         SELECT credit_grant('acme', 100000), credit_grant('umbrella', 100000)",
    );
    let mut random = Random::new(7);
    let mut calls = Vec::new();
    for turn in 0..120 {
        let account = *random.pick(&["acme", "umbrella"]);
        let operation = *random.pick(&["chat", "report", "speech"]);
        let dimensions = *random.pick(&["{}", "{\"model\": \"large\", \"fast\": true, \"region\": \"eu\"}"]);
        // Across the end of March in Auckland, which is half a day ahead.
        let clock = format!("2026-03-{} {:02}:30:00+00", 21 + turn / 12, turn % 24);
        calls.push((clock, account, operation, 1 + random.below(900), dimensions));
    }
    let charge = |call: &(String, &str, &str, u64, &str)| {
        format!(
            "SET credit.clock = '{}'; SELECT credit_charge('{}', '{}', {}, dimensions => '{}')",
            call.0, call.1, call.2, call.3, call.4
        )
    };
    for call in &calls {
        session.run(&charge(call));
    }
    session.run("SET credit.clock = '2026-04-02 00:00:00+00'");
    session.run(
        "SELECT credit_rate('list', 'chat', credits => 0.1, per => 1000, minimum => 0.01);
         SELECT credit_rate('list', 'chat', credits => 0.05, per => 1000, dimensions => '{\"region\": \"eu\", \"fast\": true, \
             \"model\": \"large\"}');
         SELECT credit_rate('list', 'report', credits => 1, per => 7, block => true);
         SELECT credit_rate('list', 'speech', credits => 1, per => 4, tier_from => '{2000,4000}', tier_credits => '{0.4,0.1}', \
             tier_scope => 'month')",
    );
    let foretold = session.rows("SELECT account, charged, would_be, unpriced FROM credit_reprice_preview('list', days => 20)");
    assert_eq!(
        session.rows("SELECT account, charged, would_be, unpriced FROM credit_reprice_preview('list', 'acme', 20)"),
        foretold[..1]
    );
    // The same usage charged anew, in another database whose only rates are the drafts.
    let other = Database::new();
    let mut anew = other.connect();
    anew.run("SET timezone = 'UTC'; SET credit.clock = '2026-03-01 12:00:00+00'");
    anew.run(CARD);
    anew.run(
        "SELECT credit_rate('list', 'chat', credits => 0.1, per => 1000, minimum => 0.01);
         SELECT credit_rate('list', 'chat', credits => 0.05, per => 1000, dimensions => '{\"region\": \"eu\", \"fast\": true, \
             \"model\": \"large\"}');
         SELECT credit_rate('list', 'report', credits => 1, per => 7, block => true);
         SELECT credit_rate('list', 'speech', credits => 1, per => 4, tier_from => '{2000,4000}', tier_credits => '{0.4,0.1}', \
             tier_scope => 'month');
         SET credit.clock = '2026-03-02 12:00:00+00';
         SELECT credit_publish('list');
         SELECT credit_account('acme', unit => 'compute', rate_card => 'list', time_zone => 'Pacific/Auckland');
         SELECT credit_account('umbrella', unit => 'compute', rate_card => 'list');
         SELECT credit_grant('acme', 100000), credit_grant('umbrella', 100000)",
    );
    for call in &calls {
        anew.run(&charge(call));
    }
    let spent =
        "SELECT account, trim_scale(-sum(amount)) FROM credit.entry WHERE kind = 'debit' GROUP BY account ORDER BY account";
    let (before, after) = (session.rows(spent), anew.rows(spent));
    let told: Vec<Vec<String>> = foretold.iter().map(|row| row[..2].to_vec()).collect();
    assert_eq!(told, before, "what was charged");
    let told: Vec<Vec<String>> = foretold.iter().map(|row| vec![row[0].clone(), row[2].clone()]).collect();
    assert_eq!(told, after, "what would have been");
    assert!(foretold.iter().all(|row| row[3] == "0"), "{foretold:?}");
    // Of the days asked for only; what came before fills the bands of the month.
    let few = session.rows("SELECT account, charged FROM credit_reprice_preview('list', days => 3)");
    let since = "SELECT account, trim_scale(-sum(amount)) FROM credit.entry WHERE kind = 'debit' \
        AND occurred_at >= '2026-03-30 00:00:00+00'
        GROUP BY account ORDER BY account";
    assert_eq!(few, session.rows(since));
    other.verify();
    database.verify();
}

#[test]
fn a_withdrawn_rate_leaves_its_usage_unpriced() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(CARD);
    session.run(
        "SELECT credit_account('acme', unit => 'compute', rate_card => 'list'); SELECT credit_grant('acme', 100);
         SELECT credit_charge('acme', 'report', 10), credit_charge('acme', 'speech', 30);
         SELECT credit_rate('list', 'report', withdraw => true)",
    );
    let preview = "SELECT charged, would_be, difference, change_percent, unpriced FROM credit_reprice_preview('list')";
    assert_eq!(session.rows(preview), [["12", "10", "0", "0", "2"]]);
    session.refusal("SELECT * FROM credit_reprice_preview('none')").expect("P0002");
    session.refusal("SELECT * FROM credit_reprice_preview('list', account => 'none')").expect("P0002");
    session.refusal("SELECT * FROM credit_reprice_preview('list', days => 0)").expect("22023");
}

#[test]
fn repricing_prepares_what_publishing_makes_of_it() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SELECT credit_unit('compute', currency => 'USD', fiat_per_credit => 0.01); \
            SELECT credit_rate_card('list', unit => 'compute');
         SELECT credit_rate('list', 'chat', credits => 0.25, per => 1000, unit_cost => 0.000001); SELECT credit_publish('list')",
    );
    let columns = "old_credits, new_credits, change_percent, margin_before, margin_after";
    for (arguments, expected) in [
        ("'pass_through'", ["0.25", "0.2", "-20", "0.6", "0.6"]),
        ("'hold'", ["0.25", "0.25", "0", "0.6", "0.68"]),
        ("'adjust', target_margin => 0.5", ["0.25", "0.16", "-36", "0.6", "0.5"]),
    ] {
        let sql = format!("SELECT {columns} FROM credit_reprice('list', 'chat', 0.0000008, {arguments})");
        assert_eq!(session.rows(&sql), [expected], "{arguments}");
        assert_eq!(session.number("SELECT count(*) FROM credit.rate_draft"), 1, "each takes the place of the one before");
    }
    assert_eq!(session.text("SELECT credit_price('list', 'chat', 1000)"), "0.25", "a draft charges nobody");
    session.run("SELECT credit_publish('list')");
    assert_eq!(session.text("SELECT credit_price('list', 'chat', 1000)"), "0.16");
    assert_eq!(session.rows("SELECT price, cost, margin_percent FROM credit.margin"), [["0.0000016", "0.0000008", "50"]]);
    for (call, code) in [
        ("'none', 'chat', 1, 'hold'", "P0002"),
        ("'list', 'none', 1, 'hold'", "P0002"),
        ("'list', 'chat', 1, 'hold', dimensions => '{\"model\": \"x\"}'", "P0002"),
        ("'list', 'chat', -1, 'hold'", "22023"),
        ("'list', 'chat', 1, 'sometimes'", "22023"),
        ("'list', 'chat', 1, 'hold', target_margin => 0.5", "22023"),
        ("'list', 'chat', 1, 'adjust'", "22023"),
        ("'list', 'chat', 1, 'adjust', target_margin => 1", "22023"),
        ("'list', 'chat', 0.000000000000000001, 'pass_through'", "22003"),
        ("'list', 'chat', NULL, 'hold'", "22023"),
    ] {
        session.refusal(&format!("SELECT * FROM credit_reprice({call})")).expect(code);
    }
    assert_eq!(session.number("SELECT count(*) FROM credit.rate_draft"), 0, "an error leaves nothing");
    database.verify();
}
