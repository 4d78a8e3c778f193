//! Spending caps: whose debits a cap counts, and which caps contradict each other.

use std::fmt;

use crate::domain::amount::Amount;
use crate::domain::caps::rolling::Window;

/// The length of a cap's period, the shortest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Every {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Every {
    /// The names that SQL uses.
    pub const NAMES: &'static str = "day, week, month, quarter, year";

    /// The period of a name.
    pub fn of_name(name: &str) -> Option<Every> {
        [Every::Day, Every::Week, Every::Month, Every::Quarter, Every::Year].into_iter().find(|every| every.name() == name)
    }

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Every::Day => "day",
            Every::Week => "week",
            Every::Month => "month",
            Every::Quarter => "quarter",
            Every::Year => "year",
        }
    }

    /// How many days it has at most.
    fn most_days(self) -> i64 {
        match self {
            Every::Day => 1,
            Every::Week => 7,
            Every::Month => 31,
            Every::Quarter => 92,
            Every::Year => 366,
        }
    }
}

/// The time that a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Each period of the calendar.
    Every(Every),
    /// Any stretch of time of one length.
    Any(Window),
}

impl Over {
    /// The period of the calendar, if it is one.
    pub fn every(self) -> Option<Every> {
        if let Over::Every(every) = self { Some(every) } else { None }
    }

    /// The rolling window, if it is one.
    pub fn window(self) -> Option<Window> {
        if let Over::Any(window) = self { Some(window) } else { None }
    }

    /// Whether it is longer than another, so that less of a limit makes the other's pointless. A window fits into no period of
    /// the calendar: it may lie over the end of one.
    fn outlasts(self, other: Over) -> bool {
        match (self, other) {
            (Over::Every(longer), Over::Every(shorter)) => longer > shorter,
            (Over::Any(longer), Over::Any(shorter)) => longer > shorter,
            (Over::Any(window), Over::Every(every)) => window.seconds() >= every.most_days() * 86_400,
            (Over::Every(_), Over::Any(_)) => false,
        }
    }
}

/// As it is said of a limit: `a month`, `in any 30 days`, `in any hour`.
impl fmt::Display for Over {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Over::Every(every) => write!(formatter, "a {}", every.name()),
            Over::Any(window) => write!(formatter, "in any {}", window.to_string().trim_start_matches("1 ")),
        }
    }
}

/// A cap's limit, within one scope and unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub amount: Amount,
    pub over: Over,
    /// Only what pooled lots pay counts.
    pub pool: bool,
    /// Debits beyond it are refused, not only warned of.
    pub blocks: bool,
}

/// Why two caps of one scope cannot both be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// A longer period is limited to less than a shorter one: the shorter one's limit can never be reached.
    LongerIsSmaller,
    /// A warning at or above the limit that blocks in the same period: nobody would ever see it.
    WarnsTooLate,
    /// The pool's limit is above that of everything in the same period.
    PoolAboveEverything,
}

impl Limit {
    /// Whether this cap and another of the same scope and unit contradict each other.
    pub fn contradicts(&self, other: &Limit) -> Option<Contradiction> {
        self.contradicts_in_order(other).or_else(|| other.contradicts_in_order(self))
    }

    fn contradicts_in_order(&self, other: &Limit) -> Option<Contradiction> {
        let same_cover = self.pool == other.pool;
        let same_period = self.over == other.over;
        if same_cover && self.blocks && other.blocks && self.over.outlasts(other.over) && self.amount < other.amount {
            return Some(Contradiction::LongerIsSmaller);
        }
        if same_cover && same_period && !self.blocks && other.blocks && self.amount >= other.amount {
            return Some(Contradiction::WarnsTooLate);
        }
        if same_period && self.pool && !other.pool && self.blocks && other.blocks && self.amount > other.amount {
            return Some(Contradiction::PoolAboveEverything);
        }
        None
    }
}

/// Lays a limit out over slots when `used` of it was used: the headroom in parts that serve debits of `amount`, the first of them
/// at slot `first`, where all that was used is counted too. Used may be above the limit: then there is no headroom. Returns
/// the amount that each slot may use.
pub fn spread(limit: Amount, used: Amount, amount: Amount, slots: i16, first: i16, decimals: u32) -> Option<Vec<Amount>> {
    let headroom = limit.checked_sub(used)?;
    let parts = crate::domain::ledger::layout::spread(headroom.max(Amount::ZERO), amount, slots, decimals);
    let mut allowances = vec![Amount::ZERO; parts.len()];
    for (position, part) in parts.iter().enumerate() {
        allowances[(first as usize + position) % parts.len()] = *part;
    }
    let own = first as usize;
    allowances[own] = if headroom >= Amount::ZERO { allowances[own].checked_add(used)? } else { limit };
    Some(allowances)
}

