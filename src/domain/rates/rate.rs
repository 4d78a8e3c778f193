//! The price of an operation: a rate, the price of a quantity by it, and whether one rate is worse than another.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::exact::{Fraction, Precision};

/// Over what the bands of a tiered rate are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Within the quantity of one call.
    Call,
    /// Over what the account used in a calendar day,
    Day,
    /// a month,
    Month,
    /// a quarter,
    Quarter,
    /// or a year.
    Year,
}

/// Every scope with its name in SQL.
const SCOPES: [(Scope, &str); 5] =
    [(Scope::Call, "call"), (Scope::Day, "day"), (Scope::Month, "month"), (Scope::Quarter, "quarter"), (Scope::Year, "year")];

impl FromStr for Scope {
    type Err = ();
    fn from_str(name: &str) -> Result<Scope, ()> {
        SCOPES.iter().find(|(_, known)| *known == name).map(|(scope, _)| *scope).ok_or(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SCOPES.iter().find(|(scope, _)| scope == self).expect("a named scope").1)
    }
}

/// From a quantity on, another rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The quantity above which it applies.
    pub from: Decimal,
    /// Credits for each `per` of the rate.
    pub credits: Decimal,
}

/// A rate: an amount of credits for a quantity of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Credits for each `per`, up to the first tier.
    pub credits: Decimal,
    /// The quantity that costs `credits`.
    pub per: Decimal,
    /// Every started `per` of a call costs as much as a whole one.
    pub block: bool,
    /// The least that a quantity above zero costs.
    pub minimum: Option<Decimal>,
    /// Graduated: each band of the quantity costs its own rate. Ascending.
    pub tiers: Vec<Tier>,
    /// The usage that the tiers are counted over.
    pub scope: Scope,
}

/// Why a rate makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateError {
    /// `per` is zero.
    NoPer,
    /// The bounds of the tiers are not ascending from above zero.
    TiersNotAscending,
    /// Blocks are counted within a call, so tiers cannot be counted over a period.
    BlockOverPeriod,
    /// A minimum of zero says nothing.
    NoMinimum,
    /// There are more than [`MAX_TIERS`].
    TooManyTiers,
}

/// The most tiers of a rate.
pub const MAX_TIERS: usize = 100;

impl Rate {
    /// Checks what the parts say together.
    pub fn check(&self) -> Result<(), RateError> {
        if self.per.is_zero() {
            return Err(RateError::NoPer);
        }
        if self.minimum.is_some_and(|minimum| minimum.is_zero()) {
            return Err(RateError::NoMinimum);
        }
        if self.tiers.len() > MAX_TIERS {
            return Err(RateError::TooManyTiers);
        }
        let bounds = std::iter::once(Decimal::ZERO).chain(self.tiers.iter().map(|tier| tier.from));
        if bounds.clone().zip(bounds.skip(1)).any(|(one, next)| one >= next) {
            return Err(RateError::TiersNotAscending);
        }
        if self.block && self.counts_over_a_period() {
            return Err(RateError::BlockOverPeriod);
        }
        Ok(())
    }

    /// Whether a quantity is a whole number of `per`.
    fn is_whole_number_of_blocks(&self, quantity: Decimal) -> bool {
        let blocks = Fraction::from(quantity).over(&Fraction::from(self.per)).expect("per is above zero");
        blocks.started() == blocks
    }

    /// Whether a price depends on what was used before.
    pub fn counts_over_a_period(&self) -> bool {
        self.scope != Scope::Call && !self.tiers.is_empty()
    }

    /// The price of a quantity after `used` of the same period: rounded once, and at least the minimum unless the quantity is
    /// zero. `None` outside the range of amounts.
    pub fn price(&self, quantity: Amount, used: Amount, precision: Precision) -> Option<Amount> {
        if quantity.is_zero() {
            return Some(Amount::ZERO);
        }
        let price = self.exact(&Fraction::from(quantity), &Fraction::from(used)).round(precision)?;
        let minimum = self.minimum.and_then(|minimum| Fraction::from(minimum).round(precision));
        Some(minimum.map_or(price, |minimum| price.max(minimum)))
    }

