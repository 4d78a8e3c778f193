//! The standard structure of prices: Starter, Growth, Scale and Enterprise, in one call.

use chrono::{DateTime, Utc};
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::plans::plan::{self, Tier};
use crate::store::plans::{PlanTerms, TierTerms};

/// From which quantities on the tiers above Starter count.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub growth: Amount,
    pub scale: Amount,
    pub enterprise: Amount,
}

/// Installs the plan: Starter at the list price and Growth 12 % below it, both billed by the month; Scale 25 % below it, billed
/// by the year; Enterprise by agreement. Growth and Scale commit for a year.
///
/// # Errors
/// 22023 bounds that do not ascend; as [`plan::save`] and [`plan::save_tier`].
pub fn install(name: &str, terms: &PlanTerms<'_>, list_price: Decimal, bounds: Bounds) -> Result<()> {
    let Bounds { growth, scale, enterprise } = bounds;
    if !(growth.is_positive() && growth < scale && scale < enterprise) {
        return Err(error::bounds_not_ascending());
    }
    plan::save(name, terms, Some(list_price))?;
    let year = Interval::new(12, 0, 0).expect("a year");
    let percent = |percent| Some(Decimal::new(percent, 2));
    let tiers = [
        ("starter", Amount::ZERO, percent(0), "month", None),
        ("growth", growth, percent(12), "month", Some(year)),
        ("scale", scale, percent(25), "year", Some(year)),
        ("enterprise", enterprise, None, "year", Some(year)),
    ];
    for (tier, from, discount, billing_period, commitment) in tiers {
        plan::save_tier(&Tier {
            plan: name,
            tier,
            from,
            discount,
            unit_price: None,
            flat: None,
            is_negotiated: discount.is_none(),
            effective_at: None::<DateTime<Utc>>,
            terms: TierTerms {
                billing_period: Some(billing_period),
                commitment,
                expiry: None,
                override_reason: None,
                note: None,
            },
        })?;
    }
    Ok(())
}
