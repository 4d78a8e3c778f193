-- Views for people and BI tools: plain names and plain types; times are timestamptz, amounts numeric. A filter on account reaches the tables.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per lot, with what is left and what state it is in now.
CREATE VIEW credit.lots AS
SELECT l.account, l.lot, l.unit, l.member, l.category, l.source, l.priority, l.applies_to,
    CASE WHEN l.expires_at <= clock.now THEN 'expired'
         WHEN s.remaining = 0 THEN 'empty'
         WHEN l.effective_at > clock.now THEN 'future'
         ELSE 'usable' END AS status,
    l.granted, trim_scale(s.remaining) AS remaining,
    CASE WHEN l.effective_at <= clock.now AND (l.expires_at IS NULL OR l.expires_at > clock.now) THEN trim_scale(s.remaining)
         ELSE 0 END AS usable,
    l.effective_at, l.expires_at, l.paid, l.currency, l.cost_basis, l.parent, s.slots, l.recorded_at, l.recorded_by, l.metadata
FROM (SELECT credit.now() AS now) AS clock, credit.lot l,
    LATERAL (SELECT COALESCE(sum(remaining), 0) AS remaining, count(*) AS slots FROM credit.slot s
             WHERE s.account = l.account AND s.lot = l.lot) AS s;

-- One row per owner that has credits now: a member, or the pool (member NULL).
CREATE VIEW credit.balances AS
SELECT l.account, l.unit, l.member, trim_scale(sum(s.remaining)) AS balance,
    COALESCE(trim_scale(sum(s.remaining) FILTER (WHERE l.category = 'paid')), 0) AS paid,
    COALESCE(trim_scale(sum(s.remaining) FILTER (WHERE l.category = 'promotional')), 0) AS promotional,
    COALESCE(trim_scale(sum(s.remaining) FILTER (WHERE l.applies_to IS NOT NULL)), 0) AS limited_to_operations,
    count(DISTINCT l.lot) AS lots, min(l.expires_at) AS next_expiry
FROM (SELECT credit.now() AS now) AS clock, credit.lot l JOIN credit.slot s ON s.account = l.account AND s.lot = l.lot
WHERE NOT l.closed AND l.effective_at <= clock.now AND (l.expires_at IS NULL OR l.expires_at > clock.now) AND s.remaining > 0
GROUP BY l.account, l.unit, l.member;

-- One row per ledger line, with its lot's terms and its own share of the lot's price, to 18 decimals. What adjustments added to a lot came for
-- nothing: where they added more than they took, they are worth nothing, and all credits of the lot have an equal share of the price. So what
-- leaves a lot is never worth more than it cost. The first line of a lot has all of its price.
CREATE VIEW credit.ledger AS
SELECT e.account, e.posting, e.line, e.kind, e.amount, l.unit, e.lot, e.member, e.department, e.operation, e.quantity, e.rate,
    l.category, l.source, l.currency, l.cost_basis,
    trim_scale(CASE WHEN g.adjusted > 0 AND e.kind = 'adjustment' AND e.corrects IS NULL THEN 0 * l.paid
        ELSE round(round(e.amount * l.paid, 18) / (l.granted + CASE WHEN g.adjusted > 0 AND e.kind NOT IN ('grant', 'move_in', 'roll_in', 'convert_in')
            THEN g.adjusted ELSE 0 END), 18) END) AS value,
    e.occurred_at, e.recorded_at, e.recorded_by, e.corrects, e.metadata
FROM credit.entry e
JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
LEFT JOIN credit.lot_gain g ON g.account = e.account AND g.lot = e.lot;

SET LOCAL search_path TO @extschema@, pg_temp;
