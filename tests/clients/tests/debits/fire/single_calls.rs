//! Single calls only, each a transaction of its own, of every kind that there is: none fails for reasons of concurrency.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Database, Random, Refusal, Session, wait_until_blocked};

/// How long it burns.
const TIME: Duration = Duration::from_secs(15);

const WORKERS: usize = 16;

/// What a call may be refused for: credits, caps, what is no more or not yet there, and terms that the time has overtaken.
const EXPECTED: [&str; 5] = ["23514", "54000", "55000", "P0002", "22023"];

const ACCOUNTS: u64 = 4;

/// Accounts with all that may be in each other's way: schedules with a boundary every second of the fire, for the pool and for
/// seats, lots that expire and roll over, late usage of each policy, caps, tiers over a month, plans.
const WORLD: &str = r#"
    SELECT credit_unit('other'), credit_rate_card('list', unit => 'credit', is_default => true);
    SELECT credit_rate('list', 'chat', credits => 0.5), credit_rate('list', 'free', credits => 0),
        credit_rate('list', 'img', credits => 1, tier_from => '{50,500}', tier_credits => '{0.5,0.25}', tier_scope => 'month'),
        credit_publish('list', effective_at => now() - interval '1 day');
    SELECT credit_plan('pro', unit => 'credit', currency => 'USD', list_price => 0.01);
    SELECT credit_tier('pro', 'base', from_quantity => 0, unit_price => 0.01);
    SELECT credit_account('a' || i, late_usage => (ARRAY['original', 'original', 'reject', 'current'])[i + 1],
        late_grace => '1 hour')
    FROM generate_series(0, 3) i;
    SELECT credit_grant('a' || i, 20, applies_to => '{chat}'), credit_grant('a' || i, 4000),
        credit_grant('a' || i, 60, member => 'alice')
    FROM generate_series(0, 3) i;
    SELECT credit_member('a' || i, 'bob', department => 'eng'), credit_member('a' || i, 'carol', department => 'sales/west')
    FROM generate_series(0, 3) i;
    SELECT credit_schedule('a' || i, 40, interval '1 hour',
        starts_at => clock_timestamp() - interval '1 hour' + (i + n) * interval '1 second',
        expires => '1 period', rollover => '{"max_periods": 1}', per_member => i % 2 = 1 AND n % 5 = 0)
    FROM generate_series(0, 3) i, generate_series(1, 14) n;
    SELECT credit_account('a1', refund_expired => 'grace', refund_grace => '5 seconds');
    SELECT credit_true_up_terms('a' || i, every => '1 day', commitment => 100) FROM generate_series(0, 3) i;
"#;

/// Makes a call.
struct Caller {
    random: Random,
    number: usize,
    calls: u32,
}

