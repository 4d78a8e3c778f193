//! SQL statements, prepared once per backend and kept: an unprepared one costs four times as much to run.

use std::ffi::{CString, c_char};
use std::sync::atomic::{AtomicPtr, Ordering};

use chrono::{DateTime, Utc};
use pgrx::pg_sys;
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::exact;
use crate::server::connection;
use crate::text_array::TextArray;
use crate::values;

/// The rows that a statement sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// The rows that the calling query sees: for readers, also on a standby.
    OfCaller,
    /// All that is committed now (READ COMMITTED) and all that this transaction wrote.
    Fresh,
    /// All that is committed now, also in a transaction whose snapshot is older, but nothing that this command wrote.
    Latest,
}

/// The methods that the planner must avoid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planning {
    /// The planner avoids nothing.
    Free,
    /// The planner avoids everything but the order of an index.
    ByIndex,
    /// The planner avoids reading all of a table.
    InStretches,
    /// The planner avoids nested loops.
    InBulk,
}

/// A statement with the types of its parameters.
pub struct Statement {
    sql: &'static str,
    types: &'static [pg_sys::Oid],
    planning: Planning,
    edit: Option<fn(&str) -> String>,
    plan: AtomicPtr<pg_sys::_SPI_plan>,
}

impl Statement {
    /// A statement that is planned freely.
    pub const fn new(sql: &'static str, types: &'static [pg_sys::Oid]) -> Statement {
        Statement { sql, types, planning: Planning::Free, edit: None, plan: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// A statement that follows an index, whatever the statistics say: a plan made while a table was small would read and sort
    /// all of it, and is kept while the table grows.
    pub const fn by_index(sql: &'static str, types: &'static [pg_sys::Oid]) -> Statement {
        Statement { planning: Planning::ByIndex, ..Statement::new(sql, types) }
    }

    /// A statement about a stretch of a table that may be large: it never reads all of it.
    pub const fn in_stretches(sql: &'static str, types: &'static [pg_sys::Oid]) -> Statement {
        Statement { planning: Planning::InStretches, ..Statement::new(sql, types) }
    }

    /// A statement over very many rows, of which the planner expects few because it sees only parameters. The plan has no nested
    /// loops over them.
    pub const fn in_bulk(sql: &'static str, types: &'static [pg_sys::Oid]) -> Statement {
        Statement { planning: Planning::InBulk, ..Statement::new(sql, types) }
    }

    /// A statement whose text is edited when it is prepared.
    pub const fn edited(sql: &'static str, types: &'static [pg_sys::Oid], edit: fn(&str) -> String) -> Statement {
        Statement { edit: Some(edit), ..Statement::new(sql, types) }
    }

    /// The same, planned as [`Statement::in_bulk`].
    pub const fn and_in_bulk(self) -> Statement {
        Statement { planning: Planning::InBulk, ..self }
    }

    /// Reads as the calling query sees the tables.
    pub fn read(&self, parameters: &[&dyn Parameter]) -> Rows {
        self.execute(Snapshot::OfCaller, parameters)
    }

    /// Reads or writes with a snapshot taken now.
    pub fn run(&self, parameters: &[&dyn Parameter]) -> Rows {
        self.execute(Snapshot::Fresh, parameters)
    }

    /// Reads with the snapshot that is named: the same rules serve readers and writers.
    pub fn execute(&self, snapshot: Snapshot, parameters: &[&dyn Parameter]) -> Rows {
        assert_eq!(parameters.len(), self.types.len(), "parameters of: {}", self.sql);
        connection::ensure();
        let data: Vec<_> = parameters.iter().map(|parameter| parameter.to_datum()).collect();
        let mut values: Vec<_> = data.iter().map(|datum| datum.unwrap_or(pg_sys::Datum::from(0))).collect();
        let nulls: Vec<_> = data.iter().map(|datum| if datum.is_some() { b' ' } else { b'n' } as c_char).collect();
        let _planner = Planner::begin(self.planning);
        let read_only = snapshot != Snapshot::Fresh;
        let is_latest = snapshot == Snapshot::Latest;
        // SAFETY: ensure() has connected to SPI. There is a value and a null flag for each parameter of the plan, and each value
        // is one of the parameter's type: the types stand beside the SQL text. The pushed snapshot is popped again, or dropped by
        // the server after an error. What SPI returns is set to null before, and belongs to `Rows` after.
        unsafe {
            pg_sys::SPI_tuptable = std::ptr::null_mut();
            if is_latest {
                pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
            }
            let status = pg_sys::SPI_execute_plan(self.plan(), values.as_mut_ptr(), nulls.as_ptr(), read_only, 0);
            assert!(status > 0, "SPI returned {status} for: {}", self.sql);
            if is_latest {
                pg_sys::PopActiveSnapshot();
            }
            Rows { table: pg_sys::SPI_tuptable, processed: pg_sys::SPI_processed as usize }
        }
    }

    /// The kept plan, prepared at first use. A generic plan: these statements are planned once, not for each value.
    fn plan(&self) -> pg_sys::SPIPlanPtr {
        let known = self.plan.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        let text = self.edit.map_or_else(|| self.sql.to_owned(), |edit| edit(self.sql));
        let sql = CString::new(text).expect("SQL without NUL");
        let mut types = self.types.to_vec();
        let options = pg_sys::CURSOR_OPT_GENERIC_PLAN as i32;
        // SAFETY: the caller has connected to SPI. The text ends with a zero byte, and the server copies text and types.
        let plan = unsafe { pg_sys::SPI_prepare_cursor(sql.as_ptr(), types.len() as i32, types.as_mut_ptr(), options) };
        assert!(!plan.is_null(), "SPI could not prepare: {}", self.sql);
        // SAFETY: the plan has just been made. From now on it is kept for as long as the backend lives.
        unsafe { pg_sys::SPI_keepplan(plan) };
        self.plan.store(plan, Ordering::Relaxed);
        plan
    }
}

/// While it lives, the planner avoids what a statement keeps it from, and the server compiles nothing: a statement is over before
/// its code would be made, and what the planner avoids and cannot do without has an enormous cost, at which the server would
/// always compile. The server asks for `jit` when it plans and when it executes, so a plan that was made otherwise is not
/// compiled either. Ends with an error too.
struct Planner {
    seqscan: bool,
    bitmapscan: bool,
    sort: bool,
    nestloop: bool,
    jit: bool,
}

impl Planner {
    fn begin(planning: Planning) -> Planner {
        // SAFETY: these are the server's own variables for settings, and this backend has one thread.
        unsafe {
            let before = Planner {
                seqscan: pg_sys::enable_seqscan,
                bitmapscan: pg_sys::enable_bitmapscan,
                sort: pg_sys::enable_sort,
                nestloop: pg_sys::enable_nestloop,
                jit: pg_sys::jit_enabled,
            };
            pg_sys::jit_enabled = false;
            match planning {
                Planning::Free => {}
                Planning::ByIndex => {
                    (pg_sys::enable_seqscan, pg_sys::enable_bitmapscan, pg_sys::enable_sort) = (false, false, false)
                }
                Planning::InStretches => pg_sys::enable_seqscan = false,
                Planning::InBulk => pg_sys::enable_nestloop = false,
            }
            before
        }
    }
}

impl Drop for Planner {
    fn drop(&mut self) {
        // SAFETY: these are the server's own variables for settings, and this backend has one thread.
        unsafe {
            pg_sys::enable_seqscan = self.seqscan;
            pg_sys::enable_bitmapscan = self.bitmapscan;
            pg_sys::enable_sort = self.sort;
            pg_sys::enable_nestloop = self.nestloop;
            pg_sys::jit_enabled = self.jit;
        }
    }
}

/// The rows that a statement returned.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    processed: usize,
}

impl Rows {
    /// How many rows were returned or changed.
    pub fn count(&self) -> usize {
        self.processed
    }

