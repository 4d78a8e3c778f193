//! The credits that will expire unused if usage goes on as it was.
//!
//! Every member and operation goes on at its own even pace, and draws from the lots in drawdown order. Between two instants at
//! which a lot begins or ends nothing changes but what is left, so these stretches are simulated as one debit each. What
//! schedules will issue until then competes with the lots that are there, and what rolls over is not lost.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::calendar::Calendar;
use crate::domain::ledger::drawdown::{Expiry, Rank};
use crate::domain::schedules::plan_schedule::Granted;
use crate::domain::schedules::schedule::{self, Held, Line, LotId, Planned, Step, Terms};

/// A lot as it is now.
#[derive(Clone, Debug)]
pub struct Lot {
    /// Its place in the drawdown order.
    pub rank: Rank,
    /// The member who owns the lot; `None` for the pool.
    pub member: Option<String>,
    /// The operations it pays for; `None` for all.
    pub applies_to: Option<Vec<String>>,
    pub remaining: Amount,
}

/// The use of one member for one operation in the time that is looked at.
#[derive(Clone, Debug)]
pub struct Usage {
    pub member: Option<String>,
    pub operation: Option<String>,
    pub amount: Amount,
    /// The member spends their own lots only.
    pub per_seat: bool,
}

/// The rate at which usage is carried on.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long the usage took.
    pub window: TimeDelta,
    /// How many decimals amounts have.
    pub decimals: u32,
}

/// A line of a schedule: what it goes on issuing, and what of its lots rolls over.
#[derive(Clone, Debug)]
pub struct Issuing<'a> {
    /// The terms of the schedule.
    pub terms: &'a Terms,
    /// The member whose lots it brings; `None` for the pool.
    pub member: Option<String>,
    /// Its seats: one, or those that feed the pool.
    pub seats: Vec<Line>,
    /// The earlier grants to each of them by a plan that was left.
    pub before: Vec<Vec<Granted>>,
    /// Its lots whose end has not been settled.
    pub held: Vec<Held>,
    /// Whether its lots are paid for.
    pub is_paid: bool,
    /// The priorities of fresh lots, and of those that were rolled.
    pub priorities: [i16; 2],
}

/// The fate of a lot until it expires; of a lot that never expires, until the last other one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    pub lot: i64,
    /// The amount that usage takes from it.
    pub used: Amount,
    /// The amount that goes on as another lot.
    pub rolled: Amount,
    /// The amount that is lost by the expiry.
    pub lost: Amount,
}

/// The fate of each lot, in drawdown order. Lots that schedules issue until the last of them expires pay as well, and so does
/// what rolls over. Their own fate is not told.
///
/// # Panics
/// When the window has no length.
pub fn forecast(
    lots: &[Lot],
    lines: Vec<Issuing<'_>>,
    usage: &[Usage],
    pace: Pace,
    now: DateTime<Utc>,
    calendar: &impl Calendar,
) -> Vec<Fate> {
    assert!(pace.window > TimeDelta::zero(), "a window without length");
    let mut known = lots.to_vec();
    known.sort_by_key(|lot| lot.rank);
    let Some(last) = known.iter().filter_map(end).max() else {
        return Simulation::new(known, lines).fates();
    };
    let mut simulation = Simulation::new(known, lines);
    simulation.turn(now, calendar);
    let mut from = now;
    while from < last {
        let until = simulation.next_turn(from).map_or(last, |next| next.min(last));
        for stream in usage {
            let due = pace.due(stream.amount, until - now) - pace.due(stream.amount, from - now);
            simulation.draw(stream, due, from);
        }
        simulation.turn(until, calendar);
        from = until;
    }
    simulation.fates()
}

fn end(lot: &Lot) -> Option<DateTime<Utc>> {
    match lot.rank.expiry {
        Expiry::At(expires_at) => Some(expires_at),
        Expiry::Never => None,
    }
}

