//! Two years of one policy: the steps that the model writes down, and what the database makes of them.

use chrono::NaiveDate;
use pg_credit_clients::{Client, Random, Session};

use super::policy::{Policy, money};
use super::reference::Model;

const DAYS: usize = 730;

/// Debits come so long after the day has begun.
const DEBITS_AFTER: &str = "37 minutes";
const DEBITS_AFTER_MICROSECONDS: u64 = 37 * 60 * 1_000_000;

/// The shortest day has 23 hours.
const SHORTEST_DAY_MICROSECONDS: u64 = 23 * 3600 * 1_000_000;

/// A unit, what is to be done and what is to be found, and the procedure that does it, each step in a transaction of its own.
pub const PREPARATION: &str = "SELECT credit_unit('cent', decimals => 2);
    CREATE TABLE step (account text, number integer, at timestamptz, what text, amount numeric, expected numeric,
        PRIMARY KEY (account, number));
    CREATE TABLE instant (seed integer, at timestamptz, expected numeric);
    CREATE INDEX ON instant (seed);
    CREATE PROCEDURE live(account text) LANGUAGE plpgsql AS $$
    DECLARE
        step step;
        found numeric;
        detail text;
    BEGIN
        FOR step IN SELECT * FROM step s WHERE s.account = live.account ORDER BY number LOOP
            PERFORM set_config('credit.clock', step.at::text, false);
            found := step.expected;
            CASE step.what
            WHEN 'balance' THEN found := credit_balance(account);
            WHEN 'refresh' THEN PERFORM credit_refresh(account => account);
            WHEN 'expire' THEN PERFORM credit_expire(account);
            WHEN 'debit' THEN PERFORM credit_debit(account, step.amount);
            WHEN 'too much' THEN
                BEGIN
                    PERFORM credit_debit(account, step.amount);
                    found := NULL;
                EXCEPTION WHEN check_violation THEN
                    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
                    found := substring(detail FROM 'available=(\\S+)');
                END;
            END CASE;
            IF found IS DISTINCT FROM step.expected THEN
                RAISE EXCEPTION '%: found %', step, found;
            END IF;
            COMMIT;
        END LOOP;
    END $$";

/// The account that is refreshed whenever something is due, and the one that is not.
fn accounts(seed: u64) -> [String; 2] {
    [format!("early {seed}"), format!("late {seed}")]
}

/// What is to be done with the two accounts and to be found.
struct Script<'a> {
    seed: u64,
    policy: &'a Policy,
    steps: Vec<String>,
    instants: Vec<String>,
}

impl Script<'_> {
    /// A step of one account or of both.
    fn step(&mut self, accounts: &[String], day: NaiveDate, what: &str, amount: Option<i64>, expected: Option<i64>) {
        let after = if matches!(what, "debit" | "too much") { DEBITS_AFTER } else { "0" };
        let number = self.steps.len();
        let value = |cents: Option<i64>| cents.map_or("NULL".to_owned(), money);
        for account in accounts {
            let at = self.policy.instant(day);
            self.steps.push(format!(
                "('{account}', {number}, {at}::timestamptz + '{after}', '{what}', {}, {})",
                value(amount),
                value(expected)
            ));
        }
    }

    /// A balance that is asked for afterwards.
    fn instant(&mut self, day: NaiveDate, microseconds: i64, expected: i64) {
        let at = self.policy.instant(day);
        self.instants.push(format!("({}, {at}::timestamptz + '{microseconds} us', {})", self.seed, money(expected)));
    }

    /// The balances just before an instant, at it, and just after it.
    fn around(&mut self, day: NaiveDate, microseconds: i64, before: i64, from_then_on: i64) {
        self.instant(day, microseconds - 1, before);
        self.instant(day, microseconds, from_then_on);
        self.instant(day, microseconds + 1, from_then_on);
    }

    fn write(&self, client: &mut Client) {
        client.run(&format!("INSERT INTO step VALUES {}", self.steps.join(",")));
        client.run(&format!("INSERT INTO instant VALUES {}", self.instants.join(",")));
    }
}

/// Goes through the two years in the model and writes down what is to be done and found.
fn write_down(script: &mut Script<'_>, model: &mut Model<'_>, random: &mut Random) -> NaiveDate {
    let both = accounts(script.seed);
    let [early, late] = both.each_ref().map(std::slice::from_ref);
    let mut before = 0;
    let days: Vec<_> = script.policy.starts.iter_days().take(DAYS).collect();
    for &day in &days {
        let changes = model.changes;
        model.begin(day);
        let is_boundary = model.changes > changes;
        let fresh = model.balance();
        if is_boundary {
            script.step(early, day, "refresh", None, None);
        }
        // Most days nobody looks at the other: then what is due comes late.
        match random.below(40) {
            0 => script.step(&both, day, "balance", None, Some(fresh)),
            1 => script.step(late, day, "refresh", None, None),
            2 => script.step(&both, day, "expire", None, None),
            3 if fresh > 0 => {
                let amount = 1 + random.below(fresh as u64) as i64;
                model.debit(amount);
                script.step(&both, day, "debit", Some(amount), None);
            }
            4 => script.step(&both, day, "too much", Some(fresh + 1), Some(fresh)),
            _ => {}
        }
        let rest = model.balance();
        let debited_after = DEBITS_AFTER_MICROSECONDS as i64;
        if is_boundary {
            script.around(day, 0, before, fresh);
        }
        if rest != fresh {
            script.around(day, debited_after, fresh, rest);
        }
        if random.below(20) == 0 {
            let after = random.below(SHORTEST_DAY_MICROSECONDS) as i64;
            script.instant(day, after, if after < debited_after { fresh } else { rest });
        }
        before = rest;
    }
    *days.last().expect("days")
}

