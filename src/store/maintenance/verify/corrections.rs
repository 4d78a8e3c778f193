//! The proof of corrections and of what lots hand on: what was given back is what the ledger says, line by line and within its
//! bounds.

use crate::store::maintenance::verify::Invariants;

// Several lines of one usage that got credits back are one sum: a correction names the usage and the lot, not the line.
pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "WITH adjustment AS MATERIALIZED (
         SELECT account, posting, lot, corrects, amount, COALESCE(quantity, 0) * sign(amount) AS quantity, member, department,
             operation, rate, dimensions, run
         FROM credit.entry WHERE kind = 'adjustment' AND ($1 IS NULL OR account = $1)
     ), given AS MATERIALIZED (
         SELECT c.account, c.posting, c.line, c.given_back, c.quantity, e.kind, e.amount, e.quantity AS of_quantity, e.lot,
             e.member, e.department,
             e.operation, e.rate, e.dimensions, e.run
         FROM credit.correction c LEFT JOIN credit.entry e ON e.account = c.account AND e.posting = c.posting AND e.line = c.line
         WHERE $1 IS NULL OR c.account = $1
     )
     SELECT 'a line of a debit gets back at most what it took' AS invariant, account, lot,
         COALESCE(- amount || ' for ' || COALESCE(of_quantity, 0), 'a debit'),
         given_back || ' for ' || quantity || ' to line ' || line || ' of posting ' || posting
     FROM given WHERE NOT COALESCE(kind = 'debit' AND given_back >= 0 AND given_back <= - amount AND quantity >= 0
         AND quantity <= COALESCE(of_quantity, 0), false)
     UNION ALL
     SELECT 'what is given back of a debit is what its corrections say', COALESCE(g.account, a.account), COALESCE(g.lot, a.lot),
         COALESCE(a.amount || ' for ' || a.quantity, 'no correction'),
         COALESCE(g.given_back || ' for ' || g.quantity, 'nothing given back') || ' of posting ' || COALESCE(g.posting, a.posting)
     FROM (SELECT account, posting, lot, row(member, department, operation, rate, dimensions, run)::text
         AS usage,
         sum(given_back) AS given_back,
               sum(quantity) AS quantity FROM given WHERE kind = 'debit' GROUP BY 1, 2, 3, 4) g
     FULL JOIN (SELECT account, corrects AS posting, lot, row(member, department, operation, rate, dimensions, run)::text
         AS usage,
         sum(amount) AS amount,
               sum(quantity) AS quantity FROM adjustment WHERE corrects IS NOT NULL GROUP BY 1, 2, 3, 4) a
         ON a.account = g.account AND a.posting = g.posting AND a.lot = g.lot AND a.usage = g.usage
     WHERE (g.given_back, g.quantity) IS DISTINCT FROM (a.amount, a.quantity)
     UNION ALL
     SELECT 'what is corrected is a debit', a.account, a.lot, 'a line of a debit of posting ' || a.corrects,
         'none, for posting ' || a.posting
     FROM adjustment a WHERE a.corrects IS NOT NULL AND NOT EXISTS (SELECT FROM credit.entry d
         WHERE ($1 IS NULL OR d.account = $1) AND d.account = a.account
         AND d.posting = a.corrects AND d.kind = 'debit' AND d.lot = a.lot)
     UNION ALL
     SELECT 'what is corrected is a debit', e.account, e.lot, 'a debit in posting ' || e.corrects,
         'none, for posting ' || e.posting
     FROM credit.entry e WHERE e.kind = 'debit' AND e.corrects IS NOT NULL AND ($1 IS NULL OR e.account = $1)
         AND NOT EXISTS (SELECT FROM credit.entry d WHERE d.account = e.account AND d.posting = e.corrects AND d.kind = 'debit')
     UNION ALL
     SELECT 'what came back to a lot is what the ledger says', COALESCE(g.account, a.account), COALESCE(g.lot, a.lot),
         COALESCE(a.adjusted || ' adjusted, ' || a.given_back || ' given back', 'nothing'),
         COALESCE(g.adjusted || ' adjusted, ' || g.given_back || ' given back', 'nothing')
     FROM (SELECT account, lot, adjusted, given_back FROM credit.lot_gain WHERE $1 IS NULL OR account = $1) g
     FULL JOIN (SELECT account, lot, COALESCE(sum(amount) FILTER (WHERE corrects IS NULL), 0) AS adjusted,
             COALESCE(sum(amount) FILTER (WHERE corrects IS NOT NULL), 0) AS given_back FROM adjustment GROUP BY account, lot) a
         ON a.account = g.account AND a.lot = g.lot
     WHERE (g.adjusted, g.given_back) IS DISTINCT FROM (a.adjusted, a.given_back)
     UNION ALL
     SELECT 'what a lot hands on costs no more than the lot', p.account, p.lot, p.paid::text, sum(c.paid)::text
     FROM credit.lot p JOIN credit.lot c ON c.account = p.account AND c.parent = p.lot
     WHERE $1 IS NULL OR p.account = $1 GROUP BY p.account, p.lot HAVING sum(c.paid) > p.paid
     UNION ALL
     -- Of a lot that something came back to, part by part: the credits that it was granted with leave it first, and only they
     -- have a price.
     SELECT 'what a lot gained is handed on without a price', h.account, h.lot, trunc(h.paid * h.original / h.granted, 9)::text,
         h.handed_on || ' for ' || h.amount || ' in posting ' || h.posting
     FROM (SELECT w.account, w.lot, w.posting, w.granted, w.paid, - w.amount AS amount,
               LEAST(- w.amount, w.granted, GREATEST(w.held - GREATEST(w.adjusted, 0), 0)) AS original,
               m.paid AS handed_on
           FROM (SELECT e.account, e.lot, e.posting, e.kind, e.amount, l.granted, l.paid,
                     sum(e.amount) OVER earlier AS held,
                     COALESCE(sum(e.amount) FILTER (WHERE e.kind = 'adjustment' AND e.corrects IS NULL) OVER earlier,
                         0) AS adjusted
                 FROM credit.lot_gain g JOIN credit.lot l ON l.account = g.account AND l.lot = g.lot AND l.paid IS NOT NULL
                     JOIN credit.entry e ON e.account = g.account AND e.lot = g.lot
                 WHERE $1 IS NULL OR g.account = $1
                 WINDOW earlier AS (PARTITION BY e.account, e.lot ORDER BY e.posting, e.line
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) w
           LEFT JOIN (SELECT i.account, i.posting, c.parent, sum(c.paid) AS paid
               FROM credit.entry i JOIN credit.lot c ON c.account = i.account AND c.lot = i.lot
               WHERE i.kind IN ('move_in', 'convert_in', 'roll_in') AND c.parent IS NOT NULL AND ($1 IS NULL OR i.account = $1)
               GROUP BY i.account, i.posting, c.parent) m ON m.account = w.account AND m.posting = w.posting AND m.parent = w.lot
           WHERE w.kind IN ('move_out', 'convert_out', 'roll_out')) h
     WHERE h.handed_on > h.paid * h.original / h.granted + 0.000000001",
);
