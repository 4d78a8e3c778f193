//! Volume discounts: what a quantity of credits costs by the tiers of a plan, what a budget buys, and what the next tier would
//! cost.
//!
//! The models have the field's names: `volume` (all credits at the price of the tier that is reached), `graduated` (each band at
//! its own), `package` (bundles of a fixed size) and `stairstep` (one price for a range of quantities).

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::exact::{Fraction, Precision, Rounding};

#[cfg(test)]
mod model;
pub mod search;

/// How the tiers of a plan make a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// All credits cost what those of the reached tier cost.
    Volume,
    /// Each band of the quantity costs its own price.
    Graduated,
    /// Credits are sold in bundles: a tier's quantity at its price.
    Package,
    /// Every quantity from one tier up to the next costs the same.
    Stairstep,
}

/// Every model with its name in SQL.
const MODELS: [(Model, &str); 4] =
    [(Model::Volume, "volume"), (Model::Graduated, "graduated"), (Model::Package, "package"), (Model::Stairstep, "stairstep")];

impl FromStr for Model {
    type Err = ();
    fn from_str(name: &str) -> Result<Model, ()> {
        MODELS.iter().find(|(_, known)| *known == name).map(|(model, _)| *model).ok_or(())
    }
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MODELS.iter().find(|(model, _)| model == self).expect("a named model").1)
    }
}

/// A step of the price ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Its name.
    pub name: String,
    /// The quantity from which on it applies; the size of the bundle for [`Model::Package`].
    pub from: Amount,
    /// Money for one credit; zero where only the flat price counts.
    pub unit_price: Decimal,
    /// Money besides: for the reached tier, or for each band that is entered.
    pub flat: Option<Decimal>,
}

/// Why tiers make no price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceListError {
    /// There are no tiers.
    Empty,
    /// Two tiers begin at the same quantity.
    Overlap(String, String),
    /// The first tier begins above zero: smaller quantities have no price.
    Gap(Amount),
    /// A bundle of nothing.
    EmptyBundle(String),
}

/// The tiers of a plan, in the order of their quantities, and how they make a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceList {
    model: Model,
    tiers: Vec<Tier>,
    /// The decimals of the unit: a quantity has no more.
    unit_decimals: u32,
    /// The decimals of the currency: a total has no more.
    money: Precision,
}

/// A band of the quantity, or a bundle, and its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The tier's position.
    pub tier: usize,
    /// How much of the quantity.
    pub quantity: Amount,
    /// Its part of the total: the lines add up to it.
    pub amount: Amount,
}

/// The price of a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The tier that is reached.
    pub tier: usize,
    /// The quantity that is sold: the one that was asked for, or whole bundles.
    pub quantity: Amount,
    /// Rounded once, to the currency's decimals.
    pub total: Amount,
    /// It has a price, of which nothing is left when it is rounded.
    pub is_too_small: bool,
    /// Band by band.
    pub lines: Vec<Line>,
}

impl PriceList {
    /// A price list whose tiers leave no gap and do not overlap.
    pub fn new(
        model: Model,
        mut tiers: Vec<Tier>,
        unit_decimals: u32,
        currency_decimals: u32,
    ) -> Result<PriceList, PriceListError> {
        tiers.sort_by(|one, other| one.from.cmp(&other.from).then_with(|| one.name.cmp(&other.name)));
        let first = tiers.first().ok_or(PriceListError::Empty)?;
        match model {
            Model::Package if first.from.is_zero() => return Err(PriceListError::EmptyBundle(first.name.clone())),
            Model::Package => {}
            _ if !first.from.is_zero() => return Err(PriceListError::Gap(first.from)),
            _ => {}
        }
        if let Some(pair) = tiers.windows(2).find(|pair| pair[0].from == pair[1].from) {
            return Err(PriceListError::Overlap(pair[0].name.clone(), pair[1].name.clone()));
        }
        let money = Precision { decimals: currency_decimals, rounding: Rounding::HalfEven };
        Ok(PriceList { model, tiers, unit_decimals, money })
    }

