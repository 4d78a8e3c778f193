//! Writing what debits change: directly where the tables are as this extension made them, through SQL otherwise.

use chrono::{DateTime, Utc};
use pgrx::pg_sys;

use crate::convert;
use crate::domain::amount::Amount;
use crate::server::heap::{self, Shape, Table};
use crate::server::lock::SlotLock;
use crate::store::entries::{self, BatchLine, DebitLine};
use crate::store::{Column, Parameter};

/// What is taken, from where.
#[derive(Clone, Copy, Debug)]
pub struct Taking<'a> {
    pub line: DebitLine<'a>,
    pub amount: Amount,
    /// The posting id, when a key has claimed one already.
    pub posting: Option<i64>,
    pub now: DateTime<Utc>,
}

/// `credit.slot` as sql/20_tables.sql and sql/30_triggers.sql make it.
static SLOT: Shape = Shape {
    name: c"slot",
    columns: 4,
    triggers: &[c"slot_91_refuse_delete", c"slot_92_refuse_truncate"],
    key: Some(c"slot_pkey"),
};

/// `credit.entry` likewise.
static ENTRY: Shape = Shape {
    name: c"entry",
    columns: 17,
    triggers: &[
        c"entry_10_check",
        c"entry_20_apply",
        c"entry_90_refuse_update",
        c"entry_91_refuse_delete",
        c"entry_92_refuse_truncate",
    ],
    key: None,
};

/// The column of `credit.slot` that a debit changes, counted from 0.
const REMAINING: usize = 3;

/// So few lines are written by SQL: setting up a bulk write costs more than it saves.
const FEW_LINES: usize = 4;

/// Takes the amount from the slot whose lock is held and writes the line; the posting, or `None` when the slot holds less.
pub fn take(taking: &Taking<'_>, lock: &SlotLock) -> Option<i64> {
    if heap::is_allowed() {
        let schema = heap::schema_id();
        if let (Some(slots), Some(ledger)) = (Table::open(schema, &SLOT), Table::open(schema, &ENTRY)) {
            return take_directly(taking, lock, &slots, &ledger, schema);
        }
    }
    entries::take(taking.line, lock.lot, lock.slot, taking.amount, taking.posting, taking.now)
}

/// What `entries::take` does in SQL. The lock sees to it that nobody else changes the row meanwhile.
fn take_directly(taking: &Taking<'_>, lock: &SlotLock, slots: &Table, ledger: &Table, schema: pg_sys::Oid) -> Option<i64> {
    let found = slots.find(&mut [
        heap::equals(3, pg_sys::F_TEXTEQ, taking.line.account.to_datum()?),
        heap::equals(1, pg_sys::F_INT8EQ, lock.lot.to_datum()?),
        heap::equals(2, pg_sys::F_INT2EQ, lock.slot.to_datum()?),
    ])?;
    let remaining = unsafe { Amount::from_sql(found.values[REMAINING]?) };
    let left = remaining.checked_sub(taking.amount).filter(|left| *left >= Amount::ZERO)?;
    slots.update_column(&found, REMAINING, left.to_datum()?);

    let posting = taking.posting.unwrap_or_else(|| heap::next_value(heap::relation_id(schema, c"posting_id")));
    let line = BatchLine { debit: taking.line, posting, line: 1, lot: lock.lot, amount: taking.amount };
    ledger.insert(&row(&line, taking.now, heap::session_user().to_datum()));
    heap::end_statement();
    Some(posting)
}

/// Writes the lines of one debit or many, in the order given: lines of one account together keep to one page of the index.
pub fn lines(lines: &[BatchLine<'_>], now: DateTime<Utc>) {
    if lines.len() > FEW_LINES
        && heap::is_allowed()
        && let Some(ledger) = Table::open(heap::schema_id(), &ENTRY)
    {
        let user = heap::session_user().to_datum();
        ledger.insert_many(lines.iter().map(|line| row(line, now, user)));
        heap::end_statement();
    } else if !lines.is_empty() {
        entries::debit_batch(lines, now);
    }
}

/// A debit's line in the order of the table's columns.
fn row(line: &BatchLine<'_>, now: DateTime<Utc>, user: Option<pg_sys::Datum>) -> [Option<pg_sys::Datum>; 17] {
    let debit = &line.debit;
    [
        line.posting.to_datum(),
        line.lot.to_datum(),
        debit.occurred_at.unwrap_or(now).to_datum(),
        now.to_datum(),
        None,
        None,
        line.line.to_datum(),
        true.to_datum(),
        debit.account.to_datum(),
        "debit".to_datum(),
        line.amount.negated().to_datum(),
        debit.member.to_datum(),
        debit.department.to_datum(),
        debit.operation.to_datum(),
        None,
        user,
        debit.metadata.and_then(convert::jsonb),
    ]
}
