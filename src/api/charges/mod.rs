//! The SQL functions of charges.

pub mod charge;
pub mod charge_many;
pub mod convert;
