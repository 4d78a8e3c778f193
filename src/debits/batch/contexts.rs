//! The accounts and members of a batch, as they were read.

use std::rc::Rc;

use crate::debits::batch::outcome::in_item;
use crate::debits::debit;
use crate::debits::request::Debit;
use crate::error::Result;
use crate::ledger::account;
use crate::server::invalidation;
use crate::store::ledger::accounts::Context;

/// Checks every item before anything is written.
pub fn contexts(items: &[Debit<'_>]) -> Result<Vec<Rc<Context>>> {
    let check = |item: &Debit<'_>| {
        let context = debit::check(*item)?.context;
        account::check_member(item.account, item.member, &context)?;
        Ok(context)
    };
    items.iter().enumerate().map(|(index, item)| check(item).map_err(|refusal| in_item(items, index, refusal))).collect()
}

/// Whether accounts and members are still as they were read, now that nothing is waited for any more. A member who was
/// deactivated during a wait must not spend.
///
/// # Errors
/// The reason why a context no longer allows an item.
pub fn contexts_hold(items: &[Debit<'_>], before: &[Rc<Context>], generation: u64) -> Result<bool> {
    if invalidation::generation() == generation {
        return Ok(true);
    }
    let now = contexts(items)?;
    Ok(before.iter().zip(&now).all(|(before, now)| before.holds(now)))
}
