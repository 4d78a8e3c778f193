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
use crate::server::clock;
use crate::store::accounts::{self, Context};
use crate::store::eligible::OwnedLot;

/// Issues what schedules bring where an item asks for it, and locks the rows of accounts that get seats; account by account.
pub fn prepare_accounts(
    items: &[Debit<'_>],
    contexts: &[Rc<Context>],
    is_due: impl Fn(&Debit<'_>, &Context) -> bool,
) -> Result<()> {
    let mut by_account: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        by_account.entry(item.account).or_default().push(index);
    }
    for (account, of_account) in by_account {
        if of_account.iter().any(|index| is_due(&items[*index], &contexts[*index])) {
            refresh::first_touch(account)?;
        }
        if of_account.into_iter().any(|index| is_new(&items[index], &contexts[index])) {
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
    /// Registers newcomers for items that fit as the lots look. Where a cap did not leave it in an earlier attempt, it is not tried again.
    pub(super) fn register_early(&mut self) -> Result<()> {
        if !zip(self.items, self.contexts).any(|(item, context)| is_new(item, context)) {
            return Ok(());
        }
        let groups = self.groups(&ByAccount::new());
        let lots = self.read_lots(&groups);
        self.register_fitting(&groups, &lots, |attempt, index| !attempt.misjudged.contains(&index))
    }

    /// Registers newcomers for items that fit after all, as the caps leave it.
    pub(super) fn register_rest(&mut self, groups: &ByAccount<'a, Group<'a>>, lots: &ByAccount<'a, Vec<OwnedLot>>) -> Result<()> {
        self.register_fitting(groups, lots, |_, _| true)
    }

    fn register_fitting(
        &mut self,
        groups: &ByAccount<'a, Group<'a>>,
        lots: &ByAccount<'a, Vec<OwnedLot>>,
        may_fit: impl Fn(&Self, usize) -> bool,
    ) -> Result<()> {
        let mut fitting = Vec::new();
        for (key, group) in groups {
            if !group.debits.iter().any(|known| is_new(&self.items[known.index], &self.contexts[known.index])) {
                continue;
            }
            let mut seen: Vec<_> = lots.get(key).into_iter().flatten().map(group::batch_lot).collect();
            fitting.extend(group.draw(&mut seen).into_iter().filter(|(_, drawn)| matches!(drawn, Drawn::Paid(_))));
        }
        let of = |(index, _): (usize, Drawn)| index;
        let is_wanted = |index: &usize| {
            is_new(&self.items[*index], &self.contexts[*index]) && !self.registered.contains(index) && may_fit(self, *index)
        };
        let fitting: Vec<usize> = fitting.into_iter().map(of).filter(is_wanted).collect();
        register(self.items, self.contexts, fitting.iter().copied())?;
        self.registered.extend(fitting);
        Ok(())
    }
}
