//! Errors of the ledger.

mod corrections;
mod limits;

pub use corrections::*;
pub use limits::*;
