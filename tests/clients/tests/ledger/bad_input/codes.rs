//! The SQLSTATEs of the design's table.

pub const INVALID: &str = "22023";
pub const OUT_OF_RANGE: &str = "22003";
pub const UNKNOWN: &str = "P0002";
pub const KEY_REUSED: &str = "23505";
pub const WRONG_STATE: &str = "55000";
pub const INSUFFICIENT: &str = "23514";
