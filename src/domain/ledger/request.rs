//! When two requests under one idempotency key are the same request.

use sha2::{Digest, Sha256};

/// Collects a call's function name and arguments into a fingerprint.
///
/// Arguments that were not given do not count, so an argument added by a later version changes no stored fingerprint. `metadata`
/// is no part of it: a retry often says when it was made, or which one it is. Every value is written with its length, so no two
/// different calls write the same bytes.
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins the fingerprint of a call of `function`.
    pub fn of(function: &str) -> Fingerprint {
        let mut fingerprint = Fingerprint(Sha256::new());
        fingerprint.write(function);
        fingerprint
    }

    /// Adds an argument in its normal form (10 and 10.0 are the same amount), or nothing when it was not given.
    pub fn with(mut self, name: &str, value: Option<impl ToString>) -> Fingerprint {
        if let Some(value) = value {
            self.write(name);
            self.write(&value.to_string());
        }
        self
    }

    /// The SHA-256 of all that was added.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn write(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_arguments_do_not_count() {
        let bare = Fingerprint::of("f").with("a", Some(1)).finish();
        let with_absent = Fingerprint::of("f").with("a", Some(1)).with("b", None::<&str>).finish();
        assert_eq!(bare, with_absent);
    }

    #[test]
    fn different_calls_differ() {
        let calls = [
            Fingerprint::of("f").finish(),
            Fingerprint::of("g").finish(),
            Fingerprint::of("f").with("a", Some("bc")).finish(),
            Fingerprint::of("f").with("ab", Some("c")).finish(),
            Fingerprint::of("f").with("a", Some("")).finish(),
        ];
        for (index, one) in calls.iter().enumerate() {
            assert!(calls[index + 1..].iter().all(|other| other != one));
        }
    }
}
