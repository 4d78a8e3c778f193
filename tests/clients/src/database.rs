//! A database of the test's own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use postgres::Client;

use crate::{Refusal, Server, Session, wait_until_blocked};

/// Numbers databases and roles within this process.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Crowds come one at a time: together they would exceed the server's connections on a machine with many cores.
static CROWD: Mutex<()> = Mutex::new(());

/// A fresh database, dropped with all that is connected to it when the test ends, however it ends.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
    roles: Mutex<Vec<String>>,
}

impl Database {
    /// A database with the extension, on the server under test.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Database {
        Database::on(&Server::under_test())
    }

    /// A database with the extension, on `server`.
    pub fn on(server: &Server) -> Database {
        let database = Database::bare(server);
        database.connect().run("CREATE EXTENSION pg_credit");
        database
    }

    /// A database without the extension.
    pub fn bare(server: &Server) -> Database {
        let name = unique_name("credit_test");
        server.connect("postgres").run(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        Database { server: server.clone(), name, roles: Mutex::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A session as the superuser.
    pub fn connect(&self) -> Client {
        self.server.connect(&self.name)
    }

    /// A session as `role`.
    pub fn connect_as(&self, role: &str) -> Client {
        self.server.connect_as(role, &self.name)
    }

    /// A new login role, whose name starts with `prefix`; dropped with the database.
    pub fn create_role(&self, prefix: &str) -> String {
        let role = unique_name(prefix);
        self.connect().run(&format!("CREATE ROLE {role} LOGIN"));
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).push(role.clone());
        role
    }

    /// So many clients at once, each in a thread with a session and its number from 0; their results in that order.
    /// All are connected before the first one starts. Crowds are for the test's main thread: one at a time, never nested.
    ///
    /// # Panics
    /// When a client panics.
    pub fn clients<T: Send>(&self, count: usize, work: impl Fn(usize, &mut Client) -> T + Sync) -> Vec<T> {
        let _only_crowd = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions: Vec<Client> = (0..count).map(|_| self.connect()).collect();
        let start = Barrier::new(count);
        let (start, work) = (&start, &work);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(sessions)
                .map(|(number, mut session)| {
                    scope.spawn(move || {
                        start.wait();
                        work(number, &mut session)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// Runs SQL in a session of its own that has to wait for somebody, and does; what comes of it.
    ///
    /// # Panics
    /// When it does not wait within half a minute.
    pub fn waiting(&self, sql: &str) -> JoinHandle<Result<Option<String>, Refusal>> {
        let (mut client, sql) = (self.connect(), sql.to_owned());
        let process = client.backend();
        let waiting = thread::spawn(move || client.ask(&sql));
        wait_until_blocked(&mut self.connect(), process);
        waiting
    }

    /// Asserts that `credit_verify()` finds nothing.
    ///
    /// # Panics
    /// With what it found.
    pub fn verify(&self) {
        let violations = self.connect().rows("SELECT v::text FROM credit_verify() v");
        let listed: Vec<String> = violations.into_iter().map(|row| row.join(" ")).collect();
        assert!(listed.is_empty(), "credit_verify() found {} violations:\n{}", listed.len(), listed.join("\n"));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Ok(mut session) = self.server.try_connect(&self.server.superuser, "postgres") else { return };
        // Nothing to do about an error here: the whole server goes away after the tests.
        let _ = session.try_rows(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        for role in self.roles.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = session.try_rows(&format!("DROP ROLE {role}"));
        }
    }
}

fn unique_name(prefix: &str) -> String {
    format!("{prefix}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
