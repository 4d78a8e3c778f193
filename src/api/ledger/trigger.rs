//! The trigger functions. They are declared in sql/, beside the triggers that call them.

use std::convert::Infallible;

use pgrx::datum::UnboxDatum;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::prelude::*;
use pgrx::{AllocatedByPostgres, AllocatedByRust, JsonB, WhoAllocated};

use crate::api::ledger::accounts;
use crate::arguments;
use crate::debits::direct::{self, InsertedEntry};
use crate::domain::ledger::correction::Usage;
use crate::domain::rates::dimensions::Dimensions;
use crate::error;
use crate::ledger::closed;
use crate::ledger::grant::{self, Grant};
use crate::server::locks::new_cap;
use crate::server::{clock, heap, invalidation};
use crate::store::connected;
use crate::store::ledger::lots;
use crate::text_array::TextArray;
use crate::values;
use crate::values::json::JsonText;

type Old<'a> = PgHeapTuple<'a, AllocatedByPostgres>;
type New<'a> = PgHeapTuple<'a, AllocatedByRust>;

/// pgrx turns an error that a trigger returns into XX000, so errors are raised instead, and nothing else is returned.
type Row<T> = Result<Option<T>, Infallible>;

fn raise<T>(result: error::Result<T>) -> T {
    result.unwrap_or_else(|refusal| {
        refusal.report(PgLogLevel::ERROR);
        unreachable!("an error has been raised")
    })
}

/// A column of a row, NULL as `None`.
fn column<T>(row: &PgHeapTuple<'_, impl WhoAllocated>, name: &str) -> Option<T>
where
    T: FromDatum + IntoDatum + for<'b> UnboxDatum<As<'b> = T> + 'static,
{
    row.get_by_name(name).unwrap_or_else(|broken| panic!("column {name}: {broken}"))
}

fn operations(row: &Old<'_>) -> Option<Vec<String>> {
    let applies_to = column::<TextArray>(row, "applies_to");
    applies_to.map(|names| names.0.into_iter().map(Option::unwrap_or_default).collect())
}

fn set<T: IntoDatum>(row: &mut New<'_>, name: &str, value: Option<T>) {
    match value {
        Some(value) => row.set_by_name(name, value).unwrap_or_else(|broken| panic!("column {name}: {broken}")),
        None => row.set_by_name(name, None::<T>).unwrap_or_else(|broken| panic!("column {name}: {broken}")),
    }
}

fn inserted<'a>(trigger: &'a PgTrigger<'a>) -> Old<'a> {
    trigger.new().expect("a row trigger on insert")
}

/// The inserted row as it is to be stored.
fn checked_lot<'a>(row: Old<'a>) -> error::Result<New<'a>> {
    let account = column::<String>(&row, "account");
    let _movable = connected(|| account.as_deref().map(closed::go_on));
    let now = clock::now();
    let member = column::<String>(&row, "member");
    let unit = column::<String>(&row, "unit");
    let category = column::<String>(&row, "category");
    let source = column::<String>(&row, "source");
    let currency = column::<String>(&row, "currency");
    check_metadata(&row)?;
    let request = Grant {
        account: arguments::name("account", account.as_deref())?,
        amount: arguments::positive_amount("granted", column(&row, "granted").as_ref())?,
        member: arguments::optional_name("member", member.as_deref())?,
        unit: arguments::optional_name("unit", unit.as_deref())?,
        category: category.as_deref(),
        source: source.as_deref(),
        priority: column::<i16>(&row, "priority").map(i32::from),
        effective_at: arguments::optional_instant("effective_at", column(&row, "effective_at"))?,
        expires_at: arguments::optional_instant("expires_at", column(&row, "expires_at"))?,
        applies_to: operations(&row),
        paid: column::<AnyNumeric>(&row, "paid").map(|paid| arguments::amount("paid", &paid)).transpose()?,
        currency: currency.as_deref(),
        ..Grant::default()
    };
    let (new, basis) = connected(|| {
        let new = grant::check(&request, lots::next_id(), now)?;
        let basis = new.paid.map(|paid| lots::cost_basis(paid, new.granted));
        Ok((new, basis))
    })?;
    let mut row = row.into_owned();
    set(&mut row, "lot", Some(new.lot));
    set(&mut row, "unit", Some(new.unit));
    set(&mut row, "category", Some(new.category));
    set(&mut row, "source", Some(new.source));
    set(&mut row, "priority", Some(new.priority));
    set(&mut row, "currency", new.currency);
    set(&mut row, "cost_basis", basis);
    set(&mut row, "applies_to", new.applies_to);
    set(&mut row, "effective_at", Some(values::timestamptz(new.effective_at)));
    set(&mut row, "recorded_at", Some(values::timestamptz(now)));
    set(&mut row, "recorded_by", Some(heap::session_user()));
    set(&mut row, "parent", None::<i64>);
    set(&mut row, "slots", Some(1_i16));
    set(&mut row, "closed", Some(false));
    Ok(row)
}

