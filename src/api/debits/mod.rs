//! The SQL functions of debits.

pub mod check;
pub mod debit;
pub mod debit_many;
