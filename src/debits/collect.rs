//! Debits that no single slot covers: lots are collected in drawdown order until they cover the amount.
//!
//! A lot that is emptied is locked whole. Of the last lot one slot suffices, if one that nobody holds covers what is still
//! missing: a debit that goes from one lot to the next then keeps others from one slot of the next lot, not from all of it,
//! however long its transaction lasts. That slot is only tried for, after everything that may be waited for, so no wait can
//! depend on it.

use std::iter::zip;

use chrono::{DateTime, Utc};

use crate::caps::Blocked;
use crate::debits::drawing::Drawing;
use crate::debits::write;
use crate::domain::amount::Amount;
use crate::domain::holds::hold::{self as holds, Parts};
use crate::domain::ledger::drawdown::Source;
use crate::domain::ledger::layout;
use crate::error::Result;
use crate::ledger::striping;
use crate::ledger::whole_lot::{self, WholeLot};
use crate::server::locks::slot::{SlotLock, Striped};
use crate::server::{clock, invalidation, subtransaction};
use crate::store::debits::eligible::{self, Eligibility};
use crate::store::holds as store;
use crate::store::ledger::entries::{self, BatchLine};
use crate::store::ledger::lots;
use crate::store::ledger::slots::{self, Layout, SlotShare};

/// How many lots are looked up at first, then twice as many each time, so that a debit over very many stays cheap.
const LOTS_AT_FIRST: i32 = 64;

/// The part of a debit that a collected lot pays.
pub struct Share<'a> {
    /// The lot, with what it has.
    pub source: Source,
    /// The part of the debit that the lot pays.
    pub amount: Amount,
    from: From<'a>,
}

/// How the share of one lot is locked.
pub type LockShare<'a> = fn(&'a str, Source, Amount) -> Option<Share<'a>>;

/// The part of a lot that is locked.
enum From<'a> {
    /// All of it.
    Whole(WholeLot<'a>),
    /// A slot that covers what the lot pays.
    Slot(i16),
    /// Nothing: the lot is empty, and somebody else holds it, perhaps to close it.
    Nothing,
}

/// The result of collecting; nothing is held unless it posted.
pub enum Collected {
    Posted(i64),
    /// Something that was seen has changed.
    Changed,
    /// A cap stood in the way.
    Blocked(Blocked),
}

/// Debits from several slots or lots.
pub fn collect(drawing: &Drawing<'_>) -> Result<Collected> {
    let mut blocked = None;
    let posting = subtransaction::attempt(|| {
        let Some(shares) = lock_shares(drawing.eligible, drawing.amount, lock_share) else { return Ok(None) };
        Ok(post(drawing, &shares).unwrap_or_else(|by| {
            blocked = Some(by);
            None
        }))
    })?;
    Ok(match (posting, blocked) {
        (Some(posting), _) => Collected::Posted(posting),
        (None, Some(blocked)) => Collected::Blocked(blocked),
        (None, None) => Collected::Changed,
    })
}

/// Locks lots in drawdown order until they cover the amount. `None` when a better lot appeared during a wait: locking it now
/// would break the order of locks, and taking from the others the order of drawing.
///
/// `lock` says how the share of one lot is locked: [`lock_share`], [`lock_share_if_free`] or [`lock_whole_share`].
pub fn lock_shares<'a>(eligible: Eligibility<'a>, amount: Amount, lock: LockShare<'a>) -> Option<Vec<Share<'a>>> {
    let mut shares: Vec<Share<'a>> = Vec::new();
    let mut uncovered = amount;
    let mut limit = LOTS_AT_FIRST;
    while uncovered.is_positive() {
        let order = order(eligible, limit);
        let next = order.get(shares.len()..).filter(|next| !next.is_empty() && begins_with(&order, &shares))?;
        for source in next {
            // A debit of late usage that an expired lot pays for goes on to the lots in force with that lot locked.
            if source.rank.has_expired(clock::now()) {
                return None;
            }
            let share = lock(eligible.account, *source, uncovered)?;
            uncovered = uncovered.checked_sub(share.amount).expect("a difference below its minuend");
            shares.push(share);
            if uncovered.is_zero() {
                break;
            }
        }
        limit = limit.saturating_mul(2);
    }
    begins_with(&order(eligible, shares.len() as i32), &shares).then_some(shares)
}

/// Locks what the lot pays of the amount, one slot if that suffices; `None` when the lot was closed meanwhile.
pub fn lock_share(account: &str, source: Source, uncovered: Amount) -> Option<Share<'_>> {
    let lot = source.rank.lot;
    let slot = if source.available.is_zero() { None } else { lock_covering_slot(account, lot, uncovered) };
    match slot {
        Some(slot) => Some(Share { source, amount: uncovered, from: From::Slot(slot) }),
        None => lock_whole_share(account, source, uncovered),
    }
}

/// Locks all of the lot for what it pays of the amount; `None` when it was closed meanwhile.
pub fn lock_whole_share(account: &str, source: Source, uncovered: Amount) -> Option<Share<'_>> {
    let lot = source.rank.lot;
    let whole = if source.available.is_zero() {
        // Nothing can be had of it, so nobody waits for it.
        let Some(whole) = whole_lot::lock_if_free(account, lot) else {
            return Some(Share { source, amount: Amount::ZERO, from: From::Nothing });
        };
        whole
    } else {
        whole_lot::lock_as_allowed(account, lot).filter(|lot| !lot.state.closed)?
    };
    Some(Share { source, amount: whole.remaining().min(uncovered), from: From::Whole(whole) })
}

