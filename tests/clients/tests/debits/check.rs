//! credit_check() and the debit a moment later agree, in random worlds: now, at the instant that it names, and at none before it.

use pg_credit_clients::{Client, Database, Random, Session};

const WORLDS: u64 = 16;

/// How many steps a world takes; after each the members are asked.
const STEPS: usize = 14;

/// The end of what is tried: seconds after the beginning.
const HORIZON: u64 = 40 * 86_400;

/// An account, and the clock.
struct World<'a> {
    session: &'a mut Client,
    random: Random,
    account: String,
    /// Seconds since the beginning.
    now: u64,
}

/// A debit that is asked about.
struct Probe {
    amount: u64,
    member: Option<&'static str>,
    operation: Option<&'static str>,
}

impl Probe {
    fn arguments(&self) -> String {
        let named = |name: &str, value: Option<&str>| value.map(|value| format!(", {name} => '{value}'")).unwrap_or_default();
        named("member", self.member) + &named("operation", self.operation)
    }
}

/// What became of a debit that is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Allowed,
    Insufficient,
    Capped,
    Inactive,
}

impl Tried {
    fn reason(self) -> &'static str {
        match self {
            Tried::Allowed => "",
            Tried::Insufficient => "insufficient_credits",
            Tried::Capped => "cap",
            Tried::Inactive => "inactive_member",
        }
    }
}

