//! Checks of the arguments that callers give: names, amounts, instants, lengths of time.

use chrono::{DateTime, Datelike, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::{Amount, AmountError};
use crate::domain::pools::department;
use crate::domain::rates::dimensions::Dimensions;
use crate::domain::{currency, exact, names};
use crate::values::json::JsonText;
use crate::{error, settings, values};

/// Instants end with this year, so that adding to one stays within the calendar.
const MAX_YEAR: i32 = 200_000;

/// The longest length of time, in years.
const MAX_LENGTH_YEARS: i32 = 10_000;

/// An argument that must be given.
///
/// # Errors
/// 22023 when it is NULL.
pub fn required<T>(argument: &str, value: Option<T>) -> Result<T, ErrorReport> {
    value.ok_or_else(|| error::null_argument(argument))
}

/// A name that must be given.
///
/// # Errors
/// 22023 when it is NULL, empty, too long, or confusing.
pub fn name<'a>(argument: &str, value: Option<&'a str>) -> Result<&'a str, ErrorReport> {
    let value = required(argument, value)?;
    names::check(value).map_err(|broken| error::invalid_name(argument, value, broken))?;
    Ok(value)
}

/// A name that may be left out.
///
/// # Errors
/// As [`name`].
pub fn optional_name<'a>(argument: &str, value: Option<&'a str>) -> Result<Option<&'a str>, ErrorReport> {
    value.map(|value| name(argument, Some(value))).transpose()
}

/// The path of a department.
///
/// # Errors
/// 22023.
pub fn optional_department<'a>(argument: &str, value: Option<&'a str>) -> Result<Option<&'a str>, ErrorReport> {
    let path = optional_name(argument, value)?;
    match path.and_then(|path| Some((path, department::broken_rule(path)?))) {
        Some((path, rule)) => Err(error::invalid_department(argument, path, rule)),
        None => Ok(path),
    }
}

/// An amount, of any sign.
///
/// # Errors
/// 22023 when it is NaN, infinite or has more than nine decimals; 22003 from 10^15 on.
pub fn amount(argument: &str, value: &AnyNumeric) -> Result<Amount, ErrorReport> {
    let text = value.normalize();
    Amount::parse(text).map_err(|broken| match broken {
        AmountError::OutOfRange => error::amount_out_of_range(argument, text),
        AmountError::TooManyDecimals => error::too_many_decimals(argument, text, crate::domain::amount::MAX_DECIMALS),
        AmountError::NotFinite | AmountError::Malformed => error::not_a_number(argument, text),
    })
}

/// An amount that must be given and above zero.
///
/// # Errors
/// As [`amount`], and 22023 when it is NULL, zero or negative.
pub fn positive_amount(argument: &str, value: Option<&AnyNumeric>) -> Result<Amount, ErrorReport> {
    let value = amount(argument, required(argument, value)?)?;
    if value.is_positive() { Ok(value) } else { Err(error::not_positive(argument, value)) }
}

/// A quantity: an amount that is not negative.
///
/// # Errors
/// As [`amount`], and 22023 when it is NULL or negative.
pub fn quantity(value: Option<&AnyNumeric>) -> Result<Amount, ErrorReport> {
    quantity_of("quantity", value)
}

/// The same under another name.
///
/// # Errors
/// As [`quantity`].
pub fn quantity_of(argument: &str, value: Option<&AnyNumeric>) -> Result<Amount, ErrorReport> {
    let value = amount(argument, required(argument, value)?)?;
    if value >= Amount::ZERO { Ok(value) } else { Err(error::negative_quantity(argument, &value.to_string())) }
}

/// A rate, a cost or a bound of a tier: at most 28 digits, none of which is lost.
///
/// # Errors
/// 22023 when it is negative, not finite, or has too many digits; 22003 from 10^15 on.
pub fn decimal(argument: &str, value: &AnyNumeric) -> Result<Decimal, ErrorReport> {
    let text = value.normalize();
    exact::parse_decimal(text).map_err(|broken| error::invalid_number(argument, text, broken))
}

/// A currency that may be left out.
///
/// # Errors
/// 22023 when it does not exist.
pub fn optional_currency(value: Option<&str>) -> Result<Option<&str>, ErrorReport> {
    if let Some(code) = value {
        currency::check(code).map_err(|broken| error::invalid_currency(code, broken))?;
    }
    Ok(value)
}

