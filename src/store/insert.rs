//! Rows that are inserted with many columns: each value stands beside its column's name, not at a position.

use std::sync::OnceLock;

use pgrx::pg_sys;

use crate::store::statement::{Parameter, Statement};
use crate::values;

/// A column, its type, and the value.
pub type Column<'a> = (&'static str, pg_sys::Oid, &'a dyn Parameter);

/// An insert into one table.
pub struct Insert {
    table: &'static str,
    statement: OnceLock<Statement>,
}

impl Insert {
    /// An insert into this table.
    pub const fn into(table: &'static str) -> Insert {
        Insert { table, statement: OnceLock::new() }
    }

    /// Inserts a row of these columns, the same ones each time.
    pub fn row(&self, columns: &[Column<'_>]) {
        let statement = self.statement.get_or_init(|| self.statement(columns));
        let values: Vec<&dyn Parameter> = columns.iter().map(|(_, _, value)| *value).collect();
        assert_eq!(statement.run(&values).count(), 1, "a row of {}", self.table);
    }

    /// The statement, which is made once and kept.
    fn statement(&self, columns: &[Column<'_>]) -> Statement {
        let names: Vec<&str> = columns.iter().map(|(name, _, _)| *name).collect();
        let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES ({})", self.table, names.join(", "), places.join(", "));
        let types: Vec<pg_sys::Oid> = columns.iter().map(|(_, kind, _)| *kind).collect();
        Statement::new(sql.leak(), types.leak())
    }
}

/// A JSON text that is written as jsonb.
pub struct Json<'a>(pub Option<&'a str>);

impl Parameter for Json<'_> {
    fn to_datum(&self) -> Option<pg_sys::Datum> {
        self.0.and_then(values::jsonb)
    }
}
