//! Schedules under concurrency: what is due is issued once, by whoever comes first, and never waits for a job.

use std::thread;

use pg_credit_clients::{Client, Cluster, Database, Session, wait_until, wait_until_blocked};

const INSUFFICIENT: &str = "23514";

fn at(database: &Database, instant: &str) -> Client {
    let mut client = database.connect();
    set_clock(&mut client, instant);
    client
}

fn set_clock(client: &mut Client, instant: &str) {
    client.run(&format!("SET credit.clock = '{instant}'"));
}

/// An account with 100 credits a month from the first of January 2026 on.
fn monthly(database: &Database, options: &str) -> Client {
    let mut client = at(database, "2026-01-01 00:00+00");
    client.run(&format!("SELECT credit_schedule('acme', 100, interval '1 month'{options})"));
    client
}

const ROLLS: &str = r#", rollover => '{"max_periods": 1}'"#;

fn lots(client: &mut Client) -> i64 {
    client.number("SELECT count(*) FROM credit.lot")
}

fn balance(client: &mut Client) -> String {
    client.text("SELECT credit_balance('acme')")
}

#[test]
fn a_period_begins_at_its_instant() {
    let database = Database::new();
    let mut client = monthly(&database, "");
    set_clock(&mut client, "2026-01-31 23:59:59.999999+00");
    client.run("SELECT credit_debit('acme', 30)");
    assert_eq!((balance(&mut client).as_str(), lots(&mut client)), ("70", 1));
    set_clock(&mut client, "2026-02-01 00:00+00");
    assert_eq!((balance(&mut client).as_str(), lots(&mut client)), ("100", 1), "counted, not issued");
    // More than is due: an error changes nothing, not even that.
    let refusal = client.refusal("SELECT credit_debit('acme', 101)").expect(INSUFFICIENT);
    assert_eq!(refusal.detail_of("available"), Some("100"));
    assert_eq!(lots(&mut client), 1);
    client.run("SELECT credit_debit('acme', 100)");
    assert_eq!((balance(&mut client).as_str(), lots(&mut client)), ("0", 2));
    database.verify();
}

#[test]
fn everything_that_spends_issues_first() {
    let database = Database::new();
    let mut client = monthly(&database, ROLLS);
    client.run("SELECT credit_unit('money', decimals => 2, currency => 'USD')");
    let statements = [
        "SELECT credit_try_debit('acme', 100)",
        "SELECT credit_debit('acme', 100, key => 'once', member => 'new')",
        "SELECT credit_debit_many('{acme,acme}', '{50,50}')",
        "SELECT credit_debit_many('{acme,acme}', '{50,50}', mode => 'each')",
        "SELECT credit_convert('acme', 100, 'credit', 'money', rate => 1)",
    ];
    for (month, statement) in (2..).zip(statements) {
        set_clock(&mut client, &format!("2026-{month:02}-01 00:00+00"));
        let before = client.number("SELECT credit_balance('acme')");
        client.run(statement);
        assert_eq!(client.number("SELECT credit_balance('acme')"), before - 100, "{statement}");
    }
    set_clock(&mut client, "2026-07-01 00:00+00");
    client.run("SELECT credit_void('acme', max(lot)) FROM credit.lot WHERE unit = 'credit'");
    assert_eq!(client.text("SELECT max(effective_at) = '2026-07-01 00:00+00' FROM credit.lot"), "t");
    database.verify();
}

#[test]
fn of_many_at_the_same_instant_one_issues() {
    for options in ["", ROLLS] {
        let database = Database::new();
        monthly(&database, options);
        for month in 2..8 {
            database.clients(8, |_, client| {
                set_clock(client, &format!("2026-{month:02}-01 00:00+00"));
                for _ in 0..3 {
                    client.run("SELECT credit_debit('acme', 1)");
                    client.run("SELECT credit_refresh()");
                }
            });
        }
        let mut client = database.connect();
        let fresh = "SELECT count(*), count(DISTINCT period) FROM credit.schedule_period WHERE rolled = 0";
        assert_eq!(client.rows(fresh), [["7", "7"]], "{options}");
        assert_eq!(client.text("SELECT sum(amount) FROM credit.entry WHERE kind = 'debit'"), "-144");
        database.verify();
    }
}

