//! credit_charge_many(): thousands of charges in one call.

use pgrx::prelude::*;

use crate::api::charges::charge::request;
use crate::api::debits::debit_many::{check_lengths, length_of, metadata_at, mode, text_at};
use crate::arguments;
use crate::charges::charge_many;
use crate::error::{self, Result};
use crate::store::connected;
use crate::text_array::TextArray;
use crate::values;
use crate::values::json::JsonText;

/// Charges the elements of parallel arrays in turn.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_charge_many(
    accounts: Option<TextArray>,
    operations: Option<TextArray>,
    quantities: Option<Vec<Option<AnyNumeric>>>,
    members: default!(Option<TextArray>, "NULL"),
    dimensions: default!(Option<Vec<Option<JsonText>>>, "NULL"),
    at: default!(Option<Vec<Option<TimestampWithTimeZone>>>, "NULL"),
    keys: default!(Option<TextArray>, "NULL"),
    metadata: default!(Option<Vec<Option<JsonText>>>, "NULL"),
    mode: default!(Option<&str>, "'all'"),
    runs: default!(Option<TextArray>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(item, i32),
            name!(posting, Option<i64>),
            name!(amount, Option<AnyNumeric>),
            name!(shortfall, Option<AnyNumeric>),
            name!(cap, Option<i64>),
        ),
    >,
> {
    let accounts = arguments::required("accounts", accounts)?.0;
    let operations = arguments::required("operations", operations)?.0;
    let quantities = arguments::required("quantities", quantities)?;
    let length = accounts.len();
    check_lengths(
        length,
        &[
            ("operations", Some(operations.len())),
            ("quantities", Some(quantities.len())),
            ("members", length_of(&members)),
            ("dimensions", dimensions.as_ref().map(Vec::len)),
            ("at", at.as_ref().map(Vec::len)),
            ("keys", length_of(&keys)),
            ("metadata", metadata.as_ref().map(Vec::len)),
            ("runs", length_of(&runs)),
        ],
    )?;
    let item = |index: usize| {
        request(
            accounts[index].as_deref(),
            operations[index].as_deref(),
            quantities[index].as_ref(),
            text_at(&members, index),
            dimensions.as_ref().and_then(|dimensions| dimensions[index].as_ref()),
            at.as_ref().and_then(|at| at[index]),
            text_at(&keys, index),
            metadata_at(&metadata, index)?,
            text_at(&runs, index),
        )
        .map_err(|refusal| error::in_item(refusal, index))
    };
    let charges = (0..length).map(item).collect::<Result<Vec<_>>>()?;
    let mode = self::mode(mode)?;
    let outcomes = connected(|| charge_many::charge_many(&charges, mode))?;
    let rows = (1..).zip(outcomes).map(|(item, charged)| {
        (
            item,
            charged.posting,
            charged.amount.map(values::numeric),
            charged.short.map(|short| values::numeric(short.shortfall)),
            charged.short.and_then(|short| short.cap),
        )
    });
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}
