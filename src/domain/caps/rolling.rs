//! Rolling windows: any stretch of time of one length, whenever it begins.
//!
//! Time is cut into steps, and what is debited counts until the whole of its step lies outside the window. So no window of that
//! length ever sees more than the limit, and a debit counts at most one step longer than the window.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::caps::period::Period;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The longest window.
const MAX_SECONDS: i64 = 3660 * DAY;

/// Into so many steps a window may be cut; of those the first that makes them whole days, else hours, else minutes, else the
/// first.
const STEPS: [i64; 3] = [30, 28, 24];

/// The length of a rolling window: whole minutes, in which a day has 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    seconds: i64,
}

impl Window {
    /// A window of this number of microseconds, if that is a number of minutes from 1 minute to 3660 days.
    pub fn of_microseconds(microseconds: i64) -> Option<Window> {
        let minute = MINUTE * 1_000_000;
        let seconds = microseconds / 1_000_000;
        (microseconds % minute == 0 && (MINUTE..=MAX_SECONDS).contains(&seconds)).then_some(Window { seconds })
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// The length of a step in seconds: a whole part of the window.
    pub fn step_seconds(self) -> i64 {
        let whole = |unit: i64| STEPS.into_iter().find(|steps| self.seconds % (steps * unit) == 0);
        self.seconds / whole(DAY).or(whole(HOUR)).or(whole(MINUTE)).unwrap_or(STEPS[0])
    }

    /// The time that counts at an instant: the step that runs, and those before it of which a part still lies in the window.
    pub fn period(self, anchor: DateTime<Utc>, at: DateTime<Utc>) -> Period {
        let step = TimeDelta::seconds(self.step_seconds());
        let micros = self.step_seconds() * 1_000_000;
        let number = (at - anchor).num_microseconds().expect("instants of this era").div_euclid(micros);
        let running = anchor + TimeDelta::microseconds(number * micros);
        Period { starts_at: running - TimeDelta::seconds(self.seconds), ends_at: running + step, step: Some(running) }
    }

    /// When a step counts no more.
    pub fn falls_out(self, step: DateTime<Utc>) -> DateTime<Utc> {
        step + TimeDelta::seconds(self.step_seconds() + self.seconds)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("day", DAY), ("hour", HOUR), ("minute", MINUTE)];
        let (name, unit) = units.into_iter().find(|(_, unit)| self.seconds % unit == 0).expect("whole minutes");
        match self.seconds / unit {
            1 => write!(formatter, "1 {name}"),
            count => write!(formatter, "{count} {name}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minutes(minutes: i64) -> Window {
        Window::of_microseconds(minutes * 60_000_000).unwrap()
    }

    #[test]
    fn lengths_and_their_steps() {
        let cases = [
            (1, "1 minute", 2),
            (60, "1 hour", 2 * MINUTE),
            (90, "90 minutes", 3 * MINUTE),
            (24 * 60, "1 day", HOUR),
            (36 * 60, "36 hours", 72 * MINUTE),
            (7 * 24 * 60, "7 days", 6 * HOUR),
            (28 * 24 * 60, "28 days", DAY),
            (30 * 24 * 60, "30 days", DAY),
            (90 * 24 * 60, "90 days", 3 * DAY),
            (365 * 24 * 60, "365 days", 292 * HOUR),
        ];
        for (length, text, step) in cases {
            let window = minutes(length);
            assert_eq!((window.to_string().as_str(), window.step_seconds()), (text, step));
        }
        for broken in [0, -60_000_000, 59_000_000, 60_000_001, 90_000_000, (MAX_SECONDS + 60) * 1_000_000] {
            assert_eq!(Window::of_microseconds(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_lies_in_the_window_counts(length in 1_i64..600_000, anchor in -5_000_000_i64..5_000_000,
            at in -5_000_000_000_000_i64..5_000_000_000_000) {
            let window = minutes(length);
            let anchor = DateTime::from_timestamp(anchor, 0).unwrap();
            let at = DateTime::from_timestamp_micros(at).unwrap();
            let period = window.period(anchor, at);
            let running = period.step.unwrap();
            let step = TimeDelta::seconds(window.step_seconds());
            prop_assert!(running <= at && at < period.ends_at);
            prop_assert_eq!(window.seconds() % window.step_seconds(), 0);
            // At most one step more than the window counts.
            let begin = at - TimeDelta::seconds(window.seconds());
            prop_assert!(period.starts_at <= begin && begin < period.starts_at + step);
            // The first step that counts falls out when the running one ends.
            prop_assert_eq!(window.falls_out(period.starts_at), period.ends_at);
        }
    }
}
