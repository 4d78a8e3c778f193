//! The proof of spending caps: their slots add up, and count what the ledger says.

use crate::store::maintenance::verify::Invariants;

// A count belongs to the latest period in which there was something to count.
/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(
    "WITH caps AS MATERIALIZED (
         SELECT c.*, s.allowance, s.used, s.period_start, s.count, s.last
         FROM credit.cap c LEFT JOIN LATERAL (
             SELECT sum(allowance) AS allowance, sum(used) FILTER (WHERE period_start = latest OR steps IS NOT NULL) AS used,
                 latest AS period_start, count(*),
                 max(slot) AS last
             FROM (SELECT s.*, max(period_start) OVER () AS latest FROM credit.cap_slot s WHERE s.account = c.account
                 AND s.cap = c.cap) s
             GROUP BY latest) s ON true
         WHERE c.ended_at IS NULL AND ($1 IS NULL OR c.account = $1)
     ), of_steps AS MATERIALIZED (
         SELECT c.account, c.cap, u.step, sum(u.spent) AS used
         FROM caps c JOIN credit.cap_slot s ON s.account = c.account AND s.cap = c.cap,
             LATERAL unnest(s.steps, s.used_by_step) AS u (step, spent)
         WHERE c.rolling IS NOT NULL AND u.step >= c.period_start GROUP BY c.account, c.cap, u.step
     ), of_periods AS MATERIALIZED (
         -- And to those to come in which a clock that was ahead has counted.
         SELECT c.account, c.cap, u.step, sum(u.spent) AS used
         FROM caps c JOIN credit.cap_slot s ON s.account = c.account AND s.cap = c.cap,
             LATERAL (SELECT k.step, k.spent FROM credit.cap_used(s.used, s.period_start, s.steps, s.used_by_step, c.period_start,
                 NULL) AS k
                 UNION ALL
                 SELECT k.step, k.spent FROM unnest(s.steps, s.used_by_step) AS k (step, spent)
                     WHERE k.step > c.period_start) AS u
         WHERE c.rolling IS NULL GROUP BY c.account, c.cap, u.step
     )
     SELECT 'a cap''s slots, numbered from 0, add up to its limit', account, NULL::bigint, amount || ' in ' || slots || ' slots',
         COALESCE(allowance || ' in ' || count || ' slots', 'none') || ' of cap ' || cap
     FROM caps WHERE (allowance, count, last) IS DISTINCT FROM (amount, slots::bigint, (slots - 1)::smallint)
     UNION ALL
     SELECT 'a cap counts what the ledger says', c.account, NULL, COALESCE(v.spent, 0)::text,
         COALESCE(v.used, 0) || ' since ' || v.step || ' of cap ' || c.cap
     FROM caps c, LATERAL (SELECT step, l.spent, s.used
         FROM (SELECT step, spent FROM credit.cap_spent_by_step(c.account, c.cap, c.period_start) WHERE spent <> 0) AS l
             FULL JOIN (SELECT step, used FROM of_periods o WHERE o.account = c.account AND o.cap = c.cap
                 AND used <> 0) AS s USING (step)) AS v
     WHERE c.rolling IS NULL AND v.used IS DISTINCT FROM v.spent
     UNION ALL
     SELECT 'a rolling cap counts by step what the ledger says', c.account, NULL, COALESCE(v.spent, 0)::text,
         COALESCE(v.used, 0) || ' in the step of ' || v.step || ' of cap ' || c.cap
     FROM caps c, LATERAL (SELECT step, l.spent, s.used
         FROM (SELECT step, spent FROM credit.cap_spent_by_step(c.account, c.cap, c.period_start) WHERE spent <> 0) AS l
             FULL JOIN (SELECT step, used FROM of_steps o WHERE o.account = c.account AND o.cap = c.cap) AS s USING (step)) AS v
     WHERE c.rolling IS NOT NULL AND v.used IS DISTINCT FROM v.spent
     UNION ALL
     SELECT 'the steps of a rolling cap''s slot add up', s.account, NULL, COALESCE(u.used, 0)::text,
         s.used || ' in slot ' || s.slot || ' of cap ' || s.cap
     FROM caps c JOIN credit.cap_slot s ON s.account = c.account AND s.cap = c.cap,
         LATERAL (SELECT sum(used) AS used FROM unnest(s.used_by_step) AS used) AS u
     WHERE c.rolling IS NOT NULL AND s.used IS DISTINCT FROM COALESCE(u.used, 0)
         OR c.rolling IS NOT NULL AND s.steps IS NULL OR cardinality(s.steps) IS DISTINCT FROM cardinality(s.used_by_step)
     UNION ALL
     -- A window is seen from the step in which it ends, if something was posted in it after the limit was changed.
     SELECT 'no debit goes beyond a cap that blocks in a rolling window', c.account, NULL, c.amount::text,
         w.used || ' until the step of ' || s.step || ' of cap ' || c.cap
     FROM caps c JOIN of_steps s ON s.account = c.account AND s.cap = c.cap, LATERAL (SELECT sum(o.used) AS used FROM of_steps o
         WHERE o.account = s.account AND o.cap = s.cap AND o.step <= s.step
             AND o.step >= s.step - make_interval(secs => EXTRACT(epoch FROM c.rolling)::bigint)) AS w
     WHERE c.action = 'block' AND w.used > c.amount
         AND (SELECT count(*) FROM credit.cap_spending k WHERE k.account = c.account AND k.cap = c.cap
             AND k.posting > c.changed_after AND k.amount > 0 AND k.hold IS NULL
             AND k.used_at >= s.step - make_interval(secs => EXTRACT(epoch FROM c.rolling)::bigint)
             AND k.used_at < s.step + make_interval(secs => EXTRACT(epoch FROM c.step)::bigint)) > 0
         -- No cap refuses a correction, nor a capture of what was held.
         AND NOT EXISTS (SELECT FROM credit.entry e WHERE e.account = c.account AND e.kind = 'adjustment'
             AND e.corrects IS NOT NULL
             AND e.recorded_at >= c.period_start)
     UNION ALL
     SELECT 'no debit goes beyond a cap that blocks', c.account, NULL, c.amount::text, c.used || ' of cap ' || c.cap
     FROM caps c WHERE c.action = 'block' AND c.rolling IS NULL AND c.used > c.amount
         -- A clock that was ahead may have used a period by the time at which what was held before it is captured in it.
         AND NOT EXISTS (SELECT FROM credit.cap_spending k JOIN credit.hold h ON h.account = k.account AND h.hold = k.hold
             WHERE k.account = c.account AND k.cap = c.cap AND k.used_at >= c.period_start AND h.held_at < c.period_start)
         AND (SELECT count(*) FROM credit.cap_spending k, credit.account a,
                 LATERAL credit.cap_period(c.anchor, c.every, NULL, NULL, a.time_zone, c.period_start) AS p
             WHERE k.account = c.account AND k.cap = c.cap AND k.posting > c.changed_after AND k.amount > 0 AND k.hold IS NULL
                 AND a.account = c.account AND k.used_at >= p.starts_at AND k.used_at < p.ends_at) > 0
         -- No cap refuses a correction, nor a capture of what was held.
         AND NOT EXISTS (SELECT FROM credit.entry e WHERE e.account = c.account AND e.kind = 'adjustment'
             AND e.corrects IS NOT NULL
             AND e.recorded_at >= c.period_start)
     UNION ALL
     SELECT 'no slot of a cap holds less than nothing', s.account, NULL, '0',
         s.held || ' in slot ' || s.slot || ' of cap ' || s.cap
     FROM caps c JOIN credit.cap_slot s ON s.account = c.account AND s.cap = c.cap WHERE s.held < 0
     UNION ALL
     SELECT 'a cap''s slots hold what open holds have of it', c.account, NULL, COALESCE(h.amount, 0)::text,
         s.held || ' of cap ' || c.cap
     FROM caps c
     CROSS JOIN LATERAL (SELECT sum(held) AS held FROM credit.cap_slot s WHERE s.account = c.account AND s.cap = c.cap) AS s
     LEFT JOIN (SELECT account, cap, sum(amount) AS amount FROM credit.cap_holding
         WHERE $1 IS NULL OR account = $1 GROUP BY account, cap) AS h ON h.account = c.account AND h.cap = c.cap
     WHERE s.held <> COALESCE(h.amount, 0)
     UNION ALL
     SELECT 'an account knows whether it has caps', a.account, NULL, (NOT a.has_caps)::text, a.has_caps::text
     FROM credit.account a WHERE ($1 IS NULL OR a.account = $1)
         AND a.has_caps <> EXISTS (SELECT FROM credit.cap c WHERE c.account = a.account AND c.ended_at IS NULL)
     UNION ALL
     SELECT 'a slot of a cap is of a cap', s.account, NULL, 'a cap', 'no cap ' || s.cap
     FROM credit.cap_slot s WHERE ($1 IS NULL OR s.account = $1) AND NOT EXISTS (SELECT FROM credit.cap c
         WHERE c.account = s.account AND c.cap = s.cap)
     UNION ALL
     SELECT 'a cap is created, changed and ended in this order', account, NULL, created_at::text,
         concat_ws(' ', changed_at, ended_at, 'cap', cap)
     FROM credit.cap WHERE ($1 IS NULL OR account = $1) AND (changed_at < created_at OR ended_at < created_at)
     UNION ALL
     SELECT 'a cap is for a member and a department that are named as they are', c.account, NULL, 'a member, a path',
         concat_ws(' ', c.member, c.department, 'in cap', c.cap)
     FROM credit.cap c WHERE ($1 IS NULL OR c.account = $1) AND (c.department ~ '(^|/)(/|$)' OR c.member IS NOT NULL
         AND NOT EXISTS (SELECT FROM credit.member m WHERE m.account = c.account AND m.member = c.member))
     UNION ALL
     SELECT 'a cap counts in periods of its calendar', c.account, NULL, v.starts_at::text, s.period_start || ' of cap ' || c.cap
     FROM credit.cap c JOIN credit.account a ON a.account = c.account JOIN credit.cap_slot s ON s.account = c.account
         AND s.cap = c.cap
     CROSS JOIN LATERAL credit.cap_period(c.anchor, c.every, NULL, NULL, a.time_zone, s.period_start) AS v
     WHERE ($1 IS NULL OR c.account = $1) AND c.every IS NOT NULL AND v.starts_at IS DISTINCT FROM s.period_start",
);
