//! Slots, of lots and of caps alike: which one to try first, which one to wait for, and how one is divided.
//!
//! Debits queue for what lies in one row. So the remainder of a lot, and the headroom of a cap, lies in several slots: each
//! backend begins with its own, goes on to one that nobody holds, and adds slots where it had to wait.

use crate::domain::amount::Amount;
use crate::domain::ledger::layout;
use crate::server::backend;
use crate::settings;

/// How many free slots may turn out too short before all are looked at in one statement: each costs a lock and a look.
const MAX_SHORT_SLOTS: u32 = 2;

/// The result of trying one slot.
pub enum Tried<T> {
    Taken(T),
    /// Somebody else holds it.
    Held,
    /// It was free and has too little.
    TooShort,
}

/// The result of looking for a free slot.
pub enum Search<T> {
    Taken(T),
    /// Others hold all of them.
    AllHeld,
    /// Some were free and had too little.
    TooShort,
}

/// Tries slots, from `first` on, until one has enough.
///
/// # Errors
/// An error of `attempt` ends the search.
pub fn search<T, E>(slots: i16, first: i16, mut attempt: impl FnMut(i16) -> Result<Tried<T>, E>) -> Result<Search<T>, E> {
    let mut short = 0;
    for step in 0..slots {
        match attempt((first + step) % slots)? {
            Tried::Taken(taken) => return Ok(Search::Taken(taken)),
            Tried::Held => {}
            Tried::TooShort => short += 1,
        }
        if short == MAX_SHORT_SLOTS {
            break;
        }
    }
    Ok(if short == 0 { Search::AllHeld } else { Search::TooShort })
}

/// The slot that this backend begins with: backends spread over the slots by their number.
pub fn own_slot(slots: i16) -> i16 {
    (backend::number() % slots as u32) as i16
}

/// The covering slot at or after one's own, so that those that wait spread over several.
pub fn nearest(covering: &[i16], own: i16) -> Option<i16> {
    covering.iter().find(|slot| **slot >= own).or(covering.first()).copied()
}

/// Whether there may be more slots.
pub fn may_grow(slots: i16) -> bool {
    layout::growth(slots, settings::max_slots()) > 0
}

/// Divides what is left in a slot, so that fewer have to wait: what the slot keeps, and what the slots get that are added to
/// `existing` ones. They are doubled, as far as each part still serves several debits of `amount`. `None` where that is not worth
/// it.
pub fn division(left: Amount, amount: Amount, existing: i16, decimals: u32) -> Option<(Amount, Vec<Amount>)> {
    let added = layout::growth(existing, settings::max_slots());
    let mut parts = layout::split(left, amount, added, decimals).into_iter();
    let own = parts.next()?;
    let others: Vec<Amount> = parts.collect();
    (!others.is_empty()).then_some((own, others))
}
