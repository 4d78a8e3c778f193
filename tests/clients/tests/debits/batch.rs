//! Batches: the same entries as debiting one by one in input order, all or each, keys per item, beside everything else.

use std::sync::atomic::{AtomicI64, Ordering};

use std::thread;

use pg_credit_clients::{Client, Database, Random, Refusal, Session, quote, wait_until_blocked};

const INSUFFICIENT: &str = "23514";

/// One debit, without the account.
#[derive(Clone, Debug)]
struct Item {
    account: u64,
    amount: u64,
    member: Option<&'static str>,
    operation: Option<&'static str>,
    key: Option<u64>,
}

fn random_item(random: &mut Random) -> Item {
    Item {
        account: random.below(3),
        amount: 1 + random.below(9),
        member: *random.pick(&[None, Some("alice"), Some("bob"), Some("carol")]),
        operation: *random.pick(&[None, None, Some("chat"), Some("image")]),
        key: *random.pick(&[None, None, None, Some(1), Some(2), Some(3)]),
    }
}

/// Grants the same lots to the accounts of both twins, `batch-N` and `single-N`; `metadata` says which lot is which.
fn grant_twins(client: &mut Client, random: &mut Random) {
    for account in 0..3 {
        for lot in 0..1 + random.below(8) {
            let amount = 1 + random.below(25);
            let member = *random.pick(&["NULL", "NULL", "'alice'", "'bob'"]);
            let scope = *random.pick(&["NULL", "NULL", "ARRAY['chat']", "ARRAY['chat','image']"]);
            let expiry = *random.pick(&["NULL", "'1 day'", "'2 days'"]);
            for twin in ["batch", "single"] {
                client.run(&format!(
                    "SELECT credit_grant('{twin}-{account}', {amount}, member => {member}, applies_to => {scope},
                         expires_after => {expiry}, metadata => '{{\"lot\": {lot}}}')"
                ));
            }
        }
    }
}

fn optional(text: Option<impl AsRef<str>>) -> String {
    text.map_or("NULL".into(), |text| quote(text.as_ref()))
}

fn array(elements: impl Iterator<Item = String>) -> String {
    format!("ARRAY[{}]", elements.collect::<Vec<_>>().join(","))
}

/// The batch's outcomes: `item|posted or shortfall`, and whether two items have the same posting.
fn debit_batch(client: &mut Client, items: &[Item]) -> Vec<String> {
    let call = format!(
        "SELECT CASE WHEN posting IS NULL THEN 'short' ELSE (dense_rank() OVER (ORDER BY posting))::text END
         FROM credit_debit_many({}::text[], {}::numeric[], members => {}::text[], operations => {}::text[], keys => {}::text[],
             mode => 'each') ORDER BY item",
        array(items.iter().map(|item| quote(&format!("batch-{}", item.account)))),
        array(items.iter().map(|item| item.amount.to_string())),
        array(items.iter().map(|item| optional(item.member))),
        array(items.iter().map(|item| optional(item.operation))),
        array(items.iter().map(|item| optional(key(item)))),
    );
    client.rows(&call).into_iter().map(|row| row[0].clone()).collect()
}

/// A key stands for one body: the item's own words are in it.
fn key(item: &Item) -> Option<String> {
    item.key.map(|key| format!("{key}-{}-{:?}-{:?}", item.amount, item.member, item.operation))
}

fn debit_one_by_one(client: &mut Client, items: &[Item]) -> Vec<String> {
    let mut postings: Vec<Option<i64>> = Vec::new();
    for item in items {
        let posting = client.ask(&format!(
            "SELECT credit_try_debit('single-{}', {}, member => {}, operation => {}, key => {})",
            item.account,
            item.amount,
            optional(item.member),
            optional(item.operation),
            optional(key(item)),
        ));
        postings.push(posting.expect("a debit that is not refused with an error").map(|text| text.parse().unwrap()));
    }
    let mut known: Vec<i64> = postings.iter().flatten().copied().collect();
    known.sort_unstable();
    known.dedup();
    let rank = |posting| (known.binary_search(&posting).unwrap() + 1).to_string();
    postings.into_iter().map(|posting| posting.map_or("short".into(), rank)).collect()
}

