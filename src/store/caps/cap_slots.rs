//! The table `credit.cap_slot`: the counters of the parts of caps' limits.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{
    BOOLOID, INT2ARRAYOID, INT2OID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTOID, TIMESTAMPTZARRAYOID,
    TIMESTAMPTZOID,
};

use crate::domain::amount::Amount;
use crate::domain::caps::cap::Layout;
use crate::domain::caps::period::Period;
use crate::domain::caps::tally::Tally;
use crate::store::Snapshot;
use crate::store::statement::{Row, Statement};

static SLOT: Statement = Statement::by_index(
    "SELECT allowance, used, period_start, steps, used_by_step, held FROM credit.cap_slot WHERE account = $1 AND cap = $2
        AND slot = $3",
    &[TEXTOID, INT8OID, INT2OID],
);

static SLOTS: Statement = Statement::by_index(
    "SELECT allowance, used, period_start, steps, used_by_step, held FROM credit.cap_slot WHERE account = $1 AND cap = $2
        ORDER BY slot",
    &[TEXTOID, INT8OID],
);

static SET_SLOT: Statement = Statement::by_index(
    "UPDATE credit.cap_slot SET allowance = $4, used = $5, period_start = $6, steps = $7, used_by_step = $8, held = $9
     WHERE account = $1 AND cap = $2 AND slot = $3",
    &[TEXTOID, INT8OID, INT2OID, NUMERICOID, NUMERICOID, TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, NUMERICARRAYOID, NUMERICOID],
);

// All that was used is in one slot, $5; a cap of the calendar has no steps elsewhere.
static SET_SLOTS: Statement = Statement::by_index(
    "UPDATE credit.cap_slot s SET allowance = v.allowance, held = v.held, period_start = $6,
         used = CASE WHEN s.slot = $5 THEN $7 ELSE 0 END,
         steps = CASE WHEN s.slot = $5 THEN $8 WHEN $10 THEN '{}' END,
         used_by_step = CASE WHEN s.slot = $5 THEN $9 WHEN $10 THEN '{}' END
     FROM unnest($3::smallint[], $4::numeric[], $11::numeric[]) AS v (slot, allowance, held)
     WHERE s.account = $1 AND s.cap = $2 AND s.slot = v.slot",
    &[
        TEXTOID,
        INT8OID,
        INT2ARRAYOID,
        NUMERICARRAYOID,
        INT2OID,
        TIMESTAMPTZOID,
        NUMERICOID,
        TIMESTAMPTZARRAYOID,
        NUMERICARRAYOID,
        BOOLOID,
        NUMERICARRAYOID,
    ],
);

static ADD_SLOTS: Statement = Statement::by_index(
    "WITH cap AS (SELECT CASE WHEN rolling IS NOT NULL THEN '{}'::timestamptz[] END AS steps,
             CASE WHEN rolling IS NOT NULL THEN '{}'::numeric[] END AS used_by_step
         FROM credit.cap WHERE account = $1 AND cap = $2),
     added AS (INSERT INTO credit.cap_slot (account, cap, slot, allowance, used, period_start, steps, used_by_step)
         SELECT $1, $2, $3 + part - 1, allowance, 0, $5, cap.steps, cap.used_by_step
         FROM cap, unnest($4::numeric[]) WITH ORDINALITY AS v (allowance, part) RETURNING slot)
     UPDATE credit.cap SET slots = $3 + (SELECT count(*) FROM added) WHERE account = $1 AND cap = $2",
    &[TEXTOID, INT8OID, INT2OID, NUMERICARRAYOID, TIMESTAMPTZOID],
);

static SPENT_BY_STEP: Statement = Statement::new(
    "SELECT step, spent FROM credit.cap_spent_by_step($1, $2, $3) WHERE spent <> 0 ORDER BY step",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID],
);

static ADD_FIRST_SLOT: Statement = Statement::by_index(
    "INSERT INTO credit.cap_slot (account, cap, slot, allowance, period_start, used, steps, used_by_step, held)
     SELECT account, cap, 0, amount, $3, $4, $5, $6, $7 FROM credit.cap WHERE account = $1 AND cap = $2",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, NUMERICOID, TIMESTAMPTZARRAYOID, NUMERICARRAYOID, NUMERICOID],
);

static HELD: Statement = Statement::new(
    "SELECT COALESCE(sum(amount), 0) FROM credit.cap_holding WHERE account = $1 AND cap = $2",
    &[TEXTOID, INT8OID],
);

// The time is read when the statement runs, as where credits are surveyed.
static SURVEY: Statement = Statement::by_index(
    "SELECT c.amount, c.slots, s.starts_at, s.ends_at, s.used, s.steps, s.used_by_step, s.running, s.at, s.held
     FROM credit.cap c JOIN credit.cap_state s ON s.account = c.account AND s.cap = c.cap
     WHERE c.account = $1 AND s.account = $1 AND c.cap = ANY ($2) ORDER BY c.cap",
    &[TEXTOID, INT8ARRAYOID],
);

/// A cap's slot as it is written.
#[derive(Clone, Debug)]
pub struct CapSlot {
    /// The part of the limit that the slot may use.
    pub allowance: Amount,
    /// The amount that the slot has counted.
    pub tally: Tally,
    /// The amount that holds have of it. It belongs to no period.
    pub held: Amount,
}

impl CapSlot {
    /// The headroom that is left in a period.
    pub fn headroom(&self, period: Period) -> Amount {
        let left = self.allowance.checked_sub(self.tally.used_in(period));
        left.and_then(|left| left.checked_sub(self.held)).unwrap_or_default()
    }
}

