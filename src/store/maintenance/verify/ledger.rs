//! The proof of the ledger: each line by itself, and against the lot that it is about.

use crate::store::maintenance::verify::Invariants;

// Each line's lot is looked up: the planner takes account and lot for independent, and would join lines and lots by account
// alone. Of the lines only those that may be wrong are kept.
/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(
    "WITH doubtful AS MATERIALIZED (
         SELECT e.account, e.lot, e.posting, e.line, e.kind, e.amount, e.member, e.operation, e.hold, e.occurred_at,
             e.recorded_at, l.*
         FROM credit.entry e
         CROSS JOIN LATERAL (SELECT l.member AS owner, l.applies_to, l.effective_at, l.expires_at, u.decimals
             FROM credit.lot l LEFT JOIN credit.unit u ON u.unit = l.unit WHERE l.account = e.account
                 AND l.lot = e.lot OFFSET 0) AS l
         WHERE ($1 IS NULL OR e.account = $1) AND (scale(trim_scale(e.amount)) > l.decimals OR e.kind = 'debit'
             AND (l.owner IS DISTINCT FROM e.member
             AND l.owner IS NOT NULL OR l.applies_to IS NOT NULL OR LEAST(e.occurred_at, e.recorded_at) < l.effective_at
             OR GREATEST(e.occurred_at, e.recorded_at) >= l.expires_at))
     ), debits AS (
         SELECT * FROM doubtful WHERE kind = 'debit'
     )
     SELECT 'every line is of a known kind, and of its sign' AS invariant, account, lot, 'a kind and its sign',
         kind || ' ' || amount || ' in posting ' || posting
     FROM credit.entry WHERE ($1 IS NULL OR account = $1) AND NOT CASE
         WHEN kind IN ('grant', 'move_in', 'convert_in', 'roll_in', 'expiry_reversal') THEN amount > 0
         WHEN kind IN ('debit', 'void', 'expiry', 'move_out', 'convert_out', 'return', 'roll_out') THEN amount < 0
         WHEN kind = 'adjustment' THEN amount <> 0 ELSE false END
     UNION ALL
     SELECT 'every row is posted', account, lot, 'posted', 'entry of posting ' || posting || ' not posted'
     FROM credit.entry WHERE NOT posted AND ($1 IS NULL OR account = $1)
     UNION ALL
     SELECT 'a debit falls into the life of its lot', account, lot,
         '[' || effective_at || ', ' || COALESCE(expires_at::text, 'never') || ')',
         'posting ' || posting || ' at ' || recorded_at
     FROM debits d WHERE d.hold IS NULL AND CASE WHEN EXISTS (SELECT FROM credit.entry r WHERE ($1 IS NULL OR r.account = $1)
         AND r.account = d.account AND r.posting = d.posting
             AND r.line = d.line - 1 AND r.lot = d.lot AND r.kind = 'expiry_reversal' AND r.amount = - d.amount)
         THEN occurred_at < effective_at OR occurred_at >= expires_at ELSE recorded_at < effective_at
             OR recorded_at >= expires_at END
     UNION ALL
     SELECT 'a member''s lot pays for that member only', account, lot, owner,
         COALESCE(member, 'no member') || ' in posting ' || posting
     FROM debits WHERE owner IS NOT NULL AND owner IS DISTINCT FROM member
     UNION ALL
     SELECT 'a lot pays for the operations it applies to', account, lot, applies_to::text,
         COALESCE(operation, 'no operation') || ' in posting ' || posting
     FROM debits WHERE applies_to IS NOT NULL AND NOT COALESCE(operation = ANY (applies_to), false)
     UNION ALL
     SELECT 'no amount has more decimals than its unit', account, lot, decimals::text, amount::text
     FROM doubtful WHERE scale(trim_scale(amount)) > decimals
     UNION ALL
     SELECT 'a move between lots adds up to nothing', account, NULL, '0', sum(amount) || ' in posting ' || posting
     FROM credit.entry WHERE kind IN ('move_out', 'move_in', 'roll_out', 'roll_in') AND ($1 IS NULL OR account = $1)
     GROUP BY account, posting HAVING sum(amount) <> 0",
);
