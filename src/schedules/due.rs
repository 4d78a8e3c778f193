//! The lots that an account's schedules bring, line by line.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::exact::Fraction;
use crate::domain::maintenance::forecast::Issuing;
use crate::domain::schedules::plan_schedule::{Granted, History, LastGrant, Seat};
use crate::domain::schedules::rollover::{Drawn, Rollover};
use crate::domain::schedules::schedule::{self, Due, Held, Line, LotId, Step, Terms};
use crate::store::Snapshot;
use crate::store::ledger::account_calendar::AccountCalendar;
use crate::store::schedules::{self, HeldRow, IssuedLast, LineRow, Schedule};

/// The priorities that a lot may have.
const PRIORITIES: std::ops::RangeInclusive<i16> = 0..=1000;

/// An account's schedules and the lots that they have issued, as one snapshot shows them.
pub struct State {
    pub schedules: Vec<Schedule>,
    pub lines: Vec<OwnerLine>,
    pub held: Vec<HeldRow>,
    /// The last grants of schedules of plans that the account has left; empty where there are no two of them.
    issued_last: Vec<IssuedLast>,
    calendar: AccountCalendar,
}

/// A line of a schedule: whose lots it brings, and the seats that bring them.
pub struct OwnerLine {
    pub schedule: i64,
    /// Empty for the pool.
    pub owner: String,
    /// The owner's own, or those that feed the pool.
    pub seats: Vec<Line>,
    /// The members whose seats they are.
    members: Vec<String>,
}

/// The lots that are due of one line of a schedule.
pub struct LineDue<'a> {
    pub schedule: &'a Schedule,
    /// Empty for the pool.
    pub member: &'a str,
    /// The members whose seats feed the pool, where they do.
    pub seats: &'a [String],
    /// The earlier grants to each seat by plans that the account has left; empty where there are none.
    pub before: Vec<Vec<Granted>>,
    /// The lots and the steps that are due.
    pub due: Due,
}

impl State {
    /// Reads it.
    pub fn read(account: &str, snapshot: Snapshot) -> State {
        let held = schedules::held(account, snapshot);
        let rows = schedules::lines(account, snapshot);
        let schedules = schedules::schedules(account, snapshot);
        let mut lines = owner_lines(&schedules, rows);
        // A member who gave up the seat gets nothing new, but what they hold still ends.
        let known: BTreeSet<_> = lines.iter().map(|line| (line.schedule, line.owner.clone())).collect();
        let given_up: BTreeSet<_> =
            held.iter().map(|row| (row.schedule, row.member.clone())).filter(|line| !known.contains(line)).collect();
        let seats = || vec![Line { since: None, issued: None }];
        let given_up =
            given_up.into_iter().map(|(schedule, owner)| OwnerLine { schedule, owner, seats: seats(), members: Vec::new() });
        lines.extend(given_up);
        let has_changed = schedules.iter().filter(|schedule| schedule.of_plan.is_some()).count() > 1;
        let issued_last = if has_changed { schedules::issued_last(account, snapshot) } else { Vec::new() };
        State { schedules, lines, held, issued_last, calendar: AccountCalendar::of(account, snapshot) }
    }

    /// The account's calendar.
    pub fn calendar(&self) -> &AccountCalendar {
        &self.calendar
    }

    /// The earlier grants to the seats of a schedule's pool by plans that the account has left, as they are known at an instant.
    pub fn granted_before(&self, schedule: i64, now: DateTime<Utc>) -> Vec<Vec<Granted>> {
        self.due(now).into_iter().find(|line| line.schedule.id == schedule).map_or_else(Vec::new, |line| line.before)
    }

