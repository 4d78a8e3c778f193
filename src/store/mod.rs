//! Every SQL text, as statements that are planned once per backend and kept. The rules behind them are in [`crate::domain`].

mod insert;
mod statement;

pub mod access;
pub mod caps;
pub mod charges;
pub mod consumption;
pub mod debits;
pub mod holds;
pub mod ledger;
pub mod maintenance;
pub mod plans;
pub mod pools;
pub mod rates;
pub mod refunds;
pub mod schedules;
pub mod true_ups;

pub use crate::server::connection::{connected, connected_on_demand};
pub use statement::{Column, Parameter, Snapshot};
