//! The lot that paid last: a debit tries it before it asks the index for the first one.
//!
//! It is remembered only where nothing but the passing of its own expiry and the arrival of another lot can make another the
//! first: no lot stood before it, expired or not yet in effect or for other operations. Lots that are added or opened again are
//! announced ([`crate::server::invalidation`]). A lot that was closed holds nothing, so the debit finds out by itself, as it does
//! when others hold all the slots it knows of; then it asks the index.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::server::{heap, invalidation};
use crate::store::debits::eligible::{Eligibility, Head};

/// How many head lots one backend remembers at most; then the memory starts anew.
const MAX_REMEMBERED: usize = 4096;

/// A lot that was the first from `since` on, until it expires.
#[derive(Clone, Copy)]
struct Known {
    head: Head,
    since: DateTime<Utc>,
}

/// The heads by what was asked, valid for one generation.
#[derive(Default)]
struct Remembered {
    generation: u64,
    heads: HashMap<String, Known>,
}

thread_local! {
    static REMEMBERED: RefCell<Remembered> = RefCell::default();
}

/// One text for all that decides which lot is the first: names contain no control characters.
fn text(eligible: Eligibility<'_>) -> String {
    let Eligibility { account, unit, member, pool, operation } = eligible;
    let pool = if pool { "\u{1}" } else { "" };
    [account, unit, member, pool, operation.unwrap_or("\u{1}")].join("\0")
}

/// The lot that was the first when it was last looked for, if nothing was heard since that could have changed it.
pub fn get(eligible: Eligibility<'_>, now: DateTime<Utc>) -> Option<Head> {
    // A snapshot of an earlier statement may not show the lot yet.
    if !heap::is_allowed() {
        return None;
    }
    let generation = invalidation::generation_of_lots();
    let known = REMEMBERED.with_borrow(|remembered| match remembered.generation == generation {
        true => remembered.heads.get(&text(eligible)).copied(),
        false => None,
    })?;
    let is_in_force = known.since <= now && known.head.expires_at.is_none_or(|expires_at| now < expires_at);
    is_in_force.then_some(known.head)
}

/// Remembers the head that was found at `now` by a search that began under `generation`.
pub fn put(eligible: Eligibility<'_>, head: Head, now: DateTime<Utc>, generation: u64) {
    invalidation::watch_lots();
    REMEMBERED.with_borrow_mut(|remembered| {
        if remembered.generation != generation || remembered.heads.len() == MAX_REMEMBERED {
            *remembered = Remembered { generation, ..Remembered::default() };
        }
        remembered.heads.insert(text(eligible), Known { head, since: now });
    });
}
