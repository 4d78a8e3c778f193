//! Changing plans and renewing with real connections: two at once, long transactions, rollbacks, and chains against a model.

use std::thread;

use pg_credit_clients::{Client, Database, Random, Session, wait_until_blocked};

const WRONG_STATE: &str = "55000";
const KEY_REUSED: &str = "23505";
const FORBIDDEN: &str = "42501";

/// Two plans at a cent and at eight tenths of it, in a unit without decimals.
fn database_with_plans() -> (Database, Client) {
    let database = Database::new();
    let mut client = database.connect();
    client.run(
        "SET timezone = 'UTC';
         SET credit.clock = '2026-01-01';
         SELECT credit_unit('whole', decimals => 0);
         SELECT credit_plan('small', unit => 'whole', currency => 'USD', list_price => 0.01);
         SELECT credit_tier('small', 'list', 0, discount => 0);
         SELECT credit_plan('large', unit => 'whole', currency => 'USD', list_price => 0.008);
         SELECT credit_tier('large', 'list', 0, discount => 0);
         SELECT credit_plan('free', unit => 'whole', currency => 'USD', list_price => 0);
         SELECT credit_tier('free', 'list', 0, discount => 0)",
    );
    (database, client)
}

fn session_at(database: &Database, clock: &str) -> Client {
    let mut client = database.connect();
    client.run(&format!("SET timezone = 'UTC'; SET credit.clock = '{clock}'"));
    client
}

/// What a change returned, as text.
fn changed(client: &mut Client, call: &str) -> String {
    client.text(&format!("SELECT c::text FROM credit_change_plan({call}) c"))
}

/// All rows of all tables.
fn snapshot(client: &mut Client) -> String {
    client.text(
        "SELECT string_agg(md5(query_to_xml('SELECT * FROM ' || c.oid::regclass || ' t ORDER BY t::text', false, false, \
            '')::text), ' '
             ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind = 'r'",
    )
}

#[test]
fn two_changes_under_one_key_are_one() {
    let (database, mut first) = database_with_plans();
    let mut second = session_at(&database, "2026-01-01");
    let backend = second.backend();
    first.run("BEGIN");
    let row = changed(&mut first, "'acme', 'small', 100, key => 'order'");
    let waiting = thread::spawn(move || changed(&mut second, "'acme', 'small', 100.0, key => 'order'"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    assert_eq!(waiting.join().unwrap(), row);
    assert_eq!(first.number("SELECT count(*) FROM credit.purchase"), 1);
    first.refusal("SELECT credit_change_plan('acme', 'small', 101, key => 'order')").expect(KEY_REUSED);
    database.verify();
}

#[test]
fn two_first_subscriptions_at_once_are_one_and_its_change() {
    let (database, mut first) = database_with_plans();
    first.run("SELECT credit_account('acme', unit => 'whole')");
    let mut second = session_at(&database, "2026-01-01");
    let backend = second.backend();
    first.run("BEGIN; SELECT credit_change_plan('acme', 'small', 100)");
    let waiting = thread::spawn(move || second.rows("SELECT from_plan, granted FROM credit_change_plan('acme', 'small', 150)"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    assert_eq!(waiting.join().unwrap(), [["small", "50"]]);
    assert_eq!(first.text("SELECT credit_balance('acme')"), "150");
    database.verify();
}

#[test]
fn renewals_at_once_buy_each_period_once() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'small', 100), credit_change_plan('other', 'small', 1)");
    let bought = database.clients(8, |_, client| {
        client.run("SET credit.clock = '2026-04-15'");
        client.number("SELECT count(*) FROM credit_renew('acme')")
    });
    assert_eq!(bought.iter().sum::<i64>(), 3);
    assert_eq!(client.number("SELECT count(*) FROM credit.purchase WHERE account = 'acme'"), 4);
    assert_eq!(client.number("SELECT count(DISTINCT effective_at) FROM credit.lot WHERE account = 'acme'"), 4);
    database.verify();
}

#[test]
fn changes_at_once_grant_what_the_last_one_entitles_to() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'small', 100)");
    database.clients(6, |number, client| {
        client.run("SET credit.clock = '2026-01-16'");
        for turn in 0..5 {
            let quantity = 100 + 31 * ((number * 5 + turn) % 7);
            let call = format!("SELECT credit_change_plan('acme', 'small', {quantity}, at => '2026-01-16')");
            if let Err(refusal) = client.try_rows(&call) {
                refusal.expect(WRONG_STATE);
            }
        }
    });
    client.run("SET credit.clock = '2026-01-16'");
    let entitled = "SELECT floor((100 * 15 + s.quantity * 16) / 31) FROM credit.subscription s WHERE ended_at IS NULL";
    assert_eq!(client.text("SELECT credit_balance('acme')"), client.text(entitled));
    let charged = "SELECT sum(charge) - sum(credit) FROM credit.plan_change";
    let due = "SELECT round((100 * 15 + s.quantity * 16) / 3100, 2) FROM credit.subscription s WHERE ended_at IS NULL";
    assert_eq!(client.text(charged), client.text(due), "nothing was spent, so it is paid for what is held");
    database.verify();
}

