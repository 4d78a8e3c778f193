//! Spending caps under concurrency: exactly the limit is reached, whatever changes meanwhile.

use pg_credit_clients::{Client, Database, Random, Session};

const DEPARTMENTS: [&str; 3] = ["eng", "eng/ml", "marketing"];

/// A pool with members of three departments: eng, eng/ml and marketing.
fn database() -> Database {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'); SELECT credit_grant('acme', 100000)");
    for member in 0..6 {
        session.run(&format!("SELECT credit_member('acme', 'm{member}', department => '{}')", DEPARTMENTS[member % 3]));
    }
    database
}

fn counted(session: &mut Client) -> String {
    session.text("SELECT used FROM credit.caps WHERE department = 'eng'")
}

#[test]
fn exactly_the_limit_is_reached() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_cap('acme', 2000, department => 'eng')");
    session.run("SELECT credit_cap('acme', 100000, every => 'year')");
    let posted = database.clients(10, |number, client| {
        let mut posted = 0;
        for attempt in 0..60 {
            let member = [0, 1, 3, 4][(number + attempt) % 4];
            match client.ask(&format!("SELECT credit_debit('acme', 5, member => 'm{member}')")) {
                Ok(_) => posted += 1,
                Err(refusal) => drop(refusal.expect("54000")),
            }
        }
        posted
    });
    assert_eq!(posted.iter().sum::<i32>(), 400, "{posted:?}");
    assert_eq!(counted(&mut session), "2000");
    session.run("SELECT credit_debit('acme', 5, member => 'm2')");
    database.verify();
}

#[test]
fn a_batch_reaches_exactly_the_limit_beside_others() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_cap('acme', 900, department => 'eng')");
    let posted = database.clients(8, |number, client| {
        let mut posted = 0;
        for _ in 0..20 {
            posted += match number % 2 {
                0 => i32::from(client.ask("SELECT credit_debit('acme', 3, member => 'm0')").is_ok()),
                _ => client
                    .text(
                        "SELECT count(posting) FROM credit_debit_many(array_fill('acme'::text, '{5}'), \
                            array_fill(3::numeric, '{5}'),
                             members => '{m0,m1,m2,m3,m4}', mode => 'each') WHERE item <> 3",
                    )
                    .parse::<i32>()
                    .unwrap(),
            };
        }
        posted
    });
    assert_eq!(posted.iter().sum::<i32>(), 300, "{posted:?}");
    assert_eq!(counted(&mut session), "900");
    database.verify();
}

#[test]
fn no_cap_is_exceeded_whatever_changes() {
    let database = database();
    let mut session = database.connect();
    session.run(
        "SELECT credit_cap('acme', 300, department => 'eng'); SELECT credit_cap('acme', 400, covers => 'pool', every => 'day')",
    );
    session.run("SELECT credit_grant('acme', 100, member => 'm' || n) FROM generate_series(0, 5) n");
    database.clients(9, |number, client| {
        let mut random = Random::new(number as u64 + 3);
        for _ in 0..60 {
            let member = random.below(6);
            let sql = match number {
                0 => match random.below(5) {
                    4 => format!(
                        "SELECT credit_cap('acme', {}, department => 'eng', \
                        rolling => '1 minute')",
                        100 + random.below(100)
                    ),
                    0 => format!("SELECT credit_cap('acme', {}, department => 'eng')", 250 + 50 * random.below(8)),
                    1 => format!("SELECT credit_cap('acme', {}, member => 'm{member}')", 20 + random.below(100)),
                    2 => format!("SELECT credit_cap('acme', {}, covers => 'pool', every => 'day')", 100 + random.below(100)),
                    _ => "SELECT credit_end_cap('acme', max(cap)) FROM credit.caps WHERE member IS NOT NULL".to_owned(),
                },
                1 => {
                    let department = DEPARTMENTS[random.below(3) as usize];
                    format!("SELECT credit_member('acme', 'm{member}', department => '{department}')")
                }
                2 => format!("SELECT credit_transfer('acme', {}, to_member => 'm{member}')", 1 + random.below(40)),
                3 => format!("SELECT credit_account('acme', pooling => '{}')", ["pooled", "per_seat"][random.below(2) as usize]),
                4 => format!(
                    "SELECT count(*) FROM credit_debit_many('{{acme,acme,acme}}', '{{1,2,3}}', members => '{{m{member},m0,m1}}', \
                        mode => 'each')"
                ),
                _ => format!("SELECT credit_try_debit('acme', {}, member => 'm{member}')", 1 + random.below(9)),
            };
            if let Err(refusal) = client.ask(&sql) {
                assert!(["54000", "23514", "22023", "22004"].contains(&refusal.code.as_str()), "{sql}: {}", refusal.message);
            }
        }
    });
    database.verify();
}

