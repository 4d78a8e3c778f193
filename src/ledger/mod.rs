//! The ledger's own operations: finding an account, granting, voiding, expiry, whole lots, idempotency keys.

pub mod account;
pub mod closed;
pub mod context;
pub mod correction;
pub mod expiry;
pub mod grant;
pub mod idempotency;
pub mod striping;
pub mod whole_lot;
pub mod withdraw;
