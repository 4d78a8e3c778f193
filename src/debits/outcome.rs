//! How a debit ends.

use crate::domain::amount::Amount;
use crate::error::CapReached;

/// How a debit ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in the ledger under this posting.
    Posted(i64),
    /// It did not fit and changed nothing.
    Insufficient { available: Amount },
    /// The credits are there, but a cap leaves less; it changed nothing.
    Capped(Box<CapReached>),
}

/// The reason why a debit did not fit, and how much it lacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Short {
    pub shortfall: Amount,
    /// The cap that did not leave it, if the credits are there.
    pub cap: Option<i64>,
}

impl Outcome {
    /// Whether it did not fit.
    pub fn is_refused(&self) -> bool {
        !matches!(self, Outcome::Posted(_))
    }

    /// The posting, or what was lacking of the amount.
    pub fn or_short(self, amount: Amount) -> std::result::Result<i64, Short> {
        match self {
            Outcome::Posted(posting) => Ok(posting),
            Outcome::Insufficient { available } => {
                Err(Short { shortfall: amount.checked_sub(available).unwrap_or_default(), cap: None })
            }
            Outcome::Capped(reached) => Err(Short { shortfall: reached.shortfall(), cap: Some(reached.cap) }),
        }
    }
}
