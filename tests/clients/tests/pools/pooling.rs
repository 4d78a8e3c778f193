//! Who spends the pool, while debits run and wait: changes of the policy, moves, transfers and leavers beside them.

use std::thread;

use pg_credit_clients::{Client, Database, Random, Session, wait_until, wait_until_blocked, with_retries};

const MEMBERS: [&str; 4] = ["ada", "ben", "cy", "dee"];
const DEPARTMENTS: [&str; 3] = ["eng", "eng/ml", "sales"];
const INSUFFICIENT: &str = "23514";
const WRONG_STATE: &str = "55000";

/// An account with four members in departments, 100,000 credits in the pool, and 100 of each member.
fn database() -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'); SELECT credit_grant('acme', 100000)");
    for (number, member) in MEMBERS.iter().enumerate() {
        let department = DEPARTMENTS[number % DEPARTMENTS.len()];
        session.run(&format!("SELECT credit_member('acme', '{member}', department => '{department}')"));
        session.run(&format!("SELECT credit_grant('acme', 100, member => '{member}')"));
    }
    (database, session)
}

/// What a change is told of: all, a department, or a member.
fn target(random: &mut Random) -> String {
    match random.below(3) {
        0 => String::new(),
        1 => format!(", department => '{}'", random.pick(&DEPARTMENTS)),
        _ => format!(", member => '{}'", random.pick(&MEMBERS)),
    }
}

/// What a rule says of a member at an instant, told apart from how the extension finds out: the nearest one for whom anything is
/// said.
const POLICY: &str = "CREATE FUNCTION policy_at(who text, at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT last.pooling FROM credit.member m,
        LATERAL (SELECT DISTINCT p.member, p.department FROM credit.pooling p WHERE p.account = m.account) target,
        LATERAL (SELECT p.pooling FROM credit.pooling p WHERE p.account = m.account
            AND (p.member, p.department) IS NOT DISTINCT FROM (target.member, target.department)
            AND COALESCE(p.effective_at, '-infinity') <= at ORDER BY COALESCE(p.effective_at, '-infinity') DESC, \
                p.rule DESC LIMIT 1) last
    WHERE m.member = who AND last.pooling IS NOT NULL
        AND (target.member IS NULL OR target.member = who)
        AND (target.department IS NULL OR m.department = target.department OR m.department LIKE target.department || '/%')
    ORDER BY target.member IS NULL, length(target.department) DESC NULLS LAST LIMIT 1 $$";

/// Dated changes count from exactly their instant on: no debit that is recorded later spends by what counted before.
#[test]
fn a_dated_change_counts_from_its_instant_on_for_all_debits() {
    let (database, mut session) = database();
    session.run(POLICY);
    session.run("CREATE TABLE told (rule bigint, known_at timestamptz)");
    let outcomes = database.clients(10, |number, client| {
        let mut random = Random::new(number as u64 + 3);
        let mut debited = 0;
        for round in 0..if number < 2 { 25 } else { 400 } {
            if number < 2 {
                let pooling = random.pick(&["'pooled'", "'per_seat'", "'per_seat'"]);
                let target = target(&mut random);
                let change = format!(
                    "credit_pooling('acme', {pooling}, \
                    effective_at => clock_timestamp() + interval '80 ms'{target})"
                );
                client.run(&format!("INSERT INTO told SELECT {change}"));
                client.run("UPDATE told SET known_at = clock_timestamp() WHERE known_at IS NULL");
                client.run("SELECT pg_sleep(0.06)");
                continue;
            }
            let member = random.pick(&MEMBERS);
            let debit = match round % 4 {
                0 => format!(
                    "SELECT count(posting) FROM credit_debit_many('{{acme,acme}}', '{{1,1}}', \
                    members => '{{{member},{member}}}', mode => 'each')"
                ),
                1 => format!(
                    "INSERT INTO credit.entry (account, kind, amount, lot, member) SELECT account, 'debit', -1, lot, \
                    '{member}' FROM credit.lot WHERE member IS NULL LIMIT 1"
                ),
                _ => format!("SELECT credit_debit('acme', 1, member => '{member}')"),
            };
            match client.ask(&debit) {
                Ok(_) => debited += 1,
                Err(refusal) if refusal.code == INSUFFICIENT => {}
                Err(refusal) if refusal.is_retryable() => {}
                // A direct insert of a line that the policy does not allow.
                Err(refusal) => drop(refusal.expect("22023")),
            }
        }
        debited
    });
    assert!(outcomes.iter().sum::<i32>() > 500, "{outcomes:?}");
    // Where a change was not known before it counted, whoever did not know of it is not to blame.
    let late = session.number("SELECT count(*) FROM told JOIN credit.pooling USING (rule) WHERE known_at >= effective_at");
    let wrong = "SELECT count(*) FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
        WHERE e.kind = 'debit' AND l.member IS NULL AND policy_at(e.member, e.recorded_at) = 'per_seat'
            AND NOT EXISTS (SELECT FROM told t JOIN credit.pooling p USING (rule)
                WHERE t.known_at >= p.effective_at AND e.recorded_at BETWEEN p.effective_at AND t.known_at)";
    assert_eq!(session.number(wrong), 0, "{late} changes were late");
    assert!(session.number("SELECT count(DISTINCT pooling) FROM credit.pooling") == 2);
    assert!(late < 25, "{late} of 50 changes were late");
    database.verify();
}

