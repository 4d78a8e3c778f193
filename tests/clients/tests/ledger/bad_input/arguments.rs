//! The arguments of the functions by what they must refuse.

/// A kind of argument: which hostile values it must refuse.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// An amount above zero in a unit of six decimals.
    Amount,
    /// A price, which may be zero.
    Price,
    /// A name that must be given.
    Name,
    /// A name that may be left out.
    OptionalName,
    /// An instant that may be left out.
    Instant,
    /// A lot's id.
    Lot,
    /// How much one call may do.
    Batch,
    /// A text that is one of a few words.
    Word,
}

pub const ARGUMENTS: &[(&str, &[(&str, Kind)])] = &[
    (
        "credit_account",
        &[
            ("account", Kind::Name),
            ("unit", Kind::OptionalName),
            ("pooling", Kind::Word),
            ("time_zone", Kind::Word),
            ("late_usage", Kind::Word),
            ("refund_expired", Kind::Word),
        ],
    ),
    ("credit_member", &[("account", Kind::Name), ("member", Kind::Name), ("kind", Kind::Word)]),
    (
        "credit_pooling",
        &[
            ("account", Kind::Name),
            ("pooling", Kind::Word),
            ("member", Kind::OptionalName),
            ("department", Kind::OptionalName),
            ("effective_at", Kind::Instant),
        ],
    ),
    (
        "credit_pooling_preview",
        &[
            ("account", Kind::Name),
            ("pooling", Kind::Word),
            ("member", Kind::OptionalName),
            ("department", Kind::OptionalName),
            ("effective_at", Kind::Instant),
            ("unit", Kind::OptionalName),
        ],
    ),
    ("credit_move_department", &[("account", Kind::Name), ("from_department", Kind::Name), ("to_department", Kind::Name)]),
    (
        "credit_grant",
        &[
            ("account", Kind::Name),
            ("amount", Kind::Amount),
            ("member", Kind::OptionalName),
            ("unit", Kind::OptionalName),
            ("category", Kind::Word),
            ("source", Kind::Word),
            ("effective_at", Kind::Instant),
            ("expires_at", Kind::Instant),
            ("key", Kind::OptionalName),
        ],
    ),
    ("credit_debit", DEBIT),
    ("credit_debit_available", DEBIT),
    (
        "credit_check",
        &[
            ("account", Kind::Name),
            ("member", Kind::OptionalName),
            ("operation", Kind::OptionalName),
            ("unit", Kind::OptionalName),
            ("run", Kind::OptionalName),
        ],
    ),
    (
        "credit_hold",
        &[
            ("account", Kind::Name),
            ("amount", Kind::Amount),
            ("member", Kind::OptionalName),
            ("operation", Kind::OptionalName),
            ("unit", Kind::OptionalName),
            ("key", Kind::OptionalName),
            ("run", Kind::OptionalName),
        ],
    ),
    (
        "credit_hold_charge",
        &[
            ("account", Kind::Name),
            ("operation", Kind::Name),
            ("member", Kind::OptionalName),
            ("key", Kind::OptionalName),
            ("run", Kind::OptionalName),
        ],
    ),
    ("credit_hold_many", &[("mode", Kind::Word)]),
    (
        "credit_capture",
        &[
            ("account", Kind::Name),
            ("hold", Kind::Lot),
            ("beyond", Kind::Word),
            ("at", Kind::Instant),
            ("key", Kind::OptionalName),
        ],
    ),
    (
        "credit_capture_charge",
        &[
            ("account", Kind::Name),
            ("hold", Kind::Lot),
            ("beyond", Kind::Word),
            ("at", Kind::Instant),
            ("key", Kind::OptionalName),
        ],
    ),
    ("credit_capture_many", &[("beyond", Kind::Word), ("mode", Kind::Word)]),
    ("credit_release", &[("account", Kind::Name), ("hold", Kind::Lot), ("key", Kind::OptionalName)]),
    ("credit_extend_hold", &[("account", Kind::Name), ("hold", Kind::Lot), ("key", Kind::OptionalName)]),
    ("credit_refund", &[("account", Kind::Name), ("posting", Kind::Lot), ("key", Kind::OptionalName)]),
    ("credit_withdraw", &[("account", Kind::Name), ("lot", Kind::Lot), ("amount", Kind::Amount), ("key", Kind::OptionalName)]),
    ("credit_try_debit", DEBIT),
    (
        "credit_balance",
        &[
            ("account", Kind::Name),
            ("member", Kind::OptionalName),
            ("unit", Kind::OptionalName),
            ("at", Kind::Instant),
            ("operation", Kind::OptionalName),
        ],
    ),
    (
        "credit_explain_debit",
        &[
            ("account", Kind::Name),
            ("amount", Kind::Amount),
            ("member", Kind::OptionalName),
            ("operation", Kind::OptionalName),
            ("unit", Kind::OptionalName),
        ],
    ),
    ("credit_void", &[("account", Kind::Name), ("lot", Kind::Lot)]),
    ("credit_set_expiry", &[("account", Kind::Name), ("lot", Kind::Lot), ("expires_at", Kind::Instant)]),
    ("credit_expire", &[("account", Kind::Name), ("max_lots", Kind::Batch)]),
    ("credit_maintain", &[("max_rows", Kind::Batch)]),
    ("credit_expiry_forecast", &[("account", Kind::Name), ("unit", Kind::OptionalName)]),
    ("credit_rollup", &[("max_postings", Kind::Batch)]),
    (
        "credit_chargeback",
        &[
            ("account", Kind::Name),
            ("starts_at", Kind::Instant),
            ("ends_at", Kind::Instant),
            ("unit", Kind::OptionalName),
            ("by", Kind::OptionalName),
        ],
    ),
    ("credit_verify", &[("account", Kind::Name)]),
    ("credit_unit", &[("unit", Kind::Name), ("rounding", Kind::Word), ("currency", Kind::Word), ("effective_at", Kind::Instant)]),
    ("credit_rate_card", &[("card", Kind::Name), ("unit", Kind::OptionalName), ("agreement", Kind::OptionalName)]),
    (
        "credit_rate",
        &[("card", Kind::Name), ("operation", Kind::Name), ("effective_at", Kind::Instant), ("tier_scope", Kind::Word)],
    ),
    ("credit_publish", &[("card", Kind::Name), ("effective_at", Kind::Instant), ("override_reason", Kind::OptionalName)]),
    ("credit_publish_preview", &[("card", Kind::Name), ("effective_at", Kind::Instant)]),
    ("credit_discard_drafts", &[("card", Kind::Name), ("operation", Kind::OptionalName)]),
    (
        "credit_price",
        &[
            ("card", Kind::Name),
            ("operation", Kind::Name),
            ("quantity", Kind::Price),
            ("at", Kind::Instant),
            ("account", Kind::OptionalName),
        ],
    ),
    (
        "credit_charge",
        &[
            ("account", Kind::Name),
            ("operation", Kind::Name),
            ("quantity", Kind::Price),
            ("member", Kind::OptionalName),
            ("at", Kind::Instant),
            ("key", Kind::OptionalName),
            ("run", Kind::OptionalName),
        ],
    ),
    (
        "credit_charge_request",
        &[
            ("account", Kind::Name),
            ("member", Kind::OptionalName),
            ("at", Kind::Instant),
            ("key", Kind::OptionalName),
            ("run", Kind::OptionalName),
        ],
    ),
    ("credit_charge_many", &[("mode", Kind::Word)]),
    (
        "credit_plan",
        &[
            ("plan", Kind::Name),
            ("unit", Kind::OptionalName),
            ("currency", Kind::Word),
            ("model", Kind::Word),
            ("reach", Kind::Word),
            ("below_floor", Kind::Word),
        ],
    ),
    (
        "credit_tier",
        &[
            ("plan", Kind::Name),
            ("tier", Kind::Name),
            ("from_quantity", Kind::Price),
            ("billing_period", Kind::Word),
            ("effective_at", Kind::Instant),
            ("override_reason", Kind::OptionalName),
        ],
    ),
    (
        "credit_agreement",
        &[
            ("account", Kind::Name),
            ("plan", Kind::Name),
            ("tier", Kind::OptionalName),
            ("pooling", Kind::Word),
            ("rate_card", Kind::OptionalName),
            ("effective_at", Kind::Instant),
            ("ended_at", Kind::Instant),
        ],
    ),
    ("credit_end_agreement", &[("account", Kind::Name), ("plan", Kind::Name), ("ended_at", Kind::Instant)]),
    (
        "credit_quote",
        &[("plan", Kind::Name), ("quantity", Kind::Amount), ("account", Kind::OptionalName), ("currency", Kind::Word)],
    ),
    (
        "credit_purchase",
        &[
            ("account", Kind::Name),
            ("plan", Kind::Name),
            ("quantity", Kind::Amount),
            ("currency", Kind::Word),
            ("member", Kind::OptionalName),
            ("override_reason", Kind::OptionalName),
            ("key", Kind::OptionalName),
        ],
    ),
    (
        "credit_change_plan",
        &[
            ("account", Kind::Name),
            ("plan", Kind::Name),
            ("at", Kind::Instant),
            ("billing_period", Kind::Word),
            ("anchor", Kind::Instant),
            ("override_reason", Kind::OptionalName),
            ("key", Kind::OptionalName),
        ],
    ),
    (
        "credit_schedule",
        &[
            ("account", Kind::Name),
            ("amount", Kind::Amount),
            ("anchor", Kind::Instant),
            ("starts_at", Kind::Instant),
            ("expires", Kind::Word),
            ("expires_at", Kind::Instant),
            ("proration", Kind::Word),
            ("on_leave", Kind::Word),
            ("unit", Kind::OptionalName),
            ("category", Kind::Word),
            ("key", Kind::OptionalName),
        ],
    ),
    ("credit_standard_schedule", &[("account", Kind::Name), ("amount", Kind::Amount), ("unit", Kind::OptionalName)]),
    ("credit_end_schedule", &[("account", Kind::Name), ("ends_at", Kind::Instant)]),
    ("credit_schedule_preview", &[("account", Kind::Name)]),
    ("credit_refresh", &[("account", Kind::Name), ("max_accounts", Kind::Batch)]),
    ("credit_renew", &[("account", Kind::Name), ("at", Kind::Instant), ("unit", Kind::OptionalName)]),
    ("credit_cancel_plan", &[("account", Kind::Name), ("unit", Kind::OptionalName), ("override_reason", Kind::OptionalName)]),
    ("credit_activate", &[("account", Kind::Name)]),
    (
        "credit_convert",
        &[
            ("account", Kind::Name),
            ("amount", Kind::Amount),
            ("from_unit", Kind::OptionalName),
            ("to_unit", Kind::Name),
            ("rate", Kind::Price),
            ("member", Kind::OptionalName),
            ("operation", Kind::OptionalName),
            ("key", Kind::OptionalName),
        ],
    ),
    (
        "credit_true_up_terms",
        &[
            ("account", Kind::Name),
            ("anchor", Kind::Instant),
            ("shortfall", Kind::Word),
            ("overage", Kind::Word),
            ("eligible", Kind::Word),
            ("currency", Kind::Word),
            ("unit", Kind::OptionalName),
        ],
    ),
    ("credit_true_up", TRUE_UP),
    ("credit_true_up_lines", TRUE_UP),
    ("credit_true_up_post", TRUE_UP),
    ("credit_true_up_settle", &[("account", Kind::Name)]),
    ("credit_rebalance", &[("account", Kind::Name), ("unit", Kind::OptionalName)]),
    ("credit_rebalance_preview", &[("account", Kind::Name), ("unit", Kind::OptionalName)]),
    (
        "credit_cap",
        &[
            ("account", Kind::Name),
            ("amount", Kind::Amount),
            ("member", Kind::OptionalName),
            ("department", Kind::OptionalName),
            ("operation", Kind::OptionalName),
            ("unit", Kind::OptionalName),
            ("anchor", Kind::Instant),
            ("covers", Kind::Word),
            ("action", Kind::Word),
        ],
    ),
    ("credit_end_cap", &[("account", Kind::Name)]),
    (
        "credit_spendable",
        &[
            ("account", Kind::Name),
            ("member", Kind::OptionalName),
            ("unit", Kind::OptionalName),
            ("operation", Kind::OptionalName),
        ],
    ),
    (
        "credit_transfer",
        &[
            ("account", Kind::Name),
            ("amount", Kind::Amount),
            ("from_member", Kind::OptionalName),
            ("to_member", Kind::OptionalName),
            ("unit", Kind::OptionalName),
            ("key", Kind::OptionalName),
        ],
    ),
    (
        "credit_reprice",
        &[("card", Kind::Name), ("operation", Kind::Name), ("policy", Kind::Word), ("effective_at", Kind::Instant)],
    ),
    ("credit_reprice_preview", &[("card", Kind::Name), ("days", Kind::Batch), ("account", Kind::Name)]),
    ("credit_conversion_markdown", &[("card", Kind::Name)]),
    ("credit_export_rate_card", &[("card", Kind::Name)]),
    ("credit_check_design", &[("days", Kind::Batch), ("max_spread", Kind::Price)]),
    ("credit_allow", &[("level", Kind::Word)]),
    ("credit_disallow", &[("level", Kind::Word)]),
];

pub const TRUE_UP: &[(&str, Kind)] =
    &[("account", Kind::Name), ("starts_at", Kind::Instant), ("ends_at", Kind::Instant), ("unit", Kind::OptionalName)];

pub const DEBIT: &[(&str, Kind)] = &[
    ("account", Kind::Name),
    ("amount", Kind::Amount),
    ("member", Kind::OptionalName),
    ("operation", Kind::OptionalName),
    ("unit", Kind::OptionalName),
    ("at", Kind::Instant),
    ("key", Kind::OptionalName),
    ("run", Kind::OptionalName),
];
