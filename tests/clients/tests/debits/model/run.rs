//! Doing the steps to the database and to the model, and comparing after each.

use pg_credit_clients::{Client, Database, Random, Refusal, Session};

use super::reference::{
    ACCOUNTS, Amount, Draw, Hold, INSUFFICIENT, Instant, Lot, MEMBERS, OPERATIONS, Reference, Scope, Terms, UNITS, WRONG_STATE,
    amount_text, instant_text,
};
use super::step::Step;

/// 2026-01-01 00:00:00 UTC.
const START: Instant = 1_767_225_600_000_000;

/// By seed, in turn: debits take other ways through the code under the stricter levels.
const ISOLATION: [&str; 3] = ["read committed", "repeatable read", "serializable"];

/// The md5 of every row of every table.
const SNAPSHOT: &str = "SELECT string_agg(md5(query_to_xml('SELECT * FROM ' || c.oid::regclass || ' t ORDER BY t::text',
        false, false, '')::text), ' ' ORDER BY c.relname)
    FROM pg_class c WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind = 'r'";

pub struct Run {
    seed: u64,
    database: Database,
    session: Client,
    random: Random,
    reference: Reference,
    /// What the balances were at instants that are past.
    remembered: Vec<(Instant, Vec<String>)>,
    /// Debits under a key, and their postings.
    keyed: Vec<(String, String)>,
    history: Vec<String>,
}

impl Run {
    pub fn new(seed: u64) -> Run {
        let database = Database::new();
        let mut session = database.connect();
        let mut run = |sql: &str| session.run(sql);
        run(&format!("SET credit.clock = '{}'", instant_text(START)));
        let isolation = ISOLATION[(seed / 2 % 3) as usize];
        run(&format!("SET default_transaction_isolation = '{isolation}'"));
        run("INSERT INTO credit.unit (unit, decimals) VALUES ('token', 2)");
        run("SELECT credit_account('pooled'); SELECT credit_account('seats', pooling => 'per_seat')");
        Run {
            seed,
            database,
            session,
            random: Random::new(seed),
            reference: Reference { now: START, lots: Vec::new(), holds: Vec::new() },
            remembered: Vec::new(),
            keyed: Vec::new(),
            history: Vec::new(),
        }
    }

    pub fn go(&mut self, steps: usize) {
        for _ in 0..steps {
            let step = Step::random(&mut self.random, &self.reference);
            self.history.push(step.sql());
            self.perform(&step);
            self.compare();
        }
        for (at, balances) in std::mem::take(&mut self.remembered) {
            self.compare_balances(Some(at), balances);
        }
        self.database.verify();
    }

    /// Where we are, for failures.
    fn place(&self) -> String {
        format!("seed {} step {}: {}", self.seed, self.history.len(), self.history.last().map_or("", String::as_str))
    }

    fn perform(&mut self, step: &Step) {
        match step {
            Step::Grant { terms, amount, .. } => self.grant(step, terms, *amount),
            Step::Debit { scope, amount, is_try, key } => self.debit(step, *scope, *amount, *is_try, key.is_some()),
            Step::Batch { debits, each, .. } => self.batch(step, debits, *each),
            Step::Hold { scope, amount } => self.hold(step, *scope, *amount),
            Step::Capture { hold, amount, is_final, .. } => self.capture(step, *hold, *amount, *is_final),
            Step::Release { hold, .. } => self.release(step, *hold),
            Step::Void { lot, .. } => self.void(step, *lot),
            Step::SetExpiry { lot, expires_at, .. } => self.set_expiry(step, *lot, *expires_at),
            Step::Expire { account, max_lots } => self.expire(step, *account, *max_lots),
            Step::Maintain => {
                self.session.run(&step.sql());
                for lot in self.reference.due() {
                    self.reference.empty(lot);
                }
            }
            Step::Entry { scope, lot, amount, is_debit } => {
                let expected = self.reference.check_entry(*lot, *amount, *is_debit, *scope);
                if self.ask(&step.sql(), expected).is_some() {
                    self.reference.change(*lot, *amount);
                }
            }
            Step::Clock { to } => self.move_clock(step, *to),
            Step::Widen { .. } => self.session.run(&step.sql()),
            Step::RolledBack(step) => self.roll_back(step),
        }
    }

