//! Refusals of conversions, repricing and the design check.

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::amount::Amount;
use crate::domain::rates::reprice::RepriceError;
use crate::error::{invalid, names, not_found, plain, report, wrong_state};

/// 22023: below zero.
pub fn negative(argument: &str, value: &str) -> ErrorReport {
    invalid(
        format!("{argument} must not be negative: {value}"),
        format!("argument={argument} value={value}"),
        "Give zero or more.",
    )
}

/// 22023: a number of days outside of its range.
pub fn invalid_days(argument: &str, value: i32, most: i32) -> ErrorReport {
    invalid(
        format!("{argument} must be between 1 and {most}, not {value}"),
        format!("argument={argument} value={value} most={most}"),
        "It says how many days of usage count, back from now.",
    )
}

/// 22023: a conversion of a unit into itself.
pub fn same_unit(unit: &str) -> ErrorReport {
    invalid(
        format!("from_unit and to_unit are both \"{unit}\""),
        format!("argument=to_unit value={}", plain(unit)),
        "Name two different units.",
    )
}

/// 22023: units that are not worth something in the same money now.
pub fn no_common_value(from: (&str, &str), to: (&str, &str)) -> ErrorReport {
    invalid(
        format!("units \"{}\" and \"{}\" have no value in a common currency now", from.0, to.0),
        format!(
            "from_unit={} from_currency={} to_unit={} to_currency={}",
            plain(from.0),
            plain(from.1),
            plain(to.0),
            plain(to.1)
        ),
        "Give the rate: rate => 100 makes a hundred of the new unit of one of the old.",
    )
}

/// 22023: so little is converted that a lot would become nothing.
pub fn converts_to_nothing(from: &str, to: &str, amount: Amount, decimals: u32) -> ErrorReport {
    invalid(
        format!("{amount} of unit \"{from}\" are too little to be converted into \"{to}\""),
        format!("from_unit={} to_unit={} amount={amount} decimals={decimals}", plain(from), plain(to)),
        "Each lot that gives must become at least the smallest amount of the new unit: convert more at once.",
    )
}

/// 22003: a conversion that would become more than any lot can hold.
pub fn converts_out_of_range(from: &str, to: &str, amount: Amount, rate: &str) -> ErrorReport {
    report(
        names::CONVERTS_OUT_OF_RANGE,
        PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        format!("{amount} of unit \"{from}\" would become 10^15 or more of \"{to}\""),
        format!("from_unit={} to_unit={} amount={amount} rate={rate} limit=1000000000000000", plain(from), plain(to)),
        "Amounts stay below 10^15: convert less, or at another rate.",
    )
}

/// 22023: a target where none is aimed at.
pub fn needless_target(policy: &str) -> ErrorReport {
    invalid(
        format!("policy \"{policy}\" has no target_margin"),
        format!("argument=target_margin policy={policy}"),
        "Leave target_margin out, or use policy 'adjust'.",
    )
}

/// 22023 or 22003: no rate follows from the new cost.
pub fn cannot_reprice(card: &str, operation: &str, broken: RepriceError) -> ErrorReport {
    let detail = format!("card={} operation={}", plain(card), plain(operation));
    match broken {
        RepriceError::NoOldCost => invalid(
            "a change of cost cannot be passed through: the rate in force has no cost above zero",
            detail,
            "Use policy 'adjust' with a target_margin, or publish the rate with its unit_cost first.",
        ),
        RepriceError::NoFiatValue => invalid(
            "a target margin needs a value: the card's unit has no value in money now",
            detail,
            "Give the unit a value with credit_unit(..., currency => ..., fiat_per_credit => ...).",
        ),
        RepriceError::MarginOutOfRange => invalid(
            "target_margin must be at least 0 and below 1",
            format!("argument=target_margin {detail}"),
            "It is a share of the price: 0.6 is a margin of 60%.",
        ),
        RepriceError::TiersFromFree => invalid(
            "the rate has tiers and its first band is free: they cannot be scaled",
            detail,
            "Write the new rate with credit_rate().",
        ),
        RepriceError::OutOfRange => report(
            names::CANNOT_REPRICE,
            PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            "the new rate would have 10^15 credits or more, or none at 9 decimals",
            detail,
            "Write the rate per a larger or smaller quantity with credit_rate(..., per => ...) first.",
        ),
    }
}

/// P0002: no version of this rate is in force.
pub fn no_rate_in_force(card: &str, operation: &str, dimensions: &str) -> ErrorReport {
    not_found(
        names::NO_RATE_IN_FORCE,
        format!("rate card \"{card}\" has no rate of operation \"{operation}\" with dimensions {dimensions} in force"),
        format!("card={} operation={} dimensions={}", plain(card), plain(operation), plain(dimensions)),
        "The view credit.conversion_table shows the rates in force, credit.rate_history all versions.",
    )
}

/// 22023: a document that is no rate card.
pub fn malformed_document(problem: &str) -> ErrorReport {
    invalid(
        format!("the document is not a rate card: {problem}"),
        "argument=document",
        "Give what credit_export_rate_card() returned.",
    )
}

/// 55000: the unit of a document is another here.
pub fn unit_differs(unit: &str) -> ErrorReport {
    wrong_state(
        names::UNIT_DIFFERS,
        format!("unit \"{unit}\" has other decimals, another rounding, currency or value here than in the document"),
        format!("unit={}", plain(unit)),
        "Change the unit with credit_unit(), or name another one in the document.",
    )
}

/// 55000: drafts that an import would publish along.
pub fn other_drafts(card: &str, operation: &str) -> ErrorReport {
    wrong_state(
        names::OTHER_DRAFTS,
        format!("rate card \"{card}\" has drafts that the document does not name"),
        format!("card={} operation={}", plain(card), plain(operation)),
        "Publish them with credit_publish() or throw them away with credit_discard_drafts(); or import without publishing.",
    )
}
