//! A debit that is ready to draw, and how it ends.

use std::cell::Cell;
use std::rc::Rc;

use chrono::{DateTime, Utc};

use crate::caps::{self, Blocked, Counted, Held};
use crate::debits::debit::Debit;
use crate::domain::amount::Amount;
use crate::domain::pools::pooling::Resolved;
use crate::error::CapReached;
use crate::store::caps::Cap;
use crate::store::debits::eligible::Eligibility;
use crate::store::ledger::accounts::{Context, Member};
use crate::store::ledger::entries::DebitLine;

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

/// What a debit that did not fit lacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Short {
    pub shortfall: Amount,
    /// The cap that did not leave it, if the credits are there.
    pub cap: Option<i64>,
}

impl Outcome {
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

/// A debit whose account, unit and member have been found, ready to draw.
#[derive(Clone, Copy, Debug)]
pub struct Drawing<'a> {
    pub eligible: Eligibility<'a>,
    pub line: DebitLine<'a>,
    pub amount: Amount,
    /// The decimals of the unit.
    pub decimals: u32,
    /// The posting id, when a key has claimed one already.
    pub posting: Option<i64>,
    /// What the account and the member were read under.
    pub generation: u64,
    /// From this instant on something of the account's schedules must be issued first.
    pub refresh_at: Option<DateTime<Utc>>,
    /// Whether the member spends the pool, and until when that counts.
    pub pooling: Resolved,
    /// The caps that may count it.
    pub caps: &'a [Cap],
    /// What came of the last attempt to count it.
    pub blocked: &'a Cell<Option<Blocked>>,
}

impl Drawing<'_> {
    /// Whether something of the account's schedules must be issued first, or another policy counts by now.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.refresh_at.is_some_and(|refresh_at| refresh_at <= now) || !self.pooling.holds(now)
    }

    /// Whether a cap stood in the way: then the lots are left alone until that is settled.
    pub fn is_blocked(&self) -> bool {
        self.blocked.get().is_some()
    }

    /// Counts the debit to the caps, of which pooled lots pay so much; nothing waits. `None` when a cap stands in the way.
    pub fn hold_caps(&self, pooled: Amount, now: DateTime<Utc>) -> Option<Held<'_>> {
        let counted = Counted { account: self.eligible.account, operation: self.eligible.operation, amount: self.amount, pooled };
        match caps::hold(self.caps, counted, now) {
            Ok(held) => Some(held),
            Err(blocked) => {
                self.blocked.set(Some(blocked));
                None
            }
        }
    }
}

/// A request whose account was found, and the generation of what was read for it.
pub struct Checked {
    pub context: Rc<Context>,
    pub generation: u64,
    pub blocked: Cell<Option<Blocked>>,
}

/// The drawing of a request that was checked.
pub fn drawing<'a>(request: Debit<'a>, checked: &'a Checked, member: Option<&'a Member>, posting: Option<i64>) -> Drawing<'a> {
    let context: &Context = &checked.context;
    Drawing {
        eligible: request.eligible(context),
        line: request.line(member),
        amount: request.amount,
        decimals: context.unit_decimals(),
        posting,
        generation: checked.generation,
        refresh_at: context.refresh_at,
        pooling: context.pooling,
        caps: &context.caps,
        blocked: &checked.blocked,
    }
}
