//! The drawdown order: which lot pays first, and what each lot pays of an amount.
//!
//! The order is total, so the same lots always pay in the same order: a member's own lots before the pool, then the lower
//! priority number, lots limited to operations before general ones, the earlier expiry (lots that never expire last),
//! promotional before paid, the earlier effective date, the lower lot id. The index `credit.lot_drawdown` mirrors it.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;

/// The criteria of a lot's place in the drawdown order, most important first. Lower draws earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The lot belongs to nobody in particular: members' own lots (`false`) come first.
    pub pooled: bool,
    /// The declared priority, low first.
    pub priority: i16,
    /// The lot pays for any operation: lots limited to operations (`false`) come first.
    pub general: bool,
    /// The end of the lot's life.
    pub expiry: Expiry,
    /// The lot was paid for: promotional lots (`false`) come first.
    pub paid: bool,
    /// The begin of the lot's life.
    pub effective_at: DateTime<Utc>,
    /// The lot's id: nothing is left to chance.
    pub lot: i64,
}

/// When a lot expires; one that never does comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// From this instant on the lot is not usable.
    At(DateTime<Utc>),
    /// It stays usable until it is used up.
    Never,
}

impl Rank {
    /// Whether the lot's life is over.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        matches!(self.expiry, Expiry::At(expires_at) if expires_at <= now)
    }
}

/// A lot that may pay, and how much it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The lot's place in the order.
    pub rank: Rank,
    /// The amount that it has left.
    pub available: Amount,
}

/// The part that one lot pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The lot.
    pub lot: i64,
    /// The amount that it had before.
    pub available: Amount,
    /// The amount that it pays: above zero, at most what it had.
    pub amount: Amount,
    /// The part of the requested amount that is still uncovered after it.
    pub uncovered: Amount,
}

/// The draws that pay `amount`; the last draw's `uncovered` is zero when the sources cover it.
///
/// # Panics
/// When the sources are not in drawdown order or one is below zero: the code that read them broke an invariant.
pub fn plan(sources: &[Source], amount: Amount) -> Vec<Draw> {
    assert!(sources.windows(2).all(|pair| pair[0].rank < pair[1].rank), "lots out of drawdown order");
    let mut uncovered = amount;
    let mut draws = Vec::new();
    for source in sources {
        assert!(source.available >= Amount::ZERO, "lot {} is below zero", source.rank.lot);
        let drawn = source.available.min(uncovered);
        if drawn.is_positive() {
            uncovered = uncovered.checked_sub(drawn).expect("a difference below its minuend");
            draws.push(Draw { lot: source.rank.lot, available: source.available, amount: drawn, uncovered });
        }
    }
    let covered: Amount = draws.iter().map(|draw| draw.amount).sum();
    assert_eq!(covered.checked_add(uncovered), Some(amount), "draws do not add up");
    draws
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn instant(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn rank(lot: i64) -> Rank {
        Rank { pooled: true, priority: 50, general: true, expiry: Expiry::Never, paid: true, effective_at: instant(0), lot }
    }

    #[test]
    fn each_criterion_decides_before_the_next() {
        // Each rank is worse than the one before by its most important difference, and better in all that follows.
        let order = [
            Rank { pooled: false, priority: 99, lot: 9, ..rank(9) },
            Rank { priority: 1, lot: 8, ..rank(8) },
            Rank { general: false, lot: 7, ..rank(7) },
            Rank { expiry: Expiry::At(instant(10)), lot: 6, ..rank(6) },
            Rank { expiry: Expiry::At(instant(11)), paid: false, lot: 5, ..rank(5) },
            Rank { paid: false, effective_at: instant(5), lot: 4, ..rank(4) },
            Rank { effective_at: instant(-5), lot: 3, ..rank(3) },
            rank(1),
            rank(2),
        ];
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn goes_on_to_the_next_lot() {
        let amount = |text| Amount::parse(text).unwrap();
        let sources = [
            Source { rank: rank(1), available: amount("3") },
            Source { rank: rank(2), available: Amount::ZERO },
            Source { rank: rank(3), available: amount("10") },
        ];
        let draws = plan(&sources, amount("5.5"));
        let paid: Vec<_> = draws.iter().map(|draw| (draw.lot, draw.amount.to_string(), draw.uncovered.to_string())).collect();
        assert_eq!(paid, [(1, "3".into(), "2.5".into()), (3, "2.5".into(), "0".into())]);
    }

    proptest! {
        #[test]
        fn draws_exactly_what_is_there(available in prop::collection::vec(0_i128..1_000, 0..12), wanted in 1_i128..6_000) {
            let sources: Vec<_> = available.iter().enumerate()
                .map(|(lot, nanos)| Source { rank: rank(lot as i64), available: Amount::from_nanos(*nanos).unwrap() })
                .collect();
            let draws = plan(&sources, Amount::from_nanos(wanted).unwrap());
            let total: i128 = available.iter().sum();
            let drawn: i128 = draws.iter().map(|draw| draw.amount.nanos()).sum();
            prop_assert_eq!(drawn, wanted.min(total));
            // Every lot before the last one that pays is emptied.
            for draw in draws.iter().rev().skip(1) {
                prop_assert_eq!(draw.amount, draw.available);
            }
        }
    }
}
