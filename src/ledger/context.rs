//! An account with its unit and member, read without the executor: a backend that debits many accounts meets each for a first
//! time.

use chrono::{DateTime, Utc};
use pgrx::{FromDatum, pg_sys};

use crate::domain::pools::pooling::Resolved;
use crate::server::heap::layout::{self, Columns, Row};
use crate::server::heap::relations::{self, Indexed, Relations};
use crate::server::heap::{self, read};
use crate::store::ledger::accounts::{Context, Member, late_usage_of_name, pooling_of_name};
use crate::store::{Column, Parameter, Snapshot};

/// The facts about a unit that a debit needs.
#[derive(Clone, Debug)]
pub struct Unit {
    pub decimals: u32,
    pub currency: Option<String>,
}

/// The same as [`crate::store::ledger::accounts::context`], or `Err` when the tables are not as this extension made them. Units
/// are few: those that `remembered` knows are not read.
pub fn read(
    account: &str,
    unit: Option<&str>,
    member: Option<&str>,
    remembered: impl FnOnce(&str) -> Option<Unit>,
) -> Result<Option<Context>, ()> {
    let table = relations::relations().account.table;
    let found = by_text(
        |relations| relations.account,
        &[account],
        |row| Context {
            pooling: Resolved::always(pooling_of_name(&text(row, layout::Account::Pooling).expect("an account has a policy"))),
            has_pooling_rules: flag(row, layout::Account::HasPoolingRules),
            require_members: flag(row, layout::Account::RequireMembers),
            self_seating: flag(row, layout::Account::SelfSeating),
            unit: unit.map_or_else(|| text(row, layout::Account::Unit).expect("an account has a unit"), str::to_owned),
            decimals: None,
            currency: None,
            member: None,
            refresh_at: instant(row, layout::Account::RefreshAt),
            closed_until: instant(row, layout::Account::ClosedUntil),
            late_usage: late_usage_of_name(&text(row, layout::Account::LateUsage).expect("an account has a policy")),
            has_caps: flag(row, layout::Account::HasCaps),
            caps: Vec::new(),
            relation: table,
        },
    )?;
    let Some(mut context) = found else { return Ok(None) };
    let unit = match remembered(&context.unit) {
        Some(unit) => Some(unit),
        None => by_text(
            |relations| relations.unit,
            &[&context.unit],
            |row| Unit {
                decimals: row.get(layout::Unit::Decimals).map_or(0, |decimals| decimals.value() as u32),
                currency: text(row, layout::Unit::Currency),
            },
        )?,
    };
    if let Some(unit) = unit {
        (context.decimals, context.currency) = (Some(unit.decimals), unit.currency);
    }
    if let Some(member) = member {
        context.member = by_text(
            |relations| relations.member,
            &[account, member],
            |row| Member {
                active: flag(row, layout::Member::Active),
                department: text(row, layout::Member::Department),
                seated: row.get(layout::Member::SeatedAt).is_some(),
            },
        )?;
    }
    Ok(Some(context.with_caps(Snapshot::Fresh, account, member)))
}

/// The row whose key these texts are, in the order of the primary key.
fn by_text<T: Columns, R>(
    choose: impl Fn(&Relations) -> Indexed<T>,
    texts: &[&str],
    take: impl FnOnce(Row<'_, T>) -> R,
) -> Result<Option<R>, ()> {
    let mut key: Vec<_> = (1..).zip(texts).map(|(column, text)| heap::equals(column, pg_sys::F_TEXTEQ, text.datum())).collect();
    read::by_key(choose, &mut key, take)
}

/// An instant, in one of the columns of credit.account that are instants.
fn instant(row: Row<'_, layout::Account>, column: layout::Account) -> Option<DateTime<Utc>> {
    // SAFETY: callers name a column that is a timestamptz by the layout, which was checked against the table; it is not NULL.
    row.get(column).map(|datum| unsafe { DateTime::<Utc>::from_sql(datum) })
}

fn text<T: Columns>(row: Row<'_, T>, column: T) -> Option<String> {
    // SAFETY: callers name a column that is a text by the layout, which was checked against the table. The text is copied.
    row.get(column).and_then(|datum| unsafe { String::from_datum(datum, false) })
}

fn flag<T: Columns>(row: Row<'_, T>, column: T) -> bool {
    row.get(column).is_some_and(|datum| datum.value() & 0xff != 0)
}
