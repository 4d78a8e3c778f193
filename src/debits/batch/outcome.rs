//! How the items of a batch end.

use pgrx::pg_sys::panic::ErrorReport;

use crate::debits::outcome::Short;
use crate::debits::request::Debit;
use crate::error;

/// The modes of a batch: they say what happens when a debit does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is debited at all.
    All,
    /// The others are debited all the same.
    Each,
    /// Each is debited as far as credits and caps reach.
    Available,
}

/// How one debit of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It is in the ledger under this posting.
    Posted(i64),
    /// A part of it is, and this amount was missing.
    Part(i64, Short),
    /// It took nothing; this amount was missing.
    Short(Short),
}

impl ItemOutcome {
    /// Whether it is in the ledger.
    pub fn is_posted(&self) -> bool {
        self.posting().is_some()
    }

    /// Its posting, whole or in part.
    pub fn posting(&self) -> Option<i64> {
        match self {
            ItemOutcome::Posted(posting) | ItemOutcome::Part(posting, _) => Some(*posting),
            ItemOutcome::Short(_) => None,
        }
    }

    /// The part of it that was missing.
    pub fn short(&self) -> Option<Short> {
        match self {
            ItemOutcome::Posted(_) => None,
            ItemOutcome::Part(_, short) | ItemOutcome::Short(short) => Some(*short),
        }
    }
}

/// The refusal of an item, by the number that the caller knows it under.
pub fn in_item(items: &[Debit<'_>], index: usize, refusal: ErrorReport) -> ErrorReport {
    error::in_item(refusal, items[index].item.unwrap_or(index))
}
