//! The proof of the sales of plans: what was voided of them, what a change renewed first, and what a dearer plan charges without
//! credits.

use crate::store::maintenance::verify::Invariants;

// The credits that a plan's schedule brought a seat for a stretch of time, against the days of that stretch, and against the
// credits left of plans before. It counts by days, so it leaves periods within a day out. It proves plans with one schedule for
// the seat only: of several schedules each takes its part of the credits that were left.
pub(super) static GRANTED_ONCE: Invariants = Invariants::new(
    "WITH brought AS (
         SELECT s.account, s.unit, s.schedule, s.plan_since, s.starts_at, s.ends_at, s.amount, s.proration, p.lot,
             COALESCE(c.member, p.member) AS seat,
             COALESCE(c.amount, p.original) AS granted, power(10::numeric, - u.decimals) AS least,
                 s.every >= interval '1 day' AS by_days,
             (l.effective_at AT TIME ZONE a.time_zone)::date AS from_day,
             (credit.add_interval(s.anchor, s.every * p.period, a.time_zone) AT TIME ZONE a.time_zone)::date AS first_day,
             (credit.add_interval(s.anchor, s.every * (p.period + 1), a.time_zone) AT TIME ZONE a.time_zone)::date AS end_day,
             (s.ends_at AT TIME ZONE a.time_zone)::date AS left_day,
             CASE WHEN s.ends_lots THEN (SELECT COALESCE(sum(b.expired), 0) FROM credit.breakage b
                 WHERE b.account = p.account AND b.expires_at = s.ends_at AND b.lot = p.lot) * COALESCE(c.amount,
                     p.original) / p.original ELSE 0 END AS lapsed,
             (SELECT count(*) FROM credit.schedule o WHERE o.account = s.account AND o.unit = s.unit
                 AND o.plan_schedule IS NOT NULL
                 AND o.starts_at <= s.starts_at AND COALESCE(o.ends_at, 'infinity') > s.starts_at
                     AND (o.per_member = s.per_member)) AS beside
         FROM credit.schedule s JOIN credit.account a ON a.account = s.account JOIN credit.unit u ON u.unit = s.unit
         JOIN credit.schedule_period p ON p.account = s.account AND p.schedule = s.schedule AND p.rolled = 0
         JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
         LEFT JOIN credit.schedule_seat c ON s.into_pool AND c.account = p.account AND c.schedule = p.schedule
             AND c.period = p.period AND c.lot = p.lot
         WHERE s.plan_schedule IS NOT NULL AND ($1 IS NULL OR s.account = $1)
     ), kept AS (
         -- What was granted for the days after a plan was left, and did not lapse.
         SELECT k.* FROM (
             SELECT account, unit, seat, schedule, starts_at, ends_at, GREATEST(left_day, from_day) AS left_day, end_day,
                 granted - lapsed - granted * (GREATEST(left_day, from_day) - from_day) / NULLIF(end_day - from_day, 0) AS kept
             FROM brought WHERE by_days AND left_day < end_day) AS k WHERE k.kept > 0
     ), before AS (
         SELECT b.account, b.lot, b.seat, sum(k.kept * (LEAST(k.end_day, b.end_day) - GREATEST(k.left_day,
             b.from_day)) / (k.end_day - k.left_day)) AS kept
         FROM brought b JOIN kept k ON k.account = b.account AND k.unit = b.unit AND k.seat = b.seat AND k.schedule <> b.schedule
             AND k.ends_at <= b.starts_at AND (k.starts_at, k.schedule) < (b.starts_at, b.schedule)
                 AND k.end_day > GREATEST(k.left_day, b.from_day)
         WHERE b.by_days AND b.beside = 1 GROUP BY b.account, b.lot, b.seat
     ), due AS (
         SELECT b.*, b.amount * (b.end_day - CASE WHEN b.proration IN ('first', 'both') THEN b.from_day ELSE b.first_day END)
             / NULLIF(b.end_day - b.first_day, 0) - COALESCE(k.kept, 0) AS share
         FROM brought b LEFT JOIN before k ON k.account = b.account AND k.lot = b.lot AND k.seat = b.seat WHERE b.by_days
     )
     SELECT 'what plans grant for a time is granted once', d.account, d.lot,
         'at most ' || trim_scale(round(GREATEST(d.share, 0), 9)), d.granted::text
     FROM due d WHERE d.granted > GREATEST(d.share, 0) + d.least",
);

