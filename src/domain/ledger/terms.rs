//! The terms that a lot may have.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::currency::{self, CurrencyError};

/// Whether credits were paid for or given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Sold: what is left of it is owed to the customer (deferred revenue).
    Paid,
    /// Given: it carries no value of its own.
    Promotional,
}

/// Where a lot came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Bought by the customer.
    Purchase,
    /// Given by a plan or by hand.
    Allocation,
    /// Bought automatically when the balance ran low.
    TopUp,
    /// Carried over from an earlier period.
    Rollover,
    /// Part of a commitment.
    Commitment,
    /// Moved from another owner.
    Transfer,
    /// A correction.
    Adjustment,
    /// Lent.
    Overdraft,
}

/// Every category with its name in SQL.
const CATEGORIES: [(Category, &str); 2] = [(Category::Paid, "paid"), (Category::Promotional, "promotional")];

/// Every source with its name in SQL.
const SOURCES: [(Source, &str); 8] = [
    (Source::Purchase, "purchase"),
    (Source::Allocation, "allocation"),
    (Source::TopUp, "top_up"),
    (Source::Rollover, "rollover"),
    (Source::Commitment, "commitment"),
    (Source::Transfer, "transfer"),
    (Source::Adjustment, "adjustment"),
    (Source::Overdraft, "overdraft"),
];

/// The names that would have been known, for the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName(pub String);

fn find<T: Copy>(known: &[(T, &str)], name: &str) -> Result<T, UnknownName> {
    let names = || known.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    known.iter().find(|(_, known)| *known == name).map(|(value, _)| *value).ok_or_else(|| UnknownName(names()))
}

impl FromStr for Category {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Category, UnknownName> {
        find(&CATEGORIES, name)
    }
}

impl FromStr for Source {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Source, UnknownName> {
        find(&SOURCES, name)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(CATEGORIES.iter().find(|(value, _)| value == self).expect("a named category").1)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SOURCES.iter().find(|(value, _)| value == self).expect("a named source").1)
    }
}

/// The price that was paid for a lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The money, at least zero.
    pub paid: Amount,
    /// ISO 4217: three capital letters.
    pub currency: String,
}

/// The terms that decide when a lot is usable and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Paid or promotional.
    pub category: Category,
    /// Where the credits come from.
    pub source: Source,
    /// From this instant on the lot is usable.
    pub effective_at: DateTime<Utc>,
    /// From this instant on it is not usable any more.
    pub expires_at: Option<DateTime<Utc>>,
    /// The price that was paid, if that is known.
    pub price: Option<Price>,
}

/// Why terms make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// `expires_at` is not after `effective_at`.
    ExpiresBeforeEffect,
    /// `expires_at` is not in the future: nothing could ever be used.
    AlreadyExpired,
    /// Money was paid for credits that are called promotional.
    PaidPromotion,
    /// Below zero.
    NegativePrice,
    /// A currency that does not exist, or more decimals than it has.
    Currency(CurrencyError),
    /// A price without a currency, and the unit does not name one.
    PriceWithoutCurrency,
    /// A currency without a price.
    CurrencyWithoutPrice,
}

/// Fills in what was not said: what was paid for is paid and a purchase, everything else is a promotional allocation.
pub fn classify(category: Option<Category>, source: Option<Source>, price: Option<&Price>) -> (Category, Source) {
    let paid_for = price.is_some_and(|price| price.paid.is_positive());
    let category = category.unwrap_or(if paid_for { Category::Paid } else { Category::Promotional });
    let source = source.unwrap_or(if paid_for { Source::Purchase } else { Source::Allocation });
    (category, source)
}

