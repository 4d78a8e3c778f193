//! Debits in transactions that go on, are repeated or rolled back.

use pg_credit_clients::{Client, Database, Random, Refusal, Session, with_retries};

use super::{INSUFFICIENT, balance, debit, grant, grant_lots};

/// Two debits of one transaction, in an order that others may have the other way round.
fn debit_two_pools(client: &mut Client, random: &mut Random, pools: u64) -> Result<(), Refusal> {
    let (first, second) = (random.below(pools), random.below(pools));
    with_retries(client, "BEGIN", 200, |client| {
        debit(client, &format!("pool_{first}"), "1.5")?;
        debit(client, &format!("pool_{second}"), "1.5").map(drop)
    })
}

#[test]
fn two_debits_in_a_transaction_lose_nothing_when_they_are_retried() {
    const TRANSACTIONS: usize = 40;
    const POOLS: u64 = 12;
    let database = Database::new();
    for max_slots in [1, 32] {
        database.connect().run(&format!("SELECT credit_grant('pool_' || i, 1000) FROM generate_series(0, {}) i", POOLS - 1));
        let outcomes = database.clients(16, |number, client| {
            client.run(&format!("SET credit.max_slots = {max_slots}; SET deadlock_timeout = '20ms'"));
            let mut random = Random::new(number as u64);
            (0..TRANSACTIONS).try_for_each(|_| debit_two_pools(client, &mut random, POOLS))
        });
        assert_eq!(outcomes.into_iter().find_map(Result::err), None);
    }
    let debits = database.connect().rows("SELECT count(*), sum(amount) FROM credit.entry WHERE kind = 'debit'");
    assert_eq!(debits, [["2560", "-3840.0"]]);
    database.verify();
}

#[test]
fn repeatable_read_and_serializable_are_exact_with_retries() {
    let database = Database::new();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let account = level.replace(' ', "_");
        // The second lot is collected across.
        grant(&mut database.connect(), &account, "500");
        grant(&mut database.connect(), &account, "205");
        let begin = format!("BEGIN ISOLATION LEVEL {level}");
        let successes = database.clients(8, |_, client| {
            let mut successes = 0;
            loop {
                match with_retries(client, &begin, 1000, |client| debit(client, &account, "7")) {
                    Ok(_) => successes += 1,
                    Err(refusal) => {
                        refusal.expect(INSUFFICIENT);
                        return successes;
                    }
                }
            }
        });
        assert_eq!(successes.into_iter().sum::<u64>(), 100, "{level}");
        assert_eq!(balance(&mut database.connect(), &account), "5");
    }
    database.verify();
}

#[test]
fn a_rollback_to_a_savepoint_gives_the_credit_back_at_once() {
    let database = Database::new();
    let (mut first, mut second) = (database.connect(), database.connect());
    second.run("SET lock_timeout = '2s'");
    for (account, lots) in [("one_lot", &["10"][..]), ("two_lots", &["4", "6"])] {
        for amount in lots {
            grant(&mut second, account, amount);
        }
        first.run("BEGIN; SAVEPOINT before_debit");
        debit(&mut first, account, "10").unwrap();
        first.run("ROLLBACK TO before_debit");
        debit(&mut second, account, "10").expect("what was rolled back can be taken");
        debit(&mut first, account, "10").unwrap_err().expect(INSUFFICIENT);
        first.run("ROLLBACK");
        assert_eq!(balance(&mut second, account), "0");
    }
    database.verify();
}

/// Debits in a block that catches errors, as applications written in PL/pgSQL do; the SQLSTATE it caught.
const DEBIT_AND_CATCH: &str = "CREATE FUNCTION debit_and_catch(account text, amount numeric) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM credit_debit(account, amount, member => 'caught', key => 'caught');
        RETURN 'posted';
    EXCEPTION WHEN OTHERS OR query_canceled THEN
        RETURN SQLSTATE;
    END $$";

#[test]
fn an_error_can_be_caught_and_the_transaction_goes_on() {
    let database = Database::new();
    let (mut holder, mut owner) = (database.connect(), database.connect());
    let spender = database.create_role("spender");
    owner.run(&format!("{DEBIT_AND_CATCH}; SELECT credit_allow('{spender}', 'spend')"));
    let mut client = database.connect_as(&spender);
    let backend = client.backend();
    let identity = "SELECT current_user || ' ' || current_setting('search_path')";
    let before = client.text(identity);
    for (account, lots) in [("one_lot", 1), ("three_lots", 3)] {
        grant_lots(&mut owner, account, lots, "100");
        let catch = |amount: usize| format!("SELECT debit_and_catch('{account}', {amount})");
        client.run("BEGIN; SET LOCAL lock_timeout = '50ms'");
        debit(&mut client, account, "2").unwrap();
        assert_eq!(client.text(&catch(1000)), INSUFFICIENT);
        client.run("COMMIT; BEGIN; SET LOCAL lock_timeout = '50ms'");
        // All that is there, while another holds a part of it.
        holder.run("BEGIN");
        debit(&mut holder, account, "1").unwrap();
        assert_eq!(client.text(&catch(lots * 100 - 2)), "55P03");
        assert_eq!(client.text(identity), before, "a caught error must not leave the caller with the owner's rights");
        let locks = format!("SELECT count(*) FROM pg_locks WHERE pid = {backend} AND locktype IN ('advisory', 'tuple')");
        assert_eq!(owner.number(&locks), 0, "a caught error keeps no slot");
        holder.run("ROLLBACK");
        assert_eq!(client.text(&catch(lots * 100 - 2)), "posted");
        client.run("ROLLBACK");
        assert_eq!(client.text(identity), before);
        assert_eq!(balance(&mut owner, account), (lots * 100 - 2).to_string());
    }
    assert_eq!(owner.number("SELECT count(*) FROM credit.request"), 0);
    database.verify();
}

#[test]
fn a_statement_of_many_debits_applies_wholly_or_not_at_all() {
    let database = Database::new();
    let mut client = database.connect();
    grant(&mut client, "acme", "50");
    grant(&mut client, "acme", "50.5");
    client.refusal("SELECT credit_debit('acme', 1, member => 'm' || i) FROM generate_series(1, 101) i").expect(INSUFFICIENT);
    assert_eq!(client.number("SELECT count(*) FROM credit.entry WHERE kind = 'debit'"), 0);
    assert_eq!(client.number("SELECT count(*) FROM credit.member"), 0);
    client.run("SELECT credit_debit('acme', 1, member => 'm' || i) FROM generate_series(1, 100) i");
    assert_eq!(balance(&mut client, "acme"), "0.5");
    database.verify();
}
