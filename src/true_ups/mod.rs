//! The true-up: the promise for a period against its consumption, and closing the period.
//!
//! - [`statement`]: the statement of a period, which only reads
//! - [`promise`]: the promise for it, and its price
//! - [`post`]: closing it, with what follows
//!
//! Usage that comes late for a closed period is in [`crate::debits::closed_period`].

pub mod period;
pub mod post;
pub mod promise;
pub mod statement;
