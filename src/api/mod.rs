//! The SQL functions. Each checks its arguments, calls the operation, and returns. The operation is in the room of the same noun.
//!
//! The functions callers use (`credit_*`) land in the schema the extension is installed into; the internal ones in `credit`.

pub mod access;
pub mod caps;
pub mod charges;
pub mod consumption;
pub mod debits;
pub mod holds;
pub mod ledger;
pub mod maintenance;
pub mod plans;
pub mod pools;
pub mod rates;
pub mod refunds;
pub mod schedules;
pub mod true_ups;
