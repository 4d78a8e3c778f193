//! True-up: a period's commitment against what was consumed in it, and what follows from the difference.
//!
//! shortfall = max(0, committed - used - carried in), overage = max(0, used + carried in - committed). A credit that was paid for
//! is not due again: credits that were bought in the period count towards its commitment even where they were not used, and use
//! of bought credits is no debt, whenever they were bought.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::calendar::{Calendar, Cycle};
use crate::domain::exact::{Fraction, Precision};

/// The treatment of a shortfall or an overage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Treatment {
    /// It is paid for.
    #[default]
    Due,
    /// The next period makes up for it.
    Carry,
    /// Nothing follows.
    Forgive,
}

impl Treatment {
    const ALL: [(Treatment, &'static str); 3] =
        [(Treatment::Due, "due"), (Treatment::Carry, "carry"), (Treatment::Forgive, "forgive")];

    /// The names that SQL uses.
    pub const NAMES: &'static str = "due, carry, forgive";

    /// The treatment of a name.
    pub fn of_name(name: &str) -> Option<Treatment> {
        Treatment::ALL.into_iter().find(|(_, known)| *known == name).map(|(treatment, _)| treatment)
    }
}

/// The facts of a period, in credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The credits that were promised for it.
    pub committed: Amount,
    /// The eligible credits that were consumed.
    pub used: Amount,
    /// The credits that the period before left: an overage above zero, which counts here; a shortfall below it, which adds to the
    /// promise.
    pub carried_in: Amount,
    /// The credits that were granted for money in it and not taken back, and the rest of that from earlier periods.
    pub prepaid: Amount,
    /// The part of the use that was paid from credits that cost money, whenever they were granted.
    pub used_of_priced: Amount,
}

/// The result, in credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The credits that are missing to the commitment.
    pub shortfall: Amount,
    /// The credits that go beyond it.
    pub overage: Amount,
    /// The part of the shortfall that is still to be paid.
    pub shortfall_due: Amount,
    /// The part of the overage that is still to be paid.
    pub overage_due: Amount,
    /// The credits that the next period gets: see [`Facts::carried_in`].
    pub carried_forward: Amount,
    /// The credits that were prepaid and neither used nor needed for the commitment: they count in the next period.
    pub prepaid_left: Amount,
}

/// The result of the facts, with the treatments that were declared. `None` beyond the range of amounts.
pub fn difference(facts: Facts, shortfall: Treatment, overage: Treatment) -> Option<Difference> {
    let Facts { committed, used, carried_in, prepaid, used_of_priced } = facts;
    let counted = used.checked_add(carried_in)?;
    let missing = above_zero(committed.checked_sub(counted)?);
    let beyond = above_zero(counted.checked_sub(committed)?);
    assert!(missing.is_zero() || beyond.is_zero(), "a period has a shortfall or an overage");
    // Bought and not used: it was paid for all the same.
    let unused = above_zero(prepaid.checked_sub(used_of_priced.max(Amount::ZERO))?);
    let unpaid = above_zero(missing.checked_sub(unused)?);
    // Use that cost nothing is covered by what is paid for the commitment otherwise than by buying credits.
    let covered = above_zero(committed.checked_sub(prepaid)?);
    let free_of_price = counted.checked_sub(used_of_priced.min(above_zero(used)))?;
    let beyond_unpaid = above_zero(free_of_price.checked_sub(covered)?).min(beyond);
    let only = |wanted: Treatment, treatment: Treatment, amount: Amount| if treatment == wanted { amount } else { Amount::ZERO };
    Some(Difference {
        shortfall: missing,
        overage: beyond,
        shortfall_due: only(Treatment::Due, shortfall, unpaid),
        overage_due: only(Treatment::Due, overage, beyond_unpaid),
        prepaid_left: unused.checked_sub(missing.checked_sub(unpaid)?)?,
        carried_forward: only(Treatment::Carry, overage, beyond_unpaid).checked_sub(only(Treatment::Carry, shortfall, unpaid))?,
    })
}

fn above_zero(amount: Amount) -> Amount {
    amount.max(Amount::ZERO)
}

