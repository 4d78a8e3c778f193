//! A new rate for a new cost: who keeps the difference, the customer or the seller, and what it does to the margin.

use rust_decimal::Decimal;

use crate::domain::exact::{Fraction, Rounding};
use crate::domain::rates::rate::{Rate, Tier};

/// How many decimals the credits of a repriced rate have at most.
pub const CREDIT_DECIMALS: u32 = 9;

/// How many decimals of margins and changes are shown.
const SHARE_DECIMALS: u32 = 6;

/// The side that keeps the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The customer: price and cost move together, the margin stays the same share of the price.
    PassThrough,
    /// The seller: the rate stays, the margin moves.
    Hold,
    /// The rate is set so that the margin is this share of the price.
    Adjust(Decimal),
}

/// Why no rate follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepriceError {
    /// To pass a change of cost through, the old cost must be known and above zero.
    NoOldCost,
    /// A margin is of money, and the card's unit has no value in money now.
    NoFiatValue,
    /// The target is not a share from 0 to just below 1.
    MarginOutOfRange,
    /// The rate has tiers, and its first band is free: nothing to scale them by.
    TiersFromFree,
    /// More credits than a rate can have, or so few that they would be rounded to nothing.
    OutOfRange,
}

/// A rate with what it costs the seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The rate.
    pub rate: Rate,
    /// The provider's price of one of the quantity.
    pub unit_cost: Option<Decimal>,
}

impl Priced {
    /// The margin as a share of the price, in the first band, when a credit is worth `fiat`; `None` for what is free or unknown.
    pub fn margin(&self, fiat: Option<Decimal>) -> Option<Decimal> {
        let price = self.rate.per_unit().times(&Fraction::from(fiat?));
        let share = Fraction::from(self.unit_cost?).over(&price)?;
        Fraction::whole(1).minus(&share).round_decimal(SHARE_DECIMALS, Rounding::HalfEven)
    }
}

/// The rate that follows when the cost becomes `new_cost`. Tiers keep their proportion to the first band; a minimum stays.
/// Credits are rounded once, half to even.
pub fn reprice(old: &Priced, new_cost: Decimal, fiat: Option<Decimal>, policy: Policy) -> Result<Priced, RepriceError> {
    let credits = Fraction::from(old.rate.credits);
    let cost = Fraction::from(new_cost);
    let exact = match policy {
        Policy::Hold => return Ok(Priced { unit_cost: Some(new_cost), ..old.clone() }),
        Policy::PassThrough => {
            let old_cost = Fraction::from(old.unit_cost.ok_or(RepriceError::NoOldCost)?);
            credits.times(&cost).over(&old_cost).ok_or(RepriceError::NoOldCost)?
        }
        Policy::Adjust(margin) => {
            let share = Fraction::whole(1).minus(&Fraction::from(margin));
            if share <= Fraction::zero() || share > Fraction::whole(1) {
                return Err(RepriceError::MarginOutOfRange);
            }
            let fiat = fiat.map(Fraction::from).ok_or(RepriceError::NoFiatValue)?;
            let price = cost.over(&share).ok_or(RepriceError::MarginOutOfRange)?;
            price.times(&Fraction::from(old.rate.per)).over(&fiat).ok_or(RepriceError::NoFiatValue)?
        }
    };
    let tiers = old.rate.tiers.iter().map(|tier| {
        let scaled = Fraction::from(tier.credits).times(&exact).over(&credits).ok_or(RepriceError::TiersFromFree)?;
        Ok(Tier { from: tier.from, credits: written(&scaled)? })
    });
    let tiers = tiers.collect::<Result<_, _>>()?;
    let rate = Rate { credits: written(&exact)?, tiers, ..old.rate.clone() };
    Ok(Priced { rate, unit_cost: Some(new_cost) })
}

/// Rounded to what a rate can have; an amount that would vanish is refused.
fn written(exact: &Fraction) -> Result<Decimal, RepriceError> {
    let credits = exact.round_decimal(CREDIT_DECIMALS, Rounding::HalfEven).ok_or(RepriceError::OutOfRange)?;
    let vanishes = credits.is_zero() && !exact.is_zero();
    let too_many = Fraction::from(credits) >= Fraction::whole(1_000_000_000_000_000);
    if vanishes || too_many { Err(RepriceError::OutOfRange) } else { Ok(credits) }
}

