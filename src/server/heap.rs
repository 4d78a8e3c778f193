//! Rows read and written without the executor.
//!
//! A debit changes one narrow row and adds another. Setting up the executor for that costs several times the work itself
//! (docs/decisions.md has the figures), so the hot path calls what the executor would call. That is only right for a table that
//! is as this extension made it: [`Table::open`] refuses one with a trigger, column, check, rule, policy or special index that
//! somebody added, or that another extension stores in its own way, and the caller then takes the way through SQL.

use std::ffi::CStr;
use std::ops::ControlFlow;

use pgrx::pg_sys;

/// What a table must look like to be written directly.
pub struct Shape {
    pub name: &'static CStr,
    pub columns: i16,
    /// The only triggers it may have: none of them acts on what is written here.
    pub triggers: &'static [&'static CStr],
    /// The primary key, for tables whose rows are looked up.
    pub key: Option<&'static CStr>,
}

/// An open table of the expected shape, with its indexes. Its lock is kept to the end of the transaction, as after any write.
pub struct Table {
    relation: pg_sys::Relation,
    indexes: pg_sys::CatalogIndexState,
    key: pg_sys::Oid,
}

/// A row as it was found.
pub struct Found {
    tuple: pg_sys::HeapTuple,
    /// By column; `None` is NULL.
    pub values: Vec<Option<pg_sys::Datum>>,
}

/// Whether this transaction may write directly at all: the checks that the executor makes before it writes, and only READ
/// COMMITTED, because under the stricter levels the executor's conflict checks are needed.
pub fn is_allowed() -> bool {
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_READ_COMMITTED as i32 && !pg_sys::XactReadOnly }
}

/// The id of a relation of the schema `credit`.
pub fn relation_id(schema: pg_sys::Oid, name: &CStr) -> pg_sys::Oid {
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) }
}

/// The id of the schema `credit`.
pub fn schema_id() -> pg_sys::Oid {
    unsafe { pg_sys::get_namespace_oid(c"credit".as_ptr(), false) }
}

impl Table {
    /// Opens the table for writing, unless it is not of the shape.
    pub fn open(schema: pg_sys::Oid, shape: &Shape) -> Option<Table> {
        unsafe {
            let relation = pg_sys::table_open(relation_id(schema, shape.name), pg_sys::RowExclusiveLock as i32);
            let key = shape.key.map_or(pg_sys::InvalidOid, |key| relation_id(schema, key));
            let table = Table { relation, indexes: pg_sys::CatalogOpenIndexes(relation), key };
            (table.has(shape) && table.has_plain_indexes()).then_some(table)
        }
    }

    unsafe fn has(&self, shape: &Shape) -> bool {
        unsafe {
            let relation = &*self.relation;
            let form = &*relation.rd_rel;
            let columns = &*relation.rd_att;
            let checks = if columns.constr.is_null() { 0 } else { (*columns.constr).num_check };
            form.relkind as u8 == pg_sys::RELKIND_RELATION
                && std::ptr::eq(relation.rd_tableam, pg_sys::GetHeapamTableAmRoutine())
                && !form.relrowsecurity
                && relation.rd_rules.is_null()
                && form.relnatts == shape.columns
                && checks == 0
                && self.has_only_triggers(shape.triggers)
        }
    }

    unsafe fn has_only_triggers(&self, known: &[&CStr]) -> bool {
        unsafe {
            let description = (*self.relation).trigdesc;
            let triggers = match description.is_null() {
                true => &[],
                false => std::slice::from_raw_parts((*description).triggers, (*description).numtriggers as usize),
            };
            triggers.iter().all(|trigger| known.contains(&CStr::from_ptr(trigger.tgname)))
        }
    }

