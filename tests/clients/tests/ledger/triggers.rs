//! Rows that are written past the functions: checked and applied exactly once, or refused, whoever writes them.

use pg_credit_clients::{Cluster, Database, Session, wait_until_blocked};

const LINE: &str = "INSERT INTO credit.entry (account, kind, amount, lot)";

/// A database with the account acme, which has a lot of 100; the lot's id.
fn with_lot() -> (Database, i64) {
    let database = Database::new();
    let lot = database.connect().number("SELECT credit_grant('acme', 100)");
    (database, lot)
}

fn balance(session: &mut impl Session) -> String {
    session.text("SELECT credit_balance('acme')")
}

#[test]
fn an_inserted_line_is_applied_once() {
    let (database, lot) = with_lot();
    let mut session = database.connect();
    session.run(&format!("{LINE} VALUES ('acme', 'debit', -12.5, {lot})"));
    assert_eq!(balance(&mut session), "87.5");
    session.run(&format!("{LINE} VALUES ('acme', 'adjustment', 2.5, {lot})"));
    assert_eq!(balance(&mut session), "90");
    let rows = "SELECT kind, amount, line, posted, recorded_by = session_user, recorded_at = occurred_at
                FROM credit.entry ORDER BY posting";
    let row = |kind: &str, amount: &str| [kind, amount, "1", "t", "t", "t"].map(str::to_owned).to_vec();
    assert_eq!(session.rows(rows), [row("grant", "100"), row("debit", "-12.5"), row("adjustment", "2.5")]);
    database.verify();
}

#[test]
fn each_row_of_one_statement_is_applied_once_and_sees_those_before_it() {
    let (database, lot) = with_lot();
    let mut session = database.connect();
    session.run(&format!("{LINE} SELECT 'acme', 'debit', -g, {lot} FROM generate_series(1, 13) g"));
    assert_eq!(balance(&mut session), "9", "100 less 1 + 2 + ... + 13");
    assert_eq!(session.number("SELECT count(DISTINCT posting) FROM credit.entry WHERE kind = 'debit'"), 13);
    // The lot has 9: the first row fits, the second does not, and then neither is there.
    let refused = session.refusal(&format!("{LINE} VALUES ('acme', 'debit', -9, {lot}), ('acme', 'debit', -0.000001, {lot})"));
    assert_eq!(refused.expect("23514").detail_of("available"), Some("0"));
    assert_eq!(balance(&mut session), "9");
    session.run(&format!(
        "{LINE} VALUES ('acme', 'debit', -9, {lot}), ('acme', 'adjustment', 4, {lot}), ('acme', 'debit', -3, {lot})"
    ));
    assert_eq!(balance(&mut session), "1");
    database.verify();
}

#[test]
fn inserted_lots_are_granted_once() {
    let database = Database::new();
    let mut session = database.connect();
    let lots = "INSERT INTO credit.lot (account, granted, member, priority, paid, currency)
                VALUES ('acme', 10, NULL, 20, 8, 'USD'), ('acme', 5.5, 'alice', 10, NULL, NULL), \
                    ('other', 1, NULL, 50, NULL, NULL)";
    session.run(lots);
    let rows = "SELECT account, category, source, posted, slots, closed, trim_scale(cost_basis), recorded_by = session_user
                FROM credit.lot ORDER BY lot";
    let promotional = |account: &str| [account, "promotional", "allocation", "t", "1", "f", "", "t"].map(str::to_owned);
    let expected =
        [["acme", "paid", "purchase", "t", "1", "f", "0.8", "t"].map(str::to_owned), promotional("acme"), promotional("other")];
    assert_eq!(session.rows(rows), expected);
    assert_eq!(
        session.rows("SELECT kind, amount FROM credit.entry ORDER BY lot"),
        [["grant", "10"], ["grant", "5.5"], ["grant", "1"]]
    );
    assert_eq!(session.text("SELECT credit_balance('acme', 'alice')"), "15.5");
    session.run("SELECT credit_debit('acme', 6, member => 'alice')");
    database.verify();
}

