-- Views of the credit-to-value mapping: what a unit is worth, what an operation costs, how that changed, and what is earned by it.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- One row per unit, with what one of it is worth in money now. A unit with a currency and no value in credit.unit_value is money.
CREATE VIEW credit.units AS
SELECT u.unit, u.decimals, u.rounding, u.currency,
    CASE WHEN u.currency IS NOT NULL AND first.effective_at IS NULL THEN 'money' ELSE 'abstract' END AS kind,
    CASE WHEN u.currency IS NOT NULL AND first.effective_at IS NULL THEN 1 ELSE trim_scale(present.fiat_per_credit) END AS fiat_per_credit,
    present.effective_at AS since, trim_scale(next.fiat_per_credit) AS next_fiat_per_credit, next.effective_at AS next_at
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.unit u
    LEFT JOIN LATERAL (SELECT v.effective_at FROM credit.unit_value v WHERE v.unit = u.unit ORDER BY v.effective_at LIMIT 1) AS first ON true
    LEFT JOIN LATERAL (SELECT v.effective_at, v.fiat_per_credit FROM credit.unit_value v
        WHERE v.unit = u.unit AND v.effective_at <= clock.now ORDER BY v.effective_at DESC LIMIT 1) AS present ON true
    LEFT JOIN LATERAL (SELECT v.effective_at, v.fiat_per_credit FROM credit.unit_value v
        WHERE v.unit = u.unit AND v.effective_at > clock.now ORDER BY v.effective_at LIMIT 1) AS next ON true;

-- The rates in force now, in both directions, and the next change that is announced. No costs: this is for customers.
CREATE VIEW credit.conversion_table AS
SELECT r.card, c.unit, r.operation, r.dimensions, trim_scale(r.credits) AS credits, trim_scale(r.per) AS per, r.block,
    trim_scale(r.minimum) AS minimum, tiers.text AS tiers, r.tier_scope,
    trim_scale(r.credits / r.per) AS credits_per_unit, trim_scale(r.per / NULLIF(r.credits, 0)) AS units_per_credit,
    trim_scale(r.credits * u.fiat_per_credit / r.per) AS fiat_per_unit, u.currency, r.effective_at AS since,
    trim_scale(next.credits) AS next_credits, trim_scale(next.per) AS next_per,
    COALESCE(next.effective_at, r.ended_at) AS next_at, r.rate
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.rate r
    JOIN credit.rate_card c ON c.card = r.card
    LEFT JOIN credit.units u ON u.unit = c.unit
    LEFT JOIN LATERAL (SELECT string_agg('from ' || trim_scale(t.above) || ': ' || trim_scale(t.credits), ', ' ORDER BY t.above) AS text
        FROM unnest(r.tier_from, r.tier_credits) AS t (above, credits)) AS tiers ON true
    LEFT JOIN LATERAL (SELECT n.effective_at, n.credits, n.per FROM credit.rate n
        WHERE n.card = r.card AND n.operation = r.operation AND n.dimensions = r.dimensions AND n.effective_at > clock.now
            AND n.ended_at IS DISTINCT FROM n.effective_at ORDER BY n.effective_at LIMIT 1) AS next ON true
WHERE r.effective_at <= clock.now AND (r.ended_at IS NULL OR r.ended_at > clock.now);

-- Every version there ever was, with what it changed. A version that was superseded before it began was never in force.
CREATE VIEW credit.rate_history AS
SELECT r.card, r.operation, r.dimensions,
    row_number() OVER (PARTITION BY r.card, r.operation, r.dimensions ORDER BY r.effective_at, r.rate) AS version, r.rate,
    CASE WHEN r.ended_at = r.effective_at THEN 'superseded'
         WHEN r.effective_at > clock.now THEN 'announced'
         WHEN r.ended_at <= clock.now THEN 'past'
         ELSE 'current' END AS status,
    trim_scale(r.credits) AS credits, trim_scale(r.per) AS per, r.block, trim_scale(r.minimum) AS minimum, tiers.text AS tiers,
    r.tier_scope, r.effective_at, r.ended_at, previous.rate AS previous, trim_scale(previous.credits) AS previous_credits,
    trim_scale(previous.per) AS previous_per,
    trim_scale(round(100 * (r.credits * previous.per - previous.credits * r.per) / NULLIF(previous.credits * r.per, 0), 4)) AS change_percent,
    r.published_at, r.published_by, r.override_reason, r.note
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.rate r
    LEFT JOIN LATERAL (SELECT string_agg('from ' || trim_scale(t.above) || ': ' || trim_scale(t.credits), ', ' ORDER BY t.above) AS text
        FROM unnest(r.tier_from, r.tier_credits) AS t (above, credits)) AS tiers ON true
    LEFT JOIN LATERAL (SELECT p.rate, p.credits, p.per FROM credit.rate p
        WHERE p.card = r.card AND p.operation = r.operation AND p.dimensions = r.dimensions AND p.effective_at < r.effective_at
            AND r.ended_at IS DISTINCT FROM r.effective_at AND p.ended_at IS DISTINCT FROM p.effective_at ORDER BY p.effective_at DESC LIMIT 1) AS previous ON true;

