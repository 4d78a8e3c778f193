//! The tables `credit.unit` and `credit.unit_value`.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{INT2OID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

use crate::store::statement::Statement;

/// The unit of an account that names none.
pub const DEFAULT_UNIT: &str = "credit";

/// The decimals of a unit that names none, as the table has them.
pub const DEFAULT_DECIMALS: u32 = 6;

static ENSURE_DEFAULT: Statement = Statement::new(
    "INSERT INTO credit.unit (unit, created_at) SELECT $1, $2
     WHERE NOT EXISTS (SELECT FROM credit.unit WHERE unit = $1) ON CONFLICT DO NOTHING",
    &[TEXTOID, TIMESTAMPTZOID],
);

static EXISTS: Statement = Statement::new("SELECT EXISTS (SELECT FROM credit.unit WHERE unit = $1)", &[TEXTOID]);

static IN_USE: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM credit.lot WHERE unit = $1) OR EXISTS (SELECT FROM credit.account WHERE unit = $1)
         OR EXISTS (SELECT FROM credit.rate_card WHERE unit = $1)",
    &[TEXTOID],
);

static CREATE: Statement = Statement::new(
    "INSERT INTO credit.unit (unit, decimals, rounding, currency, created_at)
     VALUES ($1, COALESCE($2, 6), COALESCE($3, 'half_even'), $4, $5) ON CONFLICT DO NOTHING",
    &[TEXTOID, INT2OID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static LOCK: Statement = Statement::by_index(
    "SELECT u.currency, EXISTS (SELECT FROM credit.unit_value v WHERE v.unit = u.unit)
     FROM credit.unit u WHERE u.unit = $1 FOR NO KEY UPDATE OF u",
    &[TEXTOID],
);

static CHANGE: Statement = Statement::by_index(
    "UPDATE credit.unit SET decimals = COALESCE($2, decimals), rounding = COALESCE($3, rounding),
        currency = COALESCE($4, currency)
     WHERE unit = $1",
    &[TEXTOID, INT2OID, TEXTOID, TEXTOID],
);

static VALUES: Statement = Statement::by_index(
    "SELECT effective_at, fiat_per_credit FROM credit.unit_value WHERE unit = $1 ORDER BY effective_at",
    &[TEXTOID],
);

static ADD_VALUE: Statement = Statement::new(
    "INSERT INTO credit.unit_value (unit, effective_at, fiat_per_credit, recorded_at, recorded_by, note)
     VALUES ($1, $2, $3, $4, session_user, $5)",
    &[TEXTOID, TIMESTAMPTZOID, NUMERICOID, TIMESTAMPTZOID, TEXTOID],
);

/// Makes the default unit at its first use: a row that the install script inserted would collide on restore.
pub fn ensure_default(now: DateTime<Utc>) {
    ENSURE_DEFAULT.run(&[&DEFAULT_UNIT, &now]);
}

/// Whether there is a unit of this name.
pub fn exists(unit: &str) -> bool {
    EXISTS.run(&[&unit]).first().expect("one row").get(1)
}

/// Whether anything is counted in the unit.
pub fn is_in_use(unit: &str) -> bool {
    IN_USE.run(&[&unit]).first().expect("one row").get(1)
}

/// The terms that a unit is created with or changed to; `None` keeps what is there.
#[derive(Clone, Copy, Debug)]
pub struct UnitTerms<'a> {
    pub decimals: Option<i16>,
    pub rounding: Option<&'a str>,
    pub currency: Option<&'a str>,
}

/// Creates the unit unless it exists; whether it did.
pub fn create(unit: &str, terms: UnitTerms<'_>, now: DateTime<Utc>) -> bool {
    CREATE.run(&[&unit, &terms.decimals, &terms.rounding, &terms.currency, &now]).count() == 1
}

/// A unit whose row is locked.
pub struct LockedUnit {
    pub currency: Option<String>,
    /// It is abstract and has a value in money.
    pub has_value: bool,
}

/// Locks the unit's row; `None` when there is no such unit.
pub fn lock(unit: &str) -> Option<LockedUnit> {
    LOCK.run(&[&unit]).first().map(|row| LockedUnit { currency: row.optional(1), has_value: row.get(2) })
}

/// Changes what is given.
pub fn change(unit: &str, terms: UnitTerms<'_>) {
    assert_eq!(CHANGE.run(&[&unit, &terms.decimals, &terms.rounding, &terms.currency]).count(), 1, "unit {unit} to change");
}

/// The values of a credit of the unit, each from an instant on.
pub fn values(unit: &str) -> Vec<(DateTime<Utc>, Decimal)> {
    VALUES.run(&[&unit]).iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// Adds a value of a credit of the unit, from an instant on.
pub fn add_value(unit: &str, from: DateTime<Utc>, fiat_per_credit: Decimal, now: DateTime<Utc>, note: Option<&str>) {
    ADD_VALUE.run(&[&unit, &from, &fiat_per_credit, &now, &note]);
}