#[test]
fn debits_in_flight_are_counted_by_a_new_cap() {
    let database = database();
    let (mut spender, mut session) = (database.connect(), database.connect());
    spender.run("BEGIN; SELECT credit_debit('acme', 70, member => 'm0')");
    let waiting = database.waiting("SELECT credit_cap('acme', 100, department => 'eng')");
    spender.run("COMMIT");
    assert!(waiting.join().unwrap().unwrap().is_some());
    assert_eq!(counted(&mut session), "70");
    spender.refusal("SELECT credit_debit('acme', 31, member => 'm0')").expect("54000");
    spender.run("SELECT credit_debit('acme', 30, member => 'm0')");
    database.verify();
}

/// A connection that has remembered nothing yet hears of a cap that was made while its first debit waited, of somebody new.
#[test]
fn the_first_debit_of_a_connection_hears_of_a_new_cap() {
    let database = database();
    let mut holder = database.connect();
    holder.run("BEGIN; SELECT credit_debit('acme', 70)");
    let cap = database.waiting("SELECT credit_cap('acme', 100)");
    let debit = database.waiting("SELECT credit_debit('acme', 31, member => 'nobody yet')");
    holder.run("COMMIT");
    cap.join().unwrap().unwrap();
    debit.join().unwrap().unwrap_err().expect("54000");
    database.verify();
}

/// Lots come in every way, and are spent at once, while one cap after the other is made. None of the calls waits for another one
/// in a circle.
#[test]
fn debits_of_lots_that_come_beside_new_caps_are_counted() {
    let database = database();
    let mut session = database.connect();
    session.run("SELECT credit_unit('tokens', 0); SELECT credit_schedule('acme', 5, every => '1 month', per_member => true)");
    session.run("SELECT credit_grant('acme', 1000, member => 'm' || n) FROM generate_series(0, 5) n");
    database.clients(10, |number, client| {
        let mut random = Random::new(number as u64 + 17);
        for turn in 0..40 {
            let (member, few) = (random.below(6), 1 + random.below(9));
            let sql = match number {
                0 => format!("SELECT credit_cap('acme', 100000, operation => 'o{turn}', rolling => '1 hour')"),
                1 => format!(
                    "SELECT credit_move_department('acme', '{}', '{}')",
                    ["eng", "dev"][turn % 2],
                    ["dev", "eng"][turn % 2]
                ),
                2 => match random.below(3) {
                    0 => format!("SELECT credit_grant('acme', {few}, member => 'm{member}', expires_after => '1 day')"),
                    1 => format!(
                        "INSERT INTO credit.lot (account, member, granted, priority) VALUES ('acme', 'm{member}', {few}, 40)"
                    ),
                    _ => "INSERT INTO credit.entry (account, kind, amount, lot)
                          SELECT account, 'adjustment', 1, min(lot) FROM credit.lot
                          WHERE closed AND COALESCE(expires_at, 'infinity') > now() + interval '1 hour' GROUP BY account"
                        .to_owned(),
                },
                3 => format!("SELECT credit_transfer('acme', {few}, to_member => 'm{member}')"),
                4 => format!("SELECT credit_convert('acme', {few}, NULL, 'tokens', rate => 1, member => 'm{member}')"),
                5 => "SELECT credit_set_expiry(account, max(lot), now() + interval '1 year' + random() * interval '1 day')
                      FROM credit.lot WHERE NOT closed AND unit = 'credit' GROUP BY account"
                    .to_owned(),
                // Members of whom nobody has heard, alone and in a batch, get what the schedule brings.
                6 => format!("SELECT credit_debit('acme', {few}, member => 'new{turn}', operation => 'o{}')", random.below(40)),
                7 => format!(
                    "SELECT count(*) FROM credit_debit_many('{{acme,acme,acme}}', '{{1,2,3}}', \
                        members => '{{new{},m{member},new{}}}',
                         operations => '{{o1,o2,o{}}}', mode => '{}')",
                    turn + 1,
                    turn,
                    random.below(40),
                    ["each", "all"][turn % 2]
                ),
                _ => format!("SELECT credit_debit('acme', {few}, member => 'm{member}', operation => 'o{}')", random.below(40)),
            };
            if let Err(refusal) = client.ask(&sql) {
                // What is to be moved or opened may be empty by then.
                assert!(["55000", "23514"].contains(&refusal.code.as_str()), "{sql}: {} {}", refusal.code, refusal.message);
            }
        }
    });
    assert_eq!(session.text("SELECT count(*) FROM credit.caps WHERE operation IS NOT NULL"), "40");
    database.verify();
}

