//! Many charges in one call: a batch is its charges one by one, a request is one posting or nothing, and neither deadlocks.

use pg_credit_clients::{Client, Database, Random, Session, price_of, quote};

const INSUFFICIENT: &str = "23514";
const INVALID: &str = "22023";
const KEY_REUSED: &str = "23505";
const UNKNOWN: &str = "P0002";

fn used(client: &mut Client) -> String {
    client.text("SELECT 100000 - credit_balance('acme')")
}

#[test]
fn operations_of_one_request_are_one_posting_or_nothing() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    let request = "SELECT credit_charge_request('acme', ARRAY['input','output','report'], ARRAY[4808,1000,11], \
        member => 'alice', key => 'r-1')";
    let posting = client.text(request);
    assert_eq!(client.text(request), posting);
    let lines = client
        .rows(&format!("SELECT line, operation, quantity, - amount FROM credit.entry WHERE posting = {posting} ORDER BY line"));
    assert_eq!(lines, [["1", "input", "4808", "1.202"], ["2", "output", "1000", "1"], ["3", "report", "11", "4"]]);
    assert_eq!(used(&mut client), "6.202");
    for (call, code) in [
        ("ARRAY['input','nothing'], ARRAY[1000,1]", UNKNOWN),
        ("ARRAY['input','output'], ARRAY[1000,-1]", INVALID),
        ("ARRAY['input','output'], ARRAY[1000]", INVALID),
        ("ARRAY['input','output'], ARRAY[1000,NULL]", INVALID),
        ("ARRAY['input','output'], ARRAY[1000,400000000]", INSUFFICIENT),
    ] {
        client.refusal(&format!("SELECT credit_charge_request('acme', {call}, member => 'bob')")).expect(code);
    }
    assert_eq!(client.ask("SELECT credit_charge_request('acme', ARRAY['input','output'], ARRAY[0,0])"), Ok(None));
    let dimensions = r#"credit_charge_request('acme', ARRAY['output','output','input'], ARRAY[1000,1000,1000],
        dimensions => '{"model": "mini"}')"#;
    assert_eq!(price_of(&mut client, dimensions), "1.25");
    assert_eq!(
        client.text("SELECT string_agg(member, ' ') FROM credit.member"),
        "alice",
        "a request that failed registers nobody"
    );
    database.verify();
}

#[test]
fn in_mode_each_what_does_not_fit_uses_nothing() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run("SELECT credit_account('small', rate_card => 'list'); SELECT credit_grant('small', 120)");
    let rows = client.rows(
        "SELECT item, posting IS NOT NULL, amount, shortfall FROM credit_charge_many(array_fill('small'::text, ARRAY[4]),
             array_fill('image'::text, ARRAY[4]), ARRAY[100, 100, 40, 1], mode => 'each')",
    );
    // 100 at 1; 100 at a half do not fit; 40 at a half do; one more does not.
    assert_eq!(rows, [["1", "t", "100", ""], ["2", "f", "50", "30"], ["3", "t", "20", ""], ["4", "f", "0.5", "0.5"]]);
    assert_eq!(client.text("SELECT quantity FROM credit.rate_usage WHERE account = 'small'"), "140");
    let all = "credit_charge_many(ARRAY['small','acme'], ARRAY['input','input'], ARRAY[1000,1000])";
    client.refusal(&format!("SELECT * FROM {all}")).expect(INSUFFICIENT);
    assert_eq!(used(&mut client), "0");
    database.verify();
}

