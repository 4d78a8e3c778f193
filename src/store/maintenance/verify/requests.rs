//! The proof of idempotency keys: the result of each request is there.

use crate::store::maintenance::verify::Invariants;

// A call that waits for locks in between records its posting later than its request. A debit under a key that posted nothing
// returned 0.
/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(
    "SELECT 'a request returned what it made' AS invariant, r.account, NULL::bigint AS lot, r.function || ' at ' || r.recorded_at,
         COALESCE('at ' || made.recorded_at, 'nothing') || ' with id ' || r.result || ' under key ' || r.key AS found
     FROM credit.request r LEFT JOIN LATERAL (
         SELECT e.recorded_at FROM credit.entry e WHERE r.function ~ '^credit_(try_)?(debit|charge)' AND e.account = r.account
             AND e.posting = r.result AND e.line = 1
             AND e.kind IN ('debit', 'expiry_reversal')
         UNION ALL SELECT e.recorded_at FROM credit.entry e WHERE r.function IN ('credit_transfer', 'credit_convert')
             AND e.account = r.account
             AND e.posting = r.result AND e.line = 1 AND e.kind IN ('move_out', 'convert_out')
         UNION ALL SELECT l.recorded_at FROM credit.lot l WHERE r.function = 'credit_grant' AND l.account = r.account
             AND l.lot = r.result
         UNION ALL SELECT b.recorded_at FROM credit.purchase_lot l JOIN credit.purchase b ON b.account = l.account
             AND b.purchase = l.purchase
             WHERE r.function = 'credit_purchase' AND l.account = r.account AND l.lot = r.result
         UNION ALL SELECT c.recorded_at FROM credit.plan_change c WHERE r.function = 'credit_change_plan'
             AND c.account = r.account AND c.change = r.result
         UNION ALL SELECT s.recorded_at FROM credit.schedule s WHERE r.function LIKE 'credit%schedule' AND s.account = r.account
             AND s.schedule = r.result
         UNION ALL SELECT h.held_at FROM credit.hold h WHERE r.function ~ '^credit_hold' AND h.account = r.account
             AND h.hold = r.result
         UNION ALL SELECT e.recorded_at FROM credit.entry e WHERE r.function ~ '^credit_capture' AND e.account = r.account
             AND e.posting = r.result AND e.hold IS NOT NULL
         UNION ALL SELECT e.recorded_at FROM credit.entry e WHERE r.function IN ('credit_refund', 'credit_withdraw')
             AND e.account = r.account AND e.posting = r.result AND e.kind IN ('adjustment', 'void')
         LIMIT 1) made ON true
     WHERE ($1 IS NULL OR r.account = $1) AND CASE WHEN r.function ~ ('^credit_(refund|withdraw|'
         || '(try_)?(debit|charge)|transfer|convert|grant|purchase|change_plan|(standard_)?schedule|hold|capture)')
         THEN (made.recorded_at IS NULL OR abs(EXTRACT(epoch FROM made.recorded_at - r.recorded_at)) >= 86400)
             AND NOT (r.function ~ 'debit|charge|transfer|capture' AND r.result = 0)
         ELSE NOT r.function ~ '^credit_[a-z_]+$' END",
);
