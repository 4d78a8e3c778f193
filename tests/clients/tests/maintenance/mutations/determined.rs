//! The columns that the books determine.

/// Of these columns every forgery is found; `*` stands for the row as a whole.
pub const DETERMINED: &[(&str, &str)] = &[
    ("account", "* account unit rate_card closed_until has_caps has_pooling_rules"),
    ("agreement", "* agreement account plan"),
    ("breakage", "* lot posting expires_at account expired taken_back"),
    ("cap", "* cap account unit"),
    ("cap_slot", "cap account"),
    ("conversion", "* posting account from_unit to_unit from_amount to_amount rate"),
    ("correction", "* posting line account given_back quantity"),
    ("entry", "* lot occurred_at line posted account kind amount member department operation corrects rate dimensions quantity"),
    ("hold", "account amount captured held held_at hold lots open pooled unit"),
    ("lot", "* recorded_at parent slots posted account member granted paid recorded_by metadata lot unit currency cost_basis"),
    ("lot_gain", "* lot account adjusted given_back"),
    ("member", "* account member"),
    ("plan", "* plan unit currency rate_card"),
    (
        "plan_change",
        "* change subscription effective_at committed_until recorded_at account to_plan charge credit currency \
        granted returned new_price recorded_by renewed_charge renewed_granted",
    ),
    ("plan_price", "* plan list_price effective_at"),
    ("plan_schedule", "* schedule every per_member plan unit amount category expires rollover priority metadata true_up"),
    ("purchase", "* purchase agreement tier_version account plan status tier quantity bonus list_price paid currency unit"),
    ("purchase_lot", "* purchase step line account category granted paid lot"),
    ("rate", "rate card"),
    ("rate_card", "* card unit"),
    ("rate_usage", "* period_start account card operation dimensions tier_scope"),
    ("request", "recorded_at account"),
    (
        "rollup",
        "* month day requests first_posting last_posting account unit member department operation currency credits pooled \
            overage quantity
         value funded lapsed",
    ),
    ("rollup_lot", "* lot account gone gained"),
    (
        "schedule",
        "* schedule anchor every account unit category into_pool amount starts_at priority per_member paid currency \
        expires expires_after metadata plan_schedule",
    ),
    ("schedule_period", "* schedule lot recorded_at period rolled settled account member original part"),
    ("schedule_seat", "* schedule lot recorded_at period account member amount"),
    ("slot", "* lot slot account remaining"),
    (
        "subscription",
        "* subscription origin predecessor effective_at agreed_at anchor committed_until recorded_at agreement tier_version \
            account unit plan
         tier billing_period price currency list_price expiry recorded_by",
    ),
    ("subscription_purchase", "* purchase subscription origin change period_start period_end account renewed_in"),
    ("subscription_return", "* posting lot subscription origin change period_start account returned credit"),
    ("tier", "plan"),
    (
        "true_up",
        "* true_up ends_at granted_lot account unit committed used granted expired rolled_in rolled_out carried_in prepaid \
            prepaid_left
         shortfall overage unit_price amount_due carried_forward",
    ),
    ("true_up_correction", "* true_up posting recorded_at account amount"),
    ("true_up_line", "* true_up line account kind quantity unit_price amount"),
    ("true_up_terms", "account unit"),
    ("voided", "* posting lot origin account amount granted paid"),
];
