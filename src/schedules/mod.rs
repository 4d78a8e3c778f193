//! Schedules: what is granted again and again, and what of it rolls over.
//!
//! Nothing depends on a job. What is due is issued by whoever debits next ([`refresh`]); who only reads counts what would be
//! issued ([`pending`]). Both compute it by the same rules ([`due`]), so they agree.

pub mod due;
pub mod pending;
pub mod plan_schedule;
pub mod refresh;
pub mod schedule;
pub mod seats;
