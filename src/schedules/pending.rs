//! The lots that are due but not issued, for calls that only read: a reader cannot issue them, and on a standby nobody can. They
//! count as if they were there.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::schedules::rollover::less;
use crate::domain::schedules::schedule::{LotId, Planned, Step, Terms};
use crate::error::Result;
use crate::schedules::due::{LineDue, State};
use crate::store::{Snapshot, schedules};

/// A lot that is due but not issued, as it would be at an instant.
pub struct PendingLot {
    /// Empty for the pool.
    pub member: String,
    pub category: String,
    pub source: &'static str,
    pub priority: i16,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// The credits that it would have now.
    pub available: Amount,
}

/// The credits that a limit on carried credits, or the end of its schedule, takes from a lot that is in the ledger.
pub struct PendingTrim {
    pub member: String,
    pub lot: i64,
    /// The credits that the lot would lose.
    pub amount: Amount,
}

/// The lots of an account and unit that are due by an instant and not issued, and the credits that are then taken.
#[derive(Default)]
pub struct Pending {
    /// The lots that would come.
    pub lots: Vec<PendingLot>,
    /// The credits that would go from lots in the ledger.
    pub trims: Vec<PendingTrim>,
}

/// The schedules of an account in a unit, as the calling query sees them: what they bring if nothing is debited until then.
pub struct Ahead {
    state: State,
    unit: String,
}

impl Ahead {
    /// Reads them.
    pub fn read(account: &str, unit: &str) -> Ahead {
        Ahead { state: State::read(account, Snapshot::OfCaller), unit: unit.to_owned() }
    }

    /// What is pending at an instant.
    pub fn at(&self, at: DateTime<Utc>) -> Pending {
        let state = &self.state;
        let mut pending = Pending::default();
        // Later events do not matter, nor do lots that nobody will look at again.
        let due = state.due_for_reader(at);
        for line in due.iter().filter(|line| line.schedule.unit == self.unit) {
            let lapsed = lapsed(line, at);
            pending.lots.extend((0..line.due.lots.len()).filter_map(|lot| pending_lot(line, lot, &lapsed, at)));
            let living = |lot: i64| state.held.iter().any(|row| row.lot == lot && row.expires_at.is_none_or(|end| end > at));
            let trims = line.due.steps.iter().filter_map(|step| match *step {
                Step::Lapse { lot: LotId::Known(lot), amount, at: when, .. } if line.counts_from(when) <= at && living(lot) => {
                    Some(PendingTrim { member: line.member.to_owned(), lot, amount })
                }
                _ => None,
            });
            pending.trims.extend(trims);
        }
        pending
    }

    /// The first instant after another at which a period of one of the schedules begins.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = |terms: &Terms| {
            let begins = if after < terms.starts_at {
                terms.starts_at
            } else {
                let calendar = self.state.calendar();
                terms.cycle.start(calendar, terms.cycle.containing(calendar, after) + 1)
            };
            (terms.ends_at.is_none_or(|ends_at| begins < ends_at)).then_some(begins)
        };
        self.state.schedules.iter().filter(|known| known.unit == self.unit).filter_map(|known| next(&known.terms)).min()
    }
}

/// The pending lots at an instant, as the calling query sees the account: at an instant to come as if nothing were debited until
/// then.
pub fn at(account: &str, unit: &str, at: DateTime<Utc>) -> Pending {
    Ahead::read(account, unit).at(at)
}

/// Checks that an instant to come is not too many periods of a schedule away for them to be counted.
///
/// # Errors
/// 22023.
pub fn check_distance(account: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let known = schedules::schedules(account, Snapshot::OfCaller);
    let mut lasting = known.iter().map(|known| &known.terms).filter(|terms| terms.ends_at.is_none_or(|ends_at| ends_at > now));
    lasting.try_for_each(|terms| {
        let until = terms.ends_at.map_or(at, |ends_at| ends_at.min(at));
        crate::schedules::schedule::check_distance(terms.cycle, "at", now, until)
    })
}

/// The losses of planned lots by an instant at which they live on.
fn lapsed(line: &LineDue<'_>, at: DateTime<Utc>) -> HashMap<usize, Amount> {
    let mut lapsed = HashMap::new();
    for step in &line.due.steps {
        if let Step::Lapse { lot: LotId::Planned(lot), amount, at: when, ends: false } = *step
            && line.counts_from(when) <= at
        {
            let known = lapsed.entry(lot).or_insert(Amount::ZERO);
            *known = known.checked_add(amount).expect("a part of a lot");
        }
    }
    lapsed
}

/// The planned lot, if it is in force at the instant.
fn pending_lot(line: &LineDue<'_>, index: usize, lapsed: &HashMap<usize, Amount>, at: DateTime<Utc>) -> Option<PendingLot> {
    let Planned { effective_at, expires_at, rolled, granted, .. } = line.due.lots[index];
    if line.counts_from(effective_at) > at || expires_at.is_some_and(|expires_at| expires_at <= at) {
        return None;
    }
    Some(PendingLot {
        member: line.member.to_owned(),
        category: line.schedule.category.clone(),
        source: if rolled > 0 { "rollover" } else { "allocation" },
        priority: line.priority(rolled),
        effective_at,
        expires_at,
        available: less(granted, lapsed.get(&index).copied().unwrap_or(Amount::ZERO)),
    })
}
