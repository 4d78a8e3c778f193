//! The clock steps back and forth between calls of every family: the proof finds nothing after any of them, and nothing fails
//! inside.

use pg_credit_clients::{Client, Database, Random, Session};

/// The calls of one seed; each seed has a database of its own.
const CALLS: usize = 130;

const ACCOUNTS: [&str; 4] = ["acme", "beta", "cord", "dune"];

/// The steps of the clock in seconds: on, over a boundary and back again, and back by days and by more than a month.
const STEPS: [i64; 15] =
    [60, 1200, 1800, 3600, 18_000, 86_400, 259_200, 691_200, 691_200, -1200, -1800, -18_000, -86_400, -1_728_000, -3_456_000];

/// A moment before April 2026 begins in UTC.
const BEGINNING: i64 = 1_775_000_400;

/// Errors that say no to the caller. Any other is a fault inside.
const REFUSALS: [&str; 7] = ["22003", "22023", "23505", "23514", "54000", "55000", "P0002"];

fn set_clock(client: &mut Client, seconds: i64) {
    client.run(&format!("SELECT set_config('credit.clock', to_timestamp({seconds})::text, false)"));
}

/// Asserts that the proof, which is made by the session's clock, finds nothing.
fn verify(client: &mut Client, calls: &[String], seed: u64) {
    let found = client.rows("SELECT v::text FROM credit_verify() v");
    assert!(found.is_empty(), "seed {seed}: credit_verify() found {found:?} after\n{}", calls.join(";\n"));
}

fn begin(client: &mut Client) {
    client.run(
        "SELECT credit_rate_card('list', unit => 'credit', is_default => true);
         SELECT credit_rate('list', 'chat', credits => 0.3, per => 10);
         SELECT credit_publish('list');
         SELECT credit_unit('word', decimals => 0);
         SELECT credit_plan('basic', unit => 'credit', currency => 'USD', list_price => 0.01), \
             credit_plan('seats', unit => 'credit', currency => 'USD', list_price => 0.02);
         SELECT credit_tier('basic', 'all', 0, discount => 0), credit_tier('seats', 'all', 0, discount => 0);
         SELECT credit_schedule(plan => 'basic', amount => 50, every => '1 month'), \
             credit_schedule(plan => 'seats', amount => 50, every => '15 days', per_member => true)",
    );
    for (account, zone) in ACCOUNTS.iter().zip(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]) {
        client.run(&format!(
            "SELECT credit_account('{account}', time_zone => '{zone}', self_seating => {}), \
                credit_grant('{account}', 200, paid => 7.77, currency => 'USD'),
                 credit_member('{account}', 'ann', department => 'eng'), credit_member('{account}', 'bob')",
            *account == "beta"
        ));
    }
    client
        .run("SELECT credit_true_up_terms('dune', every => '7 days', commitment => 100, unit_price => 0.02, currency => 'USD')");
}

