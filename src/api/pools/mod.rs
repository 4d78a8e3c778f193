//! The SQL functions of pools.

pub mod pooling;
pub mod rebalance;
pub mod transfer;
