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
    /// Whether its lots end with it, at `ends_at`.
    pub ends_lots: bool,
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

/// The line as if periods were issued whose lots have expired by an instant, where nothing of them goes on.
pub fn passing_over_expired(terms: &Terms, line: Line, at: DateTime<Utc>, calendar: &impl Calendar) -> Line {
    if terms.settles() || at <= terms.starts_at {
        return line;
    }
    let last = match terms.validity {
        Validity::PeriodEnd => terms.cycle.containing(calendar, at) - 1,
        Validity::Periods(periods) => terms.cycle.containing(calendar, at) - i64::from(periods),
        Validity::After(Span { months, days, microseconds }) => {
            // Which months are taken away makes a difference of a few days, which another length and a week make up for.
            let back = Span { months: -months, days: -days - 7, microseconds: -microseconds };
            terms.cycle.containing(calendar, calendar.add(at, back)) - 1
        }
        Validity::Never | Validity::Until(_) => return line,
    };
    Line { issued: line.issued.max(Some(last)), ..line }
}

/// The lots that a line would be issued until an instant, from the first period on, whatever becomes of them.
pub fn preview(terms: &Terms, until: DateTime<Utc>, calendar: &impl Calendar) -> Vec<Planned> {
    let terms = Terms { rollover: None, ..terms.clone() };
    due(&terms, Line { since: Some(terms.starts_at), issued: None }, Vec::new(), until, calendar).lots
}

impl Terms {
    /// Whether lots are looked at when they end: what is left of them may go on, or their end may come sooner than they were told.
    pub fn settles(&self) -> bool {
        self.rollover.is_some() || self.ends_lots
    }

    /// The end of a lot's life, which the schedule's end may bring about.
    fn cut(&self, expires_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let end = self.ends_at.filter(|_| self.ends_lots);
        [expires_at, end].into_iter().flatten().min()
    }
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
        let expires_at = self.terms.cut(expires_at);
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
        if self.terms.settles() {
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
        // Nothing is carried beyond the end that ends all lots.
        let ends_all = self.terms.ends_lots && self.terms.ends_at.is_some_and(|ends_at| ends_at <= at);
        let policy = self.terms.rollover.as_ref().filter(|_| self.line.since.is_some() && !ends_all);
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
        let expires_at = expires_after.map_or_else(next_end, |span| self.calendar.add(at, span));
        Planned {
            period: lot.period,
            rolled: lot.rolled + 1,
            granted: amount,
            original: lot.original,
            effective_at: at,
            expires_at: self.terms.cut(Some(expires_at)),
            parent: Some(lot.id),
        }
    }
}

#[cfg(test)]
mod tests;
