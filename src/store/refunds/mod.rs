//! What refunds ask and write: lines of corrections, and where credits go back to.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT4ARRAYOID, INT8OID, NUMERICARRAYOID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::amount::Amount;
use crate::store::statement::Statement;

static KIND: Statement = Statement::by_index(
    "SELECT kind FROM credit.entry WHERE account = $1 AND posting = $2 ORDER BY line LIMIT 1",
    &[TEXTOID, INT8OID],
);

// A refund has the member, department, operation and rate of the line that it gives back to.
static ADD: Statement = Statement::by_index(
    "INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, operation, occurred_at, recorded_at,
         recorded_by, corrects, rate, run, dimensions, metadata, posted)
     SELECT e.account, $3, v.number::integer, 'adjustment', v.amount, e.lot, e.member, e.department, e.operation,
         COALESCE($7, e.occurred_at), $6, session_user, $2, e.rate, e.run, e.dimensions, $8::jsonb, true
     FROM unnest($4::integer[], $5::numeric[]) WITH ORDINALITY AS v (line, amount, number)
     JOIN credit.entry e ON e.account = $1 AND e.posting = $2 AND e.line = v.line ORDER BY v.number",
    &[TEXTOID, INT8OID, INT8OID, INT4ARRAYOID, NUMERICARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
);

// The lot that lives on where its expiry was changed, perhaps several times.
static SUCCESSOR: Statement = Statement::by_index(
    "WITH RECURSIVE chain AS (
         SELECT l.lot, l.moved_to, 0 AS steps FROM credit.lot l WHERE l.account = $1 AND l.lot = $2
         UNION ALL
         SELECT l.lot, l.moved_to, c.steps + 1 FROM chain c JOIN credit.lot l ON l.account = $1 AND l.lot = c.moved_to
     )
     SELECT c.lot FROM chain c WHERE c.moved_to IS NULL",
    &[TEXTOID, INT8OID],
);

static POLICY: Statement = Statement::by_index(
    "SELECT refund_expired = 'grace', credit.add_interval($2, refund_grace, time_zone) FROM credit.account WHERE account = $1",
    &[TEXTOID, TIMESTAMPTZOID],
);

/// The kind of a posting's first line; `None` when there is no such posting.
pub fn kind(account: &str, posting: i64) -> Option<String> {
    KIND.run(&[&account, &posting]).first().map(|row| row.get(1))
}

/// The lines of a refund.
pub struct NewRefund<'a> {
    pub account: &'a str,
    /// The posting that is refunded.
    pub debit: i64,
    pub posting: i64,
    /// The numbers of the debit's lines, each with the amount that it gets back.
    pub parts: &'a [(i32, Amount)],
    /// The day that it belongs to; `None` for that of each line.
    pub occurred_at: Option<DateTime<Utc>>,
    pub metadata: Option<&'a str>,
}

/// Writes the lines of a refund, in their order.
pub fn add(new: &NewRefund<'_>, now: DateTime<Utc>) {
    let (lines, amounts): (Vec<i32>, Vec<Amount>) = new.parts.iter().copied().unzip();
    let NewRefund { account, debit, posting, occurred_at, metadata, .. } = new;
    let written = ADD.run(&[account, debit, posting, &lines, &amounts.as_slice(), &now, occurred_at, metadata]);
    assert_eq!(written.count(), new.parts.len(), "the lines of refund {posting}");
}

/// The lot that lives on for a lot whose expiry was changed; the lot itself where it was not.
pub fn successor(account: &str, lot: i64) -> i64 {
    SUCCESSOR.run(&[&account, &lot]).first().expect("lots are never deleted").get(1)
}

/// What happens to credits that go back to an expired lot.
#[derive(Clone, Copy, Debug)]
pub enum Expired {
    /// They expire at once.
    Expire,
    /// A new lot gets them, which expires then.
    Grace(DateTime<Utc>),
}

/// What the account says of that.
pub fn of_expired(account: &str, now: DateTime<Utc>) -> Expired {
    let rows = POLICY.run(&[&account, &now]);
    let row = rows.first().expect("an account that was found");
    if row.get(1) { Expired::Grace(row.get(2)) } else { Expired::Expire }
}