/// All that a twin's ledger says, but the ids.
fn ledger(client: &mut Client, twin: &str) -> Vec<Vec<String>> {
    client.rows(&format!(
        "SELECT right(e.account, 1), dense_rank() OVER (PARTITION BY e.account ORDER BY e.posting), e.line, e.kind, \
            e.amount::text,
             l.metadata ->> 'lot', COALESCE(e.member, '-'), COALESCE(e.operation, '-')
         FROM credit.entry e JOIN credit.lot l USING (account, lot) WHERE e.account LIKE '{twin}-%' AND e.kind = 'debit'
         ORDER BY e.account, e.posting, e.line"
    ))
}

fn members_and_keys(client: &mut Client, twin: &str) -> Vec<Vec<String>> {
    client.rows(&format!(
        "SELECT right(account, 1), member FROM credit.member WHERE account LIKE '{twin}-%'
         UNION ALL SELECT right(account, 1), 'key ' || key FROM credit.request WHERE account LIKE '{twin}-%' ORDER BY 1, 2"
    ))
}

#[test]
fn a_batch_is_what_debiting_one_by_one_is() {
    for seed in 0..25 {
        let database = Database::new();
        let mut client = database.connect();
        let mut random = Random::new(seed);
        grant_twins(&mut client, &mut random);
        for round in 0..3 {
            let items: Vec<_> = (0..1 + random.below(20)).map(|_| random_item(&mut random)).collect();
            let case = format!("seed {seed}, round {round}: {items:?}");
            let batch = debit_batch(&mut client, &items);
            assert_eq!(batch, debit_one_by_one(&mut client, &items), "outcomes of {case}");
            assert_eq!(ledger(&mut client, "batch"), ledger(&mut client, "single"), "ledgers after {case}");
            assert_eq!(members_and_keys(&mut client, "batch"), members_and_keys(&mut client, "single"), "traces of {case}");
            database.verify();
        }
    }
}

#[test]
fn under_repeatable_read_it_is_the_same() {
    let database = Database::new();
    let mut client = database.connect();
    let mut random = Random::new(77);
    grant_twins(&mut client, &mut random);
    let items: Vec<_> = (0..40).map(|_| random_item(&mut random)).collect();
    client.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    let batch = debit_batch(&mut client, &items);
    assert_eq!(batch, debit_one_by_one(&mut client, &items));
    assert_eq!(ledger(&mut client, "batch"), ledger(&mut client, "single"));
    client.run("COMMIT");
    database.verify();
}

#[test]
fn all_or_nothing_leaves_nothing() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 10), credit_grant('beta', 3)");
    let refusal = client
        .refusal(
            "SELECT * FROM credit_debit_many(ARRAY['acme','beta','acme'], ARRAY[4,5,1], \
            members => ARRAY['new','new','new'], keys => ARRAY['a','b','c'])",
        )
        .expect(INSUFFICIENT);
    assert_eq!(refusal.detail_of("item"), Some("2"));
    assert_eq!(refusal.detail_of("requested"), Some("5"));
    assert_eq!(refusal.detail_of("available"), Some("3"));
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.request"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.member"), 0);
    // What was missing counts what the items before took.
    let shortfalls = client.rows(
        "SELECT COALESCE(shortfall::text, 'posted') FROM credit_debit_many(ARRAY['acme','acme','beta'], ARRAY[8, 5, 3.5], \
            mode => 'each')",
    );
    assert_eq!(shortfalls, [["posted"], ["3"], ["0.5"]]);
    database.verify();
}

#[test]
fn the_json_form_says_the_same() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 10)");
    let rows = client.rows(
        r#"SELECT item, posting IS NOT NULL, COALESCE(shortfall::text, '-') FROM credit_debit_many_json('[
               {"account": "acme", "amount": 2.5, "member": "alice", "operation": "chat", "key": "k", "metadata": {"n": 1}},
               {"account": "acme", "amount": "7.5", "at": "2026-01-01T00:00:00Z"},
               {"account": "acme", "amount": 1}]', mode => 'each')"#,
    );
    assert_eq!(rows, [["1", "t", "-"], ["2", "t", "-"], ["3", "f", "1"]]);
    let repeated =
        r#"SELECT credit_debit('acme', 2.5, member => 'alice', operation => 'chat', key => 'k', metadata => '{"n": 1}')"#;
    assert_eq!(client.text(repeated), client.text("SELECT min(posting) FROM credit.entry WHERE kind = 'debit'"));
    for broken in [r#"{"account": "acme"}"#, r#"[{"account": "acme", "amount": 1, "colour": "red"}]"#, "[1]"] {
        client.refusal(&format!("SELECT * FROM credit_debit_many_json('{broken}'::jsonb)")).expect("22023");
    }
    database.verify();
}

