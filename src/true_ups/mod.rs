//! The true-up: what was promised for a period against what was consumed in it, and closing the period.
//!
//! - [`statement`]: what a period comes to, for who only reads
//! - [`promise`]: what was promised for it, and at what price
//! - [`post`]: closing it, with what follows
//!
//! Usage that comes late for a closed period is in [`crate::debits::closed`].

pub mod period;
pub mod post;
pub mod promise;
pub mod statement;
