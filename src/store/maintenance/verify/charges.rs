//! The proof of charges, and of the rates that they name.

use crate::store::maintenance::verify::Invariants;

pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "SELECT 'a charge keeps its quantity, and a rate of its operation that was in effect' AS invariant, e.account, e.lot,
         COALESCE(r.operation || ' from ' || r.effective_at, 'a rate ' || e.rate),
         COALESCE(e.quantity || ' ', 'no quantity ') || COALESCE(e.operation,
             'no operation') || ' at ' || e.occurred_at || ' in posting ' || e.posting
     FROM credit.entry e LEFT JOIN credit.rate r ON r.rate = e.rate
     WHERE e.rate IS NOT NULL AND ($1 IS NULL OR e.account = $1) AND NOT COALESCE(r.operation = e.operation
         AND (e.kind <> 'debit' OR e.occurred_at >= r.effective_at)
         AND COALESCE(e.quantity, CASE e.kind WHEN 'adjustment' THEN 0 END) >= 0, false)
     UNION ALL
     SELECT 'the lines of a charge have its quantity', account, NULL, 'above 0', sum(quantity) || ' in posting ' || posting
     FROM credit.entry WHERE rate IS NOT NULL AND kind = 'debit' AND ($1 IS NULL OR account = $1)
     GROUP BY account, posting HAVING sum(quantity) <= 0
     UNION ALL
     SELECT 'a period counts at least what was charged in it', c.account, NULL, c.quantity::text,
         COALESCE(u.quantity, 0) || ' of ' || c.operation
     FROM (
         SELECT e.account, r.card, r.operation, r.dimensions, r.tier_scope,
             date_trunc(r.tier_scope, e.occurred_at AT TIME ZONE a.time_zone) AT TIME ZONE a.time_zone AS period_start,
                 sum(e.quantity) AS quantity
         FROM credit.entry e JOIN credit.rate r ON r.rate = e.rate JOIN credit.account a ON a.account = e.account
         WHERE r.tier_scope <> 'call' AND e.kind = 'debit' AND ($1 IS NULL OR e.account = $1) GROUP BY 1, 2, 3, 4, 5, 6) c
     LEFT JOIN (SELECT * FROM credit.rate_usage WHERE $1 IS NULL OR account = $1) u USING (account, card, operation, dimensions,
         tier_scope, period_start)
     WHERE c.quantity > COALESCE(u.quantity, 0)
     UNION ALL
     SELECT 'the versions of a rate do not overlap', NULL, NULL, o.effective_at || ' to ' || COALESCE(o.ended_at::text, 'open'),
         'rates ' || o.rate || ' and ' || r.rate || ' of ' || r.operation || ' on card ' || r.card
     FROM credit.rate o JOIN credit.rate r ON r.card = o.card AND r.operation = o.operation AND r.dimensions = o.dimensions
         AND r.rate > o.rate
         AND tstzrange(r.effective_at, r.ended_at) && tstzrange(o.effective_at, o.ended_at)
     WHERE $1 IS NULL
     UNION ALL
     SELECT 'a charge costs what its rate says', c.account, NULL, c.price || ' for ' || c.quantity,
         c.amount || ' in posting ' || c.posting
     FROM (SELECT e.account, e.posting, e.amount, e.quantity, e.lines, r.block OR r.minimum IS NOT NULL AS jumps, u.decimals,
             GREATEST(CASE WHEN r.block THEN ceil(e.quantity / r.per) * r.credits ELSE e.quantity * r.credits / r.per END,
                 COALESCE(r.minimum, 0)) AS price
         FROM (SELECT account, posting, rate, - sum(amount) AS amount, sum(quantity) AS quantity, count(*) AS lines
             FROM credit.entry WHERE rate IS NOT NULL AND kind = 'debit' AND ($1 IS NULL OR account = $1) GROUP BY account,
                 posting, rate) e
         JOIN credit.rate r ON r.rate = e.rate JOIN credit.rate_card k ON k.card = r.card JOIN credit.unit u ON u.unit = k.unit
         WHERE r.tier_from IS NULL) c
     -- Several lines may be one charge of several lots or several charges, each of which is rounded, and a block or a minimum for
     -- itself.
     WHERE c.amount < c.price - c.lines * ('1e-' || c.decimals)::numeric OR c.amount > c.price * CASE WHEN c.jumps THEN c.lines
         ELSE 1 END + c.lines * ('1e-' || c.decimals)::numeric
     UNION ALL
     SELECT 'a charge has the dimensions of its rate', e.account, e.lot, r.dimensions::text,
         COALESCE(e.dimensions::text, 'none') || ' in posting ' || e.posting
     FROM credit.entry e JOIN credit.rate r ON r.rate = e.rate
     WHERE ($1 IS NULL OR e.account = $1) AND NOT COALESCE(e.dimensions, '{}') @> r.dimensions
     UNION ALL
     SELECT 'a charge is for a lot in the unit of its card, before its rate ended', e.account, e.lot,
         k.unit || ' until ' || COALESCE(r.ended_at::text, 'now'),
         l.unit || ' at ' || e.occurred_at || ' in posting ' || e.posting
     FROM credit.entry e JOIN credit.rate r ON r.rate = e.rate JOIN credit.rate_card k ON k.card = r.card
     JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
     WHERE ($1 IS NULL OR e.account = $1) AND l.unit <> k.unit
     UNION ALL
     SELECT 'what is counted of a period is of a rate that counts over it', u.account, NULL, 'a rate of ' || u.operation,
         'none that counts by ' || u.tier_scope || ' from ' || u.period_start
     FROM credit.rate_usage u JOIN credit.account a ON a.account = u.account
     WHERE ($1 IS NULL OR u.account = $1) AND (NOT EXISTS (SELECT FROM credit.rate r WHERE r.card = u.card
         AND r.operation = u.operation
             AND r.dimensions = u.dimensions AND r.tier_scope = u.tier_scope)
         OR u.period_start <> date_trunc(u.tier_scope, u.period_start AT TIME ZONE a.time_zone) AT TIME ZONE a.time_zone)
     UNION ALL
     SELECT 'a version of a rate was published with its card', NULL, NULL, k.published_at::text,
         r.published_at || ' of rate ' || r.rate
     FROM credit.rate r JOIN credit.rate_card k ON k.card = r.card WHERE $1 IS NULL
         AND (r.published_at > k.published_at OR k.published_at IS NULL)
     UNION ALL
     SELECT 'a draft has an id of its own', NULL, NULL, 'no rate ' || d.rate, 'one' FROM credit.rate_draft d JOIN credit.rate r
         ON r.rate = d.rate WHERE $1 IS NULL",
);
