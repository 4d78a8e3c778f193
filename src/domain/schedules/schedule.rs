//! The lots that a schedule brings: which are due, with which dates, and which part of their unused credits rolls on.
//!
//! One line of a schedule is its account's pool, one member, or the pool that seats feed: then what they bring at one instant is
//! one lot. A line is computed in the order of time from what was issued before, so it comes out the same whether it is computed
//! at every boundary or months later: from the boundary on nobody spends before what is due is there. At one instant unused
//! credits roll before fresh ones are issued.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::calendar::{Calendar, Cycle, Span};
use crate::domain::exact::{Fraction, Precision};
use crate::domain::schedules::plan_schedule::{self, Granted, Measure, Stretch};
use crate::domain::schedules::rollover::{Rollover, Unused, less};

/// The microseconds of a day, except where the clock is changed.
const DAY: i64 = 86_400_000_000;

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

/// The incomplete periods that get only a part of the amount, by their days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proration {
    pub first: bool,
    pub last: bool,
}

/// The terms that were declared.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The periods.
    pub cycle: Cycle,
    /// The amount of a whole period.
    pub amount: Amount,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    /// The number of periods, counted from the one that contains `starts_at`.
    pub periods: Option<i32>,
    /// How long its lots live.
    pub validity: Validity,
    pub proration: Proration,
    pub rollover: Option<Rollover>,
    /// How amounts are rounded in its unit.
    pub precision: Precision,
    /// Whether its lots end with it, at `ends_at`.
    pub ends_lots: bool,
}

/// The pool, or a seat since a member has it; `None` when there is none any more.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Since when the seat is taken; `None` where nobody has it.
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
    /// The number of the period that the credits were issued for.
    pub period: i64,
    /// How often they were rolled.
    pub rolled: i32,
    /// The amount that was issued for the period.
    pub original: Amount,
    /// The amount that is left.
    pub remaining: Amount,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A lot that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The number of the period that the credits are issued for.
    pub period: i64,
    /// How often they were rolled.
    pub rolled: i32,
    /// The amount that the lot begins with.
    pub granted: Amount,
    /// The amount that was issued for the period.
    pub original: Amount,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// The lot it was rolled from.
    pub parent: Option<LotId>,
}

/// The events of a line, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The planned lot begins, with credits of its parent if it has one.
    Begin { lot: usize },
    /// A part of the lot lapses; the lot is over if `ends`.
    Lapse { lot: LotId, amount: Amount, at: DateTime<Utc>, ends: bool },
}

/// The lots and steps that are due of a line.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// The lots that come to be.
    pub lots: Vec<Planned>,
    /// The events, in the order of time.
    pub steps: Vec<Step>,
    /// The amount that each seat brought to each of the lots, by the seats' positions; nothing for a lot that was rolled.
    pub parts: Vec<Vec<(usize, Amount)>>,
    /// When there is more to do.
    pub next: Option<DateTime<Utc>>,
}

/// The lots and steps of the line that are due up to an instant. The pool or a member is one seat; where several feed the pool,
/// or none does at present, the line is all of them. `before` has for each seat the amount that the schedules of a plan that was
/// left granted for the same time: by that much less is due. It is empty where nothing was.
pub fn due(
    terms: &Terms,
    seats: &[Line],
    before: &[Vec<Granted>],
    held: Vec<Held>,
    until: DateTime<Utc>,
    calendar: &impl Calendar,
) -> Due {
    let mut work = Work { terms, seats, before, held, calendar, due: Due::default() };
    let mut fresh = Fresh::new();
    for seat in 0..seats.len() {
        add(&mut fresh, seat, work.first(seat));
    }
    loop {
        let issue = fresh.keys().next().copied();
        let end = work.next_end();
        let Some(at) = [issue, end].into_iter().flatten().min().filter(|at| *at <= until) else {
            work.due.next = [issue, end].into_iter().flatten().min();
            return work.due;
        };
        // Unused credits roll before fresh credits come.
        let brought = if end == Some(at) { None } else { fresh.remove(&at) };
        match brought {
            Some(brought) => {
                work.begin_together(&brought);
                for (seat, planned) in brought {
                    add(&mut fresh, seat, work.after(seat, planned.period));
                }
            }
            None => work.roll(at),
        }
    }
}