#[test]
fn who_issues_in_a_long_transaction_keeps_the_others_waiting() {
    for (end, issued) in [("COMMIT", 2), ("ROLLBACK", 2)] {
        let database = Database::new();
        let mut first = monthly(&database, "");
        let mut second = at(&database, "2026-02-01 00:00+00");
        let mut watcher = database.connect();
        set_clock(&mut first, "2026-02-01 00:00+00");
        second.run("SELECT credit_balance('acme')");
        first.run("BEGIN; SELECT credit_debit('acme', 10)");
        assert_eq!(second.text("SELECT credit_refresh()"), "0", "a refresh waits for nobody");
        let backend = second.backend();
        let waiting = thread::spawn(move || {
            second.run("SELECT credit_debit('acme', 1)");
            second
        });
        wait_until_blocked(&mut watcher, backend);
        first.run(end);
        let mut second = waiting.join().unwrap();
        assert_eq!(lots(&mut second), issued);
        assert_eq!(balance(&mut second), if end == "COMMIT" { "89" } else { "99" });
        database.verify();
    }
}

#[test]
fn a_rollback_to_a_savepoint_takes_back_what_was_issued() {
    let database = Database::new();
    let mut client = monthly(&database, ROLLS);
    client.run("SELECT credit_debit('acme', 20)");
    set_clock(&mut client, "2026-02-01 00:00+00");
    client.run("BEGIN; SAVEPOINT before; SELECT credit_debit('acme', 1)");
    assert_eq!(lots(&mut client), 3);
    client.run("ROLLBACK TO before");
    assert_eq!((balance(&mut client).as_str(), lots(&mut client)), ("180", 1));
    client.run("SELECT credit_debit('acme', 150); COMMIT");
    assert_eq!((balance(&mut client).as_str(), lots(&mut client)), ("30", 3));
    client.run("BEGIN; SELECT credit_debit('acme', 5); ROLLBACK; SELECT credit_debit('acme', 5)");
    assert_eq!(balance(&mut client), "25");
    database.verify();
}

#[test]
fn a_snapshot_from_before_is_to_be_repeated() {
    let database = Database::new();
    let mut other = monthly(&database, "");
    let mut client = at(&database, "2026-02-01 00:00+00");
    client.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(balance(&mut client), "100");
    set_clock(&mut other, "2026-02-01 00:00+00");
    other.run("SELECT credit_debit('acme', 1)");
    assert_eq!(balance(&mut client), "100", "what is due counts as the snapshot shows it");
    client.refusal("SELECT credit_debit('acme', 1)").expect("40001");
    client.run("ROLLBACK");
    client.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT credit_debit('acme', 1); COMMIT");
    set_clock(&mut client, "2026-03-01 00:00+00");
    client.run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT credit_debit('acme', 1); SELECT credit_debit('acme', 1); COMMIT");
    assert_eq!(balance(&mut client), "98");
    database.verify();
}

/// The end of a lot is settled when it is known what was used of it.
#[test]
fn what_rolls_is_decided_after_the_debits_that_began_before() {
    let database = Database::new();
    let mut first = monthly(&database, ROLLS);
    let mut watcher = database.connect();
    first.run("BEGIN; SELECT credit_debit('acme', 60)");
    let mut second = at(&database, "2026-02-01 00:00+00");
    assert_eq!(second.text("SELECT credit_refresh()"), "0");
    let backend = second.backend();
    let waiting = thread::spawn(move || {
        second.run("SELECT credit_debit('acme', 1)");
        second
    });
    wait_until_blocked(&mut watcher, backend);
    // Whoever it waits for may go on into the new period: no deadlock.
    set_clock(&mut first, "2026-02-01 00:00+00");
    first.run("SELECT credit_debit('acme', 40); COMMIT");
    let mut second = waiting.join().unwrap();
    assert_eq!(second.rows("SELECT granted FROM credit.lot WHERE source = 'rollover'"), [["40"]]);
    assert_eq!(balance(&mut second), "99");
    database.verify();
}