impl Pace {
    /// The part of an amount per window that is used after some time, in billionths: rounded down to what can be debited, so that
    /// a stretch takes neither more nor less than its parts.
    fn due(&self, amount: Amount, elapsed: TimeDelta) -> i128 {
        let micros = |length: TimeDelta| i128::from(length.num_microseconds().unwrap_or(i64::MAX));
        let (window, elapsed) = (micros(self.window), micros(elapsed));
        let smallest = 10_i128.pow(MAX_DECIMALS - self.decimals);
        let amount = amount.nanos() / smallest;
        // Divided before it is multiplied, so that it stays within an i128; more than that nobody has.
        let whole = (amount / window).saturating_mul(elapsed);
        whole.saturating_add(amount % window * elapsed / window).saturating_mul(smallest)
    }
}

/// The fate of a lot so far, in billionths.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    left: i128,
    used: i128,
    rolled: i128,
    lost: i128,
}

struct Simulation<'a> {
    /// The lots that are told about, in drawdown order, and behind them those that come to be.
    lots: Vec<Lot>,
    courses: Vec<Course>,
    told: usize,
    /// The lots of each owner that hold something and have not expired, in drawdown order.
    of_owner: BTreeMap<Option<String>, Vec<usize>>,
    lines: Vec<(Issuing<'a>, Option<DateTime<Utc>>)>,
    by_id: BTreeMap<i64, usize>,
}

