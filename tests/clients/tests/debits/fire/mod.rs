//! Everything at once for a bounded time, with rollbacks, cancels and timeouts; then the books are right, and what was
//! acknowledged is there exactly once.

mod single_calls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Database, Random, Refusal, Session, quote, with_retries};

/// How long the fire burns.
const TIME: Duration = Duration::from_secs(10);

/// How many clients work; one more cancels what they do.
const WORKERS: usize = 15;

/// What a session may meet here: insufficient credits, used up or expired lots, cancels and timeouts, deadlocks and conflicts.
const EXPECTED: [&str; 7] = ["23514", "55000", "57014", "55P03", "40P01", "40001", "P0002"];

const AMOUNTS: [&str; 4] = ["0.01", "3", "17.5", "260"];

/// A debit of the fire, named by its metadata, so that the ledger says which requests it holds.
#[derive(Clone, Debug)]
struct Request {
    name: String,
    sql: String,
    has_key: bool,
}

/// What one worker knows of its requests.
#[derive(Debug, Default)]
struct Book {
    /// Requests that were committed, with their postings.
    acknowledged: BTreeMap<String, String>,
    /// Requests that were refused, failed or were rolled back.
    undone: BTreeSet<String>,
    /// Committed requests under a key.
    repeatable: Vec<Request>,
    /// Errors that nobody should meet, and other surprises.
    unexpected: Vec<String>,
}

/// A client of the fire.
struct Worker<'a> {
    client: &'a mut Client,
    random: Random,
    number: usize,
    requests: u32,
    book: Book,
}

fn account(random: &mut Random) -> String {
    format!("account_{}", random.below(4))
}

/// A change of lots: what it returns is no posting.
fn any_change(random: &mut Random) -> String {
    let account = account(random);
    let lot = format!("(SELECT lot FROM credit.lots WHERE account = '{account}' AND remaining > 0 ORDER BY random() LIMIT 1)");
    match random.below(12) {
        0..=2 => format!(
            "SELECT credit_grant('{account}', {}, expires_at => clock_timestamp() + interval '900 ms')",
            20 + random.below(500)
        ),
        3 => format!("SELECT credit_grant('{account}', 40, member => 'alice', priority => 10, applies_to => '{{chat,embed}}')"),
        4 => format!("SELECT credit_void('{account}', {lot}) WHERE {lot} IS NOT NULL"),
        5 | 6 => format!("SELECT credit_set_expiry('{account}', lot, clock_timestamp() + interval '2 s') FROM {lot} l"),
        7 => format!(
            "INSERT INTO credit.entry (account, kind, amount, lot) SELECT '{account}', 'adjustment', 1.5, lot FROM {lot} l"
        ),
        8 => format!("SELECT credit_convert('{account}', {}, NULL, 'other', rate => 0.5)", 1 + random.below(300)),
        9 => format!("SELECT credit_transfer('{account}', {}, to_member => 'alice')", 1 + random.below(20)),
        10 => format!("SELECT credit_transfer('{account}', 0.5, from_member => 'alice')"),
        _ => "SELECT * FROM credit_maintain(50)".to_owned(),
    }
}

