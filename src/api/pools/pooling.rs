//! credit_pooling() and its preview, and moving whole departments.

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::pools::pooling::{Pooling, Target};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::pools::pooling::{self, Effect};
use crate::store::connected;
use crate::store::ledger::accounts::Context;
use crate::values;

/// Says who spends the pool from an instant on: all members, those of a department, or one.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_pooling(
    account: Option<&str>,
    pooling: Option<&str>,
    member: default!(Option<&str>, "NULL"),
    department: default!(Option<&str>, "NULL"),
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let asked = Asked::of(pooling, member, department)?;
    let effective_at = arguments::optional_instant("effective_at", effective_at)?;
    connected(|| {
        let context = account::find(account, None, member)?;
        pooling::change(account, asked.target(account, &context)?, asked.pooling, effective_at)
    })
}

/// The effects that credit_pooling() would have: a row for each member, and one without a member for the pool.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_pooling_preview(
    account: Option<&str>,
    pooling: Option<&str>,
    member: default!(Option<&str>, "NULL"),
    department: default!(Option<&str>, "NULL"),
    effective_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(member, Option<String>),
            name!(department, Option<String>),
            name!(pooling_before, String),
            name!(pooling_after, String),
            name!(spendable_before, AnyNumeric),
            name!(spendable_after, AnyNumeric),
            name!(difference, AnyNumeric),
        ),
    >,
> {
    let account = arguments::name("account", account)?;
    let asked = Asked::of(pooling, member, department)?;
    let effective_at = arguments::optional_instant("effective_at", effective_at)?;
    let unit = arguments::optional_name("unit", unit)?;
    let effects = connected(|| {
        let context = account::find_for_reader(account, unit, member)?;
        let target = asked.target(account, &context)?;
        pooling::preview(account, &context, target, asked.pooling, effective_at)
    })?;
    let row = |Effect { seat, policies: [before, after], spendable }: Effect| {
        let (member, department) = seat.map_or((None, None), |seat| (Some(seat.member), seat.department));
        let difference = spendable[1].checked_sub(spendable[0]).expect("amounts of one account");
        let [spendable_before, spendable_after, difference] = [spendable[0], spendable[1], difference].map(values::numeric);
        (member, department, before.name().to_owned(), after.name().to_owned(), spendable_before, spendable_after, difference)
    };
    Ok(TableIterator::new(effects.into_iter().map(row).collect::<Vec<_>>()))
}

/// A rule as it was asked for.
struct Asked<'a> {
    pooling: Option<Pooling>,
    member: Option<&'a str>,
    department: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// Only an override may be taken away, by NULL: the account always has a policy.
    fn of(pooling: Option<&str>, member: Option<&'a str>, department: Option<&'a str>) -> Result<Asked<'a>> {
        let member = arguments::optional_name("member", member)?;
        let department = arguments::optional_department("department", department)?;
        if member.is_some() && department.is_some() {
            return Err(error::two_targets());
        }
        let pooling =
            pooling.map(|name| Pooling::of_name(name).ok_or_else(|| error::unknown_option("pooling", name, Pooling::NAMES)));
        let pooling = pooling.transpose()?;
        if pooling.is_none() && member.is_none() && department.is_none() {
            return Err(error::null_argument("pooling"));
        }
        Ok(Asked { pooling, member, department })
    }

    fn target(&self, account: &str, context: &Context) -> Result<Target> {
        match (self.member, self.department) {
            (Some(member), _) if context.member.is_none() => Err(error::unknown_member(account, member)),
            (Some(member), _) => Ok(Target::Member(member.to_owned())),
            (None, Some(department)) => Ok(Target::Department(department.to_owned())),
            (None, None) => Ok(Target::Account),
        }
    }
}

/// Moves a department and all below it to another path: its members and its policy. Usage stays where it was spent.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_move_department(account: Option<&str>, from_department: Option<&str>, to_department: Option<&str>) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let from = arguments::required("from_department", arguments::optional_department("from_department", from_department)?)?;
    let to = arguments::required("to_department", arguments::optional_department("to_department", to_department)?)?;
    connected(|| {
        account::find(account, None, None)?;
        pooling::move_department(account, from, to)
    })
}
