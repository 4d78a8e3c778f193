//! Amounts and prices that callers give, checked against what they are in: the unit of the account, or the currency.

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::amount::{Amount, AmountError};
use crate::domain::currency;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::store::connected_on_demand;
use crate::store::rates::{conversion_table, units};

/// The decimals and the currency of what an account's call is in.
struct UnitOfCall {
    decimals: u32,
    currency: Option<String>,
}

/// An amount of credits that must be given and above zero. One with too many decimals is told at once how many the unit has.
///
/// # Errors
/// As [`arguments::positive_amount`].
pub fn positive(argument: &str, value: Option<&AnyNumeric>, account: &str, unit: Option<&str>) -> Result<Amount> {
    arguments::positive_amount(argument, value).map_err(|refusal| match value.filter(|value| is_too_long(value)) {
        Some(value) => match unit_of_call(account, unit) {
            Some(unit) => error::too_many_decimals(argument, value.normalize(), unit.decimals),
            None => refusal,
        },
        None => refusal,
    })
}

/// Money that may be left out. One with too many decimals is told at once how many the currency has: the one that is named, or
/// that of the unit.
///
/// # Errors
/// 22023 and 22003 as [`arguments::amount`].
pub fn money(
    argument: &str,
    value: Option<&AnyNumeric>,
    currency: Option<&str>,
    account: &str,
    unit: Option<&str>,
) -> Result<Option<Amount>> {
    let Some(value) = value else { return Ok(None) };
    let money = arguments::amount(argument, value).map_err(|refusal| {
        if !is_too_long(value) {
            return refusal;
        }
        let currency = currency.map(str::to_owned).or_else(|| unit_of_call(account, unit)?.currency);
        match currency.as_deref().and_then(|code| currency::decimals(code).map(|decimals| (code, decimals))) {
            Some((code, decimals)) => error::too_many_decimals_of_money(argument, value.normalize(), code, decimals),
            None => refusal,
        }
    })?;
    Ok(Some(money))
}

/// Whether a number has more decimals than any unit.
fn is_too_long(value: &AnyNumeric) -> bool {
    Amount::parse(value.normalize()) == Err(AmountError::TooManyDecimals)
}

/// The unit that is named, or the account's; of an account that does not exist the one it would get.
fn unit_of_call(account: &str, unit: Option<&str>) -> Option<UnitOfCall> {
    if account.is_empty() && unit.is_none() {
        return None;
    }
    connected_on_demand(|| {
        if let Ok(context) = account::find_for_reader(account, unit, None) {
            return Some(UnitOfCall { decimals: context.unit_decimals(), currency: context.currency.clone() });
        }
        let here = conversion_table::unit(unit.unwrap_or(units::DEFAULT_UNIT));
        match here {
            Some(here) => Some(UnitOfCall { decimals: here.decimals as u32, currency: here.currency }),
            None if unit.is_none_or(|unit| unit == units::DEFAULT_UNIT) => {
                Some(UnitOfCall { decimals: units::DEFAULT_DECIMALS, currency: None })
            }
            None => None,
        }
    })
}