fn slot_of_row(row: Row<'_>) -> CapSlot {
    let steps = row.optional::<Vec<DateTime<Utc>>>(4).map(|steps| steps.into_iter().zip(row.get::<Vec<Amount>>(5)).collect());
    CapSlot { allowance: row.get(1), tally: Tally { used: row.get(2), since: row.get(3), steps }, held: row.get(6) }
}

/// The columns of a tally's steps.
fn columns(tally: &Tally) -> (Option<Vec<DateTime<Utc>>>, Option<Vec<Amount>>) {
    tally.steps.as_ref().map(|steps| steps.iter().copied().unzip()).unzip()
}

/// One slot; `None` for one that somebody adds just now, or was about to.
pub fn slot(account: &str, cap: i64, slot: i16) -> Option<CapSlot> {
    SLOT.run(&[&account, &cap, &slot]).first().map(slot_of_row)
}

/// All slots of a cap, from slot 0 on.
pub fn slots(account: &str, cap: i64) -> Vec<CapSlot> {
    SLOTS.run(&[&account, &cap]).iter().map(slot_of_row).collect()
}

/// Writes a slot whose lock is held.
pub fn set_slot(account: &str, cap: i64, slot: i16, to: &CapSlot) {
    let (steps, used_by_step) = columns(&to.tally);
    let used_by_step = used_by_step.as_deref();
    let tally = &to.tally;
    let written =
        SET_SLOT.run(&[&account, &cap, &slot, &to.allowance, &tally.used, &tally.since, &steps, &used_by_step, &to.held]);
    assert_eq!(written.count(), 1, "slot {slot} of cap {cap}");
}

/// Writes all slots of a cap, whose locks are held: what each may use and what of it is held, and all that was used in the one
/// numbered `own`; whether it counts a rolling window.
pub fn set_slots(account: &str, cap: i64, layout: &Layout, own: i16, tally: &Tally, is_rolling: bool) {
    let (allowances, held) = (layout.allowances.as_slice(), layout.held.as_slice());
    let slots: Vec<i16> = (0..allowances.len() as i16).collect();
    let (steps, used_by_step) = columns(tally);
    let used_by_step = used_by_step.as_deref();
    let parameters: [&dyn crate::store::Parameter; 11] =
        [&account, &cap, &slots, &allowances, &own, &tally.since, &tally.used, &steps, &used_by_step, &is_rolling, &held];
    assert_eq!(SET_SLOTS.run(&parameters).count(), slots.len(), "the slots of cap {cap}");
}

/// Adds slots behind the `existing` ones of a cap whose row is locked, in which nothing is used yet.
pub fn add_slots(account: &str, cap: i64, existing: i16, allowances: &[Amount], since: DateTime<Utc>) {
    let added = ADD_SLOTS.run(&[&account, &cap, &existing, &allowances, &since]);
    assert_eq!(added.count(), 1, "cap {cap} to widen");
}

/// The use of a cap since the beginning of a period, as the ledger says.
pub fn recounted(snapshot: Snapshot, account: &str, cap: i64, period: Period) -> Tally {
    let spent = SPENT_BY_STEP.execute(snapshot, &[&account, &cap, &Tally::new(period).since]);
    Tally::of_ledger(period, spent.iter().map(|row| (row.get(1), row.get(2))))
}

/// The amount that open holds have of a cap, as they say, whether or not their time is over.
pub fn held(snapshot: Snapshot, account: &str, cap: i64) -> Amount {
    HELD.execute(snapshot, &[&account, &cap]).first().expect("one row").get(1)
}

/// Gives a new cap its first slot, with what was spent and what is held.
pub fn add_first_slot(account: &str, cap: i64, tally: &Tally, held: Amount) {
    let (steps, used_by_step) = columns(tally);
    let used_by_step = used_by_step.as_deref();
    let added = ADD_FIRST_SLOT.run(&[&account, &cap, &tally.since, &tally.used, &steps, &used_by_step, &held]);
    assert_eq!(added.count(), 1, "cap {cap} to begin");
}

/// The committed use of a cap.
#[derive(Clone, Debug)]
pub struct Counted {
    pub limit: Amount,
    /// How many slots the limit lies in.
    pub slots: i16,
    pub period: Period,
    /// The sum of what the slots have counted.
    pub tally: Tally,
    /// The amount that holds have of it.
    pub held: Amount,
    /// When that was.
    pub now: DateTime<Utc>,
}

impl Counted {
    /// The amount that is used.
    pub fn used(&self) -> Amount {
        self.tally.used_in(self.period)
    }

    /// The part of the limit that is left.
    pub fn headroom(&self) -> Amount {
        let left = self.limit.checked_sub(self.used()).and_then(|left| left.checked_sub(self.held));
        left.unwrap_or_default().max(Amount::ZERO)
    }
}

/// The committed use of the caps, seen at one instant, in the order of their ids.
pub fn survey(snapshot: Snapshot, account: &str, caps: &[i64]) -> Vec<Counted> {
    SURVEY.execute(snapshot, &[&account, &caps.to_vec()]).iter().map(counted_of_row).collect()
}

fn counted_of_row(row: Row<'_>) -> Counted {
    let period = Period { starts_at: row.get(3), ends_at: row.get(4), step: row.optional(8) };
    let steps = row.optional::<Vec<DateTime<Utc>>>(6).unwrap_or_default();
    let used_by_step = row.optional::<Vec<Amount>>(7).unwrap_or_default();
    let tally = match period.step {
        None => Tally { used: row.get(5), ..Tally::new(period) },
        Some(_) => Tally::of_steps(period, std::iter::zip(steps, used_by_step)),
    };
    Counted { limit: row.get(1), slots: row.get(2), period, tally, held: row.get(10), now: row.get(9) }
}