    /// Asks, and compares success or the SQLSTATE with what is expected; a refused call must change nothing.
    fn ask(&mut self, sql: &str, expected: Result<(), &str>) -> Option<String> {
        let before = expected.is_err().then(|| self.session.text(SNAPSHOT));
        let answer = self.session.ask(sql);
        let found = answer.as_ref().map(|_| ()).map_err(|refusal: &Refusal| refusal.code.as_str());
        assert_eq!(found, expected, "{} {answer:?}", self.place());
        if let Some(before) = before {
            assert_eq!(self.session.text(SNAPSHOT), before, "a refused call changed something: {}", self.place());
        }
        answer.ok().flatten()
    }

    fn grant(&mut self, step: &Step, terms: &Terms, amount: Amount) {
        let expected = self.reference.check_grant(terms);
        if let Some(lot) = self.ask(&step.sql(), expected) {
            self.add(&lot, terms.clone(), amount);
        }
    }

    fn add(&mut self, id: &str, terms: Terms, remaining: Amount) {
        self.reference.lots.push(Lot { id: id.parse().expect("a lot id"), terms, remaining, is_voided: false });
    }

    fn debit(&mut self, step: &Step, scope: Scope, amount: Amount, is_try: bool, is_keyed: bool) {
        let (draws, uncovered) = self.reference.plan(scope, amount);
        self.compare_explanation(scope, amount, &draws, uncovered);
        if uncovered > 0 {
            return self.refuse_debit(step, scope, amount, is_try);
        }
        let sql = step.sql();
        let posting = self.ask(&sql, Ok(())).unwrap_or_else(|| panic!("a debit that fits was refused: {}", self.place()));
        self.compare_lines(&posting, &draws);
        for (lot, drawn) in draws {
            self.reference.change(lot, -drawn);
        }
        if is_keyed {
            self.keyed.push((sql, posting));
        }
        self.repeat_keyed();
    }

    /// A hold takes what a debit would.
    fn hold(&mut self, step: &Step, scope: Scope, amount: Amount) {
        let (parts, uncovered) = self.reference.plan(scope, amount);
        self.compare_explanation(scope, amount, &parts, uncovered);
        if uncovered > 0 {
            return self.refuse_debit(step, scope, amount, false);
        }
        let id = self.ask(&step.sql(), Ok(())).expect("a hold's id").parse().expect("a number");
        self.reference.take(scope, amount);
        self.reference.holds.push(Hold { id, scope, parts, is_open: true });
    }

    fn capture(&mut self, step: &Step, hold: i64, amount: Amount, is_final: bool) {
        if !self.reference.hold(hold).is_open {
            self.ask(&step.sql(), Err(WRONG_STATE));
            return;
        }
        match self.reference.capture(hold, amount, is_final) {
            Ok(draws) => {
                let posting = self.ask(&step.sql(), Ok(()));
                assert_eq!(posting.is_some(), amount > 0, "{}", self.place());
                posting.iter().for_each(|posting| self.compare_lines(posting, &draws));
            }
            Err((missing, there)) => {
                let before = self.session.text(SNAPSHOT);
                let refused = self.session.refusal(&step.sql()).expect(INSUFFICIENT);
                let numbers = [refused.detail_of("requested"), refused.detail_of("available")]
                    .map(|number| number.unwrap_or_default().to_owned());
                assert_eq!(numbers, [amount_text(missing), amount_text(there)], "{}", self.place());
                assert_eq!(self.session.text(SNAPSHOT), before, "a refused capture changed something: {}", self.place());
            }
        }
    }

    fn release(&mut self, step: &Step, hold: i64) {
        let expected = self.reference.give_back(hold);
        assert_eq!(self.session.text(&step.sql()), amount_text(expected), "{}", self.place());
    }

