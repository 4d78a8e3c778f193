//! Schedules of plans with real clients: changes at once, beside debits and renewals, and long walks from plan to plan against a
//! model.

use std::collections::BTreeMap;
use std::thread;

use pg_credit_clients::{Client, Database, Random, Session, wait_until_blocked};

const CLOCK: &str = "SET timezone = 'UTC'; SET credit.clock = '2026-06-01 00:00:00+00'";

/// Plans with the price of a month, what their schedule brings a month, and whether it ends when the plan is left.
const PLANS: [(&str, i64, i64, bool); 4] =
    [("lite", 10, 1_000, false), ("plus", 30, 4_000, true), ("max", 100, 10_000, false), ("bare", 20, 2_500, true)];

fn with_plans() -> (Database, Client) {
    let database = Database::new();
    let mut client = database.connect();
    client.run(CLOCK);
    for (plan, price, credits, ends) in PLANS {
        let on_leave = if ends { "expire" } else { "keep" };
        client.run(&format!(
            "SELECT credit_plan('{plan}', unit => 'credit', currency => 'USD', list_price => {price});
             SELECT credit_tier('{plan}', 'list', 0, discount => 0);
             SELECT credit_schedule(plan => '{plan}', amount => {credits}, every => '1 month', on_leave => '{on_leave}')"
        ));
    }
    (database, client)
}

fn session_at(database: &Database, clock: &str) -> Client {
    let mut client = database.connect();
    client.run(&format!("SET timezone = 'UTC'; SET credit.clock = '{clock}'"));
    client
}

#[test]
fn two_upgrades_at_once_bring_the_days_of_the_last_one() {
    let (database, mut first) = with_plans();
    first.run("SELECT credit_change_plan('acme', 'lite', 1); SET credit.clock = '2026-06-16'");
    let mut second = session_at(&database, "2026-06-16");
    let backend = second.backend();
    first.run("BEGIN; SELECT credit_change_plan('acme', 'plus', 1)");
    let upgrade = "SELECT from_plan, charge, granted FROM credit_change_plan('acme', 'max', 1)";
    let waiting = thread::spawn(move || second.rows(upgrade));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    // 15 of 30 days of 90.00 in all, of which 10.00 were charged by the first.
    assert_eq!(waiting.join().unwrap(), [["plus", "35.00", "0"]]);
    assert_eq!(first.text("SELECT sum(paid) FROM credit.purchase"), "55.00");
    assert_eq!(first.text("SELECT credit_balance('acme')"), "5501", "1000 for June, and 15 days of 9000 more");
    database.verify();
}

#[test]
fn many_changes_at_once_bring_no_more_than_the_best_plan() {
    let (database, mut client) = with_plans();
    client.run("SELECT credit_change_plan('acme', 'lite', 1)");
    database.clients(6, |number, client| {
        client.run("SET credit.clock = '2026-06-16 00:00:00+00'");
        for turn in 0..6 {
            let plan = PLANS[(number + turn) % 4].0;
            let change = format!("SELECT credit_change_plan('acme', '{plan}', 1, at => '2026-06-16 00:00:00+00')");
            if let Err(refusal) = client.try_rows(&change) {
                // It is on the plan already, or somebody has just taken the lots.
                assert!(["55000", "40001"].contains(&refusal.code.as_str()), "{refusal}");
            }
            client.run("SELECT credit_try_debit('acme', 7)");
        }
    });
    client.run("SET credit.clock = '2026-06-16 00:00:00+00'; SELECT credit_refresh(account => 'acme')");
    let kept = "SELECT (sum(l.granted) - COALESCE((SELECT sum(expired) FROM credit.breakage), 0)) <= 5500
         FROM credit.lots l WHERE l.source = 'allocation'";
    assert_eq!(client.text(kept), "t", "1000 for June, and at most 9000 more for 15 of 30 days");
    assert_eq!(client.text("SELECT sum(charge) - sum(credit) >= 10 FROM credit.plan_change"), "t");
    database.verify();
}