impl Worker<'_> {
    fn new_name(&mut self) -> String {
        self.requests += 1;
        format!("{}-{}", self.number, self.requests)
    }

    fn any_debit(&mut self) -> Request {
        let name = self.new_name();
        let random = &mut self.random;
        let amount = random.pick(&AMOUNTS);
        let member = random.pick(&["NULL", "'alice'", "'bob'"]);
        let function = random.pick(&["credit_debit", "credit_try_debit"]);
        let has_key = random.below(2) == 0;
        let key = if has_key { quote(&name) } else { "NULL".to_owned() };
        let sql = format!(
            "SELECT {function}('{}', {amount}, member => {member}, operation => 'chat', key => {key},
                metadata => '{{\"request\": \"{name}\"}}')",
            account(random)
        );
        Request { name, sql, has_key }
    }

    /// Notes what became of a request outside a transaction, or of one in a transaction that has ended.
    fn note(&mut self, request: Request, posting: Option<String>) {
        match posting {
            None => drop(self.book.undone.insert(request.name)),
            Some(posting) => {
                self.book.undone.remove(&request.name);
                let before = self.book.acknowledged.insert(request.name.clone(), posting.clone());
                if before.is_some_and(|before| before != posting) {
                    self.book.unexpected.push(format!("another posting for the same key: {request:?}"));
                }
                if request.has_key {
                    self.book.repeatable.push(request);
                }
            }
        }
    }

    /// A debit by itself. One that fails is sent again if it has a key, as an application would.
    fn single(&mut self) -> Result<(), Refusal> {
        let request = self.any_debit();
        let attempts = if request.has_key { 3 } else { 1 };
        for attempt in 1..=attempts {
            match self.client.ask(&request.sql) {
                Ok(posting) => {
                    self.note(request, posting);
                    break;
                }
                Err(refusal) if attempt == attempts || self.client.is_closed() => {
                    self.note(request, None);
                    return Err(refusal);
                }
                Err(refusal) => self.check(&refusal),
            }
        }
        Ok(())
    }

    /// A debit that was acknowledged, sent again: it returns the same posting.
    fn repetition(&mut self) -> Result<(), Refusal> {
        if self.book.repeatable.is_empty() {
            return Ok(());
        }
        let request = self.random.pick(&self.book.repeatable).clone();
        let posting = self.client.ask(&request.sql)?;
        if posting.as_ref() != self.book.acknowledged.get(&request.name) {
            self.book.unexpected.push(format!("{posting:?} for the repeated {request:?}"));
        }
        Ok(())
    }

    /// One transaction of up to three debits, perhaps with savepoints.
    fn transaction(&mut self) -> Result<(), Refusal> {
        let level = *self.random.pick(&["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]);
        let mut debits = Vec::new();
        let outcome = self.run_transaction(level, &mut debits);
        let committed = matches!(outcome, Ok(true));
        for (request, posting) in debits {
            self.note(request, posting.filter(|_| committed));
        }
        outcome.map(drop)
    }

    /// Whether the transaction was committed; `debits` are its requests and the postings it kept.
    fn run_transaction(&mut self, level: &str, debits: &mut Vec<(Request, Option<String>)>) -> Result<bool, Refusal> {
        self.client.ask(&format!("BEGIN ISOLATION LEVEL {level}"))?;
        for _ in 0..1 + self.random.below(3) {
            self.client.ask("SAVEPOINT before_debit")?;
            debits.push((self.any_debit(), None));
            let last = debits.len() - 1;
            let posting = self.client.ask(&debits[last].0.sql)?;
            if self.random.below(4) == 0 {
                self.client.ask("ROLLBACK TO before_debit")?;
            } else {
                debits[last].1 = posting;
            }
        }
        let commits = self.random.below(5) > 0;
        self.client.ask(if commits { "COMMIT" } else { "ROLLBACK" })?;
        Ok(commits)
    }

    /// Debits of several accounts in one call.
    fn batch(&mut self) -> Result<(), Refusal> {
        let requests: Vec<Request> = (0..1 + self.random.below(12)).map(|_| self.any_debit()).collect();
        let accounts: Vec<String> = requests.iter().map(|_| quote(&account(&mut self.random))).collect();
        let amounts: Vec<&str> = requests.iter().map(|_| *self.random.pick(&AMOUNTS)).collect();
        let names: Vec<String> = requests.iter().map(|request| format!("'{{\"request\": \"{}\"}}'", request.name)).collect();
        let sql = format!(
            "SELECT posting FROM credit_debit_many(ARRAY[{}], ARRAY[{}], metadata => ARRAY[{}]::jsonb[], mode => '{}') \
                ORDER BY item",
            accounts.join(", "),
            amounts.join(", "),
            names.join(", "),
            self.random.pick(&["all", "each", "available"])
        );
        let outcome = self.client.try_rows(&sql);
        let postings = outcome
            .as_ref()
            .map_or_else(|_| vec![None; requests.len()], |rows| rows.iter().map(|row| row.first().cloned().flatten()).collect());
        for (request, posting) in requests.into_iter().zip(postings) {
            self.note(Request { has_key: false, ..request }, posting);
        }
        outcome.map(drop)
    }

    fn something(&mut self) -> Result<(), Refusal> {
        match self.random.below(14) {
            0..=3 => self.single(),
            4..=6 => self.transaction(),
            7..=8 => self.client.ask(&any_change(&mut self.random)).map(drop),
            9 => self.repetition(),
            10..=11 => self.batch(),
            _ => {
                let timeout = *self.random.pick(&["lock_timeout", "statement_timeout"]);
                self.client.ask(&format!("SET {timeout} = {}", self.random.pick(&[0, 1, 5]))).map(drop)
            }
        }
    }

    fn check(&mut self, refusal: &Refusal) {
        if !EXPECTED.contains(&refusal.code.as_str()) {
            self.book.unexpected.push(refusal.to_string());
        }
    }

    fn work(mut self, end: Instant) -> Book {
        while Instant::now() < end {
            let Err(refusal) = self.something() else { continue };
            self.check(&refusal);
            // A cancel may hit this as well, but nothing may cost the session.
            while let Err(refusal) = self.client.ask("ROLLBACK") {
                if self.client.is_closed() {
                    self.book.unexpected.push(refusal.to_string());
                    return self.book;
                }
            }
        }
        self.book
    }
}

fn canceller(client: &mut Client, backends: &Mutex<Vec<i32>>, end: Instant) {
    let mut random = Random::new(0);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
        let backends = backends.lock().expect("no worker panicked").clone();
        if !backends.is_empty() {
            client.run(&format!("SELECT pg_cancel_backend({})", random.pick(&backends)));
        }
    }
}

