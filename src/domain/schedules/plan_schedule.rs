//! Credits that schedules of plans bring where an account changes its plan: each day's credits once, by the best plan that
//! brought them.
//!
//! A plan's schedule grants its amount for a whole period when that begins. An account that leaves the plan within the period
//! keeps the credits of the days that are left, as far as they did not lapse. These days are granted already: a schedule of the
//! next plan brings less for them by that. So an upgrade brings the difference for the days that are left, and going back and
//! forth brings nothing.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::calendar::Calendar;
use crate::domain::exact::Fraction;

/// A stretch of time, half open.
pub type Stretch = (DateTime<Utc>, DateTime<Utc>);

/// Credits that were granted for a stretch of time, evenly; below zero for those of them that were made use of already.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The time they are for.
    pub of: Stretch,
    /// How many.
    pub credits: Fraction,
}

impl Granted {
    /// How many of them are for a stretch of time.
    pub fn within(&self, within: Stretch, measure: Measure, calendar: &impl Calendar) -> Fraction {
        self.credits.times(&share(self.of, within, measure, calendar))
    }
}

/// How time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// By days, of which the one counts on which something begins.
    Days,
    /// By the time itself: of periods that are shorter than a day.
    Time,
}

/// The part of a stretch of time that lies within another. A stretch within one day has no days: it is measured by the time.
pub fn share(of: Stretch, within: Stretch, measure: Measure, calendar: &impl Calendar) -> Fraction {
    let (from, to) = (within.0.max(of.0), within.1.min(of.1));
    if from >= to {
        return Fraction::zero();
    }
    let time = |(from, to): Stretch| (to - from).num_microseconds().expect("stretches within the calendar");
    let days = |(from, to): Stretch| calendar.day(to) - calendar.day(from);
    let (part, whole) = match (measure, days(of)) {
        (Measure::Time, _) | (_, 0) => (time((from, to)), time(of)),
        (Measure::Days, whole) => (days((from, to)), whole),
    };
    Fraction::whole(part).over(&Fraction::whole(whole)).expect("a stretch with a length")
}

/// The grant of a schedule to a seat for the period within which the seat left the plan.
#[derive(Clone, Debug)]
pub struct LastGrant {
    /// The time it was granted for: from its effect to the end of the whole period.
    pub of: Stretch,
    /// How many credits.
    pub granted: Amount,
    /// How many of them lapsed when the plan was left.
    pub lapsed: Fraction,
}

impl LastGrant {
    /// The credits that were granted for the time after the plan was left, and kept. `None` for none.
    pub fn left_over(&self, left_at: DateTime<Utc>, calendar: &impl Calendar) -> Option<Granted> {
        if left_at >= self.of.1 {
            return None;
        }
        let held = Fraction::from(self.granted).times(&share(self.of, (self.of.0, left_at), Measure::Days, calendar));
        let credits = Fraction::from(self.granted).minus(&self.lapsed).minus(&held);
        is_positive(&credits).then_some(Granted { of: (left_at.max(self.of.0), self.of.1), credits })
    }
}

/// The part of a seat's credits for a stretch of time that was granted before: at most all of them.
pub fn granted_before(
    before: &[Granted],
    within: Stretch,
    credits: &Fraction,
    measure: Measure,
    calendar: &impl Calendar,
) -> Fraction {
    let sum = before.iter().fold(Fraction::zero(), |sum, granted| sum.plus(&granted.within(within, measure, calendar)));
    match (is_positive(&sum), is_positive(&sum.minus(credits))) {
        (false, _) => Fraction::zero(),
        (true, true) => credits.clone(),
        (true, false) => sum,
    }
}

fn is_positive(fraction: &Fraction) -> bool {
    fraction > &Fraction::zero()
}

/// The owner and the unit of credits: the pool's, or those that a seat brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The unit of the credits.
    pub unit: String,
    /// The member; empty for the pool.
    pub member: String,
}

/// The grants of the schedules of an account's plans so far, in the order in which they begin.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Credits that are kept of plans that were left, with the time for which they were granted.
    left: Vec<(Seat, Granted)>,
    /// The part of them that other schedules made use of, and the end of each of these schedules, if it has one.
    used: Vec<(Seat, Option<DateTime<Utc>>, Granted)>,
}

impl History {
    /// The credits that were granted before for the time from an instant on, at which a schedule begins.
    pub fn before(&self, seat: &Seat, starts_at: DateTime<Utc>) -> Vec<Granted> {
        let left = self.left.iter().filter(|(of, granted)| of == seat && granted.of.0 <= starts_at && granted.of.1 > starts_at);
        let used = self.used.iter().filter(|(of, ends_at, _)| of == seat && ends_at.is_none_or(|ends_at| ends_at > starts_at));
        let mut before: Vec<Granted> = left.map(|(_, granted)| granted.clone()).collect();
        // Without anything before there is nothing that others could have used.
        if !before.is_empty() {
            before.extend(used.map(|(_, _, granted)| granted.clone()));
        }
        before
    }

    /// A schedule that is in force until an instant made use of what was granted before.
    pub fn use_up(&mut self, seat: &Seat, until: Option<DateTime<Utc>>, used: Vec<Granted>) {
        self.used.extend(used.into_iter().map(|used| (seat.clone(), until, used)));
    }

    /// A plan was left.
    pub fn leave(&mut self, seat: &Seat, left_over: Option<Granted>) {
        self.left.extend(left_over.map(|granted| (seat.clone(), granted)));
    }
}

#[cfg(test)]
mod tests;
