//! Lots that come to an account in the transaction that made a cap for it.
//!
//! When a transaction commits, its rows are seen a moment before its announcements are heard. A debit in that moment would find
//! the lot and not know of the cap. So the lot's slot stays locked until both are there; a debit that has to wait for it looks at
//! the caps again.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::server::locks::slot::{SlotLock, Striped};

/// How many lots are guarded at most: each takes a place in the server's lock table. The cap is known a moment after the commit
/// anyway.
const MAX_LOTS: usize = 1000;

#[derive(Default)]
struct Made {
    accounts: BTreeSet<String>,
    lots: usize,
}

thread_local! {
    static MADE: RefCell<Made> = RefCell::default();
}

/// The running transaction makes a cap for the account.
pub fn made(account: &str) {
    MADE.with_borrow_mut(|made| made.accounts.insert(account.to_owned()));
}

/// Whether the running transaction makes any cap.
pub fn is_any() -> bool {
    MADE.with_borrow(|made| !made.accounts.is_empty())
}

/// Guards a lot that comes to the account, or is opened again, if the running transaction made a cap for it.
pub fn guard(account: &str, lot: i64) {
    let is_guarded = MADE.with_borrow_mut(|made| {
        let is_guarded = made.lots < MAX_LOTS && made.accounts.contains(account);
        made.lots += usize::from(is_guarded);
        is_guarded
    });
    if is_guarded {
        SlotLock::acquire(Striped::Lot(lot), 0).keep();
    }
}

/// The transaction has ended, and with it all its locks.
pub fn end_transaction() {
    MADE.with_borrow_mut(|made| *made = Made::default());
}
