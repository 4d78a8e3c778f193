//! The part of a lot's unused credits that goes on when the lot's time is up.

use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::calendar::Span;
use crate::domain::exact::{self, Fraction, Precision, Rounding};

/// When rolled credits are drawn, beside fresh ones of the same schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    First,
    Last,
}

/// A schedule's terms for its unused credits. A limit that is not declared is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollover {
    /// This part of what is unused rolls.
    pub fraction_of_unused: Option<Decimal>,
    /// At most this part of what the lot was granted as it was issued.
    pub max_fraction_of_original: Option<Decimal>,
    /// The most that is carried at a boundary, with what was carried before and still lives.
    pub max_amount: Option<Amount>,
    /// Less than this does not roll.
    pub min_amount: Option<Amount>,
    /// How many times a credit rolls at most.
    pub max_periods: Option<i32>,
    /// How long the rolled lot lives; until the end of the next period where it is not said.
    pub expires_after: Option<Span>,
    /// Whether rolled lots are drawn before fresh ones, or after them.
    pub drawn: Option<Drawn>,
}

/// Why a policy makes no sense: the key, and what is wrong with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloverError {
    /// The key of the policy.
    pub key: String,
    /// The sentence about its value, without the key.
    pub problem: String,
}

/// The most decimals of a fraction.
const FRACTION_DECIMALS: u32 = 6;

impl Rollover {
    /// Reads a policy from JSON; `length` reads the text of a length of time.
    pub fn parse(json: &str, length: impl Fn(&str) -> Span) -> Result<Rollover, RolloverError> {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json)
            .map_err(|_| RolloverError { key: "rollover".into(), problem: "must be an object".into() })?;
        let mut rollover = Rollover::default();
        for (key, value) in &object {
            let refuse = |problem: &str| RolloverError { key: key.clone(), problem: problem.into() };
            if value.is_null() {
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let fraction =
                || exact::parse_decimal(&text).ok().filter(|part| *part <= Decimal::ONE && part.scale() <= FRACTION_DECIMALS);
            let amount = || Amount::parse(&text).ok().filter(|amount| *amount >= Amount::ZERO);
            match key.as_str() {
                "fraction_of_unused" => {
                    rollover.fraction_of_unused =
                        Some(fraction().ok_or_else(|| refuse("must be between 0 and 1, with at most 6 decimals"))?);
                }
                "max_fraction_of_original" => {
                    rollover.max_fraction_of_original =
                        Some(fraction().ok_or_else(|| refuse("must be between 0 and 1, with at most 6 decimals"))?);
                }
                "max_amount" => {
                    rollover.max_amount = Some(amount().ok_or_else(|| refuse("must be an amount that is not negative"))?)
                }
                "min_amount" => {
                    rollover.min_amount = Some(amount().ok_or_else(|| refuse("must be an amount that is not negative"))?)
                }
                "max_periods" => {
                    let number = text.parse().ok().filter(|number| (0..=1000).contains(number));
                    rollover.max_periods = Some(number.ok_or_else(|| refuse("must be a whole number from 0 to 1000"))?);
                }
                "expires_after" if value.is_string() => rollover.expires_after = Some(length(&text)),
                "drawn" => {
                    rollover.drawn = Some(match text.as_str() {
                        "first" => Drawn::First,
                        "last" => Drawn::Last,
                        _ => return Err(refuse("must be first or last")),
                    });
                }
                _ => return Err(refuse("is not known")),
            }
        }
        Ok(rollover)
    }
}

/// A lot whose time is up, or one carried before that lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unused {
    /// The period it was issued for: the lower, the older.
    pub period: i64,
    /// How often it was rolled.
    pub rolled: i32,
    /// The amount that was issued for that period.
    pub original: Amount,
    pub remaining: Amount,
    /// Its time is up.
    pub ends: bool,
}

impl Rollover {
    /// How much of each lot is carried on: of those whose time is up, what rolls; of the others, what they keep. `lots` are the
    /// oldest first.
    pub fn carried(&self, lots: &[Unused], decimals: u32) -> Vec<Amount> {
        let mut carried: Vec<_> = lots.iter().map(|lot| self.of_lot(lot, decimals)).collect();
        let rolling: Amount = lots.iter().zip(&carried).filter(|(lot, _)| lot.ends).map(|(_, amount)| *amount).sum();
        if self.min_amount.is_some_and(|least| rolling < least) {
            lots.iter().zip(&mut carried).filter(|(lot, _)| lot.ends).for_each(|(_, amount)| *amount = Amount::ZERO);
        }
        if let Some(most) = self.max_amount {
            let mut excess = carried.iter().copied().sum::<Amount>().checked_sub(most).unwrap_or(Amount::ZERO);
            for amount in &mut carried {
                let cut = excess.max(Amount::ZERO).min(*amount);
                *amount = less(*amount, cut);
                excess = less(excess, cut);
            }
        }
        carried
    }