/// Members move, the policy changes at once, credits are transferred, a member leaves and comes back: nothing is lost.
#[test]
fn whatever_changes_beside_debits_nothing_is_lost() {
    let (database, mut session) = database();
    database.clients(10, |number, client| {
        let mut random = Random::new(number as u64 + 11);
        for _ in 0..if number < 3 { 30 } else { 120 } {
            let member = *random.pick(&MEMBERS);
            let sql = match (number, random.below(3)) {
                (0, _) => {
                    format!("SELECT credit_pooling('acme', {}{})", random.pick(&["'pooled'", "'per_seat'"]), target(&mut random))
                }
                (1, 0) => "SELECT credit_move_department('acme', 'eng', 'product')".to_owned(),
                (1, _) => format!("SELECT credit_member('acme', '{member}', department => '{}')", random.pick(&DEPARTMENTS)),
                (2, 0) => format!("SELECT credit_transfer('acme', 3, to_member => '{member}')"),
                (2, 1) => format!("SELECT credit_transfer('acme', 2, from_member => '{member}')"),
                (2, _) => format!("SELECT credit_member('acme', 'ben', active => {})", random.below(2) == 0),
                (_, 0) => format!(
                    "SELECT credit_debit_many('{{acme,acme}}', '{{1,2}}', members => '{{{member},NULL}}', mode => 'each')"
                ),
                _ => format!("SELECT credit_debit('acme', {}, member => '{member}')", 1 + random.below(3)),
            };
            match client.ask(&sql) {
                Err(refusal) if ![INSUFFICIENT, WRONG_STATE].contains(&refusal.code.as_str()) && !refusal.is_retryable() => {
                    panic!("{sql}: {refusal}")
                }
                _ => {}
            }
        }
    });
    let debited = session.text("SELECT trim_scale(100400 + sum(amount)) FROM credit.ledger WHERE kind = 'debit'");
    assert_eq!(session.text("SELECT credit_balance('acme')"), debited);
    // Every line names a department that the member was in: one of these, or of those that were moved.
    let places = "SELECT count(*) FROM credit.ledger WHERE kind = 'debit' AND member IS NOT NULL
        AND department NOT IN ('eng', 'eng/ml', 'sales', 'product', 'product/ml')";
    assert_eq!(session.number(places), 0);
    database.verify();
}

/// The ways to spend the pool as ada, each one a statement that waits while the pool's only slot is held.
const WAYS: [&str; 4] = [
    "SELECT credit_debit('acme', 150, member => 'ada')",
    "SELECT count(posting) FROM credit_debit_many('{acme}', '{150}', members => '{ada}')",
    "SELECT credit_convert('acme', 150, 'credit', 'other', rate => 1, member => 'ada')",
    "INSERT INTO credit.entry (account, kind, amount, lot, member) SELECT account, 'debit', -150, lot, 'ada' FROM credit.lot \
        WHERE member IS NULL LIMIT 1",
];

/// What becomes of a statement that waits for the pool while something changes.
fn change_during_a_wait(
    database: &Database,
    way: &'static str,
    change: &str,
) -> Result<Option<String>, pg_credit_clients::Refusal> {
    let (mut holder, mut watcher, mut waiter) = (database.connect(), database.connect(), database.connect());
    // Known to the waiter before.
    waiter.run("SELECT credit_debit('acme', 0.5, member => 'ada')");
    holder.run("BEGIN; SELECT credit_debit('acme', 1)");
    let backend = waiter.backend();
    let waiting = thread::spawn(move || waiter.ask(way));
    wait_until_blocked(&mut watcher, backend);
    watcher.run(change);
    if change.contains("effective_at") {
        wait_until("the change counts", || {
            watcher.text("SELECT bool_and(effective_at IS NULL OR effective_at < clock_timestamp()) FROM credit.pooling") == "t"
        });
    }
    holder.run("COMMIT");
    waiting.join().unwrap()
}

