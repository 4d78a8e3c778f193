//! The rules of true-ups.

pub mod true_up;
