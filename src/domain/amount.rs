//! Amounts of credits: exact decimals with at most nine decimals and a magnitude below 10^15.

use std::fmt;
use std::iter::Sum;

/// The most decimals an amount can have.
pub const MAX_DECIMALS: u32 = 9;

/// An amount's magnitude stays below this many units.
pub const LIMIT_UNITS: i128 = 1_000_000_000_000_000;

const NANOS_PER_UNIT: i128 = 1_000_000_000;
const LIMIT_NANOS: i128 = LIMIT_UNITS * NANOS_PER_UNIT;

/// An exact amount, counted in 10^-9 of a unit, always below [`LIMIT_UNITS`] in magnitude.
///
/// There is no lossy conversion into or out of it, and no rounding: a number that does not fit is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Why a number is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// It is not a decimal number at all.
    Malformed,
    /// NaN or an infinity.
    NotFinite,
    /// More significant decimals than are kept (9, or the unit's).
    TooManyDecimals,
    /// The magnitude is 10^15 or more.
    OutOfRange,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// The amount from billionths of a unit; `None` outside the range.
    pub fn from_nanos(nanos: i128) -> Option<Amount> {
        (nanos.abs() < LIMIT_NANOS).then_some(Amount(nanos))
    }

    /// The amount in billionths of a unit.
    pub fn nanos(self) -> i128 {
        self.0
    }

    /// Reads a decimal number as PostgreSQL prints a `numeric`: `-12.500`, `NaN`, `Infinity`; no exponent.
    /// Trailing zeros do not count as decimals.
    pub fn parse(text: &str) -> Result<Amount, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if matches!(digits, "NaN" | "Infinity") {
            return Err(AmountError::NotFinite);
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() && fraction.is_empty() {
            return Err(AmountError::Malformed);
        }
        let whole = parse_digits(whole.trim_start_matches('0'))?;
        if fraction.len() > MAX_DECIMALS as usize {
            return match fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                true => Err(AmountError::TooManyDecimals),
                false => Err(AmountError::Malformed),
            };
        }
        let scale = 10_i128.pow(MAX_DECIMALS - fraction.len() as u32);
        let nanos = whole * NANOS_PER_UNIT + parse_digits(fraction)? * scale;
        Amount::from_nanos(if negative { -nanos } else { nanos }).ok_or(AmountError::OutOfRange)
    }

    /// How many decimals it takes to write the amount exactly, 0 to 9.
    pub fn decimals(self) -> u32 {
        let mut decimals = MAX_DECIMALS;
        let mut fraction = (self.0 % NANOS_PER_UNIT) as i64;
        while decimals > 0 && fraction % 10 == 0 {
            fraction /= 10;
            decimals -= 1;
        }
        decimals
    }

    /// The amount as a whole number of its last decimal, and how many decimals that are: 12.5 is (125, 1).
    pub fn digits(self) -> (i128, u32) {
        let decimals = self.decimals();
        (self.0 / 10_i128.pow(MAX_DECIMALS - decimals), decimals)
    }

    /// Checks that the amount fits into a unit with this number of decimals.
    pub fn within(self, decimals: u32) -> Result<Amount, AmountError> {
        match self.decimals() <= decimals {
            true => Ok(self),
            false => Err(AmountError::TooManyDecimals),
        }
    }

    /// The greatest amount that there can be.
    pub const MAX: Amount = Amount(10_i128.pow(24) - 1);

    /// The amount without its decimals beyond `decimals`, towards zero.
    pub fn cut(self, decimals: u32) -> Amount {
        let step = 10_i128.pow(MAX_DECIMALS.saturating_sub(decimals));
        Amount::from_nanos(self.nanos() / step * step).expect("nearer to zero than an amount")
    }

    /// The sum; `None` outside the range.
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        // Two magnitudes below 10^24 cannot overflow an i128.
        Amount::from_nanos(self.0 + other.0)
    }

    /// The sum, or the greatest amount where the sum is beyond it: no debit asks for more.
    pub fn saturating_add(self, other: Amount) -> Amount {
        Amount((self.0 + other.0).min(Amount::MAX.0))
    }

    /// The difference; `None` outside the range.
    pub fn checked_sub(self, other: Amount) -> Option<Amount> {
        Amount::from_nanos(self.0 - other.0)
    }

    /// The amount with the other sign.
    pub fn negated(self) -> Amount {
        Amount(-self.0)
    }

    /// Whether it is above zero.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// Digits of at most 15 significant places; the empty string is zero.
