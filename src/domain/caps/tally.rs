//! The count of a slot of a cap: one number for a period of the calendar, one for each step of a rolling window.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::amount::Amount;
use crate::domain::caps::period::Period;
use crate::domain::caps::rolling::Window;

/// How far a clock may have been ahead, so that the counters wait for it when it is put right: a day, or a rolling window that is
/// shorter.
pub const MOST_AHEAD: TimeDelta = TimeDelta::days(1);

impl Period {
    /// From when on what is used is kept. Of a rolling window one step more than counts: somebody's clock may read a little less.
    fn kept_from(self) -> DateTime<Utc> {
        self.step.map_or(self.starts_at, |step| self.starts_at - (self.ends_at - step))
    }

    /// Whether what was used in a step counts. Use that is later than now does, where a window sees both: clocks are set back.
    pub fn counts(self, step: DateTime<Utc>) -> bool {
        self.starts_at <= step && self.step.is_some_and(|running| step - running <= running - self.starts_at)
    }
}

/// The amount that was used, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The period that `used` belongs to; of a rolling window it is all there is since then.
    pub since: DateTime<Utc>,
    pub used: Amount,
    /// Of a rolling window: when each step began in which something was used, in order, and how much. Of the calendar: the later
    /// periods in which a clock that was ahead has used something; mostly there are none.
    pub steps: Option<Vec<(DateTime<Utc>, Amount)>>,
}

/// The state of a counter that was written by a clock which read more than this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ahead {
    /// The clock was set back: the books go on from this instant, until it is there again.
    Until(DateTime<Utc>),
    /// No clock is that far ahead by mistake for long: the usage is counted anew from the ledger.
    Astray,
}

/// Headroom that a limit will have again, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relief {
    pub at: DateTime<Utc>,
    /// The headroom at that instant, if nothing more is used.
    pub headroom: Amount,
}

impl Tally {
    /// Nothing, in a period.
    pub fn new(period: Period) -> Tally {
        Tally { since: period.kept_from(), used: Amount::ZERO, steps: period.step.map(|_| Vec::new()) }
    }

    /// The tally of the use in each of these steps, in any order.
    pub fn of_steps(period: Period, steps: impl Iterator<Item = (DateTime<Utc>, Amount)>) -> Tally {
        let mut tally = Tally::new(period);
        steps.for_each(|(step, amount)| tally.add(step, amount));
        tally
    }

    /// The usage from the beginning of a period on, by the ledger: of a rolling window by step, else by period.
    pub fn of_ledger(period: Period, spent: impl Iterator<Item = (DateTime<Utc>, Amount)>) -> Tally {
        let mut tally = Tally::new(period);
        for (begun, amount) in spent {
            match period.step {
                None if begun == period.starts_at => tally.used = plus(tally.used, amount),
                None => tally.add_later(begun, amount),
                Some(_) => tally.add(begun, amount),
            }
        }
        tally
    }

