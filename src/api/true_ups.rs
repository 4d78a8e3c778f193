//! credit_true_up() and its family: the promise for a period against its consumption.

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::true_ups::true_up::Treatment;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::server::clock;
use crate::store::true_ups::closed_periods::{self, TrueUp};
use crate::store::true_ups::true_up as store;
use crate::store::true_ups::true_up::NewTerms;
use crate::store::{Snapshot, connected};
use crate::true_ups::period::Period;
use crate::true_ups::post;
use crate::true_ups::statement;
use crate::values;

/// A statement as SQL sees it.
/// A function that returns statements, each as a row of these columns.
macro_rules! returns_statements {
    ($(#[$attribute:meta])* fn $function:ident($($arguments:tt)*) $statements:block) => {
        $(#[$attribute])*
        #[allow(clippy::type_complexity)]
        fn $function($($arguments)*) -> Result<
            TableIterator<
                'static,
                (
                    name!(account, String),
                    name!(unit, String),
                    name!(starts_at, TimestampWithTimeZone),
                    name!(ends_at, TimestampWithTimeZone),
                    name!(committed, AnyNumeric),
                    name!(used, AnyNumeric),
                    name!(granted, AnyNumeric),
                    name!(expired, AnyNumeric),
                    name!(rolled_in, AnyNumeric),
                    name!(rolled_out, AnyNumeric),
                    name!(carried_in, AnyNumeric),
                    name!(prepaid, AnyNumeric),
                    name!(shortfall, AnyNumeric),
                    name!(overage, AnyNumeric),
                    name!(unit_price, Option<AnyNumeric>),
                    name!(overage_price, Option<AnyNumeric>),
                    name!(amount_due, Option<AnyNumeric>),
                    name!(currency, Option<String>),
                    name!(carried_forward, AnyNumeric),
                    name!(true_up, Option<i64>),
                    name!(posted_at, Option<TimestampWithTimeZone>),
                    name!(settled_at, Option<TimestampWithTimeZone>),
                    name!(granted_lot, Option<i64>),
                ),
            >,
        > {
            let statements: Vec<TrueUp> = $statements?;
            let row = |statement: TrueUp| {
                let decimals = money_decimals(&statement);
                (
                    statement.account,
                    statement.unit,
                    values::timestamptz(statement.starts_at),
                    values::timestamptz(statement.ends_at),
                    values::numeric(statement.committed),
                    values::numeric(statement.used),
                    values::numeric(statement.granted),
                    values::numeric(statement.expired),
                    values::numeric(statement.rolled_in),
                    values::numeric(statement.rolled_out),
                    values::numeric(statement.carried_in),
                    values::numeric(statement.prepaid),
                    values::numeric(statement.shortfall),
                    values::numeric(statement.overage),
                    statement.unit_price.map(values::numeric_of_decimal),
                    statement.overage_price.map(values::numeric_of_decimal),
                    statement.amount_due.map(|due| values::money(due, decimals)),
                    statement.currency,
                    values::numeric(statement.carried_forward),
                    statement.true_up,
                    statement.posted_at.map(values::timestamptz),
                    statement.settled_at.map(values::timestamptz),
                    statement.granted_lot,
                )
            };
            Ok(TableIterator::new(statements.into_iter().map(row).collect::<Vec<_>>()))
        }
    };
}

/// Declares how an account is trued up, or changes what is given of it.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_true_up_terms(
    account: Option<&str>,
    every: default!(Option<Interval>, "NULL"),
    anchor: default!(Option<TimestampWithTimeZone>, "NULL"),
    commitment: default!(Option<AnyNumeric>, "NULL"),
    shortfall: default!(Option<&str>, "NULL"),
    overage: default!(Option<&str>, "NULL"),
    eligible: default!(Option<&str>, "NULL"),
    unit_price: default!(Option<AnyNumeric>, "NULL"),
    overage_price: default!(Option<AnyNumeric>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    grant_shortfall: default!(Option<bool>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
) -> Result<String> {
    let name = arguments::name("account", account)?;
    let unit = arguments::optional_name("unit", unit)?;
    let every = arguments::optional_length("every", every)?;
    if every.as_ref().is_some_and(|every| values::span(every).mean_microseconds() < store::SHORTEST) {
        return Err(error::cadence_too_short("every"));
    }
    for (argument, treatment) in [("shortfall", shortfall), ("overage", overage)] {
        if let Some(word) = treatment.filter(|word| Treatment::of_name(word).is_none()) {
            return Err(error::unknown_option(argument, word, Treatment::NAMES));
        }
    }
    if let Some(word) = eligible.filter(|word| !matches!(*word, "all" | "paid")) {
        return Err(error::unknown_option("eligible", word, "all, paid"));
    }
    let new = NewTerms {
        every,
        anchor: arguments::optional_instant("anchor", anchor)?,
        commitment: commitment.map(|commitment| arguments::quantity_of("commitment", Some(&commitment))).transpose()?,
        shortfall,
        overage,
        eligible,
        unit_price: unit_price.map(|price| arguments::decimal("unit_price", &price)).transpose()?,
        overage_price: overage_price.map(|price| arguments::decimal("overage_price", &price)).transpose()?,
        currency: arguments::optional_currency(currency)?,
        grant_shortfall,
    };
    connected(|| {
        let context = account::find(name, unit, None)?;
        if let Some(commitment) = new.commitment {
            account::check_decimals("commitment", commitment, &context)?;
        }
        let known = store::terms(name, &context.unit, Snapshot::Fresh);
        if (new.unit_price.is_some() || new.overage_price.is_some()) && new.currency.is_none() && known.currency.is_none() {
            return Err(error::price_without_currency());
        }
        let new = NewTerms { currency: new.currency.or(known.currency.as_deref()), ..new };
        store::declare(name, &context.unit, &new, clock::now());
        Ok(name.to_owned())
    })
}

returns_statements! {
    /// The statement of a period, of one account or of all that have a commitment. It writes nothing.
    #[pg_extern(security_definer, stable, parallel_safe)]
    #[search_path(pg_catalog, credit, pg_temp)]
    fn credit_true_up(
        account: default!(Option<&str>, "NULL"),
        starts_at: default!(Option<TimestampWithTimeZone>, "NULL"),
        ends_at: default!(Option<TimestampWithTimeZone>, "NULL"),
        unit: default!(Option<&str>, "NULL"),
        all_accounts: default!(Option<bool>, "false"),
    ) {
        let asked = Asked::of(account, starts_at, ends_at, unit, all_accounts)?;
        connected(|| asked.statements(Snapshot::OfCaller))
    }
}

/// The lines of a statement: where each figure comes from.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_true_up_lines(
    account: default!(Option<&str>, "NULL"),
    starts_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    ends_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    all_accounts: default!(Option<bool>, "false"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(account, String),
            name!(line, i32),
            name!(kind, String),
            name!(reference, Option<String>),
            name!(quantity, AnyNumeric),
            name!(unit_price, Option<AnyNumeric>),
            name!(amount, Option<AnyNumeric>),
        ),
    >,
> {
    let asked = Asked::of(account, starts_at, ends_at, unit, all_accounts)?;
    let statements = connected(|| asked.statements(Snapshot::OfCaller))?;
    let mut rows = Vec::new();
    for statement in statements {
        let decimals = money_decimals(&statement);
        for (number, line) in (1..).zip(statement.lines) {
            let price = line.unit_price.map(values::numeric_of_decimal);
            let amount = line.amount.map(|amount| values::money(amount, decimals));
            let quantity = values::numeric(line.quantity);
            rows.push((statement.account.clone(), number, line.kind, line.reference, quantity, price, amount));
        }
    }
    Ok(TableIterator::new(rows))
}

returns_statements! {
    /// Closes a period, of one account or of all that have a commitment, and writes what follows.
    #[pg_extern(security_definer, volatile, parallel_unsafe)]
    #[search_path(pg_catalog, credit, pg_temp)]
    fn credit_true_up_post(
        account: default!(Option<&str>, "NULL"),
        starts_at: default!(Option<TimestampWithTimeZone>, "NULL"),
        ends_at: default!(Option<TimestampWithTimeZone>, "NULL"),
        unit: default!(Option<&str>, "NULL"),
        all_accounts: default!(Option<bool>, "false"),
    ) {
        let asked = Asked::of(account, starts_at, ends_at, unit, all_accounts)?;
        connected(|| {
            let period = asked.period_to_close()?;
            post::post(asked.accounts()?.as_deref(), asked.unit, period.from, period.to)
        })
    }
}

/// Says that what a closed period left due is settled.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_true_up_settle(account: Option<&str>, true_up: Option<i64>) -> Result<bool> {
    let account = arguments::name("account", account)?;
    let true_up = arguments::required("true_up", true_up)?;
    connected(|| {
        account::find(account, None, None)?;
        if closed_periods::find(account, true_up, Snapshot::Fresh).is_none() {
            return Err(error::unknown_true_up(account, true_up));
        }
        Ok(closed_periods::settle(account, true_up, clock::now()))
    })
}

/// The statements that are asked for.
struct Asked<'a> {
    account: Option<&'a str>,
    unit: Option<&'a str>,
    between: Option<(chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>)>,
}

impl<'a> Asked<'a> {
    fn of(
        account: Option<&'a str>,
        starts_at: Option<TimestampWithTimeZone>,
        ends_at: Option<TimestampWithTimeZone>,
        unit: Option<&'a str>,
        all_accounts: Option<bool>,
    ) -> Result<Asked<'a>> {
        let account = arguments::optional_name("account", account)?;
        if arguments::required("all_accounts", all_accounts)? == account.is_some() {
            return Err(error::one_account_or_all(account));
        }
        let unit = arguments::optional_name("unit", unit)?;
        let starts_at = arguments::optional_instant("starts_at", starts_at)?;
        let ends_at = arguments::optional_instant("ends_at", ends_at)?;
        if starts_at.is_some() != ends_at.is_some() || (account.is_none() && starts_at.is_none()) {
            return Err(error::half_a_period());
        }
        Ok(Asked { account, unit, between: starts_at.zip(ends_at) })
    }

    /// The period that is named; else the declared one that contains now.
    fn period(&self, snapshot: Snapshot) -> Result<Period> {
        match (self.between, self.account) {
            (Some((from, to)), _) => Ok(Period { from, to, snapshot }),
            (None, account) => {
                let name = account.expect("checked with the arguments");
                let context = account::find_for_reader(name, self.unit, None)?;
                statement::period_at(name, &context.unit, clock::now(), snapshot)
            }
        }
    }

    /// The period that is named; else the declared one that follows the last closed one.
    fn period_to_close(&self) -> Result<Period> {
        match (self.between, self.account) {
            (None, Some(name)) => {
                let context = account::find(name, self.unit, None)?;
                statement::next_to_close(name, &context.unit, clock::now(), Snapshot::Fresh)
            }
            _ => self.period(Snapshot::Fresh),
        }
    }

    fn accounts(&self) -> Result<Option<Vec<&'a str>>> {
        let found = self.account.map(|name| account::find_for_reader(name, self.unit, None).map(|_| vec![name]));
        found.transpose()
    }

    fn statements(&self, snapshot: Snapshot) -> Result<Vec<TrueUp>> {
        let period = self.period(snapshot)?;
        statement::statements(self.accounts()?.as_deref(), self.unit, period)
    }
}

fn money_decimals(statement: &TrueUp) -> u32 {
    statement.currency.as_deref().and_then(crate::domain::currency::decimals).unwrap_or_default()
}
