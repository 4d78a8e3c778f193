//! Usage that comes late: after the expiry of a lot which was in force when it happened. Its account says what happens then.
//!
//! Where the expired lots pay, they pay with what they lost: the expiry is taken back by an entry that names it, and the debit follows it
//! in the same posting. A lot stays closed and empty through that; what is locked is its row in `credit.breakage`, before any lot.
//! What the expired lots do not cover is drawn as if the usage were of now.

use std::collections::HashMap;
use std::iter::zip;
use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::batch::{self, ItemOutcome, Mode, members};
use super::caps::{Counted, whole};
use super::debit::{self, Debit, Drawing, Outcome, Short};
use super::expiry;
use super::write;
use crate::cycles::refresh;
use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::drawdown::Source;
use crate::domain::late::LateUsage;
use crate::domain::{drawdown, exact};
use crate::error::{self, CapReached, Result};
use crate::server::{arrival, clock, invalidation, subtransaction};
use crate::store::Snapshot;
use crate::store::accounts::Context;
use crate::store::breakage::{self, Lapsed, Lateness, TakenBack};
use crate::store::caps::Cap;
use crate::store::eligible::Eligibility;
use crate::store::entries::{self, BatchLine, DebitLine, Usage};

/// When the usage happened, if that is in the past and the account has other things done to late usage than the usual.
pub fn instant(occurred_at: Option<DateTime<Utc>>, context: &Context) -> Option<DateTime<Utc>> {
    let at = occurred_at.filter(|_| context.late_usage != LateUsage::Current)?;
    let now = clock::now();
    // What happened since the transaction began is usage of now.
    (clock::of_now(at, now) < now).then_some(at)
}

