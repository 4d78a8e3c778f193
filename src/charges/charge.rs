//! Charges: an operation's quantity is priced by the account's rate card, and the price is debited.

use std::rc::Rc;

use chrono::{DateTime, Utc};

use crate::debits::backdating;
use crate::debits::debit;
use crate::debits::outcome::Short;
use crate::debits::request::Debit;
use crate::domain::amount::Amount;
use crate::domain::rates::dimensions::Dimensions;
use crate::error::Result;
use crate::ledger::account;
use crate::ledger::closed;
use crate::ledger::idempotency::{self, Keyed};
use crate::rates::price::{self, Price};
use crate::server::clock::{self, Movable};
use crate::store::ledger::entries::{self, Usage};
use crate::store::ledger::requests;
use crate::store::rates::Period;
use crate::store::rates::rate_cards::Card;

/// A request to charge, as the caller said it.
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    pub account: &'a str,
    pub operation: &'a str,
    /// How much of the operation was used.
    pub quantity: Amount,
    pub member: Option<&'a str>,
    pub dimensions: Option<Dimensions>,
    /// When it was used; `None` for now.
    pub at: Option<DateTime<Utc>>,
    /// The idempotency key, if there is one.
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
    /// The task, session or conversation it belongs to.
    pub run: Option<&'a str>,
}

/// How one charge of a batch ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged {
    /// The price; `None` for a repetition.
    pub amount: Option<Amount>,
    /// The posting; `None` where nothing was debited.
    pub posting: Option<i64>,
    /// The reason why it did not fit, where it did not.
    pub short: Option<Short>,
}

/// A charge whose price is known.
pub struct Priced {
    pub price: Price,
    at: DateTime<Utc>,
    dimensions: Option<String>,
}

impl Priced {
    /// The debit of the price.
    pub fn debit<'a>(&'a self, charge: &Charge<'a>) -> Debit<'a> {
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
            run: charge.run,
            dimensions: self.dimensions.as_deref(),
            usage: Some(Usage { quantity: charge.quantity, rate: self.price.rate }),
            hold: None,
            hold_for: None,
            item: None,
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
pub fn post(charge: &Charge<'_>, must_fit: bool) -> Result<Charged> {
    let _movable = go_on(charge)?;
    let mut posting = None;
    if let Some(keyed) = charge.keyed {
        let claimed = entries::next_posting();
        if let Some(earlier) = idempotency::claim(charge.account, keyed, claimed, clock::now())? {
            return Ok(Charged { amount: None, posting: posted(earlier), short: None });
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
        return Ok(Charged { amount, posting: None, short: None });
    }
    let debit = Debit { keyed: None, posting, ..priced.debit(charge) };
    let debited = debit::debit_or_shortfall(debit, must_fit)?;
    Ok(Charged { amount, posting: debited.ok(), short: debited.err() })
}

/// Lets the books of the charge's account go on where they are closed.
pub(super) fn go_on(charge: &Charge<'_>) -> Result<Movable> {
    Ok(closed::go_on_from(account::find_remembered(charge.account, None, charge.member)?.closed_until))
}

/// The posting that a key stands for, unless the request posted nothing.
pub fn posted(result: i64) -> Option<i64> {
    (result != requests::NOTHING).then_some(result)
}

/// The answer that the same request had before, whatever the rates are now.
pub fn earlier(account: &str, keyed: Option<Keyed<'_>>) -> Result<Option<i64>> {
    keyed.map_or(Ok(None), |keyed| idempotency::repeated(account, keyed))
}

/// The card that the charge is priced by.
///
/// # Errors
/// P0002 unknown account, or one without a card.
pub fn card_of(charge: &Charge<'_>) -> Result<Rc<Card>> {
    // It also tells an unknown account from one without a card.
    account::find_remembered(charge.account, None, charge.member)?;
    price::card_of(charge.account)
}

/// The instant of the usage, in a call that took `now` for now.
///
/// # Errors
/// 22023 in the future.
pub fn instant(charge: &Charge<'_>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let _movable = go_on(charge)?;
    price::instant(charge.at).map(|at| if charge.at.is_none() { clock::not_before_moved(now) } else { at })
}

/// The price of a charge. Where the bands of its rate are counted over a period, the quantity is counted to it.
///
/// # Errors
/// P0002 unknown account, no card, no rate; 22003 a price out of range.
pub fn price_of(charge: &Charge<'_>, at: DateTime<Utc>) -> Result<Priced> {
    priced(charge, at, price::charge)
}

/// The price of a charge after `used` was used in its period; nothing is counted.
///
/// # Errors
/// As [`price_of`].
pub fn price_after(charge: &Charge<'_>, at: DateTime<Utc>, used: Amount) -> Result<Priced> {
    priced(charge, at, |card, usage| price::charge_after(card, usage, used))
}

fn priced(
    charge: &Charge<'_>,
    at: DateTime<Utc>,
    price: impl FnOnce(&Card, &price::Usage<'_>) -> Result<Price>,
) -> Result<Priced> {
    let card = card_of(charge)?;
    backdating::check(charge.account, Some(at))?;
    let price = with_usage(charge, at, |usage| price(&card, usage))?;
    Ok(Priced { price, at, dimensions: charge.dimensions.as_ref().map(Dimensions::to_json) })
}

/// The period that the charge would be counted to.
///
/// # Errors
/// P0002 unknown account, no card, no rate.
pub fn period_of(charge: &Charge<'_>, at: DateTime<Utc>) -> Result<Option<Period>> {
    let card = card_of(charge)?;
    with_usage(charge, at, |usage| price::period(&card, usage))
}

fn with_usage<T>(charge: &Charge<'_>, at: DateTime<Utc>, ask: impl FnOnce(&price::Usage<'_>) -> T) -> T {
    let none = Dimensions::default();
    ask(&price::Usage {
        account: Some(charge.account),
        operation: charge.operation,
        quantity: charge.quantity,
        dimensions: charge.dimensions.as_ref().unwrap_or(&none),
        at,
    })
}
