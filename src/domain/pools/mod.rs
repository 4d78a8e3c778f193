//! The rules of pools: who spends the pool, departments, transfers, rebalancing.

pub mod department;
pub mod pooling;
pub mod rebalance;
pub mod transfers;