/// Puts `paid` and `currency` together; the unit's own currency stands in for one that was not named.
pub fn price(paid: Option<Amount>, currency: Option<&str>, of_unit: Option<&str>) -> Result<Option<Price>, TermsError> {
    let Some(paid) = paid else {
        return if currency.is_some() { Err(TermsError::CurrencyWithoutPrice) } else { Ok(None) };
    };
    if paid < Amount::ZERO {
        return Err(TermsError::NegativePrice);
    }
    let currency = currency.or(of_unit).ok_or(TermsError::PriceWithoutCurrency)?;
    currency::check_money(paid, currency).map_err(TermsError::Currency)?;
    Ok(Some(Price { paid, currency: currency.to_owned() }))
}

impl Terms {
    /// Checks the terms of a lot that is granted at `now`. An effective date in the past is fine.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), TermsError> {
        if let Some(expires_at) = self.expires_at {
            if expires_at <= self.effective_at {
                return Err(TermsError::ExpiresBeforeEffect);
            }
            if expires_at <= now {
                return Err(TermsError::AlreadyExpired);
            }
        }
        let paid_for = self.price.as_ref().is_some_and(|price| price.paid.is_positive());
        if paid_for && self.category == Category::Promotional {
            return Err(TermsError::PaidPromotion);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn terms(effective: i64, expires: Option<i64>) -> Terms {
        Terms {
            category: Category::Promotional,
            source: Source::Allocation,
            effective_at: instant(effective),
            expires_at: expires.map(instant),
            price: None,
        }
    }

    fn usd(paid: &str) -> Option<Price> {
        Some(Price { paid: Amount::parse(paid).unwrap(), currency: "USD".into() })
    }

    #[test]
    fn a_life_has_a_length_and_a_future() {
        assert_eq!(terms(10, Some(10)).check(instant(0)), Err(TermsError::ExpiresBeforeEffect));
        assert_eq!(terms(0, Some(5)).check(instant(5)), Err(TermsError::AlreadyExpired));
        assert_eq!(terms(0, Some(6)).check(instant(5)), Ok(()));
        assert_eq!(terms(-100, None).check(instant(5)), Ok(()));
    }

    #[test]
    fn what_was_paid_for_is_a_purchase() {
        assert_eq!(classify(None, None, usd("8").as_ref()), (Category::Paid, Source::Purchase));
        assert_eq!(classify(None, None, usd("0").as_ref()), (Category::Promotional, Source::Allocation));
        assert_eq!(classify(Some(Category::Paid), None, None), (Category::Paid, Source::Allocation));
        let promotional = Terms { price: usd("8"), ..terms(0, None) };
        assert_eq!(promotional.check(instant(0)), Err(TermsError::PaidPromotion));
    }

    #[test]
    fn a_price_has_a_currency() {
        let eight = Amount::parse("8").ok();
        assert_eq!(price(eight, None, Some("USD")), Ok(usd("8")));
        assert_eq!(price(eight, Some("EUR"), Some("USD")).unwrap().unwrap().currency, "EUR");
        assert_eq!(price(eight, None, None), Err(TermsError::PriceWithoutCurrency));
        assert_eq!(price(eight, Some("usd"), None), Err(TermsError::Currency(CurrencyError::Malformed)));
        assert_eq!(price(eight, Some("ABC"), None), Err(TermsError::Currency(CurrencyError::Unknown)));
        let too_precise = Amount::parse("8.005").ok();
        assert_eq!(price(too_precise, None, Some("USD")), Err(TermsError::Currency(CurrencyError::TooManyDecimals(2))));
        assert_eq!(price(None, Some("USD"), None), Err(TermsError::CurrencyWithoutPrice));
        assert_eq!(price(eight.map(Amount::negated), Some("USD"), None), Err(TermsError::NegativePrice));
        assert_eq!(price(None, None, Some("USD")), Ok(None));
    }

    #[test]
    fn names_are_those_of_sql() {
        for (category, name) in CATEGORIES {
            assert_eq!((name.parse(), category.to_string().as_str()), (Ok(category), name));
        }
        for (source, name) in SOURCES {
            assert_eq!((name.parse(), source.to_string().as_str()), (Ok(source), name));
        }
        assert_eq!("gift".parse::<Category>(), Err(UnknownName("paid, promotional".into())));
    }
}
