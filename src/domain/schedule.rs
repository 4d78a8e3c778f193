//! What a schedule brings: which lots are due, with which dates, and what of their unused part rolls on.
//!
//! One line of a schedule is its account's pool or one member. A line is computed in the order of time from what was issued before, so
//! it comes out the same whether it is computed at every boundary or months later: from the boundary on nobody spends before what is
//! due is there. At one instant unused credits roll before fresh ones are issued.

use chrono::{DateTime, Utc};

use super::amount::Amount;
use super::calendar::{Calendar, Cycle, Span};
use super::exact::{Fraction, Precision};
use super::rollover::{Rollover, Unused, less};

/// How long an issued lot lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    Never,
    PeriodEnd,
    /// To the end of the n-th period, its own counted.
    Periods(i32),
    /// From its own effect on.
    After(Span),
    Until(DateTime<Utc>),
}

/// Which incomplete periods get a part of the amount only, by the days of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proration {
    pub first: bool,
    pub last: bool,
}

/// What was declared.
#[derive(Clone, Debug)]
pub struct Terms {
    pub cycle: Cycle,
    pub amount: Amount,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    /// So many periods, counted from the one that contains `starts_at`.
    pub periods: Option<i32>,
    pub validity: Validity,
    pub proration: Proration,
    pub rollover: Option<Rollover>,
    pub precision: Precision,
}

/// The pool, or a member since it has its seat; `None` when it has none any more.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub since: Option<DateTime<Utc>>,
    /// The last period that was issued.
    pub issued: Option<i64>,
}

/// A lot of the line, in the ledger or only planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LotId {
    Known(i64),
    Planned(usize),
}

/// A lot of the line whose end has not been settled.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub id: LotId,
    pub period: i64,
    pub rolled: i32,
    pub original: Amount,
    pub remaining: Amount,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A lot that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    pub period: i64,
    pub rolled: i32,
    pub granted: Amount,
    /// What was issued for the period.
    pub original: Amount,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// The lot it was rolled from.
    pub parent: Option<LotId>,
}

/// What happens, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The planned lot comes to be, from its parent if it has one.
    Begin { lot: usize },
    /// So much of the lot lapses; it is over if `ends`.
    Lapse { lot: LotId, amount: Amount, at: DateTime<Utc>, ends: bool },
}

/// What is due of a line.
#[derive(Clone, Debug, Default)]
pub struct Due {
    pub lots: Vec<Planned>,
    pub steps: Vec<Step>,
    /// When there is more to do.
    pub next: Option<DateTime<Utc>>,
}

/// What is due of the line up to an instant.
pub fn due(terms: &Terms, line: Line, held: Vec<Held>, until: DateTime<Utc>, calendar: &impl Calendar) -> Due {
    let mut work = Work { terms, line, held, calendar, due: Due::default() };
    let mut fresh = work.first();
    loop {
        let issue = fresh.map(|planned| planned.effective_at);
        let end = work.next_end();
        let Some(at) = [issue, end].into_iter().flatten().min().filter(|at| *at <= until) else {
            work.due.next = [issue, end].into_iter().flatten().min();
            return work.due;
        };
        match fresh {
            Some(planned) if end != Some(at) => {
                work.begin(planned);
                fresh = work.after(planned.period);
            }
            _ => work.roll(at),
        }
    }
}

/// The lots that a line would be issued until an instant, from the first period on, whatever becomes of them.
pub fn preview(terms: &Terms, until: DateTime<Utc>, calendar: &impl Calendar) -> Vec<Planned> {
    let terms = Terms { rollover: None, ..terms.clone() };
    due(&terms, Line { since: Some(terms.starts_at), issued: None }, Vec::new(), until, calendar).lots
}

struct Work<'a, C> {
    terms: &'a Terms,
    line: Line,
    held: Vec<Held>,
    calendar: &'a C,
    due: Due,
}

