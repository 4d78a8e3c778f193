//! The rules of debits: many at once, and usage that comes late.

pub mod batch;
pub mod late;
