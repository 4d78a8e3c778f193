//! Caps and holds under concurrency: what is held and used never goes beyond a limit, and what is held counts once.

use pg_credit_clients::{Client, Database, Random, Session};

/// A pool, and a cap of 1,000 on it.
fn database() -> Database {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'); SELECT credit_grant('acme', 1000000)");
    for member in 0..6 {
        let department = ["eng", "eng/ml", "ops"][member % 3];
        session.run(&format!("SELECT credit_member('acme', 'm{member}', department => '{department}')"));
    }
    session.run("SELECT credit_cap('acme', 1000)");
    database
}

fn counted(session: &mut Client) -> String {
    session.rows("SELECT used, held, headroom FROM credit.caps ORDER BY cap LIMIT 1")[0].join(" ")
}

/// What many hold and debit at once is exactly the limit; then all of it is captured, by others than those who held it.
#[test]
fn holds_and_debits_reach_exactly_the_limit() {
    let database = database();
    let mut session = database.connect();
    let held = database.clients(8, |number, client| {
        let mut held = Vec::new();
        for _ in 0..40 {
            let sql = match number % 2 {
                0 => "SELECT credit_hold('acme', 5)",
                _ => "SELECT credit_debit('acme', 5) * 0",
            };
            match client.ask(sql) {
                Ok(id) => held.push(id.expect("an id")),
                Err(refusal) => drop(refusal.expect("54000")),
            }
        }
        held
    });
    let all = held.iter().map(Vec::len).sum::<usize>();
    let holds: Vec<String> = held.into_iter().flatten().filter(|id| id != "0").collect();
    assert_eq!(all, 200);
    assert_eq!(counted(&mut session), format!("{} {} 0", 1000 - 5 * holds.len(), 5 * holds.len()));
    session.refusal("SELECT credit_hold('acme', 1)").expect("54000");
    database.verify();
    database.clients(8, |number, client| {
        for hold in holds.iter().skip(number).step_by(8) {
            client.run(&format!("SELECT credit_capture('acme', {hold})"));
        }
    });
    assert_eq!(counted(&mut session), "1000 0 0");
    database.verify();
}

/// Holds, captures of all kinds and releases beside debits, batches, and caps that come, change and end.
#[test]
fn no_cap_is_exceeded_and_nothing_is_held_for_ever() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_cap('acme', 600, department => 'eng')");
    session.run("SELECT credit_cap('acme', 800, rolling => '1 minute', covers => 'pool')");
    session.run("SELECT credit_grant('acme', 200, member => 'm' || n) FROM generate_series(0, 5) n");
    database.clients(10, |number, client| {
        let mut random = Random::new(number as u64 + 5);
        let mut open: Vec<String> = Vec::new();
        for turn in 0..60 {
            let (member, few) = (random.below(6), 1 + random.below(9));
            let sql = match (number, random.below(6)) {
                (0, 0) => format!("SELECT credit_cap('acme', {}, department => 'eng')", 300 + random.below(400)),
                (0, 1) => format!("SELECT credit_cap('acme', {}, member => 'm{member}', every => 'day')", 20 + random.below(200)),
                (0, 2) => format!("SELECT credit_cap('acme', 5000, operation => 'o{turn}', every => 'year')"),
                (0, 3) => "SELECT credit_end_cap('acme', max(cap)) FROM credit.caps WHERE member IS NOT NULL".to_owned(),
                (0, _) => format!("SELECT credit_member('acme', 'm{member}', department => '{}')", ["eng", "ops"][turn % 2]),
                (1, _) => format!(
                    "SELECT count(*) FROM credit_debit_many('{{acme,acme}}', '{{{few},2}}', members => '{{m{member},m0}}', \
                        mode => 'each')"
                ),
                (2, _) => format!("SELECT credit_debit('acme', {few}, member => 'm{member}')"),
                (_, 0..3) => format!(
                    "SELECT credit_hold('acme', {few}, member => 'm{member}', operation => 'o{}', expires_after => '1 hour')",
                    random.below(60)
                ),
                (_, choice) => match open.pop() {
                    None => continue,
                    Some(hold) => match choice {
                        3 => format!("SELECT credit_release('acme', {hold})"),
                        4 => format!("SELECT credit_capture('acme', {hold}, 1)"),
                        _ => format!("SELECT credit_capture('acme', {hold})"),
                    },
                },
            };
            match client.ask(&sql) {
                Ok(id) if sql.contains("credit_hold(") => open.push(id.expect("an id")),
                Ok(_) => {}
                Err(refusal) => {
                    assert!(!sql.contains("credit_capture"), "{sql}: {refusal}");
                    assert!(["54000", "23514", "22023", "22004"].contains(&refusal.code.as_str()), "{sql}: {refusal}");
                }
            }
        }
        for hold in open {
            client.run(&format!("SELECT credit_release('acme', {hold})"));
        }
    });
    database.verify();
    let still_held = "SELECT count(*) FROM credit.cap_slot WHERE held <> 0 AND cap IN (SELECT cap FROM credit.caps)";
    assert_eq!(session.text(still_held), "0");
}

