//! Plans and purchases with real connections: keys, payments and tiers that two want at once, and what a rollback takes back.

use std::thread;
use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Database, Random, Session, wait_until_blocked, with_retries};

const WRONG_STATE: &str = "55000";
const INVALID: &str = "22023";
const KEY_REUSED: &str = "23505";
const FORBIDDEN: &str = "42501";

/// A plan whose second tier, from 100 credits on, costs half.
fn database_with_plan(reach: &str) -> (Database, Client) {
    let database = Database::new();
    let mut client = database.connect();
    client.run(&format!(
        "SELECT credit_plan('api', unit => 'credit', currency => 'USD', list_price => 1, reach => '{reach}');
         SELECT credit_tier('api', 'one', 0, discount => 0);
         SELECT credit_tier('api', 'two', 100, discount => 0.5)"
    ));
    (database, client)
}

#[test]
fn two_purchases_under_one_key_are_one() {
    let (database, mut first) = database_with_plan("purchase");
    let mut second = database.connect();
    let backend = second.backend();
    first.run("BEGIN");
    let lot = first.text("SELECT credit_purchase('acme', 'api', 10, key => 'order')");
    let waiting = thread::spawn(move || second.text("SELECT credit_purchase('acme', 'api', 10.0, key => 'order')"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    assert_eq!(waiting.join().unwrap(), lot);
    assert_eq!(first.number("SELECT count(*) FROM credit.purchase"), 1);
    first.refusal("SELECT credit_purchase('acme', 'api', 11, key => 'order')").expect(KEY_REUSED);
    database.verify();
}

#[test]
fn a_rollback_takes_purchase_lot_and_key_back() {
    let (database, mut client) = database_with_plan("purchase");
    client.run("BEGIN; SAVEPOINT before; SELECT credit_purchase('acme', 'api', 10, key => 'order'); ROLLBACK TO before; COMMIT");
    assert_eq!(client.number("SELECT count(*) FROM credit.purchase"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.purchase_lot"), 0);
    client.run("SELECT credit_purchase('acme', 'api', 20, key => 'order')");
    assert_eq!(client.text("SELECT credit_balance('acme')"), "20");
    database.verify();
}

#[test]
fn a_purchase_that_is_refused_changes_nothing() {
    let (database, mut client) = database_with_plan("purchase");
    for refused in [
        "credit_purchase('acme', 'api', 10, currency => 'EUR', key => 'order')",
        "credit_purchase('acme', 'none', 10, key => 'order')",
        "credit_purchase('acme', 'api', 0.0000001, key => 'order')",
        "credit_purchase('acme', 'api', 1, instalments => 1, instalment_period => '1 month', key => 'order')",
    ] {
        client.refusal(&format!("SELECT {refused}"));
    }
    for table in ["account", "request", "purchase", "purchase_lot", "lot"] {
        assert_eq!(client.number(&format!("SELECT count(*) FROM credit.{table}")), 0, "{table}");
    }
    database.verify();
}

#[test]
fn payment_and_void_at_once_end_a_purchase_one_way() {
    let (database, mut first) = database_with_plan("purchase");
    let lot = first.text("SELECT credit_purchase('acme', 'api', 10, pending => true)");
    assert_eq!(first.text("SELECT credit_balance('acme')"), "0", "nothing is usable before it is paid");
    let mut second = database.connect();
    let backend = second.backend();
    first.run(&format!("BEGIN; SELECT credit_void('acme', {lot})"));
    let activate = format!("SELECT credit_activate('acme', {lot})");
    let waiting = thread::spawn(move || second.refusal(&activate).expect(WRONG_STATE));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    waiting.join().unwrap();
    assert_eq!(first.number("SELECT count(*) FROM credit.lot"), 0);
    database.verify();
}

#[test]
fn two_activations_grant_once() {
    let (database, mut client) = database_with_plan("purchase");
    let lot = client.text("SELECT credit_purchase('acme', 'api', 10, bonus => 5, pending => true)");
    database.clients(8, |_, client| client.run(&format!("SELECT credit_activate('acme', {lot})")));
    assert_eq!(client.text("SELECT credit_balance('acme')"), "15");
    // What is active is voided like any lot: the bonus is a lot of its own.
    assert_eq!(client.text(&format!("SELECT credit_void('acme', {lot})")), "10");
    database.verify();
}

#[test]
fn purchases_at_once_reach_a_cumulative_tier_once() {
    let (database, mut client) = database_with_plan("cumulative");
    client.run("SELECT credit_agreement('acme', 'api')");
    database.clients(8, |_, client| {
        for _ in 0..5 {
            client.run("SELECT credit_purchase('acme', 'api', 10)");
        }
    });
    // 90 credits at 1, and from the purchase that reaches 100 on 310 at a half.
    assert_eq!(client.text("SELECT sum(paid) = 90 + 155 FROM credit.purchase"), "t");
    database.verify();
}

#[test]
fn a_price_does_not_change_between_quote_and_purchase() {
    let (database, mut first) = database_with_plan("purchase");
    let mut second = database.connect();
    let backend = second.backend();
    first.run("BEGIN; SELECT credit_purchase('acme', 'api', 10)");
    let waiting = thread::spawn(move || second.run("SELECT credit_plan('api', list_price => 3)"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("SELECT credit_purchase('acme', 'api', 10); COMMIT");
    waiting.join().unwrap();
    first.run("SELECT credit_purchase('acme', 'api', 10)");
    assert_eq!(first.text("SELECT sum(paid) FROM credit.purchase"), "50.00");
    database.verify();
}

#[test]
fn every_way_to_split_a_purchase_adds_up() {
    let (database, mut client) = database_with_plan("purchase");
    client.run(
        "SELECT credit_plan('bands', unit => 'credit', currency => 'KWD', list_price => 0.0137, model => 'graduated');
         SELECT credit_tier('bands', 'one', 0, discount => 0), credit_tier('bands', 'two', 7, discount => 0.333333),
             credit_tier('bands', 'three', 1000, unit_price => 0.001);
         SELECT credit_purchase('a', 'bands', n * 7.7, by_band => true),
             credit_purchase('b', 'bands', n * 3.3, instalments => 7, instalment_period => '1 month'),
             credit_purchase('c', 'bands', n * 5, bonus => n, blend => true),
             credit_purchase('d', 'bands', budget => n) FROM generate_series(1, 200, 13) AS n",
    );
    let broken = "SELECT count(*) FROM credit.purchase b WHERE paid <> (SELECT sum(l.paid) FROM credit.purchase_lot p
            JOIN credit.lot l USING (account, lot) WHERE p.account = b.account AND p.purchase = b.purchase)";
    assert_eq!(client.number(broken), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.lot WHERE paid <> round(paid, 3) OR cost_basis <> paid / granted"), 0);
    database.verify();
}

#[test]
fn what_was_agreed_or_bought_never_changes() {
    let (database, mut client) = database_with_plan("purchase");
    client.run("SELECT credit_agreement('acme', 'api', unit_price => 0.4); SELECT credit_purchase('acme', 'api', 10)");
    for statement in [
        "UPDATE credit.tier SET discount = 0.9 WHERE discount = 0.5",
        "UPDATE credit.agreement SET unit_price = 0.1",
        "UPDATE credit.purchase SET paid = 0",
        "UPDATE credit.purchase SET status = 'void'",
        "UPDATE credit.purchase_lot SET paid = 0",
        "UPDATE credit.plan_price SET list_price = 2",
        "DELETE FROM credit.purchase",
        "TRUNCATE credit.purchase_lot",
    ] {
        client.refusal(statement).expect(FORBIDDEN);
    }
    assert_eq!(client.text("SELECT paid FROM credit.purchase"), "4.00");
    database.verify();
}

#[test]
fn an_agreement_brings_its_rate_card_while_it_is_valid() {
    let (database, mut client) = database_with_plan("purchase");
    client.run(
        "SELECT credit_rate_card('list', unit => 'credit', is_default => true), credit_rate_card('own', unit => 'credit');
         SELECT credit_rate('list', 'chat', credits => 2), credit_rate('own', 'chat', credits => 1);
         SET credit.clock = '2026-01-01'; SELECT credit_publish('list'), credit_publish('own');
         SELECT credit_grant('acme', 100)",
    );
    let charge = |client: &mut Client, clock: &str| {
        client.run(&format!("SET credit.clock = '{clock}'; SELECT credit_charge('acme', 'chat', 1)"));
        client.text("SELECT credit_balance('acme')")
    };
    assert_eq!(charge(&mut client, "2026-01-02"), "98");
    client.run("SELECT credit_plan('later', unit => 'credit', currency => 'USD', list_price => 1)");
    client.run(
        "SELECT credit_agreement('acme', 'later', rate_card => 'own', effective_at => '2026-02-01', ended_at => '2026-03-01')",
    );
    assert_eq!(charge(&mut client, "2026-01-31 23:59:59"), "96");
    assert_eq!(charge(&mut client, "2026-02-01"), "95");
    assert_eq!(charge(&mut client, "2026-02-28 23:59:59"), "94");
    assert_eq!(charge(&mut client, "2026-03-01"), "92");
    database.verify();
}

#[test]
fn what_a_credit_costs_is_not_told_to_who_may_not_read_it() {
    let (database, mut client) = database_with_plan("purchase");
    client.run("SELECT credit_plan('api', floor_margin => 0.3, below_floor => 'flag'); SELECT credit_plan_cost('api', 0.8)");
    let quote = "SELECT margin_percent, warning, total FROM credit_quote('api', 10)";
    for (level, shows) in [("read", false), ("spend", false), ("admin", true)] {
        let role = database.create_role(level);
        client.run(&format!("SELECT credit_allow('{role}', '{level}')"));
        let row = database.connect_as(&role).rows(quote).remove(0);
        let expected = if shows { ["20", "the margin is below the floor of the plan", "10.00"] } else { ["", "", "10.00"] };
        assert_eq!(row, expected, "{level}");
        // The role that calls decides, as everywhere in the server: a function that runs as its owner lends its rights.
        client.run(
            "CREATE OR REPLACE FUNCTION lent() RETURNS text LANGUAGE sql SECURITY DEFINER
             RETURN (SELECT margin_percent::text FROM credit_quote('api', 10))",
        );
        let lent = database.connect_as(&role).rows("SELECT lent()").remove(0).remove(0);
        assert_eq!(lent, "20", "{level}");
    }
    client.run("SELECT credit_plan('api', below_floor => 'refuse')");
    let role = database.create_role("refused");
    client.run(&format!("SELECT credit_allow('{role}', 'spend')"));
    let refusal = database.connect_as(&role).refusal("SELECT * FROM credit_quote('api', 10)").expect(WRONG_STATE);
    assert!(refusal.detail.as_deref().is_some_and(|detail| detail.contains("margin_percent= ")), "{refusal}");
}

#[test]
fn now_means_now() {
    let (database, mut client) = database_with_plan("purchase");
    client.run(
        "SELECT credit_tier('api', 'two', 100, discount => 0.4, effective_at => now());
         SELECT credit_agreement('acme', 'api', unit_price => 0.1, pooling => 'per_seat', effective_at => now());
         SELECT credit_end_agreement('acme', 'api', ended_at => now());
         SELECT credit_tier('api', 'two', withdraw => true, effective_at => now())",
    );
    client.run("SELECT credit_grant('acme', 10); SELECT credit_debit('acme', 1, member => 'ada')");
    client
        .refusal("SELECT credit_tier('api', 'one', 0, discount => 0.1, effective_at => now() - interval '1 second')")
        .expect(WRONG_STATE);
    client
        .refusal("SELECT credit_agreement('acme', 'api', pooling => 'pooled', effective_at => now() - interval '1 second')")
        .expect(WRONG_STATE);
    database.verify();
}

#[test]
fn crumbs_are_not_free() {
    let (database, mut client) = database_with_plan("purchase");
    client.refusal("SELECT credit_purchase('acme', 'api', 0.005)").expect(INVALID);
    client.refusal("SELECT credit_purchase('acme', 'api', budget => 0.001)").expect(INVALID);
    client.refusal("SELECT credit_change_plan('acme', 'api', 0.005)").expect(INVALID);
    client.run("SELECT credit_purchase('acme', 'api', 0.006)");
    assert_eq!(client.text("SELECT paid FROM credit.purchase"), "0.01");
    client.run(
        "SELECT credit_plan('free', unit => 'credit', currency => 'USD', list_price => 1), \
            credit_tier('free', 'free', 0, discount => 1)",
    );
    client.run("SELECT credit_purchase('acme', 'free', 0.005)");
    client.refusal("SELECT * FROM credit_quote('free', budget => 1)").expect(INVALID);
    database.verify();
}

#[test]
fn the_parts_of_random_purchases_are_exact_shares() {
    let (database, mut client) = database_with_plan("purchase");
    let mut random = Random::new(5);
    for (number, (currency, decimals)) in (0..60).zip([("JPY", 0), ("USD", 2), ("KWD", 3)].into_iter().cycle()) {
        let mut price = || format!("{}.{:06}", random.below(20), random.below(1_000_000));
        let (low, high) = (price(), price());
        let model = ["volume", "graduated"][random.below(2) as usize];
        let quantity = format!("{}.{}", random.below(5_000) + 20, random.below(1_000_000));
        let (bonus, instalments) = (random.below(500) + 1, random.below(30) + 2);
        client.run(&format!(
            "SELECT credit_plan('p{number}', unit => 'credit', currency => '{currency}', list_price => 1, model => '{model}');
             SELECT credit_tier('p{number}', 'one', 0, unit_price => {low}), \
                 credit_tier('p{number}', 'two', 1000, unit_price => {high});
             SELECT credit_purchase('instalments {decimals}', 'p{number}', {quantity}, instalments => {instalments}, \
                 instalment_period => '1 month'),
                 credit_purchase('blend {decimals}', 'p{number}', {quantity}, bonus => {bonus}, blend => true),
                 credit_purchase('both {decimals}', 'p{number}', {quantity}, bonus => {bonus}, blend => true,
                     instalments => {instalments}, instalment_period => '1 day'),
                 credit_purchase('bonus {decimals}', 'p{number}', {quantity}, bonus => {bonus}, instalments => 2, \
                     instalment_period => '1 day'),
                 credit_purchase('bands {decimals}', 'p{number}', {quantity}, by_band => true)"
        ));
    }
    let parts = "credit.purchase b JOIN credit.purchase_lot p USING (account, purchase) JOIN credit.lot l USING (account, lot)";
    let broken = format!(
        "SELECT count(*) FROM (SELECT b.paid, sum(l.paid) AS parts, b.quantity + COALESCE(b.bonus, 0) AS all_credits, \
            sum(l.granted) AS granted
             FROM {parts} GROUP BY b.account, b.purchase) s WHERE paid <> parts OR all_credits <> granted"
    );
    assert_eq!(client.number(&broken), 0, "purchases that their lots do not add up to");
    // Each part is the exact share of its credits, to less than the smallest money; a bonus that is not blended costs nothing.
    let shares = format!(
        "SELECT count(*) FROM {parts} WHERE b.account NOT LIKE 'bands%' AND CASE
             WHEN b.account LIKE 'bonus%' AND l.category = 'promotional' THEN l.paid <> 0
             ELSE abs(l.paid - b.paid * l.granted / (b.quantity + CASE WHEN b.account LIKE 'bonus%' THEN 0 \
                 ELSE COALESCE(b.bonus, 0) END))
                 >= power(10::numeric, - right(b.account, 1)::integer) END"
    );
    assert_eq!(client.number(&shares), 0, "lots that do not cost their share");
    assert_eq!(client.number("SELECT count(*) FROM credit.lot WHERE paid <> round(paid, right(account, 1)::integer)"), 0);
    assert!(client.number("SELECT count(*) FROM credit.lot WHERE account LIKE 'bands%'") > 60, "purchases of two bands");
    database.verify();
}

#[test]
fn what_was_bought_before_is_read_once_by_its_index() {
    let (database, mut client) = database_with_plan("cumulative");
    client.run(
        "SELECT credit_agreement('acme', 'api');
         SELECT credit_purchase('acme', 'api', 3), credit_purchase('other', 'api', 3) FROM generate_series(1, 200);
         SELECT credit_void('acme', lot) FROM credit.purchase_lot WHERE account = 'acme' ORDER BY lot LIMIT 1;
         SELECT count(*) FROM credit_quote('api', 1, 'acme')",
    );
    let mut read = || {
        client.run("SELECT pg_stat_force_next_flush()");
        client.rows("SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'credit.purchase'::regclass").remove(0)
    };
    let before = read();
    database.connect().run("SELECT count(*) FROM credit_quote('api', 1, 'acme'); SELECT pg_stat_force_next_flush()");
    let after = read();
    assert_eq!(before[0], after[0], "no scan of the whole table");
    let fetched = |row: &[String]| row[1].parse::<i64>().expect("a number");
    assert_eq!(fetched(&after) - fetched(&before), 200, "each purchase of the account once");
}

/// How long clients buy at once.
const BUYING: Duration = Duration::from_secs(4);

/// One of 400 orders, which several ask for, under a key that says what it asks for; a pending one is sometimes paid or given up.
fn order(account: &str, random: &mut Random, client: &mut Client) {
    let (order, pending) = (random.below(400), random.below(4) == 0);
    let buy = format!(
        "SELECT credit_purchase('{account}', 'api', {}, key => 'order {order} {pending}', bonus => {}, pending => {pending}, \
            member => 'm{}')",
        order % 7 + 1,
        order % 5 + 1,
        order % 3
    );
    let settle = ["credit_void", "credit_activate", ""][if pending { random.below(3) as usize } else { 2 }];
    let is_undone = random.below(8) == 0;
    let isolation = ["READ COMMITTED", "REPEATABLE READ"][random.below(2) as usize];
    let outcome = with_retries(client, &format!("BEGIN ISOLATION LEVEL {isolation}"), 1000, |client| {
        client.try_rows("SAVEPOINT before")?;
        let lot = client.ask(&buy)?.expect("a lot");
        if !settle.is_empty() {
            client.try_rows(&format!("SELECT {settle}('{account}', {lot})"))?;
        }
        if is_undone { client.try_rows("ROLLBACK TO before").map(drop) } else { Ok(()) }
    });
    // Somebody else gave it up.
    outcome.unwrap_or_else(|refusal| drop(refusal.expect(WRONG_STATE)));
}

#[test]
fn many_buy_at_once_with_the_same_keys_and_others() {
    let (database, mut client) = database_with_plan("cumulative");
    client.run("SELECT credit_agreement('acme', 'api'); SELECT credit_agreement('globex', 'api', tier => 'two')");
    database.clients(10, |number, client| {
        let mut random = Random::new(number as u64);
        let end = Instant::now() + BUYING;
        while Instant::now() < end {
            let account = ["acme", "globex"][random.below(2) as usize];
            order(account, &mut random, client);
            let debit = format!("SELECT credit_try_debit('{account}', 1, member => 'm1')");
            with_retries(client, "BEGIN", 1000, |client| client.try_rows(&debit)).expect("a debit, or NULL");
        }
    });
    let purchases = client.number("SELECT count(*) FROM credit.purchase");
    assert!(purchases > 100, "{purchases} purchases");
    assert_eq!(
        purchases,
        client.number("SELECT count(*) FROM credit.request WHERE function = 'credit_purchase'"),
        "one for each key"
    );
    let differs = "SELECT count(*) FROM (SELECT account, sum(paid) AS paid FROM credit.purchase WHERE status = 'active' \
        GROUP BY 1) b
         FULL JOIN (SELECT account, sum(paid) AS paid FROM credit.lot GROUP BY 1) l USING (account) WHERE b.paid IS DISTINCT \
             FROM l.paid";
    assert_eq!(client.number(differs), 0, "accounts whose lots cost something else than their purchases");
    // In the order in which they were bought, an account that had not bought and paid 100 was in the first tier. An order may
    // have been paid before the next one or after it, and an order that was given up may have counted or not.
    let wrong = "SELECT count(*) FROM (
             SELECT b.tier, b.quantity + COALESCE(sum(b.quantity) OVER before, 0) AS most,
                 b.quantity + COALESCE(sum(b.quantity) FILTER (WHERE b.settled_at = b.recorded_at \
                     AND p.kept_quantity = b.quantity) OVER before, 0) AS least
             FROM credit.purchase b JOIN credit.purchases p USING (account, purchase) WHERE account = 'acme'
             WINDOW before AS (ORDER BY b.purchase ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) b
         WHERE tier = 'one' AND least >= 100 OR tier = 'two' AND most < 100";
    assert_eq!(client.number(wrong), 0, "purchases in the wrong tier");
    assert_eq!(client.number("SELECT count(*) FROM credit.purchase WHERE account = 'globex' AND tier <> 'two'"), 0);
    database.verify();
}