#[test]
fn a_preview_changes_nothing_and_is_what_applying_gives() {
    let (database, mut client) = database_with_plans();
    let mut random = Random::new(7);
    let mut clock = (1, 1);
    for turn in 0..60 {
        client.run(&format!("SET credit.clock = '2026-{:02}-{:02} 10:00'", clock.0, clock.1));
        let plan = ["small", "large", "free"][random.below(3) as usize];
        let period = ["", ", billing_period => 'month'", ", billing_period => 'quarter'"][random.below(3) as usize];
        let at = if random.below(2) == 0 { format!(", at => '2026-{:02}-{:02} 10:00'", clock.0, clock.1) } else { String::new() };
        let call = format!("'acme', '{plan}', {}{period}{at}", 100 + random.below(3) * 250);
        let before = snapshot(&mut client);
        let preview = client.ask(&format!("SELECT c::text FROM credit_change_plan({call}, preview => true) c"));
        assert_eq!(snapshot(&mut client), before, "turn {turn}: {call}");
        let applied = client.ask(&format!("SELECT c::text FROM credit_change_plan({call}) c"));
        assert_eq!(preview, applied, "turn {turn}: {call}");
        client.run(&format!("SELECT credit_try_debit('acme', {})", 1 + random.below(200)));
        clock = if clock.1 > 24 { (clock.0 % 12 + 1, 2) } else { (clock.0, clock.1 + 1 + random.below(9) as i32) };
        if clock.0 == 12 {
            break;
        }
        database.verify();
    }
}

#[test]
fn a_preview_of_a_later_instant_is_what_applying_then_gives() {
    let (_database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'small', 310)");
    let preview = changed(&mut client, "'acme', 'large', 620, at => '2026-01-21 12:00', preview => true");
    client.run("SET credit.clock = '2026-01-21 12:00'");
    assert_eq!(changed(&mut client, "'acme', 'large', 620"), preview);
}

#[test]
fn a_rollback_takes_the_change_back() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'large', 1000); SET credit.clock = '2026-01-11'");
    let before = snapshot(&mut client);
    client.run(
        "BEGIN; SAVEPOINT before; SELECT credit_change_plan('acme', 'small', 100, at => '2026-01-11', key => 'down');
         SELECT credit_change_plan('acme', 'large', 5000); ROLLBACK TO before; COMMIT",
    );
    assert_eq!(snapshot(&mut client), before);
    client.refusal("SELECT credit_change_plan('acme', 'small', 100, at => '2026-01-12')").expect(WRONG_STATE);
    assert_eq!(snapshot(&mut client), before, "an error changes nothing");
    client.run("SELECT credit_change_plan('acme', 'small', 100, at => '2026-01-11', key => 'down')");
    database.verify();
}

#[test]
fn what_an_open_debit_spends_is_not_paid_back() {
    let (database, mut first) = database_with_plans();
    first.run("SELECT credit_change_plan('acme', 'small', 310)");
    let mut second = session_at(&database, "2026-01-16");
    let backend = second.backend();
    first.run("SET credit.clock = '2026-01-16'; BEGIN; SELECT credit_debit('acme', 300)");
    let down = "SELECT returned, credit, note FROM credit_change_plan('acme', 'small', 31, at => '2026-01-16')";
    let waiting = thread::spawn(move || second.rows(down));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    // 310 for 15 days and 31 for 16: 166 are entitled to, 144 are in excess, and 10 of them are there.
    let note = "134 credits were used already and are not paid back; \
                3.00 USD are paid for the period, 1.66 USD are due for its days: 1.34 USD are not paid back";
    assert_eq!(waiting.join().unwrap(), [["10", "0.10", note]]);
    database.verify();
}

