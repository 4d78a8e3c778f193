//! Conversions of credits of one unit into another: amounts cut once as a whole, and the price of what is taken, to the last
//! decimal.

use rust_decimal::Decimal;

use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::exact::{self, Fraction, MAX_RATE_DECIMALS, Precision, Rounding};
use crate::domain::ledger::lot_price::LotPrice;

/// The credits that a lot gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// The amount that is taken: above zero, at most what the lot held.
    pub amount: Amount,
    /// The amount that the lot held before.
    pub held: Amount,
    /// The lot's price, of which a part goes along.
    pub price: LotPrice,
}

/// A lot that is opened for the conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Got {
    /// The amount in the new unit, above zero.
    pub amount: Amount,
    /// The part of the price that goes along.
    pub paid: Option<Amount>,
}

/// Why nothing can be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversionError {
    /// The lots that give are more than the smallest amounts of the new unit that come out.
    TooLittle,
    /// 10^15 or more.
    OutOfRange,
}

/// Converts the amounts that lots give, at a rate of the new unit for one of the old. The whole is cut once to the decimals of
/// the new unit, whatever that unit's rounding is: rounded up, it would be more than was given, and more with each way there and
/// back. Its parts add up to it.
///
/// Every lot that gives gets at least the smallest amount, so that no price is lost: where its share would be nothing, one step
/// is taken from the largest.
pub fn convert(given: &[Given], rate: &Fraction, decimals: u32) -> Result<Vec<Got>, ConversionError> {
    let precision = Precision { decimals, rounding: Rounding::Down };
    let weights: Vec<Amount> = given.iter().map(|given| given.amount).collect();
    let total: Amount = weights.iter().copied().sum();
    let whole = Fraction::from(total).times(rate).round(precision).ok_or(ConversionError::OutOfRange)?;
    let mut parts = exact::split(whole, &weights, decimals);
    raise_to_something(&mut parts, decimals)?;
    let got = |(given, amount): (&Given, Amount)| Got { amount, paid: given.price.stretch(given.held, given.amount) };
    let got: Vec<Got> = given.iter().zip(parts).map(got).collect();
    assert_eq!(got.iter().map(|got| got.amount).sum::<Amount>(), whole, "what is converted");
    Ok(got)
}

/// Gives every part that is nothing one step of the largest.
fn raise_to_something(parts: &mut [Amount], decimals: u32) -> Result<(), ConversionError> {
    let step = Amount::from_nanos(10_i128.pow(MAX_DECIMALS - decimals)).expect("a step of a unit");
    while let Some(nothing) = parts.iter().position(|part| part.is_zero()) {
        let largest = (0..parts.len()).max_by_key(|index| (parts[*index], std::cmp::Reverse(*index))).expect("a part");
        let left = parts[largest].checked_sub(step).filter(|left| left.is_positive()).ok_or(ConversionError::TooLittle)?;
        (parts[largest], parts[nothing]) = (left, step);
    }
    Ok(())
}