#[test]
fn arrays_that_do_not_belong_together_are_refused() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 10)");
    for call in [
        "credit_debit_many(ARRAY['acme'], ARRAY[1, 2])",
        "credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 2], members => ARRAY['alice'])",
        "credit_debit_many(NULL, ARRAY[1])",
        "credit_debit_many(ARRAY['acme', NULL], ARRAY[1, 1])",
        "credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 0])",
        "credit_debit_many(ARRAY['acme'], ARRAY[1], mode => 'some')",
        "credit_debit_many(array_fill('acme'::text, ARRAY[100001]), array_fill(1::numeric, ARRAY[100001]))",
    ] {
        client.refusal(&format!("SELECT * FROM {call}")).expect("22023");
    }
    assert_eq!(client.number("SELECT count(*) FROM credit_debit_many(ARRAY[]::text[], ARRAY[]::numeric[])"), 0);
    assert_eq!(client.text("SELECT credit_balance('acme')"), "10");
}

#[test]
fn batches_and_single_debits_drain_the_same_pools() {
    const POOLS: u64 = 6;
    let database = Database::new();
    let mut client = database.connect();
    // Lots of 50 and debits of 7 and 3: hardly a batch stays within one lot.
    client.run(&format!(
        "SELECT count(credit_grant('pool-' || pool, 50)) FROM generate_series(0, {}) pool, generate_series(1, 20) lot",
        POOLS - 1
    ));
    let debited = AtomicI64::new(0);
    database.clients(8, |number, client| {
        let mut random = Random::new(number as u64);
        let mut misses = 0;
        while misses < 12 {
            let taken =
                if number % 2 == 0 { take_batch(client, &mut random, POOLS) } else { take_one(client, &mut random, POOLS) };
            misses = if taken == 0 { misses + 1 } else { 0 };
            debited.fetch_add(taken, Ordering::Relaxed);
        }
    });
    let left = client.number("SELECT COALESCE(sum(available), 0)::bigint FROM credit.balances");
    assert_eq!(left + debited.load(Ordering::Relaxed), POOLS as i64 * 1000);
    assert!(left < POOLS as i64 * 7, "nobody was refused what was there: {left} left");
    database.verify();
}

/// Debits 10 times 7 or 3 from any pools; how much that was.
fn take_batch(client: &mut Client, random: &mut Random, pools: u64) -> i64 {
    let items: Vec<_> = (0..10).map(|_| (random.below(pools), *random.pick(&[7_i64, 3]))).collect();
    let rows = client.rows(&format!(
        "SELECT posting IS NOT NULL FROM credit_debit_many({}, {}, mode => 'each') ORDER BY item",
        array(items.iter().map(|(pool, _)| quote(&format!("pool-{pool}")))),
        array(items.iter().map(|(_, amount)| amount.to_string())),
    ));
    items.iter().zip(rows).filter(|(_, row)| row[0] == "t").map(|((_, amount), _)| amount).sum()
}

fn take_one(client: &mut Client, random: &mut Random, pools: u64) -> i64 {
    let (pool, amount) = (random.below(pools), *random.pick(&[7_i64, 3]));
    let posting = client.ask(&format!("SELECT credit_try_debit('pool-{pool}', {amount})")).expect("a debit without an error");
    if posting.is_some() { amount } else { 0 }
}

