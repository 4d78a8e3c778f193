//! Refusals of refunds.

use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::amount::Amount;
use crate::error::{invalid, names, plain, wrong_state};

/// 55000: the posting is no debit.
pub fn not_refundable(account: &str, posting: i64, kind: &str) -> ErrorReport {
    let what = match kind {
        "adjustment" => "a correction or a refund",
        "grant" => "a grant",
        "expiry" => "an expiry",
        "void" => "a void",
        other => other,
    };
    wrong_state(
        names::NOT_REFUNDABLE,
        format!("posting {posting} of account \"{account}\" cannot be refunded: it is {what}, not a debit"),
        format!("account={} posting={posting} kind={kind}", plain(account)),
        "Name the posting that credit_debit(), credit_charge() or credit_capture() returned.",
    )
}

/// 55000: more is to be refunded than is left of the debit.
pub fn refund_exceeds(account: &str, posting: i64, requested: Amount, debited: Amount, refundable: Amount) -> ErrorReport {
    let refunded = debited.checked_sub(refundable).unwrap_or_default();
    wrong_state(
        names::REFUND_EXCEEDS,
        format!("{requested} cannot be refunded of posting {posting}: {refundable} can still be refunded"),
        format!(
            "account={} posting={posting} requested={requested} debited={debited} refunded={refunded} refundable={refundable}",
            plain(account)
        ),
        "Refund at most what is left. Credits beyond that are granted with credit_grant().",
    )
}

/// 55000: nothing is left of the debit.
pub fn refunded_wholly(account: &str, posting: i64, debited: Amount) -> ErrorReport {
    wrong_state(
        names::REFUNDED_WHOLLY,
        format!("posting {posting} of account \"{account}\" was refunded wholly: 0 can still be refunded"),
        format!("account={} posting={posting} debited={debited} refunded={debited} refundable=0", plain(account)),
        "Credits beyond what was debited are granted with credit_grant().",
    )
}

/// 22023: a time for which a new lot of a refund would not live.
pub fn no_refund_grace() -> ErrorReport {
    invalid(
        "refund_grace must be positive",
        "argument=refund_grace",
        "Give how long credits live that go back to an expired lot, such as '30 days'; see refund_expired for not at all.",
    )
}

/// 22023: the reason is said twice, in two ways.
pub fn two_reasons() -> ErrorReport {
    invalid(
        "metadata says another reason than the argument reason",
        "argument=metadata",
        "Give the reason once: it is kept in the metadata, under \"reason\".",
    )
}