    /// The lines of the schedules in a unit, with what was issued.
    pub fn issuing(&self, unit: &str, now: DateTime<Utc>) -> Vec<Issuing<'_>> {
        let mut before: Vec<_> = self.due(now).into_iter().map(|line| line.before).collect();
        let line = |(index, OwnerLine { schedule, owner, seats, .. }): (usize, &OwnerLine)| {
            let of = self.schedule(*schedule);
            let held = self.held.iter().filter(|row| row.schedule == *schedule && row.member == *owner && !row.closed);
            (of.unit == unit).then(|| Issuing {
                terms: &of.terms,
                member: (!owner.is_empty()).then(|| owner.clone()),
                seats: seats.clone(),
                before: std::mem::take(&mut before[index]),
                held: held.map(|row| row.held).collect(),
                is_paid: of.category == "paid",
                priorities: [0, 1].map(|rolled| priority(of, rolled)),
            })
        };
        self.lines.iter().enumerate().filter_map(line).collect()
    }

    /// The lots that are due up to an instant.
    pub fn due(&self, until: DateTime<Utc>) -> Vec<LineDue<'_>> {
        self.due_of(until, |_, line| line)
    }

    /// The same without the lots that have expired by then, of which nothing goes on: months of short periods that nobody issued
    /// cost a reader nothing.
    pub fn due_for_reader(&self, until: DateTime<Utc>) -> Vec<LineDue<'_>> {
        self.due_of(until, |terms, line| schedule::passing_over_expired(terms, line, until, &self.calendar))
    }

    fn due_of(&self, until: DateTime<Utc>, begin: impl Fn(&Terms, Line) -> Line) -> Vec<LineDue<'_>> {
        let mut held: BTreeMap<(i64, &str), Vec<Held>> = BTreeMap::new();
        for row in &self.held {
            held.entry((row.schedule, &row.member)).or_default().push(row.held);
        }
        // Of an account's plans one after the other: what one brings depends on what those before have granted.
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        order.sort_by_key(|index| {
            let schedule = self.schedule(self.lines[*index].schedule);
            (schedule.terms.starts_at, schedule.id)
        });
        let mut history = History::default();
        let mut due: Vec<Option<LineDue<'_>>> = self.lines.iter().map(|_| None).collect();
        for index in order {
            let line = &self.lines[index];
            let held = held.remove(&(line.schedule, line.owner.as_str())).unwrap_or_default();
            let schedule = self.schedule(line.schedule);
            // Credits that are left of an earlier plan count for the next one, expired or not.
            let is_left = schedule.of_plan.is_some() && schedule.terms.ends_at.is_some();
            let begin = |seat: &Line| if is_left { *seat } else { begin(&schedule.terms, *seat) };
            let seats: Vec<Line> = line.seats.iter().map(begin).collect();
            let before = self.before(&history, line);
            let found = schedule::due(&schedule.terms, &seats, &before, held, until, &self.calendar);
            self.remember(&mut history, line, &before, &found);
            due[index] = Some(LineDue {
                schedule,
                member: &line.owner,
                seats: if schedule.into_pool { &line.members } else { &[] },
                before,
                due: found,
            });
        }
        due.into_iter().flatten().collect()
    }

    /// The earlier grants to the seats of a line, by plans that the account has left.
    fn before(&self, history: &History, line: &OwnerLine) -> Vec<Vec<Granted>> {
        let schedule = self.schedule(line.schedule);
        if schedule.of_plan.is_none() || self.issued_of_plans() < 2 {
            return Vec::new();
        }
        let before = |seat: usize| history.before(&line.seat(seat, schedule), schedule.terms.starts_at);
        let before: Vec<Vec<Granted>> = (0..line.seats.len()).map(before).collect();
        if before.iter().all(Vec::is_empty) { Vec::new() } else { before }
    }

    fn issued_of_plans(&self) -> usize {
        self.schedules.iter().filter(|schedule| schedule.of_plan.is_some()).count()
    }

    /// Adds to the history what a line of a plan's schedule used of it, and what it leaves when the account has left the plan.
    fn remember(&self, history: &mut History, line: &OwnerLine, before: &[Vec<Granted>], due: &Due) {
        let schedule = self.schedule(line.schedule);
        if schedule.of_plan.is_none() || self.issued_of_plans() < 2 {
            return;
        }
        let terms = &schedule.terms;
        for (index, seat) in line.seats.iter().enumerate() {
            let whose = line.seat(index, schedule);
            if let (Some(before), Some(since)) = (before.get(index), seat.since) {
                history.use_up(&whose, terms.ends_at, terms.used_of(since, before, &self.calendar));
            }
            // One that ended where it began may have brought its first period by then.
            if let Some(left_at) = terms.ends_at {
                for last in self.last_grants(line, index, left_at, due) {
                    history.leave(&whose, last.left_over(left_at, &self.calendar));
                }
            }
        }
    }

    /// The last grants to a seat by a schedule that ended: as they were issued, or as they are due.
    fn last_grants(&self, line: &OwnerLine, seat: usize, left_at: DateTime<Utc>, due: &Due) -> Vec<LastGrant> {
        let schedule = self.schedule(line.schedule);
        let member = line.members.get(seat).map_or(line.owner.as_str(), String::as_str);
        let ends = |period: i64| schedule.terms.cycle.start(&self.calendar, period + 1);
        // The part of a lot that lapses because its plan is left.
        let lapses = |id: LotId| {
            let of_lot = due.steps.iter().filter_map(|step| match *step {
                Step::Lapse { lot, amount, at, .. } if lot == id && at == left_at && schedule.terms.ends_lots => Some(amount),
                _ => None,
            });
            of_lot.sum::<Amount>()
        };
        // Of a lot that seats bring together each has its part.
        let part = |lapsed: Amount, granted: Amount, of_lot: Amount| {
            let share = Fraction::from(granted).over(&Fraction::from(of_lot)).expect("a lot is granted");
            Fraction::from(lapsed).times(&share)
        };
        let issued = self.issued_last.iter().filter(|issued| issued.schedule == line.schedule && issued.member == member);
        let issued = issued.map(|issued| {
            let lapsed = issued.lapsed.checked_add(lapses(LotId::Known(issued.lot))).expect("a part of a lot");
            LastGrant {
                of: (issued.effective_at, ends(issued.period)),
                granted: issued.granted,
                lapsed: part(lapsed, issued.granted, issued.of_lot),
            }
        });
        let planned = due.lots.iter().enumerate().filter(|(_, planned)| planned.rolled == 0).filter_map(|(lot, planned)| {
            let granted = due.parts[lot].iter().find(|(brought_by, _)| *brought_by == seat)?.1;
            let lapsed = part(lapses(LotId::Planned(lot)), granted, planned.granted);
            Some(LastGrant { of: (planned.effective_at, ends(planned.period)), granted, lapsed })
        });
        issued.chain(planned).collect()
    }

    /// When a period of a schedule of members begins next: there may be none, but an account that has such a schedule is looked
    /// at.
    pub fn next_of_members(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let alive = |schedule: &&Schedule| schedule.per_member && schedule.terms.ends_at.is_none_or(|ends_at| ends_at > until);
        let next = |schedule: &Schedule| {
            let cycle = schedule.terms.cycle;
            cycle.start(&self.calendar, cycle.containing(&self.calendar, until.max(schedule.terms.starts_at)) + 1)
        };
        self.schedules.iter().filter(alive).map(next).min()
    }

    /// The schedule of this id, which must be one of these.
    pub fn schedule(&self, id: i64) -> &Schedule {
        self.schedules.iter().find(|schedule| schedule.id == id).expect("the schedule of a line")
    }

    /// Whether the end of the lot, or a limit on what is carried, may take from it up to an instant.
    pub fn may_change(&self, row: &HeldRow, until: DateTime<Utc>) -> bool {
        let is_trimmed = || self.schedule(row.schedule).terms.rollover.as_ref().is_some_and(Rollover::trims);
        row.held.expires_at.is_some_and(|expires_at| expires_at <= until) || (row.held.rolled > 0 && is_trimmed())
    }
}