/// What only the extension can know is not taken from the row, whoever inserts it.
#[test]
fn what_a_direct_insert_says_of_ids_times_and_state_is_replaced() {
    let (database, lot) = with_lot();
    let mut session = database.connect();
    session.run(&format!(
        "INSERT INTO credit.entry (account, posting, line, kind, amount, lot, recorded_at, recorded_by, department, rate)
         VALUES ('acme', 1, 7, 'debit', -1, {lot}, '2000-01-01', 'nobody', 'sales', 3)"
    ));
    let stamp =
        "SELECT posting > 1, line, recorded_at > now() - interval '1 minute', recorded_by = session_user, department, rate
                 FROM credit.entry WHERE kind = 'debit'";
    assert_eq!(session.rows(stamp), [["t", "1", "t", "t", "", ""]]);
    session.run(
        "INSERT INTO credit.lot (account, lot, granted, slots, closed, cost_basis, parent, recorded_at, recorded_by)
         VALUES ('acme', 900, 10, 9, true, 5, 1, '2000-01-01', 'nobody')",
    );
    let lot = "SELECT lot < 900, slots, closed, cost_basis, parent, recorded_at > now() - interval '1 minute', \
        recorded_by = session_user
               FROM credit.lot WHERE granted = 10";
    assert_eq!(session.rows(lot), [["t", "1", "f", "", "", "t", "t"]]);
    assert_eq!(balance(&mut session), "109");
    database.verify();
}

#[test]
fn what_a_direct_insert_must_not_say_is_refused() {
    let (database, lot) = with_lot();
    let mut session = database.connect();
    session.run("SET credit.clock = '2200-01-01 00:00:00+00'");
    let of_alice = session.number("SELECT credit_grant('acme', 1, member => 'alice')");
    let of_chat = session.number("SELECT credit_grant('acme', 1, applies_to => '{chat}')");
    let future = session.number("SELECT credit_grant('acme', 1, effective_at => '2201-01-01')");
    let short = session.number("SELECT credit_grant('acme', 1, expires_at => '2200-01-02')");
    session.run("SELECT credit_account('seats', pooling => 'per_seat')");
    let pool_of_seats = session.number("SELECT credit_grant('seats', 1)");
    session.run("SET credit.clock = '2200-01-02 00:00:00+00'");
    let cases = [
        (format!("{LINE} VALUES ('acme', 'debit', 1, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', 0, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'adjustment', 0, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', 'NaN', {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', '-Infinity', {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', -0.0000001, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', -1e15, {lot})"), "22003"),
        (format!("{LINE} VALUES ('acme', 'adjustment', 999999999999999, {lot})"), "22003"),
        (format!("{LINE} VALUES ('acme', 'debit', -100.000001, {lot})"), "23514"),
        (format!("{LINE} VALUES ('acme', 'adjustment', -100.000001, {lot})"), "23514"),
        (format!("{LINE} VALUES ('acme', 'grant', 1, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'expiry', -1, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'gift', 1, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', NULL, -1, {lot})"), "22023"),
        (format!("{LINE} VALUES (NULL, 'debit', -1, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', NULL, {lot})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', -1, NULL)"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', -1, 4711)"), "P0002"),
        (format!("{LINE} VALUES ('other', 'debit', -1, {lot})"), "P0002"),
        (format!("{LINE} VALUES ('acme', 'debit', -1, {of_alice})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', -1, {of_chat})"), "22023"),
        (format!("{LINE} VALUES ('acme', 'debit', -1, {future})"), "55000"),
        (format!("{LINE} VALUES ('acme', 'debit', -1, {short})"), "55000"),
        (
            format!(
                "INSERT INTO credit.entry (account, kind, amount, lot, member) \
                    VALUES ('seats', 'debit', -1, {pool_of_seats}, 'bob')"
            ),
            "22023",
        ),
        (
            format!(
                "INSERT INTO credit.entry (account, kind, amount, lot, occurred_at) \
                    VALUES ('acme', 'debit', -1, {lot}, '2200-01-03')"
            ),
            "22023",
        ),
        (
            format!(
                "INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 1, {lot}, 4711)"
            ),
            "P0002",
        ),
        ("INSERT INTO credit.lot (account, granted) VALUES ('acme', 0)".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted) VALUES ('acme', -1)".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted) VALUES ('acme', NULL)".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted) VALUES ('acme', 1e15)".to_owned(), "22003"),
        ("INSERT INTO credit.lot (account, granted) VALUES (NULL, 1)".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted, unit) VALUES ('acme', 1, 'gold')".to_owned(), "P0002"),
        ("INSERT INTO credit.lot (account, granted, category) VALUES ('acme', 1, 'gift')".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted, priority) VALUES ('acme', 1, 1001)".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted, applies_to) VALUES ('acme', 1, '{}')".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted, applies_to) VALUES ('acme', 1, '{chat,NULL}')".to_owned(), "22023"),
        ("INSERT INTO credit.lot (account, granted, paid) VALUES ('acme', 1, 1)".to_owned(), "22023"),
        (
            "INSERT INTO credit.lot (account, granted, expires_at) VALUES ('acme', 1, '2200-01-02 00:00:00+00')".to_owned(),
            "22023",
        ),
        ("INSERT INTO credit.lot (account, granted, expires_at) VALUES ('acme', 1, 'infinity')".to_owned(), "22023"),
    ];
    let all =
        "SELECT (SELECT count(*) FROM credit.entry), (SELECT count(*) FROM credit.lot), (SELECT sum(remaining) FROM credit.slot)";
    let before = session.rows(all);
    for (sql, code) in cases {
        let refused = session.refusal(&sql);
        assert_eq!(refused.code, code, "{refused}\nin: {sql}");
        assert!(refused.detail.is_some() && refused.hint.is_some(), "without DETAIL or HINT: {refused}\nin: {sql}");
        assert_eq!(session.rows(all), before, "something changed by: {sql}");
    }
    database.verify();
}

