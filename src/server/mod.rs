//! What pg_credit uses of the server it runs in, beyond SQL.

pub mod arrival;
pub mod clock;
pub mod connection;
pub mod encoding;
pub mod error_log;
pub mod heap;
pub mod identity;
pub mod invalidation;
pub mod lock;
pub mod new_cap;
pub mod refusal;
pub mod rendering;
pub mod subtransaction;
pub mod time_zone;
pub mod transactions;