impl World<'_> {
    fn run(&mut self, sql: &str) {
        match self.session.try_rows(sql) {
            Ok(_) => {}
            // What contradicts itself, is not there or does not fit is not done.
            Err(refusal) => {
                assert!(["22023", "23514", "54000", "55000", "P0002"].contains(&refusal.code.as_str()), "{refusal}\nin: {sql}")
            }
        }
    }

    fn instant(seconds: u64) -> String {
        format!("timestamptz '2026-06-01 00:00Z' + interval '{seconds} seconds'")
    }

    fn set_clock(&mut self, instant: &str) {
        self.session.run(&format!("SELECT set_config('credit.clock', ({instant})::text, false)"));
    }

    /// Sets the clock at random, mostly by hours.
    fn go_on(&mut self) {
        let most = *self.random.pick(&[60, 3_600, 86_400, 5 * 86_400]);
        self.now += self.random.below(most);
        let now = World::instant(self.now);
        self.set_clock(&now);
    }

    fn later(&mut self, most: u64) -> String {
        let seconds = self.now + 1 + self.random.below(most);
        World::instant(seconds)
    }

    fn member(&mut self) -> Option<&'static str> {
        *self.random.pick(&[None, Some("alice"), Some("bob"), Some("carol")])
    }

    fn probe(&mut self) -> Probe {
        let amount = 1 + self.random.below(*self.random.clone().pick(&[10, 100, 400]));
        let (member, operation) = (self.member(), *self.random.pick(&[None, Some("chat"), Some("image")]));
        Probe { amount, member, operation }
    }

    fn step(&mut self) {
        let account = self.account.clone();
        let amount = 1 + self.random.below(100);
        let probe = self.probe();
        let member = probe.member.map(|member| format!(", member => '{member}'")).unwrap_or_default();
        let sql = match self.random.below(13) {
            0 | 1 => {
                let (begins, ends) = (self.later(86_400), self.later(10 * 86_400));
                let effective = *self.random.pick(&["", ", effective_at => BEGIN"]);
                let expires = *self.random.pick(&["", ", expires_at => END"]);
                let applies = *self.random.pick(&["", ", applies_to => '{chat}'"]);
                let sql = format!("SELECT credit_grant('{account}', {amount}{member}{effective}{expires}{applies})");
                sql.replace("BEGIN", &begins).replace("END", &format!("{ends} + interval '1 day'"))
            }
            2 | 3 => {
                let limit = 1 + self.random.below(120);
                let over = *self.random.pick(&[
                    ", every => 'day'",
                    ", every => 'week'",
                    ", every => 'month'",
                    ", rolling => interval '1 hour'",
                    ", rolling => interval '1 day'",
                    ", rolling => interval '7 days'",
                ]);
                let covers = *self.random.pick(&["", "", ", covers => 'pool'", ", action => 'warn'"]);
                let operation = *self.random.pick(&["", "", ", operation => 'chat'"]);
                let scope = *self.random.pick(&["", "MEMBER", ", department => 'eng'"]);
                let scope = scope.replace("MEMBER", &member);
                format!("SELECT credit_cap('{account}', {limit}{over}{covers}{operation}{scope})")
            }
            4 => {
                let every = *self.random.pick(&["6 hours", "1 day", "7 days", "1 month"]);
                let whose = *self.random.pick(&["", ", per_member => true", ", per_member => true, into_pool => true"]);
                let expires = *self.random.pick(&["", ", expires => 'never'", ", expires => '2 periods'"]);
                let rollover = *self.random.pick(&[
                    "",
                    "",
                    ", rollover => '{\"fraction_of_unused\": 0.5, \"max_periods\": 1}'",
                    ", rollover => '{\"max_amount\": 10}'",
                ]);
                let starts = self.later(3 * 86_400);
                let starts = self.random.pick(&["", ", starts_at => START"]).replace("START", &starts);
                format!("SELECT credit_schedule('{account}', {amount}, '{every}'{whose}{expires}{rollover}{starts})")
            }
            5 | 6 => {
                let length = *self.random.pick(&["1 minute", "2 hours", "1 day", "20 days"]);
                format!("SELECT credit_hold('{account}', {amount}{}, expires_after => '{length}')", probe.arguments())
            }
            7 => format!(
                "SELECT credit_capture('{account}', hold, least({amount}, open), final => {}) FROM credit.holds
                 WHERE account = '{account}' AND state = 'open' ORDER BY hold LIMIT 1",
                self.random.below(2) == 0
            ),
            8 => format!("SELECT credit_release('{account}', hold) FROM credit.hold WHERE account = '{account}' LIMIT 1"),
            9 => {
                let lot = format!(
                    "(SELECT lot FROM credit.lot WHERE account = '{account}' ORDER BY lot OFFSET {} LIMIT 1)",
                    self.random.below(6)
                );
                let expires_at = self.later(86_400);
                match self.random.below(2) {
                    0 => format!("SELECT credit_void('{account}', {lot})"),
                    _ => format!("SELECT credit_set_expiry('{account}', {lot}, {expires_at})"),
                }
            }
            10 => match self.random.below(3) {
                0 => {
                    let at = self.later(86_400);
                    let from = self.random.pick(&["", ", effective_at => AT"]).replace("AT", &at);
                    let pooling = *self.random.pick(&["'pooled'", "'per_seat'"]);
                    format!("SELECT credit_pooling('{account}', {pooling}{member}{from})")
                }
                1 => format!("SELECT credit_member('{account}', 'carol', active => {})", self.random.below(2) == 0),
                _ => format!("SELECT credit_end_cap('{account}', max(cap)) FROM credit.cap WHERE account = '{account}'"),
            },
            _ => format!("SELECT * FROM credit_debit_available('{account}', {amount}{})", probe.arguments()),
        };
        self.run(&sql);
    }

    /// Tries the debit at an instant and takes it back.
    fn tried(&mut self, probe: &Probe, at: &str) -> Tried {
        let debit = format!("SELECT credit_try_debit('{}', {}{})", self.account, probe.amount, probe.arguments());
        self.session.run(&format!("BEGIN; SELECT set_config('credit.clock', ({at})::text, true)"));
        let tried = match self.session.ask(&debit) {
            Ok(Some(_)) => Tried::Allowed,
            Ok(None) => Tried::Insufficient,
            Err(refusal) if refusal.code == "54000" => Tried::Capped,
            Err(refusal) if refusal.code == "55000" => Tried::Inactive,
            Err(refusal) => panic!("{refusal}\nin: {debit}"),
        };
        self.session.run("ROLLBACK");
        tried
    }

    /// Asks about a debit, and tries it.
    fn ask(&mut self) {
        let probe = self.probe();
        let (account, arguments) = (self.account.clone(), probe.arguments());
        let asked = format!(
            "SELECT allowed, reason, needed, available, held, cap, free_at, detail FROM credit_check('{account}', {}{arguments})",
            probe.amount
        );
        let answer = self.session.rows(&asked).swap_remove(0);
        let now = World::instant(self.now);
        let told = |world: &mut Self| {
            let at = world.session.text("SHOW credit.clock");
            format!("{asked} at {at}: {answer:?}")
        };
        let tried = self.tried(&probe, &now);
        assert_eq!(answer[1], tried.reason(), "{}", told(self));
        assert_eq!(answer[0] == "t", tried == Tried::Allowed, "{}", told(self));
        if tried == Tried::Inactive {
            return;
        }
        let spendable = self.session.text(&format!("SELECT credit_spendable('{account}'{arguments})"));
        let all = format!("SELECT debited FROM credit_debit_available('{account}', 1000000{arguments})");
        self.session.run("BEGIN");
        let debited = self.session.text(&all);
        self.session.run("ROLLBACK");
        assert_eq!(spendable, debited, "{}", told(self));
        // What explains a debit agrees too: the last step covers it, or says what is missing and which cap does not leave it.
        let explained = format!(
            "SELECT uncovered = 0, cap FROM credit_explain_debit('{account}', {}{arguments}) ORDER BY step DESC LIMIT 1",
            probe.amount
        );
        let cap = if tried == Tried::Capped { answer[5].as_str() } else { "" };
        let covers = if tried == Tried::Allowed { "t" } else { "f" };
        assert_eq!(self.session.rows(&explained), [[covers, cap]], "{}", told(self));
        if let (Some(member), Some(operation)) = (probe.member, probe.operation) {
            let balance = format!("SELECT credit_balance('{account}', member => '{member}', operation => '{operation}')");
            assert_eq!(answer[3], self.session.text(&balance), "{}", told(self));
        }
        if tried == Tried::Allowed {
            return;
        }
        let free_at = answer[6].clone();
        let end = if free_at.is_empty() { World::instant(self.now + HORIZON) } else { format!("timestamptz '{free_at}'") };
        if !free_at.is_empty() {
            assert_eq!(self.tried(&probe, &end), Tried::Allowed, "at {end}: {}", told(self));
            let before = format!("{end} - interval '1 microsecond'");
            assert_ne!(self.tried(&probe, &before), Tried::Allowed, "at {before}: {}", told(self));
        }
        for _ in 0..3 {
            let part = self.random.below(1_000);
            let at = format!("{now} + (({end}) - ({now})) * {part} / 1000");
            assert_ne!(self.tried(&probe, &at), Tried::Allowed, "at {at}: {}", told(self));
        }
    }
}