    /// The tiers, from the smallest quantity on.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// The price of a quantity above zero when `before` was bought in the same commitment period already: the tier that is
    /// reached depends on both. `None` when the total is out of range.
    pub fn quote(&self, quantity: Amount, before: Amount) -> Option<Quote> {
        assert!(quantity.is_positive() && before >= Amount::ZERO);
        if self.model == Model::Package {
            return self.bundles(quantity);
        }
        let reached_at = before.checked_add(quantity)?;
        let tier = self.reached(reached_at);
        let exact = match self.model {
            Model::Volume => vec![(tier, quantity, self.at(tier, &Fraction::from(quantity)))],
            Model::Stairstep => vec![(tier, quantity, self.flat(tier))],
            Model::Graduated => self.bands(before, reached_at),
            Model::Package => unreachable!("bundles have been quoted"),
        };
        self.rounded(tier, quantity, &exact)
    }

    /// The tier that a quantity reaches.
    fn reached(&self, quantity: Amount) -> usize {
        self.tiers.iter().rposition(|tier| tier.from <= quantity).unwrap_or(0)
    }

    fn flat(&self, tier: usize) -> Fraction {
        self.tiers[tier].flat.map_or_else(Fraction::zero, Fraction::from)
    }

    /// So much at a tier's price, and its flat price.
    fn at(&self, tier: usize, quantity: &Fraction) -> Fraction {
        Fraction::from(self.tiers[tier].unit_price).times(quantity).plus(&self.flat(tier))
    }

    /// Each band between two quantities, with its price; a band's flat price is due when the quantity enters it.
    fn bands(&self, from: Amount, to: Amount) -> Vec<(usize, Amount, Fraction)> {
        let mut bands = Vec::new();
        for (position, tier) in self.tiers.iter().enumerate() {
            let end = self.tiers.get(position + 1).map_or(to, |next| next.from.min(to));
            let begin = tier.from.max(from);
            if begin < end {
                let quantity = end.checked_sub(begin).expect("a band within a quantity");
                let is_entered = begin == tier.from;
                let price = Fraction::from(tier.unit_price).times(&Fraction::from(quantity));
                bands.push((position, quantity, if is_entered { price.plus(&self.flat(position)) } else { price }));
            }
        }
        bands
    }

    /// Whole bundles that hold the quantity, the largest first.
    fn bundles(&self, quantity: Amount) -> Option<Quote> {
        let mut exact = Vec::new();
        let mut sold = Amount::ZERO;
        for (tier, number) in self.covering(self.tiers.len() - 1, quantity.nanos()) {
            let holds = Amount::from_nanos(number.checked_mul(self.tiers[tier].from.nanos())?)?;
            sold = sold.checked_add(holds)?;
            exact.push((tier, holds, self.bundle(tier).times(&Fraction::from(number))));
        }
        self.rounded(exact[0].0, sold, &exact)
    }

    /// As many bundles of a tier as fit, and for the rest smaller ones, or one more of it where that costs no more. So the total
    /// never falls when the quantity grows.
    fn covering(&self, tier: usize, nanos: i128) -> Vec<(usize, i128)> {
        let size = self.tiers[tier].from.nanos();
        let (whole, rest) = (nanos / size, nanos % size);
        let of_smaller = if rest > 0 && tier > 0 { self.covering(tier - 1, rest) } else { Vec::new() };
        let price = |(tier, number): &(usize, i128)| self.bundle(*tier).times(&Fraction::from(*number));
        let costs = of_smaller.iter().fold(Fraction::zero(), |sum, bundles| sum.plus(&price(bundles)));
        let takes_smaller = !of_smaller.is_empty() && costs < self.bundle(tier);
        let number = whole + i128::from(rest > 0 && !takes_smaller);
        let own = (number > 0).then_some((tier, number));
        own.into_iter().chain(of_smaller.into_iter().filter(|_| takes_smaller)).collect()
    }

    /// The price of one bundle.
    fn bundle(&self, tier: usize) -> Fraction {
        self.at(tier, &Fraction::from(self.tiers[tier].from))
    }

