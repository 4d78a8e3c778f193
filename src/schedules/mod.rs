//! Schedules: grants that come again and again, and the part of them that rolls over.
//!
//! Nothing depends on a job. The next debit issues what is due ([`refresh`]). A call that only reads counts what would be
//! issued ([`pending`]). Both compute it by the same rules ([`due`]), so they agree.

pub mod due;
pub mod pending;
pub mod plan_schedule;
pub mod refresh;
pub mod schedule;
pub mod seats;