#[test]
fn what_an_open_debit_uses_is_not_granted_again() {
    let (database, mut first) = with_plans();
    first.run("SELECT credit_change_plan('acme', 'bare', 1); SET credit.clock = '2026-06-16'");
    let mut second = session_at(&database, "2026-06-16");
    first.run("BEGIN; SELECT credit_debit('acme', 2000)");
    // It waits for nobody: what the plan that is left has to settle is settled when the debit has ended.
    assert_eq!(second.rows("SELECT charge FROM credit_change_plan('acme', 'plus', 1)"), [["5.00"]]);
    first.run("COMMIT");
    // 2000 of 2500 were used, 1250 of them for the days until then; 2000 are due for the other days.
    assert_eq!(second.text("SELECT credit_balance('acme')"), "1251");
    second.run("SELECT credit_debit('acme', 1251)");
    second.refusal("SELECT credit_debit('acme', 1)").expect("23514");
    database.verify();
}

#[test]
fn a_change_beside_a_renewal_buys_a_period_once_and_says_who_did() {
    let (database, mut first) = with_plans();
    first.run(
        "SELECT credit_change_plan('acme', 'lite', 1), credit_change_plan('globex', 'lite', 1); SET credit.clock = '2026-08-16'",
    );
    for (account, holder, waiter, outcome) in [
        (
            "acme",
            "SELECT credit_renew('acme')",
            "SELECT renewals, renewed_charge FROM credit_change_plan('acme', 'max', 1)",
            "0 0.00",
        ),
        (
            "globex",
            "SELECT credit_change_plan('globex', 'max', 1)",
            "SELECT count(*), COALESCE(sum(paid), 0) FROM credit_renew('globex')",
            "0 0",
        ),
    ] {
        let mut second = session_at(&database, "2026-08-16");
        let backend = second.backend();
        first.run(&format!("BEGIN; {holder}"));
        let waiting = thread::spawn(move || second.rows(waiter).remove(0).join(" "));
        wait_until_blocked(&mut database.connect(), backend);
        first.run("COMMIT");
        assert_eq!(waiting.join().unwrap(), outcome, "{account}");
        let paid = format!("SELECT sum(paid) FROM credit.purchase WHERE account = '{account}'");
        // Three months of lite, and 16 of 31 days of 90.00.
        assert_eq!(first.text(&paid), "76.45", "{account}");
    }
    assert_eq!(
        first.rows(
            "SELECT renewals, renewed_charge, renewed_currency FROM credit.plan_change WHERE account = 'globex' AND renewals > 0"
        ),
        [["2", "20.00", "USD"]]
    );
    database.verify();
}

#[test]
fn a_cancellation_beside_a_renewal_ends_with_what_was_bought() {
    let (database, mut first) = with_plans();
    first.run("SELECT credit_change_plan('acme', 'lite', 1); SET credit.clock = '2026-08-16'");
    let mut second = session_at(&database, "2026-08-16");
    let backend = second.backend();
    first.run("BEGIN; SELECT credit_renew('acme')");
    let waiting = thread::spawn(move || second.text("SELECT credit_cancel_plan('acme')"));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("COMMIT");
    assert_eq!(waiting.join().unwrap(), "2026-09-01 00:00:00+00");
    assert_eq!(first.number("SELECT count(*) FROM credit.purchase"), 3);
    database.verify();
}

#[test]
fn activations_and_voids_beside_purchases_count_once() {
    let (database, mut client) = with_plans();
    client.run(
        "SELECT credit_plan('bulk', unit => 'credit', currency => 'USD', list_price => 1, reach => 'cumulative');
         SELECT credit_tier('bulk', 'one', 0, discount => 0), credit_tier('bulk', 'two', 100, discount => 0.5);
         SELECT credit_agreement('acme', 'bulk', committed_quantity => ARRAY[1000])",
    );
    database.clients(6, |number, client| {
        client.run("SET credit.clock = '2026-06-01 00:00:00+00'");
        for turn in 0..8 {
            let pending = (number + turn) % 2 == 0;
            let lot = client.text(&format!("SELECT credit_purchase('acme', 'bulk', 10, pending => {pending})"));
            match (number + turn) % 3 {
                0 => client.run(&format!("SELECT credit_void('acme', {lot})")),
                _ if pending => client.run(&format!("SELECT credit_activate('acme', {lot})")),
                _ => {}
            }
        }
    });
    let kept = "SELECT count(*) * 10 = (SELECT bought FROM credit.commitments) \
        AND sum(paid) = (SELECT paid FROM credit.commitments)
         FROM credit.purchase b WHERE status = 'active'
             AND NOT EXISTS (SELECT FROM credit.voided v JOIN credit.purchase_lot l USING (account, lot) \
                 WHERE l.purchase = b.purchase)";
    assert_eq!(client.text(kept), "t");
    assert_eq!(
        client.text("SELECT sum(revenue) = (SELECT paid FROM credit.commitments) FROM credit.tier_economics WHERE plan = 'bulk'"),
        "t"
    );
    database.verify();
}

