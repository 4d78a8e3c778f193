//! Many charges in one call, with the result of making them one by one in their order.
//!
//! Their prices are debited together ([`super::batch`]). Where a price depends on what the account used before, charges are priced
//! in turn; then the keys come first and the counters of the periods next, each in one order, so that two batches cannot deadlock
//! over them.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::batch::{self, ItemOutcome, Mode};
use super::charge::{self, Charge, Charged, Priced};
use super::debit::Debit;
use super::idempotency;
use crate::error::{self, Result};
use crate::rating::price;
use crate::server::{clock, subtransaction};
use crate::store::{entries, rates, requests};

/// Charges each item in turn; one outcome per item, the same as charging one by one.
///
/// # Errors
/// As [`charge::charge`], with `item=` in the DETAIL; 23514 in mode [`Mode::All`] for the first that does not fit.
pub fn charge_many(charges: &[Charge<'_>], mode: Mode) -> Result<Vec<Charged>> {
    if depends_on_order(charges) {
        let now = clock::now();
        let keys = claim_keys(charges, now)?;
        let new: Vec<_> =
            charges.iter().zip(&keys).filter(|(_, key)| !matches!(key, Key::Used(_))).map(|(item, _)| item).collect();
        hold_periods(&new, now)?;
        return match mode {
            Mode::All => all_in_turn(charges, &keys, now),
            Mode::Each => each_in_turn(charges, &keys, now),
        };
    }
    let mut outcomes = vec![Charged::default(); charges.len()];
    let mut priced = Vec::with_capacity(charges.len());
    for (index, charge) in charges.iter().enumerate() {
        let refused = |refusal| error::in_item(refusal, index);
        if let Some(earlier) = charge::earlier(charge.account, charge.keyed).map_err(refused)? {
            outcomes[index].posting = charge::posted(earlier);
            continue;
        }
        let found = price::instant(charge.at).and_then(|at| charge::price_of(charge, at)).map_err(refused)?;
        match found.price.amount.is_zero() {
            true => outcomes[index] = charge::post(charge, true).map_err(refused)?,
            false => {
                outcomes[index].amount = Some(found.price.amount);
                priced.push((index, found));
            }
        }
    }
    let debits: Vec<_> =
        priced.iter().map(|(index, priced)| Debit { item: Some(*index), ..priced.debit(&charges[*index]) }).collect();
    for ((index, _), outcome) in priced.iter().zip(batch::debit_many(&debits, mode)?) {
        match outcome {
            ItemOutcome::Posted(posting) => outcomes[*index].posting = charge::posted(posting),
            ItemOutcome::Short(short) => outcomes[*index].short = Some(short),
        }
    }
    Ok(outcomes)
}

/// Whether a price depends on which of the charges before it fitted.
///
/// One that cannot be priced is refused later, unless it repeats what was charged before.
fn depends_on_order(charges: &[Charge<'_>]) -> bool {
    let mut seen = HashSet::new();
    let mut first_of_its_kind = charges.iter().filter(|charge| seen.insert((charge.account, charge.operation)));
    let depends =
        |charge: &Charge<'_>| charge::card_of(charge).is_ok_and(|card| price::counts_over_a_period(&card, charge.operation));
    first_of_its_kind.any(depends)
}

/// What an item's key says.
#[derive(Clone, Copy)]
enum Key {
    /// It has none, or one that is claimed for this posting.
    New(Option<i64>),
    /// The request was made before, with this result.
    Used(i64),
    /// An earlier item of the batch has it.
    SameAs(usize),
}

/// Claims every key, in the order of accounts and keys.
fn claim_keys(charges: &[Charge<'_>], now: DateTime<Utc>) -> Result<Vec<Key>> {
    let mut keys = vec![Key::New(None); charges.len()];
    let mut keyed: Vec<_> = charges
        .iter()
        .enumerate()
        .filter_map(|(index, charge)| charge.keyed.map(|keyed| (charge.account, keyed.key, index, keyed)))
        .collect();
    keyed.sort_unstable_by_key(|(account, key, index, _)| (*account, *key, *index));
    let mut firsts: HashMap<(&str, &str, [u8; 32]), usize> = HashMap::new();
    for (account, key, index, keyed) in keyed {
        if let Some(first) = firsts.get(&(account, key, keyed.fingerprint)) {
            keys[index] = Key::SameAs(*first);
            continue;
        }
        let posting = entries::next_posting();
        let earlier = idempotency::claim(account, keyed, posting, now).map_err(|refusal| error::in_item(refusal, index))?;
        keys[index] = earlier.map_or(Key::New(Some(posting)), Key::Used);
        if earlier.is_none() {
            firsts.insert((account, key, keyed.fingerprint), index);
        }
    }
    Ok(keys)
}

/// Takes the counters of all periods that the charges count to, in one order, before anything else is locked.
///
/// # Errors
/// What [`charge::charge`] raises for one that cannot be priced at all is left to it.
pub fn hold_periods(charges: &[&Charge<'_>], now: DateTime<Utc>) -> Result<()> {
    let mut periods = BTreeSet::new();
    let mut seen = HashSet::new();
    for charge in charges {
        if seen.insert((charge.account, charge.operation, &charge.dimensions, charge.at))
            && let Ok(Some(period)) = charge::period_of(charge, charge.at.unwrap_or(now))
        {
            periods.insert(period);
        }
    }
    periods.iter().for_each(rates::hold);
    Ok(())
}

/// All of them or none: each is priced as if those before it fitted, and then all are debited together.
fn all_in_turn(charges: &[Charge<'_>], keys: &[Key], now: DateTime<Utc>) -> Result<Vec<Charged>> {
    let mut outcomes = vec![Charged::default(); charges.len()];
    let mut priced: Vec<(usize, Option<i64>, Priced)> = Vec::with_capacity(charges.len());
    for (index, (charge, key)) in charges.iter().zip(keys).enumerate() {
        match *key {
            Key::Used(earlier) => outcomes[index].posting = charge::posted(earlier),
            Key::SameAs(_) => {}
            Key::New(posting) => {
                let found = charge::instant(charge, now).and_then(|at| charge::price_of(charge, at));
                let found = found.map_err(|refusal| error::in_item(refusal, index))?;
                outcomes[index].amount = Some(found.price.amount);
                match (found.price.amount.is_zero(), charge.keyed) {
                    (false, _) => priced.push((index, posting, found)),
                    (true, Some(keyed)) => requests::settle_with_nothing(charge.account, keyed.key),
                    (true, None) => {}
                }
            }
        }
    }
    let debits: Vec<_> = priced
        .iter()
        .map(|(index, posting, priced)| Debit {
            keyed: None,
            posting: *posting,
            item: Some(*index),
            ..priced.debit(&charges[*index])
        })
        .collect();
    let debited = batch::debit_many(&debits, Mode::All)?;
    for ((index, ..), outcome) in priced.iter().zip(debited) {
        if let ItemOutcome::Posted(posting) = outcome {
            outcomes[*index].posting = Some(posting);
        }
    }
    for (index, key) in keys.iter().enumerate() {
        if let Key::SameAs(first) = *key {
            outcomes[index].posting = outcomes[first].posting;
        }
    }
    Ok(outcomes)
}

/// Whichever fit: one that does not must not count to its period, so each is an attempt of its own.
fn each_in_turn(charges: &[Charge<'_>], keys: &[Key], now: DateTime<Utc>) -> Result<Vec<Charged>> {
    let mut outcomes = vec![Charged::default(); charges.len()];
    for (index, (charge, key)) in charges.iter().zip(keys).enumerate() {
        let in_item = |refusal| error::in_item(refusal, index);
        outcomes[index] = match *key {
            Key::Used(earlier) => Charged { posting: charge::posted(earlier), ..Charged::default() },
            Key::SameAs(first) if outcomes[first].short.is_none() => {
                Charged { posting: outcomes[first].posting, ..Charged::default() }
            }
            Key::SameAs(_) => attempt(|| charge::post(charge, false)).map_err(in_item)?,
            Key::New(posting) => {
                let at = charge::instant(charge, now).map_err(in_item)?;
                let charged = attempt(|| charge::post_claimed(charge, posting, at, false)).map_err(in_item)?;
                if let (Some(keyed), Some(_)) = (charge.keyed, charged.short) {
                    requests::take_back(charge.account, keyed.key);
                }
                charged
            }
        };
    }
    Ok(outcomes)
}

/// Takes back what a charge did that then did not fit.
fn attempt(charge: impl FnOnce() -> Result<Charged>) -> Result<Charged> {
    let mut charged = Charged::default();
    subtransaction::attempt(|| {
        charged = charge()?;
        Ok(charged.short.is_none().then_some(()))
    })?;
    Ok(charged)
}
