//! Random operations against a reference model: after every step the database says what the model says.
//!
//! The model is the design's rules in their plainest form, a list of lots, and shares nothing with the extension's code. A
//! failure names its seed and lists the statements up to it; `CREDIT_MODEL_SEED=<seed>` runs that one alone, and
//! `CREDIT_MODEL_RUNS=<count>` that many.

mod reference;
mod run;
mod step;

const RUNS: u64 = 40;
const STEPS: usize = 80;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// The runs are spread over tests that run at the same time.
fn run_part(part: u64, parts: u64) {
    let seeds = match variable("CREDIT_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("CREDIT_MODEL_RUNS").unwrap_or(RUNS),
    };
    for seed in seeds.filter(|seed| seed % parts == part) {
        run::Run::new(seed).go(STEPS);
    }
}

#[test]
fn the_database_does_what_the_model_says_with_even_seeds() {
    run_part(0, 2);
}

#[test]
fn the_database_does_what_the_model_says_with_odd_seeds() {
    run_part(1, 2);
}
