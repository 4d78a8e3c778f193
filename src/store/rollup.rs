//! The tables `credit.rollup` and `credit.rollup_watermark`: the ledger added up, and how far.

use pgrx::pg_sys::{INT8OID, OIDOID, TEXTOID};

use super::statement::Statement;
use crate::server::transactions::Place;

static WATERMARK: Statement = Statement::new(
    "SELECT rolled_to, final_to, mark, mark_before::text::bigint, system_identifier, database FROM credit.rollup_watermark",
    &[],
);

// Not TRUNCATE: whoever looks at an older snapshot goes on with what was there.
static FORGET: Statement = Statement::new("DELETE FROM credit.rollup", &[]);

// Run as whoever looks at a view: every name is qualified, and nothing is computed.
static SEEN: Statement = Statement::new("SELECT rolled_to, system_identifier, database FROM credit.rollup_watermark", &[]);

static WRITE: Statement = Statement::new(
    "INSERT INTO credit.rollup_watermark AS w (rolled_to, final_to, mark, mark_before, system_identifier, database)
     VALUES ($1, $2, $3, $4::xid8, $5, $6)
     ON CONFLICT (only_row) DO UPDATE SET rolled_to = EXCLUDED.rolled_to, final_to = EXCLUDED.final_to, mark = EXCLUDED.mark,
         mark_before = EXCLUDED.mark_before, system_identifier = EXCLUDED.system_identifier, database = EXCLUDED.database",
    &[INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID, OIDOID],
);

static LAST_POSTING: Statement = Statement::new("SELECT COALESCE(pg_sequence_last_value('credit.posting_id'::regclass), 0)", &[]);

// Who takes an id holds a lock on the sequence until the transaction ends, and who has a transaction id one on that. Between the two there
// is a moment.
static ANY_WITHOUT_ID: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM pg_locks s
         WHERE s.locktype = 'relation' AND s.relation = 'credit.posting_id'::regclass AND s.mode = 'RowExclusiveLock' AND s.granted
             AND s.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.pid <> pg_backend_pid()
             AND NOT EXISTS (SELECT FROM pg_locks x WHERE x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock' AND x.granted
                 AND x.virtualtransaction = s.virtualtransaction))",
    &[],
);

static OLDEST_RUNNING: Statement = Statement::new("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint", &[]);

static ROLL: Statement = Statement::in_stretches(
    "INSERT INTO credit.rollup AS r (account, month, day, unit, member, department, operation, currency, requests, first_posting,
         last_posting, credits, pooled, overage, quantity, value, funded, lapsed)
     SELECT account, month, day, unit, member, department, operation, currency, sum(requests), min(posting), max(posting),
         trim_scale(sum(credits)), trim_scale(sum(pooled)), trim_scale(sum(overage)), trim_scale(sum(quantity)), trim_scale(sum(value)),
         trim_scale(sum(funded)), trim_scale(sum(lapsed))
     FROM credit.consumption_line WHERE posting > $1 AND posting <= $2
     GROUP BY account, month, day, unit, member, department, operation, currency
     ON CONFLICT (account, month, day, unit, member, department, operation, currency) DO UPDATE SET
         requests = r.requests + EXCLUDED.requests, first_posting = LEAST(r.first_posting, EXCLUDED.first_posting),
         last_posting = GREATEST(r.last_posting, EXCLUDED.last_posting), credits = r.credits + EXCLUDED.credits,
         pooled = r.pooled + EXCLUDED.pooled, overage = r.overage + EXCLUDED.overage, quantity = r.quantity + EXCLUDED.quantity,
         value = r.value + EXCLUDED.value, funded = r.funded + EXCLUDED.funded, lapsed = r.lapsed + EXCLUDED.lapsed",
    &[INT8OID, INT8OID],
);

/// How far the ledger is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Up to this posting it is.
    pub rolled_to: i64,
    /// Up to this one it can be: no line of it can come any more.
    pub final_to: i64,
    /// What is final next.
    pub mark: Option<Mark>,
    /// Where this is true.
    pub place: Place,
}

/// Postings that are final once every transaction before one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub posting: i64,
    pub before: i64,
}

/// The watermark as it is now.
pub fn read() -> Option<Watermark> {
    WATERMARK.run(&[]).first().map(|row| Watermark {
        rolled_to: row.get(1),
        final_to: row.get(2),
        mark: row.optional(3).map(|posting| Mark { posting, before: row.get(4) }),
        place: Place { system_identifier: row.get(5), database: row.get(6) },
    })
}

/// Up to which posting the ledger is added up, and where, as the calling query sees it.
pub fn seen() -> Option<(i64, Place)> {
    let rows = SEEN.read(&[]);
    rows.first().map(|row| (row.get(1), Place { system_identifier: row.get(2), database: row.get(3) }))
}

/// Forgets what was added up.
pub fn forget() {
    FORGET.run(&[]);
}

pub fn write(watermark: &Watermark) {
    let Watermark { rolled_to, final_to, mark, place } = watermark;
    let (posting, before) = (mark.map(|mark| mark.posting), mark.map(|mark| mark.before.to_string()));
    let written = WRITE.run(&[rolled_to, final_to, &posting, &before, &place.system_identifier, &place.database]);
    assert_eq!(written.count(), 1, "the watermark");
}

/// The last posting id that was taken; 0 before the first.
pub fn last_posting() -> i64 {
    LAST_POSTING.run(&[]).first().expect("one row").get(1)
}

/// Whether another transaction has taken a posting id and has none of its own yet.
pub fn any_without_id() -> bool {
    ANY_WITHOUT_ID.run(&[]).first().expect("one row").get(1)
}

/// Every transaction before this one has ended, and what it wrote is seen.
pub fn oldest_running() -> i64 {
    OLDEST_RUNNING.run(&[]).first().expect("one row").get(1)
}

/// Adds up the lines of postings after `from` up to `to`; how many rows that made or changed.
pub fn roll(from: i64, to: i64) -> usize {
    ROLL.run(&[&from, &to]).count()
}
