//! Making, changing and ending caps.

use std::iter;

use chrono::{DateTime, Utc};

use crate::caps::whole::{self, Counter};
use crate::domain::amount::Amount;
use crate::domain::caps::cap::Limit;
use crate::error::{self, Result};
use crate::ledger::closed;
use crate::ledger::striping;
use crate::ledger::{account, whole_lot};
use crate::server::locks::{arrival, named, new_cap};
use crate::server::{clock, invalidation};
use crate::store::Snapshot;
use crate::store::caps::{self, Moving, OfScope, Scope, cap_slots};
use crate::store::debits::eligible;
use crate::store::ledger::accounts::{self, Context};

/// Makes a cap, or changes the limit of the one there is; its id.
///
/// # Errors
/// 22023 decimals, or it contradicts another; P0002 unknown account, unit or member; 55000 inactive member, or another anchor;
/// 40001 where a lot came that the transaction's snapshot does not show.
pub fn set(scope: Scope<'_>, unit: Option<&str>, limit: Limit, anchor: Option<DateTime<Utc>>) -> Result<i64> {
    let name = scope.account;
    let _movable = closed::go_on(name);
    let context = account::find(name, unit, scope.member)?;
    account::check_decimals("amount", limit.amount, &context)?;
    if let (Some(member), None) = (scope.member, &context.member) {
        return Err(error::unknown_member(name, member));
    }
    account::check_member(name, scope.member, &context)?;
    let scope = Scope { unit: &context.unit, ..scope };
    named::acquire_caps(name);
    let others = caps::of_scope(scope);
    let is_same = |other: &&OfScope| Limit { amount: limit.amount, ..other.limit } == limit;
    for other in others.iter().filter(|other| !is_same(other)) {
        if let Some(broken) = limit.contradicts(&other.limit) {
            return Err(error::contradicting_caps(name, limit, other.cap, other.limit, broken));
        }
    }
    let cap = match others.iter().find(is_same) {
        Some(same) if anchor.is_some_and(|anchor| anchor != same.anchor) => return Err(error::anchor_of_cap(name, same.cap)),
        Some(same) => {
            accounts::lock(name);
            change(name, same, limit, &context);
            same.cap
        }
        None => create(scope, limit, anchor)?,
    };
    caps::touch_account(name);
    Ok(cap)
}

/// Gives a department's caps to the path to which it moves; they count what is spent there. The lock of changing the account's
/// caps is held, its row not yet.
///
/// # Errors
/// 40001 as where a cap is made.
pub fn take_along(account: &str, from: &str, to: &str) -> Result<()> {
    let _movable = closed::go_on(account);
    let moving = caps::moving(account, from, to);
    for Moving { unit, department, operation, limit, anchor } in &moving {
        let scope = Scope { account, unit, member: None, department: Some(department), operation: operation.as_deref() };
        create(scope, *limit, Some(*anchor))?;
    }
    if !moving.is_empty() {
        caps::touch_account(account);
    }
    Ok(())
}

/// Makes a cap that counts what was spent in the running period, and what open holds have. No lot comes meanwhile, and no hold is
/// settled; every debit and hold in flight of a lot has ended once it is locked, and every later one waits for it and hears of
/// the cap. The account's row comes last: a debit that has a lot may want it.
///
/// # Errors
/// 40001 where a lot came that the transaction's snapshot does not show.
fn create(scope: Scope<'_>, limit: Limit, anchor: Option<DateTime<Utc>>) -> Result<i64> {
    let account = scope.account;
    arrival::keep_out(iter::once(account));
    new_cap::made(account);
    let (cap, anchor) = caps::create(scope, limit, anchor, clock::now());
    // In a transaction with an older snapshot too: what it does not show is to be counted.
    let committed = if invalidation::sees_latest() { Snapshot::Fresh } else { Snapshot::Latest };
    for lot in eligible::open_lots(committed, account, scope.unit, None) {
        pgrx::check_for_interrupts!();
        whole_lot::lock(account, lot).ok_or_else(|| error::cap_misses_lot(account, lot))?;
        caps::mark_slots(account, lot);
    }
    let now = clock::now();
    caps::change(account, cap, limit.amount, now);
    let period = caps::period(account, cap, limit.over, anchor, now);
    let held = cap_slots::held(committed, account, cap);
    cap_slots::add_first_slot(account, cap, &cap_slots::recounted(committed, account, cap, period), held);
    Ok(cap)
}

/// Changes a cap's limit; its use stays counted.
fn change(account: &str, same: &OfScope, limit: Limit, context: &Context) {
    let (_, slots) = whole::lock_one(account, same.cap);
    let period_at = |at| caps::period(account, same.cap, limit.over, same.anchor, at);
    let Counter { period, tally, held, now, .. } = whole::counter(account, same.cap, period_at);
    let own = striping::own_slot(slots);
    // Debits of a hundredth of it are served by several slots.
    let debit = limit.amount.nanos() / 100;
    let debit = Amount::from_nanos(debit).filter(|debit| debit.is_positive()).unwrap_or(limit.amount);
    let spread = whole::layout(limit.amount, (&tally, &held, period), debit, own, context.unit_decimals());
    caps::change(account, same.cap, limit.amount, now);
    cap_slots::set_slots(account, same.cap, &spread, own, &tally, period.step.is_some());
}

/// Ends a cap; whether it applied until now.
///
/// # Errors
/// P0002 unknown account or cap.
pub fn end(name: &str, cap: i64) -> Result<bool> {
    account::find(name, None, None)?;
    named::acquire_caps(name);
    accounts::lock(name);
    if caps::lock(name, cap).is_none() {
        return Err(error::unknown_cap(name, cap));
    }
    let _movable = closed::go_on(name);
    let ended = caps::end(name, cap, clock::now());
    caps::touch_account(name);
    Ok(ended)
}
