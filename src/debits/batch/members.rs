//! Members whom a batch names for the first time. They are registered before caps and lots are locked, account by account and
//! member by member, as single debits do it: nobody waits for a member while they hold what the other needs.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::zip;
use std::rc::Rc;

use crate::debits::batch::attempt::{Attempt, ByAccount};
use crate::debits::batch::group::{self, Group};
use crate::debits::batch::outcome::in_item;
use crate::debits::late;
use crate::debits::request::Debit;
use crate::error::Result;
use crate::holds::ended;
use crate::ledger::account;
use crate::schedules::refresh;
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::debits::eligible::OwnedLot;
use crate::store::ledger::accounts::{self, Context};

/// The knowledge that attempts have gained about items of newcomers.
#[derive(Default)]
pub struct Judgements {
    /// Somebody was registered for them, and then they did not fit.
    misjudged: BTreeSet<usize>,
    /// They fit only since caps refused others, or since something changed: the members that they name are to be registered
    /// before the caps are locked.
    overlooked: BTreeSet<usize>,
}

impl Judgements {
    /// Items for which somebody was registered do not fit.
    pub fn misjudge(&mut self, items: Vec<usize>) {
        self.overlooked.retain(|index| !items.contains(index));
        self.misjudged.extend(items);
    }

    fn overlook(&mut self, items: Vec<usize>) {
        self.misjudged.retain(|index| !items.contains(index));
        self.overlooked.extend(items);
    }
}

/// The locks on its accounts that a batch holds already.
#[derive(Default)]
pub struct Held {
    /// The locks against new caps.
    arrivals: bool,
    /// Their rows.
    rows: bool,
    /// Holds of theirs have ended.
    ended_holds: bool,
}

impl Held {
    /// Whether holds of the accounts have ended that nobody has given back.
    pub fn meets_ended_holds(&self) -> bool {
        self.ended_holds
    }
}