/// A text of the caller's own that is only kept.
///
/// # Errors
/// 22023 when it is too long.
pub fn short<'a>(argument: &str, value: Option<&'a str>) -> Result<Option<&'a str>, ErrorReport> {
    let most = settings::max_metadata_bytes();
    match value {
        Some(text) if text.len() > most => Err(error::too_long(argument, text.len(), most)),
        value => Ok(value),
    }
}

/// Metadata that may be left out.
///
/// # Errors
/// As [`short`].
pub fn metadata(value: Option<JsonText>) -> Result<Option<String>, ErrorReport> {
    short("metadata", value.as_ref().map(|value| value.0.as_str()))?;
    Ok(value.map(|value| value.0))
}

/// Dimensions that may be left out.
///
/// # Errors
/// 22023 when they are not a flat JSON object, or too long.
pub fn dimensions(value: Option<&JsonText>) -> Result<Option<Dimensions>, ErrorReport> {
    short("dimensions", value.map(|json| json.0.as_str()))?;
    value.map(|json| Dimensions::parse(&json.0)).transpose().map_err(|broken| error::invalid_dimensions(&broken))
}

/// An instant.
///
/// # Errors
/// 22023 when it is infinite or after the year 200,000.
pub fn instant(argument: &str, value: TimestampWithTimeZone) -> Result<DateTime<Utc>, ErrorReport> {
    let microseconds: pg_sys::TimestampTz = value.into();
    values::instant_from_microseconds(microseconds)
        .filter(|instant| instant.year() <= MAX_YEAR)
        .ok_or_else(|| error::instant_out_of_range(argument, &value.to_string(), MAX_YEAR))
}

/// An instant that may be left out.
///
/// # Errors
/// As [`instant`].
pub fn optional_instant(argument: &str, value: Option<TimestampWithTimeZone>) -> Result<Option<DateTime<Utc>>, ErrorReport> {
    value.map(|value| instant(argument, value)).transpose()
}

/// A number of days back from now.
///
/// # Errors
/// 22023 when it is NULL, below 1 or above `most`.
pub fn days(argument: &str, value: Option<i32>, most: i32) -> Result<i32, ErrorReport> {
    let days = required(argument, value)?;
    if (1..=most).contains(&days) { Ok(days) } else { Err(error::invalid_days(argument, days, most)) }
}

/// A length of time that may be left out.
///
/// # Errors
/// 22023 when it is longer than 10,000 years.
pub fn optional_length(argument: &str, value: Option<Interval>) -> Result<Option<Interval>, ErrorReport> {
    let years = |length: &Interval| {
        let days = length.days() / 365 + (length.micros() / 86_400_000_000 / 365) as i32;
        (length.months() / 12).saturating_add(days)
    };
    match value {
        Some(length) if years(&length).saturating_abs() > MAX_LENGTH_YEARS => {
            Err(error::length_out_of_range(argument, years(&length), MAX_LENGTH_YEARS))
        }
        length => Ok(length),
    }
}

/// A card's notice, which may be left out.
///
/// # Errors
/// 22023 when it is negative, or longer than 10,000 years.
pub fn notice(value: Option<Interval>) -> Result<Option<Interval>, ErrorReport> {
    let is_negative = |notice: &Interval| notice.months() < 0 || notice.days() < 0 || notice.micros() < 0;
    match optional_length("notice", value)? {
        Some(notice) if is_negative(&notice) => Err(error::negative_notice()),
        notice => Ok(notice),
    }
}

/// A time of grace that may be left out.
///
/// # Errors
/// 22023 when any part of it is negative, or it is longer than 10,000 years.
pub fn grace(argument: &str, value: Option<Interval>) -> Result<Option<Interval>, ErrorReport> {
    let is_negative = |length: &Interval| length.months() < 0 || length.days() < 0 || length.micros() < 0;
    match optional_length(argument, value)? {
        Some(length) if is_negative(&length) => Err(error::negative_grace(argument)),
        length => Ok(length),
    }
}

/// For how long a new lot of a refund lives; `None` where it was not said.
///
/// # Errors
/// 22023 for zero, and below zero.
pub fn refund_grace(value: Option<Interval>) -> Result<Option<Interval>, ErrorReport> {
    let is_a_time = |length: &Interval| {
        let parts = [i64::from(length.months()), i64::from(length.days()), length.micros()];
        parts.iter().all(|part| *part >= 0) && parts.iter().any(|part| *part > 0)
    };
    match optional_length("refund_grace", value)? {
        Some(length) if !is_a_time(&length) => Err(error::no_refund_grace()),
        length => Ok(length),
    }
}