    /// Indexes on plain columns, checked at once: for others the server's direct insert does not do all that the executor does.
    unsafe fn has_plain_indexes(&self) -> bool {
        unsafe {
            let state = &*self.indexes;
            (0..state.ri_NumIndices as usize).all(|index| {
                let info = &**state.ri_IndexRelationInfo.add(index);
                let form = &*(**state.ri_IndexRelationDescs.add(index)).rd_index;
                info.ii_Expressions.is_null()
                    && info.ii_Predicate.is_null()
                    && info.ii_ExclusionOps.is_null()
                    && info.ii_ReadyForInserts
                    && form.indimmediate
            })
        }
    }

    /// The row of this key that is committed now, or written by this transaction.
    pub fn find(&self, key: &mut [pg_sys::ScanKeyData]) -> Option<Found> {
        unsafe {
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let scan = pg_sys::systable_beginscan(self.relation, self.key, true, snapshot, key.len() as i32, key.as_mut_ptr());
            let tuple = pg_sys::systable_getnext(scan);
            let found = (!tuple.is_null()).then(|| {
                let tuple = pg_sys::heap_copytuple(tuple);
                Found { tuple, values: deform(tuple, (*self.relation).rd_att) }
            });
            pg_sys::systable_endscan(scan);
            pg_sys::UnregisterSnapshot(snapshot);
            found
        }
    }

    /// Writes one column of a row that was found. The caller holds what keeps others from changing the row.
    pub fn update_column(&self, found: &Found, column: usize, value: pg_sys::Datum) {
        unsafe {
            let columns = found.values.len();
            let mut values = vec![pg_sys::Datum::from(0); columns];
            let mut nulls = vec![false; columns];
            let mut replaced = vec![false; columns];
            values[column] = value;
            replaced[column] = true;
            let tuple = pg_sys::heap_modify_tuple(
                found.tuple,
                (*self.relation).rd_att,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                replaced.as_mut_ptr(),
            );
            pg_sys::CatalogTupleUpdateWithInfo(self.relation, &raw mut (*found.tuple).t_self, tuple, self.indexes);
        }
    }

    /// Adds a row; `None` is NULL.
    pub fn insert(&self, row: &[Option<pg_sys::Datum>]) {
        unsafe {
            let tuple = form((*self.relation).rd_att, row);
            pg_sys::CatalogTupleInsertWithInfo(self.relation, tuple, self.indexes);
        }
    }
}

/// So many rows are written at a time: about a page of ledger lines.
const ROWS_AT_A_TIME: usize = 64;

impl Table {
    /// Adds many rows: whole pages at a time, with one log record for each page.
    pub fn insert_many(&self, rows: impl Iterator<Item: AsRef<[Option<pg_sys::Datum>]>>) {
        unsafe {
            // A copy is not counted: the server would search its list of counted ones for every slot.
            let columns = pg_sys::CreateTupleDescCopy((*self.relation).rd_att);
            let mut slots: Vec<*mut pg_sys::TupleTableSlot> = Vec::new();
            let mut filled = 0;
            for row in rows {
                if filled == slots.len() {
                    slots.push(pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsHeapTuple));
                }
                pg_sys::ExecStoreHeapTuple(form(columns, row.as_ref()), slots[filled], true);
                filled += 1;
                if filled == ROWS_AT_A_TIME {
                    pg_sys::CatalogTuplesMultiInsertWithInfo(self.relation, slots.as_mut_ptr(), filled as i32, self.indexes);
                    filled = 0;
                }
            }
            if filled > 0 {
                pg_sys::CatalogTuplesMultiInsertWithInfo(self.relation, slots.as_mut_ptr(), filled as i32, self.indexes);
            }
            slots.into_iter().for_each(|slot| pg_sys::ExecDropSingleTupleTableSlot(slot));
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            unsafe {
                pg_sys::CatalogCloseIndexes(self.indexes);
                pg_sys::table_close(self.relation, pg_sys::NoLock as i32);
            }
        }
    }
}

