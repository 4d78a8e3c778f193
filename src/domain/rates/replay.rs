//! Replay: past usage at the prices of other rates.

use std::collections::{BTreeMap, HashMap};

use crate::domain::amount::Amount;
use crate::domain::exact::Precision;
use crate::domain::rates::dimensions::{self, Dimensions};
use crate::domain::rates::rate::{Rate, Scope};

/// A rate of the card that is tried.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The operation that is charged for.
    pub operation: String,
    /// The usages of the operation that the rate is for.
    pub dimensions: Dimensions,
    /// Its price.
    pub rate: Rate,
}

/// A quantity that was used and charged.
#[derive(Clone, Debug)]
pub struct Use {
    /// The account that used it.
    pub account: String,
    /// The operation that was used.
    pub operation: String,
    /// With which dimensions.
    pub dimensions: Dimensions,
    /// How much of it.
    pub quantity: Amount,
    /// The amount that was charged for it.
    pub charged: Amount,
    /// The local day, month, quarter and year.
    pub periods: [String; 4],
    /// Whether it is compared, or only fills the bands of a period.
    pub counts: bool,
}

/// The amount that an account was charged, and the amount that it would have been charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// All that was charged.
    pub charged: Amount,
    /// The amount that would have been charged, for usage that has a rate.
    pub would_be: Amount,
    /// The amount that was charged for usage without a rate on the card that is tried.
    pub unpriced: Amount,
}

/// Prices uses in their order by other rates, for each account. `None` outside the range of amounts.
pub fn replay(offers: &[Offer], uses: &[Use], precision: Precision) -> Option<BTreeMap<String, Comparison>> {
    let mut by_operation: HashMap<&str, Vec<&Offer>> = HashMap::new();
    for offer in offers {
        by_operation.entry(&offer.operation).or_default().push(offer);
    }
    let mut used: HashMap<(&str, &str, &Dimensions, &str), Amount> = HashMap::new();
    let mut comparisons: BTreeMap<String, Comparison> = BTreeMap::new();
    for usage in uses {
        let offers = by_operation.get(usage.operation.as_str()).map(Vec::as_slice).unwrap_or_default();
        let best = dimensions::most_specific(offers.iter().map(|offer| &offer.dimensions), &usage.dimensions);
        let price = match best.map(|index| offers[index]) {
            None => None,
            Some(offer) => {
                let before = match period(offer.rate.scope, &usage.periods) {
                    Some(period) if offer.rate.counts_over_a_period() => {
                        let key = (usage.account.as_str(), offer.operation.as_str(), &offer.dimensions, period);
                        let counter = used.entry(key).or_default();
                        let before = *counter;
                        *counter = before.checked_add(usage.quantity)?;
                        before
                    }
                    _ => Amount::ZERO,
                };
                Some(offer.rate.price(usage.quantity, before, precision)?)
            }
        };
        if usage.counts {
            let comparison = comparisons.entry(usage.account.clone()).or_default();
            comparison.charged = comparison.charged.checked_add(usage.charged)?;
            match price {
                Some(price) => comparison.would_be = comparison.would_be.checked_add(price)?,
                None => comparison.unpriced = comparison.unpriced.checked_add(usage.charged)?,
            }
        }
    }
    Some(comparisons)
}

fn period(scope: Scope, periods: &[String; 4]) -> Option<&str> {
    let [day, month, quarter, year] = periods;
    match scope {
        Scope::Call => None,
        Scope::Day => Some(day),
        Scope::Month => Some(month),
        Scope::Quarter => Some(quarter),
        Scope::Year => Some(year),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::exact::Rounding;
    use crate::domain::rates::rate::Tier;
    use rust_decimal::Decimal;

    const PRECISION: Precision = Precision { decimals: 6, rounding: Rounding::HalfEven };

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn offer(dimensions: &str, credits: i64, tiers: Vec<Tier>, scope: Scope) -> Offer {
        let rate = Rate { credits: credits.into(), per: Decimal::ONE, block: false, minimum: None, tiers, scope };
        Offer { operation: "chat".to_owned(), dimensions: Dimensions::parse(dimensions).unwrap(), rate }
    }

    fn usage(account: &str, dimensions: &str, quantity: &str, month: &str, counts: bool) -> Use {
        Use {
            account: account.to_owned(),
            operation: "chat".to_owned(),
            dimensions: Dimensions::parse(dimensions).unwrap(),
            quantity: amount(quantity),
            charged: amount(quantity),
            periods: [month, month, month, month].map(str::to_owned),
            counts,
        }
    }

    #[test]
    fn the_most_specific_rate_prices_and_what_has_none_is_told_apart() {
        let offers = [offer("{}", 2, vec![], Scope::Call), offer(r#"{"model": "large"}"#, 5, vec![], Scope::Call)];
        let mut other = usage("a", "{}", "4", "m", true);
        other.operation = "image".to_owned();
        let uses = [usage("a", "{}", "1", "m", true), usage("a", r#"{"model": "large"}"#, "1", "m", true), other];
        let of_a = replay(&offers, &uses, PRECISION).unwrap()["a"];
        assert_eq!(of_a, Comparison { charged: amount("6"), would_be: amount("7"), unpriced: amount("4") });
    }

    #[test]
    fn bands_of_a_period_begin_anew_and_are_filled_by_what_came_before() {
        let tiers = vec![Tier { from: 10.into(), credits: 1.into() }];
        let offers = [offer("{}", 3, tiers, Scope::Month)];
        let uses = [
            usage("a", "{}", "8", "january", false),
            usage("a", "{}", "4", "january", true),
            usage("a", "{}", "4", "february", true),
            usage("b", "{}", "4", "january", true),
        ];
        let compared = replay(&offers, &uses, PRECISION).unwrap();
        // 2 at 3 and 2 at 1, then 4 at 3 in the next month; the other account has its own bands.
        assert_eq!(compared["a"].would_be, amount("20"));
        assert_eq!(compared["b"].would_be, amount("12"));
    }
}
