//! The spending caps that count a batch: locked whole before any lot, and written once.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;

use crate::caps::whole::{self, WholeCap};
use crate::debits::batch::attempt::{Attempt, ByAccount};
use crate::debits::batch::group::{Group, Taken};
use crate::debits::batch::outcome::{ItemOutcome, in_item};
use crate::debits::outcome::Short;
use crate::debits::request::Debit;
use crate::domain::debits::batch::{BatchCap, Drawn};
use crate::error;
use crate::store::caps::Cap;
use crate::store::ledger::accounts::Context;

impl<'a> Attempt<'a> {
    /// Locks the caps that count an item, before any lot: what they leave is final then.
    pub(super) fn lock_caps(&self) -> ByAccount<'a, Vec<WholeCap<'a>>> {
        let mut locked: ByAccount<'a, Vec<WholeCap<'a>>> = ByAccount::new();
        let units: HashMap<i64, &'a str> =
            self.contexts.iter().flat_map(|context| context.caps.iter().map(|cap| (cap.cap, context.unit.as_str()))).collect();
        for (account, counting) in counting(self.items, self.contexts) {
            for whole in whole::lock(account, &counting) {
                locked.entry((account, units[&whole.cap.cap])).or_default().push(whole);
            }
        }
        locked
    }

    /// Counts what was taken, and warns of caps that are exceeded.
    pub(super) fn write_caps(
        &self,
        caps: &ByAccount<'a, Vec<WholeCap<'a>>>,
        groups: &ByAccount<'a, Group<'a>>,
        taken: &ByAccount<'a, Taken<'a>>,
        now: DateTime<Utc>,
    ) {
        for (key, locked) in caps {
            let (Some(group), Some(taken)) = (groups.get(key), taken.get(key)) else { continue };
            let largest = group.largest(&taken.drawn);
            for (whole, used) in locked.iter().zip(&taken.caps_used) {
                let counted = used.checked_sub(whole.used).expect("what a batch takes");
                if counted.is_positive() {
                    whole.count(counted, now, largest, group.decimals);
                    let taken = used.checked_add(whole.held());
                    if !whole.cap.blocks && taken.is_none_or(|taken| taken > whole.limit) {
                        error::warn_of_cap(whole.account, &whole.reached(*used, counted));
                    }
                }
            }
        }
    }

    /// The refusal of an item that lacks an amount.
    pub(super) fn refusal(
        &self,
        index: usize,
        Short { shortfall, cap }: Short,
        caps: &ByAccount<'a, Vec<WholeCap<'a>>>,
        taken: &ByAccount<'a, Taken<'a>>,
    ) -> ErrorReport {
        let item = &self.items[index];
        let whole = caps.values().flatten().find(|whole| Some(whole.cap.cap) == cap);
        let drawn = taken.values().flat_map(|group| &group.drawn).find(|(known, _)| *known == index);
        if let (Some(whole), Some((_, Drawn::Capped { requested, used, .. }))) = (whole, drawn) {
            return in_item(self.items, index, error::cap_reached(item.account, &whole.reached(*used, *requested)));
        }
        let available = item.amount.checked_sub(shortfall).expect("a shortfall of the amount");
        in_item(self.items, index, error::insufficient(item.account, item.member, item.amount, available))
    }
}

/// A cap as the domain sees it.
pub fn batch_cap(whole: &WholeCap<'_>) -> BatchCap {
    let limit = Some(whole.limit).filter(|_| whole.cap.blocks);
    BatchCap { cap: whole.cap.cap, limit, pool: whole.cap.pool, used: whole.used, held: whole.held() }
}

/// Whether a period of the calendar has ended since its cap was locked. A rolling window then only has more left.
pub fn has_ended(caps: &ByAccount<'_, Vec<WholeCap<'_>>>, now: DateTime<Utc>) -> bool {
    caps.values().flatten().any(|whole| whole.period.has_ended(now))
}

/// The first item that lacks something.
pub fn first_short(outcomes: &[ItemOutcome]) -> Option<(usize, Short)> {
    outcomes.iter().enumerate().find_map(|(index, outcome)| match outcome {
        ItemOutcome::Short(short) => Some((index, *short)),
        ItemOutcome::Posted(_) | ItemOutcome::Part(..) => None,
    })
}

/// The caps that may count one of the items, by account, in the order in which they are locked.
fn counting<'a>(items: &[Debit<'a>], contexts: &'a [Rc<Context>]) -> BTreeMap<&'a str, Vec<&'a Cap>> {
    let mut by_account: BTreeMap<&'a str, BTreeMap<i64, &'a Cap>> = BTreeMap::new();
    for (item, context) in items.iter().zip(contexts) {
        for cap in context.caps.iter().filter(|cap| cap.counts(item.operation)) {
            by_account.entry(item.account).or_default().insert(cap.cap, cap);
        }
    }
    by_account.into_iter().map(|(account, caps)| (account, caps.into_values().collect())).collect()
}
