//! The rules of schedules: periods, what they bring, what rolls over.

pub mod plan_schedule;
pub mod rollover;
pub mod schedule;
