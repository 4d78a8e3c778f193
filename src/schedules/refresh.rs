//! Issuing what is due: once, in the order of time, with the dates it was due.
//!
//! The account's row is locked while it is refreshed, so two refreshes of an account follow each other, and the second finds
//! nothing to do. Lots whose end is settled are locked wholly. Nobody waits for a lot while holding the account: a transaction
//! that has debited the lot may want to refresh the account next.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::ledger::layout;
use crate::domain::schedules::schedule::{LotId, Step};
use crate::error::{self, Result};
use crate::ledger::closed;
use crate::ledger::whole_lot;
use crate::schedules::due::{LineDue, State};
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::arrival;
use crate::server::locks::slot::{SlotLock, Striped};
use crate::server::{clock, subtransaction};
use crate::store::Snapshot;
use crate::store::ledger::lots::{self, HandedOn};
use crate::store::ledger::slots::{self, Layout};
use crate::store::ledger::{accounts, breakage, corrections};
use crate::store::schedules::{self, HeldRow};

/// Issues what is due now; waits for another session that is just doing it.
///
/// # Errors
/// 40001 when lots change all the time.
pub fn first_touch(account: &str) -> Result<()> {
    let _movable = closed::go_on(account);
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        if !is_due(account, clock::now()) {
            return Ok(());
        }
        arrival::let_in(account);
        let any_unsettled = wait_for_lots(account)?;
        let issue_locked = || {
            accounts::lock(account);
            Ok(issue(account, clock::now()))
        };
        // Where a lot is held after all, the account is let go again.
        let issued = if any_unsettled { subtransaction::attempt(issue_locked)? } else { issue_locked()? };
        if issued.is_some() {
            return Ok(());
        }
    }
    Err(error::too_contended(account, MAX_ATTEMPTS))
}

/// Whether something of the account's schedules is to be issued by an instant.
pub fn is_due(account: &str, until: DateTime<Utc>) -> bool {
    accounts::refresh_at(account).is_some_and(|refresh_at| refresh_at <= until)
}

/// Issues the lots of an account that were due until an instant, unless somebody holds the account; how many. It never waits.
pub fn if_free(account: &str, until: DateTime<Utc>) -> Option<i64> {
    let is_free = arrival::let_in_if_free(account) && accounts::lock_if_free(account);
    let _movable = closed::go_on(account);
    is_free.then(|| issue(account, until))?
}

/// Issues what is due of at most `limit` accounts that nobody holds; how many.
pub fn all_free(limit: i32) -> i64 {
    let now = clock::now();
    accounts::due(now, limit).into_iter().filter(|account| if_free(account, now).is_some()).count() as i64
}

/// Waits until nobody holds the lots that the refresh may change, and lets them go again; whether any is unsettled.
fn wait_for_lots(account: &str) -> Result<bool> {
    let now = clock::now();
    let held = schedules::held(account, Snapshot::Fresh);
    let changing = |row: &&HeldRow| row.held.rolled > 0 || row.held.expires_at.is_some_and(|expires_at| expires_at <= now);
    for row in held.iter().filter(|row| !row.closed).filter(changing) {
        wait_for_lot(account, row.lot, row.slots)?;
    }
    Ok(!held.is_empty())
}

/// Waits until nobody holds the lot, and lets it go again.
pub fn wait_for_lot(account: &str, lot: i64, slots: i16) -> Result<()> {
    // The slots are locked before the row: a session that holds one may want to lock the row next.
    (0..slots).for_each(|slot| SlotLock::acquire(Striped::Lot(lot), slot).release());
    subtransaction::attempt(|| {
        lots::lock(account, lot);
        Ok(None::<()>)
    })?;
    Ok(())
}

