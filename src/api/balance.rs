//! credit_balance() and credit_explain_debit(): what could be spent, and what would pay.

use pgrx::prelude::*;

use crate::convert;
use crate::domain::amount::Amount;
use crate::domain::drawdown::{self, Expiry};
use crate::error::Result;
use crate::posting::account;
use crate::server::clock;
use crate::store::balances::{self, Scope};
use crate::store::connected;
use crate::store::eligible::{self, Eligibility, Usable};

/// So many lots are explained at most; an account with more is not explained to people anyway.
const MAX_EXPLAINED_LOTS: i32 = 100_000;

/// What is usable now, or was as of an instant.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_balance(
    account: Option<&str>,
    member: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
) -> Result<AnyNumeric> {
    let name = convert::name("account", account)?;
    let member = convert::optional_name("member", member)?;
    let unit = convert::optional_name("unit", unit)?;
    let operation = convert::optional_name("operation", operation)?;
    let at = convert::optional_instant("at", at)?;
    connected(|| {
        let context = account::find_for_reader(name, unit, member)?;
        let scope = Scope { account: name, unit: &context.unit, member, pool: !context.per_seat, operation };
        let now = clock::now();
        Ok(match at {
            Some(at) if at < now => balances::as_of(scope, at),
            // No posting lies between now and the future: what is left then is what is in force then.
            _ => balances::in_force(scope, at.unwrap_or(now)),
        })
    })
}

/// One lot's part of a debit that is only explained.
type Step = (
    i32,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<TimestampWithTimeZone>,
    Option<AnyNumeric>,
    Option<AnyNumeric>,
    Option<AnyNumeric>,
    AnyNumeric,
);

/// Which lots would pay, in order, without debiting.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_explain_debit(
    account: Option<&str>,
    amount: Option<AnyNumeric>,
    member: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(lot, Option<i64>),
            name!(owner, Option<String>),
            name!(category, Option<String>),
            name!(source, Option<String>),
            name!(expires_at, Option<TimestampWithTimeZone>),
            name!(available, Option<AnyNumeric>),
            name!(debited, Option<AnyNumeric>),
            name!(remaining, Option<AnyNumeric>),
            name!(uncovered, AnyNumeric),
        ),
    >,
> {
    let name = convert::name("account", account)?;
    let amount = convert::positive_amount("amount", amount.as_ref())?;
    let member = convert::optional_name("member", member)?;
    let operation = convert::optional_name("operation", operation)?;
    let unit = convert::optional_name("unit", unit)?;
    let usable = connected(|| {
        let context = account::find_for_reader(name, unit, member)?;
        account::check_decimals("amount", amount, &context)?;
        let eligible = Eligibility {
            account: name,
            unit: &context.unit,
            member: member.unwrap_or_default(),
            pool: context.pool_pays(member),
            operation,
        };
        Ok(eligible::usable_to_reader(eligible, clock::now(), MAX_EXPLAINED_LOTS))
    })?;
    Ok(TableIterator::new(steps(&usable, amount)))
}

/// The lots that would pay, and a last line without a lot where they do not cover the amount.
fn steps(usable: &[Usable], amount: Amount) -> Vec<Step> {
    let sources: Vec<_> = usable.iter().map(|lot| lot.source).collect();
    let draws = drawdown::plan(&sources, amount);
    let uncovered = draws.last().map_or(amount, |draw| draw.uncovered);
    let mut steps: Vec<Step> = Vec::new();
    for (step, draw) in (1..).zip(&draws) {
        let lot = usable.iter().find(|lot| lot.source.rank.lot == draw.lot).expect("a lot that was offered");
        let left = draw.available.checked_sub(draw.amount).expect("a draw below what is there");
        let expires_at = match lot.source.rank.expiry {
            Expiry::At(at) => Some(convert::timestamptz(at)),
            Expiry::Never => None,
        };
        steps.push((
            step,
            Some(draw.lot),
            lot.member.clone(),
            Some(lot.category.clone()),
            Some(lot.origin.clone()),
            expires_at,
            Some(convert::numeric(draw.available)),
            Some(convert::numeric(draw.amount)),
            Some(convert::numeric(left)),
            convert::numeric(draw.uncovered),
        ));
    }
    if uncovered.is_positive() {
        let step = steps.len() as i32 + 1;
        steps.push((step, None, None, None, None, None, None, None, None, convert::numeric(uncovered)));
    }
    steps
}
