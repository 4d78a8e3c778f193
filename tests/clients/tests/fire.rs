//! Everything at once for a bounded time, with rollbacks, cancels and timeouts; then the books are right, and what was
//! acknowledged is there exactly once.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pg_credit_clients::{Client, Database, Random, Refusal, Session, quote};

/// How long it goes on.
const TIME: Duration = Duration::from_secs(4);

/// How many clients work; one more cancels what they do.
const WORKERS: usize = 15;

/// What a session may meet here: insufficient credits, used up or expired lots, cancels and timeouts, deadlocks and conflicts.
const EXPECTED: [&str; 7] = ["23514", "55000", "57014", "55P03", "40P01", "40001", "P0002"];

/// What one worker knows of its requests.
#[derive(Debug, Default)]
struct Book {
    /// Postings that were committed.
    kept: BTreeSet<String>,
    /// Postings that were rolled back.
    undone: BTreeSet<String>,
    /// Errors that nobody should meet.
    unexpected: Vec<Refusal>,
}

fn account(random: &mut Random) -> String {
    format!("account_{}", random.below(4))
}

fn any_debit(random: &mut Random) -> String {
    let amount = ["0.01", "3", "17.5", "260"][random.below(4) as usize];
    let member = ["NULL", "'alice'", "'bob'"][random.below(3) as usize];
    let function = ["credit_debit", "credit_try_debit"][random.below(2) as usize];
    let key = if random.below(2) == 0 { "NULL".to_owned() } else { format!("'key-{}'", random.below(1 << 40)) };
    format!("SELECT {function}('{}', {amount}, member => {member}, operation => 'chat', key => {key})", account(random))
}

/// Debits of several accounts in one call; the postings it made.
fn batch(client: &mut Client, random: &mut Random) -> Result<Vec<String>, Refusal> {
    let items = 1 + random.below(12);
    let accounts: Vec<String> = (0..items).map(|_| quote(&account(random))).collect();
    let amounts: Vec<&str> = (0..items).map(|_| *random.pick(&["0.01", "3", "17.5", "260"])).collect();
    let mode = *random.pick(&["all", "each"]);
    let (accounts, amounts) = (accounts.join(", "), amounts.join(", "));
    let sql = format!(
        "SELECT posting FROM credit_debit_many(ARRAY[{accounts}], ARRAY[{amounts}], mode => '{mode}') WHERE posting IS NOT NULL"
    );
    Ok(client.try_rows(&sql)?.into_iter().flatten().flatten().collect())
}

/// A change of lots: what it returns is no posting.
fn any_change(random: &mut Random) -> String {
    let account = account(random);
    let lot = format!("(SELECT lot FROM credit.lots WHERE account = '{account}' AND remaining > 0 ORDER BY random() LIMIT 1)");
    match random.below(9) {
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
        _ => "SELECT * FROM credit_maintain(50)".to_owned(),
    }
}

/// One transaction of up to three requests, perhaps with a savepoint; the postings it made and those it took back.
fn transaction(client: &mut Client, random: &mut Random) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let level = ["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][random.below(4) as usize];
    client.ask(&format!("BEGIN ISOLATION LEVEL {level}"))?;
    let (mut kept, mut undone) = (Vec::new(), Vec::new());
    for _ in 0..1 + random.below(3) {
        client.ask("SAVEPOINT s")?;
        let posting = client.ask(&any_debit(random))?;
        if random.below(4) == 0 {
            client.ask("ROLLBACK TO s")?;
            undone.extend(posting);
        } else {
            kept.extend(posting);
        }
    }
    if random.below(5) == 0 {
        undone.append(&mut kept);
        client.ask("ROLLBACK")?;
    } else {
        client.ask("COMMIT")?;
    }
    Ok((kept, undone))
}

/// One request or transaction, noted in the book.
fn work(client: &mut Client, random: &mut Random, book: &mut Book) -> Result<(), Refusal> {
    match random.below(12) {
        10.. => book.kept.extend(batch(client, random)?),
        0..=3 => book.kept.extend(client.ask(&any_debit(random))?),
        4..=6 => {
            let (kept, undone) = transaction(client, random)?;
            book.kept.extend(kept);
            book.undone.extend(undone);
        }
        7..=8 => drop(client.ask(&any_change(random))?),
        _ => {
            let timeout = ["lock_timeout", "statement_timeout"][random.below(2) as usize];
            client.ask(&format!("SET {timeout} = {}", [0, 1, 5][random.below(3) as usize]))?;
        }
    }
    Ok(())
}

fn worker(client: &mut Client, seed: u64, end: Instant) -> Book {
    let (mut book, mut random) = (Book::default(), Random::new(seed));
    while Instant::now() < end {
        let Err(refusal) = work(client, &mut random, &mut book) else { continue };
        if !EXPECTED.contains(&refusal.code.as_str()) {
            book.unexpected.push(refusal);
        }
        // A cancel may hit this as well, but nothing may cost the session.
        while let Err(refusal) = client.ask("ROLLBACK") {
            if client.is_closed() {
                book.unexpected.push(refusal);
                return book;
            }
        }
    }
    book
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
    database.connect().run("SELECT credit_grant('account_' || i, 3000) FROM generate_series(0, 3) i");
    let end = Instant::now() + TIME;
    let books = database.clients(WORKERS + 1, |number, client| {
        if number == WORKERS {
            canceller(client, &backends, end);
            return Book::default();
        }
        let backend = client.backend();
        backends.lock().expect("no worker panicked").push(backend);
        client.run("SET deadlock_timeout = '20ms'");
        worker(client, number as u64, end)
    });
    let unexpected: Vec<String> = books.iter().flat_map(|book| &book.unexpected).map(Refusal::to_string).collect();
    assert!(unexpected.is_empty(), "{} errors that nobody should meet, first: {}", unexpected.len(), unexpected[0]);
    assert_books_agree(&database, &books);
    database.verify();
}

fn assert_books_agree(database: &Database, books: &[Book]) {
    let postings = "SELECT posting FROM credit.entry WHERE kind = 'debit' GROUP BY account, posting";
    let rows = database.connect().rows(postings);
    let posted: BTreeSet<&String> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(posted.len(), rows.len(), "a posting belongs to one account");
    let kept: BTreeSet<&String> = books.iter().flat_map(|book| &book.kept).collect();
    let undone: BTreeSet<&String> = books.iter().flat_map(|book| &book.undone).collect();
    assert!(kept.len() > 100, "only {} postings: not much of a fire", kept.len());
    assert_eq!(kept.difference(&posted).next(), None, "acknowledged and lost");
    assert_eq!(undone.intersection(&posted).next(), None, "rolled back and there");
}
