//! The SQL functions of debits.

pub mod debit;
pub mod debit_many;
