//! Errors of pools and transfers.

use pgrx::pg_sys::panic::ErrorReport;

use super::{invalid, plain, wrong_state};
use crate::domain::transfers::Transfers;

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
        format!("account \"{account}\" does not allow transfers from {} to {}", owner(from), owner(to)),
        format!("account={} from={} to={} transfers={}", plain(account), shown(from), shown(to), policy.name()),
        hint,
    )
}

/// 55000: the lot that is named is not the giver's, or of another unit.
pub fn lot_of_another_owner(account: &str, lot: i64, member: Option<&str>, unit: &str) -> ErrorReport {
    wrong_state(
        format!("lot {lot} of account \"{account}\" belongs to {} and is counted in {unit}", owner(member)),
        format!("account={} lot={lot} owner={} unit={}", plain(account), shown(member), plain(unit)),
        "Name its owner as from_member (NULL for the pool), and its unit.",
    )
}
