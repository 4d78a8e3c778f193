//! Writing what debits change: directly where the tables are as this extension made them, through SQL otherwise.

use chrono::{DateTime, Utc};
use pgrx::{FromDatum, pg_sys};

use crate::domain::amount::Amount;
use crate::server::heap::layout::{Entry, NewRow, Row, Slot};
use crate::server::heap::table::{self, Table};
use crate::server::heap::tally::{self, Step};
use crate::server::heap::{self, relations};
use crate::server::locks::slot::SlotLock;
use crate::store::holds::{self, NewHold};
use crate::store::ledger::entries::{self, BatchLine, DebitLine};
use crate::store::ledger::sequences::{self, Sequence};
use crate::store::{Column, Parameter};
use crate::values;

/// An amount that a debit takes from a lot.
#[derive(Clone, Copy, Debug)]
pub struct Taking<'a> {
    /// The values that the line has besides lot and amount.
    pub line: DebitLine<'a>,
    /// The lot that pays.
    pub lot: i64,
    /// The amount that is taken from the lot; positive.
    pub amount: Amount,
    /// The posting id, when a key has claimed one already.
    pub posting: Option<i64>,
    /// The instant at which the line is recorded.
    pub now: DateTime<Utc>,
}

/// How many lines are still written by SQL: for so few, setting up a bulk write costs more than it saves.
const FEW_LINES: usize = 4;

/// Takes the amount from the slot of the lot whose lock is held and writes the line; the posting, or `None` when the slot holds
/// less.
pub fn take(taking: &Taking<'_>, lock: &SlotLock) -> Option<i64> {
    sequences::check_once();
    if heap::is_allowed()
        && let Some(tables) = table::open_for_debit()
    {
        let posting = take_directly(taking, lock, tables)?;
        tally::count(Step::Take, true);
        return Some(posting);
    }
    let posting = entries::take(taking.line, taking.lot, lock.slot, taking.amount, taking.posting, taking.now)?;
    tally::count(Step::Take, false);
    Some(posting)
}

/// Takes the amount of a hold from the slot of the lot whose lock is held and writes the hold; its id, or `None` when the slot
/// holds less.
pub fn hold(taking: &Taking<'_>, lock: &SlotLock, new: &NewHold<'_>, pooled: bool) -> Option<i64> {
    sequences::check_once();
    holds::take(new, (taking.lot, pooled, lock.slot), taking.amount, taking.posting, taking.now)
}

/// The same as `entries::take`, without SQL. The lock sees to it that nobody else changes the row meanwhile.
fn take_directly(taking: &Taking<'_>, lock: &SlotLock, (slots, ledger): (Table<Slot>, Table<Entry>)) -> Option<i64> {
    let account = taking.line.account;
    let relations = relations::relations();
    let key = || {
        [
            slots.equals(Slot::Account, pg_sys::F_TEXTEQ, account.datum()),
            slots.equals(Slot::Lot, pg_sys::F_INT8EQ, taking.lot.datum()),
            slots.equals(Slot::Slot, pg_sys::F_INT2EQ, lock.slot.datum()),
        ]
    };
    let is_it = |row: Row<'_, Slot>| {
        // SAFETY: it is called with the column `account` of credit.slot, a text that is not NULL. The text is compared while the
        // row is there. The database is UTF8, without which no call of ours runs.
        let text = |datum| unsafe { <&str>::from_datum(datum, false) };
        row.get(Slot::Lot).is_some_and(|lot| lot.value() as i64 == taking.lot)
            && row.get(Slot::Slot).is_some_and(|slot| slot.value() as i16 == lock.slot)
            && row.get(Slot::Account).and_then(text) == Some(account)
    };
    let found = slots.find(relations.slot.index, (taking.lot, lock.slot), key, is_it)?;
    // SAFETY: the column `remaining` of credit.slot is a numeric, and the value is not NULL.
    let remaining = unsafe { Amount::from_sql(slots.row(&found).get(Slot::Remaining)?) };
    let left = remaining.checked_sub(taking.amount).filter(|left| *left >= Amount::ZERO)?;
    slots.update_column(&found, Slot::Remaining, left.to_datum()?);

    let posting = taking.posting.unwrap_or_else(|| {
        let posting = heap::next_value(relations.posting_id);
        sequences::check_next(Sequence::Postings, posting);
        posting
    });
    let line = BatchLine { debit: taking.line, posting, line: 1, lot: taking.lot, amount: taking.amount };
    ledger.insert(&row(&line, taking.now, heap::session_user().to_datum()));
    heap::end_statement();
    Some(posting)
}

/// Writes the lines of one debit or many, in the order given: lines of one account together keep to one page of the index.
pub fn lines(lines: &[BatchLine<'_>], now: DateTime<Utc>) {
    if lines.len() > FEW_LINES
        && heap::is_allowed()
        && let Some(ledger) = table::open_ledger()
    {
        let user = heap::session_user().to_datum();
        ledger.insert_many(lines.iter().map(|line| row(line, now, user)));
        heap::end_statement();
        tally::count(Step::WriteLines, true);
    } else if !lines.is_empty() {
        tally::count(Step::WriteLines, false);
        entries::debit_batch(lines, now);
    }
}

/// A debit's line.
fn row(line: &BatchLine<'_>, now: DateTime<Utc>, user: Option<pg_sys::Datum>) -> NewRow<Entry> {
    let debit = &line.debit;
    NewRow::of([
        (Entry::Posting, line.posting.to_datum()),
        (Entry::Lot, line.lot.to_datum()),
        (Entry::OccurredAt, debit.occurred_at.unwrap_or(now).to_datum()),
        (Entry::RecordedAt, now.to_datum()),
        (Entry::Corrects, None),
        (Entry::Rate, debit.usage.map(|usage| usage.rate).to_datum()),
        (Entry::Hold, debit.hold.to_datum()),
        (Entry::Line, line.line.to_datum()),
        (Entry::Posted, true.to_datum()),
        (Entry::Account, debit.account.to_datum()),
        (Entry::Kind, "debit".to_datum()),
        (Entry::Amount, line.amount.negated().to_datum()),
        (Entry::Member, debit.member.to_datum()),
        (Entry::Department, debit.department.to_datum()),
        (Entry::Operation, debit.operation.to_datum()),
        (Entry::Quantity, debit.usage.map(|usage| usage.quantity).to_datum()),
        (Entry::Run, debit.run.to_datum()),
        (Entry::RecordedBy, user),
        (Entry::Metadata, debit.metadata.and_then(values::jsonb)),
        (Entry::Dimensions, debit.dimensions.and_then(values::jsonb)),
    ])
}