/// A call of any family, with arguments at random.
fn call(random: &mut Random) -> String {
    let account = *random.pick(&ACCOUNTS);
    let member = *random.pick(&["NULL", "'ann'", "'bob'", "'new'"]);
    let amount = *random.pick(&["0.5", "1", "3", "7.25", "20", "60"]);
    let flag = *random.pick(&["true", "false"]);
    let pool = *random.pick(&[
        "true",
        "true, into_pool => true",
        "false",
        "false, rollover => '{\"max_periods\": 2, \"fraction_of_unused\": 0.3}'",
    ]);
    let every = *random.pick(&["1 month", "7 days", "1 day"]);
    let window = *random.pick(&["every => 'day'", "every => 'month'", "rolling => '1 hour'", "rolling => '3 days'"]);
    let plan = *random.pick(&["basic", "seats"]);
    let nth = random.below(9);
    let lot = format!(
        "(SELECT lot FROM credit.lots WHERE account = '{account}' AND remaining > 0 ORDER BY lot OFFSET {nth} LIMIT 1) l"
    );
    let debit = format!(
        "(SELECT * FROM credit.entry WHERE account = '{account}' AND kind = 'debit' ORDER BY posting DESC OFFSET {nth} LIMIT 1) e"
    );
    match random.below(29) {
        0..=3 => format!("SELECT credit_debit('{account}', {amount}, member => {member})"),
        4 | 5 => format!("SELECT credit_charge('{account}', 'chat', {amount}, member => {member})"),
        6 => format!(
            "SELECT credit_grant('{account}', {amount}, member => {member}, paid => 1.11, currency => 'USD', \
            expires_after => '10 days')"
        ),
        7 | 8 => format!(
            "SELECT credit_schedule('{account}', {amount}, every => '{every}', periods => {}, \
            per_member => {pool})",
            nth + 1
        ),
        9 => "SELECT credit_refresh()".to_owned(),
        10 => "SELECT count(*) FROM credit_expire()".to_owned(),
        11 => "SELECT count(*) FROM credit_maintain()".to_owned(),
        12 => format!("SELECT credit_void('{account}', lot) FROM {lot}"),
        13 => format!("SELECT credit_transfer('{account}', 0.5, to_member => 'ann', lot => lot) FROM {lot}"),
        14 => format!("SELECT credit_convert('{account}', {amount}, 'credit', 'word', rate => 3)"),
        15 | 16 => format!("SELECT credit_cap('{account}', {}, member => {member}, {window})", 20 + 10 * nth),
        17 => format!("SELECT credit_end_cap('{account}', (SELECT max(cap) FROM credit.cap WHERE account = '{account}'))"),
        18 => format!("SELECT credit_member('{account}', 'bob', active => {flag})"),
        19 => format!("SELECT charge FROM credit_change_plan('{account}', '{plan}', 300)"),
        20 => format!("SELECT credit_purchase('{account}', '{plan}', 100, pending => {flag})"),
        21 => format!(
            "SELECT credit_activate('{account}', (SELECT min(lot) FROM credit.purchase p \
                JOIN credit.purchase_lot USING (account, purchase)
                 WHERE account = '{account}' AND status = 'pending'))"
        ),
        22 => format!("SELECT count(*) FROM credit_true_up_post('{account}')"),
        23 | 24 => format!(
            "INSERT INTO credit.entry (account, kind, amount, lot, corrects) SELECT account, 'adjustment', \
            least(-amount, 0.5), lot, posting FROM {debit}"
        ),
        25 => format!(
            "INSERT INTO credit.entry (account, kind, amount, lot) SELECT '{account}', 'adjustment', 1.5, lot \
            FROM {lot}"
        ),
        26 => format!("SELECT {}('{account}')", *random.pick(&["count(*) FROM credit_renew", "credit_cancel_plan"])),
        27 => format!("SELECT count(*) FROM credit_rebalance('{account}')"),
        _ => format!(
            "SELECT count(*) FROM {}",
            *random.pick(&[
                "credit_debit_many(ARRAY['acme', 'dune'], ARRAY[0.5, 1], members => ARRAY['ann', NULL], mode => 'each')",
                "credit_charge_many(ARRAY['beta', 'cord'], ARRAY['chat', 'chat'], ARRAY[3, 7], mode => 'each')",
            ])
        ),
    }
}

#[test]
fn calls_at_random_while_the_clock_steps_keep_the_books() {
    for seed in 1..=3 {
        let database = Database::new();
        let mut client = database.connect();
        let mut random = Random::new(seed);
        let mut now = BEGINNING;
        let mut calls = vec![];
        set_clock(&mut client, now);
        begin(&mut client);
        for _ in 0..CALLS {
            if random.below(4) == 0 {
                now += random.pick(&STEPS);
                set_clock(&mut client, now);
                calls.push(format!("SET credit.clock = '@{now}'"));
                verify(&mut client, &calls, seed);
            }
            let next = call(&mut random);
            calls.push(next.clone());
            if let Err(refusal) = client.try_rows(&next) {
                assert!(REFUSALS.contains(&refusal.code.as_str()), "seed {seed}: {refusal} after\n{}", calls.join(";\n"));
            }
        }
        verify(&mut client, &calls, seed);
    }
}