#[test]
fn a_reader_counts_what_it_cannot_issue() {
    let database = Database::new();
    let mut client = monthly(&database, ROLLS);
    client.run("SELECT credit_debit('acme', 30)");
    set_clock(&mut client, "2026-02-15 00:00+00");
    client.run("SET default_transaction_read_only = on");
    assert_eq!(balance(&mut client), "170");
    assert_eq!(client.text("SELECT credit_balance('acme', at => '2026-02-01 00:00+00')"), "170");
    assert_eq!(client.text("SELECT credit_balance('acme', at => '2026-01-31 23:59+00')"), "70");
    assert_eq!(client.text("SELECT sum(debited) FROM credit_explain_debit('acme', 170)"), "170");
    assert_eq!(client.text("SELECT pg_current_xact_id_if_assigned() IS NULL"), "t");
    client.run("SET default_transaction_read_only = off");
    client.run("SELECT credit_debit('acme', 170)");
    assert_eq!(balance(&mut client), "0");
    database.verify();
}

#[test]
fn a_standby_counts_what_it_cannot_issue() {
    let cluster = Cluster::start(&[]);
    let database = Database::on(&cluster.server());
    let mut client = monthly(&database, ROLLS);
    client.run("SELECT credit_debit('acme', 30)");
    let standby = cluster.standby();
    let mut reader = standby.server().connect(database.name());
    let written = client.text("SELECT pg_current_wal_lsn()");
    wait_until("the standby has caught up", || reader.text(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}'")) == "t");
    set_clock(&mut reader, "2026-02-15 00:00+00");
    assert_eq!(balance(&mut reader), "170");
    assert_eq!(reader.text("SELECT sum(debited) FROM credit_explain_debit('acme', 170)"), "170");
    reader.refusal("SELECT credit_debit('acme', 1)").expect("25006");
}

/// The same without a clock of our own: a transaction that began before the period uses what the period brings.
#[test]
fn a_transaction_from_before_the_period_spends_what_it_brings() {
    let database = Database::new();
    let (mut client, mut watcher) = (database.connect(), database.connect());
    client.run(
        "SELECT credit_schedule('acme', 100, interval '1 hour', anchor => clock_timestamp() + interval '700 ms',
             starts_at => clock_timestamp())",
    );
    client.run("SELECT credit_debit('acme', 100)");
    client.run("BEGIN; SELECT credit_balance('acme')");
    wait_until("the next period begins", || watcher.text("SELECT credit_balance('acme')") == "100");
    client.run("SELECT credit_debit('acme', 100); COMMIT");
    assert_eq!(lots(&mut client), 2);
    assert_eq!(client.text("SELECT bool_and(recorded_at >= occurred_at) FROM credit.entry"), "t");
    database.verify();
}

#[test]
fn a_schedule_is_declared_once_per_key() {
    let database = Database::new();
    let mut client = at(&database, "2026-01-01 00:00+00");
    let declare = "SELECT credit_schedule('acme', 100, interval '1 month', key => 'k')";
    let schedule = client.text(declare);
    assert_eq!(client.text(declare), schedule);
    client.refusal("SELECT credit_schedule('acme', 101, interval '1 month', key => 'k')").expect("23505");
    assert_eq!(balance(&mut client), "100");
    let others: Vec<String> =
        database.clients(4, |_, client| client.text("SELECT credit_schedule('acme', 5, interval '1 month', key => 'l')"));
    assert!(others.windows(2).all(|pair| pair[0] == pair[1]), "{others:?}");
    client.refusal("SELECT credit_account('acme', time_zone => 'Asia/Tokyo')").expect("55000");
    client.refusal("UPDATE credit.schedule SET amount = 7").expect("42501");
    client.refusal("DELETE FROM credit.schedule_period").expect("42501");
    database.verify();
}