/// The part of what is promised for each period of a cycle that falls between two instants: whole periods count whole, parts by
/// time.
pub fn part(
    cycle: Cycle,
    promised: impl Fn(i64) -> Amount,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    calendar: &impl Calendar,
) -> Fraction {
    let mut part = Fraction::zero();
    let mut number = cycle.containing(calendar, from);
    let mut begins = cycle.start(calendar, number);
    while begins < to {
        let ends = cycle.start(calendar, number + 1);
        let length = |from: DateTime<Utc>, to: DateTime<Utc>| {
            Fraction::from(i128::from((to - from).num_microseconds().expect("instants within the calendar")))
        };
        let covered = length(begins.max(from), ends.min(to));
        let share = covered.over(&length(begins, ends)).unwrap_or_else(Fraction::zero);
        part = part.plus(&Fraction::from(promised(number)).times(&share));
        (number, begins) = (number + 1, ends);
    }
    part
}

/// The price of credits, rounded once.
pub fn price(parts: &[(Amount, &Fraction)], precision: Precision) -> Option<Amount> {
    parts.iter().fold(Fraction::zero(), |sum, (amount, price)| sum.plus(&Fraction::from(*amount).times(price))).round(precision)
}

/// The mean of prices, weighted by what each is paid for; `None` without anything to be paid for.
pub fn mean_price(parts: &[(Fraction, Fraction)]) -> Option<Fraction> {
    let (sum, weight) = parts.iter().fold((Fraction::zero(), Fraction::zero()), |(sum, weight), (amount, price)| {
        (sum.plus(&amount.times(price)), weight.plus(amount))
    });
    if weight.is_zero() { None } else { sum.over(&weight) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::Span;
    use crate::domain::calendar::tests::{Ahead, date};
    use crate::domain::exact::Rounding;
    use proptest::prelude::*;

    fn credits(number: i64) -> Amount {
        Amount::from_nanos(i128::from(number) * 1_000_000_000).unwrap()
    }

    fn facts(committed: i64, used: i64, carried_in: i64, prepaid: i64) -> Facts {
        of_priced(committed, used, carried_in, prepaid, prepaid.min(used))
    }

    fn of_priced(committed: i64, used: i64, carried_in: i64, prepaid: i64, used_of_priced: i64) -> Facts {
        Facts {
            committed: credits(committed),
            used: credits(used),
            carried_in: credits(carried_in),
            prepaid: credits(prepaid),
            used_of_priced: credits(used_of_priced),
        }
    }

    #[test]
    fn what_is_missing_is_due_unless_it_was_paid() {
        let of = |facts| {
            let found = difference(facts, Treatment::Due, Treatment::Due).unwrap();
            [found.shortfall, found.overage, found.shortfall_due, found.overage_due].map(|amount| amount.to_string())
        };
        assert_eq!(of(facts(3000, 2200, 0, 0)), ["800", "0", "800", "0"]);
        assert_eq!(of(facts(3000, 2200, 0, 2500)), ["800", "0", "500", "0"]);
        assert_eq!(of(facts(3000, 2200, 0, 3000)), ["800", "0", "0", "0"]);
        assert_eq!(of(facts(3000, 3500, 0, 0)), ["0", "500", "0", "500"]);
        assert_eq!(of(facts(3000, 3500, 0, 3200)), ["0", "500", "0", "300"]);
        assert_eq!(of(facts(3000, 3500, 0, 3000)), ["0", "500", "0", "500"]);
        assert_eq!(of(facts(3000, 2800, 150, 0)), ["50", "0", "50", "0"]);
        assert_eq!(of(facts(3000, 2800, -150, 0)), ["350", "0", "350", "0"]);
        // Bought in an earlier period, or granted for the shortfall of one: paid already.
        assert_eq!(of(of_priced(1000, 4000, 0, 0, 4000)), ["0", "3000", "0", "0"]);
        assert_eq!(of(of_priced(1000, 2000, 0, 0, 1000)), ["0", "1000", "0", "0"]);
        // Usage of earlier periods that was taken back pays for nothing.
        assert_eq!(of(facts(100, -20, 0, 0)), ["120", "0", "120", "0"]);
    }

    #[test]
    fn what_is_carried_is_not_due() {
        let carry = |facts| difference(facts, Treatment::Carry, Treatment::Carry).unwrap();
        let missing = carry(facts(100, 70, 0, 0));
        assert_eq!((missing.carried_forward, missing.shortfall_due), (credits(-30), Amount::ZERO));
        let beyond = carry(facts(100, 130, 0, 0));
        assert_eq!((beyond.carried_forward, beyond.overage_due), (credits(30), Amount::ZERO));
        // A year that was paid for in advance: what a quarter does not use is not due, and counts once.
        let first = difference(of_priced(30, 27, 0, 120, 27), Treatment::Due, Treatment::Due).unwrap();
        assert_eq!((first.shortfall_due, first.prepaid_left), (Amount::ZERO, credits(90)));
        let second = difference(of_priced(30, 0, 0, 90, 0), Treatment::Due, Treatment::Due).unwrap();
        assert_eq!((second.shortfall_due, second.prepaid_left), (Amount::ZERO, credits(60)));
        let unpaid = difference(of_priced(30, 0, 0, 20, 0), Treatment::Due, Treatment::Due).unwrap();
        assert_eq!((unpaid.shortfall_due, unpaid.prepaid_left), (credits(10), Amount::ZERO));
        // Bought and not used: nothing is left to make up for.
        assert_eq!(carry(facts(100, 70, 0, 100)).carried_forward, Amount::ZERO);
        let forgiven = difference(facts(100, 130, 0, 0), Treatment::Forgive, Treatment::Forgive).unwrap();
        assert_eq!((forgiven.overage, forgiven.carried_forward, forgiven.overage_due), (credits(30), Amount::ZERO, Amount::ZERO));
    }

    #[test]
    fn a_quarter_is_three_months_of_the_year() {
        let twelfth = |_| credits(1000);
        let monthly = Cycle { anchor: date(2026, 1, 1), every: Span { months: 1, days: 0, microseconds: 0 } };
        let exactly = Precision { decimals: 6, rounding: Rounding::HalfEven };
        let of = |from, to| part(monthly, twelfth, from, to, &Ahead(0)).round(exactly).unwrap().to_string();
        assert_eq!(of(date(2026, 1, 1), date(2026, 4, 1)), "3000");
        assert_eq!(of(date(2026, 1, 16), date(2026, 2, 1)), "516.129032");
        assert_eq!(of(date(2026, 2, 15), date(2026, 3, 1)), "500");
        assert_eq!(of(date(2026, 2, 1), date(2026, 2, 1)), "0");
    }

    #[test]
    fn money_is_rounded_once() {
        let third = Fraction::whole(1).over(&Fraction::whole(3)).unwrap();
        let cents = Precision { decimals: 2, rounding: Rounding::HalfEven };
        assert_eq!(price(&[(credits(1), &third), (credits(1), &third), (credits(1), &third)], cents), Some(credits(1)));
        let prices = [(Fraction::whole(2), Fraction::whole(3)), (Fraction::whole(1), Fraction::whole(6))];
        assert_eq!(mean_price(&prices), Some(Fraction::whole(4)));
        assert_eq!(mean_price(&[]), None);
    }

    proptest! {
        /// Two adjacent parts make the whole, wherever they are cut.
        #[test]
        fn parts_add_up(months in 1..14_i32, days in 0..400_i64, cut in 0..400_i64, rest in 0..400_i64) {
            let cycle = Cycle { anchor: date(2024, 2, 29), every: Span { months, days: 0, microseconds: 0 } };
            let from = date(2025, 1, 1) + chrono::TimeDelta::days(days);
            let (middle, to) = (from + chrono::TimeDelta::days(cut), from + chrono::TimeDelta::days(cut + rest));
            let of = |from, to| part(cycle, |number| credits(number.rem_euclid(7) + 1), from, to, &Ahead(5));
            prop_assert_eq!(of(from, middle).plus(&of(middle, to)), of(from, to));
        }

        /// The use and the shortfall make up the commitment; never more is due than is missing or beyond.
        #[test]
        fn nothing_is_due_twice(committed in 0..1_000_i64, used in 0..1_000_i64, carried_in in -500..500_i64,
            prepaid in 0..2_000_i64) {
            let found = difference(facts(committed, used, carried_in, prepaid), Treatment::Due, Treatment::Due).unwrap();
            let nanos = |amount: Amount| amount.nanos();
            prop_assert_eq!(
                nanos(credits(used + carried_in)) + nanos(found.shortfall) - nanos(found.overage),
                nanos(credits(committed))
            );
            prop_assert!(found.shortfall_due <= found.shortfall && found.overage_due <= found.overage);
        }
    }
}
