//! One debit: the account is found, the key claimed, what is due issued, and the amount drawn; again where what was read has
//! changed.

use std::collections::BTreeSet;

use crate::debits::drawing::{Checked, Drawing, drawing};
use crate::debits::outcome::{Outcome, Short};
use crate::debits::request::Debit;
use crate::debits::{backdating, capped, closed_period, late};
use crate::error::{self, Result};
use crate::holds::ended;
use crate::ledger::{account, closed, idempotency};
use crate::schedules::refresh;
use crate::server::contention::{self, MAX_ATTEMPTS, WaitingForNothing, must_not_wait};
use crate::server::{clock, invalidation, subtransaction};
use crate::store::holds;
use crate::store::ledger::{accounts, entries};

/// Debits, or raises.
///
/// # Errors
/// 23514 when it does not fit; what [`try_debit`] raises.
pub fn debit(request: Debit<'_>) -> Result<i64> {
    match post(request, check(request)?)? {
        Outcome::Posted(posting) => Ok(posting),
        Outcome::Insufficient { available } => {
            Err(error::insufficient(request.account, request.member, request.amount, available))
        }
        Outcome::Capped(reached) => Err(error::cap_reached(request.account, &reached)),
    }
}

/// Debits; the posting, or what was missing, or the error when it must fit. The caller rolls back what does not fit.
///
/// # Errors
/// As [`debit`] when it must fit, else as [`try_debit`].
pub fn debit_or_shortfall(request: Debit<'_>, must_fit: bool) -> Result<std::result::Result<i64, Short>> {
    if must_fit {
        return debit(request).map(Ok);
    }
    Ok(post(request, check(request)?)?.or_short(request.amount))
}

/// Debits, if it fits; how it ended. The caller rolls back what does not fit, where it has a key or a new member.
///
/// # Errors
/// As [`try_debit`].
pub fn outcome(request: Debit<'_>) -> Result<Outcome> {
    post(request, check(request)?)
}

/// Debits, or returns `None` where the credits do not cover it and leaves nothing behind: no key, no member, no lock.
///
/// # Errors
/// 54000 a cap, which no purchase of credits would help against; P0002 unknown account, unit, or unregistered member; 55000
/// inactive member; 22023 decimals; 23505 key reused.
pub fn try_debit(request: Debit<'_>) -> Result<Option<i64>> {
    let checked = check(request)?;
    let writes_early = writes_early(&request, &checked);
    let posted = || match post(request, checked)? {
        Outcome::Posted(posting) => Ok(Some(posting)),
        Outcome::Insufficient { .. } => Ok(None),
        Outcome::Capped(reached) => Err(error::cap_reached(request.account, &reached)),
    };
    if writes_early { subtransaction::attempt(posted) } else { posted() }
}

/// Whether anything is written before the outcome is known: only a key or a new member.
pub fn writes_early(request: &Debit<'_>, checked: &Checked) -> bool {
    request.keyed.is_some() || account::is_newcomer(request.member, &checked.context)
}

/// Finds the account and checks the request against it.
///
/// # Errors
/// P0002 unknown account or unit; 22023 decimals, or a time in the future.
pub fn check(request: Debit<'_>) -> Result<Checked> {
    let generation = invalidation::generation();
    let context = account::find_remembered(request.account, request.unit, request.member)?;
    if let Some(at) = request.occurred_at {
        let _movable = closed::go_on_from(context.closed_until);
        let now = clock::now();
        if at > now {
            return Err(error::future_instant("at", at, now));
        }
    }
    account::check_decimals("amount", request.amount, &context)?;
    Ok(Checked { context, generation })
}

