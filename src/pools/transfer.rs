//! Transfers: credits go from one owner to another within an account, a member or the pool.
//!
//! A transfer takes credits like a debit, in drawdown order. For every lot that gives, the receiver gets one of their own, with
//! the giver as its parent and the same life, category, scope and cost basis.

use std::rc::Rc;

use crate::debits::collect::{self, LockShare, Share};
use crate::debits::outcome::Outcome;
use crate::domain::amount::Amount;
use crate::domain::ledger::layout;
use crate::domain::ledger::lot_price::LotPrice;
use crate::domain::pools::transfers::Owner;
use crate::error::{self, Result};
use crate::ledger::closed;
use crate::ledger::idempotency::{self, Keyed};
use crate::ledger::{account, whole_lot};
use crate::schedules::refresh;
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::arrival;
use crate::server::{clock, invalidation, subtransaction};
use crate::store::Snapshot;
use crate::store::debits::eligible::NO_LOT;
use crate::store::debits::eligible::{self, Eligibility};
use crate::store::ledger::accounts::Context;
use crate::store::ledger::slots::{self, Layout};
use crate::store::ledger::{corrections, entries, lots};
use crate::store::pools::transfers::{self, Part};

/// A request to transfer, as the caller said it. An owner is a member, or the pool.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    pub account: &'a str,
    pub amount: Amount,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub unit: Option<&'a str>,
    /// The one lot that gives, in effect or not.
    pub lot: Option<i64>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// Transfers; the posting.
///
/// # Errors
/// 23514 when it does not fit; 22023 both owners are the same, or decimals; P0002 unknown account, unit, member or lot; 55000 the
/// receiver is inactive, the account's policy forbids it, or the lot is not the giver's, empty or expired; 23505 key reused.
pub fn transfer(request: Transfer<'_>) -> Result<i64> {
    match try_transfer(request)? {
        Outcome::Posted(posting) => Ok(posting),
        Outcome::Insufficient { available } => Err(error::insufficient(request.account, request.from, request.amount, available)),
        Outcome::Capped(reached) => Err(error::cap_reached(request.account, &reached)),
    }
}

/// Transfers, or says what is there when that is less.
///
/// # Errors
/// As [`transfer`], but for 23514.
pub fn try_transfer(request: Transfer<'_>) -> Result<Outcome> {
    if request.from == request.to {
        return Err(error::transfer_to_oneself(request.account, request.from));
    }
    let posting = entries::next_posting();
    if let Some(keyed) = request.keyed
        && let Some(earlier) = idempotency::claim(request.account, keyed, posting, clock::now())?
    {
        return Ok(Outcome::Posted(earlier));
    }
    arrival::let_in(request.account);
    let _movable = closed::go_on(request.account);
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let generation = invalidation::generation();
        let giver = check(&request)?;
        if giver.is_due(clock::now()) {
            refresh::first_touch(request.account)?;
            account::forget(request.account, request.unit, request.from);
            continue;
        }
        let attempt = || match request.lot {
            None => {
                let any_gain = corrections::any_gain(request.account);
                let lock = if any_gain { collect::lock_whole_share } else { collect::lock_share };
                give_in_order(&request, &giver, posting, generation, lock)
            }
            Some(lot) => give_of_lot(&request, &giver, lot, posting, generation),
        };
        if let Some(posting) = subtransaction::attempt(attempt)? {
            return Ok(Outcome::Posted(posting));
        }
        if request.lot.is_none() {
            let available = eligible::survey(eligible(&request, &giver), NO_LOT, request.amount).available;
            if available < request.amount {
                return Ok(Outcome::Insufficient { available });
            }
        }
    }
    Err(error::too_contended(request.account, MAX_ATTEMPTS))
}

/// Transfers in the subtransaction that runs, without waiting: the caller holds the giver's lots. `None` when something is
/// due, or what was seen has changed: then it is to be taken back.
///
/// # Errors
/// As [`try_transfer`].
pub fn give(request: Transfer<'_>, posting: i64) -> Result<Option<i64>> {
    let generation = invalidation::generation();
    let giver = check(&request)?;
    match giver.is_due(clock::now()) {
        true => Ok(None),
        false => give_in_order(&request, &giver, posting, generation, collect::lock_share_if_free),
    }
}

