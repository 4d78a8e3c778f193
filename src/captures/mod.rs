//! Holds and their captures: credits are set aside while a spend goes on, and debited when its cost is known.

pub mod capture;
pub mod hold;
pub mod many;
