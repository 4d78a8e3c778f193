//! Errors of pools and transfers.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::pools::transfers::Transfers;
use crate::error::{invalid, names, plain, wrong_state};

/// How an owner is called: a member, or the pool.
fn owner(member: Option<&str>) -> String {
    member.map_or_else(|| "the pool".to_owned(), |member| format!("member \"{member}\""))
}

fn shown(member: Option<&str>) -> String {
    member.map_or_else(|| "pool".to_owned(), plain)
}

/// 22023: giver and receiver are the same.
pub fn transfer_to_oneself(account: &str, owner_of_both: Option<&str>) -> ErrorReport {
    invalid(
        format!("{} of account \"{account}\" cannot transfer to itself", owner(owner_of_both)),
        format!("account={} from={} to={}", plain(account), shown(owner_of_both), shown(owner_of_both)),
        "Name from_member, to_member, or both; the one that is left out (NULL) is the pool.",
    )
}

/// 55000: the account's policy has no transfers between these two.
pub fn transfer_forbidden(account: &str, from: Option<&str>, to: Option<&str>, policy: Transfers) -> ErrorReport {
    let hint = match policy {
        Transfers::Free | Transfers::Department => {
            "Members of one department may transfer to each other, and everybody to and from the pool."
        }
        Transfers::Pool => "Transfer to the pool, and from the pool.",
        Transfers::Forbidden => "Allow it with credit_account(transfers => ...).",
    };
    wrong_state(
        names::TRANSFER_FORBIDDEN,
        format!("account \"{account}\" does not allow transfers from {} to {}", owner(from), owner(to)),
        format!("account={} from={} to={} transfers={}", plain(account), shown(from), shown(to), policy.name()),
        hint,
    )
}

/// 55000: the lot that is named is not the giver's, or of another unit.
pub fn lot_of_another_owner(account: &str, lot: i64, member: Option<&str>, unit: &str) -> ErrorReport {
    wrong_state(
        names::LOT_OF_ANOTHER_OWNER,
        format!("lot {lot} of account \"{account}\" belongs to {} and is counted in {unit}", owner(member)),
        format!("account={} lot={lot} owner={} unit={}", plain(account), shown(member), plain(unit)),
        "Name its owner as from_member (NULL for the pool), and its unit.",
    )
}

/// 22023: a rule for a member and for a department at once.
pub fn two_targets() -> ErrorReport {
    invalid(
        "member and department must not both be given",
        "argument=department",
        "Name the member, or the department with all departments below it. Without either, the rule is for the account.",
    )
}

/// 22023: a policy for an instant that has passed.
pub fn pooling_of_the_past(account: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> ErrorReport {
    invalid(
        format!("the pooling of account \"{account}\" cannot change for {}, which has passed", at.to_rfc3339()),
        format!("argument=effective_at account={} value={} now={}", plain(account), at.to_rfc3339(), now.to_rfc3339()),
        "Leave effective_at out (NULL) for now, or name a later instant: past spending followed the policy of its time.",
    )
}

/// 22023: a text that is no path of a department.
pub fn invalid_department(argument: &str, value: &str, rule: &str) -> ErrorReport {
    invalid(
        format!("{argument} \"{value}\" must {rule}"),
        format!("argument={argument} value={}", plain(value)),
        "Write the department as a path from the top: 'eng', or 'eng/ml' for what lies below it.",
    )
}

/// 22023: a department cannot become part of itself.
pub fn department_below_itself(account: &str, from: &str, to: &str) -> ErrorReport {
    invalid(
        format!("department \"{from}\" of account \"{account}\" cannot move to \"{to}\", which is itself or lies below it"),
        format!("argument=to_department account={} from={} to={}", plain(account), plain(from), plain(to)),
        "Move it to a path beside or above it, and move the departments below it one by one.",
    )
}

/// 22023: a path that would be longer than a name may be.
pub fn department_too_long(account: &str, from: &str, to: &str) -> ErrorReport {
    invalid(
        format!("below \"{to}\" a path of department \"{from}\" of account \"{account}\" would have more than 255 characters"),
        format!("argument=to_department account={} from={} to={}", plain(account), plain(from), plain(to)),
        "Choose a shorter path.",
    )
}

/// 22023: the kind of a member is not known.
pub fn unknown_kind(value: &str) -> ErrorReport {
    crate::error::unknown_option("kind", value, "user, agent, service")
}
