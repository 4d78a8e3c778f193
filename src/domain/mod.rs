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
pub mod batch;
pub mod calendar;
pub mod cap;
pub mod conversion;
pub mod correction;
pub mod currency;
pub mod department;
pub mod dimensions;
pub mod document;
pub mod drawdown;
pub mod exact;
pub mod forecast;
pub mod late;
pub mod layout;
pub mod lot_price;
pub mod markdown;
pub mod names;
pub mod plan_schedule;
pub mod pooling;
pub mod price_list;
pub mod rate;
pub mod rebalance;
pub mod replay;
pub mod reprice;
pub mod request;
pub mod rolling;
pub mod rollover;
pub mod schedule;
pub mod subscription;
pub mod tally;
pub mod terms;
pub mod transfers;
pub mod true_up;
