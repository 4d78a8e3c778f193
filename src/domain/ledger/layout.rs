//! How a lot's remaining amount lies in slots, so that many debits of one lot need not queue for one row.

use crate::domain::amount::{Amount, MAX_DECIMALS};

/// The most slots a lot can be split into.
pub const MAX_SLOTS: i16 = 1024;

/// A slot is worth filling when it can serve this many debits of the size at hand.
const DEBITS_PER_SLOT: i128 = 8;

/// Lays `remaining` out over `slots` slots after a debit of `amount` had to collect them.
///
/// Each filled slot serves several debits of that size, so a lot that runs dry ends in one slot instead of many crumbs.
/// The parts add up exactly; the first are the larger ones.
pub fn spread(remaining: Amount, amount: Amount, slots: i16, decimals: u32) -> Vec<Amount> {
    assert!(slots > 0 && amount.is_positive() && remaining >= Amount::ZERO);
    let worthwhile = remaining.nanos() / (amount.nanos() * DEBITS_PER_SLOT);
    let filled = worthwhile.clamp(1, i128::from(slots)) as usize;
    let mut parts = divide(remaining, filled, decimals);
    parts.resize(slots as usize, Amount::ZERO);
    assert_eq!(parts.iter().copied().sum::<Amount>(), remaining, "slots do not add up");
    parts
}

/// Divides an amount of a unit with `decimals` decimals into `parts` that differ by at most its smallest step and add up exactly.
/// Finer parts would leave crumbs that no debit can take.
pub fn divide(amount: Amount, parts: usize, decimals: u32) -> Vec<Amount> {
    assert!(parts > 0 && amount >= Amount::ZERO && decimals <= MAX_DECIMALS);
    let step = 10_i128.pow(MAX_DECIMALS - decimals);
    let (steps, crumb) = (amount.nanos() / step, amount.nanos() % step);
    let (share, left_over) = (steps / parts as i128, steps % parts as i128);
    (0..parts as i128)
        .map(|part| (share + i128::from(part < left_over)) * step + if part == 0 { crumb } else { 0 })
        .map(|nanos| Amount::from_nanos(nanos).expect("a share of an amount in range"))
        .collect()
}

/// Splits what one slot holds into itself and up to `added` new slots, as far as each part still serves several debits.
/// The first part is the slot's own.
pub fn split(remaining: Amount, amount: Amount, added: i16, decimals: u32) -> Vec<Amount> {
    assert!(amount.is_positive() && added >= 0);
    let worthwhile = remaining.nanos() / (amount.nanos() * DEBITS_PER_SLOT);
    divide(remaining, worthwhile.clamp(1, i128::from(added) + 1) as usize, decimals)
}

/// How many slots to add to a lot that a debit had to wait for: double them, up to `limit`.
pub fn growth(slots: i16, limit: i16) -> i16 {
    slots.min(limit - slots).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn texts(parts: &[Amount]) -> Vec<String> {
        parts.iter().map(Amount::to_string).collect()
    }

    #[test]
    fn the_parts_of_a_third_add_up() {
        assert_eq!(texts(&divide(amount("1"), 3, 9)), ["0.333333334", "0.333333333", "0.333333333"]);
        assert_eq!(texts(&divide(amount("10"), 3, 0)), ["4", "3", "3"]);
        // An amount finer than its unit, which somebody wrote past the functions, is still conserved.
        assert_eq!(texts(&divide(amount("10.5"), 3, 0)), ["4.5", "3", "3"]);
    }

    #[test]
    fn crumbs_end_in_one_slot() {
        assert_eq!(texts(&spread(amount("20"), amount("7"), 4, 0)), ["20", "0", "0", "0"]);
        assert_eq!(texts(&spread(amount("160"), amount("10"), 4, 0)), ["80", "80", "0", "0"]);
    }

    #[test]
    fn splits_no_smaller_than_worthwhile() {
        assert_eq!(texts(&split(amount("1000"), amount("1"), 3, 2)), ["250", "250", "250", "250"]);
        assert_eq!(texts(&split(amount("16"), amount("1"), 3, 2)), ["8", "8"]);
        assert_eq!(texts(&split(amount("15"), amount("1"), 3, 2)), ["15"]);
    }

    #[test]
    fn grows_by_doubling_up_to_the_limit() {
        let mut slots = 1;
        let mut seen = vec![];
        while growth(slots, 24) > 0 {
            slots += growth(slots, 24);
            seen.push(slots);
        }
        assert_eq!(seen, [2, 4, 8, 16, 24]);
        // The limit was lowered below what is there: nothing is taken away.
        assert_eq!(growth(32, 8), 0);
    }

    proptest! {
        #[test]
        fn spreading_conserves(remaining in 0_i128..10_i128.pow(20), debit in 1_i128..10_i128.pow(12), slots in 1_i16..64,
            decimals in 0_u32..10) {
            let remaining = Amount::from_nanos(remaining).unwrap();
            let parts = spread(remaining, Amount::from_nanos(debit).unwrap(), slots, decimals);
            prop_assert_eq!(parts.len(), slots as usize);
            prop_assert_eq!(parts.iter().copied().sum::<Amount>(), remaining);
            prop_assert!(parts.iter().all(|part| *part >= Amount::ZERO));
        }
    }
}
