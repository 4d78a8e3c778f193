//! The price list against a model of its own: whole numbers, and every credit looked at one by one.

use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::plans::price_list::{Model, PriceList, Tier};

/// Prices are whole numbers of 10^-4 of the money.
const PRICE_DECIMALS: u32 = 4;

/// Quantities are looked at up to this one.
const TOP: i128 = 400;

/// A step of the ladder: from how many of the smallest quantity on, the price of one credit, the flat price.
type Step = (i128, i128, i128);

#[derive(Clone, Debug)]
struct Plain {
    model: Model,
    steps: Vec<Step>,
    unit_decimals: u32,
    money_decimals: u32,
}

/// The quantity that is sold, and its price before it is rounded, in 10^-4 of the money for the smallest quantity.
struct Sold {
    step: usize,
    quantity: i128,
    exact: i128,
}

impl Plain {
    /// The smallest quantities of one credit.
    fn one(&self) -> i128 {
        10_i128.pow(self.unit_decimals)
    }

    fn reached(&self, quantity: i128) -> usize {
        self.steps.iter().filter(|(from, ..)| *from <= quantity).count().saturating_sub(1)
    }

    fn sold(&self, quantity: i128, before: i128) -> Sold {
        let step = self.reached(before + quantity);
        let (_, price, flat) = self.steps.get(step).copied().unwrap_or_default();
        match self.model {
            Model::Volume => Sold { step, quantity, exact: quantity * price + flat * self.one() },
            Model::Stairstep => Sold { step, quantity, exact: flat * self.one() },
            Model::Graduated => {
                let exact = (before..before + quantity).map(|number| {
                    let (from, price, flat) = self.steps[self.reached(number)];
                    price + if from == number { flat * self.one() } else { 0 }
                });
                Sold { step, quantity, exact: exact.sum() }
            }
            Model::Package => self.bundles(quantity),
        }
    }

    /// From the largest bundle down, as many as fit; at each size it is possible to end with one more. The cheapest end counts.
    fn bundles(&self, quantity: i128) -> Sold {
        let (mut rest, mut so_far, mut holds) = (quantity, 0, 0);
        let mut ends = Vec::new();
        let mut first = None;
        for (step, (size, price, flat)) in self.steps.iter().enumerate().rev() {
            let bundle = price * size + flat * self.one();
            let whole = rest / size;
            (rest, so_far, holds) = (rest % size, so_far + whole * bundle, holds + whole * size);
            first = first.or((whole > 0).then_some(step));
            let more = if rest > 0 { 1 } else { 0 };
            ends.push(Sold { step: first.unwrap_or(step), quantity: holds + more * size, exact: so_far + more * bundle });
            if rest == 0 {
                break;
            }
        }
        ends.into_iter().reduce(|best, end| if end.exact < best.exact { end } else { best }).expect("a bundle")
    }

    /// The total in the smallest money, half to even.
    fn total(&self, quantity: i128, before: i128) -> i128 {
        let denominator = self.one() * 10_i128.pow(PRICE_DECIMALS - self.money_decimals);
        let exact = self.sold(quantity, before).exact;
        let (quotient, rest) = (exact / denominator, exact % denominator);
        quotient + i128::from(2 * rest > denominator || (2 * rest == denominator && quotient % 2 == 1))
    }

    fn list(&self) -> PriceList {
        let decimal = |number: i128| Decimal::from_i128_with_scale(number, PRICE_DECIMALS);
        let tier = |(from, price, flat): &Step| Tier {
            name: from.to_string(),
            from: scaled(*from, self.unit_decimals),
            unit_price: decimal(*price),
            flat: (*flat > 0).then(|| decimal(*flat)),
        };
        PriceList::new(self.model, self.steps.iter().map(tier).collect(), self.unit_decimals, self.money_decimals).unwrap()
    }

    fn amount(&self, quantity: i128) -> Amount {
        scaled(quantity, self.unit_decimals)
    }

    fn money(&self, total: i128) -> Amount {
        scaled(total, self.money_decimals)
    }
}

fn scaled(number: i128, decimals: u32) -> Amount {
    Amount::from_nanos(number * 10_i128.pow(MAX_DECIMALS - decimals)).unwrap()
}

