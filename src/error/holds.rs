//! Refusals of holds and captures.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::holds::hold::State;
use crate::error::{invalid, names, not_found, plain, report, wrong_state};

/// P0002: no such hold in the account.
pub fn unknown_hold(account: &str, hold: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_HOLD,
        format!("account \"{account}\" has no hold {hold}"),
        format!("account={} hold={hold}", plain(account)),
        "Give the id that credit_hold() returned, and the account that it was made for.",
    )
}

/// 55000: the hold was captured, released or has expired.
pub fn hold_settled(account: &str, hold: i64, state: State, at: DateTime<Utc>) -> ErrorReport {
    let (state, at) = (state.name(), at.to_rfc3339());
    wrong_state(
        names::HOLD_SETTLED,
        format!("hold {hold} is {state}"),
        format!("account={} hold={hold} state={state} settled_at={at}", plain(account)),
        "A settled hold stays as it is. Debit what was used beyond it with credit_debit(), or make a new hold.",
    )
}

/// 55000: the hold has ended, and cannot be kept open.
pub fn hold_ended(account: &str, hold: i64, ended_at: DateTime<Utc>) -> ErrorReport {
    let ended_at = ended_at.to_rfc3339();
    wrong_state(
        names::HOLD_EXPIRED,
        format!("hold {hold} has expired"),
        format!("account={} hold={hold} state=expired expires_at={ended_at}", plain(account)),
        "Capture it once more, for good (final => true), or make a new hold. Extend a hold before it ends.",
    )
}

/// 23514: more is to be captured than is held.
pub fn hold_too_short(account: &str, hold: i64, requested: Amount, held: Amount) -> ErrorReport {
    report(
        names::HOLD_TOO_SHORT,
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION,
        format!("hold {hold} has less than is to be captured: {requested} requested, {held} held"),
        format!("account={} hold={hold} requested={requested} held={held}", plain(account)),
        "Capture what is held, or let it go beyond: beyond => 'debit' or 'available'.",
    )
}

/// 22023: how long a hold is to be open.
pub fn invalid_hold_length() -> ErrorReport {
    invalid(
        "expires_after must be above zero and at most 31 days, without months",
        "argument=expires_after",
        "Give days, hours, minutes or seconds, such as '10 minutes'; 15 minutes unless given.",
    )
}

/// 55000: the hold was not made for a quantity.
pub fn hold_without_rate(account: &str, hold: i64) -> ErrorReport {
    wrong_state(
        names::HOLD_WITHOUT_RATE,
        format!("hold {hold} was made for an amount, not for a quantity"),
        format!("account={} hold={hold}", plain(account)),
        "Capture an amount with credit_capture(); holds of credit_hold_charge() are captured by quantity.",
    )
}
