//! credit_balance() and credit_explain_debit(): the credits that could be spent, and the lots that would pay.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use pgrx::prelude::*;

use crate::api::ledger::amounts;
use crate::arguments;
use crate::debits::check::Question;
use crate::domain::amount::Amount;
use crate::domain::debits::check::World;
use crate::domain::ledger::drawdown::{self, Expiry, Rank, Source};
use crate::error::Result;
use crate::ledger::account;
use crate::schedules::pending;
use crate::server::clock;
use crate::store::debits::eligible::{self, Eligibility, Usable};
use crate::store::ledger::accounts::Context;
use crate::store::ledger::balances::{self, Scope};
use crate::store::{Snapshot, connected};
use crate::values;

/// How many lots are explained at most. People do not read an explanation of more.
const MAX_EXPLAINED_LOTS: i32 = 100_000;

/// Lots that are due and not issued have no ids yet; these are beyond all that there can be.
const FIRST_PENDING: i64 = 1 << 53;

/// The credits that are usable now, or were as of an instant.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_balance(
    account: Option<&str>,
    member: default!(Option<&str>, "NULL"),
    unit: default!(Option<&str>, "NULL"),
    at: default!(Option<TimestampWithTimeZone>, "NULL"),
    operation: default!(Option<&str>, "NULL"),
) -> Result<AnyNumeric> {
    let name = arguments::name("account", account)?;
    let member = arguments::optional_name("member", member)?;
    let unit = arguments::optional_name("unit", unit)?;
    let operation = arguments::optional_name("operation", operation)?;
    let at = arguments::optional_instant("at", at)?;
    connected(|| {
        let context = account::find_for_reader(name, unit, member)?;
        // Whether the pool counted is what counted then.
        let context = match at {
            Some(at) => context.with_pooling(Snapshot::OfCaller, name, member, at),
            None => context,
        };
        let scope = Scope { account: name, unit: &context.unit, member, pool: context.pool_pays(member), operation };
        let now = clock::now();
        if let Some(at) = at.filter(|at| *at > now && context.is_due(*at)) {
            pending::check_distance(name, at, now)?;
        }
        let pending = pending(scope, &context, at.unwrap_or(now));
        let issued = match at {
            Some(at) if at < now => balances::as_of(scope, at),
            // No posting lies between now and the future: what is left then is what is in force then.
            _ => balances::in_force(scope, at.unwrap_or(now)),
        };
        Ok(pending.into_iter().fold(issued, |balance, amount| balance + values::numeric(amount)))
    })
}

/// The lots that are due by an instant and not issued yet, and the credits that would be taken when they are.
fn pending(scope: Scope<'_>, context: &Context, at: DateTime<Utc>) -> Vec<Amount> {
    if !context.is_due(at) {
        return Vec::new();
    }
    let pending = pending::at(scope.account, scope.unit, at);
    let counts = |member: &str| scope.member.is_none_or(|asked| member == asked || (scope.pool && member.is_empty()));
    let lots = pending.lots.iter().filter(|lot| counts(&lot.member)).map(|lot| lot.available);
    let trims = pending.trims.iter().filter(|trim| counts(&trim.member)).map(|trim| trim.amount.negated());
    lots.chain(trims).collect()
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
    Option<AnyNumeric>,
    Option<i64>,
);

/// The lots that would pay, in order, without debiting.
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
            name!(held, Option<AnyNumeric>),
            name!(cap, Option<i64>),
        ),
    >,
> {
    let name = arguments::name("account", account)?;
    let amount = amounts::positive("amount", amount.as_ref(), name, unit)?;
    let member = arguments::optional_name("member", member)?;
    let operation = arguments::optional_name("operation", operation)?;
    let unit = arguments::optional_name("unit", unit)?;
    let steps = connected(|| {
        let context = account::find_for_reader(name, unit, member)?;
        account::check_decimals("amount", amount, &context)?;
        let eligible = Eligibility {
            account: name,
            unit: &context.unit,
            member: member.unwrap_or_default(),
            pool: context.pool_pays(member),
            operation,
        };
        let now = clock::now();
        let mut usable = eligible::usable_to_reader(eligible, now, MAX_EXPLAINED_LOTS);
        if context.is_due(now) {
            add_pending(&mut usable, eligible, now);
        }
        let question = Question::new(eligible, &context, now);
        let world = question.world();
        add_ended(&mut usable, name, &world, amount, now);
        let held = world.lots.iter().map(|lot| (lot.lot, lot.held(now))).collect();
        let mut steps = steps(&usable, amount, &held);
        // What a cap does not leave, where the credits would suffice.
        let decision = world.decide(amount, now);
        if let Some(cap) = decision.in_the_way.first().filter(|_| !decision.is_short) {
            let counted = if cap.pool { amount.checked_sub(decision.credits.own).unwrap_or_default() } else { amount };
            let missing = counted.checked_sub(cap.headroom(now)).unwrap_or_default();
            let step = steps.len() as i32 + 1;
            let uncovered = values::numeric(missing);
            steps.push((step, None, None, None, None, None, None, None, None, uncovered, None, Some(cap.cap)));
        }
        Ok(steps)
    })?;
    Ok(TableIterator::new(steps))
}

