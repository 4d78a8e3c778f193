//! The credits that a hold took of its lots, and what became of them.

use chrono::TimeDelta;

use crate::domain::amount::Amount;

/// The longest time that a hold may be open at once.
pub const LONGEST: TimeDelta = TimeDelta::days(31);

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Captured,
    Released,
    Expired,
}

impl State {
    /// The state of a name.
    pub fn of_name(name: &str) -> Option<State> {
        [State::Open, State::Captured, State::Released, State::Expired].into_iter().find(|state| state.name() == name)
    }

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Captured => "captured",
            State::Released => "released",
            State::Expired => "expired",
        }
    }
}

/// The part of a hold that one lot pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub lot: i64,
    /// The lot is the pool's.
    pub pooled: bool,
    /// The amount that was taken of the lot.
    pub held: Amount,
    /// How much of it was captured.
    pub captured: Amount,
    /// How much of it is still held.
    pub open: Amount,
}

/// An amount of one lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub lot: i64,
    /// The lot is the pool's.
    pub pooled: bool,
    pub amount: Amount,
}

/// The parts of a hold, in drawdown order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(pub Vec<Part>);

impl Parts {
    /// The parts of a new hold.
    pub fn held(shares: &[Share]) -> Parts {
        let part = |share: &Share| Part {
            lot: share.lot,
            pooled: share.pooled,
            held: share.amount,
            captured: Amount::ZERO,
            open: share.amount,
        };
        Parts(shares.iter().map(part).collect())
    }

    /// The amount that is still held.
    pub fn open(&self) -> Amount {
        self.0.iter().map(|part| part.open).sum()
    }

    /// Captures an amount that is at most what is open; what each lot pays of it, the first in drawdown order first.
    pub fn capture(&mut self, amount: Amount) -> Vec<Share> {
        assert!(amount >= Amount::ZERO && amount <= self.open(), "a capture of what is held");
        let mut rest = amount;
        let mut shares = Vec::new();
        for part in &mut self.0 {
            let paid = part.open.min(rest);
            if paid.is_positive() {
                part.open = less(part.open, paid);
                part.captured = more(part.captured, paid);
                rest = less(rest, paid);
                shares.push(Share { lot: part.lot, pooled: part.pooled, amount: paid });
            }
        }
        shares
    }

    /// Gives back all that is open; how much goes back to each lot.
    pub fn give_back(&mut self) -> Vec<Share> {
        let open = |part: &&mut Part| part.open.is_positive();
        let give = |part: &mut Part| Share { lot: part.lot, pooled: part.pooled, amount: std::mem::take(&mut part.open) };
        self.0.iter_mut().filter(open).map(give).collect()
    }

    /// The amount that is not captured: it is open, or was given back because its time was over.
    pub fn left(&self) -> Amount {
        self.0.iter().map(|part| less(part.held, part.captured)).sum()
    }

    /// The amount that was given back so far.
    pub fn given_back(&self) -> Amount {
        self.0.iter().map(|part| less(less(part.held, part.captured), part.open)).sum()
    }
}

/// The sum of shares.
pub fn sum(shares: &[Share]) -> Amount {
    shares.iter().map(|share| share.amount).sum()
}

/// The sum of the shares that pooled lots have.
pub fn sum_of_pooled(shares: &[Share]) -> Amount {
    shares.iter().filter(|share| share.pooled).map(|share| share.amount).sum()
}

fn less(from: Amount, amount: Amount) -> Amount {
    from.checked_sub(amount).expect("a difference of parts of a hold")
}

fn more(to: Amount, amount: Amount) -> Amount {
    to.checked_add(amount).expect("a sum of parts of a hold")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn share(lot: i64, text: &str) -> Share {
        Share { lot, pooled: lot % 2 == 0, amount: amount(text) }
    }

    #[test]
    fn a_capture_is_paid_in_drawdown_order_and_the_rest_goes_back() {
        let mut parts = Parts::held(&[share(7, "10"), share(8, "5"), share(9, "1")]);
        assert_eq!(parts.capture(amount("12")), vec![share(7, "10"), share(8, "2")]);
        assert_eq!(parts.open(), amount("4"));
        assert_eq!(parts.give_back(), vec![share(8, "3"), share(9, "1")]);
        assert_eq!((parts.open(), parts.given_back()), (Amount::ZERO, amount("4")));
        assert!(parts.give_back().is_empty());
    }

    #[test]
    fn states_have_their_names() {
        for state in [State::Open, State::Captured, State::Released, State::Expired] {
            assert_eq!(State::of_name(state.name()), Some(state));
        }
        assert_eq!(State::of_name("closed"), None);
    }

    proptest! {
        #[test]
        fn captured_and_given_back_and_open_are_what_was_held(
            held in prop::collection::vec(1_i128..1_000_000, 1..6),
            captures in prop::collection::vec(0.0_f64..1.0, 0..5),
            gives_back: bool,
        ) {
            let nanos = |nanos: i128| Amount::from_nanos(nanos).unwrap();
            let share = |(lot, held): (usize, &i128)| Share { lot: lot as i64, pooled: lot % 2 == 0, amount: nanos(*held) };
            let shares: Vec<Share> = held.iter().enumerate().map(share).collect();
            let mut parts = Parts::held(&shares);
            let mut captured = Amount::ZERO;
            for part in captures {
                let amount = nanos((parts.open().nanos() as f64 * part) as i128);
                let paid = parts.capture(amount);
                prop_assert_eq!(sum(&paid), amount);
                captured = captured.checked_add(amount).unwrap();
            }
            let back = if gives_back { sum(&parts.give_back()) } else { Amount::ZERO };
            let whole = captured.checked_add(back).unwrap().checked_add(parts.open()).unwrap();
            prop_assert_eq!(whole, sum(&shares));
            prop_assert_eq!(parts.given_back(), back);
            prop_assert!(parts.0.iter().all(|part| part.open >= Amount::ZERO && part.captured <= part.held));
        }
    }
}
