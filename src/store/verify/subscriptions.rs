//! The proof of subscriptions and their changes.

use super::PARAMETERS;
use crate::store::statement::Statement;

pub static INVARIANTS: Statement = Statement::new(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     )
     SELECT 'subscriptions of an account in a unit do not overlap' AS invariant, x.account, NULL::bigint, x.plan || ' in ' || x.unit, x.effective_at || ' before ' || x.ended_at
     FROM (SELECT account, unit, plan, effective_at,
             lag(ended_at, 1, '-infinity') OVER (PARTITION BY account, unit ORDER BY effective_at, subscription) AS ended_at
         FROM credit.subscription WHERE ended_at IS DISTINCT FROM effective_at AND ($1 IS NULL OR account = $1)) x
     WHERE x.ended_at IS NULL OR x.ended_at > x.effective_at
     UNION ALL
     SELECT 'a subscription buys by its own plan, a whole period at its price', p.account, NULL, s.plan || ' ' || s.quantity || ' for ' || s.price,
         COALESCE(b.plan || ' ' || b.quantity || ' for ' || b.paid, 'no purchase') || ' in purchase ' || p.purchase
     FROM credit.subscription_purchase p
     LEFT JOIN credit.subscription s ON s.account = p.account AND s.subscription = p.subscription
     LEFT JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
     WHERE ($1 IS NULL OR p.account = $1) AND NOT COALESCE((b.plan, b.unit, b.currency, p.origin) = (s.plan, s.unit, s.currency, s.origin)
         AND (p.change IS NOT NULL OR (b.quantity, b.paid) = (s.quantity, s.price)), false)
     UNION ALL
     SELECT 'a change of plan moved what it says', c.account, NULL,
         c.granted || ' for ' || c.charge || ', back ' || c.returned || ' for ' || c.credit,
         bought.granted || ' for ' || bought.charge || ', back ' || back.returned || ' for ' || back.credit || ' in change ' || c.change
     FROM credit.plan_change c
     CROSS JOIN LATERAL (SELECT COALESCE(sum(b.quantity), 0) AS granted, COALESCE(sum(b.paid), 0) AS charge
         FROM credit.subscription_purchase p JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
         WHERE p.account = c.account AND p.change = c.change) AS bought
     CROSS JOIN LATERAL (SELECT COALESCE(sum(r.returned), 0) AS returned, COALESCE(sum(r.credit), 0) AS credit
         FROM credit.subscription_return r WHERE r.account = c.account AND r.change = c.change) AS back
     WHERE ($1 IS NULL OR c.account = $1)
         AND (c.granted, c.charge, c.returned, c.credit) IS DISTINCT FROM (bought.granted, bought.charge, back.returned, back.credit)
     UNION ALL
     SELECT 'what is returned is in the ledger', COALESCE(r.account, e.account), COALESCE(r.lot, e.lot), COALESCE(r.returned::text, 'a return'),
         COALESCE((- e.amount)::text, 'none') || ' in posting ' || COALESCE(r.posting, e.posting)
     FROM (SELECT * FROM credit.subscription_return WHERE $1 IS NULL OR account = $1) r
     FULL JOIN (SELECT * FROM credit.entry WHERE kind = 'return' AND ($1 IS NULL OR account = $1)) e
         ON e.account = r.account AND e.posting = r.posting AND e.lot = r.lot
     WHERE r.returned IS DISTINCT FROM - e.amount
     UNION ALL
     SELECT 'what is returned is paid back at its cost basis', l.account, l.lot,
         trunc(l.paid * r.returned / l.granted, scale(l.paid))::text, r.credit::text
     FROM lots l JOIN (SELECT account, lot, sum(returned) AS returned, sum(credit) AS credit FROM credit.subscription_return GROUP BY account, lot) r
         ON r.account = l.account AND r.lot = l.lot
     WHERE r.credit IS DISTINCT FROM trunc(l.paid * r.returned / l.granted, scale(l.paid)) OR r.returned > l.granted",
    PARAMETERS,
);
