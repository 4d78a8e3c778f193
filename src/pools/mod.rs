//! Pools: who may spend what an account has in common, and moving credits between members and the pool.

pub mod pooling;
pub mod rebalance;
pub mod transfer;
