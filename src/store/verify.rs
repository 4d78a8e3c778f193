//! The proof of the books: each invariant is a query that returns what violates it. All of them see what the calling query sees, so one
//! instant.

use pgrx::pg_sys::TEXTOID;

use super::statement::{Row, Statement};
use super::{verify_caps, verify_pooling, verify_rollup, verify_schedules};

/// A violated invariant.
pub struct Violation {
    pub invariant: String,
    pub account: Option<String>,
    pub lot: Option<i64>,
    pub expected: Option<String>,
    pub found: Option<String>,
}

// Each line's lot is looked up: the planner takes account and lot for independent, and would join lines and lots by account alone. Of the
// lines only those that may be wrong are kept.
static VIOLATIONS: Statement = Statement::new(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     ), slots AS MATERIALIZED (
         SELECT account, lot, sum(remaining) AS remaining, count(*) AS slots, min(remaining) AS least,
             min(slot) AS first, max(slot) AS last
         FROM credit.slot WHERE $1 IS NULL OR account = $1 GROUP BY account, lot
     ), entries AS MATERIALIZED (
         SELECT account, lot, sum(amount) AS amount, count(*) FILTER (WHERE kind IN ('grant', 'move_in', 'convert_in', 'roll_in')) AS grants,
             sum(amount) FILTER (WHERE kind IN ('grant', 'move_in', 'convert_in', 'roll_in')) AS granted
         FROM credit.entry WHERE $1 IS NULL OR account = $1 GROUP BY account, lot
     ), doubtful AS MATERIALIZED (
         SELECT e.account, e.lot, e.posting, e.line, e.kind, e.amount, e.member, e.operation, e.occurred_at, e.recorded_at, l.*
         FROM credit.entry e
         CROSS JOIN LATERAL (SELECT l.member AS owner, l.applies_to, l.effective_at, l.expires_at, u.decimals
             FROM credit.lot l LEFT JOIN credit.unit u ON u.unit = l.unit WHERE l.account = e.account AND l.lot = e.lot OFFSET 0) AS l
         WHERE ($1 IS NULL OR e.account = $1) AND (scale(trim_scale(e.amount)) > l.decimals OR e.kind = 'debit' AND (l.owner IS DISTINCT FROM e.member
             AND l.owner IS NOT NULL OR l.applies_to IS NOT NULL OR LEAST(e.occurred_at, e.recorded_at) < l.effective_at
             OR GREATEST(e.occurred_at, e.recorded_at) >= l.expires_at))
     ), debits AS (
         SELECT * FROM doubtful WHERE kind = 'debit'
     )
     SELECT 'a lot''s slots hold what its entries add up to' AS invariant, COALESCE(e.account, s.account) AS account,
         COALESCE(e.lot, s.lot) AS lot, COALESCE(e.amount, 0)::text AS expected, COALESCE(s.remaining, 0)::text AS found
     FROM entries e FULL JOIN slots s ON s.account = e.account AND s.lot = e.lot
     WHERE COALESCE(e.amount, 0) <> COALESCE(s.remaining, 0)
     UNION ALL
     SELECT 'no slot is below zero', account, lot, '0', least::text FROM slots WHERE least < 0
     UNION ALL
     SELECT 'every lot has its slots, numbered from 0', l.account, l.lot, l.slots::text, COALESCE(s.slots, 0)::text
     FROM lots l LEFT JOIN slots s ON s.account = l.account AND s.lot = l.lot
     WHERE (s.slots, s.first, s.last) IS DISTINCT FROM (l.slots::bigint, 0::smallint, (l.slots - 1)::smallint)
     UNION ALL
     SELECT 'every slot and entry has its lot', x.account, x.lot, 'a lot', 'none'
     FROM (SELECT account, lot FROM slots UNION SELECT account, lot FROM entries) x
     WHERE NOT EXISTS (SELECT FROM lots l WHERE l.account = x.account AND l.lot = x.lot)
     UNION ALL
     SELECT 'a lot''s first entry grants it, once and wholly', l.account, l.lot, l.granted::text, COALESCE(e.granted, 0)::text
     FROM lots l LEFT JOIN entries e ON e.account = l.account AND e.lot = l.lot
     WHERE e.grants IS DISTINCT FROM 1 OR e.granted IS DISTINCT FROM l.granted
     UNION ALL
     SELECT 'a closed lot holds nothing', l.account, l.lot, '0', s.remaining::text
     FROM lots l JOIN slots s ON s.account = l.account AND s.lot = l.lot WHERE l.closed AND s.remaining <> 0
     UNION ALL
     SELECT 'every line is of a known kind, and of its sign', account, lot, 'a kind and its sign', kind || ' ' || amount || ' in posting ' || posting
     FROM credit.entry WHERE ($1 IS NULL OR account = $1) AND NOT CASE
         WHEN kind IN ('grant', 'move_in', 'convert_in', 'roll_in', 'expiry_reversal') THEN amount > 0
         WHEN kind IN ('debit', 'void', 'expiry', 'move_out', 'convert_out', 'return', 'roll_out') THEN amount < 0
         WHEN kind = 'adjustment' THEN amount <> 0 ELSE false END
     UNION ALL
     SELECT 'every row is posted', account, lot, 'posted', 'lot not posted' FROM lots WHERE NOT posted
     UNION ALL
     SELECT 'every row is posted', account, lot, 'posted', 'entry of posting ' || posting || ' not posted'
     FROM credit.entry WHERE NOT posted AND ($1 IS NULL OR account = $1)
     UNION ALL
     SELECT 'a debit falls into the life of its lot', account, lot, '[' || effective_at || ', ' || COALESCE(expires_at::text, 'never') || ')',
         'posting ' || posting || ' at ' || recorded_at
     FROM debits d WHERE CASE WHEN EXISTS (SELECT FROM credit.entry r WHERE r.account = d.account AND r.posting = d.posting
             AND r.line = d.line - 1 AND r.lot = d.lot AND r.kind = 'expiry_reversal' AND r.amount = - d.amount)
         THEN occurred_at < effective_at OR occurred_at >= expires_at ELSE recorded_at < effective_at OR recorded_at >= expires_at END
     UNION ALL
     SELECT 'what is taken back of an expiry is debited at once', r.account, r.lot, (- r.amount)::text,
         COALESCE(d.kind || ' ' || d.amount, 'nothing') || ' after line ' || r.line || ' of posting ' || r.posting
     FROM credit.entry r LEFT JOIN credit.entry d ON d.account = r.account AND d.posting = r.posting AND d.line = r.line + 1
     WHERE r.kind = 'expiry_reversal' AND ($1 IS NULL OR r.account = $1)
         AND (d.kind, d.lot, d.amount) IS DISTINCT FROM ('debit', r.lot, - r.amount)
     UNION ALL
     SELECT 'what is taken back names an expiry of its lot', r.account, r.lot, 'an expiry', COALESCE(r.corrects::text, 'none') || ' in posting ' || r.posting
     FROM credit.entry r WHERE r.kind = 'expiry_reversal' AND ($1 IS NULL OR r.account = $1)
         AND NOT EXISTS (SELECT FROM credit.entry x WHERE x.account = r.account AND x.posting = r.corrects AND x.lot = r.lot AND x.kind = 'expiry')
     UNION ALL
     SELECT 'breakage is what expired and was not taken back', COALESCE(b.account, e.account), COALESCE(b.lot, e.lot),
         COALESCE(e.expired || ' less ' || e.taken_back || ' at ' || e.expires_at, 'no expiry'),
         COALESCE(b.expired || ' less ' || b.taken_back || ' at ' || b.expires_at, 'no breakage')
     FROM (SELECT * FROM credit.breakage WHERE $1 IS NULL OR account = $1) b
     FULL JOIN (
         SELECT x.account, x.posting, x.lot, x.occurred_at AS expires_at, - x.amount AS expired, COALESCE(r.taken_back, 0) AS taken_back
         FROM credit.entry x LEFT JOIN (
             SELECT account, corrects, lot, sum(amount) AS taken_back FROM credit.entry
             WHERE kind = 'expiry_reversal' AND ($1 IS NULL OR account = $1) GROUP BY account, corrects, lot) r
             ON r.account = x.account AND r.corrects = x.posting AND r.lot = x.lot
         WHERE x.kind = 'expiry' AND ($1 IS NULL OR x.account = $1)) e ON e.account = b.account AND e.posting = b.posting
     WHERE (b.lot, b.expires_at, b.expired, b.taken_back) IS DISTINCT FROM (e.lot, e.expires_at, e.expired, e.taken_back)
         OR b.taken_back > b.expired
     UNION ALL
     SELECT 'a member''s lot pays for that member only', account, lot, owner, COALESCE(member, 'no member') || ' in posting ' || posting
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
     GROUP BY account, posting HAVING sum(amount) <> 0
     UNION ALL
     SELECT 'a moved lot keeps its cost basis, and never more than its price', l.account, l.lot, p.cost_basis || ' of ' || p.paid,
         l.cost_basis || ' of ' || l.paid
     FROM lots l JOIN credit.lot p ON p.account = l.account AND p.lot = l.parent
     WHERE l.unit = p.unit AND (l.cost_basis IS DISTINCT FROM p.cost_basis OR l.currency IS DISTINCT FROM p.currency OR l.paid > p.paid)
     UNION ALL
     SELECT 'a conversion moves what it records', COALESCE(c.account, e.account), NULL,
         COALESCE(c.from_amount || ' ' || c.from_unit || ' to ' || c.to_amount || ' ' || c.to_unit, 'a recorded conversion'),
         COALESCE(e.given || ' ' || e.from_units || ' to ' || e.got || ' ' || e.to_units, 'no entries') || ' in posting '
             || COALESCE(c.posting, e.posting)
     FROM (SELECT * FROM credit.conversion WHERE $1 IS NULL OR account = $1) c
     FULL JOIN (
         SELECT e.account, e.posting, - sum(e.amount) FILTER (WHERE kind = 'convert_out') AS given,
             sum(e.amount) FILTER (WHERE kind = 'convert_in') AS got,
             string_agg(DISTINCT l.unit, ',') FILTER (WHERE kind = 'convert_out') AS from_units,
             string_agg(DISTINCT l.unit, ',') FILTER (WHERE kind = 'convert_in') AS to_units
         FROM credit.entry e JOIN lots l ON l.account = e.account AND l.lot = e.lot
         WHERE e.kind IN ('convert_out', 'convert_in') GROUP BY e.account, e.posting) e ON e.account = c.account AND e.posting = c.posting
     WHERE (c.from_amount, c.to_amount, c.from_unit, c.to_unit) IS DISTINCT FROM (e.given, e.got, e.from_units, e.to_units)
         OR abs(c.from_amount * c.rate - c.to_amount) > 1 + c.from_amount * 0.00000000000001
     UNION ALL
     SELECT 'a converted lot keeps its terms', l.account, l.lot,
         concat_ws(' ', p.member, p.category, p.source, p.priority, p.applies_to, p.effective_at, p.expires_at, p.currency),
         concat_ws(' ', l.member, l.category, l.source, l.priority, l.applies_to, l.effective_at, l.expires_at, l.currency)
     FROM lots l JOIN credit.lot p ON p.account = l.account AND p.lot = l.parent
     WHERE l.unit <> p.unit AND (l.member, l.category, l.source, l.priority, l.applies_to, l.effective_at, l.expires_at, l.currency)
         IS DISTINCT FROM (p.member, p.category, p.source, p.priority, p.applies_to, p.effective_at, p.expires_at, p.currency)
     UNION ALL
     SELECT 'conversions carry the price of what they take, to the last decimal', p.account, p.lot,
         CASE WHEN c.given = p.granted THEN p.paid ELSE trunc(p.paid * c.given / p.granted, 9) END::text, c.paid::text
     FROM lots p JOIN (
         SELECT o.account, o.lot, - sum(o.amount) AS given, count(*) AS times,
             sum((SELECT sum(l.paid) FROM credit.entry i JOIN credit.lot l ON l.account = i.account AND l.lot = i.lot
                 WHERE i.account = o.account AND i.posting = o.posting AND i.kind = 'convert_in' AND l.parent = o.lot)) AS paid
         FROM credit.entry o WHERE o.kind = 'convert_out' AND ($1 IS NULL OR o.account = $1) GROUP BY o.account, o.lot) c
         ON c.account = p.account AND c.lot = p.lot
     WHERE p.paid IS NOT NULL AND NOT EXISTS (SELECT FROM credit.entry a
             WHERE a.account = p.account AND a.lot = p.lot AND a.kind = 'adjustment' AND a.amount > 0)
         AND (c.paid IS NULL OR abs(c.paid - p.paid * c.given / p.granted) > c.times * 0.000000001
             OR c.paid > p.paid OR c.given = p.granted AND c.paid <> p.paid)
     UNION ALL
     SELECT 'what is due of a closed period is the sum of its lines', c.account, NULL, c.amount_due::text, n.due::text
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
     WHERE ($1 IS NULL OR c.account = $1) AND (e.occurred_at >= t.ends_at) IS NOT TRUE
     UNION ALL
     SELECT 'every account, member and unit that is named exists', x.account, NULL, x.account, 'no such account'
     FROM (SELECT account FROM lots UNION SELECT account FROM entries
         UNION SELECT account FROM credit.member WHERE $1 IS NULL OR account = $1) x
     WHERE NOT EXISTS (SELECT FROM credit.account a WHERE a.account = x.account)
     UNION ALL
     SELECT 'every account, member and unit that is named exists', l.account, l.lot, l.member, 'no such member'
     FROM lots l WHERE l.member IS NOT NULL
         AND NOT EXISTS (SELECT FROM credit.member m WHERE m.account = l.account AND m.member = l.member)
     UNION ALL
     SELECT 'every account, member and unit that is named exists', l.account, l.lot, l.unit, 'no such unit'
     FROM lots l WHERE NOT EXISTS (SELECT FROM credit.unit u WHERE u.unit = l.unit)
     UNION ALL
     SELECT 'every account, member and unit that is named exists', a.account, NULL, a.unit, 'no such unit'
     FROM credit.account a WHERE ($1 IS NULL OR a.account = $1) AND NOT EXISTS (SELECT FROM credit.unit u WHERE u.unit = a.unit)
     UNION ALL
     SELECT DISTINCT 'every account, member and unit that is named exists', e.account, NULL::bigint, e.member, 'no such member'
     FROM credit.entry e WHERE e.member IS NOT NULL AND ($1 IS NULL OR e.account = $1)
         AND NOT EXISTS (SELECT FROM credit.member m WHERE m.account = e.account AND m.member = e.member)
     UNION ALL
     SELECT 'a charge keeps its quantity, and a rate of its operation that was in effect', e.account, e.lot,
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
     WHERE $1 IS NULL
     UNION ALL
     SELECT 'every card and unit that is named exists', x.account, NULL, x.name, 'no such ' || x.kind
     FROM (
         SELECT account, rate_card AS name, 'card' AS kind FROM credit.account WHERE rate_card IS NOT NULL
         UNION SELECT account, card, 'card' FROM credit.rate_usage
         UNION SELECT NULL, card, 'card' FROM credit.rate
         UNION SELECT NULL, card, 'card' FROM credit.rate_draft
         UNION SELECT NULL, unit, 'unit' FROM credit.rate_card
         UNION SELECT NULL, unit, 'unit' FROM credit.unit_value) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT EXISTS (SELECT FROM credit.rate_card c WHERE x.kind = 'card' AND c.card = x.name)
         AND NOT EXISTS (SELECT FROM credit.unit u WHERE x.kind = 'unit' AND u.unit = x.name)     UNION ALL
     SELECT 'the lots of a purchase add up to it', b.account, min(l.lot), b.quantity + COALESCE(b.bonus, 0) || ' for ' || b.paid,
         COALESCE(sum(l.granted), 0) || ' for ' || COALESCE(sum(l.paid), 0)
     FROM credit.purchase b LEFT JOIN credit.purchase_lot l ON l.account = b.account AND l.purchase = b.purchase
     WHERE $1 IS NULL OR b.account = $1
     GROUP BY b.account, b.purchase
     HAVING sum(l.granted) IS DISTINCT FROM b.quantity + COALESCE(b.bonus, 0) OR sum(l.paid) IS DISTINCT FROM b.paid
     UNION ALL
     SELECT 'an active purchase has its lots, and no other has any', p.account, p.lot, b.status || ' ' || p.granted || ' for ' || p.paid,
         COALESCE(l.granted || ' for ' || l.paid, 'no lot')
     FROM credit.purchase_lot p LEFT JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
     LEFT JOIN lots l ON l.account = p.account AND l.lot = p.lot
     WHERE ($1 IS NULL OR p.account = $1) AND CASE WHEN b.status = 'active'
         THEN (l.granted, l.paid, l.currency, l.unit) IS DISTINCT FROM (p.granted, p.paid, b.currency, b.unit) ELSE l.lot IS NOT NULL OR b.status IS NULL END
     UNION ALL
     SELECT 'versions of a tier, and agreements about a plan, do not overlap', x.account, NULL, x.name, x.effective_at || ' before ' || x.ended_at
     FROM (SELECT NULL AS account, plan || '.' || tier AS name, effective_at,
             lag(ended_at, 1, '-infinity') OVER (PARTITION BY plan, tier ORDER BY effective_at, version) AS ended_at FROM credit.tier
         UNION ALL
         SELECT account, plan, effective_at, lag(ended_at, 1, '-infinity') OVER (PARTITION BY account, plan ORDER BY effective_at, agreement)
         FROM credit.agreement WHERE $1 IS NULL OR account = $1) x
     WHERE x.ended_at IS NULL OR x.ended_at > x.effective_at
     UNION ALL
     SELECT 'subscriptions of an account in a unit do not overlap', x.account, NULL, x.plan || ' in ' || x.unit, x.effective_at || ' before ' || x.ended_at
     FROM (SELECT account, unit, plan, effective_at,
             lag(ended_at, 1, '-infinity') OVER (PARTITION BY account, unit ORDER BY effective_at, subscription) AS ended_at
         FROM credit.subscription WHERE ended_at IS DISTINCT FROM effective_at AND ($1 IS NULL OR account = $1)) x
     WHERE x.ended_at IS NULL OR x.ended_at > x.effective_at
     UNION ALL
     SELECT 'a subscription buys by its own plan, a whole period at its price', p.account, NULL, s.plan || ' ' || s.quantity || ' for ' || s.price,
         COALESCE(b.plan || ' ' || b.quantity || ' for ' || b.paid, 'no purchase') || ' in purchase ' || p.purchase
     FROM credit.subscription_purchase p
     LEFT JOIN credit.subscription s ON s.account = p.account AND s.subscription = p.subscription
     LEFT JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
     WHERE ($1 IS NULL OR p.account = $1) AND NOT COALESCE((b.plan, b.unit, b.currency, p.origin) = (s.plan, s.unit, s.currency, s.origin)
         AND (p.change IS NOT NULL OR (b.quantity, b.paid) = (s.quantity, s.price)), false)
     UNION ALL
     SELECT 'a change of plan moved what it says', c.account, NULL,
         c.granted || ' for ' || c.charge || ', back ' || c.returned || ' for ' || c.credit,
         bought.granted || ' for ' || bought.charge || ', back ' || back.returned || ' for ' || back.credit || ' in change ' || c.change
     FROM credit.plan_change c
     CROSS JOIN LATERAL (SELECT COALESCE(sum(b.quantity), 0) AS granted, COALESCE(sum(b.paid), 0) AS charge
         FROM credit.subscription_purchase p JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
         WHERE p.account = c.account AND p.change = c.change) AS bought
     CROSS JOIN LATERAL (SELECT COALESCE(sum(r.returned), 0) AS returned, COALESCE(sum(r.credit), 0) AS credit
         FROM credit.subscription_return r WHERE r.account = c.account AND r.change = c.change) AS back
     WHERE ($1 IS NULL OR c.account = $1)
         AND (c.granted, c.charge, c.returned, c.credit) IS DISTINCT FROM (bought.granted, bought.charge, back.returned, back.credit)
     UNION ALL
     SELECT 'what is returned is in the ledger', COALESCE(r.account, e.account), COALESCE(r.lot, e.lot), COALESCE(r.returned::text, 'a return'),
         COALESCE((- e.amount)::text, 'none') || ' in posting ' || COALESCE(r.posting, e.posting)
     FROM (SELECT * FROM credit.subscription_return WHERE $1 IS NULL OR account = $1) r
     FULL JOIN (SELECT * FROM credit.entry WHERE kind = 'return' AND ($1 IS NULL OR account = $1)) e
         ON e.account = r.account AND e.posting = r.posting AND e.lot = r.lot
     WHERE r.returned IS DISTINCT FROM - e.amount
     UNION ALL
     SELECT 'what is returned is paid back at its cost basis', l.account, l.lot,
         trunc(l.paid * r.returned / l.granted, scale(l.paid))::text, r.credit::text
     FROM lots l JOIN (SELECT account, lot, sum(returned) AS returned, sum(credit) AS credit FROM credit.subscription_return GROUP BY account, lot) r
         ON r.account = l.account AND r.lot = l.lot
     WHERE r.credit IS DISTINCT FROM trunc(l.paid * r.returned / l.granted, scale(l.paid)) OR r.returned > l.granted
     UNION ALL
     SELECT 'every plan that is named exists', x.account, NULL, x.plan, 'no such plan'
     FROM (SELECT account, plan FROM credit.agreement UNION SELECT account, plan FROM credit.purchase UNION SELECT account, plan FROM credit.subscription UNION SELECT NULL, plan FROM credit.tier
         UNION SELECT NULL, plan FROM credit.plan_schedule UNION SELECT NULL, plan FROM credit.plan_price UNION SELECT NULL, plan FROM credit.plan_cost) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT EXISTS (SELECT FROM credit.plan p WHERE p.plan = x.plan)
     UNION ALL
     SELECT 'the triggers that guard the books are on', NULL, NULL, t.enabled, t.relation || '.' || t.name || ': ' || COALESCE(g.tgenabled::text, 'missing')
     FROM (VALUES ('entry', 'entry_10_check', 'O'), ('entry', 'entry_20_apply', 'O'), ('entry', 'entry_90_refuse_update', 'A'),
             ('entry', 'entry_91_refuse_delete', 'A'), ('entry', 'entry_92_refuse_truncate', 'A'),
             ('lot', 'lot_10_check', 'O'), ('lot', 'lot_20_apply', 'O'), ('lot', 'lot_90_refuse_update', 'A'),
             ('lot', 'lot_91_refuse_delete', 'A'), ('lot', 'lot_92_refuse_truncate', 'A'), ('lot', 'lot_95_announce', 'A'),
             ('lot', 'lot_96_announce', 'A'),
             ('conversion', 'conversion_90_refuse_change', 'A'), ('conversion', 'conversion_92_refuse_truncate', 'A'),
             ('breakage', 'breakage_90_refuse_update', 'A'), ('breakage', 'breakage_91_refuse_delete', 'A'), ('breakage', 'breakage_92_refuse_truncate', 'A'),
             ('slot', 'slot_91_refuse_delete', 'A'), ('slot', 'slot_92_refuse_truncate', 'A'),
             ('account', 'account_90_check', 'O'), ('account', 'account_92_refuse_truncate', 'O'), ('unit', 'unit_90_check', 'O'),
             ('unit', 'unit_92_refuse_truncate', 'O'), ('member', 'member_91_refuse_delete', 'O'), ('member', 'member_92_refuse_truncate', 'O'),
             ('rate', 'rate_90_refuse_update', 'A'), ('rate', 'rate_91_refuse_delete', 'A'), ('rate', 'rate_92_refuse_truncate', 'A'),
             ('rate', 'rate_95_announce', 'A'), ('rate_card', 'rate_card_90_refuse_rename', 'A'), ('rate_card', 'rate_card_91_refuse_delete', 'A'),
             ('rate_card', 'rate_card_92_refuse_truncate', 'A'), ('rate_card', 'rate_card_95_announce', 'A'),
             ('unit_value', 'unit_value_90_refuse_update', 'A'), ('unit_value', 'unit_value_91_refuse_delete', 'A'),
             ('unit_value', 'unit_value_92_refuse_truncate', 'A'),
             ('account', 'account_95_announce', 'A'), ('member', 'member_95_announce', 'A'), ('unit', 'unit_95_announce', 'A'),
             ('plan', 'plan_90_refuse_rename', 'A'), ('plan', 'plan_91_refuse_delete', 'A'), ('plan', 'plan_92_refuse_truncate', 'A'),
             ('plan_price', 'plan_price_90_refuse_update', 'A'), ('plan_price', 'plan_price_91_refuse_delete', 'A'), ('plan_price', 'plan_price_92_refuse_truncate', 'A'),
             ('plan_cost', 'plan_cost_90_refuse_update', 'A'), ('plan_cost', 'plan_cost_91_refuse_delete', 'A'), ('plan_cost', 'plan_cost_92_refuse_truncate', 'A'),
             ('tier', 'tier_90_refuse_update', 'A'), ('tier', 'tier_91_refuse_delete', 'A'), ('tier', 'tier_92_refuse_truncate', 'A'),
             ('agreement', 'agreement_90_refuse_update', 'A'), ('agreement', 'agreement_91_refuse_delete', 'A'), ('agreement', 'agreement_92_refuse_truncate', 'A'),
             ('purchase', 'purchase_90_refuse_update', 'A'), ('purchase', 'purchase_91_refuse_delete', 'A'), ('purchase', 'purchase_92_refuse_truncate', 'A'),
             ('purchase_lot', 'purchase_lot_90_refuse_update', 'A'), ('purchase_lot', 'purchase_lot_91_refuse_delete', 'A'), ('purchase_lot', 'purchase_lot_92_refuse_truncate', 'A'),
             ('subscription', 'subscription_90_refuse_update', 'A'), ('subscription', 'subscription_91_refuse_delete', 'A'),
             ('subscription', 'subscription_92_refuse_truncate', 'A'), ('plan_change', 'plan_change_90_refuse_change', 'A'),
             ('plan_change', 'plan_change_92_refuse_truncate', 'A'), ('subscription_purchase', 'subscription_purchase_90_refuse_change', 'A'),
             ('subscription_purchase', 'subscription_purchase_92_refuse_truncate', 'A'),
             ('subscription_return', 'subscription_return_90_refuse_change', 'A'), ('subscription_return', 'subscription_return_92_refuse_truncate', 'A'),
             ('schedule', 'schedule_90_refuse_update', 'A'), ('schedule', 'schedule_91_refuse_delete', 'A'), ('schedule', 'schedule_92_refuse_truncate', 'A'),
             ('plan_schedule', 'plan_schedule_90_refuse_update', 'A'), ('plan_schedule', 'plan_schedule_91_refuse_delete', 'A'),
             ('plan_schedule', 'plan_schedule_92_refuse_truncate', 'A'), ('schedule_period', 'schedule_period_90_refuse_update', 'A'), ('schedule_period', 'schedule_period_91_refuse_delete', 'A'),
             ('schedule_period', 'schedule_period_92_refuse_truncate', 'A'),
             ('schedule_seat', 'schedule_seat_90_refuse_change', 'A'), ('schedule_seat', 'schedule_seat_92_refuse_truncate', 'A'), ('account', 'account_96_announce_due', 'A'),
             ('true_up', 'true_up_90_refuse_update', 'A'), ('true_up', 'true_up_91_refuse_delete', 'A'), ('true_up', 'true_up_92_refuse_truncate', 'A'),
             ('true_up_line', 'true_up_line_90_refuse_change', 'A'), ('true_up_line', 'true_up_line_92_refuse_truncate', 'A'),
             ('true_up_correction', 'true_up_correction_90_refuse_change', 'A'), ('true_up_correction', 'true_up_correction_92_refuse_truncate', 'A'),
             ('plan', 'plan_95_announce', 'A'), ('agreement', 'agreement_95_announce', 'A')) t (relation, name, enabled)
     LEFT JOIN pg_catalog.pg_trigger g ON g.tgname = t.name AND g.tgrelid = ('credit.' || t.relation)::regclass
     WHERE g.tgenabled::text IS DISTINCT FROM t.enabled",
    &[TEXTOID],
);

/// All violations, of one account or of all.
pub fn violations(account: Option<&str>) -> Vec<Violation> {
    let of_books = VIOLATIONS.read(&[&account]);
    of_books
        .iter()
        .map(violation_of_row)
        .chain(verify_schedules::violations(account))
        .chain(verify_caps::violations(account))
        .chain(verify_pooling::violations(account))
        .chain(verify_rollup::violations(account))
        .collect()
}

pub fn violation_of_row(row: Row<'_>) -> Violation {
    Violation {
        invariant: row.get(1),
        account: row.optional(2),
        lot: row.optional(3),
        expected: row.optional(4),
        found: row.optional(5),
    }
}
