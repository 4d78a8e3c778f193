//! Exact arithmetic for rates, prices and costs: fractions that lose nothing, and the one place where a number is rounded.
//!
//! Rates are [`Decimal`]s, which hold 28 digits. Their own multiplication and addition drop digits silently beyond that, so
//! nothing is computed with them: every computation is one of [`Fraction`]s.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use num_bigint::{BigInt, Sign};
use rust_decimal::Decimal;

use crate::domain::amount::{Amount, MAX_DECIMALS};

/// How a number is rounded that lies between two that can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearer one; from the middle to the even one.
    #[default]
    HalfEven,
    /// To the nearer one; from the middle away from zero.
    HalfUp,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
}

/// Every way to round with its name in SQL.
const ROUNDINGS: [(Rounding, &str); 4] =
    [(Rounding::HalfEven, "half_even"), (Rounding::HalfUp, "half_up"), (Rounding::Up, "up"), (Rounding::Down, "down")];

impl FromStr for Rounding {
    type Err = ();
    fn from_str(name: &str) -> Result<Rounding, ()> {
        ROUNDINGS.iter().find(|(_, known)| *known == name).map(|(rounding, _)| *rounding).ok_or(())
    }
}

impl fmt::Display for Rounding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(ROUNDINGS.iter().find(|(rounding, _)| rounding == self).expect("a named rounding").1)
    }
}

/// How the amounts of a unit are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// The number of decimals.
    pub decimals: u32,
    /// How a computed amount gets there.
    pub rounding: Rounding,
}

/// A ratio of two whole numbers of any size. Its denominator is above zero; it is not reduced.
#[derive(Clone, Debug)]
pub struct Fraction {
    numerator: BigInt,
    denominator: BigInt,
}

impl Fraction {
    /// Nothing.
    pub fn zero() -> Fraction {
        Fraction { numerator: BigInt::ZERO, denominator: BigInt::from(1) }
    }

    /// A whole number.
    pub fn whole(number: i64) -> Fraction {
        Fraction { numerator: BigInt::from(number), denominator: BigInt::from(1) }
    }

    /// The sum. A denominator that is a multiple of the other one, as among decimals, serves both: long sums stay short.
    pub fn plus(&self, other: &Fraction) -> Fraction {
        let (fine, coarse) = if self.denominator >= other.denominator { (self, other) } else { (other, self) };
        if &fine.denominator % &coarse.denominator == BigInt::ZERO {
            let numerator = &fine.numerator + &coarse.numerator * (&fine.denominator / &coarse.denominator);
            return Fraction { numerator, denominator: fine.denominator.clone() };
        }
        let numerator = &self.numerator * &other.denominator + &other.numerator * &self.denominator;
        Fraction { numerator, denominator: &self.denominator * &other.denominator }
    }

    /// The difference.
    pub fn minus(&self, other: &Fraction) -> Fraction {
        let negated = Fraction { numerator: -&other.numerator, denominator: other.denominator.clone() };
        self.plus(&negated)
    }

    /// The product.
    pub fn times(&self, other: &Fraction) -> Fraction {
        Fraction { numerator: &self.numerator * &other.numerator, denominator: &self.denominator * &other.denominator }
    }

    /// The quotient; `None` for a division by zero.
    pub fn over(&self, other: &Fraction) -> Option<Fraction> {
        if other.is_zero() {
            return None;
        }
        let sign = BigInt::from(if other.numerator.sign() == Sign::Minus { -1 } else { 1 });
        let numerator = &self.numerator * &other.denominator * &sign;
        Some(Fraction { numerator, denominator: &self.denominator * &other.numerator * sign })
    }

    /// The least whole number that is not below it, for a fraction that is not negative: how many blocks were started.
    pub fn started(&self) -> Fraction {
        let (quotient, rest) = (&self.numerator / &self.denominator, &self.numerator % &self.denominator);
        let started = if rest == BigInt::ZERO { quotient } else { quotient + 1 };
        Fraction { numerator: started, denominator: BigInt::from(1) }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.numerator == BigInt::ZERO
    }

