//! A clock that a test sets, for a server of its own.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::required_variable;

/// The library that is preloaded into the server.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/skewed_clock.c");

/// A clock that a test sets off the real one, for all processes of a server at once.
#[derive(Debug)]
pub struct SkewedClock {
    directory: PathBuf,
    offset: File,
    microseconds: Mutex<i64>,
}

impl SkewedClock {
    /// A clock that is right so far. It is compiled here: a machine that can build the extension has a C compiler.
    ///
    /// # Panics
    /// Where it cannot be compiled, or its files cannot be written.
    #[allow(clippy::new_without_default)]
    pub fn new() -> SkewedClock {
        let scratch = PathBuf::from(required_variable("PG_CREDIT_SCRATCH"));
        let directory = (1..1000).map(|number| scratch.join(format!("clock-{}-{number}", std::process::id())));
        let directory =
            directory.into_iter().find(|directory| fs::create_dir(directory).is_ok()).expect("a directory for the clock");
        let library = directory.join("skewed_clock.so");
        let compiled =
            Command::new("cc").args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(SOURCE).status();
        assert!(compiled.as_ref().is_ok_and(|status| status.success()), "cc cannot compile {SOURCE}: {compiled:?}");
        let path = directory.join("offset");
        let offset = OpenOptions::new().write(true).create_new(true).open(&path).expect("a file for the clock");
        // The server runs as somebody else.
        for (path, mode) in [(&directory, 0o755), (&library, 0o755), (&path, 0o644)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions of the clock");
        }
        let clock = SkewedClock { directory, offset, microseconds: Mutex::default() };
        clock.set(0);
        clock
    }

    /// Says how far ahead of the real clock it is from now on.
    ///
    /// # Panics
    /// When its file cannot be written.
    pub fn set(&self, microseconds: i64) {
        *self.microseconds.lock().expect("nobody panics with it") = microseconds;
        self.offset.write_all_at(&microseconds.to_ne_bytes(), 0).expect("writing the clock's offset");
    }

    /// Sets it on, or back, by an amount.
    ///
    /// # Panics
    /// As [`SkewedClock::set`].
    pub fn step(&self, microseconds: i64) {
        let now = *self.microseconds.lock().expect("nobody panics with it");
        self.set(now + microseconds);
    }

    /// The variables by which the server's environment names it.
    pub(crate) fn environment(&self) -> Vec<String> {
        let path = |name: &str| self.directory.join(name).display().to_string();
        vec![format!("LD_PRELOAD={}", path("skewed_clock.so")), format!("CLOCK_OFFSET_FILE={}", path("offset"))]
    }
}

impl Drop for SkewedClock {
    fn drop(&mut self) {
        // What is left over goes with the scratch directory.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
