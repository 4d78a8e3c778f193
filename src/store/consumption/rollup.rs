//! The tables `credit.rollup`, `credit.rollup_lot` and `credit.rollup_watermark`: the ledger added up, how far along each lot,
//! and how far.

use pgrx::pg_sys::{INT8OID, OIDOID, TEXTOID};

use crate::server::transactions::Place;
use crate::store::maintenance::Due;
use crate::store::statement::Statement;

static WATERMARK: Statement = Statement::new(
    "SELECT rolled_to, final_to, mark, mark_before::text::bigint, system_identifier, database FROM credit.rollup_watermark",
    &[],
);

// Not TRUNCATE: a transaction with an older snapshot still sees what was there.
static FORGET: Statement = Statement::new("WITH lots AS (DELETE FROM credit.rollup_lot) DELETE FROM credit.rollup", &[]);

static SEEN: Statement = Statement::new("SELECT rolled_to, system_identifier, database FROM credit.rollup_watermark", &[]);

static WRITE: Statement = Statement::new(
    "INSERT INTO credit.rollup_watermark AS w (rolled_to, final_to, mark, mark_before, system_identifier, database)
     VALUES ($1, $2, $3, $4::xid8, $5, $6)
     ON CONFLICT (only_row) DO UPDATE SET rolled_to = EXCLUDED.rolled_to, final_to = EXCLUDED.final_to, mark = EXCLUDED.mark,
         mark_before = EXCLUDED.mark_before, system_identifier = EXCLUDED.system_identifier, database = EXCLUDED.database",
    &[INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID, OIDOID],
);

static LAST_POSTING: Statement = Statement::new("SELECT COALESCE(pg_sequence_last_value('credit.posting_id'::regclass), 0)", &[]);

static DUE: Statement = Statement::in_stretches(
    "SELECT LEAST($2, COALESCE(pg_sequence_last_value('credit.posting_id'::regclass), 0) - $1),
         (SELECT min(recorded_at) FROM credit.entry WHERE posting > $1 AND posting <= $1 + $2)",
    &[INT8OID, INT8OID],
);

// A transaction that takes an id holds a lock on the sequence until it ends, and one with a transaction id a lock on that.
// Between the two there is a moment.
static ANY_WITHOUT_ID: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM pg_locks s
         WHERE s.locktype = 'relation' AND s.relation = 'credit.posting_id'::regclass AND s.mode = 'RowExclusiveLock'
             AND s.granted
             AND s.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.pid <> pg_backend_pid()
             AND NOT EXISTS (SELECT FROM pg_locks x WHERE x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock' AND x.granted
                 AND x.virtualtransaction = s.virtualtransaction))",
    &[],
);

static OLDEST_RUNNING: Statement = Statement::new("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint", &[]);

/// Lines of the ledger with the value of the stretch of the lot that each took, as the view credit.consumption_since has it. They
/// come with how far along its lot each of them came: `gone_after` and `gained_after`.
macro_rules! with_value {
    ($lines:literal) => {
        concat!(
            "SELECT c.account, c.month, c.day, c.unit, c.member, c.department, c.operation, c.currency, c.requests, c.posting,
                c.credits,
                 c.pooled, c.overage, c.quantity, c.funded, c.lapsed, CASE WHEN c.credits <> 0 AND c.paid > 0 THEN
                     (div(c.paid * LEAST(GREATEST(place.ends, 0), c.granted) * 1000000000, c.granted)
                         - div(c.paid * LEAST(GREATEST(place.ends - c.gone, 0), c.granted) * 1000000000, c.granted)) * 0.000000001
                     ELSE 0 END AS value
             FROM (",
            $lines,
            ") c CROSS JOIN LATERAL (SELECT c.gone_after + GREATEST(- c.gained_after, 0) AS ends) place WHERE c.counts"
        )
    };
}
pub(in crate::store) use with_value;

static ROLL: Statement = Statement::in_stretches(
    concat!(
        "WITH line AS MATERIALIZED (
             SELECT line.*, COALESCE(l.gone, 0) + sum(line.gone) OVER so_far AS gone_after,
                 COALESCE(l.gained, 0) + sum(line.gained) OVER so_far AS gained_after
             FROM credit.consumption_line line LEFT JOIN LATERAL (SELECT l.gone, l.gained FROM credit.rollup_lot l
                 WHERE l.account = line.account AND l.lot = line.lot OFFSET 0) l ON true
             WHERE line.posting > $1 AND line.posting <= $2
             WINDOW so_far AS (PARTITION BY line.account, line.lot ORDER BY line.posting, line.line ROWS UNBOUNDED PRECEDING)
         ), lot AS (
             INSERT INTO credit.rollup_lot AS l (account, lot, gone, gained)
             SELECT account, lot, sum(gone), sum(gained) FROM line WHERE paid > 0 AND (gone <> 0 OR gained <> 0) GROUP BY account,
                 lot
             ON CONFLICT (account, lot) DO UPDATE SET gone = l.gone + EXCLUDED.gone, gained = l.gained + EXCLUDED.gained
         )
         INSERT INTO credit.rollup AS r (account, month, day, unit, member, department, operation, currency, requests,
             first_posting,
             last_posting, credits, pooled, overage, quantity, value, funded, lapsed)
         SELECT account, month, day, unit, member, department, operation, currency, sum(requests), min(posting), max(posting),
             trim_scale(sum(credits)), trim_scale(sum(pooled)), trim_scale(sum(overage)), trim_scale(sum(quantity)),
                 trim_scale(sum(value)),
             trim_scale(sum(funded)), trim_scale(sum(lapsed))
         FROM (",
        with_value!("SELECT * FROM line"),
        ") v GROUP BY account, month, day, unit, member, department, operation, currency
         ON CONFLICT (account, month, day, unit, member, department, operation, currency) DO UPDATE SET
             requests = r.requests + EXCLUDED.requests, first_posting = LEAST(r.first_posting, EXCLUDED.first_posting),
             last_posting = GREATEST(r.last_posting, EXCLUDED.last_posting), credits = r.credits + EXCLUDED.credits,
             pooled = r.pooled + EXCLUDED.pooled, overage = r.overage + EXCLUDED.overage,
                 quantity = r.quantity + EXCLUDED.quantity,
             value = r.value + EXCLUDED.value, funded = r.funded + EXCLUDED.funded, lapsed = r.lapsed + EXCLUDED.lapsed"
    ),
    &[INT8OID, INT8OID],
);

/// How far the ledger is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Up to this posting it is.
    pub rolled_to: i64,
    /// Up to this one it can be: no line of it can come any more.
    pub final_to: i64,
    /// The postings that become final next.
    pub mark: Option<Mark>,
    /// Where this is true.
    pub place: Place,
}

/// Postings that are final once every transaction before one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The last posting that becomes final.
    pub posting: i64,
    /// The id of the transaction before which all must have ended.
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

/// Writes the watermark.
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

/// How many postings after one are not added up, counted up to a limit, and since when.
pub fn due(rolled_to: i64, most: i64) -> Due {
    Due::of(&DUE.read(&[&rolled_to, &most]))
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
