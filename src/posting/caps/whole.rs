//! A whole cap in one's hands: its row and all its slots locked.

use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::own_slot;
use crate::domain::amount::Amount;
use crate::domain::cap;
use crate::domain::tally::{Period, Tally};
use crate::error::CapReached;
use crate::posting::correction::Corrected;
use crate::posting::debit::{Debit, Drawing};
use crate::server::clock;
use crate::server::lock::CapLock;
use crate::store::Snapshot;
use crate::store::accounts::Context;
use crate::store::cap_slots::{self, Counted};
use crate::store::caps::{self, Cap};

/// A cap whose row and slots are locked until the (sub)transaction ends, and what was used of it then.
#[derive(Debug)]
pub struct WholeCap<'a> {
    pub account: &'a str,
    pub cap: &'a Cap,
    pub limit: Amount,
    pub slots: i16,
    /// What was used when it was locked.
    pub used: Amount,
    pub period: Period,
    tally: Tally,
    now: DateTime<Utc>,
}

/// Locks caps, waiting as long as it takes; they come in the order of their ids.
pub fn lock<'a>(account: &'a str, of: &[&'a Cap]) -> Vec<WholeCap<'a>> {
    let locked: Vec<_> = of.iter().map(|cap| (*cap, lock_one(account, cap.cap))).collect();
    // Read in new statements, with all the locks held: final.
    let now = clock::now();
    locked.into_iter().map(|(cap, (limit, slots))| read(account, cap, limit, slots, now)).collect()
}

/// Locks all caps that count a debit, and spreads what is left of each so that one slot has what the debit takes.
pub fn gather(drawing: &Drawing<'_>) {
    let counting: Vec<&Cap> = drawing.caps.iter().filter(|cap| cap.counts(drawing.eligible.operation)).collect();
    for whole in lock(drawing.eligible.account, &counting) {
        whole.spread(drawing.amount, drawing.decimals);
    }
}

/// Locks a cap's row and all its slots; its limit, and how many slots it has.
pub fn lock_one(account: &str, cap: i64) -> (Amount, i16) {
    let locked = caps::lock(account, cap).expect("caps are never deleted");
    for slot in 0..locked.slots {
        CapLock::acquire(cap, slot).keep();
    }
    (locked.limit, locked.slots)
}

fn read<'a>(account: &'a str, cap: &'a Cap, limit: Amount, slots: i16, now: DateTime<Utc>) -> WholeCap<'a> {
    let period = cap.period(account, now);
    let tally = tally(account, cap.cap, period);
    cap.slots.set(slots);
    WholeCap { account, cap, limit, slots, used: tally.used_in(period), period, tally, now }
}

/// What all slots of a cap that is locked whole have counted.
pub fn tally(account: &str, cap: i64, period: Period) -> Tally {
    let slots = cap_slots::slots(account, cap);
    Tally::sum(slots.iter().map(|slot| &slot.tally), period)
}

/// The caps that may count one of the items, by account, in the order in which they are locked.
pub fn counting<'a>(items: &[Debit<'a>], contexts: &'a [Rc<Context>]) -> BTreeMap<&'a str, Vec<&'a Cap>> {
    let mut by_account: BTreeMap<&'a str, BTreeMap<i64, &'a Cap>> = BTreeMap::new();
    for (item, context) in items.iter().zip(contexts) {
        for cap in context.caps.iter().filter(|cap| cap.counts(item.operation)) {
            by_account.entry(item.account).or_default().insert(cap.cap, cap);
        }
    }
    by_account.into_iter().map(|(account, caps)| (account, caps.into_values().collect())).collect()
}

impl WholeCap<'_> {
    /// Spreads what is left for debits of `amount`.
    pub fn spread(&self, amount: Amount, decimals: u32) {
        self.write(&self.tally, self.used, amount, decimals);
    }

    /// Counts what is debited at an instant, and spreads what is left for debits of `amount`.
    pub fn count(&self, debited: Amount, at: DateTime<Utc>, amount: Amount, decimals: u32) {
        let period = self.cap.period(self.account, at);
        if period.step.is_none() && period.starts_at < self.period.starts_at {
            // It was recorded in a period that is over.
            return;
        }
        let mut tally = self.tally.clone();
        tally.count(period, debited);
        self.write(&tally, tally.used_in(period), amount, decimals);
    }

    /// What there is to say when it leaves less than is counted.
    pub fn refuses(&self, requested: Amount) -> Option<CapReached> {
        let left = self.limit.checked_sub(self.used).unwrap_or_default();
        (self.cap.blocks && left < requested).then(|| self.reached(self.used, requested))
    }

    fn write(&self, tally: &Tally, used: Amount, amount: Amount, decimals: u32) {
        let own = own_slot(self.slots);
        self.cap.start.set(Some(own));
        let spread = cap::spread(self.limit, used, amount, self.slots, own, decimals).expect("a limit within its range");
        cap_slots::set_slots(self.account, self.cap.cap, &spread, own, tally);
    }

    /// What there is to say when it leaves less than `requested`, and so much is used.
    pub fn reached(&self, used: Amount, requested: Amount) -> CapReached {
        let mut tally = self.tally.clone();
        tally.count(self.period, used.checked_sub(self.used).unwrap_or_default());
        let (limit, slots, period, now) = (self.limit, self.slots, self.period, self.now);
        super::cap_reached(self.cap, &Counted { limit, slots, period, tally, now }, requested)
    }
}

/// Takes back or adds what a correction of a debit changes: its headroom is there again if it was recorded in the running period.
///
/// `amount` is what the lot got back; below zero, what of that is taken again, which no cap keeps.
pub fn correct(account: &str, unit: &str, debit: &Corrected, pooled: bool, amount: Amount, decimals: u32) {
    let usage = &debit.usage;
    let applying = caps::applying(Snapshot::Fresh, account, unit, usage.member.as_deref(), usage.department.as_deref());
    let counting: Vec<&Cap> =
        applying.iter().filter(|cap| cap.counts(usage.operation.as_deref()) && (pooled || !cap.pool)).collect();
    if amount.is_zero() {
        // Only locked, before its lot is.
        lock(account, &counting);
        return;
    }
    let size = if amount.is_positive() { amount } else { amount.negated() };
    for whole in lock(account, &counting) {
        let mut tally = whole.tally.clone();
        tally.give_back(whole.period, whole.cap.period(account, debit.recorded_at), amount);
        whole.write(&tally, tally.used_in(whole.period), size, decimals);
    }
}
