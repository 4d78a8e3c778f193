//! Usage that comes late: after the expiry of a lot which was in force when it happened. Its account says what happens then.
//!
//! Where the expired lots pay, they pay with what they lost: the expiry is taken back by an entry that names it, and the debit
//! follows it in the same posting. A lot stays closed and empty through that; what is locked is its row in `credit.breakage`,
//! before any lot. The part that expired lots do not cover is drawn as if the usage were of now.

use chrono::{DateTime, Utc};

use crate::caps::{Counted, whole};
use crate::debits::capped;
use crate::debits::drawing::Drawing;
use crate::debits::outcome::Outcome;
use crate::debits::request::Debit;
use crate::debits::write;
use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::debits::late::LateUsage;
use crate::domain::exact;
use crate::domain::ledger::drawdown::{self, Source};
use crate::error::{self, CapReached, Result};
use crate::ledger::expiry;
use crate::server::locks::arrival;
use crate::server::{clock, invalidation, subtransaction};
use crate::store::Snapshot;
use crate::store::caps::Cap;
use crate::store::debits::eligible::{self, Eligibility, NO_LOT};
use crate::store::ledger::accounts::Context;
use crate::store::ledger::breakage::{self, Lapsed, Lateness, TakenBack};
use crate::store::ledger::entries::{self, BatchLine, DebitLine, Usage};

/// When the usage happened, if that is in the past and the account has other things done to late usage than the usual.
pub fn instant(occurred_at: Option<DateTime<Utc>>, context: &Context) -> Option<DateTime<Utc>> {
    let at = occurred_at.filter(|_| context.late_usage != LateUsage::Current)?;
    let now = clock::now();
    // Usage since the transaction began is usage of now.
    (clock::of_now(at, now) < now).then_some(at)
}

/// Draws for usage of the past as its account says; `None` when account or member changed during a wait.
///
/// # Errors
/// 55000 where late usage is rejected; what a debit raises.
pub fn draw(drawing: &Drawing<'_>, policy: LateUsage, at: DateTime<Utc>) -> Result<Option<Outcome>> {
    // The losses of expired lots are known only once the account's schedules are settled.
    if drawing.is_due(clock::now()) {
        return Ok(None);
    }
    match policy {
        LateUsage::Original => draw_from_expired(drawing, at),
        LateUsage::Reject => check_in_time(drawing.eligible, at).and_then(|()| capped::draw(drawing)),
        LateUsage::Current => capped::draw(drawing),
    }
}

/// Checks that usage does not come too late.
///
/// # Errors
/// 55000.
fn check_in_time(eligible: Eligibility<'_>, at: DateTime<Utc>) -> Result<()> {
    let lateness = Lateness { eligible, at, now: clock::now() };
    match breakage::too_late(lateness) {
        Some(late) => Err(error::late_usage(eligible.account, at, lateness.now, &late)),
        None => Ok(()),
    }
}

