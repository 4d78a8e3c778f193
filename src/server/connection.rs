//! The connection to SPI that statements run with, and on whose behalf they run.

use std::cell::Cell;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::server::identity::Identity;
use crate::server::locks::impatience::Impatience;
use crate::server::{encoding, error_log};

/// How the function that runs now is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is, or whoever called it.
    Connected,
    /// It will be with the first statement.
    OnDemand,
    /// It has been since its first statement.
    Demanded(Identity),
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Connected) };
}

/// Sets the state of a function that begins, and the one of its caller again when it ends, with an error too.
struct Within {
    before: State,
    _impatience: Option<Impatience>,
}

impl Within {
    fn begin(state: State) -> Within {
        Within { before: STATE.replace(state), _impatience: Impatience::of_call() }
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        STATE.set(self.before);
    }
}

/// Whether the procedure that calls this function may commit: not in a transaction block, and not when a function called it.
pub fn caller_may_commit() -> bool {
    // SAFETY: It reads what the server knows of the innermost connection to SPI, which is the procedure's.
    unsafe { pg_sys::SPI_inside_nonatomic_context() }
}

/// Runs `work` with a connection to SPI, where statements can run. What it returns must be Rust's own memory.
pub fn connected<T>(work: impl FnOnce() -> T) -> T {
    encoding::require_utf8_or_raise();
    let _within = Within::begin(State::Connected);
    Spi::connect(|_| error_log::noting(work))
}

/// The same for a function that runs as its caller and mostly needs no statement: with the first one it becomes what SECURITY DEFINER
/// and SET search_path would have made of it from the start, which costs a debit a twelfth of its time. After an error the server puts
/// things right.
pub fn connected_on_demand<T>(work: impl FnOnce() -> T) -> T {
    encoding::require_utf8_or_raise();
    let _within = Within::begin(State::OnDemand);
    let result = error_log::noting(work);
    if let State::Demanded(caller) = STATE.get() {
        caller.restore();
        unsafe { pg_sys::SPI_finish() };
    }
    result
}

/// Sees to it that a statement can run. Also called before a subtransaction begins, which must not end a connection made before it.
pub fn ensure() {
    if STATE.get() == State::OnDemand {
        let status = unsafe { pg_sys::SPI_connect() };
        assert_eq!(status, pg_sys::SPI_OK_CONNECT as i32, "a connection to SPI");
        STATE.set(State::Demanded(Identity::become_owner()));
    }
}