/// Setting up accounts side by side, each with its credits and its cap in one transaction, makes nobody wait in a circle.
#[test]
fn accounts_that_are_set_up_side_by_side_do_not_wait_for_each_other() {
    let database = Database::new();
    let (mut first, mut second) = (database.connect(), database.connect());
    // The first account of all makes the unit.
    first.run("SELECT credit_account('acme')");
    let set_up = |client: &mut Client, account: &str| {
        client.run(&format!("SELECT credit_account('{account}'); SELECT credit_grant('{account}', 10)"));
        client.run(&format!("SELECT credit_cap('{account}', 5)"));
    };
    for number in 0..40 {
        first.run("BEGIN; SET LOCAL lock_timeout = '20s'");
        second.run("BEGIN; SET LOCAL lock_timeout = '20s'");
        set_up(&mut first, &format!("a{number}"));
        set_up(&mut second, &format!("b{number}"));
        first.run("COMMIT");
        second.run("COMMIT");
    }
    database.verify();
}

/// An import of very many accounts does not fill the server's lock table, and its lots are known to every new cap.
#[test]
fn a_cap_waits_for_an_import_of_many_accounts() {
    let database = Database::new();
    let (mut importer, mut session) = (database.connect(), database.connect());
    session.run("SELECT credit_account('a' || n) FROM generate_series(1, 5000) n");
    importer.run("BEGIN; INSERT INTO credit.lot (account, granted) SELECT 'a' || n, 10 FROM generate_series(1, 5000) n");
    let locks = format!("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = {}", importer.backend());
    assert_eq!(session.text(&locks), "65");
    for account in ["a1", "a5000"] {
        session.refusal(&format!("SET lock_timeout = '100ms'; SELECT credit_cap('{account}', 5)")).expect("55P03");
    }
    importer.run("COMMIT");
    session.run("SELECT credit_debit('a5000', 3); SELECT credit_cap('a5000', 5)");
    assert_eq!(session.text("SELECT used FROM credit.caps"), "3");
    // An import that comes to its 65th account while somebody waits to make a cap for its first one.
    importer.run("BEGIN; INSERT INTO credit.lot (account, granted) SELECT 'a' || n, 10 FROM generate_series(1, 64) n");
    let waiting = database.waiting("SELECT credit_cap('a1', 5)");
    importer.run("INSERT INTO credit.lot (account, granted) VALUES ('a65', 10), ('a1', 10); COMMIT");
    waiting.join().unwrap().unwrap();
    database.verify();
}