/// Other sessions hear that something is due earlier, in the midst of their transactions too.
#[test]
fn a_new_schedule_is_known_everywhere_at_once() {
    let database = Database::new();
    let mut spender = at(&database, "2026-01-01 00:00+00");
    spender.run("SELECT credit_grant('acme', 10)");
    spender.run("BEGIN; SELECT credit_debit('acme', 10)");
    let mut admin = at(&database, "2026-01-01 00:00+00");
    admin.run("SELECT credit_schedule('acme', 100, interval '1 month', starts_at => '2026-01-02 00:00+00')");
    set_clock(&mut spender, "2026-01-02 00:00+00");
    spender.run("SELECT credit_debit('acme', 100); COMMIT");
    admin.run("SELECT credit_end_schedule('acme', schedule, '2026-02-15 00:00+00') FROM credit.schedules");
    set_clock(&mut spender, "2026-02-14 00:00+00");
    assert_eq!(balance(&mut spender), "100");
    set_clock(&mut spender, "2026-02-15 00:00+00");
    assert_eq!(balance(&mut spender), "0");
    database.verify();
}

#[test]
fn seats_follow_the_members() {
    let database = Database::new();
    let mut client = at(&database, "2026-01-01 00:00+00");
    client.run("SELECT credit_account('acme', self_seating => true)");
    client.run("SELECT credit_schedule('acme', 100, interval '1 month', per_member => true, on_leave => 'expire')");
    client.run("SELECT credit_member('acme', 'alice'); SELECT credit_grant('acme', 10)");
    let of = |client: &mut Client, member: &str| client.text(&format!("SELECT credit_balance('acme', '{member}')"));
    assert_eq!(of(&mut client, "alice"), "110");
    // Registered by a debit that the pool pays: the seat counts from then on, for the next one.
    client.run("SELECT credit_debit('acme', 4, member => 'bob')");
    assert_eq!(of(&mut client, "bob"), "106");
    client.run("SELECT credit_debit('acme', 1, member => 'bob')");
    assert_eq!(of(&mut client, "bob"), "105");
    client.run("SELECT credit_debit_many('{acme}', '{1}', '{carol}')");
    assert_eq!(of(&mut client, "carol"), "105");
    client.run("SELECT credit_member('acme', 'alice', active => false)");
    assert_eq!(client.text("SELECT -sum(amount) FROM credit.entry WHERE kind = 'expiry'"), "100");
    set_clock(&mut client, "2026-02-01 00:00+00");
    client.run("SELECT credit_refresh()");
    assert_eq!(
        client.rows("SELECT member, available FROM credit.balances ORDER BY member"),
        [["bob", "100"], ["carol", "100"], ["", "5"]]
    );
    // Two changes of one member at once follow each other.
    database.clients(4, |number, client| {
        set_clock(client, "2026-02-02 00:00+00");
        client.run(&format!("SELECT credit_member('acme', 'bob', active => {})", number % 2 == 0));
    });
    database.verify();
}

#[test]
fn a_batch_touches_many_accounts_in_one_order() {
    let database = Database::new();
    let mut client = at(&database, "2026-01-01 00:00+00");
    client.run("SELECT credit_schedule('a' || n, 100, interval '1 month') FROM generate_series(1, 20) n");
    for month in 2..6 {
        database.clients(4, |number, client| {
            set_clock(client, &format!("2026-{month:02}-01 00:00+00"));
            let order = if number % 2 == 0 { "" } else { " DESC" };
            client.run(&format!(
                "SELECT credit_debit_many(array_agg('a' || n ORDER BY n{order}), array_agg(1 ORDER BY n)) \
                    FROM generate_series(1, 20) n"
            ));
        });
    }
    assert_eq!(client.text("SELECT count(*) FROM credit.schedule_period"), "100");
    set_clock(&mut client, "2026-06-01 00:00+00");
    assert_eq!(client.text("SELECT credit_refresh(max_accounts => 15)"), "15");
    assert_eq!(client.text("SELECT credit_refresh()"), "5");
    assert_eq!(client.text("SELECT credit_refresh()"), "0");
    database.verify();
}