/// The books of one account are closed until later than the clock says: it goes on from there, and the others are of now.
#[test]
fn in_mode_each_every_account_is_dated_by_its_own_books() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SET credit.clock = '2026-04-01 00:00:00+00'; SELECT credit_rate_card('list', unit => 'credit')");
    client.run(
        "SELECT credit_rate('list', 'image', credits => 1, tier_from => '{100}', tier_credits => '{0.5}', tier_scope => 'month')",
    );
    client.run("SELECT credit_publish('list')");
    for account in ["early", "late"] {
        client.run(&format!("SELECT credit_account('{account}', rate_card => 'list'), credit_grant('{account}', 120)"));
    }
    client.run(
        "SET credit.clock = '2026-05-02 00:00:00+00'; SELECT credit_true_up_terms('late', every => '1 month', commitment => 0)",
    );
    client.run("SELECT count(*) FROM credit_true_up_post('late', '2026-04-01 00:00:00+00', '2026-05-01 00:00:00+00')");
    client.run("SET credit.clock = '2026-04-30 23:00:00+00'");
    let rows = client.rows(
        "SELECT item, posting IS NOT NULL, amount, shortfall FROM credit_charge_many(ARRAY['late', 'early', 'late', 'early', \
            'late'],
             array_fill('image'::text, ARRAY[5]), ARRAY[100, 100, 100, 40, 40], keys => ARRAY['a', 'a', NULL, 'b', 'c'], \
                 mode => 'each')",
    );
    let expected =
        [["1", "t", "100", ""], ["2", "t", "100", ""], ["3", "f", "50", "30"], ["4", "t", "20", ""], ["5", "t", "20", ""]];
    assert_eq!(rows, expected);
    let dated = client.rows(
        "SELECT account, recorded_at::timestamptz AT TIME ZONE 'UTC', occurred_at AT TIME ZONE 'UTC' FROM credit.entry \
            WHERE kind = 'debit' ORDER BY posting",
    );
    let [early, late] = ["2026-04-30 23:00:00", "2026-05-01 00:00:00"];
    let of = |account: &'static str, at: &'static str| [account, at, at];
    assert_eq!(dated.iter().filter(|row| row[0] == "early").collect::<Vec<_>>(), [&of("early", early), &of("early", early)]);
    assert_eq!(dated.iter().filter(|row| row[0] == "late").collect::<Vec<_>>(), [&of("late", late), &of("late", late)]);
    let periods = client.rows("SELECT account, period_start AT TIME ZONE 'UTC', quantity FROM credit.rate_usage ORDER BY 1");
    assert_eq!(periods, [["early", "2026-04-01 00:00:00", "140"], ["late", "2026-05-01 00:00:00", "140"]]);
    database.verify();
}

/// The arguments of one charge.
struct Item {
    operation: &'static str,
    quantity: u64,
    member: Option<&'static str>,
    dimensions: Option<&'static str>,
    key: Option<String>,
}

/// What is charged, some of it more often.
const OPERATIONS: [&str; 6] = ["input", "output", "report", "search", "image", "image"];

fn random_items(random: &mut Random, count: usize) -> Vec<Item> {
    let item = |_| Item {
        operation: OPERATIONS[random.below(OPERATIONS.len() as u64) as usize],
        quantity: random.below(300),
        member: *random.pick(&[Some("alice"), Some("bob"), None]),
        dimensions: *random.pick(&[Some("{\"model\": \"mini\"}"), None]),
        key: None,
    };
    let mut items: Vec<Item> = (0..count).map(item).collect();
    for round in 0..count / 5 {
        // The same request twice, under one key.
        let (from, to) = (random.below(count as u64) as usize, random.below(count as u64) as usize);
        let Item { operation, quantity, member, dimensions, key } = &items[from];
        let key = key.clone().unwrap_or_else(|| format!("key-{round}"));
        let copy = Item { operation, quantity: *quantity, member: *member, dimensions: *dimensions, key: Some(key.clone()) };
        if items[to].key.is_none() {
            items[from].key = Some(key);
            items[to] = copy;
        }
    }
    items
}

fn literal(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), quote)
}

fn array(values: impl Iterator<Item = String>, of: &str) -> String {
    format!("ARRAY[{}]::{of}[]", values.collect::<Vec<_>>().join(","))
}