fn parse_digits(digits: &str) -> Result<i128, AmountError> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AmountError::Malformed);
    }
    if digits.len() > 15 {
        return Err(AmountError::OutOfRange);
    }
    Ok(digits.bytes().fold(0, |value, byte| value * 10 + i128::from(byte - b'0')))
}

/// The shortest exact decimal: `12.5`, `-3`, `0`.
impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.abs() / NANOS_PER_UNIT, self.0.abs() % NANOS_PER_UNIT);
        if fraction == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        let fraction = format!("{fraction:09}");
        write!(formatter, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// The sum of amounts whose total is known to be in range, as the remaining amounts of one lot are.
///
/// # Panics
/// When the total is out of range: that would be a broken invariant, and going on would lose digits.
impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, |total, amount| total.checked_add(amount).expect("a sum of amounts out of range"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn reads_and_writes_the_shortest_form() {
        for (text, expected) in
            [("12.5", "12.5"), ("-3.000", "-3"), ("0.000000001", "0.000000001"), (".5", "0.5"), ("007", "7"), ("-0", "0")]
        {
            assert_eq!(amount(text).to_string(), expected);
        }
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        for (text, error) in [
            ("NaN", AmountError::NotFinite),
            ("Infinity", AmountError::NotFinite),
            ("-Infinity", AmountError::NotFinite),
            ("0.0000000001", AmountError::TooManyDecimals),
            ("1000000000000000", AmountError::OutOfRange),
            ("-1000000000000000", AmountError::OutOfRange),
            ("99999999999999999999999999999999999999999999999999", AmountError::OutOfRange),
            ("", AmountError::Malformed),
            (".", AmountError::Malformed),
            ("-", AmountError::Malformed),
            ("1e3", AmountError::Malformed),
            ("1.00000000x1", AmountError::Malformed),
            ("--1", AmountError::Malformed),
        ] {
            assert_eq!(Amount::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn keeps_the_largest_magnitude() {
        let largest = "999999999999999.999999999";
        assert_eq!(amount(largest).to_string(), largest);
        assert_eq!(amount(largest).checked_add(amount("0.000000001")), None);
        assert_eq!(amount(largest).negated().checked_sub(amount("0.000000001")), None);
    }

    #[test]
    fn trailing_zeros_are_not_decimals() {
        assert_eq!(amount("1.500000000000").decimals(), 1);
        assert_eq!(amount("100").decimals(), 0);
        assert_eq!(amount("1.23").within(1), Err(AmountError::TooManyDecimals));
        assert_eq!(amount("1.20").within(1), Ok(amount("1.2")));
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(nanos in -(LIMIT_NANOS - 1)..LIMIT_NANOS) {
            let value = Amount::from_nanos(nanos).unwrap();
            prop_assert_eq!(Amount::parse(&value.to_string()), Ok(value));
            let (digits, decimals) = value.digits();
            prop_assert_eq!(digits * 10_i128.pow(MAX_DECIMALS - decimals), nanos);
            prop_assert!(decimals == 0 || digits % 10 != 0);
        }

        #[test]
        fn sums_are_exact(a in -LIMIT_NANOS/2..LIMIT_NANOS/2, b in -LIMIT_NANOS/2..LIMIT_NANOS/2) {
            let sum = Amount::from_nanos(a).unwrap().checked_add(Amount::from_nanos(b).unwrap()).unwrap();
            prop_assert_eq!(sum.nanos(), a + b);
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = Amount::parse(&text);
        }
    }
}
