//! Holds whose time is over and that nobody has given back. Their credits are free for everybody: whoever would be refused gives
//! them back first, and maintenance does. No debit looks for them before that.

use std::collections::BTreeSet;

use crate::domain::holds::hold::State;
use crate::holds::give_back::{self, Ending};
use crate::ledger::closed;
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::holds as store;

/// How many ended holds are given back at once.
const MOST: i32 = 10_000;

/// Gives back what ended holds of the account still have; of how many holds that was. Nothing of the account may be locked but
/// its keys.
pub fn give_back(account: &str) -> usize {
    give_back_some(account, MOST)
}

/// The same of several accounts, before a batch draws from them: no item is to be refused while holds whose time is over cover
/// it. Whether anything was given back.
pub fn give_back_of(accounts: &BTreeSet<&str>) -> bool {
    let named: Vec<&str> = accounts.iter().copied().collect();
    let with_ended = store::with_ended(&named, clock::now());
    with_ended.iter().map(|account| give_back(account)).sum::<usize>() > 0
}

/// The same of at most `limit` holds.
pub fn give_back_some(account: &str, limit: i32) -> usize {
    let mut ids = store::ended(account, clock::now(), limit);
    if ids.is_empty() {
        return 0;
    }
    let _movable = closed::go_on(account);
    arrival::let_in(account);
    ids.sort_unstable();
    let now = clock::now();
    // While this waited, a capture may have settled it, or somebody may have let it go on.
    let locked = ids.iter().filter_map(|hold| store::lock(account, *hold)).filter(|hold| hold.has_ended(now));
    let endings: Vec<_> = locked.map(|hold| Ending { state: State::Expired, at: hold.expires_at, hold }).collect();
    let count = endings.len();
    give_back::settle(account, endings);
    count
}

/// Gives back what ended holds of all accounts have, of at most `limit` holds; of how many.
pub fn give_back_of_all(limit: i32) -> i64 {
    let mut count = 0;
    for account in store::accounts_with_ended(clock::now(), limit) {
        let left = limit - count as i32;
        if left <= 0 {
            break;
        }
        count += give_back_some(&account, left) as i64;
    }
    count
}