#[test]
fn a_lot_spread_over_slots_gives_back_too() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'small', 31000)");
    database.clients(8, |_, client| {
        client.run("SET credit.clock = '2026-01-02'");
        (0..20).for_each(|_| client.run("SELECT credit_debit('acme', 1)"));
    });
    client.run("SET credit.clock = '2026-01-16'");
    assert_eq!(
        client.rows("SELECT returned, credit FROM credit_change_plan('acme', 'small', 31, at => '2026-01-16')"),
        [["15984", "159.84"]]
    );
    assert_eq!(client.number("SELECT credit_balance('acme')"), 31000 - 160 - 15984);
    client.run("SELECT credit_debit('acme', 14856)");
    database.verify();
}

#[test]
fn purchases_and_changes_of_an_account_happen_one_after_the_other() {
    let (database, mut first) = database_with_plans();
    first.run("SELECT credit_change_plan('acme', 'small', 100)");
    let mut second = session_at(&database, "2026-01-01");
    let backend = second.backend();
    first.run("BEGIN; SELECT credit_purchase('acme', 'small', 5)");
    let waiting = thread::spawn(move || second.run("SELECT credit_change_plan('acme', 'small', 200)"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    waiting.join().unwrap();
    assert_eq!(first.text("SELECT credit_balance('acme')"), "205");
    database.verify();
}

#[test]
fn the_instant_of_the_boundary_belongs_to_the_next_period() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'small', 310); SET credit.clock = '2026-01-31 23:59:59.999999'");
    let row = "SELECT days_left, granted, period_end FROM credit_change_plan('acme', 'small', 620, preview => true)";
    assert_eq!(client.rows(row), [["1", "10", "2026-02-01 00:00:00+00"]]);
    client.run("SET credit.clock = '2026-02-01'");
    assert_eq!(client.rows(row), [["28", "310", "2026-03-01 00:00:00+00"]]);
    // What was announced for the boundary is in force at it, and the period is bought by it.
    client.run("SET credit.clock = '2026-01-15'; SELECT credit_change_plan('acme', 'free', 20)");
    client.run("SET credit.clock = '2026-02-01'");
    assert_eq!(client.rows("SELECT granted, paid FROM credit_renew('acme')"), [["20", "0.00"]]);
    database.verify();
}

#[test]
fn going_back_and_forth_refreshes_nothing() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'free', 31); SELECT credit_debit('acme', 31)");
    for turn in 0..10 {
        client.run("SET credit.clock = '2026-01-16'; SELECT credit_change_plan('acme', 'small', 310)");
        assert_eq!(client.number("SELECT credit_balance('acme')"), 144, "turn {turn}");
        client.run("SELECT credit_change_plan('acme', 'free', 31, at => '2026-01-16')");
        assert_eq!(client.number("SELECT credit_balance('acme')"), 0, "turn {turn}");
        // Nor does a plan with periods of another length that costs no more.
        let longer = "SELECT credit_change_plan('acme', 'free', 372, billing_period => 'year', at => '2026-01-16')";
        client.refusal(longer).expect(WRONG_STATE);
        // Nor does ending it and beginning anew.
        client.run("SELECT credit_cancel_plan('acme', unit => 'whole')");
        let again = "SELECT granted, note FROM credit_change_plan('acme', 'free', 31)";
        let note = "the period grants no more credits: nothing is charged until it ends; the cancellation is dropped";
        assert_eq!(client.rows(again), [["0", note]]);
        assert_eq!(client.number("SELECT credit_balance('acme')"), 0, "turn {turn}");
    }
    assert_eq!(client.text("SELECT sum(charge) - sum(credit) FROM credit.plan_change"), "0.00");
    database.verify();
}

