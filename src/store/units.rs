//! The table `credit.unit`.

use pgrx::pg_sys::{TEXTOID, TIMESTAMPTZOID};

use super::statement::Statement;

/// The unit of an account that names none.
pub const DEFAULT_UNIT: &str = "credit";

static ENSURE_DEFAULT: Statement = Statement::new(
    "INSERT INTO credit.unit (unit, created_at) SELECT $1, $2
     WHERE NOT EXISTS (SELECT FROM credit.unit WHERE unit = $1) ON CONFLICT DO NOTHING",
    &[TEXTOID, TIMESTAMPTZOID],
);

static EXISTS: Statement = Statement::new("SELECT EXISTS (SELECT FROM credit.unit WHERE unit = $1)", &[TEXTOID]);

static IN_USE: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM credit.lot WHERE unit = $1) OR EXISTS (SELECT FROM credit.account WHERE unit = $1)",
    &[TEXTOID],
);

/// Makes the default unit at its first use: a row that the install script inserted would collide on restore.
pub fn ensure_default(now: chrono::DateTime<chrono::Utc>) {
    ENSURE_DEFAULT.run(&[&DEFAULT_UNIT, &now]);
}

pub fn exists(unit: &str) -> bool {
    EXISTS.run(&[&unit]).first().expect("one row").get(1)
}

pub fn is_in_use(unit: &str) -> bool {
    IN_USE.run(&[&unit]).first().expect("one row").get(1)
}
