//! credit_debit_many() and credit_debit_many_json(): thousands of debits in one call.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;

use crate::api::debits::debit::{Context, as_available, dimensions_of, request};
use crate::debits::available;
use crate::debits::batch;
use crate::debits::batch::outcome::Mode;
use crate::debits::request::Debit;
use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::server::refusal;
use crate::store::connected;
use crate::text_array::TextArray;
use crate::values::json::JsonText;

/// How many debits one call takes at most.
const MAX_ITEMS: usize = 100_000;

/// One row per item, in the order of the items.
type Outcomes = TableIterator<
    'static,
    (
        name!(item, i32),
        name!(posting, Option<i64>),
        name!(shortfall, Option<AnyNumeric>),
        name!(cap, Option<i64>),
        name!(debited, AnyNumeric),
    ),
>;

/// Debits the elements of parallel arrays in turn.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_debit_many(
    accounts: Option<TextArray>,
    amounts: Option<Vec<Option<AnyNumeric>>>,
    members: default!(Option<TextArray>, "NULL"),
    operations: default!(Option<TextArray>, "NULL"),
    units: default!(Option<TextArray>, "NULL"),
    at: default!(Option<Vec<Option<TimestampWithTimeZone>>>, "NULL"),
    keys: default!(Option<TextArray>, "NULL"),
    metadata: default!(Option<Vec<Option<JsonText>>>, "NULL"),
    mode: default!(Option<&str>, "'all'"),
    runs: default!(Option<TextArray>, "NULL"),
    dimensions: default!(Option<Vec<Option<JsonText>>>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(item, i32),
            name!(posting, Option<i64>),
            name!(shortfall, Option<AnyNumeric>),
            name!(cap, Option<i64>),
            name!(debited, AnyNumeric),
        ),
    >,
> {
    let accounts = crate::arguments::required("accounts", accounts)?.0;
    let amounts = crate::arguments::required("amounts", amounts)?;
    let length = accounts.len();
    check_lengths(
        length,
        &[
            ("amounts", Some(amounts.len())),
            ("members", length_of(&members)),
            ("operations", length_of(&operations)),
            ("units", length_of(&units)),
            ("at", at.as_ref().map(Vec::len)),
            ("keys", length_of(&keys)),
            ("metadata", metadata.as_ref().map(Vec::len)),
            ("runs", length_of(&runs)),
            ("dimensions", dimensions.as_ref().map(Vec::len)),
        ],
    )?;
    let dimensions = dimensions_of_items(&dimensions, length)?;
    let item = |index: usize| {
        let context = Context {
            run: text_at(&runs, index),
            dimensions: dimensions[index].as_deref(),
            metadata: metadata_at(&metadata, index)?,
        };
        request(
            accounts[index].as_deref(),
            amounts[index].as_ref(),
            text_at(&members, index),
            text_at(&operations, index),
            text_at(&units, index),
            at.as_ref().and_then(|at| at[index]),
            text_at(&keys, index),
            context,
        )
        .map_err(|refusal| error::in_item(refusal, index))
    };
    let items = (0..length).map(item).collect::<Result<Vec<_>>>()?;
    run(&items, mode)
}

/// A call has at most [`MAX_ITEMS`] items, and its parallel arrays as many elements as `accounts`.
///
/// # Errors
/// 22023.
pub fn check_lengths(length: usize, arrays: &[(&str, Option<usize>)]) -> Result<()> {
    if length > MAX_ITEMS {
        return Err(error::invalid_arrays("accounts", length, &format!("at most {MAX_ITEMS}")));
    }
    for (argument, given) in arrays {
        if let Some(given) = given.filter(|given| *given != length) {
            return Err(error::invalid_arrays(argument, given, &format!("{length}, as accounts has")));
        }
    }
    Ok(())
}

/// An element of an array that may be left out.
pub fn text_at(texts: &Option<TextArray>, index: usize) -> Option<&str> {
    texts.as_ref().and_then(|texts| texts.0[index].as_deref())
}

/// How many elements an array has that may be left out.
pub fn length_of(texts: &Option<TextArray>) -> Option<usize> {
    texts.as_ref().map(|texts| texts.0.len())
}

/// The metadata of an item.
///
/// # Errors
/// 22023 when it is too long.
pub fn metadata_at(metadata: &Option<Vec<Option<JsonText>>>, index: usize) -> Result<Option<&str>> {
    let metadata = metadata.as_ref().and_then(|metadata| metadata[index].as_ref()).map(|metadata| metadata.0.as_str());
    crate::arguments::short("metadata", metadata)
}

/// The dimensions of all items, in their normal form.
///
/// # Errors
/// 22023, with `item=` in the DETAIL.
pub fn dimensions_of_items(given: &Option<Vec<Option<JsonText>>>, length: usize) -> Result<Vec<Option<String>>> {
    let Some(given) = given else { return Ok(vec![None; length]) };
    let each = given.iter().enumerate();
    each.map(|(index, item)| dimensions_of(item.as_ref()).map_err(|refusal| error::in_item(refusal, index))).collect()
}

