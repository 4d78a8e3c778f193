//! Inconsistencies of units, cards and rates that a customer would find at renewal. One statement, so one instant.

use pgrx::pg_sys::{INT4OID, NUMERICOID};

use crate::domain::amount::Amount;
use crate::store::statement::Statement;

/// Something that does not fit together, with a way out.
pub struct Finding {
    pub severity: String,
    pub finding: String,
    pub subject: String,
    /// Names and values in turn.
    pub detail: Vec<String>,
    pub way_out: String,
}

// $1 how far prices may lie apart, as a share of the lowest; $2 the days of usage that count.
static FINDINGS: Statement = Statement::new(
    "WITH prices AS MATERIALIZED (
         SELECT t.card, c.agreement, t.unit, u.kind, t.operation, t.dimensions, COALESCE(t.currency, t.unit) AS measure,
             CASE WHEN t.currency IS NULL THEN t.credits_per_unit ELSE t.fiat_per_unit END AS price,
             t.operation || CASE WHEN t.dimensions = '{}' THEN '' ELSE ' ' || t.dimensions::text END AS subject
         FROM credit.conversion_table t JOIN credit.rate_card c ON c.card = t.card JOIN credit.units u ON u.unit = t.unit
     ), cards AS MATERIALIZED (
         SELECT a.account, a.unit, COALESCE(a.rate_card, d.card) AS card
         FROM credit.account a LEFT JOIN credit.rate_card d ON d.unit = a.unit AND d.is_default
     ), usage AS MATERIALIZED (
         SELECT c.card, e.operation, count(DISTINCT e.account) AS accounts, count(DISTINCT e.posting) AS debits,
             bool_or(e.rate IS NOT NULL) AS is_charged, max(e.occurred_at) AS last
         FROM credit.entry e JOIN cards c ON c.account = e.account
         WHERE e.kind = 'debit' AND e.operation IS NOT NULL AND e.recorded_at > credit.now() - make_interval(days => $2)
         GROUP BY c.card, e.operation
     )
     SELECT severity, finding, subject, detail, way_out FROM (
         SELECT 'warning' AS severity, 'priced in money for some and in abstract credits for others' AS finding, subject,
             ARRAY['money', string_agg(DISTINCT card, ',' ORDER BY card) FILTER (WHERE kind = 'money'),
                 'abstract', string_agg(DISTINCT card, ',' ORDER BY card) FILTER (WHERE kind = 'abstract')] AS detail,
             'Price it in one unit everywhere, and keep the differences between segments in the cards.' AS way_out
         FROM prices GROUP BY subject HAVING count(DISTINCT kind) > 1
         UNION ALL
         SELECT 'warning', 'prices lie further apart than the bound, without an agreement behind it', subject,
             ARRAY['measure', measure, 'lowest', trim_scale(min(price))::text, 'of_card',
                 (array_agg(card ORDER BY price, card))[1],
                 'highest', trim_scale(max(price))::text, 'on_card', (array_agg(card ORDER BY price DESC, card))[1]],
             'Record the contract behind the card (credit_rate_card(..., agreement => ...)), or bring the prices together.'
         FROM prices WHERE agreement IS NULL GROUP BY subject, measure HAVING max(price) > min(price) * (1 + $1)
         UNION ALL
         SELECT 'warning', 'an abstract unit without a published table', u.unit,
             ARRAY['unit', u.unit, 'accounts', (SELECT count(*) FROM credit.account a WHERE a.unit = u.unit)::text],
             'Publish what a credit of it buys: credit_rate_card(), credit_rate(), credit_publish().'
         FROM credit.units u
         WHERE u.kind = 'abstract' AND NOT EXISTS (SELECT FROM prices p WHERE p.unit = u.unit)
             AND (EXISTS (SELECT FROM credit.account a WHERE a.unit = u.unit)
                 OR EXISTS (SELECT FROM credit.lot l WHERE l.unit = u.unit))
         UNION ALL
         SELECT CASE WHEN is_charged THEN 'error' ELSE 'warning' END, 'an operation in use without a rate', operation,
             ARRAY['card', COALESCE(card, ''), 'accounts', accounts::text, 'debits', debits::text,
                 'last', to_char(last AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')],
             'Publish a rate of the operation, or let the accounts use a card that has one.'
         FROM usage g WHERE NOT EXISTS (SELECT FROM prices p WHERE p.card = g.card AND p.operation = g.operation)
         UNION ALL
         SELECT 'error', 'a rate below cost', r.operation || CASE WHEN r.dimensions = '{}' THEN ''
             ELSE ' ' || r.dimensions::text END,
             ARRAY['card', r.card, 'rate', r.rate::text, 'lowest_price', trim_scale(p.lowest)::text, 'cost',
                 trim_scale(r.unit_cost)::text,
                 'currency', u.currency, 'effective_at', to_char(r.effective_at AT TIME ZONE 'UTC',
                     'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')],
             'Reprice it: credit_reprice(card, operation, new_unit_cost, ''adjust'', target_margin => ...).'
         FROM credit.rate r JOIN credit.rate_card c ON c.card = r.card JOIN credit.units u ON u.unit = c.unit,
             LATERAL (SELECT LEAST(r.credits, (SELECT min(t.credits) FROM unnest(r.tier_credits) AS t (credits)))
                 * u.fiat_per_credit / r.per AS lowest) AS p
         WHERE (r.ended_at IS NULL OR r.ended_at > GREATEST(credit.now(), r.effective_at)) AND p.lowest < r.unit_cost
         UNION ALL
         SELECT 'warning', 'accounts whose card charges in another unit than they hold', c.card,
             ARRAY['card', c.card, 'card_unit', r.unit, 'account_unit', c.unit, 'accounts', count(*)::text],
             'Grant credits in the unit of the card, or give the accounts a card in theirs.'
         FROM cards c JOIN credit.rate_card r ON r.card = c.card WHERE r.unit <> c.unit
             AND NOT EXISTS (SELECT FROM credit.lot l WHERE l.account = c.account AND l.unit = r.unit) GROUP BY c.card, r.unit,
                 c.unit
     ) AS findings ORDER BY severity, finding, subject, detail",
    &[NUMERICOID, INT4OID],
);

/// All findings, the severe ones first.
pub fn findings(max_spread: Amount, days: i32) -> Vec<Finding> {
    let rows = FINDINGS.read(&[&max_spread, &days]);
    rows.iter()
        .map(|row| Finding {
            severity: row.get(1),
            finding: row.get(2),
            subject: row.get(3),
            detail: row.get(4),
            way_out: row.get(5),
        })
        .collect()
}