/// Claims the key, registers a new member, and draws; again when the account or the member changed while it waited.
fn post(request: Debit<'_>, mut checked: Checked) -> Result<Outcome> {
    let _movable = closed::go_on_from(checked.context.closed_until);
    let now = clock::now();
    let next_id = || if request.hold_for.is_some() { holds::next_id() } else { entries::next_posting() };
    let posting = request.posting.or_else(|| request.keyed.map(|_| next_id()));
    if let (Some(keyed), Some(posting)) = (request.keyed, posting)
        && let Some(earlier) = idempotency::claim(request.account, keyed, posting, now)?
    {
        return Ok(Outcome::Posted(earlier));
    }
    backdating::check(request.account, request.occurred_at)?;
    closed::keep_open(request.account, request.occurred_at);
    let mut is_newcomer = false;
    // What goes beyond a hold: its capture has looked, before it locked the hold.
    let looked_for_ended = request.hold.is_some();
    let mut has_decided_again = false;
    for _ in 0..MAX_ATTEMPTS {
        if checked.context.is_due(clock::now()) {
            // What goes beyond a hold: its capture lets everything go first.
            if must_not_wait() || request.hold.is_some() {
                break;
            }
            issue_what_is_due(request)?;
            checked = check(request)?;
            continue;
        }
        is_newcomer |= account::is_newcomer(request.member, &checked.context);
        if is_newcomer {
            account::make_room_for_seat(request.account);
        }
        let member = account::active_member(request.account, request.member, &checked.context, now)?;
        let correction = closed_period::correction(&request, &checked.context)?;
        // Usage of a closed period is recorded as of now.
        let request = Debit { occurred_at: request.occurred_at.filter(|_| correction.is_none()), ..request };
        let drawing = drawing(request, &checked, member, posting);
        let mut outcome = draw(&drawing, request, &checked)?;
        // It is not refused while holds whose time is over have what it lacks.
        if !looked_for_ended && outcome.as_ref().is_some_and(Outcome::is_refused) {
            if meets_ended(request.account) {
                outcome = draw_with_ended(&drawing, request, &checked)?;
            } else if !has_decided_again && holds::any(request.account) {
                // Somebody else may have given them back since it was refused.
                has_decided_again = true;
                checked = check(request)?;
                continue;
            }
        }
        match outcome {
            Some(outcome) => {
                if let Outcome::Posted(posting) = &outcome {
                    let posting = *posting;
                    correction.iter().for_each(|correction| correction.record(posting));
                    if is_newcomer && checked.context.self_seating {
                        accounts::seat_added(request.account, now);
                    }
                }
                return Ok(outcome);
            }
            None => checked = check(request)?,
        }
    }
    Err(error::too_contended(request.account, MAX_ATTEMPTS))
}

fn draw(drawing: &Drawing<'_>, request: Debit<'_>, checked: &Checked) -> Result<Option<Outcome>> {
    match late::instant(request.occurred_at, &checked.context) {
        None => capped::draw(drawing),
        Some(at) => late::draw(drawing, checked.context.late_usage, at),
    }
}

/// Whether holds of the account have ended that nobody has given back.
fn meets_ended(account: &str) -> bool {
    !ended::of(&BTreeSet::from([account])).is_empty()
}

/// Gives back what ended holds have, and draws with all of it locked; a refusal leaves them as they were. `None` where a lot or a
/// cap has come meanwhile.
fn draw_with_ended(drawing: &Drawing<'_>, request: Debit<'_>, checked: &Checked) -> Result<Option<Outcome>> {
    let mut refused = None;
    let posted = subtransaction::attempt(|| {
        let is_given_back = ended::give_back_for(&[request.drawer(&checked.context)], || {
            if let Some(usage) = late::original(&request, &checked.context) {
                late::lock_losses(&[(drawing.eligible, usage)]);
            }
        });
        if !is_given_back {
            return Ok(None);
        }
        let _waiting = WaitingForNothing::begin();
        Ok(match draw(drawing, request, checked)? {
            Some(Outcome::Posted(posting)) => Some(posting),
            other => {
                refused = other;
                None
            }
        })
    });
    Ok(contention::or_again(posted)?.and_then(|posted| posted.map(Outcome::Posted).or(refused)))
}

/// Issues what the account's schedules bring by now, and sees to it that the account is read again.
fn issue_what_is_due(request: Debit<'_>) -> Result<()> {
    refresh::first_touch(request.account)?;
    account::forget(request.account, request.unit, request.member);
    Ok(())
}
