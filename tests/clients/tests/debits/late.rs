//! Late usage with real clients: what expired is taken back once, however many want it, and what is undone leaves no trace.

use std::thread;

use pg_credit_clients::{Client, Database, Session, wait_until_blocked, with_retries};

const INSUFFICIENT: &str = "23514";
const WRONG_STATE: &str = "55000";
const CANCELLED: &str = "57014";

const EXPIRED: &str = "SET credit.clock = '2026-02-01 00:00:00+00'";
const LATE: &str = "SELECT credit_debit('acme', 1, at => '2026-01-31 12:00:00+00')";

/// An account with the policy and a day of grace, and a lot of 10 that expires with January; the session stands at the expiry.
fn with_policy(policy: &str) -> (Database, Client) {
    let database = Database::new();
    let mut client = database.connect();
    client.run(&format!(
        "SET credit.clock = '2026-01-01 00:00:00+00';
         SELECT credit_account('acme', late_usage => '{policy}', late_grace => '1 day');
         SELECT credit_grant('acme', 10, expires_at => '2026-02-01 00:00:00+00');
         {EXPIRED}"
    ));
    (database, client)
}

fn breakage(client: &mut Client) -> Vec<String> {
    client.rows("SELECT trim_scale(expired), trim_scale(taken_back) FROM credit.breakage").concat()
}

#[test]
fn what_expired_is_taken_back_once_however_many_want_it() {
    for sweeps_beside in [false, true] {
        let (database, mut client) = with_policy("original");
        client.run("SELECT credit_grant('acme', 3, expires_at => '2026-06-01 00:00:00+00')");
        let taken = database.clients(8, |number, session| {
            session.run(EXPIRED);
            let mut taken = 0;
            for _ in 0..4 {
                if sweeps_beside && number == 0 {
                    session.run("SELECT credit_maintain()");
                }
                let amount = session.ask("SELECT credit_try_debit('acme', 1, at => '2026-01-31 12:00:00+00')");
                taken += i64::from(amount.expect("it fits or not").is_some());
            }
            taken
        });
        // 10 had expired, 3 are there: 13 of the 32 fit.
        assert_eq!(taken.iter().sum::<i64>(), 13);
        assert_eq!(breakage(&mut client), ["10", "10"]);
        assert_eq!(client.text("SELECT credit_balance('acme')"), "0");
        assert_eq!(client.text("SELECT sum(amount) FROM credit.entry WHERE kind = 'debit'"), "-13");
        database.verify();
    }
}

#[test]
fn what_is_rolled_back_leaves_no_trace() {
    let (database, mut client) = with_policy("original");
    client.run(&format!("BEGIN; {LATE}; SAVEPOINT s; {LATE}; ROLLBACK TO s"));
    assert_eq!(breakage(&mut client), ["10", "1"]);
    client.run("COMMIT");
    client.run(&format!("BEGIN; {LATE}; ROLLBACK"));
    assert_eq!(breakage(&mut client), ["10", "1"]);
    let refusal = client.refusal("SELECT credit_debit('acme', 9.5, at => '2026-01-31 12:00:00+00')").expect(INSUFFICIENT);
    assert_eq!((refusal.detail_of("requested"), refusal.detail_of("available")), (Some("9.5"), Some("9")));
    client.run("SELECT credit_debit('acme', 9, at => '2026-01-31 12:00:00+00')");
    assert_eq!(breakage(&mut client), ["10", "10"]);
    database.verify();
}

#[test]
fn it_waits_for_who_takes_back_before_it_and_can_be_cancelled() {
    let (database, mut holder) = with_policy("original");
    holder.run("SELECT credit_maintain()");
    holder.run("BEGIN; SELECT credit_debit('acme', 8, at => '2026-01-31 12:00:00+00')");
    let mut waiter = database.connect();
    waiter.run(EXPIRED);
    let backend = waiter.backend();
    let mut watcher = database.connect();
    let late = thread::spawn(move || (waiter.ask("SELECT credit_debit('acme', 3, at => '2026-01-31 12:00:00+00')"), waiter));
    wait_until_blocked(&mut watcher, backend);
    watcher.run(&format!("SELECT pg_cancel_backend({backend})"));
    let (cancelled, mut waiter) = late.join().expect("the thread");
    cancelled.expect_err("cancelled").expect(CANCELLED);
    let late = thread::spawn(move || waiter.ask("SELECT credit_debit('acme', 3, at => '2026-01-31 12:00:00+00')"));
    wait_until_blocked(&mut watcher, backend);
    holder.run("COMMIT");
    let refusal = late.join().expect("the thread").expect_err("only 2 are left").expect(INSUFFICIENT);
    assert_eq!(refusal.detail_of("available"), Some("2"));
    assert_eq!(breakage(&mut watcher), ["10", "8"]);
    database.verify();
}

#[test]
fn it_waits_for_a_debit_that_was_in_time() {
    let (database, mut holder) = with_policy("original");
    holder.run("SET credit.clock = '2026-01-31 23:00:00+00'; BEGIN; SELECT credit_debit('acme', 4)");
    let mut waiter = database.connect();
    waiter.run(EXPIRED);
    let backend = waiter.backend();
    let late = thread::spawn(move || waiter.ask("SELECT credit_debit('acme', 6, at => '2026-01-31 12:00:00+00')"));
    let mut watcher = database.connect();
    wait_until_blocked(&mut watcher, backend);
    holder.run("COMMIT");
    assert!(late.join().expect("the thread").expect("6 are left").is_some());
    assert_eq!(breakage(&mut watcher), ["6", "6"]);
    database.verify();
}

