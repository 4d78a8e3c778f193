//! Caps of rolling windows: no window of the length ever sees more than the limit, whoever debits at once and in which way.

use std::sync::Barrier;

use pg_credit_clients::{Client, Cluster, Database, Random, Session, wait_until};

/// When the clock of a test begins.
const BEGIN: &str = "timestamptz '2027-01-01 00:00+00'";

/// A pool with members of eng, eng/ml and marketing, each with some credits of their own.
fn database() -> Database {
    let database = Database::new();
    let mut session = database.connect();
    session.run(&format!("SELECT set_config('credit.clock', ({BEGIN})::text, false)"));
    session.run(
        "SELECT credit_account('acme', late_usage => 'original', late_grace => '1 year'); SELECT credit_grant('acme', 100000)",
    );
    for member in 0..6 {
        let department = ["eng", "eng/ml", "marketing"][member % 3];
        session.run(&format!(
            "SELECT credit_member('acme', 'm{member}', department => '{department}'), \
                credit_grant('acme', 200, member => 'm{member}')"
        ));
    }
    database
}

/// Sets a session's clock to so many seconds after the beginning.
fn set_clock(session: &mut Client, seconds: u64) {
    session.run(&format!("SELECT set_config('credit.clock', ({BEGIN} + make_interval(secs => {seconds}))::text, false)"));
}

/// The most that a window of the length saw of a department, both its ends included.
fn most_in_a_window(session: &mut Client, department: &str, window: &str) -> f64 {
    let sql = format!(
        "SELECT COALESCE(max(-sum), 0) FROM \
            (SELECT sum(amount) OVER (ORDER BY recorded_at RANGE BETWEEN interval '{window}' PRECEDING
             AND CURRENT ROW) FROM credit.entry WHERE kind = 'debit' \
                 AND (department = '{department}' OR department LIKE '{department}/%')) s"
    );
    session.text(&sql).parse().unwrap()
}

/// A round of one client at one instant: a debit, a batch, late usage, a charge past the functions, or a change of the limit
/// upwards.
fn debit(random: &mut Random, member: u64) -> String {
    let amount = 1 + random.below(12);
    match random.below(8) {
        0 => format!(
            "SELECT count(*) FROM credit_debit_many('{{acme,acme,acme}}', '{{{amount},2,3}}', \
            members => '{{m{member},m0,m1}}', mode => 'each')"
        ),
        1 => format!("SELECT credit_debit_many('{{acme,acme}}', '{{{amount},1}}', members => '{{m{member},m4}}')"),
        2 => format!(
            "SELECT credit_try_debit('acme', {amount}, member => 'm{member}', \
            at => credit.now() - interval '1 minute')"
        ),
        3 => format!(
            "INSERT INTO credit.entry (account, kind, amount, lot, member) SELECT 'acme', 'debit', -{amount}, lot, 'm{member}' \
                FROM credit.lot
             WHERE account = 'acme' AND member IS NULL"
        ),
        _ => format!("SELECT credit_try_debit('acme', {amount}, member => 'm{member}')"),
    }
}

/// Clocks of clients differ by up to a step; time goes on, further than the window at times.
#[test]
fn no_window_sees_more_than_the_limit() {
    const CLIENTS: usize = 8;
    let database = database();
    let mut session = database.connect();
    set_clock(&mut session, 0);
    session.run("SELECT credit_cap('acme', 100, department => 'eng', rolling => '1 hour')");
    session.run("SELECT credit_cap('acme', 150, rolling => '1 hour', covers => 'pool')");
    let round = Barrier::new(CLIENTS);
    let posted = database.clients(CLIENTS, |number, client| {
        let mut random = Random::new(number as u64 + 17);
        // All go through the same times.
        let mut times = Random::new(5);
        let (mut seconds, mut posted) = (0, 0);
        for _ in 0..40 {
            seconds += [7, 100, 300, 1300, 4000][times.below(5) as usize];
            round.wait();
            set_clock(client, seconds + random.below(119));
            for _ in 0..4 {
                let member = random.below(6);
                let sql = debit(&mut random, member);
                match client.ask(&sql) {
                    Ok(_) => posted += 1,
                    Err(refusal) => drop(refusal.expect("54000")),
                }
            }
        }
        posted
    });
    assert!(posted.iter().sum::<i32>() > 100, "{posted:?}");
    let most = most_in_a_window(&mut session, "eng", "1 hour");
    assert!((80.0..=100.0).contains(&most), "{most}");
    database.verify();
}