    fn refuse_debit(&mut self, step: &Step, scope: Scope, amount: Amount, is_try: bool) {
        let before = self.session.text(SNAPSHOT);
        match self.session.ask(&step.sql()) {
            Ok(answer) => assert!(is_try && answer.is_none(), "overdraft: {answer:?} {}", self.place()),
            Err(refusal) => {
                assert!(!is_try, "credit_try_debit() raised {refusal}: {}", self.place());
                assert_eq!(refusal.code, INSUFFICIENT, "{refusal} {}", self.place());
                let numbers = (refusal.detail_of("requested"), refusal.detail_of("available"));
                let expected = (amount_text(amount), amount_text(self.reference.spendable(scope)));
                assert_eq!(numbers, (Some(expected.0.as_str()), Some(expected.1.as_str())), "{}", self.place());
            }
        }
        assert_eq!(self.session.text(SNAPSHOT), before, "a refused debit changed something: {}", self.place());
    }

    /// A batch does what its debits do one after the other; all or nothing unless each is for itself.
    fn batch(&mut self, step: &Step, debits: &[(Scope, Amount)], each: bool) {
        let mut after = self.reference.clone();
        let plans: Vec<(Vec<Draw>, Amount)> = debits.iter().map(|(scope, amount)| after.take(*scope, *amount)).collect();
        let short = plans.iter().position(|(_, uncovered)| *uncovered > 0).filter(|_| !each);
        if let Some(item) = short {
            let before = self.session.text(SNAPSHOT);
            let refused = self.session.refusal(&step.sql());
            assert_eq!((refused.code.as_str(), refused.detail_of("item")), (INSUFFICIENT, Some((item + 1).to_string().as_str())));
            assert_eq!(self.session.text(SNAPSHOT), before, "a refused batch changed something: {}", self.place());
            return;
        }
        let rows = self.session.rows(&step.sql());
        assert_eq!(rows.len(), plans.len(), "{}", self.place());
        for (item, (row, (draws, uncovered))) in rows.iter().zip(&plans).enumerate() {
            assert_eq!(row[0], (item + 1).to_string(), "{}", self.place());
            if *uncovered > 0 {
                assert_eq!(row[1..], [String::new(), amount_text(*uncovered)], "item {item}: {}", self.place());
            } else {
                assert_eq!(row[2], "", "item {item}: {}", self.place());
                self.compare_lines(&row[1], draws);
            }
        }
        self.reference = after;
    }

    /// A debit repeated under its key, whatever happened since, returns its posting and changes nothing.
    fn repeat_keyed(&mut self) {
        if self.keyed.is_empty() {
            return;
        }
        let (sql, posting) = self.random.pick(&self.keyed).clone();
        let before = self.session.text(SNAPSHOT);
        assert_eq!(self.session.text(&sql), posting, "repeated under its key: {sql} {}", self.place());
        assert_eq!(self.session.text(SNAPSHOT), before, "a repetition changed something: {sql} {}", self.place());
    }

    fn void(&mut self, step: &Step, lot: i64) {
        let is_over = self.reference.lot(lot).terms.has_expired(self.reference.now);
        let expected = if is_over { 0 } else { self.reference.void(lot) };
        assert_eq!(self.session.text(&step.sql()), amount_text(expected), "{}", self.place());
    }

    fn set_expiry(&mut self, step: &Step, lot: i64, expires_at: Option<Instant>) {
        let expected = self.reference.check_move(lot, expires_at);
        let Some(moved) = self.ask(&step.sql(), expected) else { return };
        let terms = self.reference.lot(lot).terms.clone();
        if terms.expires_at == expires_at {
            assert_eq!(moved, lot.to_string(), "{}", self.place());
        } else {
            let remaining = self.reference.empty(lot);
            self.add(&moved, Terms { expires_at, ..terms }, remaining);
        }
    }