impl Caller {
    fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.random.below(of.len() as u64) as usize]
    }

    fn account(&mut self) -> String {
        format!("'a{}'", self.below(ACCOUNTS))
    }

    /// Mostly somebody who is known; sometimes somebody who comes.
    fn member(&mut self) -> String {
        match self.below(9) {
            0 => format!("'new_{}'", self.below(40)),
            1 | 2 => "'alice'".to_owned(),
            3 => "'bob'".to_owned(),
            4 => "'carol'".to_owned(),
            _ => "NULL".to_owned(),
        }
    }

    fn known_member(&mut self) -> &'static str {
        self.one_of(&["'alice'", "'bob'", "'carol'"])
    }

    fn operation(&mut self) -> &'static str {
        self.one_of(&["NULL", "'chat'", "'img'"])
    }

    fn amount(&mut self) -> &'static str {
        self.one_of(&["0.01", "1", "7", "30", "90"])
    }

    fn key(&mut self) -> String {
        self.calls += 1;
        if self.below(3) == 0 { format!("'{}-{}'", self.number, self.calls) } else { "NULL".to_owned() }
    }

    /// When usage happened: now, or a little ago.
    fn at(&mut self) -> String {
        match self.below(3) {
            0 => format!("clock_timestamp() - interval '{} ms'", self.below(4000)),
            _ => "NULL".to_owned(),
        }
    }

    /// A number of things as an array.
    fn array(&mut self, length: u64, what: impl Fn(&mut Caller) -> String) -> String {
        let items: Vec<String> = (0..length).map(|_| what(self)).collect();
        format!("ARRAY[{}]", items.join(", "))
    }

    fn lot(&mut self, account: &str) -> String {
        let usable = self.one_of(&["remaining > 0", "true"]);
        format!("(SELECT lot FROM credit.lots WHERE account = {account} AND {usable} ORDER BY random() LIMIT 1)")
    }

    fn debit(&mut self) -> String {
        let function = self.one_of(&["credit_debit", "credit_debit", "credit_try_debit"]);
        let (account, amount, member, operation) = (self.account(), self.amount(), self.member(), self.operation());
        let (at, key) = (self.at(), self.key());
        format!("SELECT {function}({account}, {amount}, member => {member}, operation => {operation}, at => {at}, key => {key})")
    }

    fn batch(&mut self) -> String {
        let length = 1 + self.below(8);
        let accounts = self.array(length, Caller::account);
        let amounts = self.array(length, |caller| caller.amount().to_owned());
        let members = self.array(length, Caller::member);
        let operations = self.array(length, |caller| caller.operation().to_owned());
        let at = self.array(length, Caller::at);
        let keys = self.array(length, Caller::key);
        let mode = self.one_of(&["all", "each", "available"]);
        format!(
            "SELECT count(*) FROM credit_debit_many({accounts}, {amounts}, members => {members}::text[], \
                operations => {operations}::text[],
                 at => {at}::timestamptz[], keys => {keys}::text[], mode => '{mode}')"
        )
    }

    fn charge(&mut self) -> String {
        let (account, quantity, member) = (self.account(), self.amount(), self.member());
        let operation = self.one_of(&["chat", "img", "free"]);
        let (at, key) = (self.at(), self.key());
        format!("SELECT credit_charge({account}, '{operation}', {quantity}, member => {member}, at => {at}, key => {key})")
    }

    fn charges(&mut self) -> String {
        let length = 1 + self.below(6);
        let operations = self.array(length, |caller| format!("'{}'", caller.one_of(&["chat", "img", "free"])));
        let quantities = self.array(length, |caller| caller.amount().to_owned());
        if self.below(3) == 0 {
            let (account, member, at, key) = (self.account(), self.member(), self.at(), self.key());
            return format!(
                "SELECT credit_charge_request({account}, {operations}, {quantities}, member => {member}, at => {at}, \
                    key => {key})"
            );
        }
        let accounts = self.array(length, Caller::account);
        let members = self.array(length, Caller::member);
        let at = self.array(length, Caller::at);
        let keys = self.array(length, Caller::key);
        let mode = self.one_of(&["all", "each"]);
        format!(
            "SELECT count(*) FROM credit_charge_many({accounts}, {operations}, {quantities}, members => {members}::text[],
                 at => {at}::timestamptz[], keys => {keys}::text[], mode => '{mode}')"
        )
    }

    fn upkeep(&mut self) -> String {
        let account = self.account();
        match self.below(5) {
            0 => "SELECT credit_refresh()".to_owned(),
            1 => format!("SELECT credit_refresh(account => {account})"),
            2 => "SELECT count(*) FROM credit_maintain(50)".to_owned(),
            3 => format!("SELECT count(*) FROM credit_expire({account})"),
            _ => "SELECT count(*) FROM credit_expire()".to_owned(),
        }
    }

    fn cap(&mut self) -> String {
        let account = self.account();
        if self.below(2) == 0 {
            return format!(
                "SELECT credit_end_cap({account}, cap) FROM (SELECT cap FROM credit.cap WHERE account = {account} \
                    AND ended_at IS NULL
                     ORDER BY random() LIMIT 1) c"
            );
        }
        let amount = 500 + self.below(8000);
        let whose = self.one_of(&[
            "",
            ", member => 'alice'",
            ", department => 'eng'",
            ", department => 'sales'",
            ", operation => 'chat'",
        ]);
        let over = self.one_of(&["", ", every => 'day'", ", rolling => interval '1 hour'", ", every => 'day', action => 'warn'"]);
        format!("SELECT credit_cap({account}, {amount}{whose}{over})")
    }

    fn movement(&mut self) -> String {
        let (account, amount, member) = (self.account(), self.amount(), self.known_member());
        match self.below(6) {
            0 => format!("SELECT credit_transfer({account}, {amount}, to_member => {member})"),
            1 => format!("SELECT credit_transfer({account}, {amount}, from_member => {member})"),
            2 => {
                let lot = self.lot(&account);
                format!("SELECT credit_transfer({account}, 0.5, to_member => {member}, lot => lot) FROM {lot} l")
            }
            3 => format!("SELECT credit_convert({account}, {amount}, NULL, 'other', rate => 0.5)"),
            4 => format!("SELECT credit_convert({account}, {amount}, 'other', 'credit', rate => 0.5, member => {member})"),
            _ => format!("SELECT count(*) FROM credit_rebalance({account})"),
        }
    }

    fn change_of_lots(&mut self) -> String {
        let (account, member) = (self.account(), self.member());
        let lot = self.lot(&account);
        match self.below(6) {
            0 => format!("SELECT credit_void({account}, lot) FROM {lot} l"),
            1 => format!("SELECT credit_set_expiry({account}, lot, clock_timestamp() + interval '2 s') FROM {lot} l"),
            2 => format!("SELECT credit_grant({account}, 300, expires_at => clock_timestamp() + interval '1 s')"),
            3 => format!("SELECT credit_grant({account}, 500, member => {member}, priority => {})", 10 + self.below(80)),
            4 => format!("SELECT credit_grant({account}, 700)"),
            _ => format!("INSERT INTO credit.lot (account, granted, member) VALUES ({account}, 50, {member})"),
        }
    }

    fn direct_entry(&mut self) -> String {
        let account = self.account();
        let lot = self.lot(&account);
        let insert = "INSERT INTO credit.entry (account, kind, amount, lot";
        // Lots of schedules are settled at their end.
        let of_no_schedule =
            format!("lot NOT IN (SELECT p.lot FROM credit.schedule_period p WHERE p.account = {account} AND p.lot IS NOT NULL)");
        match self.below(3) {
            0 => format!("{insert}, operation) SELECT {account}, 'debit', -1, lot, 'chat' FROM {lot} l"),
            1 => format!("{insert}) SELECT {account}, 'adjustment', 1.5, lot FROM {lot} l WHERE {of_no_schedule}"),
            _ => format!(
                "{insert}, corrects) SELECT {account}, 'adjustment', 0.01, lot, posting \
                    FROM (SELECT lot, posting FROM credit.entry
                     WHERE account = {account} AND kind = 'debit' AND {of_no_schedule} \
                         ORDER BY posting DESC LIMIT 1 OFFSET {}) e",
                self.below(50)
            ),
        }
    }

    fn member_or_policy(&mut self) -> String {
        let (account, member) = (self.account(), self.known_member());
        match self.below(6) {
            0 | 1 => {
                let department = self.one_of(&["eng", "sales", "sales/west"]);
                format!("SELECT credit_member({account}, {member}, department => '{department}')")
            }
            2 => format!("SELECT credit_member({account}, 'new_{}', active => false)", self.below(40)),
            3 => format!("SELECT credit_member({account}, 'new_{}', active => true)", self.below(40)),
            4 => {
                let pooling = self.one_of(&["pooled", "pooled", "per_seat"]);
                format!("SELECT credit_pooling({account}, '{pooling}', member => {member})")
            }
            _ => {
                let [from, to] = *self.random.pick(&[["eng", "sales/eng"], ["sales/eng", "eng"], ["sales/west", "eng/west"]]);
                format!("SELECT credit_move_department({account}, '{from}', '{to}')")
            }
        }
    }

    fn sale(&mut self) -> String {
        let account = self.account();
        let quantity = 100 * (1 + self.below(5));
        match self.below(7) {
            0 => format!("SELECT credit_purchase({account}, 'pro', {quantity})"),
            1 => format!("SELECT credit_purchase({account}, 'pro', {quantity}, pending => true)"),
            2 => format!(
                "SELECT credit_activate({account}, lot) FROM (SELECT l.lot FROM credit.purchase p \
                    JOIN credit.purchase_lot l USING (account, purchase)
                     WHERE account = {account} AND status = 'pending' ORDER BY random() LIMIT 1) l"
            ),
            3 => format!("SELECT count(*) FROM credit_change_plan({account}, 'pro', {quantity})"),
            4 => format!(
                "SELECT count(*) FROM credit_change_plan({account}, 'pro', {quantity}, at => clock_timestamp(), \
                preview => true)"
            ),
            5 => format!("SELECT count(*) FROM credit_renew({account})"),
            _ => format!(
                "SELECT count(*) FROM credit_true_up_post({account}, now() - interval '1 day', now() - interval '{} s')",
                3 + self.below(5)
            ),
        }
    }

    /// A hold, some of them over at once, and what becomes of it.
    fn hold(&mut self) -> String {
        let (account, amount, member, operation) = (self.account(), self.amount(), self.member(), self.operation());
        let length = self.one_of(&["1 microsecond", "200 milliseconds", "2 seconds", "10 minutes"]);
        let key = self.key();
        match self.below(4) {
            0 => {
                let quantity = 1 + self.below(40);
                format!(
                    "SELECT credit_hold_charge({account}, 'chat', {quantity}, member => {member}, expires_after => '{length}')"
                )
            }
            _ => format!(
                "SELECT credit_hold({account}, {amount}, member => {member}, operation => {operation}, \
                    expires_after => '{length}', key => {key})"
            ),
        }
    }

    fn of_hold(&mut self) -> String {
        let account = self.account();
        let hold =
            format!("(SELECT hold FROM credit.hold WHERE account = {account} AND state = 'open' ORDER BY random() LIMIT 1) h");
        let key = self.key();
        match self.below(7) {
            0 => format!("SELECT credit_capture({account}, hold, key => {key}) FROM {hold}"),
            1 => {
                let beyond = self.one_of(&["debit", "refuse", "available"]);
                let amount = self.amount();
                format!("SELECT credit_capture({account}, hold, {amount}, beyond => '{beyond}') FROM {hold}")
            }
            2 => format!("SELECT credit_capture({account}, hold, 0.5, final => false) FROM {hold}"),
            3 => format!("SELECT credit_capture_charge({account}, hold, 3) FROM {hold}"),
            4 => format!("SELECT credit_extend_hold({account}, hold, '1 second') FROM {hold}"),
            _ => format!("SELECT credit_release({account}, hold, key => {key}) FROM {hold}"),
        }
    }

    fn refund(&mut self) -> String {
        let account = self.account();
        match self.below(5) {
            0 => {
                let lot = self.lot(&account);
                format!("SELECT credit_withdraw({account}, lot, 0.01) FROM {lot} l")
            }
            1 => format!("SELECT debited FROM credit_debit_available({account}, 50, member => {})", self.member()),
            2 => format!("SELECT allowed FROM credit_check({account}, {}, member => {})", self.amount(), self.member()),
            _ => {
                let (amount, offset) = (self.one_of(&["NULL", "0.01", "0.5"]), self.below(60));
                format!(
                    "SELECT credit_refund({account}, posting, {amount}) FROM (SELECT posting FROM credit.entry
                     WHERE account = {account} AND kind = 'debit' ORDER BY posting DESC LIMIT 1 OFFSET {offset}) e"
                )
            }
        }
    }

    fn anything(&mut self) -> (&'static str, String) {
        match self.below(38) {
            30 | 31 => ("hold", self.hold()),
            32..=34 => ("of a hold", self.of_hold()),
            35 | 36 => ("refund", self.refund()),
            0..=9 => ("debit", self.debit()),
            10..=13 => ("batch", self.batch()),
            14 | 15 => ("charge", self.charge()),
            16..=18 => ("charges", self.charges()),
            19 => ("upkeep", self.upkeep()),
            20 => ("cap", self.cap()),
            21 | 22 => ("movement", self.movement()),
            23 | 24 => ("change of lots", self.change_of_lots()),
            25 | 26 => ("direct entry", self.direct_entry()),
            27 => ("member", self.member_or_policy()),
            _ => ("sale", self.sale()),
        }
    }
}

