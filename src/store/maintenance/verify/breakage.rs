//! The proof of breakage: what expired, and what late usage took back of it.

use crate::store::maintenance::verify::Invariants;

pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "SELECT 'what is taken back of an expiry is debited at once' AS invariant, r.account, r.lot, (- r.amount)::text,
         COALESCE(d.kind || ' ' || d.amount, 'nothing') || ' after line ' || r.line || ' of posting ' || r.posting
     FROM credit.entry r LEFT JOIN credit.entry d ON d.account = r.account AND d.posting = r.posting AND d.line = r.line + 1
     WHERE r.kind = 'expiry_reversal' AND ($1 IS NULL OR r.account = $1)
         AND (d.kind, d.lot, d.amount) IS DISTINCT FROM ('debit', r.lot, - r.amount)
     UNION ALL
     SELECT 'what is taken back names an expiry of its lot', r.account, r.lot, 'an expiry',
         COALESCE(r.corrects::text, 'none') || ' in posting ' || r.posting
     FROM credit.entry r WHERE r.kind = 'expiry_reversal' AND ($1 IS NULL OR r.account = $1)
         AND NOT EXISTS (SELECT FROM credit.entry x WHERE x.account = r.account AND x.posting = r.corrects AND x.lot = r.lot
             AND x.kind = 'expiry')
     UNION ALL
     SELECT 'breakage is what expired and was not taken back', COALESCE(b.account, e.account), COALESCE(b.lot, e.lot),
         COALESCE(e.expired || ' less ' || e.taken_back || ' at ' || e.expires_at, 'no expiry'),
         COALESCE(b.expired || ' less ' || b.taken_back || ' at ' || b.expires_at, 'no breakage')
     FROM (SELECT * FROM credit.breakage WHERE $1 IS NULL OR account = $1) b
     FULL JOIN (
         SELECT x.account, x.posting, x.lot, x.occurred_at AS expires_at, - x.amount AS expired,
             COALESCE(r.taken_back, 0) AS taken_back
         FROM credit.entry x LEFT JOIN (
             SELECT account, corrects, lot, sum(amount) AS taken_back FROM credit.entry
             WHERE kind = 'expiry_reversal' AND ($1 IS NULL OR account = $1) GROUP BY account, corrects, lot) r
             ON r.account = x.account AND r.corrects = x.posting AND r.lot = x.lot
         WHERE x.kind = 'expiry' AND ($1 IS NULL OR x.account = $1)) e ON e.account = b.account AND e.posting = b.posting
     WHERE (b.lot, b.expires_at, b.expired, b.taken_back) IS DISTINCT FROM (e.lot, e.expires_at, e.expired, e.taken_back)
         OR b.taken_back > b.expired",
);
