//! Pools: who spends them, and transfers.

mod pooling;
mod transfers;
