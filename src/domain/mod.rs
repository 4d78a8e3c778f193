//! The rules of a credit economy, in plain Rust: no PostgreSQL, no clock, no I/O.
//!
//! What a number may be ([`amount`]), what a lot's terms may say ([`terms`]), which lot pays first ([`drawdown`], [`batch`]),
//! how a lot's remaining amount is laid out over its slots ([`layout`]), when two requests are the same ([`request`]), what an
//! operation costs ([`rate`], [`dimensions`]), what credits cost ([`price_list`], [`currency`]) and how that is computed ([`exact`]).

pub mod amount;
pub mod batch;
pub mod currency;
pub mod dimensions;
pub mod drawdown;
pub mod exact;
pub mod layout;
pub mod names;
pub mod price_list;
pub mod rate;
pub mod request;
pub mod terms;