#[test]
fn under_the_stricter_isolation_levels_it_is_exact_with_retries() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let (database, mut client) = with_policy("original");
        let taken = database.clients(4, |_, session| {
            session.run(EXPIRED);
            let begin = format!("BEGIN ISOLATION LEVEL {level}");
            let debit = "SELECT credit_try_debit('acme', 1, at => '2026-01-31 12:00:00+00')";
            let one = |session: &mut Client| with_retries(session, &begin, 200, |session| session.ask(debit));
            (0..4).filter(|_| one(session).expect("it fits or not").is_some()).count()
        });
        assert_eq!(taken.iter().sum::<usize>(), 10, "{level}");
        assert_eq!(breakage(&mut client), ["10", "10"]);
        database.verify();
    }
}

#[test]
fn a_key_that_was_in_time_is_repeated_when_it_comes_again_too_late() {
    for policy in ["reject", "original"] {
        let (database, mut client) = with_policy(policy);
        client.run("SELECT credit_grant('acme', 5); SET credit.clock = '2026-01-31 13:00:00+00'");
        let keyed = "SELECT credit_debit('acme', 1, at => '2026-01-31 12:00:00+00', key => 'k')";
        let posting = client.text(keyed);
        client.run("SET credit.clock = '2026-03-01 00:00:00+00'");
        assert_eq!(client.text(keyed), posting);
        if policy == "reject" {
            let refusal = client.refusal(LATE).expect(WRONG_STATE);
            assert_eq!(refusal.detail_of("accepted_until"), Some("2026-02-02T00:00:00+00:00"));
            let many = "SELECT count(*) FROM credit_debit_many('{acme,acme}', '{1,1}',
                at => ARRAY[NULL, '2026-01-31 12:00:00+00']::timestamptz[], mode => 'all')";
            assert_eq!(client.refusal(many).expect(WRONG_STATE).detail_of("item"), Some("2"));
            assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), 1, "an error changes nothing");
        } else {
            client.run(LATE);
            assert_eq!(breakage(&mut client).len(), 0, "the grace is over, and nobody has swept");
        }
        database.verify();
    }
}

#[test]
fn a_change_of_the_policy_counts_at_once() {
    let (database, mut client) = with_policy("current");
    client.run("SELECT credit_grant('acme', 5)");
    let mut other = database.connect();
    other.run(&format!("{EXPIRED}; {LATE}"));
    assert_eq!(breakage(&mut client).len(), 0);
    client.run("SELECT credit_account('acme', late_usage => 'original')");
    other.run(LATE);
    assert_eq!(breakage(&mut client), ["10", "1"]);
    client.run("SELECT credit_account('acme', late_usage => 'reject', late_grace => '0')");
    other.refusal(LATE).expect(WRONG_STATE);
    // What a transaction calls now is not late, though its own clock has gone on.
    other.run("RESET credit.clock; BEGIN; SELECT credit_debit('acme', 1, at => now()); COMMIT");
    database.verify();
}

#[test]
fn what_a_member_lost_is_not_for_others_and_seats_do_not_use_the_pool() {
    let (database, mut client) = with_policy("original");
    client.run(
        "SET credit.clock = '2026-01-01 00:00:00+00';
         SELECT credit_grant('acme', 4, member => 'alice', expires_at => '2026-02-01 00:00:00+00');
         SELECT credit_grant('acme', 2, applies_to => '{chat}', expires_at => '2026-02-01 00:00:00+00')",
    );
    client.run(EXPIRED);
    let late = |more: &str| format!("SELECT credit_debit('acme', 17, at => '2026-01-31 12:00:00+00'{more})");
    let available = |client: &mut Client, more: &str| {
        let refusal = client.refusal(&late(more)).expect(INSUFFICIENT);
        refusal.detail_of("available").map(str::to_owned)
    };
    assert_eq!(available(&mut client, "").as_deref(), Some("10"));
    assert_eq!(available(&mut client, ", member => 'bob'").as_deref(), Some("10"));
    assert_eq!(available(&mut client, ", member => 'alice'").as_deref(), Some("14"));
    assert_eq!(available(&mut client, ", member => 'alice', operation => 'chat'").as_deref(), Some("16"));
    client.run("SELECT credit_account('acme', pooling => 'per_seat')");
    assert_eq!(available(&mut client, ", member => 'alice'").as_deref(), Some("4"));
    database.verify();
}

/// A cap refuses only where the credits are there, and one by one is as in a batch. Nothing is warned of that is then refused.
#[test]
fn missing_credits_come_before_a_cap() {
    for (action, over) in [("block", "every => 'year'"), ("warn", "every => 'year'"), ("block", "rolling => '30 days'")] {
        let (database, mut client) = with_policy("original");
        client.run(&format!("SELECT credit_cap('acme', 5, {over}, action => '{action}')"));
        let lost = client.text("SELECT COALESCE(sum(expired - taken_back), 0) FROM credit.breakage WHERE account = 'acme'");
        let usable = client.text("SELECT credit_balance('acme')");
        let debit = "SELECT credit_try_debit('acme', 100000, at => '2026-01-31 12:00:00+00')";
        assert!(!client.fits(debit), "{action} {over}: lost {lost}, usable {usable}");
        client.refusal(&debit.replace("try_", "")).expect("23514");
        let batch = "SELECT shortfall > 0, cap FROM credit_debit_many(ARRAY['acme'], ARRAY[100000], \
            at => ARRAY['2026-01-31 12:00:00+00'::timestamptz], mode => 'each')";
        assert_eq!(client.rows(batch), [["t", ""]], "{action} {over}");
        database.verify();
    }
}
