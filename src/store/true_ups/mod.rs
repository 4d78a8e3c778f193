//! The SQL of true-ups.

pub mod closed_periods;
pub mod true_up;
