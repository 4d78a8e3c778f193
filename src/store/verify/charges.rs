//! The proof of charges, and of the rates that they name.

use super::PARAMETERS;
use crate::store::statement::Statement;

pub static INVARIANTS: Statement = Statement::new(
    "SELECT 'a charge keeps its quantity, and a rate of its operation that was in effect' AS invariant, e.account, e.lot,
         COALESCE(r.operation || ' from ' || r.effective_at, 'a rate ' || e.rate),
         COALESCE(e.quantity || ' ', 'no quantity ') || COALESCE(e.operation, 'no operation') || ' at ' || e.occurred_at || ' in posting ' || e.posting
     FROM credit.entry e LEFT JOIN credit.rate r ON r.rate = e.rate
     WHERE e.rate IS NOT NULL AND ($1 IS NULL OR e.account = $1)
         AND NOT COALESCE(r.operation = e.operation AND e.occurred_at >= r.effective_at AND e.quantity >= 0, false)
     UNION ALL
     SELECT 'the lines of a charge have its quantity', account, NULL, 'above 0', sum(quantity) || ' in posting ' || posting
     FROM credit.entry WHERE rate IS NOT NULL AND ($1 IS NULL OR account = $1)
     GROUP BY account, posting HAVING sum(quantity) <= 0
     UNION ALL
     SELECT 'a period counts at least what was charged in it', c.account, NULL, c.quantity::text, COALESCE(u.quantity, 0) || ' of ' || c.operation
     FROM (
         SELECT e.account, r.card, r.operation, r.dimensions, r.tier_scope,
             date_trunc(r.tier_scope, e.occurred_at AT TIME ZONE a.time_zone) AT TIME ZONE a.time_zone AS period_start, sum(e.quantity) AS quantity
         FROM credit.entry e JOIN credit.rate r ON r.rate = e.rate JOIN credit.account a ON a.account = e.account
         WHERE r.tier_scope <> 'call' AND ($1 IS NULL OR e.account = $1) GROUP BY 1, 2, 3, 4, 5, 6) c
     LEFT JOIN credit.rate_usage u USING (account, card, operation, dimensions, tier_scope, period_start)
     WHERE c.quantity > COALESCE(u.quantity, 0)
     UNION ALL
     SELECT 'the versions of a rate do not overlap', NULL, NULL, o.effective_at || ' to ' || COALESCE(o.ended_at::text, 'open'),
         'rates ' || o.rate || ' and ' || r.rate || ' of ' || r.operation || ' on card ' || r.card
     FROM credit.rate o JOIN credit.rate r ON r.card = o.card AND r.operation = o.operation AND r.dimensions = o.dimensions AND r.rate > o.rate
         AND tstzrange(r.effective_at, r.ended_at) && tstzrange(o.effective_at, o.ended_at)
     WHERE $1 IS NULL",
    PARAMETERS,
);
