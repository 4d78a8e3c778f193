//! Real input: a trace of LLM requests replayed as debits leaves a ledger that equals the file, to the last decimal.
//!
//! `scripts/replay.sh` debits; what the ledger must say is computed here from the file, in whole thousandths of a credit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pg_credit_clients::{Database, Random, Session, required_variable};

const MEMBERS: usize = 25;
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What the file says: a credit for 1,000 context tokens and three for 1,000 generated ones, counted in thousandths.
#[derive(Default)]
struct Expected {
    debits: usize,
    thousandths: i128,
    of_member: BTreeMap<String, i128>,
}

impl Expected {
    fn of(trace: &str) -> Expected {
        let mut expected = Expected::default();
        for (number, line) in trace.lines().skip(1).enumerate() {
            let fields: Vec<&str> = line.trim_end().split(',').collect();
            let [_, context, generated] = fields[..] else { panic!("line {number} has {} fields", fields.len()) };
            let tokens = |text: &str| text.parse::<i128>().expect("a number of tokens");
            let cost = tokens(context) + 3 * tokens(generated);
            if cost > 0 {
                expected.debits += 1;
                expected.thousandths += cost;
                *expected.of_member.entry(format!("member-{:02}", number % MEMBERS + 1)).or_default() += cost;
            }
        }
        expected
    }
}

/// Runs the script as `make replay` does, on `database`.
fn run_script(database: &Database, file: &Path) -> Output {
    let mut command = Command::new(format!("{REPOSITORY}/scripts/replay.sh"));
    command.arg(file).env("PGDATABASE", database.name()).env("PG_CREDIT_BINDIR", required_variable("PG_CREDIT_BINDIR"));
    command.output().expect("running scripts/replay.sh")
}

fn replay(database: &Database, file: &Path) -> String {
    let output = run_script(database, file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "replaying {}: {said}", file.display());
    String::from_utf8(output.stdout).expect("a report in UTF-8")
}

/// Replays the file and compares the ledger with it.
fn assert_ledger_equals(file: &Path) -> Database {
    let expected = Expected::of(&fs::read_to_string(file).expect("reading the trace"));
    let database = Database::new();
    let report = replay(&database, file);
    let mut session = database.connect();

    let total = "SELECT trim_scale(sum(-amount) * 1000) FROM credit.entry WHERE account = 'replay' AND kind = 'debit'";
    assert_eq!(session.text(total), expected.thousandths.to_string(), "thousandths of a credit in total");
    let postings = "SELECT count(DISTINCT posting) FROM credit.entry WHERE account = 'replay' AND kind = 'debit'";
    assert_eq!(session.number(postings), expected.debits as i64, "one posting for each request that cost something");
    let by_member = "SELECT member, trim_scale(sum(-amount) * 1000) FROM credit.entry
                     WHERE account = 'replay' AND kind = 'debit' GROUP BY member ORDER BY member";
    let found: Vec<Vec<String>> = session.rows(by_member);
    let wanted: Vec<Vec<String>> = expected.of_member.iter().map(|(member, sum)| vec![member.clone(), sum.to_string()]).collect();
    assert_eq!(found, wanted, "thousandths of a credit by member");

    assert!(expected.thousandths > 0 && report.contains(&decimal(expected.thousandths)), "the report lacks the total:\n{report}");
    database.verify();
    database
}

fn decimal(thousandths: i128) -> String {
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// The clock stood at each request's own time when it was debited, and lots expired on the way.
fn assert_clock_moved(database: &Database, instants: i64) {
    let mut session = database.connect();
    let times = "SELECT count(DISTINCT recorded_at) FROM credit.entry WHERE account = 'replay' AND kind = 'debit'";
    assert_eq!(session.number(times), instants, "different instants of recording");
    let lapsed = "SELECT count(*) FROM credit.entry WHERE account = 'replay' AND kind = 'expiry' AND amount < 0";
    assert!(session.number(lapsed) > 0, "no lot expired with something left");
    let categories = "SELECT count(DISTINCT category) FROM credit.ledger WHERE account = 'replay' AND kind = 'debit'";
    assert_eq!(session.number(categories), 2, "paid and promotional lots both paid");
}

/// A file that goes away again.
struct Trace(PathBuf);

impl Trace {
    fn new(name: &str, text: &str) -> Trace {
        let path = std::env::temp_dir().join(format!("pg_credit_{name}_{}.csv", std::process::id()));
        fs::write(&path, text).expect("writing a trace");
        Trace(path)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // It lies in the directory for temporary files.
        let _ = fs::remove_file(&self.0);
    }
}

/// Three hundred requests, one every two seconds; some cost nothing, none ends its last line.
fn small_trace() -> String {
    let mut random = Random::new(2023);
    let mut trace = String::from("TIMESTAMP,ContextTokens,GeneratedTokens");
    for number in 0..300 {
        let second = number * 2;
        let (context, generated) = match number % 50 {
            7 => (0, 0),
            8 => (0, random.below(100)),
            _ => (random.below(8_000), random.below(2_000)),
        };
        write!(trace, "\r\n2024-02-29 23:{:02}:{:02}.{:07},{context},{generated}", 50 + second / 60, second % 60, number * 10)
            .expect("writing to a string");
    }
    trace
}

#[test]
fn a_small_trace_of_our_own_is_in_the_ledger_exactly() {
    let trace = Trace::new("small", &small_trace());
    let database = assert_ledger_equals(&trace.0);
    assert_clock_moved(&database, 300 - 6);
}

#[test]
fn a_real_trace_is_in_the_ledger_exactly() {
    let file = PathBuf::from(format!("{REPOSITORY}/../shared/data/azure_llm_code_2023.csv"));
    if !file.exists() {
        eprintln!("skipped: {} is not there", file.display());
        return;
    }
    let database = assert_ledger_equals(&file);
    assert_clock_moved(&database, 8_819);
}

#[test]
fn what_cannot_be_replayed_is_refused_before_anything_is_granted() {
    let database = Database::new();
    let header = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n";
    for (name, lines, reason) in [
        ("empty", "", "the file has no requests"),
        ("negative", "2024-01-01 00:00:00,-1,5\r\n", "violates check constraint"),
        ("words", "2024-01-01 00:00:00,many,5\r\n", "invalid input syntax"),
    ] {
        let trace = Trace::new(name, &format!("{header}{lines}"));
        let output = run_script(&database, &trace.0);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(reason), "{name}: {said}");
    }
    assert_eq!(database.connect().number("SELECT count(*) FROM credit.account"), 0);
}

#[test]
fn a_trace_is_not_replayed_into_an_account_twice() {
    let database = Database::new();
    let trace = Trace::new("twice", "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-01-01 00:00:00.5000000,1000,1000\r\n");
    let report = replay(&database, &trace.0);
    assert!(report.contains("4.000"), "{report}");
    let output = run_script(&database, &trace.0);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("exists already"));
    assert_eq!(database.connect().text("SELECT trim_scale(sum(-amount)) FROM credit.entry WHERE kind = 'debit'"), "4");
    database.verify();
}
