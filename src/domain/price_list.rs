//! Volume discounts: what a quantity of credits costs by the tiers of a plan, what a budget buys, and what the next tier would cost.
//!
//! The models have the field's names: `volume` (all credits at the price of the tier that is reached), `graduated` (each band at its
//! own), `package` (bundles of a fixed size) and `stairstep` (one price for a range of quantities).

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::amount::Amount;
use super::exact::{Fraction, Precision, Rounding};

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

/// What a quantity costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The tier that is reached.
    pub tier: usize,
    /// What is sold: what was asked for, or whole bundles.
    pub quantity: Amount,
    /// Rounded once, to the currency's decimals.
    pub total: Amount,
    /// Band by band.
    pub lines: Vec<Line>,
}

/// The next step up from a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextTier {
    /// Its position.
    pub tier: usize,
    /// How many more credits reach it.
    pub more: Amount,
    /// What the quantity that reaches it costs.
    pub total: Amount,
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

    /// What a quantity above zero costs when `before` was bought in the same commitment period already: the tier that is reached
    /// depends on both. `None` when the total is out of range.
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

    /// Each band between two quantities, with its price; a band's flat price is for whoever enters it.
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

    /// The smallest bundle that holds the quantity; above the largest one, as many of it as fit, and one for the rest.
    fn bundles(&self, quantity: Amount) -> Option<Quote> {
        let largest = self.tiers.len() - 1;
        let size = self.tiers[largest].from.nanos();
        let (whole, rest) = (quantity.nanos() / size, quantity.nanos() % size);
        let mut exact = Vec::new();
        if whole > 0 {
            let sold = Amount::from_nanos(whole.checked_mul(size)?)?;
            let price = self.bundle(largest).times(&Fraction::whole(i64::try_from(whole).ok()?));
            exact.push((largest, sold, price));
        }
        if rest > 0 {
            let holds =
                self.tiers.iter().position(|tier| tier.from.nanos() >= rest).expect("the largest bundle holds a rest of it");
            exact.push((holds, self.tiers[holds].from, self.bundle(holds)));
        }
        let sold = exact.iter().try_fold(Amount::ZERO, |sum, (_, quantity, _)| sum.checked_add(*quantity))?;
        self.rounded(exact[0].0, sold, &exact)
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
        Some(Quote { tier, quantity, total, lines })
    }

    /// The step above the one that a quantity reaches; `None` at the top, and for bundles, which are bought one by one.
    pub fn next(&self, quantity: Amount, before: Amount) -> Option<NextTier> {
        let reached_at = before.checked_add(quantity)?;
        let tier = self.reached(reached_at) + 1;
        let from = self.tiers.get(tier).filter(|_| self.model != Model::Package)?.from;
        let more = from.checked_sub(reached_at)?;
        let total = self.quote(quantity.checked_add(more)?, before)?.total;
        Some(NextTier { tier, more, total })
    }

    /// The smallest quantity that is more, and costs less in total: the cliff of prices by volume.
    pub fn cheaper_and_more(&self, quantity: Amount, before: Amount) -> Option<(Amount, Amount)> {
        let total = self.quote(quantity, before)?.total;
        let above = |tier: &&Tier| before.checked_add(quantity).is_some_and(|reached_at| tier.from > reached_at);
        let candidates = self.tiers.iter().filter(above).filter_map(|tier| {
            let candidate = tier.from.checked_sub(before).filter(|candidate| candidate.is_positive())?;
            Some((candidate, self.quote(candidate, before)?.total))
        });
        let mut cheaper: Vec<_> = candidates.filter(|(_, price)| *price < total).collect();
        cheaper.sort_by_key(|(quantity, _)| *quantity);
        cheaper.into_iter().next()
    }

    /// The most credits that a budget buys; `None` when it buys nothing, or everything (a last step without an end).
    pub fn buys(&self, budget: Amount, before: Amount) -> Option<Amount> {
        let step = 10_i128.pow(super::amount::MAX_DECIMALS - self.unit_decimals);
        let costs_at_most = |steps: i128| -> bool {
            let quantity = steps.checked_mul(step).and_then(Amount::from_nanos);
            quantity.and_then(|quantity| self.quote(quantity, before)).is_some_and(|quote| quote.total <= budget)
        };
        // Within a tier the total only grows, so each tier's part is searched by halving; the last that fits wins.
        let limit = super::amount::LIMIT_UNITS * 10_i128.pow(self.unit_decimals) - before.nanos() / step - 1;
        let bounds: Vec<i128> = self.tiers.iter().map(|tier| (tier.from.nanos() - before.nanos()).div_euclid(step)).collect();
        let starts = std::iter::once(1).chain(bounds.iter().copied().filter(|bound| *bound > 1));
        let mut starts: Vec<i128> = starts.collect();
        starts.dedup();
        let end_of = |index: usize| starts.get(index + 1).map_or(limit, |next| next - 1);
        let best = (0..starts.len()).rev().find(|index| costs_at_most(starts[*index]))?;
        let (mut fits, mut too_much) = (starts[best], end_of(best) + 1);
        if self.model == Model::Stairstep && best + 1 == starts.len() {
            return None;
        }
        while too_much - fits > 1 {
            let middle = fits + (too_much - fits) / 2;
            if costs_at_most(middle) { fits = middle } else { too_much = middle }
        }
        Amount::from_nanos(fits * step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert_eq!(quote("1000.5"), ("10000".into(), "80".into()));
        assert_eq!(quote("20500"), ("21000".into(), "169".into()));
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
    }

    fn any_list(model: Model) -> impl Strategy<Value = PriceList> {
        prop::collection::btree_map(1_i64..60, (0_i64..50, prop::option::of(0_i64..20)), 0..4).prop_map(move |tiers| {
            let first = Tier { name: "first".into(), from: Amount::ZERO, unit_price: Decimal::new(37, 1), flat: None };
            let others = tiers.into_iter().map(|(from, (price, flat))| Tier {
                name: from.to_string(),
                from: Amount::from_nanos(i128::from(from) * 1_000_000_000).unwrap(),
                unit_price: Decimal::new(price, 1),
                flat: flat.map(Decimal::from),
            });
            PriceList::new(model, std::iter::once(first).chain(others).collect(), 0, 2).unwrap()
        })
    }

    fn whole(quantity: i128) -> Amount {
        Amount::from_nanos(quantity * 1_000_000_000).unwrap()
    }

    proptest! {
        #[test]
        fn graduated_equals_pricing_credit_by_credit(list in any_list(Model::Graduated), quantity in 1_i128..80, before in 0_i128..40) {
            let price_of = |number: i128| {
                let tier = list.tiers.iter().rev().find(|tier| tier.from <= whole(number)).unwrap();
                let flat = if tier.from == whole(number) { tier.flat.map_or_else(Fraction::zero, Fraction::from) } else { Fraction::zero() };
                Fraction::from(tier.unit_price).plus(&flat)
            };
            let exact = (before..before + quantity).fold(Fraction::zero(), |sum, number| sum.plus(&price_of(number)));
            let quote = list.quote(whole(quantity), whole(before)).unwrap();
            prop_assert_eq!(Some(quote.total), exact.round(list.money));
            prop_assert_eq!(quote.lines.iter().map(|line| line.amount).sum::<Amount>(), quote.total);
            prop_assert_eq!(quote.lines.iter().map(|line| line.quantity).sum::<Amount>(), whole(quantity));
        }

        #[test]
        fn graduated_totals_grow(list in any_list(Model::Graduated), quantity in 1_i128..80, more in 0_i128..40) {
            let total = |quantity| list.quote(whole(quantity), Amount::ZERO).unwrap().total;
            prop_assert!(total(quantity) <= total(quantity + more));
        }

        #[test]
        fn the_cliff_is_found_where_there_is_one(list in any_list(Model::Volume), quantity in 1_i128..80) {
            let total = |quantity| list.quote(whole(quantity), Amount::ZERO).unwrap().total;
            let cheapest_above = (quantity + 1..140).find(|more| total(*more) < total(quantity));
            prop_assert_eq!(list.cheaper_and_more(whole(quantity), Amount::ZERO).map(|(more, _)| more), cheapest_above.map(whole));
        }

        #[test]
        fn a_budget_buys_the_most_that_fits(list in any_list(Model::Volume), budget in 0_i128..200) {
            let total = |quantity| list.quote(whole(quantity), Amount::ZERO).unwrap().total;
            let most = (1..3000).rev().find(|quantity| total(*quantity) <= whole(budget));
            prop_assume!(most != Some(2999));
            prop_assert_eq!(list.buys(whole(budget), Amount::ZERO), most.map(whole));
        }
    }
}
