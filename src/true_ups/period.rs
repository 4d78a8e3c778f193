//! The period of a true-up.

use chrono::{DateTime, Utc};

use crate::store::Snapshot;

/// A period as one snapshot shows it.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    pub from: DateTime<Utc>,
    /// Not part of it.
    pub to: DateTime<Utc>,
    pub snapshot: Snapshot,
}
