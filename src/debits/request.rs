//! A request to debit, as the caller said it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::caps::settle::Holder;
use crate::domain::amount::Amount;
use crate::ledger::idempotency::Keyed;
use crate::store::debits::eligible::Eligibility;
use crate::store::ledger::accounts::{Context, Member};
use crate::store::ledger::entries::{DebitLine, Usage};

/// A debit.
#[derive(Clone, Copy, Debug)]
pub struct Debit<'a> {
    pub account: &'a str,
    pub amount: Amount,
    pub member: Option<&'a str>,
    pub operation: Option<&'a str>,
    /// The unit; `None` for the account's own.
    pub unit: Option<&'a str>,
    /// When the usage happened; `None` for now.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The idempotency key, if there is one.
    pub keyed: Option<Keyed<'a>>,
    /// The posting id, when the caller has claimed a key for it already.
    pub posting: Option<i64>,
    pub metadata: Option<&'a str>,
    /// The task, session or conversation it belongs to.
    pub run: Option<&'a str>,
    /// What the usage was of, beside its operation, as a JSON object.
    pub dimensions: Option<&'a str>,
    /// The usage that the amount is the price of, for a charge.
    pub usage: Option<Usage>,
    /// The hold that it captures more than was held of.
    pub hold: Option<i64>,
    /// For how long the amount is held, where it is not debited but set aside.
    pub hold_for: Option<TimeDelta>,
    /// Its number among what the caller gave, where that is not its number in the batch.
    pub item: Option<usize>,
}

impl<'a> Debit<'a> {
    /// The conditions on the lots that may pay for it.
    pub fn eligible(&self, context: &'a Context) -> Eligibility<'a> {
        Eligibility {
            account: self.account,
            unit: &context.unit,
            member: self.member.unwrap_or_default(),
            pool: context.pool_pays(self.member),
            operation: self.operation,
        }
    }

    /// The spending that it counts as, whatever its operation.
    pub fn drawer<'b>(&self, context: &'b Context) -> Holder<'b>
    where
        'a: 'b,
    {
        let department = context.member.as_ref().and_then(|member| member.department.as_deref());
        Holder { account: self.account, unit: &context.unit, member: self.member, department, operation: None }
    }

    /// The values that every line of the debit has; the department is the one that the member has now.
    pub fn line(&self, member: Option<&'a Member>) -> DebitLine<'a> {
        DebitLine {
            account: self.account,
            member: self.member,
            department: member.and_then(|member| member.department.as_deref()),
            operation: self.operation,
            occurred_at: self.occurred_at,
            metadata: self.metadata,
            run: self.run,
            dimensions: self.dimensions,
            hold: self.hold,
            usage: self.usage,
        }
    }
}
