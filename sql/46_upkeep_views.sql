-- Views of what expires soon. A day is 24 hours here, so that a view says the same in every session's time zone.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per lot that holds something and expires within 90 days, with the price of what is left: all of it less that of what is gone.
-- What adjustments added has no price and is used last.
CREATE VIEW credit.expiring_soon AS
SELECT l.account, l.lot, l.unit, l.member, l.category, l.source,
    CASE WHEN l.expires_at <= clock.now + interval '168 hours' THEN 7
         WHEN l.expires_at <= clock.now + interval '720 hours' THEN 30
         WHEN l.expires_at <= clock.now + interval '1440 hours' THEN 60
         ELSE 90 END AS within_days,
    trim_scale(s.remaining) AS remaining,
    trim_scale(l.paid - div(l.paid * GREATEST(l.granted - GREATEST(s.remaining - GREATEST(COALESCE(g.adjusted, 0), 0), 0), 0) * 1000000000,
        l.granted) * 0.000000001) AS value, l.currency, l.effective_at, l.expires_at
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.lot l
    LEFT JOIN credit.lot_gain g ON g.account = l.account AND g.lot = l.lot
    CROSS JOIN LATERAL (SELECT sum(remaining) AS remaining FROM credit.slot s WHERE s.account = l.account AND s.lot = l.lot) AS s
WHERE NOT l.closed AND l.expires_at > clock.now AND l.expires_at <= clock.now + interval '2160 hours' AND s.remaining > 0;

-- One row per owner that loses credits within 90 days: a member, or the pool (member NULL).
CREATE VIEW credit.expiring_by_member AS
SELECT account, unit, member,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 7), 0) AS within_7_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 30), 0) AS within_30_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 60), 0) AS within_60_days,
    sum(remaining) AS within_90_days,
    CASE WHEN min(currency) = max(currency) THEN sum(value) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
    count(*) AS lots, min(expires_at) AS next_expiry
FROM credit.expiring_soon GROUP BY account, unit, member;

-- The same of all owners of an account together.
CREATE VIEW credit.expiring_by_account AS
SELECT account, unit,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 7), 0) AS within_7_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 30), 0) AS within_30_days,
    COALESCE(sum(remaining) FILTER (WHERE within_days <= 60), 0) AS within_60_days,
    sum(remaining) AS within_90_days,
    CASE WHEN min(currency) = max(currency) THEN sum(value) END AS value,
    CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
    count(*) AS lots, min(expires_at) AS next_expiry
FROM credit.expiring_soon GROUP BY account, unit;

SET LOCAL search_path TO @extschema@, pg_temp;
