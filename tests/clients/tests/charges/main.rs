//! Charges by rate cards, and conversions.

mod charge_many;
mod charges;
mod convert;
