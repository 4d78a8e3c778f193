//! The sources of a true-up: the ledger of the period, the declaration, and the promise.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT8OID, INTERVALOID, NUMERICOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;
use rust_decimal::Decimal;

use crate::arguments;
use crate::domain::amount::Amount;
use crate::domain::calendar::Cycle;
use crate::domain::true_ups::true_up::Treatment;
use crate::error::Result;
use crate::store::statement::{Row, Snapshot, Statement};
use crate::values;

// Those that have a commitment in the unit, or in their own, of whatever kind.
static ACCOUNTS: Statement = Statement::new(
    "SELECT a.account FROM credit.account a
     WHERE EXISTS (SELECT FROM credit.true_up_terms t WHERE t.account = a.account AND t.unit = COALESCE($1, a.unit))
         OR EXISTS (SELECT FROM credit.agreement g JOIN credit.plan p ON p.plan = g.plan WHERE g.account = a.account
             AND p.unit = COALESCE($1, a.unit) AND g.effective_at < $3 AND COALESCE(g.ended_at, 'infinity') > $2
             AND COALESCE(g.committed_quantity, g.committed_money) IS NOT NULL)
         OR EXISTS (SELECT FROM credit.schedule s WHERE s.account = a.account AND s.unit = COALESCE($1, a.unit)
             AND s.starts_at < $3
             AND COALESCE(s.ends_at, 'infinity') > $2)
     ORDER BY a.account",
    &[TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

/// The sums of a period in the ledger. Nothing is recorded before it happened: that lets the index on recorded_at serve. An
/// adjustment corrects usage, and counts as that. Lots that have expired and that nobody swept count as expired, but for those
/// that roll over.
macro_rules! ledger {
    ($lines:literal) => {
        concat!(
            "WITH wanted AS MATERIALIZED (
                 SELECT a.account, COALESCE($4, a.unit) AS unit FROM credit.account a WHERE a.account = ANY ($1)
             ), line AS (
                 SELECT e.account, e.kind, e.amount, e.corrects, l.category, l.paid > 0 AS priced,
                 EXISTS (SELECT FROM credit.true_up x WHERE x.account = e.account AND x.granted_lot = e.lot) AS of_shortfall
                 FROM ",
            $lines,
            " e JOIN wanted w ON w.account = e.account JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
                 WHERE l.unit = w.unit
             ), total AS (
                 SELECT account,
                     - sum(amount) FILTER (WHERE kind = 'debit' OR kind = 'adjustment' AND corrects IS NOT NULL) AS used,
                     - sum(amount) FILTER (WHERE (kind = 'debit' OR kind = 'adjustment' AND corrects IS NOT NULL)
                         AND category = 'paid') AS used_of_paid,
                     sum(amount) FILTER (WHERE kind = 'grant') AS granted,
                     sum(amount) FILTER (WHERE kind IN ('grant', 'void', 'return') AND priced AND NOT of_shortfall) AS prepaid,
                     - sum(amount) FILTER (WHERE (kind = 'debit' OR kind = 'adjustment' AND corrects IS NOT NULL)
                         AND priced) AS used_of_priced,
                     - sum(amount) FILTER (WHERE kind IN ('expiry', 'expiry_reversal')) AS expired,
                     sum(amount) FILTER (WHERE kind = 'roll_in') AS rolled_in,
                         - sum(amount) FILTER (WHERE kind = 'roll_out') AS rolled_out,
                     sum(amount) FILTER (WHERE kind = 'void') AS voided, sum(amount) FILTER (WHERE kind = 'return') AS returned,
                     sum(amount) FILTER (WHERE kind IN ('convert_in', 'convert_out')) AS converted,
                     sum(amount) FILTER (WHERE kind = 'adjustment' AND corrects IS NULL) AS adjusted
                 FROM line GROUP BY account
             ), unswept AS (
                 SELECT l.account, sum(s.remaining) AS expired FROM wanted w JOIN credit.lot l ON l.account = w.account
                     AND l.unit = w.unit
                     JOIN credit.slot s ON s.account = l.account AND s.lot = l.lot
                 WHERE NOT l.closed AND l.expires_at >= $2 AND l.expires_at < $3 AND l.expires_at <= $5
                     AND NOT EXISTS (SELECT FROM credit.schedule_period p WHERE p.account = l.account AND p.lot = l.lot
                         AND NOT p.settled)
                 GROUP BY l.account
             )
             SELECT w.account, w.unit, u.decimals::integer, u.rounding, COALESCE(t.used, 0), COALESCE(t.used_of_paid, 0),
                 COALESCE(t.granted, 0),
                 COALESCE(t.prepaid, 0), COALESCE(t.expired, 0) + COALESCE(x.expired, 0), COALESCE(t.rolled_in, 0),
                     COALESCE(t.rolled_out, 0),
                 COALESCE(t.voided, 0), COALESCE(t.returned, 0), COALESCE(t.converted, 0), COALESCE(t.adjusted, 0), a.refresh_at,
             COALESCE(t.used_of_priced, 0)
             FROM wanted w JOIN credit.account a ON a.account = w.account JOIN credit.unit u ON u.unit = w.unit
             LEFT JOIN total t ON t.account = w.account LEFT JOIN unswept x ON x.account = w.account ORDER BY w.account"
        )
    };
}

static LEDGER_OF_ONE: Statement = Statement::new(
    ledger!(
        "(SELECT * FROM credit.entry WHERE account = $1[1] AND recorded_at >= $2 AND occurred_at >= $2 AND occurred_at < $3)"
    ),
    &[TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID],
);

// The lines of the time are read once.
static LEDGER_OF_MANY: Statement = Statement::in_bulk(
    ledger!("(SELECT * FROM credit.entry WHERE recorded_at >= $2 AND occurred_at >= $2 AND occurred_at < $3 OFFSET 0)"),
    &[TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID],
);

static TERMS: Statement = Statement::by_index(
    "SELECT anchor, every, commitment, shortfall, overage, eligible = 'paid', unit_price, overage_price, currency, grant_shortfall
     FROM credit.true_up_terms WHERE account = $1 AND unit = $2",
    &[TEXTOID, TEXTOID],
);

static DECLARE: Statement = Statement::new(
    "INSERT INTO credit.true_up_terms AS t (account, unit, every, anchor, commitment, shortfall, overage, eligible, unit_price,
         overage_price, currency, grant_shortfall, recorded_at, recorded_by)
     VALUES ($1, $2, COALESCE($3, interval '3 months'), COALESCE($4, $13), $5, COALESCE($6, 'due'), COALESCE($7, 'due'),
         COALESCE($8, 'all'), $9, $10, $11, COALESCE($12, false), $13, session_user)
     ON CONFLICT (account, unit) DO UPDATE SET every = COALESCE($3, t.every), anchor = COALESCE($4, t.anchor),
         commitment = COALESCE($5, t.commitment), shortfall = COALESCE($6, t.shortfall), overage = COALESCE($7, t.overage),
         eligible = COALESCE($8, t.eligible), unit_price = COALESCE($9, t.unit_price),
         overage_price = COALESCE($10, t.overage_price), currency = COALESCE($11, t.currency),
         grant_shortfall = COALESCE($12, t.grant_shortfall), recorded_at = $13, recorded_by = session_user",
    &[
        TEXTOID,
        TEXTOID,
        INTERVALOID,
        TIMESTAMPTZOID,
        NUMERICOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        TEXTOID,
        BOOLOID,
        TIMESTAMPTZOID,
    ],
);

