//! The part of a lot's price that goes along with credits that leave it.
//!
//! A lot's price lies along the credits that it was granted with, from the first to the last. Credits that adjustments added
//! beyond that carry no price, and leave last. A move, a transfer or a rollover takes its share of the price, cut to nine
//! decimals. A conversion, which gives the new lot a cost basis of its own, takes the price of its stretch, so that the whole
//! price goes along in whatever pieces the lot is converted. Where something came back to the lot, a stretch may leave it twice:
//! then no more goes along than was not handed on before.

use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::exact::{Fraction, Precision, Rounding};

/// A lot that is about to hand on credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotPrice {
    /// The credits that it was granted with.
    pub granted: Amount,
    /// The price that was paid for them; `None` where none is known.
    pub paid: Option<Amount>,
    /// The credits that adjustments added without correcting a debit, less those that they took.
    pub gained: Amount,
    /// How much of the price it handed on before. It only counts where something came back to the lot, and may be left at zero
    /// else.
    pub handed_on: Amount,
}

impl LotPrice {
    /// How many of the credits that the lot holds are those it was granted with.
    pub fn original(&self, held: Amount) -> Amount {
        let gained = self.gained.max(Amount::ZERO);
        held.checked_sub(gained).unwrap_or_default().max(Amount::ZERO).min(self.granted)
    }

    /// The share of the price that goes along with `amount` that leaves the lot while it holds `held`: never more than what is
    /// left of it.
    pub fn share(&self, held: Amount, amount: Amount) -> Option<Amount> {
        let paid = self.paid?;
        Some(self.up_to(amount.min(self.original(held)), paid).min(less(paid, self.handed_on)).max(Amount::ZERO))
    }

    /// Whether credits without a price are among `amount` that leaves the lot while it holds `held`: what they go to costs less a
    /// credit.
    pub fn is_diluted(&self, held: Amount, amount: Amount) -> bool {
        self.gained.is_positive() && amount > self.original(held)
    }

    /// The price of the stretch that `amount` is, which leaves the lot while it holds `held`.
    pub fn stretch(&self, held: Amount, amount: Amount) -> Option<Amount> {
        let paid = self.paid?;
        let original = self.original(held);
        let begins = less(self.granted, original);
        let ends = begins.checked_add(amount.min(original)).expect("at most what was granted");
        let stretch = less(self.up_to(ends, paid), self.up_to(begins, paid));
        Some(stretch.min(less(paid, self.handed_on)).max(Amount::ZERO))
    }

    fn up_to(&self, place: Amount, paid: Amount) -> Amount {
        let share = Fraction::from(paid).times(&Fraction::from(place)).over(&Fraction::from(self.granted));
        let down = Precision { decimals: MAX_DECIMALS, rounding: Rounding::Down };
        share.expect("a lot of something").round(down).expect("at most what was paid")
    }
}

