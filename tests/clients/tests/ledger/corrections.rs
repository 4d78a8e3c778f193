//! Corrections under concurrency: a debit never gets back more than it took, whoever gives back at the same time, and everybody
//! who counts says the same.

use pg_credit_clients::{Client, Database, Random, Session, wait_until_blocked};

/// A database with a debit of 50 of the account acme; the lot that paid and the posting.
fn with_debit() -> (Database, i64, i64) {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'), credit_member('acme', 'mia', department => 'eng')");
    let lot = session.number("SELECT credit_grant('acme', 1000, paid => 100, currency => 'USD')");
    session.run("SELECT credit_cap('acme', 60, member => 'mia')");
    let posting = session.number("SELECT credit_debit('acme', 50, member => 'mia', operation => 'chat')");
    (database, lot, posting)
}

fn give_back(amount: &str, lot: i64, posting: i64) -> String {
    format!(
        "INSERT INTO credit.entry (account, kind, amount, lot, corrects) \
            VALUES ('acme', 'adjustment', {amount}, {lot}, {posting})"
    )
}

/// What the cap, the reports and the side table say was used, in this order.
fn used(session: &mut Client) -> Vec<String> {
    session
        .rows(
            "SELECT (SELECT used FROM credit.caps WHERE account = 'acme' AND member = 'mia'),
                 (SELECT sum(credits) FROM credit.consumption WHERE account = 'acme' AND member = 'mia' AND operation = 'chat'),
                 (SELECT sum(used) FROM credit_chargeback('acme', now() - interval '1 day', now() + interval '1 day') \
                     WHERE department = 'eng'),
                 (SELECT used FROM credit_true_up('acme', date_trunc('month', now()), \
                     date_trunc('month', now()) + interval '1 month')),
                 (SELECT trim_scale(- sum(e.amount) - COALESCE(sum(c.given_back), 0)) FROM credit.entry e
                  LEFT JOIN credit.correction c USING (account, posting, line) WHERE e.account = 'acme' AND e.kind = 'debit')",
        )
        .concat()
}

#[test]
fn two_corrections_of_a_line_at_once_give_back_what_it_took() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let (database, lot, posting) = with_debit();
        let (mut first, mut second) = (database.connect(), database.connect());
        first.run("BEGIN");
        first.run(&give_back("30", lot, posting));
        let backend = second.number("SELECT pg_backend_pid()") as i32;
        second.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT FROM credit.lot"));
        let statement = give_back("30", lot, posting);
        let waiting = std::thread::spawn(move || second.try_rows(&statement).map(|_| ()));
        wait_until_blocked(&mut database.connect(), backend);
        first.run("COMMIT");
        let refusal = waiting.join().expect("the thread").expect_err("one of them is too much");
        match level {
            "READ COMMITTED" => assert_eq!(refusal.expect("55000").detail_of("left"), Some("20")),
            _ => assert!(refusal.is_retryable(), "{refusal}"),
        }
        assert_eq!(used(&mut first), ["20"; 5]);
        database.verify();
    }
}

#[test]
fn a_correction_that_is_rolled_back_leaves_the_bound_as_it_was() {
    let (database, lot, posting) = with_debit();
    let (mut first, mut second) = (database.connect(), database.connect());
    first.run("BEGIN; SAVEPOINT before");
    first.run(&give_back("50", lot, posting));
    let backend = second.number("SELECT pg_backend_pid()") as i32;
    let statement = give_back("50", lot, posting);
    let waiting = std::thread::spawn(move || second.try_rows(&statement).map(|_| ()));
    wait_until_blocked(&mut database.connect(), backend);
    first.run("ROLLBACK TO before");
    waiting.join().expect("the thread").expect("nothing was given back before");
    first.run("COMMIT");
    assert_eq!(used(&mut first), ["0"; 5]);
    first.refusal(&give_back("0.000001", lot, posting)).expect("55000");
    database.verify();
}