#[test]
fn who_waits_goes_by_what_counts_afterwards() {
    for way in WAYS {
        let (database, mut session) = database();
        session.run("SELECT credit_unit('other')");
        let refused = if way.starts_with("INSERT") { "22023" } else { INSUFFICIENT };
        let set = |rule: &str| format!("SELECT credit_pooling('acme', {rule})");
        change_during_a_wait(&database, way, &set("'per_seat'")).unwrap_err().expect(refused);
        session.run(&set("'pooled'"));
        change_during_a_wait(&database, way, &set("'per_seat', department => 'eng'")).unwrap_err().expect(refused);
        session.run(&set("NULL, department => 'eng'"));
        // An instant that comes while it waits.
        let soon = "'per_seat', member => 'ada', effective_at => clock_timestamp() + interval '50 ms'";
        change_during_a_wait(&database, way, &set(soon)).unwrap_err().expect(refused);
        session.run(&set("NULL, member => 'ada'"));
        // A department with another policy.
        session.run(&set("'per_seat', department => 'sales'"));
        change_during_a_wait(&database, way, "SELECT credit_member('acme', 'ada', department => 'sales')")
            .unwrap_err()
            .expect(refused);
        session.run("SELECT credit_member('acme', 'ada', department => 'eng')");
        change_during_a_wait(&database, way, "SELECT credit_member('acme', 'ada', active => false)")
            .unwrap_err()
            .expect(WRONG_STATE);
        session.run("SELECT credit_member('acme', 'ada', active => true)");
        // What has nothing to do with her changes nothing.
        change_during_a_wait(&database, way, &set("'per_seat', department => 'finance'")).unwrap();
        database.verify();
    }
}

/// A long transaction that has debited already is told too; so is one that holds an older policy at a stricter level, by its next
/// one.
#[test]
fn a_long_transaction_hears_of_it() {
    let (database, mut session) = database();
    let mut client = database.connect();
    client.run("BEGIN; SELECT credit_debit('acme', 101, member => 'ada')");
    session.run("SELECT credit_pooling('acme', 'per_seat')");
    client.run("SAVEPOINT before");
    client.refusal("SELECT credit_debit('acme', 1, member => 'ada')").expect(INSUFFICIENT);
    client.run("ROLLBACK TO before");
    session.run("SELECT credit_pooling('acme', 'pooled', member => 'ada')");
    client.run("SELECT credit_debit('acme', 1, member => 'ada')");
    session.run("SELECT credit_member('acme', 'ada', active => false)");
    client.run("SAVEPOINT before");
    client.refusal("SELECT credit_debit('acme', 1, member => 'ada')").expect(WRONG_STATE);
    client.run("ROLLBACK TO before; COMMIT");
    // A rule that is rolled back never counted, also for who wrote it.
    client.run("BEGIN; SELECT credit_pooling('acme', 'per_seat', member => 'ben')");
    client.run("SAVEPOINT before");
    client.refusal("SELECT credit_debit('acme', 101, member => 'ben')").expect(INSUFFICIENT);
    client.run("ROLLBACK TO before; ROLLBACK; SELECT credit_pooling('acme', 'pooled')");
    client.run("SELECT credit_debit('acme', 101, member => 'ben')");
    database.verify();
}

/// An account with thousands of overrides costs a debit no more than one: the others' are not read.
#[test]
fn many_overrides_are_not_read_for_one_member() {
    let (database, mut session) = database();
    session.run("SELECT count(credit_member('acme', 'm' || n)) FROM generate_series(1, 2000) AS n");
    session.run("SELECT count(credit_pooling('acme', 'per_seat', member => 'm' || n)) FROM generate_series(1, 2000) AS n");
    session.refusal("SELECT credit_debit('acme', 1, member => 'm1999')").expect(INSUFFICIENT);
    session.run("SELECT credit_debit('acme', 1, member => 'ada')");
    let effects =
        "SELECT count(*) || ' ' || count(*) FILTER (WHERE difference < 0) FROM credit_pooling_preview('acme', 'per_seat')";
    assert_eq!(session.text(effects), "2005 4");
    database.verify();
}

