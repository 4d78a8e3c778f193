//! Spending caps at the debit.
//!
//! A cap's limit lies in slots, as a lot's remaining amount does: a debit counts in one of them that nobody holds and that has headroom
//! left, and nobody queues for one row. Nothing is waited for while lots are held: a debit that finds a cap in the way gives its
//! lots back, waits for one slot of the cap holding nothing else of it, and decides again. Only where no slot alone has the headroom
//! are all caps of the debit locked whole ([`whole`]), in the order of their ids and before any lot, and their limits spread anew.
//!
//! A refusal is decided by one statement over what is committed, and only where the credits would suffice.
//!
//! A counter never goes back to an earlier period. Where the clock was set back, the debit is dated where the counters stand, up to a day
//! later than the clock says; counters that stand further ahead are counted anew from the ledger, with the cap locked whole.

use chrono::{DateTime, Utc};

use crate::debits::debit::{self, Drawing, MAX_ATTEMPTS, NO_LOT, Outcome};
use crate::domain::amount::Amount;
use crate::domain::caps::tally::{Ahead, Period, Relief};
use crate::domain::ledger::layout;
use crate::error::{self, CapReached, Result};
use crate::server::lock::{self, CapLock};
use crate::server::{clock, subtransaction};
use crate::settings;
use crate::store::Snapshot;
use crate::store::caps::cap_slots::{self, CapSlot};
use crate::store::caps::{self, Cap};
use crate::store::debits::eligible;

pub mod change;
pub mod whole;

/// So many free slots with too little headroom make a debit look at them all instead of trying on.
const MAX_SHORT_SLOTS: u32 = 2;

/// What is to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    pub account: &'a str,
    pub operation: Option<&'a str>,
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
    cap: usize,
    /// What pooled lots would have paid.
    pooled: Amount,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
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
    lock: CapLock,
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
) -> std::result::Result<(CapLock, CapSlot), Why> {
    let slots = cap.slots.get();
    let first = cap.start.get().filter(|slot| *slot < slots).unwrap_or_else(|| own_slot(slots));
    let mut short = 0;
    for step in 0..slots {
        let number = (first + step) % slots;
        let Some(lock) = CapLock::try_acquire(cap.cap, number) else { continue };
        let Some(slot) = cap_slots::slot(account, cap.cap, number) else {
            lock.release();
            continue;
        };
        // Its holder saw a later time than this debit, whose line must be of the period that it counts in.
        if let Some(ahead) = slot.tally.ahead_of(period, now) {
            lock.release();
            return Err(Why::Ahead(ahead));
        }
        if !cap.blocks || slot.headroom(period) >= amount {
            cap.start.set(Some(number));
            return Ok((lock, slot));
        }
        lock.release();
        short += 1;
        if short == MAX_SHORT_SLOTS {
            break;
        }
    }
    Err(if short == 0 { Why::Held } else { Why::Short })
}

/// Backends spread over the slots by their number.
fn own_slot(slots: i16) -> i16 {
    (lock::backend_number() % slots as u32) as i16
}

/// Draws an amount that caps may count.
///
/// # Errors
/// As a debit.
pub fn draw(drawing: &Drawing<'_>) -> Result<Option<Outcome>> {
    let account = drawing.eligible.account;
    let mut waited: Option<(usize, CapLock)> = None;
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        drawing.blocked.set(None);
        let outcome = debit::draw_lots(drawing)?;
        if let Some((position, lock)) = waited.take() {
            let slot = lock.slot;
            lock.release();
            if matches!(outcome, Some(Outcome::Posted(_))) {
                widen(drawing, &drawing.caps[position], slot);
            }
        }
        let Some(blocked) = drawing.blocked.get().filter(|_| outcome.is_none()) else { return Ok(outcome) };
        if let Why::Ahead(Ahead::Until(at)) = blocked.why {
            // The books of the account go on from there.
            clock::move_to(at);
            continue;
        }
        if let Some(refusal) = refusal(drawing, blocked.pooled) {
            return Ok(Some(refusal));
        }
        let cap = &drawing.caps[blocked.cap];
        match slot_to_wait_for(drawing, cap, blocked) {
            Some(slot) => {
                cap.start.set(Some(slot));
                waited = Some((blocked.cap, CapLock::acquire(cap.cap, slot)));
            }
            None => {
                if let Some(outcome) = draw_with_whole_caps(drawing)? {
                    return Ok(Some(outcome));
                }
                if drawing.blocked.get().is_none() {
                    return Ok(None);
                }
            }
        }
    }
    Err(error::too_contended(account, MAX_ATTEMPTS))
}

/// Whether the debit is refused by what is committed: for lack of credits, or by the cap that leaves least.
fn refusal(drawing: &Drawing<'_>, pooled: Amount) -> Option<Outcome> {
    let counted = counted(drawing, pooled);
    let reached = reached(Snapshot::Fresh, drawing.caps, counted)?;
    let available = eligible::survey(drawing.eligible, NO_LOT, drawing.amount).available;
    if available < drawing.amount {
        return Some(Outcome::Insufficient { available });
    }
    Some(Outcome::Capped(Box::new(reached)))
}