/// A month by the model: the best plan until each day, and what the plan that was held on it costs, in cents.
struct Month {
    best: Vec<i64>,
    price: Vec<i64>,
}

/// By the day on which it begins.
#[derive(Default)]
struct Months(BTreeMap<i64, Month>);

/// The days of June to September.
const DAYS: i64 = 122;

impl Months {
    /// A plan is held on a day; of several the last one is charged.
    fn hold(&mut self, day: i64, plan: usize) {
        let (begins, length) = [(0, 30), (30, 31), (61, 31), (92, 30)].into_iter().rfind(|(begins, _)| *begins <= day).unwrap();
        let month = self.0.entry(begins).or_insert_with(|| Month { best: vec![0; length], price: vec![0; length] });
        let index = (day - begins) as usize;
        month.best[index..].iter_mut().for_each(|best| *best = PLANS[plan].2.max(*best));
        month.price[index] = PLANS[plan].1 * 100;
    }
}

#[test]
fn walks_from_plan_to_plan_bring_each_day_once_and_pay_for_each() {
    let (database, mut client) = with_plans();
    for seed in 0..6 {
        let (mut random, account) = (Random::new(seed), format!("account {seed}"));
        let mut months = Months::default();
        let (mut day, mut plan) = (0_i64, 0_usize);
        client.run(&format!("SET credit.clock = '2026-06-01'; SELECT credit_change_plan('{account}', 'lite', 1)"));
        while day < DAYS {
            let (hour, next) = (random.below(24), day + 1 + random.below(12) as i64);
            let at = client.text(&format!("SELECT timestamptz '2026-06-01' + make_interval(days => {day}, hours => {hour})"));
            client.run(&format!("SET credit.clock = '{at}'"));
            let (before, chosen) = (plan, random.below(4) as usize);
            if chosen != plan {
                let call = format!("'{account}', '{}', 1, at => '{at}'", PLANS[chosen].0);
                let preview = client.text(&format!("SELECT c::text FROM credit_change_plan({call}, preview => true) c"));
                let applied = client.text(&format!("SELECT c::text FROM credit_change_plan({call}) c"));
                assert_eq!(preview, applied, "seed {seed}: {call}");
                plan = chosen;
            }
            months.hold(day, before);
            (day..next.min(DAYS)).for_each(|held| months.hold(held, plan));
            client.run(&format!("SELECT credit_try_debit('{account}', {})", 1 + random.below(4_000)));
            day = next;
        }
        client.run(&format!(
            "SET credit.clock = '2026-09-30 23:00:00+00'; SELECT count(*) FROM credit_renew('{account}'), \
            credit_refresh(account => '{account}')"
        ));
        let kept = format!(
            "SELECT date_trunc('month', l.effective_at)::date - date '2026-06-01', trunc(sum(l.granted - COALESCE((
                 SELECT sum(b.expired) FROM credit.breakage b WHERE b.account = l.account AND b.lot = l.lot
                     AND b.expires_at < date_trunc('month', l.effective_at) + interval '1 month'), 0)))
             FROM credit.lot l WHERE l.account = '{account}' AND l.source = 'allocation' GROUP BY 1 ORDER BY 1"
        );
        for row in client.rows(&kept) {
            let (begins, kept): (i64, i64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
            let best = &months.0[&begins].best;
            let most = best.iter().sum::<i64>() / best.len() as i64;
            assert!(kept <= most, "seed {seed}: {kept} of at most {most} in the month from day {begins}");
        }
        let paid =
            client.number(&format!("SELECT (sum(kept_paid) * 100)::bigint FROM credit.purchases WHERE account = '{account}'"));
        let due: i64 = months.0.values().map(|month| month.price.iter().sum::<i64>() / month.price.len() as i64).sum();
        assert!(paid + 12 >= due, "seed {seed}: {paid} cents for days that cost {due}");
        database.verify();
    }
}