/// The price of a smaller plan is paid, however much dearer its credits are.
#[test]
fn no_plan_is_held_for_less_than_its_price() {
    let (database, mut client) = database_with_plans();
    client.run(
        "SELECT credit_plan('dear', unit => 'whole', currency => 'USD', list_price => 0.0199);
         SELECT credit_tier('dear', 'list', 0, discount => 0); SELECT credit_change_plan('acme', 'small', 1000)",
    );
    let down = "SELECT returned, credit, note FROM credit_change_plan('acme', 'dear', 500, at => '2026-01-01')";
    assert_eq!(client.rows(down), [["5", "0.05", "495 credits stay: the price does not fall by what they cost"]]);
    assert_eq!(client.text("SELECT sum(charge) - sum(credit) FROM credit.plan_change"), "9.95");
    database.verify();
}

#[test]
fn what_was_subscribed_never_changes() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'large', 310); SET credit.clock = '2026-01-16'");
    client.run("SELECT credit_change_plan('acme', 'small', 31, at => '2026-01-16')");
    for statement in [
        "UPDATE credit.subscription SET price = 0 WHERE ended_at IS NULL",
        "UPDATE credit.subscription SET ended_at = '2026-02-01' WHERE ended_at IS NOT NULL",
        "UPDATE credit.plan_change SET charge = 0",
        "UPDATE credit.subscription_purchase SET reason = 'change'",
        "UPDATE credit.subscription_return SET credit = 100",
        "DELETE FROM credit.subscription",
        "TRUNCATE credit.subscription_return",
    ] {
        client.refusal(statement).expect(FORBIDDEN);
    }
    database.verify();
}

/// Whoever can switch triggers off can write anything; the proof finds it.
#[test]
fn the_proof_finds_what_was_forged() {
    let (database, mut client) = database_with_plans();
    client.run("SELECT credit_change_plan('acme', 'large', 310); SET credit.clock = '2026-01-16'");
    client.run(
        "SELECT credit_change_plan('acme', 'small', 31, at => '2026-01-16'); SET credit.clock = '2026-02-01'; \
        SELECT credit_renew('acme')",
    );
    database.verify();
    for (table, forgery, invariant) in [
        ("subscription", "UPDATE credit.subscription SET ended_at = '2026-01-20' WHERE ended_at IS NOT NULL", "do not overlap"),
        ("subscription", "UPDATE credit.subscription SET quantity = 1 WHERE ended_at IS NULL", "a whole period at its price"),
        ("subscription", "UPDATE credit.subscription SET plan = 'none'", "every plan that is named exists"),
        ("subscription_purchase", "DELETE FROM credit.subscription_purchase", "a change of plan moved what it says"),
        ("plan_change", "UPDATE credit.plan_change SET charge = charge + 1", "a change of plan moved what it says"),
        ("subscription_return", "UPDATE credit.subscription_return SET credit = 0", "paid back at its cost basis"),
        ("subscription_return", "DELETE FROM credit.subscription_return", "what is returned is in the ledger"),
    ] {
        client.run(&format!("BEGIN; ALTER TABLE credit.{table} DISABLE TRIGGER USER; {forgery}"));
        let found = format!("SELECT count(*) FROM credit_verify() WHERE invariant LIKE '%{invariant}%'");
        assert!(client.number(&found) > 0, "{forgery}");
        client.run("ROLLBACK");
    }
}

/// A lot of the model: granted, what it cost in cents, what was returned, what remains.
type Lot = (i64, i64, i64, i64);

/// A period by the model, which looks at every day by itself: which plan was held last on it, in credits and cents.
struct Model {
    days: Vec<(i64, i64)>,
    plan: (i64, i64),
    lots: Vec<Lot>,
    charged: i64,
    credited: i64,
}

impl Model {
    fn spend(&mut self, mut amount: i64) {
        for lot in &mut self.lots {
            let taken = amount.min(lot.3);
            (lot.3, amount) = (lot.3 - taken, amount - taken);
        }
    }