/// Before anything else of the accounts is locked: issues what is due, and makes room for the seats of newcomers; account by
/// account. Also where expired lots may pay: what they lost is only known once the schedules are settled. Whether the accounts
/// are to be read again.
///
/// The first time that the row of an account is needed, the rows of all are locked, in the order of their names: any of them may
/// be needed the next time. The same holds for the locks against new caps. They are held to the end of the transaction, not taken
/// back with an attempt: a transaction that waits for a row that was locked in a subtransaction within one that is taken back
/// goes on waiting for all of ours, and is first in the row's queue then.
pub fn prepare_accounts(items: &[Debit<'_>], contexts: &[Rc<Context>], held: &mut Held) -> Result<bool> {
    let now = clock::now();
    let (mut due, mut settled, mut seated) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (item, context) in zip(items, contexts) {
        if context.is_due(now) {
            due.insert(item.account);
        } else if late::original(item, context).is_some() {
            settled.insert(item.account);
        }
        if is_new(item, context) {
            seated.insert(item.account);
        }
    }
    let all: BTreeSet<&str> = items.iter().map(|item| item.account).collect();
    // What goes beyond a hold: its capture has looked, before it locked the hold.
    held.ended_holds |= items.iter().any(|item| item.hold.is_none()) && !ended::of(&all).is_empty();
    if due.is_empty() && settled.is_empty() && seated.is_empty() {
        return Ok(false);
    }
    if !std::mem::replace(&mut held.arrivals, true) {
        all.iter().for_each(|account| arrival::let_in(account));
    }
    settled.retain(|account| refresh::is_due(account, now));
    seated.retain(|account| account::has_seats(account));
    if due.is_empty() && settled.is_empty() && seated.is_empty() {
        return Ok(false);
    }
    if !std::mem::replace(&mut held.rows, true) {
        accounts::lock_rows(&all.into_iter().collect::<Vec<_>>());
    }
    due.union(&settled).try_for_each(|account| refresh::first_touch(account))?;
    seated.iter().for_each(|account| account::make_room_for_seat(account));
    if due.is_empty() {
        return Ok(false);
    }
    items.iter().for_each(|item| account::forget(item.account, item.unit, item.member));
    Ok(true)
}

/// Registers the members whom some of the items name for the first time.
///
/// # Errors
/// As [`account::register_newcomer`].
pub fn register(items: &[Debit<'_>], contexts: &[Rc<Context>], some: impl Iterator<Item = usize>) -> Result<()> {
    let now = clock::now();
    let newcomers: BTreeMap<_, _> = some.map(|index| ((items[index].account, items[index].member), index)).collect();
    // Those before them within a day, of the account that is at hand.
    let mut registered = ("", 0);
    for ((account, member), index) in newcomers.into_iter().filter(|(_, index)| is_new(&items[*index], &contexts[*index])) {
        let Some(member) = member else { continue };
        if registered.0 != account {
            registered = (account, account::registered_lately(account, now));
        }
        let newcomer = account::register_newcomer(account, member, &contexts[index], registered.1, now);
        newcomer.map_err(|refusal| in_item(items, index, refusal))?;
        registered.1 += 1;
    }
    Ok(())
}

/// Newcomers for whom items were posted have their seats from now on, where they take one.
pub fn add_seats(items: &[Debit<'_>], contexts: &[Rc<Context>], posted: impl Iterator<Item = usize>) {
    let now = clock::now();
    let takes_seat = |index: &usize| contexts[*index].self_seating && is_new(&items[*index], &contexts[*index]);
    let newcomers = posted.filter(takes_seat);
    newcomers.map(|index| items[index].account).collect::<BTreeSet<_>>().into_iter().for_each(|account| {
        accounts::seat_added(account, now);
    });
}

fn is_new(item: &Debit<'_>, context: &Context) -> bool {
    account::is_newcomer(item.member, context)
}

impl<'a> Attempt<'a> {
    /// Registers newcomers for items that fit as the lots look, or as caps left it in an earlier attempt. Where that did not
    /// leave it after all, it is not tried again.
    pub(super) fn register_early(&mut self) -> Result<()> {
        if !zip(self.items, self.contexts).any(|(item, context)| is_new(item, context)) {
            return Ok(());
        }
        let groups = self.groups(&ByAccount::new(), &ByAccount::new());
        let lots = self.read_lots(&groups);
        let mut fitting: BTreeSet<usize> =
            self.fitting(&groups, &lots).into_iter().chain(self.judgements.overlooked.iter().copied()).collect();
        fitting.retain(|index| !self.judgements.misjudged.contains(index));
        register(self.items, self.contexts, fitting.iter().copied())?;
        self.registered.extend(fitting);
        Ok(())
    }

    /// Whether no item fits, as the caps leave it, whose newcomer is not registered. Those that do are to be tried again with
    /// them registered before: a member that they name is not waited for while caps are locked.
    pub(super) fn is_complete(&mut self, groups: &ByAccount<'a, Group<'a>>, lots: &ByAccount<'a, Vec<OwnedLot>>) -> bool {
        let overlooked = self.fitting(groups, lots);
        let is_complete = overlooked.is_empty();
        self.judgements.overlook(overlooked);
        is_complete
    }

    /// Items of newcomers that are not registered and that would be paid.
    fn fitting(&self, groups: &ByAccount<'a, Group<'a>>, lots: &ByAccount<'a, Vec<OwnedLot>>) -> Vec<usize> {
        let is_wanted = |index: usize| is_new(&self.items[index], &self.contexts[index]) && !self.registered.contains(&index);
        let mut fitting = Vec::new();
        for (key, group) in groups {
            if !group.debits.iter().any(|known| is_wanted(known.index)) {
                continue;
            }
            let mut seen: Vec<_> = lots.get(key).into_iter().flatten().map(group::batch_lot).collect();
            let paid = group.draw(&mut seen).into_iter().filter(|(_, drawn)| drawn.parts().is_some());
            fitting.extend(paid.map(|(index, _)| index).filter(|index| is_wanted(*index)));
        }
        fitting
    }
}
