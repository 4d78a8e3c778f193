//! The keys of a batch: claimed once, before anything else, and kept over its attempts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::debits::batch::outcome::in_item;
use crate::debits::request::Debit;
use crate::error::Result;
use crate::ledger::idempotency;
use crate::store::ledger::entries;

/// The postings that are known beforehand, and what the keys stand for.
pub struct Claims {
    /// Of each item that has one already, its posting id.
    postings: Vec<Option<i64>>,
    /// All items are lines of one posting.
    pub as_one: bool,
    /// For items whose key stood for an earlier request: its posting.
    pub repeated: HashMap<usize, i64>,
    /// For items whose key an earlier item of this batch has: that item.
    pub same_as: HashMap<usize, usize>,
}

impl Claims {
    /// Claims every key for its item's posting, in the order of accounts and keys, so that two batches cannot deadlock. Nothing
    /// else is held yet: others wait for the locks of this one while they hold a key.
    ///
    /// # Errors
    /// 23505 for a key that was used for another request.
    pub fn take(items: &[Debit<'_>], posting: Option<i64>, now: DateTime<Utc>) -> Result<Claims> {
        let mut claims = Claims {
            postings: items.iter().map(|item| posting.or(item.posting)).collect(),
            as_one: posting.is_some(),
            repeated: HashMap::new(),
            same_as: HashMap::new(),
        };
        let mut keyed: Vec<_> =
            (0..items.len()).filter_map(|index| Some((items[index].account, items[index].keyed?.key, index))).collect();
        keyed.sort_unstable();
        if !keyed.is_empty() {
            claims.postings = claims.postings().into_iter().map(Some).collect();
        }
        let mut first: Option<(&str, &str, usize)> = None;
        for (account, key, index) in keyed {
            if let Some((_, _, original)) = first.filter(|known| (known.0, known.1) == (account, key))
                && items[original].keyed.map(|keyed| keyed.fingerprint) == items[index].keyed.map(|keyed| keyed.fingerprint)
            {
                claims.same_as.insert(index, original);
                continue;
            }
            first = Some((account, key, index));
            let keyed = items[index].keyed.expect("an item with a key");
            let posting = claims.postings[index].expect("a posting for each item");
            let earlier = idempotency::claim(account, keyed, posting, now);
            if let Some(posting) = earlier.map_err(|refusal| in_item(items, index, refusal))? {
                claims.repeated.insert(index, posting);
            }
        }
        Ok(claims)
    }

    /// A posting id for each item.
    pub fn postings(&self) -> Vec<i64> {
        let mut new = entries::next_postings(self.postings.iter().filter(|posting| posting.is_none()).count()).into_iter();
        let posting = |known: &Option<i64>| known.unwrap_or_else(|| new.next().expect("a posting for each item without one"));
        self.postings.iter().map(posting).collect()
    }

    /// Whether the item repeats an earlier request, or one of this batch that may have been posted.
    pub fn is_known(&self, index: usize) -> bool {
        self.repeated.contains_key(self.same_as.get(&index).unwrap_or(&index))
    }
}
