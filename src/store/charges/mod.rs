//! The SQL of converting credits.

pub mod conversions;
