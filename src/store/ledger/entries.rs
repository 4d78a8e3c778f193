//! The table `credit.entry`: the ledger.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{
    BOOLOID, INT2OID, INT4ARRAYOID, INT4OID, INT8ARRAYOID, INT8OID, NUMERICARRAYOID, NUMERICOID, TEXTARRAYOID, TEXTOID,
    TIMESTAMPTZARRAYOID, TIMESTAMPTZOID,
};

use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::exact;
use crate::store::ledger::sequences::{self, Sequence};
use crate::store::statement::Statement;
use crate::values;

// One statement takes the amount from the slot and writes the line. It runs under the slot's lock, so it never waits.
static TAKE: Statement = Statement::by_index(
    "WITH taken AS (
         UPDATE credit.slot SET remaining = remaining - $4 WHERE account = $1 AND lot = $2 AND slot = $3 AND remaining >= $4
         RETURNING true
     ), line AS (
     INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, operation, occurred_at,
         recorded_at, recorded_by, metadata, posted, quantity, rate, dimensions, run, hold)
     SELECT $1, $5, 1, 'debit', - $4, $2, $6, $7, $8, $9, $10, session_user, $11::jsonb, true,
         $12, $13, $14::jsonb, $15, $16
     FROM taken
     RETURNING posting
     )
     SELECT line.posting FROM taken LEFT JOIN line ON true",
    &[
        TEXTOID,
        INT8OID,
        INT2OID,
        NUMERICOID,
        INT8OID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TEXTOID,
        NUMERICOID,
        INT8OID,
        TEXTOID,
        TEXTOID,
        INT8OID,
    ],
);

// A line that ends a lot's life belongs to the lot's owner.
// Where the lot comes from is followed as far as it is the same unit: that is where a purchase finds what was voided of it. A lot
// that got credits without a price along has a cost basis of its own: as many of its credits were bought as its price bought
// there.
static VOID: Statement = Statement::by_index(
    "WITH RECURSIVE descent AS (
         SELECT l.lot, l.parent, l.unit, l.granted, l.paid, l.cost_basis, 0 AS steps FROM credit.lot l WHERE l.account = $1
             AND l.lot = $2
         UNION ALL
         SELECT p.lot, p.parent, p.unit, p.granted, p.paid, p.cost_basis, d.steps + 1 FROM descent d JOIN credit.lot p
             ON p.account = $1 AND p.lot = d.parent AND p.unit = d.unit
     ), line AS (
         INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, occurred_at, recorded_at,
             recorded_by, metadata, posted)
         SELECT l.account, $8, 1, 'void', - $3::numeric, l.lot, l.member, m.department, $4, $4, session_user,
             $5::jsonb, true
         FROM credit.lot l LEFT JOIN credit.member m ON m.account = l.account AND m.member = l.member
         WHERE l.account = $1 AND l.lot = $2
         RETURNING posting
     )
     INSERT INTO credit.voided (account, posting, lot, origin, amount, granted, paid, emptied)
     SELECT $1, line.posting, $2, origin.lot, $3, CASE WHEN own.cost_basis = origin.cost_basis THEN $6
         ELSE LEAST($6, trim_scale(round($7 * origin.granted / NULLIF(origin.paid, 0),
             (SELECT u.decimals FROM credit.unit u WHERE u.unit = origin.unit)))) END, $7, $9
     FROM line, (SELECT d.cost_basis FROM descent d WHERE d.steps = 0) AS own,
         (SELECT d.lot, d.unit, d.granted, d.paid, d.cost_basis FROM descent d ORDER BY d.steps DESC LIMIT 1) AS origin",
    &[TEXTOID, INT8OID, NUMERICOID, TIMESTAMPTZOID, TEXTOID, NUMERICOID, NUMERICOID, INT8OID, BOOLOID],
);

static VOID_OF_HELD: Statement = Statement::by_index(
    "WITH RECURSIVE descent AS (
         SELECT l.lot, l.parent, l.unit, 0 AS steps FROM credit.lot l WHERE l.account = $1 AND l.lot = $2
         UNION ALL
         SELECT p.lot, p.parent, p.unit, d.steps + 1 FROM descent d JOIN credit.lot p
             ON p.account = $1 AND p.lot = d.parent AND p.unit = d.unit
     )
     INSERT INTO credit.voided (account, posting, lot, origin, amount, granted, paid, emptied)
     SELECT $1, $3, $2, (SELECT d.lot FROM descent d ORDER BY d.steps DESC LIMIT 1), 0, 0, 0, true
     WHERE EXISTS (SELECT FROM credit.hold h WHERE h.account = $1 AND h.open_until IS NOT NULL AND $2 = ANY (h.lots))
         AND NOT EXISTS (SELECT FROM credit.voided v WHERE v.account = $1 AND v.lot = $2 AND v.emptied)",
    &[TEXTOID, INT8OID, INT8OID],
);

