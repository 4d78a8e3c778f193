//! The sequences that ids come from, against the ids in the books. Logical replication and partial restores carry rows and leave
//! sequences behind: the next ids would be given a second time.

use std::cell::Cell;

use pgrx::pg_sys::INT8OID;
use pgrx::prelude::*;

use crate::error;
use crate::server::heap::{self, relations};
use crate::store::statement::{Snapshot, Statement};

/// The greatest id of each sequence, or several, where a condition about the column `account` holds. Of tables without accounts
/// all.
macro_rules! taken {
    ($of_account:literal) => {
        concat!(
            "SELECT 'posting_id' AS name, max(posting) AS id FROM credit.entry WHERE ",
            $of_account,
            " UNION ALL SELECT 'lot_id', max(lot) FROM credit.lot WHERE ",
            $of_account,
            " UNION ALL SELECT 'lot_id', max(lot) FROM credit.purchase_lot WHERE ",
            $of_account,
            " UNION ALL SELECT 'purchase_id', max(purchase) FROM credit.purchase WHERE ",
            $of_account,
            " UNION ALL SELECT 'agreement_id', max(agreement) FROM credit.agreement WHERE ",
            $of_account,
            " UNION ALL SELECT 'subscription_id', max(subscription) FROM credit.subscription WHERE ",
            $of_account,
            " UNION ALL SELECT 'plan_change_id', max(change) FROM credit.plan_change WHERE ",
            $of_account,
            " UNION ALL SELECT 'schedule_id', max(schedule) FROM credit.schedule WHERE ",
            $of_account,
            " UNION ALL SELECT 'schedule_id', max(schedule) FROM credit.plan_schedule",
            " UNION ALL SELECT 'true_up_id', max(true_up) FROM credit.true_up WHERE ",
            $of_account,
            " UNION ALL SELECT 'cap_id', max(cap) FROM credit.cap WHERE ",
            $of_account,
            " UNION ALL SELECT 'hold_id', max(hold) FROM credit.hold WHERE ",
            $of_account,
            " UNION ALL SELECT 'pooling_rule', max(rule) FROM credit.pooling WHERE ",
            $of_account,
            " UNION ALL SELECT 'posting_id', GREATEST(rolled_to, final_to, mark) FROM credit.rollup_watermark",
            " UNION ALL SELECT 'tier_id', max(version) FROM credit.tier",
            " UNION ALL SELECT 'rate_id', max(rate) FROM credit.rate",
            " UNION ALL SELECT 'rate_id', max(rate) FROM credit.rate_draft",
            " UNION ALL SELECT 'maintenance_run_id', max(run) FROM credit.maintenance_run"
        )
    };
}
pub(in crate::store) use taken;

// Rows are added at the end of their tables, so the last pages have the greatest ids, or nearly. Where a server adds many pages
// at once, they may be empty; then nothing is said. The first page is asked for once, in a query of its own: else every row of
// the table would be read and compared. pg_sequence_last_value() is read after the rows: their ids had been taken when they were
// written.
static NEWEST: Statement = Statement::in_stretches(
    "SELECT b.name, b.id, COALESCE(pg_sequence_last_value(b.name::regclass), 0)
     FROM (SELECT 'credit.posting_id' AS name, max(posting) AS id FROM credit.entry
             WHERE ctid >= (SELECT format('(%s,0)',
                 GREATEST(pg_relation_size('credit.entry') / current_setting('block_size')::bigint - 8, 0))::tid)
         UNION ALL
         SELECT 'credit.lot_id', max(lot) FROM credit.lot
             WHERE ctid >= (SELECT format('(%s,0)',
                 GREATEST(pg_relation_size('credit.lot') / current_setting('block_size')::bigint - 8, 0))::tid)
         UNION ALL
         SELECT 'credit.hold_id', max(hold) FROM credit.hold
             WHERE ctid >= (SELECT format('(%s,0)',
                 GREATEST(pg_relation_size('credit.hold') / current_setting('block_size')::bigint - 8, 0))::tid)) b
     WHERE b.id IS NOT NULL",
    &[],
);

// An id that is not below. Consumption that was added up beyond the id would not see what is posted under it. There is no index
// by the id alone; ranges of pages know theirs.
static POSTING_FROM: Statement = Statement::in_stretches(
    "SELECT GREATEST(rolled_to, final_to, mark) FROM credit.rollup_watermark WHERE GREATEST(rolled_to, final_to, mark) >= $1
     UNION ALL (SELECT posting FROM credit.entry WHERE posting >= $1 LIMIT 1)",
    &[INT8OID],
);

static LOT_FROM: Statement = Statement::new(
    "SELECT lot FROM credit.lot WHERE lot >= $1 UNION ALL SELECT lot FROM credit.purchase_lot WHERE lot >= $1 LIMIT 1",
    &[INT8OID],
);

static HOLD_FROM: Statement = Statement::new("SELECT hold FROM credit.hold WHERE hold >= $1 LIMIT 1", &[INT8OID]);

