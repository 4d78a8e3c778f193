//! Everything changes at one real instant: schedules, half of them with rollover, lots that expire, daily caps and the price.
//! Clients charge across it.

use std::collections::BTreeMap;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Database, Random, Session};

const ACCOUNTS: u64 = 200;
const CLIENTS: usize = 8;

/// How many seconds ahead the instant is when laying out begins: that takes two, and more beside other tests.
const AHEAD: u64 = 20;

/// How many seconds before the instant the clients begin.
const BEFORE: f64 = 1.5;

/// Charges go on until so long after the instant.
const AFTER: Duration = Duration::from_secs(2);

/// Seconds until an instant by the server's clock.
fn seconds_until(client: &mut Client, instant: &str) -> f64 {
    client.text(&format!("SELECT EXTRACT(epoch FROM '{instant}'::timestamptz - clock_timestamp())")).parse().expect("seconds")
}

/// Lays everything out that changes a number of seconds from now; returns that instant.
fn lay_out(client: &mut Client, seconds: u64) -> String {
    let instant = client.text(&format!("SELECT clock_timestamp() + interval '{seconds} seconds'"));
    client.run(&format!(
        "SELECT credit_rate_card('list', unit => 'credit', is_default => true);
         SELECT credit_rate('list', 'chat', credits => 1), credit_publish('list');
         SELECT credit_rate('list', 'chat', credits => 2);
         SELECT credit_publish('list', effective_at => '{instant}', override_reason => 'at the instant');
         SELECT credit_account('a' || i, time_zone => (ARRAY['UTC', 'Europe/Berlin', 'America/New_York'])[1 + i % 3]),
             credit_member('a' || i, 'm', department => 'eng') FROM generate_series(1, {ACCOUNTS}) i;
         SELECT credit_schedule('a' || i, 10, '1 day', anchor => '{instant}'::timestamptz - interval '1 day', \
             per_member => i % 5 = 0,
             rollover => CASE WHEN i % 2 = 0 THEN '{{\"max_periods\": 1, \"fraction_of_unused\": 0.5}}'::jsonb END) \
                 FROM generate_series(1, {ACCOUNTS}) i;
         SELECT credit_grant('a' || i, 4, expires_at => '{instant}', priority => 10) FROM generate_series(1, {ACCOUNTS}) i;
         SELECT credit_cap('a' || i, 6, every => 'day', anchor => '{instant}'::timestamptz - interval '1 day') \
             FROM generate_series(1, {ACCOUNTS}) i
         WHERE i % 3 = 0"
    ));
    instant
}

/// One request of those that come at once, and the account and posting of a charge.
fn ask_something(client: &mut Client, random: &mut Random) -> Option<(String, String)> {
    let account = match random.below(2) {
        0 => format!("a{}", 1 + random.below(ACCOUNTS)),
        _ => format!("a{}", 1 + random.below(20)),
    };
    let kind = random.below(14);
    let sql = match kind {
        0..=5 => format!("SELECT credit_charge('{account}', 'chat', 1, member => 'm')"),
        6..=7 => format!("SELECT credit_try_debit('{account}', 1, member => 'm')"),
        8 => format!("SELECT count(*) FROM credit_debit_many(ARRAY['{account}', 'a1'], ARRAY[0.5, 0.5], mode => 'each')"),
        9 => format!("SELECT credit_refresh(account => '{account}')"),
        10 => format!("SELECT count(*) FROM credit_expire('{account}')"),
        11 => "SELECT credit_refresh(max_accounts => 50)".to_owned(),
        12 => format!("SELECT credit_balance('{account}')"),
        _ => "SELECT count(*) FROM credit_expire()".to_owned(),
    };
    match client.ask(&sql) {
        Ok(posting) => posting.filter(|_| kind <= 5).map(|posting| (account, posting)),
        Err(refusal) => {
            assert!(["23514", "54000"].contains(&refusal.code.as_str()), "{refusal}\nin: {sql}");
            None
        }
    }
}

#[test]
fn everything_changes_at_one_instant() {
    let database = Database::new();
    let (laid_out, is_ready) = (OnceLock::new(), Barrier::new(CLIENTS));
    // Laid out by one of the clients, since other tests' clients may have to end before these begin.
    let acknowledged = database.clients(CLIENTS, |number, client| {
        if number == 0 {
            laid_out.set(lay_out(client, AHEAD)).expect("only one lays out");
        }
        is_ready.wait();
        let left = seconds_until(client, laid_out.get().expect("an instant"));
        assert!(left > BEFORE, "{ACCOUNTS} accounts cannot be laid out in {AHEAD} seconds");
        thread::sleep(Duration::from_secs_f64(left - BEFORE));
        let stop = Instant::now() + Duration::from_secs_f64(BEFORE) + AFTER;
        let mut random = Random::new(number as u64);
        let mut charges = Vec::new();
        while Instant::now() < stop {
            charges.extend(ask_something(client, &mut random));
        }
        charges
    });
    let instant = laid_out.get().expect("an instant");
    let mut client = database.connect();
    database.verify();

    let mut count = |sql: &str| client.number(&sql.replace("$T", &format!("'{instant}'::timestamptz")));
    // Some came before it, some after it.
    assert!(count("SELECT count(*) FROM credit.entry WHERE kind = 'debit' AND recorded_at < $T") > 0);
    assert!(count("SELECT count(*) FROM credit.entry WHERE kind = 'debit' AND recorded_at >= $T") > 0);
    let wrong_price =
        "SELECT count(*) FROM (SELECT FROM credit.entry WHERE kind = 'debit' AND rate IS NOT NULL GROUP BY account, posting
        HAVING - sum(amount) <> CASE WHEN min(occurred_at) >= $T THEN 2 ELSE 1 END) AS wrong";
    assert_eq!(count(wrong_price), 0, "a charge is priced by the rate of its instant");
    let out_of_life = "SELECT count(*) FROM credit.entry e JOIN credit.lot l USING (account, lot)
        WHERE e.kind = 'debit' AND (e.recorded_at >= l.expires_at OR e.recorded_at < l.effective_at)";
    assert_eq!(count(out_of_life), 0, "a lot pays within its life");
    let above_the_cap =
        "SELECT count(*) FROM (SELECT FROM credit.entry e JOIN credit.cap c USING (account) WHERE e.kind = 'debit'
        GROUP BY account, e.recorded_at >= $T HAVING - sum(e.amount) > 6) AS too_much";
    assert_eq!(count(above_the_cap), 0, "no day sees more than its cap");

    let issued = "SELECT count(*) FROM (SELECT FROM credit.schedule_period GROUP BY account, schedule, member, period, rolled \
        HAVING count(*) > 1) AS twice";
    assert_eq!(count("SELECT credit_refresh(max_accounts => 10000)").min(0), 0);
    assert_eq!(count(issued), 0, "a period is issued once");
    assert_eq!(
        count("SELECT count(*) FROM credit.schedule_period WHERE period = 1 AND rolled = 0"),
        ACCOUNTS as i64,
        "and in every account"
    );
    database.verify();

    let mut by_account: BTreeMap<String, Vec<String>> = BTreeMap::new();
    acknowledged.into_iter().flatten().for_each(|(account, posting)| by_account.entry(account).or_default().push(posting));
    for (account, postings) in by_account {
        let found = format!(
            "SELECT count(DISTINCT posting) FROM credit.entry WHERE account = '{account}' AND posting IN ({})",
            postings.join(", ")
        );
        assert_eq!(client.number(&found), postings.len() as i64, "no acknowledged charge of {account} is lost");
    }
}
