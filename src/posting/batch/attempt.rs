//! One attempt at a batch: in one subtransaction, from the keys to the lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::group::{Group, GroupDebit, Taken};
use super::members::Judgements;
use super::{ItemOutcome, Mode, caps, contexts_hold, in_item, members};
use crate::domain::amount::Amount;
use crate::domain::batch::{BatchDebit, Drawn};
use crate::error::Result;
use crate::posting::caps::whole::WholeCap;
use crate::posting::debit::{Debit, Short};
use crate::posting::{idempotency, write};
use crate::server::clock;
use crate::store::accounts::Context;
use crate::store::caps::Cap;
use crate::store::eligible::{self, OwnedLot, Owner};
use crate::store::entries::{self, BatchLine};
use crate::store::slots::{self, Layout};
use crate::store::{lots, requests};

/// A posting id for each item; those that were claimed already stay.
fn postings(items: &[Debit<'_>]) -> Vec<i64> {
    let new = entries::next_postings(items.len());
    items.iter().zip(new).map(|(item, new)| item.posting.unwrap_or(new)).collect()
}

/// Something for each account and unit, in the order of their names.
pub(super) type ByAccount<'a, T> = BTreeMap<(&'a str, &'a str), T>;

/// One attempt at the whole batch.
pub(super) struct Attempt<'a> {
    pub(super) items: &'a [Debit<'a>],
    pub(super) contexts: &'a [Rc<Context>],
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
    pub(super) read_too_few: bool,
    /// Items with members who were registered for them now.
    pub(super) registered: BTreeSet<usize>,
    /// What this attempt and those before it learned.
    pub(super) judgements: Judgements,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        items: &'a [Debit<'a>],
        contexts: &'a [Rc<Context>],
        generation: u64,
        lots_of_each: i32,
        posting: Option<i64>,
        judgements: Judgements,
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
            registered: BTreeSet::new(),
            judgements,
        }
    }

    /// The outcomes, or `None` to be tried again.
    pub(super) fn run(&mut self, mode: Mode) -> Result<Option<Vec<ItemOutcome>>> {
        let now = clock::now();
        self.claim_keys(now)?;
        members::prepare_accounts(self.items, self.contexts, |_, context| context.is_due(now))?;
        self.register_early()?;
        let caps = self.lock_caps();
        let groups = self.groups(&caps);
        let lots = self.read_lots(&groups);
        if !self.register_rest(&groups, &lots)? {
            return Ok(None);
        }
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
        let is_short = |index: &&usize| matches!(outcomes[**index], ItemOutcome::Short(_));
        let misjudged: Vec<usize> = self.registered.iter().filter(is_short).copied().collect();
        if !misjudged.is_empty() {
            self.judgements.misjudge(misjudged);
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
        members::add_seats(self.items, self.contexts, self.registered.iter().copied());
        Ok(has_written.then_some(outcomes))
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

    /// The debits of each account and unit, with the caps that are locked.
    pub(super) fn groups(&self, caps: &ByAccount<'a, Vec<WholeCap<'a>>>) -> ByAccount<'a, Group<'a>> {
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
            let position = |cap: &Cap| {
                let position = locked.iter().position(|whole| whole.cap.cap == cap.cap);
                assert!(caps.is_empty() || position.is_some(), "cap {} is locked", cap.cap);
                position
            };
            let counting = counting.filter_map(position).collect();
            group.debits.push(GroupDebit { index, repeats, debit, counting });
        }
        groups
    }

    /// What the lots of all groups hold, in one statement, in drawdown order.
    pub(super) fn read_lots(&mut self, groups: &ByAccount<'a, Group<'a>>) -> ByAccount<'a, Vec<OwnedLot>> {
        self.read_in_part.clear();
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
