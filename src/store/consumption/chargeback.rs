//! The credits that departments used in a period, and those that were granted to their members.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT4OID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::store::statement::{Row, Statement};

// Whole days are added up already. Of the days that the period cuts, and of what came since, the lines are read: those of a day
// lie between the first and the last posting that were added to it. Lines of a cut day count with their own share of the price,
// which may be of thirds: the values are rounded one after the other, each to what the sum up to it has grown by, so that the
// departments add up to all of it.
static BY_DEPARTMENT: Statement = Statement::by_index(
    "WITH bound AS (
         SELECT time_zone, ($3 AT TIME ZONE time_zone)::date AS first, ($4 AT TIME ZONE time_zone)::date AS last
         FROM credit.account WHERE account = $1
     ), cut AS (
         SELECT first::timestamp AT TIME ZONE time_zone <> $3 AS first_is_cut, first,
             last::timestamp AT TIME ZONE time_zone <> $4 AS last_is_cut, last
         FROM bound
     ), cut_day AS (
         SELECT d.day, lines.first, lines.last
         FROM (SELECT first AS day FROM cut WHERE first_is_cut UNION SELECT last FROM cut WHERE last_is_cut) d
         CROSS JOIN LATERAL (SELECT min(first_posting) AS first, max(last_posting) AS last FROM credit.rollup r
             WHERE r.account = $1 AND r.day = d.day AND r.unit = $2 AND credit.rolled_up_to() > 0) lines
     ), part AS (
         SELECT r.department, r.currency, r.credits, r.value, r.overage, r.funded
         FROM cut, credit.rollup r
         WHERE credit.rolled_up_to() > 0 AND r.account = $1 AND r.unit = $2
             AND r.day >= cut.first + cut.first_is_cut::integer AND r.day < cut.last
         UNION ALL
         SELECT c.department, c.currency, c.credits, c.value, c.overage, c.funded
         FROM cut_day d, credit.consumption_line c
         WHERE c.counts AND c.account = $1 AND c.posting >= d.first AND c.posting <= d.last AND c.posting <= credit.rolled_up_to()
             AND c.unit = $2 AND c.day = d.day AND c.occurred_at >= $3 AND c.occurred_at < $4
         UNION ALL
         SELECT c.department, c.currency, c.credits, c.value, c.overage, c.funded
         FROM credit.consumption_since c
         WHERE c.account = $1 AND c.unit = $2 AND c.occurred_at >= $3 AND c.occurred_at < $4
     ), department AS (
     SELECT department, trim_scale(sum(funded)) AS funded, trim_scale(sum(credits)) AS used, sum(value) AS value,
         CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
         trim_scale(sum(credits) - sum(funded)) AS cross_subsidy, trim_scale(sum(overage)) AS overage
     FROM (SELECT CASE WHEN $5 IS NULL THEN NULLIF(department, '')
                  ELSE NULLIF(array_to_string((string_to_array(department, '/'))[:$5], '/'), '') END AS department,
               NULLIF(currency, '') AS currency, credits, value, overage, funded
           FROM part WHERE credits <> 0 OR funded <> 0 OR overage <> 0) p
     GROUP BY department
     )
     SELECT department, funded, used, CASE WHEN currency IS NOT NULL THEN
             trim_scale(round(sum(value) OVER so_far, 9) - round(sum(value) OVER so_far - value, 9)) END,
         currency, cross_subsidy, overage
     FROM department
     WINDOW so_far AS (PARTITION BY currency ORDER BY department NULLS LAST ROWS UNBOUNDED PRECEDING)
     ORDER BY department NULLS LAST",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID],
);

// What tells usage apart is not added up: the lines are read.
static BY_PART: Statement = Statement::by_index(
    "SELECT department, 0::numeric, trim_scale(sum(credits)), CASE WHEN min(currency) = max(currency) THEN
             trim_scale(round(sum(value), 9)) END, CASE WHEN min(currency) = max(currency) THEN min(currency) END,
         trim_scale(sum(credits)), trim_scale(sum(overage)), part
     FROM (SELECT CASE WHEN $5 IS NULL THEN NULLIF(c.department, '')
                 ELSE NULLIF(array_to_string((string_to_array(c.department, '/'))[:$5], '/'), '') END AS department,
             NULLIF(c.currency, '') AS currency, c.credits, c.value, c.overage,
             CASE WHEN $6 = 'run' THEN e.run ELSE e.dimensions ->> $6 END AS part
         FROM credit.consumption_line c
         JOIN credit.entry e ON e.account = $1 AND e.posting = c.posting AND e.line = c.line
         WHERE c.counts AND c.account = $1 AND c.unit = $2 AND c.occurred_at >= $3 AND c.occurred_at < $4 AND c.credits <> 0) p
     GROUP BY department, part ORDER BY department NULLS LAST, part NULLS LAST",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID, TEXTOID],
);

/// The use of a department, and the credits that were granted to its members.
pub struct Line {
    /// `None` for usage that no department is named for.
    pub department: Option<String>,
    pub funded: AnyNumeric,
    pub used: AnyNumeric,
    pub value: Option<AnyNumeric>,
    pub currency: Option<String>,
    pub cross_subsidy: AnyNumeric,
    pub overage: AnyNumeric,
    /// The run, or what the dimension says, where usage is told apart by it.
    pub part: Option<String>,
}

/// The use and the grants of each department of an account from `begin` until `end`; of the first `depth` levels of their names.
pub fn by_department(account: &str, unit: &str, begin: DateTime<Utc>, end: DateTime<Utc>, depth: Option<i32>) -> Vec<Line> {
    let rows = BY_DEPARTMENT.read(&[&account, &unit, &begin, &end, &depth]);
    rows.iter().map(line_of_row).collect()
}

/// The same, told apart by run (`by` is `run`), or by a dimension of this name.
pub fn by_part(account: &str, unit: &str, begin: DateTime<Utc>, end: DateTime<Utc>, depth: Option<i32>, by: &str) -> Vec<Line> {
    let rows = BY_PART.read(&[&account, &unit, &begin, &end, &depth, &by]);
    rows.iter()
        .map(|row| {
            let part = row.optional(8);
            Line { part, ..line_of_row(row) }
        })
        .collect()
}

fn line_of_row(row: Row<'_>) -> Line {
    Line {
        department: row.optional(1),
        funded: row.get(2),
        used: row.get(3),
        value: row.optional(4),
        currency: row.optional(5),
        cross_subsidy: row.get(6),
        overage: row.get(7),
        part: None,
    }
}
