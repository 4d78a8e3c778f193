//! What was consumed, with real clients: the views say what the ledger says at every moment, whoever writes or adds up meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use pg_credit_clients::{Client, Cluster, Database, Random, Session, wait_until};

const ACCOUNTS: [&str; 2] = ["acme", "globex"];
const MEMBERS: [&str; 3] = ["NULL", "'alice'", "'bob'"];
const OPERATIONS: [&str; 3] = ["NULL", "'chat'", "'search'"];
const DEPARTMENTS: [&str; 3] = ["eng", "eng/ml", "sales"];

/// The ledger grouped from scratch, in words of its own: what the view of this key must say. A line is worth the price of its
/// stretch of the lot, from what was gone before it to what was gone after it.
fn from_the_ledger(key: &str) -> String {
    let price_of = |gone: &str| format!("trunc(l.paid * LEAST(GREATEST({gone}, 0), l.granted) / l.granted, 9)");
    let (after, before) = (price_of("l.granted - e.held"), price_of("l.granted - e.held + e.amount"));
    format!(
        "SELECT e.account, l.unit, date_trunc('month', e.occurred_at AT TIME ZONE a.time_zone)::date, {key},
             trim_scale(- sum(e.amount)),
             count(DISTINCT (e.posting, e.operation)) FILTER (WHERE e.kind = 'debit'),
             trim_scale(sum({after} - {before}))
         FROM (SELECT *, sum(amount) OVER (PARTITION BY account, lot ORDER BY posting, line) AS held FROM credit.entry) e \
             JOIN credit.lot l USING (account, lot) JOIN credit.account a USING (account)
         WHERE e.kind = 'debit' OR e.kind = 'adjustment' AND e.corrects IS NOT NULL
         GROUP BY 1, 2, 3, 4"
    )
}

fn of_the_view(view: &str, key: &str) -> String {
    format!("SELECT account, unit, month, {key}, credits, requests, value FROM credit.{view}")
}

/// Compares views and ledger within one statement.
fn compare(session: &mut impl Session) {
    for (view, key) in [
        ("consumption_by_member", "member"),
        ("consumption_by_department", "department"),
        ("consumption_by_operation", "operation"),
    ] {
        let (view, ledger) = (of_the_view(view, key), from_the_ledger(&format!("e.{key}")));
        let differences = format!(
            "WITH v AS MATERIALIZED ({view}), l AS MATERIALIZED ({ledger})
             (TABLE v EXCEPT ALL TABLE l) UNION ALL (TABLE l EXCEPT ALL TABLE v)"
        );
        assert_eq!(session.rows(&differences), Vec::<Vec<String>>::new(), "by {key}");
    }
}

/// Adds up until all is: transactions of other tests' databases may still be running.
fn roll_all(session: &mut Client) {
    wait_until("all is added up", || {
        session.run("SELECT credit_rollup(7)");
        session.text("SELECT credit.rolled_up_to() = (SELECT last_value FROM credit.posting_id)") == "t"
    });
}

fn with_credits() -> (Database, Client) {
    let database = Database::new();
    let mut session = database.connect();
    fill(&mut session);
    (database, session)
}

fn fill(session: &mut Client) {
    session.run(
        "SELECT credit_account('acme', time_zone => 'America/New_York'), credit_account('globex', time_zone => 'Asia/Kolkata');
         SELECT credit_rate_card('list', unit => 'credit'), credit_rate('list', 'chat', credits => 2, per => 1000),
             credit_rate('list', 'search', credits => 0.25);
         SELECT credit_publish('list')",
    );
    for account in ACCOUNTS {
        session.run(&format!(
            "SELECT credit_account('{account}', rate_card => 'list');
             SELECT credit_member('{account}', 'alice', department => 'eng'), credit_member('{account}', 'bob');
             SELECT credit_grant('{account}', 3, paid => 1, currency => 'USD', priority => n) FROM generate_series(1, 40) AS n;
             SELECT credit_grant('{account}', 20, member => 'alice', paid => 7, currency => 'USD');
             SELECT credit_grant('{account}', 1000000)"
        ));
    }
}

