//! What the tests share that talk to a server as real clients do: over connections of their own, several at once.
//!
//! - [`Database`]: a fresh one per test, with the extension; clients in threads; the proof of the books
//! - [`Session`]: asking and running SQL on a connection, and reading the [`Refusal`] of what fails
//! - [`with_retries`]: a transaction repeated on 40001 and 40P01, as the documentation tells applications to
//! - [`Cluster`]: a server of the test's own, to be killed, restarted or followed by a standby
//! - [`wait_until`], [`wait_until_blocked`]: waiting for a state instead of sleeping
//!
//! `make test` starts the server and says where it is, in `PGHOST`, `PGPORT`, `PGUSER` and the variables `PG_CREDIT_*`.

mod cards;
mod cluster;
mod database;
mod random;
mod server;
mod session;
mod skewed_clock;

pub use cards::price_of;
pub use cluster::{Cluster, Stop};
pub use database::Database;
pub use postgres::{Client, Error, Statement};
pub use random::Random;
pub use server::{Server, required_variable};
pub use session::{Refusal, Session, quote, with_retries};
pub use skewed_clock::SkewedClock;

use std::time::{Duration, Instant};

/// So long a test waits for a state before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within half a minute.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the backend waits for a lock. `watcher` is another session.
pub fn wait_until_blocked(watcher: &mut Client, backend: i32) {
    let waits = format!("SELECT COALESCE(wait_event_type = 'Lock', false) FROM pg_stat_activity WHERE pid = {backend}");
    wait_until("a backend waits for a lock", || watcher.text(&waits) == "t");
}

/// The major version of the server under test.
pub fn server_major() -> u32 {
    required_variable("PG_CREDIT_MAJOR").parse().expect("PG_CREDIT_MAJOR is a number")
}