/// Before a lot is inserted directly: checks it like a grant, and fills in what only the extension can know.
#[pg_trigger(sql = false)]
fn lot_check<'a>(trigger: &'a PgTrigger<'a>) -> Row<New<'a>> {
    Ok(Some(raise(checked_lot(inserted(trigger)))))
}

/// After a lot was inserted directly: gives it its slot and its grant entry.
#[pg_trigger(sql = false)]
fn lot_apply<'a>(trigger: &'a PgTrigger<'a>) -> Row<Old<'a>> {
    let row = inserted(trigger);
    let account = column::<String>(&row, "account").expect("a key column");
    let lot = column::<i64>(&row, "lot").expect("a key column");
    connected(|| lots::apply_inserted(&account, lot));
    Ok(Some(row))
}

fn inserted_entry(row: &Old<'_>) -> error::Result<InsertedEntry> {
    let account = column::<String>(row, "account");
    let member = column::<String>(row, "member");
    let operation = column::<String>(row, "operation");
    let run = column::<String>(row, "run");
    check_metadata(row)?;
    Ok(InsertedEntry {
        account: arguments::name("account", account.as_deref())?.to_owned(),
        kind: arguments::required("kind", column(row, "kind"))?,
        amount: arguments::amount("amount", &arguments::required("amount", column(row, "amount"))?)?,
        lot: arguments::required("lot", column(row, "lot"))?,
        member: arguments::optional_name("member", member.as_deref())?.map(str::to_owned),
        operation: arguments::optional_name("operation", operation.as_deref())?.map(str::to_owned),
        quantity: column::<AnyNumeric>(row, "quantity").map(|quantity| arguments::quantity(Some(&quantity))).transpose()?,
        dimensions: dimensions(row)?,
        run: arguments::optional_name("run", run.as_deref())?.map(str::to_owned),
        occurred_at: arguments::optional_instant("occurred_at", column(row, "occurred_at"))?,
        corrects: column(row, "corrects"),
    })
}

/// The dimensions of the usage in their normal form, as a charge writes them.
fn dimensions(row: &Old<'_>) -> error::Result<Option<Dimensions>> {
    arguments::dimensions(column::<JsonText>(row, "dimensions").as_ref())
}

/// Checks that the metadata is an object, and not too long.
fn check_metadata(row: &PgHeapTuple<'_, impl WhoAllocated>) -> error::Result<()> {
    arguments::metadata(column::<JsonText>(row, "metadata"))?;
    match column::<JsonB>(row, "metadata") {
        Some(JsonB(metadata)) if !metadata.is_object() => Err(error::not_an_object("metadata")),
        _ => Ok(()),
    }
}

/// Before an entry is inserted directly: checks it like a debit, locks its lot, and assigns posting, line and times.
#[pg_trigger(sql = false)]
fn entry_check<'a>(trigger: &'a PgTrigger<'a>) -> Row<New<'a>> {
    let row = inserted(trigger);
    let entry = raise(inserted_entry(&row));
    let stamp = raise(connected(|| direct::check_entry(&entry)));
    let dimensions = stamp.usage.dimensions.map(|known| JsonB(serde_json::from_str(&known.to_json()).expect("a JSON object")));
    let mut row = row.into_owned();
    set(&mut row, "member", stamp.usage.member);
    set(&mut row, "department", stamp.usage.department);
    set(&mut row, "operation", stamp.usage.operation);
    set(&mut row, "dimensions", dimensions);
    set(&mut row, "run", stamp.usage.run);
    set(&mut row, "hold", None::<i64>);
    set(&mut row, "rate", stamp.usage.rate);
    set(&mut row, "posting", Some(stamp.posting));
    set(&mut row, "line", Some(1_i32));
    set(&mut row, "occurred_at", Some(values::timestamptz(stamp.occurred_at)));
    set(&mut row, "recorded_at", Some(values::timestamptz(stamp.recorded_at)));
    set(&mut row, "recorded_by", Some(heap::session_user()));
    Ok(Some(row))
}

