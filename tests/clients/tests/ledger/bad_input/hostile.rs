//! What an argument must refuse, whichever function it belongs to.

use pg_credit_clients::quote;

use super::arguments::Kind;
use super::codes::{INVALID, OUT_OF_RANGE, UNKNOWN};

/// A value that must be refused: its SQL, the SQLSTATE, and what the message must contain (`%`: the argument's name).
pub type Hostile = (String, &'static str, String);

pub fn hostile(sql: &str, code: &'static str, named: &str) -> Hostile {
    (sql.to_owned(), code, named.to_owned())
}

pub fn hostile_names() -> Vec<Hostile> {
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

pub fn hostile_numbers() -> Vec<Hostile> {
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
pub fn hostile_values(kind: Kind) -> Vec<Hostile> {
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
