//! The lots that may pay, in drawdown order: the queries that follow the index `credit.lot_drawdown`.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8ARRAYOID, INT8OID, NUMERICOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::amount::Amount;
use crate::domain::ledger::drawdown::{Expiry, Rank, Source};
use crate::store::statement::{Parameter, Row, Rows, Snapshot, Statement};

/// The id of no lot.
pub const NO_LOT: i64 = 0;

/// The lots of an account and unit that may pay at an instant, for an operation.
/// $1 account, $2 unit, $3 member ('' without one), $4 the operation; for both owners $5: does the pool pay too.
macro_rules! usable {
    ($owner:literal, $now:literal) => {
        concat!(
            "l.account = $1 AND l.unit = $2 AND NOT l.closed AND ",
            $owner,
            " AND l.effective_at <= ",
            $now,
            " AND COALESCE(l.expires_at, 'infinity') > ",
            $now,
            " AND (l.applies_to IS NULL OR $4 = ANY (l.applies_to))"
        )
    };
}

/// The drawdown order within one owner's lots, as the index `credit.lot_drawdown` has it.
macro_rules! drawdown_order {
    () => {
        "l.priority, (l.applies_to IS NULL), COALESCE(l.expires_at, 'infinity'), (l.category = 'paid'), l.effective_at, l.lot"
    };
}

macro_rules! eligible {
    ($now:literal) => {
        usable!("(COALESCE(l.member, '') = $3 OR ($5 AND COALESCE(l.member, '') = ''))", $now)
    };
}

