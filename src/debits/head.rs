//! The lot that pays first: read straight from the index of the drawdown order where that is simple, by SQL otherwise.
//!
//! Within one priority, and within the lots limited to operations or the general ones of it, the index has the earliest expiry
//! first. So expired lots that nobody has closed yet are not walked through: where one is met, the search goes on behind all of
//! them, and then with the next such group.

use chrono::{DateTime, Utc};
use pgrx::{FromDatum, pg_sys};

use crate::debits::known_head;
use crate::server::heap;
use crate::server::heap::layout::Lot;
use crate::server::heap::read::Scan;
use crate::server::heap::tally::{self, Step};
use crate::server::invalidation;
use crate::store::debits::eligible::{self, Eligibility, Head};
use crate::store::{Column, Parameter};

/// The keys of the index `credit.lot_drawdown`, counted from 1.
mod key {
    /// The account.
    pub const ACCOUNT: i16 = 1;
    /// The unit.
    pub const UNIT: i16 = 2;
    /// The member who owns the lot; empty for the pool.
    pub const OWNER: i16 = 3;
    /// The priority; a lower one pays first.
    pub const PRIORITY: i16 = 4;
    /// Whether the lot pays for every operation.
    pub const GENERAL: i16 = 5;
    /// The instant of the expiry; infinity for none.
    pub const EXPIRY: i16 = 6;
}

/// How many lots are passed over at most because they are not yet in effect or pay for other operations. SQL passes over more of
/// them faster, within the index.
const MAX_PASSED_OVER: u32 = 4;

/// How many steps from group to group a search takes at most; then SQL searches.
const MAX_GROUPS: u32 = 16;

/// The result of a search without SQL.
enum Found {
    Head(Head),
    /// Nothing of this owner is usable.
    Nothing,
    /// There is more to consider than this simple search does.
    NotSimple,
}

/// Lots that the index has in the order of their expiry.
#[derive(Clone, Copy)]
struct Group {
    priority: i16,
    general: bool,
}

/// The first usable lot in drawdown order; it may turn out to be empty.
pub fn head(eligible: Eligibility<'_>, now: DateTime<Utc>) -> Option<Head> {
    if !heap::is_allowed() {
        return head_by_sql(eligible, now);
    }
    let generation = invalidation::generation_of_lots();
    let mut passed_any = false;
    // The pool is only looked at when the member has nothing of their own.
    for owner in [Some(eligible.member).filter(|member| !member.is_empty()), Some("").filter(|_| eligible.pool)] {
        let Some(owner) = owner else { continue };
        match first_of(eligible, owner, now, &mut passed_any) {
            Found::Head(head) => {
                tally::count(Step::FindHead, true);
                if !passed_any {
                    known_head::put(eligible, head, now, generation);
                }
                return Some(head);
            }
            Found::Nothing => {}
            Found::NotSimple => return head_by_sql(eligible, now),
        }
    }
    tally::count(Step::FindHead, true);
    None
}

fn head_by_sql(eligible: Eligibility<'_>, now: DateTime<Utc>) -> Option<Head> {
    tally::count(Step::FindHead, false);
    eligible::head(eligible, now)
}

/// The first usable lot of one owner; `passed_any` becomes true when open lots stand before it.
fn first_of(eligible: Eligibility<'_>, owner: &str, now: DateTime<Utc>, passed_any: &mut bool) -> Found {
    let texts = [(key::ACCOUNT, eligible.account), (key::UNIT, eligible.unit), (key::OWNER, owner)];
    let of_owner = texts.map(|(key, text)| heap::equals(key, pg_sys::F_TEXTEQ, text.datum()));
    let Some(scan) = Scan::open(|relations| relations.lot) else { return Found::NotSimple };
    let mut search = Search { scan, eligible, pooled: owner.is_empty(), now, passed_over: 0 };
    search.scan.seek(&mut of_owner.clone());
    let mut group = None;
    for _ in 0..MAX_GROUPS {
        let reached = search.go_on();
        *passed_any |= search.passed_over > 0 || matches!(reached, Reached::Expired(_));
        match reached {
            Reached::Found(found) => return found,
            Reached::Expired(expired) => {
                search.scan.seek(&mut [&of_owner[..], &in_force(expired, now)].concat());
                group = Some(expired);
            }
            Reached::End => {
                let Some(ended) = group else { return Found::Nothing };
                let behind = match ended.general {
                    false => {
                        let general = Group { general: true, ..ended };
                        group = Some(general);
                        in_force(general, now).to_vec()
                    }
                    true => {
                        group = None;
                        vec![heap::greater(key::PRIORITY, pg_sys::F_INT2GT, ended.priority.datum())]
                    }
                };
                search.scan.seek(&mut [&of_owner[..], &behind].concat());
            }
        }
    }
    Found::NotSimple
}

/// The lots of the group that have not expired.
fn in_force(group: Group, now: DateTime<Utc>) -> [pg_sys::ScanKeyData; 3] {
    [
        heap::equals(key::PRIORITY, pg_sys::F_INT2EQ, group.priority.datum()),
        heap::equals(key::GENERAL, pg_sys::F_BOOLEQ, group.general.datum()),
        heap::greater(key::EXPIRY, pg_sys::F_TIMESTAMPTZ_GT, now.datum()),
    ]
}

/// How far a search came.
enum Reached {
    Found(Found),
    /// To an expired lot of this group.
    Expired(Group),
    /// To the end of what was sought.
    End,
}

struct Search<'a> {
    scan: Scan<Lot>,
    eligible: Eligibility<'a>,
    pooled: bool,
    now: DateTime<Utc>,
    passed_over: u32,
}

impl Search<'_> {
    /// Goes on to the first lot that is usable or expired.
    fn go_on(&mut self) -> Reached {
        while let Some(row) = self.scan.next_row() {
            // SAFETY: it is called with columns of credit.lot that are instants.
            let instant = |column| row.get(column).map(|datum| unsafe { DateTime::<Utc>::from_sql(datum) });
            let number = |column| row.get(column).map_or(0, |datum| datum.value() as i64);
            let expires_at = instant(Lot::ExpiresAt);
            if expires_at.is_some_and(|expires_at| expires_at <= self.now) {
                let general = row.get(Lot::AppliesTo).is_none();
                return Reached::Expired(Group { priority: number(Lot::Priority) as i16, general });
            }
            let is_in_effect = instant(Lot::EffectiveAt).is_some_and(|effective_at| effective_at <= self.now);
            if is_in_effect && pays_for(self.eligible.operation, row.get(Lot::AppliesTo)) {
                let (lot, slots) = (number(Lot::Lot), number(Lot::Slots) as i16);
                return Reached::Found(Found::Head(Head { lot, slots, expires_at, pooled: self.pooled, behind_expired: false }));
            }
            if self.passed_over == MAX_PASSED_OVER {
                return Reached::Found(Found::NotSimple);
            }
            self.passed_over += 1;
        }
        Reached::End
    }
}

fn pays_for(operation: Option<&str>, applies_to: Option<pg_sys::Datum>) -> bool {
    let Some(operations) = applies_to else { return true };
    // SAFETY: the column `applies_to` of credit.lot is a text[], and the value is not NULL.
    let operations = unsafe { Vec::<String>::from_datum(operations, false) }.unwrap_or_default();
    operation.is_some_and(|operation| operations.iter().any(|known| known == operation))
}