    /// Rounds to a number of decimals: the whole number of the last decimal that comes out.
    fn scaled(&self, decimals: u32, rounding: Rounding) -> BigInt {
        let scaled = &self.numerator * BigInt::from(10).pow(decimals);
        let (quotient, rest) = (&scaled / &self.denominator, &scaled % &self.denominator);
        let away_from_zero = BigInt::from(if scaled.sign() == Sign::Minus { -1 } else { 1 });
        let rest = rest.magnitude() * 2_u32;
        let to_middle = rest.cmp(self.denominator.magnitude());
        let is_odd = &quotient % 2 != BigInt::ZERO;
        let goes_away = match rounding {
            Rounding::Down => false,
            Rounding::Up => rest != BigInt::ZERO.magnitude().clone(),
            Rounding::HalfUp => to_middle != Ordering::Less,
            Rounding::HalfEven => to_middle == Ordering::Greater || (to_middle == Ordering::Equal && is_odd),
        };
        if goes_away { quotient + away_from_zero } else { quotient }
    }

    /// The amount it is, rounded as the unit says; `None` outside the range of amounts.
    pub fn round(&self, precision: Precision) -> Option<Amount> {
        let scaled = i128::try_from(self.scaled(precision.decimals, precision.rounding)).ok()?;
        let nanos = scaled.checked_mul(10_i128.pow(MAX_DECIMALS - precision.decimals))?;
        Amount::from_nanos(nanos)
    }

    /// The decimal it is, rounded to a number of decimals; `None` when it takes more than 28 digits.
    pub fn round_decimal(&self, decimals: u32, rounding: Rounding) -> Option<Decimal> {
        let scaled = i128::try_from(self.scaled(decimals, rounding)).ok()?;
        Decimal::try_from_i128_with_scale(scaled, decimals).ok().map(|decimal| decimal.normalize())
    }
}

impl From<i128> for Fraction {
    fn from(number: i128) -> Fraction {
        Fraction { numerator: BigInt::from(number), denominator: BigInt::from(1) }
    }
}

impl From<Decimal> for Fraction {
    fn from(decimal: Decimal) -> Fraction {
        Fraction { numerator: BigInt::from(decimal.mantissa()), denominator: BigInt::from(10).pow(decimal.scale()) }
    }
}

impl From<Amount> for Fraction {
    fn from(amount: Amount) -> Fraction {
        let (digits, decimals) = amount.digits();
        Fraction { numerator: BigInt::from(digits), denominator: BigInt::from(10).pow(decimals) }
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Fraction) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Fraction) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Fraction) -> Ordering {
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }
}

/// Why a number cannot be a rate or a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// NaN, infinite, or no number.
    NotFinite,
    /// Below zero.
    Negative,
    /// 10^15 or more.
    OutOfRange,
    /// More than 28 digits, or more than 18 decimals.
    TooManyDigits,
}

/// The most decimals of a rate or a cost: a price of 0.01 for a million tokens takes eight.
pub const MAX_RATE_DECIMALS: u32 = 18;

/// Reads a number that is not negative as PostgreSQL prints a `numeric`, without losing a digit.
pub fn parse_decimal(text: &str) -> Result<Decimal, DecimalError> {
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    let whole = text.trim_start_matches('-').split('.').next().unwrap_or_default().trim_start_matches('0');
    if whole.len() > 15 && whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::OutOfRange);
    }
    if text.split_once('.').is_some_and(|(_, fraction)| fraction.len() > MAX_RATE_DECIMALS as usize) {
        return Err(DecimalError::TooManyDigits);
    }
    let decimal = match Decimal::from_str_exact(if text.is_empty() { "0" } else { text }) {
        Ok(decimal) => decimal,
        Err(rust_decimal::Error::Underflow | rust_decimal::Error::ExceedsMaximumPossibleValue) => {
            return Err(DecimalError::TooManyDigits);
        }
        Err(_) => return Err(DecimalError::NotFinite),
    };
    if decimal.is_sign_negative() && !decimal.is_zero() { Err(DecimalError::Negative) } else { Ok(decimal.normalize()) }
}

