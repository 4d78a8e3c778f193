//! The rate that applies to a usage, and its price.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::rates::dimensions::Dimensions;
use crate::error::{self, Result};
use crate::rates::versions::{self, Versions};
use crate::server::heap::relations;
use crate::server::{clock, invalidation, transactions};
use crate::store::rates::rate_cards::{self, Card};
use crate::store::rates::{self, Counter, Period, Version};

/// How many accounts' cards, and how many operations' versions, one backend remembers at most; then the memory starts anew.
const MAX_REMEMBERED: usize = 16_384;

/// A usage that is to be priced.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a> {
    pub account: Option<&'a str>,
    pub operation: &'a str,
    pub quantity: Amount,
    pub dimensions: &'a Dimensions,
    pub at: DateTime<Utc>,
}

/// A price, and the version that made it.
#[derive(Clone, Debug)]
pub struct Price {
    pub amount: Amount,
    /// The id of the version of the rate.
    pub rate: i64,
    pub unit: String,
}

/// Cards and versions that charges of this backend used, valid for one generation.
#[derive(Default)]
struct Remembered {
    generation: u64,
    cards: HashMap<String, Rc<Card>>,
    versions: HashMap<String, Rc<Versions>>,
}

thread_local! {
    static REMEMBERED: RefCell<Remembered> = RefCell::default();
}

/// Remembers what is read now for what is asked later, until something changes. A transaction that cannot see the latest
/// rows reads each time.
fn remembered<T>(
    name: String,
    map: fn(&mut Remembered) -> &mut HashMap<String, Rc<T>>,
    read: impl FnOnce() -> Result<T>,
) -> Result<Rc<T>> {
    let generation = invalidation::generation();
    let known = REMEMBERED.with_borrow_mut(|remembered| {
        if remembered.generation != generation {
            *remembered = Remembered { generation, ..Remembered::default() };
        }
        map(remembered).get(&name).cloned()
    });
    if let Some(known) = known {
        return Ok(known);
    }
    // Before reading: what changes after that must be heard of, and what this transaction wrote itself may be rolled back.
    invalidation::watch(relations::relations().account.table);
    let found = Rc::new(read()?);
    if invalidation::sees_latest() && invalidation::generation() == generation {
        REMEMBERED.with_borrow_mut(|remembered| {
            let map = map(remembered);
            if map.len() == MAX_REMEMBERED {
                map.clear();
            }
            map.insert(name, found.clone());
        });
    }
    Ok(found)
}

/// The card that the account is charged by.
///
/// # Errors
/// P0002 when there is none.
pub fn card_of(account: &str) -> Result<Rc<Card>> {
    let read = || rate_cards::card_of_account(account, clock::now()).ok_or_else(|| error::no_card(account));
    let card = remembered(account.to_owned(), |remembered| &mut remembered.cards, read)?;
    match card.until.filter(|until| *until <= clock::now()) {
        // An agreement has begun or ended since: no change that was announced, but time that passed.
        Some(_) => {
            REMEMBERED.with_borrow_mut(|remembered| remembered.cards.remove(account));
            remembered(account.to_owned(), |remembered| &mut remembered.cards, read)
        }
        None => Ok(card),
    }
}

/// The price of a charge. Where the bands of the rate are counted over a period, the quantity is counted to it.
///
/// # Errors
/// P0002 when no rate applies; 22003 for a price out of range.
pub fn charge(card: &Card, usage: &Usage<'_>) -> Result<Price> {
    let versions = versions_of(card, usage.operation);
    let version = applying(card, usage, &versions)?;
    let used = match usage.account.filter(|_| version.terms.counts_over_a_period()) {
        Some(account) => rates::use_quantity(counter(card, usage, version, account), usage.quantity)
            .ok_or_else(|| error::result_out_of_range("the quantity of the period", format!("quantity={}", usage.quantity)))?,
        None => Amount::ZERO,
    };
    priced(card, usage, version, used)
}

/// The price of a charge by this version of a rate, whatever applies by now. Where its bands are counted over a period, the
/// quantity is counted to it.
///
/// # Errors
/// P0002 when the version does not exist; 22003 for a price out of range.
pub fn charge_by(rate: i64, usage: &Usage<'_>) -> Result<Price> {
    let unknown = || error::no_rate(&rate.to_string(), usage.operation, usage.dimensions, usage.at, false);
    let card = rate_cards::card_of_rate(rate).ok_or_else(unknown)?;
    let versions = versions_of(&card, usage.operation);
    let version = versions.iter().find(|version| version.rate == rate).ok_or_else(unknown)?;
    let used = match usage.account.filter(|_| version.terms.counts_over_a_period()) {
        Some(account) => rates::use_quantity(counter(&card, usage, version, account), usage.quantity)
            .ok_or_else(|| error::result_out_of_range("the quantity of the period", format!("quantity={}", usage.quantity)))?,
        None => Amount::ZERO,
    };
    priced(&card, usage, version, used)
}

