//! The rules of a credit economy, in plain Rust: no PostgreSQL, no clock, no I/O.
//!
//! What a number may be ([`amount`]), what a lot's terms may say ([`terms`]), which lot pays first ([`drawdown`], [`batch`]),
//! how a lot's remaining amount is laid out over its slots ([`layout`]), when two requests are the same ([`request`]), what an
//! operation costs ([`rate`], [`dimensions`]) and how that is computed ([`exact`]), what credits cost ([`price_list`], [`currency`]),
//! what a subscription grants and charges when its plan changes ([`subscription`]),
//! what credits of one unit become in another ([`conversion`]), which part of a lot's price goes along with credits that leave it ([`lot_price`]),
//! what a debit gets back ([`correction`]), which rate follows from a new cost ([`reprice`]) and what would have
//! been paid by it ([`replay`]), what a schedule brings ([`calendar`], [`schedule`], [`rollover`]) and how much of it is left
//! after changes of plan ([`plan_schedule`]), how a card is written as a document
//! ([`document`]) and a table for people ([`markdown`]), and what will expire unused ([`forecast`]); what happens to usage that comes
//! late ([`late`]), who may spend the pool ([`pooling`], [`department`]), what limits spending ([`cap`], [`rolling`], [`tally`]), who may give credits to whom
//! ([`transfers`], [`rebalance`]), and what a commitment comes to ([`true_up`]).

pub mod amount;
pub mod calendar;
pub mod caps;
pub mod charges;
pub mod currency;
pub mod debits;
pub mod exact;
pub mod ledger;
pub mod maintenance;
pub mod names;
pub mod plans;
pub mod pools;
pub mod rates;
pub mod schedules;
pub mod true_ups;
