//! credit_account() and credit_member().

use pgrx::prelude::*;

use crate::arguments;
use crate::debits::direct;
use crate::domain::debits::late::LateUsage;
use crate::domain::pools::pooling::Pooling;
use crate::domain::pools::transfers::Transfers;
use crate::error::{self, Result};
use crate::ledger::account as accounts;
use crate::pools::pooling as policy;
use crate::schedules::seats;
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::connected;
use crate::store::ledger::accounts as store;
use crate::store::ledger::accounts::{AccountTerms, MemberTerms};
use crate::store::rates::{rate_cards, units};
use crate::values::json::JsonText;

/// Creates an account or changes what is given of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_account(
    account: Option<&str>,
    unit: default!(Option<&str>, "NULL"),
    pooling: default!(Option<&str>, "NULL"),
    time_zone: default!(Option<&str>, "NULL"),
    require_members: default!(Option<bool>, "NULL"),
    rate_card: default!(Option<&str>, "NULL"),
    late_usage: default!(Option<&str>, "NULL"),
    late_grace: default!(Option<Interval>, "NULL"),
    transfers: default!(Option<&str>, "NULL"),
    self_seating: default!(Option<bool>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
    refund_expired: default!(Option<&str>, "NULL"),
    refund_grace: default!(Option<Interval>, "NULL"),
) -> Result<String> {
    let account = arguments::name("account", account)?;
    let rate_card = arguments::optional_name("rate_card", rate_card)?;
    let unit = arguments::optional_name("unit", unit)?;
    if let Some(pooling) = pooling.filter(|pooling| Pooling::of_name(pooling).is_none()) {
        return Err(error::unknown_option("pooling", pooling, Pooling::NAMES));
    }
    if let Some(policy) = late_usage.filter(|policy| LateUsage::of_name(policy).is_none()) {
        return Err(error::unknown_option("late_usage", policy, LateUsage::NAMES));
    }
    if let Some(policy) = transfers.filter(|policy| Transfers::of_name(policy).is_none()) {
        return Err(error::unknown_option("transfers", policy, Transfers::NAMES));
    }
    let late_grace = arguments::grace("late_grace", late_grace)?;
    if let Some(policy) = refund_expired.filter(|policy| !["expire", "grace"].contains(policy)) {
        return Err(error::unknown_option("refund_expired", policy, "expire, grace"));
    }
    let refund_grace = arguments::refund_grace(refund_grace)?;
    let metadata = arguments::metadata(metadata)?;
    let metadata = metadata.as_deref();
    let terms = AccountTerms {
        unit,
        pooling,
        time_zone,
        require_members,
        rate_card,
        late_usage,
        late_grace,
        transfers,
        self_seating,
        refund_expired,
        refund_grace,
        metadata,
    };
    connected(|| {
        time_zone.map_or(Ok(()), accounts::check_time_zone)?;
        if let Some(card) = rate_card.filter(|card| rate_cards::card(card).is_none()) {
            return Err(error::unknown_card(card));
        }
        if !accounts::create(account, terms, clock::now())? {
            // The row stays locked, and lots may follow.
            arrival::let_in(account);
            store::change(account, terms);
            if let Some(pooling) = pooling.and_then(Pooling::of_name) {
                policy::say_of_account(account, pooling)?;
            }
        }
        Ok(account.to_owned())
    })
}

/// Registers a member or changes what is given of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_member(
    account: Option<&str>,
    member: Option<&str>,
    department: default!(Option<&str>, "NULL"),
    active: default!(Option<bool>, "NULL"),
    kind: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<String> {
    let account = arguments::name("account", account)?;
    let member = arguments::name("member", member)?;
    // Nobody's path: out of every department.
    let department = match department {
        Some("") => department,
        _ => arguments::optional_department("department", department)?,
    };
    if let Some(kind) = kind.filter(|kind| !matches!(*kind, "user" | "agent" | "service")) {
        return Err(error::unknown_kind(kind));
    }
    let metadata = arguments::metadata(metadata)?;
    connected(|| {
        let before = accounts::find(account, None, Some(member))?;
        let metadata = metadata.as_deref();
        let terms = MemberTerms { department, active, kind, metadata };
        seats::save(seats::Change { account, member, terms }, &before)?;
        Ok(member.to_owned())
    })
}

/// Checks a direct change of an account for the trigger.
pub fn check_account_change(old: &str, new: &str, time_zone: &str, time_zone_changes: bool) -> Result<()> {
    connected(|| match (old == new, time_zone_changes) {
        (false, _) => Err(error::immutable("credit.account", "a change of the account's id")),
        (true, true) => direct::check_time_zone(old, time_zone),
        (true, false) => Ok(()),
    })
}

/// Checks that an account may be deleted.
pub fn check_account_deletion(account: &str) -> Result<()> {
    connected(|| if store::is_in_use(account) { Err(error::account_in_use(account)) } else { Ok(()) })
}

/// Checks that a unit may be deleted, or changed in what amounts already posted depend on.
pub fn check_unit_change(unit: &str) -> Result<()> {
    connected(|| if units::is_in_use(unit) { Err(error::unit_in_use(unit)) } else { Ok(()) })
}
