//! The time in which a cap counts.

use chrono::{DateTime, Utc};

/// The time whose debits count at an instant: from `starts_at` on, as long as it is before `ends_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant that counts.
    pub starts_at: DateTime<Utc>,
    /// The first instant that does not count any more.
    pub ends_at: DateTime<Utc>,
    /// When the step began that runs, of a rolling window.
    pub step: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether a period of the calendar is over at an instant. A rolling window then only has more left.
    pub fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.step.is_none() && at >= self.ends_at
    }
}
