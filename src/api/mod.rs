//! The SQL functions. Each checks its arguments, calls the operation, and returns; what it does stands in `posting`.
//!
//! The functions callers use (`credit_*`) land in the schema the extension is installed into; the internal ones in `credit`.

pub mod access;
pub mod accounts;
pub mod amounts;
pub mod balance;
pub mod caps;
pub mod charge;
pub mod charge_many;
pub mod clock;
pub mod consumption;
pub mod conversion_table;
pub mod convert;
pub mod debit;
pub mod debit_many;
pub mod design;
pub mod forecast;
pub mod grant;
pub mod guards;
pub mod lots;
pub mod maintenance;
pub mod plans;
pub mod pooling;
pub mod purchases;
pub mod rate_cards;
pub mod rebalance;
pub mod reprice;
pub mod schedules;
pub mod status;
pub mod subscriptions;
pub mod transfer;
pub mod trigger;
pub mod true_up;
pub mod units;
