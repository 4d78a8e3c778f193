//! Usage that arrives after a lot has expired which was in force when it happened.

use chrono::{DateTime, Utc};

/// A lot for whose life usage comes too late.
#[derive(Clone, Copy, Debug)]
pub struct TooLate {
    /// The lot in whose life the usage happened.
    pub lot: i64,
    pub expires_at: DateTime<Utc>,
    /// The end of the grace.
    pub accepted_until: DateTime<Utc>,
}

/// The treatment of usage that comes late, as an account says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LateUsage {
    /// It is refused.
    Reject,
    /// The lots that are in force when it arrives pay for it.
    #[default]
    Current,
    /// The lots that have expired pay for it with what they lost.
    Original,
}

impl LateUsage {
    const ALL: [(LateUsage, &'static str); 3] =
        [(LateUsage::Reject, "reject"), (LateUsage::Current, "current"), (LateUsage::Original, "original")];

    /// All names in SQL, for people.
    pub const NAMES: &'static str = "reject, current, original";

    /// The treatment that a name in SQL means.
    pub fn of_name(name: &str) -> Option<LateUsage> {
        LateUsage::ALL.into_iter().find(|(_, known)| *known == name).map(|(policy, _)| policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_sql() {
        for name in LateUsage::NAMES.split(", ") {
            assert!(LateUsage::of_name(name).is_some(), "{name}");
        }
        assert_eq!(LateUsage::of_name("Current"), None);
        assert_eq!(LateUsage::of_name("current"), Some(LateUsage::default()));
    }
}
