//! The rules of caps: periods, rolling windows, and what a slot counts.

pub mod cap;
pub mod period;
pub mod rolling;
pub mod tally;
