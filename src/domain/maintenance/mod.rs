//! The forecast of expiry.

pub mod forecast;
