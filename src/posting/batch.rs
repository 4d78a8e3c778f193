//! Many debits in one call, with the result of making them one by one in their order.
//!
//! The debits of an account are drawn together: each lot's slots are taken from once, however many debits it pays, and all lines
//! are written by one statement. Accounts are taken in the order of their names, so two batches cannot deadlock. Where the slots
//! that are free cover what a lot pays, nothing waits; otherwise the account's lots are locked whole, in drawdown order.
//!
//! One attempt is one subtransaction: when what was read turns out to have changed, everything is given back and read anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::account;
use super::debit::Debit;
use super::idempotency;
use super::whole_lot::{self, WholeLot};
use super::write;
use crate::domain::amount::Amount;
use crate::domain::batch::{self, BatchDebit, BatchLot, Drawn};
use crate::domain::drawdown::Expiry;
use crate::domain::slots;
use crate::error::{self, Result};
use crate::server::lock::{self, SlotLock};
use crate::server::{clock, subtransaction};
use crate::store::accounts::Context;
use crate::store::entries::{self, BatchLine, DebitLine};
use crate::store::lots::{self, Layout, OwnedLot, Owner, SlotShare};
use crate::store::requests;

/// So often a batch may find that everything changed before it gives up with 40001.
const MAX_ATTEMPTS: u32 = 1000;

/// So many lots of each owner are read at first; ten times as many when they did not suffice.
const LOTS_AT_FIRST: i32 = 1000;

/// What happens when a debit does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is debited at all.
    All,
    /// The others are debited all the same.
    Each,
}

/// How one debit of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It is in the ledger under this posting.
    Posted(i64),
    /// It took nothing; so much was missing.
    Short { shortfall: Amount },
}

/// Debits each item in turn; one outcome per item.
///
/// # Errors
/// What a single debit raises, with `item=` in the DETAIL; 23514 in mode [`Mode::All`] for the first that does not fit.
pub fn debit_many(items: &[Debit<'_>], mode: Mode) -> Result<Vec<ItemOutcome>> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let contexts = contexts(items)?;
    let mut lots_of_each = LOTS_AT_FIRST;
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let mut attempt = Attempt::new(items, &contexts, lots_of_each);
        match subtransaction::attempt(|| attempt.run(mode))? {
            Some(outcomes) => return Ok(outcomes),
            None if attempt.read_too_few => lots_of_each = lots_of_each.saturating_mul(10),
            None => {}
        }
    }
    Err(error::too_contended(first.account, MAX_ATTEMPTS))
}

/// Checks every item before anything is written.
fn contexts(items: &[Debit<'_>]) -> Result<Vec<Rc<Context>>> {
    let check = |item: &Debit<'_>| {
        let context = super::debit::check(*item)?.context;
        account::check_member(item.account, item.member, &context)?;
        Ok(context)
    };
    items.iter().enumerate().map(|(index, item)| check(item).map_err(|refusal| error::in_item(refusal, index))).collect()
}

/// The items of one account and unit, in their order.
type Groups<'a> = BTreeMap<(&'a str, &'a str), Vec<usize>>;

/// One attempt at the whole batch.
struct Attempt<'a> {
    items: &'a [Debit<'a>],
    contexts: &'a [Rc<Context>],
    lots_of_each: i32,
    postings: Vec<i64>,
    /// For items whose key stood for an earlier request: its posting.
    repeated: HashMap<usize, i64>,
    /// For items whose key an earlier item of this batch has: that item.
    same_as: HashMap<usize, usize>,
    /// An item did not fit although more lots could have been read.
    read_too_few: bool,
}

/// What one group takes, locked and ready to be written.
#[derive(Default)]
struct Taken<'a> {
    drawn: Vec<(usize, Drawn)>,
    /// The ids of the group's lots by position.
    lots: Vec<i64>,
    shares: Vec<SlotShare<'a>>,
    layouts: Vec<(i64, Vec<Amount>)>,
    closed: Vec<i64>,
    earliest_expiry: Option<DateTime<Utc>>,
}