static MARK_POSTED: Statement = Statement::by_index(
    "UPDATE credit.entry SET posted = true WHERE account = $1 AND posting = $2 AND line = $3 AND NOT posted",
    &[TEXTOID, INT8OID, INT4OID],
);

static POSTING_EXISTS: Statement =
    Statement::by_index("SELECT EXISTS (SELECT FROM credit.entry WHERE account = $1 AND posting = $2)", &[TEXTOID, INT8OID]);

static DEBITED: Statement = Statement::by_index(
    "SELECT (SELECT COALESCE(sum(- e.amount), 0) FROM credit.entry e
         WHERE e.account = v.account AND e.posting = v.posting AND e.kind = 'debit')
     FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS v (account, posting, position) ORDER BY v.position",
    &[TEXTARRAYOID, INT8ARRAYOID],
);

static DEBIT_BATCH: Statement = Statement::new(
    "INSERT INTO credit.entry (account, posting, line, kind, amount, lot, member, department, operation, occurred_at,
         recorded_at, recorded_by, metadata, posted, quantity, rate, dimensions, run, hold)
     SELECT v.account, v.posting, v.line, 'debit', - v.amount, v.lot, v.member, v.department, v.operation, v.occurred_at,
         $11, session_user, v.metadata::jsonb, true, v.quantity, v.rate, v.dimensions::jsonb, v.run, v.hold
     FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::bigint[], $5::numeric[], $6::text[], $7::text[], $8::text[],
         $9::timestamptz[], $10::text[], $12::numeric[], $13::bigint[], $14::text[], $15::text[], $16::bigint[])
         AS v (account, posting, line, lot, amount, member, department, operation, occurred_at, metadata, quantity, rate,
             dimensions, run, hold)",
    &[
        TEXTARRAYOID,
        INT8ARRAYOID,
        INT4ARRAYOID,
        INT8ARRAYOID,
        NUMERICARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        TIMESTAMPTZARRAYOID,
        TEXTARRAYOID,
        TIMESTAMPTZOID,
        NUMERICARRAYOID,
        INT8ARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        INT8ARRAYOID,
    ],
);

/// The values that every line of a debit has besides its lot and amount.
#[derive(Clone, Copy, Debug)]
pub struct DebitLine<'a> {
    pub account: &'a str,
    pub member: Option<&'a str>,
    pub department: Option<&'a str>,
    pub operation: Option<&'a str>,
    /// When the usage happened; when it is recorded unless said otherwise.
    pub occurred_at: Option<DateTime<Utc>>,
    pub metadata: Option<&'a str>,
    /// The task, session or conversation it belongs to.
    pub run: Option<&'a str>,
    /// What the usage was of, beside its operation, as a JSON object.
    pub dimensions: Option<&'a str>,
    /// The hold that is captured.
    pub hold: Option<i64>,
    /// The usage that was charged for, when the amount is a price.
    pub usage: Option<Usage>,
}

/// How much of its operation a charge is for, and the rate that made its price.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub quantity: Amount,
    /// The id of the version of the rate.
    pub rate: i64,
}

/// Takes the amount from a slot whose lock is held; the posting, or `None` when the slot holds less.
pub fn take(line: DebitLine<'_>, lot: i64, slot: i16, amount: Amount, posting: Option<i64>, now: DateTime<Utc>) -> Option<i64> {
    let occurred_at = line.occurred_at.unwrap_or(now);
    let posting = posting.unwrap_or_else(next_posting);
    let rows = TAKE.run(&[
        &line.account,
        &lot,
        &slot,
        &amount,
        &posting,
        &line.member,
        &line.department,
        &line.operation,
        &occurred_at,
        &now,
        &line.metadata,
        &line.usage.map(|usage| usage.quantity),
        &line.usage.map(|usage| usage.rate),
        &line.dimensions,
        &line.run,
        &line.hold,
    ]);
    // Taken without a line: another trigger dropped it. Going on would lose credit.
    rows.first().map(|row| row.optional(1).unwrap_or_else(|| panic!("a trigger dropped the ledger line of a debit")))
}

/// One line of a debit.
#[derive(Clone, Copy, Debug)]
pub struct BatchLine<'a> {
    pub debit: DebitLine<'a>,
    pub posting: i64,
    /// The number of the line within its posting.
    pub line: i32,
    pub lot: i64,
    /// The amount that the lot pays; positive.
    pub amount: Amount,
}