/// The outcomes of a batch: amount, whether it was posted, shortfall.
fn charge_together(client: &mut Client, account: &str, items: &[Item], mode: &str) -> Vec<Vec<String>> {
    client.rows(&format!(
        "SELECT COALESCE(amount, 0), posting IS NOT NULL, shortfall \
            FROM credit_charge_many(array_fill('{account}'::text, ARRAY[{}]),
             {}, {}, members => {}, dimensions => {}, keys => {}, mode => '{mode}') ORDER BY item",
        items.len(),
        array(items.iter().map(|item| quote(item.operation)), "text"),
        array(items.iter().map(|item| item.quantity.to_string()), "numeric"),
        array(items.iter().map(|item| literal(item.member)), "text"),
        array(items.iter().map(|item| literal(item.dimensions)), "jsonb"),
        array(items.iter().map(|item| literal(item.key.as_deref())), "text"),
    ))
}

/// Charges the items in calls of their own; how many did not fit.
fn charge_one_by_one(client: &mut Client, account: &str, items: &[Item]) -> usize {
    let mut short = 0;
    for item in items {
        let call = format!(
            "SELECT credit_charge('{account}', '{}', {}, member => {}, dimensions => {}, key => {})",
            item.operation,
            item.quantity,
            literal(item.member),
            literal(item.dimensions),
            literal(item.key.as_deref())
        );
        if let Err(refusal) = client.ask(&call) {
            refusal.expect(INSUFFICIENT);
            short += 1;
        }
    }
    short
}

fn books_of(client: &mut Client, account: &str) -> Vec<Vec<String>> {
    let mut books = client.rows(&format!(
        "SELECT operation, member, dimensions, rate, sum(amount), trim_scale(sum(quantity)) FROM credit.entry
         WHERE kind = 'debit' AND account = '{account}' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    ));
    books.extend(
        client.rows(&format!("SELECT operation, quantity FROM credit.rate_usage WHERE account = '{account}' AND quantity > 0")),
    );
    books.extend(client.rows(&format!("SELECT key, result = 0 FROM credit.request WHERE account = '{account}' ORDER BY key")));
    books
        .extend(client.rows(&format!(
            "SELECT lot - min(lot) OVER (), remaining FROM credit.lots WHERE account = '{account}' ORDER BY lot"
        )));
    books
}

#[test]
fn a_batch_of_charges_is_its_charges_one_by_one() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    let mut random = Random::new(4);
    for round in 0..12 {
        let (one, many) = (format!("one-{round}"), format!("many-{round}"));
        // Too little for all of them in every other round.
        let pool = if round % 2 == 0 { 100_000 } else { 60 + random.below(200) };
        client.run(&format!(
            "SELECT credit_account(a, rate_card => 'list'), credit_grant(a, 40, member => 'alice'), credit_grant(a, {pool}) \
                FROM unnest(ARRAY['{one}', '{many}']) a"
        ));
        let items = random_items(&mut random, 40);
        let short = charge_one_by_one(&mut client, &one, &items);
        let outcomes = charge_together(&mut client, &many, &items, "each");
        assert_eq!(outcomes.iter().filter(|outcome| !outcome[2].is_empty()).count(), short, "round {round}");
        assert_eq!(books_of(&mut client, &one), books_of(&mut client, &many), "round {round}");
        // What fits altogether is the same in mode all; what does not changes nothing.
        let all = format!("all-{round}");
        client.run(&format!(
            "SELECT credit_account('{all}', rate_card => 'list'), credit_grant('{all}', 40, member => 'alice'), \
            credit_grant('{all}', {pool})"
        ));
        if short == 0 {
            assert_eq!(charge_together(&mut client, &all, &items, "all"), outcomes, "round {round}");
            assert_eq!(books_of(&mut client, &one), books_of(&mut client, &all), "round {round}");
            // All of it again: keys stand for what was posted.
            let keyed = items.iter().filter(|item| item.key.is_some()).count();
            let again = charge_together(&mut client, &all, &items, "all");
            assert!(again.iter().filter(|outcome| outcome[0] == "0").count() >= keyed);
        }
    }
    database.verify();
}