-- What is earned by each rate in force now, for a unit of quantity, before any lot's discount.
CREATE VIEW credit.margin AS
SELECT r.card, r.operation, r.dimensions, r.rate, u.currency, trim_scale(price.first) AS price, trim_scale(price.lowest) AS lowest_price,
    trim_scale(r.unit_cost) AS cost, trim_scale(price.first - r.unit_cost) AS margin,
    trim_scale(round(100 * (price.first - r.unit_cost) / NULLIF(price.first, 0), 4)) AS margin_percent,
    trim_scale(round(100 * (price.lowest - r.unit_cost) / NULLIF(price.lowest, 0), 4)) AS lowest_margin_percent
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.rate r
    JOIN credit.rate_card c ON c.card = r.card
    LEFT JOIN credit.units u ON u.unit = c.unit,
    LATERAL (SELECT r.credits * u.fiat_per_credit / r.per AS first,
        LEAST(r.credits, (SELECT min(t.credits) FROM unnest(r.tier_credits) AS t (credits))) * u.fiat_per_credit / r.per AS lowest) AS price
WHERE r.effective_at <= clock.now AND (r.ended_at IS NULL OR r.ended_at > clock.now);

-- The revenue of usage that rates priced: from the ledger, so at the price each lot was paid for. Credits that were given back are no revenue, and
-- a quantity that was given back cost nothing.
CREATE VIEW credit.margin_by_account AS
SELECT e.account, r.card, e.operation, u.currency, trim_scale(sum(usage.quantity)) AS quantity, trim_scale(sum(- e.amount)) AS credits,
    trim_scale(sum(- e.amount * worth.fiat_per_credit)) AS list_value,
    COALESCE(trim_scale(round(sum(usage.value) FILTER (WHERE l.currency = u.currency), 9)), 0) AS revenue,
    COALESCE(trim_scale(sum(- e.amount) FILTER (WHERE l.currency IS DISTINCT FROM u.currency)), 0) AS credits_without_price,
    trim_scale(sum(usage.quantity * r.unit_cost)) AS cost,
    COALESCE(trim_scale(sum(usage.quantity) FILTER (WHERE r.unit_cost IS NULL)), 0) AS quantity_without_cost,
    trim_scale(COALESCE(round(sum(usage.value) FILTER (WHERE l.currency = u.currency), 9), 0) - sum(usage.quantity * r.unit_cost)) AS margin,
    trim_scale(round(100 * (1 - sum(usage.quantity * r.unit_cost)
        / NULLIF(round(sum(usage.value) FILTER (WHERE l.currency = u.currency), 9), 0)), 4)) AS margin_percent
FROM credit.entry e
    JOIN credit.rate r ON r.rate = e.rate
    JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
    JOIN credit.units u ON u.unit = l.unit
    LEFT JOIN credit.lot_gain g ON g.account = e.account AND g.lot = e.lot
    -- What a correction gives back counts at the value of its debit.
    LEFT JOIN LATERAL (SELECT d.occurred_at FROM credit.entry d
        WHERE e.kind = 'adjustment' AND d.account = e.account AND d.posting = e.corrects AND d.kind = 'debit' ORDER BY d.line LIMIT 1) AS corrected ON true
    LEFT JOIN LATERAL (SELECT CASE u.kind WHEN 'money' THEN 1 ELSE (SELECT v.fiat_per_credit FROM credit.unit_value v
        WHERE v.unit = l.unit AND v.effective_at <= COALESCE(corrected.occurred_at, e.occurred_at)
        ORDER BY v.effective_at DESC LIMIT 1) END AS fiat_per_credit) AS worth ON true,
    LATERAL (SELECT CASE WHEN e.kind = 'debit' THEN e.quantity ELSE - sign(e.amount) * COALESCE(e.quantity, 0) END AS quantity,
        -- Its own share of the price, as the ledger's view has it, finer than the sum is rounded to: shares of thirds add up.
        round(round(- e.amount * l.paid, 18) / (l.granted + GREATEST(COALESCE(g.adjusted, 0), 0)), 18) AS value) AS usage
WHERE e.kind = 'debit' OR e.kind = 'adjustment' AND e.corrects IS NOT NULL
GROUP BY e.account, r.card, e.operation, u.currency;

SET LOCAL search_path TO @extschema@, pg_temp;
