//! One attempt at a batch: in one subtransaction, from the newcomers to the lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use chrono::{DateTime, Utc};

use crate::caps::whole::WholeCap;
use crate::debits::batch::caps;
use crate::debits::batch::claims::Claims;
use crate::debits::batch::contexts::contexts_hold;
use crate::debits::batch::group::{Group, GroupDebit, Taken};
use crate::debits::batch::members::{self, Judgements};
use crate::debits::batch::outcome::{ItemOutcome, Mode};
use crate::debits::outcome::Short;
use crate::debits::request::Debit;
use crate::debits::{late, write};
use crate::domain::amount::Amount;
use crate::domain::debits::batch::{BatchDebit, Drawn};
use crate::error::Result;
use crate::holds::ended;
use crate::schedules::refresh;
use crate::server::contention::WaitingForNothing;
use crate::server::{clock, invalidation};
use crate::store::caps::Cap;
use crate::store::debits::eligible::{self, OwnedLot, Owner};
use crate::store::ledger::accounts::Context;
use crate::store::ledger::breakage::{Lapsed, LateUsage, TakenBack};
use crate::store::ledger::entries::{BatchLine, DebitLine};
use crate::store::ledger::slots::{self, Layout};
use crate::store::ledger::{lots, requests};

/// Something for each account and unit, in the order of their names.
pub(super) type ByAccount<'a, T> = BTreeMap<(&'a str, &'a str), T>;

/// Credits that expired lots lost and that may pay for items of an account and unit, and which of them may pay for which item.
#[derive(Default)]
pub(super) struct Losses {
    all: Vec<Lapsed>,
    of_item: HashMap<usize, Vec<usize>>,
}

/// One attempt at the whole batch.
pub(super) struct Attempt<'a> {
    pub(super) items: &'a [Debit<'a>],
    pub(super) contexts: &'a [Rc<Context>],
    /// The generation under which the contexts were read.
    generation: u64,
    lots_of_each: i32,
    claims: &'a Claims,
    /// A posting id for each item.
    postings: Vec<i64>,
    /// The mode of the batch.
    mode: Mode,
    /// How the items must end; else nothing is written.
    expected: Option<&'a [bool]>,
    /// They ended otherwise.
    pub(super) otherwise: Option<Vec<ItemOutcome>>,
    /// Owners who may have more lots than were read.
    read_in_part: ByAccount<'a, Vec<&'a str>>,
    /// Some debit came to the end of what was read of such an owner.
    pub(super) read_too_few: bool,
    /// Items with members who were registered for them now.
    pub(super) registered: BTreeSet<usize>,
    /// The judgements of this attempt and of those before it.
    pub(super) judgements: Judgements,
    /// Holds of its accounts have ended, and what they have is to be given back: no item is refused for lack of it.
    pub(super) gives_back: bool,
}