/// Adds what holds have whose time is over, where the debit lacks it: it would give all of that back first.
fn add_ended(usable: &mut Vec<Usable>, account: &str, world: &World<'_>, amount: Amount, now: DateTime<Utc>) {
    let available = usable.iter().map(|lot| lot.source.available).fold(Amount::ZERO, Amount::saturating_add);
    let ended: HashMap<i64, Amount> = world.paying(now).map(|lot| (lot.lot, lot.ended(now))).collect();
    let with_ended: Vec<i64> = ended.iter().filter(|(_, ended)| ended.is_positive()).map(|(lot, _)| *lot).collect();
    if available >= amount || with_ended.is_empty() {
        return;
    }
    usable.extend(eligible::closed_to_reader(account, &with_ended));
    for lot in usable.iter_mut() {
        let ended = ended.get(&lot.source.rank.lot).copied().unwrap_or_default();
        lot.source.available = lot.source.available.checked_add(ended).expect("at most what was granted");
    }
    usable.sort_by_key(|lot| lot.source.rank);
}

/// Adds the lots that are due and not issued yet: the next debit would issue them first.
fn add_pending(usable: &mut Vec<Usable>, eligible: Eligibility<'_>, now: DateTime<Utc>) {
    let pending = pending::at(eligible.account, eligible.unit, now);
    for trim in pending.trims {
        for lot in usable.iter_mut().filter(|lot| lot.source.rank.lot == trim.lot) {
            lot.source.available = lot.source.available.checked_sub(trim.amount).expect("a part of what is left");
        }
    }
    let pays = |member: &str| if member.is_empty() { eligible.pool } else { member == eligible.member };
    for (lot, pending) in (FIRST_PENDING..).zip(pending.lots.into_iter().filter(|lot| pays(&lot.member))) {
        let rank = Rank {
            pooled: pending.member.is_empty(),
            priority: pending.priority,
            general: true,
            expiry: pending.expires_at.map_or(Expiry::Never, Expiry::At),
            paid: pending.category == "paid",
            effective_at: pending.effective_at,
            lot,
        };
        usable.push(Usable {
            source: Source { rank, available: pending.available },
            category: pending.category,
            origin: pending.source.to_owned(),
            member: Some(pending.member).filter(|member| !member.is_empty()),
        });
    }
    usable.sort_by_key(|lot| lot.source.rank);
}

/// The lots that would pay, and a last line without a lot where they do not cover the amount.
fn steps(usable: &[Usable], amount: Amount, held: &HashMap<i64, Amount>) -> Vec<Step> {
    let sources: Vec<_> = usable.iter().map(|lot| lot.source).collect();
    let draws = drawdown::plan(&sources, amount);
    let uncovered = draws.last().map_or(amount, |draw| draw.uncovered);
    let mut steps: Vec<Step> = Vec::new();
    for (step, draw) in (1..).zip(&draws) {
        let lot = usable.iter().find(|lot| lot.source.rank.lot == draw.lot).expect("a lot that was offered");
        let left = draw.available.checked_sub(draw.amount).expect("a draw below what is there");
        let expires_at = match lot.source.rank.expiry {
            Expiry::At(at) => Some(values::timestamptz(at)),
            Expiry::Never => None,
        };
        steps.push((
            step,
            Some(draw.lot).filter(|lot| *lot < FIRST_PENDING),
            lot.member.clone(),
            Some(lot.category.clone()),
            Some(lot.origin.clone()),
            expires_at,
            Some(values::numeric(draw.available)),
            Some(values::numeric(draw.amount)),
            Some(values::numeric(left)),
            values::numeric(draw.uncovered),
            Some(values::numeric(held.get(&draw.lot).copied().unwrap_or_default())),
            None,
        ));
    }
    if uncovered.is_positive() {
        let step = steps.len() as i32 + 1;
        steps.push((step, None, None, None, None, None, None, None, None, values::numeric(uncovered), None, None));
    }
    steps
}
