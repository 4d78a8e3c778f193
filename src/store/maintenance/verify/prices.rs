//! The proof of prices: each is in a currency that exists and can be paid in it. SQL knows no currencies, so it is told of those
//! that occur.

use pgrx::pg_sys::{INT4ARRAYOID, TEXTARRAYOID, TEXTOID};

use crate::domain::currency;
use crate::store::maintenance::verify::{Scoped, Violation, violation_of_row};

static CURRENCIES: Scoped = Scoped::new(
    "SELECT DISTINCT currency FROM (
         SELECT currency FROM credit.lot WHERE $1 IS NULL OR account = $1
         UNION ALL SELECT currency FROM credit.unit
         UNION ALL SELECT currency FROM credit.plan
         UNION ALL SELECT currency FROM credit.plan_schedule
         UNION ALL SELECT currency FROM credit.schedule WHERE $1 IS NULL OR account = $1
         UNION ALL SELECT currency FROM credit.true_up_terms WHERE $1 IS NULL OR account = $1) c
     WHERE currency IS NOT NULL",
    &[TEXTOID],
);

// A lot that another one gave (parent), and one that a schedule brought for a part of a period, have a part of a price, which may
// be finer.
static VIOLATIONS: Scoped = Scoped::new(
    "WITH known AS MATERIALIZED (
         SELECT * FROM unnest($2::text[], $3::integer[]) AS k (currency, decimals)
     ), named AS (
         SELECT account, lot, currency, 'lot' AS what FROM credit.lot WHERE $1 IS NULL OR account = $1
         UNION ALL SELECT NULL, NULL, currency, 'unit ' || unit FROM credit.unit WHERE $1 IS NULL
         UNION ALL SELECT NULL, NULL, currency, 'plan ' || plan FROM credit.plan WHERE $1 IS NULL
         UNION ALL SELECT NULL, NULL, currency, 'schedule ' || schedule || ' of plan ' || plan FROM credit.plan_schedule
             WHERE $1 IS NULL
         UNION ALL SELECT account, NULL, currency, 'schedule ' || schedule FROM credit.schedule WHERE $1 IS NULL OR account = $1
         UNION ALL SELECT account, NULL, currency, 'true-up terms of ' || unit FROM credit.true_up_terms
             WHERE $1 IS NULL OR account = $1
     )
     SELECT 'a currency exists', n.account, n.lot, 'a currency of ISO 4217', n.currency || ' of ' || n.what
     FROM named n LEFT JOIN known k ON k.currency = n.currency WHERE n.currency IS NOT NULL AND k.decimals IS NULL
     UNION ALL
     SELECT 'what was paid for a lot can be paid', l.account, l.lot, k.decimals || ' decimals of ' || l.currency, l.paid::text
     FROM credit.lot l JOIN known k ON k.currency = l.currency
     WHERE ($1 IS NULL OR l.account = $1) AND l.parent IS NULL AND scale(trim_scale(l.paid)) > k.decimals
         AND NOT EXISTS (SELECT FROM credit.schedule_period p WHERE p.account = l.account AND p.lot = l.lot)
     UNION ALL
     SELECT 'what is paid for a schedule''s credits can be paid', s.account, NULL, k.decimals || ' decimals of ' || s.currency,
         s.paid || ' of schedule ' || s.schedule
     FROM credit.schedule s JOIN known k ON k.currency = s.currency
     WHERE ($1 IS NULL OR s.account = $1) AND scale(trim_scale(s.paid)) > k.decimals",
    &[TEXTOID, TEXTARRAYOID, INT4ARRAYOID],
);

/// The violations in prices and currencies, of one account or of all.
pub fn violations(account: Option<&str>) -> Vec<Violation> {
    let named: Vec<String> = CURRENCIES.read(account, &[&account]).iter().map(|row| row.get(1)).collect();
    let known = named.into_iter().filter_map(|code| currency::decimals(&code).map(|decimals| (code, decimals as i32)));
    let (codes, decimals): (Vec<String>, Vec<i32>) = known.unzip();
    VIOLATIONS.read(account, &[&account, &codes, &decimals]).iter().map(violation_of_row).collect()
}
