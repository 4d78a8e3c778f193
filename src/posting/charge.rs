//! Charges: an operation's quantity is priced by the account's rate card, and the price is debited.

use std::collections::HashSet;
use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::account;
use super::batch::{self, ItemOutcome, Mode};
use super::debit::{self, Debit};
use super::idempotency::{self, Keyed};
use crate::domain::amount::Amount;
use crate::domain::dimensions::Dimensions;
use crate::error::{self, Result};
use crate::rating::price::{self, Price};
use crate::server::{clock, subtransaction};
use crate::store::entries::{self, Usage};
use crate::store::rate_cards::Card;
use crate::store::requests;

/// What is to be charged, as the caller said it.
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    pub account: &'a str,
    pub operation: &'a str,
    pub quantity: Amount,
    pub member: Option<&'a str>,
    pub dimensions: Option<Dimensions>,
    pub at: Option<DateTime<Utc>>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// How one charge of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    /// What it costs; `None` for a repetition.
    pub amount: Option<Amount>,
    pub posting: Option<i64>,
    pub shortfall: Option<Amount>,
}

/// A charge whose price is known.
struct Priced {
    price: Price,
    at: DateTime<Utc>,
    dimensions: Option<String>,
}

impl Priced {
    fn debit<'a>(&'a self, charge: &Charge<'a>) -> Debit<'a> {
        Debit {
            account: charge.account,
            amount: self.price.amount,
            member: charge.member,
            operation: Some(charge.operation),
            unit: Some(&self.price.unit),
            occurred_at: Some(self.at),
            keyed: charge.keyed,
            posting: None,
            metadata: charge.metadata,
            usage: Some(Usage { quantity: charge.quantity, rate: self.price.rate, dimensions: self.dimensions.as_deref() }),
        }
    }
}

/// Charges; the posting, or `None` when it costs nothing.
///
/// # Errors
/// P0002 unknown account, no card, no rate; what a debit raises.
pub fn charge(charge: &Charge<'_>) -> Result<Option<i64>> {
    post(charge, true).map(|charged| charged.posting)
}

/// Claims the key, prices, and debits. The key comes first: a repetition must neither be priced nor count to a period, also when
/// it waits for the first one. The caller rolls back what does not fit.
fn post(charge: &Charge<'_>, must_fit: bool) -> Result<Charged> {
    let mut posting = None;
    if let Some(keyed) = charge.keyed {
        let claimed = entries::next_posting();
        if let Some(earlier) = idempotency::claim(charge.account, keyed, claimed, clock::now())? {
            return Ok(Charged { amount: None, posting: posted(earlier), shortfall: None });
        }
        posting = Some(claimed);
    }
    let priced = price_of(charge, price::instant(charge.at)?)?;
    let amount = Some(priced.price.amount);
    if priced.price.amount.is_zero() {
        // Its quantity may count to a period, so the key is used all the same.
        if let Some(keyed) = charge.keyed {
            requests::settle_with_nothing(charge.account, keyed.key);
        }
        return Ok(Charged { amount, posting: None, shortfall: None });
    }
    let debit = Debit { keyed: None, posting, ..priced.debit(charge) };
    let (posting, shortfall) = debit::debit_or_shortfall(debit, must_fit)?;
    Ok(Charged { amount, posting, shortfall })
}