/// Both ways to insert nothing after the check has passed.
#[test]
fn a_row_that_is_not_inserted_after_all_takes_no_credit() {
    let (database, lot) = with_lot();
    let mut session = database.connect();
    session.run(
        "CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER zz_drop BEFORE INSERT ON credit.entry FOR EACH ROW \
             WHEN (NEW.operation = 'dropped') EXECUTE FUNCTION drop_row();
         CREATE TRIGGER zz_drop BEFORE INSERT ON credit.lot FOR EACH ROW WHEN (NEW.priority = 13) EXECUTE FUNCTION drop_row()",
    );
    let dropped = "INSERT INTO credit.entry (account, kind, amount, lot, operation)";
    session.run(&format!("{dropped} VALUES ('acme', 'debit', -30, {lot}, 'dropped'), ('acme', 'debit', -2, {lot}, 'kept')"));
    session.run("INSERT INTO credit.lot (account, granted, priority) VALUES ('acme', 1000, 13), ('acme', 1, 14)");
    assert_eq!(balance(&mut session), "99");
    database.verify();

    // A unique index of the user's own, and a row that meets it.
    session.run("CREATE UNIQUE INDEX entry_once ON credit.entry ((metadata ->> 'event')) WHERE metadata ? 'event'");
    let event = format!(
        "INSERT INTO credit.entry (account, kind, amount, lot, metadata) \
            VALUES ('acme', 'debit', -5, {lot}, '{{\"event\": \"e1\"}}')
         ON CONFLICT DO NOTHING"
    );
    session.run(&event);
    session.run(&event);
    assert_eq!(balance(&mut session), "94");
    let refused = session.refusal(&event.replace("ON CONFLICT DO NOTHING", ""));
    assert_eq!((refused.code.as_str(), balance(&mut session)), ("23505", "94".to_owned()));
    database.verify();
}

#[test]
fn an_upsert_does_not_turn_into_an_update() {
    let (database, lot) = with_lot();
    let mut session = database.connect();
    session.run("CREATE UNIQUE INDEX entry_once ON credit.entry ((metadata ->> 'event')) WHERE metadata ? 'event'");
    let upsert = format!(
        "INSERT INTO credit.entry (account, kind, amount, lot, metadata) \
            VALUES ('acme', 'debit', -5, {lot}, '{{\"event\": \"e1\"}}')
         ON CONFLICT ((metadata ->> 'event')) WHERE metadata ? 'event' DO UPDATE SET amount = EXCLUDED.amount - 1"
    );
    session.run(&upsert);
    session.refusal(&upsert).expect("42501");
    assert_eq!(balance(&mut session), "95");
    database.verify();
}

