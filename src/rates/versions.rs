//! The versions of all rates of an operation, and the way to the one that applies.

use chrono::{DateTime, Utc};

use crate::domain::rates::dimensions::{Dimensions, Index};
use crate::store::rates::{self, Version};

/// The versions of the rates of one operation of a card: past, present and announced.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    versions: Vec<Version>,
    index: Index,
}

/// The versions as a writer sees them.
pub fn read(card: &str, operation: &str) -> Versions {
    rates::versions(card, operation).into_iter().collect()
}

/// The same as the calling query sees them, for readers.
pub fn read_for_reader(card: &str, operation: &str) -> Versions {
    rates::versions_for_reader(card, operation).into_iter().collect()
}

impl FromIterator<Version> for Versions {
    fn from_iter<T: IntoIterator<Item = Version>>(versions: T) -> Versions {
        let mut all = Versions::default();
        versions.into_iter().for_each(|version| all.add(version));
        all
    }
}

impl Versions {
    /// Adds one behind the others.
    pub fn add(&mut self, version: Version) {
        self.index.add(&version.dimensions, self.versions.len());
        self.versions.push(version);
    }

    /// All of them, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Those of the rate with exactly these dimensions.
    pub fn of(&mut self, dimensions: &Dimensions) -> impl Iterator<Item = &mut Version> {
        let positions = self.index.same(dimensions);
        self.versions.iter_mut().enumerate().filter(|(position, _)| positions.contains(position)).map(|(_, version)| version)
    }

    /// The version that prices usage with these dimensions at an instant: the most specific that is in force.
    pub fn applying(&self, usage: &Dimensions, at: DateTime<Utc>) -> Option<&Version> {
        self.index.applying(usage).map(|position| &self.versions[position]).find(|version| version.is_in_force(at))
    }

    /// When the last of them ends; `Some(None)` when one has no end.
    pub fn last_end(&self) -> Option<Option<DateTime<Utc>>> {
        let ends = self.versions.iter().map(|version| version.ended_at);
        ends.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)))
    }
}
