//! The customer's own ids: accounts, members, departments, units, operations, keys.

/// The longest name, in characters.
pub const MAX_LENGTH: usize = 255;

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There is nothing in it.
    Empty,
    /// It is longer than [`MAX_LENGTH`] characters.
    TooLong,
    /// It begins or ends with white space: two names would look the same.
    Padded,
    /// It holds a control character.
    Control,
}

impl NameError {
    /// The rule that was broken, to complete "must …".
    pub fn rule(self) -> &'static str {
        match self {
            NameError::Empty => "not be empty",
            NameError::TooLong => "have at most 255 characters",
            NameError::Padded => "not begin or end with white space",
            NameError::Control => "not contain control characters",
        }
    }
}

/// Checks that a text can name something; any letters, case and punctuation are the customer's own affair.
pub fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        Err(NameError::Empty)
    } else if name.len() > MAX_LENGTH && name.chars().count() > MAX_LENGTH {
        Err(NameError::TooLong)
    } else if name.chars().any(char::is_control) {
        Err(NameError::Control)
    } else if name.trim().len() != name.len() {
        Err(NameError::Padded)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_customers_own_ids() {
        for name in ["acme", "9f1c6c1e-7f0e-4c0e-9f3b-6c1e7f0e4c0e", "user@example.com", "Straße 7", "a b", "日本"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check(&"é".repeat(MAX_LENGTH)), Ok(()));
    }

    #[test]
    fn refuses_what_would_confuse() {
        assert_eq!(check(""), Err(NameError::Empty));
        assert_eq!(check(" acme"), Err(NameError::Padded));
        assert_eq!(check("acme\u{a0}"), Err(NameError::Padded));
        assert_eq!(check("ac\nme"), Err(NameError::Control));
        assert_eq!(check(&"x".repeat(MAX_LENGTH + 1)), Err(NameError::TooLong));
    }
}
