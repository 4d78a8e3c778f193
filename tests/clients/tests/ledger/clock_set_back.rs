//! The server's own clock is set back: by an NTP step, or by a fail-over to a host that is behind. Nothing fails for it, no limit
//! is passed and no closed period changes.

use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Cluster, Database, Random, Session, SkewedClock};

/// No single statement may wait for the clock.
const AT_ONCE: Duration = Duration::from_secs(10);

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Microseconds from what the server takes for now to the end of its day.
fn to_midnight(client: &mut Client) -> i64 {
    client.number(
        "SELECT (EXTRACT(epoch FROM date_trunc('day', clock_timestamp()) + interval '1 day' - clock_timestamp()) * \
        1000000)::bigint",
    )
}

#[test]
fn a_clock_that_was_a_month_ahead_blocks_nobody() {
    let clock = SkewedClock::new();
    let cluster = Cluster::start_under(&clock, &["fsync = off"]);
    let database = Database::on(&cluster.server());
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 1000); SELECT credit_member('acme', 'ann', department => 'eng')");
    client.run(
        "SELECT credit_cap('acme', 10, every => 'month'); SELECT credit_cap('acme', 9, department => 'eng', every => 'day')",
    );
    client.run(
        "SELECT credit_cap('acme', 8, member => 'ann', rolling => '1 hour'); \
        SELECT credit_cap('acme', 7, every => 'week', action => 'warn')",
    );
    client.run("SELECT credit_debit('acme', 2, member => 'ann')");
    clock.set(40 * DAY);
    client.run("SELECT credit_debit('acme', 8, member => 'ann')");
    clock.set(0);
    let begun = Instant::now();
    client.run("SELECT credit_debit('acme', 3, member => 'ann')");
    client.refusal("SELECT credit_debit('acme', 6, member => 'ann')").expect("54000");
    assert_eq!(
        client.number("SELECT count(posting) FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 9], mode => 'each')"),
        1
    );
    client.run("INSERT INTO credit.entry (account, kind, amount, lot) SELECT 'acme', 'debit', -1, lot FROM credit.lot");
    assert_eq!(client.text("SELECT string_agg(used::text, ' ' ORDER BY cap) FROM credit.caps"), "7 5 5 7");
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    database.verify();
    // When that month comes, what was spent in it counts.
    clock.set(40 * DAY);
    client.refusal("SELECT credit_debit('acme', 3)").expect("54000");
    client.run("SELECT credit_debit('acme', 2)");
    database.verify();
}

#[test]
fn steps_back_over_midnight_pass_no_limit() {
    let clock = SkewedClock::new();
    let cluster = Cluster::start_under(&clock, &["fsync = off"]);
    let database = Database::on(&cluster.server());
    let mut client = database.connect();
    client.run("SELECT credit_grant('acme', 100000); SELECT credit_cap('acme', 60, every => 'day')");
    client.run(
        "SELECT credit_cap('acme', 40, every => 'day', operation => 'chat'); \
        SELECT credit_cap('acme', 50, rolling => '2 minutes')",
    );
    // A moment before midnight, and back to there again and again.
    let before = to_midnight(&mut client) - 300_000;
    clock.set(before);
    let posted: i64 = database
        .clients(7, |number, client| {
            let mut random = Random::new(number as u64);
            let mut posted = 0;
            for round in 0..40 {
                if number == 0 {
                    std::thread::sleep(Duration::from_millis(60));
                    clock.step(if round % 8 == 7 { -400_000 } else { 40_000 });
                    continue;
                }
                let operation = random.pick(&["'chat'", "NULL"]);
                let begun = Instant::now();
                posted += i64::from(client.fits(&format!("SELECT credit_debit('acme', 1, operation => {operation})")));
                assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
            }
            posted
        })
        .into_iter()
        .sum();
    assert!(posted >= 50, "{posted}");
    let days =
        "SELECT count(*) FROM (SELECT FROM credit.entry WHERE kind = 'debit' GROUP BY recorded_at::date HAVING - sum(amount) > 60
        OR - sum(amount) FILTER (WHERE operation = 'chat') > 40) AS too_much";
    assert_eq!(client.number(days), 0);
    database.verify();
}

#[test]
fn a_closed_period_stays_closed() {
    let clock = SkewedClock::new();
    let cluster = Cluster::start_under(&clock, &["fsync = off"]);
    let database = Database::on(&cluster.server());
    let mut client = database.connect();
    client.run(
        "SELECT credit_grant('acme', 1000); SELECT credit_true_up_terms('acme', commitment => 50, every => '1 day', \
        unit_price => 1, currency => 'USD',
        anchor => date_trunc('day', clock_timestamp()))",
    );
    client.run("SELECT credit_debit('acme', 5)");
    let before = to_midnight(&mut client) - 100_000;
    clock.set(before + HOUR);
    // Closed by another session, which has its own beginning.
    database.connect().run("SELECT credit_true_up_post('acme')");
    let used = "SELECT used FROM credit_true_up('acme', (SELECT min(starts_at) FROM credit.true_up), \
        (SELECT min(ends_at) FROM credit.true_up))";
    assert_eq!(client.text("SELECT used FROM credit.true_up"), "5");
    clock.set(before - HOUR);
    client.run("SELECT credit_debit('acme', 7); SELECT credit_grant('acme', 3); SELECT credit_debit('acme', 2, at => now())");
    client.run("INSERT INTO credit.entry (account, kind, amount, lot) SELECT 'acme', 'debit', -1, min(lot) FROM credit.lot");
    assert_eq!(client.number("SELECT count(posting) FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1])"), 2);
    database.verify();
    clock.set(before + 2 * HOUR);
    assert_eq!(client.text(used), "5");
    database.verify();
}
