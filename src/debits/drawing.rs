//! A debit that is ready to draw, and what came of it.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::caps::{self, Blocked, Counted, Held};
use crate::debits::outcome::Outcome;
use crate::debits::request::Debit;
use crate::domain::amount::Amount;
use crate::domain::pools::pooling::Resolved;
use crate::store::Snapshot;
use crate::store::caps::Cap;
use crate::store::debits::eligible::Eligibility;
use crate::store::holds::NewHold;
use crate::store::ledger::accounts::{Context, Member};
use crate::store::ledger::entries::DebitLine;

/// A debit whose account, unit and member have been found, ready to draw.
#[derive(Clone, Copy, Debug)]
pub struct Drawing<'a> {
    /// The lots that may pay.
    pub eligible: Eligibility<'a>,
    /// The values of each line that it writes.
    pub line: DebitLine<'a>,
    /// The amount to be drawn.
    pub amount: Amount,
    /// The decimals of the unit.
    pub decimals: u32,
    /// The id of the posting or of the hold, when a key has claimed one already.
    pub posting: Option<i64>,
    /// For how long the amount is held, where it is not debited but set aside.
    pub hold_for: Option<TimeDelta>,
    /// The generation under which the account and the member were read.
    pub generation: u64,
    /// From this instant on something of the account's schedules must be issued first.
    pub refresh_at: Option<DateTime<Utc>>,
    /// Whether the member spends the pool, and until when that counts.
    pub pooling: Resolved,
    /// The caps that may count it.
    pub caps: &'a [Cap],
}

/// The result of drawing from the lots.
#[derive(Debug)]
pub enum Drawn {
    /// It ended.
    Ended(Outcome),
    /// The account or the member changed during a wait: they are to be read again. Nothing is held.
    Changed,
    /// Something of the account's schedules must be issued first, or another policy counts by now. Nothing is held.
    Due,
    /// A cap stood in the way. Nothing is held: the lots are left alone until that is settled.
    Blocked(Blocked),
}

impl Drawing<'_> {
    /// Whether something of the account's schedules must be issued first, or another policy counts by now.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.refresh_at.is_some_and(|refresh_at| refresh_at <= now) || !self.pooling.holds(now)
    }

    /// The amounts that caps count of the debit when pooled lots pay `pooled`.
    pub fn counted(&self, pooled: Amount) -> Counted<'_> {
        Counted { account: self.eligible.account, operation: self.eligible.operation, amount: self.amount, pooled }
    }

    /// Counts the debit to the caps, of which pooled lots pay so much; nothing waits.
    ///
    /// # Errors
    /// The cap that stands in the way.
    pub fn hold_caps(&self, pooled: Amount, now: DateTime<Utc>) -> Result<Held<'_>, Blocked> {
        caps::hold(self.caps, self.counted(pooled), now)
    }

    /// The hold that it makes, if it makes one.
    pub fn new_hold(&self) -> Option<NewHold<'_>> {
        self.hold_for.map(|length| NewHold { line: self.line, unit: self.eligible.unit, length })
    }

    /// Counts in the slots of the caps that are held: as used, or as held.
    pub fn count(&self, held: Held<'_>) {
        if self.hold_for.is_some() { held.set_aside() } else { held.count() }
    }

    /// The cap that refuses what a debit would wait for the lots of, if there is one.
    pub fn waits_in_vain(&self, from_pool: bool) -> Option<Blocked> {
        if self.caps.is_empty() {
            return None;
        }
        let pooled = if from_pool { self.amount } else { Amount::ZERO };
        let reached = caps::reached(Snapshot::Fresh, self.caps, self.counted(pooled))?;
        let cap = self.caps.iter().position(|cap| cap.cap == reached.cap)?;
        Some(Blocked::by_reached(cap, pooled))
    }
}

/// A request whose account was found, and the generation of what was read for it.
pub struct Checked {
    /// The account, with its unit and member.
    pub context: Rc<Context>,
    /// The generation under which it was read.
    pub generation: u64,
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
        hold_for: request.hold_for,
        generation: checked.generation,
        refresh_at: context.refresh_at,
        pooling: context.pooling,
        caps: &context.caps,
    }
}
