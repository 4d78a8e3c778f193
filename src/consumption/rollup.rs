//! Adding up the ledger, up to a watermark that no transaction can slip past.
//!
//! A line takes its posting id before its transaction commits, so what is seen up to some id says nothing of what still comes
//! below it. Hence the mark: the last id that was taken, and then the next transaction id. A transaction that took an id up to
//! the mark has a lower transaction id; once all of those have ended, the lines up to the mark are final, and only then are they
//! added up. The views take what is behind the watermark from the ledger, so they never depend on how far this has come.

use crate::server::locks::named;
use crate::server::transactions::{self, Place};
use crate::store::consumption::rollup::{self, Mark, Watermark};
use crate::store::maintenance::Due;

/// How many times its limit a batch passes over at most without finding a line that counts.
const MOST_IN_VAIN: i64 = 1024;

/// Adds up the lines of at most `limit` postings; how many. 0 when none are final, or while another session is at it. With `anew`
/// what was added up is forgotten first.
pub fn refresh(limit: i32, anew: bool) -> i64 {
    if !named::try_acquire_step(named::STEP_OF_ROLLUP) {
        return 0;
    }
    let here = Place::here();
    let known = rollup::read();
    // In another database other transactions were running, and whatever became of them, they are not ours.
    let kept = known.filter(|watermark| watermark.place == here && !anew);
    let mut watermark = kept.unwrap_or(Watermark { rolled_to: 0, final_to: 0, mark: None, place: here });
    if watermark.final_to == watermark.rolled_to {
        // Before anything is written: from then on this transaction is one of those that are running.
        advance(&mut watermark);
    }
    if known.is_some() && kept.is_none() {
        rollup::forget();
    }
    let rolled = roll(&mut watermark, i64::from(limit));
    if kept != Some(watermark) {
        rollup::write(&watermark);
    }
    rolled
}

/// How many postings are not added up, counted up to `most`, and since when.
pub fn due(most: i32) -> Due {
    let rolled_to = rollup::seen().filter(|(_, place)| *place == Place::here()).map_or(0, |(rolled_to, _)| rolled_to);
    rollup::due(rolled_to, i64::from(most))
}

/// Takes what the mark says for final, if it is, and sets the next mark. When nobody is writing, that is final at once.
fn advance(watermark: &mut Watermark) {
    for _ in 0..2 {
        if watermark.mark.is_none() {
            watermark.mark = next_mark(watermark.final_to);
        }
        match watermark.mark {
            Some(mark) if rollup::oldest_running() >= mark.before => {
                watermark.final_to = mark.posting;
                watermark.mark = None;
            }
            _ => return,
        }
    }
}

/// The next mark, unless there is nothing new. First the posting, then the transaction.
fn next_mark(final_to: i64) -> Option<Mark> {
    let posting = rollup::last_posting();
    let is_new = posting > final_to && !rollup::any_without_id();
    is_new.then(|| Mark { posting, before: transactions::next() })
}

/// Adds up what is final, as far as the limit goes, but goes on for a while over ids of which no line counts.
fn roll(watermark: &mut Watermark, limit: i64) -> i64 {
    let (begin, mut span) = (watermark.rolled_to, limit);
    while watermark.rolled_to < watermark.final_to && span <= limit * MOST_IN_VAIN {
        let from = watermark.rolled_to;
        watermark.rolled_to = watermark.final_to.min(from.saturating_add(span));
        if rollup::roll(from, watermark.rolled_to) > 0 {
            break;
        }
        span = span.saturating_mul(2);
    }
    watermark.rolled_to - begin
}
