//! Locks of accounts, plans and steps of maintenance, until the transaction ends.

use std::collections::BTreeSet;

use pgrx::pg_sys;

use crate::server::locks::{Acquired, Space, acquire, hash_of_name};

/// How many locks there are for the names of accounts, and for those of plans: few, so that closing the periods of very many
/// accounts does not fill the server's lock table. Names that share a number wait for each other, which harms nobody.
const NAMED_LOCKS: u64 = 512;

/// The step of maintenance that adds up consumption: reports may do it too.
pub const STEP_OF_ROLLUP: u64 = 5;

/// Takes the lock of a step of maintenance, if nobody else has it.
pub fn try_acquire_step(step: u64) -> bool {
    acquire(Space::Step, step, pg_sys::ExclusiveLock, true) != Acquired::NotFree
}

/// Shares the lock of closing a period of an account, for a call that dates something in the past.
pub fn share_closing<'a>(accounts: impl Iterator<Item = &'a str>) {
    lock_closing(accounts, pg_sys::ShareLock);
}

/// Takes the locks of closing a period of the accounts exclusively, for a call that closes one. They are taken in one order, so
/// that two such calls do not deadlock.
pub fn acquire_closing<'a>(accounts: impl Iterator<Item = &'a str>) {
    lock_closing(accounts, pg_sys::ExclusiveLock);
}

fn lock_closing<'a>(accounts: impl Iterator<Item = &'a str>, mode: u32) {
    let ids: BTreeSet<u64> = accounts.map(|account| few("account", account)).collect();
    for id in ids {
        acquire(Space::Closing, id, mode, false);
    }
}

/// Until the transaction ends nobody else makes, changes or ends a cap of the account.
pub fn acquire_caps(account: &str) {
    acquire(Space::CapsOfAccount, few("account", account), pg_sys::ExclusiveLock, false);
}

/// Until the transaction ends no account comes to the plan, and nobody else declares what it grants.
pub fn keep_others_from_plan(plan: &str) {
    acquire(Space::Plan, few("plan", plan), pg_sys::ExclusiveLock, false);
}

/// Until the transaction ends nobody declares what the plan grants. Many may hold this at once.
pub fn come_to_plan(plan: &str) {
    acquire(Space::Plan, few("plan", plan), pg_sys::ShareLock, false);
}

fn few(kind: &str, name: &str) -> u64 {
    hash_of_name(kind, name) % NAMED_LOCKS
}