#[test]
fn the_last_headroom_is_waited_for_and_a_savepoint_gives_it_back() {
    let database = database();
    let (mut holder, mut session) = (database.connect(), database.connect());
    // Each has credits of their own, so that nobody waits for a lot.
    session.run("SELECT credit_grant('acme', 100, member => 'm' || n) FROM generate_series(0, 2) n");
    session.run("SELECT credit_cap('acme', 10, department => 'eng')");
    holder.run("BEGIN; SAVEPOINT s; SELECT credit_debit('acme', 10, member => 'm0')");
    let waiting = database.waiting("SELECT credit_debit('acme', 8, member => 'm1')");
    // What is beyond the limit, whoever holds it, is refused at once.
    session.refusal("SELECT credit_debit('acme', 11, member => 'm1')").expect("54000");
    // Others are not in the way.
    session.run("SELECT credit_debit('acme', 8, member => 'm2')");
    holder.run("ROLLBACK TO s; COMMIT");
    assert!(waiting.join().unwrap().is_ok());
    assert_eq!(counted(&mut session), "8");
    // A cap is an error also of credit_try_debit(): more credits would not help. It leaves nothing: no lock, no key, no member.
    session.run("BEGIN; SAVEPOINT s");
    let refusal = session.refusal("SELECT credit_try_debit('acme', 3, member => 'm0', key => 'k')").expect("54000");
    assert_eq!((refusal.detail_of("headroom"), refusal.detail_of("requested")), (Some("2"), Some("3")), "{refusal}");
    session.run("ROLLBACK TO s");
    assert_eq!(session.text("SELECT count(*) FROM credit.request"), "0");
    // Where the credits do not suffice either, that is the answer.
    assert_eq!(session.ask("SELECT credit_try_debit('acme', 900000000, member => 'm0', key => 'k')"), Ok(None));
    assert_eq!(session.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"), "0");
    session.run("COMMIT");
    database.verify();
}

#[test]
fn older_snapshots_do_not_debit_past_a_cap() {
    let database = database();
    let (mut older, mut session) = (database.connect(), database.connect());
    session.run("SELECT credit_debit('acme', 1, member => 'm0')");
    older.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_balance('acme')");
    session.run("SELECT credit_cap('acme', 5, department => 'eng')");
    older.refusal("SELECT credit_debit('acme', 100, member => 'm0')").expect("40001");
    older.run("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_balance('acme')");
    session.run("SELECT credit_debit('acme', 3, member => 'm0')");
    older.refusal("SELECT credit_debit('acme', 3, member => 'm0')").expect("40001");
    older.run("ROLLBACK");
    database.verify();
}

#[test]
fn late_usage_that_expired_lots_pay_counts_too() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SET credit.clock = '2026-01-10 00:00+00';
         SELECT credit_account('acme', late_usage => 'original', late_grace => '1 year');
         SELECT credit_grant('acme', 100, expires_at => '2026-02-01 00:00+00');
         SELECT credit_grant('acme', 100);
         SELECT credit_cap('acme', 30)",
    );
    session.run("SET credit.clock = '2026-02-10 00:00+00'; SELECT credit_debit('acme', 20, at => '2026-01-15 00:00+00')");
    session.refusal("SELECT credit_debit('acme', 11, at => '2026-01-15 00:00+00')").expect("54000");
    session.run("SELECT credit_debit('acme', 10, at => '2026-01-15 00:00+00')");
    assert_eq!(session.text("SELECT used FROM credit.caps"), "30");
    let violations = session.text("SELECT count(*) FROM credit_verify()");
    assert_eq!(violations, "0");
}

#[test]
fn a_new_cap_waits_for_usage_that_only_expired_lots_pay() {
    let database = Database::new();
    let (mut spender, mut session) = (database.connect(), database.connect());
    session.run(
        "SET credit.clock = '2026-01-10 00:00+00';
         SELECT credit_account('acme', late_usage => 'original', late_grace => '1 year');
         SELECT credit_grant('acme', 100, expires_at => '2026-02-01 00:00+00');
         SELECT credit_rate_card('list', unit => 'credit', is_default => true), credit_rate('list', 'chat', credits => 1);
         SELECT credit_publish('list')",
    );
    session.run("SET credit.clock = '2026-02-10 00:00+00'; SELECT count(*) FROM credit_expire()");
    spender.run("SET credit.clock = '2026-02-10 00:00+00'; BEGIN");
    spender.run("SELECT credit_charge_request('acme', '{chat,chat}', '{3,4}', at => '2026-01-15 00:00+00')");
    let waiting = database.waiting("SET credit.clock = '2026-02-10 00:00+00'; SELECT credit_cap('acme', 30)");
    spender.run("COMMIT");
    waiting.join().unwrap().unwrap();
    assert_eq!(session.text("SELECT used FROM credit.caps"), "7");
    assert_eq!(session.text("SELECT count(*) FROM credit_verify()"), "0");
}