// It goes far enough ahead that ids which are just being taken stay behind it.
static REPAIR: Statement = Statement::new(
    concat!(
        "SELECT 'credit.' || b.name, b.last, setval(('credit.' || b.name)::regclass, b.id + 1000)
         FROM (SELECT t.name, max(t.id) AS id, COALESCE(pg_sequence_last_value(('credit.' || t.name)::regclass), 0) AS last
             FROM (",
        taken!("true"),
        ") t GROUP BY t.name) b
         WHERE b.id > b.last ORDER BY b.name"
    ),
    &[],
);

/// The sequences whose ids are looked at when they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// `credit.posting_id`.
    Postings,
    /// `credit.lot_id`.
    Lots,
    /// `credit.hold_id`.
    Holds,
}

impl Sequence {
    fn name(self) -> &'static str {
        match self {
            Sequence::Postings => "credit.posting_id",
            Sequence::Lots => "credit.lot_id",
            Sequence::Holds => "credit.hold_id",
        }
    }

    fn id(self) -> pg_sys::Oid {
        let relations = relations::relations();
        match self {
            Sequence::Postings => relations.posting_id,
            Sequence::Lots => relations.lot_id,
            Sequence::Holds => relations.hold_id,
        }
    }
}

/// The facts about the sequences that this backend knows.
#[derive(Clone, Copy)]
struct Known {
    /// The sequence of postings whose books it has looked at.
    postings: pg_sys::Oid,
    /// The last id that it took of each sequence since.
    last: [i64; 3],
}

thread_local! {
    static KNOWN: Cell<Known> = const { Cell::new(Known { postings: pg_sys::InvalidOid, last: [0, 0, 0] }) };
}

/// The next id of a sequence, which nobody else has. The transaction has an id of its own before: a call that waits for all
/// transactions that began before some id of a posting was taken waits for this one too. Raises 55000 where the sequence is
/// behind the books.
pub fn next(sequence: Sequence) -> i64 {
    check_once();
    // SAFETY: in a transaction. On a standby the sequence refuses, and says so.
    unsafe {
        if !pg_sys::RecoveryInProgress() {
            pg_sys::GetTopTransactionId();
        }
    }
    let id = heap::next_value(sequence.id());
    check_next(sequence, id);
    id
}

/// Before this backend takes its first id: whether the newest rows have higher ones. Raises 55000. Not under SERIALIZABLE, where
/// a look at rows of others could fail the transaction for nothing.
pub fn check_once() {
    let postings = relations::relations().posting_id;
    if KNOWN.get().postings == postings {
        return;
    }
    KNOWN.set(Known { postings: pg_sys::InvalidOid, last: [0, 0, 0] });
    // SAFETY: a variable of this backend, which has one thread.
    if unsafe { pg_sys::XactIsoLevel } == pg_sys::XACT_SERIALIZABLE as i32 {
        return;
    }
    for row in NEWEST.read(&[]).iter() {
        let (taken, last): (i64, i64) = (row.get(2), row.get(3));
        if taken > last {
            raise(&row.get::<String>(1), last, taken);
        }
    }
    KNOWN.set(Known { postings, last: [0, 0, 0] });
}

/// An id that was just taken and is not written yet: it is higher than the one before, or the sequence was set back. Raises 55000
/// where the books have such an id or a higher one, or consumption was added up beyond it. Else a sequence that had been set too
/// far ahead was put right.
pub fn check_next(sequence: Sequence, id: i64) {
    let mut known = KNOWN.get();
    if known.postings == pg_sys::InvalidOid {
        return;
    }
    let last = &mut known.last[sequence as usize];
    if id <= *last {
        look_again(sequence, id);
    }
    *last = id;
    KNOWN.set(known);
}

/// Raises 55000 where the books have the id or a higher one: the newest rows first, then all.
#[cold]
fn look_again(sequence: Sequence, id: i64) {
    for row in NEWEST.execute(Snapshot::Latest, &[]).iter() {
        if row.get::<String>(1) == sequence.name() && row.get::<i64>(2) >= id {
            raise(sequence.name(), id, row.get(2));
        }
    }
    let all = match sequence {
        Sequence::Postings => &POSTING_FROM,
        Sequence::Lots => &LOT_FROM,
        Sequence::Holds => &HOLD_FROM,
    };
    if let Some(row) = all.execute(Snapshot::Latest, &[&id]).first() {
        raise(sequence.name(), id, row.get(1));
    }
}

fn raise(sequence: &str, last: i64, taken: i64) {
    error::sequence_behind(sequence, last, taken).report(PgLogLevel::ERROR);
    unreachable!("an error has been raised")
}

/// A sequence that was behind the books.
pub struct Repaired {
    pub sequence: String,
    /// The last id that the sequence had given.
    pub before: i64,
    /// The last id that it counts as given now.
    pub after: i64,
}

/// Sets every sequence that is behind the books beyond them.
pub fn repair() -> Vec<Repaired> {
    REPAIR.run(&[]).iter().map(|row| Repaired { sequence: row.get(1), before: row.get(2), after: row.get(3) }).collect()
}
