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
}

/// How one debit of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It is in the ledger under this posting.
    Posted(i64),
    /// It took nothing; this amount was missing.
    Short(Short),
}

impl ItemOutcome {
    /// Whether it is in the ledger.
    pub fn is_posted(&self) -> bool {
        matches!(self, ItemOutcome::Posted(_))
    }
}

/// The refusal of an item, by the number that the caller knows it under.
pub fn in_item(items: &[Debit<'_>], index: usize, refusal: ErrorReport) -> ErrorReport {
    error::in_item(refusal, items[index].item.unwrap_or(index))
}
