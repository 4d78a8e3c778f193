//! Errors of the ledger.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::domain::ledger::terms::TermsError;
use crate::error::{invalid, invalid_money, names, not_found, plain, report, wrong_state};

mod corrections;
mod limits;

pub use corrections::*;
pub use limits::*;

/// 22023: both ways to say when a lot expires.
pub fn two_expiries() -> ErrorReport {
    invalid(
        "expires_at and expires_after must not both be given",
        "argument=expires_after",
        "Give the instant (expires_at) or the length (expires_after), not both.",
    )
}

/// 22023: an `applies_to` that names nothing.
pub fn empty_applies_to() -> ErrorReport {
    invalid(
        "applies_to must name at least one operation",
        "argument=applies_to",
        "Leave it out (NULL) for a lot that pays for every operation.",
    )
}

/// 22023: terms that make no sense, with the instants concerned.
pub fn invalid_terms(broken: TermsError, effective_at: DateTime<Utc>, expires_at: Option<DateTime<Utc>>) -> ErrorReport {
    let expiry = expires_at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let life = format!("effective_at={} expires_at={expiry}", effective_at.to_rfc3339());
    match broken {
        TermsError::ExpiresBeforeEffect => invalid(
            format!("expires_at {expiry} must be after effective_at {}", effective_at.to_rfc3339()),
            life,
            "A lot is usable from effective_at until just before expires_at.",
        ),
        TermsError::AlreadyExpired => {
            invalid(format!("expires_at {expiry} is not in the future"), life, "A lot that has expired could never be used.")
        }
        _ => invalid_price(broken, "", ""),
    }
}

/// 22023: a price that makes no sense.
pub fn invalid_price(broken: TermsError, paid: &str, currency: &str) -> ErrorReport {
    let detail = format!("argument=paid paid={paid} currency={currency}");
    match broken {
        TermsError::PaidPromotion => {
            invalid("a promotional lot must not have a price", detail, "Leave category out, or grant it with paid => 0.")
        }
        TermsError::NegativePrice => invalid(format!("paid must not be negative: {paid}"), detail, "Give what was paid."),
        TermsError::Currency(broken) => invalid_money("paid", paid, currency, broken),
        TermsError::PriceWithoutCurrency => {
            invalid("paid needs a currency", detail, "Name it: currency => 'USD', or give the unit one.")
        }
        TermsError::CurrencyWithoutPrice => invalid("currency needs a price", detail, "Give what was paid: paid => 100."),
        TermsError::ExpiresBeforeEffect | TermsError::AlreadyExpired => {
            unreachable!("terms, not a price")
        }
    }
}

/// 22023: a directly inserted entry that does not say what it must.
pub fn invalid_entry(message: &str, detail: impl Into<String>, hint: &str) -> ErrorReport {
    invalid(message, detail, hint)
}

/// P0002: no such account.
pub fn unknown_account(account: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_ACCOUNT,
        format!("account \"{account}\" does not exist"),
        format!("account={account}", account = plain(account)),
        "Create it with credit_account(), or by its first credit_grant().",
    )
}

/// P0002: no such member, in an account that requires members to be registered.
pub fn unknown_member(account: &str, member: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_MEMBER,
        format!("member \"{member}\" of account \"{account}\" does not exist"),
        format!("account={account} member={member}", account = plain(account), member = plain(member)),
        "Register the member with credit_member().",
    )
}

/// P0002: no such unit.
pub fn unknown_unit(unit: &str) -> ErrorReport {
    not_found(
        names::UNKNOWN_UNIT,
        format!("unit \"{unit}\" does not exist"),
        format!("unit={unit}", unit = plain(unit)),
        "Create it with credit_unit().",
    )
}

/// P0002: no such lot in the account.
pub fn unknown_lot(account: &str, lot: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_LOT,
        format!("lot {lot} of account \"{account}\" does not exist"),
        format!("account={account} lot={lot}", account = plain(account)),
        "The view credit.lots shows the account's lots.",
    )
}

/// P0002: no such posting in the account.
pub fn unknown_posting(account: &str, posting: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_POSTING,
        format!("posting {posting} of account \"{account}\" does not exist"),
        format!("account={account} posting={posting}", account = plain(account)),
        "The view credit.ledger shows the account's postings.",
    )
}

