//! `credit.now()`: the instant the views go by. Declared in sql/00_schema.sql.

use pgrx::prelude::*;

use crate::server::clock;
use crate::values;

/// Now, or `credit.clock` when it is set.
#[pg_extern(sql = false)]
pub fn now() -> TimestampWithTimeZone {
    values::timestamptz(clock::now())
}