/// Runs `ahead` ten minutes after the month began, and `behind` when the clock is back before it; the proof finds nothing then,
/// and nothing when the clock is there again.
fn over_the_month(begin: &str, ahead: &str, behind: &str) -> Database {
    let database = Database::new();
    let mut client = database.connect();
    for (at, sql) in
        [("2026-06-30 23:30", begin), ("2026-07-01 00:10", ahead), ("2026-06-30 23:50", behind), ("2026-07-01 00:20", "")]
    {
        client.run(&format!("SET credit.clock = '{at}+00'"));
        client.run(sql);
        verify(&mut client, &[format!("{sql} at {at}")], 0);
    }
    database
}

#[test]
fn a_schedule_of_members_is_looked_at_when_it_brings_more() {
    over_the_month(
        "SELECT credit_account('none'), credit_schedule('none', 100, '1 month', anchor => '2026-06-01', per_member => true, \
            into_pool => true);
         SELECT credit_schedule('acme', 100, '1 month', anchor => '2026-06-01', per_member => true), \
             credit_member('acme', 'ann')",
        "SELECT credit_refresh()",
        "SELECT credit_member('none', 'ann')",
    );
}

#[test]
fn a_correction_before_its_debit_counts_in_a_cap() {
    let database = over_the_month(
        "SELECT credit_grant('acme', 100); SELECT credit_cap('acme', 50, every => 'day'), \
            credit_cap('acme', 50, rolling => '10 minutes')",
        "SELECT credit_debit('acme', 5)",
        "INSERT INTO credit.entry (account, kind, amount, lot, corrects) SELECT account, 'adjustment', 2, lot, posting \
            FROM credit.entry WHERE kind = 'debit'",
    );
    let mut client = database.connect();
    client.run("SET credit.clock = '2026-07-01 00:10+00'");
    assert_eq!(client.text("SELECT string_agg(used::text, ' ' ORDER BY cap) FROM credit.caps"), "3 3");
}

#[test]
fn a_cap_is_changed_after_it_was_made() {
    over_the_month(
        "SELECT credit_grant('acme', 100)",
        "SELECT credit_cap('acme', 50, every => 'day')",
        "SELECT credit_cap('acme', 60, every => 'day')",
    );
}

#[test]
fn a_purchase_is_paid_before_it_was_recorded() {
    over_the_month(
        "SELECT credit_plan('basic', unit => 'credit', currency => 'USD', list_price => 0.01), \
            credit_tier('basic', 'all', 0, discount => 0)",
        "SELECT credit_purchase('acme', 'basic', 10, pending => true)",
        "SELECT credit_activate('acme', lot) FROM credit.purchase_lot",
    );
}

#[test]
fn what_a_lot_gained_is_free_in_the_order_of_postings() {
    over_the_month(
        "SELECT credit_grant('acme', 10, paid => 5, currency => 'USD'), credit_member('acme', 'ann')",
        "INSERT INTO credit.entry (account, kind, amount, lot) SELECT 'acme', 'adjustment', 8, lot FROM credit.lot",
        "SELECT credit_transfer('acme', 9, to_member => 'ann'); SELECT credit_transfer('acme', 9, to_member => 'ann')",
    );
}

/// Runs each statement at its time; the proof finds nothing after any of them.
fn by_the_clock(steps: &[(&str, &str)]) -> Database {
    let database = Database::new();
    let mut client = database.connect();
    for (at, sql) in steps {
        client.run(&format!("SET credit.clock = '{at}+00'"));
        client.run(sql);
        verify(&mut client, &[format!("{sql} at {at}")], 0);
    }
    database
}

