//! Operations that take out a lot's remainder before it is used: voiding it, or moving it to a lot with another expiry.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::ledger::terms::TermsError;
use crate::error::{self, Result};
use crate::ledger::closed;
use crate::ledger::whole_lot::{self, WholeLot};
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::ledger::entries::{self, Voided};
use crate::store::ledger::{corrections, lots};

/// Voids what is left of a lot and closes it; how much that was. Nothing for a lot that is empty or expired.
///
/// # Errors
/// P0002 unknown lot.
pub fn void(account: &str, lot: i64, metadata: Option<&str>) -> Result<Amount> {
    let whole = lock(account, lot)?;
    let _movable = closed::go_on(account);
    let now = clock::now();
    let remaining = whole.remaining();
    if whole.state.has_expired(now) {
        return Ok(Amount::ZERO);
    }
    if remaining.is_zero() {
        entries::void_of_held(account, lot);
        return Ok(Amount::ZERO);
    }
    let price = corrections::price(account, lot);
    let paid = price.share(remaining, remaining).unwrap_or_default();
    whole.empty_and_close();
    let voided = Voided { amount: remaining, granted: price.original(remaining), paid, emptied: true };
    entries::void(account, lot, voided, now, metadata);
    Ok(remaining)
}

/// Moves what is left of a lot to a new one that expires at `expires_at`, with the same terms and cost basis otherwise.
/// The new lot's id; the lot itself when it expires then already.
///
/// # Errors
/// P0002 unknown lot; 55000 when nothing is left or it has expired; 22023 for an expiry that is not in the future.
pub fn set_expiry(account: &str, lot: i64, expires_at: Option<DateTime<Utc>>, metadata: Option<&str>) -> Result<i64> {
    arrival::let_in(account);
    let whole = lock(account, lot)?;
    let _movable = closed::go_on(account);
    let now = clock::now();
    let state = whole.state;
    let refuse = |broken| Err(error::invalid_terms(broken, state.effective_at, expires_at));
    match expires_at {
        Some(at) if at <= state.effective_at => return refuse(TermsError::ExpiresBeforeEffect),
        Some(at) if at <= now => return refuse(TermsError::AlreadyExpired),
        _ => {}
    }
    if whole.state.has_expired(now) {
        return Err(error::lot_not_usable(account, lot, "expired"));
    }
    let remaining = whole.remaining();
    if remaining.is_zero() {
        return Err(error::lot_not_usable(account, lot, "empty"));
    }
    if state.expires_at == expires_at {
        return Ok(lot);
    }
    let moved = whole.hand_on(remaining);
    whole.empty_and_close();
    lots::write_move(account, moved, expires_at, metadata, now);
    lots::mark_moved(account, moved);
    Ok(moved.to)
}

fn lock<'a>(account: &'a str, lot: i64) -> Result<WholeLot<'a>> {
    whole_lot::lock(account, lot).ok_or_else(|| error::unknown_lot(account, lot))
}
