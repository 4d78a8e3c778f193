//! Subscriptions: what a billing period entitles to when the plan changes within it, what is charged for it, and what is paid
//! back.
//!
//! A period entitles to the allowance of each plan for the days on which it was held. That is one sum over all plans of the
//! period, so going back and forth grants nothing twice. Days are counted on the account's calendar; of several changes on one
//! day the last counts.

use std::fmt;
use std::str::FromStr;

use crate::domain::amount::Amount;
use crate::domain::exact::{Fraction, Precision, Rounding};

/// How often a subscription is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillingPeriod {
    /// Every month.
    Month,
    /// Every three months.
    Quarter,
    /// Every year.
    Year,
}

/// Every billing period with its name in SQL and its months.
const BILLING_PERIODS: [(BillingPeriod, &str, i32); 3] =
    [(BillingPeriod::Month, "month", 1), (BillingPeriod::Quarter, "quarter", 3), (BillingPeriod::Year, "year", 12)];

impl BillingPeriod {
    /// How many months it has.
    pub fn months(self) -> i32 {
        BILLING_PERIODS.iter().find(|(period, ..)| *period == self).expect("a listed period").2
    }
}

impl FromStr for BillingPeriod {
    type Err = ();
    fn from_str(name: &str) -> Result<BillingPeriod, ()> {
        BILLING_PERIODS.iter().find(|(_, known, _)| *known == name).map(|(period, ..)| *period).ok_or(())
    }
}

impl fmt::Display for BillingPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(BILLING_PERIODS.iter().find(|(period, ..)| period == self).expect("a named period").1)
    }
}

/// A plan within a period, from a day on, which is given by the days left until the period ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The days that were left when it began.
    pub days_left: i32,
    /// Credits for a whole period.
    pub quantity: Amount,
    /// Money for a whole period.
    pub price: Amount,
}

impl Segment {
    /// No plan at all from that day on: how a period ends early.
    pub fn nothing(days_left: i32) -> Segment {
        Segment { days_left, quantity: Amount::ZERO, price: Amount::ZERO }
    }
}

/// How the numbers of a subscription are written.
#[derive(Clone, Copy, Debug)]
pub struct Decimals {
    /// Of the unit.
    pub unit: u32,
    /// Of the currency.
    pub currency: u32,
}

/// The credits and the money of a period so far: grants less returns, and charges less what was paid back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Credits.
    pub granted: Amount,
    /// Money.
    pub charged: Amount,
}

/// The credits and the money that all plans of a period together entitle to until it ends: credits rounded down to the unit, and
/// money rounded once to the currency, half to even.
pub fn entitlement(segments: &[Segment], days: i32, decimals: Decimals) -> Moved {
    assert!(days > 0 && segments.windows(2).all(|pair| pair[0].days_left >= pair[1].days_left));
    let part = |of: fn(&Segment) -> Amount, decimals, rounding| {
        let weighed = segments.iter().enumerate().fold(Fraction::zero(), |sum, (index, segment)| {
            let until = segments.get(index + 1).map_or(0, |next| next.days_left);
            let held = Fraction::whole(i64::from(segment.days_left - until));
            sum.plus(&Fraction::from(of(segment)).times(&held))
        });
        let exact = weighed.over(&Fraction::whole(i64::from(days))).expect("a period has days");
        exact.round(Precision { decimals, rounding }).expect("a mean of amounts in range")
    };
    Moved {
        granted: part(|segment| segment.quantity, decimals.unit, Rounding::Down),
        charged: part(|segment| segment.price, decimals.currency, Rounding::HalfEven),
    }
}

/// The credits that are still to be granted, and the money to be charged. The days of a dearer plan are charged also where it
/// grants no more credits of its own: the account has all else that it brings, its schedules and its features, from then on.
pub fn outstanding(entitled: Moved, moved: Moved) -> Moved {
    Moved { granted: above(entitled.granted, moved.granted), charged: above(entitled.charged, moved.charged) }
}

