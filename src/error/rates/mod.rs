//! Refusals of units, rate cards, rates and charges.

mod money;
mod reports;

pub use money::*;
pub use reports::*;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::exact::DecimalError;
use crate::domain::rates::dimensions::{Dimensions, DimensionsError};
use crate::domain::rates::rate::RateError;
use crate::error::{amount_out_of_range, invalid, names, not_found, plain, wrong_state};

// 22023 invalid_parameter_value

/// 22023: a notice that ends before it begins.
pub fn negative_notice() -> ErrorReport {
    invalid("notice must not be negative", "argument=notice", "Give a length like '30 days'; leave it out for none.")
}

/// 22023: more or fewer decimals than a unit can have.
pub fn invalid_decimals(decimals: i32) -> ErrorReport {
    invalid(
        format!("decimals must be between 0 and 9, not {decimals}"),
        format!("argument=decimals value={decimals}"),
        "The default is 6.",
    )
}

/// 22023: the worth of a credit is given, but no currency.
pub fn value_without_currency(unit: &str) -> ErrorReport {
    invalid(
        format!("fiat_per_credit of unit \"{unit}\" needs a currency"),
        format!("argument=fiat_per_credit unit={}", plain(unit)),
        "Name it: currency => 'USD'.",
    )
}

/// 22023, or 22003 from 10^15 on: a number that cannot be a rate or a cost.
pub fn invalid_number(argument: &str, value: &str, broken: DecimalError) -> ErrorReport {
    let (rule, hint) = match broken {
        DecimalError::OutOfRange => return amount_out_of_range(argument, value),
        DecimalError::NotFinite => ("be a finite number", "Give a number like 0.25."),
        DecimalError::Negative => ("not be negative", "Give zero or more."),
        DecimalError::TooManyDigits => {
            ("have at most 28 digits and 18 decimals", "Raise per instead: credits => 0.25, per => 1000000.")
        }
    };
    invalid(format!("{argument} must {rule}, not {value}"), format!("argument={argument} value={value}"), hint)
}

/// 22023: a quantity below zero.
pub fn negative_quantity(argument: &str, quantity: &str) -> ErrorReport {
    invalid(
        format!("{argument} must not be negative: {quantity}"),
        format!("argument={argument} value={quantity}"),
        "Charge what was used, and correct a wrong charge with an adjustment.",
    )
}

/// 22023: terms of a rate that contradict each other.
pub fn invalid_rate(broken: RateError, operation: &str) -> ErrorReport {
    let (message, argument, hint) = match broken {
        RateError::NoPer => ("per must be above zero", "per", "Give the quantity that the credits are for: per => 1000."),
        RateError::TooManyTiers => ("a rate has at most 100 tiers", "tier_from", "Join bands that cost nearly the same."),
        RateError::NoMinimum => ("minimum must be above zero", "minimum", "Leave it out (NULL) for none."),
        RateError::TiersNotAscending => (
            "tier_from must be ascending quantities above zero",
            "tier_from",
            "The first band begins at zero and costs `credits`: tier_from => ARRAY[1000000].",
        ),
        RateError::BlockOverPeriod => (
            "blocks are counted in one call, so tiers cannot be counted over a period with them",
            "tier_scope",
            "Use tier_scope => 'call', or block => false.",
        ),
    };
    invalid(message, format!("argument={argument} operation={}", plain(operation)), hint)
}

/// 22023: arrays of tiers that do not belong together.
pub fn unequal_tiers(bounds: usize, credits: usize) -> ErrorReport {
    invalid(
        format!("tier_from has {bounds} elements, tier_credits {credits}"),
        format!("argument=tier_credits bounds={bounds} credits={credits}"),
        "Each band above the first has a bound and its credits.",
    )
}

/// 22023: a rate with and without credits.
pub fn withdrawn_with_credits() -> ErrorReport {
    invalid("a rate that is withdrawn has no credits", "argument=credits", "Leave credits out, or withdraw.")
}

/// 22023: a JSON value that is no set of dimensions.
pub fn invalid_dimensions(broken: &DimensionsError) -> ErrorReport {
    let message = match broken {
        DimensionsError::NotAnObject => "dimensions must be a JSON object".to_owned(),
        DimensionsError::NotPlain(name) => format!("dimension {name:?} must be a text, a number or a boolean"),
        DimensionsError::Malformed(name) => {
            format!(
                "dimension {name:?} and its value must be 1 to 255 characters, \
                    without control characters or white space at either end"
            )
        }
        DimensionsError::TooMany => {
            format!("there must be at most {} dimensions", crate::domain::rates::dimensions::MAX_DIMENSIONS)
        }
    };
    invalid(message, "argument=dimensions", "Give an object like {\"model\": \"small\", \"region\": \"eu\"}.")
}

/// 22023: two rates of which neither is more specific than the other.
pub fn rates_tie(card: &str, operation: &str, one: &str, other: &str) -> ErrorReport {
    invalid(
        format!("two rates of \"{operation}\" on card \"{card}\" would apply equally to some usage: {one} and {other}"),
        format!("card={} operation={} one={} other={}", plain(card), plain(operation), plain(one), plain(other)),
        "Add a rate for usage that has the dimensions of both, or remove one.",
    )
}