/// As it is used: the clock goes on by itself, and steps of two seconds end while debits wait for each other.
#[test]
fn steps_end_while_debits_run() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SELECT credit_account('acme'); SELECT credit_grant('acme', 100000); \
        SELECT credit_member('acme', 'm0', department => 'eng')",
    );
    session.run("SELECT credit_cap('acme', 300, department => 'eng', rolling => '1 minute')");
    let posted = database.clients(8, |_, client| {
        let mut posted = 0;
        for attempt in 0..60 {
            client.run("SELECT pg_sleep(0.05)");
            let sql = match attempt % 3 {
                0 => "BEGIN; SELECT credit_debit('acme', 1, member => 'm0'); SELECT pg_sleep(0.02); COMMIT",
                1 => "SELECT credit_debit_many('{acme}', '{1}', members => '{m0}')",
                _ => {
                    "INSERT INTO credit.entry (account, kind, amount, lot, member) SELECT account, 'debit', -1, lot, 'm0' \
                    FROM credit.lot"
                }
            };
            match client.ask(sql) {
                Ok(_) => posted += 1,
                Err(refusal) => {
                    refusal.expect("54000");
                    client.run("ROLLBACK");
                }
            }
        }
        posted
    });
    assert_eq!(posted.iter().sum::<i32>(), 300, "{posted:?}");
    assert_eq!(session.text("SELECT count(DISTINCT step) > 1 FROM credit.cap_slot, unnest(steps) step"), "t");
    database.verify();
}

/// What Rust takes for a step is what SQL takes for it, whatever the length, the anchor and the time.
#[test]
fn steps_are_the_same_in_rust_and_in_sql() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme', time_zone => 'America/New_York'); SELECT credit_grant('acme', 100000)");
    session.run("SELECT credit_member('acme', 'ann')");
    let mut random = Random::new(29);
    let minutes: Vec<u64> = (0..25).map(|number| 1 + random.below([50, 3000, 500_000][number % 3])).collect();
    for (number, length) in minutes.iter().enumerate() {
        let anchor = format!(
            "timestamptz '2027-01-01 00:00+00' + make_interval(secs => {})",
            random.below(80_000_000) as i64 - 40_000_000
        );
        session.run(&format!(
            "SELECT credit_cap('acme', {}, operation => 'o{number}', rolling => make_interval(mins => {length}), \
                anchor => {anchor}, action => 'warn')",
            number + 1
        ));
    }
    for (number, length) in minutes.iter().enumerate() {
        for part in [1, 3, 10, 60, 40] {
            let seconds = random.below(length * part + 1) as f64 + random.below(1_000_000) as f64 / 1e6;
            session.run(&format!(
                "SELECT set_config('credit.clock', (credit.now() + make_interval(secs => {seconds}))::text, false)"
            ));
            session.run(&format!(
                "SET client_min_messages = error; SELECT credit_debit('acme', 1.25, operation => 'o{number}', member => 'ann')"
            ));
        }
    }
    assert_eq!(session.text("SELECT sum(cardinality(steps)) > 60 FROM credit.cap_slot"), "t");
    assert_eq!(session.text("SELECT count(*) FROM credit_verify()"), "0");
    // What was spent before a cap is made counts as if it had been there.
    session.run(
        "SELECT credit_end_cap('acme', cap) FROM credit.caps;
         SELECT credit_cap('acme', c.amount, operation => c.operation, rolling => c.rolling, anchor => c.anchor, action => 'warn')
         FROM credit.cap c ORDER BY c.cap",
    );
    assert_eq!(session.text("SELECT count(*) FROM credit_verify()"), "0");
    let differing = "SELECT count(*) FROM credit.cap ended JOIN credit.caps c USING (operation), \
        LATERAL credit.cap_period(ended.anchor, NULL,
             ended.rolling, ended.step, 'UTC', credit.now()) p
         WHERE ended.ended_at IS NOT NULL AND c.used <> (SELECT COALESCE(sum(u.spent), 0) FROM credit.cap_slot s,
             LATERAL credit.cap_used(s.used, s.period_start, s.steps, s.used_by_step, p.starts_at, p.running) u \
                 WHERE s.cap = ended.cap)";
    assert_eq!(session.text(differing), "0");
}

