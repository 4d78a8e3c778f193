//! Taking an amount from one slot and writing the ledger line: the innermost step of every debit.

use chrono::{DateTime, Utc};
use pgrx::pg_sys;

use crate::convert;
use crate::domain::amount::Amount;
use crate::server::heap::{self, Shape, Table};
use crate::server::lock::SlotLock;
use crate::store::entries::{self, DebitLine};
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
static SLOT: Shape = Shape { name: c"slot", columns: 4, triggers: 2, indexes: 1, key: Some(c"slot_pkey") };

/// `credit.entry` likewise.
static ENTRY: Shape = Shape { name: c"entry", columns: 17, triggers: 5, indexes: 2, key: None };

/// The column of `credit.slot` that a debit changes, counted from 0.
const REMAINING: usize = 3;

/// Takes the amount from the slot whose lock is held; the posting, or `None` when the slot holds less.
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
    let account = taking.line.account.to_datum()?;
    let found = slots.find(&mut [
        heap::equals(3, pg_sys::F_TEXTEQ, account),
        heap::equals(1, pg_sys::F_INT8EQ, lock.lot.to_datum()?),
        heap::equals(2, pg_sys::F_INT2EQ, lock.slot.to_datum()?),
    ])?;
    let remaining = unsafe { Amount::from_sql(found.values[REMAINING]) };
    let left = remaining.checked_sub(taking.amount).filter(|left| *left >= Amount::ZERO)?;
    slots.update_column(&found, REMAINING, left.to_datum()?);

    let posting = taking.posting.unwrap_or_else(|| heap::next_value(heap::relation_id(schema, c"posting_id")));
    let occurred_at = taking.line.occurred_at.unwrap_or(taking.now);
    // In the order of the table's columns.
    ledger.insert(&[
        posting.to_datum(),
        lock.lot.to_datum(),
        occurred_at.to_datum(),
        taking.now.to_datum(),
        None,
        None,
        1_i32.to_datum(),
        true.to_datum(),
        Some(account),
        "debit".to_datum(),
        taking.amount.negated().to_datum(),
        taking.line.member.to_datum(),
        taking.line.department.to_datum(),
        taking.line.operation.to_datum(),
        None,
        heap::session_user().to_datum(),
        taking.line.metadata.and_then(convert::jsonb),
    ]);
    heap::end_statement();
    Some(posting)
}