/// Reads rows in the order of an index until `visit` breaks. Returns `None`, and reads nothing, when the table does not have so many
/// columns or is stored in another way.
pub fn scan_in_order<T>(
    schema: pg_sys::Oid,
    table: &CStr,
    columns: i16,
    index: &CStr,
    keys: &mut [pg_sys::ScanKeyData],
    mut visit: impl FnMut(&[Option<pg_sys::Datum>]) -> ControlFlow<T>,
) -> Option<ControlFlow<T>> {
    unsafe {
        let relation = pg_sys::table_open(relation_id(schema, table), pg_sys::AccessShareLock as i32);
        let index = pg_sys::index_open(relation_id(schema, index), pg_sys::AccessShareLock as i32);
        let is_as_made =
            (*(*relation).rd_rel).relnatts == columns && std::ptr::eq((*relation).rd_tableam, pg_sys::GetHeapamTableAmRoutine());
        let mut outcome = None;
        if is_as_made {
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let scan = pg_sys::systable_beginscan_ordered(relation, index, snapshot, keys.len() as i32, keys.as_mut_ptr());
            let mut flow = ControlFlow::Continue(());
            while flow.is_continue() {
                let tuple = pg_sys::systable_getnext_ordered(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                flow = visit(&deform(tuple, (*relation).rd_att));
            }
            pg_sys::systable_endscan_ordered(scan);
            pg_sys::UnregisterSnapshot(snapshot);
            outcome = Some(flow);
        }
        pg_sys::index_close(index, pg_sys::NoLock as i32);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        outcome
    }
}

/// The values of a row; `None` is NULL.
unsafe fn deform(tuple: pg_sys::HeapTuple, description: pg_sys::TupleDesc) -> Vec<Option<pg_sys::Datum>> {
    let columns = unsafe { (*description).natts } as usize;
    let mut values = vec![pg_sys::Datum::from(0); columns];
    let mut nulls = vec![false; columns];
    unsafe { pg_sys::heap_deform_tuple(tuple, description, values.as_mut_ptr(), nulls.as_mut_ptr()) };
    values.into_iter().zip(nulls).map(|(value, is_null)| (!is_null).then_some(value)).collect()
}

/// A row of these values; `None` is NULL.
unsafe fn form(description: pg_sys::TupleDesc, row: &[Option<pg_sys::Datum>]) -> pg_sys::HeapTuple {
    let mut values: Vec<_> = row.iter().map(|value| value.unwrap_or(pg_sys::Datum::from(0))).collect();
    let mut nulls: Vec<_> = row.iter().map(Option::is_none).collect();
    unsafe {
        assert_eq!(row.len(), (*description).natts as usize, "a value for each column");
        pg_sys::heap_form_tuple(description, values.as_mut_ptr(), nulls.as_mut_ptr())
    }
}

/// The first expression of an index, in place of a column's number in [`equals`].
pub const FIRST_EXPRESSION: i16 = 0;

/// A condition `column = value`; columns count from 1. Text compares by byte, as COLLATE "C" does.
pub fn equals(column: i16, function: u32, value: pg_sys::Datum) -> pg_sys::ScanKeyData {
    let mut key = pg_sys::ScanKeyData::default();
    unsafe { pg_sys::ScanKeyInit(&mut key, column, pg_sys::BTEqualStrategyNumber as u16, function.into(), value) };
    key
}

/// Makes what was written visible to what follows in the transaction, as the end of a statement does.
pub fn end_statement() {
    unsafe { pg_sys::CommandCounterIncrement() };
}

/// The next value of a sequence.
pub fn next_value(sequence: pg_sys::Oid) -> i64 {
    let value: Option<i64> = unsafe { pgrx::direct_function_call(pg_sys::nextval_oid, &[Some(pg_sys::Datum::from(sequence))]) };
    value.expect("nextval returns a value or an error")
}

/// The login role of the session, which every row records.
pub fn session_user() -> String {
    let user = unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), false)) };
    user.to_string_lossy().into_owned()
}