/// Lays all of a limit into one slot.
pub fn gather(limit: Amount, slots: i16, own: i16) -> Vec<Amount> {
    (0..slots).map(|slot| if slot == own { limit } else { Amount::ZERO }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn limit(text: &str, every: Every, pool: bool, blocks: bool) -> Limit {
        Limit { amount: amount(text), over: Over::Every(every), pool, blocks }
    }

    fn rolling(text: &str, days: i64, blocks: bool) -> Limit {
        let window = Window::of_microseconds(days * 86_400_000_000).unwrap();
        Limit { amount: amount(text), over: Over::Any(window), pool: false, blocks }
    }

    #[test]
    fn names_are_those_of_sql() {
        for name in Every::NAMES.split(", ") {
            assert_eq!(Every::of_name(name).unwrap().name(), name);
        }
        assert_eq!(Every::of_name("fortnight"), None);
    }

    #[test]
    fn contradictions() {
        let month = limit("500", Every::Month, false, true);
        let cases = [
            (limit("501", Every::Day, false, true), Some(Contradiction::LongerIsSmaller)),
            (limit("500", Every::Day, false, true), None),
            (limit("499", Every::Year, false, true), Some(Contradiction::LongerIsSmaller)),
            (limit("500", Every::Month, false, false), Some(Contradiction::WarnsTooLate)),
            (limit("499", Every::Month, false, false), None),
            (limit("500", Every::Year, false, false), None),
            (limit("501", Every::Month, true, true), Some(Contradiction::PoolAboveEverything)),
            (limit("500", Every::Month, true, true), None),
        ];
        for (other, expected) in cases {
            assert_eq!(month.contradicts(&other), expected, "{other:?}");
            assert_eq!(other.contradicts(&month), expected, "{other:?}");
        }
    }

    #[test]
    fn contradictions_of_rolling_windows() {
        let month = limit("500", Every::Month, false, true);
        let window = rolling("500", 30, true);
        let cases = [
            // A month of 31 days does not lie within 30, nor any 30 days within a month.
            (month, rolling("499", 30, true), None),
            (month, rolling("501", 30, true), None),
            (month, rolling("499", 31, true), Some(Contradiction::LongerIsSmaller)),
            (month, rolling("500", 31, true), None),
            (limit("501", Every::Day, false, true), rolling("500", 1, true), Some(Contradiction::LongerIsSmaller)),
            (limit("499", Every::Year, false, true), window, None),
            (window, rolling("501", 7, true), Some(Contradiction::LongerIsSmaller)),
            (window, rolling("499", 90, true), Some(Contradiction::LongerIsSmaller)),
            (window, rolling("500", 30, false), Some(Contradiction::WarnsTooLate)),
            (window, rolling("499", 30, false), None),
            (window, Limit { pool: true, ..rolling("501", 30, true) }, Some(Contradiction::PoolAboveEverything)),
        ];
        for (one, other, expected) in cases {
            assert_eq!(one.contradicts(&other), expected, "{one:?} {other:?}");
            assert_eq!(other.contradicts(&one), expected, "{other:?} {one:?}");
        }
        assert_eq!((month.over.to_string().as_str(), window.over.to_string().as_str()), ("a month", "in any 30 days"));
        assert_eq!(rolling("1", 1, true).over.to_string(), "in any day");
    }

    proptest! {
        #[test]
        fn a_limit_adds_up_over_its_slots(
            limit in 1_i128..10_000, used in -50_i128..20_000, debit in 1_i128..500, (slots,
                first) in (1_i16..32).prop_flat_map(|slots| (Just(slots), 0..slots)),
        ) {
            let of = |nanos: i128| Amount::from_nanos(nanos).unwrap();
            let spread = spread(of(limit), of(used), of(debit), slots, first, 9).unwrap();
            prop_assert_eq!(spread.iter().copied().sum::<Amount>(), of(limit));
            // A debit that gathered the headroom finds enough of it in the first slot, where all that was used is counted.
            let own = spread[first as usize].nanos() - used;
            prop_assert!(own >= debit.min(limit - used));
        }
    }
}
