//! Refusals of prices and currencies.

use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::currency::CurrencyError;
use crate::error::{invalid, plain};

/// 22023: a currency that does not exist, or money that cannot be paid in it. `argument` is the one that holds the money.
pub fn invalid_money(argument: &str, money: &str, currency: &str, broken: CurrencyError) -> ErrorReport {
    match broken {
        CurrencyError::TooManyDecimals(decimals) => too_many_decimals_of_money(argument, money, currency, decimals),
        CurrencyError::Malformed | CurrencyError::Unknown => invalid_currency(currency, broken),
    }
}

/// 22023: not the code of a currency, or of one that is never paid with.
pub fn invalid_currency(currency: &str, broken: CurrencyError) -> ErrorReport {
    let detail = format!("argument=currency value={}", plain(currency));
    match broken {
        CurrencyError::Malformed => invalid(
            format!("currency \"{currency}\" is not a currency code"),
            detail,
            "Use the three capital letters of ISO 4217, such as USD.",
        ),
        _ => invalid(
            format!("currency \"{currency}\" is not known"),
            detail,
            "Use the code of a currency of ISO 4217 that is paid with, such as USD, JPY or KWD.",
        ),
    }
}

/// 22023: money with more decimals than its currency has.
pub fn too_many_decimals_of_money(argument: &str, money: &str, currency: &str, decimals: u32) -> ErrorReport {
    let has = if decimals == 0 { "no decimals".to_owned() } else { format!("{decimals} decimals") };
    invalid(
        format!("{argument} {money} cannot be paid: {currency} has {has}"),
        format!("argument={argument} value={money} currency={currency} decimals={decimals}"),
        &format!("Give what is paid, rounded to the {has} of {currency}: money is never rounded silently.")
            .replace("the no decimals", "whole units"),
    )
}
