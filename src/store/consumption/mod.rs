//! The SQL of reports of consumption.

pub mod chargeback;
pub mod rollup;