pub(super) static INVARIANTS: Invariants = Invariants::new(
    "SELECT 'what is voided is in the ledger, with its price' AS invariant, COALESCE(v.account, e.account),
        COALESCE(v.lot, e.lot),
         COALESCE((- e.amount) || ', ' || e.granted || ' of them granted, for ' || e.paid || ' of lot ' || e.origin,
             'nothing') || ' in posting ' || COALESCE(v.posting, e.posting),
         COALESCE(v.amount || ', ' || v.granted || ' of them granted, for ' || v.paid || ' of lot ' || v.origin, 'nothing')
     FROM (SELECT * FROM credit.voided WHERE amount > 0 AND ($1 IS NULL OR account = $1)) v
     FULL JOIN (
         SELECT e.account, e.posting, e.lot, e.amount, origin.lot AS origin,
             CASE WHEN of_part.unknown THEN w.paid ELSE price.paid END AS paid,
             -- Of credits that were handed on with some that had no price, as many were bought as the price bought there.
             CASE WHEN of_part.unknown THEN w.granted WHEN l.cost_basis = origin.cost_basis THEN own.granted
                 ELSE LEAST(own.granted, trim_scale(
                 round(price.paid * origin.granted / NULLIF(origin.paid, 0),
                     (SELECT u.decimals FROM credit.unit u WHERE u.unit = origin.unit)))) END AS granted
         FROM (
             -- What adjustments had added by then leaves last.
             SELECT account, lot, posting, kind, amount, GREATEST(COALESCE(sum(amount) FILTER (WHERE kind = 'adjustment'
                 AND corrects IS NULL) OVER earlier, 0), 0) AS added
             FROM credit.entry WHERE kind IN ('void', 'adjustment') AND ($1 IS NULL OR account = $1)
             WINDOW earlier AS (PARTITION BY account, lot ORDER BY posting, line ROWS BETWEEN UNBOUNDED PRECEDING
                 AND 1 PRECEDING)) e
         CROSS JOIN LATERAL (SELECT l.* FROM credit.lot l WHERE l.account = e.account AND l.lot = e.lot OFFSET 0) l
         LEFT JOIN credit.voided w ON w.account = e.account AND w.posting = e.posting
         -- A part is withdrawn before what adjustments had added; how much of it there was depends on what holds had.
         CROSS JOIN LATERAL (SELECT CASE WHEN w.emptied IS FALSE
             THEN LEAST(GREATEST(w.granted, - e.amount - e.added, 0), - e.amount, l.granted)
             ELSE LEAST(GREATEST(- e.amount - e.added, 0), l.granted) END AS granted) AS own
         CROSS JOIN LATERAL (SELECT COALESCE(CASE WHEN own.granted >= l.granted THEN l.paid
             ELSE trim_scale(div(l.paid * own.granted * 1000000000, l.granted) * 0.000000001) END, 0) AS paid) AS price
         CROSS JOIN LATERAL (
             WITH RECURSIVE descent AS (
                 SELECT l.lot, l.parent, l.unit, l.granted, l.paid, l.cost_basis, 0 AS steps
                 UNION ALL
                 SELECT p.lot, p.parent, p.unit, p.granted, p.paid, p.cost_basis, d.steps + 1 FROM descent d
                 CROSS JOIN LATERAL (SELECT * FROM credit.lot p WHERE p.account = e.account AND p.lot = d.parent OFFSET 0) p
                 WHERE p.unit = d.unit AND p.lot <> d.lot
             ) SELECT d.lot, d.unit, d.granted, d.paid, d.cost_basis FROM descent d ORDER BY d.steps DESC LIMIT 1) AS origin
         CROSS JOIN LATERAL (SELECT w.emptied IS FALSE AND l.cost_basis <> origin.cost_basis AS unknown) AS of_part
         WHERE e.kind = 'void') e ON e.account = v.account AND e.posting = v.posting
     WHERE (v.lot, v.origin, v.amount, v.granted, v.paid) IS DISTINCT FROM (e.lot, e.origin, - e.amount, e.granted, e.paid)
     UNION ALL
     SELECT 'a purchase of no credits is the price of a dearer plan', b.account, NULL, 'a change of plan that charges',
         'purchase ' || b.purchase
     FROM credit.purchase b
     WHERE b.quantity = 0 AND ($1 IS NULL OR b.account = $1) AND NOT (b.paid > 0 AND b.bonus IS NULL AND b.status = 'active'
         AND EXISTS (
         SELECT FROM credit.subscription_purchase p WHERE p.account = b.account AND p.purchase = b.purchase
             AND p.change IS NOT NULL))
     UNION ALL
     SELECT 'a change of plan renewed first what it says', c.account, NULL,
         c.renewals || ' periods of ' || c.renewed_granted || ' for ' || c.renewed_charge || COALESCE(' ' || c.renewed_currency,
             ''),
         r.renewals || ' periods of ' || r.granted || ' for ' || r.charge || COALESCE(' ' || r.currency,
             '') || ' in change ' || c.change
     FROM credit.plan_change c
     CROSS JOIN LATERAL (SELECT count(*) AS renewals, COALESCE(sum(b.quantity), 0) AS granted, COALESCE(sum(b.paid), 0) AS charge,
             string_agg(DISTINCT b.currency, ', ') AS currency
         FROM credit.subscription_purchase p JOIN credit.purchase b ON b.account = p.account AND b.purchase = p.purchase
         WHERE p.account = c.account AND p.renewed_in = c.change AND p.reason = 'period') AS r
     WHERE ($1 IS NULL OR c.account = $1)
         AND (c.renewals, c.renewed_granted, c.renewed_charge, c.renewed_currency) IS DISTINCT
             FROM (r.renewals, r.granted, r.charge, r.currency)
     UNION ALL
     SELECT 'a change of plan renewed first what it says', p.account, NULL, 'a change',
         'change ' || p.renewed_in || ' of purchase ' || p.purchase
     FROM credit.subscription_purchase p
     WHERE p.renewed_in IS NOT NULL AND ($1 IS NULL OR p.account = $1) AND (p.change IS NOT NULL
         OR NOT EXISTS (SELECT FROM credit.plan_change c WHERE c.account = p.account AND c.change = p.renewed_in))",
);