    /// The sum of the slots of a cap, as far as it counts in a period, or in a later one. None of them is ahead of it.
    pub fn sum<'a>(tallies: impl Iterator<Item = &'a Tally>, period: Period) -> Tally {
        let mut sum = Tally::new(period);
        for tally in tallies {
            if period.step.is_some() {
                sum.since = sum.since.max(tally.since);
                let kept = tally.steps.iter().flatten().filter(|(step, _)| *step >= period.kept_from());
                kept.for_each(|(step, amount)| sum.add(*step, *amount));
            } else {
                sum.used = plus(sum.used, tally.used_in(period));
                tally.later_than(period).for_each(|(begun, amount)| sum.add_later(begun, amount));
            }
        }
        sum
    }

    /// The amount that counts in a period.
    pub fn used_in(&self, period: Period) -> Amount {
        let steps = self.steps.iter().flatten();
        match period.step {
            None if self.since == period.starts_at => self.used,
            None => steps.filter(|(begun, _)| *begun == period.starts_at).map(|(_, amount)| *amount).sum(),
            Some(_) => steps.filter(|(step, _)| period.counts(*step)).map(|(_, amount)| *amount).sum(),
        }
    }

    /// Counts an amount in the period.
    pub fn count(&mut self, period: Period, amount: Amount) {
        match period.step {
            None => {
                let later: Vec<_> = self.later_than(period).collect();
                let steps = (!later.is_empty()).then_some(later);
                *self = Tally { since: period.starts_at, used: plus(self.used_in(period), amount), steps };
            }
            Some(step) => {
                self.forget_before(period.kept_from());
                self.add(step, amount);
            }
        }
    }

    /// Whether a clock that read more counted here, so that usage of this period may be forgotten; and how far ahead it was.
    pub fn ahead_of(&self, period: Period, now: DateTime<Utc>) -> Option<Ahead> {
        if self.since <= period.starts_at {
            return None;
        }
        let window = period.step.map(|running| running - period.starts_at);
        // From then on the period begins where this does.
        let until = self.since + window.unwrap_or_default();
        let most = window.map_or(MOST_AHEAD, |window| window.min(MOST_AHEAD));
        Some(if until - now <= most { Ahead::Until(until) } else { Ahead::Astray })
    }

    /// Whether something was used later than in a period, by a clock that was ahead.
    pub fn reaches_beyond(&self, period: Period) -> bool {
        self.later_than(period).next().is_some()
    }

    /// Takes back what was counted when another period ran, or another step of the window, if that is not forgotten.
    pub fn give_back(&mut self, now: Period, counted: Period, amount: Amount) {
        match counted.step {
            None if now.starts_at == counted.starts_at => self.count(now, amount.negated()),
            None if now.starts_at < counted.starts_at => self.add_later(counted.starts_at, amount.negated()),
            Some(step) if step >= now.kept_from() => self.add(step, amount.negated()),
            _ => {}
        }
    }

    /// When what is left of a limit suffices again if nothing more is used; all of it where that would not.
    pub fn relief(&self, window: Window, limit: Amount, requested: Amount, now: DateTime<Utc>, period: Period) -> Relief {
        let mut relief = Relief { at: now, headroom: limit.checked_sub(self.used_in(period)).unwrap_or_default() };
        for (step, amount) in self.steps.iter().flatten().filter(|(step, _)| period.counts(*step)) {
            if relief.headroom >= requested {
                break;
            }
            relief = Relief { at: window.falls_out(*step), headroom: plus(relief.headroom, *amount) };
        }
        relief
    }

    /// The usage in later periods or steps than the one that runs.
    fn later_than(&self, period: Period) -> impl Iterator<Item = (DateTime<Utc>, Amount)> {
        let running = period.step.unwrap_or(period.starts_at);
        self.steps.iter().flatten().filter(move |(begun, _)| *begun > running).copied()
    }

    /// Adds what was used in a later period of the calendar.
    fn add_later(&mut self, begun: DateTime<Utc>, amount: Amount) {
        let used = self.used;
        self.add(begun, amount);
        self.used = used;
        self.steps = self.steps.take().filter(|steps| !steps.is_empty());
    }

    fn add(&mut self, step: DateTime<Utc>, amount: Amount) {
        let steps = self.steps.get_or_insert_default();
        match steps.binary_search_by_key(&step, |(known, _)| *known) {
            Ok(position) => steps[position].1 = plus(steps[position].1, amount),
            Err(position) => steps.insert(position, (step, amount)),
        }
        steps.retain(|(_, amount)| !amount.is_zero());
        self.used = plus(self.used, amount);
    }

    fn forget_before(&mut self, begin: DateTime<Utc>) {
        self.since = self.since.max(begin);
        let steps = self.steps.get_or_insert_default();
        steps.retain(|(step, _)| *step >= begin);
        self.used = steps.iter().map(|(_, amount)| *amount).sum();
    }
}

