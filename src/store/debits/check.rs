//! What decides whether a debit would be made, as the calling query sees it: the lots that could pay, now or later, what holds
//! have, and what the caps have counted.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT8ARRAYOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::amount::Amount;
use crate::domain::caps::tally::Tally;
use crate::domain::debits::check::Lot;
use crate::store::debits::eligible::Eligibility;
use crate::store::statement::{Row, Statement};

/// The lots that could pay: $1 account, $2 unit, $3 the owners, $4 the operation, $5 the instant at which they have not expired.
macro_rules! lots {
    ($condition:literal) => {
        concat!(
            "SELECT l.lot, l.member IS NULL, l.effective_at, l.expires_at,
                 (SELECT COALESCE(sum(s.remaining), 0) FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot)
             FROM credit.lot l
             WHERE l.account = $1 AND l.unit = $2 AND COALESCE(l.member, '') = ANY ($3)
                 AND COALESCE(l.expires_at, 'infinity') > $5 AND (l.applies_to IS NULL OR $4 = ANY (l.applies_to)) AND ",
            $condition
        )
    };
}

static OPEN: Statement = Statement::by_index(lots!("NOT l.closed"), &[TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID]);

static CLOSED: Statement = Statement::by_index(
    lots!("l.closed AND l.lot = ANY ($6)"),
    &[TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID, INT8ARRAYOID],
);

static HOLDS: Statement = Statement::by_index(
    "SELECT h.open_until, h.member, h.department, h.operation, o.lot, o.pooled, o.open
     FROM credit.hold h, LATERAL unnest(h.lots, h.pooled, h.open) AS o (lot, pooled, open)
     WHERE h.account = $1 AND h.open_until IS NOT NULL AND h.unit = $2 AND o.open > 0",
    &[TEXTOID, TEXTOID],
);

// What goes back to a lot that was voided is voided. To one that its schedule has ended, or that has expired by the books, it
// expires.
static TAKES_BACK_UNTIL: Statement = Statement::by_index(
    "SELECT v.lot, NULL::timestamptz FROM credit.voided v WHERE v.account = $1 AND v.lot = ANY ($2) AND v.emptied
     UNION ALL
     SELECT b.lot, NULL FROM credit.breakage b JOIN credit.lot l ON l.account = b.account AND l.lot = b.lot
     WHERE b.account = $1 AND b.lot = ANY ($2) AND b.expires_at = l.expires_at
     UNION ALL
     SELECT p.lot, CASE WHEN NOT s.ends_lots THEN NULL ELSE s.ends_at END FROM credit.schedule_period p
         JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule
     WHERE p.account = $1 AND p.lot = ANY ($2)
         AND (s.ends_lots AND s.ends_at IS NOT NULL OR s.rollover IS NOT NULL AND p.settled)",
    &[TEXTOID, INT8ARRAYOID],
);

static CAP_SLOTS: Statement = Statement::by_index(
    "SELECT cap, used, period_start, steps, used_by_step, held FROM credit.cap_slot WHERE account = $1 AND cap = ANY ($2)
     ORDER BY cap",
    &[TEXTOID, INT8ARRAYOID],
);

/// What a hold that is not settled has of a lot.
pub struct Holding {
    pub ends_at: DateTime<Utc>,
    pub member: Option<String>,
    pub department: Option<String>,
    pub operation: Option<String>,
    pub lot: i64,
    /// The lot is the pool's.
    pub pooled: bool,
    pub amount: Amount,
}

/// What a cap has counted in one of its slots.
pub struct Counted {
    pub cap: i64,
    pub tally: Tally,
    /// What holds have of it.
    pub held: Amount,
}

/// The open lots of these owners (a member, or empty for the pool) that have not expired, in effect or not yet, without what
/// holds have of them.
pub fn open_lots(eligible: Eligibility<'_>, owners: &[&str], now: DateTime<Utc>) -> Vec<Lot> {
    let Eligibility { account, unit, operation, .. } = eligible;
    OPEN.read(&[&account, &unit, &owners.to_vec(), &operation, &now]).iter().map(lot_of_row).collect()
}

/// Those of these lots that are closed, because only holds have something of them.
pub fn closed_lots(eligible: Eligibility<'_>, owners: &[&str], now: DateTime<Utc>, lots: &[i64]) -> Vec<Lot> {
    let Eligibility { account, unit, operation, .. } = eligible;
    CLOSED.read(&[&account, &unit, &owners.to_vec(), &operation, &now, &lots.to_vec()]).iter().map(lot_of_row).collect()
}

fn lot_of_row(row: Row<'_>) -> Lot {
    Lot {
        lot: row.get(1),
        pooled: row.get(2),
        effective_at: row.get(3),
        expires_at: row.optional(4),
        available: row.get(5),
        held: Vec::new(),
        takes_back_until: None,
    }
}

/// What the holds of an account and unit have that are not settled.
pub fn holdings(account: &str, unit: &str) -> Vec<Holding> {
    let holding = |row: Row<'_>| Holding {
        ends_at: row.get(1),
        member: row.optional(2),
        department: row.optional(3),
        operation: row.optional(4),
        lot: row.get(5),
        pooled: row.get(6),
        amount: row.get(7),
    };
    HOLDS.read(&[&account, &unit]).iter().map(holding).collect()
}

/// Those of the lots that take nothing back from some time on, and when that is; the beginning of time where they do not now.
pub fn taking_back_until(account: &str, lots: &[i64]) -> Vec<(i64, DateTime<Utc>)> {
    let rows = TAKES_BACK_UNTIL.read(&[&account, &lots.to_vec()]);
    rows.iter().map(|row| (row.get(1), row.optional(2).unwrap_or(DateTime::<Utc>::MIN_UTC))).collect()
}

/// What the slots of these caps have counted.
pub fn counted(account: &str, caps: &[i64]) -> Vec<Counted> {
    let counted = |row: Row<'_>| {
        let steps = row.optional::<Vec<DateTime<Utc>>>(4).map(|steps| steps.into_iter().zip(row.get::<Vec<Amount>>(5)).collect());
        Counted { cap: row.get(1), tally: Tally { used: row.get(2), since: row.get(3), steps }, held: row.get(6) }
    };
    CAP_SLOTS.read(&[&account, &caps.to_vec()]).iter().map(counted).collect()
}
