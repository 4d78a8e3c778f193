//! Refusals of corrections.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::panic::ErrorReport;

use crate::domain::amount::Amount;
use crate::domain::ledger::correction::{Bound, CorrectionError, Usage};
use crate::error::{invalid, names, plain, wrong_state};

/// 22023 where the posting, the lot or the usage does not fit; 55000 where nothing, or too little, is left of it.
pub fn correction(
    account: &str,
    posting: i64,
    lot: i64,
    (amount, quantity): (Amount, Amount),
    broken: &CorrectionError,
) -> ErrorReport {
    let about = format!("account={} posting={posting} lot={lot}", plain(account));
    match broken {
        CorrectionError::NoDebit => invalid(
            format!("posting {posting} of account \"{account}\" is no debit"),
            about,
            "Name the posting of a debit. An adjustment that corrects no debit leaves corrects out.",
        ),
        CorrectionError::NotOfLot => invalid(
            format!("lot {lot} paid nothing of posting {posting} of account \"{account}\""),
            about,
            "The view credit.ledger shows which lots paid for a posting. Give back to them.",
        ),
        CorrectionError::NotOfUsage => invalid(
            format!("lot {lot} paid nothing of posting {posting} for this member, operation or dimensions"),
            about,
            "Leave them out: a correction gets those of the line that it corrects. Or name them as the ledger has them.",
        ),
        CorrectionError::Ambiguous(usages) => invalid(
            format!("lot {lot} paid several usages of posting {posting}"),
            format!("{about} usages={}", plain(&usages.iter().map(name_of).collect::<Vec<_>>().join(", "))),
            "Say which of them is corrected: name its operation, its member or its dimensions.",
        ),
        CorrectionError::Amount(bound) => out_of_bound(&about, "", (posting, lot), (amount, amount.is_positive()), bound),
        CorrectionError::Quantity(bound) => {
            out_of_bound(&about, "quantity_", (posting, lot), (quantity, amount.is_positive()), bound)
        }
    }
}

fn name_of(usage: &Usage) -> String {
    let dimensions = usage.dimensions.as_ref().map(|dimensions| dimensions.to_json());
    let parts = [usage.operation.clone(), usage.member.clone(), dimensions];
    let known: Vec<String> = parts.into_iter().flatten().collect();
    if known.is_empty() { "one without an operation".to_owned() } else { known.join(" ") }
}

fn out_of_bound(
    about: &str,
    of: &str,
    (posting, lot): (i64, i64),
    (requested, gives): (Amount, bool),
    bound: &Bound,
) -> ErrorReport {
    let (what, way_out) = match of {
        "" => ("", "Give back at most what is left. Grant credits that have nothing to do with a debit with credit_grant()."),
        _ => (" quantity", "Give back at most the quantity that is left, and leave quantity out where the debit says none."),
    };
    let numbers = format!(
        "{about} {of}requested={requested} {of}debited={} {of}given_back={} {of}left={}",
        bound.debited,
        bound.given_back,
        bound.left()
    );
    if gives {
        wrong_state(
            names::CORRECTION_EXCEEDS,
            format!("the correction gives back more{what} than is left of what lot {lot} paid for posting {posting}"),
            numbers,
            way_out,
        )
    } else {
        wrong_state(
            names::CORRECTION_EXCEEDS,
            format!("the correction takes more{what} than was given back to lot {lot} of posting {posting}"),
            numbers,
            "Take at most what was given back. Debit what was charged too little: an entry of the kind debit may name the \
                posting, too.",
        )
    }
}

/// 22023: a correction that is dated before what it corrects.
pub fn correction_before_debit(
    account: &str,
    posting: i64,
    occurred_at: DateTime<Utc>,
    debited_at: DateTime<Utc>,
) -> ErrorReport {
    invalid(
        format!("occurred_at lies before posting {posting} of account \"{account}\", which it corrects"),
        format!(
            "account={} posting={posting} occurred_at={} debited_at={}",
            plain(account),
            occurred_at.to_rfc3339(),
            debited_at.to_rfc3339()
        ),
        "Leave occurred_at out: a correction counts when it is made.",
    )
}

/// 55000: the lot's life is over; credits that come to it would be lost at once.
pub fn adjustment_of_ended_lot(account: &str, lot: i64, ended_at: DateTime<Utc>, is_settled: bool) -> ErrorReport {
    let state = if is_settled { "was settled when its schedule ended" } else { "has expired" };
    wrong_state(
        names::ADJUSTMENT_OF_ENDED_LOT,
        format!("lot {lot} of account \"{account}\" {state}: an adjustment would be lost"),
        format!("account={} lot={lot} ended_at={}", plain(account), ended_at.to_rfc3339()),
        "Give the credits back in a new lot with credit_grant(), with the expiry that they shall have.",
    )
}

/// 22023: a column of a directly inserted row that is no JSON object.
pub fn not_an_object(column: &str) -> ErrorReport {
    invalid(
        format!("{column} must be a JSON object"),
        format!("argument={column}"),
        "Give an object such as {\"invoice\": 4711}, or NULL.",
    )
}
