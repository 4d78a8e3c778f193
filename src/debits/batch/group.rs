//! The debits of one account and unit within a batch: what each lot pays for them, locked and ready to be written.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::debits::batch::{self, BatchCap, BatchDebit, BatchLoss, BatchLot, Drawn};
use crate::domain::ledger::drawdown::Expiry;
use crate::domain::ledger::layout;
use crate::ledger::whole_lot::{self, WholeLot};
use crate::server::backend;
use crate::server::clock;
use crate::server::locks::slot::{SlotLock, Striped};
use crate::store::debits::eligible::OwnedLot;
use crate::store::ledger::breakage::{Lapsed, TakenBack};
use crate::store::ledger::slots::SlotShare;

/// The debits of one account and unit, in their order.
pub struct Group<'a> {
    /// The account of all its debits.
    pub account: &'a str,
    /// The decimals of the unit.
    pub decimals: u32,
    /// Its debits, in the order of the batch.
    pub debits: Vec<GroupDebit<'a>>,
    /// The caps that count some of them, as they are locked.
    pub caps: Vec<BatchCap>,
    /// Credits that expired lots lost and that pay for some of them, as they are locked.
    pub losses: Vec<Lapsed>,
}

/// A debit of a group.
pub struct GroupDebit<'a> {
    /// Its position in the batch.
    pub index: usize,
    /// The earlier item of the batch that has the same key: when that one is paid, this one takes nothing.
    pub repeats: Option<usize>,
    pub debit: BatchDebit<'a>,
    /// The caps that count it, by their position in the group.
    pub counting: Vec<usize>,
    /// The losses that pay first, by their position in the group.
    pub paying: Vec<usize>,
}

/// The result of drawing the debits of a group.
struct Draws {
    /// How each debit ended, by its position in the batch.
    drawn: Vec<(usize, Drawn)>,
    /// The usage of the group's caps then.
    caps_used: Vec<Amount>,
    /// The parts that expired lots pay, by the debit's position in the batch.
    taken_back: Vec<(usize, Vec<TakenBack>)>,
}

/// All that a group takes.
#[derive(Default)]
pub struct Taken<'a> {
    /// How each debit ended, by its position in the batch.
    pub drawn: Vec<(usize, Drawn)>,
    /// The ids of the group's lots by position.
    pub lots: Vec<i64>,
    /// The usage of the group's caps then.
    pub caps_used: Vec<Amount>,
    /// The parts that expired lots pay, by the debit's position in the batch.
    pub taken_back: Vec<(usize, Vec<TakenBack>)>,
    /// The amounts that are taken from slots whose locks are held.
    pub shares: Vec<SlotShare<'a>>,
    /// The amounts that the slots of lots locked whole hold afterwards.
    pub layouts: Vec<(i64, Vec<Amount>)>,
    /// Lots that hold nothing afterwards.
    pub closed: Vec<i64>,
    /// From this instant on one of the lots does not pay any more.
    pub earliest_expiry: Option<DateTime<Utc>>,
}

impl<'a> Group<'a> {
    /// Draws the debits in turn, and leaves in the lots what they have then.
    pub fn draw(&self, lots: &mut [BatchLot]) -> Vec<(usize, Drawn)> {
        self.draw_counting(lots).drawn
    }

    /// The same, with what that takes besides.
    fn draw_counting(&self, lots: &mut [BatchLot]) -> Draws {
        let mut caps = self.caps.clone();
        let loss = |loss: &Lapsed| BatchLoss { pooled: loss.source.rank.pooled, available: loss.source.available };
        let mut losses: Vec<BatchLoss> = self.losses.iter().map(loss).collect();
        let mut paid = BTreeSet::new();
        let mut drawn = Vec::with_capacity(self.debits.len());
        let mut taken_back = Vec::new();
        for known in &self.debits {
            if known.repeats.is_some_and(|original| paid.contains(&original)) {
                continue;
            }
            let (outcome, parts) = batch::draw_late(lots, (&mut losses, &known.paying), &mut caps, &known.counting, &known.debit);
            if outcome.parts().is_some() {
                paid.insert(known.index);
            }
            if !parts.is_empty() {
                let of_loss = |(position, amount): (usize, Amount)| {
                    let loss = &self.losses[position];
                    TakenBack { expiry: loss.posting, lot: loss.source.rank.lot, amount }
                };
                taken_back.push((known.index, parts.into_iter().map(of_loss).collect()));
            }
            drawn.push((known.index, outcome));
        }
        Draws { drawn, caps_used: caps.into_iter().map(|cap| cap.used).collect(), taken_back }
    }

