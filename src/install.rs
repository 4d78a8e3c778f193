//! The SQL files that an installation runs: one per noun, in the order of the numbers. pgrx creates the
//! functions of `api`. A file that has the comments of such functions requires them, and every file requires the one before it.

use pgrx::prelude::*;

extension_sql_file!("../sql/00_schema.sql", name = "schema", bootstrap);
extension_sql_file!(
    "../sql/05_holds.sql",
    name = "holds",
    requires = [
        "schema",
        api::holds::hold::credit_hold,
        api::holds::hold::credit_hold_charge,
        api::holds::many::credit_capture_many,
        api::holds::many::credit_hold_many,
        api::holds::release::credit_extend_hold,
        api::holds::release::credit_release,
    ]
);
extension_sql_file!(
    "../sql/10_ledger.sql",
    name = "ledger",
    requires = [
        "holds",
        api::ledger::accounts::credit_account,
        api::ledger::accounts::credit_member,
        api::ledger::balance::credit_balance,
        api::ledger::grant::credit_grant,
        api::ledger::lots::credit_expire,
        api::ledger::lots::credit_expire_of_all,
        api::ledger::lots::credit_set_expiry,
        api::ledger::lots::credit_void,
    ]
);
extension_sql_file!(
    "../sql/15_debits.sql",
    name = "debits",
    requires = [
        "ledger",
        api::debits::check::credit_check,
        api::debits::check::credit_spendable,
        api::debits::debit::credit_debit,
        api::debits::debit::credit_debit_available,
        api::debits::debit::credit_try_debit,
        api::debits::debit_many::credit_debit_many,
        api::debits::debit_many::credit_debit_many_json,
        api::ledger::balance::credit_explain_debit,
    ]
);
extension_sql_file!(
    "../sql/20_rates.sql",
    name = "rates",
    requires = [
        "debits",
        api::charges::charge::credit_price,
        api::rates::conversion_table::credit_conversion_markdown,
        api::rates::conversion_table::credit_export_rate_card,
        api::rates::conversion_table::credit_import_rate_card,
        api::rates::design::credit_check_design,
        api::rates::rate_cards::credit_discard_drafts,
        api::rates::rate_cards::credit_publish,
        api::rates::rate_cards::credit_publish_preview,
        api::rates::rate_cards::credit_rate,
        api::rates::rate_cards::credit_rate_card,
        api::rates::reprice::credit_reprice,
        api::rates::reprice::credit_reprice_preview,
        api::rates::reprice::credit_reprice_preview_of_all,
        api::rates::units::credit_unit,
    ]
);
extension_sql_file!(
    "../sql/25_charges.sql",
    name = "charges",
    requires = [
        "rates",
        api::charges::charge::credit_charge,
        api::charges::charge::credit_charge_request,
        api::charges::charge_many::credit_charge_many,
        api::charges::convert::credit_convert,
    ]
);
extension_sql_file!(
    "../sql/27_refunds.sql",
    name = "refunds",
    requires = ["charges", api::refunds::credit_refund, api::refunds::credit_withdraw]
);
extension_sql_file!(
    "../sql/30_plans.sql",
    name = "plans",
    requires = [
        "refunds",
        api::plans::credit_agreement,
        api::plans::credit_end_agreement,
        api::plans::credit_plan,
        api::plans::credit_plan_cost,
        api::plans::credit_standard_plan,
        api::plans::credit_tier,
        api::plans::purchases::credit_activate,
        api::plans::purchases::credit_purchase,
        api::plans::purchases::credit_quote,
        api::plans::subscriptions::credit_cancel_plan,
        api::plans::subscriptions::credit_change_plan,
        api::plans::subscriptions::credit_renew,
    ]
);
extension_sql_file!(
    "../sql/35_schedules.sql",
    name = "schedules",
    requires = [
        "plans",
        api::schedules::credit_end_schedule,
        api::schedules::credit_refresh,
        api::schedules::credit_refresh_of_all,
        api::schedules::credit_schedule,
        api::schedules::credit_schedule_preview,
        api::schedules::credit_standard_schedule,
    ]
);
extension_sql_file!(
    "../sql/40_pools.sql",
    name = "pools",
    requires = [
        "schedules",
        api::pools::pooling::credit_move_department,
        api::pools::pooling::credit_pooling,
        api::pools::pooling::credit_pooling_preview,
        api::pools::rebalance::credit_rebalance,
        api::pools::rebalance::credit_rebalance_preview,
        api::pools::transfer::credit_transfer,
    ]
);
extension_sql_file!("../sql/45_caps.sql", name = "caps", requires = ["pools", api::caps::credit_cap, api::caps::credit_end_cap,]);
extension_sql_file!(
    "../sql/50_true_ups.sql",
    name = "true_ups",
    requires = [
        "caps",
        api::true_ups::credit_true_up,
        api::true_ups::credit_true_up_lines,
        api::true_ups::credit_true_up_post,
        api::true_ups::credit_true_up_settle,
        api::true_ups::credit_true_up_terms,
    ]
);
extension_sql_file!(
    "../sql/60_consumption.sql",
    name = "consumption",
    requires = ["true_ups", api::consumption::credit_chargeback, api::consumption::credit_rollup,]
);
extension_sql_file!(
    "../sql/70_maintenance.sql",
    name = "maintenance",
    requires = [
        "consumption",
        api::maintenance::credit_maintain,
        api::maintenance::credit_repair_sequences,
        api::maintenance::credit_verify,
        api::maintenance::credit_verify_all,
        api::maintenance::forecast::credit_expiry_forecast,
    ]
);
extension_sql_file!("../sql/90_access.sql", name = "access", finalize);
