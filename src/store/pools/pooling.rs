//! The table `credit.pooling`: the rules by which members spend the pool, or do not.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT8OID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::amount::Amount;
use crate::domain::pools::pooling::{Policy, Pooling, Rule, Target};
use crate::store::statement::{Row, Snapshot, Statement};

macro_rules! rule {
    ($condition:literal) => {
        concat!(
            "SELECT rule, member, department, agreement, effective_at, pooling FROM credit.pooling
             WHERE account = $1 AND ",
            $condition
        )
    };
}

// Of many members' overrides only the one that matters, by the index.
static OF_MEMBER: Statement = Statement::new(
    concat!(
        rule!("member = $2"),
        " UNION ALL ",
        rule!("member IS NULL AND (department IS NULL OR $3 = department OR starts_with($3, department || '/'))"),
        " ORDER BY rule"
    ),
    &[TEXTOID, TEXTOID, TEXTOID],
);

static OF_ACCOUNT: Statement = Statement::new(concat!(rule!("true"), " ORDER BY rule"), &[TEXTOID]);

// The policy in the account's own row counted since ever until now.
static ADD_BASE: Statement = Statement::new(
    "INSERT INTO credit.pooling (account, rule, pooling, recorded_at, recorded_by)
     SELECT account, nextval('credit.pooling_rule'), pooling, $2, session_user FROM credit.account a
     WHERE account = $1 AND NOT EXISTS (SELECT FROM credit.pooling p
         WHERE p.account = a.account AND p.member IS NULL AND p.department IS NULL AND p.agreement IS NULL)",
    &[TEXTOID, TIMESTAMPTZOID],
);

static ADD: Statement = Statement::new(
    "INSERT INTO credit.pooling (account, rule, member, department, agreement, effective_at, pooling, recorded_at, recorded_by)
     VALUES ($1, nextval('credit.pooling_rule'), $2, $3, $4, $5, $6, $7, session_user) RETURNING rule",
    &[TEXTOID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID],
);

static LAST_OF_ACCOUNT: Statement = Statement::new(
    "SELECT max(recorded_at), max(effective_at) FILTER (WHERE num_nonnulls(agreement, member, department) = 0)
     FROM credit.pooling WHERE account = $1",
    &[TEXTOID],
);

// Debits of an account without such rules never look for any.
static SET_POLICY: Statement = Statement::by_index(
    "UPDATE credit.account SET pooling = COALESCE($2, pooling), has_pooling_rules = has_pooling_rules OR $3 WHERE account = $1",
    &[TEXTOID, TEXTOID, BOOLOID],
);

/// When a rule of the account was recorded last, and from when on the last one counts that is for all of it.
pub fn last(account: &str) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    LAST_OF_ACCOUNT.run(&[&account]).first().map_or((None, None), |row| (row.optional(1), row.optional(2)))
}

fn rule_of_row(row: &Row<'_>) -> Rule {
    let member = row.optional(2).map(Target::Member);
    let department = || row.optional(3).map(Target::Department);
    let agreement = || row.optional(4).map(Target::Agreement);
    let pooling = row.optional::<String>(6);
    Rule {
        target: member.or_else(department).or_else(agreement).unwrap_or(Target::Account),
        effective_at: row.optional(5),
        pooling: pooling.map(|name| Pooling::of_name(&name).expect("a policy that the table allows")),
    }
}

/// The policy that a member of a department goes by; `base` is what the account's row says.
pub fn policy_of(snapshot: Snapshot, account: &str, base: Pooling, member: Option<&str>, department: Option<&str>) -> Policy {
    let rows = OF_MEMBER.execute(snapshot, &[&account, &member, &department]);
    Policy::new(base, rows.iter().map(|row| rule_of_row(&row)))
}

/// The policy that all go by.
pub fn policy(snapshot: Snapshot, account: &str, base: Pooling) -> Policy {
    Policy::new(base, OF_ACCOUNT.execute(snapshot, &[&account]).iter().map(|row| rule_of_row(&row)))
}

/// Records what the account's row says, unless rules for the account are recorded already.
pub fn add_base(account: &str, now: DateTime<Utc>) {
    ADD_BASE.run(&[&account, &now]);
}

/// Records a rule; its id.
pub fn add(account: &str, rule: &Rule, now: DateTime<Utc>) -> i64 {
    let Rule { target, effective_at, pooling } = rule;
    let member = if let Target::Member(member) = target { Some(member.as_str()) } else { None };
    let department = if let Target::Department(department) = target { Some(department.as_str()) } else { None };
    let agreement = if let Target::Agreement(agreement) = target { Some(*agreement) } else { None };
    let effective_at = effective_at.expect("a rule that begins");
    let pooling = pooling.map(Pooling::name);
    let added = ADD.run(&[&account, &member, &department, &agreement, &effective_at, &pooling, &now]);
    added.first().expect("the rule that was added").get(1)
}

/// Says in the account's row what counts now, if that is given, and whether debits must look for rules.
pub fn set_policy(account: &str, pooling: Option<Pooling>, has_rules: bool) {
    SET_POLICY.run(&[&account, &pooling.map(Pooling::name), &has_rules]);
}

static SEATS: Statement =
    Statement::new("SELECT member, department, active FROM credit.member WHERE account = $1 ORDER BY member", &[TEXTOID]);

static HELD: Statement = Statement::new(
    "SELECT COALESCE(l.member, ''), LEAST(sum(s.remaining), 999999999999999.999999999)
     FROM credit.lot l JOIN credit.slot s ON s.account = l.account AND s.lot = l.lot
     WHERE l.account = $1 AND l.unit = $2 AND NOT l.closed AND l.effective_at <= $3 AND COALESCE(l.expires_at, 'infinity') > $3
     GROUP BY COALESCE(l.member, '')",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

/// A member, and the department that they belong to.
pub struct Seat {
    pub member: String,
    pub department: Option<String>,
    pub active: bool,
}

/// The members of an account, by name.
pub fn seats(account: &str) -> Vec<Seat> {
    let seat = |row: Row<'_>| Seat { member: row.get(1), department: row.optional(2), active: row.get(3) };
    SEATS.read(&[&account]).iter().map(seat).collect()
}

/// The credits that the lots of each owner in force at an instant hold; the pool is ''.
pub fn held(account: &str, unit: &str, at: DateTime<Utc>) -> HashMap<String, Amount> {
    HELD.read(&[&account, &unit, &at]).iter().map(|row| (row.get(1), row.get(2))).collect()
}
