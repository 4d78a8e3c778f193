//! The proof that what guards the books is on.

use super::PARAMETERS;
use crate::store::statement::Statement;

pub static INVARIANTS: Statement = Statement::new(
    "SELECT 'the triggers that guard the books are on' AS invariant, NULL AS account, NULL::bigint AS lot, t.enabled, t.relation || '.' || t.name || ': ' || COALESCE(g.tgenabled::text, 'missing')
     FROM (VALUES ('entry', 'entry_10_check', 'O'), ('entry', 'entry_20_apply', 'O'), ('entry', 'entry_90_refuse_update', 'A'),
             ('entry', 'entry_91_refuse_delete', 'A'), ('entry', 'entry_92_refuse_truncate', 'A'),
             ('lot', 'lot_10_check', 'O'), ('lot', 'lot_20_apply', 'O'), ('lot', 'lot_90_refuse_update', 'A'),
             ('lot', 'lot_91_refuse_delete', 'A'), ('lot', 'lot_92_refuse_truncate', 'A'), ('lot', 'lot_95_announce', 'A'),
             ('lot', 'lot_96_announce', 'A'),
             ('conversion', 'conversion_90_refuse_change', 'A'), ('conversion', 'conversion_92_refuse_truncate', 'A'),
             ('breakage', 'breakage_90_refuse_update', 'A'), ('breakage', 'breakage_91_refuse_delete', 'A'), ('breakage', 'breakage_92_refuse_truncate', 'A'),
             ('slot', 'slot_91_refuse_delete', 'A'), ('slot', 'slot_92_refuse_truncate', 'A'),
             ('account', 'account_90_check', 'O'), ('account', 'account_92_refuse_truncate', 'O'), ('unit', 'unit_90_check', 'O'),
             ('unit', 'unit_92_refuse_truncate', 'O'), ('member', 'member_91_refuse_delete', 'O'), ('member', 'member_92_refuse_truncate', 'O'),
             ('rate', 'rate_90_refuse_update', 'A'), ('rate', 'rate_91_refuse_delete', 'A'), ('rate', 'rate_92_refuse_truncate', 'A'),
             ('rate', 'rate_95_announce', 'A'), ('rate_card', 'rate_card_90_refuse_rename', 'A'), ('rate_card', 'rate_card_91_refuse_delete', 'A'),
             ('rate_card', 'rate_card_92_refuse_truncate', 'A'), ('rate_card', 'rate_card_95_announce', 'A'),
             ('unit_value', 'unit_value_90_refuse_update', 'A'), ('unit_value', 'unit_value_91_refuse_delete', 'A'),
             ('unit_value', 'unit_value_92_refuse_truncate', 'A'),
             ('account', 'account_95_announce', 'A'), ('member', 'member_95_announce', 'A'), ('unit', 'unit_95_announce', 'A'),
             ('plan', 'plan_90_refuse_rename', 'A'), ('plan', 'plan_91_refuse_delete', 'A'), ('plan', 'plan_92_refuse_truncate', 'A'),
             ('plan_price', 'plan_price_90_refuse_update', 'A'), ('plan_price', 'plan_price_91_refuse_delete', 'A'), ('plan_price', 'plan_price_92_refuse_truncate', 'A'),
             ('plan_cost', 'plan_cost_90_refuse_update', 'A'), ('plan_cost', 'plan_cost_91_refuse_delete', 'A'), ('plan_cost', 'plan_cost_92_refuse_truncate', 'A'),
             ('tier', 'tier_90_refuse_update', 'A'), ('tier', 'tier_91_refuse_delete', 'A'), ('tier', 'tier_92_refuse_truncate', 'A'),
             ('agreement', 'agreement_90_refuse_update', 'A'), ('agreement', 'agreement_91_refuse_delete', 'A'), ('agreement', 'agreement_92_refuse_truncate', 'A'),
             ('purchase', 'purchase_90_refuse_update', 'A'), ('purchase', 'purchase_91_refuse_delete', 'A'), ('purchase', 'purchase_92_refuse_truncate', 'A'),
             ('purchase_lot', 'purchase_lot_90_refuse_update', 'A'), ('purchase_lot', 'purchase_lot_91_refuse_delete', 'A'), ('purchase_lot', 'purchase_lot_92_refuse_truncate', 'A'),
             ('subscription', 'subscription_90_refuse_update', 'A'), ('subscription', 'subscription_91_refuse_delete', 'A'),
             ('subscription', 'subscription_92_refuse_truncate', 'A'), ('plan_change', 'plan_change_90_refuse_change', 'A'),
             ('plan_change', 'plan_change_92_refuse_truncate', 'A'), ('subscription_purchase', 'subscription_purchase_90_refuse_change', 'A'),
             ('subscription_purchase', 'subscription_purchase_92_refuse_truncate', 'A'),
             ('subscription_return', 'subscription_return_90_refuse_change', 'A'), ('subscription_return', 'subscription_return_92_refuse_truncate', 'A'),
             ('schedule', 'schedule_90_refuse_update', 'A'), ('schedule', 'schedule_91_refuse_delete', 'A'), ('schedule', 'schedule_92_refuse_truncate', 'A'),
             ('plan_schedule', 'plan_schedule_90_refuse_update', 'A'), ('plan_schedule', 'plan_schedule_91_refuse_delete', 'A'),
             ('plan_schedule', 'plan_schedule_92_refuse_truncate', 'A'), ('schedule_period', 'schedule_period_90_refuse_update', 'A'), ('schedule_period', 'schedule_period_91_refuse_delete', 'A'),
             ('schedule_period', 'schedule_period_92_refuse_truncate', 'A'),
             ('schedule_seat', 'schedule_seat_90_refuse_change', 'A'), ('schedule_seat', 'schedule_seat_92_refuse_truncate', 'A'), ('account', 'account_96_announce_due', 'A'),
             ('true_up', 'true_up_90_refuse_update', 'A'), ('true_up', 'true_up_91_refuse_delete', 'A'), ('true_up', 'true_up_92_refuse_truncate', 'A'),
             ('true_up_line', 'true_up_line_90_refuse_change', 'A'), ('true_up_line', 'true_up_line_92_refuse_truncate', 'A'),
             ('true_up_correction', 'true_up_correction_90_refuse_change', 'A'), ('true_up_correction', 'true_up_correction_92_refuse_truncate', 'A'),
             ('plan', 'plan_95_announce', 'A'), ('agreement', 'agreement_95_announce', 'A'),
             ('pooling', 'pooling_90_refuse_change', 'A'), ('pooling', 'pooling_92_refuse_truncate', 'A'), ('pooling', 'pooling_95_announce', 'A')) t (relation, name, enabled)
     LEFT JOIN pg_catalog.pg_trigger g ON g.tgname = t.name AND g.tgrelid = ('credit.' || t.relation)::regclass
     WHERE g.tgenabled::text IS DISTINCT FROM t.enabled",
    PARAMETERS,
);
