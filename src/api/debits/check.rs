//! credit_check() and credit_spendable(): what a debit would meet.

use chrono::{DateTime, Utc};
use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::json;

use crate::arguments;
use crate::debits::check::Question;
use crate::domain::amount::Amount;
use crate::domain::debits::check::Cap;
use crate::domain::rates::dimensions::Dimensions;
use crate::error::{self, Result, names};
use crate::ledger::account;
use crate::rates::price::{self, Usage};
use crate::server::clock;
use crate::store::connected;
use crate::store::debits::eligible::Eligibility;
use crate::store::ledger::accounts::Context;
use crate::values;
use crate::values::json::JsonText;

/// One answer: allowed, reason, needed, available, held, cap, free_at, detail.
type Row = (
    bool,
    Option<&'static str>,
    Option<AnyNumeric>,
    AnyNumeric,
    AnyNumeric,
    Option<i64>,
    Option<TimestampWithTimeZone>,
    Option<JsonB>,
);

/// Whether a debit would be allowed now, and when else.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_check(
    account: Option<&str>,
    amount: default!(Option<AnyNumeric>, "NULL"),
    member: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
    quantity: default!(Option<AnyNumeric>, "NULL"),
    dimensions: default!(Option<JsonText>, "NULL"),
    run: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(allowed, bool),
            name!(reason, Option<&'static str>),
            name!(needed, Option<AnyNumeric>),
            name!(available, AnyNumeric),
            name!(held, AnyNumeric),
            name!(cap, Option<i64>),
            name!(free_at, Option<TimestampWithTimeZone>),
            name!(detail, Option<JsonB>),
        ),
    >,
> {
    arguments::optional_name("run", run)?;
    let asked = Asked {
        account: arguments::name("account", account)?,
        member: arguments::optional_name("member", member)?,
        operation: arguments::optional_name("operation", operation)?,
        unit: arguments::optional_name("unit", unit)?,
        dimensions: arguments::dimensions(dimensions.as_ref())?.unwrap_or_default(),
    };
    let amount = amount.as_ref().map(|amount| arguments::positive_amount("amount", Some(amount))).transpose()?;
    let quantity = quantity.as_ref().map(|quantity| arguments::quantity(Some(quantity))).transpose()?;
    if amount.is_some() == quantity.is_some() || quantity.is_some() && asked.operation.is_none() {
        return Err(error::check_of_what());
    }
    connected(|| asked.check(amount, quantity)).map(TableIterator::once)
}

/// What is asked about.
struct Asked<'a> {
    account: &'a str,
    member: Option<&'a str>,
    operation: Option<&'a str>,
    unit: Option<&'a str>,
    dimensions: Dimensions,
}

impl Asked<'_> {
    fn check(&self, amount: Option<Amount>, quantity: Option<Amount>) -> Result<Row> {
        let now = clock::now();
        let refused = |reason| Ok(nothing(reason, amount));
        let context = match account::find_remembered_for_reader(self.account, self.unit, self.member) {
            Ok(context) => context,
            Err(refusal) => {
                return reason_of(&[("unknown_account", names::UNKNOWN_ACCOUNT), ("unknown_member", names::UNKNOWN_MEMBER)])
                    .map_or(Err(refusal), refused);
            }
        };
        if context.member.as_ref().is_some_and(|member| !member.active) {
            return refused("inactive_member");
        }
        let (needed, context) = match (amount, quantity, self.operation) {
            (None, Some(quantity), Some(operation)) => {
                let usage = Usage { account: Some(self.account), operation, quantity, dimensions: &self.dimensions, at: now };
                match price::quote_remembered(self.account, &usage) {
                    Ok(price) if self.unit.is_some_and(|unit| unit != price.unit) => {
                        return Err(error::check_of_unit(&price.unit));
                    }
                    Ok(price) => {
                        let context = account::find_remembered_for_reader(self.account, Some(&price.unit), self.member)?;
                        (price.amount, context)
                    }
                    Err(refusal) => {
                        return reason_of(&[("no_rate", names::NO_RATE), ("no_rate", names::NO_CARD)])
                            .map_or(Err(refusal), refused);
                    }
                }
            }
            _ => (account::check_decimals("amount", amount.unwrap_or_default(), &context)?, context),
        };
        Ok(self.answer(needed, &context, now))
    }

    fn answer(&self, needed: Amount, context: &Context, now: DateTime<Utc>) -> Row {
        let question = Question::new(self.eligible(context), context, now);
        let world = question.world();
        let decision = world.decide(needed, now);
        let reason = match (decision.is_allowed(), decision.is_short) {
            (true, _) => None,
            (false, true) => Some("insufficient_credits"),
            (false, false) => Some("cap"),
        };
        let free_at = if decision.is_allowed() { None } else { question.free_at(&world, needed) };
        let in_the_way = decision.in_the_way.first();
        (
            decision.is_allowed(),
            reason,
            Some(values::numeric(needed)),
            values::numeric(decision.credits.all()),
            values::numeric(world.held(now)),
            in_the_way.map(|cap| cap.cap),
            free_at.map(values::timestamptz),
            in_the_way.map(|cap| detail(cap, now)),
        )
    }

    fn eligible<'a>(&'a self, context: &'a Context) -> Eligibility<'a> {
        Eligibility {
            account: self.account,
            unit: &context.unit,
            member: self.member.unwrap_or_default(),
            pool: context.pool_pays(self.member),
            operation: self.operation,
        }
    }
}

/// The reason that belongs to the refusal that was made last.
fn reason_of(known: &[(&'static str, &str)]) -> Option<&'static str> {
    known.iter().find(|(_, name)| *name == names::last()).map(|(reason, _)| *reason)
}

fn nothing(reason: &'static str, amount: Option<Amount>) -> Row {
    let zero = || values::numeric(Amount::ZERO);
    (false, Some(reason), amount.map(values::numeric), zero(), zero(), None, None, None)
}

/// The figures of the cap in the way.
fn detail(cap: &Cap, now: DateTime<Utc>) -> JsonB {
    let number =
        |amount: Amount| -> serde_json::Value { serde_json::from_str(&amount.to_string()).expect("an amount is a JSON number") };
    JsonB(json!({
        "limit": number(cap.limit),
        "used": number(cap.used(now)),
        "held": number(cap.held(now)),
        "headroom": number(cap.headroom(now)),
        "resets_at": cap.resets_at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
    }))
}

/// The amount that could be debited now, with caps applied.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_spendable(
    account: Option<&str>,
    member: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
) -> Result<AnyNumeric> {
    let asked = Asked {
        account: arguments::name("account", account)?,
        member: arguments::optional_name("member", member)?,
        operation: arguments::optional_name("operation", operation)?,
        unit: arguments::optional_name("unit", unit)?,
        dimensions: Dimensions::default(),
    };
    connected(|| {
        let context = account::find_remembered_for_reader(asked.account, asked.unit, asked.member)?;
        let now = clock::now();
        Ok(values::numeric(Question::new(asked.eligible(&context), &context, now).world().spendable(now)))
    })
}