/// One random thing that a customer does.
fn act(session: &mut Client, random: &mut Random) {
    let (account, member, operation) = (random.pick(&ACCOUNTS), random.pick(&MEMBERS), random.pick(&OPERATIONS));
    let at = format!("now() - interval '1 hour' * {}", random.below(24 * 70));
    let amount = format!("{}.{}", random.below(4), 1 + random.below(9));
    let debit = format!("SELECT credit_debit('{account}', {amount}, member => {member}, operation => {operation}, at => {at})");
    let sql = match random.below(9) {
        0 => format!("BEGIN; {debit}; {debit}; ROLLBACK"),
        1 => format!("BEGIN; SAVEPOINT a; {debit}; ROLLBACK TO a; {debit}; SAVEPOINT b; {debit}; COMMIT"),
        2 => format!("BEGIN; {debit}; SELECT pg_sleep(0.02); COMMIT"),
        3 => format!(
            "SELECT credit_charge_request('{account}', '{{chat,search}}', '{{{},1}}', member => {member})",
            500 * (1 + random.below(9))
        ),
        4 => format!(
            "SELECT count(*) FROM credit_debit_many(array_fill('{account}'::text, '{{9}}'), \
                array_fill({amount}::numeric, '{{9}}'))"
        ),
        5 => format!("SELECT credit_member('{account}', 'bob', department => '{}')", random.pick(&DEPARTMENTS)),
        6 => format!(
            "INSERT INTO credit.entry (account, kind, amount, lot, member, operation, corrects)
             SELECT account, 'adjustment', 0.1, lot, member, operation, posting FROM credit.entry
             WHERE account = '{account}' AND kind = 'debit' ORDER BY posting DESC LIMIT 1"
        ),
        _ => debit,
    };
    // Two debits in one transaction may deadlock with two of another, and nothing may be left of a debit to give back.
    if let Err(refusal) = session.try_rows(&sql) {
        let is_corrected = refusal.code == "55000" && refusal.detail_of("given_back").is_some();
        assert!(refusal.is_retryable() || is_corrected, "{refusal}\nin: {sql}");
        session.run("ROLLBACK");
    }
}

/// Says that the writing is over, also where it fails: those who wait for it would go on for ever.
struct Writing<'a>(&'a AtomicBool);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Writers, two who add up, and one who looks: at no moment is a line missing or counted twice.
#[test]
fn views_are_the_ledger_at_every_moment() {
    let (database, mut session) = with_credits();
    let writing = AtomicBool::new(true);
    database.clients(6, |number, client| match number {
        0 => {
            while writing.load(Ordering::Relaxed) {
                compare(client);
                client.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
                compare(client);
                client.run("SELECT pg_sleep(0.01)");
                compare(client);
                client.run("COMMIT");
            }
        }
        1 | 2 => {
            while writing.load(Ordering::Relaxed) {
                client.run(&format!("SELECT credit_rollup({})", 1 + number * 3));
            }
        }
        _ => {
            let _writing = (number == 3).then(|| Writing(&writing));
            let mut random = Random::new(number as u64);
            (0..150).for_each(|_| act(client, &mut random));
        }
    });
    compare(&mut session);
    roll_all(&mut session);
    compare(&mut session);
    session.run("VACUUM credit.rollup");
    assert_eq!(
        session.text("SELECT count(*) FROM credit.consumption_line WHERE posting > credit.rolled_up_to()"),
        "0",
        "all is added up"
    );
    for account in ACCOUNTS {
        let sums = session.rows(&format!(
            "SELECT (SELECT trim_scale(sum(used)) FROM credit_chargeback('{account}', now() - interval '1 year', \
                now() + interval '1 day')),
                 (SELECT trim_scale(sum(credits)) FROM credit.consumption_monthly WHERE account = '{account}')"
        ));
        assert_eq!(sums[0][0], sums[0][1], "departments of {account}");
    }
    database.verify();
}