/// Draws for usage of the past as its account says; `None` when account or member changed during a wait.
///
/// # Errors
/// 55000 where late usage is rejected; what a debit raises.
pub fn draw(drawing: &Drawing<'_>, policy: LateUsage, at: DateTime<Utc>) -> Result<Option<Outcome>> {
    // What expired lots lost is only known once the account's schedules are settled.
    if drawing.is_due(clock::now()) {
        return Ok(None);
    }
    match policy {
        LateUsage::Original => draw_from_expired(drawing, at),
        LateUsage::Reject => check_in_time(drawing.eligible, at).and_then(|()| debit::draw(drawing)),
        LateUsage::Current => debit::draw(drawing),
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
        // Whoever makes a cap and counts what was spent does not see to the expired lots.
        arrival::let_in(drawing.eligible.account);
        whole::gather(drawing);
        let losses = lapsed_of(drawing.eligible, at, &HashMap::new());
        let parts = parts(&losses, drawing.amount);
        let lapsed: Amount = parts.iter().map(|part| part.amount).sum();
        let posting = drawing.posting.unwrap_or_else(entries::next_posting);
        let [line_of_lapsed, line_of_rest] = split_line(drawing.line, lapsed, drawing.amount);
        let rest = drawing.amount.checked_sub(lapsed).expect("a part of the amount");
        if rest.is_positive() {
            match debit::draw(&Drawing { amount: rest, line: line_of_rest, posting: Some(posting), ..*drawing })? {
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
        let now = clock::now();
        if invalidation::generation() != drawing.generation || drawing.is_due(now) {
            return Ok(None);
        }
        if let Some(reached) = count_lapsed(drawing.caps, line_of_lapsed, &losses, &parts, now) {
            insufficient = Some(Outcome::Capped(Box::new(reached)));
            return Ok(None);
        }
        write_lines(line_of_lapsed, posting, &parts, now);
        Ok(Some(posting))
    })?;
    Ok(posted.map(Outcome::Posted).or(insufficient))
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
    match super::caps::hold(caps, counted, now) {
        Ok(held) => held.count(),
        Err(_) => return super::caps::reached(Snapshot::Fresh, caps, counted),
    }
    None
}

/// Which expiries pay what of an amount: lot by lot in drawdown order, and of a lot what it lost first.
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

/// What is said of the part that expired lots pay, and of the rest: a charge's quantity is divided like its price.
fn split_line<'a>(line: DebitLine<'a>, lapsed: Amount, amount: Amount) -> [DebitLine<'a>; 2] {
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
fn write_lines(line: DebitLine<'_>, posting: i64, parts: &[TakenBack], now: DateTime<Utc>) {
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

/// Whether expired lots may pay for an item.
pub fn is_paid_by_expired(items: &[Debit<'_>], contexts: &[Rc<Context>]) -> bool {
    items.iter().zip(contexts).any(|(item, context)| original(item, context).is_some())
}

fn original(item: &Debit<'_>, context: &Context) -> Option<DateTime<Utc>> {
    instant(item.occurred_at, context).filter(|_| context.late_usage == LateUsage::Original)
}

/// Debits the items under one posting: those that are late from what expired lots lost, in turn, and what that does not cover with the
/// others from the lots of now. `None` when what was read of accounts and members does not hold any more; the caller rolls back.
///
/// # Errors
/// As [`batch::debit_as_one`].
pub fn as_one(items: &[Debit<'_>], contexts: &[Rc<Context>], generation: u64, posting: i64) -> Result<Option<()>> {
    let mut taken: HashMap<i64, Amount> = HashMap::new();
    let (mut rest, mut paid) = (Vec::new(), Vec::new());
    // What is due takes the account's row, and newcomers take theirs, before any cap.
    members::prepare_accounts(items, contexts, |item, context| original(item, context).is_some())?;
    members::register(items, contexts, 0..items.len())?;
    // Before any lot, and so that one slot of each has what the items take of it.
    lock_whole_caps(items, contexts);
    let counted_at = clock::now();
    for (index, (item, context)) in items.iter().zip(contexts).enumerate() {
        let parts = match original(item, context) {
            None => Vec::new(),
            Some(at) => {
                // What expired lots lost is only known once the account's schedules are settled.
                if refresh::is_due(item.account, clock::now()) {
                    return Ok(None);
                }
                let losses = lapsed_of(item.eligible(context), at, &taken);
                let parts = parts(&losses, item.amount);
                let line = item.line(context.member.as_ref());
                if let Some(reached) = count_lapsed(&context.caps, line, &losses, &parts, counted_at) {
                    return Err(error::in_item(error::cap_reached(item.account, &reached), item.item.unwrap_or(index)));
                }
                parts
            }
        };
        for part in &parts {
            let known = taken.entry(part.expiry).or_insert(Amount::ZERO);
            *known = known.checked_add(part.amount).expect("a part of what expired");
        }
        let lapsed: Amount = parts.iter().map(|part| part.amount).sum();
        let amount = item.amount.checked_sub(lapsed).expect("a part of the amount");
        let [line_of_lapsed, line_of_rest] = split_line(item.line(context.member.as_ref()), lapsed, item.amount);
        paid.push((line_of_lapsed, parts));
        if amount.is_positive() {
            rest.push(Debit { amount, usage: line_of_rest.usage, item: item.item.or(Some(index)), ..*item });
        }
    }
    batch::debit_rest_as_one(&rest, posting)?;
    members::add_seats(items, contexts, 0..items.len());
    let now = clock::now();
    // What is recorded in a period is what its caps counted in it.
    let has_ended = |item: &Debit<'_>, cap: &Cap| cap.period(item.account, counted_at) != cap.period(item.account, now);
    if zip(items, contexts).any(|(item, context)| context.caps.iter().any(|cap| has_ended(item, cap))) {
        return Ok(None);
    }
    if !batch::contexts_hold(items, contexts, generation)? || contexts.iter().any(|context| !context.pooling_holds(now)) {
        return Ok(None);
    }
    paid.into_iter().for_each(|(line, parts)| write_lines(line, posting, &parts, now));
    Ok(Some(()))
}

/// Locks all caps that may count one of the items, and puts together what is left of each.
fn lock_whole_caps(items: &[Debit<'_>], contexts: &[Rc<Context>]) {
    let total: Amount = items.iter().map(|item| item.amount).sum();
    for (account, counting) in super::caps::whole::counting(items, contexts) {
        arrival::let_in(account);
        for whole in whole::lock(account, &counting) {
            whole.spread(total, MAX_DECIMALS);
        }
    }
}

/// What the lots that would have paid lost, without what was taken of it just now.
fn lapsed_of(eligible: Eligibility<'_>, at: DateTime<Utc>, taken: &HashMap<i64, Amount>) -> Vec<Lapsed> {
    // The time is taken anew after waiting for the lots.
    let lateness = || Lateness { eligible, at, now: clock::now() };
    breakage::unswept(lateness()).into_iter().for_each(|lot| {
        expiry::expire_waiting(eligible.account, lot);
    });
    let left = |loss: Lapsed| {
        let taken = taken.get(&loss.posting).copied().unwrap_or(Amount::ZERO);
        let available = loss.source.available.checked_sub(taken).expect("a part of what expired");
        Lapsed { source: Source { available, ..loss.source }, ..loss }
    };
    breakage::lapsed(lateness()).into_iter().map(left).collect()
}

/// Checks the items of one posting, which the lots of now pay together: they are not late where late usage is rejected.
///
/// # Errors
/// 55000.
pub fn check_items(items: &[Debit<'_>], contexts: &[Rc<Context>]) -> Result<()> {
    for (item, context) in items.iter().zip(contexts).filter(|(_, context)| context.late_usage == LateUsage::Reject) {
        if let Some(at) = instant(item.occurred_at, context) {
            check_in_time(item.eligible(context), at)?;
        }
    }
    Ok(())
}

/// Debits the items of a batch of which some are late one by one, account by account: what expired lots pay is not drawn together.
///
/// # Errors
/// As the batch.
pub fn one_by_one(items: &[Debit<'_>], mode: Mode) -> Result<Vec<ItemOutcome>> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|index| items[*index].account);
    let mut outcomes = vec![ItemOutcome::Short(Short::default()); items.len()];
    for index in order {
        let item = items[index];
        let mut short = Short::default();
        let posted = subtransaction::attempt(|| {
            let debited = debit::debit_or_shortfall(item, mode == Mode::All)?;
            short = debited.err().unwrap_or_default();
            Ok(debited.ok())
        });
        let posted = posted.map_err(|refusal| error::in_item(refusal, item.item.unwrap_or(index)))?;
        outcomes[index] = posted.map_or(ItemOutcome::Short(short), ItemOutcome::Posted);
    }
    Ok(outcomes)
}
