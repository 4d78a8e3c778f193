//! Moving departments: the members of a path and of all below it.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{TEXTOID, TIMESTAMPTZOID};

use crate::store::statement::Statement;

static MOVE_MEMBERS: Statement = Statement::new(
    "UPDATE credit.member SET department = $3 || substr(department, length($2) + 1)
     WHERE account = $1 AND (department = $2 OR starts_with(department, $2 || '/'))",
    &[TEXTOID, TEXTOID, TEXTOID],
);

static LONGEST: Statement = Statement::new(
    "SELECT max(length($3 || substr(department, length($2) + 1))) FROM credit.member
     WHERE account = $1 AND (department = $2 OR starts_with(department, $2 || '/'))",
    &[TEXTOID, TEXTOID, TEXTOID],
);

// The rules that count for a department now, and those that will. A rule that the new path has already stays.
static COPY_RULES: Statement = Statement::new(
    "WITH moved AS MATERIALIZED (
         SELECT p.*, $3 || substr(p.department, length($2) + 1) AS path, p.effective_at > $4 OR p.rule = (
             SELECT c.rule FROM credit.pooling c WHERE c.account = $1 AND c.department = p.department AND c.effective_at <= $4
             ORDER BY c.effective_at DESC, c.rule DESC LIMIT 1) AND p.pooling IS NOT NULL AS counts
         FROM credit.pooling p WHERE p.account = $1 AND p.member IS NULL
             AND (p.department = $2 OR starts_with(p.department, $2 || '/'))
     )
     INSERT INTO credit.pooling (account, rule, department, effective_at, pooling, recorded_at, recorded_by)
     SELECT m.account, nextval('credit.pooling_rule'), m.path, GREATEST(m.effective_at, $4), m.pooling, $4, session_user
     FROM (SELECT * FROM moved WHERE counts ORDER BY rule) m WHERE NOT EXISTS (SELECT FROM credit.pooling p
         WHERE p.account = $1 AND p.member IS NULL AND p.department = m.path)",
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

/// The longest path that a member of the department would have after a move; `None` without any.
pub fn longest(account: &str, from: &str, to: &str) -> Option<i32> {
    LONGEST.run(&[&account, &from, &to]).first().and_then(|row| row.optional(1))
}

/// Moves the members; how many.
pub fn move_members(account: &str, from: &str, to: &str) -> i64 {
    MOVE_MEMBERS.run(&[&account, &from, &to]).count() as i64
}

/// Lets what counts for the department and those below it count for the new paths too.
pub fn copy_rules(account: &str, from: &str, to: &str, now: DateTime<Utc>) {
    COPY_RULES.run(&[&account, &from, &to, &now]);
}
