//! The SQL of the ledger: accounts and members, lots and slots, entries, corrections, keys, sequences.

pub mod account_calendar;
pub mod accounts;
pub mod balances;
pub mod breakage;
pub mod corrections;
pub mod entries;
pub mod lots;
pub mod requests;
pub mod sequences;
pub mod slots;