/// Issues what was due, with the account's row locked; how many lots. `None` when somebody holds a lot that is to be settled.
fn issue(account: &str, until: DateTime<Utc>) -> Option<i64> {
    if !is_due(account, until) {
        return Some(0);
    }
    let mut state = State::read(account, Snapshot::Fresh);
    let mut left = HashMap::new();
    for index in 0..state.held.len() {
        let row = &state.held[index];
        if row.closed || !state.may_change(row, until) {
            continue;
        }
        let whole = whole_lot::lock_if_free(account, row.lot)?;
        left.insert(row.lot, OpenLot { lot: row.lot, slots: whole.slots.len(), remaining: whole.remaining() });
        state.held[index].held.remaining = whole.remaining();
    }
    let due = state.due(until);
    let now = clock::now();
    let issued = due.iter().map(|line| Writer { account, line, now, known: &mut left, planned: Vec::new() }.write()).sum();
    let next = due.iter().filter_map(|line| line.due.next).chain(state.next_of_members(until)).min();
    accounts::set_refresh_at(account, next);
    Some(issued)
}

/// A lot in the hands of the refresh.
#[derive(Clone, Copy)]
struct OpenLot {
    lot: i64,
    slots: usize,
    remaining: Amount,
}

/// Writes what is due of one line.
struct Writer<'a> {
    account: &'a str,
    line: &'a LineDue<'a>,
    now: DateTime<Utc>,
    /// The locked lots that were there before; a closed one is not among them.
    known: &'a mut HashMap<i64, OpenLot>,
    /// Those that came to be.
    planned: Vec<OpenLot>,
}

impl Writer<'_> {
    /// Writes the steps in their order; how many lots came to be.
    fn write(mut self) -> i64 {
        let line = self.line;
        line.due.steps.iter().map(|step| self.step(*step)).filter(|begun| *begun).count() as i64
    }

    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Begin { lot } => self.begin(lot),
            Step::Lapse { lot, amount, at, ends } => {
                self.lapse(lot, amount, at, ends);
                false
            }
        }
    }

    fn begin(&mut self, index: usize) -> bool {
        let (line, account) = (self.line, self.account);
        let planned = &line.due.lots[index];
        let lot = lots::next_id();
        let due_at = line.counts_from(planned.effective_at);
        let begun = match planned.parent {
            None => {
                let settled = !line.schedule.terms.settles();
                let parts = line.seats_of(index);
                let of_seats = (!parts.is_empty()).then_some(parts.as_slice());
                schedules::issue(account, (line.schedule.id, line.member), lot, planned, of_seats, settled, due_at, self.now)
            }
            Some(parent) => {
                let parent = self.open(parent).expect("a lot that is in hand");
                let held = parent.remaining;
                parent.remaining = held.checked_sub(planned.granted).expect("a part of what is left");
                let from = parent.lot;
                let rolled = HandedOn::of(corrections::price(account, from), (from, held), lot, planned.granted);
                schedules::roll(account, rolled, planned, line.priority(planned.rolled), due_at, self.now);
                true
            }
        };
        assert!(begun, "period {} of schedule {} was issued already", planned.period, line.schedule.id);
        assert_eq!(self.planned.len(), index, "lots come to be in their order");
        self.planned.push(OpenLot { lot, slots: 1, remaining: planned.granted });
        true
    }

    /// The lot, unless it ran empty: then it is closed, and nobody's.
    fn open(&mut self, id: LotId) -> Option<&mut OpenLot> {
        match id {
            LotId::Known(lot) => self.known.get_mut(&lot),
            LotId::Planned(index) => self.planned.get_mut(index),
        }
    }

    fn lapse(&mut self, id: LotId, amount: Amount, at: DateTime<Utc>, ends: bool) {
        let account = self.account;
        let Some(open) = self.open(id) else {
            if let LotId::Known(lot) = id {
                schedules::settle(account, lot);
            }
            return;
        };
        let left = open.remaining.checked_sub(amount).expect("a part of what is left");
        open.remaining = left;
        let OpenLot { lot, slots, .. } = *open;
        let remaining = layout::divide(left, slots, self.line.schedule.terms.precision.decimals);
        slots::set_slots(&[Layout { account, lot, remaining }]);
        if left.is_zero() {
            lots::close(&[(account, lot)]);
        }
        if amount.is_positive() {
            breakage::expire(account, lot, amount, self.line.counts_from(at), self.now);
        }
        if ends {
            schedules::settle(account, lot);
        }
    }
}