    /// Which of the due lots are posted is free when there are more than were asked for.
    fn expire(&mut self, step: &Step, account: Option<&str>, max_lots: Option<i32>) {
        let due: Vec<i64> = self.reference.due();
        let due = due.into_iter().filter(|lot| account.is_none_or(|account| self.reference.lot(*lot).terms.account == account));
        let due: Vec<i64> = due.collect();
        let posted = self.session.rows(&step.sql());
        let is_complete = max_lots.is_none_or(|limit| posted.len() < limit as usize);
        assert!(max_lots.is_none_or(|limit| posted.len() <= limit as usize), "too many lots: {}", self.place());
        let posted: Vec<(i64, String)> =
            posted.into_iter().map(|row| (row[0].parse().expect("a lot id"), row[1].clone())).collect();
        for (lot, amount) in &posted {
            assert!(due.contains(lot) || amount == "0", "lot {lot} is not due: {}", self.place());
            assert_eq!(amount_text(self.reference.empty(*lot)), *amount, "of lot {lot}: {}", self.place());
        }
        let missing: Vec<&i64> = due.iter().filter(|lot| !posted.iter().any(|(posted, _)| posted == *lot)).collect();
        assert!(!is_complete || missing.is_empty(), "not posted: {missing:?} {}", self.place());
    }

    /// Before the clock moves, what the balances were until then is remembered.
    fn move_clock(&mut self, step: &Step, to: Instant) {
        let now = self.reference.now;
        let between = now + self.random.below((to - now) as u64) as i64;
        for at in [now, between, to - 1] {
            let balances = self.expected_balances(at);
            self.remembered.push((at, balances));
        }
        self.session.run(&step.sql());
        self.reference.now = to;
    }

    fn roll_back(&mut self, step: &Step) {
        let before = self.session.text(SNAPSHOT);
        self.session.run("BEGIN");
        // What it answers is the matter of the same step outside of a transaction.
        let _ = self.session.ask(&step.sql());
        self.session.run("ROLLBACK");
        assert_eq!(self.session.text(SNAPSHOT), before, "a rollback left something: {}", self.place());
    }

    /// `credit_explain_debit()` must say exactly what a debit would do.
    fn compare_explanation(&mut self, scope: Scope, amount: Amount, draws: &[(i64, Amount)], uncovered: Amount) {
        let literal = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"));
        let sql = format!(
            "SELECT lot, trim_scale(debited), trim_scale(uncovered) FROM credit_explain_debit('{}', {}, {}, {}, '{}') \
                ORDER BY step",
            scope.account,
            amount_text(amount),
            literal(scope.member),
            literal(scope.operation),
            scope.unit
        );
        let mut left = amount;
        let mut expected: Vec<Vec<String>> = Vec::new();
        for (lot, drawn) in draws {
            left -= drawn;
            expected.push(vec![lot.to_string(), amount_text(*drawn), amount_text(left)]);
        }
        if uncovered > 0 {
            expected.push(vec![String::new(), String::new(), amount_text(uncovered)]);
        }
        assert_eq!(self.session.rows(&sql), expected, "{sql} {}", self.place());
    }

    fn compare_lines(&mut self, posting: &str, draws: &[(i64, Amount)]) {
        let lines = format!("SELECT line, lot, trim_scale(-amount) FROM credit.entry WHERE posting = {posting} ORDER BY line");
        let expected: Vec<Vec<String>> = (1..)
            .zip(draws)
            .map(|(line, (lot, drawn)): (i32, _)| vec![line.to_string(), lot.to_string(), amount_text(*drawn)])
            .collect();
        assert_eq!(self.session.rows(&lines), expected, "the lines of posting {posting}: {}", self.place());
    }

    /// Everything that can be asked, against the model.
    fn compare(&mut self) {
        self.compare_lots();
        self.compare_owners();
        let now = self.reference.now;
        self.compare_balances(None, self.expected_balances(now));
        let future = now + self.random.below(7_200_000_000) as i64;
        self.compare_balances(Some(future), self.expected_balances(future));
        if !self.remembered.is_empty() {
            let (at, balances) = self.random.pick(&self.remembered).clone();
            self.compare_balances(Some(at), balances);
        }
        let violations = self.session.rows("SELECT * FROM credit_verify()");
        assert!(violations.is_empty(), "{violations:?} {}", self.place());
    }