    /// Whether a debit came to the end of the owner's lots, where more of them than were read might have paid.
    pub fn went_through(&self, owner: &str, owned: &[OwnedLot], taken: &Taken<'_>) -> bool {
        let last = owned.iter().rposition(|lot| lot.member.as_deref().unwrap_or_default() == owner);
        taken.drawn.iter().any(|(index, drawn)| {
            let debit = self.debits[self.debits.partition_point(|known| known.index < *index)].debit;
            let may_use = if owner.is_empty() { debit.pool } else { debit.member == Some(owner) };
            let came_to_the_end = match drawn {
                Drawn::Paid(parts) => parts.last().map(|(position, _)| *position) > last,
                // What lies behind the end might have been drawn too, or might have come before a pool that a cap limits.
                Drawn::Short { .. } | Drawn::Part { .. } => true,
                Drawn::Capped { .. } => debit.in_part.is_some(),
            };
            may_use && came_to_the_end
        })
    }

    /// The largest amount that is debited; of debits that take nothing, what they asked for.
    pub fn largest(&self, drawn: &[(usize, Drawn)]) -> Amount {
        let asked = self.debits.iter().filter(|known| known.debit.in_part.is_none()).map(|known| known.debit.amount);
        let in_part = drawn.iter().filter_map(|(index, drawn)| match drawn {
            Drawn::Part { debited, .. } => Some(*debited),
            Drawn::Paid(_) => Some(self.debits[self.debits.partition_point(|known| known.index < *index)].debit.amount),
            Drawn::Short { .. } | Drawn::Capped { .. } => None,
        });
        asked.chain(in_part).max().unwrap_or_default()
    }