/// The next credits of the seats, by when they come.
type Fresh = BTreeMap<DateTime<Utc>, Vec<(usize, Planned)>>;

fn add(fresh: &mut Fresh, seat: usize, planned: Option<Planned>) {
    if let Some(planned) = planned {
        fresh.entry(planned.effective_at).or_default().push((seat, planned));
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
            // A few days depend on which months are taken away; another length and a week make up for them.
            let back = Span { months: -months, days: -days - 7, microseconds: -microseconds };
            terms.cycle.containing(calendar, calendar.add(at, back)) - 1
        }
        Validity::Never | Validity::Until(_) => return line,
    };
    Line { issued: line.issued.max(Some(last)), ..line }
}

/// The lots that a line of so many seats would be issued until an instant, from the first period on, whatever becomes of them.
pub fn preview(
    terms: &Terms,
    seats: usize,
    before: &[Vec<Granted>],
    until: DateTime<Utc>,
    calendar: &impl Calendar,
) -> Vec<Planned> {
    let terms = Terms { rollover: None, ..terms.clone() };
    let seats = vec![Line { since: Some(terms.starts_at), issued: None }; seats];
    due(&terms, &seats, before, Vec::new(), until, calendar).lots
}

impl Terms {
    /// Whether lots are looked at when they end: what is left of them may go on, or their end may come sooner than they were
    /// told.
    pub fn settles(&self) -> bool {
        self.rollover.is_some() || self.ends_lots
    }

    /// The credits that a seat gets for a period from an instant in it on, less those that it was granted before: rounded once.
    fn granted(&self, before: &[Granted], whole: Stretch, from: DateTime<Utc>, calendar: &impl Calendar) -> Amount {
        let (part, credits) = self.prorated(whole, from, calendar);
        if before.is_empty() {
            return if part == whole { self.amount } else { credits.round(self.precision).expect("a part of an amount") };
        }
        let known = plan_schedule::granted_before(before, self.time(whole, from), &credits, self.measure(), calendar);
        credits.minus(&known).round(self.precision).expect("a part of an amount")
    }

    /// The days of a period that its amount is for, and the part of the amount for them; a day that has begun counts at the
    /// beginning, not at the end. Periods within a day count by the time itself.
    fn prorated(&self, whole: Stretch, from: DateTime<Utc>, calendar: &impl Calendar) -> (Stretch, Fraction) {
        let time = self.time(whole, from);
        let part = (if self.proration.first { time.0 } else { whole.0 }, time.1);
        let share = if part == whole { Fraction::whole(1) } else { plan_schedule::share(whole, part, Measure::Days, calendar) };
        (part, share.times(&Fraction::from(self.amount)))
    }

    /// How what was granted before is measured.
    fn measure(&self) -> Measure {
        if self.cycle.every.mean_microseconds() < DAY { Measure::Time } else { Measure::Days }
    }

    /// The time that what is granted from an instant in a period on is for.
    fn time(&self, whole: Stretch, from: DateTime<Utc>) -> Stretch {
        let end = self.ends_at.filter(|_| self.proration.last).map_or(whole.1, |ends_at| ends_at.min(whole.1));
        (from.max(whole.0), end)
    }

    /// The part of the earlier grants that a seat's periods make use of.
    pub fn used_of(&self, since: DateTime<Utc>, before: &[Granted], calendar: &impl Calendar) -> Vec<Granted> {
        let since = since.max(self.starts_at);
        let Some(last) = before.iter().map(|granted| granted.of.1).max() else { return Vec::new() };
        let first = self.cycle.containing(calendar, since);
        let limit = self.periods.map(|periods| self.cycle.containing(calendar, self.starts_at) + i64::from(periods));
        let mut used = Vec::new();
        for period in first.. {
            let whole = (self.cycle.start(calendar, period), self.cycle.start(calendar, period + 1));
            let from = whole.0.max(since);
            let is_over =
                from >= last || self.ends_at.is_some_and(|ends_at| from >= ends_at) || limit.is_some_and(|limit| period >= limit);
            if is_over {
                break;
            }
            let (_, credits) = self.prorated(whole, from, calendar);
            let of = self.time(whole, from);
            let known = plan_schedule::granted_before(before, of, &credits, self.measure(), calendar);
            if of.0 < of.1 {
                used.push(Granted { of, credits: Fraction::zero().minus(&known) });
            }
        }
        used
    }

