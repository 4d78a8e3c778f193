//! Values of the server as ours, and ours as the server's: numbers, instants, lengths of time.

use std::ffi::CStr;

use chrono::{DateTime, Utc};
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::calendar::Span;
use crate::error;

pub mod json;

/// Microseconds between the epochs of Unix (1970) and of PostgreSQL (2000).
const EPOCH_DISTANCE: i64 = 946_684_800_000_000;

/// The decimal as a numeric.
pub fn numeric_of_decimal(decimal: Decimal) -> AnyNumeric {
    numeric_of_text(&decimal.to_string())
}

/// The amount as a numeric.
pub fn numeric(amount: Amount) -> AnyNumeric {
    // SAFETY: the datum is the numeric that was just made.
    unsafe { AnyNumeric::from_datum(numeric_datum(amount), false) }.expect("a value that is not NULL")
}

/// Money with all the decimals of its currency: 2200.00.
pub fn money_text(amount: Amount, decimals: u32) -> String {
    let text = amount.to_string();
    match (text.split_once('.'), decimals as usize) {
        (Some((_, fraction)), decimals) => format!("{text}{}", "0".repeat(decimals.saturating_sub(fraction.len()))),
        (None, 0) => text,
        (None, decimals) => format!("{text}.{}", "0".repeat(decimals)),
    }
}

/// The same as a numeric.
pub fn money(amount: Amount, decimals: u32) -> AnyNumeric {
    numeric_of_text(&money_text(amount, decimals))
}

/// The amount as a numeric that the server made, without trailing zeros. Most amounts fit a whole number of their last decimal;
/// that spares them the way through text.
pub fn numeric_datum(amount: Amount) -> pg_sys::Datum {
    let (digits, decimals) = amount.digits();
    match i64::try_from(digits) {
        // SAFETY: the server makes a numeric of any whole number and so few decimals, and returns one that is not null.
        Ok(digits) => unsafe { pg_sys::Datum::from(pg_sys::int64_div_fast_to_numeric(digits, decimals as i32)) },
        Err(_) => numeric_of_text(&amount.to_string()).into_datum().expect("a value that is not NULL"),
    }
}

/// The parts of a length of time.
pub fn span(length: &Interval) -> Span {
    Span { months: length.months(), days: length.days(), microseconds: length.micros() }
}

/// The instant that PostgreSQL counts in microseconds since 2000; `None` for infinities and beyond chrono's range.
pub fn instant_from_microseconds(microseconds: i64) -> Option<DateTime<Utc>> {
    let finite = microseconds != i64::MAX && microseconds != i64::MIN;
    microseconds.checked_add(EPOCH_DISTANCE).filter(|_| finite).and_then(DateTime::from_timestamp_micros)
}

/// The instant in microseconds since 2000, as PostgreSQL counts.
pub fn microseconds(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros() - EPOCH_DISTANCE
}

/// The instant as a timestamptz.
///
/// # Errors
/// Raises 22008, as arithmetic in SQL does, for one that no timestamptz holds: a period may begin before the calendar does.
pub fn timestamptz(instant: DateTime<Utc>) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(microseconds(instant)).unwrap_or_else(|_| {
        error::timestamp_out_of_range(instant).report(PgLogLevel::ERROR);
        unreachable!("an error has been raised")
    })
}

/// A JSON text as a jsonb.
pub fn jsonb(text: &str) -> Option<pg_sys::Datum> {
    let text = std::ffi::CString::new(text).expect("JSON without NUL");
    // SAFETY: jsonb_in takes a text that ends with a zero byte, and copies what it needs.
    unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(pg_sys::Datum::from(text.as_ptr()))]) }
}

/// The arguments of a type's input function: the text, the element's type, which no type here has, and no modifier.
fn of_input(text: &CStr) -> [Option<pg_sys::Datum>; 3] {
    [Some(pg_sys::Datum::from(text.as_ptr())), Some(pg_sys::Datum::from(pg_sys::InvalidOid)), (-1_i32).into_datum()]
}

/// The numeric that a text says, as a cast in SQL reads it: raises 22P02.
pub fn numeric_of_text(text: &str) -> AnyNumeric {
    let text = std::ffi::CString::new(text).unwrap_or_default();
    // SAFETY: numeric_in takes a text that ends with a zero byte, an id that it ignores, and a modifier; -1 is none.
    unsafe { pgrx::direct_function_call(pg_sys::numeric_in, &of_input(&text)) }.expect("numeric_in returns a value or an error")
}

/// The length of time that a text says, as a cast in SQL reads it: raises 22007.
pub fn interval_of_text(text: &str) -> Interval {
    let text = std::ffi::CString::new(text).unwrap_or_default();
    // SAFETY: interval_in takes a text that ends with a zero byte, an id that it ignores, and a modifier; -1 is none.
    unsafe { pgrx::direct_function_call(pg_sys::interval_in, &of_input(&text)) }.expect("interval_in returns a value or an error")
}

/// The instant that a text says, as a cast in SQL reads it: raises 22007.
pub fn timestamptz_of_text(text: &str) -> TimestampWithTimeZone {
    let text = std::ffi::CString::new(text).unwrap_or_default();
    // SAFETY: timestamptz_in takes a text that ends with a zero byte, an id that it ignores, and a modifier; -1 is none.
    unsafe { pgrx::direct_function_call(pg_sys::timestamptz_in, &of_input(&text)) }
        .expect("timestamptz_in returns a value or an error")
}
