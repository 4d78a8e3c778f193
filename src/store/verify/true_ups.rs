//! The proof of closed periods.

use super::PARAMETERS;
use crate::store::statement::Statement;

pub static INVARIANTS: Statement = Statement::new(
    "SELECT 'what is due of a closed period is the sum of its lines' AS invariant, c.account, NULL::bigint, c.amount_due::text, n.due::text
     FROM credit.true_up c CROSS JOIN LATERAL (
         SELECT COALESCE(sum(amount), 0) AS due FROM credit.true_up_line n WHERE n.account = c.account AND n.true_up = c.true_up) n
     WHERE ($1 IS NULL OR c.account = $1) AND c.amount_due <> n.due
     UNION ALL
     SELECT 'closed periods follow each other', c.account, NULL, c.until::text, c.starts_at::text
     FROM (SELECT account, unit, starts_at, lag(ends_at) OVER (PARTITION BY account, unit ORDER BY starts_at) AS until
           FROM credit.true_up WHERE $1 IS NULL OR account = $1) c WHERE c.until <> c.starts_at
     UNION ALL
     SELECT 'the ledger of a closed period is as it was closed', c.account, NULL,
         concat_ws(' ', 'used', n.used, 'granted', c.granted, 'expired', c.expired, 'rolled', c.rolled_in, c.rolled_out),
         concat_ws(' ', 'used', e.used, 'granted', e.granted, 'expired', e.expired, 'rolled', e.rolled_in, e.rolled_out)
     FROM credit.true_up c
     LEFT JOIN (
         SELECT account, true_up, sum(quantity) AS used FROM credit.true_up_line
         WHERE kind IN ('used', 'used_beside') GROUP BY account, true_up) n ON n.account = c.account AND n.true_up = c.true_up
     LEFT JOIN (
         SELECT t.account, t.true_up,
             - sum(e.amount) FILTER (WHERE e.kind = 'debit' OR e.kind = 'adjustment' AND e.corrects IS NOT NULL) AS used,
             sum(e.amount) FILTER (WHERE e.kind = 'grant') AS granted,
             - sum(e.amount) FILTER (WHERE e.kind IN ('expiry', 'expiry_reversal')) AS expired,
             sum(e.amount) FILTER (WHERE e.kind = 'roll_in') AS rolled_in, - sum(e.amount) FILTER (WHERE e.kind = 'roll_out') AS rolled_out
         FROM credit.true_up t
         JOIN credit.entry e ON e.account = t.account AND e.occurred_at >= t.starts_at AND e.occurred_at < t.ends_at
         JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot AND l.unit = t.unit
         WHERE $1 IS NULL OR t.account = $1
         GROUP BY t.account, t.true_up) e ON e.account = c.account AND e.true_up = c.true_up
     WHERE ($1 IS NULL OR c.account = $1) AND (COALESCE(n.used, 0), c.granted, c.expired, c.rolled_in, c.rolled_out) IS DISTINCT FROM
         (COALESCE(e.used, 0), COALESCE(e.granted, 0), COALESCE(e.expired, 0), COALESCE(e.rolled_in, 0), COALESCE(e.rolled_out, 0))
     UNION ALL
     SELECT 'what corrects a closed period is recorded after it', c.account, NULL, t.ends_at::text, e.occurred_at::text
     FROM credit.true_up_correction c JOIN credit.true_up t ON t.account = c.account AND t.true_up = c.true_up
     LEFT JOIN LATERAL (SELECT min(occurred_at) AS occurred_at FROM credit.entry e
         WHERE e.account = c.account AND e.posting = c.posting) e ON true
     WHERE ($1 IS NULL OR c.account = $1) AND (e.occurred_at >= t.ends_at) IS NOT TRUE",
    PARAMETERS,
);
