//! The start of a forecast of expiry: the lots as they are, and the use of late.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INTERVALOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::domain::amount::Amount;
use crate::domain::ledger::drawdown::{Expiry, Rank};
use crate::domain::ledger::lot_price::LotPrice;
use crate::domain::maintenance::forecast::{Lot, Usage};
use crate::store::statement::{Row, Statement};

static LOTS: Statement = Statement::by_index(
    "SELECT l.lot, l.member, l.priority, l.applies_to, l.expires_at, l.category = 'paid', l.effective_at, s.remaining, l.paid,
         l.currency, l.granted, COALESCE(g.adjusted, 0)
     FROM credit.lot l CROSS JOIN LATERAL (
         SELECT sum(s.remaining) AS remaining FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot) s
     LEFT JOIN credit.lot_gain g ON g.account = l.account AND g.lot = l.lot
     WHERE l.account = $1 AND l.unit = $2 AND NOT l.closed AND COALESCE(l.expires_at, 'infinity') > $3 AND s.remaining > 0",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

// Nothing is recorded before it happened, so the second condition takes no row away; it lets the index on recorded_at serve.
// Credits that were given back of a debit were not used.
static USAGE: Statement = Statement::new(
    "SELECT e.member, e.operation, LEAST(- sum(e.amount + COALESCE(c.given_back, 0)), 999999999999999.999999999)
     FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
     LEFT JOIN credit.correction c ON c.account = e.account AND c.posting = e.posting AND c.line = e.line
     WHERE e.account = $1 AND l.unit = $2 AND e.kind = 'debit' AND e.occurred_at > $3 AND e.recorded_at > $3
         AND e.occurred_at <= $4
     GROUP BY e.member, e.operation ORDER BY e.member, e.operation",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static BEGIN_OF_WINDOW: Statement = Statement::new(
    "SELECT credit.add_interval($2, - $3::interval, time_zone) FROM credit.account WHERE account = $1",
    &[TEXTOID, TIMESTAMPTZOID, INTERVALOID],
);

/// A lot that holds something, with its price.
pub struct Priced {
    pub lot: Lot,
    pub price: LotPrice,
    pub currency: Option<String>,
}

/// The lots of an account and unit that hold something and have not expired, in effect or not yet.
pub fn lots(account: &str, unit: &str, now: DateTime<Utc>) -> Vec<Priced> {
    LOTS.read(&[&account, &unit, &now]).iter().map(priced_of_row).collect()
}

fn priced_of_row(row: Row<'_>) -> Priced {
    let member: Option<String> = row.optional(2);
    let applies_to: Option<Vec<String>> = row.optional(4);
    let rank = Rank {
        pooled: member.is_none(),
        priority: row.get(3),
        general: applies_to.is_none(),
        expiry: row.optional(5).map_or(Expiry::Never, Expiry::At),
        paid: row.get(6),
        effective_at: row.get(7),
        lot: row.get(1),
    };
    let lot = Lot { rank, member, applies_to, remaining: row.get(8) };
    // Its earlier hand-overs decide nothing here: credits that are lost have not left it yet.
    let price = LotPrice { granted: row.get(11), paid: row.optional(9), gained: row.get(12), handed_on: Amount::ZERO };
    Priced { lot, price, currency: row.optional(10) }
}

/// The debits after `begin` and up to `end`, by member and operation.
pub fn usage(account: &str, unit: &str, begin: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Usage> {
    let rows = USAGE.read(&[&account, &unit, &begin, &end]);
    rows.iter()
        .map(|row| Usage { member: row.optional(1), operation: row.optional(2), amount: row.get(3), per_seat: false })
        .collect()
}

/// When a window of that length began which ends now, by the account's calendar.
pub fn begin_of_window(account: &str, now: DateTime<Utc>, length: Interval) -> DateTime<Utc> {
    BEGIN_OF_WINDOW.read(&[&account, &now, &length]).first().expect("an existing account").get(1)
}