/// The money that is charged beyond what the days of a period come to: it bought credits that were used or are kept.
pub fn overpaid(entitled: Moved, moved: Moved) -> Amount {
    above(moved.charged, entitled.charged)
}

/// The grants and charges that the period does not come to any more.
pub fn excess(entitled: Moved, moved: Moved) -> Moved {
    Moved { granted: above(moved.granted, entitled.granted), charged: above(moved.charged, entitled.charged) }
}

fn above(one: Amount, other: Amount) -> Amount {
    one.checked_sub(other).filter(|more| more.is_positive()).unwrap_or(Amount::ZERO)
}

/// A lot of which something is returned.
#[derive(Clone, Copy, Debug)]
pub struct Returnable {
    /// The amount that the lot was granted with.
    pub granted: Amount,
    /// The price that was paid for that.
    pub paid: Amount,
    /// How much of it was returned before.
    pub before: Amount,
    /// How much of it is unused.
    pub unused: Amount,
}

impl Returnable {
    /// How much of the excess is returned of the lot, and what is paid back for it: no more than is unused, and no more money
    /// than is in excess. A smaller plan at a similar price would pay back its price otherwise.
    pub fn returns(&self, excess: Moved, decimals: Decimals) -> Moved {
        // Credits that an adjustment added were not bought.
        let of_grant = self.granted.checked_sub(self.before).expect("a part of what was granted");
        let wanted = excess.granted.min(self.unused).min(of_grant);
        let credit = self.paid_back(wanted, decimals.currency);
        if credit <= excess.charged {
            return Moved { granted: wanted, charged: credit };
        }
        let money = self.worth(self.before, decimals.currency).checked_add(excess.charged).expect("a part of what was paid");
        let worth_it = Fraction::from(self.granted).times(&Fraction::from(money)).over(&Fraction::from(self.paid));
        let until = worth_it.and_then(|until| until.round(Precision { decimals: decimals.unit, rounding: Rounding::Down }));
        let granted = above(until.expect("a part of what was granted"), self.before).min(wanted);
        Moved { granted, charged: self.paid_back(granted, decimals.currency) }
    }

    /// The money that is paid back for credits: their cost basis, to the last decimal of the currency. It never rounds up.
    /// Returns of a lot in parts come to the same as at once; the return of all of it comes to what was paid.
    fn paid_back(&self, returned: Amount, currency_decimals: u32) -> Amount {
        let after = self.before.checked_add(returned).expect("a part of what was granted");
        assert!(after <= self.granted, "more than was granted is returned");
        self.worth(after, currency_decimals).checked_sub(self.worth(self.before, currency_decimals)).expect("amounts in range")
    }

    fn worth(&self, credits: Amount, currency_decimals: u32) -> Amount {
        let exact = Fraction::from(self.paid).times(&Fraction::from(credits)).over(&Fraction::from(self.granted));
        let precision = Precision { decimals: currency_decimals, rounding: Rounding::Down };
        exact.expect("a lot is granted").round(precision).expect("a part of what was paid")
    }
}

/// The worth of a commitment: a number of periods at their price.
pub fn commitment(price: Amount, periods: i64) -> Fraction {
    Fraction::from(price).times(&Fraction::whole(periods))
}

