//! Refunding a debit: credits go back to the lots that paid, the one that was drawn last first.
//!
//! A refund is a correction that names the debit: the bounds of all corrections hold, line by line. The caps that counted the
//! debit are locked first, whole, and then all lots of the debit, in drawdown order; so two refunds of one debit follow each
//! other. What cannot stay in the lot that paid leaves it at once: it expires, is voided, or goes to a new lot.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::caps::whole;
use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::ledger::correction::Line;
use crate::domain::refunds;
use crate::error::{self, Result};
use crate::holds::give_back;
use crate::ledger::correction::{Corrected, Correction};
use crate::ledger::idempotency::{self, Keyed};
use crate::ledger::whole_lot::{self, WholeLot};
use crate::ledger::{account, closed};
use crate::schedules::refresh;
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::{arrival, named};
use crate::server::{clock, subtransaction};
use crate::store::holds as held;
use crate::store::ledger::breakage;
use crate::store::ledger::corrections::{self, DebitLine};
use crate::store::ledger::entries::{self, Voided};
use crate::store::ledger::lots::{self, HandedOn};
use crate::store::refunds::{self as store, Expired, NewRefund};

/// A request to refund, as the caller said it.
#[derive(Clone, Copy, Debug)]
pub struct Refund<'a> {
    pub account: &'a str,
    /// The posting of the debit.
    pub posting: i64,
    /// How much of it; all that is left where it is not said.
    pub amount: Option<Amount>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// Refunds; the posting of the refund.
///
/// # Errors
/// P0002 unknown account or posting; 55000 a posting that is no debit, or more than can be refunded; 22023 decimals; 23505 key
/// reused.
pub fn refund(request: Refund<'_>) -> Result<i64> {
    let Refund { account, posting: debit, .. } = request;
    let context = account::find_remembered(account, None, None)?;
    let posting = entries::next_posting();
    if let Some(keyed) = request.keyed
        && let Some(earlier) = idempotency::claim(account, keyed, posting, clock::now())?
    {
        return Ok(earlier);
    }
    let _movable = closed::go_on_from(context.closed_until);
    named::share_closing(std::iter::once(account));
    arrival::let_in(account);
    if context.is_due(clock::now()) {
        refresh::first_touch(account)?;
    }
    let lines = lines_of(account, debit)?;
    let unit = lots::terms(account, lines[0].line.lot).expect("lots are never deleted").unit;
    let context = account::find_remembered(account, Some(&unit), None)?;
    if let Some(amount) = request.amount {
        account::check_decimals("amount", amount, &context)?;
    }
    for line in &lines {
        whole::correct(account, &unit, &corrected(line), true, Amount::ZERO, MAX_DECIMALS);
    }
    let wholes = lock_lots(account, &lines)?;
    // With the lots locked, nobody else corrects the debit.
    let lines = lines_of(account, debit)?;
    let parts = parts(&request, &lines)?;
    write(&request, (posting, &unit), &wholes, &parts)?;
    Ok(posting)
}

/// The lines of the debit.
fn lines_of(account: &str, posting: i64) -> Result<Vec<DebitLine>> {
    let lines = corrections::lines(account, posting);
    if lines.is_empty() {
        return Err(match store::kind(account, posting) {
            None => error::unknown_posting(account, posting),
            Some(kind) => error::not_refundable(account, posting, &kind),
        });
    }
    Ok(lines)
}

fn corrected(line: &DebitLine) -> Corrected {
    Corrected { usage: line.line.usage.clone(), recorded_at: line.recorded_at, occurred_at: line.occurred_at }
}

/// Locks every lot that paid, and those that live on for them, in the order of all locks; again where one of them expires or is
/// moved meanwhile.
fn lock_lots<'a>(account: &'a str, lines: &[DebitLine]) -> Result<Vec<WholeLot<'a>>> {
    let paid: BTreeSet<i64> = lines.iter().map(|line| line.line.lot).collect();
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        if let Some(locked) = subtransaction::attempt(|| Ok(lock_with_successors(account, &paid)))? {
            return Ok(locked);
        }
    }
    Err(error::too_contended(account, MAX_ATTEMPTS))
}

fn lock_with_successors<'a>(account: &'a str, paid: &BTreeSet<i64>) -> Option<Vec<WholeLot<'a>>> {
    let successors = || paid.iter().map(|lot| store::successor(account, *lot));
    let all: BTreeSet<i64> = paid.iter().copied().chain(successors()).collect();
    let locked = whole_lot::lock_in_order(account, &all.iter().copied().collect::<Vec<_>>())?;
    // What was moved during a wait goes on in a lot that is not locked.
    let is_known = successors().all(|lot| all.contains(&lot));
    is_known.then(|| locked.into_iter().filter(|whole| paid.contains(&whole.lot)).collect())
}

