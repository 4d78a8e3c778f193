//! The rules of a credit economy, in plain Rust: no PostgreSQL, no clock, no I/O.
//!
//! - [`amount`], [`exact`], [`currency`], [`calendar`], [`names`]: numbers, money, time and names
//! - [`ledger`]: the terms of a lot, the drawdown order, the layout over slots, the part of a lot's price that goes along with
//!   credits that leave it, corrections, and whether two requests are the same
//! - [`debits`]: the debits of a batch, usage that comes late, and whether a debit would be allowed
//! - [`refunds`]: how a refund falls on the lines of a debit
//! - [`holds`]: what captures take of a hold, and what goes back
//! - [`rates`]: rates and dimensions, prices by them, the card as a document and as a table, repricing and replay
//! - [`charges`]: conversion between units
//! - [`plans`]: price lists, and the grants and charges of a subscription whose plan changes
//! - [`schedules`]: the lots of a schedule, rollover, and the schedules of a plan after changes of plan
//! - [`pools`]: the right to spend the pool, departments, transfers and rebalancing
//! - [`caps`]: limits on spending
//! - [`true_ups`]: the result of a commitment
//! - [`maintenance`]: the forecast of credits that will expire unused

pub mod amount;
pub mod calendar;
pub mod caps;
pub mod charges;
pub mod currency;
pub mod debits;
pub mod exact;
pub mod holds;
pub mod ledger;
pub mod maintenance;
pub mod names;
pub mod plans;
pub mod pools;
pub mod rates;
pub mod refunds;
pub mod schedules;
pub mod true_ups;