/// Seats that are added, given up and taken again at once, while debits issue what is due: each seat brings a period's part once,
/// and the pool gets all of it.
#[test]
fn seats_feed_the_pool_once_whoever_issues_it() {
    let database = Database::new();
    let mut session = database.connect();
    let minutes = "SELECT count(credit_schedule('acme', 7, '1 hour', per_member => true, into_pool => true, expires => 'never',
        anchor => date_trunc('hour', now()) - n * interval '20 minutes')) FROM generate_series(1, 2) AS n";
    session.run("SELECT credit_account('acme', self_seating => true); SELECT credit_grant('acme', 10000)");
    session.run(minutes);
    database.clients(8, |number, client| {
        for round in 0..15 {
            let sql = match number % 4 {
                0 => format!("SELECT credit_member('acme', 's{}')", number * 15 + round),
                1 => format!("SELECT credit_member('acme', 's{round}', active => {})", round % 2 == 0),
                2 => format!("SELECT credit_debit('acme', 1, member => 's{round}')"),
                _ => "SELECT credit_refresh(account => 'acme')".to_owned(),
            };
            match with_retries(client, "BEGIN", 100, |client| client.ask(&sql)) {
                Err(refusal) if refusal.code != WRONG_STATE => panic!("{sql}: {refusal}"),
                _ => {}
            }
        }
    });
    session.run("SELECT credit_refresh(account => 'acme')");
    let seats = session.number("SELECT count(*) FROM credit.member WHERE account = 'acme'");
    assert!(seats >= 30, "{seats}");
    // Whoever is active now has brought something to each schedule.
    let missing = "SELECT count(*) FROM credit.member m CROSS JOIN credit.schedule s WHERE m.active AND NOT EXISTS (
        SELECT FROM credit.schedule_seat c WHERE c.account = m.account AND c.member = m.member AND c.schedule = s.schedule)";
    assert_eq!(session.number(missing), 0);
    let books =
        "SELECT trim_scale(sum(amount)) = (SELECT trim_scale(sum(granted)) - 10000 FROM credit.lot) FROM credit.schedule_seat";
    assert_eq!(session.text(books), "t");
    assert_eq!(session.number("SELECT count(*) FROM credit.lot WHERE member IS NOT NULL"), 0);
    database.verify();
}

/// Whoever declares what seats get, and whoever takes a seat, wait for each other: no seat is missed.
#[test]
fn a_seat_that_comes_while_it_is_declared_what_seats_get_gets_it() {
    let comes = [
        "SELECT credit_debit('acme', 1, member => 'new')",
        "SELECT credit_member('acme', 'new')",
        "SELECT credit_grant('acme', 1, member => 'new')",
        "SELECT count(*) FROM credit_debit_many('{acme,acme}', '{1,1}', members => '{new,new}', mode => 'each')",
        "INSERT INTO credit.entry (account, kind, amount, lot, member) VALUES ('acme', 'debit', -1, 1, 'new')",
    ];
    let declares = [
        "SELECT credit_schedule('acme', 50, every => '1 month', per_member => true)",
        "SELECT credit_schedule(plan => 'api', amount => 50, every => '1 month', per_member => true)",
        "SELECT count(*) FROM credit_change_plan('acme', 'seats', quantity => 10)",
    ];
    let database = Database::new();
    let mut session = database.connect();
    for (comes, declares) in comes.iter().flat_map(|comes| declares.iter().map(move |declares| (*comes, *declares))) {
        for (first, second) in [(comes, declares), (declares, comes)] {
            session.run(
                "DROP EXTENSION pg_credit; CREATE EXTENSION pg_credit; SELECT credit_account('acme', self_seating => true);
                 SELECT credit_grant('acme', 100);
                 SELECT credit_plan(plan, unit => 'credit', currency => 'USD', list_price => 0.01) \
                     FROM unnest('{api,seats}'::text[]) AS plan;
                 SELECT credit_tier(plan, 'list', 0, discount => 0) FROM unnest('{api,seats}'::text[]) AS plan;
                 SELECT credit_schedule(plan => 'seats', amount => 50, every => '1 month', per_member => true);
                 SELECT count(*) FROM credit_change_plan('acme', 'api', 10)",
            );
            let mut one = database.connect();
            one.run(&format!("BEGIN; {first}"));
            let waiting = database.waiting(second);
            one.run("COMMIT");
            waiting.join().unwrap().unwrap_or_else(|refusal| panic!("{first}; {second}: {refusal}"));
            session.run("SELECT credit_refresh()");
            let brought = session.text("SELECT sum(granted) FROM credit.lots WHERE member = 'new' AND granted > 1");
            assert_eq!(brought, "50", "{first}; {second}");
            database.verify();
        }
    }
}

