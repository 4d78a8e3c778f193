//! Seats and new members: a role that may only debit brings no credits into being, and registers a bounded number of members.

use pg_credit_clients::{Database, Session, wait_until};

const LIMIT: &str = "54000";
const DENIED: &str = "42501";

/// Every way in which an application names a member, with one that is new in each.
const NAMING: [&str; 8] = [
    "SELECT credit_debit('acme', 1, member => 'ghost 1')",
    "SELECT credit_try_debit('acme', 1, member => 'ghost 2')",
    "SELECT count(*) FROM credit_debit_many('{acme}', '{1}', members => '{ghost 3}')",
    "SELECT count(*) FROM credit_debit_many_json('[{\"account\": \"acme\", \"amount\": 1, \"member\": \"ghost 4\"}]', \
        mode => 'each')",
    "SELECT credit_charge('acme', 'chat', 1, member => 'ghost 5')",
    "SELECT credit_charge_request('acme', '{chat,chat}', '{1,1}', member => 'ghost 6', at => now() - interval '2 hours')",
    "SELECT count(*) FROM credit_charge_many('{acme}', '{chat}', '{1}', members => '{ghost 7}', mode => 'each')",
    "SELECT credit_debit('acme', 1, member => 'ghost 8', at => now() - interval '2 hours', key => 'late')",
];

#[test]
fn who_may_spend_brings_no_credits() {
    for policy in ["current", "original"] {
        let database = Database::new();
        let mut owner = database.connect();
        owner.run(&format!(
            "SELECT credit_account('acme', late_usage => '{policy}', late_grace => '1 day'); SELECT credit_grant('acme', 1000);
             SELECT credit_member('acme', 'boss');
             SELECT credit_rate_card('list', 'credit', is_default => true), credit_rate('list', 'chat', credits => 1);
             SELECT count(*) FROM credit_publish('list', effective_at => NULL);
             SELECT credit_schedule('acme', 10, '1 hour', per_member => true, anchor => now() - interval '59 minutes 54 seconds'),
                 credit_schedule('acme', 100, '1 hour', per_member => true, into_pool => true, \
                     anchor => now() - interval '59 minutes 54 seconds')"
        ));
        let role = database.create_role("spends");
        owner.run(&format!("SELECT credit_allow('{role}', 'spend')"));
        let mut spender = database.connect_as(&role);
        let granted = "SELECT sum(granted) FROM credit.lot";
        assert_eq!(owner.text(granted), "1110");
        for naming in NAMING {
            let _ = spender.ask(naming);
        }
        let registered = owner.number("SELECT count(*) FROM credit.unseated_members");
        assert!(registered >= 6, "{registered}");
        spender.refusal("SELECT credit_member('acme', 'ghost 1')").expect(DENIED);
        spender.refusal("SELECT credit_account('acme', self_seating => true)").expect(DENIED);
        assert_eq!(owner.text(granted), "1110", "with late usage {policy}");
        // Nor when the next period begins: it brings what the seat of the boss brings.
        wait_until("the next period is issued", || owner.number("SELECT credit_refresh()") > 0);
        assert_eq!(owner.text(granted), "1220", "with late usage {policy}");
        database.verify();
    }
}

/// Also those count that others are about to register; nobody waits for them.
#[test]
fn new_members_are_bounded_across_transactions() {
    let database = Database::new();
    let (mut one, mut two) = (database.connect(), database.connect());
    one.run("SELECT credit_grant('acme', 1000), credit_grant('other', 1000)");
    for session in [&mut one, &mut two] {
        session.run("SET credit.max_new_members_per_day = 10; SET lock_timeout = '5s'");
    }
    one.run("BEGIN; SELECT count(credit_debit('acme', 1, member => 'one ' || n)) FROM generate_series(1, 10) n");
    let refused = two.refusal("SELECT credit_debit('acme', 1, member => 'two')").expect(LIMIT);
    assert_eq!((refused.detail_of("registered"), refused.detail_of("limit")), (Some("10"), Some("10")));
    // Members who are registered, and other accounts, are not concerned.
    two.run("SELECT credit_member('acme', 'three'), credit_debit('other', 1, member => 'two')");
    one.run("ROLLBACK");
    two.run("SELECT credit_debit('acme', 1, member => 'two')");
    database.verify();
}

