//! The rules of holds: what a capture takes of which lots, and what goes back.

mod hold;

pub use hold::*;
