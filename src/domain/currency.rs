//! Currencies of ISO 4217, their decimals, and the one check of every price and every currency that a caller names.

use iso_currency::Currency;

use crate::domain::amount::Amount;

/// Why a code, or an amount of money, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrencyError {
    /// Not three capital letters.
    Malformed,
    /// No currency, or one that is never paid with (XAU, XXX).
    Unknown,
    /// The money has more decimals than the currency; how many that has.
    TooManyDecimals(u32),
}

/// How many decimals the money of a currency has: none for JPY, two for USD, three for KWD. `None` for a code that is no
/// currency, or one that is never paid with (XAU, XXX).
pub fn decimals(code: &str) -> Option<u32> {
    Currency::from_code(code).and_then(|currency| currency.exponent()).map(u32::from)
}

/// Checks a currency that a caller names; its decimals.
pub fn check(code: &str) -> Result<u32, CurrencyError> {
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(CurrencyError::Malformed);
    }
    decimals(code).ok_or(CurrencyError::Unknown)
}

/// Checks money that a caller names: it can be paid in that currency. Money that is computed from it, such as the part of a price
/// that goes along with a part of a lot, may be finer.
pub fn check_money(money: Amount, code: &str) -> Result<(), CurrencyError> {
    let decimals = check(code)?;
    money.within(decimals).map(drop).map_err(|_| CurrencyError::TooManyDecimals(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_have_their_own_decimals() {
        let known = [("JPY", 0), ("USD", 2), ("EUR", 2), ("KWD", 3)];
        known.iter().for_each(|(code, expected)| assert_eq!(check(code), Ok(*expected), "{code}"));
        ["ABC", "XXX", "XAU"].iter().for_each(|code| assert_eq!(check(code), Err(CurrencyError::Unknown), "{code}"));
        ["usd", "", "US", "USDT", "U$D", "ÄB"].iter().for_each(|code| {
            assert_eq!(check(code), Err(CurrencyError::Malformed), "{code}");
            assert_eq!(decimals(code), None, "{code}");
        });
    }

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        let check = |money: &str, code| check_money(Amount::parse(money).unwrap(), code);
        assert_eq!(check("10.01", "USD"), Ok(()));
        assert_eq!(check("10.0100", "USD"), Ok(()));
        assert_eq!(check("10.005", "USD"), Err(CurrencyError::TooManyDecimals(2)));
        assert_eq!(check("100.5", "JPY"), Err(CurrencyError::TooManyDecimals(0)));
        assert_eq!(check("1.005", "KWD"), Ok(()));
        assert_eq!(check("1", "ABC"), Err(CurrencyError::Unknown));
    }

    /// Units and lots that exist name them, and a dump must be restored: a currency that was known stays known, also when it is
    /// retired.
    #[test]
    fn a_currency_that_was_known_stays_known() {
        let known = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF \
            CLP CNY \
            COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS \
                INR IQD \
            IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR \
                MVR MWK \
            MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP \
                SOS SRD \
            SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR \
                ZMW";
        known.split_whitespace().for_each(|code| assert!(check(code).is_ok(), "{code}"));
    }
}
