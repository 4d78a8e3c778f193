//! The proof of what schedules bring: their periods and lots, when accounts are looked at, and what plans grant.

use crate::store::maintenance::verify::Invariants;

/// When the period number `$number` of the schedule `s` begins: its anchor and so many times its length, by the account's
/// calendar, as the calendar does it in Rust. Beyond the years that a timestamp has there is no instant but infinity.
macro_rules! begins {
    ($number:literal, $time_zone:literal) => {
        concat!(
            "CASE WHEN EXTRACT(epoch FROM s.anchor) + ",
            $number,
            " * seconds > 9e12 THEN 'infinity'
                 WHEN EXTRACT(epoch FROM s.anchor) + ",
            $number,
            " * seconds < -2e11 THEN '-infinity'
                 ELSE credit.add_interval(s.anchor, s.every * ",
            $number,
            ", ",
            $time_zone,
            ") END"
        )
    };
}

// Periods are counted here as the calendar does it in Rust: an interval times a number, added to the anchor once. Which number an
// instant has is guessed by mean lengths, which is close, and then looked for nearby. A small part of a period, or one whose lot
// would have expired, may bring nothing, so nobody misses it.
pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(concat!(
    "WITH lots AS MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     ), schedules AS MATERIALIZED (
         SELECT s.*, a.time_zone, a.refresh_at, mean.seconds, f.first, i.last, c.current, g.is_boundary, ",
    begins!("(GREATEST(c.current, i.last) + 1)", "a.time_zone"),
    " AS next_of_members, ",
    begins!("(GREATEST(c.current, i.last) + 2)", "a.time_zone"),
    " AS end_of_next
         FROM credit.schedule s JOIN credit.account a ON a.account = s.account
         CROSS JOIN LATERAL (SELECT (EXTRACT(year FROM s.every) * 12 + EXTRACT(month FROM s.every)) * 2629746 + EXTRACT(day
             FROM s.every) * 86400
             + EXTRACT(hour FROM s.every) * 3600 + EXTRACT(minute FROM s.every) * 60 + EXTRACT(second
                 FROM s.every) AS seconds) AS mean
         CROSS JOIN LATERAL (SELECT max(n) AS first FROM generate_series(
                 floor(EXTRACT(epoch FROM s.starts_at - s.anchor) / mean.seconds)::integer - 3,
                 floor(EXTRACT(epoch FROM s.starts_at - s.anchor) / mean.seconds)::integer + 3) AS n
             WHERE ",
    begins!("n", "a.time_zone"),
    " <= s.starts_at) AS f
         CROSS JOIN LATERAL (SELECT max(n) AS current FROM generate_series(
                 floor(EXTRACT(epoch FROM GREATEST(s.starts_at, $2) - s.anchor) / mean.seconds)::integer - 3,
                 floor(EXTRACT(epoch FROM GREATEST(s.starts_at, $2) - s.anchor) / mean.seconds)::integer + 3) AS n
             WHERE ",
    begins!("n", "a.time_zone"),
    " <= GREATEST(s.starts_at, $2)) AS c
         CROSS JOIN LATERAL (SELECT max(p.period) AS last FROM credit.schedule_period p
             WHERE p.account = s.account AND p.schedule = s.schedule) AS i
         CROSS JOIN LATERAL (SELECT LEAST(floor(EXTRACT(epoch FROM CASE
             WHEN isfinite(a.refresh_at) THEN a.refresh_at - s.anchor END) / mean.seconds), 1e9)::integer
             AS about) AS near
         CROSS JOIN LATERAL (SELECT count(*) > 0 AS is_boundary FROM generate_series(near.about - 3, near.about + 3) AS n
             WHERE ",
    begins!("n", "a.time_zone"),
    " = a.refresh_at) AS g
         WHERE $1 IS NULL OR s.account = $1
     ), calendar AS MATERIALIZED (
         -- Up to the last period that was issued, and one more; where seats get something, as far as now.
         SELECT s.*, u.decimals, n AS period, begins.at AS begins, ends.at AS ends
         FROM schedules s JOIN credit.unit u ON u.unit = s.unit
         CROSS JOIN LATERAL generate_series(s.first, GREATEST(COALESCE(s.last, s.first), s.first) + 1
             + CASE WHEN s.per_member THEN GREATEST(LEAST(s.current - GREATEST(COALESCE(s.last, s.first), s.first), 1000), 0)
                 ELSE 0 END) AS n
         CROSS JOIN LATERAL (SELECT ",
    begins!("n", "s.time_zone"),
    " AS at) AS begins
         CROSS JOIN LATERAL (SELECT ",
    begins!("(n + 1)", "s.time_zone"),
    " AS at) AS ends
     ), lines AS MATERIALIZED (
         -- The pool, or a member from when they took their seat.
         SELECT account, schedule, '' COLLATE \"C\" AS member, starts_at AS since FROM schedules WHERE NOT per_member
         UNION ALL
         SELECT s.account, s.schedule, m.member, GREATEST(m.seated_at, s.starts_at)
         FROM schedules s JOIN credit.member m ON m.account = s.account AND m.active AND m.seated_at IS NOT NULL
         WHERE s.per_member AND ($1 IS NULL OR m.account = $1)
     ), of_no_period AS MATERIALIZED (
         SELECT l.* FROM lots l WHERE l.source = 'allocation' AND l.parent IS NULL
             AND NOT EXISTS (SELECT FROM credit.schedule_period p WHERE ($1 IS NULL OR p.account = $1) AND p.account = l.account
                 AND p.lot = l.lot)
     ), issues AS MATERIALIZED (
         SELECT o.account, o.schedule, o.member, o.period, max(l.effective_at) AS at FROM (
             SELECT p.account, p.schedule, p.member, p.period, p.lot FROM credit.schedule_period p
                 JOIN schedules s ON s.account = p.account AND s.schedule = p.schedule AND NOT s.into_pool WHERE p.rolled = 0
             UNION ALL
             SELECT c.account, c.schedule, c.member, c.period, c.lot FROM credit.schedule_seat c
                 JOIN schedules s ON s.account = c.account AND s.schedule = c.schedule AND s.into_pool) o
         JOIN lots l ON l.account = o.account AND l.lot = o.lot
         WHERE $1 IS NULL OR o.account = $1 GROUP BY o.account, o.schedule, o.member, o.period
     ), periods AS MATERIALIZED (
         SELECT s.account, s.schedule, v.member, s.per_member, due.at AS due_at, s.refresh_at, s.last, s.period, s.begins,
             issued.at AS issued_from,
             due.at < COALESCE(s.ends_at, 'infinity') AND s.period - s.first < COALESCE(s.periods, s.period - s.first + 1)
                 AND due.at < COALESCE(s.expires_at, 'infinity')
                 -- A part of a period brings something if a day less on both sides would.
                 AND CASE WHEN isfinite(s.begins) AND isfinite(s.ends) AND (part.begins > s.begins OR part.ends < s.ends)
                     THEN s.amount * (EXTRACT(epoch FROM part.ends - part.begins) - margin) / (EXTRACT(epoch
                         FROM s.ends - s.begins) + margin)
                         >= power(10::numeric, - s.decimals) ELSE true END
                 AND (s.expires <> 'after' OR credit.add_interval(due.at, s.expires_after, s.time_zone) > due.at)
                 -- What a plan that was left has granted for the same time may be all of it, unless there is a lot of no period
                 -- that is it.
                 AND (NOT EXISTS (SELECT FROM credit.schedule o WHERE s.plan_schedule IS NOT NULL AND o.account = s.account
                     AND o.unit = s.unit
                     AND o.plan_schedule IS NOT NULL AND o.schedule <> s.schedule AND o.ends_at <= s.starts_at
                         AND o.ends_at + o.every > s.begins)
                     OR EXISTS (SELECT FROM of_no_period l WHERE l.account = s.account AND l.unit = s.unit
                         AND l.category = s.category
                         AND l.priority = s.priority AND l.granted <= s.amount AND l.effective_at = due.at
                             AND l.metadata IS NOT DISTINCT FROM s.metadata
                         AND COALESCE(l.member, '') = CASE WHEN s.into_pool THEN '' ELSE v.member END)) AS is_granted
         FROM calendar s JOIN lines v ON v.account = s.account AND v.schedule = s.schedule AND s.ends > v.since
         CROSS JOIN LATERAL (SELECT GREATEST(s.begins, v.since) AS at, CASE WHEN s.seconds < 86400 THEN 0
             ELSE 172800 END AS margin) AS due
         CROSS JOIN LATERAL (SELECT CASE WHEN s.proration IN ('first', 'both') THEN due.at ELSE s.begins END AS begins,
             CASE WHEN s.proration IN ('last', 'both') THEN LEAST(s.ends, s.ends_at) ELSE s.ends END AS ends) AS part
         LEFT JOIN issues issued ON issued.account = s.account AND issued.schedule = s.schedule AND issued.member = v.member
             AND issued.period = s.period
     ), missing AS MATERIALIZED (
         SELECT p.* FROM periods p WHERE p.is_granted AND p.issued_from IS NULL
             -- Whoever sat there before, by a clock that was ahead, got later periods and not those between.
             AND NOT EXISTS (SELECT FROM periods l WHERE p.per_member AND l.account = p.account AND l.schedule = p.schedule
                 AND l.member = p.member
                 AND l.period > p.period AND l.issued_from > l.begins)
     )
     SELECT 'every period of a schedule has its lot, and every rollover its parent', p.account, p.lot,
         'schedule ' || p.schedule || ' period ' || p.period || ' rolled ' || p.rolled || ' of ' || p.original,
         COALESCE(l.source || ' of ' || l.granted || COALESCE(' for ' || l.member, ''), 'no lot')
     FROM credit.schedule_period p LEFT JOIN lots l ON l.account = p.account AND l.lot = p.lot
     LEFT JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule
     LEFT JOIN credit.schedule_period o ON o.account = p.account AND o.lot = l.parent
     WHERE ($1 IS NULL OR p.account = $1) AND NOT COALESCE(l.unit = s.unit AND COALESCE(l.member, '') = p.member AND CASE
         WHEN p.rolled = 0
         THEN l.source = 'allocation' AND l.granted = p.original
         ELSE l.source = 'rollover' AND l.effective_at IS NOT NULL
             AND (o.schedule, o.member, o.period, o.part, o.rolled + 1, o.original)
             = (p.schedule, p.member, p.period, p.part, p.rolled, p.original) END, false)
     UNION ALL
     SELECT 'a lot whose rollover is settled is closed', p.account, p.lot, 'closed', 'open'
     FROM credit.schedule_period p JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule
     JOIN lots l ON l.account = p.account AND l.lot = p.lot
     WHERE ($1 IS NULL OR p.account = $1) AND p.settled AND s.rollover IS NOT NULL AND NOT l.closed
     UNION ALL
     SELECT 'an account is looked at when its schedules bring something', a.account, NULL, min(v.due_at)::text,
         COALESCE(a.refresh_at::text, 'never')
     FROM credit.account a JOIN (
         SELECT p.account, LEAST(l.expires_at, CASE WHEN s.ends_lots THEN s.ends_at END) AS due_at
         FROM credit.schedule_period p JOIN lots l ON l.account = p.account AND l.lot = p.lot
         JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule
         WHERE NOT p.settled AND COALESCE(l.expires_at, CASE WHEN s.ends_lots THEN s.ends_at END) IS NOT NULL
         UNION ALL
         -- The first period that was not issued, and where members get something the next one of all.
         SELECT account, min(due_at) FROM missing GROUP BY account
         UNION ALL
         -- After the last that any member got. A clock that was ahead looks at the account next where some period begins; a
         -- member
         -- that comes has it looked at.
         -- A member who took their seat by a clock that was ahead gets nothing before that.
         SELECT s.account, GREATEST(s.next_of_members, m.seated_at)
         FROM schedules s JOIN credit.member m ON m.account = s.account AND m.active AND m.seated_at < s.end_of_next
         WHERE s.per_member AND ($1 IS NULL OR m.account = $1)
             AND COALESCE(s.ends_at, 'infinity') > GREATEST($2, s.next_of_members, m.seated_at)
             AND NOT EXISTS (SELECT FROM schedules o WHERE o.account = s.account AND o.is_boundary)
             AND GREATEST(s.current, s.last) + 1 - s.first < COALESCE(s.periods, GREATEST(s.current, s.last) + 2 - s.first)) v
                 ON v.account = a.account
     WHERE $1 IS NULL OR a.account = $1
     GROUP BY a.account, a.refresh_at HAVING COALESCE(a.refresh_at, 'infinity') > min(v.due_at)
     UNION ALL
     SELECT 'every period of a schedule that was due was issued', p.account, NULL,
         'schedule ' || p.schedule || ' period ' || p.period, 'no such period'
     FROM missing p WHERE p.due_at < COALESCE(p.refresh_at, $2) AND p.period <= p.last
     UNION ALL
     SELECT 'a lot of a schedule takes effect in its period', p.account, p.lot,
         'schedule ' || p.schedule || ' period ' || p.period || ' from ' || GREATEST(b.begins, s.starts_at) || ' to ' || b.ends,
         l.effective_at::text
     FROM credit.schedule_period p JOIN schedules s ON s.account = p.account AND s.schedule = p.schedule
     JOIN lots l ON l.account = p.account AND l.lot = p.lot
     CROSS JOIN LATERAL (SELECT ",
    begins!("p.period", "s.time_zone"),
    " AS begins,
         ",
    begins!("(p.period + 1)", "s.time_zone"),
    " AS ends) AS b
     WHERE ($1 IS NULL OR p.account = $1) AND p.rolled = 0 AND NOT (l.effective_at >= GREATEST(b.begins, s.starts_at)
         AND l.effective_at < b.ends AND (s.per_member OR l.effective_at <= GREATEST(b.begins, s.starts_at)))
     UNION ALL
     SELECT 'what seats bring to the pool is what their lots were granted', COALESCE(p.account, c.account),
         COALESCE(p.lot, c.lot),
         COALESCE(c.amount, 0)::text, COALESCE(p.original, 0)::text
     FROM (SELECT p.account, p.lot, p.period, p.original FROM credit.schedule_period p
         JOIN credit.schedule s ON s.account = p.account AND s.schedule = p.schedule AND s.into_pool
         WHERE p.rolled = 0 AND ($1 IS NULL OR p.account = $1)) p
     FULL JOIN (SELECT account, lot, period, sum(amount) AS amount FROM credit.schedule_seat WHERE $1 IS NULL OR account = $1
         GROUP BY account, lot, period) c ON c.account = p.account AND c.lot = p.lot AND c.period = p.period
     WHERE p.original IS DISTINCT FROM c.amount
     UNION ALL
     SELECT 'a seat brings what the schedule says', c.account, c.lot, s.amount::text,
         c.amount || ' of ' || c.member || ' in schedule ' || c.schedule
     FROM credit.schedule_seat c JOIN credit.schedule s ON s.account = c.account AND s.schedule = c.schedule
     WHERE ($1 IS NULL OR c.account = $1) AND (c.amount > s.amount OR c.amount < s.amount AND s.proration = 'none'
         AND s.plan_schedule IS NULL)
     UNION ALL
     SELECT 'what rolled over is of a period', l.account, l.lot, 'a period', 'a rollover from lot ' || l.parent
     FROM lots l WHERE l.source = 'rollover' AND l.parent IS NOT NULL
         AND NOT EXISTS (SELECT FROM credit.schedule_period p WHERE ($1 IS NULL OR p.account = $1) AND p.account = l.account
             AND p.lot = l.lot)
         AND NOT EXISTS (SELECT FROM credit.entry e WHERE ($1 IS NULL OR e.account = $1) AND e.account = l.account
             AND e.lot = l.lot AND e.kind IN ('move_in', 'convert_in'))
     UNION ALL
     SELECT 'a schedule of a plan has the terms of the plan', s.account, NULL,
         concat_ws(' ', p.every, p.unit, p.amount, p.category, p.paid, p.currency, p.priority, p.expires, p.expires_after,
             p.expires_periods, p.expires_at, w.proration, p.rollover, p.true_up, p.metadata),
         concat_ws(' ', s.every, s.unit, s.amount, s.category, s.paid, s.currency, s.priority, s.expires, s.expires_after,
             s.expires_periods, s.expires_at, s.proration, s.rollover, s.true_up, s.metadata)
             || ' in schedule ' || s.schedule
     FROM credit.schedule s LEFT JOIN credit.plan_schedule p ON p.schedule = s.plan_schedule
     -- An account that comes to a plan within a period gets the part of the days that are left.
     CROSS JOIN LATERAL (SELECT CASE WHEN s.plan_since > p.starts_at OR s.proration <> p.proration
         AND EXISTS (SELECT FROM credit.subscription b
             WHERE b.account = s.account AND b.plan = p.plan AND b.effective_at = s.plan_since)
         THEN CASE WHEN p.proration IN ('none', 'first') THEN 'first' ELSE 'both' END ELSE p.proration END AS proration) AS w
     WHERE ($1 IS NULL OR s.account = $1) AND s.plan_schedule IS NOT NULL AND (p.schedule IS NULL
         OR (s.every, s.unit, s.amount, s.category, s.paid, s.currency, s.priority, s.expires, s.expires_after, s.expires_periods,
             s.expires_at, s.proration, s.rollover, s.true_up,
             s.metadata, s.per_member, s.into_pool) IS DISTINCT FROM (p.every, p.unit, p.amount, p.category, p.paid, p.currency,
                 p.priority, p.expires, p.expires_after,
             p.expires_periods, p.expires_at, w.proration, p.rollover, p.true_up, p.metadata, p.per_member, p.into_pool)
         OR NOT EXISTS (SELECT FROM credit.subscription b WHERE b.account = s.account AND b.plan = p.plan))
     UNION ALL
     SELECT 'a schedule of a plan has the anchor of the plan, or of a subscription to it', s.account, NULL,
         COALESCE(p.anchor::text, 'of a subscription'),
         s.anchor || ' in schedule ' || s.schedule
     FROM credit.schedule s JOIN credit.plan_schedule p ON p.schedule = s.plan_schedule JOIN credit.account a
         ON a.account = s.account
     WHERE ($1 IS NULL OR s.account = $1) AND s.anchor IS DISTINCT FROM p.anchor AND NOT EXISTS (
         SELECT FROM credit.subscription b WHERE b.account = s.account AND b.plan = p.plan
             AND s.anchor = CASE WHEN b.phase = 0 THEN b.anchor ELSE credit.add_interval(b.anchor,
                 make_interval(months => b.phase), a.time_zone) END)
     UNION ALL
     SELECT 'a lot of a schedule expires as the schedule says', p.account, p.lot, concat_ws(' ', s.expires, b.expires_at),
         concat_ws(' ', l.effective_at, 'to', l.expires_at)
     FROM credit.schedule_period p JOIN schedules s ON s.account = p.account AND s.schedule = p.schedule JOIN lots l
         ON l.account = p.account AND l.lot = p.lot
     CROSS JOIN LATERAL (SELECT CASE s.expires WHEN 'period_end' THEN ",
    begins!("(p.period + 1)", "s.time_zone"),
    "
         WHEN 'periods' THEN ",
    begins!("(p.period + s.expires_periods)", "s.time_zone"),
    "
         WHEN 'after' THEN credit.add_interval(l.effective_at, s.expires_after, s.time_zone)
             WHEN 'at' THEN s.expires_at END AS expires_at) AS b
     -- The end of the schedule, which may have been set since, ends its lots sooner.
     WHERE ($1 IS NULL OR p.account = $1) AND p.rolled = 0 AND l.expires_at IS DISTINCT FROM b.expires_at
         AND NOT COALESCE(l.expires_at < COALESCE(b.expires_at, 'infinity')
             AND (s.ends_at IS NOT NULL OR s.plan_schedule IS NOT NULL) AND (s.ends_lots OR s.expires = 'period_end'), false)
     UNION ALL
     SELECT 'a part of a period is numbered from 0', account, min(lot), 'parts 0 to ' || count(*) - 1,
         concat_ws(' ', min(part), 'to', max(part), 'of schedule', schedule, 'period', period)
     FROM credit.schedule_period WHERE $1 IS NULL OR account = $1 GROUP BY account, schedule, member, period, rolled
     HAVING rolled = 0 AND (min(part) <> 0 OR max(part) <> count(*) - 1)
     UNION ALL
     SELECT 'a period and what seats brought to it are recorded with their lot', x.account, x.lot, l.recorded_at::text,
         x.recorded_at::text
     FROM (SELECT account, lot, recorded_at FROM credit.schedule_period UNION ALL SELECT account, lot, recorded_at
         FROM credit.schedule_seat) x
     JOIN lots l ON l.account = x.account AND l.lot = x.lot WHERE ($1 IS NULL OR x.account = $1)
         AND x.recorded_at <> l.recorded_at
     UNION ALL
     SELECT 'a seat that brings something is a member, and of the schedule of its lot', c.account, c.lot,
         'a member, schedule ' || p.schedule, c.member || ', schedule ' || c.schedule
     FROM credit.schedule_seat c LEFT JOIN credit.schedule_period p ON p.account = c.account AND p.lot = c.lot
     WHERE ($1 IS NULL OR c.account = $1) AND (p.schedule IS DISTINCT FROM c.schedule
         OR NOT EXISTS (SELECT FROM credit.member m WHERE m.account = c.account AND m.member = c.member))
     UNION ALL
     SELECT 'what need not be looked at again is settled, and only what ended', p.account, p.lot, 'open', 'settled'
     FROM credit.schedule_period p JOIN schedules s ON s.account = p.account AND s.schedule = p.schedule JOIN lots l
         ON l.account = p.account AND l.lot = p.lot
     WHERE ($1 IS NULL OR p.account = $1) AND NOT p.settled AND s.rollover IS NULL AND NOT s.ends_lots
     UNION ALL
     SELECT 'lots that say allocation of a schedule are periods of it', l.account, l.lot, 'a period', 'none'
     FROM lots l JOIN credit.entry e ON e.account = l.account AND e.lot = l.lot AND e.kind = 'grant'
     WHERE ($1 IS NULL OR e.account = $1) AND e.occurred_at <> e.recorded_at
         AND NOT EXISTS (SELECT FROM credit.schedule_period p WHERE ($1 IS NULL OR p.account = $1) AND p.account = l.account
             AND p.lot = l.lot)"
));