impl<'a> Simulation<'a> {
    fn new(lots: Vec<Lot>, lines: Vec<Issuing<'a>>) -> Simulation<'a> {
        let lines = lines.into_iter().map(|line| (line, Some(DateTime::<Utc>::MIN_UTC))).collect();
        let (told, by_id, of_owner) = (lots.len(), BTreeMap::new(), BTreeMap::new());
        let mut simulation = Simulation { lots: Vec::new(), courses: Vec::new(), told, of_owner, lines, by_id };
        lots.into_iter().for_each(|lot| simulation.add(lot));
        simulation
    }

    fn add(&mut self, lot: Lot) {
        let index = self.lots.len();
        self.by_id.insert(lot.rank.lot, index);
        self.courses.push(Course { left: lot.remaining.nanos(), ..Course::default() });
        let owned = self.of_owner.entry(lot.member.clone()).or_default();
        let place = owned.partition_point(|known| self.lots[*known].rank < lot.rank);
        owned.insert(place, index);
        self.lots.push(lot);
    }

    /// When a lot begins or ends next, or a schedule has something to do.
    fn next_turn(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let living = || self.of_owner.values().flatten().map(|index| &self.lots[*index]);
        let begins = living().map(|lot| lot.rank.effective_at);
        let turns = living().filter_map(end).chain(begins).chain(self.lines.iter().filter_map(|(_, next)| *next));
        turns.filter(|at| *at > after).min()
    }

    /// Draws what is due as a debit would from `from` on; what no lot covers is not used.
    fn draw(&mut self, stream: &Usage, due: i128, from: DateTime<Utc>) {
        let own = &stream.member;
        let owners = [own, &None].into_iter().take(if own.is_none() || stream.per_seat { 1 } else { 2 });
        let mut uncovered = due;
        for index in owners.filter_map(|owner| self.of_owner.get(owner)).flatten() {
            let (lot, course) = (&self.lots[*index], &mut self.courses[*index]);
            if lot.rank.effective_at <= from && lot.pays_for(stream.operation.as_deref()) {
                let drawn = course.left.min(uncovered);
                course.left -= drawn;
                course.used += drawn;
                uncovered -= drawn;
                if uncovered == 0 {
                    break;
                }
            }
        }
    }

    /// The events at an instant: schedules roll over and issue, then lots expire.
    fn turn(&mut self, at: DateTime<Utc>, calendar: &impl Calendar) {
        for index in 0..self.lines.len() {
            if self.lines[index].1.is_some_and(|next| next <= at) {
                self.issue(index, at, calendar);
            }
        }
        let Simulation { lots, courses, of_owner, .. } = self;
        for indexes in of_owner.values_mut() {
            indexes.retain(|index| {
                let course = &mut courses[*index];
                if end(&lots[*index]).is_some_and(|expires_at| expires_at <= at) {
                    course.lost += std::mem::take(&mut course.left);
                }
                course.left > 0
            });
        }
    }

    /// The line's schedule does up to an instant what its own rules say.
    fn issue(&mut self, index: usize, at: DateTime<Utc>, calendar: &impl Calendar) {
        let Issuing { terms, member, mut seats, before, mut held, is_paid, priorities } = self.lines[index].0.clone();
        for lot in &mut held {
            // One that has expired and waits for its rollover is not among the lots.
            if let Some(course) = self.course(lot.id) {
                lot.remaining = amount(course.left);
            }
        }
        let due = schedule::due(terms, &seats, &before, held.clone(), at, calendar);
        let first = self.lots.iter().map(|lot| lot.rank.lot).max().unwrap_or(0) + 1;
        let id = |lot: LotId| match lot {
            LotId::Planned(planned) => LotId::Known(first + planned as i64),
            known => known,
        };
        for (lot, parts) in due.lots.iter().zip(&due.parts) {
            parts.iter().for_each(|(seat, _)| seats[*seat].issued = seats[*seat].issued.max(Some(lot.period)));
        }
        for step in due.steps {
            match step {
                Step::Begin { lot } => {
                    let planned = due.lots[lot];
                    let rank = Rank {
                        pooled: member.is_none(),
                        priority: priorities[usize::from(planned.rolled > 0)],
                        general: true,
                        expiry: planned.expires_at.map_or(Expiry::Never, Expiry::At),
                        paid: is_paid,
                        effective_at: planned.effective_at,
                        lot: first + lot as i64,
                    };
                    if let Some(course) = planned.parent.and_then(|parent| self.course(id(parent))) {
                        course.left -= planned.granted.nanos();
                        course.rolled += planned.granted.nanos();
                    }
                    self.add(Lot { rank, member: member.clone(), applies_to: None, remaining: planned.granted });
                    if terms.settles() {
                        let Planned { period, rolled, original, granted, expires_at, .. } = planned;
                        held.push(Held { id: LotId::Known(rank.lot), period, rolled, original, remaining: granted, expires_at });
                    }
                }
                Step::Lapse { lot, amount, ends, .. } => {
                    if let Some(course) = self.course(id(lot)) {
                        course.left -= amount.nanos();
                        course.lost += amount.nanos();
                    }
                    held.retain(|known| !ends || known.id != id(lot));
                }
            }
        }
        let (known, next) = &mut self.lines[index];
        (known.seats, known.held, *next) = (seats, held, due.next);
    }

    fn course(&mut self, lot: LotId) -> Option<&mut Course> {
        match lot {
            LotId::Known(lot) => self.by_id.get(&lot).map(|index| &mut self.courses[*index]),
            LotId::Planned(_) => None,
        }
    }

    fn fates(&self) -> Vec<Fate> {
        let fate = |(lot, course): (&Lot, &Course)| Fate {
            lot: lot.rank.lot,
            used: amount(course.used),
            rolled: amount(course.rolled),
            lost: amount(course.lost),
        };
        self.lots.iter().zip(&self.courses).take(self.told).map(fate).collect()
    }
}

fn amount(nanos: i128) -> Amount {
    Amount::from_nanos(nanos).expect("a part of what a lot holds")
}

impl Lot {
    fn pays_for(&self, operation: Option<&str>) -> bool {
        match &self.applies_to {
            None => true,
            Some(operations) => operation.is_some_and(|operation| operations.iter().any(|known| known == operation)),
        }
    }
}

#[cfg(test)]
mod tests;
