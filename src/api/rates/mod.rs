//! The SQL functions of rates.

pub mod conversion_table;
pub mod design;
pub mod rate_cards;
pub mod reprice;
pub mod units;