// P0002 no_data_found

/// P0002: no such card.
pub fn unknown_card(card: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_CARD,
        format!("rate card \"{card}\" does not exist"),
        format!("card={}", plain(card)),
        "Create it with credit_rate_card().",
    )
}

/// P0002: the account has no card, and its unit no default one.
pub fn no_card(account: &str) -> ErrorReport {
    not_found(
        names::NO_CARD,
        format!("account \"{account}\" has no rate card, and its unit has no default one"),
        format!("account={}", plain(account)),
        "Name it: credit_account(..., rate_card => ...), or make one the default: credit_rate_card(..., is_default => true).",
    )
}

/// P0002: the card prices the operation never, or not at that time, or not with these dimensions.
pub fn no_rate(card: &str, operation: &str, dimensions: &Dimensions, at: DateTime<Utc>, never: bool) -> ErrorReport {
    let detail = format!(
        "card={} operation={} dimensions={} at={}",
        plain(card),
        plain(operation),
        plain(&dimensions.to_json()),
        at.to_rfc3339()
    );
    match never {
        true => not_found(
            names::NO_RATE,
            format!("card \"{card}\" has no rate for operation \"{operation}\""),
            detail,
            "Add it with credit_rate() and publish it with credit_publish().",
        ),
        false => not_found(
            names::NO_RATE,
            format!(
                "no rate for operation \"{operation}\" on card \"{card}\" applies to {} at {}",
                dimensions.to_json(),
                at.to_rfc3339()
            ),
            detail,
            "The view credit.rate_history shows which rates apply when.",
        ),
    }
}

/// P0002: a rate is withdrawn that is not in force.
pub fn nothing_to_withdraw(card: &str, operation: &str) -> ErrorReport {
    not_found(
        names::NOTHING_TO_WITHDRAW,
        format!("there is no rate of \"{operation}\" on card \"{card}\" to withdraw"),
        format!("card={} operation={}", plain(card), plain(operation)),
        "Withdraw a rate with the dimensions it was published with, or discard the draft with credit_discard_drafts().",
    )
}

// 55000 object_not_in_prerequisite_state

/// 55000: the value of a unit at that time is known already.
pub fn value_in_force(unit: &str, from: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::VALUE_IN_FORCE,
        format!("the value of unit \"{unit}\" at {} cannot change any more", from.to_rfc3339()),
        format!("unit={} effective_at={} now={}", plain(unit), from.to_rfc3339(), now.to_rfc3339()),
        "A new value takes effect from now on, or later.",
    )
}

/// 55000: the unit of a card whose rates are published.
pub fn card_unit_in_use(card: &str, unit: &str) -> ErrorReport {
    wrong_state(
        names::CARD_UNIT_IN_USE,
        format!("the unit of rate card \"{card}\" cannot change any more"),
        format!("card={} unit={}", plain(card), plain(unit)),
        "Its published rates are in that unit; use a new card for another one.",
    )
}

/// 55000: the unit has a default card.
pub fn second_default_card(unit: &str, other: &str) -> ErrorReport {
    wrong_state(
        names::SECOND_DEFAULT_CARD,
        format!("card \"{other}\" is the default of unit \"{unit}\" already"),
        format!("unit={} card={}", plain(unit), plain(other)),
        "Make that card no default first: credit_rate_card(..., is_default => false).",
    )
}

/// 55000: usage of that time may have been charged by what is to change.
pub fn rewrites_history(card: &str, operation: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::REWRITES_HISTORY,
        format!("a rate of \"{operation}\" on card \"{card}\" cannot take effect in the past: {}", at.to_rfc3339()),
        format!("card={} operation={} effective_at={} now={}", plain(card), plain(operation), at.to_rfc3339(), now.to_rfc3339()),
        "A rate that was in force stays as it was. Publish from now on. Only an operation without a rate since then can get one \
            from earlier.",
    )
}

/// 55000: a later change of the same rate is announced.
pub fn already_announced(card: &str, operation: &str, announced: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::ALREADY_ANNOUNCED,
        format!("a change of \"{operation}\" on card \"{card}\" is already announced for {}", announced.to_rfc3339()),
        format!("card={} operation={} announced={}", plain(card), plain(operation), announced.to_rfc3339()),
        "Publish the new one after it, or give it up: credit_publish(..., supersede => true).",
    )
}

/// 55000: dearer, and sooner than the card promises.
pub fn notice_not_kept(card: &str, operation: &str, at: DateTime<Utc>, earliest: DateTime<Utc>) -> ErrorReport {
    wrong_state(
        names::NOTICE_NOT_KEPT,
        format!("\"{operation}\" on card \"{card}\" would get dearer at {}, before the notice is over", at.to_rfc3339()),
        format!(
            "card={} operation={} effective_at={} earliest={}",
            plain(card),
            plain(operation),
            at.to_rfc3339(),
            earliest.to_rfc3339()
        ),
        "Publish it from the earliest instant on, or give a reason: credit_publish(..., override_reason => ...).",
    )
}
