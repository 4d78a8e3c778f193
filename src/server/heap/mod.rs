//! Rows read and written without the executor.
//!
//! A debit changes one narrow row and adds another. Setting up the executor for that costs several times the work itself
//! (docs/decisions/debits.md has the figures), so the hot path calls what the executor would call. That is only right for tables
//! that do nothing else at a write: [`relations`] finds them once and notices when somebody adds a trigger, check, rule, policy
//! or index, a column that may not be empty, or when another extension stores them in its own way; the caller then takes the
//! way through SQL.
//!
//! - [`layout`]: the columns and indexes that are used, by name
//! - [`relations`]: which relations there are, and whether they may be written directly
//! - [`obstacle`]: what keeps a table from being read or written directly
//! - [`read`]: rows by key and in the order of an index
//! - [`place`]: where rows were found, so that they are found again without an index
//! - [`write`]: inserts and updates
//! - [`table`]: tables that are open for writing
//! - [`tally`]: how often which way was taken

pub mod layout;
pub mod obstacle;
pub mod place;
pub mod read;
pub mod relations;
pub mod table;
pub mod tally;
pub mod write;

use std::ffi::CStr;

use pgrx::pg_sys;

/// Whether this transaction may write directly at all: the checks that the executor makes before it writes, and only READ
/// COMMITTED, because under the stricter levels the executor's conflict checks are needed. Not in a session that ignores the
/// indexes of the catalog: there the server opens no index for [`place`] either.
pub fn is_allowed() -> bool {
    // SAFETY: these are the server's own variables. Only the one thread of this backend reads and changes them.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_READ_COMMITTED as i32 && !pg_sys::XactReadOnly && !pg_sys::IgnoreSystemIndexes }
}

/// The values of a row; `None` is NULL.
///
/// # Safety
/// The row is one of the table that the description describes, and both stay while the values are used: they point into the row.
unsafe fn deform(tuple: pg_sys::HeapTuple, description: pg_sys::TupleDesc) -> Vec<Option<pg_sys::Datum>> {
    // SAFETY: the caller vouches for the description.
    let columns = unsafe { (*description).natts } as usize;
    let mut values = vec![pg_sys::Datum::from(0); columns];
    let mut nulls = vec![false; columns];
    // SAFETY: the caller vouches for the row. Both vectors have room for every column of it.
    unsafe { pg_sys::heap_deform_tuple(tuple, description, values.as_mut_ptr(), nulls.as_mut_ptr()) };
    values.into_iter().zip(nulls).map(|(value, is_null)| (!is_null).then_some(value)).collect()
}

/// A row of these values; `None` is NULL.
///
/// # Safety
/// The description is that of an open table, and the values have the types of its columns.
unsafe fn form(description: pg_sys::TupleDesc, row: &[Option<pg_sys::Datum>]) -> pg_sys::HeapTuple {
    let mut values: Vec<_> = row.iter().map(|value| value.unwrap_or(pg_sys::Datum::from(0))).collect();
    let mut nulls: Vec<_> = row.iter().map(Option::is_none).collect();
    // SAFETY: the caller vouches for the description.
    let columns = unsafe { (*description).natts } as usize;
    assert_eq!(row.len(), columns, "a value for each column");
    // SAFETY: both vectors have as many elements as the table has columns. The caller vouches for the types of the values.
    unsafe { pg_sys::heap_form_tuple(description, values.as_mut_ptr(), nulls.as_mut_ptr()) }
}

/// A condition `column = value`; columns count from 1. Text compares by byte, as COLLATE "C" does.
pub fn equals(column: i16, function: u32, value: pg_sys::Datum) -> pg_sys::ScanKeyData {
    condition(column, pg_sys::BTEqualStrategyNumber, function, value)
}

/// A condition `column > value`.
pub fn greater(column: i16, function: u32, value: pg_sys::Datum) -> pg_sys::ScanKeyData {
    condition(column, pg_sys::BTGreaterStrategyNumber, function, value)
}

/// A condition `column < value`.
pub fn less(column: i16, function: u32, value: pg_sys::Datum) -> pg_sys::ScanKeyData {
    condition(column, pg_sys::BTLessStrategyNumber, function, value)
}

fn condition(column: i16, strategy: u32, function: u32, value: pg_sys::Datum) -> pg_sys::ScanKeyData {
    let mut key = pg_sys::ScanKeyData::default();
    // SAFETY: the server fills a key of ours, and only looks the function up. It does not read the value.
    unsafe { pg_sys::ScanKeyInit(&mut key, column, strategy as u16, function.into(), value) };
    key
}

/// Makes what was written visible to what follows in the transaction, as the end of a statement does.
pub fn end_statement() {
    // SAFETY: functions of ours run in a transaction. No parallel worker writes: all that write are PARALLEL UNSAFE.
    unsafe { pg_sys::CommandCounterIncrement() };
}

unsafe extern "C-unwind" {
    // Exported by the server (commands/sequence.h), and not among the bindings.
    fn nextval_internal(sequence: pg_sys::Oid, check_permissions: bool) -> i64;
}

/// The next value of a sequence. Like all direct reads and writes it asks for no privilege.
pub fn next_value(sequence: pg_sys::Oid) -> i64 {
    // SAFETY: the declaration above is that of the server. The guard turns an error of the server into a panic, as for all
    // bindings.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| nextval_internal(sequence, false)) }
}

/// The login role of the session, which every row records.
pub fn session_user() -> String {
    // SAFETY: the server returns a copy of the name that ends with a zero byte, or raises an error. The copy stays until the
    // current memory context ends, and is read at once.
    let user = unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), false)) };
    user.to_string_lossy().into_owned()
}
