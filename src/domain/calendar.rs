//! When periods begin: period n at the anchor plus n times the length, counted from the original anchor, so that the 31st of
//! January is followed by the last of February and the 31st of March. The
//! server knows the length of a month or a day on an account's calendar.

use chrono::{DateTime, Utc};

const DAY: i64 = 86_400_000_000;
/// The mean length of a month of the Gregorian calendar.
const MONTH: i64 = 2_629_746_000_000;

/// A length of time: months and days are counted on the calendar, the rest is absolute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub months: i32,
    pub days: i32,
    pub microseconds: i64,
}

impl Span {
    /// The length, `number` times; `None` when that is beyond any calendar.
    pub fn times(self, number: i64) -> Option<Span> {
        let of = |part: i32| i32::try_from(i64::from(part).checked_mul(number)?).ok();
        Some(Span { months: of(self.months)?, days: of(self.days)?, microseconds: self.microseconds.checked_mul(number)? })
    }

    /// About how long it is.
    pub fn mean_microseconds(self) -> i64 {
        i64::from(self.months) * MONTH + i64::from(self.days) * DAY + self.microseconds
    }
}

/// The calendar of an account: its time zone.
pub trait Calendar {
    /// The instant later, or earlier, by a length of time.
    fn add(&self, at: DateTime<Utc>, length: Span) -> DateTime<Utc>;

    /// The number of the local day that the instant falls on.
    fn day(&self, at: DateTime<Utc>) -> i64;
}

/// Periods that follow each other, numbered from the anchor: number 0 begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The beginning of the period with the number 0.
    pub anchor: DateTime<Utc>,
    /// The length of a period, on the account's calendar.
    pub every: Span,
}

impl Cycle {
    /// When the period begins, which is when the one before ends.
    ///
    /// # Panics
    /// When the number is beyond the calendar: callers stay near the present.
    pub fn start(&self, calendar: &impl Calendar, number: i64) -> DateTime<Utc> {
        calendar.add(self.anchor, self.every.times(number).expect("a period within the calendar"))
    }

    /// The number of the period that contains the instant. One without a length, on a day that a time zone left out, contains
    /// none.
    pub fn containing(&self, calendar: &impl Calendar, at: DateTime<Utc>) -> i64 {
        let distance = (at - self.anchor).num_microseconds().expect("instants within the calendar");
        let mut number = distance.div_euclid(self.every.mean_microseconds());
        while self.start(calendar, number) > at {
            number -= 1;
        }
        while self.start(calendar, number + 1) <= at {
            number += 1;
        }
        number
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use chrono::{Datelike, Months, NaiveDate, TimeDelta};
    use proptest::prelude::*;

    impl Span {
        /// A length of whole months.
        pub fn of_months(months: i32) -> Span {
            Span { months, ..Span::default() }
        }
    }

    /// A calendar that is always a fixed number of hours ahead of UTC.
    pub struct Ahead(pub i64);

    impl Calendar for Ahead {
        fn add(&self, at: DateTime<Utc>, length: Span) -> DateTime<Utc> {
            let ahead = TimeDelta::hours(self.0);
            let months = Months::new(length.months.unsigned_abs());
            let local = at + ahead;
            let moved = if length.months < 0 { local - months } else { local + months };
            moved - ahead + TimeDelta::days(length.days.into()) + TimeDelta::microseconds(length.microseconds)
        }

        fn day(&self, at: DateTime<Utc>) -> i64 {
            (at + TimeDelta::hours(self.0)).num_days_from_ce().into()
        }
    }

    /// Midnight of a date, in UTC.
    pub fn date(year: i32, month: u32, day: u32) -> DateTime<Utc> {
        NaiveDate::from_ymd_opt(year, month, day).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc()
    }

    fn monthly(anchor: DateTime<Utc>) -> Cycle {
        Cycle { anchor, every: Span::of_months(1) }
    }

    #[test]
    fn the_anchor_is_not_forgotten() {
        let cycle = monthly(date(2023, 12, 31));
        let starts: Vec<_> = (0..5).map(|number| cycle.start(&Ahead(0), number)).collect();
        assert_eq!(starts, [date(2023, 12, 31), date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]);
        let leap = Cycle { anchor: date(2024, 2, 29), every: Span::of_months(12) };
        assert_eq!([1, 4].map(|number| leap.start(&Ahead(0), number)), [date(2025, 2, 28), date(2028, 2, 29)]);
    }

    #[test]
    fn a_period_contains_its_start_and_not_its_end() {
        let cycle = monthly(date(2026, 1, 31));
        let moment = TimeDelta::microseconds(1);
        assert_eq!(cycle.containing(&Ahead(0), date(2026, 2, 28)), 1);
        assert_eq!(cycle.containing(&Ahead(0), date(2026, 2, 28) - moment), 0);
        assert_eq!(cycle.containing(&Ahead(0), date(2025, 12, 31)), -1);
        // Fourteen hours ahead the month is over earlier.
        assert_eq!(monthly(date(2026, 1, 31)).containing(&Ahead(14), date(2026, 2, 28)), 1);
        assert_eq!(Cycle { anchor: date(2026, 1, 1), every: Span::of_months(1) }.containing(&Ahead(14), date(2025, 12, 31)), -1);
    }

    proptest! {
        #[test]
        fn every_instant_is_in_one_period(
            (months, days) in (0..14_i32, 0..40_i32).prop_filter("a length", |length| *length != (0, 0)),
            ahead in -12..15_i64, hours in -200_000..200_000_i64,
        ) {
            let cycle = Cycle { anchor: date(2024, 2, 29), every: Span { months, days, microseconds: 0 } };
            let at = date(2026, 7, 1) + TimeDelta::hours(hours);
            let number = cycle.containing(&Ahead(ahead), at);
            prop_assert!(cycle.start(&Ahead(ahead), number) <= at && at < cycle.start(&Ahead(ahead), number + 1));
        }
    }
}
