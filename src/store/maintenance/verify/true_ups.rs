//! The proof of closed periods.

use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(
    "SELECT 'what is due of a closed period is the sum of its lines' AS invariant, c.account, NULL::bigint, c.amount_due::text,
        n.due::text
     FROM credit.true_up c CROSS JOIN LATERAL (
         SELECT COALESCE(sum(amount), 0) AS due FROM credit.true_up_line n WHERE n.account = c.account
             AND n.true_up = c.true_up) n
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
             sum(e.amount) FILTER (WHERE e.kind = 'roll_in') AS rolled_in,
                 - sum(e.amount) FILTER (WHERE e.kind = 'roll_out') AS rolled_out
         FROM credit.true_up t
         JOIN credit.entry e ON e.account = t.account AND e.occurred_at >= t.starts_at AND e.occurred_at < t.ends_at
         JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot AND l.unit = t.unit
         WHERE $1 IS NULL OR t.account = $1
         GROUP BY t.account, t.true_up) e ON e.account = c.account AND e.true_up = c.true_up
     WHERE ($1 IS NULL OR c.account = $1) AND (COALESCE(n.used, 0), c.granted, c.expired, c.rolled_in, c.rolled_out) IS DISTINCT
         FROM
         (COALESCE(e.used, 0), COALESCE(e.granted, 0), COALESCE(e.expired, 0), COALESCE(e.rolled_in, 0),
             COALESCE(e.rolled_out, 0))
     UNION ALL
     SELECT 'what corrects a closed period is recorded after it', c.account, NULL, t.ends_at::text, e.occurred_at::text
     FROM credit.true_up_correction c JOIN credit.true_up t ON t.account = c.account AND t.true_up = c.true_up
     LEFT JOIN LATERAL (SELECT min(occurred_at) AS occurred_at FROM credit.entry e
         WHERE e.account = c.account AND e.posting = c.posting) e ON true
     WHERE ($1 IS NULL OR c.account = $1) AND (e.occurred_at >= t.ends_at) IS NOT TRUE
     UNION ALL
     SELECT 'a closed period is what its lines say', t.account, NULL,
         concat_ws(' ', n.committed, n.used, n.granted, n.expired, n.rolled_in, n.rolled_out,
             n.carried_in, n.prepaid, n.shortfall, n.overage, n.carried_forward, n.prepaid_left),
         concat_ws(' ', t.committed, t.used, t.granted, t.expired, t.rolled_in, t.rolled_out, t.carried_in, t.prepaid,
             t.shortfall, t.overage,
             t.carried_forward, t.prepaid_left) || ' in period ' || t.true_up
     FROM credit.true_up t CROSS JOIN LATERAL (
         SELECT COALESCE(sum(quantity) FILTER (WHERE kind = 'committed'), 0) AS committed,
             COALESCE(sum(quantity) FILTER (WHERE kind = 'used'), 0) AS used,
             COALESCE(sum(quantity) FILTER (WHERE kind = 'granted'), 0) AS granted,
                 COALESCE(sum(quantity) FILTER (WHERE kind = 'expired'), 0) AS expired,
             COALESCE(sum(quantity) FILTER (WHERE kind = 'rolled_in'), 0) AS rolled_in,
                 COALESCE(sum(quantity) FILTER (WHERE kind = 'rolled_out'), 0) AS rolled_out,
             COALESCE(sum(quantity) FILTER (WHERE kind = 'carried_in'), 0) AS carried_in,
                 COALESCE(sum(quantity) FILTER (WHERE kind = 'prepaid'), 0) AS prepaid,
             COALESCE(sum(quantity) FILTER (WHERE kind = 'shortfall'), 0) AS shortfall,
                 COALESCE(sum(quantity) FILTER (WHERE kind = 'overage'), 0) AS overage,
             COALESCE(sum(quantity) FILTER (WHERE kind = 'carried_forward'), 0) AS carried_forward,
             COALESCE(sum(quantity) FILTER (WHERE kind = 'prepaid_left'), 0) AS prepaid_left,
             max(unit_price) FILTER (WHERE kind = 'shortfall_due' OR kind = 'committed' AND reference = 'terms') AS unit_price,
             max(unit_price) FILTER (WHERE kind = 'overage_due') AS overage_price,
             count(*) FILTER (WHERE kind = 'shortfall_due' OR kind = 'committed' AND reference = 'terms') AS prices,
             count(*) FILTER (WHERE kind = 'overage_due') AS overage_prices,
             count(*) AS lines, min(line) AS first, max(line) AS last,
                 min(unit_price) FILTER (WHERE kind = 'shortfall_due' OR kind = 'committed' AND reference = 'terms') AS least,
             bool_and(CASE WHEN kind = 'committed' THEN reference IS NOT NULL AND amount IS NULL
                 WHEN kind IN ('carried_in', 'prepaid_in', 'used_late') THEN reference LIKE 'true_up %'
                     AND num_nonnulls(unit_price, amount) = 0
                 WHEN kind IN ('shortfall_due', 'overage_due') THEN reference IS NULL
                 WHEN kind IN ('used', 'used_beside', 'granted', 'prepaid', 'expired', 'rolled_in', 'rolled_out', 'voided',
                     'returned', 'converted', 'adjusted', 'shortfall',
                     'overage', 'carried_forward', 'prepaid_left') THEN num_nonnulls(reference, unit_price, amount) = 0
                         ELSE false END) AS are_known
         FROM credit.true_up_line l WHERE l.account = t.account AND l.true_up = t.true_up) n
     WHERE ($1 IS NULL OR t.account = $1) AND ((t.committed, t.used, t.granted, t.expired, t.rolled_in, t.rolled_out,
         t.carried_in, t.prepaid, t.shortfall, t.overage,
             t.carried_forward, t.prepaid_left) IS DISTINCT FROM (n.committed, n.used, n.granted, n.expired, n.rolled_in,
                 n.rolled_out, n.carried_in, n.prepaid,
             n.shortfall, n.overage, n.carried_forward, n.prepaid_left)
         OR n.prices > 0 AND (n.unit_price IS DISTINCT FROM t.unit_price OR n.least IS DISTINCT FROM t.unit_price)
         OR n.overage_prices > 0 AND n.overage_price IS DISTINCT FROM t.overage_price
         OR (n.first, n.last) IS DISTINCT FROM (1, n.lines::integer) OR n.are_known IS NOT TRUE)
     UNION ALL
     SELECT 'a closed period follows from what was promised, used and paid', c.account, NULL,
         concat_ws(' ', 'short', GREATEST(c.committed - c.counted, 0), 'over', GREATEST(c.counted - c.committed, 0), 'prepaid',
             c.bought, 'unpaid', c.unpaid, c.unpaid_overage),
         concat_ws(' ', 'short', c.shortfall, 'over', c.overage, 'prepaid', c.prepaid, 'left', c.prepaid_left, 'due',
             c.shortfall_due, c.overage_due, 'forward',
             c.carried_forward) || ' in period ' || c.true_up
     FROM (SELECT b.*, GREATEST(b.shortfall - b.unused, 0) AS unpaid,
             LEAST(GREATEST(b.counted - LEAST(b.used_of_priced, GREATEST(b.used, 0)) - GREATEST(b.committed - b.paid_for, 0), 0),
                 b.overage) AS unpaid_overage
         FROM (SELECT a.*, a.used + a.carried_in AS counted, GREATEST(a.paid_for - GREATEST(a.used_of_priced, 0), 0) AS unused
             FROM (SELECT t.*, p.true_up AS before, COALESCE(p.carried_forward, 0) AS carried,
                 GREATEST(t.prepaid + COALESCE(p.prepaid_left, 0), 0) AS paid_for, COALESCE(p.prepaid_left, 0) AS prepaid_before,
                     e.used_of_priced, COALESCE(e.bought, 0) AS bought, d.shortfall_due, d.overage_due, d.prepaid_in, d.used_late,
                         d.carried_from, k.corrected,
                     d.voided - e.voided = 0 AND d.returned - e.returned = 0 AND d.converted - e.converted = 0
                         AND d.adjusted - e.adjusted = 0 AS flows_agree
                 FROM credit.true_up t
                 LEFT JOIN credit.true_up p ON p.account = t.account AND p.unit = t.unit AND p.ends_at = t.starts_at
                 CROSS JOIN LATERAL (
                     SELECT COALESCE(- sum(l.amount) FILTER (WHERE l.priced
                         AND (l.kind = 'debit' OR l.kind = 'adjustment' AND l.corrects IS NOT NULL)), 0) AS used_of_priced,
                         COALESCE(sum(l.amount) FILTER (WHERE l.priced AND l.kind IN ('grant', 'void', 'return')
                             AND NOT l.of_shortfall), 0) AS bought,
                         COALESCE(sum(l.amount) FILTER (WHERE l.kind = 'void'), 0) AS voided,
                             COALESCE(sum(l.amount) FILTER (WHERE l.kind = 'return'), 0) AS returned,
                         COALESCE(sum(l.amount) FILTER (WHERE l.kind IN ('convert_in', 'convert_out')), 0) AS converted,
                         COALESCE(sum(l.amount) FILTER (WHERE l.kind = 'adjustment' AND l.corrects IS NULL), 0) AS adjusted
                     FROM (SELECT e.kind, e.amount, e.corrects, l.paid > 0 AS priced,
                             EXISTS (SELECT FROM credit.true_up x WHERE x.account = e.account
                                 AND x.granted_lot = e.lot) AS of_shortfall
                         FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot AND l.unit = t.unit
                         WHERE e.account = t.account AND e.occurred_at >= t.starts_at AND e.occurred_at < t.ends_at) l) e
                 CROSS JOIN LATERAL (
                     SELECT COALESCE(sum(quantity) FILTER (WHERE kind = 'shortfall_due'), 0) AS shortfall_due,
                         COALESCE(sum(quantity) FILTER (WHERE kind = 'overage_due'), 0) AS overage_due,
                         COALESCE(sum(quantity) FILTER (WHERE kind = 'prepaid_in'), 0) AS prepaid_in,
                         COALESCE(sum(quantity) FILTER (WHERE kind = 'used_late'), 0) AS used_late,
                         string_agg(DISTINCT reference, ' ') FILTER (WHERE kind IN ('carried_in', 'prepaid_in')) AS carried_from,
                         COALESCE(sum(quantity) FILTER (WHERE kind = 'voided'), 0) AS voided,
                             COALESCE(sum(quantity) FILTER (WHERE kind = 'returned'), 0) AS returned,
                         COALESCE(sum(quantity) FILTER (WHERE kind = 'converted'), 0) AS converted,
                             COALESCE(sum(quantity) FILTER (WHERE kind = 'adjusted'), 0) AS adjusted
                     FROM credit.true_up_line l WHERE l.account = t.account AND l.true_up = t.true_up) d
                 CROSS JOIN LATERAL (
                     SELECT COALESCE(sum(k.amount), 0) AS corrected FROM credit.true_up_correction k JOIN credit.true_up o
                         ON o.account = k.account AND o.true_up = k.true_up
                     WHERE k.account = t.account AND o.unit = t.unit AND k.recorded_at >= t.starts_at
                         AND k.recorded_at < t.ends_at) k
                 WHERE $1 IS NULL OR t.account = $1) a) b) c
     WHERE c.shortfall <> GREATEST(c.committed - c.counted, 0) OR c.overage <> GREATEST(c.counted - c.committed, 0)
         OR c.carried_in <> c.carried
         OR c.prepaid <> c.bought OR c.prepaid_in <> c.prepaid_before OR c.prepaid_left <> c.unused - (c.shortfall - c.unpaid)
         OR c.shortfall_due NOT IN (0, c.unpaid) OR c.overage_due NOT IN (0, c.unpaid_overage)
             OR c.carried_forward NOT IN (0, c.unpaid_overage, - c.unpaid)
         OR c.used_late <> c.corrected OR c.carried_from <> 'true_up ' || c.before OR NOT c.flows_agree
     UNION ALL
     SELECT 'a closed period is paid for at its prices', t.account, NULL, d.quantity * d.unit_price || ' ' || t.currency,
         t.amount_due || ' in period ' || t.true_up
     FROM credit.true_up t JOIN credit.true_up_line d ON d.account = t.account AND d.true_up = t.true_up
         AND d.kind IN ('shortfall_due', 'overage_due')
     WHERE ($1 IS NULL OR t.account = $1) AND abs(t.amount_due - d.quantity * d.unit_price) > 1 + d.quantity * 0.000000000001
     UNION ALL
     SELECT 'a period is closed when it is over, and settled after that', account, NULL, ends_at::text,
         posted_at || COALESCE(', settled ' || settled_at, '')
     FROM credit.true_up WHERE ($1 IS NULL OR account = $1) AND (posted_at < ends_at OR settled_at < posted_at)
     UNION ALL
     SELECT 'an account is closed until its last closed period ends', a.account, NULL, COALESCE(t.ends_at::text, 'not closed'),
         COALESCE(a.closed_until::text, 'not closed')
     FROM credit.account a LEFT JOIN LATERAL (SELECT max(ends_at) AS ends_at FROM credit.true_up t WHERE t.account = a.account) t
         ON true
     WHERE ($1 IS NULL OR a.account = $1) AND a.closed_until IS DISTINCT FROM t.ends_at
     UNION ALL
     -- Where the clock was set back since the period was closed, it is dated where that ended.
     SELECT 'what corrects a closed period is in the ledger', c.account, NULL,
         COALESCE(e.amount || ' at ' || e.recorded_at, 'nothing'),
         concat_ws(' ', c.amount, 'at', c.recorded_at, 'of', c.occurred_at, 'in posting', c.posting)
     FROM credit.true_up_correction c JOIN credit.true_up t ON t.account = c.account AND t.true_up = c.true_up
     LEFT JOIN LATERAL (SELECT - sum(e.amount) FILTER (WHERE e.kind IN ('debit', 'adjustment')) AS amount,
         max(e.recorded_at) AS recorded_at
         FROM credit.entry e WHERE e.account = c.account AND e.posting = c.posting) e ON true
     WHERE ($1 IS NULL OR c.account = $1) AND (c.amount IS DISTINCT FROM e.amount OR c.recorded_at < t.ends_at
         OR c.occurred_at >= t.ends_at
         OR abs(EXTRACT(epoch FROM c.recorded_at - e.recorded_at)) >= 86400
         OR c.occurred_at < t.starts_at AND EXISTS (SELECT FROM credit.true_up o WHERE o.account = t.account AND o.unit = t.unit
             AND o.ends_at = t.starts_at))
     UNION ALL
     SELECT 'what corrects a debit of a closed period is noted', e.account, e.lot, 'a correction of the closed period',
         'none of posting ' || e.posting
     FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
     JOIN credit.entry d ON d.account = e.account AND d.posting = e.corrects AND d.line = 1 AND d.kind = 'debit'
     JOIN credit.true_up t ON t.account = e.account AND t.unit = l.unit AND d.occurred_at >= t.starts_at
         AND d.occurred_at < t.ends_at
     WHERE ($1 IS NULL OR e.account = $1) AND e.kind = 'adjustment' AND e.recorded_at > t.posted_at
         AND CASE WHEN EXISTS (SELECT FROM credit.true_up_correction c WHERE c.account = e.account
             AND c.posting = e.posting) THEN false
             -- By a clock that was set back since, the period was closed after the correction, which counted as it was.
             ELSE NOT EXISTS (SELECT FROM credit.entry x WHERE x.account = e.account AND x.posting > e.posting
                 AND x.recorded_at <= t.posted_at) END
     UNION ALL
     SELECT 'what is declared and closed of an account is in units that exist', x.account, NULL, x.unit, 'no such account or unit'
     FROM (SELECT account, unit FROM credit.true_up UNION SELECT account, unit FROM credit.true_up_terms UNION SELECT account,
         unit FROM credit.cap
         UNION SELECT account, unit FROM credit.schedule UNION SELECT account, unit FROM credit.purchase UNION SELECT account,
             unit FROM credit.subscription) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT (EXISTS (SELECT FROM credit.unit u WHERE u.unit = x.unit)
         AND EXISTS (SELECT FROM credit.account a WHERE a.account = x.account))
     UNION ALL
     SELECT 'every line and correction is of a closed period', x.account, NULL, 'period ' || x.true_up, 'none'
     FROM (SELECT account, true_up FROM credit.true_up_line UNION SELECT account, true_up FROM credit.true_up_correction) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT EXISTS (SELECT FROM credit.true_up t WHERE t.account = x.account
         AND t.true_up = x.true_up)",
);
