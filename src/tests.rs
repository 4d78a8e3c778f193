//! Tests that need the server but no second client: the seams between Rust and PostgreSQL.
//! Each runs in a transaction of its own that is rolled back.

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::arguments;
    use crate::debits::head;
    use crate::domain::amount::Amount;
    use crate::domain::ledger::drawdown;
    use crate::server::locks::slot::{SlotLock, Striped};
    use crate::server::{clock, subtransaction};
    use crate::store::connected;
    use crate::store::debits::eligible::{self, Eligibility, Head};
    use crate::values;

    fn sql(statement: &str) {
        Spi::run(statement).expect("a statement that succeeds");
    }

    fn text(query: &str) -> String {
        Spi::get_one::<String>(query).expect("a query that succeeds").expect("a value")
    }

    #[pg_test]
    fn amounts_survive_the_way_through_numeric() {
        for text in ["0", "12.5", "-0.000000001", "999999999999999.999999999", "-999999999999999.999999999", "10000", "0.0001"] {
            let amount = Amount::parse(text).unwrap();
            let numeric = values::numeric(amount);
            assert_eq!(arguments::amount("amount", &numeric).unwrap(), amount);
            assert_eq!(numeric.normalize(), text);
        }
    }

    #[pg_test]
    fn instants_survive_the_way_through_timestamptz() {
        for text in ["2026-01-31 00:00:00.000001+00", "0044-03-15 12:00:00+00 BC", "9999-12-31 23:59:59+00"] {
            let query = format!("SELECT '{text}'::timestamptz");
            let value = Spi::get_one::<TimestampWithTimeZone>(&query).unwrap().unwrap();
            let instant = arguments::instant("at", value).unwrap();
            assert_eq!(values::timestamptz(instant), value);
        }
    }

    #[pg_test]
    fn infinite_instants_are_refused() {
        let value = Spi::get_one::<TimestampWithTimeZone>("SELECT 'infinity'::timestamptz").unwrap().unwrap();
        assert!(arguments::instant("at", value).is_err());
    }

    #[pg_test]
    fn the_clock_setting_is_now() {
        sql("SET credit.clock = '2026-01-31 00:00+00'");
        assert_eq!(clock::now().to_rfc3339(), "2026-01-31T00:00:00+00:00");
        sql("SET credit.clock = '2026-02-28 12:00+01'");
        assert_eq!(clock::now().to_rfc3339(), "2026-02-28T11:00:00+00:00");
        sql("RESET credit.clock");
        assert!(clock::now() > chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap());
    }

    #[pg_test(error = "invalid input syntax for type timestamp with time zone: \"soon\"")]
    fn a_clock_that_is_no_time_is_an_error() {
        sql("SET credit.clock = 'soon'");
        clock::now();
    }

    #[pg_test]
    fn what_an_attempt_that_fails_did_is_undone() {
        sql("CREATE TABLE attempted (n int)");
        let kept = connected(|| {
            subtransaction::attempt::<(), ()>(|| {
                sql("INSERT INTO attempted VALUES (1)");
                Ok(Some(()))
            })
        });
        let undone = connected(|| {
            subtransaction::attempt::<(), ()>(|| {
                sql("INSERT INTO attempted VALUES (2)");
                SlotLock::acquire(Striped::Lot(77), 3).keep();
                Ok(None)
            })
        });
        assert_eq!((kept, undone), (Ok(Some(())), Ok(None)));
        assert_eq!(text("SELECT string_agg(n::text, ',') FROM attempted"), "1");
        assert_eq!(text("SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"), "0");
    }

    #[pg_test]
    fn a_slots_lock_is_given_back_or_kept() {
        let held = || text("SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()");
        SlotLock::try_acquire(Striped::Lot(5), 0).expect("a free lock").release();
        assert_eq!(held(), "0");
        SlotLock::try_acquire(Striped::Lot(5), 0).expect("a free lock").keep();
        SlotLock::try_acquire(Striped::Lot(5), 0).expect("our own lock").release();
        assert_eq!(held(), "1");
    }

    #[pg_test]
    fn the_index_has_the_order_of_the_domain() {
        sql("SELECT setseed(0.5)");
        sql("SELECT count(credit_grant('acme', 1 + (random() * 9)::int, member => (ARRAY['alice', NULL])[1 + (i % 2)],
                 priority => (random() * 2)::int, category => (ARRAY['paid', 'promotional'])[1 + (random() * 1)::int],
                 applies_to => (CASE WHEN random() < 0.5 THEN ARRAY['chat'] END),
                 effective_at => now() - make_interval(hours => (random() * 3)::int),
                 expires_at => CASE WHEN random() < 0.7 THEN now() + make_interval(days => 1 + (random() * 3)::int) END))
             FROM generate_series(1, 300) i");
        let eligible = Eligibility { account: "acme", unit: "credit", member: "alice", pool: true, operation: Some("chat") };
        let usable = connected(|| eligible::usable(eligible, clock::now(), 1000));
        assert_eq!(usable.len(), 300);
        // plan() panics when the lots are out of the domain's order.
        let sources: Vec<_> = usable.iter().map(|lot| lot.source).collect();
        let draws = drawdown::plan(&sources, Amount::parse("100").unwrap());
        assert!(draws.last().unwrap().uncovered.is_zero());
        // The head that debits use is the first of them.
        assert_eq!(connected(|| eligible::head(eligible, clock::now())).unwrap().lot, sources[0].rank.lot);
    }

    /// Many of the lots have expired and are open, at every place of the order; the direct search finds what the SQL form finds.
    #[pg_test]
    fn the_direct_search_finds_the_head_that_sql_finds() {
        sql("SELECT setseed(0.25)");
        sql("SET credit.clock = '2026-01-01 00:00+00'");
        sql("SELECT count(credit_grant('account ' || i % 40, 1, member => (ARRAY['alice', NULL, NULL])[1 + (random() * 2)::int],
                 priority => 50 + (random() * 3)::int, category => (ARRAY['paid', 'promotional'])[1 + (random() * 1)::int],
                 applies_to => (ARRAY['{chat}', '{image,chat}', NULL, NULL, NULL])[1 + (random() * 4)::int]::text[],
                 effective_at => '2026-01-01 00:00+00'::timestamptz + make_interval(days => (random() * 12 - 9)::int),
                 expires_at => CASE WHEN random() < 0.9 THEN '2026-01-05 00:00+00'::timestamptz
                     + make_interval(days => (random() * 9)::int) END))
             FROM generate_series(1, 600) i");
        let (mut found, mut behind_expired) = (0, 0);
        for day in 1..=15 {
            sql(&format!("SET credit.clock = '2026-01-{day:02} 00:00+00'"));
            let now = clock::now();
            for account in 0..40 {
                let account = format!("account {account}");
                for (member, pool) in [("", true), ("alice", true), ("alice", false), ("bob", true)] {
                    for operation in [None, Some("chat"), Some("image"), Some("video")] {
                        let eligible = Eligibility { account: &account, unit: "credit", member, pool, operation };
                        let by_sql = connected(|| eligible::head(eligible, now));
                        let directly = connected(|| head::head(eligible, now));
                        let terms = |head: Head| (head.lot, head.slots, head.expires_at);
                        assert_eq!(directly.map(terms), by_sql.map(terms), "day {day}, {eligible:?}");
                        found += usize::from(by_sql.is_some());
                        behind_expired += usize::from(by_sql.is_some_and(|head| head.behind_expired));
                    }
                }
            }
        }
        assert!(found > 1000 && behind_expired > 500, "{found} found, {behind_expired} of them behind expired lots");
    }

    #[pg_test]
    fn metadata_keeps_every_digit() {
        sql(r#"SELECT credit_grant('acme', 1, metadata => '{"n": 12345678901234567890.123456789012345678901}')"#);
        assert_eq!(text("SELECT metadata->>'n' FROM credit.lot"), "12345678901234567890.123456789012345678901");
    }
}
