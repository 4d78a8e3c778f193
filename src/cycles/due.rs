//! What an account's schedules bring, line by line.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::forecast::Issuing;
use crate::domain::rollover::{Drawn, Rollover};
use crate::domain::schedule::{self, Due, Held, Line, Terms};
use crate::store::Snapshot;
use crate::store::account_calendar::AccountCalendar;
use crate::store::schedules::{self, HeldRow, LineRow, Schedule};

/// The priorities that a lot may have.
const PRIORITIES: std::ops::RangeInclusive<i16> = 0..=1000;

/// What an account's schedules are and have issued, as one snapshot shows it.
pub struct State {
    pub schedules: Vec<Schedule>,
    pub lines: Vec<OwnerLine>,
    pub held: Vec<HeldRow>,
    calendar: AccountCalendar,
}

/// A line of a schedule: whose lots it brings, and the seats that bring them.
pub struct OwnerLine {
    pub schedule: i64,
    /// Empty for the pool.
    pub owner: String,
    /// The owner's own, or those that feed the pool.
    pub seats: Vec<Line>,
    /// Whose seats they are.
    members: Vec<String>,
}

/// What is due of one line of a schedule.
pub struct LineDue<'a> {
    pub schedule: &'a Schedule,
    /// Empty for the pool.
    pub member: &'a str,
    /// Whose seats feed the pool, where they do.
    pub seats: &'a [String],
    pub due: Due,
}

impl State {
    /// Reads it.
    pub fn read(account: &str, snapshot: Snapshot) -> State {
        let held = schedules::held(account, snapshot);
        let rows = schedules::lines(account, snapshot);
        let schedules = schedules::schedules(account, snapshot);
        let mut lines = owner_lines(&schedules, rows);
        // Whoever gave up the seat gets nothing, but what is held still ends.
        let known: BTreeSet<_> = lines.iter().map(|line| (line.schedule, line.owner.clone())).collect();
        let given_up: BTreeSet<_> =
            held.iter().map(|row| (row.schedule, row.member.clone())).filter(|line| !known.contains(line)).collect();
        let seats = || vec![Line { since: None, issued: None }];
        let given_up =
            given_up.into_iter().map(|(schedule, owner)| OwnerLine { schedule, owner, seats: seats(), members: Vec::new() });
        lines.extend(given_up);
        State { schedules, lines, held, calendar: AccountCalendar::of(account, snapshot) }
    }

    /// The account's calendar.
    pub fn calendar(&self) -> &AccountCalendar {
        &self.calendar
    }

    /// What the schedules in a unit have before them, line by line, from what was issued.
    pub fn issuing(&self, unit: &str) -> Vec<Issuing<'_>> {
        let line = |OwnerLine { schedule, owner, seats, .. }: &OwnerLine| {
            let of = self.schedule(*schedule);
            let held = self.held.iter().filter(|row| row.schedule == *schedule && row.member == *owner && !row.closed);
            (of.unit == unit).then(|| Issuing {
                terms: &of.terms,
                member: (!owner.is_empty()).then(|| owner.clone()),
                seats: seats.clone(),
                held: held.map(|row| row.held).collect(),
                is_paid: of.category == "paid",
                priorities: [0, 1].map(|rolled| priority(of, rolled)),
            })
        };
        self.lines.iter().filter_map(line).collect()
    }

    /// What is due up to an instant.
    pub fn due(&self, until: DateTime<Utc>) -> Vec<LineDue<'_>> {
        self.due_of(until, |_, line| line)
    }

    /// The same without the lots that have expired by then, of which nothing goes on: months of short periods that nobody issued cost a
    /// reader nothing.
    pub fn due_for_reader(&self, until: DateTime<Utc>) -> Vec<LineDue<'_>> {
        self.due_of(until, |terms, line| schedule::passing_over_expired(terms, line, until, &self.calendar))
    }

    fn due_of(&self, until: DateTime<Utc>, begin: impl Fn(&Terms, Line) -> Line) -> Vec<LineDue<'_>> {
        let mut held: BTreeMap<(i64, &str), Vec<Held>> = BTreeMap::new();
        for row in &self.held {
            held.entry((row.schedule, &row.member)).or_default().push(row.held);
        }
        let of_line = self.lines.iter().map(|line| {
            let held = held.remove(&(line.schedule, line.owner.as_str())).unwrap_or_default();
            let schedule = self.schedule(line.schedule);
            let seats: Vec<Line> = line.seats.iter().map(|seat| begin(&schedule.terms, *seat)).collect();
            LineDue {
                schedule,
                member: &line.owner,
                seats: if schedule.into_pool { &line.members } else { &[] },
                due: schedule::due(&schedule.terms, &seats, held, until, &self.calendar),
            }
        });
        of_line.collect()
    }

    /// When a period of a schedule of members begins next: there may be none, but an account that has such a schedule is looked at.
    pub fn next_of_members(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let alive = |schedule: &&Schedule| schedule.per_member && schedule.terms.ends_at.is_none_or(|ends_at| ends_at > until);
        let next = |schedule: &Schedule| {
            let cycle = schedule.terms.cycle;
            cycle.start(&self.calendar, cycle.containing(&self.calendar, until.max(schedule.terms.starts_at)) + 1)
        };
        self.schedules.iter().filter(alive).map(next).min()
    }

    pub fn schedule(&self, id: i64) -> &Schedule {
        self.schedules.iter().find(|schedule| schedule.id == id).expect("the schedule of a line")
    }

    /// Whether the end of the lot, or a limit on what is carried, may take from it up to an instant.
    pub fn may_change(&self, row: &HeldRow, until: DateTime<Utc>) -> bool {
        let is_trimmed = || self.schedule(row.schedule).terms.rollover.as_ref().is_some_and(Rollover::trims);
        row.held.expires_at.is_some_and(|expires_at| expires_at <= until) || (row.held.rolled > 0 && is_trimmed())
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

    /// What each seat brought to a lot, where seats feed the pool.
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