    /// The price before rounding, and without the minimum.
    fn exact(&self, quantity: &Fraction, used: &Fraction) -> Fraction {
        let per = Fraction::from(self.per);
        let counted = match self.block {
            true => quantity.over(&per).expect("per is above zero").started().times(&per),
            false => quantity.clone(),
        };
        if self.tiers.is_empty() {
            return counted.times(&Fraction::from(self.credits)).over(&per).expect("per is above zero");
        }
        let from = if self.counts_over_a_period() { used.clone() } else { Fraction::zero() };
        self.up_to(&from.plus(&counted)).minus(&self.up_to(&from)).over(&per).expect("per is above zero")
    }

    /// Credits times `per` of all that is below a quantity, band by band.
    fn up_to(&self, quantity: &Fraction) -> Fraction {
        let mut total = Fraction::zero();
        for (from, to, credits) in self.bands() {
            let from = Fraction::from(from);
            let to = to.map(Fraction::from).filter(|to| to < quantity).unwrap_or_else(|| quantity.clone());
            if to > from {
                total = total.plus(&to.minus(&from).times(&Fraction::from(credits)));
            }
        }
        total
    }

    /// Where each band begins, where it ends, and its credits.
    fn bands(&self) -> impl Iterator<Item = (Decimal, Option<Decimal>, Decimal)> {
        let starts =
            std::iter::once((Decimal::ZERO, self.credits)).chain(self.tiers.iter().map(|tier| (tier.from, tier.credits)));
        let ends = self.tiers.iter().map(|tier| Some(tier.from)).chain([None]);
        starts.zip(ends).map(|((from, credits), to)| (from, to, credits))
    }

    /// Credits for one of the quantity, in the band where it begins at `from`.
    pub fn per_unit_from(&self, from: Decimal) -> Fraction {
        let band = self.bands().filter(|(start, ..)| *start <= from).last().expect("the first band starts at zero");
        Fraction::from(band.2).over(&Fraction::from(self.per)).expect("per is above zero")
    }

    /// Credits for one of the quantity, in the first band.
    pub fn per_unit(&self) -> Fraction {
        self.per_unit_from(Decimal::ZERO)
    }

    /// Whether some quantity costs more than by `old`. It never misses one; a rate that differs in kind (blocks, the scope of its
    /// tiers) counts as worse unless it is plain that it is not, and so does one that counts the same period anew.
    pub fn is_worse_than(&self, old: &Rate, counts_on: bool) -> bool {
        if self.minimum.unwrap_or_default() > old.minimum.unwrap_or_default() {
            return true;
        }
        let blocks_fit = old.block && self.is_whole_number_of_blocks(old.per);
        if self.block && !blocks_fit && !self.bands().all(|(.., credits)| credits.is_zero()) {
            return true;
        }
        let bounds = || self.bands().chain(old.bands()).map(|(from, ..)| from);
        let is_dearer_somewhere = || bounds().any(|from| self.per_unit_from(from) > old.per_unit_from(from));
        match (self.counts_over_a_period(), old.counts_over_a_period()) {
            (false, false) => {
                self.total_is_higher(old, bounds()) || {
                    let last = bounds().max().expect("a first band");
                    self.per_unit_from(last) > old.per_unit_from(last)
                }
            }
            (true, true) if counts_on && self.scope == old.scope => is_dearer_somewhere(),
            _ => {
                let cheapest_before = old.bands().map(|(from, ..)| old.per_unit_from(from)).min().expect("a first band");
                self.bands().any(|(from, ..)| self.per_unit_from(from) > cheapest_before)
            }
        }
    }

