//! Taking back the unused credits of a billing period, and what is paid back for them.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::ledger::layout;
use crate::domain::plans::subscription::{Decimals, Moved, Returnable};
use crate::error::{self, Result};
use crate::ledger::whole_lot::{self, WholeLot};
use crate::server::clock;
use crate::store::ledger::corrections;
use crate::store::ledger::slots::{self, Layout};
use crate::store::plans::subscription_moves as moves;
use crate::store::plans::subscription_moves::{PeriodLot, Returned};
use crate::store::plans::subscriptions::Period;

/// The most that is to be taken back, and the change that takes it.
pub struct Taking<'a> {
    pub account: &'a str,
    /// The first of the subscriptions that share their periods.
    pub origin: i64,
    pub period: &'a Period,
    /// The credits and the money that the period does not come to any more.
    pub excess: Moved,
    /// The subscription that begins with the change.
    pub subscription: i64,
    /// The id of the change.
    pub change: i64,
    pub decimals: Decimals,
    pub metadata: Option<&'a str>,
}

/// The credits that were taken back, and the money for them; and the excess that stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenBack {
    /// The credits that were taken back.
    pub returned: Amount,
    /// The money that is paid back for them.
    pub credit: Amount,
    /// It was used, or is not there any more.
    pub used: Amount,
    /// Taking it back would pay back more than the price falls.
    pub kept: Amount,
}

impl GivenBack {
    /// Notes for the customer.
    pub fn notes(&self) -> Vec<String> {
        let used = (self.used, "credits were used already and are not paid back");
        let kept = (self.kept, "credits stay: the price does not fall by what they cost");
        let notes = [used, kept].into_iter().filter(|(amount, _)| amount.is_positive());
        notes.map(|(amount, what)| format!("{amount} {what}")).collect()
    }
}

/// Takes back what is unused of the period's own lots, the newest first, as far as credits and money are in excess. Each credit
/// is worth what it cost.
///
/// # Errors
/// 40001 when the period ended, or a lot expired, while it was waited for.
pub fn give_back(taking: &Taking<'_>, now: DateTime<Utc>) -> Result<GivenBack> {
    if taking.excess.granted.is_zero() {
        return Ok(GivenBack::default());
    }
    // Locked in drawdown order, as everybody does; then what was granted last goes first.
    let known = moves::lots(taking.account, taking.origin, taking.period);
    let locked: Vec<(PeriodLot, WholeLot<'_>)> =
        known.into_iter().map(|lot| (lot, whole_lot::lock(taking.account, lot.lot).expect("lots are never deleted"))).collect();
    let after = clock::now();
    let has_expired = |at| locked.iter().any(|(_, whole)| whole.state.has_expired(at));
    if after > now && (after >= taking.period.ends_at || has_expired(after) && !has_expired(now)) {
        return Err(error::period_passed(taking.account, taking.period.ends_at));
    }
    let mut newest_first: Vec<_> = locked.iter().filter(|(_, whole)| !whole.state.has_expired(now)).collect();
    newest_first.sort_by_key(|(lot, _)| std::cmp::Reverse(lot.lot));
    let (mut left, mut unused) = (taking.excess, Amount::ZERO);
    for (lot, whole) in newest_first {
        // Credits that adjustments added are used last, and were not bought.
        let bought = corrections::price(taking.account, lot.lot).original(whole.remaining());
        let returnable = Returnable { granted: lot.granted, paid: lot.paid, before: lot.returned, unused: bought };
        let back = returnable.returns(left, taking.decimals);
        if back.granted.is_positive() {
            take(taking, lot, whole, back, now);
        }
        left = Moved { granted: rest(left.granted, back.granted), charged: rest(left.charged, back.charged) };
        unused = unused.checked_add(rest(bought, back.granted)).expect("parts of what was granted");
    }
    let kept = left.granted.min(unused);
    Ok(GivenBack {
        returned: rest(taking.excess.granted, left.granted),
        credit: rest(taking.excess.charged, left.charged),
        used: rest(left.granted, kept),
        kept,
    })
}

fn rest(of: Amount, taken: Amount) -> Amount {
    of.checked_sub(taken).expect("a part of an amount")
}

/// Takes credits out of a locked lot, and records what is paid back for them.
fn take(taking: &Taking<'_>, lot: &PeriodLot, whole: &WholeLot<'_>, back: Moved, now: DateTime<Utc>) {
    let left = rest(whole.remaining(), back.granted);
    if left.is_zero() {
        whole.empty_and_close();
    } else {
        let remaining = layout::divide(left, whole.slots.len(), taking.decimals.unit);
        slots::set_slots(&[Layout { account: taking.account, lot: lot.lot, remaining }]);
    }
    let returned = Returned {
        account: taking.account,
        lot: *lot,
        amount: back.granted,
        credit: back.charged,
        subscription: taking.subscription,
        origin: taking.origin,
        change: taking.change,
        period_start: taking.period.starts_at,
        metadata: taking.metadata,
    };
    moves::add_return(&returned, now);
}
