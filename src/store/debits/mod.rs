//! The SQL of debits: which lots may pay, and what decides whether they would.

pub mod check;
pub mod eligible;