/// Whoever names somebody for the first time, in whatever way, waits in no circle with others who do.
#[test]
fn newcomers_who_are_named_in_every_way_do_not_deadlock() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SELECT credit_account(a, self_seating => a = 'b') FROM unnest('{a,b}'::text[]) a; SELECT credit_grant(a, 100000) \
            FROM unnest('{a,b}'::text[]) a;
         SELECT credit_schedule('b', 5, every => '1 month', per_member => true)",
    );
    database.clients(8, |number, client| {
        let mut random = Random::new(number as u64 + 29);
        for turn in 0..60 {
            let account = ["a", "b"][random.below(2) as usize];
            client.run(&match number {
                0 => format!("SELECT credit_grant('{account}', 1, member => 'm{turn}')"),
                1 => format!("SELECT credit_member('{account}', 'm{turn}', department => 'eng')"),
                2 => format!("INSERT INTO credit.lot (account, member, granted) VALUES ('{account}', 'm{turn}', 1)"),
                3 | 4 => format!(
                    "SELECT count(*) FROM credit_debit_many('{{b,a,b,a}}', '{{1,1,1,1}}', \
                        members => '{{m{},m{turn},m{turn},m{}}}', mode => '{}')",
                    turn + 1,
                    turn + 1,
                    ["each", "all"][turn % 2]
                ),
                5 if turn % 10 == 0 => format!("SELECT credit_schedule('{account}', 1, every => '1 year', per_member => true)"),
                6 if turn % 10 == 0 => format!("SELECT credit_cap('{account}', 100000, operation => 'o{turn}')"),
                _ => format!("SELECT credit_debit('{account}', 1, member => 'm{turn}', at => now() - interval '1 hour')"),
            });
        }
    });
    session.run("SELECT credit_refresh()");
    // Each seat of b has the five credits of the first schedule.
    assert_eq!(
        session.text(
            "SELECT count(*) FROM credit.member m WHERE account = 'b' AND 5 <> (SELECT count(*) * 5 FROM credit.lot l
                          WHERE l.account = m.account AND l.member = m.member AND l.granted = 5)"
        ),
        "0"
    );
    database.verify();
}

/// A declaration of what seats get, with a snapshot from before somebody took one, would miss that member.
#[test]
fn who_declares_what_seats_get_sees_all_seats() {
    let database = Database::new();
    let (mut older, mut session) = (database.connect(), database.connect());
    session.run("SELECT credit_account('acme', self_seating => true); SELECT credit_grant('acme', 100)");
    older.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_balance('acme')");
    session.run("SELECT credit_debit('acme', 1, member => 'new')");
    older.refusal("SELECT credit_schedule('acme', 5, every => '1 month', per_member => true)").expect("40001");
    older.run("ROLLBACK; SELECT credit_member('acme', 'back', active => false)");
    older.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_balance('acme')");
    session.run("SELECT credit_member('acme', 'back', active => true)");
    older.refusal("SELECT credit_schedule('acme', 5, every => '1 month', per_member => true)").expect("40001");
    // And who takes a seat does not see what was declared.
    older.run("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_balance('acme')");
    session.run("SELECT credit_schedule('acme', 5, every => '1 month', per_member => true)");
    older.refusal("SELECT credit_debit('acme', 1, member => 'newer')").expect("40001");
    older.run("ROLLBACK");
    assert_eq!(session.text("SELECT credit_balance('acme', member => 'new')"), "104");
    assert_eq!(session.text("SELECT credit_balance('acme', member => 'back')"), "104");
}

/// A seat that joins while another transaction holds the account waits for it, and brings its part once; one that is rolled back
/// brings none.
#[test]
fn a_seat_that_is_rolled_back_brings_nothing() {
    let database = Database::new();
    let (mut session, mut other) = (database.connect(), database.connect());
    session.run("SELECT credit_account('acme'); SELECT credit_member('acme', 'ada')");
    session.run("SELECT credit_schedule('acme', 100, '1 month', per_member => true, into_pool => true)");
    session.run("BEGIN; SAVEPOINT before; SELECT credit_member('acme', 'ben')");
    assert_eq!(session.text("SELECT credit_balance('acme')"), "200");
    let (mut watcher, backend) = (database.connect(), other.backend());
    let waiting = thread::spawn(move || other.ask("SELECT credit_member('acme', 'cy')"));
    wait_until_blocked(&mut watcher, backend);
    session.run("ROLLBACK TO before; COMMIT");
    waiting.join().unwrap().unwrap();
    assert_eq!(session.text("SELECT credit_balance('acme')"), "200");
    assert_eq!(session.text("SELECT string_agg(member, ' ' ORDER BY member) FROM credit.schedule_seat"), "ada cy");
    database.verify();
}
