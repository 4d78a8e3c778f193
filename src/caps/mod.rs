//! Spending caps at the debit.
//!
//! A cap's limit lies in slots, as a lot's remaining amount does: a debit counts in one of them that nobody holds and that has
//! headroom left, and nobody queues for one row. Nothing is waited for while lots are held: a debit that finds a cap in the way
//! gives its lots back, waits for one slot of the cap holding nothing else of it, and decides again. Only where no slot alone has
//! the headroom are all caps of the debit locked whole ([`whole`]), in the order of their ids and before any lot, and their
//! limits spread anew.
//!
//! A refusal is decided by one statement over what is committed, and only where the credits would suffice.
//!
//! A counter never goes back to an earlier period. Where the clock was set back, the debit is dated where the counters stand, up
//! to a day later than the clock says; counters that stand further ahead are counted anew from the ledger, with the cap locked
//! whole.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::caps::period::Period;
use crate::domain::caps::tally::{Ahead, Relief};
use crate::error::{self, CapReached};
use crate::ledger::striping::{self, Search, Tried};
use crate::server::locks::slot::{SlotLock, Striped};
use crate::store::Snapshot;
use crate::store::caps::Cap;
use crate::store::caps::cap_slots::{self, CapSlot};
use crate::values;

pub mod change;
pub mod settle;
pub mod whole;

/// An amount that caps are to count.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    pub account: &'a str,
    pub operation: Option<&'a str>,
    /// The whole amount of the debit.
    pub amount: Amount,
    /// How much of it pooled lots pay.
    pub pooled: Amount,
}

impl Counted<'_> {
    /// How much of it a cap counts.
    pub fn by(&self, cap: &Cap) -> Amount {
        match (cap.counts(self.operation), cap.pool) {
            (false, _) => Amount::ZERO,
            (true, true) => self.pooled,
            (true, false) => self.amount,
        }
    }
}

/// A cap that stood in the way of a debit.
#[derive(Clone, Copy, Debug)]
pub struct Blocked {
    /// Its position.
    pub cap: usize,
    /// The amount that pooled lots would have paid.
    pub pooled: Amount,
    /// The reason.
    pub why: Why,
}

impl Blocked {
    /// The cap at this position is reached by what is committed.
    pub fn by_reached(cap: usize, pooled: Amount) -> Blocked {
        Blocked { cap, pooled, why: Why::Held }
    }
}

/// Why a cap stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Others hold all its slots.
    Held,
    /// Those that were free had too little headroom.
    Short,
    /// It counts in a later period than the debit's: the clock was set back, or the period began during the debit.
    Ahead(Ahead),
}

/// A slot of each cap whose lock is held, and what will be counted there.
#[must_use = "what is held is counted or released"]
pub struct Held<'a> {
    account: &'a str,
    slots: Vec<HeldSlot<'a>>,
}

struct HeldSlot<'a> {
    cap: &'a Cap,
    lock: SlotLock,
    slot: CapSlot,
    period: Period,
    amount: Amount,
}

impl Held<'_> {
    /// Counts what it was held for.
    pub fn count(self) {
        for HeldSlot { cap, lock, mut slot, period, amount } in self.slots {
            slot.tally.count(period, amount);
            cap_slots::set_slot(self.account, cap.cap, lock.slot, &slot);
            lock.keep();
            if !cap.blocks {
                warn(self.account, cap, amount);
            }
        }
    }

    /// Sets aside what it was held for: a hold has it.
    pub fn set_aside(self) {
        for HeldSlot { cap, lock, mut slot, amount, .. } in self.slots {
            slot.held = slot.held.checked_add(amount).expect("what holds have of a limit");
            cap_slots::set_slot(self.account, cap.cap, lock.slot, &slot);
            lock.keep();
            if !cap.blocks {
                warn(self.account, cap, amount);
            }
        }
    }

    /// Gives everything back.
    pub fn release(self) {
        self.slots.into_iter().for_each(|held| held.lock.release());
    }
}