    fn compare_lots(&mut self) {
        let found = self.session.rows(
            "SELECT lot, account, trim_scale(remaining), trim_scale(available), trim_scale(held) FROM credit.lots ORDER BY lot",
        );
        let reference = &self.reference;
        let mut lots: Vec<&Lot> = reference.lots.iter().collect();
        lots.sort_by_key(|lot| lot.id);
        let expected: Vec<Vec<String>> = lots
            .into_iter()
            .map(|lot| {
                let usable = if lot.terms.is_in_force(reference.now) { lot.remaining } else { 0 };
                let held = reference.held(lot.id);
                let amounts = [lot.remaining + held, usable, held].map(amount_text);
                [lot.id.to_string(), lot.terms.account.to_owned()].into_iter().chain(amounts).collect()
            })
            .collect();
        assert_eq!(found, expected, "{}", self.place());
    }

    /// The view `credit.balances`: what each member has of his own, and the pool.
    fn compare_owners(&mut self) {
        let sql = "SELECT account, unit, member, trim_scale(available), trim_scale(held) FROM credit.balances \
            ORDER BY 1, 2, member NULLS FIRST";
        let mut expected: Vec<Vec<String>> = Vec::new();
        for account in ACCOUNTS {
            for (unit, _) in UNITS {
                for member in MEMBERS {
                    let owned = |lot: &&Lot| (lot.terms.account, lot.terms.unit, lot.terms.member) == (account, unit, member);
                    let lots: Vec<&Lot> = self.reference.lots.iter().filter(owned).collect();
                    let held: Amount = lots.iter().map(|lot| self.reference.held(lot.id)).sum();
                    let in_force = lots.iter().filter(|lot| lot.terms.is_in_force(self.reference.now));
                    let balance: Amount = in_force.map(|lot| lot.remaining).sum();
                    if balance > 0 || held > 0 {
                        let names = [account, unit, member.unwrap_or_default()];
                        expected.push(names.map(str::to_owned).into_iter().chain([balance, held].map(amount_text)).collect());
                    }
                }
            }
        }
        let found: Vec<Vec<String>> = self.session.rows(sql);
        assert_eq!(found, expected, "{}", self.place());
    }

    fn expected_balances(&self, at: Instant) -> Vec<String> {
        scopes().map(|scope| amount_text(self.reference.balance(scope, at))).collect()
    }

    fn compare_balances(&mut self, at: Option<Instant>, expected: Vec<String>) {
        let at = at.map_or_else(|| "NULL".to_owned(), |at| format!("'{}'", instant_text(at)));
        let questions: Vec<String> = scopes()
            .map(|Scope { account, unit, member, operation }| {
                format!("('{account}', '{}', '{unit}', '{}')", member.unwrap_or_default(), operation.unwrap_or_default())
            })
            .collect();
        let sql = format!(
            "SELECT trim_scale(credit_balance(a, nullif(m, ''), u, {at}, nullif(o, '')))
             FROM (VALUES {}) AS scope (a, m, u, o)",
            questions.join(", ")
        );
        let found: Vec<String> = self.session.rows(&sql).into_iter().map(|row| row.concat()).collect();
        let scopes: Vec<Scope> = scopes().collect();
        for ((scope, found), expected) in scopes.iter().zip(&found).zip(&expected) {
            assert_eq!(found, expected, "the balance at {at} of {scope:?}: {}", self.place());
        }
        assert_eq!(found.len(), expected.len());
    }
}

/// All that can be asked for a balance of.
fn scopes() -> impl Iterator<Item = Scope> {
    let of_account = |account| {
        UNITS.into_iter().flat_map(move |(unit, _)| {
            MEMBERS
                .into_iter()
                .flat_map(move |member| OPERATIONS.into_iter().map(move |operation| Scope { account, unit, member, operation }))
        })
    };
    ACCOUNTS.into_iter().flat_map(of_account)
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} after:\n{};", self.seed, self.history.join(";\n"));
        }
    }
}
