//! Withdrawing a part of what is left of a lot: a void of a part.

use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::ledger::layout;
use crate::error::{self, Result};
use crate::ledger::idempotency::{self, Keyed};
use crate::ledger::whole_lot;
use crate::ledger::{account, closed};
use crate::schedules::refresh;
use crate::server::clock;
use crate::store::ledger::entries::{self, Voided};
use crate::store::ledger::slots::{self, Layout};
use crate::store::ledger::{corrections, lots};

/// Takes an amount out of a lot; the posting.
///
/// # Errors
/// P0002 unknown account or lot; 23514 less is left; 55000 the lot has expired; 22023 decimals; 23505 key reused.
pub fn withdraw(account: &str, lot: i64, amount: Amount, keyed: Option<Keyed<'_>>, metadata: Option<&str>) -> Result<i64> {
    account::find_remembered(account, None, None)?;
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::repeated(account, keyed)?
    {
        return Ok(earlier);
    }
    refresh::first_touch(account)?;
    let terms = lots::terms(account, lot).ok_or_else(|| error::unknown_lot(account, lot))?;
    let context = account::find_remembered(account, Some(&terms.unit), None)?;
    account::check_decimals("amount", amount, &context)?;
    let posting = entries::next_posting();
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::claim(account, keyed, posting, clock::now())?
    {
        return Ok(earlier);
    }
    let whole = whole_lot::lock(account, lot).expect("lots are never deleted");
    let _movable = closed::go_on(account);
    let now = clock::now();
    if whole.state.has_expired(now) {
        return Err(error::lot_not_usable(account, lot, "expired"));
    }
    let remaining = whole.remaining();
    let left = remaining.checked_sub(amount).filter(|left| *left >= Amount::ZERO);
    let left = left.ok_or_else(|| error::insufficient(account, terms.member.as_deref(), amount, remaining))?;
    let price = corrections::price(account, lot);
    let paid = price.share(remaining, amount).unwrap_or_default();
    let granted = amount.min(price.original(remaining));
    if left.is_zero() {
        whole.empty_and_close();
    } else {
        let spread = layout::spread(left, amount, whole.state.slots, context.unit_decimals().min(MAX_DECIMALS));
        slots::set_slots(&[Layout { account, lot, remaining: spread }]);
    }
    entries::void_as(posting, account, lot, Voided { amount, granted, paid, emptied: false }, now, metadata);
    Ok(posting)
}
