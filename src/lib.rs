//! pg_credit: a credit economy inside PostgreSQL.
//!
//! A feature has one noun, and its files lie in the rooms of that noun: `api/NOUN` has the SQL functions, `domain/NOUN` the
//! rules, `store/NOUN` the SQL texts, `error/NOUN` the errors, and `NOUN/` the operations.
//!
//! - [`api`]: the SQL functions check their arguments, call an operation, and return
//! - [`ledger`]: accounts, grants, voids, expiry, corrections, idempotency keys
//! - [`debits`]: debits of one and of many, late usage; the order of all locks stands there
//! - [`rates`]: units, rate cards, publishing, and the price of a usage
//! - [`charges`]: charges by the rate card, and conversion between units
//! - [`plans`]: plans, agreements, quotes, purchases and subscriptions
//! - [`schedules`]: grants that come again and again, rollover, and seats
//! - [`pools`]: the right to spend the pool, transfers, rebalancing
//! - [`caps`]: limits on spending
//! - [`true_ups`]: commitments, and closing a period
//! - [`consumption`]: consumption, added up
//! - [`maintenance`]: the steps of maintenance and their log
//! - [`store`]: every SQL text, kept as a plan
//! - [`server`]: the clock, the locks, the subtransactions and the tables of the server, beyond SQL
//! - [`domain`]: the rules, in plain Rust, without PostgreSQL

use pgrx::prelude::*;

mod api;
mod arguments;
mod caps;
mod charges;
mod consumption;
mod debits;
mod domain;
mod error;
mod ledger;
mod maintenance;
mod plans;
mod pools;
mod rates;
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