/// Debits, batches and corrections of the same lots and caps, each a transaction of its own: nobody is the victim of a deadlock,
/// and no correction goes beyond its bound.
#[test]
fn corrections_beside_debits_are_bounded_and_block_nobody() {
    let (database, _, _) = with_debit();
    let mut session = database.connect();
    session.run(
        "SELECT credit_cap('acme', 100000, operation => 'chat', rolling => '1 hour'), \
        credit_cap('acme', 100000, member => 'mia')",
    );
    session.run("SELECT credit_grant('acme', 30, expires_after => '1 day') FROM generate_series(1, 20)");
    let given_back: i64 = database
        .clients(6, |client, session| {
            let mut random = Random::new(client as u64 + 1);
            (0..60)
                .map(|_| {
                    let debit =
                        format!("SELECT credit_debit('acme', {}, member => 'mia', operation => 'chat')", 1 + random.below(40));
                    let batch = "SELECT count(*) FROM credit_debit_many('{acme,acme}', '{3,20}', members => '{mia,mia}',
                                     operations => '{chat,chat}')";
                    // The same line is corrected by several at once, by more than it took.
                    let correction = format!(
                        "INSERT INTO credit.entry (account, kind, amount, lot, corrects)
                         SELECT account, 'adjustment', {}, lot, posting FROM credit.entry
                         WHERE account = 'acme' AND kind = 'debit' ORDER BY posting DESC, line LIMIT 1",
                        1 + random.below(9)
                    );
                    let sql = match random.below(6) {
                        0 | 1 => debit,
                        2 => batch.to_owned(),
                        _ => correction,
                    };
                    match session.try_rows(&sql) {
                        Ok(_) => i64::from(sql.starts_with("INSERT")),
                        Err(refusal) => {
                            assert!(["55000", "23514"].contains(&refusal.code.as_str()), "{refusal}\nin: {sql}");
                            0
                        }
                    }
                })
                .sum::<i64>()
        })
        .into_iter()
        .sum();
    assert!(given_back > 0);
    let ledger = "SELECT count(*) FROM credit.entry WHERE kind = 'adjustment' AND corrects IS NOT NULL";
    assert_eq!(session.number(ledger), given_back);
    let counted = used(&mut session);
    assert!(counted.iter().all(|used| used == &counted[0]), "{counted:?}");
    database.verify();
}

/// A transfer of a lot of which it locks only one slot, beside an adjustment of it: whatever goes first, no more is handed on
/// than the lot cost.
#[test]
fn what_is_handed_on_beside_an_adjustment_costs_no_more_than_the_lot() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'), credit_member('acme', 'bob')");
    let lot = session.number("SELECT credit_grant('acme', 1000, paid => 100, currency => 'USD')");
    database.clients(4, |client, session| {
        for turn in 0..30 {
            let sql = match (client + turn) % 4 {
                0 => format!("INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'adjustment', 9, {lot})"),
                1 => "SELECT credit_debit('acme', 7)".to_owned(),
                _ => "SELECT credit_transfer('acme', 5, to_member => 'bob')".to_owned(),
            };
            if let Err(refusal) = session.try_rows(&sql) {
                refusal.expect("23514");
            }
        }
    });
    let handed_on = "SELECT sum(c.paid) <= min(p.paid) - min(p.cost_basis) * (SELECT - sum(amount) FROM credit.entry \
        WHERE kind = 'debit' AND lot = min(p.lot))
                     FROM credit.lot c JOIN credit.lot p ON p.account = c.account AND p.lot = c.parent";
    assert_eq!(session.text(handed_on), "t");
    database.verify();
}

/// A role that may only spend, or read, gives nothing back.
#[test]
fn corrections_are_for_admins() {
    let (database, lot, posting) = with_debit();
    for (level, code) in [("spend", Some("42501")), ("read", Some("42501")), ("admin", None)] {
        let role = database.create_role(level);
        database.connect().run(&format!("SELECT credit_allow('{role}', '{level}')"));
        let mut session = database.connect_as(&role);
        match code {
            Some(code) => drop(session.refusal(&give_back("1", lot, posting)).expect(code)),
            None => session.run(&give_back("1", lot, posting)),
        }
        session.refusal("UPDATE credit.correction SET given_back = 0").expect("42501");
        session.refusal("INSERT INTO credit.lot_gain (account, lot) VALUES ('acme', 1)").expect("42501");
    }
    database.verify();
}