/// Whether a cap refuses what a debit would wait for the lots of; then it stands in the way.
pub fn waits_in_vain(drawing: &Drawing<'_>, from_pool: bool) -> bool {
    let pooled = if from_pool { drawing.amount } else { Amount::ZERO };
    if drawing.caps.is_empty() {
        return false;
    }
    let reached = reached(Snapshot::Fresh, drawing.caps, counted(drawing, pooled));
    let position = reached.and_then(|reached| drawing.caps.iter().position(|cap| cap.cap == reached.cap));
    drawing.blocked.set(position.map(|cap| Blocked { cap, pooled, why: Why::Held }));
    position.is_some()
}

fn counted<'a>(drawing: &Drawing<'a>, pooled: Amount) -> Counted<'a> {
    Counted { account: drawing.eligible.account, operation: drawing.eligible.operation, amount: drawing.amount, pooled }
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

/// What there is to say of a cap that is reached.
pub fn cap_reached(cap: &Cap, now: &cap_slots::Counted, requested: Amount) -> CapReached {
    let whose = match (&cap.member, &cap.department) {
        (Some(member), _) => format!("member {member}"),
        (None, Some(department)) => format!("department {department}"),
        (None, None) => "the account".to_owned(),
    };
    let operation = cap.operation.as_ref().map(|operation| format!(" on {operation}")).unwrap_or_default();
    let pool = if cap.pool { " from the pool" } else { "" };
    let relief = match cap.over.window() {
        Some(window) => now.tally.relief(window, now.limit, requested, now.now, now.period),
        None => Relief { at: now.period.ends_at, headroom: now.limit },
    };
    CapReached {
        cap: cap.cap,
        whose,
        of_what: operation + pool,
        over: cap.over,
        limit: now.limit,
        used: now.used(),
        requested,
        headroom: now.headroom(),
        resets_at: relief.at,
        free_then: relief.headroom,
    }
}

/// Raises a warning if a cap that only warns is exceeded.
pub fn warn(account: &str, cap: &Cap, requested: Amount) {
    for now in cap_slots::survey(Snapshot::Fresh, account, &[cap.cap]) {
        if now.used() > now.limit {
            error::warn_of_cap(account, &cap_reached(cap, &now, requested));
        }
    }
}

/// The slot that is worth waiting for: any where all were held, else one that has the headroom alone.
fn slot_to_wait_for(drawing: &Drawing<'_>, cap: &Cap, blocked: Blocked) -> Option<i16> {
    let own = own_slot(cap.slots.get());
    if blocked.why == Why::Ahead(Ahead::Astray) {
        return None;
    }
    if !cap.blocks {
        return Some(own);
    }
    let account = drawing.eligible.account;
    let amount = counted(drawing, blocked.pooled).by(cap);
    let period = cap.period(account, clock::now());
    let slots = cap_slots::slots(account, cap.cap);
    let covering: Vec<i16> =
        (0..).zip(&slots).filter(|(_, slot)| slot.headroom(period) >= amount).map(|(number, _)| number).collect();
    covering.iter().find(|slot| **slot >= own).or(covering.first()).copied()
}

/// Draws with all caps locked whole, and their limits spread so that one slot has the headroom; all of it or nothing.
fn draw_with_whole_caps(drawing: &Drawing<'_>) -> Result<Option<Outcome>> {
    let mut refused = None;
    let posted = subtransaction::attempt(|| {
        whole::gather(drawing);
        drawing.blocked.set(None);
        match debit::draw_lots(drawing)? {
            Some(Outcome::Posted(posting)) => Ok(Some(posting)),
            other => {
                refused = other;
                Ok(None)
            }
        }
    })?;
    Ok(posted.map(Outcome::Posted).or(refused))
}

/// Splits the headroom of a slot that was just waited for, so that fewer have to. Nothing waits here.
fn widen(drawing: &Drawing<'_>, cap: &Cap, number: i16) {
    let account = drawing.eligible.account;
    let limit = settings::max_slots();
    if layout::growth(cap.slots.get(), limit) == 0 || !cap.blocks {
        return;
    }
    // Its lock is held if the debit counted there; else somebody else may have it by now.
    let Some(lock) = CapLock::try_acquire(cap.cap, number) else { return };
    let now = clock::now();
    let period = cap.period(account, now);
    let is_plain = |slot: &CapSlot| slot.tally.ahead_of(period, now).is_none() && !slot.tally.reaches_beyond(period);
    let split = cap_slots::slot(account, cap.cap, number).filter(is_plain).and_then(|slot| {
        let headroom = slot.headroom(period);
        let existing = (headroom >= drawing.amount).then(|| caps::lock_if_free(account, cap.cap)).flatten()?;
        let parts = layout::split(headroom, drawing.amount, layout::growth(existing, limit), drawing.decimals);
        let [own, others @ ..] = parts.as_slice() else { return None };
        let allowance = slot.tally.used_in(period).checked_add(*own)?;
        (!others.is_empty()).then(|| {
            let since = slot.tally.since;
            cap_slots::set_slot(account, cap.cap, number, &CapSlot { allowance, ..slot });
            cap_slots::add_slots(account, cap.cap, existing, others, since);
        })
    });
    if split.is_some() { lock.keep() } else { lock.release() }
}