/// Every `one_in`-th instant's balance, of both accounts, is what the model says.
fn compare_instants(client: &mut Client, script: &Script<'_>, one_in: usize) {
    for account in accounts(script.seed) {
        let wrong = client.rows(&format!(
            "SELECT at, expected, found
             FROM (SELECT at, expected, row_number() OVER (ORDER BY at) AS number FROM instant WHERE seed = {}) AS asked,
                 LATERAL credit_balance('{account}', at => at) AS found
             WHERE number % {one_in} = 0 AND found <> expected ORDER BY at",
            script.seed
        ));
        assert_eq!(wrong, Vec::<Vec<String>>::new(), "{account}: instants, expected, found under {:?}", script.policy);
    }
}

/// What is in the ledger of one account and not in the other's, but for the time of writing and who was first.
fn compare_ledgers(client: &mut Client, script: &Script<'_>) {
    let [early, late] = accounts(script.seed);
    let lots = |account: &str| {
        format!(
            "SELECT source, priority, granted, effective_at, expires_at, sum(s.remaining), count(DISTINCT l.lot)
             FROM credit.lot l JOIN credit.slot s USING (account, lot) WHERE account = '{account}' GROUP BY 1, 2, 3, 4, 5, l.lot"
        )
    };
    let entries = |account: &str| {
        format!(
            "SELECT e.kind, e.amount, e.occurred_at, l.effective_at, l.expires_at FROM credit.entry e \
                JOIN credit.lot l USING (account, lot)
             WHERE account = '{account}'"
        )
    };
    for (one, other) in [(&early, &late), (&late, &early)] {
        for ledger in [&lots as &dyn Fn(&str) -> String, &entries] {
            let more = client.rows(&format!("{} EXCEPT ALL {}", ledger(one), ledger(other)));
            assert_eq!(more, Vec::<Vec<String>>::new(), "{one} has more than {other} under {:?}", script.policy);
        }
    }
}

/// What was granted, debited and lapsed is what the model says.
fn compare_totals(client: &mut Client, script: &Script<'_>, model: &Model<'_>) {
    for account in accounts(script.seed) {
        let booked = client.rows(&format!(
            "SELECT {} FROM credit.entry WHERE account = '{account}'",
            ["grant", "debit", "expiry"]
                .map(|kind| format!("(COALESCE(sum(abs(amount)) FILTER (WHERE kind = '{kind}'), 0) * 100)::bigint"))
                .join(", ")
        ));
        let expected = [model.granted, model.debited, model.lapsed].map(|cents| cents.to_string());
        assert_eq!(booked[0], expected, "{account}: granted, debited, lapsed under {:?}", script.policy);
    }
    assert_eq!(model.granted, model.debited + model.lapsed + model.balance(), "the model loses nothing");
}

/// Lives through two years of one policy and compares.
pub fn live_through(client: &mut Client, seed: u64) {
    let mut random = Random::new(seed);
    let policy = Policy::random(seed, &mut random);
    let mut model = Model::new(&policy);
    let mut script = Script { seed, policy: &policy, steps: Vec::new(), instants: Vec::new() };
    let last = write_down(&mut script, &mut model, &mut random);
    client.run(&format!("SET credit.clock = {}", policy.instant(policy.starts)));
    script.write(client);
    for account in accounts(seed) {
        client.run(&format!("SELECT credit_account('{account}', unit => 'cent', time_zone => '{}')", policy.zone));
        client.run(&policy.declaration(&account));
    }
    for account in accounts(seed) {
        client.ask(&format!("CALL live('{account}')")).unwrap_or_else(|refusal| panic!("{refusal} under {policy:?}"));
    }
    client.run(&format!("SELECT set_config('credit.clock', ({}::timestamptz + '22 hours')::text, false)", policy.instant(last)));
    // What is still due is computed for each of them, so before it is issued fewer are asked for.
    compare_instants(client, &script, 8);
    for account in accounts(seed) {
        client.run(&format!("SELECT credit_refresh(account => '{account}'); SELECT credit_expire('{account}')"));
    }
    compare_instants(client, &script, 1);
    compare_ledgers(client, &script);
    compare_totals(client, &script, &model);
}
