//! Locks for calls that go item by item through several accounts, caps and lots: what any item may wait for is locked first, in
//! the order of all locks. So such a call waits for nothing while it keeps what an earlier item took.
//!
//! Three things are left: a key or the name of a newcomer that another transaction is writing at that moment, and a lot that
//! comes meanwhile. A call that waits for one of them in a circle ends with 40P01 and may be repeated.

use std::collections::BTreeSet;

use crate::debits::request::Debit;
use crate::error::{self, Result};
use crate::holds::ended;
use crate::ledger::account;
use crate::schedules::refresh;
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::ledger::accounts;

/// Issues what is due and locks what the items may draw from, in the order of their accounts. A single item needs no such locks.
///
/// # Errors
/// P0002 unknown account or unit, with `item=` in the DETAIL; what a refresh raises.
pub fn lock(items: &[Debit<'_>]) -> Result<()> {
    if items.len() < 2 {
        return Ok(());
    }
    let all: BTreeSet<&str> = items.iter().map(|item| item.account).collect();
    let context = |item: &Debit<'_>| account::find_remembered(item.account, item.unit, item.member);
    let mut contexts = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        contexts.push(context(item).map_err(|refusal| error::in_item(refusal, index))?);
    }
    all.iter().for_each(|account| arrival::let_in(account));
    accounts::lock_rows(&all.iter().copied().collect::<Vec<_>>());
    let now = clock::now();
    let is_due = |account: &&&str| items.iter().zip(&contexts).any(|(item, of)| item.account == **account && of.is_due(now));
    all.iter().filter(is_due).try_for_each(|account| refresh::first_touch(account))?;
    ended::give_back_for(&items.iter().zip(&contexts).map(|(item, context)| item.drawer(context)).collect::<Vec<_>>(), || ());
    Ok(())
}
