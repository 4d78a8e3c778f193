//! The rules of debits: many at once, usage that comes late, and whether one would be allowed.

pub mod batch;
pub mod check;
pub mod late;
