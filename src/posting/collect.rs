//! Debits that no single slot covers: whole lots are collected in drawdown order until they cover the amount.

use super::debit::Drawing;
use super::whole_lot::{self, WholeLot};
use super::write;
use crate::domain::amount::Amount;
use crate::domain::layout;
use crate::error::Result;
use crate::server::{clock, invalidation, subtransaction};
use crate::store::eligible::{self, Eligibility};
use crate::store::entries::{self, BatchLine};
use crate::store::lots;
use crate::store::slots::{self, Layout};

/// So many lots are looked up at first, then twice as many, so that a debit over very many stays cheap.
const LOTS_AT_FIRST: i32 = 64;

/// What a collected lot pays.
pub struct Share<'a> {
    pub from: WholeLot<'a>,
    pub amount: Amount,
}

/// Debits from several slots or lots; `None` when what was seen has changed, with everything given back.
pub fn collect(drawing: &Drawing<'_>) -> Result<Option<i64>> {
    subtransaction::attempt(|| Ok(lock_shares(drawing.eligible, drawing.amount).and_then(|shares| post(drawing, &shares))))
}

/// Locks lots in drawdown order until they cover the amount. `None` when a better lot appeared during a wait: locking it now
/// would break the order of locks, and taking from the others the order of drawing.
pub fn lock_shares<'a>(eligible: Eligibility<'a>, amount: Amount) -> Option<Vec<Share<'a>>> {
    let account = eligible.account;
    let mut shares: Vec<Share<'a>> = Vec::new();
    let mut uncovered = amount;
    let mut limit = LOTS_AT_FIRST;
    while uncovered.is_positive() {
        let order = order(eligible, limit);
        let next = order.get(shares.len()..).filter(|next| !next.is_empty() && begins_with(&order, &shares))?;
        for lot in next {
            let from = whole_lot::lock(account, *lot).filter(|lot| !lot.state.closed)?;
            let amount = from.remaining().min(uncovered);
            uncovered = uncovered.checked_sub(amount).expect("a difference below its minuend");
            shares.push(Share { from, amount });
            if uncovered.is_zero() {
                break;
            }
        }
        limit = limit.saturating_mul(2);
    }
    begins_with(&order(eligible, shares.len() as i32), &shares).then_some(shares)
}

/// The usable lots in drawdown order, as they are now.
fn order(eligible: Eligibility<'_>, limit: i32) -> Vec<i64> {
    let usable = eligible::usable(eligible, clock::now(), limit);
    usable.iter().map(|usable| usable.source.rank.lot).collect()
}

/// Whether the lots that are locked are still the first in the order.
fn begins_with(order: &[i64], shares: &[Share<'_>]) -> bool {
    order.len() >= shares.len() && order.iter().zip(shares).all(|(lot, share)| *lot == share.from.lot)
}

/// Writes the debit, now that nothing can change any more; `None` when a lot expired or the account changed during the wait.
fn post(drawing: &Drawing<'_>, shares: &[Share<'_>]) -> Option<i64> {
    if invalidation::generation() != drawing.generation {
        return None;
    }
    let now = clock::now();
    if shares.iter().any(|share| share.from.state.has_expired(now)) {
        return None;
    }
    let layouts: Vec<_> = shares.iter().map(|share| layout_after(share, drawing.amount, drawing.decimals)).collect();
    let paid: Amount = shares.iter().map(|share| share.amount).sum();
    assert_eq!(paid, drawing.amount, "what the lots pay");

    slots::set_slots(&layouts);
    lots::close(&emptied(shares));
    let posting = drawing.posting.unwrap_or_else(entries::next_posting);
    let paying = shares.iter().filter(|share| share.amount.is_positive());
    let parts: Vec<_> = paying.map(|share| (share.from.lot, share.amount)).collect();
    write::lines(&BatchLine::of_debit(drawing.line, posting, &parts), now);
    Some(posting)
}

/// The lots that give all they have.
pub fn emptied<'a>(shares: &[Share<'a>]) -> Vec<(&'a str, i64)> {
    let is_empty = |share: &&Share<'_>| share.amount == share.from.remaining();
    shares.iter().filter(is_empty).map(|share| (share.from.account, share.from.lot)).collect()
}

/// What is left after the share was paid, spread anew over the lot's slots.
pub fn layout_after<'a>(share: &Share<'a>, debit: Amount, decimals: u32) -> Layout<'a> {
    let left = share.from.remaining().checked_sub(share.amount).expect("a share of what is there");
    Layout {
        account: share.from.account,
        lot: share.from.lot,
        remaining: layout::spread(left, debit, share.from.state.slots, decimals),
    }
}