impl<'a> BatchLine<'a> {
    /// The lines of one debit: what each lot pays. A charge's quantity is divided like its price, so that it adds up as well.
    pub fn of_debit(debit: DebitLine<'a>, posting: i64, parts: &[(i64, Amount)]) -> Vec<BatchLine<'a>> {
        let amounts: Vec<_> = parts.iter().map(|(_, amount)| *amount).collect();
        let quantities = debit.usage.map(|usage| exact::split(usage.quantity, &amounts, MAX_DECIMALS));
        let line = |(index, (lot, amount)): (usize, &(i64, Amount))| {
            let usage = debit.usage.zip(quantities.as_ref()).map(|(usage, parts)| Usage { quantity: parts[index], ..usage });
            BatchLine { debit: DebitLine { usage, ..debit }, posting, line: index as i32 + 1, lot: *lot, amount: *amount }
        };
        parts.iter().enumerate().map(line).collect()
    }
}

/// Writes the lines of one debit or many.
pub fn debit_batch(lines: &[BatchLine<'_>], now: DateTime<Utc>) {
    let amounts: Vec<_> = lines.iter().map(|line| line.amount).collect();
    let occurred_at = |line: &BatchLine<'_>| values::timestamptz(line.debit.occurred_at.unwrap_or(now));
    let written = DEBIT_BATCH.run(&[
        &lines.iter().map(|line| line.debit.account).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.posting).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.line).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.lot).collect::<Vec<_>>(),
        &amounts.as_slice(),
        &lines.iter().map(|line| line.debit.member).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.debit.department).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.debit.operation).collect::<Vec<_>>(),
        &lines.iter().map(occurred_at).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.debit.metadata).collect::<Vec<_>>(),
        &now,
        &lines.iter().map(|line| line.debit.usage.map(|usage| usage.quantity)).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.debit.usage.map(|usage| usage.rate)).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.debit.dimensions).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.debit.run).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.debit.hold).collect::<Vec<_>>(),
    ]);
    assert_eq!(written.count(), lines.len(), "the lines of debits");
}

/// A number of posting ids that nobody else has, in ascending order.
pub fn next_postings(count: usize) -> Vec<i64> {
    (0..count).map(|_| next_posting()).collect()
}

/// The amount that a void takes out of a lot.
#[derive(Clone, Copy, Debug)]
pub struct Voided {
    pub amount: Amount,
    /// How much of it the lot was granted with.
    pub granted: Amount,
    /// The price of that amount.
    pub paid: Amount,
    /// Nothing is left: what comes back from holds later is voided too.
    pub emptied: bool,
}

/// Writes the line that voids credits of a lot.
pub fn void(account: &str, lot: i64, voided: Voided, now: DateTime<Utc>, metadata: Option<&str>) {
    void_as(next_posting(), account, lot, voided, now, metadata);
}

/// Notes that a lot is voided of which holds have everything: what goes back from them is voided then.
pub fn void_of_held(account: &str, lot: i64) {
    VOID_OF_HELD.run(&[&account, &lot, &next_posting()]);
}

/// The same under a posting that was claimed.
pub fn void_as(posting: i64, account: &str, lot: i64, voided: Voided, now: DateTime<Utc>, metadata: Option<&str>) {
    let Voided { amount, granted, paid, emptied } = voided;
    let written = VOID.run(&[&account, &lot, &amount, &now, &metadata, &granted, &paid, &posting, &emptied]);
    assert_eq!(written.count(), 1, "the void entry of lot {lot}");
}

/// Marks a directly inserted line as applied.
pub fn mark_posted(account: &str, posting: i64, line: i32) {
    assert_eq!(MARK_POSTED.run(&[&account, &posting, &line]).count(), 1, "posting {posting} to mark");
}

/// Whether the account has a posting of this id.
pub fn posting_exists(account: &str, posting: i64) -> bool {
    POSTING_EXISTS.run(&[&account, &posting]).first().expect("one row").get(1)
}

/// How much each of some postings debited.
pub fn debited(postings: &[(&str, i64)]) -> Vec<Amount> {
    if postings.is_empty() {
        return Vec::new();
    }
    let (accounts, ids): (Vec<&str>, Vec<i64>) = postings.iter().copied().unzip();
    DEBITED.run(&[&accounts, &ids]).iter().map(|row| row.get(1)).collect()
}

/// A posting id nobody else has.
pub fn next_posting() -> i64 {
    sequences::next(Sequence::Postings)
}
