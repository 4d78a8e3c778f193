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

/// A cap's slots as they are to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The part of the limit that each slot may use.
    pub allowances: Vec<Amount>,
    /// The part that open holds have of each slot.
    pub held: Vec<Amount>,
}

/// Lays a limit out over slots when `used` of it was used and open holds have `held` of each slot: the headroom in parts that
/// serve debits of `amount`, the first of them at slot `first`, where all that was used is counted too. A slot may use its part
/// and keeps what is held of it. Used and held may be above the limit: then there is no headroom, and one slot has all of it.
pub fn spread(limit: Amount, used: Amount, held: &[Amount], amount: Amount, first: i16, decimals: u32) -> Option<Layout> {
    let headroom = limit.checked_sub(used)?.checked_sub(held.iter().copied().sum())?;
    if headroom < Amount::ZERO {
        return Some(gather(limit, held, first));
    }
    let slots = held.len();
    let parts = crate::domain::ledger::layout::spread(headroom, amount, slots as i16, decimals);
    let mut allowances = held.to_vec();
    for (position, part) in parts.iter().enumerate() {
        let slot = (first as usize + position) % slots;
        allowances[slot] = allowances[slot].checked_add(*part)?;
    }
    let own = first as usize;
    allowances[own] = allowances[own].checked_add(used)?;
    Some(Layout { allowances, held: held.to_vec() })
}

/// Lays all of a limit, and all that is held of it, into one slot.
pub fn gather(limit: Amount, held: &[Amount], own: i16) -> Layout {
    let only = |amount: Amount| (0..held.len()).map(|slot| if slot == own as usize { amount } else { Amount::ZERO }).collect();
    Layout { allowances: only(limit), held: only(held.iter().copied().sum()) }
}

/// Takes an amount out of what is held of the slots, from `first` on. What they lack stays below zero in `first`.
pub fn take_held(held: &mut [Amount], amount: Amount, first: i16) {
    let mut rest = amount;
    for position in 0..held.len() {
        let slot = (first as usize + position) % held.len();
        let part = held[slot].min(rest).max(Amount::ZERO);
        held[slot] = difference(held[slot], part);
        rest = difference(rest, part);
    }
    held[first as usize] = difference(held[first as usize], rest);
}