/// A debit as a JSON object: the names are the arguments of credit_debit().
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct JsonDebit {
    account: Option<String>,
    amount: Option<JsonAmount>,
    member: Option<String>,
    operation: Option<String>,
    unit: Option<String>,
    at: Option<String>,
    key: Option<String>,
    metadata: Option<serde_json::Value>,
    run: Option<String>,
    dimensions: Option<serde_json::Value>,
}

/// Clients that have no exact numbers send them as strings.
#[derive(Deserialize)]
#[serde(untagged, expecting = "amount must be a number, or a text of one")]
enum JsonAmount {
    Number(serde_json::Number),
    Text(String),
}

/// Debits the elements of a JSON array in turn.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::type_complexity)]
fn credit_debit_many_json(
    items: Option<JsonText>,
    mode: default!(Option<&str>, "'all'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(item, i32),
            name!(posting, Option<i64>),
            name!(shortfall, Option<AnyNumeric>),
            name!(cap, Option<i64>),
            name!(debited, AnyNumeric),
        ),
    >,
> {
    let items = crate::arguments::required("items", items)?;
    let items: Vec<JsonDebit> = serde_json::from_str(&items.0).map_err(|problem| broken_item(&items.0, &problem))?;
    if items.len() > MAX_ITEMS {
        return Err(error::invalid_arrays("items", items.len(), &format!("at most {MAX_ITEMS}")));
    }
    let normal = |value: &Option<serde_json::Value>| value.as_ref().map(|value| JsonText::normal(&value.to_string()));
    let metadata: Vec<_> = items.iter().map(|item| normal(&item.metadata)).collect();
    let dimensions = Some(items.iter().map(|item| normal(&item.dimensions)).collect());
    let dimensions = dimensions_of_items(&dimensions, items.len())?;
    let mut debits = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let metadata = metadata[index].as_ref().map(|json| json.0.as_str());
        let debit = json_debit(item, metadata, dimensions[index].as_deref());
        debits.push(debit.map_err(|refusal| error::in_item(refusal, index))?);
    }
    run(&debits, mode)
}

/// The error of the first item that is no debit; of all of them where they are no array.
fn broken_item(items: &str, problem: &serde_json::Error) -> ErrorReport {
    let each: Vec<serde_json::Value> = serde_json::from_str(items).unwrap_or_default();
    let broken = |(index, item): (usize, serde_json::Value)| {
        let problem = serde_json::from_str::<JsonDebit>(&item.to_string()).err()?;
        Some(error::in_item(error::invalid_item(&problem.to_string()), index))
    };
    each.into_iter().enumerate().find_map(broken).unwrap_or_else(|| error::invalid_items(&problem.to_string()))
}

fn json_debit<'a>(item: &'a JsonDebit, metadata: Option<&'a str>, dimensions: Option<&'a str>) -> Result<Debit<'a>> {
    let text = match &item.amount {
        Some(JsonAmount::Number(number)) => Some(number.to_string()),
        Some(JsonAmount::Text(text)) => Some(text.clone()),
        None => None,
    };
    // 22P02 and 22007, as a cast in SQL raises them.
    let amount = text.map(|text| refusal::of_server(|| crate::values::numeric_of_text(&text))).transpose()?;
    let at = item.at.as_deref().map(|at| refusal::of_server(|| crate::values::timestamptz_of_text(at))).transpose()?;
    let metadata = crate::arguments::short("metadata", metadata)?;
    request(
        item.account.as_deref(),
        amount.as_ref(),
        item.member.as_deref(),
        item.operation.as_deref(),
        item.unit.as_deref(),
        at,
        item.key.as_deref(),
        Context { run: item.run.as_deref(), dimensions, metadata },
    )
}

fn run(items: &[Debit<'_>], mode: Option<&str>) -> Result<Outcomes> {
    if mode == Some("available") {
        return run_available(items);
    }
    let mode = self::mode(mode)?;
    let outcomes = connected(|| batch::debit_many(items, mode))?;
    let numeric = crate::values::numeric;
    let rows = (1..).zip(outcomes).zip(items).map(|((item, outcome), debit)| {
        let debited = if outcome.is_posted() { debit.amount } else { Amount::ZERO };
        let short = outcome.short();
        let shortfall = short.map(|short| numeric(short.shortfall));
        (item, outcome.posting(), shortfall, short.and_then(|short| short.cap), numeric(debited))
    });
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}

/// Each item takes what is there, in turn.
fn run_available(items: &[Debit<'_>]) -> Result<Outcomes> {
    let items: Vec<_> = items.iter().map(|item| as_available(*item)).collect();
    let debited = connected(|| available::debit_many(&items))?;
    let numeric = crate::values::numeric;
    let rows = (1..).zip(debited).map(|(item, debited)| {
        let shortfall = debited.shortfall.is_positive().then(|| numeric(debited.shortfall));
        (item, debited.posting, shortfall, debited.cap, numeric(debited.debited))
    });
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}

/// The mode by its name: it says what happens when an item does not fit.
///
/// # Errors
/// 22023.
pub fn mode(mode: Option<&str>) -> Result<Mode> {
    match crate::arguments::required("mode", mode)? {
        "all" => Ok(Mode::All),
        "each" => Ok(Mode::Each),
        unknown => Err(error::unknown_option("mode", unknown, "all, each, for debits also available")),
    }
}