#[test]
fn random_work_under_fire_keeps_the_books() {
    let database = Database::new();
    let backends = Mutex::new(Vec::new());
    database.connect().run("SELECT credit_grant('account_' || i, 9000) FROM generate_series(0, 3) i");
    database.connect().run("SELECT credit_unit('other')");
    let books = database.clients(WORKERS + 1, |number, client| {
        // Counted from here: large crowds of other tests go first.
        let end = Instant::now() + TIME;
        if number == WORKERS {
            canceller(client, &backends, end);
            return Book::default();
        }
        let backend = client.backend();
        client.run("SET deadlock_timeout = '20ms'");
        backends.lock().expect("no worker panicked").push(backend);
        Worker { client, random: Random::new(number as u64), number, requests: 0, book: Book::default() }.work(end)
    });
    let unexpected: Vec<&String> = books.iter().flat_map(|book| &book.unexpected).collect();
    assert!(unexpected.is_empty(), "{} surprises, the first: {}", unexpected.len(), unexpected[0]);
    assert_books_agree(&database, &books);
    database.verify();
}

fn assert_books_agree(database: &Database, books: &[Book]) {
    let posted = database.connect().rows(
        "SELECT metadata ->> 'request', posting FROM credit.entry WHERE kind = 'debit' GROUP BY account, posting, metadata",
    );
    let mut ledger: BTreeMap<String, String> = BTreeMap::new();
    for row in &posted {
        assert_eq!(ledger.insert(row[0].clone(), row[1].clone()), None, "request {} is there twice", row[0]);
    }
    let acknowledged: BTreeMap<String, String> = books.iter().flat_map(|book| book.acknowledged.clone()).collect();
    let undone: BTreeSet<&String> = books.iter().flat_map(|book| &book.undone).collect();
    assert!(acknowledged.len() > 100, "only {} postings: not much of a fire", acknowledged.len());
    assert!(undone.len() > 100, "only {} requests came to nothing: not much of a fire", undone.len());
    let lost = acknowledged.iter().find(|(request, posting)| ledger.get(*request) != Some(posting));
    assert_eq!(lost, None, "acknowledged, and not there under that posting");
    assert_eq!(undone.iter().find(|request| ledger.contains_key(**request)), None, "not acknowledged, and there");
    assert_eq!(ledger.len(), acknowledged.len(), "requests in the ledger");
}

