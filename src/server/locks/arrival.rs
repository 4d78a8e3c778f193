//! Lots that come to an account, against a new cap of it.
//!
//! A new cap counts what was spent, so it waits for the debits in flight of every lot. It cannot know of a lot that another
//! transaction is adding; a debit of that, made before the cap is committed, would count nowhere. So a transaction that adds a
//! lot, opens one again or lets an expired one pay shares the account's lock until it ends, and a transaction that makes a cap
//! has it alone. It comes before the account's row.
//!
//! Members come under it too, and a transaction that declares what their seats get has it alone: neither sees what the other has
//! not committed.
//!
//! A transaction that adds lots to very many accounts shares one lock of all accounts instead of the rest of theirs: each lock
//! takes a place in the server's lock table. A transaction that has locks alone has that one too, in a mode in which such
//! transactions are not in each other's way, and last: an import may want it that has one of the locks that the transaction waits
//! for.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pgrx::pg_sys;

use crate::server::locks::{Acquired, Space, acquire, hash_of_name};

/// How many accounts' own locks a transaction shares at most; then it shares the lock of all accounts. It is the number of places
/// that a transaction has in the lock table by default (`max_locks_per_transaction`).
const MAX_ACCOUNTS: u32 = 64;

/// How many it shares at most where it has exclusive locks: another transaction that has some may be in the way of the lock of
/// all.
const MAX_ACCOUNTS_BESIDE: u32 = 2000;

/// How many accounts' own locks the running transaction took. Those that a savepoint gave back count too.
static SHARED: AtomicU32 = AtomicU32::new(0);

/// Whether the running transaction has an exclusive lock, or had one before it went back to a savepoint.
static KEEPS_OUT: AtomicBool = AtomicBool::new(false);

/// Until the transaction ends nobody makes a cap for the account, nor declares what seats get; waits for transactions that do.
pub fn let_in(account: &str) {
    share(account, false);
}

/// The same without waiting; whether lots may come.
pub fn let_in_if_free(account: &str) -> bool {
    share(account, true)
}

/// Until the transaction ends no lot and no member comes to the accounts, which are given in the order of their names; waits for
/// the transactions that bring one.
pub fn keep_out<'a>(accounts: impl Iterator<Item = &'a str>) {
    KEEPS_OUT.store(true, Ordering::Relaxed);
    for account in accounts {
        acquire(Space::Arrival, of_account(account), pg_sys::ExclusiveLock, false);
    }
    acquire(Space::ArrivalAnywhere, 0, pg_sys::RowExclusiveLock, false);
}

/// The transaction has ended, and with it all its locks.
pub fn end_transaction() {
    SHARED.store(0, Ordering::Relaxed);
    KEEPS_OUT.store(false, Ordering::Relaxed);
}

fn share(account: &str, only_if_free: bool) -> bool {
    let limit = if KEEPS_OUT.load(Ordering::Relaxed) { MAX_ACCOUNTS_BESIDE } else { MAX_ACCOUNTS };
    if SHARED.load(Ordering::Relaxed) >= limit {
        return acquire(Space::ArrivalAnywhere, 0, pg_sys::ShareLock, only_if_free) != Acquired::NotFree;
    }
    let acquired = acquire(Space::Arrival, of_account(account), pg_sys::ShareLock, only_if_free);
    SHARED.fetch_add(u32::from(acquired == Acquired::New), Ordering::Relaxed);
    acquired != Acquired::NotFree
}

fn of_account(account: &str) -> u64 {
    hash_of_name("account", account)
}
