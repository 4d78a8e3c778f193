-- Views of subscriptions and of what is billed.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per part of a purchase: when it is due and how much. The parts as agreed add up to what was paid, the amounts to what is kept of it:
-- what was voided of a part's lot, or paid back for it, makes that part smaller. The reductions are rounded one after the other, as
-- credit.purchases rounds their sum.
CREATE VIEW credit.instalments AS
SELECT p.account, p.purchase, p.line, p.plan, p.tier, p.billing_period, p.status, p.due_at,
    CASE WHEN p.status = 'void' THEN 0 * p.agreed
        ELSE p.agreed - round(p.gone_up_to, scale(p.paid)) + round(p.gone_up_to - p.gone, scale(p.paid)) END AS amount,
    p.agreed, p.currency, p.granted, p.lot, p.is_due
FROM (
    SELECT b.account, b.purchase, COALESCE(l.line, 1::smallint) AS line, b.plan, b.tier, t.billing_period, b.status, b.paid,
        credit.add_interval(COALESCE(b.settled_at, b.recorded_at), COALESCE(l.step, interval '0'), a.time_zone) AS due_at,
        COALESCE(l.paid, b.paid) AS agreed, b.currency, COALESCE(l.granted, 0) AS granted, l.lot,
        b.status = 'active' AND credit.add_interval(b.settled_at, COALESCE(l.step, interval '0'), a.time_zone) <= credit.now() AS is_due,
        LEAST(COALESCE(g.paid, 0), l.paid) AS gone,
        sum(LEAST(COALESCE(g.paid, 0), l.paid)) OVER (PARTITION BY b.account, b.purchase ORDER BY l.line) AS gone_up_to
    FROM credit.purchase b
    JOIN credit.account a ON a.account = b.account
    LEFT JOIN credit.purchase_lot l ON l.account = b.account AND l.purchase = b.purchase
    LEFT JOIN credit.tier t ON t.version = b.tier_version
    LEFT JOIN (
        SELECT account, lot, sum(paid) AS paid
        FROM (SELECT account, origin AS lot, paid FROM credit.voided UNION ALL SELECT account, lot, credit FROM credit.subscription_return) AS x
        GROUP BY account, lot) AS g ON g.account = l.account AND g.lot = l.lot
) AS p;

-- One row per subscription in force, and per change that is announced.
CREATE VIEW credit.subscriptions AS
SELECT s.account, s.unit, s.subscription, s.plan, s.tier, s.quantity, s.price, s.currency, s.billing_period, s.effective_at, s.ended_at,
    s.committed_until, s.effective_at > clock.now AS is_announced, bought.period_start, bought.period_end
FROM credit.subscription s
CROSS JOIN (SELECT credit.now() AS now) AS clock
LEFT JOIN LATERAL (
    SELECT p.period_start, p.period_end FROM credit.subscription_purchase p
    WHERE p.account = s.account AND p.origin = s.origin AND p.period_start <= clock.now AND p.period_end > clock.now
    ORDER BY p.period_start DESC LIMIT 1
) AS bought ON true
WHERE (s.ended_at IS NULL OR s.ended_at > clock.now) AND s.ended_at IS DISTINCT FROM s.effective_at;

SET LOCAL search_path TO @extschema@, pg_temp;
