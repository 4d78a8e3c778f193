//! The proof of purchases, and of what they were priced by.

use super::PARAMETERS;
use crate::store::statement::Statement;

pub static INVARIANTS: Statement = Statement::new(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     )
     SELECT 'the lots of a purchase add up to it' AS invariant, b.account, min(l.lot), b.quantity + COALESCE(b.bonus, 0) || ' for ' || b.paid,
         COALESCE(sum(l.granted), 0) || ' for ' || COALESCE(sum(l.paid), 0)
     FROM credit.purchase b LEFT JOIN credit.purchase_lot l ON l.account = b.account AND l.purchase = b.purchase
     WHERE $1 IS NULL OR b.account = $1
     GROUP BY b.account, b.purchase
     HAVING sum(l.granted) IS DISTINCT FROM b.quantity + COALESCE(b.bonus, 0) OR sum(l.paid) IS DISTINCT FROM b.paid
     UNION ALL
     SELECT 'an active purchase has its lots, and no other has any', p.account, p.lot, b.status || ' ' || p.granted || ' for ' || p.paid,
         COALESCE(l.granted || ' for ' || l.paid, 'no lot')
     FROM credit.purchase_lot p LEFT JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
     LEFT JOIN lots l ON l.account = p.account AND l.lot = p.lot
     WHERE ($1 IS NULL OR p.account = $1) AND CASE WHEN b.status = 'active'
         THEN (l.granted, l.paid, l.currency, l.unit) IS DISTINCT FROM (p.granted, p.paid, b.currency, b.unit) ELSE l.lot IS NOT NULL OR b.status IS NULL END
     UNION ALL
     SELECT 'versions of a tier, and agreements about a plan, do not overlap', x.account, NULL, x.name, x.effective_at || ' before ' || x.ended_at
     FROM (SELECT NULL AS account, plan || '.' || tier AS name, effective_at,
             lag(ended_at, 1, '-infinity') OVER (PARTITION BY plan, tier ORDER BY effective_at, version) AS ended_at FROM credit.tier
         UNION ALL
         SELECT account, plan, effective_at, lag(ended_at, 1, '-infinity') OVER (PARTITION BY account, plan ORDER BY effective_at, agreement)
         FROM credit.agreement WHERE $1 IS NULL OR account = $1) x
     WHERE x.ended_at IS NULL OR x.ended_at > x.effective_at",
    PARAMETERS,
);
