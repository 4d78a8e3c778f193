//! An account with its unit and member, read without the executor: a backend that debits many accounts meets each for a first time.

use chrono::{DateTime, Utc};
use pgrx::{FromDatum, pg_sys};

use crate::domain::pooling::Resolved;
use crate::server::heap::relations::{self, Indexed, Relations};
use crate::server::heap::{self, read};
use crate::store::accounts::{Context, Member, late_usage_of_name, pooling_of_name};
use crate::store::{Column, Parameter, Snapshot};

/// The columns of sql/20_tables.sql that are read, counted from 0.
mod column {
    pub const ACCOUNT_UNIT: usize = 1;
    pub const ACCOUNT_POOLING: usize = 2;
    pub const ACCOUNT_REQUIRE_MEMBERS: usize = 4;
    pub const ACCOUNT_LATE_USAGE: usize = 8;
    pub const ACCOUNT_REFRESH_AT: usize = 10;
    pub const ACCOUNT_CLOSED_UNTIL: usize = 12;
    pub const ACCOUNT_HAS_CAPS: usize = 13;
    pub const ACCOUNT_HAS_POOLING_RULES: usize = 14;
    pub const ACCOUNT_SELF_SEATING: usize = 15;
    pub const UNIT_DECIMALS: usize = 1;
    pub const UNIT_CURRENCY: usize = 3;
    pub const MEMBER_DEPARTMENT: usize = 2;
    pub const MEMBER_ACTIVE: usize = 3;
    pub const MEMBER_SEATED_AT: usize = 6;
}

type Row<'a> = &'a [Option<pg_sys::Datum>];

/// What a debit needs to know of a unit.
#[derive(Clone, Debug)]
pub struct Unit {
    pub decimals: u32,
    pub currency: Option<String>,
}

/// What [`crate::store::accounts::context`] finds, or `Err` when the tables are not as this extension made them. Of the units,
/// which are few, those that `remembered` knows are not read.
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
            pooling: Resolved::always(pooling_of_name(&text(row, column::ACCOUNT_POOLING).expect("an account has a policy"))),
            has_pooling_rules: flag(row, column::ACCOUNT_HAS_POOLING_RULES),
            require_members: flag(row, column::ACCOUNT_REQUIRE_MEMBERS),
            self_seating: flag(row, column::ACCOUNT_SELF_SEATING),
            unit: unit.map_or_else(|| text(row, column::ACCOUNT_UNIT).expect("an account has a unit"), str::to_owned),
            decimals: None,
            currency: None,
            member: None,
            // SAFETY: both columns are instants in a row of credit.account.
            refresh_at: row[column::ACCOUNT_REFRESH_AT].map(|datum| unsafe { DateTime::<Utc>::from_sql(datum) }),
            closed_until: row[column::ACCOUNT_CLOSED_UNTIL].map(|datum| unsafe { DateTime::<Utc>::from_sql(datum) }),
            late_usage: late_usage_of_name(&text(row, column::ACCOUNT_LATE_USAGE).expect("an account has a policy")),
            has_caps: flag(row, column::ACCOUNT_HAS_CAPS),
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
                decimals: row[column::UNIT_DECIMALS].map_or(0, |decimals| decimals.value() as u32),
                currency: text(row, column::UNIT_CURRENCY),
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
                active: flag(row, column::MEMBER_ACTIVE),
                department: text(row, column::MEMBER_DEPARTMENT),
                seated: row[column::MEMBER_SEATED_AT].is_some(),
            },
        )?;
    }
    Ok(Some(context.with_caps(Snapshot::Fresh, account, member)))
}

/// The row whose key these texts are, in the order of the primary key.
fn by_text<T>(choose: impl Fn(&Relations) -> Indexed, texts: &[&str], take: impl FnOnce(Row<'_>) -> T) -> Result<Option<T>, ()> {
    let mut key: Vec<_> = (1..).zip(texts).map(|(column, text)| heap::equals(column, pg_sys::F_TEXTEQ, text.datum())).collect();
    read::by_key(choose, &mut key, take)
}

fn text(row: Row<'_>, column: usize) -> Option<String> {
    row[column].and_then(|datum| unsafe { String::from_datum(datum, false) })
}

fn flag(row: Row<'_>, column: usize) -> bool {
    row[column].is_some_and(|datum| datum.value() & 0xff != 0)
}
