//! Whether a debit would be allowed: everything that decides it is read once, as the calling query sees it, and the decision made
//! by it, for now and for later. Nothing is written and no lock taken, so it serves on a standby too.
//!
//! What is due of schedules counts though it is not issued, and what holds have whose time is over counts as free: a debit issues
//! it, or gives it back, before it is refused.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::amount::Amount;
use crate::domain::caps::period::Period;
use crate::domain::caps::tally::Tally;
use crate::domain::debits::check::{Cap, Credits, Lot, Schedules, Until, World};
use crate::domain::pools::department;
use crate::domain::pools::pooling::Pooling;
use crate::schedules::pending;
use crate::store::Snapshot;
use crate::store::caps::{self, cap_slots};
use crate::store::debits::check::{self as store, Counted, Holding};
use crate::store::debits::eligible::Eligibility;
use crate::store::ledger::accounts::Context;
use crate::store::pools::pooling;

/// How far ahead it is looked at most.
const FARTHEST: TimeDelta = TimeDelta::days(365);

/// How many changes of the right to spend the pool are looked at.
const MOST_CHANGES: usize = 64;

/// The debit that is asked about, and the instant.
pub struct Question<'a> {
    eligible: Eligibility<'a>,
    context: &'a Context,
    now: DateTime<Utc>,
    /// The schedules, once they are needed.
    schedules: OnceCell<pending::Ahead>,
}

impl<'a> Question<'a> {
    /// A question as of now.
    pub fn new(eligible: Eligibility<'a>, context: &'a Context, now: DateTime<Utc>) -> Question<'a> {
        Question { eligible, context, now, schedules: OnceCell::new() }
    }

    /// Everything that decides it.
    pub fn world(&self) -> World<'_> {
        let pool_pays = self.pool_pays();
        let member = Some(self.eligible.member).filter(|member| !member.is_empty());
        let owners: Vec<&str> = member.into_iter().chain(pool_pays.iter().any(|(_, pays)| *pays).then_some("")).collect();
        let Eligibility { account, unit, .. } = self.eligible;
        let holdings = store::holdings(account, unit);
        World { lots: self.lots(&owners, &holdings), caps: self.caps(&holdings), pool_pays, schedules: self }
    }

    /// The first instant after now at which a debit of the amount would be allowed, if nothing else happens.
    pub fn free_at(&self, world: &World<'_>, amount: Amount) -> Option<DateTime<Utc>> {
        world.free_at(amount, self.now, self.now + FARTHEST)
    }

    /// Since when the pool pays, or does not.
    fn pool_pays(&self) -> Vec<(DateTime<Utc>, bool)> {
        let Eligibility { account, member, pool, .. } = self.eligible;
        let mut changes = vec![(self.now, pool)];
        let member = Some(member).filter(|member| !member.is_empty());
        let (Some(_), Some(mut until)) = (member, self.context.pooling.until) else { return changes };
        let department = self.context.member.as_ref().and_then(|member| member.department.as_deref());
        let policy = pooling::policy_of(Snapshot::OfCaller, account, self.context.pooling.pooling, member, department);
        while until <= self.now + FARTHEST && changes.len() < MOST_CHANGES {
            let resolved = policy.resolve(member, department, until);
            changes.push((until, resolved.pooling == Pooling::Pooled));
            let Some(next) = resolved.until else { break };
            until = next;
        }
        changes
    }

    fn lots(&self, owners: &[&str], holdings: &[Holding]) -> Vec<Lot> {
        let account = self.eligible.account;
        let mut lots = store::open_lots(self.eligible, owners, self.now);
        let mut held: HashMap<i64, Vec<Until>> = HashMap::new();
        for holding in holdings {
            held.entry(holding.lot).or_default().push(Until { ends_at: holding.ends_at, amount: holding.amount });
        }
        if held.is_empty() {
            return lots;
        }
        let open: BTreeSet<i64> = lots.iter().map(|lot| lot.lot).collect();
        let others: Vec<i64> = held.keys().copied().filter(|lot| !open.contains(lot)).collect();
        if !others.is_empty() {
            lots.extend(store::closed_lots(self.eligible, owners, self.now, &others));
        }
        let with_holds: Vec<i64> = held.keys().copied().collect();
        let taking_back: BTreeMap<i64, DateTime<Utc>> =
            store::taking_back_until(account, &with_holds).into_iter().rev().collect();
        for lot in &mut lots {
            lot.held = held.remove(&lot.lot).unwrap_or_default();
            lot.takes_back_until = taking_back.get(&lot.lot).copied();
        }
        lots
    }

    /// The caps that count the debit and block.
    fn caps(&self, holdings: &[Holding]) -> Vec<Cap> {
        let counts = |cap: &&'a caps::Cap| cap.blocks && cap.counts(self.eligible.operation);
        let counting: Vec<&caps::Cap> = self.context.caps.iter().filter(counts).collect();
        if counting.is_empty() {
            return Vec::new();
        }
        let ids: Vec<i64> = counting.iter().map(|cap| cap.cap).collect();
        let slots = store::counted(self.eligible.account, &ids);
        let of_cap = |cap: &caps::Cap| {
            let slots: Vec<&Counted> = slots.iter().filter(|slot| slot.cap == cap.cap).collect();
            self.cap(cap, &slots, holdings)
        };
        counting.into_iter().map(of_cap).collect()
    }

    fn cap(&self, cap: &caps::Cap, slots: &[&Counted], holdings: &[Holding]) -> Cap {
        let account = self.eligible.account;
        let period = cap.period_for_reader(account, self.now);
        let is_ahead = slots.iter().any(|slot| slot.tally.ahead_of(period, self.now).is_some());
        let (period, tally, of_holds) = if is_ahead || slots.is_empty() {
            // The clock was set back behind what they have counted.
            let surveyed = cap_slots::survey(Snapshot::OfCaller, account, &[cap.cap]).pop();
            let surveyed = surveyed.expect("caps are never deleted");
            (surveyed.period, surveyed.tally, surveyed.held)
        } else {
            let tally = Tally::sum(slots.iter().map(|slot| &slot.tally), period);
            (period, tally, slots.iter().map(|slot| slot.held).sum())
        };
        let used = used(cap, &tally, period);
        let resets_at = match cap.over.window() {
            Some(_) => used.iter().map(|until| until.ends_at).min(),
            None => Some(period.ends_at),
        };
        let held = if of_holds.is_zero() { Vec::new() } else { holdings.iter().filter_map(|of| held_of(cap, of)).collect() };
        Cap { cap: cap.cap, pool: cap.pool, limit: cap.limit, used, held, resets_at }
    }
}

