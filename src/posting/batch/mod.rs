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
use pgrx::pg_sys::panic::ErrorReport;

use self::group::{Group, GroupDebit, Taken};
use super::account;
use super::caps::whole::WholeCap;
use super::closed::{self, Correction};
use super::debit::{self, Debit, Short};
use super::idempotency;
use super::late;
use super::write;
use crate::cycles::refresh;
use crate::domain::amount::Amount;
use crate::domain::batch::{BatchDebit, Drawn};
use crate::error::{self, Result};
use crate::server::{clock, invalidation, subtransaction};
use crate::store::accounts::Context;
use crate::store::caps::Cap;
use crate::store::eligible::{self, OwnedLot, Owner};
use crate::store::entries::{self, BatchLine};
use crate::store::slots::{self, Layout};
use crate::store::{lots, requests};

mod caps;
mod group;

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
    Short(Short),
}

/// Debits each item in turn; one outcome per item.
///
/// # Errors
/// What a single debit raises, with `item=` in the DETAIL; 23514 in mode [`Mode::All`] for the first that does not fit.
pub fn debit_many(items: &[Debit<'_>], mode: Mode) -> Result<Vec<ItemOutcome>> {
    run(items, mode, None, Lateness::Asked)
}

/// Debits each item in turn, all of them under one posting or none of them.
///
/// # Errors
/// As [`debit_many`] in mode [`Mode::All`].
pub fn debit_as_one(items: &[Debit<'_>], posting: i64) -> Result<()> {
    run(items, Mode::All, Some(posting), Lateness::Asked).map(|_| ())
}

/// The same for what the lots of now pay of them, after expired lots paid the rest.
///
/// # Errors
/// As [`debit_as_one`].
pub fn debit_rest_as_one(items: &[Debit<'_>], posting: i64) -> Result<()> {
    run(items, Mode::All, Some(posting), Lateness::Settled).map(|_| ())
}

/// Whether it is still to be asked if usage is late.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lateness {
    Asked,
    Settled,
}

fn run(items: &[Debit<'_>], mode: Mode, posting: Option<i64>, lateness: Lateness) -> Result<Vec<ItemOutcome>> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let mut lots_of_each = LOTS_AT_FIRST;
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let generation = invalidation::generation();
        let contexts = contexts(items)?;
        let corrections = corrections(items, &contexts)?;
        let redated = closed::as_of_now(items, &corrections);
        let items = redated.as_deref().unwrap_or(items);
        let is_late = |(item, context): (&Debit<'_>, &Rc<Context>)| late::instant(item.occurred_at, context).is_some();
        match posting {
            None if items.iter().zip(&contexts).any(is_late) => {
                let outcomes = late::one_by_one(items, mode)?;
                closed::record_all(&corrections, &outcomes);
                return Ok(outcomes);
            }
            Some(posting) if lateness == Lateness::Asked && late::is_paid_by_expired(items, &contexts) => {
                if subtransaction::attempt(|| late::as_one(items, &contexts, generation, posting))?.is_none() {
                    continue;
                }
                closed::record_all(&corrections, &vec![ItemOutcome::Posted(posting); items.len()]);
                return Ok(Vec::new());
            }
            Some(_) if lateness == Lateness::Asked => late::check_items(items, &contexts)?,
            _ => {}
        }
        let mut attempt = Attempt::new(items, &contexts, generation, lots_of_each, posting);
        match subtransaction::attempt(|| attempt.run(mode))? {
            Some(outcomes) => {
                closed::record_all(&corrections, &outcomes);
                return Ok(outcomes);
            }
            None if attempt.read_too_few => lots_of_each = lots_of_each.saturating_mul(10),
            None => {}
        }
    }
    Err(error::too_contended(first.account, MAX_ATTEMPTS))
}

/// Checks every item before anything is written.
fn contexts(items: &[Debit<'_>]) -> Result<Vec<Rc<Context>>> {
    let check = |item: &Debit<'_>| {
        let context = debit::check(*item)?.context;
        account::check_member(item.account, item.member, &context)?;
        Ok(context)
    };
    items.iter().enumerate().map(|(index, item)| check(item).map_err(|refusal| in_item(items, index, refusal))).collect()
}

/// Whether accounts and members are still as they were read, now that nothing is waited for any more. A member who was deactivated during
/// a wait must not spend.
///
/// # Errors
/// What no longer allows an item.
pub fn contexts_hold(items: &[Debit<'_>], before: &[Rc<Context>], generation: u64) -> Result<bool> {
    if invalidation::generation() == generation {
        return Ok(true);
    }
    let now = contexts(items)?;
    Ok(before.iter().zip(&now).all(|(before, now)| before.holds(now)))
}

/// What of the items is usage of closed periods.
fn corrections<'a>(items: &[Debit<'a>], contexts: &[Rc<Context>]) -> Result<Vec<Option<Correction<'a>>>> {
    let closed_until = closed::closed_until(items);
    let of = |(index, item): (usize, &Debit<'a>)| {
        let may_be_closed = |until: &DateTime<Utc>| item.occurred_at.is_some_and(|at| at < *until);
        if !closed_until.get(item.account).is_some_and(may_be_closed) {
            return Ok(None);
        }
        // What a key stands for already is not written again.
        let is_known = item.keyed.map(|keyed| idempotency::repeated(item.account, keyed));
        if is_known.transpose().map_err(|refusal| in_item(items, index, refusal))?.flatten().is_some() {
            return Ok(None);
        }
        closed::correction(item, &contexts[index]).map_err(|refusal| in_item(items, index, refusal))
    };
    items.iter().enumerate().map(of).collect()
}

/// The refusal of an item, by the number that the caller knows it under.
fn in_item(items: &[Debit<'_>], index: usize, refusal: ErrorReport) -> ErrorReport {
    error::in_item(refusal, items[index].item.unwrap_or(index))
}

/// A posting id for each item; those that were claimed already stay.
fn postings(items: &[Debit<'_>]) -> Vec<i64> {
    let new = entries::next_postings(items.len());
    items.iter().zip(new).map(|(item, new)| item.posting.unwrap_or(new)).collect()
}

/// Something for each account and unit, in the order of their names.
type ByAccount<'a, T> = BTreeMap<(&'a str, &'a str), T>;

/// One attempt at the whole batch.
struct Attempt<'a> {
    items: &'a [Debit<'a>],
    contexts: &'a [Rc<Context>],
    /// What the contexts were read under.
    generation: u64,
    lots_of_each: i32,
    postings: Vec<i64>,
    /// All items are lines of one posting.
    as_one: bool,
    /// For items whose key stood for an earlier request: its posting.
    repeated: HashMap<usize, i64>,
    /// For items whose key an earlier item of this batch has: that item.
    same_as: HashMap<usize, usize>,
    /// Owners who may have more lots than were read.
    read_in_part: ByAccount<'a, Vec<&'a str>>,
    /// Some debit came to the end of what was read of such an owner.
    read_too_few: bool,
}

impl<'a> Attempt<'a> {
    fn new(
        items: &'a [Debit<'a>],
        contexts: &'a [Rc<Context>],
        generation: u64,
        lots_of_each: i32,
        posting: Option<i64>,
    ) -> Attempt<'a> {
        Attempt {
            items,
            contexts,
            generation,
            lots_of_each,
            postings: posting.map_or_else(|| postings(items), |posting| vec![posting; items.len()]),
            as_one: posting.is_some(),
            repeated: HashMap::new(),
            same_as: HashMap::new(),
            read_in_part: ByAccount::new(),
            read_too_few: false,
        }
    }

    /// The outcomes, or `None` to be tried again.
    fn run(&mut self, mode: Mode) -> Result<Option<Vec<ItemOutcome>>> {
        let now = clock::now();
        self.claim_keys(now)?;
        self.issue_what_is_due(now)?;
        let caps = self.lock_caps();
        let groups = self.groups(&caps);
        let lots = self.read_lots(&groups);
        let registered = self.register_members(&groups, &lots, now)?;
        let mut taken = ByAccount::new();
        for (key, group) in &groups {
            let owned = lots.get(key).map_or(&[][..], Vec::as_slice);
            let Some(of_group) = group.take(owned) else { return Ok(None) };
            let in_part = self.read_in_part.get(key).map_or(&[][..], Vec::as_slice);
            self.read_too_few |= in_part.iter().any(|owner| group.went_through(owner, owned, &of_group));
            taken.insert(*key, of_group);
        }
        if self.read_too_few || !contexts_hold(self.items, self.contexts, self.generation)? {
            return Ok(None);
        }
        let outcomes = self.outcomes(&taken);
        if let Some((index, short)) = caps::first_short(&outcomes).filter(|_| mode == Mode::All) {
            return Err(self.refusal(index, short, &caps, &taken));
        }
        // A member who was registered for a debit that then did not fit must not stay.
        if registered.iter().any(|index| matches!(outcomes[*index], ItemOutcome::Short(_))) {
            return Ok(None);
        }
        if self.contexts.iter().any(|context| !context.is_due(now) && context.is_due(clock::now())) {
            return Ok(None);
        }
        let written_at = clock::now();
        if caps::has_ended(&caps, written_at) {
            return Ok(None);
        }
        let has_written = self.write(&taken, &outcomes, written_at);
        self.write_caps(&caps, &groups, &taken, written_at);
        for index in registered {
            account::seat_added(self.items[index].account, self.items[index].member, &self.contexts[index], now);
        }
        Ok(has_written.then_some(outcomes))
    }

    /// Issues what the accounts' schedules bring by now, in the order of their names.
    fn issue_what_is_due(&self, now: DateTime<Utc>) -> Result<()> {
        let due = self.items.iter().zip(self.contexts).filter(|(_, context)| context.is_due(now));
        let accounts: BTreeSet<&str> = due.map(|(item, _)| item.account).collect();
        accounts.into_iter().try_for_each(refresh::first_touch)
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
            if let Some(posting) = earlier.map_err(|refusal| in_item(items, index, refusal))? {
                self.repeated.insert(index, posting);
            }
        }
        Ok(())
    }

    fn groups(&self, caps: &ByAccount<'a, Vec<WholeCap<'a>>>) -> ByAccount<'a, Group<'a>> {
        let (items, contexts) = (self.items, self.contexts);
        let mut groups = ByAccount::new();
        for (index, item) in items.iter().enumerate() {
            let repeats = self.same_as.get(&index).copied();
            if self.repeated.contains_key(&repeats.unwrap_or(index)) {
                continue;
            }
            let context: &'a Context = &contexts[index];
            let pool = context.pool_pays(item.member);
            let debit = BatchDebit { member: item.member, pool, operation: item.operation, amount: item.amount };
            let decimals = context.unit_decimals();
            let key = (item.account, context.unit.as_str());
            let locked = caps.get(&key).map_or(&[][..], Vec::as_slice);
            let group = groups.entry(key).or_insert_with(|| Group {
                account: item.account,
                decimals,
                debits: Vec::new(),
                caps: locked.iter().map(caps::batch_cap).collect(),
            });
            let counting = context.caps.iter().filter(|cap| cap.counts(item.operation));
            let position = |cap: &Cap| locked.iter().position(|whole| whole.cap.cap == cap.cap).expect("a cap that is locked");
            let counting = counting.map(position).collect();
            group.debits.push(GroupDebit { index, repeats, debit, counting });
        }
        groups
    }

    /// What the lots of all groups hold, in one statement, in drawdown order.
    fn read_lots(&mut self, groups: &ByAccount<'a, Group<'a>>) -> ByAccount<'a, Vec<OwnedLot>> {
        let mut owners = BTreeSet::new();
        for ((account, unit), group) in groups {
            let names = group.debits.iter().filter_map(|known| known.debit.member).chain([""]);
            owners.extend(names.map(|owner| Owner { account, unit, owner }));
        }
        let owners: Vec<Owner<'a>> = owners.into_iter().collect();
        let mut read = vec![0; owners.len()];
        let mut lots: ByAccount<'a, Vec<OwnedLot>> = ByAccount::new();
        for lot in eligible::usable_by_owners(&owners, self.lots_of_each) {
            let owner = owners[lot.owner];
            read[lot.owner] += 1;
            lots.entry((owner.account, owner.unit)).or_default().push(lot);
        }
        lots.values_mut().for_each(|lots| lots.sort_by_key(|lot| lot.rank));
        for (owner, _) in owners.iter().zip(read).filter(|(_, read)| *read == self.lots_of_each) {
            self.read_in_part.entry((owner.account, owner.unit)).or_default().push(owner.owner);
        }
        lots
    }

    /// Registers members who are named for the first time, for items that fit as things look; which items.
    fn register_members(
        &self,
        groups: &ByAccount<'a, Group<'a>>,
        lots: &ByAccount<'a, Vec<OwnedLot>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<usize>> {
        let is_new = |index: usize| self.items[index].member.is_some() && self.contexts[index].member.is_none();
        let mut registered = Vec::new();
        for (key, group) in groups {
            if !group.debits.iter().any(|known| is_new(known.index)) {
                continue;
            }
            let mut seen: Vec<_> = lots.get(key).into_iter().flatten().map(group::batch_lot).collect();
            for (index, drawn) in group.draw(&mut seen) {
                if is_new(index) && matches!(drawn, Drawn::Paid(_)) {
                    let item = &self.items[index];
                    account::active_member(item.account, item.member, &self.contexts[index], now)
                        .map_err(|refusal| in_item(self.items, index, refusal))?;
                    registered.push(index);
                }
            }
        }
        Ok(registered)
    }

    fn outcomes(&self, taken: &ByAccount<'_, Taken<'_>>) -> Vec<ItemOutcome> {
        let mut outcomes: Vec<Option<ItemOutcome>> = vec![None; self.items.len()];
        for (index, posting) in &self.repeated {
            outcomes[*index] = Some(ItemOutcome::Posted(*posting));
        }
        for (index, drawn) in taken.values().flat_map(|group| &group.drawn) {
            outcomes[*index] = Some(match drawn {
                Drawn::Capped { cap, requested, used } => {
                    let limit =
                        self.contexts[*index].caps.iter().find(|known| known.cap == *cap).expect("a cap of the item").limit;
                    let left = limit.checked_sub(*used).unwrap_or_default().max(Amount::ZERO);
                    ItemOutcome::Short(Short { shortfall: requested.checked_sub(left).unwrap_or_default(), cap: Some(*cap) })
                }
                Drawn::Paid(_) => ItemOutcome::Posted(self.postings[*index]),
                Drawn::Short { available } => {
                    let shortfall = self.items[*index].amount.checked_sub(*available).expect("less than was asked for");
                    ItemOutcome::Short(Short { shortfall, cap: None })
                }
            });
        }
        let outcome = |index: usize| outcomes[index].or_else(|| outcomes[*self.same_as.get(&index)?]);
        (0..self.items.len()).map(|index| outcome(index).expect("an outcome for each item")).collect()
    }

    /// Writes what was taken; `false` when a slot held less than was read, or meanwhile a lot has expired or another policy
    /// counts.
    fn write(&self, taken: &ByAccount<'a, Taken<'a>>, outcomes: &[ItemOutcome], now: DateTime<Utc>) -> bool {
        if taken.values().filter_map(|group| group.earliest_expiry).any(|expires_at| expires_at <= now) {
            return false;
        }
        if self.contexts.iter().any(|context| !context.pooling_holds(now)) {
            return false;
        }
        let shares: Vec<_> = taken.values().flat_map(|group| group.shares.iter().copied()).collect();
        if !shares.is_empty() && slots::take_from_slots(&shares) != shares.len() {
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
            slots::set_slots(&layouts);
        }
        lots::close(&closed);
        if self.as_one {
            (1..).zip(&mut lines).for_each(|(number, line): (i32, &mut BatchLine<'_>)| line.line = number);
        }
        write::lines(&lines, now);
        self.take_back_keys(outcomes);
        true
    }

    fn lines(&self, index: usize, drawn: &Drawn, group: &Taken<'_>) -> Vec<BatchLine<'_>> {
        let Drawn::Paid(parts) = drawn else { return Vec::new() };
        let debit = self.items[index].line(self.contexts[index].member.as_ref());
        let parts: Vec<_> = parts.iter().map(|(position, amount)| (group.lots[*position], *amount)).collect();
        BatchLine::of_debit(debit, self.postings[index], &parts)
    }

    /// A key whose debit did not fit is free again.
    fn take_back_keys(&self, outcomes: &[ItemOutcome]) {
        for (index, outcome) in outcomes.iter().enumerate() {
            if let (Some(keyed), ItemOutcome::Short(_), None) = (self.items[index].keyed, outcome, self.same_as.get(&index)) {
                requests::take_back(self.items[index].account, keyed.key);
            }
        }
    }
}