/// Charges the operations of one request: one posting, all of it or nothing. `None` when all of it costs nothing.
///
/// # Errors
/// As [`charge`], with `item=` in the DETAIL.
pub fn charge_request(charges: &[Charge<'_>], account: &str, keyed: Option<Keyed<'_>>) -> Result<Option<i64>> {
    if let Some(earlier) = earlier(account, keyed)? {
        return Ok(posted(earlier));
    }
    let now = price::instant(charges.first().and_then(|charge| charge.at))?;
    let posting = entries::next_posting();
    // Before anything is counted or locked, as everywhere.
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::claim(account, keyed, posting, clock::now())?
    {
        return Ok(posted(earlier));
    }
    let mut priced = Vec::with_capacity(charges.len());
    for index in in_order(charges) {
        priced.push((index, price_of(&charges[index], now).map_err(|refusal| error::in_item(refusal, index))?));
    }
    priced.sort_by_key(|(index, _)| *index);
    let debits: Vec<_> = priced
        .iter()
        .filter(|(_, priced)| !priced.price.amount.is_zero())
        .map(|(index, priced)| priced.debit(&charges[*index]))
        .collect();
    if debits.is_empty() {
        if let Some(keyed) = keyed {
            requests::settle_with_nothing(account, keyed.key);
        }
        return Ok(None);
    }
    batch::debit_as_one(&debits, posting)?;
    Ok(Some(posting))
}

/// Charges each item in turn; one outcome per item, the same as charging one by one.
///
/// # Errors
/// As [`charge`], with `item=` in the DETAIL; 23514 in mode [`Mode::All`] for the first that does not fit.
pub fn charge_many(charges: &[Charge<'_>], mode: Mode) -> Result<Vec<Charged>> {
    if depends_on_order(charges) {
        return one_by_one(charges, mode);
    }
    let mut outcomes = vec![Charged { amount: None, posting: None, shortfall: None }; charges.len()];
    let mut priced = Vec::with_capacity(charges.len());
    for (index, charge) in charges.iter().enumerate() {
        let refused = |refusal| error::in_item(refusal, index);
        if let Some(earlier) = earlier(charge.account, charge.keyed).map_err(refused)? {
            outcomes[index].posting = posted(earlier);
            continue;
        }
        let found = price::instant(charge.at).and_then(|at| price_of(charge, at)).map_err(refused)?;
        match found.price.amount.is_zero() {
            true => outcomes[index] = post(charge, true).map_err(refused)?,
            false => {
                outcomes[index].amount = Some(found.price.amount);
                priced.push((index, found));
            }
        }
    }
    let debits: Vec<_> = priced.iter().map(|(index, priced)| priced.debit(&charges[*index])).collect();
    for ((index, _), outcome) in priced.iter().zip(batch::debit_many(&debits, mode)?) {
        match outcome {
            ItemOutcome::Posted(posting) => outcomes[*index].posting = posted(posting),
            ItemOutcome::Short { shortfall } => outcomes[*index].shortfall = Some(shortfall),
        }
    }
    Ok(outcomes)
}

/// Whether a price depends on which of the charges before it fitted.
///
/// One that cannot be priced is refused later, unless it repeats what was charged before.
fn depends_on_order(charges: &[Charge<'_>]) -> bool {
    let mut seen = HashSet::new();
    let first_of_its_kind = charges.iter().filter(|charge| seen.insert((charge.account, charge.operation)));
    let depends = |charge: &Charge<'_>| card_of(charge).is_ok_and(|card| price::counts_over_a_period(&card, charge.operation));
    first_of_its_kind.into_iter().any(depends)
}

fn one_by_one(charges: &[Charge<'_>], mode: Mode) -> Result<Vec<Charged>> {
    let mut outcomes = Vec::with_capacity(charges.len());
    for (index, item) in charges.iter().enumerate() {
        outcomes.push(charge_one(item, mode).map_err(|refusal| error::in_item(refusal, index))?);
    }
    Ok(outcomes)
}

fn charge_one(item: &Charge<'_>, mode: Mode) -> Result<Charged> {
    let mut charged = Charged { amount: None, posting: None, shortfall: None };
    // What does not fit must not count to its period either.
    subtransaction::attempt(|| {
        charged = post(item, mode == Mode::All)?;
        Ok(charged.shortfall.is_none().then_some(()))
    })?;
    Ok(charged)
}

/// The posting that a key stands for, unless the request posted nothing.
fn posted(result: i64) -> Option<i64> {
    (result != requests::NOTHING).then_some(result)
}

/// What the same request returned before, whatever the rates are now.
fn earlier(account: &str, keyed: Option<Keyed<'_>>) -> Result<Option<i64>> {
    keyed.map_or(Ok(None), |keyed| idempotency::repeated(account, keyed))
}

fn card_of(charge: &Charge<'_>) -> Result<Rc<Card>> {
    // It also tells an unknown account from one without a card.
    account::find_remembered(charge.account, None, charge.member)?;
    price::card_of(charge.account)
}

fn price_of(charge: &Charge<'_>, at: DateTime<Utc>) -> Result<Priced> {
    let card = card_of(charge)?;
    let none = Dimensions::default();
    let usage = price::Usage {
        account: Some(charge.account),
        operation: charge.operation,
        quantity: charge.quantity,
        dimensions: charge.dimensions.as_ref().unwrap_or(&none),
        at,
    };
    let price = price::charge(&card, &usage)?;
    Ok(Priced { price, at, dimensions: charge.dimensions.as_ref().map(Dimensions::to_json) })
}

/// The order in which counters of periods are taken, the same in every call: by operation, then as given.
fn in_order(charges: &[Charge<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..charges.len()).collect();
    order.sort_by_key(|index| charges[*index].operation);
    order
}
