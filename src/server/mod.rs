//! The parts of the server that pg_credit uses beyond SQL.

pub mod backend;
pub mod clock;
pub mod connection;
pub mod contention;
pub mod encoding;
pub mod error_log;
pub mod heap;
pub mod identity;
pub mod invalidation;
pub mod locks;
pub mod refusal;
pub mod rendering;
pub mod subtransaction;
pub mod time_zone;
pub mod transactions;
