//! Charges: usage that is priced by a rate card and debited, one by one or many, and converting credits of one unit to another.

pub mod charge;
pub mod charge_many;
pub mod convert;
pub mod periods;
pub mod request;