fn difference(one: Amount, other: Amount) -> Amount {
    one.checked_sub(other).expect("what is held of a cap")
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

    fn of(nanos: i128) -> Amount {
        Amount::from_nanos(nanos).unwrap()
    }

    fn sum(amounts: &[Amount]) -> i128 {
        amounts.iter().map(|amount| amount.nanos()).sum()
    }

    #[test]
    fn a_slot_keeps_what_is_held_of_it() {
        let held = [of(5), of(0), of(7)];
        let within = spread(of(100), of(8), &held, of(1), 1, 9).unwrap();
        // 80 are left for debits of 1: in three slots, of which one has what was used.
        assert_eq!((within.allowances, &within.held[..]), (vec![of(31), of(35), of(34)], &held[..]));
        let beyond = spread(of(15), of(8), &held, of(1), 1, 9).unwrap();
        assert_eq!((beyond.allowances, beyond.held), (vec![of(0), of(15), of(0)], vec![of(0), of(12), of(0)]));
    }

    #[test]
    fn holds_are_taken_from_the_slots_in_turn() {
        let take = |amount, first| {
            let mut held = [of(5), of(0), of(7)];
            take_held(&mut held, of(amount), first);
            held.map(|amount| amount.nanos())
        };
        assert_eq!([take(6, 2), take(8, 2), take(12, 1), take(13, 1)], [[5, 0, 1], [4, 0, 0], [0, 0, 0], [0, -1, 0]]);
    }

    /// One thing that happens to the slots of a cap.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Debit(i128),
        Hold(i128),
        /// One of the open holds, by a number, and how much of it is captured.
        Settle(usize, i128),
        Limit(i128),
        NextPeriod,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1_i128..30).prop_map(Step::Debit),
            4 => (1_i128..30).prop_map(Step::Hold),
            4 => (0_usize..99, 0_i128..30).prop_map(|(hold, captured)| Step::Settle(hold, captured)),
            1 => (1_i128..200).prop_map(Step::Limit),
            1 => Just(Step::NextPeriod),
        ];
        proptest::collection::vec(step, 1..80)
    }

    proptest! {
        #[test]
        fn a_limit_adds_up_over_its_slots(
            limit in 1_i128..10_000, used in -50_i128..20_000, debit in 1_i128..500,
            (held, first) in proptest::collection::vec(0_i128..400, 1..32).prop_flat_map(|held| {
                let slots = held.len() as i16;
                (Just(held), 0..slots)
            }),
        ) {
            let held: Vec<Amount> = held.into_iter().map(of).collect();
            let spread = spread(of(limit), of(used), &held, of(debit), first, 9).unwrap();
            prop_assert_eq!(sum(&spread.allowances), limit);
            prop_assert_eq!(sum(&spread.held), sum(&held));
            // A debit that gathered the headroom finds enough of it in the first slot, where all that was used is counted.
            let headroom = |slot: usize| spread.allowances[slot].nanos() - spread.held[slot].nanos();
            let left = limit - used - sum(&held);
            prop_assert!(headroom(first as usize) - used >= debit.min(left));
            // What is left is never found twice, also in a later period, when nothing is used.
            let found = |used: i128| {
                let of_slot = |slot: usize| headroom(slot) - if slot == first as usize { used } else { 0 };
                (0..held.len()).map(|slot| of_slot(slot).max(0)).sum::<i128>()
            };
            prop_assert_eq!(found(used), left.max(0));
            prop_assert!(used < 0 || found(0) == (left + used).max(0));
        }

        /// Slots of which each is changed alone, as debits and holds do: what they leave is what the limit leaves, and what is
        /// held is what open holds have.
        #[test]
        fn holds_and_debits_of_several_slots(steps in steps(), picks in proptest::collection::vec(0_usize..4, 80)) {
            let mut limit = 100;
            let mut slots = Layout { allowances: vec![of(25); 4], held: vec![of(0); 4] };
            let mut used = [0_i128; 4];
            let mut open: Vec<i128> = Vec::new();
            for (step, first) in steps.into_iter().zip(picks) {
                let headroom = |slots: &Layout, used: &[i128; 4], slot: usize| {
                    slots.allowances[slot].nanos() - slots.held[slot].nanos() - used[slot]
                };
                let in_turn = || (0..4).map(|slot| (slot + first) % 4);
                let covering = |amount| in_turn().find(|slot| headroom(&slots, &used, *slot) >= amount);
                match step {
                    Step::Debit(amount) => covering(amount).into_iter().for_each(|slot| used[slot] += amount),
                    Step::Hold(amount) => {
                        if let Some(slot) = covering(amount) {
                            slots.held[slot] = of(slots.held[slot].nanos() + amount);
                            open.push(amount);
                        }
                    }
                    Step::Settle(number, captured) if !open.is_empty() => {
                        let amount = open.remove(number % open.len());
                        match (0..4).find(|slot| slots.held[*slot].nanos() >= amount) {
                            Some(slot) => {
                                slots.held[slot] = of(slots.held[slot].nanos() - amount);
                                used[slot] += captured.min(amount);
                            }
                            None => {
                                take_held(&mut slots.held, of(amount), first as i16);
                                let all = used.iter().sum::<i128>() + captured.min(amount);
                                slots = spread(of(limit), of(all), &slots.held, of(1), first as i16, 9).unwrap();
                                used = [0; 4];
                                used[first] = all;
                            }
                        }
                    }
                    Step::Settle(..) => {}
                    Step::Limit(to) => {
                        limit = to;
                        let all = used.iter().sum::<i128>();
                        slots = spread(of(limit), of(all), &slots.held, of(1), first as i16, 9).unwrap();
                        used = [0; 4];
                        used[first] = all;
                    }
                    Step::NextPeriod => used = [0; 4],
                }
                prop_assert_eq!(sum(&slots.held), open.iter().sum::<i128>());
                let left = limit - used.iter().sum::<i128>() - sum(&slots.held);
                prop_assert_eq!((0..4).map(|slot| headroom(&slots, &used, slot).max(0)).sum::<i128>(), left.max(0));
            }
        }
    }
}