/// The price of a charge after `used` was used in its period, if it counts to one; nothing is counted.
///
/// # Errors
/// As [`charge`].
pub fn charge_after(card: &Card, usage: &Usage<'_>, used: Amount) -> Result<Price> {
    let versions = versions_of(card, usage.operation);
    let version = applying(card, usage, &versions)?;
    priced(card, usage, version, used)
}

/// The period that a charge of the usage would be counted to.
///
/// # Errors
/// P0002 when no rate applies.
pub fn period(card: &Card, usage: &Usage<'_>) -> Result<Option<Period>> {
    let versions = versions_of(card, usage.operation);
    let version = applying(card, usage, &versions)?;
    let account = usage.account.filter(|_| version.terms.counts_over_a_period());
    Ok(account.map(|account| rates::period(counter(card, usage, version, account))))
}

/// Whether the price depends on what the account used before.
pub fn counts_over_a_period(card: &Card, operation: &str) -> bool {
    versions_of(card, operation).iter().any(|version| version.terms.counts_over_a_period())
}

fn versions_of(card: &Card, operation: &str) -> Rc<Versions> {
    // Names have no control characters, so none can be mistaken for two.
    let name = [card.card.as_str(), operation].join("\0");
    let read = || Ok(versions::read(&card.card, operation));
    remembered(name, |remembered| &mut remembered.versions, read).expect("reading versions is never refused")
}

/// The price as the calling query sees it; nothing is counted.
///
/// # Errors
/// As [`charge`], and P0002 for an unknown card.
pub fn quote(card: Option<&str>, usage: &Usage<'_>) -> Result<Price> {
    let card = match (card, usage.account) {
        (Some(card), _) => rate_cards::card_for_reader(card).ok_or_else(|| error::unknown_card(card))?,
        (None, Some(account)) => {
            rate_cards::card_of_account_for_reader(account, clock::now()).ok_or_else(|| error::no_card(account))?
        }
        (None, None) => return Err(error::null_argument("card")),
    };
    let versions = versions::read_for_reader(&card.card, usage.operation);
    let version = applying(&card, usage, &versions)?;
    let used = match usage.account.filter(|_| version.terms.counts_over_a_period()) {
        Some(account) => rates::used(counter(&card, usage, version, account)),
        None => Amount::ZERO,
    };
    priced(&card, usage, version, used)
}

/// The price as a check of a charge sees it: by the card and the versions that the charge a moment later will go by, where that
/// reads what is committed by then; nothing is counted.
///
/// # Errors
/// As [`charge`], and P0002 when the account has no card.
pub fn quote_remembered(account: &str, usage: &Usage<'_>) -> Result<Price> {
    if !invalidation::sees_latest() || transactions::are_parallel() {
        return quote(None, usage);
    }
    let card = card_of(account)?;
    let versions = versions_of(&card, usage.operation);
    let version = applying(&card, usage, &versions)?;
    let used =
        if version.terms.counts_over_a_period() { rates::used(counter(&card, usage, version, account)) } else { Amount::ZERO };
    priced(&card, usage, version, used)
}

fn applying<'a>(card: &Card, usage: &Usage<'_>, versions: &'a Versions) -> Result<&'a Version> {
    let found = versions.applying(usage.dimensions, usage.at);
    found.ok_or_else(|| error::no_rate(&card.card, usage.operation, usage.dimensions, usage.at, versions.is_empty()))
}

fn counter<'a>(card: &'a Card, usage: &Usage<'a>, version: &'a Version, account: &'a str) -> Counter<'a> {
    let scope = version.terms.scope;
    Counter { account, card: &card.card, operation: usage.operation, dimensions: &version.dimensions, scope, at: usage.at }
}

fn priced(card: &Card, usage: &Usage<'_>, version: &Version, used: Amount) -> Result<Price> {
    let amount = version.terms.price(usage.quantity, used, card.precision);
    let amount = amount.ok_or_else(|| error::result_out_of_range("the price", format!("quantity={}", usage.quantity)))?;
    Ok(Price { amount, rate: version.rate, unit: card.unit.clone() })
}

/// The instant of a usage: as said, or now.
///
/// # Errors
/// 22023 in the future.
pub fn instant(at: Option<DateTime<Utc>>) -> Result<DateTime<Utc>> {
    let now = clock::now();
    match at.filter(|at| *at > now) {
        Some(at) => Err(error::future_instant("at", at, now)),
        None => Ok(at.unwrap_or(now)),
    }
}
