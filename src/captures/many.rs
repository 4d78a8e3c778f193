//! Many holds, or many captures, in one call: each item by itself, with the result of making them one by one.
//!
//! Accounts are taken in the order of their names, captures of one account in the order of their holds, and holds of one account
//! in the order in which they were given.

use chrono::TimeDelta;

use crate::captures::capture::{self, Capture};
use crate::debits::batch::outcome::Mode;
use crate::debits::debit;
use crate::debits::outcome::Short;
use crate::debits::request::Debit;
use crate::error::{self, Result, names};
use crate::server::subtransaction;

/// How a hold of a batch ended: its id, or what it lacked.
pub type Held = std::result::Result<i64, Short>;

/// Holds each item; what does not fit leaves nothing.
///
/// # Errors
/// The errors of a single hold, with `item=` in the DETAIL; 23514 and 54000 in mode [`Mode::All`] for the first that does not
/// fit.
pub fn hold_many(items: &[(Debit<'_>, TimeDelta)], mode: Mode) -> Result<Vec<Held>> {
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
    let mut captured = vec![Captured::default(); items.len()];
    for index in order {
        pgrx::check_for_interrupts!();
        captured[index] = capture_one(items[index], mode).map_err(|refusal| error::in_item(refusal, index))?;
    }
    Ok(captured)
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