/// Periods that begin and end at any instant, within a day and across, half added up: what the ledger says.
#[test]
fn a_chargeback_is_the_ledger_between_two_instants() {
    let (database, mut session) = with_credits();
    let mut random = Random::new(7);
    (0..120).for_each(|_| act(&mut session, &mut random));
    roll_all(&mut session);
    (0..40).for_each(|_| act(&mut session, &mut random));
    let instants = "SELECT occurred_at FROM credit.entry WHERE kind = 'debit' ORDER BY random() LIMIT 30";
    let mut instants: Vec<String> = session.rows(instants).concat();
    instants.push("2026-01-01 00:00:00-05".to_owned());
    instants.push("2090-01-01 00:00:00+05:30".to_owned());
    for (number, start) in instants.iter().enumerate() {
        let end = &instants[(number * 7 + 3) % instants.len()];
        let account = random.pick(&ACCOUNTS);
        let differences = session.rows(&format!(
            "WITH span AS (SELECT LEAST('{start}'::timestamptz, '{end}') AS starts_at,
                 GREATEST('{start}', '{end}'::timestamptz) + interval '1 microsecond' AS ends_at),
             c AS (SELECT department, used FROM span, credit_chargeback('{account}', starts_at, ends_at) WHERE used <> 0),
             l AS (SELECT department, trim_scale(- sum(amount)) AS used FROM span, credit.entry
                 WHERE account = '{account}' AND (kind = 'debit' OR kind = 'adjustment' AND corrects IS NOT NULL)
                     AND occurred_at >= starts_at AND occurred_at < ends_at GROUP BY department HAVING sum(amount) <> 0)
             (TABLE c EXCEPT ALL TABLE l) UNION ALL (TABLE l EXCEPT ALL TABLE c)"
        ));
        assert_eq!(differences, Vec::<Vec<String>>::new(), "{account} from {start} to {end}");
    }
    database.verify();
}

/// A transaction takes its posting id a moment before it has a transaction id. Nothing is final while it is there.
#[test]
fn an_id_that_is_taken_early_is_waited_for() {
    let (database, mut session) = with_credits();
    roll_all(&mut session);
    let mut early = database.connect();
    // The first id after a checkpoint is logged, which takes a transaction id; this one is not.
    early.run("SELECT nextval('credit.posting_id')");
    early.run("BEGIN");
    let posting = early.number("SELECT nextval('credit.posting_id')");
    assert_eq!(early.text("SELECT pg_current_xact_id_if_assigned() IS NULL"), "t", "it has no transaction id yet");
    session.run("SELECT credit_debit('acme', 5)");
    for _ in 0..3 {
        session.run("SELECT credit_rollup()");
        assert!(session.number("SELECT credit.rolled_up_to()") < posting, "it was passed over");
    }
    early.run(&format!(
        "INSERT INTO credit.entry (posting, lot, occurred_at, recorded_at, line, posted, account, kind, amount, recorded_by)
         SELECT {posting}, lot, now(), now(), 1, true, account, 'debit', -2, 'test' FROM credit.lot \
             WHERE granted = 1000000 LIMIT 1"
    ));
    for _ in 0..3 {
        session.run("SELECT credit_rollup()");
        assert!(session.number("SELECT credit.rolled_up_to()") < posting, "it was passed over");
    }
    early.run("COMMIT");
    compare(&mut session);
    roll_all(&mut session);
    compare(&mut session);
    assert_eq!(session.text("SELECT trim_scale(sum(credits)) FROM credit.rollup"), "7");
}

