//! Posting expiries that are due, and closing lots that ran empty. Housekeeping: the usable credits never depend on it.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::ledger::closed;
use crate::ledger::whole_lot::{self, WholeLot};
use crate::server::clock;
use crate::store::ledger::{breakage, lots};

/// An expiry that was posted.
#[derive(Clone, Debug)]
pub struct Expired {
    pub account: String,
    pub lot: i64,
    pub amount: Amount,
    pub expires_at: DateTime<Utc>,
}

/// Closes at most `limit` lots past their expiry, and posts what was left of them, dated at the expiry.
///
/// It never waits, so it can run twice at once and beside any debit: a lot that a running transaction still holds is
/// left to the next time.
pub fn expire(account: Option<&str>, limit: i32) -> Vec<Expired> {
    let due = lots::due(clock::now(), account, limit);
    due.into_iter().filter_map(|(account, lot)| expire_lot(account, lot)).collect()
}

/// Closes `many` of the account's expired lots, if there are as many.
pub fn expire_if_many(account: &str, many: i32) {
    let due = lots::due(clock::now(), Some(account), many);
    if due.len() == many as usize {
        due.into_iter().for_each(|(account, lot)| {
            expire_lot(account, lot);
        });
    }
}

/// Posts the expiry of one lot, if it is due and nobody did yet; waits until the lot is free.
pub fn expire_waiting(account: &str, lot: i64) -> Option<Expired> {
    expire_locked(whole_lot::lock(account, lot).filter(|whole| !whole.state.closed)?)
}

/// Posts the expiry of one lot, if nobody holds it and it is open; whether it is.
pub fn expire_if_free(account: &str, lot: i64) -> bool {
    whole_lot::lock_if_free(account, lot).and_then(expire_locked).is_some()
}

fn expire_lot(account: String, lot: i64) -> Option<Expired> {
    expire_locked(whole_lot::lock_if_free(&account, lot)?)
}

fn expire_locked(whole: WholeLot<'_>) -> Option<Expired> {
    let (account, lot) = (whole.account, whole.lot);
    let _movable = closed::go_on(account);
    let now = clock::now();
    let expires_at = whole.state.expires_at.filter(|expires_at| *expires_at <= now)?;
    let amount = whole.remaining();
    whole.empty_and_close();
    if amount.is_positive() {
        breakage::expire(account, lot, amount, expires_at, now);
    }
    Some(Expired { account: account.to_owned(), lot, amount, expires_at })
}

/// Closes at most `limit` open lots that hold nothing; how many.
pub fn close_empty(limit: i32) -> i64 {
    let close = |(account, lot): (String, i64)| whole_lot::lock_if_free(&account, lot)?.close_if_empty();
    lots::empty(limit).into_iter().filter_map(close).count() as i64
}
