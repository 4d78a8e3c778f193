//! The table `credit.access`, and the grants behind each level. The server quotes every name in the statements it builds.

use pgrx::pg_sys::{INT8OID, TEXTOID};
use pgrx::prelude::*;

use super::statement::Statement;

static GRANTS: Statement = Statement::new(
    "SELECT pg_catalog.format('GRANT %s ON %s %s TO %I', privilege, kind, object, $1)
     FROM credit.access_rule WHERE level = $2 ORDER BY kind, object",
    &[TEXTOID, TEXTOID],
);

static REVOKES: Statement = Statement::new(
    "SELECT pg_catalog.format('REVOKE %s ON %s %s FROM %I', privilege, kind, object, $1)
     FROM credit.access_rule WHERE level = $2 ORDER BY kind, object",
    &[TEXTOID, TEXTOID],
);

static RECORD: Statement =
    Statement::new("INSERT INTO credit.access (role, level) VALUES ($1, $2) ON CONFLICT DO NOTHING", &[TEXTOID, TEXTOID]);

static FORGET: Statement = Statement::new("DELETE FROM credit.access WHERE role = $1 AND level = $2", &[TEXTOID, TEXTOID]);

static LEVELS: Statement = Statement::new("SELECT level FROM credit.access WHERE role = $1 ORDER BY level", &[TEXTOID]);

static ROLE_EXISTS: Statement = Statement::new("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)", &[TEXTOID]);

// Whom it asks about is the role that called, not the owner of the function that it called.
static SEES_COSTS: Statement =
    Statement::new("SELECT pg_catalog.has_table_privilege($1::oid, 'credit.plan_cost', 'SELECT')", &[INT8OID]);

/// Whether the role that called may read what a credit costs the provider.
pub fn caller_sees_costs() -> bool {
    let caller = unsafe { pgrx::pg_sys::GetOuterUserId() };
    SEES_COSTS.read(&[&i64::from(caller.to_u32())]).first().expect("one row").get(1)
}

pub fn grant(role: &str, level: &str) {
    run_each(&GRANTS, role, level);
}

pub fn revoke(role: &str, level: &str) {
    run_each(&REVOKES, role, level);
}

fn run_each(builder: &Statement, role: &str, level: &str) {
    let statements: Vec<String> = builder.run(&[&role, &level]).iter().map(|row| row.get(1)).collect();
    assert!(!statements.is_empty(), "level {level} has no rules");
    for statement in statements {
        Spi::run(&statement).expect("a statement that the server built");
    }
}

pub fn record(role: &str, level: &str) {
    RECORD.run(&[&role, &level]);
}

pub fn forget(role: &str, level: &str) {
    FORGET.run(&[&role, &level]);
}

pub fn recorded_levels(role: &str) -> Vec<String> {
    LEVELS.run(&[&role]).iter().map(|row| row.get(1)).collect()
}

pub fn role_exists(role: &str) -> bool {
    ROLE_EXISTS.run(&[&role]).first().expect("one row").get(1)
}