/// The first lot of one owner. $3 is the owner: a member, or '' for the pool.
static HEAD: Statement = Statement::by_index(
    concat!(
        "SELECT l.lot, l.slots, l.expires_at FROM credit.lot l WHERE ",
        usable!("COALESCE(l.member, '') = $3", "$5"),
        " ORDER BY ",
        drawdown_order!(),
        " LIMIT 1"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

/// As [`HEAD`], expired or not: to learn whether expired lots stand before it.
static FIRST_OPEN: Statement = Statement::by_index(
    concat!(
        "SELECT l.lot, l.slots, l.expires_at FROM credit.lot l
         WHERE l.account = $1 AND l.unit = $2 AND NOT l.closed AND COALESCE(l.member, '') = $3 AND l.effective_at <= $5
             AND (l.applies_to IS NULL OR $4 = ANY (l.applies_to)) ORDER BY ",
        drawdown_order!(),
        " LIMIT 1"
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

// The time is read when the statement runs, after its snapshot was taken: what the snapshot shows is in effect by then.
static SURVEY: Statement = Statement::by_index(
    concat!(
        "SELECT LEAST(COALESCE(sum(s.remaining), 0), 999999999999999.999999999),
             array_agg(s.slot ORDER BY s.slot) FILTER (WHERE s.lot = $6 AND s.remaining >= $7),
             COALESCE(sum(s.remaining) FILTER (WHERE s.lot = $6), 0) = 0
         FROM credit.lot l JOIN credit.slot s ON s.account = l.account AND s.lot = l.lot WHERE ",
        eligible!("(SELECT credit.now())")
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, INT8OID, NUMERICOID],
);

/// A lot with what describes it to people, and the sum of its slots.
macro_rules! described {
    () => {
        "SELECT l.lot, l.member IS NULL, l.priority, l.applies_to IS NULL, l.expires_at, l.category = 'paid', l.effective_at,
             (SELECT COALESCE(sum(s.remaining), 0) FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot),
             l.category, l.source, l.member"
    };
}

/// The first lots of one owner with what they hold: only those are summed up that are asked for.
static USABLE: Statement = Statement::by_index(
    concat!(
        described!(),
        " FROM (SELECT l.* FROM credit.lot l WHERE ",
        usable!("COALESCE(l.member, '') = $3", "$5"),
        " ORDER BY ",
        drawdown_order!(),
        " LIMIT $6) l ORDER BY ",
        drawdown_order!()
    ),
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT4OID],
);

static CLOSED: Statement = Statement::by_index(
    concat!(described!(), " FROM credit.lot l WHERE l.account = $1 AND l.lot = ANY ($2) AND l.closed"),
    &[TEXTOID, INT8ARRAYOID],
);

// The time as in [`SURVEY`]: a batch decides refusals by what this shows.
static USABLE_BY_OWNERS: Statement = Statement::by_index(
    concat!(
        "SELECT v.owned::integer, l.lot, l.member, l.priority, l.applies_to, l.expires_at, l.category = 'paid', l.effective_at,
            l.slots
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS v (account, unit, owner, owned), LATERAL (
             SELECT l.*, (SELECT array_agg(s.remaining::numeric ORDER BY s.slot) FROM credit.slot s
                 WHERE s.account = l.account AND s.lot = l.lot) AS slots
             FROM (SELECT l.account, l.lot, l.member, l.priority, l.applies_to, l.expires_at, l.category, l.effective_at
                 FROM credit.lot l
                 WHERE l.account = v.account AND l.unit = v.unit AND COALESCE(l.member, '') = v.owner AND NOT l.closed
                     AND l.effective_at <= (SELECT credit.now()) AND COALESCE(l.expires_at, 'infinity') > (SELECT credit.now())
                 ORDER BY ",
        drawdown_order!(),
        " LIMIT $4) l) l"
    ),
    &[TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4OID],
);

/// Of some members ($3), unless they have expired, or of all owners, usable or not: members' own before the pool's.
static OPEN_LOTS: Statement = Statement::new(
    concat!(
        "SELECT l.lot FROM credit.lot l WHERE l.account = $1 AND l.unit = $2 AND NOT l.closed
             AND ($3 IS NULL OR l.member = ANY ($3) AND COALESCE(l.expires_at, 'infinity') > credit.now())
                 ORDER BY l.member IS NULL, ",
        drawdown_order!()
    ),
    &[TEXTOID, TEXTOID, TEXTARRAYOID],
);

static OPEN_LOTS_OF: Statement = Statement::new(
    "SELECT l.lot FROM credit.lot l
     WHERE l.account = $1 AND l.unit = $2 AND NOT l.closed AND (l.member IS NULL OR l.member = ANY ($3))",
    &[TEXTOID, TEXTOID, TEXTARRAYOID],
);

/// The conditions on lots that may pay: the owner, the unit, the time and the operation.
#[derive(Clone, Copy, Debug)]
pub struct Eligibility<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    /// Empty when no member is named.
    pub member: &'a str,
    /// Whether pooled lots pay too.
    pub pool: bool,
    /// The operation that the lots must pay for.
    pub operation: Option<&'a str>,
}

/// The first lot in drawdown order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub lot: i64,
    /// How many slots the lot has.
    pub slots: i16,
    pub expires_at: Option<DateTime<Utc>>,
    /// It is the pool's.
    pub pooled: bool,
    /// Expired lots stand before it that are still open.
    pub behind_expired: bool,
}

/// The committed amounts, seen at one instant.
pub struct Survey {
    /// All that the eligible lots hold, as far as an amount goes: no debit asks for more.
    pub available: Amount,
    /// The slots of the head lot that cover the amount alone.
    pub covering: Vec<i16>,
    /// The head lot holds nothing.
    pub head_is_empty: bool,
}

/// A usable lot in drawdown order, with what describes it to people.
pub struct Usable {
    /// The lot, with what it has.
    pub source: Source,
    pub category: String,
    pub origin: String,
    pub member: Option<String>,
}

/// The first usable lot in drawdown order; it may turn out to be empty.
pub fn head(eligible: Eligibility<'_>, now: DateTime<Utc>) -> Option<Head> {
    // The pool is only looked at when the member has nothing of their own.
    let own = if eligible.member.is_empty() { None } else { head_of(eligible, eligible.member, now) };
    own.or_else(|| if eligible.pool { head_of(eligible, "", now) } else { None })
}

/// The first usable lot of one owner. Usually the first open one is it; only behind expired lots that nobody has closed yet it
/// has to be searched for.
fn head_of(eligible: Eligibility<'_>, owner: &str, now: DateTime<Utc>) -> Option<Head> {
    let Eligibility { account, unit, operation, .. } = eligible;
    let first = |statement: &Statement, behind_expired| {
        let rows = statement.run(&[&account, &unit, &owner, &operation, &now]);
        let head = |row: Row<'_>| Head {
            lot: row.get(1),
            slots: row.get(2),
            expires_at: row.optional(3),
            pooled: owner.is_empty(),
            behind_expired,
        };
        rows.first().map(head)
    };
    let open = first(&FIRST_OPEN, false)?;
    match open.expires_at {
        Some(expires_at) if expires_at <= now => first(&HEAD, true),
        _ => Some(open),
    }
}

/// The one statement that decides whether a debit is refused; it takes no locks.
pub fn survey(eligible: Eligibility<'_>, head: i64, amount: Amount) -> Survey {
    let Eligibility { account, unit, member, pool, operation } = eligible;
    let rows = SURVEY.run(&[&account, &unit, &member, &operation, &pool, &head, &amount]);
    let row = rows.first().expect("an aggregate has one row");
    Survey { available: row.get(1), covering: row.optional(2).unwrap_or_default(), head_is_empty: row.get(3) }
}

/// A lot whose rank and amount are the columns 1 to 8.
pub fn source_of_row(row: &Row<'_>) -> Source {
    let rank = Rank {
        pooled: row.get(2),
        priority: row.get(3),
        general: row.get(4),
        expiry: row.optional(5).map_or(Expiry::Never, Expiry::At),
        paid: row.get(6),
        effective_at: row.get(7),
        lot: row.get(1),
    };
    Source { rank, available: row.get(8) }
}

fn usable_of_row(row: Row<'_>) -> Usable {
    Usable { source: source_of_row(&row), category: row.get(9), origin: row.get(10), member: row.optional(11) }
}

/// The first usable lots in drawdown order, at most `limit`.
pub fn usable(eligible: Eligibility<'_>, now: DateTime<Utc>, limit: i32) -> Vec<Usable> {
    of_owners(eligible, now, limit, Statement::run)
}

/// The usable lots as the calling query sees them, for readers.
pub fn usable_to_reader(eligible: Eligibility<'_>, now: DateTime<Utc>, limit: i32) -> Vec<Usable> {
    of_owners(eligible, now, limit, Statement::read)
}

/// Those of these lots that are closed, for readers: nothing is in their slots.
pub fn closed_to_reader(account: &str, lots: &[i64]) -> Vec<Usable> {
    CLOSED.read(&[&account, &lots.to_vec()]).iter().map(usable_of_row).collect()
}

/// The member's own lots, then the pool's.
fn of_owners(
    eligible: Eligibility<'_>,
    now: DateTime<Utc>,
    limit: i32,
    execute: fn(&Statement, &[&dyn Parameter]) -> Rows,
) -> Vec<Usable> {
    let Eligibility { account, unit, member, pool, operation } = eligible;
    let mut usable = Vec::new();
    for owner in [Some(member).filter(|member| !member.is_empty()), Some("").filter(|_| pool)].into_iter().flatten() {
        let left = limit - usable.len() as i32;
        if left > 0 {
            let rows = execute(&USABLE, &[&account, &unit, &owner, &operation, &now, &left]);
            usable.extend(rows.iter().map(usable_of_row));
        }
    }
    usable
}

/// The owner whose lots are read for a batch: a member, or the pool (empty).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    /// The member; empty for the pool.
    pub owner: &'a str,
}

/// A usable lot of one of the owners, with what each slot holds.
pub struct OwnedLot {
    /// The owner's position, from 0.
    pub owner: usize,
    pub rank: Rank,
    pub member: Option<String>,
    pub applies_to: Option<Vec<String>>,
    pub slots: Vec<Amount>,
}

/// The usable lots of many owners, at most `limit` of each, all seen at one instant.
pub fn usable_by_owners(owners: &[Owner<'_>], limit: i32) -> Vec<OwnedLot> {
    let accounts: Vec<_> = owners.iter().map(|owner| owner.account).collect();
    let units: Vec<_> = owners.iter().map(|owner| owner.unit).collect();
    let names: Vec<_> = owners.iter().map(|owner| owner.owner).collect();
    let rows = USABLE_BY_OWNERS.run(&[&accounts, &units, &names, &limit]);
    let lot = |row: Row<'_>| {
        let member: Option<String> = row.optional(3);
        let applies_to: Option<Vec<String>> = row.optional(5);
        let rank = Rank {
            pooled: member.is_none(),
            priority: row.get(4),
            general: applies_to.is_none(),
            expiry: row.optional(6).map_or(Expiry::Never, Expiry::At),
            paid: row.get(7),
            effective_at: row.get(8),
            lot: row.get(2),
        };
        OwnedLot { owner: row.get::<i32>(1) as usize - 1, rank, member, applies_to, slots: row.get(9) }
    };
    rows.iter().map(lot).collect()
}

/// The open lots that members of an account could draw in a unit: theirs and those of the pool, as they are now.
pub fn open_lots_of(account: &str, unit: &str, members: &[&str]) -> Vec<i64> {
    OPEN_LOTS_OF.run(&[&account, &unit, &members.to_vec()]).iter().map(|row| row.get(1)).collect()
}

/// The open lots of an account and unit, of some members who may spend them or of all owners, in the order in which a call that
/// needs several locks them.
pub fn open_lots(snapshot: Snapshot, account: &str, unit: &str, members: Option<&[&str]>) -> Vec<i64> {
    let members = members.map(<[&str]>::to_vec);
    OPEN_LOTS.execute(snapshot, &[&account, &unit, &members]).iter().map(|row| row.get(1)).collect()
}
