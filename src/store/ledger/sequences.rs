//! The sequences that ids come from, against the ids in the books. Logical replication and partial restores carry rows and leave
//! sequences behind: the next ids would be given a second time.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::error;
use crate::server::heap::relations;
use crate::store::statement::Statement;

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
            " UNION ALL SELECT 'pooling_rule', max(rule) FROM credit.pooling WHERE ",
            $of_account,
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
             WHERE ctid >= (SELECT format('(%s,0)', GREATEST(pg_relation_size('credit.entry') / current_setting('block_size')::bigint - 8, 0))::tid)
         UNION ALL
         SELECT 'credit.lot_id', max(lot) FROM credit.lot
             WHERE ctid >= (SELECT format('(%s,0)', GREATEST(pg_relation_size('credit.lot') / current_setting('block_size')::bigint - 8, 0))::tid)) b
     WHERE b.id > COALESCE(pg_sequence_last_value(b.name::regclass), 0)",
    &[],
);

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

thread_local! {
    /// The sequence of postings whose books this backend has looked at, and the last id that it took.
    static KNOWN: Cell<(pg_sys::Oid, i64)> = const { Cell::new((pg_sys::InvalidOid, 0)) };
    /// The last id of a lot that it took since.
    static LAST_LOT: Cell<i64> = const { Cell::new(0) };
}

/// Before this backend takes its first id: whether the newest rows have higher ones. Raises 55000. Not under SERIALIZABLE, where
/// a look at rows of others could fail the transaction for nothing.
pub fn check_once() {
    let sequence = relations::relations().posting_id;
    // SAFETY: this is the server's own variable, and this backend has one thread.
    let is_serializable = unsafe { pg_sys::XactIsoLevel } == pg_sys::XACT_SERIALIZABLE as i32;
    if KNOWN.get().0 == sequence {
        return;
    }
    KNOWN.set((pg_sys::InvalidOid, 0));
    if is_serializable {
        return;
    }
    if let Some(row) = NEWEST.read(&[]).first() {
        raise(&row.get::<String>(1), row.get(3), row.get(2));
    }
    KNOWN.set((sequence, 0));
    LAST_LOT.set(0);
}

/// The id of a lot that was just taken: each is higher than the one before, or the sequence was set back. Raises 55000.
pub fn check_next_lot(lot: i64) {
    if KNOWN.get().0 == pg_sys::InvalidOid {
        return;
    }
    if lot <= LAST_LOT.get() {
        raise("credit.lot_id", lot, LAST_LOT.get());
    }
    LAST_LOT.set(lot);
}

/// A posting id that was just taken: each is higher than the one before, or the sequence was set back. Raises 55000.
pub fn check_next(posting: i64) {
    let (sequence, last) = KNOWN.get();
    if sequence == pg_sys::InvalidOid {
        return;
    }
    if posting <= last {
        raise("credit.posting_id", posting, last);
    }
    KNOWN.set((sequence, posting));
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
