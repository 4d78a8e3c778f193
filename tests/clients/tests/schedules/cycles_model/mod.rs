//! Two years of schedules under random policies, against a model that goes through them day by day.
//!
//! Each policy is lived through twice with the same debits: by an account that is refreshed whenever something is due, and by one
//! that is touched now and then only. Every instant's balance of both must be the model's, also when it is asked for
//! afterwards, their ledgers must be the same, and no credit may be lost.
//!
//! The model runs first and writes down what is to be done and found; the database does it in one call for each account, and
//! compares in one query.

mod life;
mod policy;
mod reference;

use pg_credit_clients::{Client, Database, Session};

const POLICIES: u64 = 200;
const CLIENTS: u64 = 4;

/// What must have occurred, counted in the ledger: lots whose life the clocks made an hour shorter or longer than its local days,
/// lots 14 hours ahead, lots that begin on a leap day, and lots of the 31st that begin earlier because their month has none.
const OCCURRENCES: &str = "SELECT count(*) FILTER (WHERE days.local - days.absolute > interval '0'),
        count(*) FILTER (WHERE days.local - days.absolute < interval '0'),
        count(*) FILTER (WHERE a.time_zone = 'Pacific/Kiritimati'),
        count(*) FILTER (WHERE to_char(l.effective_at AT TIME ZONE a.time_zone, 'MM-DD') = '02-29'),
        count(*) FILTER (WHERE extract(day FROM s.anchor AT TIME ZONE a.time_zone) = 31 AND l.effective_at > s.starts_at
            AND extract(day FROM l.effective_at AT TIME ZONE a.time_zone) IN (28, 29, 30))
    FROM credit.lot l JOIN credit.account a USING (account) JOIN credit.schedule s USING (account),
        LATERAL (SELECT l.expires_at AT TIME ZONE a.time_zone - l.effective_at AT TIME ZONE a.time_zone AS local,
            l.expires_at - l.effective_at AS absolute) AS days";

fn assert_occurrences(client: &mut Client) {
    let written = &client.rows("SELECT (SELECT count(*) FROM step), (SELECT count(*) FROM instant)")[0];
    println!("{POLICIES} policies, two accounts each: {} steps, {} instants", written[0], written[1]);
    let names = ["clocks forward", "clocks back", "14 hours ahead", "leap day", "shorter month"];
    let counts = &client.rows(OCCURRENCES)[0];
    println!("lots: {}", names.iter().zip(counts).map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", "));
    for (name, count) in names.iter().zip(counts) {
        assert!(count.parse::<u64>().expect("a number") >= 20, "{name} occurred {count} times");
    }
}

#[test]
fn two_years_under_random_policies() {
    let database = Database::new();
    database.connect().run(life::PREPARATION);
    database.clients(CLIENTS as usize, |number, client| {
        (0..POLICIES).filter(|seed| seed % CLIENTS == number as u64).for_each(|seed| life::live_through(client, seed));
    });
    assert_occurrences(&mut database.connect());
    database.verify();
}
