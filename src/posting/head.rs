//! The lot that pays first: read straight from the index of the drawdown order where that is simple, by SQL otherwise.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use pgrx::pg_sys;

use crate::server::heap::{self, read, relations};
use crate::store::eligible::{self, Eligibility, Head};
use crate::store::{Column, Parameter};

/// The columns of `credit.lot` in sql/20_tables.sql that are read, counted from 0.
const LOT: usize = 0;
const EFFECTIVE_AT: usize = 1;
const EXPIRES_AT: usize = 2;
const SLOTS: usize = 6;
const APPLIES_TO: usize = 18;

/// The keys of the index, counted from 1.
const ACCOUNT: i16 = 10;
const UNIT: i16 = 11;

/// So many lots are passed over at most; SQL passes over more of them faster, within the index.
const MAX_PASSED_OVER: u32 = 4;

/// What was found without SQL.
enum Found {
    Head(Head),
    /// Nothing of this owner is usable.
    Nothing,
    /// There is more to consider than this simple search does.
    NotSimple,
}

/// The first usable lot in drawdown order; it may turn out to be empty.
pub fn head(eligible: Eligibility<'_>, now: DateTime<Utc>) -> Option<Head> {
    if !heap::is_allowed() {
        return eligible::head(eligible, now);
    }
    // The pool is only looked at when the member has nothing of his own.
    for owner in [Some(eligible.member).filter(|member| !member.is_empty()), Some("").filter(|_| eligible.pool)] {
        let Some(owner) = owner else { continue };
        match first_of(eligible, owner, now) {
            Found::Head(head) => return Some(head),
            Found::Nothing => {}
            Found::NotSimple => return eligible::head(eligible, now),
        }
    }
    None
}

/// The first lot of one owner, if it is in force and pays for every operation, or the few before it are merely not yet in effect.
fn first_of(eligible: Eligibility<'_>, owner: &str, now: DateTime<Utc>) -> Found {
    let (Some(account), Some(unit), Some(owner)) = (eligible.account.to_datum(), eligible.unit.to_datum(), owner.to_datum())
    else {
        return Found::NotSimple;
    };
    let mut keys = [
        heap::equals(ACCOUNT, pg_sys::F_TEXTEQ, account),
        heap::equals(UNIT, pg_sys::F_TEXTEQ, unit),
        heap::equals(heap::FIRST_EXPRESSION, pg_sys::F_TEXTEQ, owner),
    ];
    let relations = relations::relations();
    if !relations.lot.is_as_made {
        return Found::NotSimple;
    }
    let mut passed_over = 0;
    let visit = |row: &[Option<pg_sys::Datum>]| {
        let instant = |column: usize| row[column].map(|datum| unsafe { DateTime::<Utc>::from_sql(datum) });
        let (effective_at, expires_at) = (instant(EFFECTIVE_AT), instant(EXPIRES_AT));
        let is_expired = expires_at.is_some_and(|expires_at| expires_at <= now);
        if row[APPLIES_TO].is_some() || is_expired || passed_over == MAX_PASSED_OVER {
            return ControlFlow::Break(Found::NotSimple);
        }
        if effective_at.is_some_and(|effective_at| effective_at > now) {
            passed_over += 1;
            return ControlFlow::Continue(());
        }
        let number = |column: usize| row[column].map_or(0, |datum| datum.value() as i64);
        let (lot, slots) = (number(LOT), number(SLOTS) as i16);
        ControlFlow::Break(Found::Head(Head { lot, slots, expires_at, behind_expired: false }))
    };
    match read::scan_in_order(relations.lot, &mut keys, visit) {
        ControlFlow::Break(found) => found,
        ControlFlow::Continue(()) => Found::Nothing,
    }
}
