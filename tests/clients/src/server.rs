//! Where a server is.

use std::path::PathBuf;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, Config, NoTls};

/// A statement that runs this long hangs: the test is to fail and say so.
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=120s";

/// How to reach a server: its Unix socket and its superuser.
#[derive(Clone, Debug)]
pub struct Server {
    pub socket_directory: PathBuf,
    pub port: u16,
    pub superuser: String,
}

impl Server {
    /// The server that `make test` started.
    ///
    /// # Panics
    /// When there is none.
    pub fn under_test() -> Server {
        Server {
            socket_directory: required_variable("PGHOST").into(),
            port: required_variable("PGPORT").parse().expect("PGPORT is a number"),
            superuser: required_variable("PGUSER"),
        }
    }

    /// A connection as the superuser.
    pub fn connect(&self, database: &str) -> Client {
        self.connect_as(&self.superuser, database)
    }

    /// A connection as `role`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn connect_as(&self, role: &str, database: &str) -> Client {
        self.try_connect(role, database).unwrap_or_else(|error| panic!("connecting as {role} to {database}: {error}"))
    }

    /// A connection, or why there is none. Waits while the server has as many as it takes.
    pub fn try_connect(&self, role: &str, database: &str) -> Result<Client, postgres::Error> {
        self.try_connect_with(STATEMENT_TIMEOUT, role, database)
    }

    /// A connection as the superuser, with an option that can only be given when a session begins, such as `-c name=value`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn connect_with(&self, option: &str, database: &str) -> Client {
        let options = format!("{STATEMENT_TIMEOUT} {option}");
        self.try_connect_with(&options, &self.superuser, database)
            .unwrap_or_else(|error| panic!("connecting to {database} with {option}: {error}"))
    }

    fn try_connect_with(&self, options: &str, role: &str, database: &str) -> Result<Client, postgres::Error> {
        let mut config = Config::new();
        config.host_path(&self.socket_directory).port(self.port).user(role).dbname(database);
        config.application_name("pg_credit_clients").options(options).connect_timeout(Duration::from_secs(10));
        let mut attempts = 0;
        loop {
            match config.connect(NoTls) {
                Err(full) if full.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) && attempts < 100 => {
                    attempts += 1;
                    std::thread::sleep(Duration::from_millis(50));
                }
                outcome => return outcome,
            }
        }
    }
}

/// A variable that `make test` sets.
///
/// # Panics
/// When it is not set.
pub fn required_variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set. These tests need the server that `make test` starts; run `scripts/test.sh --only clients`.")
    })
}
