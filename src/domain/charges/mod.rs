//! The rules of converting credits.

pub mod conversion;
