-- Views of schedules.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per schedule, with what it has brought so far.
CREATE VIEW credit.schedules AS
SELECT s.account, s.schedule, s.unit, s.amount, s.every, s.anchor, s.starts_at, s.ends_at, s.periods, s.expires, s.expires_periods,
    s.expires_after, s.expires_at, s.proration, s.per_member, s.on_leave, s.rollover, s.category, s.paid, s.currency, s.priority, s.true_up,
    CASE WHEN s.ends_at <= clock.now OR s.ends_at = s.starts_at THEN 'ended' WHEN s.starts_at > clock.now THEN 'future' ELSE 'active' END AS status,
    issued.lots AS issued_lots, issued.granted AS issued, issued.rolled, s.recorded_at, s.recorded_by, s.metadata,
    p.plan, s.plan_schedule, s.into_pool
FROM (SELECT credit.now() AS now) AS clock, credit.schedule s LEFT JOIN credit.plan_schedule p ON p.schedule = s.plan_schedule,
    LATERAL (SELECT count(*) FILTER (WHERE p.rolled = 0) AS lots, COALESCE(trim_scale(sum(l.granted) FILTER (WHERE p.rolled = 0)), 0) AS granted,
                 COALESCE(trim_scale(sum(l.granted) FILTER (WHERE p.rolled > 0)), 0) AS rolled
             FROM credit.schedule_period p JOIN credit.lot l ON l.account = p.account AND l.lot = p.lot
             WHERE p.account = s.account AND p.schedule = s.schedule) AS issued;

-- Debits registered them, and nobody who may grant gave them a seat.
CREATE VIEW credit.unseated_members AS
SELECT m.account, m.member, m.department, m.kind, m.created_at AS registered_at,
    (SELECT count(*) FROM credit.schedule s
     WHERE s.account = m.account AND s.per_member AND s.ends_at IS DISTINCT FROM s.starts_at AND COALESCE(s.ends_at > clock.now, true)) AS schedules,
    pg_catalog.format('SELECT credit_member(%L, %L);', m.account, m.member) AS seated_by
FROM (SELECT credit.now() AS now) AS clock, credit.member m
WHERE m.active AND m.seated_at IS NULL;

SET LOCAL search_path TO @extschema@, pg_temp;
