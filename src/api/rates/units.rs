//! credit_unit().

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::exact::Rounding;
use crate::error::{self, Result};
use crate::rates::unit as units;
use crate::rates::unit::Unit;
use crate::store::connected;
use crate::store::rates::units::UnitTerms;

/// Creates a unit or changes what is given of it; another value in money is another version of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_unit(
    unit: Option<&str>,
    decimals: default!(Option<i32>, "NULL"),
    rounding: default!(Option<&str>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    fiat_per_credit: default!(Option<AnyNumeric>, "NULL"),
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    note: default!(Option<&str>, "NULL"),
) -> Result<String> {
    let unit = arguments::name("unit", unit)?;
    if let Some(decimals) = decimals.filter(|decimals| !(0..=9).contains(decimals)) {
        return Err(error::invalid_decimals(decimals));
    }
    if let Some(rounding) = rounding.filter(|rounding| rounding.parse::<Rounding>().is_err()) {
        return Err(error::unknown_option("rounding", rounding, "half_even, half_up, up, down"));
    }
    let fiat_per_credit = fiat_per_credit.map(|value| arguments::decimal("fiat_per_credit", &value)).transpose()?;
    if fiat_per_credit.is_some_and(|value| value.is_zero()) {
        return Err(error::not_positive("fiat_per_credit", crate::domain::amount::Amount::ZERO));
    }
    let request = Unit {
        unit,
        terms: UnitTerms { decimals: decimals.map(|decimals| decimals as i16), rounding, currency },
        fiat_per_credit,
        effective_at: arguments::optional_instant("effective_at", effective_at)?,
        note: arguments::short("note", note)?,
    };
    connected(|| units::save(request))?;
    Ok(unit.to_owned())
}
