//! The table `credit.slot`.

use pgrx::pg_sys::{INT2ARRAYOID, INT2OID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTARRAYOID, TEXTOID};

use crate::domain::amount::Amount;
use crate::store::statement::Statement;

static SLOTS: Statement =
    Statement::by_index("SELECT remaining FROM credit.slot WHERE account = $1 AND lot = $2 ORDER BY slot", &[TEXTOID, INT8OID]);

static SLOT: Statement = Statement::by_index(
    "SELECT remaining FROM credit.slot WHERE account = $1 AND lot = $2 AND slot = $3",
    &[TEXTOID, INT8OID, INT2OID],
);

static SET_SLOTS: Statement = Statement::by_index(
    "UPDATE credit.slot s SET remaining = v.remaining
     FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::numeric[]) AS v (account, lot, slot, remaining)
     WHERE s.account = v.account AND s.lot = v.lot AND s.slot = v.slot AND s.remaining <> v.remaining",
    &[TEXTARRAYOID, INT8ARRAYOID, INT2ARRAYOID, NUMERICARRAYOID],
);

static TAKE_FROM_SLOTS: Statement = Statement::by_index(
    "UPDATE credit.slot s SET remaining = s.remaining - v.amount
     FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::numeric[]) AS v (account, lot, slot, amount)
     WHERE s.account = v.account AND s.lot = v.lot AND s.slot = v.slot AND s.remaining >= v.amount",
    &[TEXTARRAYOID, INT8ARRAYOID, INT2ARRAYOID, NUMERICARRAYOID],
);

static SET_SLOT: Statement = Statement::by_index(
    "UPDATE credit.slot SET remaining = $4 WHERE account = $1 AND lot = $2 AND slot = $3",
    &[TEXTOID, INT8OID, INT2OID, NUMERICOID],
);

static ADD_SLOTS: Statement = Statement::by_index(
    "WITH added AS (INSERT INTO credit.slot (account, lot, slot, remaining)
         SELECT $1, $2, $3 + part - 1, remaining FROM unnest($4::numeric[]) WITH ORDINALITY AS v (remaining, part) RETURNING slot)
     UPDATE credit.lot SET slots = $3 + (SELECT count(*) FROM added) WHERE account = $1 AND lot = $2",
    &[TEXTOID, INT8OID, INT2OID, NUMERICARRAYOID],
);

/// The amount that each slot holds, from slot 0 on.
pub fn slots(account: &str, lot: i64) -> Vec<Amount> {
    SLOTS.run(&[&account, &lot]).iter().map(|row| row.get(1)).collect()
}

/// The amount that one slot holds.
pub fn slot(account: &str, lot: i64, slot: i16) -> Amount {
    SLOT.run(&[&account, &lot, &slot]).first().expect("slots are never deleted").get(1)
}

/// The amounts that one lot's slots hold from now on.
pub struct Layout<'a> {
    pub account: &'a str,
    pub lot: i64,
    /// The amount of each slot, from slot 0 on.
    pub remaining: Vec<Amount>,
}

/// Writes what the slots of locked lots hold; slots that stay as they are, are not written.
pub fn set_slots(layouts: &[Layout<'_>]) {
    let (mut accounts, mut lots, mut slots, mut amounts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for layout in layouts {
        for (slot, remaining) in layout.remaining.iter().enumerate() {
            accounts.push(layout.account);
            lots.push(layout.lot);
            slots.push(slot as i16);
            amounts.push(*remaining);
        }
    }
    SET_SLOTS.run(&[&accounts, &lots, &slots, &amounts.as_slice()]);
}

/// An amount that is taken from one slot.
#[derive(Clone, Copy, Debug)]
pub struct SlotShare<'a> {
    pub account: &'a str,
    pub lot: i64,
    pub slot: i16,
    pub amount: Amount,
}

/// Takes amounts from slots whose locks are held; from how many: a slot that holds less is left as it is.
pub fn take_from_slots(shares: &[SlotShare<'_>]) -> usize {
    let accounts: Vec<_> = shares.iter().map(|share| share.account).collect();
    let lots: Vec<_> = shares.iter().map(|share| share.lot).collect();
    let slots: Vec<_> = shares.iter().map(|share| share.slot).collect();
    let amounts: Vec<_> = shares.iter().map(|share| share.amount).collect();
    TAKE_FROM_SLOTS.run(&[&accounts, &lots, &slots, &amounts.as_slice()]).count()
}

/// Writes what one slot holds whose lock is held.
pub fn set_slot(account: &str, lot: i64, slot: i16, remaining: Amount) {
    assert_eq!(SET_SLOT.run(&[&account, &lot, &slot, &remaining]).count(), 1, "slot {slot} of lot {lot}");
}

/// Adds slots behind the `existing` ones of a lot whose row is locked.
pub fn add_slots(account: &str, lot: i64, existing: i16, amounts: &[Amount]) {
    assert_eq!(ADD_SLOTS.run(&[&account, &lot, &existing, &amounts]).count(), 1, "lot {lot} to widen");
}