    /// What is granted, charged, returned and credited.
    fn change(&mut self, day: usize, plan: (i64, i64)) -> (i64, i64, i64, i64) {
        self.days[day..].iter_mut().for_each(|held| *held = plan);
        let length = self.days.len() as i64;
        let entitled = self.days.iter().map(|held| held.0).sum::<i64>() / length;
        let price = self.days.iter().map(|held| held.1).sum::<i64>();
        let rest = price % length;
        let up = rest * 2 > length || (rest * 2 == length && price / length % 2 == 1);
        let price = price / length + i64::from(up);
        let granted = self.lots.iter().map(|lot| lot.0 - lot.2).sum::<i64>();
        let goes_up = plan.1 > self.plan.1 || (plan.1 == self.plan.1 && plan.0 >= self.plan.0);
        self.plan = plan;
        if goes_up {
            let grant = (entitled - granted).max(0);
            let charge = (price - self.charged + self.credited).max(0);
            if grant > 0 {
                self.lots.push((grant, charge, 0, grant));
            }
            self.charged += charge;
            return (grant, charge, 0, 0);
        }
        let (mut left, mut returned, mut credited) = ((granted - entitled).max(0), 0, 0);
        let mut money = (self.charged - self.credited - price).max(0);
        for lot in self.lots.iter_mut().rev() {
            let (all, paid) = (lot.0, lot.1);
            let worth = |credits: i64| paid * credits / all;
            let mut taken = left.min(lot.3);
            if worth(lot.2 + taken) - worth(lot.2) > money {
                taken = taken.min((all * (worth(lot.2) + money) / paid - lot.2).max(0));
            }
            let back = worth(lot.2 + taken) - worth(lot.2);
            (credited, money) = (credited + back, money - back);
            (lot.2, lot.3, left, returned) = (lot.2 + taken, lot.3 - taken, left - taken, returned + taken);
        }
        self.credited += credited;
        (0, 0, returned, credited)
    }
}

/// March 2026 in New York, where clocks change on the 8th.
#[test]
fn chains_of_changes_at_random_instants_agree_with_a_model() {
    let (database, mut client) = database_with_plans();
    client.run("SET timezone = 'America/New_York'; SET credit.clock = '2026-03-01'");
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let account = format!("account {seed}");
        client.run(&format!(
            "SET credit.clock = '2026-03-01'; SELECT credit_account('{account}', unit => 'whole', \
            time_zone => 'America/New_York')"
        ));
        let mut minute = 0;
        let choose = |random: &mut Random| {
            let quantity = 1 + random.below(2_000) as i64;
            let (plan, price) = [("small", quantity), ("large", (quantity * 8 + 4) / 10), ("free", 0)][random.below(3) as usize];
            (plan, quantity, price)
        };
        let (plan, quantity, price) = choose(&mut random);
        client.run(&format!("SELECT credit_change_plan('{account}', '{plan}', {quantity})"));
        let mut model = Model {
            days: vec![(quantity, price); 31],
            plan: (quantity, price),
            lots: vec![(quantity, price, 0, quantity)],
            charged: price,
            credited: 0,
        };
        for turn in 0..20 {
            minute += random.below(3 * 24 * 60) as i64;
            if minute >= 31 * 24 * 60 - 61 {
                break;
            }
            let clock = client.text(&format!("SELECT timestamptz '2026-03-01' + interval '{minute} minutes'"));
            client.run(&format!("SET credit.clock = '{clock}'"));
            let spent = random.below(400) as i64;
            if spent > 0 && client.ask(&format!("SELECT credit_try_debit('{account}', {spent})")).unwrap().is_some() {
                model.spend(spent);
            }
            let day = client.number(&format!("SELECT timestamptz '{clock}'::date - date '2026-03-01'")) as usize;
            let (plan, quantity, price) = choose(&mut random);
            let call = format!(
                "SELECT granted, charge * 100, returned, credit * 100 \
                    FROM credit_change_plan('{account}', '{plan}', {quantity}, at => '{clock}')"
            );
            let expected = model.change(day, (quantity, price));
            let row: Vec<i64> = client.rows(&call)[0].iter().map(|text| text.parse::<f64>().unwrap() as i64).collect();
            assert_eq!(row, [expected.0, expected.1, expected.2, expected.3], "seed {seed} turn {turn}: {call}");
            let balance = model.lots.iter().map(|lot| lot.3).sum::<i64>();
            assert_eq!(client.number(&format!("SELECT credit_balance('{account}')")), balance);
        }
    }
    database.verify();
}
