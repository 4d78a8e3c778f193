//! Every argument of every function against hostile values: the SQLSTATE of the design's table, a message that names the
//! value, DETAIL and HINT, and nothing changed.
//!
//! A table of good calls, and for each argument the values that must be refused in it. All that goes wrong is listed at once.

use pg_credit_clients::{Client, Database, Session, quote};

const INVALID: &str = "22023";
const OUT_OF_RANGE: &str = "22003";
const UNKNOWN: &str = "P0002";
const KEY_REUSED: &str = "23505";
const WRONG_STATE: &str = "55000";
const INSUFFICIENT: &str = "23514";

/// The functions and a call of each that is good. `LOT` stands for a lot's id.
const GOOD: &[(&str, &[(&str, &str)])] = &[
    ("credit_account", &[("account", "'acme'")]),
    ("credit_member", &[("account", "'acme'"), ("member", "'alice'")]),
    ("credit_grant", &[("account", "'acme'"), ("amount", "1")]),
    ("credit_debit", &[("account", "'acme'"), ("amount", "1")]),
    ("credit_try_debit", &[("account", "'acme'"), ("amount", "1")]),
    ("credit_debit_many", &[("accounts", "'{acme}'"), ("amounts", "'{1}'")]),
    ("credit_debit_many_json", &[("items", r#"'[{"account": "acme", "amount": 1}]'"#)]),
    ("credit_balance", &[("account", "'acme'")]),
    ("credit_explain_debit", &[("account", "'acme'"), ("amount", "1")]),
    ("credit_void", &[("account", "'acme'"), ("lot", "LOT")]),
    ("credit_set_expiry", &[("account", "'acme'"), ("lot", "LOT"), ("expires_at", "'2027-01-01'")]),
    ("credit_expire", &[]),
    ("credit_maintain", &[]),
    ("credit_expiry_forecast", &[("account", "'acme'")]),
    ("credit_rollup", &[]),
    ("credit_chargeback", &[("account", "'acme'"), ("starts_at", "'2020-01-01'"), ("ends_at", "'2027-01-01'")]),
    ("credit_verify", &[]),
    ("credit_unit", &[("unit", "'minute'")]),
    ("credit_rate_card", &[("card", "'other'"), ("unit", "'credit'")]),
    ("credit_rate", &[("card", "'list'"), ("operation", "'chat'"), ("credits", "1")]),
    ("credit_publish", &[("card", "'list'")]),
    ("credit_publish_preview", &[("card", "'list'")]),
    ("credit_discard_drafts", &[("card", "'list'")]),
    ("credit_price", &[("card", "'list'"), ("operation", "'chat'"), ("quantity", "1")]),
    ("credit_charge", &[("account", "'acme'"), ("operation", "'chat'"), ("quantity", "1")]),
    ("credit_charge_request", &[("account", "'acme'"), ("operations", "'{chat}'"), ("quantities", "'{1}'")]),
    ("credit_charge_many", &[("accounts", "'{acme}'"), ("operations", "'{chat}'"), ("quantities", "'{1}'")]),
    (
        "credit_convert",
        &[("account", "'acme'"), ("amount", "1"), ("from_unit", "'credit'"), ("to_unit", "'token'"), ("rate", "2")],
    ),
    ("credit_pooling", &[("account", "'acme'"), ("pooling", "'pooled'")]),
    ("credit_pooling_preview", &[("account", "'acme'"), ("pooling", "'pooled'")]),
    ("credit_move_department", &[("account", "'acme'"), ("from_department", "'eng'"), ("to_department", "'research'")]),
    ("credit_rebalance", &[("account", "'acme'")]),
    ("credit_rebalance_preview", &[("account", "'acme'")]),
    ("credit_true_up_terms", &[("account", "'acme'")]),
    ("credit_true_up", &[("account", "'acme'"), ("starts_at", "'2025-01-01'"), ("ends_at", "'2025-04-01'")]),
    ("credit_true_up_lines", &[("account", "'acme'"), ("starts_at", "'2025-01-01'"), ("ends_at", "'2025-04-01'")]),
    ("credit_true_up_post", &[("account", "'acme'"), ("starts_at", "'2025-01-01'"), ("ends_at", "'2025-04-01'")]),
    ("credit_true_up_settle", &[("account", "'trued'"), ("true_up", "1")]),
    ("credit_cap", &[("account", "'acme'"), ("amount", "1")]),
    ("credit_end_cap", &[("account", "'strict'"), ("cap", "1")]),
    ("credit_spendable", &[("account", "'acme'")]),
    ("credit_transfer", &[("account", "'acme'"), ("amount", "1"), ("to_member", "'alice'")]),
    ("credit_reprice", &[("card", "'list'"), ("operation", "'chat'"), ("new_unit_cost", "1"), ("policy", "'hold'")]),
    ("credit_reprice_preview", &[("card", "'list'")]),
    ("credit_conversion_markdown", &[("card", "'list'")]),
    ("credit_export_rate_card", &[("card", "'list'")]),
    ("credit_import_rate_card", &[("document", "credit_export_rate_card('list')")]),
    ("credit_check_design", &[]),
    ("credit_plan", &[("plan", "'api'")]),
    ("credit_tier", &[("plan", "'api'"), ("tier", "'one'"), ("from_quantity", "0"), ("discount", "0")]),
    ("credit_plan_cost", &[("plan", "'api'"), ("unit_cost", "0.1")]),
    ("credit_standard_plan", &[("plan", "'standard'"), ("unit", "'credit'"), ("currency", "'USD'"), ("list_price", "1")]),
    ("credit_agreement", &[("account", "'acme'"), ("plan", "'api'")]),
    ("credit_end_agreement", &[("account", "'acme'"), ("plan", "'api'")]),
    ("credit_quote", &[("plan", "'api'"), ("quantity", "1")]),
    ("credit_purchase", &[("account", "'acme'"), ("plan", "'api'"), ("quantity", "1")]),
    ("credit_change_plan", &[("account", "'acme'"), ("plan", "'api'"), ("quantity", "7")]),
    ("credit_renew", &[("account", "'acme'")]),
    ("credit_cancel_plan", &[("account", "'acme'")]),
    ("credit_schedule", &[("account", "'cyclic'"), ("amount", "1"), ("every", "interval '1 month'")]),
    ("credit_standard_schedule", &[("account", "'cyclic'"), ("amount", "1")]),
    ("credit_end_schedule", &[("account", "'cyclic'"), ("schedule", "(SELECT min(schedule) FROM credit.schedule)")]),
    (
        "credit_schedule_preview",
        &[("account", "'cyclic'"), ("schedule", "(SELECT min(schedule) FROM credit.schedule)"), ("until", "'2026-06-01'")],
    ),
    ("credit_refresh", &[]),
    ("credit_activate", &[("account", "'acme'"), ("lot", "(SELECT min(lot) FROM credit.purchase_lot)")]),
    ("credit_allow", &[("role", "'postgres'"), ("level", "'read'")]),
    ("credit_disallow", &[("role", "'postgres'"), ("level", "'read'")]),
];

/// A kind of argument: which hostile values it must refuse.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
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

const ARGUMENTS: &[(&str, &[(&str, Kind)])] = &[
    (
        "credit_account",
        &[
            ("account", Kind::Name),
            ("unit", Kind::OptionalName),
            ("pooling", Kind::Word),
            ("time_zone", Kind::Word),
            ("late_usage", Kind::Word),
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
    ("credit_expire", &[("account", Kind::OptionalName), ("max_lots", Kind::Batch)]),
    ("credit_maintain", &[("max_rows", Kind::Batch)]),
    ("credit_expiry_forecast", &[("account", Kind::Name), ("unit", Kind::OptionalName)]),
    ("credit_rollup", &[("max_postings", Kind::Batch)]),
    (
        "credit_chargeback",
        &[("account", Kind::Name), ("starts_at", Kind::Instant), ("ends_at", Kind::Instant), ("unit", Kind::OptionalName)],
    ),
    ("credit_verify", &[("account", Kind::OptionalName)]),
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
        ],
    ),
    (
        "credit_charge_request",
        &[("account", Kind::Name), ("member", Kind::OptionalName), ("at", Kind::Instant), ("key", Kind::OptionalName)],
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
    ("credit_refresh", &[("account", Kind::OptionalName), ("max_accounts", Kind::Batch)]),
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
    ("credit_reprice_preview", &[("card", Kind::Name), ("days", Kind::Batch), ("account", Kind::OptionalName)]),
    ("credit_conversion_markdown", &[("card", Kind::Name)]),
    ("credit_export_rate_card", &[("card", Kind::Name)]),
    ("credit_check_design", &[("days", Kind::Batch), ("max_spread", Kind::Price)]),
    ("credit_allow", &[("level", Kind::Word)]),
    ("credit_disallow", &[("level", Kind::Word)]),
];

const TRUE_UP: &[(&str, Kind)] =
    &[("account", Kind::OptionalName), ("starts_at", Kind::Instant), ("ends_at", Kind::Instant), ("unit", Kind::OptionalName)];

const DEBIT: &[(&str, Kind)] = &[
    ("account", Kind::Name),
    ("amount", Kind::Amount),
    ("member", Kind::OptionalName),
    ("operation", Kind::OptionalName),
    ("unit", Kind::OptionalName),
    ("at", Kind::Instant),
    ("key", Kind::OptionalName),
];

/// A value that must be refused: its SQL, the SQLSTATE, and what the message must contain (`%`: the argument's name).
type Hostile = (String, &'static str, String);

fn hostile(sql: &str, code: &'static str, named: &str) -> Hostile {
    (sql.to_owned(), code, named.to_owned())
}

fn hostile_names() -> Vec<Hostile> {
    let long = "x".repeat(256);
    let mut names = vec![
        hostile("''", INVALID, r#"%"#),
        hostile("''", INVALID, r#""""#),
        hostile(&quote(&long), INVALID, &long[..40]),
        hostile(&quote(&"ß".repeat(256)), INVALID, "ßßßß"),
    ];
    for padded in [" acme", "acme ", "acme\u{a0}", "\u{2003}acme", "   "] {
        names.push(hostile(&quote(padded), INVALID, padded.trim()));
    }
    for (control, shown) in
        [("ac\nme", r"ac\nme"), ("ac\tme", r"ac\tme"), ("ac\u{7}me", "ac"), ("ac\u{85}me", "ac"), ("\u{7f}", "%")]
    {
        names.push(hostile(&quote(control), INVALID, shown));
    }
    names
}

fn hostile_numbers() -> Vec<Hostile> {
    vec![
        hostile("'NaN'", INVALID, "NaN"),
        hostile("'Infinity'", INVALID, "Infinity"),
        hostile("'-Infinity'", INVALID, "-Infinity"),
        hostile("-1", INVALID, "-1"),
        hostile("-0.000001", INVALID, "-0.000001"),
        hostile("0.0000000001", INVALID, "0.0000000001"),
        hostile("1e-16000", INVALID, "%"),
        hostile("1e15", OUT_OF_RANGE, "1000000000000000"),
        hostile("-1e15", OUT_OF_RANGE, "-1000000000000000"),
        hostile("999999999999999.9999999999", INVALID, "999999999999999.9999999999"),
        hostile("1e39", OUT_OF_RANGE, "1000000000000000000000000000000000000000"),
        hostile("1e10000", OUT_OF_RANGE, "%"),
    ]
}

/// What an argument of this kind must refuse, whichever function it belongs to.
fn hostile_values(kind: Kind) -> Vec<Hostile> {
    let null = hostile("NULL", INVALID, "%");
    match kind {
        Kind::Amount => {
            let more =
                [null, hostile("0", INVALID, "0"), hostile("0.000", INVALID, "0"), hostile("0.0000001", INVALID, "0.0000001")];
            more.into_iter().chain(hostile_numbers()).collect()
        }
        Kind::Price => hostile_numbers(),
        Kind::Name => [null].into_iter().chain(hostile_names()).collect(),
        Kind::OptionalName => hostile_names(),
        Kind::Instant => vec![hostile("'infinity'", INVALID, "infinity"), hostile("'-infinity'", INVALID, "-infinity")],
        Kind::Lot => vec![
            null,
            hostile("0", UNKNOWN, "0"),
            hostile("-1", UNKNOWN, "-1"),
            hostile("4711", UNKNOWN, "4711"),
            hostile("9223372036854775807", UNKNOWN, "9223372036854775807"),
        ],
        Kind::Batch => {
            vec![null, hostile("0", INVALID, "0"), hostile("-1", INVALID, "-1"), hostile("2147483647", INVALID, "2147483647")]
        }
        Kind::Word => vec![
            hostile("''", INVALID, "%"),
            hostile("'gift'", INVALID, "gift"),
            hostile("'Paid'", INVALID, "Paid"),
            hostile("'paid '", INVALID, "paid "),
            hostile("E'a\\nb'", INVALID, "%"),
        ],
    }
}

/// What only certain arguments, or several together, must refuse.
const SPECIAL: &[(&str, &str, &str, &str)] = &[
    // Names of nothing.
    ("credit_account", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_member", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_member", "department => '/eng'", INVALID, "/eng"),
    ("credit_member", "department => 'eng//ml'", INVALID, "eng//ml"),
    ("credit_member", "department => E'eng\\n'", INVALID, "department"),
    ("credit_member", "department => ' '", INVALID, "department"),
    ("credit_pooling", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_pooling", "member => 'stranger'", UNKNOWN, "stranger"),
    ("credit_pooling", "member => 'alice', department => 'eng'", INVALID, "department"),
    ("credit_pooling", "pooling => NULL", INVALID, "pooling"),
    ("credit_pooling", "department => 'eng/'", INVALID, "eng/"),
    ("credit_pooling", "effective_at => '2025-01-01'", INVALID, "passed"),
    ("credit_pooling_preview", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_pooling_preview", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_pooling_preview", "member => 'stranger'", UNKNOWN, "stranger"),
    ("credit_pooling_preview", "member => 'alice', department => 'eng'", INVALID, "department"),
    ("credit_pooling_preview", "effective_at => '2025-01-01'", INVALID, "passed"),
    ("credit_move_department", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_move_department", "to_department => 'eng'", INVALID, "eng"),
    ("credit_move_department", "to_department => 'eng/ml'", INVALID, "eng/ml"),
    ("credit_move_department", "from_department => 'eng/'", INVALID, "eng/"),
    ("credit_grant", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_grant", "account => 'new', unit => 'gold'", UNKNOWN, "gold"),
    ("credit_grant", "account => 'strict', member => 'bob'", UNKNOWN, "bob"),
    ("credit_debit", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_debit", "account => 'strict', member => 'bob'", UNKNOWN, "bob"),
    ("credit_debit", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_try_debit", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_try_debit", "account => 'strict', member => 'bob'", UNKNOWN, "bob"),
    ("credit_try_debit", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_balance", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_balance", "account => 'strict', member => 'bob'", UNKNOWN, "bob"),
    ("credit_balance", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_explain_debit", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_explain_debit", "account => 'strict', member => 'bob'", UNKNOWN, "bob"),
    ("credit_explain_debit", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_void", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_void", "account => 'strict'", UNKNOWN, "LOT"),
    ("credit_set_expiry", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_set_expiry", "account => 'strict'", UNKNOWN, "LOT"),
    ("credit_allow", "role => NULL", INVALID, "role"),
    ("credit_allow", "role => ''", UNKNOWN, "role"),
    ("credit_allow", "role => 'no such role'", UNKNOWN, "no such role"),
    ("credit_allow", "role => 'postgres; DROP TABLE credit.entry'", UNKNOWN, "DROP TABLE"),
    ("credit_disallow", "role => NULL", INVALID, "role"),
    ("credit_disallow", "role => 'no such role'", UNKNOWN, "no such role"),
    ("credit_allow", "level => NULL", INVALID, "level"),
    ("credit_disallow", "level => NULL", INVALID, "level"),
    ("credit_charge", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_charge", "account => 'strict', member => 'bob'", UNKNOWN, "bob"),
    ("credit_charge", "operation => 'fly'", UNKNOWN, "fly"),
    ("credit_charge", "dimensions => '[]'", INVALID, "dimensions"),
    ("credit_charge_request", "operations => '{}'", INVALID, "quantities"),
    ("credit_charge_request", "operations => '{chat,chat}'", INVALID, "quantities"),
    ("credit_charge_request", "operations => '{NULL}'", INVALID, "operation"),
    ("credit_charge_request", "quantities => '{NULL}'", INVALID, "quantity"),
    ("credit_charge_many", "operations => '{chat,chat}'", INVALID, "operations"),
    ("credit_charge_many", "quantities => '{}'", INVALID, "quantities"),
    ("credit_charge_many", "quantities => '{-1}'", INVALID, "-1"),
    ("credit_true_up", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_true_up", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_true_up", "starts_at => NULL", INVALID, "starts_at"),
    ("credit_true_up", "ends_at => '2025-01-01'", INVALID, "period"),
    ("credit_true_up_lines", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_true_up_post", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_true_up_post", "ends_at => '2026-07-01'", WRONG_STATE, "2026-07-01"),
    ("credit_true_up_settle", "true_up => 99", UNKNOWN, "99"),
    ("credit_true_up_terms", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_true_up_terms", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_true_up_terms", "every => '1 hour'", INVALID, "every"),
    ("credit_true_up_terms", "commitment => -1", INVALID, "-1"),
    ("credit_true_up_terms", "unit_price => 1", INVALID, "currency"),
    ("credit_rebalance", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_rebalance", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_rebalance", "burn_window => '0'", INVALID, "burn_window"),
    ("credit_rebalance_preview", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_rebalance_preview", "burn_window => '-1 day'", INVALID, "burn_window"),
    ("credit_cap", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_cap", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_cap", "member => 'stranger'", UNKNOWN, "stranger"),
    ("credit_cap", "member => 'alice', department => 'eng'", INVALID, "department"),
    ("credit_cap", "every => 'fortnight'", INVALID, "fortnight"),
    ("credit_cap", "every => 'day', rolling => '1 day'", INVALID, "rolling"),
    ("credit_cap", "rolling => '1 day', anchor => '10000-01-01'", INVALID, "anchor"),
    ("credit_cap", "rolling => '1 month'", INVALID, "rolling"),
    ("credit_cap", "rolling => '0'", INVALID, "rolling"),
    ("credit_cap", "rolling => '-1 day'", INVALID, "rolling"),
    ("credit_cap", "rolling => '90 seconds'", INVALID, "rolling"),
    ("credit_cap", "rolling => '3661 days'", INVALID, "rolling"),
    ("credit_cap", "rolling => '2147483647 days'", INVALID, "rolling"),
    ("credit_end_cap", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_end_cap", "cap => -1", UNKNOWN, "-1"),
    ("credit_spendable", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_spendable", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_transfer", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_transfer", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_transfer", "to_member => 'stranger'", UNKNOWN, "stranger"),
    ("credit_transfer", "from_member => 'stranger'", UNKNOWN, "stranger"),
    ("credit_transfer", "to_member => NULL", INVALID, "the pool"),
    ("credit_transfer", "lot => -1", UNKNOWN, "-1"),
    ("credit_account", "transfers => 'all'", INVALID, "all"),
    ("credit_convert", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_convert", "account => 'strict', member => 'bob'", UNKNOWN, "bob"),
    ("credit_convert", "from_unit => 'gold'", UNKNOWN, "gold"),
    ("credit_convert", "to_unit => 'gold'", UNKNOWN, "gold"),
    ("credit_convert", "to_unit => 'credit'", INVALID, "credit"),
    ("credit_convert", "rate => NULL", INVALID, "token"),
    ("credit_convert", "rate => 0", INVALID, "0"),
    ("credit_convert", "rate => 0.000000001", INVALID, "token"),
    ("credit_convert", "amount => 0.000001", INVALID, "0.000001"),
    ("credit_reprice", "card => 'gold'", UNKNOWN, "gold"),
    ("credit_reprice", "operation => 'fly'", UNKNOWN, "fly"),
    ("credit_reprice", "new_unit_cost => NULL", INVALID, "new_unit_cost"),
    ("credit_reprice", "new_unit_cost => -1", INVALID, "-1"),
    ("credit_reprice", "new_unit_cost => 'NaN'", INVALID, "NaN"),
    ("credit_reprice", "policy => NULL", INVALID, "policy"),
    ("credit_reprice", "policy => 'pass_through'", INVALID, "cost"),
    ("credit_reprice", "policy => 'adjust'", INVALID, "target_margin"),
    ("credit_reprice", "policy => 'adjust', target_margin => 0.5", INVALID, "money"),
    ("credit_reprice", "target_margin => 0.5", INVALID, "hold"),
    ("credit_reprice", "dimensions => '[]'", INVALID, "dimensions"),
    ("credit_reprice_preview", "card => 'gold'", UNKNOWN, "gold"),
    ("credit_reprice_preview", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_conversion_markdown", "card => 'gold'", UNKNOWN, "gold"),
    ("credit_export_rate_card", "card => 'gold'", UNKNOWN, "gold"),
    ("credit_export_rate_card", "costs => NULL", INVALID, "costs"),
    ("credit_import_rate_card", "document => NULL", INVALID, "document"),
    ("credit_import_rate_card", "document => '{}'", INVALID, "format"),
    ("credit_import_rate_card", "publish => NULL", INVALID, "publish"),
    ("credit_check_design", "max_spread => NULL", INVALID, "max_spread"),
    ("credit_price", "card => 'gold'", UNKNOWN, "gold"),
    ("credit_price", "operation => 'fly'", UNKNOWN, "fly"),
    ("credit_rate", "card => 'gold'", UNKNOWN, "gold"),
    ("credit_publish", "card => 'gold'", UNKNOWN, "gold"),
    ("credit_rate_card", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_rollup", "rebuild => NULL", INVALID, "rebuild"),
    ("credit_chargeback", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_chargeback", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_chargeback", "starts_at => NULL", INVALID, "starts_at"),
    ("credit_chargeback", "ends_at => NULL", INVALID, "ends_at"),
    ("credit_chargeback", "ends_at => '2020-01-01'", INVALID, "ends_at"),
    ("credit_chargeback", "ends_at => '2019-01-01'", INVALID, "ends_at"),
    ("credit_chargeback", "depth => 0", INVALID, "depth"),
    ("credit_expiry_forecast", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_expiry_forecast", "unit => 'gold'", UNKNOWN, "gold"),
    ("credit_expiry_forecast", "burn_window => NULL", INVALID, "burn_window"),
    ("credit_expiry_forecast", "burn_window => '0'", INVALID, "burn_window"),
    ("credit_expiry_forecast", "burn_window => '-1 month'", INVALID, "burn_window"),
    ("credit_expiry_forecast", "burn_window => '20000 years'", INVALID, "20000"),
    // Words.
    ("credit_account", "pooling => 'POOLED'", INVALID, "POOLED"),
    ("credit_account", "late_grace => '-1 hour'", INVALID, "late_grace"),
    ("credit_account", "late_grace => '1 month -1 hour'", INVALID, "late_grace"),
    ("credit_account", "late_grace => '20000 years'", INVALID, "20000"),
    ("credit_account", "time_zone => 'Atlantis'", INVALID, "Atlantis"),
    ("credit_account", "account => 'new', time_zone => 'Atlantis'", INVALID, "Atlantis"),
    ("credit_account", "time_zone => '../../etc/passwd'", INVALID, "passwd"),
    ("credit_grant", "priority => -1", INVALID, "-1"),
    ("credit_grant", "priority => 1001", INVALID, "1001"),
    ("credit_grant", "priority => 2147483647", INVALID, "2147483647"),
    ("credit_grant", "priority => -2147483648", INVALID, "-2147483648"),
    // Operations.
    ("credit_grant", "applies_to => '{}'", INVALID, "applies_to"),
    ("credit_grant", "applies_to => '{NULL}'", INVALID, "applies_to"),
    ("credit_grant", "applies_to => '{chat,NULL}'", INVALID, "applies_to"),
    ("credit_grant", "applies_to => '{\"\"}'", INVALID, "applies_to"),
    ("credit_grant", "applies_to => '{chat,\" code\"}'", INVALID, " code"),
    ("credit_grant", "applies_to => ARRAY['chat', E'co\\nde']", INVALID, "co\\nde"),
    ("credit_grant", "applies_to => ARRAY[repeat('x', 256)]", INVALID, "xxxx"),
    // Times. The clock stands at 2026-01-01.
    ("credit_grant", "expires_at => '2026-01-01'", INVALID, "2026-01-01"),
    ("credit_grant", "expires_at => '2025-12-31 23:59:59.999999+00'", INVALID, "2025-12-31"),
    ("credit_grant", "effective_at => '2026-03-01', expires_at => '2026-03-01'", INVALID, "2026-03-01"),
    ("credit_grant", "effective_at => '2026-03-01', expires_at => '2026-02-01'", INVALID, "2026-02-01"),
    ("credit_grant", "effective_at => '2025-01-01', expires_after => '1 month'", INVALID, "2025-02-01"),
    ("credit_grant", "expires_after => '0'", INVALID, "2026-01-01"),
    ("credit_grant", "expires_after => '-1 day'", INVALID, "2025-12-31"),
    ("credit_grant", "expires_after => '-1 month'", INVALID, "2025-12-01"),
    ("credit_grant", "expires_after => '1 month', expires_at => '2026-02-01'", INVALID, "expires_after"),
    ("credit_grant", "expires_after => '270000 years'", INVALID, "expires_after"),
    ("credit_grant", "expires_after => '300000 years'", INVALID, "expires_after"),
    ("credit_grant", "expires_after => '-300000 years'", INVALID, "expires_after"),
    ("credit_grant", "expires_at => '294276-01-01'", INVALID, "294276"),
    ("credit_grant", "effective_at => '4713-02-01 BC', expires_at => '4713-01-01 BC'", INVALID, "expires_at"),
    ("credit_set_expiry", "expires_at => '2026-01-01'", INVALID, "2026-01-01"),
    ("credit_set_expiry", "expires_at => '2025-01-01'", INVALID, "2025-01-01"),
    ("credit_set_expiry", "lot => FUTURE, expires_at => '2026-06-01'", INVALID, "2026-06-01"),
    ("credit_set_expiry", "expires_at => '294276-01-01'", INVALID, "294276"),
    ("credit_debit", "at => '2026-01-01 00:00:00.000001+00'", INVALID, "2026-01-01"),
    ("credit_debit", "at => '2030-01-01'", INVALID, "2030-01-01"),
    ("credit_try_debit", "at => '2030-01-01'", INVALID, "2030-01-01"),
    ("credit_balance", "at => '294276-01-01'", INVALID, "294276"),
    // Prices.
    ("credit_grant", "paid => 1", INVALID, "currency"),
    ("credit_grant", "currency => 'USD'", INVALID, "currency"),
    ("credit_grant", "paid => 1, currency => 'usd'", INVALID, "usd"),
    ("credit_grant", "paid => 1, currency => 'DOLLARS'", INVALID, "DOLLARS"),
    ("credit_grant", "paid => 1, currency => ''", INVALID, "currency"),
    ("credit_grant", "paid => 1, currency => 'ÄB'", INVALID, "ÄB"),
    ("credit_grant", "paid => 1, currency => 'USD', category => 'promotional'", INVALID, "promotional"),
    // Plans and purchases.
    ("credit_plan", "currency => 'XXX'", INVALID, "XXX"),
    ("credit_plan", "unit => 'nothing'", UNKNOWN, "nothing"),
    ("credit_plan", "unit => 'token'", WRONG_STATE, "unit"),
    ("credit_plan", "floor_margin => 1", INVALID, "floor_margin"),
    ("credit_plan", "list_price => 0.0000000000001", INVALID, "list_price"),
    ("credit_plan", "expiry => '-1 day'", INVALID, "expiry"),
    ("credit_tier", "discount => 1.1", INVALID, "discount"),
    ("credit_tier", "unit_price => 1", INVALID, "price"),
    ("credit_tier", "from_quantity => 5", INVALID, "5"),
    ("credit_tier", "plan => 'nothing'", UNKNOWN, "nothing"),
    ("credit_agreement", "tier => 'nothing'", UNKNOWN, "nothing"),
    ("credit_agreement", "committed_quantity => '{}'", INVALID, "commitment"),
    ("credit_agreement", "effective_at => '2020-01-01'", WRONG_STATE, "acme"),
    ("credit_end_agreement", "account => 'nobody'", UNKNOWN, "nobody"),
    ("credit_quote", "currency => 'EUR'", INVALID, "EUR"),
    ("credit_quote", "budget => 1", INVALID, "budget"),
    ("credit_purchase", "bonus => 0", INVALID, "bonus"),
    ("credit_purchase", "bonus => 0.0000001", INVALID, "bonus"),
    ("credit_purchase", "bonus => 1e15", OUT_OF_RANGE, "bonus"),
    ("credit_purchase", "plan => 'nothing'", UNKNOWN, "nothing"),
    ("credit_purchase", "member => 'gone'", WRONG_STATE, "gone"),
    ("credit_purchase", "instalments => 3", INVALID, "instalments"),
    ("credit_purchase", "prorate => true, by_band => true", INVALID, "by_band"),
    ("credit_change_plan", "plan => 'nothing'", UNKNOWN, "nothing"),
    ("credit_change_plan", "quantity => 0", INVALID, "quantity"),
    ("credit_change_plan", "quantity => 'NaN'", INVALID, "quantity"),
    ("credit_change_plan", "quantity => 0.0000001", INVALID, "quantity"),
    ("credit_change_plan", "quantity => 1e15", OUT_OF_RANGE, "quantity"),
    ("credit_change_plan", "quantity => 5", WRONG_STATE, "5 credits already"),
    ("credit_change_plan", "at => '2020-01-01'", WRONG_STATE, "2020-01-01"),
    ("credit_change_plan", "at => '2026-01-17'", WRONG_STATE, "2026-01-17"),
    ("credit_change_plan", "anchor => '2026-01-01'", WRONG_STATE, "counted from"),
    ("credit_change_plan", "account => 'fresh', quantity => NULL", INVALID, "quantity"),
    ("credit_change_plan", "key => 'used'", KEY_REUSED, "used"),
    ("credit_renew", "at => '2040-01-01'", WRONG_STATE, "2040-01-01"),
    ("credit_cancel_plan", "unit => 'token'", UNKNOWN, "token"),
    ("credit_activate", "lot => 123456789", UNKNOWN, "123456789"),
    // Decimals of the unit: token has two.
    ("credit_grant", "account => 'new', unit => 'token', amount => 0.001", INVALID, "0.001"),
    ("credit_debit", "unit => 'token', amount => 0.001", INVALID, "0.001"),
    ("credit_try_debit", "unit => 'token', amount => 1.234", INVALID, "1.234"),
    ("credit_explain_debit", "unit => 'token', amount => 1.234", INVALID, "1.234"),
    // Keys of other requests; the key is a debit's of 1.
    ("credit_debit", "key => 'used', amount => 2", KEY_REUSED, "used"),
    ("credit_debit", "key => 'used', member => 'alice'", KEY_REUSED, "used"),
    ("credit_debit", "key => 'used', operation => 'chat'", KEY_REUSED, "used"),
    ("credit_debit", "key => 'used', at => '2025-12-31'", KEY_REUSED, "used"),
    ("credit_debit", "key => 'used', metadata => '{}'", KEY_REUSED, "used"),
    ("credit_try_debit", "key => 'used', amount => 2", KEY_REUSED, "used"),
    ("credit_try_debit", "key => 'used', amount => 1000000", KEY_REUSED, "used"),
    ("credit_grant", "key => 'used'", KEY_REUSED, "used"),
    // Too late, or not at all.
    ("credit_debit", "amount => 100000", INSUFFICIENT, "100000"),
    ("credit_debit", "amount => 100000, key => 'fresh', member => 'newcomer'", INSUFFICIENT, "100000"),
    ("credit_debit", "amount => 999999999999999.999999", INSUFFICIENT, "999999999999999.999999"),
    ("credit_transfer", "to_member => 'gone'", WRONG_STATE, "gone"),
    ("credit_transfer", "lot => EXPIRED", WRONG_STATE, "EXPIRED"),
    ("credit_debit", "member => 'gone'", WRONG_STATE, "gone"),
    ("credit_try_debit", "member => 'gone'", WRONG_STATE, "gone"),
    ("credit_grant", "member => 'gone'", WRONG_STATE, "gone"),
    ("credit_set_expiry", "lot => VOIDED", WRONG_STATE, "VOIDED"),
    ("credit_set_expiry", "lot => EXPIRED", WRONG_STATE, "EXPIRED"),
    ("credit_account", "time_zone => 'Europe/Berlin'", WRONG_STATE, "acme"),
];

/// Batches that must be refused, as a whole: their arguments, the SQLSTATE, and what the message must contain.
const BATCHES: &[(&str, &str, &str)] = &[
    ("NULL::text[], '{1}'", INVALID, "accounts"),
    ("'{acme}'::text[], NULL", INVALID, "amounts"),
    ("'{acme,acme}'::text[], '{1}'", INVALID, "amounts"),
    ("'{acme}'::text[], '{1,1}'", INVALID, "amounts"),
    ("'{acme}'::text[], '{1}', members => '{a,b}'", INVALID, "members"),
    ("'{acme}'::text[], '{1}', operations => '{a,b}'", INVALID, "operations"),
    ("'{acme}'::text[], '{1}', units => '{credit,credit}'", INVALID, "units"),
    ("'{acme}'::text[], '{1}', at => '{2025-01-01,2025-01-01}'", INVALID, "at"),
    ("'{acme}'::text[], '{1}', keys => '{a,b}'", INVALID, "keys"),
    ("'{acme}'::text[], '{1}', mode => 'some'", INVALID, "some"),
    ("'{acme}'::text[], '{1}', mode => NULL", INVALID, "mode"),
    ("'{acme,NULL}'::text[], '{1,1}'", INVALID, "account"),
    ("'{acme,\" acme\"}'::text[], '{1,1}'", INVALID, " acme"),
    ("'{acme,nobody}'::text[], '{1,1}'", UNKNOWN, "nobody"),
    ("'{acme,acme}'::text[], '{1,NULL}'", INVALID, "amount"),
    ("'{acme,acme}'::text[], '{1,0}'", INVALID, "0"),
    ("'{acme,acme}'::text[], '{1,-1}'", INVALID, "-1"),
    ("'{acme,acme}'::text[], '{1,NaN}'", INVALID, "NaN"),
    ("'{acme,acme}'::text[], '{1,Infinity}'", INVALID, "Infinity"),
    ("'{acme,acme}'::text[], '{1,0.0000001}'", INVALID, "0.0000001"),
    ("'{acme,acme}'::text[], '{1,1e15}'", OUT_OF_RANGE, "1000000000000000"),
    ("'{acme,acme}'::text[], '{1,100000}'", INSUFFICIENT, "100000"),
    ("'{acme,acme}'::text[], '{1,1}', members => '{alice,gone}'", WRONG_STATE, "gone"),
    ("'{acme,strict}'::text[], '{1,1}', members => '{alice,bob}'", UNKNOWN, "bob"),
    ("'{acme,acme}'::text[], '{1,1}', units => '{credit,gold}'", UNKNOWN, "gold"),
    ("'{acme,acme}'::text[], '{1,1}', at => '{2025-01-01,2030-01-01}'", INVALID, "2030-01-01"),
    ("'{acme,acme}'::text[], '{1,2}', keys => '{fresh,used}'", KEY_REUSED, "used"),
    ("'{acme,acme}'::text[], '{1,2}', keys => '{fresh,fresh}'", KEY_REUSED, "fresh"),
    ("NULL::jsonb", INVALID, "items"),
    ("'{}'::jsonb", INVALID, "items"),
    ("'7'::jsonb", INVALID, "items"),
    ("'[7]'::jsonb", INVALID, "items"),
    ("'[{}]'::jsonb", INVALID, "account"),
    (r#"'[{"account": "acme"}]'::jsonb"#, INVALID, "amount"),
    (r#"'[{"account": "acme", "amount": 0}]'::jsonb"#, INVALID, "0"),
    (r#"'[{"account": "acme", "amount": "NaN"}]'::jsonb"#, INVALID, "NaN"),
    (r#"'[{"account": "acme", "amount": 1e15}]'::jsonb"#, OUT_OF_RANGE, "1000000000000000"),
    (r#"'[{"account": "acme", "amount": 1, "acount": "acme"}]'::jsonb"#, INVALID, "acount"),
    (r#"'[{"account": "acme", "amount": 1}, {"account": "nobody", "amount": 1}]'::jsonb"#, UNKNOWN, "nobody"),
];

/// What the calls are about: lots in every state, an account that requires members, a used key.
struct World {
    session: Client,
    lots: Vec<(&'static str, String)>,
}

impl World {
    fn new(database: &Database) -> World {
        let mut session = database.connect();
        session.run("SET timezone = 'UTC'; SET credit.clock = '2025-01-01'");
        session.run("INSERT INTO credit.unit (unit, decimals) VALUES ('token', 2)");
        session.run(
            "SELECT credit_rate_card('list', unit => 'credit', is_default => true); SELECT credit_rate('list', 'chat', credits => 1);
             SELECT credit_publish('list');
             SELECT credit_plan('api', unit => 'credit', currency => 'USD', list_price => 1);
             SELECT credit_tier('api', 'one', 0, discount => 0);
             SELECT credit_agreement('acme', 'api');
             SELECT credit_purchase('acme', 'api', 1, pending => true);
             SELECT credit_change_plan('acme', 'api', 5)",
        );
        session.run("SELECT credit_account('strict', require_members => true), credit_grant('strict', 100)");
        session.run("SELECT credit_account('acme'), credit_grant('acme', 5, unit => 'token')");
        let grant = |session: &mut Client, terms: &str| session.text(&format!("SELECT credit_grant('acme', 100{terms})"));
        let lots = vec![
            ("LOT", grant(&mut session, "")),
            ("FUTURE", grant(&mut session, ", effective_at => '2026-07-01'")),
            ("EXPIRED", grant(&mut session, ", expires_at => '2025-06-01'")),
            ("VOIDED", grant(&mut session, "")),
        ];
        session.run(&format!("SELECT credit_void('acme', {})", lots[3].1));
        session.run("SET credit.clock = '2026-01-01'");
        session.run("SELECT credit_debit('acme', 1, key => 'used')");
        session.run("SELECT credit_member('acme', 'gone', active => false), credit_member('acme', 'alice')");
        session.run("SELECT credit_account('trued'); SELECT credit_true_up_post('trued', '2025-01-01', '2025-04-01')");
        session.run("SELECT credit_schedule('cyclic', 10, interval '1 month')");
        session.run("SELECT credit_cap('strict', 1000)");
        World { session, lots }
    }

    fn with_lots(&self, sql: &str) -> String {
        self.lots.iter().fold(sql.to_owned(), |sql, (name, lot)| sql.replace(name, lot))
    }

    /// The md5 of every row of every table.
    fn snapshot(&mut self) -> String {
        self.session.text(
            "SELECT string_agg(md5(query_to_xml('SELECT * FROM ' || c.oid::regclass || ' t ORDER BY t::text',
                 false, false, '')::text), ' ' ORDER BY c.relname)
             FROM pg_class c WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind = 'r'",
        )
    }

    /// What is wrong with how the call is refused.
    fn complaint(&mut self, sql: &str, code: &str, named: &str) -> Option<String> {
        let sql = self.with_lots(sql);
        let named = self.with_lots(named);
        let before = self.snapshot();
        let answer = self.session.ask(&sql);
        let changed = self.snapshot() != before;
        let complaint = match answer {
            Ok(answer) => Some(format!("not refused, but {answer:?}")),
            Err(refusal) if refusal.code != code => Some(format!("expected {code}: {refusal}")),
            Err(refusal) if !refusal.message.contains(&named) => Some(format!("the message does not name {named:?}: {refusal}")),
            Err(refusal) if refusal.detail.is_none() || refusal.hint.is_none() => {
                Some(format!("without DETAIL or HINT: {refusal}"))
            }
            Err(_) if changed => Some("something changed".to_owned()),
            Err(_) => None,
        };
        complaint.map(|complaint| format!("{}\n    {}", shorten(&sql), shorten(&complaint)))
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The good call with some of its arguments replaced or added: `name => value, name => value`.
fn call(function: &str, replaced: &[(String, String)]) -> String {
    let good = GOOD.iter().find(|(name, _)| *name == function).expect("a function with a good call").1;
    let kept = good.iter().filter(|(name, _)| !replaced.iter().any(|(other, _)| other == name));
    let mut arguments: Vec<String> = kept.map(|(name, value)| format!("{name} => {value}")).collect();
    arguments.extend(replaced.iter().map(|(name, value)| format!("{name} => {value}")));
    format!("SELECT * FROM {function}({})", arguments.join(", "))
}

fn assert_none(complaints: Vec<String>, cases: usize) {
    assert!(complaints.is_empty(), "{} of {cases} cases:\n{}", complaints.len(), complaints.join("\n"));
}

/// The good calls are good: otherwise the others would be refused for the wrong reason.
#[test]
fn good_calls_succeed() {
    let database = Database::new();
    let mut world = World::new(&database);
    for (function, _) in GOOD {
        let sql = world.with_lots(&call(function, &[]));
        world.session.run(&format!("BEGIN; {sql}; ROLLBACK"));
    }
    for function in world.session.rows("SELECT DISTINCT proname FROM pg_proc WHERE proname LIKE 'credit\\_%'").concat() {
        assert!(GOOD.iter().any(|(name, _)| *name == function), "{function} is not tested here");
    }
}

#[test]
fn hostile_values_are_refused_in_every_argument() {
    let database = Database::new();
    let mut world = World::new(&database);
    let (mut complaints, mut cases) = (Vec::new(), 0);
    for (function, arguments) in ARGUMENTS {
        for (argument, kind) in *arguments {
            for (value, code, named) in hostile_values(*kind) {
                let sql = call(function, &[((*argument).to_owned(), value)]);
                complaints.extend(world.complaint(&sql, code, &named.replace('%', argument)));
                cases += 1;
            }
        }
    }
    for (value, code, named) in hostile_values(Kind::Price) {
        let sql = call("credit_grant", &[("paid".to_owned(), value), ("currency".to_owned(), "'USD'".to_owned())]);
        complaints.extend(world.complaint(&sql, code, &named.replace('%', "paid")));
        cases += 1;
    }
    assert_none(complaints, cases);
    database.verify();
}

#[test]
fn combinations_that_make_no_sense_are_refused() {
    let database = Database::new();
    let mut world = World::new(&database);
    let mut complaints = Vec::new();
    for (function, replaced, code, named) in SPECIAL {
        let replaced = parse_arguments(replaced);
        complaints.extend(world.complaint(&call(function, &replaced), code, named));
    }
    assert_none(complaints, SPECIAL.len());
    database.verify();
}

#[test]
fn a_batch_is_refused_as_a_whole() {
    let database = Database::new();
    let mut world = World::new(&database);
    let mut complaints = Vec::new();
    for (arguments, code, named) in BATCHES {
        let function = if arguments.contains("::jsonb") { "credit_debit_many_json" } else { "credit_debit_many" };
        complaints.extend(world.complaint(&format!("SELECT * FROM {function}({arguments})"), code, named));
    }
    assert_none(complaints, BATCHES.len());
    database.verify();
}

/// `name => value, name => value`; a value may contain commas, since a name ends at its arrow.
fn parse_arguments(text: &str) -> Vec<(String, String)> {
    let (mut name, mut rest) = text.split_once(" => ").expect("an argument has a name and a value");
    let mut arguments = Vec::new();
    while let Some((value_and_next, after)) = rest.split_once(" => ") {
        let (value, next) = value_and_next.rsplit_once(", ").expect("a comma before the next argument");
        arguments.push((name.to_owned(), value.to_owned()));
        (name, rest) = (next, after);
    }
    arguments.push((name.to_owned(), rest.to_owned()));
    arguments
}

/// Metadata is kept as it is, or refused like any other argument; never an internal error.
#[test]
fn metadata_is_kept_or_refused() {
    let database = Database::new();
    let mut world = World::new(&database);
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let long = format!(r#"{{"text": "{}"}}"#, "ä".repeat(100_000));
    let numbers = r#"{"a": 1.10, "b": 123456789012345678901234567890.12345678901234567890, "c": 1e400, "d": 1E-7}"#;
    for metadata in ["null", "[]", r#""text""#, numbers, &long, &deep(100), &deep(1000)] {
        let literal = quote(metadata);
        for function in ["credit_debit", "credit_grant"] {
            match world.session.ask(&format!("SELECT {function}('acme', 1, metadata => {literal})")) {
                Ok(_) => {
                    let kept =
                        format!("SELECT metadata::text = {literal}::jsonb::text FROM credit.entry ORDER BY posting DESC LIMIT 1");
                    assert_eq!(world.session.text(&kept), "t", "{function}: {}", shorten(metadata));
                }
                Err(refusal) => assert_eq!(refusal.code, INVALID, "{function}: {refusal} {}", shorten(metadata)),
            }
        }
    }
    database.verify();
}

/// Text that is no number or instant does not even reach the functions; a clock that is none is refused as well.
#[test]
fn a_clock_that_is_no_instant_is_refused() {
    let database = Database::new();
    let mut world = World::new(&database);
    for (clock, code) in
        [("yesterday noon or so", "22007"), ("infinity", INVALID), ("2026-13-01", "22008"), ("294276-01-01", INVALID)]
    {
        let before = world.snapshot();
        // Refused when it is set, or at the latest when it is needed.
        let refused = match world.session.ask(&format!("SET credit.clock = {}", quote(clock))) {
            Err(refusal) => refusal,
            Ok(_) => world.session.refusal("SELECT credit_debit('acme', 1)"),
        };
        assert_eq!(refused.code, code, "{refused}");
        world.session.run("SET credit.clock = '2026-01-01'");
        assert_eq!(world.snapshot(), before, "{clock}");
    }
}
