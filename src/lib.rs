//! pg_credit: a credit economy inside PostgreSQL.
//!
//! A feature has one noun, which names it on every floor; `tests/lint/floors.txt` and `tests/lint/nouns.txt` have the lists. From
//! the top:
//!
//! - [`install`]: the SQL files, in the order in which they are installed
//! - [`api`]: the SQL functions: check arguments, call, map errors
//! - [`maintenance`], [`true_ups`], [`consumption`]: maintenance of the books as a whole, commitments, and reports
//! - [`plans`]: plans, agreements, quotes, purchases and subscriptions
//! - [`refunds`]: credits that go back after they were spent, and withdrawals
//! - [`captures`]: holds, and captures of them
//! - [`pools`], [`charges`]: moving credits between members and the pool; usage that is priced and debited
//! - [`debits`]: drawing from lots: one by one, in batches, late, and by direct inserts
//! - [`holds`]: credits that go back from holds
//! - [`caps`]: limits on spending
//! - [`schedules`]: grants that come again and again, and rollover
//! - [`ledger`]: accounts, grants, voids, expiry, whole lots, keys
//! - [`rates`]: units, rate cards, and the price of an operation
//! - [`store`]: every SQL text, kept as a plan
//! - [`server`]: the clock, locks and subtransactions of the server we run in, and rows read and written without the executor
//! - [`arguments`], [`values`], [`error`], [`settings`]: conversions and checks between SQL and Rust
//! - [`domain`]: the rules, in plain Rust, without PostgreSQL

use pgrx::prelude::*;

mod api;
mod arguments;
mod caps;
mod captures;
mod charges;
mod consumption;
mod debits;
mod domain;
mod error;
mod holds;
mod install;
mod ledger;
mod maintenance;
mod plans;
mod pools;
mod rates;
mod refunds;
mod schedules;
mod server;
mod settings;
mod store;
#[cfg(any(test, feature = "pg_test"))]
mod tests;
mod text_array;
mod true_ups;
mod values;

pgrx::pg_module_magic!(name, version);

/// Runs when the library is loaded into a backend.
#[allow(non_snake_case)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    server::encoding::require_utf8_where_used();
    server::encoding::register();
    settings::register();
    server::invalidation::register();
    server::error_log::register();
}