/// After an entry was inserted directly: applies it to its lot's slots and marks it as posted.
#[pg_trigger(sql = false)]
fn entry_apply<'a>(trigger: &'a PgTrigger<'a>) -> Row<Old<'a>> {
    let row = inserted(trigger);
    let entry = raise(inserted_entry(&row));
    let posting = column::<i64>(&row, "posting").expect("a key column");
    let line = column::<i32>(&row, "line").expect("a key column");
    let recorded_at = raise(arguments::instant("recorded_at", column(&row, "recorded_at").expect("a column that is never NULL")));
    let usage = Usage {
        member: entry.member.clone(),
        department: column(&row, "department"),
        operation: entry.operation.clone(),
        dimensions: entry.dimensions.clone(),
        run: entry.run.clone(),
        rate: column(&row, "rate"),
    };
    raise(connected(|| direct::apply_entry(&entry, &usage, posting, line, recorded_at)));
    Ok(Some(row))
}

/// Refuses whatever it is attached to.
#[pg_trigger(sql = false)]
fn refuse_change<'a>(trigger: &'a PgTrigger<'a>) -> Row<Old<'a>> {
    let operation = trigger.op().map_or_else(|_| "a change".to_owned(), |operation| operation.to_string());
    let table = trigger.table_name().unwrap_or_default();
    raise(Err(error::immutable(&format!("credit.{table}"), &operation)))
}

/// After a change of accounts, units or members: tells the backends that remember them.
#[pg_trigger(sql = false)]
fn announce_change<'a>(trigger: &'a PgTrigger<'a>) -> Row<Old<'a>> {
    let relation = trigger.relation().expect("a trigger has a relation");
    invalidation::announce(relation.namespace_oid());
    Ok(None)
}

/// After a lot was added or opened again: tells the backends that remember which lot comes first.
#[pg_trigger(sql = false)]
fn announce_lot<'a>(trigger: &'a PgTrigger<'a>) -> Row<Old<'a>> {
    invalidation::announce_lots();
    if new_cap::is_any() {
        let row = trigger.new().expect("an inserted or updated row");
        new_cap::guard(&column::<String>(&row, "account").expect("a key column"), column(&row, "lot").expect("a key column"));
    }
    Ok(None)
}

/// Keeps an account's id, and its time zone once it has lots.
#[pg_trigger(sql = false)]
fn account_check<'a>(trigger: &'a PgTrigger<'a>) -> Row<Old<'a>> {
    let old = trigger.old().expect("an update or delete");
    let Some(new) = trigger.new() else {
        raise(accounts::check_account_deletion(&column::<String>(&old, "account").unwrap_or_default()));
        return Ok(Some(old));
    };
    let text = |row: &Old<'_>, name: &str| column::<String>(row, name).unwrap_or_default();
    let time_zone = text(&new, "time_zone");
    let changes = text(&old, "time_zone") != time_zone;
    raise(accounts::check_account_change(&text(&old, "account"), &text(&new, "account"), &time_zone, changes));
    Ok(Some(new))
}

/// Keeps a unit that is in use: its name, its rounding, its currency if it has one, and at least its decimals. A currency exists.
#[pg_trigger(sql = false)]
fn unit_check<'a>(trigger: &'a PgTrigger<'a>) -> Row<Old<'a>> {
    let currency = trigger.new().and_then(|new| column::<String>(&new, "currency"));
    raise(arguments::optional_currency(currency.as_deref()));
    let Some(old) = trigger.old() else { return Ok(trigger.new()) };
    let unit = column::<String>(&old, "unit").unwrap_or_default();
    let Some(new) = trigger.new() else {
        raise(accounts::check_unit_change(&unit));
        return Ok(Some(old));
    };
    let decimals = |row: &Old<'_>| column::<i16>(row, "decimals").unwrap_or_default();
    let changes = |name: &str| column::<String>(&new, name) != column::<String>(&old, name);
    let loses_currency = changes("currency") && column::<String>(&old, "currency").is_some();
    if changes("unit") || changes("rounding") || loses_currency || decimals(&new) < decimals(&old) {
        raise(accounts::check_unit_change(&unit));
    }
    Ok(Some(new))
}