#[test]
fn a_check_and_the_debit_agree() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SET client_min_messages = error; SET TIME ZONE 'UTC'; SET credit.clock = '2026-06-01'");
    for seed in 0..WORLDS {
        let account = format!("world {seed}");
        let mut world = World { session: &mut session, random: Random::new(seed), account: account.clone(), now: 0 };
        world.set_clock(&World::instant(0));
        world.run(&format!(
            "SELECT credit_account('{account}'), credit_member('{account}', 'alice', department => 'eng/ml'),
                 credit_member('{account}', 'bob', department => 'eng'), credit_grant('{account}', 50)"
        ));
        for _ in 0..STEPS {
            world.step();
            world.go_on();
            (0..2).for_each(|_| world.ask());
        }
    }
    database.verify();
}

/// Nothing is written: as in a read-only transaction, and under an older snapshot it says what a debit there would.
#[test]
fn a_check_writes_nothing_and_locks_nothing() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100), credit_cap('acme', 50, every => 'day'), credit_schedule('acme', 5, '1 day')");
    session.run("SELECT credit_hold('acme', 30)");
    let check = "SELECT allowed, reason, available, held FROM credit_check('acme', 40, member => 'new')";
    let expected = [["f", "cap", "75", "30"]];
    session.run("BEGIN READ ONLY");
    assert_eq!(session.rows(check), expected);
    let locks = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (locktype NOT IN ('relation', 'virtualxid')
        OR mode <> 'AccessShareLock' AND locktype = 'relation')";
    assert_eq!(session.text(locks), "0");
    assert_eq!(session.ask("SELECT pg_current_xact_id_if_assigned()"), Ok(None));
    session.run("COMMIT");
    assert_eq!(session.text("SELECT count(*) FROM credit.member"), "0");
    // Another session holds everything that a debit would wait for.
    let mut other = database.connect();
    other.run("BEGIN; SELECT credit_debit('acme', 1); SELECT FROM credit.account FOR UPDATE; SELECT FROM credit.cap FOR UPDATE");
    assert_eq!(session.rows(check), expected);
    other.run("COMMIT");
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM credit.account");
    other.run("SELECT credit_grant('acme', 1000), credit_cap('acme', 500, every => 'day')");
    assert_eq!(session.rows(check), [["f", "cap", "74", "30"]]);
    session.run("COMMIT");
    assert_eq!(session.rows(check), [["t", "", "1074", "30"]]);
    database.verify();
}

/// What a transaction wrote itself counts, and what it took back does not.
#[test]
fn a_check_sees_its_own_transaction() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100), credit_member('acme', 'bob')");
    let check =
        |session: &mut Client| session.text("SELECT COALESCE(reason, 'none') FROM credit_check('acme', 60, member => 'bob')");
    assert_eq!(check(&mut session), "none");
    session.run("BEGIN; SELECT credit_cap('acme', 50, every => 'day')");
    assert_eq!(check(&mut session), "cap");
    session.run("SAVEPOINT before; SELECT credit_member('acme', 'bob', active => false)");
    assert_eq!(check(&mut session), "inactive_member");
    session.run("ROLLBACK TO before; SELECT credit_debit('acme', 45)");
    assert_eq!(check(&mut session), "insufficient_credits");
    session.run("ROLLBACK");
    assert_eq!(check(&mut session), "none");
    let mut other = database.connect();
    other.run("SELECT credit_cap('acme', 50, every => 'day')");
    assert_eq!(check(&mut session), "cap");
    database.verify();
}

/// In a parallel query no command can begin.
#[test]
fn a_check_is_parallel_safe() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SELECT credit_grant('acme ' || number, number), credit_cap('acme ' || number, 5) FROM generate_series(1, 9) AS number",
    );
    session.run("CREATE TABLE customer AS SELECT 'acme ' || number AS id FROM generate_series(1, 9) AS number; ANALYZE customer");
    session.run(
        "ALTER TABLE customer SET (parallel_workers = 2);
         SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0",
    );
    let check = "SELECT count(*) FILTER (WHERE c.allowed) FROM customer, LATERAL credit_check(id, 4) AS c";
    let plan = session.rows(&format!("EXPLAIN {check}"));
    assert!(plan.iter().any(|line| line[0].contains("Gather")), "{plan:?}");
    assert_eq!(session.text(check), "6");
}