/// The parts of the refund, line by line.
fn parts<'a>(request: &Refund<'_>, lines: &'a [DebitLine]) -> Result<Vec<(&'a DebitLine, Amount)>> {
    let Refund { account, posting, .. } = *request;
    let plain: Vec<Line> = lines.iter().map(|line| line.line.clone()).collect();
    let (debited, refundable) = (refunds::debited(&plain), refunds::refundable(&plain));
    if refundable.is_zero() {
        return Err(error::refunded_wholly(account, posting, debited));
    }
    let requested = request.amount.unwrap_or(refundable);
    let parts = refunds::parts(&plain, requested)
        .ok_or_else(|| error::refund_exceeds(account, posting, requested, debited, refundable))?;
    let of_line = |(line, amount): (&Line, Amount)| {
        (lines.iter().find(|known| known.line.line == line.line).expect("a line of the debit"), amount)
    };
    Ok(parts.into_iter().map(of_line).collect())
}

fn write(
    request: &Refund<'_>,
    (posting, unit): (i64, &str),
    wholes: &[WholeLot<'_>],
    parts: &[(&DebitLine, Amount)],
) -> Result<()> {
    let account = request.account;
    let now = clock::now();
    // A refund of what a true-up closed is recorded in the open period.
    let is_closed = |(line, _): &(&DebitLine, Amount)| closed::closed_at(account, unit, line.occurred_at).is_some();
    let occurred_at = parts.iter().any(is_closed).then_some(now);
    for (line, amount) in parts {
        let lot = line.line.lot;
        let pooled = lots::terms(account, lot).expect("lots are never deleted").member.is_none();
        whole::correct(account, unit, &corrected(line), pooled, *amount, MAX_DECIMALS);
        let correction = Correction {
            account,
            posting: request.posting,
            lot,
            amount: *amount,
            quantity: Amount::ZERO,
            member: None,
            operation: None,
            dimensions: None,
        };
        correction.record(&line.line.usage)?;
    }
    let written: Vec<_> = parts.iter().map(|(line, amount)| (line.line.line, *amount)).collect();
    let Refund { posting: debit, metadata, .. } = *request;
    store::add(&NewRefund { account, debit, posting, parts: &written, occurred_at, metadata }, now);
    if let Some((line, _)) = parts.iter().find(|part| is_closed(part)) {
        let total: Amount = parts.iter().map(|(_, amount)| *amount).sum();
        closed::record_adjustment(account, line.line.lot, line.occurred_at, posting, total.negated());
    }
    for whole in wholes {
        let back = parts.iter().filter(|(line, _)| line.line.lot == whole.lot).map(|(_, amount)| *amount).sum::<Amount>();
        if back.is_positive() {
            put(whole, back, now);
        }
    }
    Ok(())
}

/// Puts what came back where it belongs: into the lot that paid where that is in force, else where the lot's life went on.
fn put(whole: &WholeLot<'_>, amount: Amount, now: DateTime<Utc>) {
    let (account, lot) = (whole.account, whole.lot);
    let successor = store::successor(account, lot);
    if held::is_voided(account, successor) {
        return void(whole, amount, now);
    }
    if successor == lot {
        return match give_back::over_since(whole, now) {
            None => give_back::add(whole, amount),
            Some(_) => put_after_end(whole, amount, now),
        };
    }
    // Its expiry was changed: what comes back has the expiry of the lot that lives on.
    let living = whole_lot::lock(account, successor).expect("lots are never deleted");
    match give_back::over_since(&living, now) {
        None => hand_on(whole, amount, living.state.expires_at, now),
        Some(_) => put_after_end(whole, amount, now),
    }
}

fn put_after_end(whole: &WholeLot<'_>, amount: Amount, now: DateTime<Utc>) {
    match store::of_expired(whole.account, now) {
        Expired::Expire => breakage::expire(whole.account, whole.lot, amount, now, now),
        Expired::Grace(until) => hand_on(whole, amount, Some(until), now),
    }
}

/// A new lot gets it, with its share of the price: no new money.
fn hand_on(whole: &WholeLot<'_>, amount: Amount, expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    let (account, lot) = (whole.account, whole.lot);
    let held = whole.remaining().checked_add(amount).expect("at most what was granted");
    let moved = HandedOn::of(corrections::price(account, lot), (lot, held), lots::next_id(), amount);
    lots::write_move(account, moved, expires_at, None, now);
}

fn void(whole: &WholeLot<'_>, amount: Amount, now: DateTime<Utc>) {
    let price = corrections::price(whole.account, whole.lot);
    let paid = price.share(amount, amount).unwrap_or_default();
    let voided = Voided { amount, granted: price.original(amount), paid, emptied: true };
    entries::void(whole.account, whole.lot, voided, now, None);
}
