//! credit_hold_many() and credit_capture_many().

use pgrx::prelude::*;

use crate::api::debits::debit::{self, Context};
use crate::api::debits::debit_many::{check_lengths, dimensions_of_items, length_of, metadata_at, mode, text_at};
use crate::api::holds::capture;
use crate::api::holds::hold::{keyed, length};
use crate::arguments;
use crate::captures::capture::{Capture, Wanted};
use crate::captures::many;
use crate::error::{self, Result};
use crate::store::connected;
use crate::text_array::TextArray;
use crate::values;
use crate::values::json::JsonText;

/// Holds the elements of parallel arrays.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_hold_many(
    accounts: Option<TextArray>,
    amounts: Option<Vec<Option<AnyNumeric>>>,
    members: default!(Option<TextArray>, "NULL"),
    operations: default!(Option<TextArray>, "NULL"),
    units: default!(Option<TextArray>, "NULL"),
    expires_after: default!(Option<Interval>, "'15 minutes'"),
    keys: default!(Option<TextArray>, "NULL"),
    metadata: default!(Option<Vec<Option<JsonText>>>, "NULL"),
    mode: default!(Option<&str>, "'all'"),
    runs: default!(Option<TextArray>, "NULL"),
    dimensions: default!(Option<Vec<Option<JsonText>>>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (name!(item, i32), name!(hold, Option<i64>), name!(shortfall, Option<AnyNumeric>), name!(cap, Option<i64>)),
    >,
> {
    let accounts = arguments::required("accounts", accounts)?.0;
    let amounts = arguments::required("amounts", amounts)?;
    let count = accounts.len();
    check_lengths(
        count,
        &[
            ("amounts", Some(amounts.len())),
            ("members", length_of(&members)),
            ("operations", length_of(&operations)),
            ("units", length_of(&units)),
            ("keys", length_of(&keys)),
            ("metadata", metadata.as_ref().map(Vec::len)),
            ("runs", length_of(&runs)),
            ("dimensions", dimensions.as_ref().map(Vec::len)),
        ],
    )?;
    let length = length(expires_after)?;
    let dimensions = dimensions_of_items(&dimensions, count)?;
    let item = |index: usize| {
        let context = Context {
            run: text_at(&runs, index),
            dimensions: dimensions[index].as_deref(),
            metadata: metadata_at(&metadata, index)?,
        };
        let (account, amount) = (accounts[index].as_deref(), amounts[index].as_ref());
        let (member, operation, unit) = (text_at(&members, index), text_at(&operations, index), text_at(&units, index));
        let mut request = debit::request(account, amount, member, operation, unit, None, None, context)?;
        request.keyed = keyed(&request, length, text_at(&keys, index))?;
        Ok((request, length))
    };
    let items = (0..count).map(|index| item(index).map_err(|refusal| error::in_item(refusal, index)));
    let items = items.collect::<Result<Vec<_>>>()?;
    let mode = self::mode(mode)?;
    let held = connected(|| many::hold_many(&items, mode))?;
    let rows = (1..).zip(held).map(|(item, held)| match held {
        Ok(hold) => (item, Some(hold), None, None),
        Err(short) => (item, None, Some(values::numeric(short.shortfall)), short.cap),
    });
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}

/// Captures the elements of parallel arrays.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn credit_capture_many(
    accounts: Option<TextArray>,
    holds: Option<Vec<Option<i64>>>,
    amounts: default!(Option<Vec<Option<AnyNumeric>>>, "NULL"),
    finals: default!(Option<Vec<Option<bool>>>, "NULL"),
    beyond: default!(Option<&str>, "'debit'"),
    at: default!(Option<Vec<Option<TimestampWithTimeZone>>>, "NULL"),
    keys: default!(Option<TextArray>, "NULL"),
    metadata: default!(Option<Vec<Option<JsonText>>>, "NULL"),
    mode: default!(Option<&str>, "'all'"),
) -> Result<TableIterator<'static, (name!(item, i32), name!(posting, Option<i64>), name!(reason, Option<String>))>> {
    let accounts = arguments::required("accounts", accounts)?.0;
    let holds = arguments::required("holds", holds)?;
    let count = accounts.len();
    check_lengths(
        count,
        &[
            ("holds", Some(holds.len())),
            ("amounts", amounts.as_ref().map(Vec::len)),
            ("finals", finals.as_ref().map(Vec::len)),
            ("at", at.as_ref().map(Vec::len)),
            ("keys", length_of(&keys)),
            ("metadata", metadata.as_ref().map(Vec::len)),
        ],
    )?;
    let item = |index: usize| {
        let amount = amounts.as_ref().and_then(|amounts| amounts[index].as_ref());
        let amount = amount.map(|amount| arguments::quantity_of("amount", Some(amount))).transpose()?;
        let is_final = finals.as_ref().map_or(Some(true), |finals| finals[index]);
        let at = at.as_ref().and_then(|at| at[index]);
        let wanted = amount.map_or(Wanted::Everything, Wanted::Amount);
        let account = accounts[index].as_deref();
        let request = capture::request(account, holds[index], wanted, is_final, beyond, at, metadata_at(&metadata, index)?)?;
        let keyed = capture::keyed("credit_capture", &request, text_at(&keys, index))?;
        Ok(Capture { keyed, ..request })
    };
    let items = (0..count).map(|index| item(index).map_err(|refusal| error::in_item(refusal, index)));
    let items = items.collect::<Result<Vec<_>>>()?;
    let mode = self::mode(mode)?;
    let captured = connected(|| many::capture_many(&items, mode))?;
    let rows = (1..).zip(captured).map(|(item, captured)| (item, captured.posting, captured.reason.map(str::to_owned)));
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}