#[test]
fn a_member_who_took_their_seat_later_gets_nothing_before() {
    let database = by_the_clock(&[
        ("2026-01-15 00:00", "SELECT credit_grant('acme', 10), credit_member('acme', 'ann')"),
        ("2025-12-15 21:00", "SELECT credit_schedule('acme', 3, '1 day', per_member => true, periods => 5)"),
        ("2025-12-28 07:00", "SELECT credit_end_schedule('acme', schedule => 1), credit_refresh()"),
        ("2025-12-13 11:00", "SELECT credit_refresh()"),
        ("2025-12-18 11:00", "SELECT credit_refresh()"),
        ("2026-02-01 00:00", "SELECT credit_refresh()"),
    ]);
    assert_eq!(database.connect().number("SELECT count(*) FROM credit.schedule_period"), 0);
}

#[test]
fn a_cancellation_after_its_end_ends_what_the_plan_grants_when_it_was_made() {
    let database = by_the_clock(&[
        (
            "2026-01-19 10:17",
            "SELECT credit_plan('basic', unit => 'credit', currency => 'USD', list_price => 0.01), \
                credit_tier('basic', 'all', 0, discount => 0);
             SELECT credit_schedule(plan => 'basic', amount => 50, every => '15 days', per_member => true);
             SELECT credit_account('acme'), credit_member('acme', 'ann'); SELECT charge \
                 FROM credit_change_plan('acme', 'basic', 300)",
        ),
        ("2026-02-19 11:00", "SELECT credit_cancel_plan('acme')"),
        ("2026-02-19 10:30", "SELECT credit_member('acme', 'bob')"),
        // What is declared for the plan then is not for those whose time on it is over.
        ("2026-02-19 10:40", "SELECT credit_schedule(plan => 'basic', amount => 7, every => '1 month')"),
        ("2026-02-18 15:00", "SELECT credit_refresh()"),
        ("2026-02-19 12:00", "SELECT credit_refresh()"),
    ]);
    let mut client = database.connect();
    let ends = "SELECT string_agg(ended_at::timestamp || ' ' || left_at::timestamp, ', ') FROM credit.subscription";
    assert_eq!(client.text(ends), "2026-02-19 10:17:00 2026-02-19 11:00:00");
    assert_eq!(client.text("SELECT string_agg(ends_at::timestamp::text, ', ') FROM credit.schedule"), "2026-02-19 11:00:00");
    // An end that is moved is another one.
    client.run("SET credit.clock = '2026-02-18 15:00+00'; SELECT charge FROM credit_change_plan('acme', 'basic', 400)");
    verify(&mut client, &["the cancellation is dropped".to_owned()], 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.subscription WHERE left_at IS NOT NULL"), 0);
}

#[test]
fn a_period_is_closed_after_a_correction_by_a_clock_that_was_ahead() {
    by_the_clock(&[
        (
            "2026-01-10 00:00",
            "SELECT credit_grant('acme', 100), credit_true_up_terms('acme', every => '1 month', anchor => '2026-01-01', \
                commitment => 10, unit_price => 0.02, currency => 'USD');
             SELECT credit_debit('acme', 20)",
        ),
        (
            "2026-03-10 00:00",
            "INSERT INTO credit.entry (account, kind, amount, lot, corrects) SELECT account, 'adjustment', 2, lot, posting \
                FROM credit.entry WHERE kind = 'debit'",
        ),
        ("2026-02-10 00:00", "SELECT credit_debit('acme', 1); SELECT count(*) FROM credit_true_up_post('acme')"),
        ("2026-04-10 00:00", "SELECT count(*) FROM credit_true_up_post('acme')"),
    ]);
}

/// A day on which a debit of 50 was recorded by a clock that was an hour ahead.
const FIFTY_AHEAD: [(&str, &str); 2] =
    [("2026-06-10 09:00", "SELECT credit_grant('acme', 1000)"), ("2026-06-10 12:00", "SELECT credit_debit('acme', 50)")];

#[test]
fn a_cap_does_not_stop_what_a_clock_that_was_ahead_recorded_before() {
    let [grant, debit] = FIFTY_AHEAD;
    for over in ["every => 'month'", "rolling => '3 days'"] {
        let make = format!("SELECT credit_cap('acme', 40, {over})");
        let change = format!("SELECT credit_cap('acme', 45, {over})");
        let raise = format!("SELECT credit_cap('acme', 60, {over}); SELECT credit_debit('acme', 10)");
        let lower = format!("SELECT credit_cap('acme', 55, {over})");
        let database = by_the_clock(&[
            grant,
            debit,
            ("2026-06-10 11:00", &make),
            ("2026-06-10 11:00", &change),
            ("2026-06-10 11:00", &raise),
            ("2026-06-10 10:00", &lower),
        ]);
        let mut client = database.connect();
        for at in ["2026-06-10 10:00", "2026-06-10 11:00", "2026-06-10 12:30"] {
            client.run(&format!("SET credit.clock = '{at}+00'"));
            assert_eq!(client.try_rows("SELECT credit_debit('acme', 1)").expect_err("a cap that is reached").code, "54000");
            verify(&mut client, &[format!("{over} at {at}")], 0);
        }
    }
}

#[test]
fn a_debit_beyond_a_cap_is_found_whatever_the_clock_read() {
    let [grant, debit] = FIFTY_AHEAD;
    for over in ["every => 'month'", "rolling => '3 days'"] {
        // The debit of 7 comes after the limit, by a clock that reads less than when the one of 50 was made.
        let make = format!("SELECT credit_cap('acme', 60, {over})");
        let database =
            by_the_clock(&[grant, debit, ("2026-06-10 11:00", &make), ("2026-06-10 10:00", "SELECT credit_debit('acme', 7)")]);
        let mut client = database.connect();
        client.run("UPDATE credit.cap SET amount = 56; UPDATE credit.cap_slot SET allowance = 56 WHERE slot = 0");
        let found = client.rows("SELECT invariant FROM credit_verify() WHERE invariant LIKE 'no debit goes beyond a cap%'");
        assert_eq!(found.len(), 1, "{over}");
    }
}

#[test]
fn a_cap_of_books_that_are_closed_beyond_the_clock_counts_what_was_debited_after_they_close() {
    by_the_clock(&[
        (
            "2026-06-10 12:00",
            "SELECT credit_grant('acme', 1000), credit_true_up_terms('acme', every => '7 days', anchor => '2026-06-01', \
                commitment => 10, unit_price => 0.02, currency => 'USD'); SELECT credit_debit('acme', 50)",
        ),
        ("2026-06-20 12:00", "SELECT count(*) FROM credit_true_up_post('acme'); SELECT credit_debit('acme', 60)"),
        ("2026-06-03 12:00", "SELECT credit_cap('acme', 57, every => 'month')"),
        ("2026-06-20 12:00", ""),
    ]);
}

#[test]
fn an_account_is_looked_at_when_a_seat_is_taken_that_a_clock_ahead_recorded() {
    let database = by_the_clock(&[
        ("2025-01-30 07:58", "SELECT credit_account('acme'), credit_member('acme', 'ann')"),
        ("2024-12-08 16:55", "SELECT credit_schedule('acme', 3, '1 month', per_member => true, periods => 3)"),
        ("2025-01-21 00:00", "SELECT credit_refresh()"),
        ("2024-12-12 00:00", ""),
    ]);
    let mut client = database.connect();
    client.run("BEGIN; UPDATE credit.account SET refresh_at = '2025-01-30 07:59+00'");
    for clock in ["2024-12-12", "2025-01-21"] {
        client.run(&format!("SET credit.clock = '{clock} 00:00+00'"));
        let due = "SELECT expected::timestamptz = '2025-01-30 07:58+00' FROM credit_verify() \
            WHERE invariant = 'an account is looked at when its schedules bring something'";
        assert_eq!(client.rows(due), [["t"]], "at {clock}");
    }
    client.run("ROLLBACK; SET credit.clock = '2025-01-30 07:58+00'; SELECT credit_refresh()");
    verify(&mut client, &["the seat is taken".to_owned()], 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.schedule_period"), 1);
}
