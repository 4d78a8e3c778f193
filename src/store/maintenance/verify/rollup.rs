//! The proof of what is added up: each row of the rollup is what the lines of the ledger up to the watermark come to.

use crate::store::consumption::rollup::with_value;
use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(concat!(
    "WITH line AS MATERIALIZED (
             SELECT line.*, sum(line.gone) OVER so_far AS gone_after, sum(line.gained) OVER so_far AS gained_after
             FROM credit.consumption_line line WHERE posting <= credit.rolled_up_to() AND ($1 IS NULL OR account = $1)
             WINDOW so_far AS (PARTITION BY line.account, line.lot ORDER BY line.posting, line.line ROWS UNBOUNDED PRECEDING)
         )
         SELECT 'what is added up is what the ledger says', account, NULL::bigint, COALESCE(e.sums, 'nothing'),
             COALESCE(r.sums, 'nothing') || ' on ' || day || ' for ' || concat_ws(' ', NULLIF(member, ''), NULLIF(department, ''),
                 NULLIF(operation, ''), unit)
         FROM (SELECT account, month, day, unit, member, department, operation, currency,
                 concat_ws(' ', sum(requests), min(posting), max(posting), trim_scale(sum(credits)), trim_scale(sum(pooled)),
                     trim_scale(sum(overage)),
                     trim_scale(sum(quantity)), trim_scale(sum(value)), trim_scale(sum(funded)), trim_scale(sum(lapsed))) AS sums
             FROM (",
    with_value!("SELECT * FROM line"),
    ") v GROUP BY account, month, day, unit, member, department, operation, currency) e
         FULL JOIN (SELECT account, month, day, unit, member, department, operation, currency,
                 concat_ws(' ', requests, first_posting, last_posting, trim_scale(credits), trim_scale(pooled),
                     trim_scale(overage), trim_scale(quantity),
                     trim_scale(value), trim_scale(funded), trim_scale(lapsed)) AS sums
             FROM credit.rollup WHERE credit.rolled_up_to() > 0 AND ($1 IS NULL OR account = $1)) r
             USING (account, month, day, unit, member, department, operation, currency)
         WHERE e.sums IS DISTINCT FROM r.sums
         UNION ALL
         SELECT 'what is added up of a lot is what the ledger says', account, lot,
             COALESCE(e.gone || ' gone ' || e.gained || ' gained', 'nothing'),
             COALESCE(r.gone || ' gone ' || r.gained || ' gained', 'nothing')
         FROM (SELECT account, lot, sum(gone) AS gone, sum(gained) AS gained FROM line WHERE paid > 0
             AND (gone <> 0 OR gained <> 0)
             GROUP BY account, lot) e
         FULL JOIN (SELECT account, lot, gone, gained FROM credit.rollup_lot WHERE credit.rolled_up_to() > 0
             AND ($1 IS NULL OR account = $1)) r
             USING (account, lot)
         WHERE (e.gone, e.gained) IS DISTINCT FROM (r.gone, r.gained)"
));