/// Who makes a cap and grants credits in one transaction: what is debited of them knows of the cap.
#[test]
fn credits_that_come_with_a_cap_are_spent_under_it() {
    let database = database();
    let mut session = database.connect();
    session.run("BEGIN; SELECT credit_cap('acme', 5), credit_grant('acme', 10, member => 'm0')");
    // The lot's slot is locked until the cap is announced.
    let lot = session.text("SELECT max(lot) FROM credit.lot");
    let held = format!(
        "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objsubid = 20293
             AND (classid::bigint << 32 | objid::bigint) >> 10 = {lot}"
    );
    assert_eq!(session.text(&held), "1");
    session.run("COMMIT");
    session.refusal("SELECT credit_debit('acme', 6, member => 'm0')").expect("54000");
    database.verify();
}

/// Whom a cap leaves credits that the lots seemed to have for another one is registered, and debited.
#[test]
fn a_batch_debits_a_newcomer_whom_a_cap_leaves_the_credits() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'), credit_grant('acme', 100), credit_member('acme', 'known')");
    session.run("SELECT credit_cap('acme', 50, member => 'known')");
    let batch = |mode: &str| {
        format!(
            "SELECT string_agg((posting IS NOT NULL)::text, ' ' ORDER BY item) FROM credit_debit_many(
                 '{{acme,acme}}', '{{80,50}}', members => '{{known,new}}', mode => '{mode}')"
        )
    };
    session.refusal(&batch("all")).expect("54000");
    assert_eq!(session.text(&batch("each")), "false true");
    assert_eq!(session.text("SELECT string_agg(member, ' ' ORDER BY member) FROM credit.member"), "known new");
    database.verify();
}

/// A batch has the result of its items one by one.
#[test]
fn a_batch_equals_its_items_one_by_one() {
    let mut random = Random::new(11);
    for _ in 0..6 {
        let caps = [
            format!("SELECT credit_cap('acme', {}, department => 'eng')", 20 + random.below(40)),
            format!("SELECT credit_cap('acme', {}, covers => 'pool')", 10 + random.below(60)),
            format!("SELECT credit_cap('acme', {}, member => 'm1', operation => 'chat', every => 'day')", 5 + random.below(9)),
        ];
        let items: Vec<_> = (0..25).map(|_| (1 + random.below(9), random.below(6), random.below(2))).collect();
        let outcomes: Vec<String> = [true, false]
            .into_iter()
            .map(|at_once| {
                let database = database();
                let mut session = database.connect();
                session.run("SELECT credit_grant('acme', 15, member => 'm' || n) FROM generate_series(0, 3) n");
                caps.iter().for_each(|cap| session.run(cap));
                let operation = |chat| if chat == 1 { "chat" } else { "mail" };
                let result = if at_once {
                    let of = |part: &dyn Fn(&(u64, u64, u64)) -> String| items.iter().map(part).collect::<Vec<_>>().join(",");
                    session.text(&format!(
                        "SELECT string_agg((posting IS NOT NULL)::text, ',' ORDER BY item) FROM credit_debit_many(
                             array_fill('acme'::text, '{{{}}}'), '{{{}}}', members => '{{{}}}', operations => '{{{}}}', \
                                 mode => 'each')",
                        items.len(),
                        of(&|item| item.0.to_string()),
                        of(&|item| format!("m{}", item.1)),
                        of(&|item| operation(item.2).to_owned())
                    ))
                } else {
                    let one = |item: &(u64, u64, u64)| {
                        let sql = format!("SELECT credit_try_debit('acme', {}, 'm{}', '{}')", item.0, item.1, operation(item.2));
                        session.fits(&sql).to_string()
                    };
                    items.iter().map(one).collect::<Vec<_>>().join(",")
                };
                database.verify();
                result + &session.text("SELECT string_agg(used::text, ' ' ORDER BY cap) FROM credit.caps")
            })
            .collect();
        assert_eq!(outcomes[0], outcomes[1]);
    }
}