/// Draws from what expired lots lost, and what they do not cover from the lots of now: all of it or nothing.
fn draw_from_expired(drawing: &Drawing<'_>, at: DateTime<Utc>) -> Result<Option<Outcome>> {
    let mut insufficient = None;
    let posted = subtransaction::attempt(|| {
        // A transaction that makes a cap and counts what was spent does not see to the expired lots.
        arrival::let_in(drawing.eligible.account);
        whole::gather(drawing.caps, drawing.counted(Amount::ZERO), drawing.decimals);
        let losses = lock_losses(&[(drawing.eligible, at)]).remove(0);
        let parts = parts(&losses, drawing.amount);
        let lapsed: Amount = parts.iter().map(|part| part.amount).sum();
        let posting = drawing.posting.unwrap_or_else(entries::next_posting);
        let [line_of_lapsed, line_of_rest] = split_line(drawing.line, lapsed, drawing.amount);
        let rest = drawing.amount.checked_sub(lapsed).expect("a part of the amount");
        let now = clock::now();
        if invalidation::generation() != drawing.generation || drawing.is_due(now) {
            return Ok(None);
        }
        // All that may refuse comes before the rest is drawn. That may end a subtransaction with locks of its own, and if they
        // were taken back with this one, those who wait for them would go on to wait for the whole transaction. Missing credits
        // come first: a cap refuses only where the credits are there.
        if let Some(available) = available_for(drawing.eligible, rest) {
            insufficient = Some(Outcome::Insufficient { available: available.checked_add(lapsed).unwrap_or(available) });
            return Ok(None);
        }
        if let Some(reached) = count_lapsed(drawing.caps, line_of_lapsed, &losses, &parts, now) {
            insufficient = Some(Outcome::Capped(Box::new(reached)));
            return Ok(None);
        }
        if rest.is_positive() {
            match capped::draw(&Drawing { amount: rest, line: line_of_rest, posting: Some(posting), ..*drawing })? {
                Some(Outcome::Posted(_)) => {}
                Some(Outcome::Insufficient { available }) => {
                    let available = available.checked_add(lapsed).unwrap_or(available);
                    insufficient = Some(Outcome::Insufficient { available });
                    return Ok(None);
                }
                Some(capped @ Outcome::Capped(_)) => {
                    insufficient = Some(capped);
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
        let drawn = clock::now();
        let account = drawing.eligible.account;
        let has_ended = |cap: &Cap| cap.period(account, now).has_ended(drawn);
        if !parts.is_empty() && drawing.caps.iter().any(has_ended) {
            // A period of the calendar ended during the wait: the part that was counted in it would be recorded in the next one.
            return Ok(None);
        }
        write_lines(line_of_lapsed, posting, &parts, drawn);
        Ok(Some(posting))
    })?;
    Ok(posted.map(Outcome::Posted).or(insufficient))
}

/// The credits that there are for the rest, where they do not cover it.
fn available_for(eligible: Eligibility<'_>, rest: Amount) -> Option<Amount> {
    if !rest.is_positive() {
        return None;
    }
    let available = eligible::survey(eligible, NO_LOT, rest).available;
    (available < rest).then_some(available)
}

/// Counts what expired lots pay to caps that are locked whole; the cap that does not leave it.
fn count_lapsed(
    caps: &[Cap],
    line: DebitLine<'_>,
    losses: &[Lapsed],
    parts: &[TakenBack],
    now: DateTime<Utc>,
) -> Option<CapReached> {
    let is_pooled = |part: &&TakenBack| losses.iter().any(|loss| loss.source.rank.lot == part.lot && loss.source.rank.pooled);
    let amount: Amount = parts.iter().map(|part| part.amount).sum();
    let pooled = parts.iter().filter(is_pooled).map(|part| part.amount).sum();
    let counted = Counted { account: line.account, operation: line.operation, amount, pooled };
    match crate::caps::hold(caps, counted, now) {
        Ok(held) => held.count(),
        Err(_) => return crate::caps::reached(Snapshot::Fresh, caps, counted),
    }
    None
}

/// The amounts that expiries pay: lot by lot in drawdown order, and of a lot its earliest loss first.
fn parts(lapsed: &[Lapsed], amount: Amount) -> Vec<TakenBack> {
    let of_lot =
        |losses: &[Lapsed]| Source { available: losses.iter().map(|loss| loss.source.available).sum(), ..losses[0].source };
    let sources: Vec<_> = lapsed.chunk_by(|one, next| one.source.rank == next.source.rank).map(of_lot).collect();
    let mut parts = Vec::new();
    for draw in drawdown::plan(&sources, amount) {
        let mut due = draw.amount;
        for Lapsed { posting, source } in lapsed.iter().filter(|loss| loss.source.rank.lot == draw.lot) {
            let amount = source.available.min(due);
            if amount.is_positive() {
                due = due.checked_sub(amount).expect("a part of what is due");
                parts.push(TakenBack { expiry: *posting, lot: draw.lot, amount });
            }
        }
    }
    parts
}

/// The lines for the part that expired lots pay, and for the rest: a charge's quantity is divided like its price.
pub fn split_line<'a>(line: DebitLine<'a>, lapsed: Amount, amount: Amount) -> [DebitLine<'a>; 2] {
    let rest = amount.checked_sub(lapsed).expect("a part of the amount");
    match line.usage {
        None => [line, line],
        Some(usage) => {
            let quantities = exact::split(usage.quantity, &[lapsed, rest], MAX_DECIMALS);
            [0, 1].map(|part| DebitLine { usage: Some(Usage { quantity: quantities[part], ..usage }), ..line })
        }
    }
}

/// Writes what is taken back, and the debit of it, lot by lot behind the lines that the posting has.
pub fn write_lines(line: DebitLine<'_>, posting: i64, parts: &[TakenBack], now: DateTime<Utc>) {
    if parts.is_empty() {
        return;
    }
    let first = breakage::last_line(line.account, posting) + 1;
    breakage::take_back(line.account, posting, first, parts, now);
    let draws: Vec<_> = parts.iter().map(|part| (part.lot, part.amount)).collect();
    let numbered = (first + 1..).step_by(2).zip(BatchLine::of_debit(line, posting, &draws));
    let debits: Vec<_> = numbered.map(|(number, debit)| BatchLine { line: number, ..debit }).collect();
    write::lines(&debits, now);
}

/// When usage happened that expired lots may pay.
pub fn original(item: &Debit<'_>, context: &Context) -> Option<DateTime<Utc>> {
    instant(item.occurred_at, context).filter(|_| context.late_usage == LateUsage::Original)
}

/// Locks the losses of the lots that would have paid several usages of one account and unit, in one order over all of them.
/// Returns, for each usage, the losses that may pay it, in drawdown order. No lot that is in force may be locked yet.
pub fn lock_losses(late: &[breakage::LateUsage<'_>]) -> Vec<Vec<Lapsed>> {
    let account = late.first().expect("some usage").0.account;
    breakage::unswept(late, clock::now()).into_iter().for_each(|lot| {
        expiry::expire_waiting(account, lot);
    });
    // The time is taken anew after waiting for the lots.
    let now = clock::now();
    breakage::lock_lapsed(late, now);
    late.iter().map(|(eligible, at)| breakage::lapsed(Lateness { eligible: *eligible, at: *at, now })).collect()
}

/// Checks the items that are not repetitions: they are not late where late usage is rejected.
///
/// # Errors
/// 55000, with `item=` in the DETAIL.
pub fn check_items<'a>(items: impl Iterator<Item = (usize, &'a Debit<'a>, &'a Context)>) -> Result<()> {
    for (index, item, context) in items.filter(|(_, _, context)| context.late_usage == LateUsage::Reject) {
        if let Some(at) = instant(item.occurred_at, context) {
            check_in_time(item.eligible(context), at).map_err(|refusal| error::in_item(refusal, item.item.unwrap_or(index)))?;
        }
    }
    Ok(())
}
