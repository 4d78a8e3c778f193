//! Many holds, or many captures, in one call: each item by itself, with the result of making them one by one.
//!
//! Accounts are taken in the order of their names, captures of one account in the order of their holds, and holds of one account
//! in the order in which they were given.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::captures::capture::{self, Capture};
use crate::debits::batch::outcome::Mode;
use crate::debits::outcome::Short;
use crate::debits::request::Debit;
use crate::debits::{ahead, debit};
use crate::error::{self, Result, names};
use crate::holds::ended;
use crate::server::locks::arrival;
use crate::server::subtransaction;
use crate::store::ledger::accounts;

/// How a hold of a batch ended: its id, or what it lacked.
pub type Held = std::result::Result<i64, Short>;

/// Holds each item; what does not fit leaves nothing.
///
/// # Errors
/// The errors of a single hold, with `item=` in the DETAIL; 23514 and 54000 in mode [`Mode::All`] for the first that does not
/// fit.
pub fn hold_many(items: &[(Debit<'_>, TimeDelta)], mode: Mode) -> Result<Vec<Held>> {
    ahead::lock(&items.iter().map(|(request, _)| *request).collect::<Vec<_>>())?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|index| items[*index].0.account);
    let mut held = vec![Err(Short::default()); items.len()];
    for index in order {
        pgrx::check_for_interrupts!();
        let (request, length) = items[index];
        let request = Debit { hold_for: Some(length), ..request };
        held[index] = hold_one(request, mode).map_err(|refusal| error::in_item(refusal, index))?;
    }
    Ok(held)
}

fn hold_one(request: Debit<'_>, mode: Mode) -> Result<Held> {
    if mode == Mode::All {
        return debit::debit(request).map(Ok);
    }
    let mut short = Short::default();
    let held = subtransaction::attempt(|| match debit::debit_or_shortfall(request, false)? {
        Ok(hold) => Ok(Some(hold)),
        Err(lacking) => {
            short = lacking;
            Ok(None)
        }
    })?;
    Ok(held.ok_or(short))
}

/// How a capture of a batch ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Captured {
    /// The posting; `None` where nothing was debited.
    pub posting: Option<i64>,
    /// Why it was refused, where it was: `insufficient_credits`, `cap` or `settled`.
    pub reason: Option<&'static str>,
}

/// Captures each item; one that is refused leaves its hold as it is.
///
/// # Errors
/// The errors of a single capture, with `item=` in the DETAIL; in mode [`Mode::Each`] all but those that are reasons.
pub fn capture_many(items: &[Capture<'_>], mode: Mode) -> Result<Vec<Captured>> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|index| (items[*index].account, items[*index].hold));
    lock_ahead(&order.iter().map(|index| (items[*index].account, items[*index].hold)).collect::<Vec<_>>());
    let mut captured = vec![Captured::default(); items.len()];
    for index in order {
        pgrx::check_for_interrupts!();
        captured[index] = capture_one(items[index], mode).map_err(|refusal| error::in_item(refusal, index))?;
    }
    Ok(captured)
}

/// Locks the holds, and what any of them may wait for; a hold that is unknown is refused in its turn.
fn lock_ahead(holds: &[(&str, i64)]) {
    let accounts: BTreeSet<&str> = holds.iter().map(|(account, _)| *account).collect();
    if holds.len() < 2 {
        return;
    }
    accounts.iter().for_each(|account| arrival::let_in(account));
    accounts::lock_rows(&accounts.into_iter().collect::<Vec<_>>());
    ended::lock_with_holds(holds);
}

fn capture_one(request: Capture<'_>, mode: Mode) -> Result<Captured> {
    if mode == Mode::All {
        return capture::capture(request).map(|posting| Captured { posting, reason: None });
    }
    match subtransaction::attempt(|| capture::capture(request).map(Some)) {
        Ok(posting) => Ok(Captured { posting: posting.flatten(), reason: None }),
        Err(refusal) => match reason(names::last()) {
            Some(reason) => Ok(Captured { posting: None, reason: Some(reason) }),
            None => Err(refusal),
        },
    }
}

fn reason(name: &str) -> Option<&'static str> {
    match name {
        names::INSUFFICIENT | names::HOLD_TOO_SHORT => Some("insufficient_credits"),
        names::CAP => Some("cap"),
        names::HOLD_SETTLED | names::HOLD_EXPIRED => Some("settled"),
        _ => None,
    }
}