/// A batch of alice's and a new member's that waits for another debit, while `change` is made; how it ended.
fn change_during_a_wait(database: &Database, mode: &str, change: &str) -> Result<Option<String>, Refusal> {
    let (mut holder, mut admin, mut batch) = (database.connect(), database.connect(), database.connect());
    admin.run(
        "SELECT credit_account('acme', pooling => 'pooled'); SELECT credit_member('acme', 'alice', department => 'sales', \
            active => true);
         SELECT credit_grant('acme', 100)",
    );
    holder.run("BEGIN; SELECT credit_debit('acme', 1) FROM generate_series(1, (SELECT sum(slots) FROM credit.lot) * 3)");
    let backend = batch.backend();
    let debits = format!(
        "SELECT count(posting) FROM credit_debit_many(ARRAY['acme', 'acme', 'acme'], ARRAY[2, 2, 2], mode => '{mode}',
             members => ARRAY[NULL, 'alice', 'new {backend}'])"
    );
    thread::scope(|scope| {
        let waiting = scope.spawn(|| batch.ask(&debits));
        wait_until_blocked(&mut admin, backend);
        admin.run(change);
        holder.run("ROLLBACK");
        waiting.join().expect("the batch's client")
    })
}

#[test]
fn what_changes_while_a_batch_waits_holds_for_it() {
    for mode in ["all", "each"] {
        let database = Database::new();
        let mut client = database.connect();
        let deactivate = "SELECT credit_member('acme', 'alice', active => false)";
        let refusal = change_during_a_wait(&database, mode, deactivate).unwrap_err().expect("55000");
        assert_eq!(refusal.detail_of("item"), Some("2"));
        assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), 0);
        assert_eq!(client.number("SELECT count(*) FROM credit.member"), 1, "the new member is not registered");

        let move_department = "SELECT credit_member('acme', 'alice', department => 'research')";
        assert_eq!(change_during_a_wait(&database, mode, move_department).unwrap().as_deref(), Some("3"));
        assert_eq!(client.text("SELECT department FROM credit.entry WHERE member = 'alice' AND kind = 'debit'"), "research");

        let per_seat = "SELECT credit_account('acme', pooling => 'per_seat')";
        let outcome = change_during_a_wait(&database, mode, per_seat);
        match mode {
            "each" => assert_eq!(outcome.unwrap().as_deref(), Some("1"), "only what names no member"),
            _ => assert_eq!(outcome.unwrap_err().expect(INSUFFICIENT).detail_of("item"), Some("2")),
        }
        // What has nothing to do with it changes nothing.
        let unrelated = "SELECT credit_account('other'); SELECT credit_member('other', 'alice')";
        assert_eq!(change_during_a_wait(&database, mode, unrelated).unwrap().as_deref(), Some("3"));
        database.verify();
    }
}

/// Each attempt takes an id for each of its debits, used or not.
fn ids_taken(client: &mut Client, call: &str) -> i64 {
    let last = "SELECT last_value FROM credit.posting_id";
    let before = client.number(last);
    client.run(call);
    client.number(last) - before
}

#[test]
fn of_very_many_lots_no_more_are_read_than_are_needed() {
    let database = Database::new();
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 1) FROM generate_series(1, 1100)");
    client.run("SELECT credit_grant('acme', 1, member => 'alice') FROM generate_series(1, 1100)");
    let batch = |amounts: &str, members: &str| {
        format!("SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[{amounts}], members => ARRAY[{members}])")
    };
    assert_eq!(ids_taken(&mut client, &batch("2, 3", "NULL, 'alice'")), 2, "one attempt");
    // More than the first thousand lots of alice hold: all of hers, before the pool's.
    assert_eq!(ids_taken(&mut client, &batch("1, 1050", "NULL, 'alice'")), 4, "a second attempt, with more lots");
    assert_eq!(
        client.number(
            "SELECT sum(amount)::bigint FROM credit.entry e JOIN credit.lot l USING (account, lot)
                              WHERE kind = 'debit' AND e.member = 'alice' AND l.member = 'alice'"
        ),
        -1053
    );
    // More than a thousand lots of the pool, wholly: that was refused although it fitted.
    client.run(&batch("1, 1080", "NULL, NULL"));
    let refusal = client.refusal(&batch("10, 7", "NULL, NULL")).expect(INSUFFICIENT);
    assert_eq!((refusal.detail_of("item"), refusal.detail_of("available")), (Some("2"), Some("6")));
    assert_eq!(client.text("SELECT credit_balance('acme', 'alice')"), "63");
    database.verify();
}
