//! The proof of what columns say that no table checks: quantities, instants and dimensions of restored rows.

use crate::store::maintenance::verify::Invariants;

pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "SELECT 'a quantity is a number that is not negative' AS invariant, account, lot, '0 or more, below 10^15',
        quantity || ' in posting ' || posting
     FROM credit.entry WHERE ($1 IS NULL OR account = $1) AND NOT (quantity >= 0 AND quantity < 1e15)
     UNION ALL
     SELECT 'instants are finite', account, lot, 'finite', occurred_at || ' and ' || recorded_at || ' in posting ' || posting
     FROM credit.entry WHERE ($1 IS NULL OR account = $1) AND NOT (isfinite(occurred_at) AND isfinite(recorded_at))
     UNION ALL
     SELECT 'instants are finite', account, lot, 'finite', effective_at || ', ' || COALESCE(expires_at::text,
         'never') || ' and ' || recorded_at
     FROM credit.lot WHERE ($1 IS NULL OR account = $1)
         AND NOT (isfinite(effective_at) AND isfinite(recorded_at) AND COALESCE(isfinite(expires_at), true))
     UNION ALL
     SELECT 'dimensions are a flat object of texts', account, lot, 'texts', dimensions::text || ' in posting ' || posting
     FROM credit.entry WHERE dimensions IS NOT NULL AND ($1 IS NULL OR account = $1) AND (jsonb_typeof(dimensions) <> 'object'
         OR EXISTS (SELECT FROM jsonb_each(CASE WHEN jsonb_typeof(dimensions) = 'object' THEN dimensions ELSE '{}' END) AS d
             WHERE jsonb_typeof(d.value) <> 'string'))",
);
