//! The proof of names: what a row names exists.

use crate::store::maintenance::verify::Invariants;

pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "WITH lots AS NOT MATERIALIZED (
         SELECT * FROM credit.lot WHERE $1 IS NULL OR account = $1
     )
     SELECT 'every account, member and unit that is named exists' AS invariant, x.account, NULL::bigint, x.account,
         'no such account'
     FROM (SELECT account FROM lots UNION SELECT account FROM credit.entry WHERE $1 IS NULL OR account = $1
         UNION SELECT account FROM credit.member WHERE $1 IS NULL OR account = $1) x
     WHERE NOT EXISTS (SELECT FROM credit.account a WHERE ($1 IS NULL OR a.account = $1) AND a.account = x.account)
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
     SELECT 'every card and unit that is named exists', x.account, NULL, x.name, 'no such ' || x.kind
     FROM (
         SELECT account, rate_card AS name, 'card' AS kind FROM credit.account WHERE rate_card IS NOT NULL
         UNION SELECT account, card, 'card' FROM credit.rate_usage
         UNION SELECT NULL, card, 'card' FROM credit.rate
         UNION SELECT NULL, card, 'card' FROM credit.rate_draft
         UNION SELECT NULL, unit, 'unit' FROM credit.rate_card
         UNION SELECT NULL, unit, 'unit' FROM credit.unit_value) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT EXISTS (SELECT FROM credit.rate_card c WHERE x.kind = 'card'
         AND c.card = x.name)
         AND NOT EXISTS (SELECT FROM credit.unit u WHERE x.kind = 'unit' AND u.unit = x.name)
     UNION ALL
     SELECT 'every plan that is named exists', x.account, NULL, x.plan, 'no such plan'
     FROM (SELECT account, plan FROM credit.agreement UNION SELECT account, plan FROM credit.purchase UNION SELECT account, plan
         FROM credit.subscription UNION SELECT NULL, plan FROM credit.tier
         UNION SELECT NULL, plan FROM credit.plan_schedule UNION SELECT NULL, plan FROM credit.plan_price UNION SELECT NULL, plan
             FROM credit.plan_cost) x
     WHERE ($1 IS NULL OR x.account = $1) AND NOT EXISTS (SELECT FROM credit.plan p WHERE p.plan = x.plan)
     UNION ALL
     SELECT 'every time zone that is named exists', a.account, NULL, 'a time zone', a.time_zone
     FROM credit.account a WHERE ($1 IS NULL OR a.account = $1) AND a.time_zone <> 'UTC'
         -- Few names look otherwise, such as EST5EDT. The server reads the file of every time zone to list them.
         AND CASE WHEN a.time_zone ~ '^[A-Za-z]+(/[A-Za-z0-9_+-]+)*$' THEN false
             ELSE NOT EXISTS (SELECT FROM pg_catalog.pg_timezone_names n WHERE n.name = a.time_zone) END
     UNION ALL
     SELECT 'an agreement and a plan name what exists', x.account, NULL, x.name, 'no such ' || x.kind
     FROM (SELECT account, rate_card AS name, 'card' AS kind FROM credit.agreement UNION SELECT NULL, rate_card, 'card'
         FROM credit.plan
         UNION SELECT NULL, unit, 'unit' FROM credit.plan_schedule) x
     WHERE ($1 IS NULL OR x.account = $1) AND x.name IS NOT NULL AND NOT EXISTS (SELECT FROM credit.rate_card c
         WHERE x.kind = 'card' AND c.card = x.name)
         AND NOT EXISTS (SELECT FROM credit.unit u WHERE x.kind = 'unit' AND u.unit = x.name)
     UNION ALL
     SELECT 'an agreement is of an account, a tier and not of the past', g.account, NULL, 'an account, a tier, ' || g.recorded_at,
         concat_ws(' ', g.tier, g.agreed_at, g.effective_at, 'agreement', g.agreement)
     FROM credit.agreement g WHERE ($1 IS NULL OR g.account = $1)
         AND (NOT EXISTS (SELECT FROM credit.account a WHERE a.account = g.account)
         OR g.tier IS NOT NULL AND NOT EXISTS (SELECT FROM credit.tier t WHERE t.plan = g.plan AND t.tier = g.tier)
             OR g.agreed_at > g.recorded_at AND g.agreed_at > g.effective_at)",
);