/// The first of an hour that comes twice is not the second.
#[test]
fn a_schedule_may_begin_in_an_hour_that_comes_twice() {
    let database = Database::new();
    let mut client = at(&database, "2026-11-01 05:30+00");
    client.run(
        "SELECT credit_account('acme', time_zone => 'America/New_York'); \
        SELECT credit_schedule('acme', 1000, interval '1 month')",
    );
    set_clock(&mut client, "2026-11-01 07:00+00");
    client.run("SELECT credit_refresh()");
    assert_eq!(
        client.rows("SELECT effective_at, expires_at FROM credit.lot"),
        [["2026-11-01 05:30:00+00", "2026-12-01 06:30:00+00"]]
    );
    assert_eq!(client.text("SELECT credit_balance('acme')"), "1000");
    database.verify();
}

#[test]
fn an_end_that_is_put_off_brings_more() {
    let database = Database::new();
    let mut client = at(&database, "2026-04-01 00:00+00");
    let schedule = client.number("SELECT credit_schedule('acme', 100, interval '1 month', ends_at => '2026-05-01 00:00+00')");
    set_clock(&mut client, "2026-04-20 00:00+00");
    client.run(&format!("SELECT credit_end_schedule('acme', {schedule}, '2026-08-01 00:00+00')"));
    set_clock(&mut client, "2026-05-02 00:00+00");
    assert_eq!(client.text("SELECT credit_balance('acme')"), "100");
    assert_eq!(client.text("SELECT credit_refresh()"), "1");
    assert_eq!(client.text("SELECT credit_balance('acme')"), "100");
    database.verify();
}

#[test]
fn limits_of_a_rollover_are_amounts_of_the_unit() {
    let database = Database::new();
    let mut client = at(&database, "2026-04-01 00:00+00");
    client.run("SELECT credit_unit('whole', decimals => 0); SELECT credit_account('acme', unit => 'whole')");
    for limit in ["max_amount", "min_amount"] {
        let sql = format!("SELECT credit_schedule('acme', 100, interval '1 month', rollover => '{{\"{limit}\": 10.5}}')");
        client.refusal(&sql).expect("22023");
    }
    database.verify();
}

/// The member leaves while a transaction that debited before a boundary is about to debit after it.
#[test]
fn who_leaves_does_not_deadlock_with_a_debit_across_a_boundary() {
    let database = Database::new();
    let mut client = at(&database, "2026-04-01 00:00+00");
    client.run("SELECT credit_account('acme'); SELECT credit_member('acme', 'alice'), credit_member('acme', 'bob')");
    client.run("SELECT credit_schedule('acme', 100, interval '1 month', per_member => true)");
    set_clock(&mut client, "2026-04-30 00:00+00");
    let mut leaving = at(&database, "2026-04-30 00:00+00");
    let backend = leaving.backend();
    client.run("BEGIN; SELECT credit_debit('acme', 10, member => 'alice')");
    let waiting = std::thread::spawn(move || leaving.ask("SELECT credit_member('acme', 'alice', active => false)"));
    wait_until_blocked(&mut database.connect(), backend);
    set_clock(&mut client, "2026-05-01 00:00+00");
    client.run("SELECT credit_debit('acme', 10, member => 'bob'); COMMIT");
    waiting.join().expect("the thread").expect("who leaves");
    set_clock(&mut client, "2026-05-02 00:00+00");
    assert_eq!(client.text("SELECT credit_balance('acme', 'bob')"), "90");
    database.verify();
}
