//! Many debits in one call, with the result of making them one by one in their order.
//!
//! The debits of an account are drawn together: each lot's slots are taken from once, however many debits it pays, and all lines
//! are written by one statement. Accounts are taken in the order of their names, so two batches cannot deadlock. Where the slots
//! that are free cover what a lot pays, nothing waits; otherwise the account's lots are locked whole, in drawdown order.
//!
//! Keys, what is due and the rows of accounts come before, and are kept. Then one attempt is one subtransaction, with none within
//! it: when what was read turns out to have changed, everything is given back and read anew. Late usage that expired lots pay
//! ([`late`]) is drawn with the rest; what those lots lost is locked before any lot that is in force.

use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::{DateTime, Utc};

use self::attempt::Attempt;
use self::claims::Claims;
use self::members::Judgements;
use crate::debits::batch::contexts::contexts;
use crate::debits::batch::outcome::{ItemOutcome, Mode, in_item};
use crate::debits::closed_period::{self, Correction};
use crate::debits::outcome::Short;
use crate::debits::request::Debit;
use crate::debits::{backdating, late};
use crate::error::{self, Result};
use crate::server::contention::must_not_wait;
use crate::server::{clock, invalidation, subtransaction};
use crate::store::ledger::accounts::Context;

mod attempt;
mod caps;
mod claims;
mod contexts;
mod group;
mod members;
pub mod outcome;

/// How often a batch may find that everything changed before it gives up with 40001.
const MAX_ATTEMPTS: u32 = 1000;

/// How many lots of each owner are read at first; ten times as many when they did not suffice.
const LOTS_AT_FIRST: i32 = 1000;

/// Debits each item in turn; one outcome per item.
///
/// # Errors
/// The errors of a single debit, with `item=` in the DETAIL; 23514 in mode [`Mode::All`] for the first that does not fit.
pub fn debit_many(items: &[Debit<'_>], mode: Mode) -> Result<Vec<ItemOutcome>> {
    run(items, mode, None, None).map(|ended| ended.outcomes)
}

/// Debits each item in turn, all of them under one posting or none of them.
///
/// # Errors
/// As [`debit_many`] in mode [`Mode::All`].
pub fn debit_as_one(items: &[Debit<'_>], posting: i64) -> Result<()> {
    run(items, Mode::All, Some(posting), None).map(|_| ())
}

/// How a batch ended.
pub struct Ended {
    /// One for each item.
    pub outcomes: Vec<ItemOutcome>,
    /// As was expected; else nothing was written.
    pub as_expected: bool,
}

/// Debits each item in turn, whichever fit, if just those fit that are expected to.
///
/// # Errors
/// As [`debit_many`] in mode [`Mode::Each`].
pub fn debit_expected(items: &[Debit<'_>], expected: &[bool]) -> Result<Ended> {
    run(items, Mode::Each, None, Some(expected))
}

fn run(items: &[Debit<'_>], mode: Mode, posting: Option<i64>, expected: Option<&[bool]>) -> Result<Ended> {
    let Some(first) = items.first() else { return Ok(Ended { outcomes: Vec::new(), as_expected: true }) };
    let _movable = clock::movable();
    let mut lots_of_each = LOTS_AT_FIRST;
    let mut judgements = Judgements::default();
    let mut claimed = None;
    let mut held = members::Held::default();
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        let generation = invalidation::generation();
        let contexts = contexts(items)?;
        let now = clock::now();
        let is_behind = |context: &Rc<Context>| context.closed_until.is_some_and(|until| until > now);
        if contexts.iter().any(is_behind) {
            if posting.is_none() && expected.is_none() && items.iter().any(|item| item.account != first.account) {
                return account_by_account(items, mode);
            }
            contexts.iter().filter_map(|context| context.closed_until).for_each(clock::move_to);
        }
        let claims: &Claims = match &mut claimed {
            Some(claims) => claims,
            none => none.insert(Claims::take(items, posting, clock::now())?),
        };
        if items.iter().zip(&contexts).any(|(item, context)| item.hold.is_some() && context.is_due(clock::now())) {
            break;
        }
        let mut corrections = corrections(items, &contexts, claims)?;
        let redated = closed_period::as_of_now(items, &corrections);
        let items = redated.as_deref().unwrap_or(items);
        if members::prepare_accounts(items, &contexts, &mut held)? {
            continue;
        }
        let items_and_contexts = items.iter().zip(&contexts).enumerate().filter(|(index, _)| !claims.is_known(*index));
        late::check_items(items_and_contexts.map(|(index, (item, context))| (index, item, &**context)))?;
        let mut attempt = Attempt::new(items, &contexts, generation, lots_of_each, claims, (mode, expected), judgements);
        attempt.gives_back = held.meets_ended_holds();
        let outcomes = subtransaction::attempt(|| attempt.run())?;
        if let Some(outcomes) = attempt.otherwise {
            return Ok(Ended { outcomes, as_expected: false });
        }
        judgements = attempt.judgements;
        match outcomes {
            Some(outcomes) => {
                for (index, original) in &claims.same_as {
                    // The correction that it repeats is recorded once.
                    if outcomes[*index] == outcomes[*original] {
                        corrections[*index] = None;
                    }
                }
                closed_period::record_all(&corrections, &outcomes);
                return Ok(Ended { outcomes, as_expected: true });
            }
            None if attempt.read_too_few => lots_of_each = lots_of_each.saturating_mul(10),
            // What goes beyond a hold: all that it should need is locked, and somebody else came first.
            None if must_not_wait() => break,
            None => {}
        }
    }
    Err(error::too_contended(first.account, MAX_ATTEMPTS))
}

/// The same, each account by its own books: some are closed until later than the clock says, and the others are not dated by
/// them.
fn account_by_account(items: &[Debit<'_>], mode: Mode) -> Result<Ended> {
    let mut by_account: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        by_account.entry(item.account).or_default().push(index);
    }
    let mut outcomes = vec![ItemOutcome::Short(Short::default()); items.len()];
    for indexes in by_account.values() {
        let own = |index: &usize| Debit { item: items[*index].item.or(Some(*index)), ..items[*index] };
        let own: Vec<_> = indexes.iter().map(own).collect();
        let ended = run(&own, mode, None, None)?;
        indexes.iter().zip(ended.outcomes).for_each(|(index, outcome)| outcomes[*index] = outcome);
    }
    Ok(Ended { outcomes, as_expected: true })
}

/// The corrections that items are because they are usage of closed periods. None of them lies too far back.
fn corrections<'a>(items: &[Debit<'a>], contexts: &[Rc<Context>], claims: &Claims) -> Result<Vec<Option<Correction<'a>>>> {
    let closed_until = closed_period::closed_until(items);
    let of = |(index, item): (usize, &Debit<'a>)| {
        let may_be_closed = |until: &DateTime<Utc>| item.occurred_at.is_some_and(|at| at < *until);
        if !closed_until.get(item.account).is_some_and(may_be_closed) && !backdating::is_doubtful(item.occurred_at) {
            return Ok(None);
        }
        // An item whose key already stands for a debit is not written again.
        if claims.is_known(index) {
            return Ok(None);
        }
        backdating::check(item.account, item.occurred_at).map_err(|refusal| in_item(items, index, refusal))?;
        closed_period::correction(item, &contexts[index]).map_err(|refusal| in_item(items, index, refusal))
    };
    items.iter().enumerate().map(of).collect()
}
