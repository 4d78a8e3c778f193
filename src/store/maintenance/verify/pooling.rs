//! The proof of pooling: debits look for the rules there are, and departments are paths.

use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(
    "WITH rules AS MATERIALIZED (
         SELECT *, num_nonnulls(agreement, member, department) = 0 AS of_account FROM credit.pooling
             WHERE $1 IS NULL OR account = $1
     ), places AS (
         SELECT account, department FROM credit.member WHERE department IS NOT NULL AND ($1 IS NULL OR account = $1)
         UNION SELECT account, department FROM rules WHERE department IS NOT NULL
     )
     SELECT 'debits look for the rules of pooling that there are', a.account, NULL::bigint, 'has_pooling_rules',
         'rule ' || min(r.rule)
     FROM rules r JOIN credit.account a ON a.account = r.account
     WHERE ($1 IS NULL OR a.account = $1) AND NOT a.has_pooling_rules
         AND NOT (r.of_account AND COALESCE(r.effective_at <= r.recorded_at, true)) GROUP BY a.account
     UNION ALL
     SELECT 'an account without other rules pools as it was told last', a.account, NULL, r.pooling, a.pooling
     FROM credit.account a CROSS JOIN LATERAL (SELECT r.pooling FROM rules r
         WHERE r.account = a.account AND r.of_account ORDER BY r.effective_at DESC NULLS LAST, r.rule DESC LIMIT 1) r
     WHERE ($1 IS NULL OR a.account = $1) AND NOT a.has_pooling_rules AND r.pooling <> a.pooling
     UNION ALL
     SELECT 'a rule of pooling is recorded before it counts', account, NULL, effective_at::text, recorded_at::text
     FROM rules WHERE effective_at < recorded_at
     UNION ALL
     SELECT 'a rule of pooling is for an account and a member that exist', r.account, NULL, COALESCE(r.member, r.account), 'none'
     FROM rules r WHERE NOT EXISTS (SELECT FROM credit.account a WHERE a.account = r.account)
         OR r.member IS NOT NULL AND NOT EXISTS (SELECT FROM credit.member m WHERE m.account = r.account AND m.member = r.member)
     UNION ALL
     SELECT 'a department is a path', account, NULL, 'levels between slashes', department
     FROM places WHERE department ~ '(^|/)(/|$)'
     UNION ALL
     SELECT 'debits look for rules of pooling only where there are some', a.account, NULL, 'a rule', 'none'
     FROM credit.account a WHERE ($1 IS NULL OR a.account = $1) AND a.has_pooling_rules
         AND NOT EXISTS (SELECT FROM rules r WHERE r.account = a.account)
     UNION ALL
     SELECT 'a rule of pooling is of an agreement that exists', r.account, NULL, 'agreement ' || r.agreement, 'none'
     FROM rules r WHERE r.agreement IS NOT NULL AND NOT EXISTS (SELECT FROM credit.agreement g WHERE g.account = r.account
         AND g.agreement = r.agreement)",
);
