//! Searches in a price list: the step above a quantity, more that costs less, and what a budget buys.

use crate::domain::amount::{Amount, LIMIT_UNITS, MAX_DECIMALS};
use crate::domain::plans::price_list::{Model, PriceList, Tier};

/// The next step up from a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextTier {
    /// Its position.
    pub tier: usize,
    /// How many more credits reach it.
    pub more: Amount,
    /// The price of the quantity that reaches it.
    pub total: Amount,
}

impl PriceList {
    /// The step above the one that a quantity reaches; `None` at the top, and for bundles, which are bought one by one.
    pub fn next(&self, quantity: Amount, before: Amount) -> Option<NextTier> {
        let reached_at = before.checked_add(quantity)?;
        let tier = self.reached(reached_at) + 1;
        let from = self.tiers.get(tier).filter(|_| self.model != Model::Package)?.from;
        let more = from.checked_sub(reached_at)?;
        let total = self.quote(quantity.checked_add(more)?, before)?.total;
        Some(NextTier { tier, more, total })
    }

    /// The smallest quantity that is more, and costs less in total: the cliff of prices by volume. Bands and bundles have none.
    pub fn cheaper_and_more(&self, quantity: Amount, before: Amount) -> Option<(Amount, Amount)> {
        if matches!(self.model, Model::Graduated | Model::Package) {
            return None;
        }
        let total = self.quote(quantity, before)?.total;
        let above = |tier: &&Tier| before.checked_add(quantity).is_some_and(|reached_at| tier.from > reached_at);
        let mut candidates = self.tiers.iter().filter(above).filter_map(|tier| {
            let candidate = tier.from.checked_sub(before)?;
            Some((candidate, self.quote(candidate, before)?.total))
        });
        // The tiers ascend, so the first one is the smallest.
        candidates.find(|(_, price)| *price < total)
    }

    /// The most credits that a budget buys; `None` when it buys nothing, or everything (a last step, or free credits, without an
    /// end).
    pub fn buys(&self, budget: Amount, before: Amount) -> Option<Amount> {
        let step = 10_i128.pow(MAX_DECIMALS - self.unit_decimals);
        let costs_at_most = |steps: i128| -> bool {
            let quantity = steps.checked_mul(step).and_then(Amount::from_nanos);
            quantity.and_then(|quantity| self.quote(quantity, before)).is_some_and(|quote| quote.total <= budget)
        };
        let limit = LIMIT_UNITS * 10_i128.pow(self.unit_decimals) - before.nanos() / step - 1;
        let starts = self.starts(before, step);
        let end_of = |index: usize| starts.get(index + 1).map_or(limit, |next| next - 1);
        // Within a part the total only grows, so the last part of which anything fits has the most, and is searched by halving.
        let best = (0..starts.len()).rev().find(|index| costs_at_most(starts[*index]))?;
        let (mut fits, mut too_much) = (starts[best], end_of(best) + 1);
        while too_much - fits > 1 {
            let middle = fits + (too_much - fits) / 2;
            if costs_at_most(middle) { fits = middle } else { too_much = middle }
        }
        if fits == limit { None } else { Amount::from_nanos(fits * step) }
    }

    /// The quantities, in steps of the unit's last decimal, at which a part begins whose totals only grow. Those of bundles grow
    /// throughout.
    fn starts(&self, before: Amount, step: i128) -> Vec<i128> {
        let bounds = self.tiers.iter().filter(|_| self.model != Model::Package);
        let bounds = bounds.map(|tier| (tier.from.nanos() - before.nanos()).div_euclid(step));
        std::iter::once(1).chain(bounds.filter(|bound| *bound > 1)).collect()
    }
}
