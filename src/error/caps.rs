//! Errors of spending caps.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::caps::cap::{Contradiction, Limit, Over};
use crate::error::{invalid, names, not_found, older_snapshot, plain, report, wrong_state};

/// A debit that a cap does not let through.
#[derive(Clone, Debug)]
pub struct CapReached {
    pub cap: i64,
    /// The owner of the cap: `department eng`.
    pub whose: String,
    /// The part that is limited: ` on chat`, ` from the pool`.
    pub of_what: String,
    /// The time that the limit is for.
    pub over: Over,
    pub limit: Amount,
    pub used: Amount,
    /// The amount that open holds have of it.
    pub held: Amount,
    pub requested: Amount,
    /// The part of the limit that is left.
    pub headroom: Amount,
    /// When there is headroom again, and how much if nothing more is used.
    pub resets_at: DateTime<Utc>,
    /// The same as the session shows it.
    pub resets_at_shown: String,
    /// The headroom at `resets_at`.
    pub free_then: Amount,
}

impl CapReached {
    /// The part of the request that the cap does not leave.
    pub fn shortfall(&self) -> Amount {
        self.requested.checked_sub(self.headroom).unwrap_or_default()
    }

    fn message(&self) -> String {
        let resets_at = &self.resets_at_shown;
        let resets = match self.over {
            Over::Every(_) => format!("resets {resets_at}"),
            Over::Any(_) => format!("{} free from {resets_at}", self.free_then),
        };
        let held = if self.held.is_zero() { String::new() } else { format!(", {} held", self.held) };
        format!("{} may spend {} {}{}, {} used{held}, {resets}", self.whose, self.limit, self.over, self.of_what, self.used)
    }

    fn detail(&self, account: &str) -> String {
        let resets_at = self.resets_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        format!(
            "account={} cap={} limit={} used={} held={} requested={} headroom={} resets_at={resets_at}",
            plain(account),
            self.cap,
            self.limit,
            self.used,
            self.held,
            self.requested,
            self.headroom
        )
    }
}

/// 54000: a spending cap leaves less than is to be debited.
pub fn cap_reached(account: &str, reached: &CapReached) -> ErrorReport {
    report(
        names::CAP,
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        reached.message(),
        reached.detail(account),
        "The view credit.caps shows the caps and what is left of them; credit_cap() changes a limit.",
    )
}

/// A warning: the debit is posted, and its cap's limit is exceeded.
pub fn warn_of_cap(account: &str, reached: &CapReached) {
    let warning = ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, reached.message(), "pg_credit");
    warning.set_detail(reached.detail(account)).report(PgLogLevel::WARNING);
}

/// 22023: a cap is of a member or of a department.
pub fn cap_of_two(account: &str, member: &str, department: &str) -> ErrorReport {
    invalid(
        "a cap limits a member or a department, not both",
        format!("account={} member={} department={}", plain(account), plain(member), plain(department)),
        "Make a cap for each.",
    )
}

/// 22023: two caps of one scope cannot both be meant.
pub fn contradicting_caps(account: &str, given: Limit, other: i64, existing: Limit, broken: Contradiction) -> ErrorReport {
    let message = match broken {
        Contradiction::LongerIsSmaller => "a longer period cannot be limited to less than a shorter one",
        Contradiction::WarnsTooLate => "a cap that warns must lie below the one that blocks in the same period",
        Contradiction::PoolAboveEverything => "the pool cannot be limited to more than everything in the same period",
    };
    invalid(
        message,
        format!(
            "account={} amount={} {} other_cap={other} other_amount={} other_{}",
            plain(account),
            given.amount,
            length(given.over),
            existing.amount,
            length(existing.over)
        ),
        "Change the other cap first with credit_cap(), or end it with credit_end_cap().",
    )
}

fn length(over: Over) -> String {
    match over {
        Over::Every(every) => format!("every={}", every.name()),
        Over::Any(window) => format!("rolling={}", plain(&window.to_string())),
    }
}

/// 22023: a cap is of periods or of a window.
pub fn cap_of_period_and_window(account: &str, every: &str) -> ErrorReport {
    invalid(
        "a cap has a period or a rolling window, not both",
        format!("account={} every={}", plain(account), plain(every)),
        "Make a cap for each.",
    )
}

/// 22023: a rolling window of this length cannot be.
pub fn invalid_window() -> ErrorReport {
    invalid(
        "a rolling window is a number of minutes, from 1 minute to 3660 days, without months",
        "argument=rolling",
        "Give a length such as interval '30 days', or every => 'month' for months of the calendar.",
    )
}

/// 55000: the periods of a cap stay where they are.
pub fn anchor_of_cap(account: &str, cap: i64) -> ErrorReport {
    wrong_state(
        names::ANCHOR_OF_CAP,
        format!("the anchor of cap {cap} of account \"{account}\" cannot change"),
        format!("account={} cap={cap}", plain(account)),
        "End it with credit_end_cap() and make another.",
    )
}

/// P0002: no such cap in the account.
pub fn unknown_cap(account: &str, cap: i64) -> ErrorReport {
    not_found(
        names::UNKNOWN_CAP,
        format!("cap {cap} of account \"{account}\" does not exist"),
        format!("account={} cap={cap}", plain(account)),
        "The view credit.caps shows the account's caps.",
    )
}

/// 40001: a new cap would not count what is debited of a lot that came after the transaction's snapshot.
pub fn cap_misses_lot(account: &str, lot: i64) -> ErrorReport {
    older_snapshot(
        names::SERIALIZATION,
        format!("lots came to account \"{account}\" after this transaction's snapshot was taken"),
        format!("account={account} lot={lot}", account = plain(account)),
    )
}

/// 40001: a hold is to be settled in a cap that came after the transaction's snapshot.
pub fn cap_after_snapshot(account: &str, cap: i64) -> ErrorReport {
    older_snapshot(
        names::SERIALIZATION,
        format!("caps came to account \"{account}\" after this transaction's snapshot was taken"),
        format!("account={account} cap={cap}", account = plain(account)),
    )
}