impl<'a> Attempt<'a> {
    /// An attempt that has looked at nothing yet.
    pub(super) fn new(
        items: &'a [Debit<'a>],
        contexts: &'a [Rc<Context>],
        generation: u64,
        lots_of_each: i32,
        claims: &'a Claims,
        (mode, expected): (Mode, Option<&'a [bool]>),
        judgements: Judgements,
    ) -> Attempt<'a> {
        Attempt {
            items,
            contexts,
            generation,
            lots_of_each,
            claims,
            postings: Vec::new(),
            mode,
            expected,
            otherwise: None,
            read_in_part: ByAccount::new(),
            read_too_few: false,
            registered: BTreeSet::new(),
            judgements,
            gives_back: false,
        }
    }

    /// The outcomes, or `None` to be tried again.
    pub(super) fn run(&mut self) -> Result<Option<Vec<ItemOutcome>>> {
        self.register_early()?;
        let waiting = if self.gives_back { self.give_back_ended() } else { None };
        if self.gives_back && (waiting.is_none() || invalidation::generation() != self.generation) {
            return Ok(None);
        }
        let caps = self.lock_caps();
        let Some(losses) = self.lock_losses() else { return Ok(None) };
        // After these waits, so that what expired comes before.
        self.postings = self.claims.postings();
        let groups = self.groups(&caps, &losses);
        let lots = self.read_lots(&groups);
        if !self.is_complete(&groups, &lots) {
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
        if self.mode == Mode::Available && self.has_more(&groups, &lots, &outcomes) {
            return Ok(None);
        }
        if self.expected.is_some_and(|expected| !outcomes.iter().map(ItemOutcome::is_posted).eq(expected.iter().copied())) {
            self.otherwise = Some(outcomes);
            return Ok(None);
        }
        if let Some((index, short)) = caps::first_short(&outcomes).filter(|_| self.mode == Mode::All) {
            return Err(self.refusal(index, short, &caps, &taken));
        }
        // A member who was registered for a debit that then did not fit must not stay.
        let is_short = |index: &&usize| matches!(outcomes[**index], ItemOutcome::Short(_));
        let misjudged: Vec<usize> = self.registered.iter().filter(is_short).copied().collect();
        if !misjudged.is_empty() {
            self.judgements.misjudge(misjudged);
            return Ok(None);
        }
        let written_at = clock::now();
        if self.contexts.iter().any(|context| context.is_due(written_at)) {
            return Ok(None);
        }
        if caps::has_ended(&caps, written_at) {
            return Ok(None);
        }
        let has_written = self.write(&taken, &outcomes, written_at);
        self.write_caps(&caps, &groups, &taken, written_at);
        members::add_seats(self.items, self.contexts, self.registered.iter().copied());
        Ok(has_written.then_some(outcomes))
    }

    /// Gives back what holds have whose time is over. From then on nothing is waited for: a lot that comes meanwhile ends the
    /// attempt.
    fn give_back_ended(&self) -> Option<WaitingForNothing> {
        let drawers = self.items.iter().zip(self.contexts).map(|(item, context)| item.drawer(context));
        let is_given_back = ended::give_back_for(&drawers.collect::<Vec<_>>(), || drop(self.lock_losses()));
        is_given_back.then(WaitingForNothing::begin)
    }

    /// Locks what expired lots lost that pay for late items, account by account; `None` where something is due, and that is not
    /// known yet.
    fn lock_losses(&self) -> Option<ByAccount<'a, Losses>> {
        let mut late: ByAccount<'a, Vec<(usize, LateUsage<'a>)>> = ByAccount::new();
        for (index, (item, context)) in self.items.iter().zip(self.contexts).enumerate() {
            if let Some(at) = late::original(item, context).filter(|_| !self.claims.repeated.contains_key(&index)) {
                let usage = (index, (item.eligible(context), at));
                late.entry((item.account, context.unit.as_str())).or_default().push(usage);
            }
        }
        late.into_iter().map(|(key, items)| Some((key, Losses::lock(key.0, &items)?))).collect()
    }

    /// The debits of each account and unit, with the caps and losses that are locked.
    pub(super) fn groups(
        &self,
        caps: &ByAccount<'a, Vec<WholeCap<'a>>>,
        losses: &ByAccount<'a, Losses>,
    ) -> ByAccount<'a, Group<'a>> {
        let (items, contexts) = (self.items, self.contexts);
        let mut groups = ByAccount::new();
        for (index, item) in items.iter().enumerate() {
            let repeats = self.claims.same_as.get(&index).copied();
            if self.claims.repeated.contains_key(&repeats.unwrap_or(index)) {
                continue;
            }
            let context: &'a Context = &contexts[index];
            let pool = context.pool_pays(item.member);
            let decimals = context.unit_decimals();
            let in_part = (self.mode == Mode::Available).then_some(decimals);
            let debit = BatchDebit { member: item.member, pool, operation: item.operation, amount: item.amount, in_part };
            let key = (item.account, context.unit.as_str());
            let locked = caps.get(&key).map_or(&[][..], Vec::as_slice);
            let group = groups.entry(key).or_insert_with(|| Group {
                account: item.account,
                decimals,
                debits: Vec::new(),
                caps: locked.iter().map(caps::batch_cap).collect(),
                losses: losses.get(&key).map(|losses| losses.all.clone()).unwrap_or_default(),
            });
            let counting = context.caps.iter().filter(|cap| cap.counts(item.operation));
            let position = |cap: &Cap| {
                let position = locked.iter().position(|whole| whole.cap.cap == cap.cap);
                assert!(caps.is_empty() || position.is_some(), "cap {} is locked", cap.cap);
                position
            };
            let counting = counting.filter_map(position).collect();
            let paying = losses.get(&key).and_then(|losses| losses.of_item.get(&index)).cloned().unwrap_or_default();
            group.debits.push(GroupDebit { index, repeats, debit, counting, paying });
        }
        groups
    }

    /// Reads what the lots of all groups hold, in one statement, in drawdown order.
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

    /// Whether credits have come during a wait, where some were missing: then it would take less than was there.
    fn has_more(
        &mut self,
        groups: &ByAccount<'a, Group<'a>>,
        lots: &ByAccount<'a, Vec<OwnedLot>>,
        outcomes: &[ItemOutcome],
    ) -> bool {
        if outcomes.iter().all(|outcome| outcome.short().is_none_or(|short| short.cap.is_some())) {
            return false;
        }
        let something = |lots: &[OwnedLot]| -> BTreeSet<i64> {
            let has_something = |lot: &&OwnedLot| lot.slots.iter().any(|slot| slot.is_positive());
            lots.iter().filter(has_something).map(|lot| lot.rank.lot).collect()
        };
        let now = self.read_lots(groups);
        now.iter().any(|(key, now)| !something(now).is_subset(&something(lots.get(key).map_or(&[], Vec::as_slice))))
    }

    fn outcomes(&self, taken: &ByAccount<'_, Taken<'_>>) -> Vec<ItemOutcome> {
        let mut outcomes: Vec<Option<ItemOutcome>> = vec![None; self.items.len()];
        for (index, posting) in &self.claims.repeated {
            outcomes[*index] = Some(ItemOutcome::Posted(*posting));
        }
        for (index, drawn) in taken.values().flat_map(|group| &group.drawn) {
            outcomes[*index] = Some(match drawn {
                Drawn::Capped { cap, requested, left, .. } => {
                    ItemOutcome::Short(Short { shortfall: requested.checked_sub(*left).unwrap_or_default(), cap: Some(*cap) })
                }
                Drawn::Paid(_) => ItemOutcome::Posted(self.postings[*index]),
                Drawn::Part { debited, cap, .. } => {
                    let shortfall = self.items[*index].amount.checked_sub(*debited).expect("less than was asked for");
                    ItemOutcome::Part(self.postings[*index], Short { shortfall, cap: *cap })
                }
                Drawn::Short { available } => {
                    let shortfall = self.items[*index].amount.checked_sub(*available).expect("less than was asked for");
                    ItemOutcome::Short(Short { shortfall, cap: None })
                }
            });
        }
        let outcome = |index: usize| outcomes[index].or_else(|| outcomes[*self.claims.same_as.get(&index)?]);
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
        if self.claims.as_one {
            (1..).zip(&mut lines).for_each(|(number, line): (i32, &mut BatchLine<'_>)| line.line = number);
        }
        write::lines(&lines, now);
        for (index, parts) in taken.values().flat_map(|group| &group.taken_back) {
            let [line, _] = self.split_line(*index, parts);
            late::write_lines(line, self.postings[*index], parts, now);
        }
        self.take_back_keys(outcomes);
        true
    }

    fn lines(&self, index: usize, drawn: &Drawn, group: &Taken<'_>) -> Vec<BatchLine<'_>> {
        let Some(parts) = drawn.parts().filter(|parts| !parts.is_empty()) else { return Vec::new() };
        let [_, debit] = self.split_line(index, group.taken_back(index));
        let parts: Vec<_> = parts.iter().map(|(position, amount)| (group.lots[*position], *amount)).collect();
        BatchLine::of_debit(debit, self.postings[index], &parts)
    }

    /// The line for the part of an item that expired lots pay, and the line for the rest.
    fn split_line(&self, index: usize, taken_back: &[TakenBack]) -> [DebitLine<'_>; 2] {
        let item = &self.items[index];
        let line = item.line(self.contexts[index].member.as_ref());
        match taken_back.iter().map(|part| part.amount).sum::<Amount>() {
            Amount::ZERO => [line, line],
            lapsed => late::split_line(line, lapsed, item.amount),
        }
    }

    /// A key whose debit did not fit is free again.
    fn take_back_keys(&self, outcomes: &[ItemOutcome]) {
        for (index, outcome) in outcomes.iter().enumerate() {
            if let (Some(keyed), ItemOutcome::Short(_), None) =
                (self.items[index].keyed, outcome, self.claims.same_as.get(&index))
            {
                requests::take_back(self.items[index].account, keyed.key);
            }
        }
    }
}

impl Losses {
    /// Locks what expired lots lost that may pay one of the items of an account and unit; `None` where something of it is due.
    fn lock(account: &str, items: &[(usize, LateUsage<'_>)]) -> Option<Losses> {
        if refresh::is_due(account, clock::now()) {
            return None;
        }
        let usages: Vec<_> = items.iter().map(|(_, usage)| *usage).collect();
        let mut losses = Losses::default();
        let mut known: HashMap<i64, usize> = HashMap::new();
        for ((index, _), of_item) in items.iter().zip(late::lock_losses(&usages)) {
            let position = |loss: Lapsed| {
                *known.entry(loss.posting).or_insert_with(|| {
                    losses.all.push(loss);
                    losses.all.len() - 1
                })
            };
            losses.of_item.insert(*index, of_item.into_iter().map(position).collect());
        }
        Some(losses)
    }
}