/// As superuser and owner, and where ordinary triggers do not fire.
#[test]
fn the_ledger_and_the_terms_of_lots_do_not_change() {
    let (database, _) = with_lot();
    let mut session = database.connect();
    session.run("SELECT credit_debit('acme', 1)");
    let changes = [
        "UPDATE credit.entry SET amount = amount * 2",
        "UPDATE credit.entry SET metadata = '{}'",
        "UPDATE credit.entry SET posted = false",
        "UPDATE credit.entry SET recorded_at = recorded_at - interval '1 day'",
        "DELETE FROM credit.entry",
        "TRUNCATE credit.entry",
        "TRUNCATE credit.entry, credit.lot, credit.slot CASCADE",
        "UPDATE credit.lot SET granted = 1000",
        "UPDATE credit.lot SET expires_at = now() + interval '1 day'",
        "UPDATE credit.lot SET member = 'alice'",
        "UPDATE credit.lot SET priority = 1",
        "UPDATE credit.lot SET applies_to = '{chat}'",
        "UPDATE credit.lot SET paid = 1, currency = 'USD', cost_basis = 1",
        "UPDATE credit.lot SET posted = false",
        "UPDATE credit.lot SET metadata = '{}'",
        "UPDATE credit.lot SET slots = slots - 1",
        "DELETE FROM credit.lot",
        "TRUNCATE credit.lot CASCADE",
        "DELETE FROM credit.slot",
        "TRUNCATE credit.slot",
    ];
    for role in ["origin", "replica", "local"] {
        session.run(&format!("SET session_replication_role = {role}"));
        for change in changes {
            let refused = session.refusal(change);
            assert_eq!(refused.code, "42501", "{refused}\nin: {change} as {role}");
        }
    }
    session.run("RESET session_replication_role");
    assert_eq!(balance(&mut session), "99");
    database.verify();
}

#[test]
fn what_accounts_and_units_mean_does_not_change_once_they_are_used() {
    let (database, _) = with_lot();
    let mut session = database.connect();
    for (change, code) in [
        ("UPDATE credit.account SET account = 'other'", "42501"),
        ("UPDATE credit.account SET time_zone = 'Europe/Berlin'", "55000"),
        ("UPDATE credit.unit SET unit = 'other'", "55000"),
        ("UPDATE credit.unit SET decimals = 2", "55000"),
        ("DELETE FROM credit.unit", "55000"),
    ] {
        session.refusal(change).expect(code);
    }
    session.run("UPDATE credit.unit SET decimals = 8");
    session.run("SELECT credit_debit('acme', 0.00000001)");
    assert_eq!(balance(&mut session), "99.99999999");
    database.verify();
}

/// A restore and a logical replica write rows that are applied already.
#[test]
fn posted_rows_are_copied_as_they_are() {
    let (source, lot) = with_lot();
    let mut session = source.connect();
    session.run(&format!("SELECT credit_debit('acme', 1, member => 'alice'); {LINE} VALUES ('acme', 'debit', -2, {lot})"));
    let copy = Database::new();
    let mut copied = copy.connect();
    for table in ["unit", "account", "member", "lot", "slot", "entry"] {
        let rows = session.rows(&format!("SELECT quote_literal(t::text) FROM credit.{table} t")).concat();
        for row in rows {
            copied.run(&format!("INSERT INTO credit.{table} SELECT ({row}::credit.{table}).*"));
        }
    }
    let all = "SELECT (SELECT string_agg(e::text, ';' ORDER BY posting) FROM credit.entry e),
                   (SELECT string_agg(l::text, ';' ORDER BY lot) FROM credit.lot l),
                   (SELECT string_agg(s::text, ';' ORDER BY lot, slot) FROM credit.slot s)";
    assert_eq!(copied.rows(all), session.rows(all));
    assert_eq!(balance(&mut copied), "97");
    // Rows came without their sequences.
    assert_eq!(copied.number("SELECT count(*) FROM credit_repair_sequences()"), 2);
    copy.verify();
}

/// A superuser who switches the triggers off can write anything. The proof of the books finds it.
#[test]
fn what_bypasses_the_triggers_is_found() {
    let forged = "INSERT INTO credit.entry (account, posting, line, kind, amount, lot, occurred_at, recorded_at, recorded_by";
    for (bypass, invariant) in [
        ("UPDATE credit.slot SET remaining = remaining + 1".to_owned(), "a lot's slots hold what its entries add up to"),
        (
            format!("{forged}) SELECT account, 999, 1, 'adjustment', 50, lot, now(), now(), 'me' FROM credit.lot"),
            "every row is posted",
        ),
        (
            format!("{forged}, posted) SELECT account, 999, 1, 'debit', -50, lot, now(), now(), 'me', true FROM credit.lot"),
            "a lot's slots hold what its entries add up to",
        ),
        (
            format!("{forged}, posted) SELECT account, 999, 1, 'debit', -1, 4711, now(), now(), 'me', true FROM credit.lot"),
            "every slot and entry has its lot",
        ),
        ("UPDATE credit.lot SET closed = true".to_owned(), "a closed lot holds nothing"),
        ("UPDATE credit.lot SET slots = slots + 1".to_owned(), "every lot has its slots, numbered from 0"),
        (
            "ALTER TABLE credit.entry DISABLE TRIGGER entry_91_refuse_delete".to_owned(),
            "the triggers that guard the books are on",
        ),
        (
            "ALTER TABLE credit.entry DISABLE TRIGGER ALL; UPDATE credit.entry SET amount = 99;
             ALTER TABLE credit.entry ENABLE TRIGGER ALL"
                .to_owned(),
            "a lot's slots hold what its entries add up to",
        ),
    ] {
        let (database, _) = with_lot();
        let mut session = database.connect();
        session.run(&format!("SET session_replication_role = replica; {bypass}; RESET session_replication_role"));
        let found = session.rows("SELECT invariant FROM credit_verify()").concat();
        assert!(found.iter().any(|found| found == invariant), "{bypass}\nfound only: {found:?}");
    }
}