/// What a worker met: how many calls of each kind were done, and what should not have happened.
#[derive(Default)]
struct Met {
    done: BTreeMap<&'static str, u32>,
    surprises: Vec<String>,
}

fn work(client: &mut Client, number: usize) -> Met {
    let end = Instant::now() + TIME;
    // So a deadlock would be found, and reported, in no time.
    client.run("SET deadlock_timeout = '20ms'");
    let mut caller = Caller { random: Random::new(number as u64), number, calls: 0 };
    let mut met = Met::default();
    while Instant::now() < end {
        let (kind, sql) = caller.anything();
        match client.ask(&sql) {
            Ok(_) => *met.done.entry(kind).or_default() += 1,
            Err(Refusal { ref code, .. }) if EXPECTED.contains(&code.as_str()) => {}
            Err(refusal) => met.surprises.push(format!("{refusal}\nin: {sql}")),
        }
    }
    met
}

#[test]
fn no_single_call_fails_for_reasons_of_concurrency() {
    let database = Database::new();
    database.connect().run(WORLD);
    let met = database.clients(WORKERS, |number, client| work(client, number));
    let surprises: Vec<&String> = met.iter().flat_map(|met| &met.surprises).collect();
    assert!(
        surprises.is_empty(),
        "{} surprises:\n{}",
        surprises.len(),
        surprises.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n")
    );
    for kind in [
        "debit",
        "batch",
        "charge",
        "charges",
        "upkeep",
        "cap",
        "movement",
        "change of lots",
        "direct entry",
        "member",
        "sale",
        "hold",
        "of a hold",
        "refund",
    ] {
        let done: u32 = met.iter().filter_map(|met| met.done.get(kind)).sum();
        assert!(done >= 5, "only {done} calls of the kind {kind}: not much of a fire");
    }
    database.verify();
}