impl<C: Calendar> Work<'_, C> {
    /// The first lot that was not issued yet.
    fn first(&self) -> Option<Planned> {
        let since = self.line.since?.max(self.terms.starts_at);
        let first = self.terms.cycle.containing(self.calendar, since);
        self.from(self.line.issued.map_or(first, |issued| first.max(issued + 1)))
    }

    fn after(&self, period: i64) -> Option<Planned> {
        self.from(period + 1)
    }

    /// The lot of this period or of the next that has one.
    fn from(&self, mut period: i64) -> Option<Planned> {
        let terms = self.terms;
        let first = terms.cycle.containing(self.calendar, terms.starts_at);
        let since = self.line.since?.max(terms.starts_at);
        loop {
            let start = terms.cycle.start(self.calendar, period);
            let is_over = terms.ends_at.is_some_and(|ends_at| start.max(since) >= ends_at)
                || terms.periods.is_some_and(|periods| period - first >= periods.into())
                || matches!(terms.validity, Validity::Until(at) if at <= start);
            if is_over {
                return None;
            }
            if let Some(planned) = self.of_period(period, start, since) {
                return Some(planned);
            }
            period += 1;
        }
    }

    /// The lot of a period; `None` when nothing of it is left, or it has no length.
    fn of_period(&self, period: i64, start: DateTime<Utc>, since: DateTime<Utc>) -> Option<Planned> {
        let terms = self.terms;
        let whole_end = terms.cycle.start(self.calendar, period + 1);
        let end = terms.ends_at.map_or(whole_end, |ends_at| ends_at.min(whole_end));
        let effective_at = start.max(since);
        if effective_at >= end {
            return None;
        }
        let from = if terms.proration.first { effective_at } else { start };
        let to = if terms.proration.last { end } else { whole_end };
        let granted = self.prorated((from, to), (start, whole_end));
        let expires_at = match terms.validity {
            Validity::Never => None,
            Validity::PeriodEnd => Some(end),
            Validity::Periods(periods) => Some(terms.cycle.start(self.calendar, period + i64::from(periods))),
            Validity::After(span) => Some(self.calendar.add(effective_at, span)),
            Validity::Until(at) => Some(at),
        };
        let lives = granted.is_positive() && expires_at.is_none_or(|expires_at| expires_at > effective_at);
        lives.then_some(Planned { period, rolled: 0, granted, original: granted, effective_at, expires_at, parent: None })
    }

    /// The part of the amount for these days of the whole period; a day that has begun counts at the beginning, not at the end.
    /// Periods within a day count by the time itself.
    fn prorated(&self, (from, to): (DateTime<Utc>, DateTime<Utc>), (start, end): (DateTime<Utc>, DateTime<Utc>)) -> Amount {
        let days = |from, to| self.calendar.day(to) - self.calendar.day(from);
        let time = |from, to| DateTime::signed_duration_since(to, from).num_microseconds().expect("a period within the calendar");
        if (from, to) == (start, end) {
            return self.terms.amount;
        }
        let (part, whole) = match days(start, end) {
            0 => (time(from, to), time(start, end)),
            whole => (days(from, to), whole),
        };
        let part = Fraction::whole(part).over(&Fraction::whole(whole)).expect("a period with a length");
        part.times(&Fraction::from(self.terms.amount)).round(self.terms.precision).expect("a part of an amount")
    }

    fn begin(&mut self, planned: Planned) -> LotId {
        let lot = self.due.lots.len();
        self.due.lots.push(planned);
        self.due.steps.push(Step::Begin { lot });
        if self.terms.rollover.is_some() {
            self.held.push(Held {
                id: LotId::Planned(lot),
                period: planned.period,
                rolled: planned.rolled,
                original: planned.original,
                remaining: planned.granted,
                expires_at: planned.expires_at,
            });
        }
        LotId::Planned(lot)
    }

    fn next_end(&self) -> Option<DateTime<Utc>> {
        self.held.iter().filter_map(|lot| lot.expires_at).min()
    }

    /// Settles the lots whose time is up at this instant.
    fn roll(&mut self, at: DateTime<Utc>) {
        self.held.sort_by_key(|lot| (lot.period, -lot.rolled));
        let policy = self.terms.rollover.as_ref().filter(|_| self.line.since.is_some());
        let is_carried = |lot: &Held| lot.rolled > 0 && policy.is_some_and(Rollover::trims);
        let ends = |lot: &Held| lot.expires_at == Some(at);
        let (concerned, others): (Vec<Held>, Vec<Held>) = self.held.iter().partition(|lot| ends(lot) || is_carried(lot));
        self.held = others;
        let unused = |lot: &Held| Unused {
            period: lot.period,
            rolled: lot.rolled,
            original: lot.original,
            remaining: lot.remaining,
            ends: ends(lot),
        };
        let lots: Vec<_> = concerned.iter().map(unused).collect();
        let nothing = || vec![Amount::ZERO; lots.len()];
        let carried = policy.map_or_else(nothing, |policy| policy.carried(&lots, self.terms.precision.decimals));
        for (lot, carried) in concerned.into_iter().zip(carried) {
            let lapsed = less(lot.remaining, carried);
            if ends(&lot) {
                if carried.is_positive() {
                    self.begin(self.rolled(&lot, carried, at));
                }
                self.due.steps.push(Step::Lapse { lot: lot.id, amount: lapsed, at, ends: true });
            } else {
                if lapsed.is_positive() {
                    self.due.steps.push(Step::Lapse { lot: lot.id, amount: lapsed, at, ends: false });
                }
                self.held.push(Held { remaining: carried, ..lot });
            }
        }
    }

    /// The lot that an amount is rolled to.
    fn rolled(&self, lot: &Held, amount: Amount, at: DateTime<Utc>) -> Planned {
        let cycle = self.terms.cycle;
        let next_end = || cycle.start(self.calendar, cycle.containing(self.calendar, at) + 1);
        let expires_after = self.terms.rollover.as_ref().and_then(|policy| policy.expires_after);
        Planned {
            period: lot.period,
            rolled: lot.rolled + 1,
            granted: amount,
            original: lot.original,
            effective_at: at,
            expires_at: Some(expires_after.map_or_else(next_end, |span| self.calendar.add(at, span))),
            parent: Some(lot.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::tests::{Ahead, date};
    use super::super::exact::Rounding;
    use super::*;
    use proptest::prelude::*;

    fn amount(whole: i64) -> Amount {
        Amount::parse(&whole.to_string()).unwrap()
    }

    fn monthly(anchor: DateTime<Utc>) -> Terms {
        Terms {
            cycle: Cycle { anchor, every: Span::of_months(1) },
            amount: amount(1000),
            starts_at: anchor,
            ends_at: None,
            periods: None,
            validity: Validity::PeriodEnd,
            proration: Proration { first: false, last: false },
            rollover: None,
            precision: Precision { decimals: 2, rounding: Rounding::HalfEven },
        }
    }

    fn new_line(terms: &Terms) -> Line {
        Line { since: Some(terms.starts_at), issued: None }
    }

    fn lots(terms: &Terms, until: DateTime<Utc>) -> Vec<(DateTime<Utc>, Option<DateTime<Utc>>, String)> {
        let due = due(terms, new_line(terms), Vec::new(), until, &Ahead(0));
        due.lots.iter().map(|lot| (lot.effective_at, lot.expires_at, lot.granted.to_string())).collect()
    }

    #[test]
    fn months_end_where_they_do() {
        let terms = monthly(date(2026, 1, 31));
        let starts: Vec<_> = lots(&terms, date(2026, 3, 31)).iter().map(|lot| (lot.0, lot.1.unwrap())).collect();
        let (january, february, march, april) = (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30));
        assert_eq!(starts, [(january, february), (february, march), (march, april)]);
        assert_eq!(lots(&terms, date(2026, 1, 30)), []);
    }

    #[test]
    fn the_first_period_is_the_one_that_contains_the_start() {
        let mut terms = Terms { starts_at: date(2026, 4, 11), ..monthly(date(2026, 1, 1)) };
        assert_eq!(lots(&terms, date(2026, 4, 30)), [(date(2026, 4, 11), Some(date(2026, 5, 1)), "1000".into())]);
        terms.proration.first = true;
        assert_eq!(lots(&terms, date(2026, 4, 30))[0].2, "666.67");
        terms.ends_at = Some(date(2026, 5, 11));
        terms.proration.last = true;
        let last = (date(2026, 5, 1), Some(date(2026, 5, 11)), "322.58".to_owned());
        assert_eq!(lots(&terms, date(2026, 9, 1))[1..], [last]);
        let counted = Terms { periods: Some(2), ..monthly(date(2026, 1, 1)) };
        assert_eq!(lots(&counted, date(2027, 1, 1)).len(), 2);
    }

    #[test]
    fn what_is_issued_lives_as_declared() {
        let until = date(2026, 1, 1);
        let ends = |validity| lots(&Terms { validity, ..monthly(date(2026, 1, 1)) }, until)[0].1;
        assert_eq!(ends(Validity::Never), None);
        assert_eq!(ends(Validity::Periods(3)), Some(date(2026, 4, 1)));
        assert_eq!(ends(Validity::After(Span::of_months(12))), Some(date(2027, 1, 1)));
        assert_eq!(ends(Validity::Until(date(2026, 1, 15))), Some(date(2026, 1, 15)));
        let terms = Terms { validity: Validity::Until(date(2026, 2, 15)), ..monthly(date(2026, 1, 1)) };
        assert_eq!(lots(&terms, date(2027, 1, 1)).len(), 2);
    }

    #[test]
    fn unused_credits_roll_before_fresh_ones_come() {
        let rollover = Rollover { fraction_of_unused: Some("0.5".parse().unwrap()), max_periods: Some(1), ..Rollover::default() };
        let terms = Terms { rollover: Some(rollover), ..monthly(date(2026, 4, 1)) };
        let due = due(&terms, new_line(&terms), Vec::new(), date(2026, 6, 1), &Ahead(0));
        let granted: Vec<_> = due.lots.iter().map(|lot| (lot.period, lot.rolled, lot.granted.to_string())).collect();
        let expected = [(0, 0, "1000"), (0, 1, "500"), (1, 0, "1000"), (1, 1, "500"), (2, 0, "1000")];
        assert_eq!(granted, expected.map(|(period, rolled, granted)| (period, rolled, granted.to_owned())));
        let lapsed: Amount =
            due.steps.iter().map(|step| if let Step::Lapse { amount, .. } = step { *amount } else { Amount::ZERO }).sum();
        assert_eq!(lapsed, amount(1500));
    }

    #[test]
    fn a_seat_that_is_given_up_gets_nothing_and_rolls_nothing() {
        let terms = Terms { rollover: Some(Rollover::default()), ..monthly(date(2026, 4, 1)) };
        let id = LotId::Known(7);
        let expires_at = Some(date(2026, 5, 1));
        let held = Held { id, period: 0, rolled: 0, original: amount(1000), remaining: amount(10), expires_at };
        let due = due(&terms, Line { since: None, issued: Some(0) }, vec![held], date(2026, 6, 1), &Ahead(0));
        assert_eq!(due.steps, [Step::Lapse { lot: id, amount: amount(10), at: date(2026, 5, 1), ends: true }]);
        assert_eq!((due.lots, due.next), (vec![], None));
    }

    /// Applies what is due to the lots that are held, as the ledger does.
    fn settle(held: Vec<Held>, due: &Due) -> Vec<Held> {
        let mut all: Vec<(LotId, Held)> = held.into_iter().map(|lot| (lot.id, lot)).collect();
        for step in &due.steps {
            match *step {
                Step::Begin { lot } => {
                    let Planned { period, rolled, granted, original, expires_at, .. } = due.lots[lot];
                    let id = LotId::Known(period * 100 + i64::from(rolled));
                    all.push((LotId::Planned(lot), Held { id, period, rolled, original, remaining: granted, expires_at }));
                }
                Step::Lapse { lot, ends: true, .. } => all.retain(|(id, _)| *id != lot),
                Step::Lapse { lot, amount, .. } => {
                    let held = all.iter_mut().find(|(id, _)| *id == lot).unwrap();
                    held.1.remaining = less(held.1.remaining, amount);
                }
            }
        }
        all.into_iter().map(|(_, lot)| lot).collect()
    }

    proptest! {
        /// Computed at every step or once at the end, the same is there.
        #[test]
        fn running_late_changes_nothing(
            fraction in 0..101_i64, most in 0..3000_i64, times in 0..4_i32, life in 1..5_i32, ahead in -12..15_i64,
            stops in prop::collection::vec(1..60_i64, 1..12),
        ) {
            let rollover = Rollover {
                fraction_of_unused: Some(rust_decimal::Decimal::new(fraction, 2)),
                max_amount: Some(amount(most)),
                max_periods: Some(times),
                expires_after: Some(Span::of_months(life)),
                ..Rollover::default()
            };
            let terms = Terms { rollover: Some(rollover), ..monthly(date(2026, 1, 31)) };
            let (mut line, mut held, mut now) = (new_line(&terms), Vec::new(), terms.starts_at);
            for stop in stops {
                now += chrono::TimeDelta::days(stop);
                let step = due(&terms, line, held.clone(), now, &Ahead(ahead));
                prop_assert!(step.next.is_none_or(|next| next > now));
                line.issued = step.lots.iter().filter(|lot| lot.rolled == 0).map(|lot| lot.period).max().or(line.issued);
                held = settle(held, &step);
            }
            let late = settle(Vec::new(), &due(&terms, new_line(&terms), Vec::new(), now, &Ahead(ahead)));
            let spendable = |lots: &[Held]| {
                let mut lots: Vec<_> = lots.iter().map(|lot| (lot.period, lot.rolled, lot.remaining, lot.expires_at)).collect();
                lots.sort_unstable();
                lots
            };
            prop_assert_eq!(spendable(&held), spendable(&late));
        }
    }
}