/// Finds the account and both owners, and checks the request against them; the account as the giver has it.
fn check(request: &Transfer<'_>) -> Result<Rc<Context>> {
    let Transfer { account, unit, from, to, .. } = *request;
    let giver = account::find_remembered(account, unit, from)?;
    account::check_decimals("amount", request.amount, &giver)?;
    let receiver = account::find_remembered(account, unit, to)?;
    let owner = |name: Option<&str>, context: &Context| match (name, &context.member) {
        (None, _) => Ok(Owner::Pool),
        (Some(_), Some(member)) => Ok(Owner::Member { department: member.department.clone() }),
        (Some(name), None) => Err(error::unknown_member(account, name)),
    };
    let (gives, gets) = (owner(from, &giver)?, owner(to, &receiver)?);
    // A member who left may still give: credits that they did not use go to those who stay.
    account::check_member(account, to, &receiver)?;
    let policy = transfers::policy(account, Snapshot::Fresh);
    if policy.allows(&gives, &gets) { Ok(giver) } else { Err(error::transfer_forbidden(account, from, to, policy)) }
}

/// The giver's own lots; of a member never the pool's.
fn eligible<'a>(request: &Transfer<'a>, giver: &'a Context) -> Eligibility<'a> {
    Eligibility {
        account: request.account,
        unit: &giver.unit,
        member: request.from.unwrap_or_default(),
        pool: request.from.is_none(),
        operation: None,
    }
}

/// Gives what is usable now, in drawdown order; `None` when what was seen has changed.
fn give_in_order<'a>(
    request: &Transfer<'a>,
    giver: &'a Context,
    posting: i64,
    generation: u64,
    lock: LockShare<'a>,
) -> Result<Option<i64>> {
    let Some(shares) = collect::lock_shares(eligible(request, giver), request.amount, lock) else {
        return Ok(None);
    };
    // Only the whole of a lot shows which of its credits it gives when a correction gave some back to it.
    if shares.iter().any(Share::is_of_slot) && corrections::any_gain(request.account) {
        return Ok(None);
    }
    let now = clock::now();
    if invalidation::generation() != generation || giver.is_due(now) || shares.iter().any(|share| share.has_expired(now)) {
        return Ok(None);
    }
    if collect::write_slots(&shares, request.account, request.amount, giver.unit_decimals()).is_none() {
        return Ok(None);
    }
    let giving: Vec<&Share<'_>> = shares.iter().filter(|share| share.amount.is_positive()).collect();
    let lots: Vec<i64> = giving.iter().map(|share| share.source.rank.lot).collect();
    let part = |(share, price): (&&Share<'_>, LotPrice)| {
        let (lot, amount) = (share.source.rank.lot, share.amount);
        // A lot that is not locked whole got nothing back: it holds at least what it gives, and no more than it was granted with.
        let held = share.held().unwrap_or(amount);
        Part { lot, amount, paid: price.share(held, amount), is_diluted: price.is_diluted(held, amount) }
    };
    let parts: Vec<Part> = giving.iter().zip(corrections::prices(request.account, &lots)).map(part).collect();
    transfers::write(request.account, posting, &parts, request.to, request.metadata, now);
    Ok(Some(posting))
}

/// Gives of one lot, which need not be in effect yet, or may be limited to operations.
fn give_of_lot(request: &Transfer<'_>, giver: &Context, lot: i64, posting: i64, generation: u64) -> Result<Option<i64>> {
    let Transfer { account, amount, .. } = *request;
    let whole = whole_lot::lock(account, lot).ok_or_else(|| error::unknown_lot(account, lot))?;
    let terms = lots::terms(account, lot).expect("a lot that is locked");
    if terms.member.as_deref() != request.from || terms.unit != giver.unit {
        return Err(error::lot_of_another_owner(account, lot, terms.member.as_deref(), &terms.unit));
    }
    let now = clock::now();
    if invalidation::generation() != generation || giver.is_due(now) {
        return Ok(None);
    }
    if whole.state.has_expired(now) {
        return Err(error::lot_not_usable(account, lot, "expired"));
    }
    let left = match whole.remaining().checked_sub(amount) {
        Some(left) if left >= Amount::ZERO => left,
        _ => return Err(error::insufficient(account, request.from, amount, whole.remaining())),
    };
    let price = corrections::price(account, lot);
    let (paid, is_diluted) = (price.share(whole.remaining(), amount), price.is_diluted(whole.remaining(), amount));
    if left.is_zero() {
        whole.empty_and_close();
    } else {
        let remaining = layout::divide(left, whole.slots.len(), giver.unit_decimals());
        slots::set_slots(&[Layout { account, lot, remaining }]);
    }
    transfers::write(account, posting, &[Part { lot, amount, paid, is_diluted }], request.to, request.metadata, now);
    Ok(Some(posting))
}