/// 23505: the key was used for another request, of this function or another one.
pub fn key_reused(account: &str, key: &str, asked: &str, (function, result): (&str, i64), differing: &[&str]) -> ErrorReport {
    let hint = if asked == function {
        let arguments = compared(function);
        format!(
            "Compared are {arguments}; metadata is not. Repeat a request with the same arguments, \
                or use a new key for a new request."
        )
    } else {
        format!("It was used by {function}(), and this is {asked}(): use a key of its own for each request.")
    };
    let other = match differing {
        [] => "a different request".to_owned(),
        names => format!("a request with another {}", names.join(" and ")),
    };
    let differs = if differing.is_empty() { String::new() } else { format!(" differs={}", differing.join(",")) };
    report(
        names::KEY_REUSED,
        PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
        format!("key \"{key}\" of account \"{account}\" was used for {other}"),
        format!(
            "account={account} key={key} function={function} result={result}{differs}",
            account = plain(account),
            key = plain(key),
            function = plain(function)
        ),
        &hint,
    )
}

/// The arguments that make a request the same one, beside the account; those of the fingerprint in src/api.
fn compared(function: &str) -> &'static str {
    match function {
        "credit_debit" => "amount, member, operation, unit, at, run and dimensions",
        "credit_grant" => {
            "amount, member, unit, category, source, priority, effective_at, expires_at, expires_after, applies_to, \
                paid and currency"
        }
        "credit_charge" => "operation, quantity, member, dimensions, at and run",
        "credit_charge_request" => "the operations with their quantity, member, dimensions, at and run",
        "credit_convert" => "amount, from_unit, to_unit, rate, member and operation",
        "credit_transfer" => "amount, from_member, to_member, unit and lot",
        _ => "all arguments",
    }
}

/// 55000: the member was deactivated.
pub fn inactive_member(account: &str, member: &str) -> ErrorReport {
    wrong_state(
        names::INACTIVE_MEMBER,
        format!("member \"{member}\" of account \"{account}\" is not active"),
        format!("account={account} member={member}", account = plain(account), member = plain(member)),
        "Activate the member with credit_member(..., active => true).",
    )
}

/// 55000: nothing can be done with this lot any more, or not yet.
pub fn lot_not_usable(account: &str, lot: i64, state: &str) -> ErrorReport {
    wrong_state(
        names::LOT_NOT_USABLE,
        format!("lot {lot} of account \"{account}\" is {state}"),
        format!("account={account} lot={lot} state={state}", account = plain(account), state = plain(state)),
        "The view credit.lots shows what is left of each lot and until when.",
    )
}

/// 55000: the account's time zone dates its expiries already.
pub fn time_zone_in_use(account: &str, time_zone: &str) -> ErrorReport {
    wrong_state(
        names::TIME_ZONE_IN_USE,
        format!("the time zone of account \"{account}\" cannot change any more"),
        format!("account={account} time_zone={time_zone}", account = plain(account)),
        "It can be set until the account has its first lot; use a new account for another time zone.",
    )
}

/// 55000: the account has lots or members.
pub fn account_in_use(account: &str) -> ErrorReport {
    wrong_state(
        names::ACCOUNT_IN_USE,
        format!("account \"{account}\" has lots or members and cannot be deleted"),
        format!("account={account}", account = plain(account)),
        "The ledger is kept; void what is left with credit_void() and deactivate the members with credit_member().",
    )
}

/// 55000: amounts were posted in this unit.
pub fn unit_in_use(unit: &str) -> ErrorReport {
    wrong_state(
        names::UNIT_IN_USE,
        format!(
            "unit \"{unit}\" is in use: its decimals can only grow, its rounding and currency stay, \
                and it cannot be renamed or deleted"
        ),
        format!("unit={unit}", unit = plain(unit)),
        "Create another unit and grant new lots in it.",
    )
}

/// 42501: the ledger, and the terms of lots, do not change.
pub fn immutable(table: &str, operation: &str) -> ErrorReport {
    let (rule, hint) = match table {
        "credit.rate" | "credit.rate_card" | "credit.unit_value" => (
            "a published row never changes",
            "Publish a new version with credit_rate() and credit_publish(), or a new value with credit_unit().",
        ),
        _ => (
            "the ledger is append-only and the terms of a lot never change",
            "Correct with a new entry that names the one it corrects, or use credit_void() or credit_set_expiry().",
        ),
    };
    report(
        names::IMMUTABLE,
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("{operation} on {table} is refused: {rule}"),
        format!("table={table} operation={operation}"),
        hint,
    )
}