/// The rate as it is recorded: to as many decimals as can be written, at most 18. `None` when that is nothing.
pub fn recorded(rate: &Fraction) -> Option<Decimal> {
    let written = (0..=MAX_RATE_DECIMALS).rev().find_map(|decimals| rate.round_decimal(decimals, Rounding::HalfEven))?;
    (!written.is_zero()).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn given(taken: &str, held: &str, granted: &str, paid: &str) -> Given {
        let price =
            LotPrice { granted: amount(granted), paid: Some(amount(paid)), gained: Amount::ZERO, handed_on: Amount::ZERO };
        Given { amount: amount(taken), held: amount(held), price }
    }

    fn ratio(numerator: i64, denominator: i64) -> Fraction {
        Fraction::whole(numerator).over(&Fraction::whole(denominator)).unwrap()
    }

    /// An amount in a number of lots, as far as it can be divided.
    fn cut_into(nanos: i128, lots: i128) -> Vec<Given> {
        let lots = lots.min(nanos);
        let part = |lot: i128| nanos / lots + i128::from(lot < nanos % lots);
        let given = |lot| {
            let amount = Amount::from_nanos(part(lot)).unwrap();
            Given {
                amount,
                held: amount,
                price: LotPrice { granted: amount, paid: None, gained: Amount::ZERO, handed_on: Amount::ZERO },
            }
        };
        (0..lots).map(given).collect()
    }

    const CENTS: u32 = 2;

    #[test]
    fn the_whole_is_cut_once() {
        let lots = [given("10", "10", "10", "1"), given("0.5", "0.5", "0.5", "0"), given("6", "7", "7", "2")];
        let got = convert(&lots, &ratio(3, 100), CENTS).unwrap();
        let texts: Vec<_> = got.iter().map(|got| (got.amount.to_string(), got.paid.unwrap().to_string())).collect();
        // 16.5 at 0.03 are 0.495, which is 0.49; a third of a lot paid 2 would be cut, but its stretches add up.
        assert_eq!(texts, [("0.3".into(), "1".into()), ("0.01".into(), "0".into()), ("0.18".into(), "1.714285714".into())]);
        let rest = convert(&[given("1", "1", "7", "2")], &ratio(3, 100), CENTS).unwrap();
        assert_eq!(rest[0].paid, Some(amount("0.285714286")));
    }

    #[test]
    fn a_crumb_gets_the_smallest_amount_and_too_little_is_refused() {
        let lots = [given("0.01", "0.01", "1", "1"), given("10", "10", "10", "1")];
        let got = convert(&lots, &ratio(1, 10), CENTS).unwrap();
        assert_eq!(got.iter().map(|got| got.amount.to_string()).collect::<Vec<_>>(), ["0.01", "0.99"]);
        assert_eq!(convert(&lots, &ratio(1, 1000), CENTS), Err(ConversionError::TooLittle));
        assert_eq!(convert(&lots[..1], &ratio(1, 10), CENTS), Err(ConversionError::TooLittle));
    }

    #[test]
    fn a_lot_that_gained_does_not_gain_a_price() {
        // It was granted 10 for 5, five were used, and then it gained 8.
        let before = given("13", "13", "10", "5");
        let gained = Given { price: LotPrice { gained: amount("8"), ..before.price }, ..before };
        assert_eq!(convert(&[gained], &ratio(1, 1), CENTS).unwrap()[0].paid, Some(amount("2.5")));
    }

    #[test]
    fn a_rate_is_recorded_as_exactly_as_it_can_be_written() {
        assert_eq!(recorded(&ratio(100, 3)).unwrap().to_string(), "33.333333333333333333");
        assert_eq!(recorded(&ratio(1, 4)).unwrap().to_string(), "0.25");
        assert_eq!(recorded(&ratio(10_i64.pow(14), 3)).unwrap().to_string(), "33333333333333.333333333333333");
        assert_eq!(recorded(&ratio(1, i64::MAX)), None);
    }

    proptest! {
        #[test]
        fn in_whatever_pieces_the_whole_price_goes_along(
            pieces in prop::collection::vec(1_i128..10_i128.pow(18), 1..12),
            paid in 0_i128..10_i128.pow(20),
            fiat in (1_i64..1_000_000, 1_i64..1_000_000),
        ) {
            let granted: i128 = pieces.iter().sum();
            let nanos = |nanos| Amount::from_nanos(nanos).unwrap();
            let (mut held, mut carried) = (granted, 0);
            for piece in pieces {
                let price = LotPrice { granted: nanos(granted), paid: Some(nanos(paid)), gained: Amount::ZERO,
                    handed_on: Amount::ZERO };
                let taken = Given { amount: nanos(piece), held: nanos(held), price };
                held -= piece;
                if let Ok(got) = convert(&[taken], &ratio(fiat.0, fiat.1), 9) {
                    carried += got[0].paid.unwrap().nanos();
                } else {
                    carried += price.stretch(taken.held, taken.amount).unwrap().nanos();
                }
            }
            prop_assert_eq!(carried, paid);
        }

        /// Through any units, with any decimals, and back to the first: nobody gains, whatever they take along the way and in how
        /// many lots. Units have values, so the rates of a way that ends where it began multiply to one.
        #[test]
        fn no_way_there_and_back_gains(
            units in prop::collection::vec((1_i64..1_000_000, 1_i64..1_000_000, 0_u32..10), 2..6),
            ways in prop::collection::vec(prop::collection::vec(0_usize..6, 1..6), 1..6),
            nanos in 1_i128..10_i128.pow(16),
            lots in 1_i128..4,
        ) {
            let value = |unit: usize| { let (value, over, _) = units[unit % units.len()]; ratio(value, over) };
            let step = 10_i128.pow(9 - units[0].2);
            let begin = nanos / step * step;
            let mut held = begin;
            'ways: for way in ways {
                let before = held;
                let mut at = 0;
                let mut amount = held;
                for unit in way.into_iter().chain([0]) {
                    let rate = value(at).over(&value(unit)).unwrap();
                    match convert(&cut_into(amount, lots), &rate, units[unit % units.len()].2) {
                        Ok(got) => amount = got.iter().map(|got| got.amount.nanos()).sum(),
                        // A conversion into nothing is refused, and the account keeps what it had.
                        Err(_) => continue 'ways,
                    }
                    at = unit;
                }
                held = amount;
                prop_assert!(held <= before, "{before} became {held}");
            }
        }

        /// A rate that is given and its reciprocal, given on the way back.
        #[test]
        fn a_given_rate_and_its_reciprocal_do_not_gain(
            nanos in 1_i128..10_i128.pow(15), rate in 1_i128..10_i128.pow(12), there in 0_u32..10, rounds in 1_usize..20,
        ) {
            let rate = Fraction::from(Amount::from_nanos(rate).unwrap());
            let back = Fraction::whole(1).over(&rate).unwrap();
            let mut held = nanos;
            for _ in 0..rounds {
                let Ok(got) = convert(&cut_into(held, 1), &rate, there) else { break };
                let Ok(got) = convert(&cut_into(got[0].amount.nanos(), 1), &back, 9) else { break };
                prop_assert!(got[0].amount.nanos() <= held);
                held = got[0].amount.nanos();
            }
        }

        #[test]
        fn the_parts_add_up_to_the_whole(
            amounts in prop::collection::vec(1_i128..10_i128.pow(15), 1..20), fiat in (1_i64..1_000, 1_i64..1_000),
                decimals in 0_u32..10,
        ) {
            let lots: Vec<_> = amounts.iter().map(|nanos| {
                let amount = Amount::from_nanos(*nanos).unwrap();
                Given { amount, held: amount, price: LotPrice { granted: amount, paid: None, gained: Amount::ZERO,
                    handed_on: Amount::ZERO } }
            }).collect();
            if let Ok(got) = convert(&lots, &ratio(fiat.0, fiat.1), decimals) {
                let step = 10_i128.pow(9 - decimals);
                let whole = amounts.iter().sum::<i128>() * i128::from(fiat.0) / i128::from(fiat.1) / step * step;
                prop_assert_eq!(got.iter().map(|got| got.amount.nanos()).sum::<i128>(), whole);
                prop_assert!(got.iter().all(|got| got.amount.is_positive()));
            }
        }
    }
}