    /// The only row there can be.
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let count = if self.table.is_null() { 0 } else { self.processed };
        (0..count).map(|index| Row { rows: self, index })
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if !self.table.is_null() && !std::thread::panicking() {
            // SAFETY: the table is what SPI returned. It belongs to this alone, and rows borrow from this. After an error the
            // server has freed it.
            unsafe { pg_sys::SPI_freetuptable(self.table) };
        }
    }
}

/// One row; columns count from 1, as in SPI.
pub struct Row<'a> {
    rows: &'a Rows,
    index: usize,
}

impl Row<'_> {
    /// A column that is never NULL.
    pub fn get<T: Column>(&self, column: i32) -> T {
        self.optional(column).unwrap_or_else(|| panic!("column {column} is NULL"))
    }

    /// A column that may be NULL.
    pub fn optional<T: Column>(&self, column: i32) -> Option<T> {
        let table = self.rows.table;
        let mut is_null = false;
        // SAFETY: iter() makes rows only where there is a table, and only for the rows that it has. Its description is that of
        // its rows. For a column that it does not have SPI returns NULL.
        let datum = unsafe {
            let tuple = *(*table).vals.add(self.index);
            pg_sys::SPI_getbinval(tuple, (*table).tupdesc, column, &mut is_null)
        };
        // SAFETY: the value is not NULL. It has the column's type, which the caller reads as the statement's SQL text says.
        (!is_null).then(|| unsafe { T::from_sql(datum) })
    }
}

/// A value that a statement takes.
pub trait Parameter {
    /// The value for SQL, allocated where SPI allocates; `None` is NULL.
    fn to_datum(&self) -> Option<pg_sys::Datum>;

    /// The same of a value that is not NULL.
    fn datum(&self) -> pg_sys::Datum {
        self.to_datum().expect("a value that is not NULL")
    }
}

/// A value that a statement returns.
pub trait Column: Sized {
    /// The value of a datum that is not NULL, in Rust's own memory.
    ///
    /// # Safety
    /// The datum must be of the SQL type that the implementation reads, and not NULL.
    unsafe fn from_sql(datum: pg_sys::Datum) -> Self;
}

impl<T: Parameter> Parameter for Option<T> {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        self.as_ref().and_then(T::to_datum)
    }
}

impl Parameter for Amount {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        Some(values::numeric_datum(*self))
    }
}