#[test]
fn two_clients_who_insert_at_once_cannot_both_have_the_last_credits() {
    let (database, lot) = with_lot();
    let (mut first, mut second) = (database.connect(), database.connect());
    let backend = second.backend();
    first.run(&format!("BEGIN; {LINE} VALUES ('acme', 'debit', -60, {lot})"));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.ask(&format!("{LINE} VALUES ('acme', 'debit', -60, {lot})")));
        wait_until_blocked(&mut database.connect(), backend);
        first.run("COMMIT");
        let refused = waiting.join().expect("the second client").expect_err("60 and 60 of 100");
        assert_eq!(refused.expect("23514").detail_of("available"), Some("40"));
    });
    assert_eq!(balance(&mut first), "40");
    database.verify();
}

#[test]
fn functions_and_direct_inserts_share_a_lot() {
    let (database, lot) = with_lot();
    let taken = database.clients(6, |number, session| {
        let debit = "SELECT credit_try_debit('acme', 3)".to_owned();
        let insert = format!("{LINE} VALUES ('acme', 'debit', -3, {lot}) RETURNING posting");
        let sql = if number % 2 == 0 { debit } else { insert };
        let mut taken = 0;
        loop {
            match session.ask(&sql) {
                Ok(Some(_)) => taken += 1,
                Ok(None) => return taken,
                Err(refusal) => {
                    refusal.expect("23514");
                    return taken;
                }
            }
        }
    });
    assert_eq!(taken.iter().sum::<i64>(), 33, "debits of 3 that fit into 100: {taken:?}");
    assert_eq!(balance(&mut database.connect()), "1");
    database.verify();
}

/// Adoption in place: usage that the application already records debits as it arrives.
#[test]
fn a_trigger_on_the_customers_own_table_debits() {
    let (database, _) = with_lot();
    let mut session = database.connect();
    session.run(
        "CREATE TABLE usage (id bigint PRIMARY KEY, org text NOT NULL, login text, tokens bigint NOT NULL);
         CREATE FUNCTION debit_usage() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM credit_debit(NEW.org, NEW.tokens * 0.001, member => NEW.login, operation => 'completion', \
                 key => 'usage ' || NEW.id,
                 metadata => jsonb_build_object('usage', NEW.id));
             RETURN NULL;
         END $$;
         CREATE TRIGGER debit AFTER INSERT ON usage FOR EACH ROW EXECUTE FUNCTION debit_usage()",
    );
    session.run("INSERT INTO usage SELECT g, 'acme', 'user-' || g % 3, g * 1000 FROM generate_series(1, 10) g");
    assert_eq!(balance(&mut session), "45");
    // A row that is not inserted costs nothing, also where another transaction is just inserting it.
    session.run("INSERT INTO usage VALUES (10, 'acme', 'user-1', 10000) ON CONFLICT DO NOTHING");
    let mut first = database.connect();
    first.run("BEGIN; INSERT INTO usage VALUES (15, 'acme', 'user-1', 5000)");
    let retry = database.waiting("INSERT INTO usage VALUES (15, 'acme', 'user-1', 5000) ON CONFLICT DO NOTHING");
    first.run("COMMIT");
    assert_eq!(retry.join().unwrap(), Ok(None));
    assert_eq!(balance(&mut session), "40");
    // The eleventh fits, the one after it does not: the business write and all its debits are undone together.
    let refused = session.refusal("INSERT INTO usage VALUES (11, 'acme', 'user-1', 40000), (12, 'acme', 'user-1', 1)");
    assert_eq!(refused.expect("23514").detail_of("available"), Some("0"));
    assert_eq!((session.number("SELECT count(*) FROM usage"), balance(&mut session)), (11, "40".to_owned()));
    session.run("BEGIN; INSERT INTO usage VALUES (13, 'acme', 'user-1', 5000); ROLLBACK");
    assert_eq!(balance(&mut session), "40");
    session.run("INSERT INTO usage VALUES (14, 'acme', 'user-1', 40000)");
    let joined = "SELECT count(*), sum(e.amount) FROM usage u JOIN credit.entry e ON e.account = u.org \
        AND e.metadata -> 'usage' = to_jsonb(u.id)
                  AND e.member = u.login AND e.amount = u.tokens * -0.001";
    assert_eq!(session.rows(joined), [["12", "-100"]]);
    database.verify();
}