/// A batch has the result of its items one by one.
#[test]
fn a_batch_equals_its_items_one_by_one() {
    let mut random = Random::new(23);
    for _ in 0..4 {
        let limits = [20 + random.below(40), 10 + random.below(60), 5 + random.below(9)];
        let rounds: Vec<Vec<(u64, u64)>> =
            (0..4).map(|_| (0..9).map(|_| (1 + random.below(9), random.below(6))).collect()).collect();
        let outcomes: Vec<String> = [true, false]
            .into_iter()
            .map(|at_once| {
                let database = database();
                let mut session = database.connect();
                set_clock(&mut session, 0);
                session.run(&format!(
                    "SELECT credit_cap('acme', {}, department => 'eng', rolling => '1 hour'), \
                        credit_cap('acme', {}, covers => 'pool', rolling => '50 minutes'),
                         credit_cap('acme', {}, member => 'm1', rolling => '1 day')",
                    limits[0], limits[1], limits[2]
                ));
                let mut outcome = String::new();
                for (round, items) in rounds.iter().enumerate() {
                    set_clock(&mut session, round as u64 * 1500);
                    if at_once {
                        let of = |part: &dyn Fn(&(u64, u64)) -> String| items.iter().map(part).collect::<Vec<_>>().join(",");
                        outcome += &session.text(&format!(
                            "SELECT string_agg((posting IS NOT NULL)::text, ',' ORDER BY item) || ',' FROM credit_debit_many(
                                 array_fill('acme'::text, '{{{}}}'), '{{{}}}', members => '{{{}}}', mode => 'each')",
                            items.len(),
                            of(&|item| item.0.to_string()),
                            of(&|item| format!("m{}", item.1))
                        ));
                    } else {
                        for (amount, member) in items {
                            let fits = session.fits(&format!("SELECT credit_try_debit('acme', {amount}, 'm{member}')"));
                            outcome += &format!("{fits},");
                        }
                    }
                }
                database.verify();
                outcome + &session.text("SELECT string_agg(used::text || resets_at, ' ' ORDER BY cap) FROM credit.caps")
            })
            .collect();
        assert_eq!(outcomes[0], outcomes[1]);
    }
}

/// A standby tells what caps leave; what it told is enforced when it is promoted.
#[test]
fn a_standby_tells_what_caps_leave() {
    let cluster = Cluster::start(&[]);
    let database = Database::on(&cluster.server());
    let mut session = database.connect();
    session.run(
        "SELECT credit_account('acme'); SELECT credit_grant('acme', 1000); \
            SELECT credit_member('acme', 'ann', department => 'eng');
         SELECT credit_cap('acme', 500, rolling => '30 days'); SELECT credit_cap('acme', 80, department => 'eng', \
             every => 'year', anchor => '2000-01-01');
         SELECT credit_debit('acme', 60, member => 'ann')",
    );
    let standby = cluster.standby();
    let mut reader = standby.server().connect(database.name());
    let written = session.text("SELECT pg_current_wal_lsn()");
    wait_until("the standby has caught up", || reader.text(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}'")) == "t");
    assert_eq!(reader.rows("SELECT * FROM credit.caps ORDER BY cap"), session.rows("SELECT * FROM credit.caps ORDER BY cap"));
    assert_eq!(reader.text("SELECT credit_spendable('acme', 'ann') || ' ' || credit_spendable('acme')"), "20 440");
    reader.refusal("SELECT credit_debit('acme', 1)").expect("25006");
    reader.refusal("SELECT credit_cap('acme', 1)").expect("25006");
    standby.promote();
    reader.refusal("SELECT credit_debit('acme', 21, member => 'ann')").expect("54000");
    reader.refusal("SELECT credit_debit('acme', 441)").expect("54000");
    reader.run("SELECT credit_debit('acme', 440)");
    assert_eq!(reader.text("SELECT count(*) FROM credit_verify()"), "0");
}

/// Under the stricter levels a debit that meets a counter which changed repeats; what it may, it may still.
#[test]
fn older_snapshots_do_not_debit_past_a_window() {
    let database = database();
    let (mut older, mut session) = (database.connect(), database.connect());
    [&mut older, &mut session].into_iter().for_each(|session| set_clock(session, 10));
    session.run("SELECT credit_cap('acme', 5, department => 'eng', rolling => '1 hour')");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        older.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT credit_balance('acme')"));
        session.run("SELECT credit_debit('acme', 1, member => 'm0')");
        older.refusal("SELECT credit_debit('acme', 3, member => 'm3')").expect("40001");
        older.run("ROLLBACK");
    }
    older.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_debit('acme', 3, member => 'm3'); COMMIT");
    session.refusal("SELECT credit_debit('acme', 1, member => 'm0')").expect("54000");
    database.verify();
}
