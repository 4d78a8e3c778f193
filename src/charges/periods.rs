//! The counters of the periods that charges count to.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use crate::charges::charge::{self, Charge};
use crate::domain::amount::Amount;
use crate::error::Result;
use crate::store::rates::{self, Period};

/// Takes the counters of all periods that the charges count to, in one order, before anything else is locked; what was used in
/// each.
///
/// # Errors
/// A charge that cannot be priced is passed over: [`charge::charge`] raises the error for it.
pub fn hold_periods(charges: &[&Charge<'_>], now: DateTime<Utc>) -> Result<BTreeMap<Period, Amount>> {
    let mut periods = BTreeSet::new();
    let mut seen = HashSet::new();
    for charge in charges {
        if seen.insert((charge.account, charge.operation, &charge.dimensions, charge.at))
            && let Ok(Some(period)) = charge::instant(charge, now).and_then(|at| charge::period_of(charge, at))
        {
            periods.insert(period);
        }
    }
    Ok(periods.into_iter().map(|period| (period.clone(), rates::hold(&period))).collect())
}