/// Whether a plan costs more than another for the same time.
pub fn is_dearer(new: (Amount, BillingPeriod), old: (Amount, BillingPeriod)) -> bool {
    commitment(new.0, i64::from(old.1.months())) > commitment(old.0, i64::from(new.1.months()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DECIMALS: Decimals = Decimals { unit: 6, currency: 2 };

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn segment(days_left: i32, quantity: &str, price: &str) -> Segment {
        Segment { days_left, quantity: amount(quantity), price: amount(price) }
    }

    fn moved(granted: &str, charged: &str) -> Moved {
        Moved { granted: amount(granted), charged: amount(charged) }
    }

    #[test]
    fn an_upgrade_grants_the_difference_for_the_days_left() {
        let entitled = entitlement(&[segment(30, "1000", "10"), segment(12, "3000", "25")], 30, DECIMALS);
        assert_eq!(entitled, moved("1800", "16"));
        assert_eq!(outstanding(entitled, moved("1000", "10")), moved("800", "6"));
    }

    #[test]
    fn the_days_of_a_dearer_plan_are_charged_without_more_credits() {
        let entitled = entitlement(&[segment(30, "1", "10"), segment(29, "1", "100")], 30, DECIMALS);
        assert_eq!(outstanding(entitled, moved("1", "10")), moved("0", "87"));
        assert_eq!(overpaid(entitled, moved("1", "100")), amount("3"));
        assert_eq!(overpaid(entitled, moved("1", "10")), Amount::ZERO);
    }

    #[test]
    fn back_and_forth_grants_nothing_twice() {
        let chain = [segment(30, "100", "1"), segment(15, "300", "3"), segment(15, "100", "1"), segment(15, "300", "3")];
        let entitled = entitlement(&chain, 30, DECIMALS);
        assert_eq!(entitled, moved("200", "2"));
        assert_eq!(outstanding(entitled, moved("200", "2")), Moved::default());
        // Credits that were spent were kept, and are not granted again.
        assert_eq!(outstanding(entitled, moved("300", "3")), Moved::default());
    }

    #[test]
    fn a_period_that_ends_early_entitles_to_its_days() {
        assert_eq!(entitlement(&[segment(31, "310", "31"), Segment::nothing(11)], 31, DECIMALS), moved("200", "20"));
    }

    #[test]
    fn what_is_paid_back_in_parts_is_what_was_paid() {
        let lot = |before| Returnable { granted: amount("3"), paid: amount("10"), before: amount(before), unused: amount("1") };
        let excess = moved("3", "10");
        let parts = ["0", "1", "2"].map(|before| lot(before).returns(excess, DECIMALS).charged);
        assert_eq!(parts, ["3.33", "3.33", "3.34"].map(amount));
        assert_eq!(lot("0").returns(excess, Decimals { unit: 6, currency: 0 }), moved("1", "3"));
    }

    #[test]
    fn no_more_is_paid_back_than_the_price_falls() {
        let lot = Returnable { granted: amount("1000"), paid: amount("10"), before: Amount::ZERO, unused: amount("800") };
        assert_eq!(lot.returns(moved("500", "5"), DECIMALS), moved("500", "5"));
        assert_eq!(lot.returns(moved("500", "0.01"), DECIMALS), moved("1", "0.01"));
        assert_eq!(lot.returns(moved("500", "0"), DECIMALS), Moved::default());
        assert_eq!(lot.returns(moved("900", "10"), DECIMALS), moved("800", "8"));
        // An adjustment put more into the lot than was bought.
        let adjusted = Returnable { before: amount("900"), unused: amount("800"), ..lot };
        assert_eq!(adjusted.returns(moved("500", "5"), DECIMALS), moved("100", "1"));
        let given = Returnable { paid: Amount::ZERO, ..lot };
        assert_eq!(given.returns(moved("500", "0"), DECIMALS), moved("500", "0"));
    }

    #[test]
    fn prices_are_compared_for_the_same_time() {
        let (month, year) = (BillingPeriod::Month, BillingPeriod::Year);
        assert!(is_dearer((amount("121"), year), (amount("10"), month)));
        assert!(!is_dearer((amount("120"), year), (amount("10"), month)));
        assert!(is_dearer((amount("11"), month), (amount("120"), year)));
    }

    /// A change of plan, so many days after the one before: its allowance, its price, and how much of what is left is spent
    /// before it.
    type Change = (i32, i64, i64, u8);

    proptest! {
        /// A model that looks at every day of a period by itself, in whole credits and cents.
        #[test]
        fn a_chain_of_plans_entitles_to_each_day_once(
            days in 28_i32..32, first in (1_i64..5_000, 0_i64..5_000),
            changes in prop::collection::vec((0_i32..9, 1_i64..5_000, 0_i64..5_000, 0_u8..=100), 0..12),
        ) {
            let changes: Vec<Change> = changes;
            let whole = |number: i64| Amount::from_nanos(i128::from(number) * 1_000_000_000).unwrap();
            let cents = |number: i64| Amount::from_nanos(i128::from(number) * 10_000_000).unwrap();
            let decimals = Decimals { unit: 0, currency: 2 };
            let mut day = 0;
            let mut of_day = vec![first; days as usize];
            let mut segments = vec![Segment { days_left: days, quantity: whole(first.0), price: cents(first.1) }];
            let mut net = Moved { granted: whole(first.0), charged: cents(first.1) };
            let (mut lots, mut gross) = (vec![(whole(first.0), cents(first.1), Amount::ZERO, whole(first.0))], first.0);
            let mut without_lots = Amount::ZERO;
            for (after, quantity, price, spent) in changes {
                day = (day + after).min(days - 1);
                for held in &mut of_day[day as usize..] { *held = (quantity, price) }
                segments.push(Segment { days_left: days - day, quantity: whole(quantity), price: cents(price) });
                let entitled = entitlement(&segments, days, decimals);
                let model = of_day.iter().fold((0, 0), |sum, held| (sum.0 + held.0, sum.1 + held.1));
                prop_assert_eq!(entitled.granted, whole(model.0 / i64::from(days)));
                let twice = (entitled.charged.nanos() / 10_000_000) as i64 * i64::from(days) - model.1;
                prop_assert!(twice.abs() * 2 <= i64::from(days), "rounded once to the cent");

                for lot in &mut lots { lot.3 = whole((lot.3.nanos() / 1_000_000_000) as i64 * i64::from(100 - spent) / 100) }
                let due = outstanding(entitled, net);
                net.charged = net.charged.checked_add(due.charged).unwrap();
                prop_assert!(net.charged >= entitled.charged, "the days are paid for");
                if due.granted.is_positive() {
                    gross += (due.granted.nanos() / 1_000_000_000) as i64;
                    lots.push((due.granted, due.charged, Amount::ZERO, due.granted));
                    net.granted = net.granted.checked_add(due.granted).unwrap();
                    prop_assert_eq!(net.granted, entitled.granted, "a grant goes up to the entitlement, never beyond");
                } else {
                    without_lots = without_lots.checked_add(due.charged).unwrap();
                }
                let before = net;
                for lot in lots.iter_mut().rev() {
                    let returnable = Returnable { granted: lot.0, paid: lot.1, before: lot.2, unused: lot.3 };
                    let back = returnable.returns(excess(entitled, net), decimals);
                    lot.2 = lot.2.checked_add(back.granted).unwrap();
                    lot.3 = lot.3.checked_sub(back.granted).unwrap();
                    net = Moved {
                        granted: net.granted.checked_sub(back.granted).unwrap(),
                        charged: net.charged.checked_sub(back.charged).unwrap(),
                    };
                }
                prop_assert!(net.charged == before.charged || net.charged >= entitled.charged, "never below the price of the \
                    days");
                prop_assert!(net.granted == before.granted || net.granted >= entitled.granted, "never below what is entitled to");
                let worth = |lot: &(Amount, Amount, Amount, Amount)| {
                    Returnable { granted: lot.0, paid: lot.1, before: Amount::ZERO, unused: lot.0 }.worth(lot.2, 2)
                };
                let kept: Amount = lots.iter().map(worth).sum();
                let paid: Amount = lots.iter().map(|lot| lot.1).sum();
                let had = paid.checked_sub(kept).unwrap().checked_add(without_lots).unwrap();
                prop_assert_eq!(had, net.charged, "to the cent");
            }
            prop_assert!(gross > 0);
        }
    }
}
