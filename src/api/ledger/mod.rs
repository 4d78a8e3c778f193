//! The SQL functions of the ledger.

pub mod accounts;
pub mod amounts;
pub mod balance;
pub mod clock;
pub mod grant;
pub mod lots;
pub mod trigger;
