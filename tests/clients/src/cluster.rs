//! A server of the test's own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::{Server, SkewedClock, required_variable, wait_until};

/// How to stop a server.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Rolls back what runs and writes a checkpoint.
    Fast,
    /// At once, as when the power fails: the next start recovers.
    Immediate,
}

/// A cluster in a directory of its own, on a Unix socket and no port; stopped and removed when the test ends.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    /// What its environment has besides, as name=value.
    environment: Vec<String>,
}

impl Cluster {
    /// A new cluster, started, with `settings` as lines of its postgresql.conf.
    pub fn start(settings: &[&str]) -> Cluster {
        Cluster::start_with(settings, Vec::new())
    }

    /// The same under a clock that the test sets.
    pub fn start_under(clock: &SkewedClock, settings: &[&str]) -> Cluster {
        Cluster::start_with(settings, clock.environment())
    }

    fn start_with(settings: &[&str], environment: Vec<String>) -> Cluster {
        let cluster = Cluster { directory: make_directory(), environment };
        let initdb = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        cluster.run(command("initdb").arg("--pgdata").arg(cluster.data()).args(initdb));
        cluster.configure(&["max_connections = 50", "timezone = 'UTC'", "max_wal_senders = 4"]);
        cluster.configure(settings);
        cluster.start_again();
        cluster
    }

    /// A standby that streams from this cluster, started.
    pub fn standby(&self) -> Cluster {
        let standby = Cluster { directory: make_directory(), environment: self.environment.clone() };
        let server = self.server();
        let source = ["--username=postgres", "--wal-method=stream", "--checkpoint=fast", "--no-sync"];
        let port = format!("--port={}", server.port);
        let mut copy = command("pg_basebackup");
        copy.arg("--host").arg(&server.socket_directory).arg(port).arg("--pgdata").arg(standby.data()).args(source);
        self.run(&mut copy);
        // Written here and not by pg_basebackup: it names every option it knows, and the server may be linked to an older libpq.
        let source = format!("user=postgres host={} port={}", server.socket_directory.display(), server.port);
        standby.configure(&[&format!("primary_conninfo = '{source}'")]);
        fs::write(standby.data().join("standby.signal"), "").expect("writing standby.signal");
        standby.start_again();
        standby
    }

    /// How to reach it.
    pub fn server(&self) -> Server {
        Server { socket_directory: self.directory.clone(), port: 5432, superuser: "postgres".to_owned() }
    }

    /// Starts it after it was stopped or killed.
    pub fn start_again(&self) {
        let log = self.directory.join("log");
        // Backends of a killed postmaster need a moment to notice; until then their shared memory is in use.
        wait_until(&format!("the server in {} starts", self.directory.display()), || {
            // Set after the change of user: that may forget what could be preloaded.
            let mut start = as_server_user("env");
            start.args(&self.environment).arg(program("pg_ctl")).args(["start", "--wait", "--pgdata"]);
            let output = output(start.arg(self.data()).arg("--log").arg(&log));
            output.status.success()
        });
    }

    /// Stops it and waits until it has.
    pub fn stop(&self, how: Stop) {
        let mode = match how {
            Stop::Fast => "--mode=fast",
            Stop::Immediate => "--mode=immediate",
        };
        self.run(command("pg_ctl").args(["stop", "--wait", mode, "--pgdata"]).arg(self.data()));
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        self.run(command("pg_ctl").args(["promote", "--wait", "--pgdata"]).arg(self.data()));
    }

    /// Kills the postmaster: its backends end when they notice.
    pub fn kill_postmaster(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).expect("a running server has a postmaster.pid");
        self.kill_backend(file.lines().next().expect("its first line is the process id").parse().expect("a process id"));
    }

    /// Kills one of its backends: the postmaster then restarts all of them with a recovery.
    pub fn kill_backend(&self, backend: i32) {
        self.run(as_server_user("kill").args(["-KILL", &backend.to_string()]));
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Appends to postgresql.conf; a later line wins.
    fn configure(&self, settings: &[&str]) {
        let path = self.data().join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("opening postgresql.conf");
        writeln!(file, "listen_addresses = ''\nunix_socket_directories = '{}'\nport = 5432", self.directory.display())
            .and_then(|()| settings.iter().try_for_each(|line| writeln!(file, "{line}")))
            .expect("writing postgresql.conf");
    }

    fn run(&self, command: &mut Command) {
        let output = output(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?} failed: {said}\nserver log:\n{}", self.log());
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("server log:\n{}", self.log());
        }
        // A server that is not running cannot be stopped, and a directory left over goes with the scratch directory.
        output(command("pg_ctl").args(["stop", "--wait", "--mode=immediate", "--pgdata"]).arg(self.data()));
        output(as_server_user("rm").args(["-rf", "--"]).arg(&self.directory));
    }
}

/// A directory of the server's user. Its name is short: the path of a socket is limited to 107 bytes.
fn make_directory() -> PathBuf {
    let scratch = scratch();
    for number in 1..1000 {
        let directory = scratch.join(number.to_string());
        if output(as_server_user("mkdir").arg(&directory)).status.success() {
            return directory;
        }
    }
    panic!("no directory can be made in {}", scratch.display());
}

fn scratch() -> PathBuf {
    required_variable("PG_CREDIT_SCRATCH").into()
}

/// One of the server's programs.
fn command(name: &str) -> Command {
    as_server_user(program(name).to_str().expect("a path in UTF-8"))
}

fn program(name: &str) -> PathBuf {
    Path::new(&required_variable("PG_CREDIT_BINDIR")).join(name)
}

/// A command run as the server's user. PostgreSQL refuses to run as root; backtraces would land in users' error details.
fn as_server_user(program: &str) -> Command {
    let prefix = std::env::var("PG_CREDIT_RUN_AS").unwrap_or_default();
    let mut words = prefix.split_whitespace().chain([program]);
    let mut command = Command::new(words.next().expect("at least the program"));
    command.args(words).current_dir(scratch());
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"))
}