/// A single debit goes from the first lot to the second. A transaction that takes the second first, and then the first, is in a
/// circle with it.
fn circle(database: &Database, many: &str) -> [Result<Option<String>, Refusal>; 2] {
    let [mut holder, mut single] = [database.connect(), database.connect()];
    holder.run("SELECT credit_grant('acme', 10, priority => 10), credit_grant('acme', 100)");
    holder.run("BEGIN; SELECT credit_debit('acme', 1)");
    single.run("SET deadlock_timeout = '3s'");
    let process = single.backend();
    std::thread::scope(|scope| {
        let debit = scope.spawn(move || single.ask("SELECT credit_debit('acme', 20)"));
        wait_until_blocked(&mut database.connect(), process);
        let many = database.waiting(&format!("SET deadlock_timeout = '3s'; {many}"));
        holder.run("COMMIT");
        [debit.join().expect("a session"), many.join().expect("a session")]
    })
}

#[test]
fn in_a_circle_with_a_single_debit_the_transaction_of_several_calls_is_ended() {
    for many in [
        "INSERT INTO credit.entry (account, kind, amount, lot) SELECT 'acme', 'debit', -1, lot FROM unnest(ARRAY[2, 1]) lot",
        "BEGIN; INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', -1, 2); \
            SELECT credit_debit('acme', 2)",
    ] {
        let database = Database::new();
        let [single, several] = circle(&database, many);
        assert!(single.is_ok(), "{single:?} beside: {many}");
        assert_eq!(several.expect_err("a victim").code, "40P01", "{many}");
        database.verify();
    }
}
