//! The ledger: arguments, keys, corrections, direct inserts, and clocks that step back.

mod bad_input;
mod clock_set_back;
mod clock_steps;
mod corrections;
mod idempotency;
mod triggers;
