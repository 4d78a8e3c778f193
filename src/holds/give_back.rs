//! Credits that go back from holds to the lots that they came from.
//!
//! A lot that is in force gets them into a slot that nobody holds, else it is locked whole. They go back under the lot's rules:
//! what goes back to a lot that has expired expires then, and what goes back to a lot that was voided is voided. Holds are locked
//! before, in the order of their ids, and caps, in the order of theirs; then the lots, in drawdown order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::caps::settle::{self, Amounts, Holder, Settled};
use crate::domain::amount::Amount;
use crate::domain::holds::hold::{self as holds, Share, State};
use crate::ledger::striping;
use crate::ledger::whole_lot::{self, WholeLot};
use crate::server::invalidation;
use crate::server::locks::slot::{SlotLock, Striped};
use crate::store::holds::{self as store, Hold};
use crate::store::ledger::entries::{self, Voided};
use crate::store::ledger::slots::{self, Layout};
use crate::store::ledger::{breakage, corrections, lots};

/// A hold that is settled: how, and from when on its credits are free.
pub struct Ending {
    pub hold: Hold,
    pub state: State,
    pub at: DateTime<Utc>,
}

/// Settles locked, open holds, given in the order of their ids, and gives back what they still have; how much each gave.
pub fn settle(account: &str, endings: Vec<Ending>) -> Vec<Amount> {
    let mut endings = endings;
    let shares: Vec<Vec<Share>> = endings.iter_mut().map(|ending| ending.hold.parts.give_back()).collect();
    let settled: Vec<_> =
        endings.iter().zip(&shares).map(|(ending, shares)| of_hold(account, &ending.hold, &[], shares)).collect();
    let now = settle::settle(&settled);
    for ending in &mut endings {
        ending.hold.state = ending.state;
        ending.hold.settled_at = Some(ending.at);
        store::write(account, &ending.hold);
    }
    let back = endings.iter().zip(&shares).flat_map(|(ending, shares)| shares.iter().map(|share| (*share, ending.at)));
    to_lots(account, &back.collect::<Vec<_>>(), now);
    shares.iter().map(|shares| holds::sum(shares)).collect()
}

/// The spending that a hold counts as.
pub fn holder<'a>(account: &'a str, hold: &'a Hold) -> Holder<'a> {
    Holder {
        account,
        unit: &hold.unit,
        member: hold.member.as_deref(),
        department: hold.department.as_deref(),
        operation: hold.operation.as_deref(),
    }
}

/// What caps hear of a hold of which some was captured and some goes back.
pub fn of_hold<'a>(account: &'a str, hold: &'a Hold, captured: &[Share], given_back: &[Share]) -> Settled<'a> {
    let amounts = |shares: &[Share]| Amounts { amount: holds::sum(shares), pooled: holds::sum_of_pooled(shares) };
    Settled { holder: holder(account, hold), captured: amounts(captured), given_back: amounts(given_back) }
}

/// Gives amounts back to lots, each with the instant from which on nothing held it.
pub fn to_lots(account: &str, back: &[(Share, DateTime<Utc>)], now: DateTime<Utc>) {
    let mut by_lot: BTreeMap<i64, BTreeMap<DateTime<Utc>, Amount>> = BTreeMap::new();
    for (share, at) in back {
        let of_instant = by_lot.entry(share.lot).or_default().entry(*at).or_default();
        *of_instant = of_instant.checked_add(share.amount).expect("a sum of what was granted");
    }
    let named: Vec<i64> = by_lot.keys().copied().collect();
    let ordered: Vec<i64> = match named.len() {
        0 | 1 => named,
        _ => store::in_lock_order(account, &named, now).into_iter().map(|(lot, _)| lot).collect(),
    };
    for lot in ordered {
        let amounts = &by_lot[&lot];
        if !to_free_slot(account, lot, amounts.values().copied().sum(), now) {
            to_whole_lot(account, lot, amounts, now);
        }
    }
}

/// Adds an amount to a slot that has something and that nobody holds; whether the lot is in force and has one. Waits for nothing.
fn to_free_slot(account: &str, lot: i64, amount: Amount, now: DateTime<Utc>) -> bool {
    if !invalidation::sees_latest() {
        return false;
    }
    let Some(count) = store::open_slots(account, lot, now) else { return false };
    let own = striping::own_slot(count);
    for slot in (own..count).chain(0..own) {
        let Some(lock) = SlotLock::try_acquire(Striped::Lot(lot), slot) else { continue };
        if store::give_to_slot(account, lot, slot, amount, now) {
            lock.keep();
            return true;
        }
        lock.release();
    }
    false
}

fn to_whole_lot(account: &str, lot: i64, amounts: &BTreeMap<DateTime<Utc>, Amount>, now: DateTime<Utc>) {
    let whole = whole_lot::lock(account, lot).expect("lots are never deleted");
    match over_since(&whole, now) {
        Some(over_since) => {
            for (at, amount) in amounts {
                breakage::expire(account, lot, *amount, over_since.max(*at), now);
            }
        }
        None if store::is_voided(account, lot) => void(&whole, amounts.values().copied().sum(), now),
        None => add(&whole, amounts.values().copied().sum()),
    }
}

/// When the lot's life ended, if it has: by its expiry, or by its schedule.
pub fn over_since(whole: &WholeLot<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (account, lot) = (whole.account, whole.lot);
    let expired = whole.state.expires_at.filter(|expires_at| *expires_at <= now);
    expired.or_else(|| corrections::ended_by_schedule(account, lot, now)).or_else(|| corrections::expired_in_books(account, lot))
}

fn void(whole: &WholeLot<'_>, amount: Amount, now: DateTime<Utc>) {
    let price = corrections::price(whole.account, whole.lot);
    let paid = price.share(amount, amount).unwrap_or_default();
    let voided = Voided { amount, granted: price.original(amount), paid, emptied: true };
    entries::void(whole.account, whole.lot, voided, now, None);
}

/// Adds an amount to a whole lot, and opens it again.
pub fn add(whole: &WholeLot<'_>, amount: Amount) {
    let mut remaining = whole.slots.clone();
    let own = striping::own_slot(remaining.len() as i16) as usize;
    remaining[own] = remaining[own].checked_add(amount).expect("at most what was granted");
    slots::set_slots(&[Layout { account: whole.account, lot: whole.lot, remaining }]);
    lots::reopen(whole.account, whole.lot);
}