impl Column for Amount {
    unsafe fn from_sql(datum: pg_sys::Datum) -> Amount {
        // SAFETY: the caller vouches that the datum is a numeric and not NULL.
        let numeric = unsafe { AnyNumeric::from_datum(datum, false) }.expect("a numeric");
        Amount::parse(numeric.normalize()).expect("an amount within its limits")
    }
}

impl Column for Vec<Amount> {
    unsafe fn from_sql(datum: pg_sys::Datum) -> Vec<Amount> {
        // SAFETY: the caller vouches that the datum is a numeric[] and not NULL.
        let numerics: Vec<AnyNumeric> = unsafe { FromDatum::from_datum(datum, false) }.expect("an array");
        numerics.iter().map(|numeric| Amount::parse(numeric.normalize()).expect("an amount within its limits")).collect()
    }
}

impl Parameter for &[Amount] {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        self.iter().map(|amount| values::numeric(*amount)).collect::<Vec<_>>().into_datum()
    }
}

impl Parameter for Vec<Option<Amount>> {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        self.iter().map(|amount| amount.map(values::numeric)).collect::<Vec<_>>().into_datum()
    }
}

impl Parameter for Decimal {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        values::numeric_of_text(&self.to_string()).into_datum()
    }
}

impl Column for Decimal {
    unsafe fn from_sql(datum: pg_sys::Datum) -> Decimal {
        // SAFETY: the caller vouches that the datum is a numeric and not NULL.
        let numeric = unsafe { AnyNumeric::from_datum(datum, false) }.expect("a numeric");
        exact::parse_decimal(numeric.normalize()).expect("a number that was checked when it was written")
    }
}

impl Parameter for &[Decimal] {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        self.iter().map(|decimal| values::numeric_of_text(&decimal.to_string())).collect::<Vec<_>>().into_datum()
    }
}

impl Column for Vec<Decimal> {
    unsafe fn from_sql(datum: pg_sys::Datum) -> Vec<Decimal> {
        // SAFETY: the caller vouches that the datum is a numeric[] and not NULL.
        let numerics: Vec<AnyNumeric> = unsafe { FromDatum::from_datum(datum, false) }.expect("an array");
        let decimal = |numeric: &AnyNumeric| exact::parse_decimal(numeric.normalize()).expect("a number that was checked");
        numerics.iter().map(decimal).collect()
    }
}

impl Parameter for DateTime<Utc> {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        values::microseconds(*self).into_datum()
    }
}

impl Column for DateTime<Utc> {
    unsafe fn from_sql(datum: pg_sys::Datum) -> DateTime<Utc> {
        values::instant_from_microseconds(datum.value() as i64).expect("a finite instant")
    }
}

impl Parameter for Vec<DateTime<Utc>> {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        self.iter().map(|instant| values::timestamptz(*instant)).collect::<Vec<_>>().into_datum()
    }
}

impl Column for Vec<DateTime<Utc>> {
    unsafe fn from_sql(datum: pg_sys::Datum) -> Vec<DateTime<Utc>> {
        // SAFETY: the caller vouches that the datum is a timestamptz[] and not NULL.
        let instants: Vec<TimestampWithTimeZone> = unsafe { FromDatum::from_datum(datum, false) }.expect("an array");
        let instant =
            |instant: TimestampWithTimeZone| values::instant_from_microseconds(instant.into()).expect("a finite instant");
        instants.into_iter().map(instant).collect()
    }
}

impl Column for Vec<String> {
    unsafe fn from_sql(datum: pg_sys::Datum) -> Vec<String> {
        // SAFETY: the caller vouches that the datum is a text[] and not NULL.
        let texts = unsafe { TextArray::from_datum(datum, false) }.expect("an array");
        texts.0.into_iter().map(|text| text.expect("a text that is not NULL")).collect()
    }
}

/// Types that pgrx already converts.
macro_rules! through_pgrx {
    (parameters: $($parameter:ty),+; columns: $($column:ty),+ $(,)?) => {
        $(impl Parameter for $parameter {
            fn to_datum(&self) -> Option<pg_sys::Datum> {
                self.clone().into_datum()
            }
        })+
        $(impl Column for $column {
            unsafe fn from_sql(datum: pg_sys::Datum) -> $column {
                // SAFETY: the caller vouches that the datum is of the type that pgrx reads as this one, and not NULL.
                unsafe { FromDatum::from_datum(datum, false) }.expect("a value that is not NULL")
            }
        })+
    };
}

through_pgrx! {
    parameters: bool, i16, i32, i64, pg_sys::Oid, &str, String, Vec<bool>, Vec<i64>, Vec<i32>, Vec<i16>, Vec<String>, Vec<&str>,
        Vec<Option<&str>>, Vec<Option<i64>>, Vec<AnyNumeric>, Vec<Option<AnyNumeric>>, Vec<TimestampWithTimeZone>, &[u8],
        AnyNumeric, Interval;
    columns: bool, i16, i32, i64, pg_sys::Oid, String, Vec<bool>, Vec<i16>, Vec<i64>, Vec<u8>, AnyNumeric, Interval,
}