#[test]
fn a_storm_of_deadlocks_loses_nothing() {
    const CLIENTS: usize = 12;
    const TRANSACTIONS: usize = 25;
    const POOLS: u64 = 5;
    let database = Database::new();
    database.connect().run(&format!("SELECT credit_grant('pool_' || i, 1000) FROM generate_series(0, {}) i", POOLS - 1));
    let deadlocks = database.clients(CLIENTS, |number, client| {
        // One slot each, so that every two debits of a pool are in each other's way.
        client.run("SET credit.max_slots = 1; SET deadlock_timeout = '10ms'");
        let mut random = Random::new(number as u64);
        let mut deadlocks = 0;
        for _ in 0..TRANSACTIONS {
            let pools: Vec<u64> = (0..3).map(|_| random.below(POOLS)).collect();
            let outcome = with_retries(client, "BEGIN", 500, |client| {
                for pool in &pools {
                    let debited = client.ask(&format!("SELECT credit_debit('pool_{pool}', 1.25)"));
                    deadlocks += u32::from(debited.as_ref().is_err_and(|refusal| refusal.code == "40P01"));
                    debited?;
                }
                Ok(())
            });
            outcome.unwrap_or_else(|refusal| panic!("after all retries: {refusal}"));
        }
        deadlocks
    });
    assert!(deadlocks.into_iter().sum::<u32>() > 0, "no deadlock: not much of a storm");
    let debits = CLIENTS * TRANSACTIONS * 3;
    let posted = database.connect().rows("SELECT count(*), -sum(amount) FROM credit.entry WHERE kind = 'debit'");
    assert_eq!(posted, [[debits.to_string(), format!("{}.00", debits * 5 / 4)]]);
    database.verify();
}

/// Changes the lots of the account until the debits have ended; errors other than a lot that is gone, or an expiry that
/// has passed while it waited, fail the test.
fn change_lots(client: &mut Client, seed: u64, debits_go_on: &AtomicBool) {
    let mut random = Random::new(seed);
    let lot = "(SELECT lot FROM credit.lots WHERE account = 'acme' AND remaining > 0 ORDER BY random() LIMIT 1)";
    while debits_go_on.load(Ordering::Relaxed) {
        let sql = match random.below(8) {
            0 => format!("SELECT credit_void('acme', lot) FROM {lot} l"),
            1 | 2 => format!("SELECT credit_set_expiry('acme', lot, clock_timestamp() + interval '1 hour') FROM {lot} l"),
            3 => format!("SELECT credit_set_expiry('acme', lot, clock_timestamp() + interval '20 ms') FROM {lot} l"),
            4 | 5 => {
                format!("SELECT credit_grant('acme', 10, priority => {}) FROM generate_series(1, 5)", random.pick(&[10, 50, 90]))
            }
            6 => "SELECT * FROM credit_expire('acme')".to_owned(),
            _ => "SELECT * FROM credit_maintain()".to_owned(),
        };
        if let Err(refusal) = client.ask(&sql) {
            assert!(["55000", "22023"].contains(&refusal.code.as_str()), "{refusal}\nin: {sql}");
        }
    }
}