    fn of_lot(&self, lot: &Unused, decimals: u32) -> Amount {
        if !lot.ends {
            return lot.remaining;
        }
        if self.max_periods.is_some_and(|most| lot.rolled >= most) {
            return Amount::ZERO;
        }
        let part = |whole: Amount, fraction: Option<Decimal>| fraction.map(|fraction| part(whole, fraction, decimals));
        let unused = part(lot.remaining, self.fraction_of_unused).unwrap_or(lot.remaining);
        part(lot.original, self.max_fraction_of_original).map_or(unused, |most| unused.min(most))
    }

    /// Whether a boundary takes from what was carried before.
    pub fn trims(&self) -> bool {
        self.max_amount.is_some()
    }
}

/// A part of an amount, rounded down: never more is carried than was declared.
fn part(whole: Amount, fraction: Decimal, decimals: u32) -> Amount {
    let exact = Fraction::from(whole).times(&Fraction::from(fraction));
    exact.round(Precision { decimals, rounding: Rounding::Down }).expect("a part of an amount")
}

/// The difference of amounts that cannot fall below their limits.
pub fn less(from: Amount, amount: Amount) -> Amount {
    from.checked_sub(amount).expect("a difference of amounts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn ending(period: i64, rolled: i32, original: &str, remaining: &str) -> Unused {
        Unused { period, rolled, original: amount(original), remaining: amount(remaining), ends: true }
    }

    fn carried(rollover: &Rollover, lots: &[Unused]) -> Vec<String> {
        rollover.carried(lots, 2).iter().map(ToString::to_string).collect()
    }

    fn half() -> Option<Decimal> {
        Some(Decimal::new(5, 1))
    }

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let month = |_: &str| Span::of_months(1);
        let read = Rollover::parse(
            r#"{"fraction_of_unused": 0.5, "max_periods": 1, "expires_after": "1 month", "drawn": "first"}"#,
            month,
        );
        let expected = Rollover {
            fraction_of_unused: half(),
            max_periods: Some(1),
            expires_after: Some(Span::of_months(1)),
            drawn: Some(Drawn::First),
            ..Rollover::default()
        };
        assert_eq!(read, Ok(expected));
        for (wrong, key) in [
            (r#"{"fraction_of_unused": 1.1}"#, "fraction_of_unused"),
            (r#"{"max_amount": -1}"#, "max_amount"),
            (r#"{"max_periods": 1.5}"#, "max_periods"),
            (r#"{"expires_after": 3}"#, "expires_after"),
            (r#"{"drawn": "never"}"#, "drawn"),
            (r#"{"max_fraction": 1}"#, "max_fraction"),
            ("[]", "rollover"),
        ] {
            assert_eq!(Rollover::parse(wrong, month).unwrap_err().key, key);
        }
    }

    #[test]
    fn nothing_said_is_no_limit() {
        assert_eq!(carried(&Rollover::default(), &[ending(0, 5, "100", "33.33")]), ["33.33"]);
    }

    #[test]
    fn parts_are_rounded_down() {
        let policy = Rollover { fraction_of_unused: half(), ..Rollover::default() };
        assert_eq!(carried(&policy, &[ending(0, 0, "100", "33.33")]), ["16.66"]);
        let policy = Rollover { max_fraction_of_original: half(), ..policy };
        assert_eq!(carried(&policy, &[ending(0, 0, "20", "20"), ending(1, 0, "10", "20")]), ["10", "5"]);
    }

    #[test]
    fn a_credit_rolls_so_many_times() {
        let policy = Rollover { max_periods: Some(1), ..Rollover::default() };
        assert_eq!(carried(&policy, &[ending(0, 1, "100", "40"), ending(1, 0, "100", "30")]), ["0", "30"]);
    }

    #[test]
    fn too_little_does_not_roll() {
        let policy = Rollover { min_amount: Some(amount("10")), ..Rollover::default() };
        assert_eq!(carried(&policy, &[ending(0, 0, "100", "9.99")]), ["0"]);
        assert_eq!(carried(&policy, &[ending(0, 0, "100", "5"), ending(1, 0, "100", "5")]), ["5", "5"]);
    }

    #[test]
    fn the_oldest_is_trimmed() {
        let policy = Rollover { max_amount: Some(amount("50")), ..Rollover::default() };
        let before = Unused { ends: false, ..ending(0, 1, "100", "40") };
        assert_eq!(carried(&policy, &[before, ending(1, 0, "100", "30")]), ["20", "30"]);
        assert_eq!(carried(&policy, &[before, ending(1, 0, "100", "70")]), ["0", "50"]);
        assert_eq!(carried(&policy, &[before, ending(1, 0, "100", "0")]), ["40", "0"]);
    }
}