/// The hot path writes without the executor where it may; what somebody added to the tables must hold all the same.
#[test]
fn what_users_add_to_the_ledger_holds_for_debits() {
    let (database, _) = with_lot();
    let mut session = database.connect();
    session.run(
        "CREATE TABLE outbox (posting bigint, amount numeric);
         CREATE FUNCTION publish() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO public.outbox VALUES (NEW.posting, NEW.amount); RETURN NULL; END';
         SELECT credit_debit('acme', 1);
         CREATE TRIGGER publish AFTER INSERT ON credit.entry FOR EACH ROW EXECUTE FUNCTION publish();
         SELECT credit_debit('acme', 2)",
    );
    assert_eq!(session.rows("SELECT amount FROM outbox"), [["-2"]]);
    session.run("DROP TRIGGER publish ON credit.entry; CREATE UNIQUE INDEX once ON credit.entry ((metadata ->> 'event'))");
    session.run(r#"SELECT credit_debit('acme', 3, metadata => '{"event": "e"}')"#);
    session.refusal(r#"SELECT credit_debit('acme', 3, metadata => '{"event": "e"}')"#).expect("23505");
    session.run("DROP INDEX credit.once; ALTER TABLE credit.entry ADD COLUMN note text NOT NULL DEFAULT 'none'");
    session.run("SELECT credit_debit('acme', 4)");
    assert_eq!(session.number("SELECT count(*) FROM credit.entry WHERE note = 'none'"), 5);
    session.run("ALTER TABLE credit.entry ADD CONSTRAINT small CHECK (amount > -50)");
    session.refusal("SELECT credit_debit('acme', 50)").expect("23514");
    assert_eq!(balance(&mut session), "90");
    database.verify();
}

/// As many indexes as the extension made, but another one: on a server of its own, because a mistake here ends the server.
#[test]
fn an_index_in_the_place_of_ours_is_kept_up_by_debits() {
    let cluster = Cluster::start(&["fsync = off"]);
    let database = Database::on(&cluster.server());
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100); DROP INDEX credit.entry_recorded_at");
    session.run("CREATE INDEX by_event ON credit.entry (member) WHERE kind = 'adjustment'");
    session.run("SELECT credit_debit('acme', 1, member => 'alice')");
    session.run("SET enable_seqscan = off; SET enable_bitmapscan = off");
    let adjustments = "SELECT count(*) FROM credit.entry WHERE kind = 'adjustment' AND member = 'alice'";
    assert_eq!(session.number(adjustments), 0, "a debit stands in an index of adjustments");
    session.run("DROP INDEX credit.by_event; CREATE INDEX by_event ON credit.entry ((metadata ->> 'event'))");
    session.run(r#"SELECT credit_debit('acme', 1, metadata => '{"event": "e"}')"#);
    assert_eq!(session.number("SELECT count(*) FROM credit.entry WHERE metadata ->> 'event' = 'e'"), 1);
    database.verify();
}

/// A ledger line that somebody's trigger drops must not leave its credit taken, whichever function wrote it.
#[test]
fn a_dropped_ledger_line_is_an_error_of_the_debit() {
    let (database, _) = with_lot();
    let mut session = database.connect();
    session.run(
        "CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER zz_drop BEFORE INSERT ON credit.entry FOR EACH ROW EXECUTE FUNCTION drop_row()",
    );
    for sql in [
        "SELECT credit_debit('acme', 1)",
        "SELECT credit_try_debit('acme', 1)",
        "SELECT credit_try_debit('acme', 1, key => 'k', member => 'alice')",
        "SELECT credit_void('acme', 1)",
        "SELECT credit_grant('acme', 1)",
    ] {
        let refused = session.ask(sql).err().map(|refusal| refusal.code);
        assert!(refused.as_deref().is_some_and(|code| code != "23514"), "{sql}: {refused:?}");
        assert_eq!(balance(&mut session), "100", "after {sql}");
    }
    database.verify();
}