impl<'a> Attempt<'a> {
    fn new(items: &'a [Debit<'a>], contexts: &'a [Rc<Context>], lots_of_each: i32) -> Attempt<'a> {
        let postings = entries::next_postings(items.len());
        let (repeated, same_as) = (HashMap::new(), HashMap::new());
        Attempt { items, contexts, lots_of_each, postings, repeated, same_as, read_too_few: false }
    }

    /// The outcomes, or `None` to be tried again.
    fn run(&mut self, mode: Mode) -> Result<Option<Vec<ItemOutcome>>> {
        let now = clock::now();
        self.claim_keys(now)?;
        let groups = self.groups();
        let mut lots_of_groups = self.read_lots(&groups, now);
        let registered = self.register_members(&groups, &lots_of_groups, now)?;
        let mut taken = BTreeMap::new();
        for (key, indexes) in &groups {
            let lots = lots_of_groups.remove(key).unwrap_or_default();
            let Some(group) = self.take(key.0, indexes, lots) else { return Ok(None) };
            taken.insert(*key, group);
        }
        let outcomes = self.outcomes(&taken);
        if let Some((index, shortfall)) = first_short(&outcomes).filter(|_| mode == Mode::All) {
            return Err(self.refusal(index, shortfall));
        }
        // A member who was registered for a debit that then did not fit must not stay.
        if registered.iter().any(|index| matches!(outcomes[*index], ItemOutcome::Short { .. })) || self.read_too_few {
            return Ok(None);
        }
        Ok(self.write(&taken, &outcomes).then_some(outcomes))
    }

    /// Claims every key for its item's posting, in the order of accounts and keys, so that two batches cannot deadlock.
    fn claim_keys(&mut self, now: DateTime<Utc>) -> Result<()> {
        let items = self.items;
        let mut keyed: Vec<_> =
            (0..items.len()).filter_map(|index| Some((items[index].account, items[index].keyed?.key, index))).collect();
        keyed.sort_unstable();
        let mut first: Option<(&str, &str, usize)> = None;
        for (account, key, index) in keyed {
            if let Some((_, _, original)) = first.filter(|known| (known.0, known.1) == (account, key))
                && items[original].keyed.map(|keyed| keyed.fingerprint) == items[index].keyed.map(|keyed| keyed.fingerprint)
            {
                self.same_as.insert(index, original);
                continue;
            }
            first = Some((account, key, index));
            let keyed = items[index].keyed.expect("an item with a key");
            let earlier = idempotency::claim(account, keyed, self.postings[index], now);
            if let Some(posting) = earlier.map_err(|refusal| error::in_item(refusal, index))? {
                self.repeated.insert(index, posting);
            }
        }
        Ok(())
    }