    /// Locks what the group takes: free slots if they suffice, whole lots otherwise; `None` when what was read has changed.
    pub fn take(&self, owned: &[OwnedLot]) -> Option<Taken<'a>> {
        self.take_slots(owned).or_else(|| self.take_whole_lots(owned))
    }

    /// Takes from slots that nobody holds, where no lot runs dry. Nothing waits here.
    fn take_slots(&self, owned: &[OwnedLot]) -> Option<Taken<'a>> {
        let mut lots: Vec<_> = owned.iter().map(batch_lot).collect();
        let before: Vec<_> = lots.iter().map(|lot| lot.available).collect();
        let Draws { drawn, caps_used, taken_back } = self.draw_counting(&mut lots);
        let last = last_drawn(&drawn);
        if lots.iter().take(last).any(|lot| lot.available.is_zero()) {
            return None;
        }
        let ids = lots.iter().map(|lot| lot.rank.lot).collect();
        let mut taken = Taken { drawn, caps_used, taken_back, lots: ids, ..Taken::default() };
        let mut held = Vec::new();
        for (position, lot) in lots.iter().enumerate().take(last) {
            let pays = before[position].checked_sub(lot.available).expect("a lot only loses");
            if pays.is_positive() && !self.take_free_slots(&owned[position], pays, &mut taken.shares, &mut held) {
                held.into_iter().for_each(SlotLock::release);
                return None;
            }
            if pays.is_positive() {
                taken.note_expiry(lot);
            }
        }
        held.into_iter().for_each(SlotLock::keep);
        Some(taken)
    }

    /// Covers the amount from slots of the lot that nobody holds, the backend's own first; whether that was possible.
    fn take_free_slots(&self, lot: &OwnedLot, amount: Amount, shares: &mut Vec<SlotShare<'a>>, held: &mut Vec<SlotLock>) -> bool {
        let count = lot.slots.len();
        let own = backend::number() as usize % count;
        let mut uncovered = amount;
        for slot in (own..count).chain(0..own).filter(|slot| lot.slots[*slot].is_positive()) {
            let Some(lock) = SlotLock::try_acquire(Striped::Lot(lot.rank.lot), slot as i16) else { continue };
            held.push(lock);
            let part = lot.slots[slot].min(uncovered);
            uncovered = uncovered.checked_sub(part).expect("a difference below its minuend");
            shares.push(SlotShare { account: self.account, lot: lot.rank.lot, slot: slot as i16, amount: part });
            if uncovered.is_zero() {
                return true;
            }
        }
        false
    }

    /// Takes from lots locked whole, in drawdown order, up to the last that is needed: then what they hold is final.
    fn take_whole_lots(&self, owned: &[OwnedLot]) -> Option<Taken<'a>> {
        let mut lots: Vec<_> = owned.iter().map(batch_lot).collect();
        let mut whole: Vec<Option<WholeLot<'a>>> = Vec::new();
        loop {
            let mut after = lots.clone();
            let Draws { drawn, caps_used, taken_back } = self.draw_counting(&mut after);
            let last = last_drawn(&drawn);
            if last <= whole.len() {
                return Some(Taken { caps_used, taken_back, ..self.taken_from_whole_lots(drawn, &after, whole) });
            }
            for lot in &mut lots[whole.len()..last] {
                if !self.debits.iter().any(|known| lot.pays_for(&known.debit)) {
                    whole.push(None);
                    continue;
                }
                if lot.rank.has_expired(clock::now()) {
                    return None;
                }
                let locked = whole_lot::lock_as_allowed(self.account, lot.rank.lot).filter(|whole| !whole.state.closed)?;
                lot.available = locked.remaining();
                whole.push(Some(locked));
            }
        }
    }

    /// The amounts that lots locked whole hold after the draws: laid out anew, and closed where nothing is left.
    fn taken_from_whole_lots(
        &self,
        drawn: Vec<(usize, Drawn)>,
        after: &[BatchLot],
        whole: Vec<Option<WholeLot<'a>>>,
    ) -> Taken<'a> {
        let largest = self.largest(&drawn);
        let mut taken = Taken { drawn, lots: after.iter().map(|lot| lot.rank.lot).collect(), ..Taken::default() };
        for (lot, whole) in after.iter().zip(whole) {
            let Some(whole) = whole else { continue };
            if whole.remaining() != lot.available {
                taken.note_expiry(lot);
                let remaining = layout::spread(lot.available, largest, whole.state.slots, self.decimals);
                taken.layouts.push((lot.rank.lot, remaining));
            }
            if lot.available.is_zero() {
                taken.closed.push(lot.rank.lot);
            }
        }
        taken
    }
}

impl Taken<'_> {
    /// The part of a debit that expired lots pay.
    pub fn taken_back(&self, index: usize) -> &[TakenBack] {
        let position = self.taken_back.binary_search_by_key(&index, |(known, _)| *known);
        position.map_or(&[], |position| &self.taken_back[position].1)
    }

    fn note_expiry(&mut self, lot: &BatchLot) {
        if let Expiry::At(expires_at) = lot.rank.expiry {
            self.earliest_expiry = Some(self.earliest_expiry.map_or(expires_at, |known| known.min(expires_at)));
        }
    }
}

/// The lot as the domain sees it.
pub fn batch_lot(owned: &OwnedLot) -> BatchLot {
    BatchLot {
        rank: owned.rank,
        owner: owned.member.clone(),
        applies_to: owned.applies_to.clone(),
        available: owned.slots.iter().copied().sum(),
    }
}

/// How many lots stand up to the last one that pays.
fn last_drawn(drawn: &[(usize, Drawn)]) -> usize {
    let last = |drawn: &Drawn| drawn.parts().and_then(<[_]>::last).map_or(0, |(position, _)| position + 1);
    drawn.iter().map(|(_, drawn)| last(drawn)).max().unwrap_or(0)
}
