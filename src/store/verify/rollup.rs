//! The proof of what is added up: each row of the rollup is what the lines of the ledger up to the watermark come to.

use super::PARAMETERS;
use crate::store::statement::Statement;

pub static INVARIANTS: Statement = Statement::new(
    "SELECT 'what is added up is what the ledger says', account, NULL::bigint, COALESCE(e.sums, 'nothing'),
         COALESCE(r.sums, 'nothing') || ' on ' || day || ' for ' || concat_ws(' ', NULLIF(member, ''), NULLIF(department, ''), NULLIF(operation, ''), unit)
     FROM (SELECT account, month, day, unit, member, department, operation, currency,
             concat_ws(' ', sum(requests), min(posting), max(posting), trim_scale(sum(credits)), trim_scale(sum(pooled)), trim_scale(sum(overage)),
                 trim_scale(sum(quantity)), trim_scale(sum(value)), trim_scale(sum(funded)), trim_scale(sum(lapsed))) AS sums
         FROM credit.consumption_line WHERE posting <= credit.rolled_up_to() AND ($1 IS NULL OR account = $1)
         GROUP BY account, month, day, unit, member, department, operation, currency) e
     FULL JOIN (SELECT account, month, day, unit, member, department, operation, currency,
             concat_ws(' ', requests, first_posting, last_posting, trim_scale(credits), trim_scale(pooled), trim_scale(overage), trim_scale(quantity),
                 trim_scale(value), trim_scale(funded), trim_scale(lapsed)) AS sums
         FROM credit.rollup WHERE credit.rolled_up_to() > 0 AND ($1 IS NULL OR account = $1)) r
         USING (account, month, day, unit, member, department, operation, currency)
     WHERE e.sums IS DISTINCT FROM r.sums",
    PARAMETERS,
);