/// How much dearer (positive) or cheaper one of the quantity becomes, in percent; `None` when it was free.
pub fn change_percent(old: &Rate, new: &Rate) -> Option<Decimal> {
    let (old, new) = (old.per_unit(), new.per_unit());
    let change = new.minus(&old).times(&Fraction::whole(100)).over(&old)?;
    change.round_decimal(SHARE_DECIMALS, Rounding::HalfEven)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rates::rate::Scope;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    /// 0.25 credits for 1,000, which cost the seller 0.001: a margin of 60% when a credit is a cent.
    fn priced() -> Priced {
        let rate = Rate {
            credits: decimal("0.25"),
            per: decimal("1000"),
            block: false,
            minimum: None,
            tiers: vec![Tier { from: decimal("1000000"), credits: decimal("0.2") }],
            scope: Scope::Call,
        };
        Priced { rate, unit_cost: Some(decimal("0.000001")) }
    }

    const CENT: &str = "0.01";

    #[test]
    fn each_policy_keeps_what_it_says() {
        let (old, fiat) = (priced(), Some(decimal(CENT)));
        assert_eq!(old.margin(fiat), Some(decimal("0.6")));
        for (policy, credits, tier, margin, change) in [
            (Policy::PassThrough, "0.2", "0.16", "0.6", "-20"),
            (Policy::Hold, "0.25", "0.2", "0.68", "0"),
            (Policy::Adjust(decimal("0.5")), "0.16", "0.128", "0.5", "-36"),
        ] {
            let new = reprice(&old, decimal("0.0000008"), fiat, policy).unwrap();
            assert_eq!((new.rate.credits, new.rate.tiers[0].credits), (decimal(credits), decimal(tier)), "{policy:?}");
            assert_eq!(new.margin(fiat), Some(decimal(margin)), "{policy:?}");
            assert_eq!(change_percent(&old.rate, &new.rate), Some(decimal(change)), "{policy:?}");
        }
    }

    #[test]
    fn what_cannot_follow_is_refused() {
        let old = priced();
        let cost = decimal("0.0000008");
        let free = Priced { rate: Rate { credits: Decimal::ZERO, ..old.rate.clone() }, ..old.clone() };
        let unknown = Priced { unit_cost: None, ..old.clone() };
        let cent = Some(decimal(CENT));
        assert_eq!(reprice(&unknown, cost, cent, Policy::PassThrough), Err(RepriceError::NoOldCost));
        assert_eq!(reprice(&old, cost, None, Policy::Adjust(decimal("0.5"))), Err(RepriceError::NoFiatValue));
        assert_eq!(reprice(&old, cost, cent, Policy::Adjust(decimal("1"))), Err(RepriceError::MarginOutOfRange));
        assert_eq!(reprice(&free, cost, cent, Policy::Adjust(decimal("0.5"))), Err(RepriceError::TiersFromFree));
        let tiny = Priced { rate: Rate { per: decimal("0.000001"), tiers: vec![], ..old.rate.clone() }, ..old };
        assert_eq!(reprice(&tiny, cost, cent, Policy::Adjust(Decimal::ZERO)), Err(RepriceError::OutOfRange));
        assert_eq!(free.margin(cent), None);
    }

    proptest! {
        /// However the cost moves, passing it through keeps the margin, as far as nine decimals of credits can.
        #[test]
        fn passing_through_keeps_the_margin(credits in 1_i64..1_000_000, cost in 1_i64..1_000_000, new_cost in 1_i64..1_000_000) {
            let of = |mantissa, scale| Decimal::new(mantissa, scale);
            let rate = Rate { credits: of(credits, 3), per: of(1000, 0), block: false, minimum: None, tiers: vec![],
                scope: Scope::Call };
            let old = Priced { rate, unit_cost: Some(of(cost, 8)) };
            let new = reprice(&old, of(new_cost, 8), Some(of(1, 2)), Policy::PassThrough).unwrap();
            // credits / cost is the same before and after, up to half a step of the last decimal.
            let (before, after) = (Fraction::from(old.rate.credits).times(&Fraction::from(of(new_cost, 8))),
                Fraction::from(new.rate.credits).times(&Fraction::from(of(cost, 8))));
            let apart = if before > after { before.minus(&after) } else { after.minus(&before) };
            prop_assert!(apart <= Fraction::from(of(cost, 8)).times(&Fraction::from(of(5, 10))));
        }

        /// Prices do not fall below cost: the margin is what was asked for, up to a step of the last decimal.
        #[test]
        fn adjusting_reaches_the_target(margin in 0_i64..990, cost in 1_i64..1_000_000) {
            let rate = Rate { credits: Decimal::ONE, per: Decimal::ONE, block: false, minimum: None, tiers: vec![],
                scope: Scope::Call };
            let old = Priced { rate, unit_cost: None };
            let target = Decimal::new(margin, 3);
            let new = reprice(&old, Decimal::new(cost, 4), Some(Decimal::new(1, 2)), Policy::Adjust(target)).unwrap();
            let reached = new.margin(Some(Decimal::new(1, 2))).unwrap();
            prop_assert!((reached - target).abs() <= Decimal::new(1, 6));
        }
    }
}