/// A copy of the database is another one: nothing is believed, and it is added up anew.
#[test]
fn a_copied_database_begins_anew() {
    let (database, mut session) = with_credits();
    session.run("SELECT credit_debit('acme', 5, member => 'alice'), credit_debit('globex', 7)");
    roll_all(&mut session);
    let before = session.rows("SELECT * FROM credit.consumption_by_member ORDER BY account, member");
    drop(session);
    let copy = Database::bare(database.server());
    let mut admin = database.server().connect("postgres");
    admin.run(&format!("DROP DATABASE \"{}\"", copy.name()));
    admin.run(&format!("CREATE DATABASE \"{}\" TEMPLATE \"{}\"", copy.name(), database.name()));
    let mut copied = copy.connect();
    assert_eq!(copied.text("SELECT count(*) > 0 FROM credit.rollup"), "t");
    assert_eq!(copied.number("SELECT credit.rolled_up_to()"), 0);
    let view = "SELECT * FROM credit.consumption_by_member ORDER BY account, member";
    assert_eq!(copied.rows(view), before);
    roll_all(&mut copied);
    assert_eq!(copied.rows(view), before);
    copy.verify();
    assert_eq!(database.connect().rows(view), before);
}

/// A standby reads the views, and cannot add up.
#[test]
fn a_standby_reads_what_was_consumed() {
    let cluster = Cluster::start(&[]);
    let database = Database::on(&cluster.server());
    let mut session = database.connect();
    fill(&mut session);
    session.run("SELECT credit_debit('acme', 5, member => 'alice')");
    roll_all(&mut session);
    session.run("SELECT credit_debit('acme', 7)");
    let standby = cluster.standby();
    let mut reader = standby.server().connect(database.name());
    let written = session.text("SELECT pg_current_wal_lsn()");
    wait_until("the standby has caught up", || reader.text(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}'")) == "t");
    let chargeback = "SELECT * FROM credit_chargeback('acme', now() - interval '1 day', now() + interval '1 day')";
    for query in ["SELECT * FROM credit.consumption_by_member ORDER BY account, member", "SELECT credit.rolled_up_to()"] {
        assert_eq!(reader.rows(query), session.rows(query), "{query}");
    }
    assert_eq!(reader.rows(chargeback), session.rows(chargeback));
    reader.refusal("SELECT credit_rollup()").expect("25006");
    standby.promote();
    reader.run("SELECT credit_debit('acme', 9)");
    roll_all(&mut reader);
    compare(&mut reader);
    assert_eq!(reader.text("SELECT count(*) FROM credit_verify()"), "0");
}

/// A prepared transaction has no session any more, and its line is still to come.
#[test]
fn a_prepared_debit_is_waited_for() {
    let cluster = Cluster::start(&["max_prepared_transactions = 2"]);
    let database = Database::on(&cluster.server());
    let mut session = database.connect();
    fill(&mut session);
    roll_all(&mut session);
    session.run("BEGIN");
    let posting = session.number("SELECT credit_debit('acme', 5, member => 'alice')");
    session.run("PREPARE TRANSACTION 'debit'");
    session.run("SELECT credit_debit('acme', 7)");
    for _ in 0..3 {
        session.run("SELECT credit_rollup()");
        assert!(session.number("SELECT credit.rolled_up_to()") < posting, "it was passed over");
    }
    compare(&mut session);
    session.run("COMMIT PREPARED 'debit'");
    compare(&mut session);
    roll_all(&mut session);
    compare(&mut session);
    database.verify();
}

/// Whatever becomes of a member's own credits, what it was funded with is what it used of them, lost, or still has.
#[test]
fn what_a_member_was_funded_with_is_used_lost_or_there() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SET credit.clock = '2026-01-01 00:00+00'; SELECT credit_unit('token'), credit_unit('minute')");
    session.run(
        "SELECT credit_account('acme'), credit_member('acme', 'alice', department => 'eng'), \
            credit_member('acme', 'bob', department => 'ops');
         SELECT credit_grant('acme', 10000), credit_grant('acme', 50, unit => 'token', member => 'bob');
         SELECT credit_schedule('acme', 1000, interval '1 month', anchor => '2026-01-01 00:00+00', per_member => true,
             rollover => '{\"max_amount\": 30, \"max_periods\": 1}')",
    );
    let mut random = Random::new(11);
    for day in 0..120 {
        session.run(&format!("SET credit.clock = '{}'", session_day(day)));
        session.run("SELECT credit_maintain()");
        (0..4).for_each(|_| treat(&mut session, &mut random));
        if day % 17 == 0 {
            session.run("SELECT credit_rollup()");
        }
    }
    let held = "SELECT l.account, l.unit, l.member, trim_scale(sum(s.remaining))
        FROM credit.lot l JOIN credit.slot s USING (account, lot) WHERE l.member IS NOT NULL GROUP BY 1, 2, 3";
    let reported = "SELECT account, unit, member, trim_scale(sum(funded - used_of_own - lapsed))
        FROM credit.heavy_and_light_users GROUP BY 1, 2, 3 HAVING bool_or(funded <> 0)";
    let differences = session.rows(&format!("(({held}) EXCEPT ({reported})) UNION ALL (({reported}) EXCEPT ({held}))"));
    assert_eq!(differences, Vec::<Vec<String>>::new());
    assert_eq!(
        session.text("SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM credit.entry"),
        "convert_in convert_out debit expiry grant move_in move_out roll_in roll_out void",
        "everything happened"
    );
    let year = "'2026-01-01 00:00+00', '2027-01-01 00:00+00'";
    for unit in ["credit", "token"] {
        let sums = session.rows(&format!(
            "SELECT (SELECT trim_scale(sum(funded)) FROM credit_chargeback('acme', {year}, unit => '{unit}')),
                 (SELECT trim_scale(sum(funded)) FROM credit.heavy_and_light_users WHERE unit = '{unit}')"
        ));
        assert_eq!(sums[0][0], sums[0][1], "departments and members, in {unit}");
    }
    database.verify();
}

