//! A whole cap, with its row and all its slots locked.

use chrono::{DateTime, Utc};

use crate::caps::Counted;
use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::caps::cap::{self, Layout};
use crate::domain::caps::period::Period;
use crate::domain::caps::tally::{Ahead, Tally};
use crate::error::CapReached;
use crate::ledger::correction::Corrected;
use crate::ledger::striping;
use crate::server::clock;
use crate::server::locks::slot::{SlotLock, Striped};
use crate::store::Snapshot;
use crate::store::caps::cap_slots;
use crate::store::caps::{self, Cap};

/// A cap whose row and slots are locked until the (sub)transaction ends, and what was used of it then.
#[derive(Debug)]
pub struct WholeCap<'a> {
    pub account: &'a str,
    pub cap: &'a Cap,
    /// The limit that counts now, of a cap that was read before it was locked.
    pub limit: Amount,
    /// How many slots the limit lies in.
    pub slots: i16,
    /// The use that the cap had counted when it was locked.
    pub used: Amount,
    /// The amount that holds had of each slot then.
    held: Vec<Amount>,
    /// The time whose debits count now.
    pub period: Period,
    tally: Tally,
    now: DateTime<Utc>,
}

/// Locks caps, waiting as long as it takes; they come in the order of their ids.
pub fn lock<'a>(account: &'a str, of: &[&'a Cap]) -> Vec<WholeCap<'a>> {
    let locked: Vec<_> = of.iter().map(|cap| (*cap, lock_one(account, cap.cap))).collect();
    // Read in new statements, with all the locks held: final. Where one moves the clock on, those before it are read once more.
    let mut now = clock::now();
    loop {
        let whole: Vec<_> = locked.iter().map(|(cap, (limit, slots))| read(account, cap, *limit, *slots)).collect();
        let moved = clock::now();
        if whole.iter().all(|whole| whole.period == whole.cap.period(account, moved)) || moved == now {
            return whole;
        }
        now = moved;
    }
}

/// Locks all caps that count a debit, and spreads what is left of each so that one slot has what the debit takes.
pub fn gather(of: &[Cap], counted: Counted<'_>, decimals: u32) {
    let counting: Vec<&Cap> = of.iter().filter(|cap| cap.counts(counted.operation)).collect();
    for whole in lock(counted.account, &counting) {
        whole.spread(counted.amount, decimals);
    }
}

/// Locks a cap's row and all its slots; its limit, and how many slots it has.
pub fn lock_one(account: &str, cap: i64) -> (Amount, i16) {
    let locked = caps::lock(account, cap).expect("caps are never deleted");
    for slot in 0..locked.slots {
        SlotLock::acquire(Striped::Cap(cap), slot).keep();
    }
    (locked.limit, locked.slots)
}

fn read<'a>(account: &'a str, cap: &'a Cap, limit: Amount, slots: i16) -> WholeCap<'a> {
    let Counter { period, tally, held, now, is_recounted } = counter(account, cap.cap, |at| cap.period(account, at));
    cap.slots.set(slots);
    let whole = WholeCap { account, cap, limit, slots, used: tally.used_in(period), held, period, tally, now };
    if is_recounted {
        // A transaction that locks it again must not count a second time what was written meanwhile.
        whole.spread(limit, MAX_DECIMALS);
    }
    whole
}

/// The count of all slots of a cap that is locked whole.
pub struct Counter {
    /// The time whose debits count.
    pub period: Period,
    /// The sum of all slots.
    pub tally: Tally,
    /// The amount that holds have of each slot.
    pub held: Vec<Amount>,
    /// The instant as of which it was read.
    pub now: DateTime<Utc>,
    /// It was counted anew from the ledger.
    is_recounted: bool,
}

/// Reads it. Slots that were written by a clock which read more move the clock on, or are counted anew from the ledger.
pub fn counter(account: &str, cap: i64, period_at: impl Fn(DateTime<Utc>) -> Period) -> Counter {
    let slots = cap_slots::slots(account, cap);
    let held: Vec<Amount> = slots.iter().map(|slot| slot.held).collect();
    loop {
        let now = clock::now();
        let period = period_at(now);
        match slots.iter().filter_map(|slot| slot.tally.ahead_of(period, now)).max() {
            None => {
                let tally = Tally::sum(slots.iter().map(|slot| &slot.tally), period);
                return Counter { period, tally, held, now, is_recounted: false };
            }
            Some(Ahead::Until(at)) => clock::move_to(at),
            Some(Ahead::Astray) => {
                let tally = cap_slots::recounted(Snapshot::Fresh, account, cap, period);
                return Counter { period, tally, held, now, is_recounted: true };
            }
        }
    }
}

/// Lays out a limit, its usage and what is held over the slots, for debits of `amount`: how much each may use. Where a clock that
/// was ahead has counted in a period to come, all of it stays in one slot, so that it holds then too.
pub fn layout(
    limit: Amount,
    (tally, held, period): (&Tally, &[Amount], Period),
    amount: Amount,
    own: i16,
    decimals: u32,
) -> Layout {
    if tally.reaches_beyond(period) {
        return cap::gather(limit, held, own);
    }
    cap::spread(limit, tally.used_in(period), held, amount, own, decimals).expect("a limit within its range")
}

impl WholeCap<'_> {
    /// Spreads what is left for debits of `amount`.
    pub fn spread(&self, amount: Amount, decimals: u32) {
        self.write((&self.tally, &self.held), self.period, amount, decimals);
    }

    /// Counts what is debited at an instant, and spreads what is left for debits of `amount`.
    pub fn count(&self, debited: Amount, at: DateTime<Utc>, amount: Amount, decimals: u32) {
        let (tally, period) = self.counting(debited, at);
        self.write((&tally, &self.held), period, amount, decimals);
    }

    /// Takes out of what is held what holds have no more, and counts what was captured of it at an instant.
    pub fn settle(&self, leaving: Amount, captured: Amount, at: DateTime<Utc>, decimals: u32) {
        let (tally, period) = if captured.is_zero() { (self.tally.clone(), self.period) } else { self.counting(captured, at) };
        let mut held = self.held.clone();
        cap::take_held(&mut held, leaving, striping::own_slot(self.slots));
        self.write((&tally, &held), period, leaving, decimals);
    }

    /// The tally with what is debited at an instant, and the period that counts then.
    fn counting(&self, debited: Amount, at: DateTime<Utc>) -> (Tally, Period) {
        let period = self.cap.period(self.account, at);
        let mut tally = self.tally.clone();
        if period.step.is_none() && period.starts_at < self.period.starts_at {
            // It was recorded in a period that is over.
            return (tally, self.period);
        }
        tally.count(period, debited);
        (tally, period)
    }

    /// The amount that holds have of it.
    pub fn held(&self) -> Amount {
        self.held.iter().copied().sum()
    }

    /// The error's facts where the cap leaves less than is counted.
    pub fn refuses(&self, requested: Amount) -> Option<CapReached> {
        let left = self.limit.checked_sub(self.used).and_then(|left| left.checked_sub(self.held())).unwrap_or_default();
        (self.cap.blocks && left < requested).then(|| self.reached(self.used, requested))
    }

    fn write(&self, (tally, held): (&Tally, &[Amount]), period: Period, amount: Amount, decimals: u32) {
        let own = striping::own_slot(self.slots);
        self.cap.start.set(Some(own));
        let spread = layout(self.limit, (tally, held, period), amount, own, decimals);
        cap_slots::set_slots(self.account, self.cap.cap, &spread, own, tally, period.step.is_some());
    }

    /// The error's facts where the cap leaves less than `requested`, with the use `used`.
    pub fn reached(&self, used: Amount, requested: Amount) -> CapReached {
        let mut tally = self.tally.clone();
        tally.count(self.period, used.checked_sub(self.used).unwrap_or_default());
        let (limit, slots, period, held, now) = (self.limit, self.slots, self.period, self.held(), self.now);
        crate::caps::cap_reached(self.cap, &cap_slots::Counted { limit, slots, period, tally, held, now }, requested)
    }
}

/// Takes back or adds what a correction of a debit changes: its headroom is there again if it was recorded in the running period.
///
/// `amount` is what the lot got back; below zero, the part of it that is taken again, which no cap refuses.
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
        whole.write((&tally, &whole.held), whole.period, size, decimals);
    }
}