#[test]
fn a_refusal_names_the_item_although_others_cost_nothing() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    for call in [
        "SELECT * FROM credit_charge_many(array_fill('acme'::text, ARRAY[4]), ARRAY['input','output','input','report'], \
            ARRAY[0,0,1,999999])",
        "SELECT * FROM credit_charge_many(array_fill('acme'::text, ARRAY[4]), ARRAY['image','image','input','report'], \
            ARRAY[0,0,1,999999])",
        "SELECT credit_charge_request('acme', ARRAY['input','output','input','report'], ARRAY[0,0,1,999999])",
        "SELECT credit_charge_request('acme', ARRAY['input','output','input','unknown'], ARRAY[0,0,1,1])",
    ] {
        let refusal = client.refusal(call);
        assert!(refusal.code == INSUFFICIENT || refusal.code == UNKNOWN, "{refusal}");
        assert_eq!(refusal.detail_of("item"), Some("4"), "{call}: {refusal}");
    }
    assert_eq!(used(&mut client), "0");
    assert_eq!(client.number("SELECT count(*) FROM credit.rate_usage"), 0);
    database.verify();
}

#[test]
fn keys_within_a_batch_count_to_a_period_once() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    for mode in ["all", "each"] {
        let batch = format!(
            "SELECT amount, posting = min(posting) OVER () FROM credit_charge_many(array_fill('acme'::text, ARRAY[3]), \
                array_fill('image'::text, ARRAY[3]),
                 ARRAY[10,10,5], keys => ARRAY['{mode} 1','{mode} 1',NULL], mode => '{mode}') ORDER BY item"
        );
        assert_eq!(client.rows(&batch), [["10", "t"], ["", "t"], ["5", "f"]]);
        let other = format!(
            "SELECT * FROM credit_charge_many(array_fill('acme'::text, ARRAY[2]), array_fill('image'::text, ARRAY[2]),
                 ARRAY[1,2], keys => ARRAY['{mode} 2','{mode} 2'], mode => '{mode}')"
        );
        assert_eq!(client.refusal(&other).expect(KEY_REUSED).detail_of("item"), Some("2"));
    }
    assert_eq!(client.text("SELECT quantity FROM credit.rate_usage"), "30");
    database.verify();
}

/// Batches and requests in opposite orders, with single charges between them, on one lot that they all wait for.
#[test]
fn charges_of_periods_in_any_order_do_not_deadlock() {
    let (database, mut client) = Database::with_rates_of_each_kind();
    client.run(
        "SELECT credit_rate('list', 'audio', credits => 1, tier_from => '{100}', tier_credits => '{0.5}', \
        tier_scope => 'day'); SELECT credit_publish('list')",
    );
    database.clients(8, |number, client| {
        client.run("SET credit.max_slots = 1");
        for round in 0..25 {
            let operations = if (number + round) % 2 == 0 { "ARRAY['image','audio']" } else { "ARRAY['audio','image']" };
            client.run(&match number % 4 {
                0 => format!("SELECT credit_charge_request('acme', {operations}, ARRAY[1,1], key => 'r {number} {round}')"),
                1 => format!("SELECT * FROM credit_charge_many(ARRAY['acme','acme'], {operations}, ARRAY[1,1], mode => 'each')"),
                2 => format!(
                    "SELECT * FROM credit_charge_many(ARRAY['acme','acme'], {operations}, ARRAY[1,1], \
                    keys => ARRAY['a {round}', 'b {round}'])"
                ),
                _ => "SELECT credit_charge('acme', 'image', 1), credit_debit('acme', 1)".to_owned(),
            });
        }
    });
    let counted = "SELECT operation, quantity FROM credit.rate_usage ORDER BY operation";
    let charged = "SELECT operation, trim_scale(sum(quantity)) FROM credit.entry WHERE rate IS NOT NULL GROUP BY 1 ORDER BY 1";
    assert_eq!(client.rows(counted), client.rows(charged));
    database.verify();
}
