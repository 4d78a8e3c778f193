//! The SQL of pools: pooling rules, departments, transfers.

pub mod departments;
pub mod pooling;
pub mod transfers;