    /// Whether all that is below one of the bounds costs more: between them both totals are straight lines.
    fn total_is_higher(&self, old: &Rate, bounds: impl Iterator<Item = Decimal>) -> bool {
        let total = |rate: &Rate, bound: Decimal| {
            rate.up_to(&Fraction::from(bound)).over(&Fraction::from(rate.per)).expect("per is above zero")
        };
        bounds.into_iter().any(|bound| total(self, bound) > total(old, bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::exact::Rounding;
    use proptest::prelude::*;

    const CREDIT: Precision = Precision { decimals: 6, rounding: Rounding::HalfEven };

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn linear(credits: &str, per: &str) -> Rate {
        Rate { credits: decimal(credits), per: decimal(per), block: false, minimum: None, tiers: vec![], scope: Scope::Call }
    }

    fn tiered(scope: Scope) -> Rate {
        let tiers = vec![
            Tier { from: decimal("1000"), credits: decimal("0.5") },
            Tier { from: decimal("3000"), credits: decimal("0.1") },
        ];
        Rate { tiers, scope, ..linear("1", "100") }
    }

    fn price(rate: &Rate, quantity: &str, used: &str) -> String {
        rate.price(amount(quantity), amount(used), CREDIT).unwrap().to_string()
    }

    #[test]
    fn prices_by_the_quantity() {
        assert_eq!(price(&linear("0.25", "1000"), "4808", "0"), "1.202");
        assert_eq!(price(&linear("1", "3"), "1", "0"), "0.333333");
        assert_eq!(price(&linear("1", "3"), "2", "0"), "0.666667");
        assert_eq!(price(&linear("1", "3"), "0", "0"), "0");
    }

    #[test]
    fn a_started_block_is_a_whole_one() {
        let rate = Rate { block: true, ..linear("2", "10") };
        let prices: Vec<_> =
            ["0", "0.5", "10", "10.000000001", "11", "20"].iter().map(|quantity| price(&rate, quantity, "0")).collect();
        assert_eq!(prices, ["0", "2", "2", "4", "4", "4"]);
    }

    #[test]
    fn a_minimum_is_for_what_costs_something() {
        let rate = Rate { minimum: Some(decimal("0.5")), ..linear("1", "1000") };
        assert_eq!([price(&rate, "0", "0"), price(&rate, "1", "0"), price(&rate, "700", "0")], ["0", "0.5", "0.7"]);
    }

    #[test]
    fn each_band_has_its_own_rate() {
        let in_call = tiered(Scope::Call);
        assert_eq!(
            [price(&in_call, "1000", "0"), price(&in_call, "3000", "0"), price(&in_call, "5000", "9999")],
            ["10", "20", "22"]
        );
        let in_month = tiered(Scope::Month);
        assert_eq!(
            [price(&in_month, "1000", "0"), price(&in_month, "3000", "500"), price(&in_month, "5000", "9999")],
            ["10", "15.5", "5"]
        );
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        assert_eq!(linear("1", "0").check(), Err(RateError::NoPer));
        assert_eq!(Rate { block: true, ..tiered(Scope::Day) }.check(), Err(RateError::BlockOverPeriod));
        let mut unordered = tiered(Scope::Call);
        unordered.tiers.swap(0, 1);
        assert_eq!(unordered.check(), Err(RateError::TiersNotAscending));
        let from_zero = Rate { tiers: vec![Tier { from: Decimal::ZERO, credits: decimal("1") }], ..linear("1", "1") };
        assert_eq!(from_zero.check(), Err(RateError::TiersNotAscending));
        assert_eq!(Rate { minimum: Some(Decimal::ZERO), ..linear("1", "1") }.check(), Err(RateError::NoMinimum));
        assert_eq!(tiered(Scope::Year).check(), Ok(()));
    }

    #[test]
    fn worse_is_what_costs_more_for_somebody() {
        assert!(linear("1.5", "1000").is_worse_than(&linear("1", "1000"), true));
        assert!(!linear("2", "2000").is_worse_than(&linear("1", "1000"), true));
        assert!(Rate { minimum: Some(decimal("1")), ..linear("0.5", "1000") }.is_worse_than(&linear("1", "1000"), true));
        assert!(Rate { block: true, ..linear("0.5", "1000") }.is_worse_than(&linear("1", "1000"), true));
        assert!(!linear("1", "1000").is_worse_than(&Rate { block: true, ..linear("1", "1000") }, true));
        let block = |credits, per| Rate { block: true, ..linear(credits, per) };
        assert!(!block("1", "500").is_worse_than(&block("2", "1000"), true));
        assert!(block("2", "1000").is_worse_than(&block("1", "500"), true));
        assert!(!tiered(Scope::Call).is_worse_than(&linear("1", "100"), true));
        assert!(linear("0.9", "100").is_worse_than(&tiered(Scope::Call), true));
        assert!(tiered(Scope::Month).is_worse_than(&tiered(Scope::Call), true));
        assert!(!linear("0.1", "100").is_worse_than(&tiered(Scope::Month), true));
        // An account that had reached the cheap band begins again in the dear one.
        assert!(!tiered(Scope::Month).is_worse_than(&tiered(Scope::Month), true));
        assert!(tiered(Scope::Month).is_worse_than(&tiered(Scope::Month), false));
    }

    fn any_rate() -> impl Strategy<Value = Rate> {
        let tiers = prop::collection::btree_map(1_i64..40, 0_i64..6, 0..3);
        (0_i64..6, prop::sample::select(vec![1_i64, 2, 4, 8]), any::<bool>(), 0_i64..3, tiers, any::<bool>()).prop_map(
            |(credits, per, block, minimum, tiers, monthly)| Rate {
                credits: Decimal::from(credits),
                per: Decimal::from(per),
                block: block && !monthly,
                minimum: (minimum > 0).then(|| Decimal::from(minimum)),
                tiers: tiers.into_iter().map(|(from, credits)| Tier { from: from.into(), credits: credits.into() }).collect(),
                scope: if monthly { Scope::Month } else { Scope::Call },
            },
        )
    }

    proptest! {
        #[test]
        fn a_price_grows_with_the_quantity(rate in any_rate(), quantity in 0_i128..80, more in 0_i128..40, used in 0_i128..60) {
            let price = |quantity: i128| rate.price(Amount::from_nanos(quantity * 1_000_000_000).unwrap(),
                Amount::from_nanos(used * 1_000_000_000).unwrap(), CREDIT).unwrap();
            prop_assert!(price(quantity) <= price(quantity + more));
        }

        #[test]
        fn a_linear_price_is_additive(credits in 0_i64..1_000, quantities in prop::collection::vec(0_i128..10_000, 1..6)) {
            // Per 1,000 of a unit with six decimals nothing is rounded.
            let rate = Rate { credits: credits.into(), ..linear("1", "1000") };
            let price = |quantity: i128| rate.price(Amount::from_nanos(quantity * 1_000_000_000).unwrap(), Amount::ZERO,
                CREDIT).unwrap();
            let sum: Amount = quantities.iter().map(|quantity| price(*quantity)).sum();
            prop_assert_eq!(sum, price(quantities.iter().sum()));
        }

        #[test]
        fn a_period_does_not_care_how_it_is_divided_into_calls(rate in any_rate(), quantities in prop::collection::vec(1_i128..30,
            1..6)) {
            let rate = Rate { scope: Scope::Month, block: false, minimum: None, ..rate };
            prop_assume!(!rate.tiers.is_empty());
            let amount = |quantity: i128| Amount::from_nanos(quantity * 1_000_000_000).unwrap();
            let mut used = 0;
            let mut sum = Amount::ZERO;
            for quantity in &quantities {
                sum = sum.checked_add(rate.price(amount(*quantity), amount(used), CREDIT).unwrap()).unwrap();
                used += quantity;
            }
            prop_assert_eq!(sum, rate.price(amount(used), Amount::ZERO, CREDIT).unwrap());
        }

        #[test]
        fn not_worse_means_that_no_quantity_costs_more(new in any_rate(), old in any_rate()) {
            if !new.is_worse_than(&old, true) {
                for used in [0_i128, 1, 5, 17, 39, 60] {
                    for half in 0_i128..140 {
                        let price = |rate: &Rate| rate.price(Amount::from_nanos(half * 500_000_000).unwrap(),
                            Amount::from_nanos(used * 1_000_000_000).unwrap(), CREDIT).unwrap();
                        prop_assert!(price(&new) <= price(&old), "{half} halves after {used}");
                    }
                }
            }
        }

        #[test]
        fn not_worse_with_a_count_of_its_own_means_it_too(new in any_rate(), old in any_rate(), used in 0_i128..60,
            used_by_new in 0_i128..60) {
            if !new.is_worse_than(&old, false) {
                for quantity in 0_i128..70 {
                    let price = |rate: &Rate, used: i128| rate.price(Amount::from_nanos(quantity * 1_000_000_000).unwrap(),
                        Amount::from_nanos(used * 1_000_000_000).unwrap(), CREDIT).unwrap();
                    prop_assert!(price(&new, used_by_new) <= price(&old, used), "{quantity} after {used} and {used_by_new}");
                }
            }
        }

        #[test]
        fn worse_of_plain_rates_means_that_some_quantity_costs_more(new in any_rate(), old in any_rate()) {
            let plain = |rate: Rate| Rate { block: false, minimum: None, scope: Scope::Call, ..rate };
            let (new, old) = (plain(new), plain(old));
            if new.is_worse_than(&old, true) {
                let price = |rate: &Rate, quantity: i128| rate.price(Amount::from_nanos(quantity * 1_000_000_000).unwrap(),
                    Amount::ZERO, CREDIT).unwrap();
                // Far beyond the last bound the dearer slope outweighs whatever is cheaper below it.
                prop_assert!((1..100).chain([100_000]).any(|quantity| price(&new, quantity) > price(&old, quantity)));
            }
        }
    }
}
