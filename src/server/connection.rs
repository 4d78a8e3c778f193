//! The connection to SPI that statements run with, and the role as which they run.

use std::cell::Cell;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::server::identity::Identity;
use crate::server::locks::impatience::Impatience;
use crate::server::{encoding, error_log};

/// How the function that runs now is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The function, or its caller, is connected.
    Connected,
    /// The function connects with its first statement.
    OnDemand,
    /// The function has connected with its first statement, and acts as the owner since.
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
    // SAFETY: the server reads what it keeps of the innermost connection to SPI, which is the procedure's, and allows that there
    // is none.
    unsafe { pg_sys::SPI_inside_nonatomic_context() }
}

/// Runs `work` with a connection to SPI, where statements can run. It must return Rust's own memory.
pub fn connected<T>(work: impl FnOnce() -> T) -> T {
    encoding::require_utf8_or_raise();
    let _within = Within::begin(State::Connected);
    Spi::connect(|_| error_log::noting(work))
}

/// Runs `work` for a function that runs as its caller and mostly needs no statement. With the first statement the function
/// connects and acts as its owner with a pinned search path, as with SECURITY DEFINER and SET search_path. Those would cost a
/// debit a twelfth of its time from the start. After an error the server restores the caller's identity.
pub fn connected_on_demand<T>(work: impl FnOnce() -> T) -> T {
    encoding::require_utf8_or_raise();
    let _within = Within::begin(State::OnDemand);
    let result = error_log::noting(work);
    if let State::Demanded(caller) = STATE.get() {
        caller.restore();
        // SAFETY: ensure() connected for this call, and connections that were made later have ended. What `work` returned is
        // Rust's own memory, so it outlives the connection.
        unsafe { pg_sys::SPI_finish() };
    }
    result
}

/// Sees to it that a statement can run. Also called before a subtransaction begins, which must not end a connection made before
/// it.
pub fn ensure() {
    if STATE.get() == State::OnDemand {
        // SAFETY: functions of ours run in a transaction. connected_on_demand() ends the connection, or the server after an
        // error.
        let status = unsafe { pg_sys::SPI_connect() };
        assert_eq!(status, pg_sys::SPI_OK_CONNECT as i32, "a connection to SPI");
        STATE.set(State::Demanded(Identity::become_owner()));
    }
}