fn plus(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).expect("what is used of a cap")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn of(nanos: i128) -> Amount {
        Amount::from_nanos(nanos).unwrap()
    }

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 60, 0).unwrap()
    }

    fn hour() -> Window {
        Window::of_microseconds(3_600_000_000).unwrap()
    }

    #[test]
    fn a_period_of_the_calendar_begins_anew() {
        let day = |number: i64| Period { starts_at: minute(number), ends_at: minute(number + 1), step: None };
        let mut tally = Tally::new(day(0));
        tally.count(day(0), of(3));
        assert_eq!((tally.used_in(day(0)), tally.used_in(day(1))), (of(3), of(0)));
        tally.count(day(1), of(5));
        tally.give_back(day(1), day(0), of(3));
        assert_eq!(tally.used_in(day(1)), of(5));
        tally.give_back(day(1), day(1), of(4));
        assert_eq!(tally.used_in(day(1)), of(1));
        // The other slot's count of the day before is nothing now.
        let before = Tally { since: minute(0), used: of(7), steps: None };
        assert_eq!(Tally::sum([&tally, &before].into_iter(), day(1)).used, of(1));
    }

    #[test]
    fn a_step_counts_until_all_of_it_lies_outside() {
        let at = |number: i64| hour().period(minute(0), minute(number));
        let mut tally = Tally::new(at(0));
        tally.count(at(0), of(3));
        tally.count(at(1), of(2));
        tally.count(at(30), of(5));
        assert_eq!(tally.steps.as_ref().unwrap().len(), 2);
        // The step of two minutes is over at minute 2, and lies outside an hour later, at just that instant.
        assert_eq!(tally.used_in(hour().period(minute(0), minute(62) - TimeDelta::microseconds(1))), of(10));
        assert_eq!(tally.used_in(at(62)), of(5));
        // One more is kept for whose clock reads less; then it is forgotten.
        tally.count(at(62), of(1));
        assert_eq!((tally.used, tally.used_in(at(61)), tally.used_in(at(62))), (of(11), of(11), of(6)));
        tally.count(at(64), of(1));
        assert_eq!((tally.used, tally.since), (of(7), minute(2)));
    }

    #[test]
    fn what_is_given_back_leaves_its_step() {
        let at = |number: i64| hour().period(minute(0), minute(number));
        let mut tally = Tally::new(at(0));
        tally.count(at(0), of(3));
        tally.count(at(30), of(5));
        tally.give_back(at(40), at(0), of(2));
        assert_eq!((tally.used_in(at(40)), tally.used_in(at(62))), (of(6), of(5)));
        tally.count(at(70), of(1));
        tally.give_back(at(70), at(0), of(1));
        assert_eq!(tally.used, of(6));
    }

    #[test]
    fn a_counter_of_the_calendar_that_is_ahead() {
        let hours = TimeDelta::hours;
        let day = |number: i64| Period {
            starts_at: minute(0) + hours(24 * number),
            ends_at: minute(0) + hours(24 * number + 24),
            step: None,
        };
        let mut tally = Tally::new(day(1));
        tally.count(day(1), of(3));
        // A moment before the day begins it counts in the day; a day before that it is counted anew.
        let now = day(1).starts_at - TimeDelta::milliseconds(100);
        assert_eq!(tally.ahead_of(day(0), now), Some(Ahead::Until(day(1).starts_at)));
        assert_eq!(tally.ahead_of(day(0), day(1).starts_at - hours(24)), Some(Ahead::Until(day(1).starts_at)));
        assert_eq!(tally.ahead_of(day(-1), day(0).starts_at - TimeDelta::microseconds(1)), Some(Ahead::Astray));
        assert_eq!(tally.ahead_of(day(1), day(1).starts_at), None);
        assert_eq!(tally.ahead_of(day(2), day(2).starts_at), None);
        // Counted anew, the later day keeps what it used, whatever is counted before it.
        let mut tally = Tally::of_ledger(day(-2), [(day(-2).starts_at, of(5)), (day(1).starts_at, of(3))].into_iter());
        assert!(tally.reaches_beyond(day(-2)) && tally.ahead_of(day(-2), day(-2).starts_at).is_none());
        assert_eq!([-2, -1, 0, 1].map(|number| tally.used_in(day(number))), [5, 0, 0, 3].map(of));
        tally.count(day(-1), of(1));
        tally.give_back(day(-1), day(1), of(1));
        assert_eq!(Tally::sum([&tally, &Tally::new(day(-1))].into_iter(), day(-1)), tally);
        assert_eq!([-1, 0, 1].map(|number| tally.used_in(day(number))), [1, 0, 2].map(of));
        tally.count(day(1), of(4));
        assert_eq!(tally, Tally { since: day(1).starts_at, used: of(6), steps: None });
    }

    #[test]
    fn clocks_that_are_set_back() {
        let at = |number: i64| hour().period(minute(0), minute(number));
        let mut tally = Tally::new(at(0));
        tally.count(at(0), of(1));
        tally.count(at(100), of(2));
        // A window may see what was used until an hour later; what was forgotten is nothing, and `since` says so.
        assert_eq!((tally.used_in(at(40)), tally.used_in(at(38)), tally.since), (of(2), of(0), minute(38)));
        tally.count(at(10), of(4));
        tally.count(at(12), of(8));
        assert_eq!((tally.used_in(at(12)), tally.used_in(at(40)), tally.since), (of(12), of(14), minute(38)));
        tally.count(at(101), of(16));
        assert_eq!((tally.used, tally.used_in(at(101))), (of(18), of(18)));
        // A clock that reads a little less waits until nothing is forgotten that counts; one that is far behind counts anew.
        assert_eq!([60, 101].map(|number| tally.ahead_of(at(number), minute(number))), [Some(Ahead::Until(minute(98))), None]);
        assert_eq!(
            [37, 38].map(|number| tally.ahead_of(at(number), minute(number))),
            [Some(Ahead::Astray), Some(Ahead::Until(minute(98)))]
        );
    }

    #[test]
    fn relief_is_when_enough_falls_out() {
        let at = |number: i64| hour().period(minute(0), minute(number));
        let mut tally = Tally::new(at(0));
        [(0, 3), (10, 2), (20, 5)].into_iter().for_each(|(number, amount)| tally.count(at(number), of(amount)));
        let relief = |requested| tally.relief(hour(), of(11), of(requested), minute(40), at(40));
        assert_eq!(relief(1), Relief { at: minute(40), headroom: of(1) });
        assert_eq!(relief(2), Relief { at: minute(62), headroom: of(4) });
        assert_eq!(relief(5), Relief { at: minute(72), headroom: of(6) });
        // More than the limit never fits: all of it is there when nothing counts.
        assert_eq!(relief(12), Relief { at: minute(82), headroom: of(11) });
    }

    proptest! {
        /// Debits of several slots, the limit spread anew between them: no window of the length ever sees more than the limit.
        #[test]
        fn no_window_sees_more_than_the_limit(
            anchor in -90_i64..90,
            debits in proptest::collection::vec((0_i64..900, 1_i128..40, 0_usize..3, proptest::bool::weighted(0.1)), 1..120),
        ) {
            let limit = of(100);
            let anchor = minute(0) + TimeDelta::seconds(anchor);
            let mut now = minute(0);
            let mut slots = vec![(of(40), Tally::new(hour().period(anchor, now))); 2];
            slots.push((of(20), Tally::new(hour().period(anchor, now))));
            let mut posted: Vec<(DateTime<Utc>, Amount)> = Vec::new();
            for (later, amount, number, spreads) in debits {
                now += TimeDelta::seconds(later);
                let period = hour().period(anchor, now);
                if spreads {
                    let sum = Tally::sum(slots.iter().map(|slot| &slot.1), period);
                    slots.iter_mut().for_each(|slot| *slot = (Amount::ZERO, Tally::new(period)));
                    slots[number] = (limit, sum);
                }
                let (allowance, tally) = &mut slots[number];
                if plus(tally.used_in(period), of(amount)) <= *allowance {
                    tally.count(period, of(amount));
                    posted.push((now, of(amount)));
                }
            }
            for (last, _) in &posted {
                let begin = *last - TimeDelta::hours(1);
                let inside = |at: &DateTime<Utc>| begin <= *at && at <= last;
                prop_assert!(posted.iter().filter(|(at, _)| inside(at)).map(|(_, amount)| *amount).sum::<Amount>() <= limit);
            }
            prop_assert!(slots.iter().all(|slot| slot.1.steps.as_ref().unwrap().len() <= 32));
        }
    }
}