fn session_day(day: u32) -> String {
    format!("2026-{:02}-{:02} 09:00+00", 1 + day / 28, 1 + day % 28)
}

/// One random thing that befalls members and what they hold.
fn treat(session: &mut Client, random: &mut Random) {
    let member = random.pick(&["'alice'", "'bob'"]);
    let other = random.pick(&["'alice'", "'bob'", "NULL"]);
    let amount = 1 + random.below(30);
    let own_lot = format!(
        "SELECT account, lot FROM credit.lot WHERE member = {member} AND NOT closed ORDER BY md5(lot::text || '{amount}') LIMIT 1"
    );
    let sql = match random.below(9) {
        0 => format!("SELECT credit_grant('acme', {amount}, member => {member}, expires_after => '{amount} days')"),
        1 => format!("SELECT credit_transfer('acme', {amount}, from_member => {member}, to_member => {other})"),
        2 => format!("SELECT credit_transfer('acme', {amount}, to_member => {member})"),
        3 => format!("SELECT credit_void(account, lot) FROM ({own_lot}) AS l WHERE {amount} < 8"),
        4 => format!("SELECT credit_set_expiry(account, lot, credit.now() + interval '{amount} hours') FROM ({own_lot}) AS l"),
        5 => format!("SELECT credit_convert('acme', {amount}, 'credit', 'token', rate => 2, member => {member})"),
        6 => format!("SELECT credit_member('acme', {member}, department => '{}')", random.pick(&DEPARTMENTS)),
        _ => format!("SELECT credit_debit('acme', {amount}, member => {member})"),
    };
    // Not enough, or a transfer to oneself: that changes nothing.
    if let Err(refusal) = session.try_rows(&sql) {
        assert!(["23514", "22023"].contains(&refusal.code.as_str()), "{refusal}\nin: {sql}");
    }
}
