//! The table `credit.access_record`, what became of those in it (`credit.access`), and the grants behind each level. The server
//! quotes every name in the statements it builds.

use pgrx::pg_sys::{OIDOID, TEXTOID};
use pgrx::prelude::*;

use crate::store::statement::Statement;

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

static RECORD: Statement = Statement::new(
    "INSERT INTO credit.access_record (role, level, role_oid, system_identifier)
     SELECT $1, $2, r.oid, c.system_identifier FROM pg_catalog.pg_roles r, pg_catalog.pg_control_system() c WHERE r.rolname = $1
     ON CONFLICT (role, level) DO UPDATE SET role_oid = EXCLUDED.role_oid, system_identifier = EXCLUDED.system_identifier,
         granted_at = EXCLUDED.granted_at, granted_by = EXCLUDED.granted_by
     WHERE (access_record.role_oid, access_record.system_identifier) IS DISTINCT
         FROM (EXCLUDED.role_oid, EXCLUDED.system_identifier)",
    &[TEXTOID, TEXTOID],
);

// A name that another role has taken over stands for that role from now on; the role that had it before is known by its present
// name.
static FOLLOW: Statement = Statement::new(
    "UPDATE credit.access_record r SET role = a.role_now FROM credit.access a
     WHERE a.role = $1 AND a.state = 'renamed' AND r.role = a.role AND r.level = a.level
         AND NOT EXISTS (SELECT FROM credit.access_record x WHERE x.role = a.role_now AND x.level = a.level)",
    &[TEXTOID],
);

static FORGET: Statement = Statement::new(
    "DELETE FROM credit.access_record r USING credit.access a
     WHERE a.level = $2 AND (a.role = $1 OR a.role_now = $1) AND r.role = a.role AND r.level = a.level",
    &[TEXTOID, TEXTOID],
);

static LEVELS: Statement = Statement::new("SELECT level FROM credit.access WHERE role_now = $1 ORDER BY level", &[TEXTOID]);

// The role of that name, and the one that had it when it was allowed the level.
static HOLDERS: Statement = Statement::new(
    "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = $1
     UNION SELECT role_now FROM credit.access WHERE role = $1 AND level = $2 AND role_now IS NOT NULL ORDER BY 1",
    &[TEXTOID, TEXTOID],
);

static IS_RECORDED: Statement = Statement::new("SELECT EXISTS (SELECT FROM credit.access_record WHERE role = $1)", &[TEXTOID]);

static ROLE_EXISTS: Statement = Statement::new("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)", &[TEXTOID]);

static SEES_COSTS: Statement =
    Statement::new("SELECT pg_catalog.has_table_privilege($1, 'credit.plan_cost', 'SELECT')", &[OIDOID]);

/// Whether a role may read what a credit costs the provider.
pub fn sees_costs(role: pgrx::pg_sys::Oid) -> bool {
    SEES_COSTS.read(&[&role]).first().expect("one row").get(1)
}

/// Grants a role the privileges of a level.
pub fn grant(role: &str, level: &str) {
    run_each(&GRANTS, role, level);
}

/// Revokes the privileges of a level from a role.
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

/// A name that stands for a role of another name now is given free.
pub fn follow_renamed(role: &str) {
    FOLLOW.run(&[&role]);
}

/// Records that a role has a level.
pub fn record(role: &str, level: &str) {
    RECORD.run(&[&role, &level]);
}

/// Removes the record that a role has a level.
pub fn forget(role: &str, level: &str) {
    FORGET.run(&[&role, &level]);
}

/// The levels that are recorded for a role.
pub fn recorded_levels(role: &str) -> Vec<String> {
    LEVELS.run(&[&role]).iter().map(|row| row.get(1)).collect()
}

/// The roles from which a level of that name is to be taken: none when it was recorded for one that is gone.
pub fn holders(role: &str, level: &str) -> Vec<String> {
    HOLDERS.run(&[&role, &level]).iter().map(|row| row.get(1)).collect()
}

/// Whether somebody of that name was allowed something.
pub fn is_recorded(role: &str) -> bool {
    IS_RECORDED.run(&[&role]).first().expect("one row").get(1)
}

/// Whether there is a role of this name.
pub fn role_exists(role: &str) -> bool {
    ROLE_EXISTS.run(&[&role]).first().expect("one row").get(1)
}
