//! Currencies of ISO 4217 and their decimals.

use iso_currency::Currency;

/// How many decimals the money of a currency has: none for JPY, two for USD, three for KWD. `None` for a code that is no currency, or
/// one that is never paid with (XAU, XXX).
pub fn decimals(code: &str) -> Option<u32> {
    Currency::from_code(code).and_then(|currency| currency.exponent()).map(u32::from)
}

#[cfg(test)]
mod tests {
    use super::decimals;

    #[test]
    fn currencies_have_their_own_decimals() {
        let known = [("JPY", 0), ("USD", 2), ("EUR", 2), ("KWD", 3)];
        known.iter().for_each(|(code, expected)| assert_eq!(decimals(code), Some(*expected), "{code}"));
        ["usd", "ABC", "", "XXX", "XAU"].iter().for_each(|code| assert_eq!(decimals(code), None, "{code}"));
    }
}