#[test]
fn single_debits_never_deadlock_however_lots_change_beside_them() {
    const CHANGERS: usize = 4;
    const TIME: Duration = Duration::from_secs(6);
    let database = Database::new();
    database.connect().run("SELECT credit_grant('acme', 10) FROM generate_series(1, 200)");
    let debits_go_on = AtomicBool::new(true);
    let postings = database.clients(16, |number, client| {
        if number < CHANGERS {
            change_lots(client, number as u64, &debits_go_on);
            return 0;
        }
        // Counted from here: large crowds of other tests go first.
        let end = Instant::now() + TIME;
        let mut random = Random::new(number as u64);
        let mut postings = 0;
        // So a deadlock would be found, and reported, in no time.
        client.run("SET deadlock_timeout = '5ms'");
        while Instant::now() < end {
            match client.ask(&format!("SELECT credit_debit('acme', {})", random.pick(&["3", "7", "15", "24"]))) {
                Ok(_) => postings += 1,
                Err(refusal) => drop(refusal.expect("23514")),
            }
        }
        debits_go_on.store(false, Ordering::Relaxed);
        postings
    });
    let postings: i64 = postings.into_iter().sum();
    let mut client = database.connect();
    assert_eq!(client.number("SELECT count(DISTINCT posting) FROM credit.entry WHERE kind = 'debit'"), postings);
    let kinds = "SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM credit.entry";
    assert_eq!(client.text(kinds), "debit expiry grant move_in move_out void");
    database.verify();
}

/// Moves all credit to the member and back to the pool, each time in one transaction.
fn move_between_owners(client: &mut Client, times: u32) -> Result<(), Refusal> {
    for round in 0..times {
        let member = if round % 2 == 0 { "'alice'" } else { "NULL" };
        client.try_rows(&format!(
            "BEGIN;
             SELECT credit_void('acme', max(lot)) FROM credit.lot;
             SELECT credit_grant('acme', 100000, member => {member});
             COMMIT"
        ))?;
    }
    Ok(())
}

#[test]
fn credit_that_moves_between_a_member_and_the_pool_is_never_missed() {
    let database = Database::new();
    // Registers the member too: that is a row which the move and a first debit would wait for in opposite order.
    database.connect().run("SELECT credit_grant('acme', 1, member => 'alice'); SELECT credit_grant('acme', 100000)");
    let moves_go_on = AtomicBool::new(true);
    let outcomes = database.clients(6, |number, client| {
        if number == 0 {
            let outcome = move_between_owners(client, 1500);
            moves_go_on.store(false, Ordering::Relaxed);
            return outcome;
        }
        while moves_go_on.load(Ordering::Relaxed) {
            client.ask("SELECT credit_debit('acme', 0.01, member => 'alice')")?;
        }
        Ok(())
    });
    let refused = outcomes.into_iter().find_map(Result::err);
    assert_eq!(refused, None, "refused although the credit was there at every instant");
    database.verify();
}

/// Gives the account's lot eight slots, of which only the last two cover a debit of 5.
fn leave_two_useful_slots(client: &mut Client) {
    client.run(
        "BEGIN;
         INSERT INTO credit.slot (account, lot, slot, remaining) SELECT account, lot, i, 0 FROM credit.lot, \
             generate_series(1, 7) i;
         UPDATE credit.lot SET slots = 8;
         UPDATE credit.slot SET remaining = CASE WHEN slot < 6 THEN 1 ELSE 497 END;
         COMMIT",
    );
}

#[test]
fn a_debit_does_not_wait_for_one_slot_while_another_is_free() {
    let database = Database::new();
    let mut holder = database.connect();
    holder.run("SELECT credit_grant('acme', 1000)");
    leave_two_useful_slots(&mut holder);
    // Wherever a session's own slot is, and whichever of the two is held.
    let mut sessions: Vec<Client> = (0..8).map(|_| database.connect()).collect();
    for holding in 0..sessions.len() {
        sessions[holding].run("BEGIN; SELECT credit_debit('acme', 5)");
        for (number, session) in sessions.iter_mut().enumerate().filter(|(number, _)| *number != holding) {
            session.run("SET lock_timeout = '1s'");
            let debited = session.ask("SELECT credit_debit('acme', 5)");
            assert!(debited.is_ok(), "session {number} waited for session {holding}: {debited:?}");
        }
        sessions[holding].run("ROLLBACK");
    }
    database.verify();
}
