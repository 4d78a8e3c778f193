//! The rules of holds: what a capture takes of which lots, and what goes back.

pub mod hold;