    fn groups(&self) -> Groups<'a> {
        let contexts = self.contexts;
        let mut groups = Groups::new();
        for (index, item) in self.items.iter().enumerate() {
            let original = self.same_as.get(&index).unwrap_or(&index);
            if !self.repeated.contains_key(original) {
                groups.entry((item.account, &contexts[index].unit)).or_default().push(index);
            }
        }
        groups
    }

    /// What the lots of all groups hold, in one statement, in drawdown order.
    fn read_lots(&mut self, groups: &Groups<'a>, now: DateTime<Utc>) -> BTreeMap<(&'a str, &'a str), Vec<OwnedLot>> {
        let mut owners = BTreeSet::new();
        for ((account, unit), indexes) in groups {
            let mut add = |owner| owners.insert(Owner { account, unit, owner });
            for index in indexes {
                self.items[*index].member.map(&mut add);
            }
            add("");
        }
        let owners: Vec<Owner<'a>> = owners.into_iter().collect();
        let mut read = vec![0; owners.len()];
        let mut lots: BTreeMap<_, Vec<OwnedLot>> = BTreeMap::new();
        for lot in lots::usable_by_owners(&owners, now, self.lots_of_each) {
            let owner = owners[lot.owner];
            read[lot.owner] += 1;
            lots.entry((owner.account, owner.unit)).or_default().push(lot);
        }
        lots.values_mut().for_each(|lots| lots.sort_by_key(|lot| lot.rank));
        self.read_too_few = read.contains(&self.lots_of_each);
        lots
    }

    fn debit(&self, index: usize) -> BatchDebit<'a> {
        let item = &self.items[index];
        let pool = !self.contexts[index].per_seat || item.member.is_none();
        BatchDebit { member: item.member, pool, operation: item.operation, amount: item.amount }
    }

    /// Draws the items of a group in turn. A repetition of an item that is paid takes nothing more.
    fn draw(&self, indexes: &[usize], lots: &mut [BatchLot]) -> Vec<(usize, Drawn)> {
        let mut paid = BTreeSet::new();
        let mut drawn = Vec::with_capacity(indexes.len());
        for index in indexes {
            if self.same_as.get(index).is_some_and(|original| paid.contains(original)) {
                continue;
            }
            let outcome = batch::draw(lots, &self.debit(*index));
            if matches!(outcome, Drawn::Paid(_)) {
                paid.insert(*index);
            }
            drawn.push((*index, outcome));
        }
        drawn
    }

    /// Registers members who are named for the first time, for items that fit as things look; which items.
    fn register_members(
        &self,
        groups: &Groups<'a>,
        lots: &BTreeMap<(&'a str, &'a str), Vec<OwnedLot>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<usize>> {
        let is_new = |index: &usize| self.items[*index].member.is_some() && self.contexts[*index].member.is_none();
        let mut registered = Vec::new();
        for (key, indexes) in groups {
            if !indexes.iter().any(is_new) {
                continue;
            }
            let mut seen: Vec<_> = lots.get(key).into_iter().flatten().map(batch_lot).collect();
            for (index, drawn) in self.draw(indexes, &mut seen) {
                if is_new(&index) && matches!(drawn, Drawn::Paid(_)) {
                    let item = &self.items[index];
                    account::active_member(item.account, item.member, &self.contexts[index], now)
                        .map_err(|refusal| error::in_item(refusal, index))?;
                    registered.push(index);
                }
            }
        }
        Ok(registered)
    }

    /// Locks what a group takes: free slots if they suffice, whole lots otherwise.
    fn take(&self, account: &'a str, indexes: &[usize], owned: Vec<OwnedLot>) -> Option<Taken<'a>> {
        match self.take_slots(account, indexes, &owned) {
            Some(taken) => Some(taken),
            None => self.take_whole_lots(account, indexes, owned),
        }
    }

    /// Takes from slots that nobody holds, where no lot runs dry.
    fn take_slots(&self, account: &'a str, indexes: &[usize], owned: &[OwnedLot]) -> Option<Taken<'a>> {
        let mut lots: Vec<_> = owned.iter().map(batch_lot).collect();
        let before: Vec<_> = lots.iter().map(|lot| lot.available).collect();
        let drawn = self.draw(indexes, &mut lots);
        let last = last_drawn(&drawn);
        if lots.iter().take(last).any(|lot| lot.available.is_zero()) {
            return None;
        }
        let mut taken = Taken { drawn, lots: lots.iter().map(|lot| lot.rank.lot).collect(), ..Taken::default() };
        let mut held = Vec::new();
        for (position, lot) in lots.iter().enumerate().take(last) {
            let pays = before[position].checked_sub(lot.available).expect("a lot only loses");
            if pays.is_positive() && !take_free_slots(account, &owned[position], pays, &mut taken.shares, &mut held) {
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

    /// Takes from lots locked whole, in drawdown order, up to the last that is needed: then what they hold is final.
    fn take_whole_lots(&self, account: &'a str, indexes: &[usize], owned: Vec<OwnedLot>) -> Option<Taken<'a>> {
        let mut lots: Vec<_> = owned.iter().map(batch_lot).collect();
        let debits: Vec<_> = indexes.iter().map(|index| self.debit(*index)).collect();
        let mut whole: Vec<Option<WholeLot<'a>>> = Vec::new();
        loop {
            let mut after = lots.clone();
            let drawn = self.draw(indexes, &mut after);
            let last = last_drawn(&drawn);
            if last <= whole.len() {
                let decimals = self.contexts[indexes[0]].decimals.expect("a context with a unit");
                let largest = debits.iter().map(|debit| debit.amount).max().expect("a group has items");
                return Some(Taken::from_whole_lots(drawn, &after, whole, largest, decimals));
            }
            for lot in &mut lots[whole.len()..last] {
                let concerned = debits.iter().any(|debit| lot.pays_for(debit));
                whole.push(match concerned {
                    true => Some(whole_lot::lock(account, lot.rank.lot).filter(|whole| !whole.state.closed)?),
                    false => None,
                });
                if let Some(Some(whole)) = whole.last() {
                    lot.available = whole.remaining();
                }
            }
        }
    }

    fn outcomes(&self, taken: &BTreeMap<(&str, &str), Taken<'_>>) -> Vec<ItemOutcome> {
        let mut outcomes: Vec<Option<ItemOutcome>> = vec![None; self.items.len()];
        for (index, posting) in &self.repeated {
            outcomes[*index] = Some(ItemOutcome::Posted(*posting));
        }
        for (index, drawn) in taken.values().flat_map(|group| &group.drawn) {
            outcomes[*index] = Some(match drawn {
                Drawn::Paid(_) => ItemOutcome::Posted(self.postings[*index]),
                Drawn::Short { available } => {
                    let shortfall = self.items[*index].amount.checked_sub(*available).expect("less than was asked for");
                    ItemOutcome::Short { shortfall }
                }
            });
        }
        let outcome = |index: usize| outcomes[index].or_else(|| outcomes[*self.same_as.get(&index)?]);
        (0..self.items.len()).map(|index| outcome(index).expect("an outcome for each item")).collect()
    }

    fn refusal(&self, index: usize, shortfall: Amount) -> pgrx::pg_sys::panic::ErrorReport {
        let item = &self.items[index];
        let available = item.amount.checked_sub(shortfall).expect("a shortfall of the amount");
        error::in_item(error::insufficient(item.account, item.member, item.amount, available), index)
    }

    /// Writes what was taken; `false` when a slot held less than was read, or a lot has expired meanwhile.
    fn write(&self, taken: &BTreeMap<(&'a str, &'a str), Taken<'a>>, outcomes: &[ItemOutcome]) -> bool {
        let now = clock::now();
        if taken.values().filter_map(|group| group.earliest_expiry).any(|expires_at| expires_at <= now) {
            return false;
        }
        let shares: Vec<_> = taken.values().flat_map(|group| group.shares.iter().copied()).collect();
        if !shares.is_empty() && lots::take_from_slots(&shares) != shares.len() {
            return false;
        }
        let (mut layouts, mut closed, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for ((account, _), group) in taken {
            layouts.extend(group.layouts.iter().map(|(lot, remaining)| Layout {
                account,
                lot: *lot,
                remaining: remaining.clone(),
            }));
            closed.extend(group.closed.iter().map(|lot| (*account, *lot)));
            lines.extend(group.drawn.iter().flat_map(|(index, drawn)| self.lines(*index, drawn, group)));
        }
        if !layouts.is_empty() {
            lots::set_slots(&layouts);
        }
        lots::close(&closed);
        write::lines(&lines, now);
        self.take_back_keys(outcomes);
        true
    }

    fn lines(&self, index: usize, drawn: &Drawn, group: &Taken<'_>) -> Vec<BatchLine<'_>> {
        let Drawn::Paid(parts) = drawn else { return Vec::new() };
        let item = &self.items[index];
        let department = self.contexts[index].member.as_ref().and_then(|member| member.department.as_deref());
        let debit = DebitLine {
            account: item.account,
            member: item.member,
            department,
            operation: item.operation,
            occurred_at: item.occurred_at,
            metadata: item.metadata,
        };
        let line = |(line, (position, amount)): (i32, &(usize, Amount))| BatchLine {
            debit,
            posting: self.postings[index],
            line,
            lot: group.lots[*position],
            amount: *amount,
        };
        (1..).zip(parts).map(line).collect()
    }

    /// A key whose debit did not fit is free again.
    fn take_back_keys(&self, outcomes: &[ItemOutcome]) {
        for (index, outcome) in outcomes.iter().enumerate() {
            if let (Some(keyed), ItemOutcome::Short { .. }, None) = (self.items[index].keyed, outcome, self.same_as.get(&index)) {
                requests::take_back(self.items[index].account, keyed.key);
            }
        }
    }
}

impl<'a> Taken<'a> {
    /// What lots locked whole hold after the draws: laid out anew, and closed where nothing is left.
    fn from_whole_lots(
        drawn: Vec<(usize, Drawn)>,
        after: &[BatchLot],
        whole: Vec<Option<WholeLot<'a>>>,
        largest: Amount,
        decimals: u32,
    ) -> Taken<'a> {
        let mut taken = Taken { drawn, lots: after.iter().map(|lot| lot.rank.lot).collect(), ..Taken::default() };
        for (lot, whole) in after.iter().zip(whole) {
            let Some(whole) = whole else { continue };
            if whole.remaining() != lot.available {
                taken.note_expiry(lot);
                taken.layouts.push((lot.rank.lot, slots::spread(lot.available, largest, whole.state.slots, decimals)));
            }
            if lot.available.is_zero() {
                taken.closed.push(lot.rank.lot);
            }
        }
        taken
    }

    fn note_expiry(&mut self, lot: &BatchLot) {
        if let Expiry::At(expires_at) = lot.rank.expiry {
            self.earliest_expiry = Some(self.earliest_expiry.map_or(expires_at, |known| known.min(expires_at)));
        }
    }
}

fn batch_lot(owned: &OwnedLot) -> BatchLot {
    BatchLot {
        rank: owned.rank,
        owner: owned.member.clone(),
        applies_to: owned.applies_to.clone(),
        available: owned.slots.iter().copied().sum(),
    }
}

/// How many lots stand up to the last one that pays.
fn last_drawn(drawn: &[(usize, Drawn)]) -> usize {
    let last = |drawn: &Drawn| match drawn {
        Drawn::Paid(parts) => parts.last().map_or(0, |(position, _)| position + 1),
        Drawn::Short { .. } => 0,
    };
    drawn.iter().map(|(_, drawn)| last(drawn)).max().unwrap_or(0)
}

/// Covers the amount from slots of the lot that nobody holds, the backend's own first; whether that was possible.
fn take_free_slots<'a>(
    account: &'a str,
    lot: &OwnedLot,
    amount: Amount,
    shares: &mut Vec<SlotShare<'a>>,
    held: &mut Vec<SlotLock>,
) -> bool {
    let count = lot.slots.len();
    let own = lock::backend_number() as usize % count;
    let mut uncovered = amount;
    for slot in (own..count).chain(0..own).filter(|slot| lot.slots[*slot].is_positive()) {
        let Some(lock) = SlotLock::try_acquire(lot.rank.lot, slot as i16) else { continue };
        held.push(lock);
        let part = lot.slots[slot].min(uncovered);
        uncovered = uncovered.checked_sub(part).expect("a difference below its minuend");
        shares.push(SlotShare { account, lot: lot.rank.lot, slot: slot as i16, amount: part });
        if uncovered.is_zero() {
            return true;
        }
    }
    false
}

fn first_short(outcomes: &[ItemOutcome]) -> Option<(usize, Amount)> {
    outcomes.iter().enumerate().find_map(|(index, outcome)| match outcome {
        ItemOutcome::Short { shortfall } => Some((index, *shortfall)),
        ItemOutcome::Posted(_) => None,
    })
}