/// What was used of a cap, and until when each part counts.
fn used(cap: &caps::Cap, tally: &Tally, period: Period) -> Vec<Until> {
    match cap.over.window() {
        Some(window) => {
            let counting = tally.steps.iter().flatten().filter(|(step, _)| period.counts(*step));
            counting.map(|(step, amount)| Until { ends_at: window.falls_out(*step), amount: *amount }).collect()
        }
        None => vec![Until { ends_at: period.ends_at, amount: tally.used_in(period) }],
    }
}

/// What a hold has of a cap, by one of its lots: it counts as the debit would that captures it.
fn held_of(cap: &caps::Cap, holding: &Holding) -> Option<Until> {
    let is_within = |of: &String| holding.department.as_deref().is_some_and(|department| department::is_within(department, of));
    let counts = cap.counts(holding.operation.as_deref())
        && (cap.member.is_none() || cap.member == holding.member)
        && cap.department.as_ref().is_none_or(is_within)
        && (holding.pooled || !cap.pool);
    counts.then_some(Until { ends_at: holding.ends_at, amount: holding.amount })
}

impl Question<'_> {
    fn schedules(&self) -> &pending::Ahead {
        self.schedules.get_or_init(|| pending::Ahead::read(self.eligible.account, self.eligible.unit))
    }
}

impl Schedules for Question<'_> {
    fn credits(&self, at: DateTime<Utc>) -> Credits {
        let mut credits = Credits::default();
        if !self.context.is_due(at) {
            return credits;
        }
        let pending = self.schedules().at(at);
        let lots = pending.lots.iter().map(|lot| (lot.member.as_str(), lot.available));
        let trims = pending.trims.iter().map(|trim| (trim.member.as_str(), trim.amount.negated()));
        for (owner, amount) in lots.chain(trims).filter(|(owner, _)| owner.is_empty() || *owner == self.eligible.member) {
            credits.add(owner.is_empty(), amount);
        }
        credits
    }

    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.context.refresh_at.and_then(|_| self.schedules().next(after))
    }
}