/// Holds a slot of each cap that counts something, if nobody else holds it and it has the headroom. Waits for nothing.
pub fn hold<'a>(of: &'a [Cap], counted: Counted<'a>, now: DateTime<Utc>) -> std::result::Result<Held<'a>, Blocked> {
    let mut held = Held { account: counted.account, slots: Vec::new() };
    for (position, cap) in of.iter().enumerate() {
        let amount = counted.by(cap);
        if amount.is_zero() {
            continue;
        }
        let period = cap.period(counted.account, now);
        match hold_slot(counted.account, cap, amount, period, now) {
            Ok((lock, slot)) => held.slots.push(HeldSlot { cap, lock, slot, period, amount }),
            Err(why) => {
                held.release();
                return Err(Blocked { cap: position, pooled: counted.pooled, why });
            }
        }
    }
    Ok(held)
}

fn hold_slot(
    account: &str,
    cap: &Cap,
    amount: Amount,
    period: Period,
    now: DateTime<Utc>,
) -> std::result::Result<(SlotLock, CapSlot), Why> {
    let slots = cap.slots.get();
    let first = cap.start.get().filter(|slot| *slot < slots).unwrap_or_else(|| striping::own_slot(slots));
    let search = striping::search(slots, first, |number| {
        let Some(lock) = SlotLock::try_acquire(Striped::Cap(cap.cap), number) else { return Ok(Tried::Held) };
        let Some(slot) = cap_slots::slot(account, cap.cap, number) else {
            lock.release();
            return Ok(Tried::Held);
        };
        // Its holder saw a later time than this debit, whose line must be of the period that it counts in.
        if let Some(ahead) = slot.tally.ahead_of(period, now) {
            lock.release();
            return Err(Why::Ahead(ahead));
        }
        if !cap.blocks || slot.headroom(period) >= amount {
            cap.start.set(Some(number));
            return Ok(Tried::Taken((lock, slot)));
        }
        lock.release();
        Ok(Tried::TooShort)
    })?;
    match search {
        Search::Taken(held) => Ok(held),
        Search::AllHeld => Err(Why::Held),
        Search::TooShort => Err(Why::Short),
    }
}

/// The cap that blocks and leaves least, of those that leave less than is counted. Learns how many slots the caps have.
pub fn reached(snapshot: Snapshot, of: &[Cap], counted: Counted<'_>) -> Option<CapReached> {
    let ids: Vec<i64> = of.iter().map(|cap| cap.cap).collect();
    let surveyed = cap_slots::survey(snapshot, counted.account, &ids);
    let reached = of.iter().zip(surveyed).filter_map(|(cap, now)| {
        cap.slots.set(now.slots);
        let requested = counted.by(cap);
        (cap.blocks && now.headroom() < requested).then(|| cap_reached(cap, &now, requested))
    });
    reached.min_by_key(|reached| reached.headroom)
}

/// The error's facts about a cap that is reached.
pub fn cap_reached(cap: &Cap, now: &cap_slots::Counted, requested: Amount) -> CapReached {
    let whose = match (&cap.member, &cap.department) {
        (Some(member), _) => format!("member {member}"),
        (None, Some(department)) => format!("department {department}"),
        (None, None) => "the account".to_owned(),
    };
    let operation = cap.operation.as_ref().map(|operation| format!(" on {operation}")).unwrap_or_default();
    let pool = if cap.pool { " from the pool" } else { "" };
    let unheld = now.limit.checked_sub(now.held).unwrap_or_default().max(Amount::ZERO);
    let relief = match cap.over.window() {
        Some(window) => now.tally.relief(window, unheld, requested, now.now, now.period),
        None => Relief { at: now.period.ends_at, headroom: unheld },
    };
    CapReached {
        cap: cap.cap,
        whose,
        of_what: operation + pool,
        over: cap.over,
        limit: now.limit,
        used: now.used(),
        held: now.held,
        requested,
        headroom: now.headroom(),
        resets_at: relief.at,
        resets_at_shown: values::timestamptz(relief.at).to_string(),
        free_then: relief.headroom,
    }
}

/// Raises a warning if a cap that only warns is exceeded.
pub fn warn(account: &str, cap: &Cap, requested: Amount) {
    for now in cap_slots::survey(Snapshot::Fresh, account, &[cap.cap]) {
        if now.used().checked_add(now.held).is_none_or(|taken| taken > now.limit) {
            error::warn_of_cap(account, &cap_reached(cap, &now, requested));
        }
    }
}
