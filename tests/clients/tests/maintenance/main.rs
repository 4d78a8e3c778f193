//! Maintenance, the proof and how much it finds, and the status.

mod maintain;
mod mutations;
mod proof;
mod status;