fn less(from: Amount, amount: Amount) -> Amount {
    from.checked_sub(amount).expect("a difference of amounts of one lot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn lot(granted: &str, paid: &str, gained: &str) -> LotPrice {
        LotPrice { granted: amount(granted), paid: Some(amount(paid)), gained: amount(gained), handed_on: Amount::ZERO }
    }

    fn price(lot: LotPrice, held: &str, part: &str) -> String {
        lot.stretch(amount(held), amount(part)).unwrap().to_string()
    }

    #[test]
    fn a_share_is_cut() {
        let share = |lot: LotPrice, held, part| lot.share(amount(held), amount(part)).unwrap().to_string();
        assert_eq!(share(lot("7", "2", "0"), "7", "7"), "2");
        assert_eq!(share(lot("7", "2", "0"), "7", "6"), "1.714285714");
        assert_eq!(share(lot("7", "2", "0"), "1", "1"), "0.285714285");
        assert_eq!(share(lot("10", "5", "8"), "13", "13"), "2.5");
        assert_eq!(share(lot("10", "5", "8"), "18", "18"), "5");
        assert_eq!(share(lot("10", "5", "8"), "8", "8"), "0");
        let is_diluted = |lot: LotPrice, held, part| lot.is_diluted(amount(held), amount(part));
        assert!(is_diluted(lot("10", "5", "8"), "13", "6"));
        assert!(!is_diluted(lot("10", "5", "8"), "13", "5"));
        assert!(!is_diluted(lot("10", "5", "0"), "10", "10"));
    }

    #[test]
    fn what_is_left_of_the_price_goes_along() {
        assert_eq!(price(lot("10", "5", "0"), "10", "10"), "5");
        assert_eq!(price(lot("10", "5", "0"), "5", "5"), "2.5");
        assert_eq!(price(lot("7", "2", "0"), "7", "6"), "1.714285714");
        assert_eq!(price(lot("7", "2", "0"), "1", "1"), "0.285714286");
        assert_eq!(LotPrice { paid: None, ..lot("7", "2", "0") }.stretch(amount("7"), amount("7")), None);
    }

    #[test]
    fn what_a_lot_gained_carries_no_price_and_leaves_last() {
        let gained = lot("10", "5", "8");
        assert_eq!(price(gained, "13", "13"), "2.5");
        assert_eq!(price(gained, "13", "3"), "1.5");
        assert_eq!(price(gained, "10", "10"), "1");
        assert_eq!(price(gained, "8", "8"), "0");
        assert_eq!(price(gained, "3", "3"), "0");
    }

    #[test]
    fn the_last_credits_have_the_price_of_the_end() {
        let last = |amount| price(lot("3", "10", "0"), amount, amount);
        assert_eq!([last("0"), last("1"), last("2"), last("3")], ["0", "3.333333334", "6.666666667", "10"]);
    }

    #[test]
    fn what_an_adjustment_took_takes_its_price_along() {
        assert_eq!(price(lot("10", "5", "-4"), "6", "6"), "3");
        assert_eq!(price(lot("10", "5", "-4"), "3", "3"), "1.5");
    }

    /// An event in the life of a lot.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        /// A debit, or a correction of debits, of at most this amount.
        Debit(i128),
        Correct(i128),
        /// An adjustment that corrects nothing.
        Adjust(i128),
        /// A move, a transfer, a conversion or a rollover.
        HandOn(i128, bool),
    }

    fn event() -> impl Strategy<Value = Event> {
        let size = 1_i128..30_000_000_000;
        prop_oneof![
            size.clone().prop_map(Event::Debit),
            size.clone().prop_map(Event::Correct),
            (-30_000_000_000_i128..30_000_000_000).prop_map(Event::Adjust),
            (size, any::<bool>()).prop_map(|(most, cut)| Event::HandOn(most, cut)),
        ]
    }

    proptest! {
        /// The parts that a lot hands on and what its originals left are worth never come to more than its price, whatever
        /// happens to it.
        #[test]
        fn the_parts_of_a_lot_never_cost_more_than_the_lot(
            granted in 1_i128..50_000_000_000, paid in 0_i128..10_i128.pow(20), events in prop::collection::vec(event(), 1..40),
        ) {
            let nanos = |nanos| Amount::from_nanos(nanos).unwrap();
            let (mut held, mut gained, mut debited, mut handed_on) = (granted, 0_i128, 0_i128, 0_i128);
            let mut adjusted = false;
            for event in events {
                let price = LotPrice {
                    granted: nanos(granted), paid: Some(nanos(paid)), gained: nanos(gained), handed_on: nanos(handed_on),
                };
                match event {
                    Event::Debit(most) => {
                        let amount = most.min(held);
                        (held, debited) = (held - amount, debited + amount);
                    }
                    Event::Correct(most) => {
                        let amount = most.min(debited);
                        (held, debited) = (held + amount, debited - amount);
                    }
                    Event::Adjust(amount) => {
                        let amount = amount.max(-held);
                        (held, gained, adjusted) = (held + amount, gained + amount, true);
                    }
                    Event::HandOn(most, cut) => {
                        let amount = most.min(held);
                        let take = if cut { LotPrice::share } else { LotPrice::stretch };
                        handed_on += take(&price, nanos(held), nanos(amount)).unwrap().nanos();
                        held -= amount;
                    }
                }
                let price = LotPrice { gained: nanos(gained), handed_on: nanos(handed_on), ..price };
                let left = price.stretch(nanos(held), nanos(held)).unwrap().nanos();
                prop_assert!(handed_on + left <= paid, "{handed_on} handed on and {left} left of {paid}");
                if gained == 0 && !adjusted {
                    // The price is the sum of what was used at the cost basis, what was handed on and what is left, but for what
                    // is cut.
                    let short = paid * granted - (debited * paid + (handed_on + left) * granted);
                    prop_assert!(short.abs() <= 40 * granted, "{debited} used, {handed_on} handed on and {left} left of {paid}");
                }
            }
        }

        /// A lot that only hands on, hands on its whole price: nothing is lost either.
        #[test]
        fn in_whatever_pieces_the_whole_price_goes_along(
            pieces in prop::collection::vec(1_i128..10_i128.pow(18), 1..12), paid in 0_i128..10_i128.pow(20),
                gained in 0_i128..10_i128.pow(18),
        ) {
            let granted: i128 = pieces.iter().sum();
            let nanos = |nanos| Amount::from_nanos(nanos).unwrap();
            let price = LotPrice { granted: nanos(granted), paid: Some(nanos(paid)), gained: nanos(gained),
                handed_on: Amount::ZERO };
            let mut held = granted + gained;
            let mut carried = 0;
            for piece in pieces {
                carried += price.stretch(nanos(held), nanos(piece)).unwrap().nanos();
                held -= piece;
            }
            prop_assert_eq!(carried, paid);
            prop_assert_eq!(price.stretch(nanos(held), nanos(held)), Some(Amount::ZERO));
        }
    }
}
