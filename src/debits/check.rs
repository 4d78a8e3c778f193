//! Whether a debit would be allowed: the same decision that it would meet, without making it. Nothing is written and no lock
//! taken, so it serves on a standby too.
//!
//! What is due of schedules counts though it is not issued, and what holds have whose time is over counts as free. Where a debit
//! would be refused, the instants are looked at in turn at which something changes by itself: a lot comes into effect, a schedule
//! brings credits, a cap has headroom again, a hold ends.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::amount::Amount;
use crate::domain::caps::period::Period;
use crate::schedules::pending;
use crate::store::Snapshot;
use crate::store::caps::{Cap, cap_slots};
use crate::store::debits::eligible::{self, Eligibility};
use crate::store::holds;
use crate::store::ledger::accounts::Context;

/// How many instants are looked at for when a debit would be allowed.
const MOST_INSTANTS: usize = 64;

/// How far ahead they lie at most.
const FARTHEST: TimeDelta = TimeDelta::days(365);

/// How many lots are added up at most.
const MOST_LOTS: i32 = 100_000;

/// The credits that a debit could draw at an instant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credits {
    /// Of the member's own lots.
    pub own: Amount,
    /// Of the pool's.
    pub pooled: Amount,
    /// What open holds have of these lots.
    pub held: Amount,
}

impl Credits {
    /// All of them.
    pub fn all(&self) -> Amount {
        self.own.checked_add(self.pooled).unwrap_or(Amount::MAX)
    }
}

/// A cap that counts the debit and blocks, as it stands.
#[derive(Debug)]
pub struct CapAt<'a> {
    pub cap: &'a Cap,
    pub now: cap_slots::Counted,
    /// What counts as used of it, at the instant that was asked for.
    pub used: Amount,
    /// What open holds have of it then.
    pub held: Amount,
    pub period: Period,
}

impl CapAt<'_> {
    /// What is left of the limit.
    pub fn headroom(&self) -> Amount {
        let left = self.now.limit.checked_sub(self.used).and_then(|left| left.checked_sub(self.held));
        left.unwrap_or_default().max(Amount::ZERO)
    }
}

/// The answer to a debit at an instant.
#[derive(Debug)]
pub struct Answer<'a> {
    pub credits: Credits,
    /// The cap that leaves least, of those that leave too little.
    pub in_the_way: Option<CapAt<'a>>,
    pub is_allowed: bool,
}

/// The debit that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub eligible: Eligibility<'a>,
    pub context: &'a Context,
    pub amount: Amount,
}

impl<'a> Question<'a> {
    /// The credits at an instant.
    pub fn credits(&self, at: DateTime<Utc>) -> Credits {
        let usable = eligible::usable_to_reader(self.eligible, at, MOST_LOTS);
        let of = |pooled: bool| -> Amount {
            let of_owner = usable.iter().filter(|lot| lot.source.rank.pooled == pooled);
            of_owner.map(|lot| lot.source.available).fold(Amount::ZERO, plus)
        };
        let mut credits = Credits { own: of(false), pooled: of(true), held: Amount::ZERO };
        for part in holds::of_eligible(self.eligible, at) {
            let owner = if part.pooled { &mut credits.pooled } else { &mut credits.own };
            *owner = plus(*owner, part.ended);
            credits.held = plus(credits.held, part.held);
        }
        if self.context.is_due(at) {
            self.add_pending(&mut credits, at);
        }
        credits
    }

    fn add_pending(&self, credits: &mut Credits, at: DateTime<Utc>) {
        let Eligibility { account, unit, member, pool, .. } = self.eligible;
        let pays = |owner: &str| if owner.is_empty() { pool } else { owner == member };
        let pending = pending::at(account, unit, at);
        let lots = pending.lots.iter().map(|lot| (lot.member.as_str(), lot.available));
        let trims = pending.trims.iter().map(|trim| (trim.member.as_str(), trim.amount.negated()));
        for (owner, amount) in lots.chain(trims).filter(|(owner, _)| pays(owner)) {
            let of_owner = if owner.is_empty() { &mut credits.pooled } else { &mut credits.own };
            *of_owner = plus(*of_owner, amount);
        }
    }

    /// The caps that count it and block, as they stand at an instant.
    pub fn caps(&self, at: DateTime<Utc>) -> Vec<CapAt<'a>> {
        let account = self.eligible.account;
        let counting = self.context.caps.iter().filter(|cap| cap.blocks && cap.counts(self.eligible.operation));
        let counting: Vec<&'a Cap> = counting.collect();
        if counting.is_empty() {
            return Vec::new();
        }
        let ids: Vec<i64> = counting.iter().map(|cap| cap.cap).collect();
        let surveyed = cap_slots::survey(Snapshot::OfCaller, account, &ids);
        let cap_at = |(cap, now): (&'a Cap, cap_slots::Counted)| {
            let at = at.max(now.now);
            let period = if at < now.period.ends_at { now.period } else { cap.period_for_reader(account, at) };
            let used = if period == now.period || period.step.is_some() { now.tally.used_in(period) } else { Amount::ZERO };
            let ended = if now.held.is_zero() { now.held } else { cap_slots::ended(Snapshot::OfCaller, account, cap.cap, at) };
            let held = now.held.checked_sub(ended).unwrap_or_default();
            CapAt { cap, now, used, held, period }
        };
        counting.into_iter().zip(surveyed).map(cap_at).collect()
    }

    /// The answer at an instant.
    pub fn answer(&self, at: DateTime<Utc>) -> Answer<'a> {
        let credits = self.credits(at);
        let from_pool = self.amount.checked_sub(credits.own).unwrap_or_default().max(Amount::ZERO);
        let counted = |cap: &Cap| if cap.pool { from_pool } else { self.amount };
        let short = self.caps(at).into_iter().filter(|cap| cap.headroom() < counted(cap.cap));
        let in_the_way = short.min_by_key(CapAt::headroom);
        let is_allowed = credits.all() >= self.amount && in_the_way.is_none();
        Answer { credits, in_the_way, is_allowed }
    }

    /// The credits that could be debited, bounded by the caps that block.
    pub fn spendable(&self, at: DateTime<Utc>) -> Amount {
        let credits = self.credits(at);
        let caps = self.caps(at);
        let least = |pool: bool| caps.iter().filter(move |cap| cap.cap.pool == pool).map(CapAt::headroom);
        let of_pool = least(true).fold(credits.pooled, Amount::min);
        least(false).fold(plus(credits.own, of_pool), Amount::min)
    }

    /// The first instant after `now` at which it would be allowed if nothing else happens.
    pub fn free_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = now + FARTHEST;
        let instants = self.instants(now, until);
        instants.into_iter().take(MOST_INSTANTS).find(|at| self.answer(*at).is_allowed)
    }

    /// The instants at which something changes by itself.
    fn instants(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> BTreeSet<DateTime<Utc>> {
        let account = self.eligible.account;
        let mut instants: BTreeSet<DateTime<Utc>> =
            holds::instants(self.eligible, now, MOST_INSTANTS as i32).into_iter().collect();
        for cap in self.caps(now) {
            match cap.cap.over.window() {
                Some(window) => {
                    instants.extend(cap.now.tally.steps.iter().flatten().map(|(step, _)| window.falls_out(*step)));
                }
                None => instants.extend([cap.period.ends_at]),
            }
        }
        if self.context.refresh_at.is_some() {
            instants.extend(pending::instants(account, self.eligible.unit, now, until, MOST_INSTANTS));
        }
        instants.into_iter().filter(|at| *at > now && *at <= until).collect()
    }
}

fn plus(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).unwrap_or(Amount::MAX)
}
