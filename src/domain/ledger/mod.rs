//! The rules of the ledger: terms of lots, drawdown order, slots, prices of lots, corrections, requests.

pub mod correction;
pub mod drawdown;
pub mod layout;
pub mod lot_price;
pub mod request;
pub mod terms;
