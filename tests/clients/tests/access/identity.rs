//! credit_debit(), credit_try_debit() and credit_quote() run as their caller and become the owner only for a statement. Whichever
//! way a call goes and however it ends, its caller is who they were, and finds what they found before.

use pg_credit_clients::{Client, Database, Session, wait_until_blocked};

/// Who a session is, and what it looks in for names.
const IDENTITY: &str = "SELECT concat_ws(', ', current_user, session_user, current_setting('search_path'))";
const SEARCH_PATH: &str = "own, public";

/// A database with a pool of 100, and a session of a role that may spend and no more.
fn with_spender() -> (Database, Client, String) {
    let database = Database::new();
    let role = database.create_role("credit_spender");
    let mut owner = database.connect();
    owner.run(&format!(
        "SELECT credit_grant('acme', 100); SELECT credit_allow('{role}', 'spend'); CREATE SCHEMA own AUTHORIZATION {role}"
    ));
    let mut session = database.connect_as(&role);
    session.run(&format!("SET search_path = {SEARCH_PATH}"));
    let identity = format!("{role}, {role}, {SEARCH_PATH}");
    (database, session, identity)
}

/// Runs the statement in a transaction of its own; who the session is within it afterwards, and after it.
fn assert_same(session: &mut Client, identity: &str, sql: &str) {
    session.run("BEGIN; SAVEPOINT before");
    let outcome = session.ask(sql);
    if outcome.is_err() {
        session.run("ROLLBACK TO before");
    }
    assert_eq!(session.text(IDENTITY), identity, "after {sql}: {outcome:?}");
    session.refusal("SELECT count(*) FROM credit.entry").expect("42501");
    session.run("ROLLBACK TO before; COMMIT");
    assert_eq!(session.text(IDENTITY), identity, "in the next transaction, after {sql}");
}

#[test]
fn whichever_way_a_debit_goes() {
    let (database, mut session, identity) = with_spender();
    database.connect().run(
        "SELECT credit_cap('acme', 1000); SELECT credit_grant('acme', 5, priority => 1);
         SELECT credit_plan('api', 'credit', 'USD', 1), credit_tier('api', 'one', 0, discount => 0)",
    );
    for sql in [
        "SELECT credit_debit('acme', 1)",
        "SELECT credit_debit('acme', 1)",
        "SELECT credit_debit('acme', 1, key => 'k')",
        "SELECT credit_debit('acme', 1, member => 'somebody new')",
        "SELECT credit_debit('acme', 1, at => now() - interval '1 hour')",
        "SELECT credit_debit('acme', 50)",
        "SELECT credit_try_debit('acme', 1000)",
        "SELECT credit_try_debit('acme', 50)",
        "SELECT credit_debit('acme', 1000)",
        "SELECT credit_debit('acme', 2000)",
        "SELECT credit_debit('nobody', 1)",
        "SELECT credit_debit('acme', -1)",
        "SELECT credit_debit('acme', 1, metadata => 'no json')",
        "SELECT count(*) FROM credit_quote('api', 10)",
        "SELECT count(*) FROM credit_quote('no such plan', 10)",
        "SELECT count(*) FROM credit_quote('api', -1)",
    ] {
        assert_same(&mut session, &identity, sql);
    }
    database.verify();
}

#[test]
fn after_an_error_that_the_caller_catches() {
    let (database, mut session, identity) = with_spender();
    session.run(
        "CREATE FUNCTION own.who_am_i_after(amount numeric, member text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE refused text := 'nothing';
         BEGIN
             BEGIN
                 PERFORM credit_debit('acme', 1);
                 PERFORM credit_debit('acme', amount, member => member);
             EXCEPTION WHEN check_violation OR lock_not_available THEN refused := SQLSTATE;
             END;
             RETURN concat_ws(', ', refused, current_user, session_user, current_setting('search_path'));
         END $$",
    );
    assert_eq!(session.text("SELECT who_am_i_after(1000, NULL)"), format!("23514, {identity}"));
    // Cancelled while it waits as the owner.
    let mut owner = database.connect();
    owner.run("BEGIN; SELECT credit_debit('acme', 90)");
    session.run("SET lock_timeout = '50 ms'");
    assert_eq!(session.text("SELECT who_am_i_after(20, 'alice')"), format!("55P03, {identity}"));
    owner.run("COMMIT");
    assert_eq!(session.text("SELECT who_am_i_after(5, 'alice')"), format!("nothing, {identity}"));
    assert_eq!(session.text("SELECT credit_balance('acme')"), "4");
    database.verify();
}

#[test]
fn after_a_wait_that_somebody_cancels() {
    let (database, mut session, identity) = with_spender();
    let mut owner = database.connect();
    let backend = session.number("SELECT pg_backend_pid()") as i32;
    owner.run("BEGIN; SELECT credit_debit('acme', 90)");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            session.run("BEGIN; SAVEPOINT before");
            let code = session.refusal("SELECT credit_debit('acme', 20)").code;
            session.run("ROLLBACK TO before");
            (code, session.text(IDENTITY))
        });
        let mut watcher = database.connect();
        wait_until_blocked(&mut watcher, backend);
        watcher.run(&format!("SELECT pg_cancel_backend({backend})"));
        assert_eq!(waiting.join().expect("a session"), ("57014".to_owned(), identity));
    });
    owner.run("ROLLBACK");
    database.verify();
}

/// A trigger of the customer's runs as the owner, as it does for a function that is SECURITY DEFINER; the debit within it too,
/// and what it does does not end the identity of the debit around it.
#[test]
fn around_a_debit_within_a_debit() {
    let (database, mut session, identity) = with_spender();
    let mut owner = database.connect();
    let superuser = owner.text("SELECT current_user");
    owner.run(
        "SELECT credit_grant('fees', 10);
         CREATE TABLE public.seen (who text, looks_in text);
         CREATE FUNCTION public.fee() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.kind = 'debit' AND NEW.account = 'acme' THEN
                 PERFORM public.credit_debit('fees', 1);
                 INSERT INTO public.seen VALUES (current_user, current_setting('search_path'));
             END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER zz_fee AFTER INSERT ON credit.entry FOR EACH ROW EXECUTE FUNCTION public.fee()",
    );
    assert_same(&mut session, &identity, "SELECT credit_debit('acme', 1)");
    session.run("SELECT credit_debit('acme', 1)");
    session.run("SELECT credit_debit('acme', 1, key => 'k')");
    assert_eq!(session.text(IDENTITY), identity);
    assert_eq!(
        owner.rows("SELECT DISTINCT who, looks_in FROM public.seen"),
        [[superuser, "pg_catalog, credit, pg_temp".to_owned()]]
    );
    assert_eq!(session.text("SELECT concat_ws(' ', credit_balance('acme'), credit_balance('fees'))"), "98 8");
    database.verify();
}