static DECLARE_CADENCE: Statement = Statement::new(
    "INSERT INTO credit.true_up_terms (account, unit, every, anchor, recorded_at, recorded_by)
        VALUES ($1, $2, $3, $4, $5, session_user)
     ON CONFLICT DO NOTHING",
    &[TEXTOID, TEXTOID, INTERVALOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static AGREEMENTS: Statement = Statement::by_index(
    "SELECT g.agreement, g.plan, g.effective_at, g.ended_at, g.committed_quantity, g.committed_money, p.currency
     FROM credit.agreement g JOIN credit.plan p ON p.plan = g.plan
     WHERE g.account = $1 AND p.unit = $2 AND g.effective_at < $4 AND COALESCE(g.ended_at, 'infinity') > $3
         AND COALESCE(g.committed_quantity, g.committed_money) IS NOT NULL ORDER BY g.agreement",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static SCHEDULE_PRICES: Statement = Statement::by_index(
    "SELECT schedule, amount, paid, currency FROM credit.schedule WHERE account = $1 AND unit = $2 AND paid IS NOT NULL",
    &[TEXTOID, TEXTOID],
);

static ISSUED_TO_MEMBERS: Statement = Statement::by_index(
    "SELECT COALESCE(sum(p.original), 0) FROM credit.schedule_period p JOIN credit.lot l ON l.account = p.account
        AND l.lot = p.lot
     WHERE p.account = $1 AND p.schedule = $2 AND p.rolled = 0 AND l.effective_at >= $3 AND l.effective_at < $4",
    &[TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

/// The shortest period that is trued up: a day, in microseconds.
pub const SHORTEST: i64 = 86_400_000_000;

/// The sums of an account's period in the ledger.
#[derive(Clone, Debug)]
pub struct Sums {
    pub account: String,
    pub unit: String,
    pub decimals: u32,
    pub rounding: String,
    pub used: Amount,
    pub used_of_paid: Amount,
    pub granted: Amount,
    pub prepaid: Amount,
    pub used_of_priced: Amount,
    pub expired: Amount,
    pub rolled_in: Amount,
    pub rolled_out: Amount,
    pub voided: Amount,
    pub returned: Amount,
    pub converted: Amount,
    pub adjusted: Amount,
    pub refresh_at: Option<DateTime<Utc>>,
}

/// The declaration of an account's true-up.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub cycle: Option<Cycle>,
    pub commitment: Option<Amount>,
    pub shortfall: Treatment,
    pub overage: Treatment,
    /// Whether only the use of paid lots counts.
    pub paid_only: bool,
    pub unit_price: Option<Decimal>,
    pub overage_price: Option<Decimal>,
    pub currency: Option<String>,
    /// Whether closing a period grants the credits of a shortfall.
    pub grant_shortfall: bool,
}

/// The terms that are to be declared; `None` keeps what is there.
#[derive(Clone, Copy, Default)]
pub struct NewTerms<'a> {
    pub every: Option<Interval>,
    pub anchor: Option<DateTime<Utc>>,
    pub commitment: Option<Amount>,
    pub shortfall: Option<&'a str>,
    pub overage: Option<&'a str>,
    pub eligible: Option<&'a str>,
    pub unit_price: Option<Decimal>,
    pub overage_price: Option<Decimal>,
    pub currency: Option<&'a str>,
    pub grant_shortfall: Option<bool>,
}

/// A commitment that was agreed, year by year.
#[derive(Clone, Debug)]
pub struct Commitment {
    pub agreement: i64,
    pub plan: String,
    pub effective_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The commitment of each year, in credits.
    pub quantity: Option<Vec<Amount>>,
    /// The commitment of each year, in money.
    pub money: Option<Vec<Amount>>,
    pub currency: String,
}

/// The price of a whole period of a schedule.
#[derive(Clone, Debug)]
pub struct SchedulePrice {
    pub schedule: i64,
    pub amount: Amount,
    pub paid: Amount,
    pub currency: String,
}

/// The accounts that are named, or all that have a commitment in the unit, their own where none is named.
pub fn accounts(
    named: Option<&[&str]>,
    unit: Option<&str>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    snapshot: Snapshot,
) -> Vec<String> {
    match named {
        Some(named) => named.iter().map(|name| (*name).to_owned()).collect(),
        None => ACCOUNTS.execute(snapshot, &[&unit, &from, &to]).iter().map(|row| row.get(1)).collect(),
    }
}

/// The sums of the period in the ledger, of all the accounts at once, in the order of their names.
pub fn sums(
    accounts: &[&str],
    unit: Option<&str>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
    snapshot: Snapshot,
) -> Result<Vec<Sums>> {
    let ledger = if accounts.len() == 1 { &LEDGER_OF_ONE } else { &LEDGER_OF_MANY };
    let rows = ledger.execute(snapshot, &[&accounts.to_vec(), &from, &to, &unit, &now]);
    rows.iter().map(sums_of_row).collect()
}

fn sums_of_row(row: Row<'_>) -> Result<Sums> {
    // The sum of amounts may be beyond what one of them can be.
    let amount = |column| arguments::amount("the sum of a period", &row.get::<AnyNumeric>(column));
    Ok(Sums {
        account: row.get(1),
        unit: row.get(2),
        decimals: row.get::<i32>(3) as u32,
        rounding: row.get(4),
        used: amount(5)?,
        used_of_paid: amount(6)?,
        granted: amount(7)?,
        prepaid: amount(8)?,
        expired: amount(9)?,
        rolled_in: amount(10)?,
        rolled_out: amount(11)?,
        voided: amount(12)?,
        returned: amount(13)?,
        converted: amount(14)?,
        adjusted: amount(15)?,
        refresh_at: row.optional(16),
        used_of_priced: amount(17)?,
    })
}

/// The terms that are declared; the defaults where nothing is.
pub fn terms(account: &str, unit: &str, snapshot: Snapshot) -> Terms {
    let treatment =
        |row: &Row<'_>, column| Treatment::of_name(&row.get::<String>(column)).expect("a treatment that the table allows");
    let rows = TERMS.execute(snapshot, &[&account, &unit]);
    let terms = rows.first().map(|row| Terms {
        cycle: Some(Cycle { anchor: row.get(1), every: values::span(&row.get::<Interval>(2)) }),
        commitment: row.optional(3),
        shortfall: treatment(&row, 4),
        overage: treatment(&row, 5),
        paid_only: row.get(6),
        unit_price: row.optional(7),
        overage_price: row.optional(8),
        currency: row.optional(9),
        grant_shortfall: row.get(10),
    });
    terms.unwrap_or_default()
}

/// Declares terms, or changes what is given of them.
pub fn declare(account: &str, unit: &str, new: &NewTerms<'_>, now: DateTime<Utc>) {
    DECLARE.run(&[
        &account,
        &unit,
        &new.every,
        &new.anchor,
        &new.commitment,
        &new.shortfall,
        &new.overage,
        &new.eligible,
        &new.unit_price,
        &new.overage_price,
        &new.currency,
        &new.grant_shortfall,
        &now,
    ]);
}

/// Declares the periods of an account that has none declared, as its schedule says.
pub fn declare_cadence(account: &str, unit: &str, every: Interval, anchor: DateTime<Utc>, now: DateTime<Utc>) {
    DECLARE_CADENCE.run(&[&account, &unit, &every, &anchor, &now]);
}

/// The commitments that were agreed and reach into the period.
pub fn commitments(account: &str, unit: &str, from: DateTime<Utc>, to: DateTime<Utc>, snapshot: Snapshot) -> Vec<Commitment> {
    let commitment = |row: Row<'_>| Commitment {
        agreement: row.get(1),
        plan: row.get(2),
        effective_at: row.get(3),
        ended_at: row.optional(4),
        quantity: row.optional(5),
        money: row.optional(6),
        currency: row.get(7),
    };
    AGREEMENTS.execute(snapshot, &[&account, &unit, &from, &to]).iter().map(commitment).collect()
}

/// The prices of an account's schedules, where they were said.
pub fn schedule_prices(account: &str, unit: &str, snapshot: Snapshot) -> Vec<SchedulePrice> {
    let price = |row: Row<'_>| SchedulePrice { schedule: row.get(1), amount: row.get(2), paid: row.get(3), currency: row.get(4) };
    SCHEDULE_PRICES.execute(snapshot, &[&account, &unit]).iter().map(price).collect()
}

/// The amounts that a schedule of members issued for the periods that began then.
pub fn issued_to_members(account: &str, schedule: i64, from: DateTime<Utc>, to: DateTime<Utc>, snapshot: Snapshot) -> Amount {
    ISSUED_TO_MEMBERS.execute(snapshot, &[&account, &schedule, &from, &to]).first().expect("one row").get(1)
}