/// Up to five steps, their prices and flat prices in any order, none of them all for nothing.
fn any_plain(models: &'static [Model]) -> impl Strategy<Value = Plain> {
    let step = (1_i128..150, 1_i128..30_000, prop_oneof![Just(0_i128), 1_i128..90_000]);
    let steps = prop::collection::vec(step, 1..6);
    (prop::sample::select(models), steps, 0_u32..3, prop::sample::select(&[0_u32, 2, 3])).prop_map(
        |(model, mut steps, unit_decimals, money_decimals)| {
            steps.sort_unstable();
            steps.dedup_by_key(|(from, ..)| *from);
            if model != Model::Package {
                steps[0].0 = 0;
            }
            Plain { model, steps, unit_decimals, money_decimals }
        },
    )
}

const ALL: &[Model] = &[Model::Volume, Model::Graduated, Model::Package, Model::Stairstep];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_model_costs_what_whole_numbers_say(plain in any_plain(ALL), quantity in 1..TOP, before in 0..TOP) {
        let quote = plain.list().quote(plain.amount(quantity), plain.amount(before)).unwrap();
        let sold = plain.sold(quantity, before);
        prop_assert_eq!((quote.tier, quote.quantity), (sold.step, plain.amount(sold.quantity)));
        prop_assert_eq!(quote.total, plain.money(plain.total(quantity, before)));
        prop_assert_eq!(quote.lines.iter().map(|line| line.amount).sum::<Amount>(), quote.total);
        prop_assert_eq!(quote.lines.iter().map(|line| line.quantity).sum::<Amount>(), quote.quantity);
        prop_assert!(quote.lines.iter().all(|line| line.amount >= Amount::ZERO && line.quantity.is_positive()));
    }

    #[test]
    fn totals_of_bands_and_bundles_never_fall(plain in any_plain(&[Model::Graduated, Model::Package]), quantity in 1..TOP) {
        let total = |quantity| plain.list().quote(plain.amount(quantity), Amount::ZERO).unwrap().total;
        prop_assert!(total(quantity) <= total(quantity + 1));
        prop_assert_eq!(plain.list().cheaper_and_more(plain.amount(quantity), Amount::ZERO), None);
    }

    #[test]
    fn the_cliff_is_told_exactly_where_more_costs_less(plain in any_plain(ALL), quantity in 1..TOP, before in 0..50_i128) {
        let total = |quantity| plain.total(quantity, before);
        let cheaper = (quantity + 1..TOP).find(|more| total(*more) < total(quantity));
        let told = plain.list().cheaper_and_more(plain.amount(quantity), plain.amount(before));
        prop_assert_eq!(told, cheaper.map(|more| (plain.amount(more), plain.money(total(more)))));
    }

    #[test]
    fn the_next_step_is_the_first_quantity_that_reaches_more(plain in any_plain(ALL), quantity in 1..TOP, before in 0..50_i128) {
        let reached = |quantity| plain.reached(before + quantity);
        let next = (quantity + 1..TOP).find(|more| plain.model != Model::Package && reached(*more) > reached(quantity));
        let told = plain.list().next(plain.amount(quantity), plain.amount(before));
        let told = told.map(|next| (next.tier, next.more, next.total));
        prop_assert_eq!(told, next.map(|more| (reached(more), plain.amount(more - quantity), plain.money(plain.total(more,
            before)))));
    }

    #[test]
    fn a_budget_buys_the_most_that_fits(plain in any_plain(ALL), budget in 0_i128..4000, before in 0..50_i128) {
        let most = (1..TOP).rev().find(|quantity| plain.total(*quantity, before) <= budget);
        let bought = plain.list().buys(plain.money(budget), plain.amount(before));
        match most {
            // The most lies beyond what is looked at, or has no end.
            Some(most) if most == TOP - 1 => prop_assert!(bought.is_none_or(|bought| bought >= plain.amount(most))),
            most => prop_assert_eq!(bought, most.map(|most| plain.amount(most))),
        }
    }

    #[test]
    fn a_budget_without_an_end_buys_no_number(plain in any_plain(&[Model::Stairstep]), more in 0_i128..100) {
        let last = TOP.max(plain.steps.last().unwrap().0);
        let total = plain.total(last, 0);
        prop_assert_eq!(plain.list().buys(plain.money(total + more), Amount::ZERO), None);
    }
}