    /// The total is rounded once; the lines get their parts of it so that they add up.
    fn rounded(&self, tier: usize, quantity: Amount, exact: &[(usize, Amount, Fraction)]) -> Option<Quote> {
        let mut so_far = Fraction::zero();
        let mut total = Amount::ZERO;
        let mut lines = Vec::with_capacity(exact.len());
        for (tier, quantity, price) in exact {
            so_far = so_far.plus(price);
            let up_to_here = so_far.round(self.money)?;
            lines.push(Line { tier: *tier, quantity: *quantity, amount: up_to_here.checked_sub(total)? });
            total = up_to_here;
        }
        Some(Quote { tier, quantity, total, is_too_small: total.is_zero() && !so_far.is_zero(), lines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn tier(name: &str, from: &str, unit_price: &str, flat: Option<&str>) -> Tier {
        let decimal = |text| Decimal::from_str_exact(text).unwrap();
        Tier { name: name.into(), from: amount(from), unit_price: decimal(unit_price), flat: flat.map(decimal) }
    }

    fn ladder(model: Model) -> PriceList {
        let tiers = vec![
            tier("starter", "0", "0.01", None),
            tier("growth", "100000", "0.0088", None),
            tier("scale", "1000000", "0.0075", None),
        ];
        PriceList::new(model, tiers, 6, 2).unwrap()
    }

    fn total(list: &PriceList, quantity: &str) -> String {
        list.quote(amount(quantity), Amount::ZERO).unwrap().total.to_string()
    }

    #[test]
    fn all_credits_at_the_reached_tier_or_each_band_at_its_own() {
        assert_eq!(total(&ladder(Model::Volume), "250000"), "2200");
        assert_eq!(total(&ladder(Model::Graduated), "250000"), "2320");
        assert_eq!(total(&ladder(Model::Volume), "99999"), "999.99");
    }

    #[test]
    fn tells_the_next_tier_and_the_cliff() {
        let list = ladder(Model::Volume);
        let next = list.next(amount("99999"), Amount::ZERO).unwrap();
        assert_eq!((next.tier, next.more.to_string(), next.total.to_string()), (1, "1".into(), "880".into()));
        assert_eq!(list.cheaper_and_more(amount("99999"), Amount::ZERO), Some((amount("100000"), amount("880"))));
        assert_eq!(list.cheaper_and_more(amount("50000"), Amount::ZERO), None);
        assert_eq!(ladder(Model::Graduated).cheaper_and_more(amount("99999"), Amount::ZERO), None);
        assert_eq!(list.next(amount("2000000"), Amount::ZERO), None);
    }

    #[test]
    fn what_was_bought_before_counts_to_the_tier() {
        let quote = ladder(Model::Volume).quote(amount("10000"), amount("95000")).unwrap();
        assert_eq!((quote.tier, quote.total.to_string()), (1, "88".into()));
        let quote = ladder(Model::Graduated).quote(amount("10000"), amount("95000")).unwrap();
        assert_eq!(quote.lines.iter().map(|line| line.amount.to_string()).collect::<Vec<_>>(), ["50", "44"]);
    }

    #[test]
    fn a_flat_price_is_for_the_reached_tier_or_each_entered_band() {
        let tiers = || vec![tier("a", "0", "1", Some("10")), tier("b", "100", "0.5", Some("20"))];
        let list = |model| PriceList::new(model, tiers(), 0, 2).unwrap();
        assert_eq!(total(&list(Model::Volume), "200"), "120");
        assert_eq!(total(&list(Model::Graduated), "200"), "180");
        // The band was entered by an earlier purchase.
        assert_eq!(list(Model::Graduated).quote(amount("10"), amount("150")).unwrap().total, amount("5"));
    }

    #[test]
    fn bundles_are_sold_whole() {
        let tiers = vec![tier("small", "1000", "0", Some("9")), tier("large", "10000", "0", Some("80"))];
        let list = PriceList::new(Model::Package, tiers, 6, 2).unwrap();
        let quote = |quantity| {
            let quote = list.quote(amount(quantity), Amount::ZERO).unwrap();
            (quote.quantity.to_string(), quote.total.to_string())
        };
        assert_eq!(quote("1"), ("1000".into(), "9".into()));
        assert_eq!(quote("1000.5"), ("2000".into(), "18".into()));
        assert_eq!(quote("20500"), ("21000".into(), "169".into()));
        // Eight small ones are cheaper than a large one, nine are not.
        assert_eq!(quote("8000"), ("8000".into(), "72".into()));
        assert_eq!(quote("8000.5"), ("10000".into(), "80".into()));
    }

    #[test]
    fn every_quantity_of_a_step_costs_the_same() {
        let tiers = vec![tier("a", "0", "0", Some("5")), tier("b", "100", "0", Some("40"))];
        let list = PriceList::new(Model::Stairstep, tiers, 0, 0).unwrap();
        assert_eq!([total(&list, "1"), total(&list, "99"), total(&list, "100")], ["5", "5", "40"]);
    }

    #[test]
    fn rounds_once_to_the_currency() {
        let tiers = || vec![tier("a", "0", "0.333", None)];
        let total = |decimals| {
            PriceList::new(Model::Volume, tiers(), 0, decimals)
                .unwrap()
                .quote(amount("5"), Amount::ZERO)
                .unwrap()
                .total
                .to_string()
        };
        assert_eq!([total(0), total(2), total(3)], ["2", "1.66", "1.665"]);
        let is_too_small = |price, quantity| {
            let list = PriceList::new(Model::Volume, vec![tier("a", "0", price, None)], 1, 2).unwrap();
            list.quote(amount(quantity), Amount::ZERO).unwrap().is_too_small
        };
        assert_eq!([is_too_small("0.01", "0.5"), is_too_small("0.01", "0.6"), is_too_small("0", "1")], [true, false, false]);
    }

    #[test]
    fn refuses_gaps_and_overlaps() {
        let new = |model, tiers| PriceList::new(model, tiers, 0, 2);
        assert_eq!(new(Model::Volume, vec![]), Err(PriceListError::Empty));
        assert_eq!(new(Model::Volume, vec![tier("a", "10", "1", None)]), Err(PriceListError::Gap(amount("10"))));
        let twice = vec![tier("a", "0", "1", None), tier("c", "5", "1", None), tier("b", "5", "2", None)];
        assert_eq!(new(Model::Graduated, twice), Err(PriceListError::Overlap("b".into(), "c".into())));
        assert_eq!(new(Model::Package, vec![tier("a", "0", "1", None)]), Err(PriceListError::EmptyBundle("a".into())));
    }

    #[test]
    fn a_budget_buys_as_much_as_it_can() {
        let list = ladder(Model::Volume);
        assert_eq!(list.buys(amount("2200"), Amount::ZERO), Some(amount("250000.568181")));
        // 880 buys 88,000 at the list price, or 100,000 in the next tier.
        assert_eq!(list.buys(amount("880"), Amount::ZERO), Some(amount("100000.568181")));
        assert_eq!(list.buys(amount("0"), Amount::ZERO), Some(amount("0.5")));
        let whole = PriceList::new(Model::Volume, vec![tier("a", "0", "3", None)], 0, 2).unwrap();
        assert_eq!(whole.buys(amount("2.99"), Amount::ZERO), None);
        assert_eq!(whole.buys(amount("7"), Amount::ZERO), Some(amount("2")));
        // A tier that has no end, or costs nothing, has no greatest quantity.
        let step = PriceList::new(Model::Stairstep, vec![tier("a", "0", "0", Some("5"))], 0, 2).unwrap();
        assert_eq!([step.buys(amount("4.99"), Amount::ZERO), step.buys(amount("5"), Amount::ZERO)], [None, None]);
        let free = PriceList::new(Model::Volume, vec![tier("a", "0", "0", None)], 6, 2).unwrap();
        assert_eq!(free.buys(amount("1"), amount("10")), None);
    }
}