/// Splits a whole by weights, in steps of the last decimal: the parts add up to it exactly. Each gets its share
/// rounded down, and the steps that are left over go to the largest remainders, the first of equal ones (the method of Hamilton).
pub fn split(whole: Amount, weights: &[Amount], decimals: u32) -> Vec<Amount> {
    assert!(whole >= Amount::ZERO && weights.iter().all(|weight| *weight >= Amount::ZERO) && decimals <= MAX_DECIMALS);
    let total: BigInt = weights.iter().map(|weight| BigInt::from(weight.nanos())).sum();
    assert!(total.sign() == Sign::Plus, "weights that are all zero");
    let step = 10_i128.pow(MAX_DECIMALS - decimals);
    let (steps, crumb) = (whole.nanos() / step, whole.nanos() % step);
    let exact: Vec<BigInt> = weights.iter().map(|weight| BigInt::from(steps) * BigInt::from(weight.nanos())).collect();
    let mut parts: Vec<i128> =
        exact.iter().map(|part| i128::try_from(part / &total).expect("a share of an amount in range")).collect();
    let left_over = steps - parts.iter().sum::<i128>();
    let mut by_remainder: Vec<usize> = (0..parts.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(&exact[*index] % &total));
    by_remainder.iter().take(left_over as usize).for_each(|index| parts[*index] += 1);
    let with_crumb = by_remainder[0];
    let nanos = |(index, part): (usize, i128)| part * step + if index == with_crumb { crumb } else { 0 };
    parts
        .into_iter()
        .enumerate()
        .map(nanos)
        .map(|nanos| Amount::from_nanos(nanos).expect("a share of an amount in range"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn rounded(text: &str, decimals: u32, rounding: Rounding) -> String {
        Fraction::from(Decimal::from_str_exact(text).unwrap()).round(Precision { decimals, rounding }).unwrap().to_string()
    }

    #[test]
    fn rounds_at_the_borders() {
        use Rounding::{Down, HalfEven, HalfUp, Up};
        let cases = [
            ("0.5", [(HalfEven, "0"), (HalfUp, "1"), (Up, "1"), (Down, "0")]),
            ("1.5", [(HalfEven, "2"), (HalfUp, "2"), (Up, "2"), (Down, "1")]),
            ("2.5", [(HalfEven, "2"), (HalfUp, "3"), (Up, "3"), (Down, "2")]),
            ("2.4999999999999999999", [(HalfEven, "2"), (HalfUp, "2"), (Up, "3"), (Down, "2")]),
            ("2.5000000000000000001", [(HalfEven, "3"), (HalfUp, "3"), (Up, "3"), (Down, "2")]),
            ("3", [(HalfEven, "3"), (HalfUp, "3"), (Up, "3"), (Down, "3")]),
            ("-0.5", [(HalfEven, "0"), (HalfUp, "-1"), (Up, "-1"), (Down, "0")]),
            ("-2.5", [(HalfEven, "-2"), (HalfUp, "-3"), (Up, "-3"), (Down, "-2")]),
        ];
        for (text, expected) in cases {
            for (rounding, result) in expected {
                assert_eq!(rounded(text, 0, rounding), result, "{text} {rounding}");
            }
        }
        assert_eq!(rounded("0.0000005", 6, HalfEven), "0");
        assert_eq!(rounded("0.0000015", 6, HalfEven), "0.000002");
    }

    #[test]
    fn loses_nothing_where_decimals_would() {
        // 28 digits times 24 digits: the product has 52.
        let rate = Fraction::from(Decimal::from_str_exact("9999999999.999999999999999999").unwrap());
        let product = rate.times(&Fraction::from(amount("99999.999999999")));
        let back = product.over(&rate).unwrap();
        assert_eq!(back.round(Precision { decimals: 9, rounding: Rounding::Down }), Some(amount("99999.999999999")));
    }

    #[test]
    fn an_amount_out_of_range_is_none() {
        let half = Fraction::from(amount("999999999999999"));
        assert_eq!(half.plus(&half).round(Precision { decimals: 0, rounding: Rounding::Down }), None);
        assert_eq!(Fraction::whole(1).over(&Fraction::zero()), None);
    }

    #[test]
    fn reads_rates_without_losing_a_digit() {
        assert_eq!(parse_decimal("0.000000075").unwrap().to_string(), "0.000000075");
        assert_eq!(parse_decimal("1000.000").unwrap().to_string(), "1000");
        assert_eq!(parse_decimal("999999999999999.0000000000001").unwrap().to_string(), "999999999999999.0000000000001");
        assert_eq!(parse_decimal("0.0000000000000000001"), Err(DecimalError::TooManyDigits));
        assert_eq!(parse_decimal("999999999999999.00000000000000001"), Err(DecimalError::TooManyDigits));
        assert_eq!(parse_decimal("1000000000000000"), Err(DecimalError::OutOfRange));
        assert_eq!(parse_decimal("-1"), Err(DecimalError::Negative));
        assert_eq!(parse_decimal("NaN"), Err(DecimalError::NotFinite));
        assert_eq!(parse_decimal("Infinity"), Err(DecimalError::NotFinite));
        assert_eq!(parse_decimal("-0.00").unwrap().to_string(), "0");
    }

    #[test]
    fn splits_by_largest_remainder() {
        let texts = |parts: Vec<Amount>| parts.iter().map(Amount::to_string).collect::<Vec<_>>();
        let equal = [amount("1"), amount("1"), amount("1")];
        assert_eq!(texts(split(amount("10"), &equal, 0)), ["4", "3", "3"]);
        assert_eq!(texts(split(amount("0.01"), &equal, 2)), ["0.01", "0", "0"]);
        assert_eq!(texts(split(amount("10"), &[amount("1"), amount("2")], 0)), ["3", "7"]);
    }

    proptest! {
        #[test]
        fn a_split_adds_up(
            whole in 0_i128..10_i128.pow(23),
            weights in prop::collection::vec(0_i128..10_i128.pow(20), 1..8),
            decimals in 0_u32..10,
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let whole = Amount::from_nanos(whole).unwrap();
            let weights: Vec<_> = weights.into_iter().map(|nanos| Amount::from_nanos(nanos).unwrap()).collect();
            let parts = split(whole, &weights, decimals);
            prop_assert_eq!(parts.iter().copied().sum::<Amount>(), whole);
            // No part is a whole step away from its exact share, but for the crumb below the unit's last decimal.
            let total = weights.iter().fold(Fraction::zero(), |sum, weight| sum.plus(&Fraction::from(*weight)));
            let step = Fraction::from(Amount::from_nanos(2 * 10_i128.pow(MAX_DECIMALS - decimals)).unwrap());
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = Fraction::from(whole).times(&Fraction::from(*weight)).over(&total).unwrap();
                let distance = exact.minus(&Fraction::from(*part));
                prop_assert!(distance < step && Fraction::zero().minus(&distance) < step);
            }
        }

        #[test]
        fn rounding_is_off_by_less_than_a_step(numerator in -10_i64.pow(15)..10_i64.pow(15), denominator in 1_i64..10_i64.pow(9),
            decimals in 0_u32..7) {
            let exact = Fraction::whole(numerator).over(&Fraction::whole(denominator)).unwrap();
            let step = Fraction::whole(1).over(&Fraction::whole(10_i64.pow(decimals))).unwrap();
            let at = |rounding| exact.round(Precision { decimals, rounding }).map(Fraction::from);
            if let (Some(down), Some(up), Some(even)) = (at(Rounding::Down), at(Rounding::Up), at(Rounding::HalfEven)) {
                prop_assert!(even == down || even == up);
                let width = if numerator < 0 { down.minus(&up) } else { up.minus(&down) };
                prop_assert!(width.is_zero() || width == step);
            }
        }
    }
}
