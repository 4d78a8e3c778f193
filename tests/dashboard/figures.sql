-- What the dashboard must show for an account in a month, from the ledger where the dashboard asks the views of consumption, and by a
-- simulation day by day where it adds up. A row per figure: the chart's title, where in it, of what, and how much.
--
--   psql --csv --set=account=acme --set=month=2026-06 --file=tests/dashboard/figures.sql

WITH RECURSIVE clock AS MATERIALIZED (SELECT credit.now() AS now),
debit AS MATERIALIZED (
    SELECT e.occurred_at AT TIME ZONE 'UTC' AS at, to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM') = :'month' AS in_month,
        COALESCE(e.member, '(none)') AS member, COALESCE(e.department, '(none)') AS department, COALESCE(e.operation, '(none)') AS operation,
        - e.amount AS credits, - e.value AS value, l.member IS NOT NULL AS of_own
    FROM credit.ledger e JOIN credit.lots l ON l.account = e.account AND l.lot = e.lot
    WHERE e.account = :'account' AND e.kind = 'debit'
),
expiry AS MATERIALIZED (SELECT * FROM credit_expiry_forecast(:'account')),
-- What brings or takes credits from now on, besides usage. The story has no lots to come and no schedule whose lots outlast their use.
event AS (
    SELECT expires_at AS at, - forecast_lost AS amount FROM expiry
    UNION ALL
    SELECT p.effective_at, p.amount
    FROM clock, credit.schedules s, credit_schedule_preview(s.account, s.schedule, now + interval '366 days') AS p
    WHERE s.account = :'account' AND p.effective_at > now
),
stock AS (
    SELECT 0 AS day, now AS at, credit_balance(:'account') AS credits FROM clock
    UNION ALL
    SELECT stock.day + 1, stock.at + interval '1 day', GREATEST(0, stock.credits
        - (SELECT sum(d.credits) / 30 FROM debit d, clock WHERE d.at >= clock.now::date - 30 AND d.at < clock.now::date)
        + COALESCE((SELECT sum(amount) FROM event WHERE event.at > stock.at AND event.at <= stock.at + interval '1 day'), 0))
    FROM stock WHERE stock.day < 365
),
-- The balance as it was: what the ledger says of each lot that was alive.
past AS (
    SELECT at, (
        SELECT sum(e.amount)
        FROM credit.ledger e JOIN credit.lots l ON l.account = e.account AND l.lot = e.lot
        WHERE e.account = :'account' AND e.recorded_at <= at AND l.effective_at <= at AND (l.expires_at IS NULL OR l.expires_at > at)) AS credits
    FROM clock, generate_series(now - interval '26 weeks', now, interval '1 week') AS at
)
SELECT 'Balance' AS chart, '' AS place, '' AS series, credit_balance(:'account') AS figure
UNION ALL SELECT 'Used', '', '', sum(credits) FROM debit WHERE in_month
UNION ALL SELECT 'Value of what was used', '', '', sum(value) FROM debit WHERE in_month
UNION ALL SELECT 'Runway', '', '', COALESCE(min(day), 365) FROM stock WHERE credits = 0
UNION ALL
SELECT 'Will expire unused', '', '', COALESCE(sum(forecast_lost), 0) FROM expiry, clock WHERE expires_at <= now + interval '90 days'
UNION ALL
SELECT 'Who uses it? Credits per week, by department', to_char(date_trunc('week', at), 'YYYY-MM-DD'), department, sum(credits)
FROM debit, clock WHERE at >= date_trunc('week', now) - interval '175 days' GROUP BY 2, 3
UNION ALL SELECT 'What for? Credits of the month', operation, 'credits', sum(credits) FROM debit WHERE in_month GROUP BY 2
UNION ALL
SELECT 'How long does it last? Balance and forecast (credits)', to_char(at, 'YYYY-MM-DD'), 'balance', credits FROM past WHERE credits IS NOT NULL
UNION ALL
SELECT 'How long does it last? Balance and forecast (credits)', to_char(at, 'YYYY-MM-DD'), 'forecast', credits FROM stock WHERE day <= 182
UNION ALL
SELECT 'What expires? Credits, by day of expiry', to_char(expires_at, 'YYYY-MM-DD'), series, sum(figure)
FROM clock, expiry, LATERAL (VALUES ('will be used', forecast_used), ('will be lost', forecast_lost)) AS part (series, figure)
WHERE expires_at <= now + interval '90 days' GROUP BY 2, 3
UNION ALL
(SELECT 'Who are the top members? The ten of the month (credits)', member, series, figure
FROM (
    SELECT member, sum(credits) AS used, COALESCE(sum(credits) FILTER (WHERE of_own), 0) AS of_own,
        COALESCE(sum(credits) FILTER (WHERE NOT of_own), 0) AS of_pool, (
            SELECT h.unused FROM credit.heavy_and_light_users h
            WHERE h.account = :'account' AND h.month = to_date(:'month', 'YYYY-MM') AND h.member = debit.member) AS unused
    FROM debit WHERE in_month AND member <> '(none)' GROUP BY member ORDER BY used DESC LIMIT 10) AS top,
    LATERAL (VALUES ('used', used), ('of own lots', of_own), ('of the pool', of_pool), ('unused', unused)) AS part (series, figure))
UNION ALL
SELECT 'Who pays for whom? Chargeback of the month (credits)', COALESCE(c.department, '(none)'), series, figure
FROM credit_chargeback(:'account', to_date(:'month', 'YYYY-MM')::timestamptz, to_date(:'month', 'YYYY-MM') + interval '1 month') AS c
LEFT JOIN (SELECT department, sum(credits) AS used, sum(value) AS value FROM debit WHERE in_month GROUP BY department) AS d
    ON d.department = COALESCE(c.department, '(none)'),
LATERAL (VALUES ('used', d.used), ('funded', c.funded), ('cross subsidy', d.used - c.funded), ('value', d.value)) AS part (series, figure);
