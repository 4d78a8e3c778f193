//! The rules of rates: what an operation costs, cards as documents, repricing.

pub mod dimensions;
pub mod document;
pub mod markdown;
pub mod rate;
pub mod replay;
pub mod reprice;
