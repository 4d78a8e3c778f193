//! credit_enable_triggers(), and the guards of the books as they should be and as they are.

use pgrx::prelude::*;

use crate::store::connected;
use crate::store::maintenance::verify::guards as store;

/// Each guard as this version installs it and as it is.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn guards() -> TableIterator<
    'static,
    (name!(kind, String), name!(object, String), name!(expected, Option<String>), name!(found, Option<String>)),
> {
    let guards = connected(store::guards);
    TableIterator::new(guards.into_iter().map(|guard| (guard.kind, guard.object, guard.expected, guard.found)))
}

/// Switches the triggers of the extension on as they were installed: after a restore that switched them off and on. How many were
/// not.
///
/// Not SECURITY DEFINER: only the owner of the tables may.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_enable_triggers() -> i64 {
    connected(store::enable_triggers)
}
