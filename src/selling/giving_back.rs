//! Taking back the unused credits of a billing period, and what is paid back for them.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::{layout, subscription as rules};
use crate::error::{self, Result};
use crate::posting::whole_lot::{self, WholeLot};
use crate::server::clock;
use crate::store::slots::{self, Layout};
use crate::store::subscription_moves::{self as moves, PeriodLot, Returned};
use crate::store::subscriptions::Period;

/// What is to be taken back at most, and by what.
pub struct Taking<'a> {
    pub account: &'a str,
    pub origin: i64,
    pub period: &'a Period,
    pub excess: Amount,
    pub subscription: i64,
    pub change: i64,
    pub unit_decimals: u32,
    pub metadata: Option<&'a str>,
}

/// What was taken back: credits, the money for them, and what was spent and stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenBack {
    pub returned: Amount,
    pub credit: Amount,
    pub spent: Amount,
}

impl GivenBack {
    /// What the customer should know of it.
    pub fn note(&self) -> Option<String> {
        self.spent.is_positive().then(|| format!("{} credits were used already and are not paid back", self.spent))
    }
}

/// Takes back what is unused of the period's own lots, the newest first, as far as it is in excess. Each credit is worth what it cost.
///
/// # Errors
/// 40001 when a lot expired while it was waited for.
pub fn give_back(taking: &Taking<'_>, now: DateTime<Utc>) -> Result<GivenBack> {
    let mut given_back = GivenBack { spent: taking.excess, ..GivenBack::default() };
    if taking.excess.is_zero() {
        return Ok(given_back);
    }
    // Locked in drawdown order, as everybody does; then what was granted last goes first.
    let known = moves::lots(taking.account, taking.origin, taking.period);
    let locked: Vec<(PeriodLot, WholeLot<'_>)> = known
        .into_iter()
        .map(|lot| (lot, whole_lot::lock(taking.account, lot.lot).expect("lots are never deleted")))
        .collect();
    let after = clock::now();
    let has_expired = |at| locked.iter().any(|(_, whole)| whole.state.has_expired(at));
    if after > now && (after >= taking.period.ends_at || has_expired(after) && !has_expired(now)) {
        return Err(error::too_contended(taking.account, 1));
    }
    let mut newest_first: Vec<&(PeriodLot, WholeLot<'_>)> = locked.iter().collect();
    newest_first.sort_by_key(|(lot, _)| std::cmp::Reverse(lot.lot));
    for (lot, whole) in newest_first {
        let amount = if whole.state.has_expired(now) { Amount::ZERO } else { whole.remaining().min(given_back.spent) };
        if amount.is_positive() {
            let credit = take(taking, lot, whole, amount, now);
            given_back.returned = given_back.returned.checked_add(amount).expect("a part of what was granted");
            given_back.credit = given_back.credit.checked_add(credit).expect("a part of what was paid");
            given_back.spent = given_back.spent.checked_sub(amount).expect("at most what is in excess");
        }
    }
    Ok(given_back)
}

/// Takes an amount out of a locked lot; what is paid back for it.
fn take(taking: &Taking<'_>, lot: &PeriodLot, whole: &WholeLot<'_>, amount: Amount, now: DateTime<Utc>) -> Amount {
    let rest = whole.remaining().checked_sub(amount).expect("at most what remains");
    if rest.is_zero() {
        whole.empty_and_close();
    } else {
        let remaining = layout::divide(rest, whole.slots.len(), taking.unit_decimals);
        slots::set_slots(&[Layout { account: taking.account, lot: lot.lot, remaining }]);
    }
    let credit = rules::paid_back(lot.paid, lot.granted, lot.returned, amount, lot.currency_decimals as u32);
    let returned = Returned {
        account: taking.account,
        lot: *lot,
        amount,
        credit,
        subscription: taking.subscription,
        change: taking.change,
        period_start: taking.period.starts_at,
        metadata: taking.metadata,
    };
    moves::add_return(&returned, now);
    credit
}