#[test]
fn new_members_are_bounded_whoever_comes_at_once() {
    const MOST: i64 = 30;
    const CLIENTS: usize = 8;
    for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
        let database = Database::new();
        database.connect().run("SELECT credit_grant('acme', 100000)");
        database.clients(CLIENTS, |number, client| {
            client.run(&format!(
                "SET credit.max_new_members_per_day = {MOST}; \
                SET default_transaction_isolation = '{isolation}'"
            ));
            for turn in 0..20 {
                let sql = match turn % 3 {
                    0 => format!("SELECT credit_debit('acme', 1, member => '{number} {turn}')"),
                    1 => format!(
                        "SELECT count(*) FROM credit_debit_many('{{acme,acme}}', '{{1,1}}', \
                            members => '{{{number} {turn},{number} {turn} too}}')"
                    ),
                    _ => format!("SELECT credit_try_debit('acme', 1, member => '{number} {turn}')"),
                };
                match client.ask(&sql) {
                    Err(refusal) if refusal.code != LIMIT && !refusal.is_retryable() => panic!("{sql}: {refusal}"),
                    _ => {}
                }
            }
        });
        let mut session = database.connect();
        let registered = session.number("SELECT count(*) FROM credit.member WHERE self_registered");
        // At one instant each may come as the last.
        assert!((MOST..MOST + 2 * CLIENTS as i64).contains(&registered), "{isolation}: {registered}");
        session.run(&format!("SET credit.max_new_members_per_day = {MOST}"));
        session.refusal("SELECT credit_debit('acme', 1, member => 'one more')").expect(LIMIT);
        session.run("SELECT credit_member('acme', 'one more'), credit_debit('acme', 1, member => 'one more')");
        database.verify();
    }
}

/// A table that is not as the extension made it is counted in SQL, with the same answer.
#[test]
fn new_members_are_bounded_in_changed_tables_too() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 1000); ALTER TABLE credit.member ADD COLUMN note text");
    session.run("SET credit.max_new_members_per_day = 2");
    session.run("SELECT count(credit_debit('acme', 1, member => n::text)) FROM generate_series(1, 2) n");
    session.refusal("SELECT credit_debit('acme', 1, member => '3')").expect(LIMIT);
    session.run("SET credit.clock = '2999-01-01'; SELECT credit_debit('acme', 1, member => '3')");
}

/// A seat is given once, however many give it while debits name the member.
#[test]
fn a_seat_is_given_once() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'); SELECT credit_grant('acme', 100000)");
    session.run("SELECT credit_schedule('acme', 5, '1 month', per_member => true)");
    database.clients(6, |number, client| {
        for turn in 0..40 {
            client.run(&match number {
                0 => format!("SELECT credit_member('acme', 'm{turn}', department => 'eng')"),
                1 => format!("SELECT credit_grant('acme', 1, member => 'm{turn}')"),
                2 => format!(
                    "SELECT count(*) FROM credit_debit_many('{{acme,acme}}', '{{1,1}}', members => '{{m{turn},m{}}}')",
                    turn + 1
                ),
                _ => format!("SELECT credit_debit('acme', 1, member => 'm{turn}')"),
            });
        }
    });
    session.run("SELECT credit_refresh()");
    assert_eq!(session.number("SELECT count(*) FROM credit.lot WHERE granted = 5"), 40);
    assert_eq!(session.number("SELECT count(*) FROM credit.member WHERE seated_at IS NOT NULL"), 40);
    assert_eq!(session.text("SELECT string_agg(member, ' ') FROM credit.unseated_members"), "m40");
    database.verify();
}

/// The proof finds a seat that was taken away after it brought something.
#[test]
fn the_proof_finds_who_got_something_without_a_seat() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_account('acme'); SELECT credit_member('acme', 'ann'), credit_member('acme', 'bob')");
    session.run("SELECT credit_schedule('acme', 5, '1 month', per_member => true)");
    session.run("UPDATE credit.member SET seated_at = NULL WHERE member = 'ann'");
    let found = session.rows("SELECT account, expected, found FROM credit_verify() WHERE invariant LIKE 'only a seat %'");
    assert_eq!(found, [["acme", "a seat of ann", "none"]]);
}
