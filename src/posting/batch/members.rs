//! Members whom a batch names for the first time. They are registered before caps and lots are locked, account by account and member by
//! member, as single debits do it: nobody waits for a member while he holds what the other needs.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::zip;
use std::rc::Rc;

use super::attempt::{Attempt, ByAccount};
use super::group::{self, Group};
use super::in_item;
use crate::cycles::refresh;
use crate::domain::batch::Drawn;
use crate::error::Result;
use crate::posting::account;
use crate::posting::debit::Debit;
use crate::server::{arrival, clock};
use crate::store::accounts::{self, Context};
use crate::store::eligible::OwnedLot;

/// What attempts have learned about items of newcomers.
#[derive(Default)]
pub struct Judgements {
    /// Somebody was registered for them, and then they did not fit.
    misjudged: BTreeSet<usize>,
    /// They fit only since caps refused others: whom they name is to be registered before the caps are locked.
    overlooked: BTreeSet<usize>,
}

impl Judgements {
    /// Items for which somebody was registered do not fit.
    pub fn misjudge(&mut self, items: Vec<usize>) {
        self.misjudged.extend(items);
    }
}

/// Issues what schedules bring where an item asks for it, and locks the rows of accounts that get seats; account by account.
pub fn prepare_accounts(
    items: &[Debit<'_>],
    contexts: &[Rc<Context>],
    is_due: impl Fn(&Debit<'_>, &Context) -> bool,
) -> Result<()> {
    let mut by_account: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (item, context) in zip(items, contexts) {
        let (is_due, is_new) = (is_due(item, context), is_new(item, context));
        if is_due || is_new {
            let known = by_account.entry(item.account).or_default();
            *known = (known.0 || is_due, known.1 || is_new);
        }
    }
    for (account, (is_due, gets_seats)) in by_account {
        if is_due {
            arrival::let_in(account);
            refresh::first_touch(account)?;
        }
        if gets_seats {
            account::make_room_for_seat(account);
        }
    }
    Ok(())
}

/// Registers the members whom some of the items name for the first time.
///
/// # Errors
/// As [`account::active_member`].
pub fn register(items: &[Debit<'_>], contexts: &[Rc<Context>], some: impl Iterator<Item = usize>) -> Result<()> {
    let now = clock::now();
    let newcomers: BTreeMap<_, _> = some.map(|index| ((items[index].account, items[index].member), index)).collect();
    for ((account, member), index) in newcomers.into_iter().filter(|(_, index)| is_new(&items[*index], &contexts[*index])) {
        account::active_member(account, member, &contexts[index], now).map_err(|refusal| in_item(items, index, refusal))?;
    }
    Ok(())
}

/// Newcomers for whom items were posted have their seats from now on.
pub fn add_seats(items: &[Debit<'_>], contexts: &[Rc<Context>], posted: impl Iterator<Item = usize>) {
    let now = clock::now();
    let newcomers = posted.filter(|index| is_new(&items[*index], &contexts[*index]));
    newcomers.map(|index| items[index].account).collect::<BTreeSet<_>>().into_iter().for_each(|account| {
        accounts::seat_added(account, now);
    });
}

fn is_new(item: &Debit<'_>, context: &Context) -> bool {
    account::is_newcomer(item.member, context)
}

impl<'a> Attempt<'a> {
    /// Registers newcomers for items that fit as the lots look, or as caps left it in an earlier attempt. Where that did not leave it after
    /// all, it is not tried again.
    pub(super) fn register_early(&mut self) -> Result<()> {
        if !zip(self.items, self.contexts).any(|(item, context)| is_new(item, context)) {
            return Ok(());
        }
        let groups = self.groups(&ByAccount::new());
        let lots = self.read_lots(&groups);
        let mut fitting: BTreeSet<usize> =
            self.fitting(&groups, &lots).into_iter().chain(self.judgements.overlooked.iter().copied()).collect();
        fitting.retain(|index| !self.judgements.misjudged.contains(index));
        self.register(fitting.into_iter().collect())
    }

    /// Registers newcomers for items that fit after all, as the caps leave it; whether it need not be tried again, with them registered before.
    pub(super) fn register_rest(
        &mut self,
        groups: &ByAccount<'a, Group<'a>>,
        lots: &ByAccount<'a, Vec<OwnedLot>>,
    ) -> Result<bool> {
        let fitting = self.fitting(groups, lots);
        let overlooked: Vec<usize> = fitting.iter().copied().filter(|index| !self.judgements.misjudged.contains(index)).collect();
        if !overlooked.is_empty() {
            self.judgements.overlooked.extend(overlooked);
            return Ok(false);
        }
        self.register(fitting)?;
        Ok(true)
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
            let paid = group.draw(&mut seen).into_iter().filter(|(_, drawn)| matches!(drawn, Drawn::Paid(_)));
            fitting.extend(paid.map(|(index, _)| index).filter(|index| is_wanted(*index)));
        }
        fitting
    }

    fn register(&mut self, fitting: Vec<usize>) -> Result<()> {
        register(self.items, self.contexts, fitting.iter().copied())?;
        self.registered.extend(fitting);
        Ok(())
    }
}