/// A new cap waits for a hold in flight and counts it, and a capture waits for the cap and counts in it.
#[test]
fn a_new_cap_counts_holds_in_flight() {
    let database = database();
    let (mut worker, mut maker, mut session) = (database.connect(), database.connect(), database.connect());
    worker.run("BEGIN; SELECT credit_hold('acme', 70, member => 'm0', key => 'first')");
    let waiting = database.waiting("SELECT credit_cap('acme', 100, department => 'eng')");
    worker.run("COMMIT");
    waiting.join().unwrap().unwrap();
    let of_department = "SELECT used || ' ' || held FROM credit.caps WHERE department = 'eng'";
    assert_eq!(session.text(of_department), "0 70");
    let hold = session.text("SELECT hold FROM credit.hold");
    // In flight while the next one is made: before, after, or taken back.
    worker.run(&format!("BEGIN; SELECT credit_capture('acme', {hold}, 10, final => false)"));
    let waiting = database.waiting("SELECT credit_cap('acme', 200, member => 'm0', every => 'year')");
    worker.run("COMMIT");
    waiting.join().unwrap().unwrap();
    let of_member = "SELECT used || ' ' || held FROM credit.caps WHERE member = 'm0'";
    assert_eq!((session.text(of_department).as_str(), session.text(of_member).as_str()), ("10 60", "10 60"));
    maker.run("BEGIN; SELECT credit_cap('acme', 150, member => 'm0', every => 'quarter')");
    let waiting = database.waiting(&format!("SELECT credit_capture('acme', {hold}, 25)"));
    maker.run("COMMIT");
    waiting.join().unwrap().unwrap();
    let all = "SELECT DISTINCT used || ' ' || held FROM credit.caps WHERE member = 'm0'";
    assert_eq!(session.rows(all), vec![vec!["35 0".to_owned()]]);
    database.verify();
}

/// A transaction whose snapshot does not show a cap cannot settle a hold that the cap counts.
#[test]
fn older_snapshots_do_not_settle_past_a_cap() {
    let database = database();
    let (mut older, mut session) = (database.connect(), database.connect());
    let hold = session.text("SELECT credit_hold('acme', 10, member => 'm0')");
    let captures = |amount: &str| format!("SELECT credit_capture('acme', {hold}{amount})");
    for settles in [captures(""), captures(", 1"), format!("SELECT credit_release('acme', {hold})")] {
        older.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_balance('acme')");
        session.run(&format!("SELECT credit_cap('acme', {}, department => 'eng', every => 'year')", 5000 + settles.len()));
        older.refusal(&settles).expect("40001");
        older.run("ROLLBACK");
        session.run("SELECT credit_end_cap('acme', max(cap)) FROM credit.caps WHERE department IS NOT NULL");
    }
    older.run(&format!("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT credit_capture('acme', {hold}, 4); COMMIT"));
    assert_eq!(counted(&mut session), "4 0 996");
    database.verify();
}

/// Two that would be refused because of the same ended hold are not, whoever gives it back.
#[test]
fn an_ended_hold_is_in_nobodys_way() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('ends'); SELECT credit_grant('ends', 100000); SELECT credit_cap('ends', 1000)");
    for turn in 0..10 {
        let hour = format!("SET credit.clock = '2031-01-{:02} 10:00+00'", turn + 1);
        session.run(&format!("{hour}; SELECT credit_cap('ends', 1000 + (SELECT used FROM credit.caps WHERE account = 'ends'))"));
        session.run("SELECT credit_hold('ends', 250, expires_after => '1 minute') FROM generate_series(1, 4)");
        session.refusal("SELECT credit_debit('ends', 1)").expect("54000");
        let posted = database.clients(5, |_, client| {
            client.run(&hour.replace("10:00", "10:01"));
            client.run("SELECT credit_debit('ends', 200)");
            1
        });
        assert_eq!(posted.len(), 5);
    }
    session.run("SET credit.clock = '2031-01-10 10:01+00'");
    assert_eq!(session.text("SELECT used || ' ' || held FROM credit.caps WHERE account = 'ends'"), "10000 0");
    assert_eq!(session.rows("SELECT v::text FROM credit_verify('ends') v"), Vec::<Vec<String>>::new());
}

/// What is given back while more is used and held than a lowered limit is headroom for nobody, whichever connection gives it
/// back.
#[test]
fn a_lowered_limit_holds_while_holds_are_released() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_debit('acme', 500)");
    // Debits that wait for each other widen the cap.
    database.clients(8, |_, client| (0..40).for_each(|_| client.run("SELECT credit_debit('acme', 0.1)")));
    let slots = session.number("SELECT slots FROM credit.cap");
    assert!(slots > 1, "one slot only");
    let holds: Vec<String> = (0..8).map(|_| session.text("SELECT credit_hold('acme', 50)")).collect();
    session.run("SELECT credit_cap('acme', 600)");
    assert_eq!(counted(&mut session), "532 400 0");
    let released = database.clients(8, |number, client| client.run(&format!("SELECT credit_release('acme', {})", holds[number])));
    assert_eq!(released.len(), 8);
    assert_eq!(counted(&mut session), "532 0 68");
    database.clients(8, |_, client| while client.ask("SELECT credit_debit('acme', 4)").is_ok() {});
    assert_eq!(counted(&mut session), "600 0 0");
    database.verify();
}

/// A batch counts against what holds leave, as a single debit does.
#[test]
fn a_batch_is_left_what_holds_leave() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_hold('acme', 900)");
    let batch = "credit_debit_many('{acme,acme}', '{70,50}', mode => 'each')";
    let outcomes = session.rows(&format!("SELECT posting IS NOT NULL, shortfall FROM {batch} ORDER BY item"));
    assert_eq!(outcomes[0][0], "t");
    assert_eq!(outcomes[1], ["f", "20"]);
    assert_eq!(counted(&mut session), "70 900 30");
    database.verify();
}
