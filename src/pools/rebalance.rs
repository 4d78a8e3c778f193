//! Rebalancing an account's seats: many transfers as one, planned by what each seat holds and used.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::domain::pools::rebalance::{self, Move};
use crate::error::{self, Result};
use crate::ledger::closed;
use crate::ledger::{account, whole_lot};
use crate::pools::transfer::{self, Transfer};
use crate::schedules::refresh;
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::{clock, subtransaction};
use crate::store::Snapshot;
use crate::store::debits::eligible;
use crate::store::ledger::entries;
use crate::store::pools::transfers;

/// The seats that are rebalanced, and the usage that decides.
#[derive(Clone, Copy, Debug)]
pub struct Rebalance<'a> {
    pub account: &'a str,
    pub unit: &'a str,
    /// Usage counts from here.
    pub begin: DateTime<Utc>,
    pub metadata: Option<&'a str>,
}

/// The transfers that would be made, as the calling query sees it.
pub fn preview(request: Rebalance<'_>) -> Vec<Move> {
    plan(request, Snapshot::OfCaller)
}

fn plan(request: Rebalance<'_>, snapshot: Snapshot) -> Vec<Move> {
    let Rebalance { account, unit, begin, .. } = request;
    let seats = transfers::seats(account, unit, begin, clock::now(), snapshot);
    rebalance::plan(&seats, transfers::policy(account, snapshot))
}

/// Transfers what is planned, all or nothing; each move with its posting. When debits took meanwhile what was to be given, it is
/// planned anew.
///
/// # Errors
/// 55000 when a member becomes inactive meanwhile; 40001 when lots change all the time.
pub fn rebalance(request: Rebalance<'_>) -> Result<Vec<(Move, i64)>> {
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        refresh::first_touch(request.account)?;
        let _movable = closed::go_on(request.account);
        // Two of them would plan the same surplus twice.
        account::lock(request.account);
        let moves = plan(request, Snapshot::Fresh);
        if let Some(moved) = subtransaction::attempt(|| transfer_all(request, &moves))? {
            return Ok(moved);
        }
    }
    Err(error::too_contended(request.account, MAX_ATTEMPTS))
}

/// `None` when a giver has less by now, or something is due.
fn transfer_all(request: Rebalance<'_>, moves: &[Move]) -> Result<Option<Vec<(Move, i64)>>> {
    // Of all givers first, in the order that a batch of debits takes them in: not giver by giver.
    let givers: BTreeSet<&str> = moves.iter().map(|step| step.from.as_str()).collect();
    let givers: Vec<&str> = givers.into_iter().collect();
    for lot in eligible::open_lots(Snapshot::Fresh, request.account, request.unit, Some(&givers)) {
        pgrx::check_for_interrupts!();
        whole_lot::lock(request.account, lot);
    }
    // The lots are locked, so that nothing of it has to be taken back any more.
    if plan(request, Snapshot::Fresh) != moves {
        return Ok(None);
    }
    let mut moved = Vec::new();
    for step in moves {
        let transfer = Transfer {
            account: request.account,
            amount: step.amount,
            from: Some(&step.from),
            to: Some(&step.to),
            unit: Some(request.unit),
            lot: None,
            keyed: None,
            metadata: request.metadata,
        };
        match transfer::give(transfer, entries::next_posting())? {
            Some(posting) => moved.push((step.clone(), posting)),
            None => return Ok(None),
        }
    }
    Ok(Some(moved))
}