/// Locks all of the lot for what it pays of the amount, if nobody else holds any of it.
pub fn lock_share_if_free(account: &str, source: Source, uncovered: Amount) -> Option<Share<'_>> {
    let whole = whole_lot::lock_if_free(account, source.rank.lot)?;
    Some(Share { source, amount: whole.remaining().min(uncovered), from: From::Whole(whole) })
}

/// Locks a slot that covers the amount and that nobody holds, the own one first; does not wait. With the lock held the slot is
/// read again: a lot whose slot holds something is open.
fn lock_covering_slot(account: &str, lot: i64, amount: Amount) -> Option<i16> {
    let amounts = slots::slots(account, lot);
    let own = striping::own_slot(amounts.len() as i16) as usize;
    for slot in (own..amounts.len()).chain(0..own).filter(|slot| amounts[*slot] >= amount) {
        let slot = slot as i16;
        let Some(lock) = SlotLock::try_acquire(Striped::Lot(lot), slot) else { continue };
        if slots::slot(account, lot, slot) >= amount {
            lock.keep();
            return Some(slot);
        }
        lock.release();
    }
    None
}

/// The usable lots in drawdown order, as they are now.
fn order(eligible: Eligibility<'_>, limit: i32) -> Vec<Source> {
    let usable = eligible::usable(eligible, clock::now(), limit);
    usable.into_iter().map(|usable| usable.source).collect()
}

/// Whether the lots that were collected are still the first in the order, and those that were passed over still empty.
fn begins_with(order: &[Source], shares: &[Share<'_>]) -> bool {
    let is_same = |(source, share): (&Source, &Share<'_>)| {
        source.rank == share.source.rank && (source.available.is_zero() || !matches!(share.from, From::Nothing))
    };
    order.len() >= shares.len() && zip(order, shares).all(is_same)
}

/// Writes the debit, now that nothing can change any more; `None` when a lot expired or the account changed during the wait.
///
/// # Errors
/// The cap that stands in the way.
fn post(drawing: &Drawing<'_>, shares: &[Share<'_>]) -> std::result::Result<Option<i64>, Blocked> {
    if invalidation::generation() != drawing.generation {
        return Ok(None);
    }
    let now = clock::now();
    if drawing.is_due(now) || shares.iter().any(|share| share.has_expired(now)) {
        return Ok(None);
    }
    let paid: Amount = shares.iter().map(|share| share.amount).sum();
    assert_eq!(paid, drawing.amount, "what the lots pay");
    let pooled = shares.iter().filter(|share| share.source.rank.pooled).map(|share| share.amount).sum();
    let held = drawing.hold_caps(pooled, now)?;
    if write_slots(shares, drawing.eligible.account, drawing.amount, drawing.decimals).is_none() {
        return Ok(None);
    }
    let paying: Vec<_> = shares.iter().filter(|share| share.amount.is_positive()).collect();
    let id = match drawing.new_hold() {
        Some(new) => {
            let share = |share: &&Share<'_>| holds::Share {
                lot: share.source.rank.lot,
                pooled: share.source.rank.pooled,
                amount: share.amount,
            };
            let parts = Parts::held(&paying.iter().map(share).collect::<Vec<_>>());
            let id = drawing.posting.unwrap_or_else(store::next_id);
            store::add(&new, &parts, id, now);
            id
        }
        None => {
            let parts: Vec<_> = paying.iter().map(|share| (share.source.rank.lot, share.amount)).collect();
            let posting = drawing.posting.unwrap_or_else(entries::next_posting);
            write::lines(&BatchLine::of_debit(drawing.line, posting, &parts), now);
            posting
        }
    };
    drawing.count(held);
    Ok(Some(id))
}

/// Takes the shares from the slots, and closes the lots that are empty then.
pub fn write_slots(shares: &[Share<'_>], account: &str, debit: Amount, decimals: u32) -> Option<()> {
    let (mut layouts, mut emptied, mut of_slots) = (Vec::new(), Vec::new(), Vec::new());
    for Share { source, amount, from } in shares {
        match from {
            From::Whole(whole) => {
                layouts.push(layout_after(whole, *amount, debit, decimals));
                if whole.remaining() == *amount {
                    emptied.push((account, source.rank.lot));
                }
            }
            From::Slot(slot) => of_slots.push(SlotShare { account, lot: source.rank.lot, slot: *slot, amount: *amount }),
            From::Nothing => {}
        }
    }
    slots::set_slots(&layouts);
    lots::close(&emptied);
    (of_slots.is_empty() || slots::take_from_slots(&of_slots) == of_slots.len()).then_some(())
}

impl Share<'_> {
    /// The amount that the lot held before it paid; `None` where not all of it is locked.
    pub fn held(&self) -> Option<Amount> {
        match &self.from {
            From::Whole(whole) => Some(whole.remaining()),
            From::Slot(_) | From::Nothing => None,
        }
    }

    /// Whether only a slot of the lot is locked.
    pub fn is_of_slot(&self) -> bool {
        matches!(self.from, From::Slot(_))
    }

    /// Whether the lot's life is over.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.source.rank.has_expired(now)
    }
}

/// The amount that is left after the share was paid, spread anew over the lot's slots.
fn layout_after<'a>(whole: &WholeLot<'a>, amount: Amount, debit: Amount, decimals: u32) -> Layout<'a> {
    let left = whole.remaining().checked_sub(amount).expect("a share of what is there");
    let remaining = layout::spread(left, debit, whole.state.slots, decimals);
    Layout { account: whole.account, lot: whole.lot, remaining }
}
