//! The functions of holds.

pub mod capture;
pub mod hold;
pub mod many;
pub mod release;
