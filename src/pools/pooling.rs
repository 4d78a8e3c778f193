//! Changes of the right to spend the pool, and their effects on each member.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::caps;
use crate::domain::amount::Amount;
use crate::domain::maintenance::forecast::Usage;
use crate::domain::names::MAX_LENGTH;
use crate::domain::pools::department;
use crate::domain::pools::pooling::{Policy, Pooling, Rule, Target};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::closed;
use crate::schedules::pending;
use crate::server::clock;
use crate::server::locks::named;
use crate::store::Snapshot;
use crate::store::ledger::accounts::{self, Context};
use crate::store::plans::agreements;
use crate::store::pools::pooling::Seat;
use crate::store::pools::{departments, pooling as store};

/// Records what counts for the target from an instant on, now unless one is given; the rule's id.
///
/// # Errors
/// 22023 in the past.
pub fn change(account: &str, target: Target, pooling: Option<Pooling>, effective_at: Option<DateTime<Utc>>) -> Result<i64> {
    // One after the other, so that of two rules the later one counts.
    account::lock(account);
    let _movable = closed::go_on(account);
    let (recorded_at, last_of_account) = store::last(account);
    clock::move_to_if_near(recorded_at);
    let now = clock::now();
    let effective_at = instant(account, effective_at, now)?;
    // A rule of a clock that was far ahead counts when its instant comes.
    let at_once = target == Target::Account && effective_at == now && last_of_account.is_none_or(|last| last <= now);
    store::add_base(account, now);
    store::set_policy(account, pooling.filter(|_| at_once), !at_once);
    Ok(store::add(account, &Rule { target, effective_at: Some(effective_at), pooling }, now))
}

/// Says what counts for the account from now on; nothing is recorded where that counts already, and nothing else is to come.
///
/// # Errors
/// As [`change`].
pub fn say_of_account(account: &str, pooling: Pooling) -> Result<()> {
    let known = account::find(account, None, None)?;
    if known.has_pooling_rules || known.pooling.pooling != pooling {
        change(account, Target::Account, Some(pooling), None)?;
    }
    Ok(())
}

/// From when on a rule counts: debits of the past were made by what counted then.
fn instant(account: &str, effective_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let effective_at = clock::of_now(effective_at.unwrap_or(now), now);
    if effective_at < now { Err(error::pooling_of_the_past(account, effective_at, now)) } else { Ok(effective_at) }
}

/// Lets the account's agreements that were made or ended just now count: from where they begin until where they end.
///
/// # Errors
/// As [`change`].
pub fn follow_agreement(account: &str, agreement: i64) -> Result<()> {
    let Some((pooling, effective_at, ended_at)) = agreements::pooling(account, agreement) else { return Ok(()) };
    let now = clock::now();
    let target = Target::Agreement(agreement);
    let pooling = accounts::pooling_of_name(&pooling);
    let policy = store::policy(Snapshot::Fresh, account, pooling);
    if !policy.has_rules(&target) {
        change(account, target.clone(), Some(pooling), Some(effective_at.max(now)))?;
    }
    match ended_at {
        Some(ended_at) => change(account, target, None, Some(ended_at.max(now))).map(|_| ()),
        None => Ok(()),
    }
}

/// Moves the members of a department and of all below it, with the policy that counts for them; how many members.
///
/// # Errors
/// 22023 below itself, or where a path becomes too long.
pub fn move_department(account: &str, from: &str, to: &str) -> Result<i64> {
    if department::is_within(to, from) {
        return Err(error::department_below_itself(account, from, to));
    }
    let check_length = || match departments::longest(account, from, to).is_some_and(|longest| longest as usize > MAX_LENGTH) {
        true => Err(error::department_too_long(account, from, to)),
        false => Ok(()),
    };
    check_length()?;
    // In this order, as where a cap is made.
    named::acquire_caps(account);
    caps::change::take_along(account, from, to)?;
    account::lock(account);
    // Somebody may have come to the department.
    check_length()?;
    departments::copy_rules(account, from, to, clock::now());
    Ok(departments::move_members(account, from, to))
}

/// The credits that a member could spend at the instant of a change, without it and with it.
pub struct Effect {
    /// `None` for the pool, that debits without a member spend.
    pub seat: Option<Seat>,
    /// The policy that counts without the change, and with it.
    pub policies: [Pooling; 2],
    /// The credits that can be spent without the change, and with it.
    pub spendable: [Amount; 2],
}

/// The effects of a change on each member and the pool, in a unit, as the calling query sees the account.
///
/// # Errors
/// 22023 in the past.
pub fn preview(
    account: &str,
    context: &Context,
    target: Target,
    pooling: Option<Pooling>,
    effective_at: Option<DateTime<Utc>>,
) -> Result<Vec<Effect>> {
    let now = clock::now();
    let at = instant(account, effective_at, now)?;
    let before = store::policy(Snapshot::OfCaller, account, context.pooling.pooling);
    let after = before.clone().with(Rule { target, effective_at: Some(at), pooling });
    let held = held(account, &context.unit, at);
    let of = |owner: &str| held.get(owner).copied().unwrap_or(Amount::ZERO);
    let pool = of("");
    let effect = |seat: Seat| {
        let policy = |policy: &Policy| policy.resolve(Some(&seat.member), seat.department.as_deref(), at).pooling;
        let policies = [&before, &after].map(policy);
        let spendable = policies.map(|policy| match policy {
            _ if !seat.active => Amount::ZERO,
            Pooling::Pooled => [of(&seat.member), pool].into_iter().sum(),
            Pooling::PerSeat => of(&seat.member),
        });
        Effect { policies, spendable, seat: Some(seat) }
    };
    let of_all = |policy: &Policy| policy.resolve(None, None, at).pooling;
    let of_pool = Effect { seat: None, policies: [&before, &after].map(of_all), spendable: [pool; 2] };
    Ok(store::seats(account).into_iter().map(effect).chain([of_pool]).collect())
}

/// Says of each member's usage whether the pool goes on paying for it, as the calling query sees the account.
pub fn apply(account: &str, context: &Context, usage: &mut [Usage], now: DateTime<Utc>) {
    let policy = store::policy(Snapshot::OfCaller, account, context.pooling.pooling);
    let seats: HashMap<String, Seat> = store::seats(account).into_iter().map(|seat| (seat.member.clone(), seat)).collect();
    for stream in usage {
        let seat = stream.member.as_ref().and_then(|member| seats.get(member));
        let resolved = policy.resolve(stream.member.as_deref(), seat.and_then(|seat| seat.department.as_deref()), now);
        stream.per_seat = resolved.pooling == Pooling::PerSeat;
    }
}

/// The credits that each owner's lots in force at an instant hold, with what is due and not issued; the pool is ''.
fn held(account: &str, unit: &str, at: DateTime<Utc>) -> HashMap<String, Amount> {
    let mut held = store::held(account, unit, at);
    let pending = pending::at(account, unit, at);
    let lots = pending.lots.into_iter().map(|lot| (lot.member, lot.available));
    let trims = pending.trims.into_iter().map(|trim| (trim.member, trim.amount.negated()));
    for (owner, amount) in lots.chain(trims) {
        let known = held.entry(owner).or_insert(Amount::ZERO);
        *known = known.checked_add(amount).unwrap_or(*known);
    }
    held
}
