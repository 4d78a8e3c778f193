//! The credit-to-value mapping: the worth of a unit, rate cards, and the price of an operation.
//!
//! - [`unit`]: units and their value in money
//! - [`card`]: rate cards and what is prepared for them
//! - [`publish`]: making versions of what is prepared, and what they change for customers
//! - [`versions`]: the versions of an operation's rates, and the one that applies
//! - [`price`]: the rate that applies to a usage, and its price

pub mod card;
pub mod import;
pub mod price;
pub mod publish;
pub mod unit;
pub mod versions;
