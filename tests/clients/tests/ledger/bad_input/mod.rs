//! Every argument of every function against hostile values: the SQLSTATE of the design's table, a message that names the
//! value, DETAIL and HINT, and nothing changed.
//!
//! A table of good calls, and for each argument the values that must be refused in it. All that goes wrong is listed at once.

mod arguments;
mod codes;
mod good_calls;
mod hostile;
mod refusals;
mod world;

use pg_credit_clients::{Database, Session, quote};

use arguments::{ARGUMENTS, Kind};
use codes::INVALID;
use good_calls::{GOOD, call};
use hostile::hostile_values;
use refusals::{BATCHES, SPECIAL, parse_arguments};
use world::{World, shorten};

fn assert_none(complaints: Vec<String>, cases: usize) {
    assert!(complaints.is_empty(), "{} of {cases} cases:\n{}", complaints.len(), complaints.join("\n"));
}

/// The good calls are good: otherwise the others would be refused for the wrong reason.
#[test]
fn good_calls_succeed() {
    let database = Database::new();
    let mut world = World::new(&database);
    for (function, _) in GOOD {
        let sql = world.with_lots(&call(function, &[]));
        world.session.run(&format!("BEGIN; {sql}; ROLLBACK"));
    }
    for function in world.session.rows("SELECT DISTINCT proname FROM pg_proc WHERE proname LIKE 'credit\\_%'").concat() {
        assert!(GOOD.iter().any(|(name, _)| *name == function), "{function} is not tested here");
    }
}

#[test]
fn hostile_values_are_refused_in_every_argument() {
    let database = Database::new();
    let mut world = World::new(&database);
    let (mut complaints, mut cases) = (Vec::new(), 0);
    for (function, arguments) in ARGUMENTS {
        for (argument, kind) in *arguments {
            for (value, code, named) in hostile_values(*kind) {
                let sql = call(function, &[((*argument).to_owned(), value)]);
                complaints.extend(world.complaint(&sql, code, &named.replace('%', argument)));
                cases += 1;
            }
        }
    }
    for (value, code, named) in hostile_values(Kind::Price) {
        let sql = call("credit_grant", &[("paid".to_owned(), value), ("currency".to_owned(), "'USD'".to_owned())]);
        complaints.extend(world.complaint(&sql, code, &named.replace('%', "paid")));
        cases += 1;
    }
    assert_none(complaints, cases);
    database.verify();
}

#[test]
fn combinations_that_make_no_sense_are_refused() {
    let database = Database::new();
    let mut world = World::new(&database);
    let mut complaints = Vec::new();
    for (function, replaced, code, named) in SPECIAL {
        let replaced = parse_arguments(replaced);
        complaints.extend(world.complaint(&call(function, &replaced), code, named));
    }
    assert_none(complaints, SPECIAL.len());
    database.verify();
}

#[test]
fn a_batch_is_refused_as_a_whole() {
    let database = Database::new();
    let mut world = World::new(&database);
    let mut complaints = Vec::new();
    for (arguments, code, named) in BATCHES {
        let function = if arguments.contains("::jsonb") { "credit_debit_many_json" } else { "credit_debit_many" };
        complaints.extend(world.complaint(&format!("SELECT * FROM {function}({arguments})"), code, named));
    }
    assert_none(complaints, BATCHES.len());
    database.verify();
}

/// Metadata is kept as it is, or refused like any other argument; never an internal error.
#[test]
fn metadata_is_kept_or_refused() {
    let database = Database::new();
    let mut world = World::new(&database);
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let long = format!(r#"{{"text": "{}"}}"#, "ä".repeat(100_000));
    let numbers = r#"{"a": 1.10, "b": 123456789012345678901234567890.12345678901234567890, "c": 1e400, "d": 1E-7}"#;
    for metadata in ["null", "[]", r#""text""#, numbers, &long, &deep(100), &deep(1000)] {
        let literal = quote(metadata);
        for function in ["credit_debit", "credit_grant"] {
            match world.session.ask(&format!("SELECT {function}('acme', 1, metadata => {literal})")) {
                Ok(_) => {
                    let kept =
                        format!("SELECT metadata::text = {literal}::jsonb::text FROM credit.entry ORDER BY posting DESC LIMIT 1");
                    assert_eq!(world.session.text(&kept), "t", "{function}: {}", shorten(metadata));
                }
                Err(refusal) => assert_eq!(refusal.code, INVALID, "{function}: {refusal} {}", shorten(metadata)),
            }
        }
    }
    database.verify();
}

/// Text that is no number or instant does not even reach the functions; a clock that is none is refused as well.
#[test]
fn a_clock_that_is_no_instant_is_refused() {
    let database = Database::new();
    let mut world = World::new(&database);
    for (clock, code) in
        [("yesterday noon or so", "22007"), ("infinity", INVALID), ("2026-13-01", "22008"), ("294276-01-01", INVALID)]
    {
        let before = world.snapshot();
        // Refused when it is set, or at the latest when it is needed.
        let refused = match world.session.ask(&format!("SET credit.clock = {}", quote(clock))) {
            Err(refusal) => refusal,
            Ok(_) => world.session.refusal("SELECT credit_debit('acme', 1)"),
        };
        assert_eq!(refused.code, code, "{refused}");
        world.session.run("SET credit.clock = '2026-01-01'");
        assert_eq!(world.snapshot(), before, "{clock}");
    }
}