    /// The end of a lot's life, which the schedule's end may bring about.
    fn cut(&self, expires_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let end = self.ends_at.filter(|_| self.ends_lots);
        [expires_at, end].into_iter().flatten().min()
    }
}

struct Work<'a, C> {
    terms: &'a Terms,
    seats: &'a [Line],
    /// The earlier grants to each seat; empty where there are none.
    before: &'a [Vec<Granted>],
    held: Vec<Held>,
    calendar: &'a C,
    due: Due,
}

impl<C: Calendar> Work<'_, C> {
    /// The first credits of a seat that were not issued yet.
    fn first(&self, seat: usize) -> Option<Planned> {
        let line = self.seats[seat];
        let since = line.since?.max(self.terms.starts_at);
        let first = self.terms.cycle.containing(self.calendar, since);
        self.from(seat, line.issued.map_or(first, |issued| first.max(issued + 1)))
    }

    fn after(&self, seat: usize, period: i64) -> Option<Planned> {
        self.from(seat, period + 1)
    }

    /// The credits of a seat in this period, or in the next in which it brings some.
    fn from(&self, seat: usize, mut period: i64) -> Option<Planned> {
        let terms = self.terms;
        let first = terms.cycle.containing(self.calendar, terms.starts_at);
        let since = self.seats[seat].since?.max(terms.starts_at);
        loop {
            let start = terms.cycle.start(self.calendar, period);
            let is_over = terms.ends_at.is_some_and(|ends_at| start.max(since) >= ends_at)
                || terms.periods.is_some_and(|periods| period - first >= periods.into())
                || matches!(terms.validity, Validity::Until(at) if at <= start);
            if is_over {
                return None;
            }
            if let Some(planned) = self.of_period(seat, period, start, since) {
                return Some(planned);
            }
            period += 1;
        }
    }

    /// The lot of a period; `None` when nothing of it is left, or it has no length.
    fn of_period(&self, seat: usize, period: i64, start: DateTime<Utc>, since: DateTime<Utc>) -> Option<Planned> {
        let terms = self.terms;
        let whole_end = terms.cycle.start(self.calendar, period + 1);
        let end = terms.ends_at.map_or(whole_end, |ends_at| ends_at.min(whole_end));
        let effective_at = start.max(since);
        if effective_at >= end {
            return None;
        }
        let granted =
            terms.granted(self.before.get(seat).map_or(&[], Vec::as_slice), (start, whole_end), effective_at, self.calendar);
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

    /// The credits that seats bring at one instant are one lot, unless they are more than a lot can hold.
    fn begin_together(&mut self, brought: &[(usize, Planned)]) {
        let mut rest = brought;
        while let [(_, first), ..] = rest {
            let (mut granted, mut parts) = (Amount::ZERO, Vec::with_capacity(rest.len()));
            for (seat, planned) in rest {
                let Some(sum) = granted.checked_add(planned.granted) else { break };
                granted = sum;
                parts.push((*seat, planned.granted));
            }
            rest = &rest[parts.len()..];
            self.begin(Planned { granted, original: granted, ..*first }, parts);
        }
    }

    fn begin(&mut self, planned: Planned, parts: Vec<(usize, Amount)>) -> LotId {
        let lot = self.due.lots.len();
        self.due.lots.push(planned);
        self.due.parts.push(parts);
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
        let is_given_up = self.seats.iter().any(|seat| seat.since.is_none());
        let policy = self.terms.rollover.as_ref().filter(|_| !is_given_up && !ends_all);
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
                    self.begin(self.rolled(&lot, carried, at), Vec::new());
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