impl OwnerLine {
    /// The owner and the unit of the credits that the seat at this position brings.
    fn seat(&self, seat: usize, schedule: &Schedule) -> Seat {
        let member = self.members.get(seat).unwrap_or(&self.owner).clone();
        Seat { unit: schedule.unit.clone(), member }
    }
}

/// The seats that feed the pool together, and all others one by one.
fn owner_lines(schedules: &[Schedule], rows: Vec<LineRow>) -> Vec<OwnerLine> {
    let of_pool = schedules.iter().filter(|schedule| schedule.into_pool);
    let line = |schedule, owner| OwnerLine { schedule, owner, seats: Vec::new(), members: Vec::new() };
    let mut pools: BTreeMap<i64, OwnerLine> = of_pool.map(|of| (of.id, line(of.id, String::new()))).collect();
    let mut lines = Vec::new();
    for LineRow { schedule, member, line: seat } in rows {
        match pools.get_mut(&schedule) {
            Some(pool) => {
                pool.seats.push(seat);
                pool.members.push(member);
            }
            None => lines.push(OwnerLine { seats: vec![seat], ..line(schedule, member) }),
        }
    }
    lines.extend(pools.into_values());
    lines
}

impl LineDue<'_> {
    /// The priority of the line's lots: those that were rolled may be drawn before the others, or after them.
    pub fn priority(&self, rolled: i32) -> i16 {
        priority(self.schedule, rolled)
    }

    /// The credits that each seat brought to a lot, where seats feed the pool.
    pub fn seats_of(&self, lot: usize) -> Vec<(&str, Amount)> {
        let part = |(seat, amount): &(usize, Amount)| Some((self.seats.get(*seat)?.as_str(), *amount));
        self.due.parts[lot].iter().filter_map(part).collect()
    }

    /// From when on it counts that something was due: not before the schedule was made.
    pub fn counts_from(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.max(self.schedule.recorded_at)
    }
}

fn priority(schedule: &Schedule, rolled: i32) -> i16 {
    let own = schedule.priority;
    let drawn = schedule.terms.rollover.as_ref().and_then(|rollover| rollover.drawn).filter(|_| rolled > 0);
    let priority = match drawn {
        Some(Drawn::First) => own - 1,
        Some(Drawn::Last) => own + 1,
        None => own,
    };
    priority.clamp(*PRIORITIES.start(), *PRIORITIES.end())
}
