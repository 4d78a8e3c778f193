//! When two requests under one idempotency key are the same request.

use sha2::{Digest, Sha256};

/// Collects a call's function name and arguments into a fingerprint.
///
/// Arguments that were not given do not count, so an argument added by a later version changes no stored fingerprint. `metadata`
/// is no part of it: a retry often says when it was made, or which one it is. Every value is written with its length, so no two
/// different calls write the same bytes.
pub struct Fingerprint {
    whole: Sha256,
    arguments: Arguments,
}

/// The arguments that make a request the same one, wherever there are keys. Stored requests name them by their places here: new
/// ones come last.
const NAMES: [&str; 54] = [
    "account",
    "amount",
    "anchor",
    "applies_to",
    "at",
    "beyond",
    "billing_period",
    "blend",
    "bonus",
    "budget",
    "by_band",
    "category",
    "currency",
    "dimensions",
    "effective_at",
    "ends_at",
    "every",
    "expires",
    "expires_after",
    "expires_at",
    "expires_periods",
    "expiry",
    "final",
    "from_member",
    "from_unit",
    "hold",
    "instalments",
    "into_pool",
    "lot",
    "member",
    "on_leave",
    "operation",
    "override_reason",
    "paid",
    "pending",
    "per_member",
    "periods",
    "plan",
    "posting",
    "priority",
    "prorate",
    "proration",
    "quantity",
    "rate",
    "reason",
    "rollover",
    "run",
    "source",
    "starts_at",
    "terms",
    "to_member",
    "to_unit",
    "true_up",
    "unit",
];

/// How many arguments a request is compared by at most.
const MOST_ARGUMENTS: usize = 32;

/// A byte for the argument's place in [`NAMES`], and three of a hash of its value.
const BYTES_OF_ARGUMENT: usize = 4;

/// A short hash of each argument of a request, to say which of them differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    bytes: [u8; MOST_ARGUMENTS * BYTES_OF_ARGUMENT],
    length: usize,
}

/// What was asked under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// The SHA-256 of all of it: only this decides whether two requests are the same.
    pub whole: [u8; 32],
    pub arguments: Arguments,
}

impl Arguments {
    fn new() -> Arguments {
        Arguments { bytes: [0; MOST_ARGUMENTS * BYTES_OF_ARGUMENT], length: 0 }
    }

    /// As they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Adds an argument; one that comes again, as those of the items of one request do, counts with those before it.
    fn add(&mut self, name: &str, value: &str) {
        let place = NAMES.iter().position(|known| *known == name).expect("an argument that is listed") as u8;
        let hash = hash(value).to_be_bytes();
        let known = self.bytes[..self.length].chunks_exact_mut(BYTES_OF_ARGUMENT).find(|known| known[0] == place);
        match known {
            Some(known) => known[1..].iter_mut().zip(&hash[1..]).for_each(|(known, new)| {
                *known = known.wrapping_mul(31).wrapping_add(*new);
            }),
            None => {
                self.bytes[self.length] = place;
                self.bytes[self.length + 1..self.length + BYTES_OF_ARGUMENT].copy_from_slice(&hash[1..]);
                self.length += BYTES_OF_ARGUMENT;
            }
        }
    }

    /// The names of those that differ from stored ones, in the order of [`NAMES`]; none where nothing can be said.
    pub fn differing(&self, stored: &[u8]) -> Vec<&'static str> {
        let of = |bytes: &[u8], place: usize| {
            bytes.chunks_exact(BYTES_OF_ARGUMENT).find(|known| usize::from(known[0]) == place).map(<[u8]>::to_vec)
        };
        let differs = |place: &usize| of(self.as_bytes(), *place) != of(stored, *place);
        (0..NAMES.len()).filter(differs).map(|place| NAMES[place]).collect()
    }
}

/// A hash of a name of one kind.
pub fn hash_of_name(kind: &str, name: &str) -> [u8; 32] {
    let mut hash = Fingerprint::of(kind);
    hash.write(name);
    hash.whole.finalize().into()
}

/// FNV-1a, of which 24 bits are kept.
fn hash(value: &str) -> u32 {
    value.bytes().fold(2_166_136_261, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
}

impl Fingerprint {
    /// Begins the fingerprint of a call of `function`.
    pub fn of(function: &str) -> Fingerprint {
        let mut fingerprint = Fingerprint { whole: Sha256::new(), arguments: Arguments::new() };
        fingerprint.write(function);
        fingerprint
    }

    /// Adds an argument in its normal form (10 and 10.0 are the same amount), or nothing when it was not given.
    pub fn with(mut self, name: &str, value: Option<impl ToString>) -> Fingerprint {
        if let Some(value) = value {
            let value = value.to_string();
            self.write(name);
            self.write(&value);
            self.arguments.add(name, &value);
        }
        self
    }

    /// All that was added.
    pub fn finish(self) -> Body {
        Body { whole: self.whole.finalize().into(), arguments: self.arguments }
    }

    fn write(&mut self, text: &str) {
        self.whole.update((text.len() as u64).to_be_bytes());
        self.whole.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_arguments_do_not_count() {
        let bare = Fingerprint::of("f").with("amount", Some(1)).finish();
        let with_absent = Fingerprint::of("f").with("amount", Some(1)).with("at", None::<&str>).finish();
        assert_eq!(bare, with_absent);
    }

    #[test]
    fn different_calls_differ() {
        let calls = [
            Fingerprint::of("f").finish(),
            Fingerprint::of("g").finish(),
            Fingerprint::of("f").with("at", Some("bc")).finish(),
            Fingerprint::of("f").with("amount", Some("bc")).finish(),
            Fingerprint::of("f").with("at", Some("")).finish(),
        ];
        for (index, one) in calls.iter().enumerate() {
            assert!(calls[index + 1..].iter().all(|other| other.whole != one.whole));
        }
    }

    #[test]
    fn the_arguments_that_differ_are_named() {
        let asked = |amount: &str, member: Option<&str>| {
            Fingerprint::of("f").with("account", Some("acme")).with("amount", Some(amount)).with("member", member).finish()
        };
        let first = asked("10", Some("alice"));
        let differing = |other: Body| other.arguments.differing(first.arguments.as_bytes());
        assert_eq!(differing(asked("10", Some("alice"))), Vec::<&str>::new());
        assert_eq!(differing(asked("11", Some("alice"))), ["amount"]);
        assert_eq!(differing(asked("11", Some("bob"))), ["amount", "member"]);
        assert_eq!(differing(asked("10", None)), ["member"]);
    }

    #[test]
    fn arguments_of_several_items_count_together() {
        let asked = |amounts: &[i32]| {
            let start = Fingerprint::of("f").with("account", Some("acme"));
            amounts.iter().fold(start, |all, amount| all.with("amount", Some(amount))).finish()
        };
        let first = asked(&[1, 2, 3]);
        assert_eq!(asked(&[1, 2, 3]).arguments.differing(first.arguments.as_bytes()), Vec::<&str>::new());
        assert_eq!(asked(&[1, 3, 2]).arguments.differing(first.arguments.as_bytes()), ["amount"]);
        assert_eq!(first.arguments.as_bytes().len(), 2 * BYTES_OF_ARGUMENT);
    }
}
