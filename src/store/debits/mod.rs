//! The SQL of debits: which lots may pay.

pub mod eligible;