// The SQL files, in the order in which they are installed. The SQL functions of `api` are created in between.
extension_sql_file!("../sql/10_schema.sql", name = "schema", bootstrap);
extension_sql_file!("../sql/20_tables.sql", name = "tables", requires = ["schema"]);
extension_sql_file!("../sql/21_correction_tables.sql", name = "correction_tables", requires = ["tables"]);
extension_sql_file!("../sql/22_rate_tables.sql", name = "rate_tables", requires = ["correction_tables"]);
extension_sql_file!("../sql/23_plan_tables.sql", name = "plan_tables", requires = ["rate_tables"]);
extension_sql_file!("../sql/24_subscription_tables.sql", name = "subscription_tables", requires = ["plan_tables"]);
extension_sql_file!("../sql/24_cycle_tables.sql", name = "cycle_tables", requires = ["subscription_tables"]);
extension_sql_file!("../sql/26_upkeep_tables.sql", name = "upkeep_tables", requires = ["cycle_tables"]);
extension_sql_file!("../sql/27_true_up_tables.sql", name = "true_up_tables", requires = ["upkeep_tables"]);
extension_sql_file!("../sql/28_pooling_tables.sql", name = "pooling_tables", requires = ["true_up_tables"]);
extension_sql_file!("../sql/29_cap_tables.sql", name = "cap_tables", requires = ["pooling_tables"]);
extension_sql_file!("../sql/28_consumption_tables.sql", name = "consumption_tables", requires = ["cap_tables"]);
extension_sql_file!("../sql/25_functions.sql", name = "functions", requires = ["consumption_tables"]);
extension_sql_file!("../sql/30_triggers.sql", name = "triggers", requires = ["functions"]);
extension_sql_file!("../sql/31_correction_triggers.sql", name = "correction_triggers", requires = ["triggers"]);
extension_sql_file!("../sql/32_rate_triggers.sql", name = "rate_triggers", requires = ["correction_triggers"]);
extension_sql_file!("../sql/33_plan_triggers.sql", name = "plan_triggers", requires = ["rate_triggers"]);
extension_sql_file!("../sql/34_subscription_triggers.sql", name = "subscription_triggers", requires = ["plan_triggers"]);
extension_sql_file!("../sql/34_cycle_triggers.sql", name = "cycle_triggers", requires = ["subscription_triggers"]);
extension_sql_file!("../sql/36_maintenance.sql", name = "maintenance", requires = ["cycle_triggers"]);
extension_sql_file!("../sql/37_true_up_triggers.sql", name = "true_up_triggers", requires = ["maintenance"]);
extension_sql_file!("../sql/38_pooling_triggers.sql", name = "pooling_triggers", requires = ["true_up_triggers"]);
extension_sql_file!("../sql/39_cap_triggers.sql", name = "cap_triggers", requires = ["pooling_triggers"]);
extension_sql_file!("../sql/40_views.sql", name = "views", requires = ["cap_triggers"]);
extension_sql_file!("../sql/42_rate_views.sql", name = "rate_views", requires = ["views"]);
extension_sql_file!("../sql/43_plan_views.sql", name = "plan_views", requires = ["views"]);
extension_sql_file!("../sql/44_subscription_views.sql", name = "subscription_views", requires = ["plan_views"]);
extension_sql_file!("../sql/44_cycle_views.sql", name = "cycle_views", requires = ["views"]);
extension_sql_file!("../sql/46_upkeep_views.sql", name = "upkeep_views", requires = ["views"]);
extension_sql_file!("../sql/46_status_views.sql", name = "status_views", requires = ["upkeep_views"]);
extension_sql_file!("../sql/47_true_up_views.sql", name = "true_up_views", requires = ["views"]);
extension_sql_file!("../sql/48_pooling_views.sql", name = "pooling_views", requires = ["views"]);
extension_sql_file!("../sql/49_cap_views.sql", name = "cap_views", requires = ["views"]);
extension_sql_file!("../sql/48_consumption_views.sql", name = "consumption_views", requires = ["views"]);
extension_sql_file!(
    "../sql/95_comments.sql",
    name = "comments",
    requires = [
        "views",
        api::access::credit_allow,
        api::access::credit_disallow,
        api::ledger::accounts::credit_account,
        api::ledger::accounts::credit_member,
        api::ledger::balance::credit_balance,
        api::ledger::balance::credit_explain_debit,
        api::debits::debit::credit_debit,
        api::debits::debit::credit_try_debit,
        api::debits::debit_many::credit_debit_many,
        api::debits::debit_many::credit_debit_many_json,
        api::ledger::grant::credit_grant,
        api::access::guards::credit_enable_triggers,
        api::ledger::lots::credit_expire,
        api::ledger::lots::credit_expire_of_all,
        api::ledger::lots::credit_set_expiry,
        api::ledger::lots::credit_void,
        api::maintenance::credit_maintain,
        api::maintenance::credit_repair_sequences,
        api::maintenance::credit_verify,
        api::maintenance::credit_verify_all,
    ]
);
extension_sql_file!(
    "../sql/96_rate_comments.sql",
    name = "rate_comments",
    requires = [
        "comments",
        api::charges::charge::credit_charge,
        api::charges::charge::credit_charge_request,
        api::charges::charge::credit_price,
        api::charges::charge_many::credit_charge_many,
        api::rates::rate_cards::credit_discard_drafts,
        api::rates::rate_cards::credit_publish,
        api::rates::rate_cards::credit_publish_preview,
        api::rates::rate_cards::credit_rate,
        api::rates::rate_cards::credit_rate_card,
        api::rates::units::credit_unit,
    ]
);
extension_sql_file!(
    "../sql/97_rate_report_comments.sql",
    name = "rate_report_comments",
    requires = [
        "rate_views",
        api::rates::conversion_table::credit_conversion_markdown,
        api::rates::conversion_table::credit_export_rate_card,
        api::rates::conversion_table::credit_import_rate_card,
        api::charges::convert::credit_convert,
        api::rates::design::credit_check_design,
        api::rates::reprice::credit_reprice,
        api::rates::reprice::credit_reprice_preview,
        api::rates::reprice::credit_reprice_preview_of_all,
    ]
);
extension_sql_file!(
    "../sql/98_plan_comments.sql",
    name = "plan_comments",
    requires = [
        "rate_report_comments",
        "plan_views",
        api::plans::credit_agreement,
        api::plans::credit_end_agreement,
        api::plans::credit_plan,
        api::plans::credit_plan_cost,
        api::plans::credit_standard_plan,
        api::plans::credit_tier,
        api::plans::purchases::credit_activate,
        api::plans::purchases::credit_purchase,
        api::plans::purchases::credit_quote,
    ]
);
extension_sql_file!(
    "../sql/99_subscription_comments.sql",
    name = "subscription_comments",
    requires = [
        "plan_comments",
        "subscription_views",
        api::plans::subscriptions::credit_cancel_plan,
        api::plans::subscriptions::credit_change_plan,
        api::plans::subscriptions::credit_renew,
    ]
);
extension_sql_file!(
    "../sql/99_cycle_comments.sql",
    name = "cycle_comments",
    requires = [
        "subscription_comments",
        "cycle_views",
        api::schedules::credit_end_schedule,
        api::schedules::credit_refresh,
        api::schedules::credit_refresh_of_all,
        api::schedules::credit_schedule,
        api::schedules::credit_schedule_preview,
        api::schedules::credit_standard_schedule,
    ]
);
extension_sql_file!(
    "../sql/99_upkeep_comments.sql",
    name = "upkeep_comments",
    requires = ["cycle_comments", "upkeep_views", api::maintenance::forecast::credit_expiry_forecast]
);
extension_sql_file!(
    "../sql/99_pool_comments.sql",
    name = "pool_comments",
    requires = [
        "upkeep_comments",
        "pooling_views",
        api::pools::pooling::credit_move_department,
        api::pools::pooling::credit_pooling,
        api::pools::pooling::credit_pooling_preview,
        api::pools::rebalance::credit_rebalance,
        api::pools::rebalance::credit_rebalance_preview,
        api::pools::transfer::credit_transfer,
    ]
);
extension_sql_file!(
    "../sql/99_true_up_comments.sql",
    name = "true_up_comments",
    requires = [
        "pool_comments",
        "true_up_views",
        api::true_ups::credit_true_up,
        api::true_ups::credit_true_up_lines,
        api::true_ups::credit_true_up_post,
        api::true_ups::credit_true_up_settle,
        api::true_ups::credit_true_up_terms,
    ]
);
extension_sql_file!(
    "../sql/99_cap_comments.sql",
    name = "cap_comments",
    requires = ["true_up_comments", "cap_views", api::caps::credit_cap, api::caps::credit_end_cap, api::caps::credit_spendable,]
);
extension_sql_file!(
    "../sql/99_consumption_comments.sql",
    name = "consumption_comments",
    requires = ["cap_comments", "consumption_views", api::consumption::credit_chargeback, api::consumption::credit_rollup]
);
extension_sql_file!("../sql/99_correction_comments.sql", name = "correction_comments", requires = ["comments"]);
extension_sql_file!("../sql/90_access.sql", name = "access", finalize);
