//! credit_expiry_forecast(): the credits that will expire unused.

use std::collections::HashMap;

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::ledger::drawdown::Expiry;
use crate::domain::maintenance::forecast::{self, Fate, Pace};
use crate::error::{self, Result};
use crate::ledger::account;
use crate::pools::pooling;
use crate::schedules::due::State;
use crate::server::clock;
use crate::store::maintenance::forecast as store;
use crate::store::maintenance::forecast::Priced;
use crate::store::{Snapshot, connected};
use crate::values;

/// The columns of a row about a lot that expires.
type Line = (
    i64,
    Option<String>,
    AnyNumeric,
    TimestampWithTimeZone,
    TimestampWithTimeZone,
    AnyNumeric,
    AnyNumeric,
    AnyNumeric,
    Option<AnyNumeric>,
    Option<String>,
);

/// The credits that each lot will have lost when it expires, if usage goes on as it was; the earliest lot first.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_expiry_forecast(
    account: Option<&str>,
    unit: default!(Option<&str>, "NULL"),
    burn_window: default!(Option<Interval>, "'30 days'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(lot, i64),
            name!(member, Option<String>),
            name!(remaining, AnyNumeric),
            name!(effective_at, TimestampWithTimeZone),
            name!(expires_at, TimestampWithTimeZone),
            name!(forecast_used, AnyNumeric),
            name!(forecast_rolled, AnyNumeric),
            name!(forecast_lost, AnyNumeric),
            name!(lost_value, Option<AnyNumeric>),
            name!(currency, Option<String>),
        ),
    >,
> {
    let name = arguments::name("account", account)?;
    let unit = arguments::optional_name("unit", unit)?;
    let burn_window = arguments::required("burn_window", arguments::optional_length("burn_window", burn_window)?)?;
    let lines = connected(|| {
        let context = account::find_for_reader(name, unit, None)?;
        let now = clock::now();
        let begin = store::begin_of_window(name, now, burn_window);
        if begin >= now {
            return Err(error::window_without_length("burn_window", begin, now));
        }
        let priced = store::lots(name, &context.unit, now);
        let mut usage = store::usage(name, &context.unit, begin, now);
        pooling::apply(name, &context, &mut usage, now);
        let lots: Vec<_> = priced.iter().map(|priced| priced.lot.clone()).collect();
        let pace = Pace { window: now - begin, decimals: context.unit_decimals() };
        let state = State::read(name, Snapshot::OfCaller);
        let issuing = state.issuing(&context.unit, now);
        Ok(lines(priced, &forecast::forecast(&lots, issuing, &usage, pace, now, state.calendar())))
    })?;
    Ok(TableIterator::new(lines))
}

/// The lots that expire, the earliest first.
fn lines(priced: Vec<Priced>, fates: &[Fate]) -> Vec<Line> {
    let fates: HashMap<i64, &Fate> = fates.iter().map(|fate| (fate.lot, fate)).collect();
    let mut expiring: Vec<_> = priced
        .into_iter()
        .filter_map(|priced| match priced.lot.rank.expiry {
            Expiry::At(expires_at) => Some((expires_at, priced.lot.rank.lot, priced)),
            Expiry::Never => None,
        })
        .collect();
    expiring.sort_unstable_by_key(|(expires_at, lot, _)| (*expires_at, *lot));
    let line = |(expires_at, id, priced): (_, i64, Priced)| {
        let fate = fates[&id];
        let lost = values::numeric(fate.lost);
        let value = priced.price.stretch(fate.lost, fate.lost).map(values::numeric);
        let effective_at = values::timestamptz(priced.lot.rank.effective_at);
        let (remaining, used) = (values::numeric(priced.lot.remaining), values::numeric(fate.used));
        let rolled = values::numeric(fate.rolled);
        (
            id,
            priced.lot.member,
            remaining,
            effective_at,
            values::timestamptz(expires_at),
            used,
            rolled,
            lost,
            value,
            priced.currency,
        )
    };
    expiring.into_iter().map(line).collect()
}
